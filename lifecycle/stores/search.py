"""Looking for values in the bytes of files, as a stranger with a hex editor would."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

_CHUNK = 8 << 20
_TELLING = 12  # bytes before an @ that are worth being looked for alone

# Folders of tools, in a workspace that is a checkout. Other hidden folders are searched: .ipynb_checkpoints is one.
_TOOLS = frozenset({".git", ".hg", ".venv", ".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache"})


@dataclass(slots=True)
class Seen:
    """What a search saw: which patterns (by position), and how much it looked at."""

    patterns: set[int] = field(default_factory=set)
    files: int = 0
    bytes: int = 0


class Searcher:
    """Many values at once, as UTF-8 bytes (Hyperscan: some GB a second for thousands of values).

    Hyperscan tells literals apart by their last bytes, and addresses of one provider all end alike. So of an address
    it looks for what stands before the @, and what follows is compared here.

    Parameters
    ----------
    values : sequence of str
        Personal values; they stay in memory and are never part of a message.
    alone_below : int
        Values of fewer bytes count only where neither neighbour is a letter or a digit: eight digits occur by chance
        in the digests of some years of evidence.
    """

    def __init__(self, values: Sequence[str], *, alone_below: int = 0) -> None:
        import hyperscan

        encoded = [value.encode() for value in values]
        self._overlap = max(map(len, encoded), default=0) + 1
        self._database = None
        cuts = [cut if (cut := value.find(b"@") + 1) > _TELLING else len(value) for value in encoded]
        self._rests = [value[cut:] for value, cut in zip(encoded, cuts, strict=True)]
        if encoded:
            self._database = hyperscan.Database()
            self._database.compile(
                expressions=[
                    _literal(value[:cut], alone=len(value) < alone_below)
                    for value, cut in zip(encoded, cuts, strict=True)
                ],
                ids=list(range(len(encoded))),
                # The first match of the beginning of a value need not be one of the value.
                flags=[0 if rest else hyperscan.HS_FLAG_SINGLEMATCH for rest in self._rests],
            )

    def __repr__(self) -> str:
        return "Searcher(<values withheld>)"

    def search(self, files: Iterable[Path]) -> Seen:
        """Read every file to its end and return which values occur anywhere.

        Raises
        ------
        OSError
            A file that cannot be read: what was not searched is not clean.
        """
        seen = Seen()

        def note(pattern: int, _start: int, end: int, _flags: int, piece: object) -> None:
            if cast(bytes, piece).startswith(self._rests[pattern], end):
                seen.patterns.add(pattern)

        for path in files:
            seen.files += 1
            seen.bytes += path.stat().st_size
            with path.open("rb") as stream:
                for piece in self._pieces(stream):
                    if self._database is not None:
                        self._database.scan(piece, match_event_handler=note, context=piece)
        return seen

    def _pieces(self, stream: BinaryIO) -> Iterator[bytes]:
        # A value may lie across the border of two chunks, so the seam is looked at, too.
        tail = b""
        while chunk := stream.read(_CHUNK):
            if tail and self._overlap:
                yield tail + chunk[: self._overlap]
            yield chunk
            tail = (tail + chunk)[-self._overlap :] if len(chunk) < self._overlap else chunk[-self._overlap :]


def _literal(value: bytes, *, alone: bool) -> bytes:
    # Every byte by its number, so that no character can mean anything to the expression.
    literal = b"".join(b"\\x%02x" % byte for byte in value)
    return b"(^|[^0-9A-Za-z])" + literal + b"([^0-9A-Za-z]|$)" if alone else literal


def files_below(root: Path, *, without: Iterable[Path] = ()) -> list[Path]:
    """Return every regular file below ``root``, sorted; folders of tools and symbolic links are left out."""
    skipped = {path.resolve() for path in without}
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _TOOLS)
        paths = (Path(folder, name) for name in sorted(names))
        found += [path for path in paths if path.is_file() and not path.is_symlink() and path.resolve() not in skipped]
    return found
