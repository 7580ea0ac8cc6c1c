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
_FIRST_ROWS = 100_000  # a look at these takes milliseconds, at all of them a tenth of a second a column
_NAMES = 12  # names are part of other values so often that a few are enough
_SHORTEST = (8, 5)  # bytes; short values, which occur by chance, only where there is nothing better
_TELLING = ("appointment_uid", "email")
_LONGEST = 64  # bytes looked at on each side of a control that was found
_DIFFERENT = 16  # so many different surroundings of a control are looked at
_FIRST = 12  # bytes of the smallest and the largest value of a column, in its statistics
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
        sides = {index: _sides(self.values[index].encode(), fresh) for index in found}
        stays = _Staying.among(db, [one for each in sides.values() for one in each])
        # None at all explains nothing: then the search saw something that this one does not.
        known = {index for index, each in sides.items() if each and all(map(stays.explain, each))}
        # A value that occurs often, or within a very long one, is asked for by itself, which takes a second a million.
        return known | {index for index in found - known if _part_of_what_stays(db, self.values[index])}


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
    """Leave out what a row that stays holds, too: a usual name is found among the first of them, the others in all."""
    for limit in (f"LIMIT {_FIRST_ROWS}", ""):
        staying: set[str] = set()
        for dataset in SCHEMAS if candidates else ():
            found = db.execute(
                f"SELECT DISTINCT {column} FROM (SELECT rowid, {column} FROM {dataset} {limit}) e "
                f"ANTI JOIN doomed_{dataset} d ON d.row = e.rowid WHERE {column} IN (SELECT unnest($candidates))",
                {"candidates": candidates},
            ).fetchall()
            staying.update(row[0] for row in found)
        candidates = [value for value in candidates if value not in staying]
    return candidates


def _part_of_what_stays(db: duckdb.DuckDBPyConnection, value: str) -> bool:
    for dataset in SCHEMAS:
        anywhere = " OR ".join(f"contains(e.{column}, $value)" for column in SEARCHED_COLUMNS)
        stays = f"e.rowid NOT IN (SELECT row FROM doomed_{dataset})"
        query = f"SELECT 1 FROM {dataset} e WHERE ({anywhere}) AND {stays} LIMIT 1"
        if db.execute(query, {"value": value}).fetchall():
            return True
    return bool(db.execute("SELECT 1 FROM _holds WHERE contains(appointment_uid, $value)", {"value": value}).fetchall())


@dataclass(frozen=True, slots=True)
class _Sides:
    """One occurrence of a value: what stands before it, its own bytes, and what follows."""

    before: bytes
    value: bytes
    after: bytes

    def within(self) -> Iterator[bytes]:
        """All longer pieces that the value is part of here."""
        for begin in range(len(self.before) + 1):
            for end in range(len(self.after) + 1):
                yield self.before[begin:] + self.value + self.after[:end]

    def pieces(self) -> Iterator[tuple[_Piece, _Piece]]:
        """For each place where two values may touch within it: what ends there, and what begins."""
        for cut in range(1, len(self.value)):
            head, tail = self.before + self.value[:cut], self.value[cut:] + self.after
            yield (
                _Piece([head[-length:] for length in range(cut, min(len(head), _LONGEST) + 1)], head[-_FIRST:], cut),
                _Piece([tail[:length] for length in range(len(self.value) - cut, min(len(tail), _LONGEST) + 1)],
                       tail[:_FIRST], len(self.value) - cut),
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a value, as what it may belong to: one of these whole values, or a value by its first bytes."""

    whole: list[bytes]
    first: bytes
    length: int

    def belongs(self, stays: _Staying) -> bool:
        return not stays.whole.isdisjoint(self.whole) or (self.length <= _FIRST and self.first in stays.firsts)


@dataclass(frozen=True, slots=True)
class _Staying:
    """Of the bytes that were asked for, those that are a value that stays, and those that are how one begins."""

    whole: set[bytes]
    firsts: set[bytes]

    @classmethod
    def among(cls, db: duckdb.DuckDBPyConnection, occurrences: list[_Sides]) -> _Staying:
        """Ask the store once for everything that could explain one of the occurrences."""
        pieces = [piece for sides in occurrences for both in sides.pieces() for piece in both]
        longer = {each for sides in occurrences for each in sides.within()}
        wanted = longer.union(*(piece.whole for piece in pieces))
        firsts_wanted = {piece.first for piece in pieces} | {each for each in longer if len(each) == _FIRST}
        if not wanted:
            return cls(set(), set())
        asked = {
            "whole": sorted({text for each in wanted if (text := _text(each))}),
            "firsts": sorted({each.hex().upper() for each in firsts_wanted}),
        }
        whole: set[bytes] = set()
        firsts: set[bytes] = set()
        for dataset in SCHEMAS:
            for column in SEARCHED_COLUMNS:
                rows = db.execute(_ASK.format(dataset=dataset, column=column, first=2 * _FIRST), asked).fetchall()
                whole |= {text.encode() for is_whole, text in rows if is_whole}
                firsts |= {bytes.fromhex(text) for is_whole, text in rows if not is_whole}
        return cls(whole, firsts)

    def explain(self, sides: _Sides) -> bool:
        """Tell whether the occurrence is part of a value that stays, or the end of one and the beginning of another.

        DuckDB writes values without anything between them: those of a column, and the first 12 bytes of its smallest
        and its largest one.
        """
        known = self.whole | self.firsts
        if any(each in known for each in sides.within()):
            return True
        return any(head.belongs(self) and tail.belongs(self) for head, tail in sides.pieces())


_ASK = """
WITH stays AS (SELECT {column} AS value FROM {dataset} e ANTI JOIN doomed_{dataset} d ON d.row = e.rowid)
SELECT DISTINCT true, value FROM stays WHERE value IN (SELECT unnest($whole))
UNION ALL
SELECT DISTINCT false, left(hex(left(value, {first})), {first}) FROM stays
WHERE left(hex(left(value, {first})), {first}) IN (SELECT unnest($firsts))
"""


def _sides(value: bytes, path: Path) -> list[_Sides]:
    """Return the different occurrences in a file; none where there are too many to look at each."""
    found: dict[_Sides, None] = {}
    occurrences = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(value)
        while at >= 0 and len(found) <= _DIFFERENT and occurrences <= _OFTEN:
            end, occurrences = at + len(value), occurrences + 1
            # No value holds a zero byte, so nothing beyond one can belong to it.
            before = content[max(at - _LONGEST, 0) : at].rpartition(b"\0")[2]
            found[_Sides(before, value, content[end : end + _LONGEST].partition(b"\0")[0])] = None
            at = content.find(value, at + 1)
    return list(found) if len(found) <= _DIFFERENT and occurrences <= _OFTEN else []


def _text(piece: bytes) -> str:
    """Return the piece as a text, or nothing where it can be no value."""
    try:
        return "" if b"\0" in piece else piece.decode()
    except UnicodeDecodeError:
        return ""
