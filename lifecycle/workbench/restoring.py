"""``restore``: after a backup came back, before any traffic: how old it is, and what must go again."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime

from lifecycle.deletion import documents as doc
from lifecycle.deletion import restore
from lifecycle.deletion.documents import Plan
from lifecycle.deletion.run import DeletionRuns
from lifecycle.errors import FindingsFailed, LifecycleError, Refused, UsageError
from lifecycle.model import Cutoffs, Ledger, Outcome
from lifecycle.workbench import approvals, facts, purging
from lifecycle.workbench.guard import guard_verbs
from lifecycle.workbench.results import Purged, Result
from lifecycle.workbench.workspace import Workspace

NEWER_EVIDENCE = (
    "bring back the newer evidence, and the store that belongs to it; if no run is missing, a plan that was cut off "
    "left the key: remove it"
)


@dataclass(frozen=True)
class RestoreChecked(Result):
    """``restore check``: how old the store is and what is in it that must not be.

    Attributes
    ----------
    known_until : date or None
        The ``asOf`` of the latest run whose marker the store holds.
    at_least_days_old, at_most_days_old : int or None
        How old the store is, in whole days: it was saved before the first run that it does not know was sealed, and
        after the last one that it knows. None where there is no such run; then it need not be an older one.
    missing_runs : tuple of str
        Runs that erased rows of which this store knows nothing, and that no restore run explains.
    overdue, resurrected : int
        Rows without a hold: due by the rule today; and the rest of what a sealed run erased before.
    held, held_before : int
        Rows that a hold keeps now, and in the latest run's plan. A restore brings back an older list of holds.
    asked : tuple of str
        The sealed runs whose key was asked what came back.
    cannot_be_asked : tuple of str
        Runs that erased rows of which this store knew nothing, and whose key is gone: then nobody can count what came
        back of them, and the outcome is never ``passed``.
    keys_without_run : tuple of str
        Runs whose key is here and that the evidence does not know: it is older than its keys, as the store may be.
    """

    outcome: Outcome
    as_of: date
    known_until: date | None
    at_least_days_old: int | None
    at_most_days_old: int | None
    missing_runs: tuple[str, ...]
    overdue: int
    resurrected: int
    held: int
    held_before: int
    asked: tuple[str, ...]
    cannot_be_asked: tuple[str, ...]
    keys_without_run: tuple[str, ...]

    @property
    def keys(self) -> int:
        """How many keys were asked."""
        return len(self.asked)

    def problem(self) -> LifecycleError | None:
        untold, remedy = _untold(self.cannot_be_asked, self.keys_without_run)
        if self.outcome is not Outcome.FAILED:
            return FindingsFailed(untold, remedy) if untold else None
        fact = (
            f"{self._age}{self.overdue} rows are due, {self.resurrected} more came back although they had been erased."
        )
        hint = "lifecycle restore apply"
        if self.holds_lost:
            hint = f"{self.held_before} rows were held, {self.held} are now: lifecycle hold add; then {hint}"
        return FindingsFailed(f"{fact} {untold}".rstrip(), f"{remedy}; then: {hint}" if remedy else hint)

    @property
    def _age(self) -> str:
        """When the store was saved, in words; nothing where it knows every run."""
        if not self.missing_runs:
            return ""
        least, most = self.at_least_days_old or 0, self.at_most_days_old
        since = f"does not know what was erased since: {some(self.missing_runs)}. "
        if not least and most is None:
            return f"The store is an older one and {since}"
        days = f"{least}" if most in (None, least) else f"{least} to {most}"
        when = "today" if most == 0 else f"{'at least ' if most is None else ''}{days} days ago"
        return f"The store was saved {when} and {since}"

    @property
    def holds_lost(self) -> bool:
        """Whether the restored store may lack holds that were set after its backup."""
        return bool(self.missing_runs) and self.held < self.held_before


@dataclass(frozen=True)
class Restored(Purged):
    """``restore apply``: an ordinary run, and what it was about; the rest as in :class:`RestoreChecked`."""

    resurrected: int = 0
    overdue: int = 0
    cannot_be_asked: tuple[str, ...] = ()
    keys_without_run: tuple[str, ...] = ()

    def problem(self) -> LifecycleError | None:
        untold, remedy = _untold(self.cannot_be_asked, self.keys_without_run)
        return super().problem() or (FindingsFailed(untold, remedy) if untold else None)


def check(workspace: Workspace, *, every_key: bool = False) -> RestoreChecked:
    """Look at the store with today's rules, and the keys of the runs that can have come back, or every living one."""
    ledger, limits = workspace.ledger(), workspace.cutoffs(workspace.today)
    marked = workspace.store.runs()
    workspace.need_current_evidence()
    asked = restore.living_runs(ledger) if every_key else restore.runs_to_ask(ledger, [workspace.store])
    by_rule = _going_and_held(workspace, limits)
    by_both = _going_and_held(workspace, restore.with_tombstones(limits, ledger, asked)) if asked else by_rule
    explained = restore.explained(ledger, marked)
    missing = tuple(one for one in restore.missing_markers(ledger, [workspace.store]) if one not in explained)
    resurrected = by_both[0] - by_rule[0]
    cannot_be_asked = restore.cannot_be_asked(ledger, [workspace.store])
    keys_without_run = workspace.keys_without_run()
    told = Outcome.UNKNOWN if cannot_be_asked or keys_without_run else Outcome.PASSED
    known = marked & set(ledger.runs())
    return RestoreChecked(
        outcome=Outcome.FAILED if missing or resurrected or by_rule[0] else told,
        as_of=workspace.today,
        known_until=max((_plan(ledger, run_id).as_of for run_id in known), default=None),
        at_least_days_old=max(_days_since(workspace, missing), default=None),
        at_most_days_old=min(_days_since(workspace, known), default=None) if missing else None,
        missing_runs=missing,
        overdue=by_rule[0],
        resurrected=resurrected,
        held=by_both[1],
        held_before=_held_before(ledger),
        asked=asked,
        cannot_be_asked=cannot_be_asked,
        keys_without_run=keys_without_run,
    )


def apply(workspace: Workspace, run_id: str | None, *, every_key: bool = False) -> Restored:
    """Erase what came back as an ordinary run with the trigger ``restore``; first finishes an open run."""
    with purging.alone(workspace) as runs:
        purging.finish_open_run(workspace, runs)
        if run_id and runs.read_plan(run_id).trigger != doc.RESTORE:
            raise UsageError(f"Run {run_id} is not about a restore.", f"lifecycle purge {run_id}")
        if run_id and runs.has_begun(run_id) and run_id not in workspace.store.runs():
            run_id = None  # it has ended, and has not seen this store
        seen = check(workspace, every_key=every_key)
        run_id = run_id or _planned(workspace, runs, seen)
        done = purging.carry_out(workspace, runs, run_id)
        if done.outcome == "sealed" and run_id not in workspace.store.runs():
            # Nothing had to go, so there was no commit; the marker says that the store has been looked at.
            workspace.store.mark_restored(run_id, doc.sha256_hex(runs.read_plan(run_id).to_bytes()))
    counts = {one.name: getattr(done, one.name) for one in fields(Purged)}
    return Restored(
        **counts,
        resurrected=seen.resurrected,
        overdue=seen.overdue,
        cannot_be_asked=seen.cannot_be_asked,
        keys_without_run=seen.keys_without_run,
    )


def _planned(workspace: Workspace, runs: DeletionRuns, seen: RestoreChecked) -> str:
    plan = runs.pending_restore(seen.asked) or runs.plan(workspace.today, doc.RESTORE, seen.asked)
    if not plan.count or doc.APPROVAL in workspace.ledger().listing(plan.run_id):
        return plan.run_id
    if seen.holds_lost:
        raise Refused(
            f"{seen.held_before} rows were held before the restore, {seen.held} are now; a person must look at it.",
            f"set the lost holds again (lifecycle hold add); then: lifecycle restore apply; or, if none was lost: "
            f"lifecycle approve {plan.run_id} --role controller",
        )
    runs.approve_by_standing(plan, approvals.standing(workspace), secrets.token_hex(16))
    return plan.run_id


def _untold(cannot_be_asked: Sequence[str], keys_without_run: Sequence[str]) -> tuple[str, str]:
    """Say what nobody can tell of this store, and what a person can do about it; nothing where all can be told."""
    said, hints = list[str](), list[str]()
    if keys_without_run:
        runs = f"{len(keys_without_run)} runs that the evidence does not know: {some(keys_without_run)}"
        said.append(f"The keys folder holds keys of {runs}. Evidence and store may be older ones.")
        hints.append(NEWER_EVIDENCE)
    if cannot_be_asked:
        said.append(
            f"{len(cannot_be_asked)} runs can no longer be asked what came back, their keys are destroyed or lost: "
            f"{some(cannot_be_asked)}. Of what they erased only what the rule finds due can be told."
        )
        hints.append(
            "restore a younger backup, or bring the keys back from their second holder; else look at the stored rows "
            "by the records of these runs"
        )
    return " ".join(said), "; ".join(hints)


def some(runs: Sequence[str]) -> str:
    """Name the first of these runs."""
    return ", ".join(runs[:3]) + ", ..." * (len(runs) > 3)


def _going_and_held(workspace: Workspace, limits: Mapping[str, Cutoffs]) -> tuple[int, int]:
    counts = workspace.store.counts(limits)
    return sum(one.due - one.held for one in counts), sum(one.held for one in counts)


def _days_since(workspace: Workspace, run_ids: Iterable[str]) -> Iterator[int]:
    """Give the whole days since each of these runs was sealed."""
    ledger = workspace.ledger()
    for run_id in run_ids:
        if doc.RECORD in ledger.listing(run_id):
            at = datetime.fromisoformat(doc.predicate_of(ledger.read(run_id, doc.RECORD))["recordedAt"])
            yield max(0, (workspace.now() - at).days)


def _held_before(ledger: Ledger) -> int:
    latest = facts.latest_run(ledger)
    return _plan(ledger, latest).held if latest else 0


def _plan(ledger: Ledger, run_id: str) -> Plan:
    return Plan.from_bytes(ledger.read(run_id, doc.PLAN))


@guard_verbs
class RestoreVerbs:
    """The verb ``restore`` of the workbench."""

    _workspace: Workspace

    def restore_check(self, *, every_key: bool = False) -> RestoreChecked:
        """Tell how old a restored store is, what is overdue in it, and what came back although it had been erased.

        Parameters
        ----------
        every_key : bool
            Ask every living key, not only those of runs whose marker the store lost: for rows that somebody copied
            back by hand. Seconds a key and million rows.

        Raises
        ------
        EvidenceError
            It is the evidence that is older: it does not know a run that the store knows.
        """
        return check(self._workspace, every_key=every_key)

    def restore_apply(self, run_id: str | None = None, *, every_key: bool = False) -> Restored:
        """Erase what a restore brought back, as an ordinary, evidenced run; the same call goes on with it.

        Parameters
        ----------
        run_id : str, optional
            A plan of an earlier call; default: the one that still fits, else a new one at today's date.
        every_key : bool
            As in :meth:`restore_check`.

        Raises
        ------
        Refused
            Not approved (the fact names the run, which can be approved), stopped, or somebody else is at work.
        Incomplete
            The deletion began and is not finished.
        """
        return apply(self._workspace, run_id, every_key=every_key)
