"""The stop switch ends a run at a safe point, and the same command goes on; two runs at once are one too many."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lifecycle.deletion import documents
from lifecycle.errors import Incomplete, Refused, StoreError, UsageError
from lifecycle.workbench import Workbench
from lifecycle.workbench.stopping import StopSwitch

pytestmark = pytest.mark.slow

NOW = datetime(2026, 8, 1, 1, tzinfo=UTC)


@pytest.fixture
def wb(tmp_path: Path) -> Workbench:
    """Three appointments, of which two are due."""
    wb = Workbench.init(tmp_path / "clinic", now=lambda: NOW)
    path = tmp_path / "export.ndjson"
    ends = [NOW - timedelta(days=days) for days in (100, 95, 5)]
    rows = [
        {
            "appointment_uid": f"uid-of-visit-{number:05d}",
            "first_name": f"Erika{number:05d}",
            "email": f"erika{number:05d}@example.org",
            "starts_at": (end - timedelta(minutes=30)).isoformat(),
            "ends_at": end.isoformat(),
        }
        for number, end in enumerate(ends)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    wb.ingest(path, as_of=(NOW - timedelta(days=50)).date(), consume=True)
    return wb


def approved(wb: Workbench) -> str:
    plan = wb.plan("today")
    wb.approve(plan.run_id, "controller")
    return plan.run_id


def begun(wb: Workbench, run_id: str) -> bool:
    return "3-intent.json" in wb._workspace.ledger().listing(run_id)


def in_log(wb: Workbench, run_id: str) -> bool:
    ledger = wb._workspace.ledger()
    return begun(wb, run_id) and ledger.contains(ledger.read(run_id, "3-intent.json"))


def rows(wb: Workbench) -> int:
    return sum(1 for each in wb._workspace.store.rows("appointments") for _ in each.iter_rows())


@pytest.mark.parametrize("point", range(1, 8))
def test_a_run_ends_at_every_safe_point_and_goes_on(wb: Workbench, monkeypatch: pytest.MonkeyPatch, point: int) -> None:
    """Before the intent is written: 6 and nothing begun; afterwards: 9; in between nothing is half done."""
    run_id = approved(wb)
    asked = [0]

    def at_this_point(switch: StopSwitch) -> bool:
        asked[0] += 1
        return asked[0] == point

    monkeypatch.setattr(StopSwitch, "__call__", at_this_point)
    with pytest.raises((Refused, Incomplete)) as stopped:
        wb.purge(run_id)
    monkeypatch.undo()
    assert stopped.value.exit_code == (9 if begun(wb, run_id) else 6)
    marked = run_id in wb._workspace.store.runs()
    assert rows(wb) == (1 if marked else 3)
    done = wb.purge(run_id)
    assert (done.outcome, done.deleted) == ("sealed", 2)
    assert wb.verify().outcome == "passed"


def test_there_are_as_many_safe_points_as_are_tested(wb: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven: two before anything, one before the intent, one before the commit, and three after it."""
    run_id, asked = approved(wb), [0]

    def count(switch: StopSwitch) -> bool:
        asked[0] += 1
        return False

    monkeypatch.setattr(StopSwitch, "__call__", count)
    wb.purge(run_id)
    assert asked == [7]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_at_the_next_safe_point(
    wb: Workbench, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], number: int
) -> None:
    """Sent while 4-deleted.json is made: that file is finished, and nothing after it is begun."""
    run_id, before, make = approved(wb), signal.getsignal(number), documents.deleted

    def interrupted(*args: Any) -> bytes:
        os.kill(os.getpid(), number)
        return make(*args)

    monkeypatch.setattr(documents, "deleted", interrupted)
    with pytest.raises(Incomplete, match="safe point"):
        wb.purge(run_id)
    monkeypatch.undo()
    listing = set(os.listdir(wb.path / "evidence/runs" / run_id))
    assert "4-deleted.json" in listing
    assert "5-verified.json" not in listing
    assert "once more stops at once" in capfd.readouterr().err
    assert signal.getsignal(number) is before
    assert wb.purge(run_id).deleted == 2
    assert wb.verify().outcome == "passed"


def test_a_second_signal_does_not_wait(wb: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who presses Ctrl-C twice means it; the evidence bears that, too."""
    run_id, make = approved(wb), documents.deleted

    def twice(*args: Any) -> bytes:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return make(*args)

    monkeypatch.setattr(documents, "deleted", twice)
    with pytest.raises(KeyboardInterrupt):
        wb.purge(run_id)
    monkeypatch.undo()
    assert wb.purge(run_id).deleted == 2
    assert wb.verify().outcome == "passed"


def test_a_stop_file_lets_nothing_begin(wb: Workbench) -> None:
    """Exit code 6, no plan, no leaf; once the file is gone, the same command works."""
    run_id = approved(wb)
    (wb.path / "STOP").touch()
    before = sorted((wb.path / "evidence").rglob("*"))
    for call in (lambda: wb.purge(run_id), lambda: wb.purge(as_of="today"), lambda: wb.restore_apply()):
        with pytest.raises(Refused, match="stop was asked for") as refused:
            call()
        assert "STOP" in refused.value.hint
    assert sorted((wb.path / "evidence").rglob("*")) == before
    (wb.path / "STOP").unlink()
    assert wb.purge(run_id).deleted == 2


def test_a_stop_file_ends_a_run_that_has_begun_with_9(wb: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It appears while the run goes on; as long as it lies there, the open run stays open and says so."""
    run_id, make = approved(wb), documents.deleted

    def with_file(*args: Any) -> bytes:
        (wb.path / "STOP").touch()
        return make(*args)

    monkeypatch.setattr(documents, "deleted", with_file)
    for call in (lambda: wb.purge(run_id), lambda: wb.purge(run_id), lambda: wb.purge(as_of="today")):
        with pytest.raises(Incomplete, match="safe point"):
            call()
    (wb.path / "STOP").unlink()
    assert wb.purge(run_id).deleted == 2


def test_the_command_line_ends_with_the_promised_codes(wb: Workbench) -> None:
    """6 with a stop file and nothing begun, in one sentence and a hint."""
    (wb.path / "STOP").touch()
    call = [sys.executable, "-m", "lifecycle.cli", "--workspace", str(wb.path), "purge", "--as-of", "today", "--json"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["error"]["exitCode"]) == (6, 6)
    assert "hint: remove the file STOP" in done.stderr


@pytest.mark.parametrize("verb", ["purge", "nightly", "restore"])
def test_a_second_run_is_told_who_holds_the_lock(wb: Workbench, verb: str) -> None:
    """The first one is another process, and holds both evidence and store; nobody waits for the store first."""
    run_id = approved(wb)
    code = (
        "import fcntl, os, sys, duckdb\n"
        "lock = os.open(sys.argv[1] + '/evidence/.lock', os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "os.ftruncate(lock, 0)\n"
        "os.pwrite(lock, f'pid {os.getpid()} since 2026-08-01T01:00:00Z\\n'.encode(), 0)\n"
        "store = duckdb.connect(sys.argv[1] + '/data/lifecycle.duckdb')\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    call = {
        "purge": lambda: wb.purge(run_id),
        "nightly": lambda: wb.purge(as_of="today"),
        "restore": lambda: wb.restore_apply(),
    }[verb]
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code, str(wb.path)], stdin=pipe, stdout=pipe) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(Refused, match=f"held by process {first.pid} since 2026-08-01T01:00:00Z; nothing was done"):
            call()
        first.communicate()
    assert wb.purge(run_id).deleted == 2


def test_outside_the_main_thread_the_file_still_works(wb: Workbench) -> None:
    """Signals belong to the main thread; a run in another one must not fail because of that."""
    run_id, said = approved(wb), list[int]()
    thread = threading.Thread(target=lambda: said.append(wb.purge(run_id).deleted))
    thread.start()
    thread.join()
    assert said == [2]


def test_a_run_ends_when_its_time_is_over_and_goes_on_later(wb: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the intent it is refused (6), after it unfinished (9); more time finishes it, also by a nightly call."""
    run_id = approved(wb)
    before = rows(wb)
    with pytest.raises(Refused, match="nothing was begun") as early:
        wb.purge(run_id, max_runtime="0")
    assert "allow more time" in early.value.hint
    clock = {"now": 0.0}
    monkeypatch.setattr("lifecycle.workbench.stopping.time.monotonic", lambda: clock["now"])
    real = documents.intent

    def slowly(*args: Any) -> bytes:
        clock["now"] += 7200
        return real(*args)

    monkeypatch.setattr(documents, "intent", slowly)
    with pytest.raises(Incomplete, match="before anything was deleted; it has begun and is not finished"):
        wb.purge(run_id, max_runtime="2h")
    assert rows(wb) == before
    assert wb.purge(run_id, max_runtime="3h").deleted == 2


def test_a_stop_between_the_intent_and_the_log_leaves_an_open_run(
    wb: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The intent is written, the log does not know it: nothing is deleted, and all verbs say that the run is open."""
    run_id, before, make = approved(wb), rows(wb), documents.intent

    def with_file(*args: Any) -> bytes:
        (wb.path / "STOP").touch()
        return make(*args)

    monkeypatch.setattr(documents, "intent", with_file)
    for call in (lambda: wb.purge(run_id), lambda: wb.purge(run_id), lambda: wb.purge(as_of="today")):
        with pytest.raises(Incomplete, match="before anything was deleted; it has begun") as stopped:
            call()
        assert stopped.value.hint.endswith(f"lifecycle purge {run_id}")
        assert begun(wb, run_id)
        assert not in_log(wb, run_id)
        assert rows(wb) == before
    with pytest.raises(StoreError, match="not finished, so nothing was read"):
        wb.ingest(wb.path / "lifecycle.toml")
    (wb.path / "STOP").unlink()
    assert wb.purge(run_id).deleted == 2
    assert wb.verify().outcome == "passed"


@pytest.mark.parametrize("text", ["", "soon", "-5", "1d", "2h30", "1.5h"])
def test_a_runtime_that_is_no_time_is_refused(wb: Workbench, text: str) -> None:
    """In words, with an example, before anything starts."""
    with pytest.raises(UsageError, match="no time") as refused:
        wb.purge(as_of="today", max_runtime=text)
    assert "90m" in refused.value.hint


def test_a_store_that_the_disk_has_no_room_for_is_not_rewritten(wb: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by doctor, refused (4) before anything is begun, with both numbers; with room the same call succeeds."""
    run_id = approved(wb)
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real(path)._replace(free=1 << 20))
    assert "little-space" in {one.check for one in wb.doctor().findings if one.outcome == "failed"}
    with pytest.raises(StoreError, match=r"1 MB free; rewriting the store needs \d+ MB"):
        wb.purge(run_id)
    assert not in_log(wb, run_id)
    monkeypatch.setattr(shutil, "disk_usage", real)
    assert wb.purge(run_id).deleted == 2
