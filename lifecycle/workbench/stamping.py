"""Time stamps after a run: asked for once it is sealed, so that nothing about them can change what came of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress

from lifecycle.errors import LifecycleError
from lifecycle.workbench.workspace import Workspace

FILE_NAME = "stamps.json"


def ask(workspace: Workspace, stopped: Callable[[], bool]) -> None:
    """Have sealed runs stamped, those that are still waiting too; why one still waits stays to be seen by ``doctor``.

    Without an authority in ``lifecycle.toml`` nothing is done. Nothing is raised: the run is sealed.
    """
    from lifecycle.ledger import stamps

    url, ca = workspace.settings.ledger.timestamp_url, workspace.stamp_ca
    if not url or ca is None:
        return
    try:
        why = stamps.ask(workspace.ledger(), url, ca, stopped).why
    except LifecycleError as error:
        why = error.fact.rstrip(".")
    path = workspace.path / "reports" / FILE_NAME
    new = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    with suppress(OSError):
        new.write_text(json.dumps({"at": workspace.now().isoformat(), "why": why}) + "\n", encoding="utf-8")
        new.replace(path)


def why_waiting(workspace: Workspace) -> str:
    """Say why the last run got no stamp, and that the next one asks again."""
    why = ""
    with suppress(OSError, ValueError, KeyError, TypeError):
        why = json.loads((workspace.path / "reports" / FILE_NAME).read_text(encoding="utf-8"))["why"]
    return f"the last run did not get it: {why}; the next run asks again" if why else "the next run asks for them"
