"""What each row must have: required values and patterns, as polars expressions. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from lifecycle.contract.terms import CHANNELS, Column, Contract
from lifecycle.model import Severity

BASIC_CHECKS = (
    ("required-field", Severity.ERROR),
    ("email-pattern", Severity.ERROR),
    ("mobile-pattern", Severity.ERROR),
    ("allowed-word", Severity.ERROR),
    ("unique-key", Severity.ERROR),
)
"""Beside the structure: not-null id and end (``required-field``), the two patterns, the unique key."""


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A row fails where ``fails`` is true. ``fails`` reads the frame that `conformed` makes."""

    name: str
    field: str
    severity: Severity
    fails: pl.Expr


def blank(name: str) -> pl.Expr:
    """Null or nothing but white space."""
    return pl.col(name).is_null() | (pl.col(name).str.strip_chars().str.len_bytes() == 0)


def basic_checks(contract: Contract) -> tuple[RowCheck, ...]:
    """The row-local basic checks that follow from a contract."""
    return tuple(_checks(contract))


def _checks(contract: Contract) -> Iterator[RowCheck]:
    for column in contract.columns:
        missing = blank(column.name) if column.type == "string" else pl.col(column.name).is_null()
        if column.required:
            yield RowCheck("required-field", column.name, Severity.ERROR, missing)
        if column.pattern and column.type == "string":
            names = {"email": "email-pattern", "mobile": "mobile-pattern"}
            fails = ~missing & ~matches(column)
            yield RowCheck(names.get(column.name, "allowed-word"), column.name, Severity.ERROR, fails)
    if {"email", "mobile", "origin"} <= set(contract.names) and not contract.column("email").required:
        # Booked in eTermin: an e-mail address always. Made in arztkonsultation: one field takes either.
        made_here = pl.col("origin").eq_missing(pl.lit("arztkonsultation"))
        yield RowCheck("required-field", "email", Severity.ERROR, blank("email") & (~made_here | blank("mobile")))


def matches(column: Column) -> pl.Expr:
    """Whether the pattern holds; a plain choice of words is compared, which is faster than a regular expression."""
    pattern = column.pattern or ""
    words = re.fullmatch(r"\^\((?:\?:)?([\w|]+)\)\$", pattern)
    if words:
        return pl.col(column.name).is_in(words[1].split("|"))
    return pl.col(column.name).str.contains(pattern)


def conformed(
    contract: Contract, batch: pl.DataFrame, channel: str, number: int
) -> tuple[pl.DataFrame, frozenset[str]]:
    """The declared columns in their types, and which of them could not be read.

    Adds ``_channel`` (one of the known words, or empty) and ``_at`` (line number, else the batch's). A column that
    cannot be read as its type, or is missing and required, is all null and named in the second part: checks of it
    are unknown. An optional column that is missing holds nothing that could be wrong.
    """
    unread: set[str] = set()
    columns: list[pl.Expr] = []
    for column in contract.columns:
        read = _read(column, batch.schema.get(column.name))
        if read is None:
            if column.required or column.name in batch.columns:
                unread.add(column.name)
            read = pl.lit(None, dtype=column.dtype)
        columns.append(read.alias(column.name))
    at = pl.col("line").cast(pl.Int64, strict=False) if "line" in batch.columns else pl.lit(number, dtype=pl.Int64)
    # A frame without columns has no rows either, but a select of constants would make one.
    rows = (batch if batch.width else pl.DataFrame({"line": []})).select(*columns, at.alias("_at"))
    rows = rows if batch.height else rows.clear()
    if "channel" in unread:
        rows = rows.with_columns(pl.lit(channel).alias("_channel"))
    else:
        known = pl.col("channel").is_in(CHANNELS)
        rows = rows.with_columns(pl.when(known).then("channel").otherwise(pl.lit("")).alias("_channel"))
    return rows, frozenset(unread)


def _read(column: Column, dtype: pl.DataType | None) -> pl.Expr | None:
    here = pl.col(column.name)
    if dtype is None:
        return None
    if dtype == column.dtype:
        return here
    if dtype == pl.Null:
        return here.cast(column.dtype)
    if dtype.is_nested() or dtype == pl.Object or (column.type != "string" and not _is_close(column, dtype)):
        return None
    if dtype == pl.Binary:
        return here.map_batches(_decoded, return_dtype=pl.String)
    return here.cast(column.dtype, strict=False)


def _decoded(values: pl.Series) -> pl.Series:
    """Bytes as text; what is no UTF-8 becomes a replacement character (a cast would fail the whole column)."""
    texts = [None if value is None else value.decode("utf-8", "replace") for value in values]
    return pl.Series(values.name, texts, dtype=pl.String)


def _is_close(column: Column, dtype: pl.DataType) -> bool:
    if column.type == "integer":
        return dtype.is_integer()
    return isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
