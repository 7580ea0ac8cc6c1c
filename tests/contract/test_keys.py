"""Repeated keys are counted in memory, in runs on a file, and in the store's SQL, with one answer."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from io import BytesIO
from typing import BinaryIO

import polars as pl
import pytest

from lifecycle.contract.keys import KeyCounter

KEY = ("appointment_uid", "participant")


def rows(seed: int, n: int) -> pl.DataFrame:
    """Rows in three channels, many of them twice."""
    rng = random.Random(seed)
    uids = [f"canary-{rng.randrange(n // 2)}" for _ in range(n)]
    channels = [rng.choice(("arztkonsultation", "webpush", "")) for _ in range(n)]
    return pl.DataFrame({"_channel": channels, "appointment_uid": uids, "participant": [i % 2 for i in range(n)]})


def expected(frame: pl.DataFrame) -> dict[str, int]:
    """Counted by hand."""
    seen = Counter(frame.rows())
    return {channel: sum(n - 1 for row, n in seen.items() if row[0] == channel) for channel in set(frame["_channel"])}


@pytest.mark.parametrize("run_rows", [1, 7, 100, 10_000])
def test_runs_on_a_file_give_the_same_answer_as_memory(run_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the rows are cut into batches and runs."""
    monkeypatch.setattr("lifecycle.contract.key_runs.RUN_ROWS", run_rows)
    frame = rows(run_rows, 500)
    for spill in (None, tempfile.TemporaryFile):
        counter = KeyCounter(KEY, spill)
        for part in frame.iter_slices(33):
            counter.add(part)
        assert counter.repeated() == expected(frame)


def test_the_file_is_asked_for_only_when_needed_and_holds_nothing_but_salted_hashes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two counters write different bytes about the same people: a hash of a known key proves nothing."""
    written: list[bytes] = []

    class Kept(BytesIO):
        def close(self) -> None:
            written.append(self.getvalue())
            super().close()

    frame = rows(1, 100).with_columns(pl.lit("rest").alias("_channel"))
    for run_rows in (101, 100, 100):
        monkeypatch.setattr("lifecycle.contract.key_runs.RUN_ROWS", run_rows)
        counter = KeyCounter(KEY, Kept)
        counter.add(frame)
        assert counter.repeated() == expected(frame)
    assert [len(each) for each in written] == [800, 800]
    assert written[0] != written[1]
    assert not any(b"canary" in each for each in written)


def test_a_file_that_cannot_be_had_or_written_leaves_the_answer_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is no reason to call a key unique."""

    class Full(BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    def refused() -> BinaryIO:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("lifecycle.contract.key_runs.RUN_ROWS", 10)
    for spill in (Full, refused):
        counter = KeyCounter(KEY, spill)
        counter.add(rows(1, 20))
        counter.add(rows(2, 20))
        assert counter.repeated() is None
