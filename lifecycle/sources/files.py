"""Bytes of an input file: opened safely, unpacked with a cap, read line by line in bounded memory."""

from __future__ import annotations

import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from lifecycle.errors import SourceError
from lifecycle.model import Reject

CHUNK_BYTES = 32 << 20
LONGEST_LINE_BYTES = 1 << 20
HEAD_BYTES = 256 << 10

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
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
        It is missing, a folder, a pipe or a device, not readable, or not what it seems to be.
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
    with raw:
        if raw.read(2) == b"\x1f\x8b":
            raw.seek(0)
            with io.BufferedReader(Capped(raw, most_bytes), 1 << 20) as unpacked:
                yield unpacked
        else:
            raw.seek(0)
            yield raw


def head_of(path: Path, most_bytes: int) -> bytes:
    """Return the first bytes of a file, unpacked, without a byte order mark."""
    with opened(path, most_bytes) as stream:
        head = stream.read(HEAD_BYTES)
    if head.startswith(_UTF16):
        raise SourceError("The file is written in UTF-16.", "Save it as UTF-8: iconv -f UTF-16 -t UTF-8.")
    return head.removeprefix(_BOM)


@dataclass(frozen=True)
class Block:
    """Some lines of a file, not yet read: ``data[starts[i]:ends[i]]`` is the line with the number ``numbers[i]``.

    Blank lines and lines that are too long are left out; the latter are in ``rejects``.
    """

    data: bytes
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]
    rejects: tuple[Reject, ...] = ()

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and bytes of each line."""
        for start, end, number in zip(self.starts.tolist(), self.ends.tolist(), self.numbers.tolist(), strict=True):
            yield number, self.data[start:end]


def blocks(stream: IO[bytes], chunk_bytes: int = CHUNK_BYTES, *, keep_blank: bool = False) -> Iterator[Block]:
    """Cut a stream into blocks of whole lines; a line over 1 MiB is skipped while it is read, never held.

    Yields
    ------
    Block
        In the order of the file.
    """
    number, rest, skipping = 1, b"", False
    while chunk := stream.read(chunk_bytes):
        if number == 1 and not rest:
            chunk = chunk.removeprefix(_BOM)
        if skipping:
            cut = chunk.find(b"\n") + 1
            if not cut:
                continue
            chunk, skipping, number = chunk[cut:], False, number + 1
        data = rest + chunk
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        block, number = _block(data, end, number, keep_blank)
        if len(rest) > LONGEST_LINE_BYTES:
            late = (*block.rejects, Reject("too-long", number))
            block, rest, skipping = Block(block.data, block.starts, block.ends, block.numbers, late), b"", True
        if len(block.numbers) or block.rejects:
            yield block
    if rest:
        block, _ = _block(rest + b"\n", len(rest) + 1, number, keep_blank)
        if len(block.numbers) or block.rejects:
            yield block


def _block(data: bytes, end: int, number: int, keep_blank: bool) -> tuple[Block, int]:
    text = np.frombuffer(data, np.uint8, end)
    ends = _newlines(text)
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1)) if len(ends) else ends
    numbers = np.arange(number, number + len(ends), dtype=np.int64)
    long = ends - starts > LONGEST_LINE_BYTES
    keep = ~long if keep_blank else ~(long | _blank(data, text, starts, ends))
    rejects = tuple(Reject("too-long", line) for line in numbers[long].tolist())
    if not keep.all():
        starts, ends, kept = starts[keep], ends[keep], numbers[keep]
    else:
        kept = numbers
    return Block(data, starts, ends, kept, rejects), number + len(numbers)


def _newlines(text: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Find the line feeds, eight bytes at a time: most words hold none."""
    hits = np.zeros(-(-len(text) // 8) * 8, bool)
    np.equal(text, 10, out=hits[: len(text)])
    words = np.flatnonzero(hits.view(np.uint64))
    which, place = np.nonzero(hits.reshape(-1, 8)[words])
    return (words[which] * 8 + place).astype(np.int64, copy=False)


def _blank(
    data: bytes, text: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Tell which lines hold nothing but whitespace; only those that begin with it are looked at."""
    blank = np.isin(text[starts], _WHITESPACE)
    for index in np.flatnonzero(blank).tolist():
        blank[index] = not data[starts[index] : ends[index]].strip()
    return blank
