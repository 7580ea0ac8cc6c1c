"""What a workspace lays down for its runs, and when a tombstone key has outlived its purpose by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from lifecycle.deletion import documents as doc
from lifecycle.deletion.documents import Plan
from lifecycle.model import Ledger, Rule

GRACE_DAYS = 7
"""A key outlives the longest backup period by this much."""


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


def keys_due(ledger: Ledger, policy: Policy, today: date) -> tuple[str, ...]:
    """Name the runs whose tombstone key has outlived its purpose by a day."""
    runs = [run_id for run_id in (*ledger.runs(), *ledger.cut_off()) if ledger.holds_tombstone_key(run_id)]
    ends = {run_id: key_ends_on(ledger, run_id, policy) for run_id in runs}
    return tuple(run_id for run_id, day in ends.items() if day is not None and day <= today)


def key_ends_on(ledger: Ledger, run_id: str, policy: Policy) -> date | None:
    """Return the first day on which a run's tombstone key serves nobody; None while the run is open.

    For a sealed run it is the later of what its record promised and what today's backup periods ask for. A run that
    erased nothing, or was aborted, needs no key; a plan that nobody carried out needs it until it is too old. A
    run that was cut off before its plan bound nothing to it: its folder is there, and empty.
    """
    listing = ledger.listing(run_id)
    if not listing:
        return date.min
    if doc.INTENT not in listing:
        planned_at = Plan.from_bytes(ledger.read(run_id, doc.PLAN)).planned_at
        return planned_at.astimezone(policy.zone).date() + timedelta(days=policy.plan_days + 1)
    ended = next((name for name in (doc.RECORD, doc.ABORTED) if {name, name + doc.PROOF} <= listing), None)
    if ended is None:
        return None
    predicate = doc.predicate_of(ledger.read(run_id, ended))
    ended_on = datetime.fromisoformat(predicate["recordedAt"]).astimezone(policy.zone).date()
    if ended == doc.ABORTED or doc.TOMBSTONES not in listing:
        return ended_on
    days = [date.fromisoformat(one["untilAt"]) for one in predicate["residuals"] if one["where"] == "tombstone-key"]
    if policy.backup_days is not None:
        days.append(ended_on + timedelta(days=policy.backup_days + GRACE_DAYS))
    return max(days, default=ended_on)
