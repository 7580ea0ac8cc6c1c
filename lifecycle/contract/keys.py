"""Is a key unique? A question about all rows at once: the store answers it in SQL, else hashes do.

Hashes are kept in memory as far as `RUN_ROWS`; beyond that in sorted runs in a file that the caller lends, so that
fifty million rows need no more memory than one. The hashes are salted anew each time: outside of the counter that
wrote them they say nothing about anybody.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import polars as pl

from lifecycle.contract.terms import Contract

Spill = Callable[[], BinaryIO]
"""Lends a fresh file without a name, open for writing and reading."""

RUN_ROWS = 1_000_000
"""So many hashes (8 MB) are held before they are written down as one sorted run."""

HELD_ROWS = 25_000_000
"""Without a file so many are held in memory (200 MB); a wrong answer among them has odds of 1 in 50,000."""

WRITTEN_ROWS = 250_000_000
"""With a file so many are told apart; beyond it two keys with one hash would no longer be unlikely (1 in 590)."""

_PARTS = 256
_BORDERS = np.arange(1, _PARTS, dtype=np.uint64) << np.uint64(56)

Hashes = npt.NDArray[np.uint64]


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
        self._channels: dict[str, _Runs] = {}
        self._rows = 0
        self._lost = False

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows in the dataset's columns, with their ``_channel``."""
        self._rows += rows.height
        if self._lost or self._rows > self._most:
            self.forget()
            return
        hashed = rows.select("_channel", pl.struct(self._key).hash(self._salt).alias("hash"))
        try:
            for (channel,), part in hashed.partition_by("_channel", as_dict=True).items():
                self._channels.setdefault(str(channel), _Runs(self._spill)).add(part["hash"])
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


class _Runs:
    """The hashes of one channel: the latest in memory, the others in sorted runs in a file."""

    def __init__(self, spill: Spill | None) -> None:
        self._spill = spill
        self._file: BinaryIO | None = None
        self._held: list[pl.Series] = []
        self._held_rows = self._rows = 0
        self._places: list[list[int]] = []
        """For each run where its parts begin, and where the last one ends, in bytes."""

    def add(self, hashes: pl.Series) -> None:
        self._held.append(hashes)
        self._held_rows += hashes.len()
        self._rows += hashes.len()
        if self._spill is not None and self._held_rows >= RUN_ROWS:
            self._write(self._spill)

    def _write(self, spill: Spill) -> None:
        run = self._sorted()
        self._held, self._held_rows = [], 0
        self._file = self._file or spill()
        begin = self._places[-1][-1] if self._places else 0
        inner = [int(place) for place in np.searchsorted(run, _BORDERS)]
        self._file.write(run.data)
        self._places.append([begin + 8 * place for place in (0, *inner, run.size)])

    def _sorted(self) -> Hashes:
        return pl.concat(self._held).sort().to_numpy() if self._held else np.empty(0, np.uint64)

    def repeated(self) -> int:
        """Rows minus distinct hashes, part by part of their range: no more than a part of all is in memory at once."""
        last = self._sorted()
        inner = np.searchsorted(last, _BORDERS)
        places = [0, *(int(place) for place in inner), last.size]
        distinct = 0
        for part in range(_PARTS):
            mine = [self._read(run[part], run[part + 1]) for run in self._places]
            hashes = np.concatenate([*mine, last[places[part] : places[part + 1]]])
            distinct += pl.Series(hashes).n_unique()
        return self._rows - distinct

    def _read(self, begin: int, end: int) -> Hashes:
        if self._file is None or begin == end:
            return np.empty(0, np.uint64)
        self._file.seek(begin)
        return np.frombuffer(self._file.read(end - begin), np.uint64)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
