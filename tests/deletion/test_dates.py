"""When a row falls due: every day from 2024 to 2032, both ways of counting, clocks that do strange things."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lifecycle.deletion.dates import add_months, cutoffs, due_on, latest_on, local_day, overdue_days
from lifecycle.model import UTC_TIME, Rule
from lifecycle.stores.embedded import sql

BERLIN = ZoneInfo("Europe/Berlin")
FIRST, LAST = date(2024, 1, 1), date(2032, 12, 31)
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
TIMES = [time(0), time(0, 0, 0, 1), time(2, 30), time(12), time(23, 59, 59, 999999)]
TICK = timedelta(microseconds=1)

# Midnight missing or repeated, a day skipped, half hours, far east and far west, two hours of summer time.
STRANGE = (
    *("America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia", "Asia/Beirut", "America/Havana", "Asia/Gaza"),
    *("Australia/Lord_Howe", "Antarctica/Troll", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago"),
    *("America/Santiago", "America/Nuuk", "Atlantic/Azores", "Africa/Casablanca", "Europe/Berlin", "UTC"),
)


def rule(days: int = 90, cap: int | None = None, lead: int = 0, **other: object) -> Rule:
    return Rule("appointments", days, "why", "source", "contract", cap_months=cap, lead_days=lead, **other)


RULES = {
    "plain": rule(),
    "capped": rule(cap=3),
    "with-lead": rule(lead=2),
    "capped-with-lead": rule(cap=3, lead=5),
    "shorter": rule(days=30),
    "one-day": rule(days=1),
    "shorter-than-its-cap": rule(days=59, cap=2),
}


def instants_of(day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """Instants of a local day, both readings of a repeated hour among them."""
    for each in TIMES:
        for fold in (0, 1):
            yield datetime.combine(day, each, tzinfo=zone).replace(fold=fold).astimezone(UTC)


def due_by_hand(day_0: date, one: Rule) -> date:
    """The sentence of the design, spelled out without the code under test."""
    last = date.fromordinal(day_0.toordinal() + one.period_days)
    if one.cap_months is not None:
        month = day_0.month + one.cap_months
        year, month = day_0.year + (month - 1) // 12, (month - 1) % 12 + 1
        day = day_0.day
        while True:
            try:
                last = min(last, date(year, month, day))
                break
            except ValueError:
                day -= 1
    return date.fromordinal(last.toordinal() - one.lead_days)


@pytest.mark.parametrize("name", RULES)
def test_due_on_is_the_sentence_of_the_design_for_every_day(name: str) -> None:
    """Day 0 plus the period, capped, less the lead; computed twice by different code."""
    one = RULES[name]
    assert [due_on(day, one) for day in DAYS] == [due_by_hand(day, one) for day in DAYS]


@pytest.mark.parametrize("name", RULES)
def test_instants_and_calendar_agree_on_every_day(name: str) -> None:
    """``instant < booked_end`` exactly when ``as_of >= due_on(local day)``, around every due day and far from it."""
    one = RULES[name]
    as_ofs = [FIRST + timedelta(days=n) for n in range(-3, len(DAYS) + 100)]
    limits = {as_of: cutoffs(one, as_of, BERLIN).booked_end for as_of in as_ofs}
    for day in DAYS:
        for instant in instants_of(day, BERLIN):
            due = due_on(local_day(instant, BERLIN), one)
            for step in (-2, -1, 0, 1, 2):
                as_of = due + timedelta(days=step)
                if as_of in limits:
                    assert (instant < limits[as_of]) == (step >= 0), (day, step)


@pytest.mark.parametrize("name", RULES)
def test_cutoffs_only_ever_move_on(name: str) -> None:
    """What is due today is due tomorrow; with the test above this settles every pair of days."""
    limits = [cutoffs(RULES[name], day, BERLIN).booked_end for day in DAYS]
    assert limits == sorted(limits)


def test_a_cutoff_is_the_first_instant_of_its_local_day() -> None:
    """The last microsecond before it shows another date; also on the two days a year when clocks change."""
    for as_of in DAYS:
        limit = cutoffs(RULES["plain"], as_of, BERLIN).booked_end
        assert local_day(limit, BERLIN) == as_of - timedelta(days=89)
        assert local_day(limit - TICK, BERLIN) == as_of - timedelta(days=90)


@pytest.mark.slow
@given(
    st.sampled_from(STRANGE),
    st.dates(date(2008, 1, 1), LAST),
    st.sampled_from(sorted(RULES)),
    st.sampled_from(TIMES),
    st.integers(-3, 3),
)
@example("Pacific/Apia", date(2011, 12, 29), "plain", time(23, 59, 59, 999999), 0)
@example("Pacific/Apia", date(2011, 12, 30), "plain", time(12), 0)
@example("Pacific/Apia", date(2011, 12, 31), "plain", time(0), 0)
@example("America/Sao_Paulo", date(2018, 11, 4), "plain", time(0), 0)
@example("America/Sao_Paulo", date(2018, 2, 17), "plain", time(23, 59, 59, 999999), 0)
@example("Africa/Cairo", date(2024, 4, 26), "plain", time(0), 0)
@example("Africa/Cairo", date(2024, 10, 31), "plain", time(23, 59, 59, 999999), 0)
@settings(max_examples=500, deadline=None)
def test_instants_and_calendar_agree_where_clocks_are_strange(
    zone_name: str, day: date, name: str, at: time, step: int
) -> None:
    """Midnight missing or twice, a whole day skipped: the same law."""
    zone, one = ZoneInfo(zone_name), RULES[name]
    for fold in (0, 1):
        instant = datetime.combine(day, at, tzinfo=zone).replace(fold=fold).astimezone(UTC)
        as_of = due_on(local_day(instant, zone), one) + timedelta(days=step)
        assert (instant < cutoffs(one, as_of, zone).booked_end) == (step >= 0)


@given(st.sampled_from(STRANGE), st.dates(date(2012, 1, 1), LAST))
@settings(max_examples=300, deadline=None)
def test_no_local_date_goes_back(zone_name: str, day: date) -> None:
    """What makes comparing instants lawful: in these zones a date that has begun does not end and begin again."""
    zone = ZoneInfo(zone_name)
    start = datetime.combine(day, time(20), tzinfo=UTC) - timedelta(days=1)
    shown = [local_day(start + timedelta(minutes=15 * n), zone) for n in range(4 * 30)]
    assert shown == sorted(shown)


# --- anchors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "due"),
    [
        (datetime(2026, 5, 10, 8, 30, tzinfo=UTC), date(2026, 8, 8)),
        (datetime(2026, 5, 10, 21, 59, 59, 999999, tzinfo=UTC), date(2026, 8, 8)),  # 23:59 in Berlin
        (datetime(2026, 5, 10, 22, 0, tzinfo=UTC), date(2026, 8, 9)),  # midnight in Berlin
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), date(2026, 6, 27)),  # the night of the missing hour
        (datetime(2026, 10, 25, 22, 59, tzinfo=UTC), date(2027, 1, 23)),  # the day with 25 hours
        (datetime(2027, 12, 31, 23, 0, tzinfo=UTC), date(2028, 3, 31)),  # New Year in Berlin, a leap year
    ],
)
def test_ninety_days_by_hand(ends: datetime, due: date) -> None:
    """A handful of dates that a person has counted on a calendar."""
    assert due_on(local_day(ends, BERLIN), RULES["plain"]) == due


@pytest.mark.parametrize("year", range(2024, 2033))
def test_three_months_are_earlier_from_31_january_to_28_february_only_in_ordinary_years(year: int) -> None:
    """The days on which 90 days would be one day too late, by going through the whole year."""
    days = [day for day in DAYS if day.year == year]
    earlier = [day for day in days if latest_on(day, RULES["capped"]) < latest_on(day, RULES["plain"])]
    expected = [] if year % 4 == 0 else [date(year, 1, 31) + timedelta(days=n) for n in range(29)]
    assert earlier == expected


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2025, 1, 31), 3, date(2025, 4, 30)),
        (date(2025, 2, 28), 3, date(2025, 5, 28)),
        (date(2025, 11, 30), 3, date(2026, 2, 28)),
        (date(2027, 11, 30), 3, date(2028, 2, 29)),
        (date(2025, 12, 31), 12, date(2026, 12, 31)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
    ],
)
def test_a_month_without_that_day_ends_on_its_last(day: date, months: int, expected: date) -> None:
    """As Section 188(3) BGB has it."""
    assert add_months(day, months) == expected


@given(st.dates(FIRST, LAST), st.integers(-200, 200), st.sampled_from(sorted(RULES)))
def test_overdue_counts_from_the_due_day(day: date, step: int, name: str) -> None:
    """0 on the day itself and before it."""
    due = due_on(day, RULES[name])
    assert overdue_days(day, RULES[name], due + timedelta(days=step)) == max(0, step)


# --- the other clauses ----------------------------------------------------------------------------


@given(
    st.sampled_from(STRANGE),
    st.dates(FIRST, LAST),
    st.sampled_from(TIMES),
    st.integers(1, 90),
    st.integers(0, 20),
    st.integers(0, 800),
    st.integers(-2, 2),
)
@settings(deadline=None)
def test_the_fallback_is_receipt_plus_horizon_plus_period(
    zone_name: str, day: date, at: time, period: int, lead: int, horizon: int, step: int
) -> None:
    """Without a usable date: received_at + booking_horizon + period, made earlier by the lead as everything is."""
    zone, one = ZoneInfo(zone_name), rule(days=period, lead=min(lead, period - 1), booking_horizon_days=horizon)
    received = datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
    falls = local_day(received, zone) + timedelta(days=horizon + period - one.lead_days)
    assert (received < cutoffs(one, falls + timedelta(days=step), zone).no_anchor) == (step >= 0)


@given(st.sampled_from(STRANGE), st.dates(FIRST, LAST), st.sampled_from(TIMES), st.integers(-2, 2))
@settings(deadline=None)
def test_a_cancellation_counts_only_where_the_rule_says_so(zone_name: str, day: date, at: time, step: int) -> None:
    """Cancellation + period, by the same calendar; None where the promise speaks of the booking."""
    zone, one = ZoneInfo(zone_name), rule(cancelled="cancellation")
    gone = datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
    as_of = local_day(gone, zone) + timedelta(days=90 + step)
    limit = cutoffs(one, as_of, zone).cancelled
    assert limit is not None
    assert (gone < limit) == (step >= 0)
    assert cutoffs(RULES["plain"], as_of, zone).cancelled is None


@given(st.sampled_from(STRANGE), st.dates(FIRST, LAST), st.sampled_from(TIMES), st.integers(1, 90), st.integers(-2, 2))
@settings(deadline=None)
def test_superseded_events_count_from_their_receipt(zone_name: str, day: date, at: time, days: int, step: int) -> None:
    """Receipt + the shorter period; None where the rule has none."""
    zone = ZoneInfo(zone_name)
    received = datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
    as_of = local_day(received, zone) + timedelta(days=days + step)
    limit = cutoffs(rule(superseded_days=days), as_of, zone).superseded
    assert limit is not None
    assert (received < limit) == (step >= 0)
    assert cutoffs(RULES["plain"], as_of, zone).superseded is None


# --- the second way of counting -------------------------------------------------------------------

_PLACEHOLDER = date(1999, 9, 9)


def not_yet_due_in_sql(one: Rule, zone: str, pairs: pl.DataFrame) -> list[bool]:
    """What DuckDB says about many (day_0_at, as_of) at once: the literal date becomes a column."""
    condition = sql.not_yet_due_by_calendar(one, zone, _PLACEHOLDER)
    literal = f"DATE '{_PLACEHOLDER.isoformat()}'"
    assert condition.count(literal) == 1
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.register("pairs", pairs.with_row_index("n").to_arrow())
        rows = db.sql(f"SELECT {condition.replace(literal, 'as_of')} FROM pairs ORDER BY n").fetchall()
    return [row[0] for row in rows]


@pytest.mark.parametrize(
    ("zone_name", "name"),
    [
        *(("Europe/Berlin", name) for name in RULES),
        *((zone, "capped") for zone in ("Africa/Cairo", "America/Sao_Paulo", "Pacific/Apia", "UTC")),
    ],
)
def test_duckdb_counts_the_same_days(zone_name: str, name: str) -> None:
    """The second way is calendar arithmetic in SQL with DuckDB's own zones: the same answer on every day."""
    one, zone = RULES[name], ZoneInfo(zone_name)
    pairs = []
    for day in DAYS:
        for instant in dict.fromkeys(instants_of(day, zone)):
            due = due_on(local_day(instant, zone), one)
            pairs += [(instant, due + timedelta(days=step)) for step in (-1, 0)]
    schema = {"day_0_at": UTC_TIME, "as_of": pl.Date}
    said = not_yet_due_in_sql(one, zone_name, pl.DataFrame(pairs, schema=schema, orient="row"))
    assert said == [True, False] * (len(pairs) // 2)
