"""JSON documents that are not one message a line: an array, or objects written over several lines."""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

from lifecycle.errors import SourceError
from lifecycle.sources.files import CHUNK_BYTES, Block
from lifecycle.sources.objects import DECODER, Unreadable
from lifecycle.sources.split import LONGEST_ELEMENT, Splitter, Unread

WINDOW_BYTES = 4 << 20
ELEMENTS_A_GROUP = 50_000

_SPACE = re.compile(r"[ \t\r\n]*")
_HINT = "The document is refused as a whole; write it again, or send one message a line (NDJSON)."


class _Window:
    """Decoded text of a stream, of which the part that was read is dropped."""

    def __init__(self, stream: IO[bytes] | Unread) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("strict").decode
        self.text, self.at, self.ended = "", 0, False

    def more(self) -> bool:
        """Read on; False at the end of the stream."""
        if self.ended:
            return False
        chunk = self._stream.read(WINDOW_BYTES)
        self.ended = not chunk
        try:
            self.text = self.text[self.at :] + self._decode(chunk, final=self.ended)
        except UnicodeDecodeError:
            raise SourceError("The JSON document is not UTF-8.", "Save it as UTF-8.") from None
        self.at = 0
        return True

    def peek(self) -> str:
        """Return the next character that is not whitespace, or an empty text at the end."""
        while True:
            self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def value(self, number: int) -> Any:
        """Read one JSON value; where it reaches the end of the window, the window grows."""
        while True:
            try:
                value, end = DECODER.raw_decode(self.text, self.at)
            except (Unreadable, RecursionError):
                raise SourceError(f"The JSON document is not readable at element {number}.", _HINT) from None
            except json.JSONDecodeError:
                if len(self.text) - self.at > LONGEST_ELEMENT or not self.more():
                    raise SourceError(f"The JSON document is broken at element {number}.", _HINT) from None
                continue
            if end < len(self.text) or not self.more():
                self.at = end
                return value


def elements(stream: IO[bytes] | Unread) -> Iterator[tuple[int, Any]]:
    """Yield number (from 1) and value of each element of an array, or of each value of a sequence.

    Raises
    ------
    SourceError
        The document is broken; what was yielded before must not be kept.
    """
    window = _Window(stream)
    if window.peek() != "[":
        number = 1
        while window.peek():
            yield number, window.value(number)
            number += 1
        return
    window.at += 1
    if window.peek() == "]":
        window.at += 1
        _refuse_more(window)
    else:
        yield from _rest_of_array(window, 1)


def _rest_of_array(window: _Window, number: int) -> Iterator[tuple[int, Any]]:
    """Read an array from where an element must begin."""
    while True:
        window.peek()
        yield number, window.value(number)
        number += 1
        following = window.peek()
        window.at += 1
        if following == "]":
            break
        if following != ",":
            raise SourceError(f"The JSON array is broken after element {number - 1}.", _HINT)
    _refuse_more(window)


def _refuse_more(window: _Window) -> None:
    if window.peek():
        raise SourceError("Something follows the end of the JSON array.", _HINT)


def parts(stream: IO[bytes], chunk_bytes: int = CHUNK_BYTES) -> Iterator[Block | list[tuple[int, Any]]]:
    """Yield a document in parts, in its order: elements of an array as the lines of a block, others read already.

    An array is cut where its brackets and quotes say that an element ends. If the pieces are JSON, that was right,
    and if one is not, the array is broken there; so whoever reads a piece must refuse it (``element_of``).

    Raises
    ------
    SourceError
        The document is broken; what was yielded before must not be kept.
    """
    splitter = Splitter(stream, chunk_bytes)
    yield from splitter.blocks()
    window = _Window(Unread(splitter.rest, stream))
    left = _rest_of_array(window, splitter.number) if splitter.in_array else elements(Unread(splitter.rest, stream))
    while group := list(islice(left, ELEMENTS_A_GROUP)):
        yield group


def element_of(piece: bytes, number: int) -> Any:
    """Read the element of an array that was cut out of it."""
    window = _Window(io.BytesIO(piece))
    window.peek()
    value = window.value(number)
    if window.peek():
        raise SourceError(f"The JSON array is broken after element {number}.", _HINT)
    return value
