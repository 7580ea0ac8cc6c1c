"""Control values for the residue scan: values of rows that go, which no row that stays holds.

They exist in memory during the rewrite and nowhere else.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.model import SCHEMAS
from lifecycle.stores.embedded.schema import SEARCHED_COLUMNS

if TYPE_CHECKING:
    import duckdb

_ROWS = 1_000
"""So many of the doomed rows of each dataset are looked for, more than most nights have; more would cost seconds."""
_NAMES = 12  # names are part of other values so often that a few are enough
_SHORTEST = (8, 5)  # bytes; short values, which occur by chance, only where there is nothing better
_TELLING = ("appointment_uid", "email")
_LONGEST = 256  # bytes looked at on each side of a control that was found
_OFTEN = 100  # a control that occurs more often is not explained by chance


@dataclass(frozen=True, slots=True)
class Controls:
    """What to look for: all in the store's own bytes, the ``telling`` ones (in no text by chance) everywhere."""

    values: list[str] = field(repr=False)
    telling: list[str] = field(repr=False)

    def explained(self, db: duckdb.DuckDBPyConnection, found: set[int], fresh: Path) -> set[int]:
        """Return those of the found controls whose bytes belong to what stays.

        Such a control is part of a longer value (anna@ in joanna@), or stands where two values that stay touch.
        """
        return {
            index
            for index in found
            if _part_of_what_stays(db, self.values[index]) or _only_where_values_touch(db, self.values[index], fresh)
        }


def choose_controls(db: duckdb.DuckDBPyConnection) -> Controls:
    """Choose some of the doomed rows of each dataset, and take those of their values that nobody else holds."""
    for shortest in _SHORTEST:
        controls = _chosen(db, shortest)
        if controls.values:
            break
    return controls


def _chosen(db: duckdb.DuckDBPyConnection, shortest: int) -> Controls:
    values: dict[str, None] = {}
    telling: dict[str, None] = {}
    for dataset in SCHEMAS:
        rows = db.execute(
            f"SELECT {', '.join(SEARCHED_COLUMNS)} FROM {dataset} e WHERE e.rowid IN "
            f"(SELECT row FROM doomed_{dataset} ORDER BY hash(row), row LIMIT {_ROWS})"
        ).fetchall()
        for column, found in zip(SEARCHED_COLUMNS, zip(*rows, strict=True), strict=bool(rows)):
            some = found[:_NAMES] if column.endswith("_name") else found
            candidates = [value for value in dict.fromkeys(some) if value and len(value.encode()) >= shortest]
            chosen = _without_staying(db, column, candidates)
            values.update(dict.fromkeys(chosen))
            if column in _TELLING:
                telling.update(dict.fromkeys(chosen))
    return Controls(list(values), list(telling))


def _without_staying(db: duckdb.DuckDBPyConnection, column: str, candidates: list[str]) -> list[str]:
    staying: set[str] = set()
    for dataset in SCHEMAS if candidates else ():
        rows = db.execute(
            f"SELECT DISTINCT {column} FROM {dataset} e ANTI JOIN doomed_{dataset} d ON d.row = e.rowid "
            f"WHERE {column} IN (SELECT unnest($candidates))",
            {"candidates": candidates},
        ).fetchall()
        staying.update(row[0] for row in rows)
    return [value for value in candidates if value not in staying]


def _part_of_what_stays(db: duckdb.DuckDBPyConnection, value: str) -> bool:
    for dataset in SCHEMAS:
        anywhere = " OR ".join(f"contains(e.{column}, $value)" for column in SEARCHED_COLUMNS)
        stays = f"e.rowid NOT IN (SELECT row FROM doomed_{dataset})"
        query = f"SELECT 1 FROM {dataset} e WHERE ({anywhere}) AND {stays} LIMIT 1"
        if db.execute(query, {"value": value}).fetchall():
            return True
    return bool(db.execute("SELECT 1 FROM _holds WHERE contains(appointment_uid, $value)", {"value": value}).fetchall())


def _only_where_values_touch(db: duckdb.DuckDBPyConnection, value: str, fresh: Path) -> bool:
    """Return whether every occurrence is the end of one value that stays and the beginning of another one.

    DuckDB writes values without anything between them: those of a column, and the first 12 bytes of its smallest and
    its largest one.
    """
    occurrences = list(_around(fresh, value.encode()))
    # None at all explains nothing: then the search saw something that this one does not.
    return 0 < len(occurrences) <= _OFTEN and all(_touch(db, value, *sides) for sides in occurrences)


def _around(path: Path, value: bytes) -> Iterator[tuple[bytes, bytes]]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(value)
        for _ in range(_OFTEN + 1):
            if at < 0:
                return
            end = at + len(value)
            yield content[max(at - _LONGEST, 0) : at], content[end : end + _LONGEST]
            at = content.find(value, at + 1)


def _touch(db: duckdb.DuckDBPyConnection, value: str, before: bytes, after: bytes) -> bool:
    for cut in range(1, len(value)):
        head, tail = value[:cut], value[cut:]
        if _stays(db, "prefix", tail, tail.encode() + after) and _stays(db, "suffix", head, before + head.encode()):
            return True
    return False


def _stays(db: duckdb.DuckDBPyConnection, side: str, piece: str, seen: bytes) -> bool:
    """Return whether a value that stays, or its first 12 bytes, holds the piece and stands at that side of ``seen``."""
    forms = ["hex({})"] + ["left(hex({}), 24)"] * (len(piece.encode()) <= 12)
    there = " OR ".join(
        f"(contains(e.{column}, $piece) AND ({' OR '.join(f'{side}($seen, {form.format(column)})' for form in forms)}))"
        for column in SEARCHED_COLUMNS
    )
    return any(
        db.execute(
            f"SELECT 1 FROM {dataset} e WHERE e.rowid NOT IN (SELECT row FROM doomed_{dataset}) AND ({there}) LIMIT 1",
            {"piece": piece, "seen": seen.hex().upper()},
        ).fetchall()
        for dataset in SCHEMAS
    )
