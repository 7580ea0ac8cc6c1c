"""Looking for values in the bytes of files, as a stranger with a hex editor would."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_CHUNK = 8 << 20


@dataclass(slots=True)
class Seen:
    """What a search saw: which patterns (by position), and how much it looked at."""

    patterns: set[int] = field(default_factory=set)
    files: int = 0
    bytes: int = 0


class Searcher:
    """Many values at once (Aho-Corasick), as UTF-8 bytes.

    Parameters
    ----------
    values : sequence of str
        Personal values; they stay in memory and are never part of a message.
    """

    def __init__(self, values: Sequence[str]) -> None:
        import ahocorasick_rs

        encoded = [value.encode() for value in values]
        self._overlap = max(map(len, encoded), default=1) - 1
        self._automaton = ahocorasick_rs.BytesAhoCorasick(encoded) if encoded else None

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
        for path in files:
            seen.files += 1
            seen.bytes += path.stat().st_size
            with path.open("rb") as stream:
                for chunk in self._overlapping(iter(lambda s=stream: s.read(_CHUNK), b"")):  # type: ignore[misc]
                    if self._automaton is not None:
                        hits = self._automaton.find_matches_as_indexes(chunk, overlapping=True)
                        seen.patterns.update(hit[0] for hit in hits)
        return seen

    def _overlapping(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        # A value may lie across the border of two chunks.
        tail = b""
        for chunk in chunks:
            yield tail + chunk
            tail = (tail + chunk)[-self._overlap :] if self._overlap else b""


def files_below(root: Path, *, without: Iterable[Path] = ()) -> list[Path]:
    """Return every regular file below ``root``, sorted; hidden folders and symbolic links are left out."""
    skipped = {path.resolve() for path in without}
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(folder, name) for name in sorted(names))
        found += [path for path in paths if path.is_file() and not path.is_symlink() and path.resolve() not in skipped]
    return found
