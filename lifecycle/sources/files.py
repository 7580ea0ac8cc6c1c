"""Bytes of an input file: opened safely, unpacked with a cap, read line by line in bounded memory."""

from __future__ import annotations

import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from lifecycle.errors import SourceError
from lifecycle.model import Reject

CHUNK_BYTES = 8 << 20
LONGEST_LINE_BYTES = 1 << 20
HEAD_BYTES = 256 << 10
PADDING_BYTES = 256
"""So many bytes follow the last line of a block, whatever they are: a few may be looked at from anywhere in it."""

Places = npt.NDArray[np.int64]

_WIDE = {b"\xff\xfe\0\0": 32, b"\0\0\xfe\xff": 32, b"\xff\xfe": 16, b"\xfe\xff": 16}
_BOM = b"\xef\xbb\xbf"
_SLICE = 1 << 19
_WHITESPACE = np.frombuffer(b" \t\r\n\v\f", np.uint8)


class Capped(io.RawIOBase):
    """The unpacked bytes of a gzip file; more than the cap, or a broken stream, is a ``SourceError``."""

    def __init__(self, packed: IO[bytes], most_bytes: int) -> None:
        self._stream = gzip.GzipFile(fileobj=packed, mode="rb")
        self._left = most_bytes
        self._most = most_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        try:
            found = self._stream.read(min(len(view), 1 << 20))
        except EOFError:
            raise SourceError("The gzip file ends too early.", "Copy or download it again, completely.") from None
        except (OSError, zlib.error):
            raise SourceError("The gzip file is damaged.", "Test it with gzip -t, and copy it again.") from None
        self._left -= len(found)
        if self._left < 0:
            raise SourceError(
                f"The gzip file unpacks to more than {self._most:,} bytes.",
                "If it is really that large, unpack it first or raise the limit.",
            )
        view[: len(found)] = found
        return len(found)


@contextmanager
def opened(path: Path, most_bytes: int) -> Iterator[IO[bytes]]:
    """Open a regular file for reading, unpacking gzip (told by its first bytes).

    Raises
    ------
    SourceError
        It is missing, a folder, a pipe or a device, not readable to its end, or not what it seems to be.
    """
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise SourceError("The input is a folder, not a file.", "Name the files in it.")
        if not stat.S_ISREG(kind):
            raise SourceError("The input is not a regular file.", "Write a pipe or device into a file first.")
        raw = path.open("rb")
    except FileNotFoundError:
        raise SourceError("The input file does not exist.", "Check the path.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "unusable path"
        raise SourceError(
            f"The input file cannot be opened: {reason}.", "Check the path and its permissions."
        ) from None
    try:
        with raw:
            if raw.read(2) == b"\x1f\x8b":
                raw.seek(0)
                with io.BufferedReader(Capped(raw, most_bytes), 1 << 20) as unpacked:
                    yield unpacked
            else:
                raw.seek(0)
                yield raw
    except OSError as error:
        raise SourceError(
            f"The input file cannot be read to its end: {error.strerror or 'unknown reason'}.",
            "Look after the disk that it lies on; nothing of the file was stored.",
        ) from None


def head_of(path: Path, most_bytes: int) -> bytes:
    """Return the first bytes of a file, unpacked."""
    with opened(path, most_bytes) as stream:
        head = stream.read(HEAD_BYTES)
    wide = next((bits for mark, bits in _WIDE.items() if head.startswith(mark)), None)
    if wide:
        raise SourceError(f"The file is written in UTF-{wide}.", f"Save it as UTF-8: iconv -f UTF-{wide} -t UTF-8.")
    return head


@dataclass(frozen=True)
class Block:
    """Some lines of a file, not yet read: ``data[starts[i]:ends[i]]`` is the line with the number ``numbers[i]``.

    A line feed follows each line. Blank lines and lines that are too long are left out; the latter are in
    ``rejects``.
    """

    data: bytes | bytearray
    starts: Places
    ends: Places
    numbers: Places
    rejects: tuple[Reject, ...] = ()

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and bytes of each line."""
        view = memoryview(self.data)
        for start, end, number in zip(self.starts.tolist(), self.ends.tolist(), self.numbers.tolist(), strict=True):
            yield number, bytes(view[start:end])

    def only(self, chosen: npt.NDArray[np.bool_]) -> Block:
        """Return the chosen lines, one after the other and padded; rejects stay behind."""
        whole = chosen.all() and (self.starts[1:] == self.ends[:-1] + 1).all()
        if whole:
            return self
        starts, ends = self.starts[chosen], self.ends[chosen]
        view = memoryview(self.data)
        parts = [view[start : end + 1] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        behind = np.cumsum(ends - starts + 1)
        return Block(
            b"".join([*parts, bytes(PADDING_BYTES)]), behind - (ends - starts + 1), behind - 1, self.numbers[chosen]
        )

    def first(self, lines: int) -> Block:
        """Return the first lines."""
        return Block(self.data, self.starts[:lines], self.ends[:lines], self.numbers[:lines])

    def with_any(self, table: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Tell which lines hold any of the bytes that a table of 256 marks; line feeds are not asked for."""
        begin, end = (int(self.starts[0]), int(self.ends[-1])) if len(self.ends) else (0, 0)
        text = np.frombuffer(self.data, np.uint8, end - begin, begin)
        found = [np.flatnonzero(table[text[at : at + _SLICE]]) + (at + begin) for at in range(0, len(text), _SLICE)]
        return self.lines_at(np.concatenate(found)) if found else np.zeros(len(self.numbers), bool)

    def lines_at(self, places: Places) -> npt.NDArray[np.bool_]:
        """Tell which lines hold any of the places."""
        held = np.zeros(len(self.numbers), bool)
        held[np.searchsorted(self.ends, places)] = True
        return held


def table_of(some: bytes) -> npt.NDArray[np.bool_]:
    """Return a table of 256 that marks some bytes."""
    table = np.zeros(256, bool)
    table[np.frombuffer(some, np.uint8)] = True
    return table


def blocks(stream: IO[bytes], chunk_bytes: int = CHUNK_BYTES, *, keep_blank: bool = False) -> Iterator[Block]:
    """Cut a stream into blocks of whole lines; a line over 1 MiB is skipped while it is read, never held.

    Yields
    ------
    Block
        In the order of the file.
    """
    number, rest, skipping, goes_on, first = 1, b"", False, True, True
    while goes_on:
        data, filled, goes_on = _filled(stream, rest, chunk_bytes)
        begin = len(_BOM) if first and data.startswith(_BOM) else 0
        first = False
        if skipping:
            begin = data.find(b"\n", 0, filled) + 1
            if not begin:
                rest = data[filled:] if goes_on else b""
                continue
            skipping, number = False, number + 1
        end = max(data.rfind(b"\n", begin, filled) + 1, begin)
        block, number = _block(data, begin, end, number, keep_blank)
        if filled - end > LONGEST_LINE_BYTES:
            block = replace(block, rejects=(*block.rejects, Reject("too-long", number)))
            end, skipping = filled, True
        rest = data[end:] if goes_on else data[end:filled]
        if len(block.numbers) or block.rejects:
            yield block
    if rest and not skipping:
        block, _ = _block(rest + b"\n" + bytes(PADDING_BYTES), 0, len(rest) + 1, number, keep_blank)
        if len(block.numbers) or block.rejects:
            yield block


def _filled(stream: IO[bytes], rest: bytes, chunk_bytes: int) -> tuple[bytes, int, bool]:
    """Read on, and give rest and news, how much of it may be looked at, and whether there may be more.

    Behind what may be looked at there is always some padding; in the middle of a stream it is what comes next.
    """
    asked = chunk_bytes + PADDING_BYTES
    if rest and stream.seekable():  # read once more, a few bytes cost less than to copy all that follows
        stream.seek(-len(rest), io.SEEK_CUR)
        data = stream.read(len(rest) + asked)
    else:
        data = rest + stream.read(asked)
    if len(data) == len(rest) + asked:
        return data, len(data) - PADDING_BYTES, True
    return data + bytes(PADDING_BYTES), len(data), False


def _block(data: bytes | bytearray, begin: int, end: int, number: int, keep_blank: bool) -> tuple[Block, int]:
    text = np.frombuffer(data, np.uint8, end)
    ends = _newlines(text[begin:]) + begin
    starts = np.concatenate((np.array([begin], np.int64), ends[:-1] + 1)) if len(ends) else ends
    numbers = np.arange(number, number + len(ends), dtype=np.int64)
    long = ends - starts > LONGEST_LINE_BYTES
    keep = ~long if keep_blank else ~(long | _blank(data, text, starts, ends))
    rejects = tuple(Reject("too-long", line) for line in numbers[long].tolist())
    following = number + len(numbers)
    if not keep.all():
        starts, ends, numbers = starts[keep], ends[keep], numbers[keep]
    return Block(data, starts, ends, numbers, rejects), following


def _newlines(text: npt.NDArray[np.uint8]) -> Places:
    """Find the line feeds, a piece at a time that stays in the processor's cache."""
    found = [np.flatnonzero(text[at : at + _SLICE] == 10) + at for at in range(0, len(text), _SLICE)]
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _blank(data: bytes | bytearray, text: npt.NDArray[np.uint8], starts: Places, ends: Places) -> npt.NDArray[np.bool_]:
    """Tell which lines hold nothing but whitespace; only those that begin with it are looked at."""
    blank = np.isin(text[starts], _WHITESPACE)
    for index in np.flatnonzero(blank).tolist():
        blank[index] = not data[starts[index] : ends[index]].strip()
    return blank
