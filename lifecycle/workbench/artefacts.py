"""What runs leave in ``reports/``: registered, and removed when the deletion rule says so.

An executed notebook holds counts only, but it is a copy made for a purpose, and the purpose ends. The register is a
file beside the artefacts, because it must work on the night on which the store does not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from lifecycle.workbench.workspace import Workspace

REGISTER = "artefacts.jsonl"


def register(workspace: Workspace, path: Path, kind: str, written_on: date) -> date:
    """Note an artefact and return the day on which it must be gone: the shortest period of the workspace's rules."""
    period = min(workspace.settings.rule(name).period_days for name in workspace.settings.rules)
    due_on = written_on + timedelta(days=period)
    line = {"name": path.name, "kind": kind, "writtenOn": written_on.isoformat(), "dueOn": due_on.isoformat()}
    _append(workspace, line)
    return due_on


def registered(workspace: Workspace) -> Mapping[str, date]:
    """Return the artefacts that are still there, by file name, with the day on which each falls due."""
    folder = workspace.path / "reports"
    return {
        name: date.fromisoformat(line["dueOn"])
        for name, line in _read(workspace).items()
        if "dueOn" in line and (folder / name).is_file()
    }


def age(workspace: Workspace) -> int:
    """Register executed notebooks that nobody did, remove what has fallen due, and return how many that were."""
    folder, known = workspace.path / "reports", _read(workspace)
    for path in sorted(folder.glob("*.ipynb")):
        if path.name not in known:
            written = datetime.fromtimestamp(path.lstat().st_mtime, UTC).astimezone(workspace.settings.zone)
            register(workspace, path, "notebook", written.date())
    due = [name for name, due_on in registered(workspace).items() if due_on <= workspace.today]
    for name in due:
        (folder / name).unlink(missing_ok=True)
        _append(workspace, {"name": name, "removedOn": workspace.today.isoformat()})
    return len(due)


def _append(workspace: Workspace, line: Mapping[str, str]) -> None:
    path = workspace.path / "reports" / REGISTER
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "ab") as stream:
        stream.write(json.dumps(line).encode() + b"\n")


def _read(workspace: Workspace) -> dict[str, dict[str, str]]:
    """The last word on each artefact. A line cut short by a crash is passed over; its notebook is found again."""
    lines: dict[str, dict[str, str]] = {}
    path = workspace.path / "reports" / REGISTER
    for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        with suppress(ValueError, KeyError, TypeError):
            line = json.loads(text)
            if Path(line["name"]).name == line["name"]:
                lines[line["name"]] = line
    return lines
