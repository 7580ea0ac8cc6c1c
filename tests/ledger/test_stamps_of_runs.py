"""Time stamps as the nightly job asks for them: whatever becomes of a stamp, the run is sealed and says so."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lifecycle.errors import EvidenceError
from lifecycle.ledger import run_ids, stamps
from lifecycle.settings import FILE_NAME
from lifecycle.workbench import Workbench

pytestmark = pytest.mark.slow

Told = Callable[..., Workbench]


@pytest.fixture
def told(tmp_path: Path, authority) -> Told:
    """A workspace that has been told of an authority, at its own address or another, with its own CA or another."""
    path = Workbench.init(tmp_path / "workspace").path
    text = (path / FILE_NAME).read_text()

    def bench(url: str = authority[0], ca: object = authority[1], **more: object) -> Workbench:
        told = text.replace('timestamp_ca = ""', f'timestamp_ca = "{ca}"', 1)
        (path / FILE_NAME).write_text(told.replace('timestamp_url = ""', f'timestamp_url = "{url}"', 1))
        return Workbench.open(path, **more)

    return bench


def waits(wb: Workbench) -> tuple[int, str]:
    """How many stamps doctor says are waiting, and why."""
    said, name = wb.doctor(), "stamps-waiting"
    return sum(one.count for one in said.findings if one.check == name), said.details.get(name, "")


def stamped(wb: Workbench) -> int:
    return len(list(wb.path.glob("evidence*/runs/*/*.tsr")))


@pytest.mark.parametrize("answers", [True, False])
def test_the_nightly_job_asks_by_itself(told: Told, answers: bool) -> None:
    """Sealed either way; without an answer `doctor` says how many wait, and the next night gets both stamps."""
    first = told() if answers else told("http://127.0.0.1:1")
    assert first.purge(as_of="today").outcome == "sealed"
    assert waits(first)[0] == (not answers)
    again = told()
    again.purge(as_of="today")
    assert stamped(again) == 2
    assert again.verify().outcome.value == "passed"
    stamp = next(again.path.glob("evidence/runs/*/*.tsr"))
    stamp.write_bytes(stamp.read_bytes()[:-1])
    assert again.verify().outcome.value == "failed"


def test_doctor_says_why_a_stamp_did_not_come(told: Told, tsa: ModuleType, tmp_path: Path, monkeypatch) -> None:
    """Nobody there, somebody else's authority, no file that vouches, no openssl: each is mended elsewhere."""
    tsa.make(tmp_path / "foreign")
    assert waits(told()) == (0, "")
    for wb, why in (
        (told("http://127.0.0.1:1"), "the authority could not be reached, or did not answer in time"),
        (told(ca=tmp_path / "foreign/ca.pem"), "no stamp that timestamp_ca vouches for"),
        (told(ca=tmp_path / "none.pem"), "timestamp_ca is not a file"),
    ):
        wb.purge(as_of="today")
        assert why in waits(wb)[1]
        assert waits(wb)[1].endswith("the next run asks again")
    with monkeypatch.context() as patch:
        patch.setattr(stamps, "_openssl", _no_openssl)
        told().purge(as_of="today")
    assert waits(told()) == (
        4,
        "the last run did not get it: openssl is missing or did not work; the next run asks again",
    )
    (told().path / "reports/stamps.json").unlink()
    assert waits(told()) == (4, "the next run asks for them")
    told().purge(as_of="today")
    assert waits(told()) == (0, "")


def _no_openssl(*_: str) -> bool:
    raise stamps.NoStamp(stamps.NO_OPENSSL)


def test_a_stamp_that_cannot_be_written_waits(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full, or somebody else took the evidence meanwhile: the run is sealed and says so."""
    wb, rename = told(), os.rename

    def full(path: Path, to: Path) -> None:
        if Path(to).name == run_ids.STAMP:
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(path, to)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", full)
        assert wb.purge(as_of="today").exit_code == 0
    assert waits(wb)[0] == 1
    assert "No space left on device" in waits(wb)[1]
    with monkeypatch.context() as patch:
        patch.setattr(stamps, "TemporaryDirectory", _full)
        assert wb.purge(as_of="today").exit_code == 0
    assert "a temporary file could not be written (No space left on device)" in waits(wb)[1]
    stamp_of = stamps.stamp_of

    def slow(*words: Any) -> bytes:
        held.enter_context(wb._workspace.ledger().locked())
        return stamp_of(*words)

    with monkeypatch.context() as patch, ExitStack() as held:
        patch.setattr(stamps, "stamp_of", slow)
        assert wb.purge(as_of="today").exit_code == 0
    assert "held by process" in waits(wb)[1]
    wb.purge(as_of="today")
    assert (waits(wb)[0], stamped(wb), wb.verify().outcome.value) == (0, 4, "passed")


def _full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_run_of_a_closed_year_gets_its_stamp_late(told: Told) -> None:
    """Asked for across New Year, written beside the proof and nowhere else; a cut-off write leaves nothing."""
    last_year = told("http://127.0.0.1:1", now=lambda: datetime(2024, 12, 30, tzinfo=UTC))
    runs = [last_year.purge(as_of="today").run_id for _ in range(2)]
    new_year = told("http://127.0.0.1:1", now=lambda: datetime(2025, 1, 2, tzinfo=UTC))
    new_year.purge(as_of="today")
    assert waits(new_year)[0] == 3
    closed = new_year.path / "evidence-2024/runs"
    assert sorted(path.name for path in closed.iterdir()) == runs
    (closed / runs[0] / f".tmp-{run_ids.STAMP}").write_bytes(b"cut off")
    new_year.purge(as_of="today")
    assert new_year.verify().outcome.value == "passed"
    again = told(now=lambda: datetime(2025, 1, 3, tzinfo=UTC))
    again.purge(as_of="today")
    assert (waits(again)[0], stamped(again), again.verify().outcome.value) == (0, 5, "passed")
    with pytest.raises(EvidenceError, match="closed year"):
        again._workspace.ledger().write_once(runs[0], "2-approval.json", b"{}")


@pytest.mark.parametrize("by", ["SIGTERM", "SIGINT", "STOP"])
def test_a_stop_while_stamps_are_asked_for_leaves_the_result(told: Told, by: str, trickling: str) -> None:
    """The run is sealed: exit code 0 and the whole result on standard output, within a second or two."""
    path = told(trickling).path
    call = [sys.executable, "-c", _PATIENT, "--workspace", str(path), "purge", "--as-of", "today", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(call, stdout=pipe, stderr=pipe, start_new_session=True) as purge:
        until = time.monotonic() + 60
        while not list(path.glob("evidence/runs/*/6-record.json.tlog-proof")) and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(1)
        before = time.monotonic()
        if by == "STOP":
            (path / "STOP").touch()
        else:
            os.killpg(purge.pid, signal.Signals[by])
        said = json.loads(purge.communicate(timeout=60)[0])
        assert time.monotonic() - before < 10
    assert (purge.returncode, said["outcome"]) == (0, "sealed")
    count, why = waits(told(trickling))
    assert (count, "it was stopped" in why) == (1, True)


_PATIENT = """
from lifecycle.cli import main
from lifecycle.ledger import run_ids, stamps
stamps.SECONDS = stamps.SECONDS_IN_ALL = 50
main()
"""
