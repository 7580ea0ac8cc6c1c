"""Control values for the residue scan: values of rows that go, which no row that stays holds.

They exist in memory during the rewrite and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lifecycle.model import SCHEMAS
from lifecycle.stores.embedded.schema import SEARCHED_COLUMNS

if TYPE_CHECKING:
    import duckdb

_A_COLUMN = 128
_SHORTEST = 8
_TELLING = ("appointment_uid", "email")


@dataclass(frozen=True, slots=True)
class Controls:
    """What to look for: all in the store's own bytes, the ``telling`` ones (in no text by chance) everywhere."""

    values: list[str] = field(repr=False)
    telling: list[str] = field(repr=False)

    def explained(self, db: duckdb.DuckDBPyConnection, found: set[int]) -> set[int]:
        """Return those of the found controls that are part of a longer value which stays (anna@ in joanna@)."""
        return {index for index in found if _part_of_what_stays(db, self.values[index])}


def choose_controls(db: duckdb.DuckDBPyConnection) -> Controls:
    """Choose up to 128 values a column and dataset among the doomed rows, the same ones for the same rows."""
    values: dict[str, None] = {}
    telling: dict[str, None] = {}
    for dataset in SCHEMAS:
        for column in SEARCHED_COLUMNS:
            chosen = _unique_to_doomed(db, dataset, column)
            values.update(dict.fromkeys(chosen))
            if column in _TELLING:
                telling.update(dict.fromkeys(chosen))
    return Controls(list(values), list(telling))


def _unique_to_doomed(db: duckdb.DuckDBPyConnection, dataset: str, column: str) -> list[str]:
    candidates = [
        row[0]
        for row in db.execute(
            f"SELECT DISTINCT {column} AS v FROM {dataset} e WHERE e.rowid IN (SELECT row FROM doomed_{dataset}) "
            f"AND strlen({column}) >= {_SHORTEST} ORDER BY hash(v) LIMIT {_A_COLUMN}"
        ).fetchall()
    ]
    staying: set[str] = set()
    for other in SCHEMAS if candidates else ():
        rows = db.execute(
            f"SELECT DISTINCT {column} FROM {other} e WHERE {column} IN (SELECT unnest($candidates)) "
            f"AND e.rowid NOT IN (SELECT row FROM doomed_{other})",
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
