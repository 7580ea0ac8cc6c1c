"""JSON lines that are all written alike, read by where their quotes stand.

A log that one program writes repeats one text from line to line; only what stands between certain quotes differs.
A line that is this text, with values that hold no quote, no backslash and no control character, is the same JSON
object with other values: nothing in it has to be parsed. Every byte that is not a value is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

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

_QUOTE, _BACKSLASH, _LINE_FEED, _RETURN = b'"\\\n\r'
_SLICE = 1 << 19
_SLICE_LINES = 2048
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
    opens : tuple of int
        Which of the line's quotes opens each value; the next one closes it.
    quotes : int
        Quotes of a line.
    """

    pieces: tuple[bytes, ...]
    paths: tuple[Path, ...]
    opens: tuple[int, ...]
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


@dataclass
class _Found:
    """What was read of the lines that follow one pattern, piece by piece; a row for each value."""

    pattern: Pattern
    lines: list[Places] = field(default_factory=list)
    views: list[npt.NDArray[np.uint32]] = field(default_factory=list)
    filled: list[Mask] = field(default_factory=list)
    neat: list[Mask] = field(default_factory=list)


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
        unfit = unfit | _uneven(block)
        found: dict[Pattern, _Found] = {}
        for first in range(0, len(block.numbers), _SLICE_LINES):
            for lines, quotes in _by_quotes(block, first, unfit):
                for pattern, chosen, edges in self._followed(block, lines, quotes):
                    self._take(found.setdefault(pattern, _Found(pattern)), block, chosen, edges)
        return [self._alike(one, block) for one in found.values()]

    def _followed(self, block: Block, lines: Places, quotes: Places) -> Iterator[tuple[Pattern, Places, Places]]:
        """Try the known patterns with this many quotes, then learn new ones from the lines that follow none.

        Yields
        ------
        tuple of Pattern, numpy array and numpy array
            With the lines that follow it, and the places of the quotes around their values, a row each.
        """
        known = [one for one in self._patterns if one.quotes == quotes.shape[1]]
        tries = _TRIES
        while len(lines):
            pattern = known.pop(0) if known else self._learned(block, lines, quotes.shape[1], tries)
            if pattern is None:
                return
            tries -= not known
            edges = np.ascontiguousarray(quotes[:, _around(pattern)].T)
            fits = _fitting(pattern, block, lines, edges)
            if fits.all():
                yield pattern, lines, edges
                return
            if fits.any():
                yield pattern, lines[fits], edges[:, fits]
            lines, quotes = lines[~fits], quotes[~fits]

    def _learned(self, block: Block, lines: Places, quotes: int, tries: int) -> Pattern | None:
        if not tries or len(lines) < FEWEST_LINES or len(self._patterns) >= MOST_PATTERNS:
            return None
        line = lines[len(lines) // 2]
        new = pattern_of(bytes(block.data[block.starts[line] : block.ends[line]]), self.dialect, wrapped=self.wrapped)
        if new is not None and new.quotes == quotes:
            self._patterns.append(new)
            return new
        return None

    def _take(self, found: _Found, block: Block, lines: Places, edges: Places) -> None:
        declared = np.array([self.dialect.is_declared(path) for path in found.pattern.paths], bool)
        starts, ends = edges[0::2] + 1, edges[1::2]
        found.lines.append(lines)
        found.views.append(views(block.data, starts[declared], ends[declared]))
        found.filled.append(ends[~declared] > starts[~declared])
        found.neat.append(_neat(block.data, starts[declared], ends[declared]))

    def _alike(self, found: _Found, block: Block) -> Alike:
        at = {path: str(index) for index, path in enumerate(self.dialect.paths)}
        told = [path for path in found.pattern.paths if self.dialect.is_declared(path)]
        others = [path for path in found.pattern.paths if not self.dialect.is_declared(path)]
        columns = {
            at[path]: texts(block.data, np.concatenate([part[row] for part in found.views]))
            for row, path in enumerate(told)
        }
        columns |= {
            at[path]: pl.Series(np.concatenate([filled[row] for filled in found.filled]))
            for row, path in enumerate(others)
        }
        lines = np.concatenate(found.lines)
        neat = np.all(found.neat, axis=0).tolist()
        names = frozenset(at[path] for path, is_neat in zip(told, neat, strict=True) if is_neat)
        return Alike(lines, pl.DataFrame(columns, height=len(lines)), names)


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
    return Pattern(pieces, tuple(paths), tuple(opens), len(at))


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


def _around(pattern: Pattern) -> Places:
    """Return which quotes open and close the values, in turn."""
    opens = np.array(pattern.opens, np.int64)
    return np.stack([opens, opens + 1], axis=1).reshape(-1)


def _by_quotes(block: Block, first: int, unfit: Mask) -> Iterator[tuple[Places, Places]]:
    """Group some lines by how many quotes they have.

    Yields
    ------
    tuple of numpy array and numpy array
        Indices of lines, and a row for each with the places of its quotes.
    """
    chosen = slice(first, first + _SLICE_LINES)
    starts, ends, unfit = block.starts[chosen], block.ends[chosen], unfit[chosen]
    begin, end, height = int(starts[0]), int(ends[-1]), len(starts)
    places = np.flatnonzero(np.frombuffer(block.data, np.uint8, end - begin, begin) == _QUOTE) + begin
    if places.size and places.size % height == 0 and not unfit.any():
        evenly = places.reshape(height, -1)
        if (evenly[:, 0] >= starts).all() and (evenly[:, -1] < ends).all():
            yield np.arange(first, first + height), evenly
            return
    before = np.searchsorted(places, starts)
    counts = np.searchsorted(places, ends) - before
    counts[unfit] = 0
    for count in np.unique(counts[counts > 1]):
        lines = np.flatnonzero(counts == count)
        yield lines + first, places[before[lines][:, None] + np.arange(count)]


def _uneven(block: Block) -> Mask:
    """Tell which lines hold a backslash or a control character, but for a carriage return at the end."""
    uneven = np.zeros(len(block.numbers), bool)
    begin, end = int(block.starts[0]), int(block.ends[-1]) + 1
    text = np.frombuffer(block.data, np.uint8)
    if block.data.find(b"\\", begin, end) >= 0:
        uneven |= block.lines_at(np.flatnonzero(text[begin:end] == _BACKSLASH) + begin)
    for at in range(begin, end, _SLICE):
        window = text[at : min(at + _SLICE, end)]
        control = window < 32
        if np.count_nonzero(control) == np.count_nonzero(window == _LINE_FEED):
            continue
        places = np.flatnonzero(control & (window != _LINE_FEED)) + at
        inner = (text[places] != _RETURN) | (text[places + 1] != _LINE_FEED)
        uneven |= block.lines_at(places[inner])
    return uneven


def _fitting(pattern: Pattern, block: Block, lines: Places, edges: Places) -> Mask:
    """Tell which lines hold the pattern's pieces, all of them and nothing else, around their values."""
    begins = np.vstack([block.starts[lines], edges[1::2]])  # a value's closing quote begins the next piece
    ends = np.vstack([edges[0::2] + 1, block.ends[lines]])
    lengths = np.array([[len(piece)] for piece in pattern.pieces])
    fits: Mask = (ends - begins == lengths).all(axis=0)
    if not fits.any():
        return fits
    gaps = edges[1::2] - edges[0::2]
    steady = (gaps == gaps[:, :1]).all(axis=1).tolist()
    piece = 0
    while piece < len(pattern.pieces):
        # Where all values in between are equally long, several pieces are one window.
        wanted, mattering, row = bytearray(), bytearray(), piece
        while True:
            wanted += pattern.pieces[row]
            mattering += b"\xff" * len(pattern.pieces[row])
            if row == len(steady) or not steady[row]:
                break
            inside = int(gaps[row, 0]) - 1
            wanted += bytes(inside)
            mattering += bytes(inside)
            row += 1
        fits &= _same(block.data, begins[piece], wanted, mattering)
        piece = row + 1
    return fits


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


def _neat(data: bytes | bytearray, starts: Places, ends: Places) -> Mask:
    """Tell which rows of pieces are all filled, and begin and end with a character that is no whitespace for sure."""
    text = np.frombuffer(data, np.uint8)
    begins = (ends > starts) & _BEGINS.take(text.take(starts))
    solid = begins & _SOLID.take(text.take(ends - 1))
    if not solid.all():  # such a letter is two bytes, so it is told by the last but one
        solid |= begins & (text.take(ends - 2) == _LATIN)
    return np.asarray(solid.all(axis=1))
