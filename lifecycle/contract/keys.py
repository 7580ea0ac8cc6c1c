"""Is a key unique? A question about all rows at once: the store answers it in SQL, else hashes do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from lifecycle.contract.terms import Contract

HASHED_ROWS = 25_000_000
"""So many keys are remembered as 8-byte hashes (200 MB); a wrong answer among them has odds of 1 in 50,000."""

_PARTS = 16


def repeated_keys_sql(contract: Contract, table: str) -> str:
    """SQL (DuckDB, PostgreSQL) for ``channel, repeated``: rows whose key repeats an earlier row's, per channel.

    ``table`` is put into the statement as it is: quote it. Sets, not rows, so it runs in the store.
    """
    key = ", ".join(f'"{name}"' for name in contract.key)
    repeated = f"SELECT channel, count(*) AS n FROM {table} GROUP BY channel, {key} HAVING count(*) > 1"
    return f"SELECT channel, CAST(sum(n - 1) AS BIGINT) AS repeated FROM ({repeated}) AS keys GROUP BY channel"


class KeyCounter:
    """Remembers a 64-bit hash of every key, never a key."""

    def __init__(self, key: Sequence[str]) -> None:
        self._key = list(key)
        self._hashes: dict[str, list[pl.Series]] = {}
        self._rows = 0

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows in the dataset's columns, with their ``_channel``."""
        self._rows += rows.height
        if self._rows > HASHED_ROWS:
            self._hashes.clear()
            return
        hashed = rows.select("_channel", pl.struct(self._key).hash().alias("hash"))
        for (channel,), part in hashed.partition_by("_channel", as_dict=True).items():
            self._hashes.setdefault(str(channel), []).append(part["hash"])

    def repeated(self) -> Mapping[str, int] | None:
        """Rows that repeat an earlier row's key, per channel; None when there were too many rows to tell."""
        if self._rows > HASHED_ROWS:
            return None
        return {channel: _repeated(parts) for channel, parts in self._hashes.items()}


def _repeated(parts: list[pl.Series]) -> int:
    """Rows minus distinct hashes, by sixteenths: a set of all at once would need several times their memory."""
    rows = sum(part.len() for part in parts)
    if rows < 1_000_000:
        return rows - pl.concat(parts).n_unique()
    distinct = 0
    for number in range(_PARTS):
        mine = pl.concat([part.filter(part % _PARTS == number) for part in parts])
        distinct += mine.n_unique()
    return rows - distinct
