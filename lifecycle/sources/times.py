"""Times as sources write them, read into UTC.

A time without an offset is read in a zone: the repeated hour of a clock change is the later instant, the
missing hour is shifted forward (02:30 becomes 03:30). Common spellings are read column by column, the
rest one distinct value at a time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

if TYPE_CHECKING:
    import pyarrow as pa

UTC_ZONE = ZoneInfo("UTC")
EARLIEST_YEAR, LATEST_YEAR = 1900, 2999
"""Years of an appointment; others are slips or placeholders (``0001-01-01``, ``9999-12-31``)."""

_EARLIEST, _LATEST = datetime(EARLIEST_YEAR, 1, 1), datetime(LATEST_YEAR, 12, 31)  # noqa: DTZ001 - wall-clock times
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
_RULED = datetime(2099, 12, 31)  # noqa: DTZ001
_WITH_OFFSET = re.compile(r"(?:Z|[+-]\d\d(?::?\d\d)?)$", re.ASCII)

_COMMON = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y%m%d %H%M%S",
    "%Y-%m-%d %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%Y-%m-%d %H:%M",
)

_CLOCK = r"(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
_ZONE = r"\s*(?P<zone>[Zz]|[+-]\d\d(?::?\d\d)?)?"
_SHAPES = tuple(
    re.compile(shape, re.ASCII)
    for shape in (
        rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)(?:[Tt ]\s*(?:{_CLOCK}|(?P<sole>\d\d)){_ZONE})?",
        rf"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>\d{{4}})(?:,?\s+{_CLOCK}{_ZONE})?",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
        rf"(?:[Tt ]?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?{_ZONE})?",
    )
)


def time_of(text: str, zone: tzinfo) -> datetime | None:
    """Read one time; None if it is not one.

    Parameters
    ----------
    text : str
        ISO 8601, the compact ``20260510 100000``, or German ``10.05.2026 10:00``; a date alone is its midnight.
    zone : tzinfo
        Where a time without an offset was written.

    Returns
    -------
    datetime or None
        Aware, UTC, microseconds.

    Examples
    --------
    >>> time_of("20260510 100000", ZoneInfo("Europe/Berlin")).isoformat()
    '2026-05-10T08:00:00+00:00'
    >>> time_of("30.02.2026", ZoneInfo("Europe/Berlin")) is None
    True
    """
    text = text.strip()
    for shape in _SHAPES:
        if match := shape.fullmatch(text):
            return _instant(match.groupdict(), zone)
    return None


def _instant(part: dict[str, str | None], zone: tzinfo) -> datetime | None:
    fraction = (part.get("fraction") or "0").ljust(6, "0")[:6]
    try:
        naive = datetime(  # noqa: DTZ001 - the zone is put on below
            int(part["year"] or 0),
            int(part["month"] or 0),
            int(part["day"] or 0),
            int(part.get("hour") or part.get("sole") or 0),
            int(part.get("minute") or 0),
            int(part.get("second") or 0),
            int(fraction),
        )
        if not EARLIEST_YEAR <= naive.year <= LATEST_YEAR:
            return None
        return localised(naive, _offset(part.get("zone")) or zone)
    except (ValueError, OverflowError):
        return None


def _offset(text: str | None) -> tzinfo | None:
    if not text:
        return None
    if text in "Zz":
        return UTC
    digits = text[1:].replace(":", "")
    away = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return timezone(-away if text[0] == "-" else away)


def localised(naive: datetime, zone: tzinfo) -> datetime:
    """Read a wall-clock time in a zone: repeated hour the later instant, missing hour shifted forward.

    Examples
    --------
    >>> localised(datetime(2026, 10, 25, 2, 30), ZoneInfo("Europe/Berlin")).isoformat()
    '2026-10-25T01:30:00+00:00'
    >>> localised(datetime(2026, 3, 29, 2, 30), ZoneInfo("Europe/Berlin")).isoformat()
    '2026-03-29T01:30:00+00:00'
    """
    first, second = (naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    # In a gap the earlier offset (fold 0) gives the later instant, in a repeated hour fold 1 does.
    return max(first, second)


def in_utc(naive: pl.Series, zone: ZoneInfo) -> pl.Series:
    """Read a column of wall-clock times (naive ``Datetime``) in a zone, as UTC microseconds."""
    naive = naive.cast(pl.Datetime("us"))
    if zone.key == "UTC":
        return naive.dt.replace_time_zone("UTC")
    try:
        # Polars' rules end with the century; what lies behind is read one distinct value at a time.
        ruled = naive.set(naive > _RULED, None)
        aware = ruled.dt.replace_time_zone(zone.key, ambiguous="latest", non_existent="null")
    except pl.exceptions.PolarsError:  # a zone that polars does not know
        aware = pl.Series(naive.name, [None] * len(naive), dtype=pl.Datetime("us", "UTC"))
    times = aware.dt.convert_time_zone("UTC")
    return _filled(times, naive, lambda value: localised(value, zone))


def read_times(texts: pl.Series, zone: ZoneInfo) -> pl.Series:
    """Read a column of texts into UTC microseconds; null where there is none or where it is not a time."""
    if (times := iso_times(texts, zone)) is not None:
        return times
    naive = _exact(texts, _COMMON[0])
    for spelling in _COMMON[1:]:
        if naive.null_count() == texts.null_count():
            break
        naive = naive.zip_with(naive.is_not_null(), _exact(texts, spelling))
    naive = naive.zip_with(naive.is_between(_EARLIEST, _LATEST).fill_null(False), pl.Series([None], dtype=naive.dtype))
    return _filled(in_utc(naive, zone), texts, lambda text: time_of(text, zone))


def iso_times(texts: pl.Series, zone: ZoneInfo) -> pl.Series | None:
    """Read a column in which every text is ISO 8601, all without an offset or all with one; else None."""
    import pyarrow as pa

    first = texts[0] if len(texts) else None
    if first is None and (first := texts.drop_nulls().first()) is None:
        return None
    kind = pa.timestamp("us", "UTC") if _WITH_OFFSET.search(str(first)) else pa.timestamp("us")
    try:
        times = texts.to_arrow().cast(kind)
    except pa.ArrowInvalid:  # which quotes the text
        return None
    if not _in_range(times):
        return None
    if kind.tz is None and zone.key != "UTC":
        return in_utc(pl.Series(texts.name, pl.from_arrow(times)), zone)
    return pl.Series(texts.name, pl.from_arrow(times.view(pa.timestamp("us", "UTC"))))


def _in_range(times: pa.TimestampArray) -> bool:
    """Tell whether every time is of the years that an appointment may have; compares two of them, not all."""
    # As numbers: what lies beyond the year 9999 is no datetime of Python's. Arrow's own way to numpy loads pandas.
    given = times.drop_null() if times.null_count else times
    found = np.frombuffer(given.buffers()[1], np.int64, len(given), given.offset * 8) if len(given) else np.empty(0)
    least, most = ((bound - _EPOCH) // timedelta(microseconds=1) for bound in (_EARLIEST, _LATEST))
    return not len(found) or bool(found.min() >= least and found.max() <= most)


def _exact(texts: pl.Series, spelling: str) -> pl.Series:
    return texts.str.to_datetime(spelling, time_unit="us", strict=False, exact=True)


def _filled(times: pl.Series, source: pl.Series, read: object) -> pl.Series:
    """Fill the times that are missing although their source has a value, one distinct value at a time."""
    missing = times.is_null() & source.is_not_null()
    if not missing.any():
        return times
    values = source.filter(missing).unique()
    found = pl.Series([read(value) for value in values], dtype=times.dtype)  # type: ignore[operator]
    filled = source.replace_strict(values, found, default=None, return_dtype=times.dtype)
    return times.zip_with(~missing, filled)
