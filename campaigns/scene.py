"""A real workspace with an approved run in it, made by the command line alone, and everybody who lives in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PERIOD = 90
DATASETS = ("events", "appointments")
CSV_COLUMNS = (
    *("appointment_uid", "calendar_ref", "service_id", "first_name", "last_name", "email", "mobile"),
    *("starts_at", "ends_at", "received_at"),
)


class Broken(Exception):
    """A promise that was not kept. Its words are counts and names of files; the people are made up anyway."""


@dataclass(frozen=True)
class Person:
    """A made-up person with one appointment, ``days_ago`` days before the plan's day."""

    number: int
    days_ago: int

    @property
    def uid(self) -> str:
        return f"uid-of-visit-{self.number:05d}"

    @property
    def values(self) -> dict[str, str]:
        """What identifies the person; each is long enough to be looked for in bytes."""
        return {
            "first_name": f"Erika{self.number:05d}",
            "last_name": f"Musterfrau{self.number:05d}",
            "email": f"erika{self.number:05d}@example.org",
            "mobile": f"+49171392{self.number:05d}",
        }

    def ends_at(self, day: date) -> datetime:
        return datetime.combine(day - timedelta(days=self.days_ago), time(10))

    def message(self, day: date) -> dict[str, Any]:
        """The message that eTermin sends about the appointment."""
        ends = self.ends_at(day)
        body = {
            "command": "CREATED",
            "appointmentUID": self.uid,
            "calendarId": "1",
            "serviceIDs": "17",
            "firstName": self.values["first_name"],
            "lastName": self.values["last_name"],
            "email": self.values["email"],
            "phone": self.values["mobile"],
            "startDateTime": (ends - timedelta(minutes=30)).isoformat(),
            "endDateTime": ends.isoformat(),
        }
        return {"received_at": f"{(ends - timedelta(days=5)).isoformat()}Z", "body": body}

    def record(self, day: date) -> str:
        """The line of the export about the appointment."""
        ends = self.ends_at(day)
        times = [ends - timedelta(minutes=30), ends, ends - timedelta(days=5)]
        return ";".join([self.uid, "1", "17", *self.values.values(), *(each.isoformat() for each in times)])


@dataclass
class Scene:
    """The workspace ``path`` with the approved run ``run_id``: who must go, who is held, who stays.

    The rows of ``before`` are read by DuckDB itself, not by the product.
    """

    path: Path
    run_id: str = ""
    gone: list[Person] = field(default_factory=list)
    held: list[Person] = field(default_factory=list)
    staying: list[Person] = field(default_factory=list)
    before: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    holds: list[tuple[Any, ...]] = field(default_factory=list)

    def copy(self, to: Path) -> Path:
        """Give a copy of the workspace."""
        shutil.copytree(self.path, to, symlinks=True)
        return to

    def needles(self) -> list[bytes]:
        """Everything of the people who must go."""
        return [value.encode() for person in self.gone for value in (person.uid, *person.values.values())]


def words(workspace: Path, *verb: str) -> list[str]:
    """The call of the command line, as a process of its own."""
    return [sys.executable, "-m", "lifecycle.cli", "--workspace", str(workspace), *verb]


def call(workspace: Path, *verb: str, expect: tuple[int, ...] = (0,)) -> dict[str, Any]:
    """Call a verb as a whole process, and give its JSON."""
    done = subprocess.run(
        words(workspace, *verb, "--json"), capture_output=True, text=True, check=False, cwd=ROOT, env=environment()
    )
    if done.returncode not in expect:
        raise Broken(f"{verb[0]} ended with {done.returncode}: {done.stderr.strip()}")
    said = json.loads(done.stdout) if done.stdout.strip() else {}
    return said if isinstance(said, dict) else {}


def environment() -> dict[str, str]:
    """The surroundings of every process: nobody's workspace, and modules compiled once, as installed ones are."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("LIFECYCLE", "PYTHONDONT"))}
    return ours | {"LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}


def prepare(folder: Path, people: int = 24) -> Scene:
    """Make the workspace: two files taken in, an earlier run sealed, a hold, a plan, an approval."""
    folder.mkdir(parents=True, exist_ok=True)
    day = datetime.now(UTC).date()
    scene = Scene(folder / "workspace")
    earlier = [Person(number, 130) for number in range(1, 4)]
    third = people // 3
    # The edge on purpose: the last who goes is due today, the first who stays is due tomorrow.
    scene.gone = [Person(100 + number, PERIOD + number) for number in range(third)]
    scene.held = [Person(200 + number, PERIOD + number) for number in range(2)]
    scene.staying = [Person(300 + number, PERIOD - 1 - number) for number in range(people - third - 2)]
    everybody = [*earlier, *scene.gone, *scene.held, *scene.staying]
    log, export = folder / "log.ndjson", folder / "export.csv"
    log.write_text("".join(json.dumps(person.message(day)) + "\n" for person in everybody))
    export.write_text("\n".join([";".join(CSV_COLUMNS), *(person.record(day) for person in everybody)]) + "\n")
    subprocess.run(
        [sys.executable, "-m", "lifecycle.cli", "init", str(scene.path)],
        check=True, cwd=ROOT, env=environment(), capture_output=True,
    )  # fmt: skip
    call(scene.path, "ingest", str(log), str(export), "--as-of", (day - timedelta(days=50)).isoformat())
    for person in scene.held:
        call(scene.path, "hold", "add", person.uid, "--ground", "legal-claims")
    first = call(scene.path, "plan", "--as-of", (day - timedelta(days=30)).isoformat())
    call(scene.path, "approve", first["runId"], "--role", "controller")
    sealed = call(scene.path, "purge", first["runId"])
    plan = call(scene.path, "plan", "--as-of", day.isoformat())
    due = len(DATASETS) * (len(scene.gone) + len(scene.held))
    if (sealed["deleted"], plan["due"], plan["held"]) != (2 * len(earlier), due, len(DATASETS) * len(scene.held)):
        raise Broken(f"the scene is not what it should be: {sealed['deleted']} deleted, {plan['due']} due")
    scene.run_id = plan["runId"]
    call(scene.path, "approve", scene.run_id, "--role", "controller")
    return scene
