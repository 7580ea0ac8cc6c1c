"""``report --inspection``: one ZIP that an authority can read and check without us, and nobody's data in it."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest

from lifecycle.errors import EvidenceError
from lifecycle.workbench import Workbench

pytestmark = pytest.mark.slow

NOW = datetime(2026, 8, 1, 1, tzinfo=UTC)
PERSONAL = ("Erika", "Musterfrau", "example.org", "uid-of-visit")


@pytest.fixture
def wb(tmp_path: Path) -> Workbench:
    """Three rows were due; one is held, and the rule's reason begins like a formula."""
    wb = Workbench.init(tmp_path / "clinic", now=lambda: NOW)
    path = tmp_path / "export.ndjson"
    rows = [
        {
            "appointment_uid": f"uid-of-visit-{days:05d}",
            "first_name": "Erika",
            "last_name": f"Musterfrau{days:05d}",
            "email": f"erika{days:05d}@example.org",
            "starts_at": (NOW - timedelta(days=days)).isoformat(),
            "ends_at": (NOW - timedelta(days=days)).isoformat(),
        }
        for days in (110, 100, 95, 5)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    wb.ingest(path, as_of=(NOW - timedelta(days=50)).date(), consume=True)
    settings = wb.path / "lifecycle.toml"
    settings.write_text(settings.read_text().replace('why = "Das', 'why = "=Das'))
    wb = Workbench.open(wb.path, now=lambda: NOW)
    wb.hold_add("uid-of-visit-00100", "legal-claims", reference="case 17", review_on="2027-01-01")
    wb.hold_lift(wb.hold_add("uid-of-visit-00095", "restriction").holds[0].number)
    plan = wb.plan("today")
    wb.approve(plan.run_id, "controller")
    wb.purge(plan.run_id)
    wb.purge(as_of="today")
    wb.plan("today")
    return wb


@pytest.fixture
def packed(wb: Workbench) -> dict[str, bytes]:
    (path,) = wb.report(inspection=True).files
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def table(packed: dict[str, bytes], name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(packed[name].decode(), newline="")))


def test_everything_an_authority_asks_for_is_there(packed: dict[str, bytes], wb: Workbench) -> None:
    """Rules and their history, contracts, runs, exceptions, the whole evidence, the verifier, and both languages."""
    assert {"LIESMICH.txt", "README.txt", "rules.json", "rules-history.csv", "runs.csv", "verify.py"} <= set(packed)
    assert {name for name in packed if name.startswith("contracts/")}
    for path in (wb.path / "evidence").rglob("*"):
        if path.is_file() and path.name != ".lock":
            assert packed[path.relative_to(wb.path).as_posix()] == path.read_bytes()
    rules = json.loads(packed["rules.json"])
    assert rules["rules"]["appointments"]["periodDays"] == 90
    assert rules["policySha256"] == table(packed, "rules-history.csv")[0]["policy_sha256"]


def test_the_list_of_runs_has_every_run_and_its_numbers_add_up(packed: dict[str, bytes]) -> None:
    """The run that deleted, the night with nothing due, and the plan that nobody carried out."""
    deleted, nothing, planned = table(packed, "runs.csv")
    assert (deleted["outcome"], deleted["deleted"], deleted["held"], deleted["retained"]) == ("sealed", "2", "1", "2")
    assert (deleted["checks"], deleted["approved_by"], deleted["signed"]) == ("passed", "controller", "no")
    assert (nothing["outcome"], nothing["deleted"], nothing["trigger"]) == ("sealed", "0", "schedule")
    assert (planned["outcome"], planned["deleted"]) == ("planned", "0")


def test_exceptions_are_counts_by_ground(packed: dict[str, bytes]) -> None:
    """No uid and no reference: a ground, how many, when the next one is looked at again."""
    assert table(packed, "exceptions.csv") == [
        {"ground": "legal-claims", "in_force": "1", "lifted": "0", "rows_held": "1", "earliest_review": "2027-01-01"}
    ]


def test_no_cell_starts_a_formula(packed: dict[str, bytes]) -> None:
    """A spreadsheet shows the text and computes nothing."""
    reasons = {row["dataset"]: row["why"] for row in table(packed, "rules-history.csv")}
    assert reasons["events"].startswith("'=Das")
    for name in ("runs.csv", "exceptions.csv", "rules-history.csv"):
        assert [cell for row in table(packed, name) for cell in row.values() if re.match(r"[=+\-@\t\r]", cell)] == []


def test_no_personal_value_and_no_key_is_in_it(packed: dict[str, bytes], wb: Workbench) -> None:
    """Neither of the deleted nor of those who stay; keys, holds' references and the store are not packed."""
    everything = b"\n".join(data for name, data in packed.items() if not name.startswith("contracts/"))
    assert [value for value in (*PERSONAL, "case 17") if value.encode() in everything] == []
    for key in (wb.path / "keys").iterdir():
        assert key.read_bytes() not in everything
    assert [name for name in packed if name.startswith(("keys", "data"))] == []


def test_the_same_state_gives_the_same_bytes(wb: Workbench) -> None:
    """Packed twice, at another time of day: two copies can be compared by their digest."""
    (path,) = wb.report(inspection=True).files
    first = path.read_bytes()
    later = Workbench.open(wb.path, now=lambda: NOW + timedelta(hours=5))
    assert later.report(inspection=True).files == (path,)
    assert path.read_bytes() == first
    assert [each.name for each in path.parent.glob("inspection*")] == [path.name]


def test_the_packed_verifier_accepts_the_packed_evidence(wb: Workbench, tmp_path: Path) -> None:
    """With the very command that the README in it gives, in another folder, and with today's checkpoint."""
    (path,) = wb.report(inspection=True).files
    with ZipFile(path) as archive:
        archive.extractall(tmp_path / "authority")
    text = (tmp_path / "authority/README.txt").read_text()
    command = re.search(r"^  python (verify\.py .*)$", text, re.MULTILINE)
    size, root = (re.search(rf"^  {word} +(\S+)$", text, re.MULTILINE) for word in ("size", "root"))
    assert command
    assert size
    assert root
    call = [sys.executable, *command[1].split(), size[1], root[1]]
    done = subprocess.run(call, cwd=tmp_path / "authority", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    call[-1] = root[1].replace(root[1][0], "A" if root[1][0] != "A" else "B", 1)
    assert subprocess.run(call, cwd=tmp_path / "authority", capture_output=True, check=False).returncode == 7


def test_a_link_among_the_evidence_is_not_followed(wb: Workbench) -> None:
    """Or whatever it leads to would be handed out."""
    (wb.path / "evidence/extra").symlink_to(wb.path / "keys/log.seed")
    with pytest.raises(EvidenceError, match="not a plain file"):
        wb.report(inspection=True)
    assert list((wb.path / "reports").glob("inspection*")) == []


# --- the years ---------------------------------------------------------------------------------------


@pytest.fixture
def years(tmp_path: Path) -> tuple[Workbench, dict[int, tuple[str, str]]]:
    """Nights of 2024, one that deleted, a change of key, and nights of 2025 and 2026; what was noted at the end."""
    clock = [datetime(2024, 12, 24, 2, tzinfo=UTC)]
    wb = Workbench.init(tmp_path / "practice", now=lambda: clock[0])
    rows = [
        {"appointment_uid": f"uid-of-visit-{n}", "email": f"erika{n}@example.org", "ends_at": f"2024-09-0{n}T10:00:00Z"}
        for n in (1, 2)
    ]
    path = tmp_path / "export.ndjson"
    path.write_text("".join(json.dumps({"starts_at": row["ends_at"], **row}) + "\n" for row in rows))
    wb.ingest(path, as_of=date(2024, 11, 1), consume=True)
    noted = {}
    for day in ((2024, 12, 24), (2024, 12, 31), (2025, 1, 2), (2026, 1, 3)):
        if day[0] == 2026:  # a person goes on after the gap, or the clock would be doubted
            clock[0] = datetime(2025, 12, 30, 2, tzinfo=UTC)
            wb.purge(wb.plan("today").run_id)
        clock[0] = datetime(*day, 2, tzinfo=UTC)
        if not noted:
            run_id = wb.plan("today").run_id
            wb.approve(run_id, "controller")
            wb.purge(run_id)
            wb.key_rotate()
        else:
            wb.purge(as_of="today")
        text = unpacked(wb, tmp_path / f"authority-{day[0]}")
        noted[day[0]] = said(text, "size"), said(text, "root")
        assert said(text, "year") == str(day[0])
    return wb, noted


def unpacked(wb: Workbench, folder: Path) -> str:
    (path,) = wb.report(inspection=True).files
    with ZipFile(path) as archive:
        archive.extractall(folder)
    return (folder / "README.txt").read_text()


def said(text: str, word: str) -> str:
    return re.findall(rf"^  {word} +(\S+)$", text, re.MULTILINE)[0]


def calls(text: str) -> list[list[str]]:
    return [line.split() for line in re.findall(r"^  python (verify\.py .*)$", text, re.MULTILINE)]


def ends_with(folder: Path, call: list[str]) -> int:
    return subprocess.run([sys.executable, *call], cwd=folder, capture_output=True, check=False).returncode


def test_every_run_of_the_list_has_its_evidence(years, tmp_path: Path) -> None:
    """Those of closed years, too; and every file of the evidence is there as it is."""
    wb, _ = years
    folder = tmp_path / "authority-2026"
    runs = [row["run"] for row in table({"runs.csv": (folder / "runs.csv").read_bytes()}, "runs.csv")]
    assert [run[:4] for run in runs] == ["2024", "2024", "2025", "2025", "2026"]
    assert sorted(path.name for path in folder.glob("evidence*/runs/*")) == sorted(runs)
    for path in wb.path.glob("evidence*/**/*"):
        if path.is_file() and path.name != ".lock":
            assert (folder / path.relative_to(wb.path)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["README.txt", "LIESMICH.txt"])
def test_the_calls_of_the_readme_verify_every_year(years, tmp_path: Path, name: str) -> None:
    """One a log, each closed one up to the end that its successor names and under the key that that began with."""
    folder = tmp_path / "authority-2026"
    found = calls((folder / name).read_text())
    assert [call[1] for call in found] == ["evidence", "evidence-2025", "evidence-2024"]
    assert [call[2] for call in found] == ["evidence/log.vkey", "evidence/log.vkey", "evidence-2025/log.vkey"]
    assert [ends_with(folder, call) for call in found] == [0, 0, 0]
    for call in found[1:]:
        assert (folder / call[1] / "checkpoint").read_text().split("\n")[1:3] == call[3:]
        cut = [*call[:3], str(int(call[3]) + 1), call[4]]
        assert ends_with(folder, cut) == 7
    for log in ("evidence-2025", "evidence-2024"):
        deleted = next((folder / log / "runs").glob("*/6-record.json"))
        deleted.write_bytes(deleted.read_bytes().replace(b'"retained": ', b'"retained": 1', 1))
    assert [ends_with(folder, call) for call in found] == [0, 7, 7]


def test_a_checkpoint_noted_in_an_earlier_year_is_good_as_the_readme_says(years, tmp_path: Path) -> None:
    """In the call for its year, its values in the place of those there; in no call for another year."""
    _, noted = years
    folder = tmp_path / "authority-2026"
    by_log = {call[1]: call for call in calls((folder / "README.txt").read_text())}
    for year, checkpoint in noted.items():
        own = "evidence" if year == 2026 else f"evidence-{year}"
        took = [log for log, call in by_log.items() if ends_with(folder, [*call[:3], *checkpoint]) == 0]
        assert took == [own]


def test_the_readme_speaks_of_years_keys_and_stamps_only_where_there_are_any(years, tmp_path: Path) -> None:
    """Whoever reads it finds nothing that is not beside it; in both languages the same."""
    wb, _ = years
    stamp = next((wb.path / "evidence/runs").iterdir()) / "6-record.json.tlog-proof.tsr"
    stamp.write_bytes(b"a stamp")
    unpacked(wb, tmp_path / "stamped")
    words = ("log-opened.json", "evidence-2024/", "signing-key-*.json", "6-record.json.tlog-proof.tsr", "ca.pem")
    for name in ("README.txt", "LIESMICH.txt"):
        late = (tmp_path / "stamped" / name).read_text()
        assert [word for word in words if word not in late] == []
        early = (tmp_path / "authority-2025" / name).read_text()
        assert [word for word in words if word in early] == list(words[:3])
        assert max(map(len, [line for line in early.splitlines() if "verify.py evidence" not in line])) <= 120
    first = Workbench.init(tmp_path / "first", now=lambda: NOW)
    text = unpacked(first, tmp_path / "authority-first")
    assert [word for word in words if word in text] == []
    assert said(text, "year") == "-"


def test_a_link_in_the_place_of_a_closed_year_is_not_followed(years, tmp_path: Path) -> None:
    """Or whatever it leads to would be handed out."""
    wb, _ = years
    (wb.path / "evidence-2024").rename(tmp_path / "elsewhere")
    (wb.path / "evidence-2024").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EvidenceError):
        wb.report(inspection=True)


def test_the_history_of_the_rules_has_every_change_and_every_field(tmp_path: Path) -> None:
    """Also of fields that most never touch, and also back: the last entry is what is in force."""
    clock = [datetime(2026, 8, 1, 2, tzinfo=UTC)]
    wb = Workbench.init(tmp_path / "clinic", now=lambda: clock[0])
    settings = wb.path / "lifecycle.toml"
    first = settings.read_text()
    head, appointments = first.split("[rules.appointments]")
    for was, instead in (('"booking"', '"cancellation"'), ('"P365D"', '"P200D"')):
        assert was in appointments
        appointments = appointments.replace(was, instead, 1)
    other = f"{head}[rules.appointments]{appointments}"
    for text in (first, first, other, first):
        settings.write_text(text)
        wb = Workbench.open(wb.path, now=lambda: clock[0])
        # A plan for an earlier day sorts before the others by its name, but it was made after them.
        wb.plan((clock[0] - timedelta(days=100)).date().isoformat() if text == other else "today")
        clock[0] += timedelta(days=1)
    unpacked(wb, tmp_path / "authority")
    name = "rules-history.csv"
    versions = table({name: (tmp_path / "authority" / name).read_bytes()}, name)
    rows = [row for row in versions if row["dataset"] == "appointments"]
    assert [row["cancelled"] for row in rows] == ["booking", "cancellation", "booking"]
    assert [row["booking_horizon_days"] for row in rows] == ["365", "200", "365"]
    assert [row["planned_at"][:10] for row in rows] == ["2026-08-01", "2026-08-03", "2026-08-04"]
    assert rows[0]["policy_sha256"] == rows[2]["policy_sha256"] == wb._workspace.settings.sha256
    assert {"superseded_days", "time_zone", "lead_days", "why"} <= set(rows[0])
