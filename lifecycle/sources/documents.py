"""JSON documents that are not one message a line: an array, or objects written over several lines."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any

from lifecycle.errors import SourceError
from lifecycle.sources.objects import DECODER, Unreadable

WINDOW_BYTES = 4 << 20
LONGEST_ELEMENT = 16 << 20

_SPACE = re.compile(r"[ \t\r\n]*")
_HINT = "The document is refused as a whole; write it again, or send one message a line (NDJSON)."


class _Window:
    """Decoded text of a stream, of which the part that was read is dropped."""

    def __init__(self, stream: IO[bytes]) -> None:
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


def elements(stream: IO[bytes]) -> Iterator[tuple[int, Any]]:
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
    number = 1
    if window.peek() == "]":
        window.at += 1
    else:
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
    if window.peek():
        raise SourceError("Something follows the end of the JSON array.", _HINT)
