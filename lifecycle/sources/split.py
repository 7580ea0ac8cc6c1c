"""A JSON array cut into its elements by where its brackets and quotes stand, without reading them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np
import numpy.typing as npt

from lifecycle.sources.files import CHUNK_BYTES, PADDING_BYTES, Block, Places, table_of

LONGEST_ELEMENT = 16 << 20

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_QUOTE, _BACKSLASH, _COMMA, _LINE_FEED, _BLANK = b'"\\,\n '
_MARKS, _OPENING, _BREAKS = table_of(b'"{}[]'), table_of(b"{["), table_of(b"\t\r\n")


class Unread:
    """A stream with bytes put back in front of it."""

    def __init__(self, begun: bytes, stream: IO[bytes]) -> None:
        self._begun, self._stream = begun, stream

    def read(self, size: int) -> bytes:
        begun, self._begun = self._begun, b""
        return begun or self._stream.read(size)


class Splitter:
    """Cuts the elements of an array out of a stream for as long as they are objects with a comma in between.

    Attributes
    ----------
    rest : bytes
        What was read of the stream, but not cut; the array goes on with it.
    number : int
        Of the element that the rest begins with.
    in_array : bool
        The rest begins with an element; else it is the document from its start.
    """

    def __init__(self, stream: IO[bytes], chunk_bytes: int = CHUNK_BYTES) -> None:
        self._stream, self._chunk_bytes = stream, chunk_bytes
        self.rest, self.number, self.in_array = b"", 1, False

    def blocks(self) -> Iterator[Block]:
        """Yield blocks whose lines are elements; the last element of the array, at least, stays in the rest."""
        self.rest = self._stream.read(self._chunk_bytes)
        begin = self.rest.removeprefix(_BOM).lstrip(_SPACE)
        if begin[:1] != b"[" or begin[1:].lstrip(_SPACE)[:1] != b"{":
            return
        self.rest, self.in_array = begin[1:], True
        while True:
            block, goes_on = self._cut()
            if block is not None:
                yield block
            chunk = self._stream.read(self._chunk_bytes) if goes_on else b""
            if not chunk:
                return
            self.rest += chunk

    def _cut(self) -> tuple[Block | None, bool]:
        """Cut what is whole, but for its last element; tell whether to go on like this."""
        data = bytearray(self.rest) + bytes(PADDING_BYTES)
        text = np.frombuffer(data, np.uint8)
        starts, ends, quotes, ended = _elements(data, text[: len(self.rest)])
        if len(starts) == 0 or self.rest[: starts[0]].strip(_SPACE):
            return None, not ended and not len(starts) and len(self.rest) < LONGEST_ELEMENT
        whole = _in_between(data, text, starts, ends)
        goes_on = whole == len(ends) - 1 and not ended
        self.rest = self.rest[starts[whole] :]
        if not whole:
            return None, goes_on and len(self.rest) < LONGEST_ELEMENT
        # Whitespace is one thing as good as the other, but a line must not break.
        breaks = np.flatnonzero(_BREAKS[text[: ends[whole - 1]]])
        text[breaks[np.searchsorted(quotes, breaks) % 2 == 0]] = _BLANK
        text[ends[:whole]] = _LINE_FEED
        numbers = np.arange(self.number, self.number + whole, dtype=np.int64)
        self.number += whole
        return Block(data, starts[:whole], ends[:whole], numbers), goes_on


def _elements(data: bytearray, text: npt.NDArray[np.uint8]) -> tuple[Places, Places, Places, bool]:
    """Find the first and the last bracket of each whole element, all quotes, and whether the array ends."""
    marks = np.flatnonzero(_MARKS[text])
    kinds = text[marks]
    is_quote = kinds == _QUOTE
    if data.find(b"\\") >= 0:
        escaped = _escaped(text, marks[is_quote])
        is_quote[np.flatnonzero(is_quote)[escaped]] = False
        kinds[kinds == _QUOTE] = _BLANK  # those escaped count for nothing
        kinds[is_quote] = _QUOTE
    outside = (np.cumsum(is_quote) % 2 == 0) & (kinds != _QUOTE) & (kinds != _BLANK)
    brackets, opening = marks[outside], _OPENING[kinds[outside]]
    depth = np.cumsum(np.where(opening, 1, -1))
    over = np.flatnonzero(depth < 0)
    last = int(over[0]) if len(over) else len(depth)
    brackets, opening, depth = brackets[:last], opening[:last], depth[:last]
    starts, ends = brackets[opening & (depth == 1)], brackets[~opening & (depth == 0)] + 1
    return starts[: len(ends)], ends, marks[is_quote], bool(len(over))


def _escaped(text: npt.NDArray[np.uint8], quotes: Places) -> npt.NDArray[np.bool_]:
    """Tell which quotes have an odd number of backslashes before them."""
    slashes = np.flatnonzero(text == _BACKSLASH)
    begins = slashes[np.diff(slashes, prepend=-2) > 1]
    run = np.searchsorted(begins, quotes) - 1
    has = (text[np.maximum(quotes - 1, 0)] == _BACKSLASH) & (quotes > 0)
    return np.asarray(has & ((quotes - begins[np.maximum(run, 0)]) % 2 == 1))


def _in_between(data: bytearray, text: npt.NDArray[np.uint8], starts: Places, ends: Places) -> int:
    """Tell how many elements, of all but the last, are followed by one comma and then by the next."""
    gaps = starts[1:] - ends[:-1]
    for at in np.flatnonzero((gaps != 1) | (text[ends[:-1]] != _COMMA)).tolist():
        if data[ends[at] : starts[at + 1]].strip(_SPACE) != b",":
            return int(at)
    return len(starts) - 1
