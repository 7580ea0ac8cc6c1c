"""When a tombstone key has outlived its purpose: nothing that the run erased can come back any more."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from lifecycle.deletion import documents as doc
from lifecycle.deletion.documents import Plan
from lifecycle.model import Ledger

GRACE_DAYS = 7
"""A key outlives the longest backup period by this much."""


def key_ends_on(ledger: Ledger, run_id: str, zone: ZoneInfo, backup_days: int | None, plan_days: int) -> date | None:
    """Return the first day on which a run's tombstone key serves nobody; None while the run is open.

    For a sealed run it is the later of what its record promised and what today's backup periods ask for. A run that
    erased nothing, or was aborted, needs no key; a plan that nobody carried out needs it until it is too old.
    """
    listing = ledger.listing(run_id)
    if doc.INTENT not in listing:
        planned_at = Plan.from_bytes(ledger.read(run_id, doc.PLAN)).planned_at
        return planned_at.astimezone(zone).date() + timedelta(days=plan_days + 1)
    ended = next((name for name in (doc.RECORD, doc.ABORTED) if {name, name + doc.PROOF} <= listing), None)
    if ended is None:
        return None
    predicate = doc.predicate_of(ledger.read(run_id, ended))
    ended_on = datetime.fromisoformat(predicate["recordedAt"]).astimezone(zone).date()
    if ended == doc.ABORTED or doc.TOMBSTONES not in listing:
        return ended_on
    days = [date.fromisoformat(one["untilAt"]) for one in predicate["residuals"] if one["where"] == "tombstone-key"]
    if backup_days is not None:
        days.append(ended_on + timedelta(days=backup_days + GRACE_DAYS))
    return max(days, default=ended_on)
