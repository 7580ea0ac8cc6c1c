"""Made-up appointments for the benchmarks of the contract room: deterministic, in Parquet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from lifecycle.model import APPOINTMENTS_SCHEMA

FIRST = (
    "Anna Maria",
    "Jürgen",
    "Łukasz",
    "Ayşe",
    "Thị Mai",
    "Karl-Heinz",
    "Sören",
    "Zoë",
    "Mehmet",
    "Ioana",
    "Emma",
    "Paul",
    "Mia",
    "Ben",
    "Lena",
    "P-17",
)
LAST = (
    "Krebs",
    "Müller-Lüdenscheidt",
    "van der Berg",
    "Nguyen",
    "O'Neill",
    "Sommer",
    "Yılmaz",
    "Herz",
    "Schmidt",
    "Wójcik",
    "von Thun",
    "Oetker",
)


def appointments(rows: int, *, seed: int = 7, leaks: float = 0.001) -> pl.DataFrame:
    """A frame of ``rows`` appointments; about ``leaks`` of them carry a value of the wrong kind.

    Surnames get a made-up ending, so that most of them are distinct, as in life.
    """
    rng = np.random.default_rng(seed)
    ends = np.array(["", "mann", "berg", "er", "ski", "dorf", "hof", "stein", "bach", "feld", "eder", "inger"])
    consonants, vowels = np.array(list("bdglmnrt")), np.array(list("aeiou"))
    syllables = np.char.add(consonants[:, None], vowels[None, :]).ravel()
    first = np.array(FIRST)[rng.integers(0, len(FIRST), rows)]
    stem = np.char.add(syllables[rng.integers(0, 40, rows)], syllables[rng.integers(0, 40, rows)])
    made = np.char.capitalize(np.char.add(stem, ends[rng.integers(1, len(ends), rows)]))
    last = np.where(rng.random(rows) < 0.3, np.array(LAST)[rng.integers(0, len(LAST), rows)], made)
    leak = rng.random(rows)
    last = np.where(leak < leaks, np.char.add(last, " A123456780"), last)
    number = rng.integers(10_000_000, 99_999_999, rows).astype(str)
    start = datetime(2026, 1, 5, 8, tzinfo=UTC)
    frame = pl.DataFrame({
        "n": np.arange(rows), "first_name": first, "last_name": last, "local": stem, "number": number,
        "mobile_kind": rng.random(rows), "slot": rng.integers(0, 20_000, rows),
    })  # fmt: skip
    made_up = frame.select(
        pl.lit("arztkonsultation").alias("channel"),
        pl.format("{}-{}", pl.lit("ext"), pl.col("n")).alias("appointment_uid"),
        pl.lit(1, dtype=pl.Int32).alias("participant"),
        pl.lit("etermin").alias("origin"),
        (pl.col("n") % 40 + 104_000).cast(pl.String).alias("calendar_ref"),
        (pl.col("n") % 12 + 1).cast(pl.String).alias("service_id"),
        pl.when(pl.col("n") % 9 == 0).then(pl.lit("other")).otherwise(pl.lit("Arztkonsultation")).alias("location"),
        "first_name",
        "last_name",
        pl.format("{}.{}@example.org", "local", pl.col("number").str.slice(0, 3)).alias("email"),
        pl.when(pl.col("mobile_kind") < 0.15).then(None)
        .when(pl.col("mobile_kind") < 0.17).then(pl.format("030 23125{}", pl.col("number").str.slice(0, 3)))
        .otherwise(pl.format("+49152{}", "number")).alias("mobile"),
        (pl.lit(start) + pl.duration(minutes=pl.col("slot") * 15)).alias("starts_at"),
        (pl.lit(start + timedelta(minutes=15)) + pl.duration(minutes=pl.col("slot") * 15)).alias("ends_at"),
        (pl.lit(start - timedelta(days=9)) + pl.duration(minutes=pl.col("slot") * 15)).alias("booked_at"),
        (pl.lit(start - timedelta(days=9)) + pl.duration(minutes=pl.col("slot") * 15 + 1)).alias("received_at"),
        pl.lit("booked").alias("status"),
    )  # fmt: skip
    return made_up.cast(dict(APPOINTMENTS_SCHEMA))  # type: ignore[arg-type]


def write(path: Path, rows: int, chunk: int = 1_000_000) -> None:
    """Write a Parquet file of ``rows`` appointments, in chunks of distinct rows."""
    import pyarrow.parquet as pq

    writer = None
    for i, begin in enumerate(range(0, rows, chunk)):
        part = appointments(min(chunk, rows - begin), seed=7 + i)
        part = part.with_columns(pl.format("{}-{}", "appointment_uid", pl.lit(i)))
        table = part.to_arrow()
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=100_000)
    if writer is not None:
        writer.close()
