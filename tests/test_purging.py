"""``purge`` in a workspace: what the clock must not do, keys on their day, and one open run at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lifecycle.errors import EvidenceError, Incomplete, Refused, StoreError
from lifecycle.stores.embedded.erase import Rewrite
from lifecycle.workbench import Workbench

pytestmark = pytest.mark.slow

START = datetime(2026, 8, 1, 1, tzinfo=UTC)


class Practice:
    """A workspace whose clock stands until somebody moves it."""

    def __init__(self, folder: Path) -> None:
        self.clock = START
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.wb = Workbench.init(folder / "practice", now=lambda: self.clock)
        self.path = self.wb.path

    def book(self, *days_ago: int) -> None:
        """Store one appointment for each number: it ended so many days before the clock's day."""
        ends = [self.clock - timedelta(days=days, minutes=number) for number, days in enumerate(days_ago)]
        lines = [
            {"appointment_uid": f"uid-{self.clock:%m%d}-{end:%m%d%H%M}", "starts_at": end.isoformat()} for end in ends
        ]
        path = self.inbox / "export.ndjson"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.wb.ingest(path, as_of=(self.clock - timedelta(days=200)).date(), consume=True).raise_if_failed()

    def approved(self) -> str:
        run_id = self.wb.plan("today").run_id
        self.wb.approve(run_id, "controller")
        return run_id

    def wait(self, days: float) -> None:
        self.clock += timedelta(days=days)

    def key(self, run_id: str) -> Path:
        return self.path / f"keys/tombstone-{run_id}.key"

    def kept(self) -> dict[str, bytes]:
        """Every byte of evidence and keys, whatever years there are; the lock says who was here last."""
        return dict(self._kept())

    def _kept(self) -> Iterator[tuple[str, bytes]]:
        for folder in (self.path / "keys", *self.path.glob("evidence*")):
            for path in folder.rglob("*"):
                if path.is_file() and path.name != ".lock":
                    yield str(path.relative_to(self.path)), path.read_bytes()


@pytest.fixture
def practice(tmp_path: Path) -> Practice:
    return Practice(tmp_path)


def stopped(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run that has begun and deleted nothing yet."""
    run_id = practice.approved()

    def fails(*_: Any) -> Any:
        raise StoreError("The disk is gone.", "bring it back")

    with monkeypatch.context() as patched:
        patched.setattr(Rewrite, "commit", fails)
        with pytest.raises(Incomplete):
            practice.wb.purge(run_id)
    return run_id


@pytest.mark.parametrize("stay", [(), (5,)], ids=["nothing due", "rows due"])
def test_a_clock_that_jumped_changes_nothing_at_night(practice: Practice, stay: tuple[int, ...]) -> None:
    """No key is destroyed, no year turned, nothing planned or recorded; with the right clock all goes on."""
    practice.book(100, *stay)
    run_id = practice.approved()
    practice.wb.purge(run_id)
    practice.wb.approve_standing("controller", max_rows=9, max_percent=100, until="2030-01-01")
    before = practice.kept()
    practice.wait(400)
    for _ in range(2):
        with pytest.raises(Refused, match="400 days ago, more than 7: has the clock jumped") as refused:
            practice.wb.purge(as_of="today")
        assert "a person goes on: lifecycle plan, lifecycle approve RUN" in refused.value.hint
        assert practice.kept() == before
    practice.wait(-399)
    assert practice.wb.purge(as_of="today").outcome == "sealed"
    assert practice.key(run_id).exists()
    assert practice.wb.verify().outcome == "passed"


def test_a_person_passes_a_clock_that_is_right(practice: Practice) -> None:
    """After a long holiday over New Year: the keys go with that run, the year is turned by the next."""
    practice.book(100, 5)
    first = practice.approved()
    practice.wb.purge(first)
    practice.wait(200)
    assert practice.wb.purge(practice.approved()).deleted == 1
    assert not practice.key(first).exists()
    assert not (practice.path / "evidence-2026").exists()
    practice.wait(1)
    practice.wb.purge(as_of="today")
    assert (practice.path / "evidence-2026").exists()
    assert practice.wb.verify().outcome == "passed"


@pytest.mark.parametrize("verb", ["purge", "restore"])
def test_every_verb_that_carries_out_a_run_destroys_the_keys_that_are_due(practice: Practice, verb: str) -> None:
    """The record promised a day, and not that somebody would use the nightly form."""
    practice.book(100)
    run_id = practice.approved()
    practice.wb.purge(run_id)
    practice.wait(36)
    practice.wb.purge(practice.wb.plan("today").run_id)
    assert practice.key(run_id).exists()
    practice.wait(1)
    if verb == "purge":
        practice.wb.purge(practice.wb.plan("today").run_id)
    else:
        practice.wb.restore_apply()
    assert not practice.key(run_id).exists()
    assert practice.wb.verify().outcome == "passed"


def test_another_run_is_refused_while_one_is_open(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six, with the open one in the hint; nothing is deleted, and the open run's numbers stay true."""
    practice.book(100, 5)
    run_id = stopped(practice, monkeypatch)
    other = practice.approved()
    with pytest.raises(Refused, match=f"Run {run_id} has begun and is not finished") as refused:
        practice.wb.purge(other)
    assert (refused.value.exit_code, refused.value.hint) == (6, f"lifecycle purge {run_id}")
    done = practice.wb.purge(run_id)
    assert (done.before, done.deleted, done.retained) == (2, 1, 1)


def test_an_aborted_run_counts_what_is_there(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of its two rows is held by now, and the other went with a later run: it does not claim to have kept both."""
    practice.book(100, 99, 5)
    run_id = stopped(practice, monkeypatch)
    uid = f"uid-0801-{START - timedelta(days=100):%m%d%H%M}"
    practice.wb.hold_add(uid, "restriction")
    for _ in range(2):
        found = practice.wb.purge(run_id)
        assert found.outcome == "aborted"
        assert found.problem() is not None
        assert (found.before, found.due, found.held, found.failed) == (3, 2, 1, 1)
        assert (found.deleted, found.retained) == (0, 3)
    practice.wb.purge(practice.approved())
    again = practice.wb.purge(run_id)
    assert (again.before, again.due, again.held, again.failed, again.retained) == (2, 1, 1, 0, 2)


def test_an_open_run_does_not_go_on_in_evidence_that_is_older_than_the_store(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happened since would never be in its log; the same as for a run that has not begun."""
    practice.book(100, 5)
    run_id = stopped(practice, monkeypatch)
    practice.wb._workspace.store.mark_restored("2026-08-01-x", "0" * 64)
    before = practice.kept()
    with pytest.raises(EvidenceError, match="does not know 2026-08-01-x"):
        practice.wb.purge(run_id)
    assert practice.kept() == before
