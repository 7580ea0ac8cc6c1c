"""``report``: the facts of a run, what came before, and the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lifecycle import report
from lifecycle.deletion import documents as doc
from lifecycle.errors import UsageError
from lifecycle.workbench import facts, history
from lifecycle.workbench.workspace import Workspace


def write_report(
    workspace: Workspace,
    run_id: str | None,
    *,
    formats: Sequence[str],
    language: str | None = None,
    second_opinion: bool,
    planned: bool = False,
) -> tuple[Path, ...]:
    """Write the report of a run (default: the latest begun), or of the workspace where there is none.

    Parameters
    ----------
    planned : bool
        Allow a run that was planned and not begun; the report then says that nothing was deleted.

    Raises
    ------
    UsageError
        No such run, format or language.
    """
    from lifecycle.workbench.checking import check_store  # slow to import, and most verbs do without

    ledger = workspace.ledger()
    if run_id is None:
        run_id = facts.latest_run(ledger)
    elif run_id not in ledger.runs() or doc.PLAN not in ledger.listing(run_id):
        raise UsageError("There is no such run.", "lifecycle plan --as-of DATE")
    with workspace.store.kept_open():
        findings = check_store(workspace, None, second_opinion=second_opinion).findings
        said = facts.gather(workspace, run_id, findings, workspace.today, planned=planned)
        said = history.with_past(workspace, said)
    files = report.write(said, workspace.path / "reports", formats, language or workspace.settings.language)
    history.remember(workspace, said)
    return tuple(files)


def report_of_failure(workspace: Workspace) -> tuple[Path, ...]:
    """Write how things stand after a purge that failed: its run of today, begun or not, else the latest one."""
    run_id = facts.run_of_today(workspace) or None
    return write_report(workspace, run_id, formats=("html", "json"), second_opinion=False, planned=True)
