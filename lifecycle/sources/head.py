"""What the first bytes of a file tell: its shape, and its first message or record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lifecycle.sources.names import squash
from lifecycle.sources.objects import DECODER, Members, Unreadable, is_form, message_line, unwrapped

BOM = b"\xef\xbb\xbf"
_PARQUET = b"PAR1"
_LOOKED_AT = 200


class Shape(StrEnum):
    EMPTY = "empty"
    LINES = "lines"
    DOCUMENT = "document"
    PARQUET = "parquet"
    TABLE = "table"


@dataclass(frozen=True)
class Head:
    """Shape of a file and, where it holds messages, the members of the first one that can be read.

    ``columns`` maps names of the file (squashed) to ours, where the workspace does.
    """

    shape: Shape
    first: Members | None
    line: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """Field names of the first message, as it spells them."""
        return frozenset(name for name, _ in self.first or ())

    def ours(self, names: Iterable[str]) -> list[str]:
        """Return names of the file as the workspace maps them."""
        return [self.columns.get(squash(name), name) for name in names]


def look(data: bytes, whole: bool) -> Head:
    """Tell the shape of a file from its head ; ``whole``: there is nothing behind it."""
    data = data.removeprefix(BOM)
    if data.startswith(_PARQUET):
        return Head(Shape.PARQUET, None)
    text = data.strip()
    if not text:
        return Head(Shape.EMPTY if whole else Shape.LINES, None)
    lines = [line for line in data.splitlines() if line.strip()][:_LOOKED_AT]
    first = next((found for found in map(_message, lines) if found is not None), None)
    if text[:1] == b"[":
        return Head(Shape.DOCUMENT, _in_document(text[1:]))
    if text[:1] == b"{":
        if first is None and len(lines) > 1 and not lines[1].lstrip().startswith(b"{"):
            return Head(Shape.DOCUMENT, _in_document(text))
        return Head(Shape.LINES, first)
    if is_form(text) or first is not None:
        return Head(Shape.LINES, first)
    return Head(Shape.TABLE, None, lines[0].decode("utf-8", "replace"))


def _message(line: bytes) -> Members | None:
    try:
        return message_line(line)
    except Unreadable:
        return None


def _in_document(data: bytes) -> Members | None:
    try:
        value, _ = DECODER.raw_decode(data.decode("utf-8", "ignore").lstrip())
        return unwrapped(value) if isinstance(value, Members) else None
    except (ValueError, RecursionError, Unreadable):
        return None
