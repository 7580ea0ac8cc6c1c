"""Times in every spelling, in the workspace's zone, around the clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.sources.times import in_utc, localised, read_times, time_of

BERLIN = ZoneInfo("Europe/Berlin")
SPELLINGS = ("%Y-%m-%dT%H:%M:%S", "%Y%m%d %H%M%S", "%Y%m%d%H%M%S", "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S")
PLACES = ("Europe/Berlin", "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")

moments = st.datetimes(datetime(1901, 1, 2), datetime(2199, 12, 30)).map(lambda moment: moment.replace(microsecond=0))


def read(text: str, zone: ZoneInfo = BERLIN) -> datetime | None:
    return read_times(pl.Series([text]), zone)[0]


@pytest.mark.parametrize(
    ("wall", "instant"),
    [
        ("2025-03-30T01:59:59", "2025-03-30T00:59:59"),
        ("2025-03-30T02:30:00", "2025-03-30T01:30:00"),  # missing: shifted forward to 03:30
        ("2025-03-30T03:30:00", "2025-03-30T01:30:00"),
        ("2025-10-26T01:59:59", "2025-10-25T23:59:59"),
        ("2025-10-26T02:30:00", "2025-10-26T01:30:00"),  # repeated: the later
        ("2025-10-26T03:00:00", "2025-10-26T02:00:00"),
        ("2026-03-29T02:00:00", "2026-03-29T01:00:00"),
        ("2026-03-29T02:59:59", "2026-03-29T01:59:59"),
        ("2026-10-25T02:00:00", "2026-10-25T01:00:00"),
        ("2026-10-25T02:59:59", "2026-10-25T01:59:59"),
        ("2026-10-25T03:00:00", "2026-10-25T02:00:00"),
    ],
)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_clock_changes(wall: str, instant: str, spelling: str) -> None:
    """The repeated hour is the later instant, the missing one is shifted forward, in every spelling."""
    text = datetime.fromisoformat(wall).strftime(spelling)
    assert read(text) == datetime.fromisoformat(instant).replace(tzinfo=UTC)


@settings(deadline=None)
@given(moments, st.sampled_from(SPELLINGS), st.sampled_from(PLACES))
def test_every_spelling_is_the_same_time(moment: datetime, spelling: str, place: str) -> None:
    """By columns or one by one, in any zone."""
    text, zone = moment.strftime(spelling), ZoneInfo(place)
    assert read(text, zone) == time_of(text, zone) == localised(moment, zone)


@settings(deadline=None)
@given(moments, st.integers(0, 999_999), st.integers(-14 * 60, 14 * 60), st.sampled_from(["", "Z", "offset", "short"]))
def test_offsets_and_fractions_are_honoured(moment: datetime, micros: int, minutes: int, zone: str) -> None:
    """A written offset beats the zone; microseconds are kept."""
    moment = moment.replace(microsecond=micros)
    away = timedelta(minutes=minutes)
    sign, size = ("-" if minutes < 0 else "+"), abs(minutes)
    offset = f"{sign}{size // 60:02}:{size % 60:02}"
    written = {"": "", "Z": "Z", "offset": offset, "short": offset.replace(":", "")}[zone]
    text = moment.isoformat() + written
    aware = moment.replace(tzinfo=UTC) - (away if zone in ("offset", "short") else timedelta())
    expected = aware if zone else localised(moment, BERLIN)
    assert read(text) == time_of(text, BERLIN) == expected


@settings(deadline=None)
@given(moments, st.sampled_from(PLACES))
def test_columns_of_wall_clock_times_agree_with_single_ones(moment: datetime, place: str) -> None:
    """Polars' zones and Python's are the same."""
    zone = ZoneInfo(place)
    assert in_utc(pl.Series([moment]), zone)[0] == localised(moment, zone)


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(moments.map(datetime.isoformat), moments.map(lambda m: m.isoformat() + "Z"), st.text(max_size=12)),
        max_size=6,
    )
)
def test_a_column_is_its_values(texts: list[str]) -> None:
    """What else stands in the column makes no difference."""
    assert read_times(pl.Series(texts, dtype=pl.String), BERLIN).to_list() == [read(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    ["2026-02-30T10:00:00", "30.02.2026", "20260230 100000", "2026-13-01", "2026-05-10T24:00:00", "2026-05-10T10:60",
     "10.05.26", "tomorrow", "1789000000", "2026-05-10T10:00:00+99:00", "0001-01-01T00:00:00", "1899-12-30",
     "2026-05-10T10:00:00 Uhr", "٢٠٢٦-٠٥-١٠", "9999-12-31T23:59:59-14:00", "infinity", "epoch", "2026-05-10T"],
)  # fmt: skip
def test_what_is_no_time_is_none(text: str) -> None:
    """One by one and by columns."""
    assert time_of(text, BERLIN) is None
    assert read(text) is None
    assert read_times(pl.Series([text, "2026-05-10T10:00:00"]), BERLIN)[0] is None


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("10.05.2026", datetime(2026, 5, 9, 22)),
        ("1.5.2026 9:05", datetime(2026, 5, 1, 7, 5)),
        ("10.05.2026, 10:00", datetime(2026, 5, 10, 8)),
        ("2026-05-10", datetime(2026, 5, 9, 22)),
        ("20260510", datetime(2026, 5, 9, 22)),
        ("2026-05-10 10:00", datetime(2026, 5, 10, 8)),
        ("2026-05-10T10:00:00.1234567Z", datetime(2026, 5, 10, 10, 0, 0, 123456)),
        (" 2026-05-10T10:00:00 ", datetime(2026, 5, 10, 8)),
        ("2026-05-10T10:00:00+02", datetime(2026, 5, 10, 8)),
    ],
)
def test_other_spellings(text: str, instant: datetime) -> None:
    """German dates, dates alone (midnight), minutes only, seven decimals."""
    assert read(text) == time_of(text, BERLIN) == instant.replace(tzinfo=UTC)


def test_utc_fields_are_preferred_and_local_ones_used_without_them(read_bytes: Any) -> None:
    """Row by row: the UTC field where it is filled, else the local one; a bad one that is not needed does no harm."""
    lines = [
        b'{"command":"CREATED","appointmentUID":"a","startDateTimeUTC":"2026-10-25T00:30:00","startDateTime":"x"}',
        b'{"command":"CREATED","appointmentUID":"a","startDateTimeUTC":"","startDateTime":"2026-10-25T02:30:00"}',
        b'{"command":"CREATED","appointmentUID":"a","startDateTimeUTC":"x","startDateTime":"2026-10-25T02:30:00"}',
        b'{"command":"CREATED","appointmentUID":"a"}',
    ]
    found = read_bytes(b"\n".join(lines))
    assert [row["starts_at"] for row in found.rows] == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        None,
    ]
    assert found.rejects == [("bad-time", 3)]
