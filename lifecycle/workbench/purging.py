"""``purge``: one approved plan, or the nightly job; alone with the evidence, and stopped at safe points only."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from lifecycle import __version__
from lifecycle.deletion.documents import Plan
from lifecycle.deletion.run import DeletionRuns
from lifecycle.errors import EvidenceError, Incomplete, Refused, StoreError, Unexpected
from lifecycle.workbench import approvals, facts, stamping
from lifecycle.workbench.guard import guarded
from lifecycle.workbench.results import Purged
from lifecycle.workbench.stopping import StopSwitch
from lifecycle.workbench.workspace import Workspace

_ROOM_BYTES = 16 << 20
"""For evidence, log and notebook, beside the store itself."""


def purge(workspace: Workspace, run_id: str | None, as_of: date, max_seconds: float | None = None) -> Purged:
    """Carry out one approved plan, or plan a day and go through if a standing approval covers it.

    ``max_seconds`` from now on it ends at the next safe point.
    """
    with alone(workspace, max_seconds) as runs:
        return carry_out(workspace, runs, run_id or _nightly(workspace, runs, as_of))


@contextmanager
def alone(workspace: Workspace, max_seconds: float | None = None) -> Iterator[DeletionRuns]:
    """Open the deletion runs, alone with the evidence from the first look on, under the stop switch.

    Raises
    ------
    Refused
        Somebody else is at work (the fact says who), or a stop was asked for; nothing was begun.
    """
    with StopSwitch(workspace.path, max_seconds).armed() as switch:
        signers = approvals.AllowedSigners(workspace)
        runs = workspace.runs(__version__, stopped=switch, signers=signers)
        with runs.alone():
            signers.remember()
            unfinished = runs.open_run()
            if unfinished is None:
                switch.refuse()  # an open run ends by itself at its first safe point, and says that it is open
                workspace.need_current_evidence()
            else:
                with _told_by_what_was_done(runs, unfinished):
                    workspace.need_current_evidence()
            try:
                yield runs
            except Refused:
                runs.destroy_due_keys()  # their day has come, whatever is in the way of the rows
                raise
            runs.destroy_due_keys()
        stamping.ask(workspace, switch)


def carry_out(workspace: Workspace, runs: DeletionRuns, run_id: str) -> Purged:
    """Carry out one run, or go on with it; a fault after its beginning is ``Incomplete``."""
    with _told_by_what_was_done(runs, run_id):
        residuals, files = workspace.residuals(lambda source: facts.file_due_on(workspace, source))
        if runs.open_run() is None and runs.read_plan(run_id).count:
            _need_space(workspace)
        guarded(runs.carry_out)(run_id, residuals, files)
        return _purged(workspace, runs, run_id)


@contextmanager
def _told_by_what_was_done(runs: DeletionRuns, run_id: str) -> Iterator[None]:
    """Let the exit code say whether something was begun: a disk that fails does not make the evidence broken."""
    try:
        yield
    except (EvidenceError, StoreError, Unexpected) as error:
        of_the_disk = isinstance(error.__cause__, OSError)
        if isinstance(error, EvidenceError) and not of_the_disk:
            raise
        if runs.has_begun(run_id):
            again = runs.read_plan(run_id).command
            raise Incomplete(error.fact, again if isinstance(error, Unexpected) else error.hint or again) from error
        if isinstance(error, EvidenceError):
            raise Refused(f"{error.fact} Nothing was deleted.", error.hint) from error
        raise


def finish_open_run(workspace: Workspace, runs: DeletionRuns) -> None:
    """Finish the run that has begun and is not finished, if there is one."""
    unfinished = runs.open_run()
    if unfinished:
        carry_out(workspace, runs, unfinished)


def _nightly(workspace: Workspace, runs: DeletionRuns, as_of: date) -> str:
    finish_open_run(workspace, runs)
    doubt = runs.clock_doubt()
    if doubt:
        person = "lifecycle plan, lifecycle approve RUN --role controller, lifecycle purge RUN"
        raise Refused(doubt, f"set the clock right; or, if it is right, a person goes on: {person}")
    plan = runs.plan(as_of, trigger="schedule")
    if plan.count:
        runs.approve_by_standing(plan, approvals.standing(workspace), secrets.token_hex(16))
    return plan.run_id


def _need_space(workspace: Workspace) -> None:
    """Refuse to begin a rewrite that the disk has no room for: the fresh file lies beside the old one until its end."""
    store = workspace.path / "data" / "lifecycle.duckdb"
    files = (store, store.with_name(f"{store.name}.wal"))
    needed = sum(path.stat().st_size for path in files if path.is_file()) + _ROOM_BYTES
    free = shutil.disk_usage(store.parent).free
    if free < needed:
        raise StoreError(
            f"The disk has {free >> 20} MB free; rewriting the store needs {needed >> 20} MB beside it.",
            "make room, then run the same command again; nothing was begun",
        )


def _purged(workspace: Workspace, runs: DeletionRuns, run_id: str) -> Purged:
    run = facts.read_run(workspace.ledger(), run_id)
    counts = run.predicate.get("counts") or _counted_now(runs, run.plan)
    return Purged(
        run_id=run_id,
        outcome=run.outcome,
        as_of=run.plan.as_of,
        **{name: counts[name] for name in ("before", "due", "deleted", "held", "failed", "retained")},
        erasure=run.predicate.get("erasure", "none"),
        checks=run.predicate.get("checks", {}),
    )


def _counted_now(runs: DeletionRuns, plan: Plan) -> dict[str, int]:
    """Count what an aborted run left; its plan speaks of rows that may have gone or come since."""
    stores = runs.counts(plan)
    before, due, held = (sum(getattr(one, name) for one in stores) for name in ("before", "due", "held"))
    return {"before": before, "due": due, "deleted": 0, "held": held, "failed": due - held, "retained": before}
