"""What the tests of the sources share: bytes in, everything that was read out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from lifecycle.model import Opened
from lifecycle.sources import open_file

BERLIN = ZoneInfo("Europe/Berlin")


@dataclass
class Read:
    """A whole file, read."""

    opened: Opened
    rows: list[dict[str, Any]]
    read: int
    rejects: list[tuple[str, int]]
    undeclared: dict[str, int]


def drain(opened: Opened) -> Read:
    """Read everything of an opened file; check what must hold for every batch."""
    rows: list[dict[str, Any]] = []
    rejects: list[tuple[str, int]] = []
    undeclared: Counter[str] = Counter()
    read = 0
    for batch in opened.batches():
        assert batch.read == batch.rows.height + len(batch.rejects)
        assert batch.rows.schema["line"] == pl.Int64
        read += batch.read
        rows += batch.rows.to_dicts()
        rejects += [(one.reason, one.line) for one in batch.rejects]
        undeclared.update(batch.undeclared)
    return Read(opened, rows, read, rejects, dict(undeclared))


@pytest.fixture(scope="session")
def read_bytes(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Read]:
    """Write bytes into a file and read it."""
    path: Path = tmp_path_factory.mktemp("sources") / "input"

    def read(data: bytes, **options: Any) -> Read:
        path.write_bytes(data)
        return drain(open_file(path, zone=options.pop("zone", BERLIN), **options))

    return read
