"""Bytes that rows left which were replaced: gone after the next run, although nothing is due."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lifecycle.errors import StoreError
from lifecycle.model import SCHEMAS, Hold
from lifecycle.stores.embedded.clean import CleanProcess

RUN = "2026-10-01-a"
REPLACED = tuple(f"Renate{number:05d}" for number in range(1, 41))


def renew(shelf: Any) -> bool:
    """What a run with nothing due does with the store; tells whether the file is another one now."""
    before = shelf.path.stat().st_ino
    with shelf.store.erasing(shelf.cutoffs(), shelf.key) as erasing:
        assert erasing.tombstones.is_empty()
        erasing.renew(RUN)
    return shelf.path.stat().st_ino != before


def replace_forty(shelf: Any) -> None:
    """Two exports of the same appointments: the second one spells the first names differently."""
    rows = [shelf.row("appointments", number) for number in range(1, 41)]
    older = [row | {"first_name": name} for row, name in zip(rows, REPLACED, strict=True)]
    shelf.take_in(older, dataset="appointments")
    assert shelf.holds_bytes(*REPLACED) == list(range(40)), "the search must be able to see what it looks for"
    (arrival,) = shelf.take_in(rows, dataset="appointments")
    assert arrival.replaced == 40


def test_replaced_values_are_in_no_byte_after_a_run_with_nothing_due(shelf) -> None:
    """The rows that stay are the same to the last column, and so are the internal tables."""
    replace_forty(shelf)
    assert shelf.holds_bytes(*REPLACED) != [], "DuckDB removes the bytes itself by now: renewing may be dropped"
    rows = {name: shelf.rows(name) for name in SCHEMAS}
    sources = shelf.store.sources()
    assert renew(shelf)
    assert shelf.holds_bytes(*REPLACED) == []
    assert {name: shelf.rows(name) for name in SCHEMAS} == rows
    assert shelf.store.sources() == sources
    assert shelf.store.runs() == frozenset()
    assert [path.name for path in shelf.path.parent.iterdir()] == [shelf.path.name]


@pytest.mark.slow
def test_replaced_values_go_with_a_run_that_deletes(shelf) -> None:
    """One rewrite serves both, and the night after has nothing to do."""
    shelf.take_in([shelf.row("events", 900, shelf.old)], today=shelf.old.date())
    replace_forty(shelf)
    shelf.erase()
    assert shelf.holds_bytes(*REPLACED) == []
    assert not renew(shelf)


@pytest.mark.slow
def test_a_file_that_owes_nothing_is_left_alone(shelf) -> None:
    """Neither new rows nor duplicates nor an older export cost a rewrite; once renewed, a file is clean."""
    row = shelf.row("appointments")
    shelf.take_in([row, row], dataset="appointments", names=["monday"])
    shelf.take_in([row], dataset="appointments", names=["monday"])
    shelf.take_in([shelf.row("events", 2)], rejects=1)
    assert not renew(shelf)
    shelf.take_in([row | {"first_name": "Renate"}], dataset="appointments", names=["tuesday"])
    assert renew(shelf)
    assert not renew(shelf)


@pytest.mark.slow
def test_what_an_earlier_call_owes_is_not_forgotten_by_the_next_one(shelf) -> None:
    """Only a rewrite pays for replaced rows."""
    replace_forty(shelf)
    shelf.take_in([shelf.row("events", 2)])
    assert renew(shelf)
    assert shelf.holds_bytes(*REPLACED) == []


def test_the_uid_of_a_lifted_hold_without_rows_goes_with_the_next_run(shelf) -> None:
    """Nothing falls due for it any more, so no later deletion would take it along."""
    uid = "uid-that-nobody-has"
    shelf.store.add_hold(Hold(0, uid, "restriction", "", "controller", shelf.today))
    shelf.store.lift_hold(1, shelf.today)
    assert shelf.holds_bytes(uid) == [0]
    assert renew(shelf)
    assert shelf.holds_bytes(uid) == []
    assert shelf.store.holds() == ()


BROKEN_OFF = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from stores.conftest import Shelf, row
from lifecycle.stores.embedded import EmbeddedStore, ingest
shelf = Shelf.__new__(Shelf)
shelf.store = EmbeddedStore(Path({path!r}), Path({root!r}))
ingest.Intake._register = lambda self, arrival: os.kill(os.getpid(), signal.SIGKILL)
one = row("events", 0)
names = [f"Lost{{number:06d}}" for number in range(250_000)]
shelf.take_in([one | {{"first_name": name, "appointment_uid": name}} for name in names])
"""


@pytest.mark.slow
def test_blocks_of_a_call_that_was_killed_are_gone_after_the_next_run(shelf, tmp_path: Path) -> None:
    """DuckDB writes full blocks before the commit; killed there, they lie in the file and in no table."""
    code = BROKEN_OFF.format(tests=str(Path(__file__).parents[1]), path=str(shelf.path), root=str(shelf.root))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    lost = [f"Lost{number:06d}" for number in range(0, 250_000, 1000)]
    assert shelf.holds_bytes(*lost) != [], "nothing of the killed call is on the disk: make it longer"
    assert shelf.rows() == Counter()
    assert renew(shelf)
    assert shelf.holds_bytes(*lost) == []
    assert [path.name for path in shelf.path.parent.iterdir()] == [shelf.path.name]


def test_a_rewrite_that_loses_rows_is_never_put_in_place(shelf, monkeypatch) -> None:
    """The fresh file is counted and summed before it takes the old one's place."""
    replace_forty(shelf)
    rows = shelf.rows("appointments")
    monkeypatch.setattr(CleanProcess, "insert", lambda *_: None)
    with pytest.raises(StoreError):
        renew(shelf)
    assert shelf.rows("appointments") == rows
    with duckdb.connect(str(shelf.path)) as db:
        assert db.sql("SELECT value FROM _meta WHERE key = 'rewrite_owed'").fetchall() == [("true",)]
