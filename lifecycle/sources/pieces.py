"""Pieces of a block of bytes as columns of texts: described where they lie, nothing copied."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lifecycle.sources.files import Places

_INLINE = 12
"""Bytes of a text that an Arrow view holds itself."""
_KEPT = np.stack([np.frombuffer((b"\xff" * length).ljust(_INLINE, b"\0"), np.uint32) for length in range(_INLINE + 1)])
"""For each length of such a text, which bits of three words belong to it."""


def gathered(data: bytes | bytearray, begins: Places, width: int) -> npt.NDArray[Any]:
    """Copy ``width`` bytes from each place; a place too near to the end of the data gives what lies before it."""
    windows = np.ndarray((len(data) - width + 1,), f"V{width}", data, strides=(1,))
    return windows[np.minimum(begins, len(windows) - 1)]


def views(data: bytes | bytearray, starts: Places, lengths: Places | int, found: npt.NDArray[np.uint32]) -> None:
    """Describe pieces of the data as Arrow does in string views, four words each; all may be equally long."""
    found[:, 0] = lengths
    least, most = (lengths, lengths) if isinstance(lengths, int) else (lengths.min(), lengths.max())
    if least > _INLINE:  # four bytes to compare by, the number of the buffer, the place in it
        found[:, 1] = gathered(data, starts, 4).view(np.uint32)
        found[:, 2] = 0
        found[:, 3] = starts
        return
    heads = gathered(data, starts, _INLINE).view(np.uint32).reshape(-1, 3)
    np.bitwise_and(heads, _KEPT[np.minimum(lengths, _INLINE)], out=found[:, 1:])
    if most > _INLINE:
        long = lengths > _INLINE
        found[:, 2] = np.where(long, 0, found[:, 2])
        found[:, 3] = np.where(long, starts, found[:, 3])


def texts(data: bytes | bytearray, views: npt.NDArray[np.uint32]) -> pl.Series:
    """Return pieces of the data as a column of texts that points into it."""
    import pyarrow as pa

    buffers = [None, pa.py_buffer(np.ascontiguousarray(views)), pa.py_buffer(data)]
    return pl.Series(pl.from_arrow(pa.Array.from_buffers(pa.string_view(), len(views), buffers)))
