"""Run the value checks over rows: wave the plain values through, look closely at the rest.

Most values are plain: a name of letters, a German mobile number, an address of letters and a few digits. One
regular expression per column says so (Rust's engine never backtracks). What remains is normalised once and every
check looks at it. The sieves may let too much through to the checks, never too little: a test holds them to every
example of every check.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from lifecycle.contract.json_text import json_likely
from lifecycle.contract.terms import Contract
from lifecycle.contract.values.normalise import normalised
from lifecycle.contract.values.registry import OWN_DATES, ValueCheck, value_checks
from lifecycle.contract.values.sieves import REPEATING, first_sieve, second_sieve
from lifecycle.model import UTC_TIME

_HELD_BATCHES = 16
_HELD_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Suspects:
    """The values of one field that could not be waved through.

    ``frame`` has ``raw``, ``_channel``, ``_at``, the row's own dates and ``_row`` (number in the batch, from 0).
    """

    field: str
    frame: pl.DataFrame


class Scanner:
    """Collects suspects over batches and hands them out in bulk: asking twenty checks about three values costs as
    much as asking them about three thousand.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._held: dict[str, list[pl.DataFrame]] = {}
        self._batches = 0

    def add(self, rows: pl.DataFrame, fields: list[str]) -> Iterator[Suspects]:
        """Look at rows as `rows.conformed` makes them; hands out what was collected when it is enough."""
        for suspects in suspects_in(self._contract, rows, fields):
            self._held.setdefault(suspects.field, []).append(suspects.frame)
        self._batches += 1
        if self._batches >= _HELD_BATCHES or sum(map(len, self._all())) > _HELD_ROWS:
            yield from self.rest()

    def rest(self) -> Iterator[Suspects]:
        """Hand out everything that is still held."""
        held, self._held, self._batches = self._held, {}, 0
        for field, frames in held.items():
            yield Suspects(field, pl.concat(frames))

    def _all(self) -> Iterator[pl.DataFrame]:
        for frames in self._held.values():
            yield from frames


def suspects_in(contract: Contract, rows: pl.DataFrame, fields: list[str]) -> Iterator[Suspects]:
    """The values of each field that need a close look; ``rows`` as `rows.conformed` makes them."""
    if not rows.height or not fields:
        return
    masks = rows.select(_mask(contract, rows, field).alias(field) for field in fields)
    for field in fields:
        if masks[field].any():
            frame = _looked_at(rows, field).filter(masks[field])
            second = None if field in REPEATING else second_sieve(field)
            frame = frame if second is None else frame.filter(second)
            if frame.height:
                yield Suspects(field, frame)


def _looked_at(rows: pl.DataFrame, field: str) -> pl.DataFrame:
    own = [name for name in OWN_DATES if name in rows.columns]
    return rows.select(pl.col(field).alias("raw"), "_channel", "_at", *own).with_row_index("_row")


def _mask(contract: Contract, rows: pl.DataFrame, field: str) -> pl.Expr:
    """True for the rows whose value needs a close look, as far as the first sieve can tell."""
    if field not in REPEATING:
        return first_sieve(contract, field)
    odd = _odd_values(contract, rows, field)
    return pl.col(field).is_in(odd) if odd else pl.col(field).is_null() & False


def _odd_values(contract: Contract, rows: pl.DataFrame, field: str) -> list[str]:
    """The distinct values that some check finds, whatever the dates of their rows."""
    distinct = rows.select(pl.col(field).unique()).filter(first_sieve(contract, field)).rename({field: "raw"})
    second = second_sieve(field)
    distinct = distinct if second is None else distinct.filter(second)
    if not distinct.height:
        return []
    nowhen = (pl.lit(None, dtype=UTC_TIME).alias(name) for name in OWN_DATES)
    hits = hits_in(Suspects(field, distinct.with_columns(*nowhen)))
    found = pl.any_horizontal(json_likely(pl.col("text")), *(pl.col(check.name) for check in checks_of(field)))
    return hits.filter(found)["raw"].to_list()


def hits_in(suspects: Suspects) -> pl.DataFrame:
    """The frame of the suspects with a column of true and false for each check of their field."""
    frame = suspects.frame.with_columns(normalised(pl.col("raw")).alias("text"))
    text = pl.col("text")
    found = (check.find(text, suspects.field).fill_null(False).alias(check.name) for check in checks_of(suspects.field))
    return frame.with_columns(found)


def checks_of(field: str) -> tuple[ValueCheck, ...]:
    """The value checks that look at a field."""
    return tuple(check for check in value_checks() if field in check.fields)
