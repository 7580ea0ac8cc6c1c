"""A sample of each campaign against the real product; ``make crash`` runs them whole.

Where strace, root or loop devices are missing a campaign is skipped and says so; the build server must have strace.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from campaigns import bits, faults, kill, power, taking_in
from campaigns.process import Point, need_strace, struck
from campaigns.promises import look, need_finished
from campaigns.scene import Broken, Scene, call
from campaigns.tally import Tally

pytestmark = pytest.mark.slow


def need(missing: str, *, strict: bool) -> None:
    """Skip loudly; on the build server fail, where the packages of ``make debian`` are enough."""
    if missing and strict and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(f"NOT SHOWN HERE: {missing}")


def passed(tally: Tally, at_least: int) -> None:
    assert tally.broken == []
    assert tally.skipped == ""
    assert tally.cases >= at_least
    print(tally.described())


def test_a_run_killed_twice_goes_on(scene: Scene, tmp_path: Path) -> None:
    """At every twentieth named point and twice at random."""
    need(need_strace(), strict=True)
    passed(kill.campaign(scene, tmp_path, every=20, at_random=2, seed=7), 6)


def test_a_run_survives_a_power_cut_on_a_real_file_system(scene: Scene, tmp_path: Path) -> None:
    """ext4 on two loop devices, shut down by ioctl."""
    need(power.unavailable(), strict=False)
    passed(power.campaign(scene, tmp_path, every=25, at_random=1, seed=7), 4)


def test_disks_that_lie_about_fsync_are_seen(scene: Scene, tmp_path: Path) -> None:
    """The mutant: no fsync at all. A run that was reported as sealed is gone after the cut, and that is noticed."""
    need(power.unavailable(), strict=False)
    with pytest.raises(Broken, match="not sealed"):
        power.cut_during(tmp_path, scene, float("inf"), power.NO_LOG_FLUSH, lying=True)


def test_a_failing_call_ends_in_a_sentence(scene: Scene, tmp_path: Path) -> None:
    """Every fortieth call and error."""
    need(need_strace(), strict=True)
    passed(faults.campaign(scene, tmp_path, every=40, seed=7), 5)


def test_a_broken_off_ingest_stores_all_of_a_file_or_none(scene: Scene, tmp_path: Path) -> None:
    """Every twelfth kill or failing call, and a file on a disk that cannot be read to its end."""
    need(need_strace(), strict=True)
    passed(taking_in.campaign(scene, tmp_path, every=12, seed=7), 4)


@pytest.mark.parametrize("name", ["later.ndjson", "later.csv"])
def test_an_input_that_cannot_be_read_to_its_end_is_refused_whole(scene: Scene, tmp_path: Path, name: str) -> None:
    """The other file goes on, and the exit code is that of a source."""
    need(need_strace(), strict=True)
    with_older, files = taking_in.prepared(scene, tmp_path)
    path = with_older.copy(tmp_path / "workspace")
    ended, hit = struck(path, Point("read", str(tmp_path / name), 2), "error=EIO", *files.verb)
    assert hit
    assert ended.code == 3
    assert "cannot be read to its end: Input/output error." in ended.err
    assert taking_in.look_in(path, files) == {"later.ndjson": "the second", "later.csv": "the first"}[name]


@pytest.mark.parametrize(
    ("name", "code"),
    [("evidence/runs/{run}/.tmp-3-intent.json", 6), ("evidence/runs/{run}/.tmp-4-deleted.json", 9)],
)
def test_a_full_disk_ends_with_6_before_the_intent_and_with_9_after(
    scene: Scene, tmp_path: Path, name: str, code: int
) -> None:
    """The exit code says whether something was begun, not which file was being written."""
    need(need_strace(), strict=True)
    path = scene.copy(tmp_path / "workspace")
    point = Point("write", name.format(run=scene.run_id), 1)
    ended, hit = struck(path, point, "error=ENOSPC", "purge", scene.run_id)
    assert hit
    assert ended.code == code
    assert "No space left on device" in ended.err


def test_edited_evidence_is_detected(scene: Scene, tmp_path: Path) -> None:
    """One of two hundred changes of each kind, every removal and every addition."""
    passed(bits.campaign(scene, tmp_path, every=200, seed=7), 100)


# --- the promises themselves can be broken ----------------------------------------------------------


def without_a_row(path: Path) -> None:
    _in_store(path, "DELETE FROM events WHERE rowid = (SELECT max(rowid) FROM events)")


def without_a_hold(path: Path) -> None:
    _in_store(path, "DELETE FROM _holds WHERE number = 1")


def with_a_marker_alone(path: Path) -> None:
    run_id = max(each.name for each in (path / "evidence/runs").iterdir())
    _in_store(path, f"INSERT INTO _deletion_runs SELECT '{run_id}', * EXCLUDE run_id FROM _deletion_runs LIMIT 1")


def with_a_changed_plan(path: Path) -> None:
    plan = min((path / "evidence/runs").iterdir()) / "1-plan.json"
    plan.write_bytes(plan.read_bytes() + b"\n")


def _in_store(path: Path, statement: str) -> None:
    with duckdb.connect(str(path / "data/lifecycle.duckdb")) as db:
        db.execute(statement)


@pytest.mark.parametrize("change", [without_a_row, without_a_hold, with_a_marker_alone, with_a_changed_plan])
def test_a_broken_promise_is_noticed(scene: Scene, tmp_path: Path, change: Callable[[Path], None]) -> None:
    """What the campaigns look at is really looked at."""
    path = scene.copy(tmp_path / "workspace")
    assert look(path, scene) == "approved"
    change(path)
    with pytest.raises(Broken):
        look(path, scene)


def test_a_value_that_is_left_anywhere_is_noticed(scene: Scene, tmp_path: Path) -> None:
    """A copy of the old store under another name is enough."""
    path = scene.copy(tmp_path / "workspace")
    shutil.copy(path / "data/lifecycle.duckdb", tmp_path / "old")
    call(path, "purge", scene.run_id)
    need_finished(path, scene)
    shutil.copy(tmp_path / "old", path / "reports/old.html")
    with pytest.raises(Broken, match=r"stand in reports/old\.html"):
        need_finished(path, scene)
