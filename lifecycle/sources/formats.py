"""The port between the registry and the formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from lifecycle.model import Batch
from lifecycle.sources.head import Head


@dataclass(frozen=True)
class Source:
    """One input file and what the caller said about it."""

    path: Path
    head: Head
    zone: ZoneInfo
    columns: Mapping[str, str]
    channel: str
    dataset: str
    most_bytes: int


@dataclass(frozen=True)
class Format:
    """One input format, found by the registry.

    Attributes
    ----------
    name : str
        What ``--format`` takes.
    channel : str
        The channel of its rows, unless the caller or the file says otherwise.
    recognises : callable
        Tells from a file's head whether it is of this format.
    dataset : callable
        Tells from a file's head (and path, bytes cap, extra columns) which dataset it fills.
    batches : callable
        Reads a source.
    good, bad : bytes
        An example that gives one row, and one that gives a reject or a ``SourceError``.
    """

    name: str
    channel: str
    recognises: Callable[[Head], bool]
    dataset: Callable[[Path, Head, Mapping[str, str], int], str]
    batches: Callable[[Source], Iterator[Batch]]
    good: bytes
    bad: bytes
    empty_is_fine: bool = False
