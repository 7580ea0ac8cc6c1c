"""One deletion run, from plan to sealed record. The run's folder listing is its state; resuming is running again.

Touches no disk itself: everything goes through the ports ``Ledger`` and ``Store``. Order is everything here: the
intent is a leaf of the log before anything is deleted, and each file is written once before the next step begins.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

from lifecycle.deletion import documents as doc
from lifecycle.deletion.dates import cutoffs
from lifecycle.deletion.documents import Approval, Plan, StandingApproval
from lifecycle.errors import EvidenceError, Incomplete, Refused, StoreError, UsageError
from lifecycle.model import Cutoffs, Digests, Erased, Erasure, Ledger, PlanDrift, Residual, Rule, Store

ROLES = ("controller", "delegate")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a run needs to know of the workspace: rules, zone, limits of time, and what remains afterwards."""

    rules: Mapping[str, Rule]
    zone: ZoneInfo
    sha256: str
    plan_days: int
    max_gap_days: int
    backup_days: int | None
    tool_version: str


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
    """

    def __init__(
        self,
        ledger: Ledger,
        stores: Sequence[Store],
        policy: Policy,
        digests: Digests,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._stores = stores
        self._policy = policy
        self._digests = digests
        self._now = now

    # --- plan --------------------------------------------------------------------------------------

    def plan(self, as_of: date, trigger: str = "request") -> Plan:
        """Plan what must go at ``as_of``, in every store, and write it down.

        Raises
        ------
        Refused
            ``as_of`` lies in the future (in the workspace's zone).
        """
        self._refuse_future(as_of)
        with self._ledger.locked():
            run_id = self._ledger.new_run_id(as_of)
            key = self._ledger.tombstone_key(run_id, create=True)
            due = self._cutoffs(as_of)
            counted = _Counted(self._tombstones(due, key))
            plan = Plan(
                run_id=run_id,
                as_of=as_of,
                time_zone=self._policy.zone.key,
                policy_sha256=self._policy.sha256,
                rules=tuple(self._policy.rules.values()),
                stores=tuple(counts for store in self._stores for counts in store.counts(due)),
                due_set=self._digests.due_set(key, counted),
                count=counted.count,
                tombstone_key_id=doc.sha256_hex(key)[:16],
                tool_version=self._policy.tool_version,
                planned_at=self._now(),
                trigger=trigger,
                holds=_added(store.held_by_ground(due) for store in self._stores),
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
        if doc.PLAN not in self._ledger.listing(run_id):
            known = ", ".join(self._ledger.runs()[-3:]) or "none"
            raise UsageError(f"There is no run {run_id!r}; the latest are: {known}.", "lifecycle plan --as-of DATE")
        return Plan.from_bytes(self._ledger.read(run_id, doc.PLAN))

    # --- approve -----------------------------------------------------------------------------------

    def approve(
        self,
        run_id: str,
        role: str,
        nonce: str,
        standing: StandingApproval | None = None,
        *,
        sign: Callable[[bytes], bytes] | None = None,
    ) -> Approval:
        """Write the second person's word on one plan into the run's folder, with a signature where ``sign`` gives one.

        Raises
        ------
        Refused
            The role may not approve, or the run has been carried out already.
        """
        refuse_role(role)
        plan = self.read_plan(run_id)
        listing = self._ledger.listing(run_id)
        if doc.INTENT in listing:
            raise Refused(f"Run {run_id} has begun already.", f"lifecycle report {run_id}")
        if doc.APPROVAL in listing:
            return Approval.from_bytes(self._ledger.read(run_id, doc.APPROVAL))
        approval = Approval(
            run_id=run_id,
            plan_sha256=doc.sha256_hex(plan.to_bytes()),
            role=role,
            limits=standing.limits if standing else None,
            nonce=nonce,
            approved_at=self._now(),
            standing=standing,
            signed=sign is not None,
        )
        signature = sign(approval.to_bytes()) if sign else None
        self._ledger.write_once(run_id, doc.APPROVAL, approval.to_bytes())
        if signature is not None:
            self._ledger.write_once(run_id, doc.SIGNATURE, signature)
        return approval

    def approve_by_standing(self, plan: Plan, standing: StandingApproval | None, nonce: str) -> None:
        """Let a standing approval cover a plan, if it does.

        Raises
        ------
        Refused
            There is none, it has ended, a limit is exceeded, or the clock cannot be trusted. Nothing was deleted,
            and the plan can still be approved by a person.
        """
        hint = f"a person looks at it: lifecycle approve {plan.run_id} --role controller"
        if standing is None:
            raise Refused(f"Run {plan.run_id}: {plan.due - plan.held} rows are due, and nobody approved.", hint)
        if standing.until < self._today():
            raise Refused(f"The standing approval ended on {standing.until}.", hint)
        excess = standing.limits.exceeded_by(plan)
        if excess:
            raise Refused(f"Run {plan.run_id}: {excess}", hint)
        self._doubt_clock(hint)
        self.approve(plan.run_id, standing.role, nonce, standing)

    def _doubt_clock(self, hint: str) -> None:
        last = self.last_recorded_at()
        if last is None:
            return
        if self._now() < last:
            raise Refused("The clock shows a time before the last record.", hint)
        gap = (self._now() - last).days
        if gap > self._policy.max_gap_days:
            raise Refused(
                f"The last record is {gap} days old, more than {self._policy.max_gap_days}: has the clock jumped?", hint
            )

    def last_recorded_at(self) -> datetime | None:
        """Return the time of the latest leaf that ended a run."""
        times = [
            datetime.fromisoformat(doc.predicate_of(self._ledger.read(run_id, name))["recordedAt"])
            for run_id in self._ledger.runs()
            for name in (doc.RECORD, doc.ABORTED)
            if name in self._ledger.listing(run_id)
        ]
        return max(times, default=None)

    # --- carry out ---------------------------------------------------------------------------------

    def open_run(self) -> str | None:
        """Return the run that has begun and is not finished, if there is one."""
        for run_id in self._ledger.runs():
            listing = self._ledger.listing(run_id)
            if doc.INTENT in listing and not {doc.RECORD + doc.PROOF, doc.ABORTED + doc.PROOF} & listing:
                return run_id
        return None

    def carry_out(self, run_id: str, residuals: Sequence[Residual], residual_files: frozenset[Path]) -> str:
        """Carry out one approved plan, or go on with it where an earlier call ended.

        Returns
        -------
        str
            ``sealed`` or ``aborted``.

        Raises
        ------
        Refused
            Not approved, stale, or in the future; nothing was deleted.
        Incomplete
            A store failed after the intent; the same command goes on.
        """
        plan = self.read_plan(run_id)
        with self._ledger.locked():
            listing = self._ledger.listing(run_id)
            if doc.ABORTED in listing:
                return self._end(run_id, doc.ABORTED)
            if doc.RECORD in listing:
                return self._end(run_id, doc.RECORD)
            intent = self._begin(plan)
            if plan.count == 0:
                return self._seal(plan, {doc.PLAN: plan.to_bytes(), doc.INTENT: intent}, (), residuals)
            order = self._order(plan, residual_files)
            try:
                erased = self._erase(order)
            except StoreError as error:
                raise Incomplete(error.fact, f"{error.hint}; then: lifecycle purge {run_id}") from error
            if isinstance(erased, PlanDrift):
                return self._abort(plan, erased)
            self._write_down(order, erased)
            return self._seal(plan, self._subjects(plan), erased, residuals)

    def _begin(self, plan: Plan) -> bytes:
        listing = self._ledger.listing(plan.run_id)
        if doc.INTENT in listing:
            intent = self._ledger.read(plan.run_id, doc.INTENT)
        else:
            self._refuse_unfit(plan, listing)
            intent = self._write_intent(plan)
        if not self._ledger.contains(intent):
            if any(store.erased(plan.run_id) for store in self._stores):
                raise EvidenceError(
                    f"Run {plan.run_id}: a store says it was carried out, but its intent is not in the log.",
                    "the evidence is older than the store: bring back the newer evidence; nothing is mended silently",
                )
            self._ledger.append(intent)
        return intent

    def _refuse_unfit(self, plan: Plan, listing: frozenset[str]) -> None:
        again = f"lifecycle plan --as-of {plan.as_of}"
        self._refuse_future(plan.as_of)
        age = self._now() - plan.planned_at
        if age > timedelta(days=self._policy.plan_days):
            raise Refused(f"The plan of run {plan.run_id} is {age.days} days old.", again)
        if plan.policy_sha256 != self._policy.sha256:
            raise Refused(f"The rules have changed since run {plan.run_id} was planned.", again)
        if plan.count == 0:
            return
        if doc.APPROVAL not in listing:
            raise Refused(
                f"Run {plan.run_id} is not approved: {plan.due - plan.held} rows would go.",
                f"lifecycle approve {plan.run_id} --role controller",
            )
        approval = Approval.from_bytes(self._ledger.read(plan.run_id, doc.APPROVAL))
        if approval.plan_sha256 != doc.sha256_hex(plan.to_bytes()) or approval.run_id != plan.run_id:
            raise EvidenceError(f"The approval of run {plan.run_id} speaks of another plan.", "lifecycle verify")
        if approval.signed and doc.SIGNATURE not in listing:
            raise EvidenceError(f"The approval of run {plan.run_id} says it is signed, but has no signature.", again)

    def _write_intent(self, plan: Plan) -> bytes:
        subjects: dict[str, bytes | str] = {doc.PLAN: plan.to_bytes()}
        key = self._ledger.tombstone_key(plan.run_id)
        due = self._cutoffs(plan.as_of)
        counted = _Counted(self._tombstones(due, key))
        if self._digests.due_set(key, counted) != plan.due_set:
            change = counted.count - plan.count
            what = "the due rows changed"
            if change:
                what = f"{abs(change)} rows {'became due' if change > 0 else 'are no longer due'}"
            raise Refused(f"Run {plan.run_id}: {what} after the plan was made.", f"lifecycle plan --as-of {plan.as_of}")
        if plan.count:
            subjects[doc.APPROVAL] = self._ledger.read(plan.run_id, doc.APPROVAL)
            lines = self._tombstones(due, key)
            subjects[doc.TOMBSTONES] = self._ledger.write_lines_once(plan.run_id, doc.TOMBSTONES, lines)
        intent = doc.intent(plan.run_id, plan.count, subjects, self._now())
        self._ledger.write_once(plan.run_id, doc.INTENT, intent)
        return intent

    def _order(self, plan: Plan, residual_files: frozenset[Path]) -> Erasure:
        key = self._ledger.tombstone_key(plan.run_id)
        tombstones = self._ledger.read(plan.run_id, doc.TOMBSTONES)
        return Erasure(
            run_id=plan.run_id,
            plan_sha256=doc.sha256_hex(plan.to_bytes()),
            as_of=plan.as_of,
            zone=plan.time_zone,
            cutoffs=self._cutoffs(plan.as_of),
            rules={rule.dataset: rule for rule in plan.rules},
            key=key,
            tombstones=lambda: tombstones.decode("ascii").split(),
            tombstones_sha256=doc.sha256_hex(tombstones),
            retained_digest=lambda dataset, rows, total: self._digests.retained_set(key, dataset, rows, total),
            residual_files=residual_files,
        )

    def _erase(self, order: Erasure) -> tuple[Erased, ...] | PlanDrift:
        done: list[Erased] = []
        for store in self._stores:
            one = store.erased(order.run_id) or store.erase(order)
            if isinstance(one, PlanDrift):
                if done:
                    raise Incomplete(
                        f"Run {order.run_id}: {store.name} no longer holds what was planned; other stores are done.",
                        "look at the store by hand; then: lifecycle purge " + order.run_id,
                    )
                return one
            done.append(one)
        return tuple(done)

    def _write_down(self, order: Erasure, erased: tuple[Erased, ...]) -> None:
        run_id, listing = order.run_id, self._ledger.listing(order.run_id)
        if doc.DELETED not in listing:
            self._ledger.write_once(run_id, doc.DELETED, doc.deleted(run_id, erased, self._now()))
        if doc.VERIFIED not in listing:
            seen = [store.verify(order, one) for store, one in zip(self._stores, erased, strict=True)]
            self._ledger.write_once(run_id, doc.VERIFIED, doc.verified(run_id, erased, seen, self._now()))

    def _subjects(self, plan: Plan) -> dict[str, bytes | str]:
        names = (doc.PLAN, doc.APPROVAL, doc.TOMBSTONES, doc.INTENT, doc.DELETED, doc.VERIFIED)
        return {name: self._ledger.read(plan.run_id, name) for name in names}

    def _seal(
        self,
        plan: Plan,
        subjects: Mapping[str, bytes | str],
        erased: tuple[Erased, ...],
        residuals: Sequence[Residual],
    ) -> str:
        deleted = sum(each.deleted for one in erased for each in one.sets)
        going = plan.due - plan.held
        counts = {
            "before": plan.before,
            "due": plan.due,
            "deleted": deleted,
            "held": plan.held,
            "failed": going - deleted,
            "retained": plan.before - deleted,
        }
        verified = subjects.get(doc.VERIFIED)
        checks = doc.checks_of(verified) if isinstance(verified, bytes) else {}
        erasure = "rewritten" if erased else "none"
        left = [*residuals, *self._backup_residuals(bool(erased))]
        record = doc.record(plan.run_id, subjects, counts, checks, erasure, left, self._now())
        self._ledger.write_once(plan.run_id, doc.RECORD, record)
        return self._end(plan.run_id, doc.RECORD)

    def _backup_residuals(self, erased: bool) -> Iterator[Residual]:
        if erased and self._policy.backup_days is not None:
            over = self._today() + timedelta(days=self._policy.backup_days)
            yield Residual("backup", over)
            yield Residual("tombstone-key", over + timedelta(days=7))

    def _abort(self, plan: Plan, drift: PlanDrift) -> str:
        names = (doc.PLAN, doc.APPROVAL, doc.TOMBSTONES, doc.INTENT)
        subjects = {name: self._ledger.read(plan.run_id, name) for name in names}
        leaf = doc.aborted(plan.run_id, subjects, "plan-drift", drift.appeared, drift.vanished, self._now())
        self._ledger.write_once(plan.run_id, doc.ABORTED, leaf)
        return self._end(plan.run_id, doc.ABORTED)

    def _end(self, run_id: str, name: str) -> str:
        self._ledger.append(self._ledger.read(run_id, name))
        self._ledger.write_proof(run_id, name)
        # Without backups nothing can come back, and without deletion there is nothing to recognise.
        useless = name == doc.ABORTED or doc.TOMBSTONES not in self._ledger.listing(run_id)
        if useless or self._policy.backup_days is None:
            self._ledger.destroy_tombstone_key(run_id)
        return "sealed" if name == doc.RECORD else "aborted"

    # --- small things ------------------------------------------------------------------------------

    def _cutoffs(self, as_of: date) -> dict[str, Cutoffs]:
        return {dataset: cutoffs(rule, as_of, self._policy.zone) for dataset, rule in self._policy.rules.items()}

    def _tombstones(self, due: Mapping[str, Cutoffs], key: bytes) -> Iterator[str]:
        merged = heapq.merge(*(store.tombstones(due, key) for store in self._stores))
        return (tombstone for tombstone, _ in groupby(merged))

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


class _Counted:
    """An iterable that counts what has passed through it."""

    def __init__(self, items: Iterable[str]) -> None:
        self._items = items
        self.count = 0

    def __iter__(self) -> Iterator[str]:
        for item in self._items:
            self.count += 1
            yield item


def refuse_role(role: str) -> None:
    """Refuse every role that may not approve.

    Raises
    ------
    Refused
        ``dpo``: who supervises must not decide (Art. 38(6) GDPR).
    UsageError
        Any other word.
    """
    if role == "dpo":
        raise Refused(
            "A data protection officer checks and verifies, but must not decide on deletions (Art. 38(6) GDPR).",
            f"somebody else approves, as {' or '.join(ROLES)}",
        )
    if role not in ROLES:
        raise UsageError(f"The role {role!r} cannot approve.", f"--role {' or --role '.join(ROLES)}")
