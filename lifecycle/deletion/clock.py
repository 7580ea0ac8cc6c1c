"""Whether the wall clock can be believed: what it did while it was wrong cannot be taken back."""

from __future__ import annotations

from datetime import datetime

from lifecycle.deletion import documents as doc
from lifecycle.model import Ledger


def last_begun_at(ledger: Ledger) -> datetime | None:
    """Return when the latest run began: the clock was vouched for then, by a person or by the run before.

    Not when it ended: an open run is finished whatever the clock says, and must not vouch for it.
    """
    return _latest(ledger, doc.INTENT)


def last_recorded_at(ledger: Ledger) -> datetime | None:
    """Return the time of the latest leaf that ended a run."""
    return _latest(ledger, doc.RECORD, doc.ABORTED)


def doubt(last: datetime | None, now: datetime, max_gap_days: int) -> str:
    """Say why the clock is not to be believed; empty when it is.

    Examples
    --------
    >>> from datetime import UTC
    >>> doubt(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 8, tzinfo=UTC), 7)
    ''
    """
    if last is None:
        return ""
    if now < last:
        return "The clock shows a time before the last run began."
    gap = (now - last).days
    return f"The last run began {gap} days ago, more than {max_gap_days}: has the clock jumped?" * (gap > max_gap_days)


def _latest(ledger: Ledger, *names: str) -> datetime | None:
    times = [
        datetime.fromisoformat(doc.predicate_of(ledger.read(run_id, name))["recordedAt"])
        for run_id in ledger.runs()
        for name in names
        if name in ledger.listing(run_id)
    ]
    return max(times, default=None)
