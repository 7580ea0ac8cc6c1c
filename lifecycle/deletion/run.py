"""One deletion run, from plan to sealed record. The run's folder listing is its state; resuming is running again.

Touches no disk itself: everything goes through the ports ``Ledger`` and ``Store``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from lifecycle.deletion import clock, restore, schedule
from lifecycle.deletion import documents as doc
from lifecycle.deletion.approving import Approvals, Key, Signers, ask_a_person, refuse_role
from lifecycle.deletion.dates import cutoffs
from lifecycle.deletion.documents import Approval, Plan, StandingApproval
from lifecycle.deletion.execution import Execution, Remains
from lifecycle.deletion.schedule import Policy
from lifecycle.errors import Refused, UsageError
from lifecycle.model import Cutoffs, Digests, Ledger, Residual, Store, StoreCounts


class DeletionRuns:
    """Plans, approves and carries out deletion runs.

    Parameters
    ----------
    ledger : Ledger
    stores : sequence of Store
        The managed stores, in the order in which they are erased.
    policy : Policy
    digests : Digests
        The keyed digests of the evidence format.
    now : callable
        Returns the wall clock (aware, UTC). Only what is written down as a time, and the checks that doubt the
        clock, ever ask it.
    stopped : callable, optional
        Tells at every safe point of a run whether somebody wants it to end there.
    signers : Signers, optional
        Where the workspace names who may sign; without it an approval needs no signature.
    """

    def __init__(
        self,
        ledger: Ledger,
        stores: Sequence[Store],
        policy: Policy,
        digests: Digests,
        now: Callable[[], datetime],
        *,
        stopped: Callable[[], bool] = lambda: False,
        signers: Signers | None = None,
    ) -> None:
        self._ledger = ledger
        self._stores = stores
        self._policy = policy
        self._digests = digests
        self._now = now
        self._stopped = stopped
        self._approvals = Approvals(ledger, now, self._today, self._doubt_clock, signers)

    def alone(self) -> AbstractContextManager[None]:
        """Hold the evidence alone for more than one call; a second user is told who holds it (``Refused``)."""
        return self._ledger.locked()

    # --- plan --------------------------------------------------------------------------------------

    def plan(self, as_of: date, trigger: str = "request", rests_on: tuple[str, ...] = ()) -> Plan:
        """Plan what must go at ``as_of``, in every store, and write it down.

        After a restore, rows that one of the runs ``rests_on`` erased must go, too, whatever the rule says.

        Raises
        ------
        Refused
            ``as_of`` lies in the future (in the workspace's zone).
        """
        self._refuse_future(as_of)
        with self._ledger.locked():
            run_id = self._ledger.new_run_id(as_of)
            after_restore = trigger == doc.RESTORE
            due = restore.with_tombstones(self._cutoffs(as_of), self._ledger, rests_on)
            # A store that cannot be read must not leave a key without a plan behind.
            counts = tuple(each for store in self._stores for each in store.counts(due))
            key = self._ledger.tombstone_key(run_id, create=True)
            tombstones = self._tombstones(due, key)
            plan = Plan(
                run_id=run_id,
                as_of=as_of,
                time_zone=self._policy.zone.key,
                policy_sha256=self._policy.sha256,
                rules=tuple(self._policy.rules.values()),
                stores=counts,
                due_set=doc.digest_of_lines(tombstones, self._digests.due_set(key)),
                count=tombstones.len(),
                tombstone_key_id=doc.sha256_hex(key)[:16],
                tool_version=self._policy.tool_version,
                planned_at=self._now(),
                trigger=trigger,
                holds=_added(store.held_by_ground(due) for store in self._stores),
                rests_on=rests_on,
                missing_markers=restore.missing_markers(self._ledger, self._stores) if after_restore else (),
                cannot_be_asked=restore.cannot_be_asked(self._ledger, self._stores) if after_restore else (),
            )
            self._ledger.write_once(run_id, doc.PLAN, plan.to_bytes())
        return plan

    def read_plan(self, run_id: str) -> Plan:
        """Return a run's plan.

        Raises
        ------
        UsageError
            There is no such run.
        """
        if run_id not in self._ledger.runs() or doc.PLAN not in self._ledger.listing(run_id):
            known = ", ".join(self._ledger.runs()[-3:]) or "none"
            raise UsageError(f"There is no such run; the latest are: {known}.", "lifecycle plan --as-of DATE")
        return Plan.from_bytes(self._ledger.read(run_id, doc.PLAN))

    # --- approve -----------------------------------------------------------------------------------

    def approve(
        self,
        run_id: str,
        role: str,
        nonce: str,
        standing: StandingApproval | None = None,
        *,
        key: Key | None = None,
    ) -> Approval:
        """Write the second person's word on one plan into the run's folder, with a signature where there is a key.

        The same call again finds the same approval, and signs it where an earlier call ended before it could.

        Raises
        ------
        Refused
            The role may not approve, the signature is not one of those allowed, or the run has begun already; or
            there is another approval, or one that does not count.
        """
        refuse_role(role)
        return self._approvals.approve(self.read_plan(run_id), role, nonce, standing, key)

    def approve_by_standing(self, plan: Plan, standing: StandingApproval | None, nonce: str) -> None:
        """Let a standing approval cover a plan, if it does.

        Raises
        ------
        Refused
            There is none, it has ended, a limit is exceeded, or the clock cannot be trusted. Nothing was deleted,
            and the plan can still be approved by a person.
        """
        self._approvals.approve_by_standing(plan, standing, nonce)

    def _doubt_clock(self, hint: str) -> None:
        doubt = self.clock_doubt()
        if doubt:
            raise Refused(doubt, hint)

    def clock_doubt(self) -> str:
        """Say why the clock is not to be believed; empty when it is."""
        return clock.doubt(clock.last_begun_at(self._ledger), self._now(), self._policy.max_gap_days)

    def last_recorded_at(self) -> datetime | None:
        """Return the time of the latest leaf that ended a run."""
        return clock.last_recorded_at(self._ledger)

    # --- carry out ---------------------------------------------------------------------------------

    def open_run(self) -> str | None:
        """Return the run that has begun and is not finished, if there is one."""
        for run_id in self._ledger.runs():
            listing = self._ledger.listing(run_id)
            if doc.INTENT in listing and not {doc.RECORD + doc.PROOF, doc.ABORTED + doc.PROOF} & listing:
                return run_id
        return None

    def has_begun(self, run_id: str) -> bool:
        """Tell whether a run's intent is written: from then on rows may be gone."""
        return doc.INTENT in self._ledger.listing(run_id)

    def carry_out(self, run_id: str, residuals: Sequence[Residual], residual_files: frozenset[Path]) -> str:
        """Carry out one approved plan, or go on with it where an earlier call ended.

        Returns
        -------
        str
            ``sealed`` or ``aborted``.

        Raises
        ------
        Refused
            Not approved, stale, in the future, or another run is open; nothing was deleted.
        Incomplete
            A store failed after the intent; the same command goes on.
        """
        plan = self.read_plan(run_id)
        remains = Remains(residuals, residual_files, self._policy.backup_days)
        execution = Execution(self._ledger, self._stores, self._digests, self._now, plan, remains, self._stopped)
        with self._ledger.locked():
            self._refuse_beside_another(run_id)
            return execution.go(self._refuse_unfit)

    def counts(self, plan: Plan) -> tuple[StoreCounts, ...]:
        """Count the stores as they are now, with what a plan calls due; of earlier runs those whose key lives."""
        asked = tuple(one for one in plan.rests_on if self._ledger.holds_tombstone_key(one))
        limits = {rule.dataset: cutoffs(rule, plan.as_of, ZoneInfo(plan.time_zone)) for rule in plan.rules}
        due = restore.with_tombstones(limits, self._ledger, asked)
        return tuple(each for store in self._stores for each in store.counts(due))

    def _refuse_beside_another(self, run_id: str) -> None:
        # It would take away rows that the open one has to account for.
        unfinished = self.open_run()
        if unfinished not in (None, run_id):
            raise Refused(f"Run {unfinished} has begun and is not finished.", f"lifecycle purge {unfinished}")

    def _refuse_unfit(self, plan: Plan) -> None:
        again = f"lifecycle plan --as-of {plan.as_of}"
        self._refuse_future(plan.as_of)
        age = self._now() - plan.planned_at
        if age > timedelta(days=self._policy.plan_days):
            raise Refused(f"The plan of run {plan.run_id} is {age.days} days old.", again)
        if plan.policy_sha256 != self._policy.sha256:
            raise Refused(f"The rules have changed since run {plan.run_id} was planned.", again)
        if plan.count:
            self._approvals.refuse_unapproved(plan)
        elif plan.trigger != "request" and doc.APPROVAL not in self._ledger.listing(plan.run_id):
            # Nobody was asked, and its intent would vouch for the clock from then on.
            self._doubt_clock(ask_a_person(plan))

    # --- after a restore, and in the course of time --------------------------------------------------

    def pending_restore(self, rests_on: tuple[str, ...]) -> Plan | None:
        """Return the latest plan of a restore that still fits: it asks the same runs, and the same rows would go."""
        for run_id in reversed(self._ledger.runs()):
            listing = self._ledger.listing(run_id)
            if doc.PLAN not in listing or doc.INTENT in listing:
                continue
            plan = Plan.from_bytes(self._ledger.read(run_id, doc.PLAN))
            if plan.trigger == doc.RESTORE:
                return plan if self._fits(plan, rests_on, approved=doc.APPROVAL in listing) else None
        return None

    def _fits(self, plan: Plan, rests_on: tuple[str, ...], *, approved: bool) -> bool:
        young = self._now() - plan.planned_at <= timedelta(days=self._policy.plan_days)
        if not young or plan.policy_sha256 != self._policy.sha256 or not (approved or plan.as_of == self._today()):
            return False
        if approved and not self._approvals.covers(plan):
            return False
        if (plan.rests_on, plan.missing_markers) != (rests_on, restore.missing_markers(self._ledger, self._stores)):
            return False
        key = self._ledger.tombstone_key(plan.run_id)
        due = restore.with_tombstones(self._cutoffs(plan.as_of), self._ledger, plan.rests_on)
        return doc.digest_of_lines(self._tombstones(due, key), self._digests.due_set(key)) == plan.due_set

    def keys_due(self) -> tuple[str, ...]:
        """Name the runs whose tombstone key has outlived its purpose by today."""
        return schedule.keys_due(self._ledger, self._policy, self._today())

    def destroy_due_keys(self) -> tuple[str, ...]:
        """Destroy those keys, each destruction a leaf of its own, and name their runs.

        None while the clock is in doubt: what it destroyed would be gone; nor while a run is open, which may rest on
        one of them.
        """
        with self._ledger.locked():
            due = self.keys_due()
            if due and (self.open_run() is not None or self.clock_doubt()):
                return ()
            for run_id in due:
                self._ledger.destroy_tombstone_key(run_id)
        return due

    # --- small things ------------------------------------------------------------------------------

    def _cutoffs(self, as_of: date) -> dict[str, Cutoffs]:
        return {dataset: cutoffs(rule, as_of, self._policy.zone) for dataset, rule in self._policy.rules.items()}

    def _tombstones(self, due: Mapping[str, Cutoffs], key: bytes) -> pl.Series:
        found = [store.tombstones(due, key) for store in self._stores]
        # The same row in two stores is one tombstone and two deletions.
        return found[0] if len(found) == 1 else pl.concat(found).unique().sort()

    def _today(self) -> date:
        return self._now().astimezone(self._policy.zone).date()

    def _refuse_future(self, as_of: date) -> None:
        if as_of > self._today():
            raise Refused(f"{as_of} lies in the future; today is {self._today()}.", "lifecycle plan --as-of today")


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))
