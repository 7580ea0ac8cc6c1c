"""From slots to columns: the one place where the values of every source get our names and types."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl

from lifecycle.model import SCHEMAS, UTC_TIME, Batch, Reject
from lifecycle.sources.names import TIME_COLUMNS, Names
from lifecycle.sources.times import UTC_ZONE, in_utc, iso_times, read_times

LOCATION = "Arztkonsultation"
COMMANDS = ("CREATED", "MODIFIED", "DELETED")
MOST_PARTICIPANTS = 2**31 - 1


@dataclass(frozen=True)
class Layout:
    """What every row of one source has in common.

    ``names`` says which fields are read, ``zone`` where a time without an offset was written, ``status`` the
    state of a row that does not say its own.
    """

    dataset: str
    channel: str
    names: Names
    zone: ZoneInfo
    status: str = "booked"


def normalised(slots: pl.DataFrame, layout: Layout, neat: Collection[str] = ()) -> tuple[pl.DataFrame, list[Reject]]:
    """Turn slots into rows of the dataset.

    Parameters
    ----------
    slots : polars.DataFrame
        A text column for each slot that occurs (Parquet may bring times as such), and ``line`` (Int64).
    layout : Layout
    neat : collection of str
        Slots that are filled in every row, without whitespace around the text.

    Returns
    -------
    tuple of polars.DataFrame and list of Reject
        Rows in the dataset's schema with ``line`` last; and the lines whose time or number is none.
    """
    columns: dict[str, pl.Series] = {}
    bad: dict[int, str] = {}
    for column, kind in SCHEMAS[layout.dataset].items():
        if column in TIME_COLUMNS:
            columns[column] = _time(slots, column, layout, bad)
        elif kind == pl.Int32:
            columns[column] = _number(slots, column, layout, bad)
        else:
            columns[column] = _text(slots, column, layout, neat)
    _complete(columns, layout)
    rows = pl.DataFrame([*(series.alias(name) for name, series in columns.items()), slots["line"]])
    if bad:
        rows = rows.filter(~pl.col("line").is_in(list(bad)))
    return rows, [Reject(reason, line) for line, reason in bad.items()]


def batch(
    slots: pl.DataFrame,
    layout: Layout,
    rejects: list[Reject],
    undeclared: dict[str, int],
    neat: Collection[str] = (),
) -> Batch:
    """Normalise one batch; rejects come out in the order of the file."""
    rows, bad = normalised(slots, layout, neat)
    every = sorted([*rejects, *bad], key=lambda reject: reject.line)
    return Batch(rows, rows.height + len(every), tuple(every), {name: n for name, n in undeclared.items() if n})


def _blank_is_null(texts: pl.Series) -> pl.Series:
    stripped = texts.str.strip_chars()
    return stripped.set(stripped == "", None)


def _given(slots: pl.DataFrame, column: str, layout: Layout) -> list[pl.Series]:
    names = layout.names.slots.get(column, ())
    return [slots[name] for name in names if name in slots.columns and slots[name].null_count() < slots.height]


def _text(slots: pl.DataFrame, column: str, layout: Layout, neat: Collection[str] = ()) -> pl.Series:
    found: pl.Series | None = None
    for given in _given(slots, column, layout):
        if found is None and given.name in neat:
            return given
        if found is None:
            found = _blank_is_null(given.cast(pl.String))
        elif found.null_count():
            found = found.zip_with(found.is_not_null(), _blank_is_null(given.cast(pl.String)))
    return pl.Series([None], dtype=pl.String).new_from_index(0, slots.height) if found is None else found


def _number(slots: pl.DataFrame, column: str, layout: Layout, bad: dict[int, str]) -> pl.Series:
    if not _given(slots, column, layout):
        return pl.Series([None], dtype=pl.Int32).new_from_index(0, slots.height)
    texts = _text(slots, column, layout)
    numbers = texts.cast(pl.Float64, strict=False)
    whole = (numbers == numbers.floor()) & numbers.is_between(1, MOST_PARTICIPANTS)
    _mark(bad, slots["line"].filter(texts.is_not_null() & ~whole.fill_null(False)), "bad-number")
    return numbers.cast(pl.Int32, strict=False)


def _time(slots: pl.DataFrame, column: str, layout: Layout, bad: dict[int, str]) -> pl.Series:
    found: pl.Series | None = None
    taken = pl.Series([False], dtype=pl.Boolean).new_from_index(0, slots.height)
    for given in _given(slots, column, layout):
        if taken.all():
            break
        chosen = given.set(taken, None) if taken.any() else given
        times, filled = _utc(chosen, UTC_ZONE if given.name.endswith("utc") else layout.zone)
        if times.null_count() > slots.height - int(filled.sum()):
            _mark(bad, slots["line"].filter(filled & times.is_null()), "bad-time")
        found = times if found is None else found.zip_with(taken, times)
        taken = taken | filled
    return pl.Series([None], dtype=UTC_TIME).new_from_index(0, slots.height) if found is None else found


def _utc(values: pl.Series, zone: ZoneInfo) -> tuple[pl.Series, pl.Series]:
    """Return the times, and which values are filled in at all."""
    if values.dtype == pl.String:
        # Asked first: to look for empty texts and nulls in a column that has none takes as long as to read it.
        if (times := iso_times(values, zone)) is not None and not times.null_count():
            return times, pl.Series([True]).new_from_index(0, len(values))
        values = values.set(values == "", None)
        times = read_times(values, zone)
        if times.null_count() > values.null_count():
            values = _blank_is_null(values)
        return times, values.is_not_null()
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None:
        return values.dt.convert_time_zone("UTC").cast(UTC_TIME), values.is_not_null()
    return in_utc(values, zone), values.is_not_null()


def _mark(bad: dict[int, str], lines: pl.Series, reason: str) -> None:
    for line in lines:
        bad.setdefault(line, reason)


def _complete(columns: dict[str, pl.Series], layout: Layout) -> None:
    """Put in what a row need not say itself; what is already as it should be, as in most logs, stays as it is."""
    location = columns["location"]
    if (location != LOCATION).any():
        spelled = location.str.to_lowercase() == LOCATION.lower()
        known = _all(LOCATION, location).zip_with(spelled, _all("other", location))
        columns["location"] = known.set(location.is_null(), None)
    status = _all(layout.status, columns["status"])
    if layout.dataset == "events":
        command = columns["command"]
        if sum(int((command == known).sum() or 0) for known in COMMANDS) < len(command):
            columns["command"] = command = command.str.to_uppercase()
        deleted = command == "DELETED"
        if deleted.any():
            status = _all("cancelled", status).zip_with(deleted, status)
    for column, value in (("channel", layout.channel), ("origin", "etermin")):
        columns[column] = _or(columns[column], _all(value, columns[column]))
    participant = columns["participant"]
    if participant.null_count():
        columns["participant"] = participant.set(participant.is_null(), 1)
    columns["status"] = _or(columns["status"], status)


def _all(value: str, like: pl.Series) -> pl.Series:
    return pl.Series([value], dtype=pl.String).new_from_index(0, len(like))


def _or(texts: pl.Series, otherwise: pl.Series) -> pl.Series:
    if texts.null_count() == len(texts):
        return otherwise
    return texts.zip_with(texts.is_not_null(), otherwise) if texts.null_count() else texts
