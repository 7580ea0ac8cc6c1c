"""JSON lines that are all written alike, read by where their quotes stand.

A log that one program writes repeats one text from line to line; only what stands between certain quotes differs.
A line that is this text, with values that hold no quote, no backslash and no control character, is the same JSON
object with other values: nothing in it has to be parsed. Every byte that is not a value is compared.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lifecycle.sources.dialect import BODY, Dialect, Path
from lifecycle.sources.files import PADDING_BYTES, Block, Places
from lifecycle.sources.objects import Members, Unreadable, json_line
from lifecycle.sources.pieces import gathered, texts, views

Mask = npt.NDArray[np.bool_]

MOST_PATTERNS = 24
FEWEST_LINES = 64
"""So many lines with as many quotes must follow no pattern before one more is learned."""
_TRIES = 3
_ALONE = threading.Lock()
"""Reading by pattern is thousands of short steps, each of which hands the interpreter's lock over to whoever waits for
it: two threads at it take longer than one. What other threads do meanwhile, DuckDB and polars do without that lock."""

_QUOTE, _BACKSLASH, _LINE_FEED, _RETURN = b'"\\\n\r'
_SLICE = 1 << 19
_NEAR = 32
"""Most values end within so many bytes."""
_SLICE_LINES = 4096
"""So many lines stay in the processor's cache while they are looked at again and again."""
_LATIN = 0xC3
"""First byte of the two that make the letters from À to ÿ."""
_SOLID = np.zeros(256, bool)
"""Bytes that are a character of their own and no whitespace."""
_SOLID[33:127] = True
_BEGINS = _SOLID.copy()
_BEGINS[_LATIN] = True


@dataclass(frozen=True)
class Pattern:
    """What all lines of one kind have in common.

    Attributes
    ----------
    pieces : tuple of bytes
        The text around the values, quotes included; one more than there are values.
    paths : tuple of Path
        Where each value stands.
    quotes : int
        Quotes of a line.
    """

    pieces: tuple[bytes, ...]
    paths: tuple[Path, ...]
    quotes: int


@dataclass(frozen=True)
class Alike:
    """The lines of a block that follow one pattern.

    Attributes
    ----------
    lines : numpy array of int64
        Their indices.
    values : polars.DataFrame
        A column for each path of the pattern, named and filled like those of ``Dialect.query``.
    neat : frozenset of str
        Columns in which no text is empty or has whitespace around it.
    """

    lines: Places
    values: pl.DataFrame
    neat: frozenset[str]


@dataclass(frozen=True)
class _Value:
    """Where one value stands in some lines; ``lengths`` is one number where all are equally long."""

    starts: Places
    lengths: Places | int


class _Found:
    """What was read of the lines of a block that follow one pattern, slice by slice, with room for all of them."""

    def __init__(self, pattern: Pattern, dialect: Dialect, height: int) -> None:
        self.pattern, self.height, self.lines = pattern, 0, list[Places]()
        self.is_text = [dialect.is_declared(path) for path in pattern.paths]
        self.is_neat = [dialect.is_declared(path) and dialect.is_trimmed(path) for path in pattern.paths]
        self.columns: list[npt.NDArray[Any]] = [
            np.empty((height, 4), np.uint32) if is_text else np.empty(height, bool) for is_text in self.is_text
        ]

    def take(self, block: Block, lines: Places, values: list[_Value]) -> None:
        """Describe the texts where they lie; of others tell only whether they are filled."""
        rows = slice(self.height, self.height + len(lines))
        for at, (value, column) in enumerate(zip(values, self.columns, strict=True)):
            if self.is_text[at]:
                views(block.data, value.starts, value.lengths, column[rows])
                self.is_neat[at] = self.is_neat[at] and _is_neat(block.data, value)
            else:
                column[rows] = np.asarray(value.lengths) > 0
        self.lines.append(lines)
        self.height = rows.stop


@dataclass
class UniformReader:
    """Reads the lines of a block that follow a pattern; learns patterns, and the names in them, as they are met."""

    dialect: Dialect
    wrapped: bool
    _patterns: list[Pattern] = field(default_factory=list)

    def read(self, block: Block, unfit: Mask) -> list[Alike]:
        """Return the lines that follow a pattern, pattern by pattern; lines that are ``unfit`` are left alone."""
        if not len(block.numbers) or len(block.data) < block.ends[-1] + PADDING_BYTES:
            return []
        found: dict[Pattern, _Found] = {}
        unfit = unfit | _uneven(block)
        with _ALONE:
            for first in range(0, len(block.numbers), _SLICE_LINES):
                for pattern, lines, values in self._followed(block, first, unfit[first : first + _SLICE_LINES]):
                    if pattern not in found:
                        found[pattern] = _Found(pattern, self.dialect, len(block.numbers))
                    found[pattern].take(block, lines, values)
        return [self._alike(one, block) for one in found.values()]

    def _followed(self, block: Block, first: int, unfit: Mask) -> Iterator[tuple[Pattern, Places, list[_Value]]]:
        """Find the lines of a slice that follow a pattern.

        Yields
        ------
        tuple of Pattern, numpy array and list of _Value
            With the lines that follow it, and where their values stand.
        """
        lines = np.arange(first, first + len(unfit))
        quotes = _quotes(block, lines)
        if not unfit.any():
            total = int(np.count_nonzero(quotes.is_quote))
            # If all lines follow a pattern and there are no more quotes than it has, none stands in a value.
            for pattern in self._patterns:
                if pattern.quotes * len(lines) == total:
                    values, fits = _located(pattern, block, lines)
                    if fits.all():
                        yield pattern, lines, values
                        return
        for count, alike in quotes.grouped(unfit):
            yield from self._tried(block, lines[alike], count)

    def _tried(self, block: Block, lines: Places, quotes: int) -> Iterator[tuple[Pattern, Places, list[_Value]]]:
        """Try the known patterns with this many quotes, then learn new ones from the lines that follow none."""
        known = [one for one in self._patterns if one.quotes == quotes]
        tries = _TRIES
        while len(lines):
            pattern = known.pop(0) if known else self._learned(block, lines, quotes, tries)
            if pattern is None:
                return
            tries -= not known
            values, fits = _located(pattern, block, lines)
            if fits.all():
                yield pattern, lines, values
                return
            if fits.any():
                yield pattern, lines[fits], [_only(value, fits) for value in values]
            lines = lines[~fits]

    def _learned(self, block: Block, lines: Places, quotes: int, tries: int) -> Pattern | None:
        if not tries or len(lines) < FEWEST_LINES or len(self._patterns) >= MOST_PATTERNS:
            return None
        line = lines[len(lines) // 2]
        new = pattern_of(bytes(block.data[block.starts[line] : block.ends[line]]), self.dialect, wrapped=self.wrapped)
        if new is not None and new.quotes == quotes:
            self._patterns.append(new)
            return new
        return None

    def _alike(self, found: _Found, block: Block) -> Alike:
        at = {path: str(index) for index, path in enumerate(self.dialect.paths)}
        names = [at[path] for path in found.pattern.paths]
        columns: dict[str, pl.Series] = {}
        for name, column, is_text in zip(names, found.columns, found.is_text, strict=True):
            rows = column[: found.height]
            columns[name] = texts(block.data, rows) if is_text else pl.Series(rows)
        neat = frozenset(name for name, is_neat in zip(names, found.is_neat, strict=True) if is_neat)
        return Alike(np.concatenate(found.lines), pl.DataFrame(columns, height=found.height), neat)


def pattern_of(line: bytes, dialect: Dialect, *, wrapped: bool) -> Pattern | None:
    """Make a line into a pattern, its names learned; None where not every value is a text or a name is unusual.

    Examples
    --------
    >>> from lifecycle.sources.names import Names
    >>> pattern_of(b'{"email": "a@example.org"}', Dialect(Names("events"), wrapped=False), wrapped=False).pieces
    (b'{"email": "', b'"}')
    """
    try:
        members = json_line(line)
    except Unreadable:
        return None
    spelled: list[str] = []
    paths: list[Path] = []
    opens: list[int] = []
    if b"\\" in line or not _listed(members, (), wrapped, spelled, paths, opens):
        return None
    between = line.decode().split('"')
    inside = [path[1] for path in paths if len(path) == 2]
    outside = [name for name, _ in members]
    if between[1::2] != spelled or not dialect.learn(outside, inside):
        return None
    at = np.flatnonzero(np.frombuffer(line, np.uint8) == _QUOTE).tolist()
    begins = [0, *(at[index + 1] for index in opens)]
    ends = [*(at[index] + 1 for index in opens), len(line)]
    pieces = tuple(line[begin:end] for begin, end in zip(begins, ends, strict=True))
    return Pattern(pieces, tuple(paths), len(at))


def _listed(
    members: Members, above: Path, wrapped: bool, spelled: list[str], paths: list[Path], opens: list[int]
) -> bool:
    """List every name and text of a message in the order of the line; False where a value is something else."""
    for name, value in members:
        spelled.append(name)
        is_wrapper = wrapped and not above and name == BODY
        if is_wrapper and isinstance(value, Members):
            if not _listed(value, (name,), wrapped, spelled, paths, opens):
                return False
        elif is_wrapper or not isinstance(value, str):
            return False
        else:
            paths.append((*above, name))
            opens.append(2 * len(spelled))
            spelled.append(value)
    return True


@dataclass(frozen=True)
class _Quotes:
    """Where the quotes of some lines stand that lie one after the other."""

    starts: Places
    ends: Places
    is_quote: Mask

    def grouped(self, unfit: Mask) -> Iterator[tuple[int, Places]]:
        """Yield a number of quotes, and which lines have so many; lines that are ``unfit`` are left out."""
        places = np.flatnonzero(self.is_quote)
        counts = np.searchsorted(places, self.ends) - np.searchsorted(places, self.starts)
        counts[unfit] = 0
        for count in np.unique(counts[counts > 1]):
            yield int(count), np.flatnonzero(counts == count)


def _quotes(block: Block, lines: Places) -> _Quotes:
    starts, ends = block.starts[lines], block.ends[lines]
    text = np.frombuffer(block.data, np.uint8, int(ends[-1] - starts[0]), int(starts[0]))
    return _Quotes(starts - starts[0], ends - starts[0], text == _QUOTE)


def _uneven(block: Block) -> Mask:
    """Tell which lines hold a backslash or a control character, but for a carriage return at the end."""
    uneven = np.zeros(len(block.numbers), bool)
    begin, end = int(block.starts[0]), int(block.ends[-1]) + 1
    text = np.frombuffer(block.data, np.uint8)
    if block.data.find(b"\\", begin, end) >= 0:
        uneven |= block.lines_at(np.flatnonzero(text[begin:end] == _BACKSLASH) + begin)
    windows = range(begin, end, _SLICE)
    controls = sum(int(np.count_nonzero(text[at : min(at + _SLICE, end)] < 32)) for at in windows)
    if controls == len(uneven) and (block.starts[1:] == block.ends[:-1] + 1).all():
        return uneven  # they are the line feeds
    for at in windows:
        window = text[at : min(at + _SLICE, end)]
        places = np.flatnonzero((window < 32) & (window != _LINE_FEED)) + at
        inner = (text[places] != _RETURN) | (text[places + 1] != _LINE_FEED)
        uneven |= block.lines_at(places[inner])
    return uneven


def _located(pattern: Pattern, block: Block, lines: Places) -> tuple[list[_Value], Mask]:
    """Find the pattern's values in the lines, and tell which lines hold its pieces around them and nothing else.

    A value ends with the next quote, so a line that has as many quotes as the pattern has none in a value.
    """
    data, text = block.data, np.frombuffer(block.data, np.uint8)
    values: list[_Value] = []
    fits = np.ones(len(lines), bool)
    begins, wanted, mattering = block.starts[lines], bytearray(), bytearray()
    for piece in pattern.pieces[:-1]:
        wanted += piece
        mattering += b"\xff" * len(piece)
        starts = begins + len(wanted)
        length = max(data.find(b'"', starts[0]) - int(starts[0]), 0)
        if (text.take(starts + length, mode="clip") == _QUOTE).all():
            # Where a value is equally long in all lines, what stands before and after it is one window.
            values.append(_Value(starts, length))
            wanted += bytes(length)
            mattering += bytes(length)
        else:
            fits &= _same(data, begins, wanted, mattering)
            begins = _next_quotes(data, starts)
            values.append(_Value(starts, begins - starts))
            wanted, mattering = bytearray(), bytearray()
    wanted += pattern.pieces[-1]
    mattering += b"\xff" * len(pattern.pieces[-1])
    fits &= _same(data, begins, wanted, mattering)
    fits &= begins + len(wanted) == block.ends[lines]
    return values, fits


def _next_quotes(data: bytes | bytearray, starts: Places) -> Places:
    """Find the first quote from each place on, or the end of the data."""
    is_quote = gathered(data, starts, _NEAR).view(np.uint8).reshape(-1, _NEAR) == _QUOTE
    away = is_quote.argmax(axis=1)
    found: Places = starts + away
    for row in np.flatnonzero((away == 0) & ~is_quote[:, 0]).tolist():
        at = data.find(b'"', starts[row])
        found[row] = at if at >= 0 else len(data)
    return found


def _only(value: _Value, fits: Mask) -> _Value:
    lengths = value.lengths
    return _Value(value.starts[fits], lengths if isinstance(lengths, int) else lengths[fits])


def _same(data: bytes | bytearray, begins: Places, wanted: bytearray, mattering: bytearray) -> Mask:
    """Tell where the data is as wanted, in the bits that matter."""
    width = -(-len(wanted) // 8) * 8
    found = gathered(data, begins, width).view(np.uint64).reshape(len(begins), -1)
    mask = np.frombuffer(mattering.ljust(width, b"\0"), np.uint64)
    differs = found ^ np.frombuffer(wanted.ljust(width, b"\0"), np.uint64)
    differs &= mask
    if not differs.any():
        return np.ones(len(begins), bool)
    return np.asarray(~differs.any(axis=1))


def _is_neat(data: bytes | bytearray, value: _Value) -> bool:
    """Tell whether all are filled, and begin and end with a character that is no whitespace for sure."""
    if not np.all(value.lengths):
        return False
    text = np.frombuffer(data, np.uint8)
    last = value.starts + value.lengths - 1
    if not _BEGINS.take(text.take(value.starts)).all():
        return False
    solid = _SOLID.take(text.take(last))
    # A letter such as é is two bytes, so it is told by the last but one.
    return bool(solid.all() or (text.take(last[~solid] - 1) == _LATIN).all())
