"""Is a key unique? A question about all rows at once: the store answers it in SQL, else hashes do.

Hashes are kept in memory as far as `key_runs.RUN_ROWS`; beyond that in sorted runs in a file that the caller lends, so
that fifty million rows need no more memory than one. The hashes are salted anew each time: outside of the counter that
wrote them they say nothing about anybody.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import polars as pl

from lifecycle.contract.terms import Contract

if TYPE_CHECKING:
    from lifecycle.contract.key_runs import Runs, Spill

HELD_ROWS = 25_000_000
"""Without a file so many are held in memory (200 MB); a wrong answer among them has odds of 1 in 50,000."""

WRITTEN_ROWS = 250_000_000
"""With a file so many are told apart; beyond it two keys with one hash would no longer be unlikely (1 in 590)."""


def repeated_keys_sql(contract: Contract, table: str) -> str:
    """SQL (DuckDB, PostgreSQL) for ``channel, repeated``: rows whose key repeats an earlier row's, per channel.

    ``table`` is put into the statement as it is: quote it. Sets, not rows, so it runs in the store.
    """
    key = ", ".join(f'"{name}"' for name in contract.key)
    repeated = f"SELECT channel, count(*) AS n FROM {table} GROUP BY channel, {key} HAVING count(*) > 1"
    return f"SELECT channel, CAST(sum(n - 1) AS BIGINT) AS repeated FROM ({repeated}) AS keys GROUP BY channel"


class KeyCounter:
    """Remembers a 64-bit hash of every key, never a key.

    Parameters
    ----------
    key : sequence of str
        Columns that make a row unique.
    spill : callable, optional
        Lends the file for what is too much for memory; one is asked for per channel, and only when it is needed.
    """

    def __init__(self, key: Sequence[str], spill: Spill | None = None) -> None:
        self._key = list(key)
        self._spill = spill
        self._most = HELD_ROWS if spill is None else WRITTEN_ROWS
        self._salt = secrets.randbits(64)
        self._channels: dict[str, Runs] = {}
        self._rows = 0
        self._lost = False

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows in the dataset's columns, with their ``_channel``."""
        self._rows += rows.height
        if self._lost or self._rows > self._most:
            self.forget()
            return
        from lifecycle.contract.key_runs import Runs  # numpy, which a store's own answer does without

        hashed = rows.select("_channel", pl.struct(self._key).hash(self._salt).alias("hash"))
        try:
            for (channel,), part in hashed.partition_by("_channel", as_dict=True).items():
                self._channels.setdefault(str(channel), Runs(self._spill)).add(part["hash"])
        except OSError:  # the file could not be made or written: no room
            self.forget()

    def repeated(self) -> Mapping[str, int] | None:
        """Rows that repeat an earlier row's key, per channel; None when they could not all be remembered."""
        if self._lost:
            return None
        try:
            return {channel: runs.repeated() for channel, runs in self._channels.items()}
        except OSError:
            self.forget()
            return None
        finally:
            self._close()

    def forget(self) -> None:
        """Give up: what cannot be remembered is not unique and not repeated, but unknown."""
        self._lost = True
        self._close()

    def _close(self) -> None:
        for runs in self._channels.values():
            runs.close()
        self._channels.clear()
