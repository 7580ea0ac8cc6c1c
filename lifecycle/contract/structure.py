"""Structure: which columns there are and of which type, by pandera on polars, strict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from lifecycle.contract.field_names import meant_field, showable
from lifecycle.contract.terms import Contract
from lifecycle.model import Severity

STRUCTURE_CHECKS = (
    ("undeclared-field", Severity.ERROR),
    ("missing-field", Severity.ERROR),
    ("wrong-type", Severity.ERROR),
    ("renamed-field", Severity.ERROR),
    ("repeated-field", Severity.ERROR),
)

_SHOWN_FIELDS = 100
"""More undeclared fields than these are counted under one name: a table of 2,000 columns is one finding more."""

MORE_FIELDS = "(more fields)"


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong with the columns. ``column`` is the column to count filled rows in (None: all rows)."""

    check: str
    field: str
    column: str | None
    severity: Severity = Severity.ERROR


def pandera_schema(contract: Contract) -> Any:
    """The contract as a pandera schema for polars: strict columns, types, required values and patterns.

    Beware: on a LazyFrame pandera checks the schema only, unless told otherwise; and its errors contain values.
    """
    import pandera.polars as pa

    columns = {}
    for column in contract.columns:
        checks = [pa.Check.str_matches(column.pattern)] if column.pattern else None
        columns[column.name] = pa.Column(column.dtype, checks=checks, nullable=not column.required)
    return pa.DataFrameSchema(columns, strict=contract.strict)


def structure_flaws(contract: Contract, frame: pl.DataFrame) -> tuple[Flaw, ...]:
    """What is wrong with the columns of a frame, whatever its rows say.

    Internal columns (``_...``) and ``line`` are not looked at. An optional column that is missing is a note.
    """
    empty = frame.select(examined(frame)).head(0)
    if dict(empty.schema) == {column.name: column.dtype for column in contract.columns}:
        return ()  # pandera could only agree (a test says so), and importing it takes longer than a million rows
    flaws = list(_pandera_flaws(contract, empty))
    undeclared = [flaw.column for flaw in flaws if flaw.check == "undeclared-field"]
    late = set(undeclared[_SHOWN_FIELDS:])
    flaws = [replace(flaw, field=MORE_FIELDS) if flaw.column in late else flaw for flaw in flaws]
    return (*flaws, *_nested(empty), *_renamed(contract, empty.columns))


def examined(frame: pl.DataFrame) -> list[str]:
    """The columns that count: all but internal ones and the line number."""
    return [name for name in frame.columns if not name.startswith("_") and name != "line"]


def _pandera_flaws(contract: Contract, empty: pl.DataFrame) -> Iterator[Flaw]:
    import pandera.polars as pa
    from pandera.config import ValidationDepth, config_context

    schema = pandera_schema(contract)
    schema.strict = True  # a contract that is not strict is told apart by severity, not by looking away
    with config_context(validation_depth=ValidationDepth.SCHEMA_ONLY):
        try:
            schema.validate(empty, lazy=True)
            return
        except pa.errors.SchemaErrors as failure:
            reasons = [(e.reason_code.name, e.schema.name, e.failure_cases) for e in failure.schema_errors]
    undeclared = Severity.ERROR if contract.strict else Severity.WARNING
    for reason, column, case in reasons:
        if reason == "COLUMN_NOT_IN_SCHEMA":  # pandera stops at the first of them
            extra = [name for name in empty.columns if name not in contract.names]
            yield from (Flaw("undeclared-field", showable(name), name, undeclared) for name in extra)
        elif reason == "COLUMN_NOT_IN_DATAFRAME":
            required = contract.column(str(case)).required
            yield Flaw("missing-field", str(case), None, Severity.ERROR if required else Severity.NOTE)
        elif empty.schema[column] != pl.Null:  # a column without any value has no type to be wrong
            yield Flaw("wrong-type", column, column)


def _nested(empty: pl.DataFrame) -> Iterator[Flaw]:
    for name, dtype in empty.schema.items():
        keys = list(_keys(dtype, showable(name)))
        for i, path in enumerate(keys):
            if i < _SHOWN_FIELDS:
                yield Flaw("undeclared-field", path, name)
            else:
                yield Flaw("undeclared-field", MORE_FIELDS, name)
                break


def _keys(dtype: pl.DataType, path: str, depth: int = 0) -> Iterator[str]:
    if depth > 20:
        return
    if isinstance(dtype, (pl.List, pl.Array)):
        yield from _keys(dtype.inner, path, depth + 1)  # type: ignore[arg-type]
    elif isinstance(dtype, pl.Struct):
        for item in dtype.fields:
            here = f"{path}.{showable(item.name)}"
            yield here
            yield from _keys(item.dtype, here, depth + 1)  # type: ignore[arg-type]


def _renamed(contract: Contract, columns: list[str]) -> Iterator[Flaw]:
    by_meaning: dict[str, list[str]] = {}
    for name in columns:
        meant = meant_field(name)
        if meant in contract.names:
            by_meaning.setdefault(meant, []).append(name)
    for meant, names in by_meaning.items():
        for name in names:
            if name != meant:
                yield Flaw("repeated-field" if len(names) > 1 else "renamed-field", showable(name), name)
