"""Large made-up files for benchmarks: the same shapes, a million rows a few seconds.

Every value is arithmetic on the row's number, so the files are the same everywhere and need no memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.sources.made_up.people import FIRST_NAMES, LAST_NAMES, MOBILES

if TYPE_CHECKING:
    import polars as pl

CHUNK = 250_000
STEP_MS = 700
BENCH_DAY = date(2026, 10, 1)


def write_webpush(path: Path, messages: int, seed: int = 1, *, as_of: date = BENCH_DAY) -> None:
    """Write a gateway's log of eTermin Web Push messages, about 500 bytes each, as NDJSON.

    Nothing in it is due at ``as_of``. Of a hundred messages 1 repeats the one before it, 19 or 20 are rebookings
    of the appointment before and 2 cancellations; the others are new appointments. The rest of the fields is empty.

    Parameters
    ----------
    path : Path
        Overwritten if it exists.
    messages : int
    seed : int
        Other people at other times.
    as_of : datetime.date
        All messages were received before it, all appointments lie in the 60 days after it.
    """
    import polars as pl

    with path.open("wb") as out:
        for first in range(0, messages, CHUNK):
            numbers = pl.int_range(first, min(first + CHUNK, messages), dtype=pl.Int64, eager=True).alias("n")
            line = pl.concat_str(_message_parts(seed, as_of))
            pl.select(numbers).select(line).write_csv(out, include_header=False, quote_style="never")


def write_records(path: Path, rows: int, seed: int = 1, *, as_of: date = BENCH_DAY, due_percent: int = 10) -> None:
    """Write a record export as Parquet, under the names that need no mapping.

    Parameters
    ----------
    path : Path
        Overwritten if it exists.
    rows : int
        One person at one appointment each; every key once.
    seed : int
    as_of : datetime.date
        ``due_percent`` of a hundred rows ended 90 to 119 days before it, so they are due on it and were not
        30 days earlier; the others ended later, or lie up to 60 days ahead.
    """
    import polars as pl

    n = pl.col("n")
    due = n % 100 < due_percent
    day = pl.when(due).then(-90 - _some(29, seed, 7)).otherwise(60 - _some(149, seed, 7))
    starts = _time(as_of, day, _some(27, seed, 8))
    frame = pl.LazyFrame(pl.int_range(rows, dtype=pl.Int64, eager=True).alias("n"))
    frame.select(
        _uid(n, seed).alias("appointment_uid"),
        pl.lit("Sprechzimmer ").add((1 + _some(40, seed, 9)).cast(pl.String)).alias("calendar_ref"),
        pl.lit("12").alias("service_id"),
        pl.lit("Arztkonsultation").alias("location"),
        *[value.alias(name) for name, value in _person_columns(n, seed).items()],
        starts.alias("starts_at"),
        (starts + timedelta(minutes=20)).alias("ends_at"),
        (starts - timedelta(days=14)).alias("booked_at"),
    ).sink_parquet(path)


def _message_parts(seed: int, as_of: date) -> list[pl.Expr]:
    """The pieces of one JSON line, in order; the text between the values is literal."""
    import polars as pl

    n = pl.col("n")
    n = pl.when(n % 100 == 99).then(n - 1).otherwise(n)
    rebooked = n % 5 == 4
    key = pl.when(rebooked).then(n - 1).otherwise(n)
    created = pl.when(n % 50 == 23).then(pl.lit("DELETED")).otherwise(pl.lit("CREATED"))
    command = pl.when(rebooked).then(pl.lit("MODIFIED")).otherwise(created)
    day = 1 + _some(50, seed, 7, key) + pl.when(rebooked).then(7).otherwise(0)
    starts = _time(as_of, day, _some(27, seed, 8, key))
    ends = starts + timedelta(minutes=20)
    first = datetime.combine(as_of - timedelta(days=40), time(), UTC)
    arrived, booked = (pl.lit(first) + pl.duration(milliseconds=row * STEP_MS % 3_000_000_000) for row in (n, key))
    person = _person_columns(key, seed)
    filled: dict[str, pl.Expr] = {
        "command": command,
        "appointmentUID": _uid(key, seed),
        "startDateTimeUTC": _iso(starts),
        "endDateTimeUTC": _iso(ends),
        "startDateTime": _iso(starts.dt.convert_time_zone("Europe/Berlin")),
        "endDateTime": _iso(ends.dt.convert_time_zone("Europe/Berlin")),
        "bookingDateUTC": _iso(booked),
        "lastName": person["last_name"],
        "firstName": person["first_name"],
        "phone": person["mobile"],
        "email": person["email"],
        "calendarName": pl.lit("Raum ").add((1 + _some(40, seed, 9, key)).cast(pl.String)),
        "location": pl.lit("Arztkonsultation"),
    }
    parts = [pl.lit('{"received_at":"'), arrived.dt.to_string("%Y-%m-%dT%H:%M:%S%.3fZ"), pl.lit('","body":{')]
    for name, value in filled.items():
        parts += [pl.lit(f'"{name}":"'), value, pl.lit('",')]
    empty = ("salutation", "street", "ZIP", "town", "birthday", "notes", "selectedAnswers")
    return [*parts, pl.lit(",".join(f'"{name}":""' for name in empty) + "}}")]


def _some(below: int, seed: int, salt: int, n: pl.Expr | None = None) -> pl.Expr:
    """A number from 0 to ``below`` that looks random and depends on the row's number only."""
    import polars as pl

    row = pl.col("n") if n is None else n
    return ((row + salt * 7_919 + seed * 104_729) * 2_654_435_761 % 4_294_967_291 // 1_024) % (below + 1)


def _uid(n: pl.Expr, seed: int) -> pl.Expr:
    import polars as pl

    return pl.concat_str(pl.lit(f"et{seed}-"), n.cast(pl.String).str.zfill(10))


def _pick(values: Sequence[str], n: pl.Expr, seed: int, salt: int) -> pl.Expr:
    import polars as pl

    codes = _some(len(values) - 1, seed, salt, n)
    return codes.replace_strict(list(range(len(values))), list(values), return_dtype=pl.String)


def _person_columns(n: pl.Expr, seed: int) -> dict[str, pl.Expr]:
    import polars as pl

    return {
        "first_name": _pick(FIRST_NAMES, n, seed, 1),
        "last_name": _pick(LAST_NAMES, n, seed, 2),
        "email": pl.concat_str(pl.lit("person"), n.cast(pl.String), pl.lit(f".{seed}@example.org")),
        "mobile": _pick(MOBILES, n, seed, 3),
    }


def _time(as_of: date, day: pl.Expr, slot: pl.Expr) -> pl.Expr:
    """UTC; the slots of 20 minutes run from 6 to 15 o'clock, the same local day in Europe/Berlin."""
    import polars as pl

    opens = pl.lit(datetime.combine(as_of, time(6), UTC)).cast(pl.Datetime("us", "UTC"))
    return opens + pl.duration(days=day, minutes=slot * 20)


def _iso(at: pl.Expr) -> pl.Expr:
    return at.dt.to_string("%Y-%m-%dT%H:%M:%S")
