"""When a row falls due. Pure: no clock, no disk; ``as_of`` is always an argument.

Day 0 is the local calendar date of the end of the appointment as last booked (its start where the end is
missing). ``due_on`` is day 0 plus the period in calendar days; a row is due when ``as_of >= due_on``.
"""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from lifecycle.model import Cutoffs, Rule


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """Return the calendar date that a wall clock in ``zone`` shows at ``instant`` (aware).

    Examples
    --------
    >>> local_day(datetime(2026, 5, 10, 22, 30, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    datetime.date(2026, 5, 11)
    """
    return instant.astimezone(zone).date()


def add_months(day: date, months: int) -> date:
    """Return the same day ``months`` later, or the last day of that month where it has no such day.

    Examples
    --------
    >>> add_months(date(2025, 11, 30), 3)
    datetime.date(2026, 2, 28)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def latest_on(day_0: date, rule: Rule) -> date:
    """Return the last lawful day: day 0 plus the period, or plus the cap where that is earlier."""
    by_period = day_0 + timedelta(days=rule.period_days)
    return by_period if rule.cap_months is None else min(by_period, add_months(day_0, rule.cap_months))


def due_on(day_0: date, rule: Rule) -> date:
    """Return the day whose run deletes the row: the last lawful day less the rule's lead.

    Examples
    --------
    >>> due_on(date(2026, 5, 10), Rule("appointments", 90, "", "", "contract"))
    datetime.date(2026, 8, 8)
    """
    return latest_on(day_0, rule) - timedelta(days=rule.lead_days)


def overdue_days(day_0: date, rule: Rule, as_of: date) -> int:
    """Return by how many days a row is overdue at ``as_of``; 0 when it falls due today or later."""
    return max(0, (as_of - due_on(day_0, rule)).days)


def cutoffs(rule: Rule, as_of: date, zone: ZoneInfo) -> Cutoffs:
    """Turn a rule and a day into the instants (UTC) before which an anchor means "due".

    A local date never goes back while time goes on, and neither does ``due_on``; so "as_of >= due_on(day 0)"
    is the same as "the anchor lies before the first instant of the first day that is not yet due". Stores
    compare instants and never do calendar arithmetic of their own.
    """
    horizon = timedelta(days=rule.booking_horizon_days)
    after_period = as_of - timedelta(days=rule.period_days - rule.lead_days)
    superseded = rule.superseded_days
    return Cutoffs(
        booked_end=_start_of(_first_day_not_due(rule, as_of), zone),
        no_anchor=_start_of(after_period - horizon + timedelta(days=1), zone),
        cancelled=_start_of(after_period + timedelta(days=1), zone) if rule.cancelled == "cancellation" else None,
        superseded=None if superseded is None else _start_of(as_of - timedelta(days=superseded - 1), zone),
    )


def _first_day_not_due(rule: Rule, as_of: date) -> date:
    # Without a cap this is exact at once; a cap moves due_on forward by at most a few days a month.
    day = as_of - timedelta(days=rule.period_days - rule.lead_days) + timedelta(days=1)
    while due_on(day, rule) <= as_of:
        day += timedelta(days=1)
    return day


def _start_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant (UTC) whose local date is ``day`` or later, whatever the clocks do at midnight."""
    # fold=0 is the earlier of two midnights; a missing midnight maps into the day before or after, so step there.
    instant = datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
    while local_day(instant, zone) < day:
        instant += timedelta(minutes=15)
    while local_day(instant - timedelta(microseconds=1), zone) >= day:
        instant -= timedelta(minutes=15)
    return instant
