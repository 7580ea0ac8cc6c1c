"""What a person saw at the last visit, so that the pages can say what is laid down otherwise since.

It lies with the person (``$XDG_STATE_HOME/lifecycle/visits.json``, for the owner only), not in the workspace: two
people who look after one workspace have two last visits, and whoever only looks needs no right to write there. Rules,
fields, versions and the size and root of the log are in it; no personal value.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lifecycle.ledger.years import chain
from lifecycle.model import Change, Facts, as_json
from lifecycle.workbench import history
from lifecycle.workbench.history import Line
from lifecycle.workbench.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Visit:
    """What was laid down and found (a line of the history), and how far the log went, at one moment."""

    at: datetime
    line: Line
    size: int
    root: str
    closed_logs: int


def seen_now(workspace: Workspace, said: Facts) -> Visit:
    """Return what a visitor sees now."""
    end = workspace.ledger().checkpoint()
    closed = len(chain(workspace.evidence_path, workspace.settings.ledger.origin))
    line = {**history.line_of(workspace, said), "counts": {}}  # they change every night and are no news
    return Visit(workspace.now(), line, end.size, end.root, closed)


def changes(before: Visit, now: Visit) -> tuple[Change, ...]:
    """Name what is laid down or found otherwise than before."""
    return tuple(history.changes_between(before.line, now.line))


def lost_leaves(before: Visit, now: Visit) -> int:
    """Return how many leaves the log has lost since."""
    return max(0, before.size - now.size) if comparable(before, now) else 0


def comparable(before: Visit, now: Visit) -> bool:
    """Whether both speak of the same log: a new year begins a new one, and ``verify`` follows the chain itself."""
    return before.closed_logs == now.closed_logs and before.size > 0


def last_visit(workspace: Workspace) -> Visit | None:
    """Return what was remembered, or None where nothing (readable) was."""
    try:
        said = _read()[_key(workspace)]
        at = datetime.fromisoformat(said["at"])
        line = said["line"]
        if not all(isinstance(line[name], dict) for name in ("rules", "contracts", "places", "holds", "findings")):
            return None
        return Visit(at, line, int(said["size"]), str(said["root"]), int(said["closedLogs"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def remember(workspace: Workspace, seen: Visit) -> None:
    """Keep a visit for the next one; where nothing can be written, the next one is a first again."""
    path = _path()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
                json.dump({**_read(), _key(workspace): as_json(seen)}, stream, ensure_ascii=False)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


def _path() -> Path:
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "lifecycle" / "visits.json"


def _read() -> dict[str, Any]:
    try:
        said = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _key(workspace: Workspace) -> str:
    # A path can name a client; its digest tells two workspaces apart as well.
    return hashlib.sha256(str(workspace.path).encode()).hexdigest()[:32]
