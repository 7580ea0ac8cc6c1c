"""The set-up of the connection: what ``lifecycle.toml`` describes, with what eTermin's own dumps say."""

from __future__ import annotations

from pathlib import Path

from lifecycle.mail.dumps import with_dumps
from lifecycle.mail.setup import Setup, check_setup
from lifecycle.model import Finding
from lifecycle.workbench.workspace import Workspace


def connection(workspace: Workspace | None) -> Setup | None:
    """Return the set-up, or None where ``lifecycle.toml`` describes none."""
    if workspace is None or not workspace.settings.setup:
        return None
    return with_dumps(Setup.from_mapping(workspace.settings.setup), workspace.path)


def connection_findings(workspace: Workspace) -> tuple[Finding, ...]:
    """Check the set-up, where there is one."""
    described = connection(workspace)
    if described is None:
        return ()
    return check_setup(described, workspace.today, workspace.settings.rule("appointments").period_days)


def service_dump(workspace: Workspace | None) -> Path | None:
    """Return the path of the service dump, where the set-up names one."""
    described = Setup.from_mapping(workspace.settings.setup) if workspace else Setup()
    return workspace.path / described.service_dump if workspace and described.service_dump else None


def dump_paths(workspace: Workspace) -> tuple[Path, ...]:
    """Return the paths of all dumps that the set-up names: known files, not forgotten ones."""
    described = Setup.from_mapping(workspace.settings.setup)
    return tuple(workspace.path / name for name in (described.service_dump, described.calendar_dump) if name)
