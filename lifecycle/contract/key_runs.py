"""Sorted runs of hashes in a file that the caller lends, so that fifty million rows need no more memory than one."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import polars as pl

Spill = Callable[[], BinaryIO]
"""Lends a fresh file without a name, open for writing and reading."""

RUN_ROWS = 1_000_000
"""So many hashes (8 MB) are held before they are written down as one sorted run."""

_PARTS = 256
_BORDERS = np.arange(1, _PARTS, dtype=np.uint64) << np.uint64(56)

Hashes = npt.NDArray[np.uint64]


class Runs:
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
