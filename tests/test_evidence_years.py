"""One log a year: closed when its year is over, named by its successor, dropped whole, and never lost in between."""

from __future__ import annotations

import json
import os
import shutil
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lifecycle.errors import EvidenceError, Refused
from lifecycle.ledger import verify
from lifecycle.ledger.evidence import EvidenceLedger
from lifecycle.ledger.keys import Signer
from lifecycle.ledger.log import Log
from lifecycle.ledger.years import Years, chain
from lifecycle.workbench import Workbench

pytestmark = pytest.mark.slow

ORIGIN = "clinic.example.org/lifecycle"
BERLIN = ZoneInfo("Europe/Berlin")


class House:
    """Evidence and keys in a folder, with a clock that can be set."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = datetime(2026, 10, 1, 1, tzinfo=UTC)
        self.keep_years = 3
        self.doubted = False
        if not (root / "keys").exists():
            EvidenceLedger.create(self.evidence, root / "keys", ORIGIN, self.now)

    @property
    def evidence(self) -> Path:
        return self.root / "evidence"

    def now(self) -> datetime:
        return self.clock

    def ledger(self) -> EvidenceLedger:
        return EvidenceLedger.open(self.evidence, self.root / "keys", ORIGIN, self.now)

    def years(self) -> Years:
        return Years(
            self.evidence,
            lambda path: EvidenceLedger.open(path, self.root / "keys", ORIGIN, self.now),
            lambda path: EvidenceLedger.create(path, self.root / "keys", ORIGIN, self.now),
            now=self.now,
            zone=BERLIN,
            keep_years=self.keep_years,
            plan_days=7,
            doubted=lambda: self.doubted,
        )

    def put(self, run: str, name: str, thing: Any) -> bytes:
        data = json.dumps(thing, indent=2).encode()
        self.ledger().write_once(run, name, data)
        return data

    def leaf(self, run: str, name: str, subjects: dict[str, bytes], said: dict[str, Any]) -> bytes:
        statement = {
            "subject": [{"name": n, "digest": {"sha256": sha256(d).hexdigest()}} for n, d in subjects.items()],
            "predicateType": "urn:lifecycle:deletion-run:v1",
            "predicate": {"runId": run, "recordedAt": self.clock.isoformat(), **said},
        }
        data = self.put(run, name, statement)
        self.ledger().append(data)
        return data

    def plan(self, run: str = "") -> str:
        run = run or self.ledger().new_run_id(self.clock.date())
        self.put(run, "1-plan.json", {"runId": run, "count": 0, "stores": [], "plannedAt": self.clock.isoformat()})
        return run

    def intend(self, run: str) -> None:
        plan = self.ledger().read(run, "1-plan.json")
        self.leaf(run, "3-intent.json", {"1-plan.json": plan}, {"event": "intent", "count": 0})

    def seal(self, run: str) -> None:
        files = {name: self.ledger().read(run, name) for name in ("1-plan.json", "3-intent.json")}
        counts = dict.fromkeys(("before", "due", "deleted", "held", "failed", "retained"), 0)
        said = {"event": "sealed", "counts": counts, "checks": {}, "erasure": "none", "residuals": []}
        self.leaf(run, "6-record.json", files, said)
        self.ledger().write_proof(run, "6-record.json")

    def night(self, **passed: float) -> str:
        """A run with nothing due."""
        self.clock += timedelta(**passed)
        run = self.plan()
        self.intend(run)
        self.seal(run)
        return run

    def to(self, *day: int) -> None:
        self.clock = datetime(*day, tzinfo=UTC)  # type: ignore[arg-type]

    def logs(self) -> list[str]:
        return sorted(path.name for path in self.root.iterdir() if path.name.startswith("evidence"))

    def wrong(self) -> set[str]:
        """Every log verifies, and each ends as its successor says; gives the checks that do not."""
        key = (self.evidence / "log.vkey").read_text()
        found = verify.verify(self.evidence, key)
        for _, folder, size, root in chain(self.evidence, ORIGIN):
            found += verify.verify(folder, (folder / "log.vkey").read_text(), (size, root))
            found.append(("size", "passed" if Log(folder, ORIGIN).checkpoint().size == size else "failed"))
        return {name for name, outcome in found if outcome != "passed"}

    def is_sound(self) -> bool:
        return not self.wrong()


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A new house on 1 October 2026."""
    (tmp_path / "house").mkdir()
    return House(tmp_path / "house")


def test_a_log_is_closed_when_its_year_is_over(house: House) -> None:
    """Beside it, whole; the first leaf of the next one names its size and root."""
    run = house.night()
    last = house.ledger().checkpoint()
    house.to(2027, 1, 1, 1)
    assert house.years().turn() == (2026, [])
    assert house.logs() == ["evidence", "evidence-2026"]
    opened = json.loads((house.evidence / "keys-log/log-opened.json").read_bytes())["predicate"]
    assert opened["previous"] == {"year": 2026, "size": last.size, "root": last.root}
    assert house.ledger().append((house.evidence / "keys-log/log-opened.json").read_bytes()) == 0
    assert house.is_sound()
    assert house.years().turn() == (None, [])
    assert house.ledger().runs() == (run,)


def test_a_year_begins_in_the_zone_of_the_workspace(house: House) -> None:
    """Half past eleven at night in Greenwich is the next year in Berlin."""
    house.night()
    house.to(2026, 12, 31, 22, 59)
    assert house.years().turn() == (None, [])
    house.to(2026, 12, 31, 23, 0)
    assert house.years().turn() == (2026, [])


def test_an_empty_log_has_no_year_to_close(house: House) -> None:
    """Nothing was ever recorded in it."""
    house.to(2031, 1, 1)
    assert house.years().turn() == (None, [])


def test_a_run_never_straddles_two_logs(house: House) -> None:
    """Open, or planned and still to be approved: the year waits; a plan that nobody may approve any more does not."""
    house.night()
    house.to(2026, 12, 31, 20)
    run = house.plan()
    house.to(2027, 1, 2)
    assert house.years().turn() == (None, [])
    house.intend(run)
    house.to(2027, 3, 1)
    assert house.years().turn() == (None, [])
    house.seal(run)
    house.plan()
    assert house.years().turn() == (None, [])
    house.to(2027, 3, 9)
    assert house.years().turn() == (2026, [])
    assert house.is_sound()


def test_runs_of_closed_years_can_be_read_and_not_written(house: House, tmp_path: Path) -> None:
    """The list of runs has no gap; their leaves are not appended again, their names not given again."""
    old = house.night()
    house.to(2027, 1, 5)
    house.years().turn()
    new = house.night()
    ledger = house.ledger()
    assert ledger.runs() == (old, new)
    record = ledger.read(old, "6-record.json")
    assert ledger.contains(record)
    assert not ledger.log.contains(record)
    size = ledger.checkpoint().size
    ledger.append(record)
    ledger.write_once(old, "6-record.json", record)
    ledger.write_proof(old, "6-record.json")
    assert ledger.checkpoint().size == size
    with pytest.raises(EvidenceError, match="closed year"):
        ledger.write_once(old, "2-approval.json", b"{}")
    assert ledger.new_run_id(datetime(2026, 10, 1, tzinfo=UTC).date()) == "2026-10-01-b"
    assert house.is_sound()


def test_a_key_of_a_closed_year_is_destroyed_in_the_log_of_today(house: House) -> None:
    """The closed log does not change; the statement names the plan by its digest."""
    run = house.ledger().new_run_id(house.clock.date())
    house.ledger().tombstone_key(run, create=True)
    house.plan(run)
    house.intend(run)
    house.seal(run)
    house.to(2027, 1, 5)
    house.years().turn()
    house.ledger().destroy_tombstone_key(run)
    house.ledger().destroy_tombstone_key(run)
    said = json.loads((house.evidence / f"keys-log/tombstone-{run}.json").read_bytes())["predicate"]
    plan = sha256(house.ledger().read(run, "1-plan.json")).hexdigest()
    assert (said["closedLog"], said["planSha256"]) == (2026, plan)
    assert house.is_sound()


def test_a_log_is_dropped_after_the_third_calendar_year(house: House) -> None:
    """The day before it stays; then a leaf names what is dropped, and the chain is whole without it."""
    first = house.night()
    for year in (2027, 2028, 2029):
        house.to(year, 1, 2)
        assert house.years().turn() == (year - 1, [])
        house.night()
    house.to(2029, 12, 31, 12)
    house.night()
    assert house.years().turn() == (None, [])
    house.to(2030, 1, 1, 12)
    assert house.years().turn() == (2029, [])
    assert "evidence-2026" in house.logs()
    last = Log(house.root / "evidence-2026", ORIGIN).checkpoint()
    house.night()
    assert house.years().turn() == (None, [2026])
    assert house.logs() == ["evidence", "evidence-2027", "evidence-2028", "evidence-2029"]
    said = json.loads((house.evidence / "keys-log/log-dropped-2026.json").read_bytes())["predicate"]
    assert said["dropped"] == {"year": 2026, "size": last.size, "root": last.root}
    assert house.is_sound()
    assert [year for year, *_ in chain(house.evidence, ORIGIN)] == [2029, 2028, 2027]
    assert house.ledger().is_dropped(first)
    assert not house.ledger().is_dropped("2027-01-04-a")


def test_a_run_of_the_new_year_in_the_old_log_is_dropped_with_it(house: House) -> None:
    """The year was over and its log waited: whoever asks for that run later does not miss any evidence."""
    house.night()
    house.doubted = True
    house.to(2027, 1, 20)
    assert house.years().turn() == (None, [])
    run = house.night(hours=1)
    house.doubted = False
    assert house.years().turn() == (2026, [])
    assert not house.ledger().is_dropped(run)
    house.to(2030, 1, 2)
    house.years().turn()
    house.night()
    assert house.years().turn() == (None, [2026])
    assert house.ledger().is_dropped(run)


def test_a_clock_that_jumped_drops_nothing(house: House) -> None:
    """Until a run is recorded under it, which a standing approval refuses."""
    house.night()
    house.to(2027, 1, 2)
    house.years().turn()
    house.night()
    house.to(2044, 1, 1)
    assert house.years().turn() == (2027, [])
    assert house.years().turn() == (None, [])
    assert "evidence-2026" in house.logs()


def test_an_open_run_that_ends_under_a_clock_that_jumped_drops_nothing(house: House) -> None:
    """It is finished whatever the clock says, and vouches for the day on which it began."""
    house.night()
    house.to(2027, 1, 2)
    house.years().turn()
    run = house.plan()
    house.intend(run)
    house.to(2044, 1, 1)
    house.seal(run)
    house.doubted = True
    assert house.years().turn() == (None, [])
    house.doubted = False
    assert house.years().turn() == (2027, [])
    assert "evidence-2026" in house.logs()


def test_a_clock_in_doubt_closes_no_year(house: House) -> None:
    """What it would open could not be taken back; believed again, the year is closed."""
    house.night()
    house.to(2028, 1, 2)
    house.doubted = True
    assert house.years().turn() == (None, [])
    assert house.logs() == ["evidence"]
    house.doubted = False
    assert house.years().turn() == (2026, [])
    assert house.is_sound()


def test_a_living_tombstone_key_keeps_its_log(house: House) -> None:
    """A restored backup may still need it."""
    run = house.night()
    house.to(2027, 1, 2)
    house.years().turn()
    (house.root / f"keys/tombstone-{run}.key").write_bytes(bytes(32))
    (house.root / f"keys/tombstone-{run}.key").chmod(0o600)
    house.to(2030, 1, 2)
    house.years().turn()
    house.night()
    assert house.years().turn() == (None, [])
    (house.root / f"keys/tombstone-{run}.key").unlink()
    assert house.years().turn() == (None, [2026])


def test_the_next_log_goes_on_with_a_changed_key(house: House) -> None:
    """The closed log ends with the key that the new one begins with."""
    house.night()
    key = house.ledger().rotate_signing_key()
    house.to(2027, 1, 2)
    house.years().turn()
    assert (house.evidence / "log.vkey").read_text().strip() == key
    assert house.is_sound()


def test_a_folder_in_the_way_is_named(house: House) -> None:
    """Nothing is overwritten."""
    house.night()
    (house.root / "evidence-2026").mkdir()
    house.to(2027, 1, 2)
    with pytest.raises(EvidenceError):
        house.years().turn()
    assert (house.evidence / "checkpoint").exists()


def test_whoever_waited_for_the_old_folder_is_refused(house: House) -> None:
    """A lock that was taken on a folder that has been closed meanwhile is none."""
    house.night()
    ledger = house.ledger()
    real = os.open

    def slow(path, *args, **kwargs):
        handle = real(path, *args, **kwargs)
        if str(path).endswith("evidence/.lock") and not (house.root / "evidence-2026").exists():
            os.rename(house.evidence, house.root / "evidence-2026")
            shutil.copytree(house.root / "evidence-2026", house.evidence)
        return handle

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", slow)
        with pytest.raises(Refused), ledger.locked():
            pass


# --- crashes ---------------------------------------------------------------------------------------


class PowerOff(BaseException):
    """Nothing that catches errors catches this."""


def cut_off(stop: int, act: Callable[[], object]) -> bool:
    """Do it, and end before the call with this number; tells whether it ended by itself."""
    calls = 0

    def watched(real):
        def call(*args, **kwargs):
            nonlocal calls
            if calls == stop:
                raise PowerOff
            calls += 1
            return real(*args, **kwargs)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("write", "fsync", "rename", "mkdir", "unlink", "rmdir"):
            patch.setattr(os, name, watched(getattr(os, name)))
        try:
            act()
        except PowerOff:
            return False
    return True


def every_stop(house: House, step: int, result: list[str], most: int) -> int:
    """Turn the year, killed at every ``step``-th call; look before and after the same call goes on."""
    whole = house.root.with_name("whole")
    shutil.copytree(house.root, whole)
    runs = house.ledger().runs()
    for stop in range(0, most, step):
        shutil.rmtree(house.root)
        shutil.copytree(whole, house.root)
        done = cut_off(stop, lambda: house.years().turn())
        assert set(house.ledger().runs()) <= set(runs), stop
        assert house.wrong() <= {"nothing foreign", "files"}, stop
        house.ledger().append(b'{"subject": [], "predicate": {"event": "note"}}')
        shutil.rmtree(house.root)
        shutil.copytree(whole, house.root)
        cut_off(stop, lambda: house.years().turn())
        house.years().turn()
        assert house.logs() == result, stop
        assert house.is_sound(), stop
        if done:
            return stop
    raise AssertionError("it never ended by itself")


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_closing_survives_a_kill_at_every_call(house: House, step: int) -> None:
    """The log can be opened and grows wherever it was cut off; the same call ends with both logs, whole."""
    house.night()
    house.to(2027, 1, 2)
    assert every_stop(house, step, ["evidence", "evidence-2026"], 200) > 40


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_dropping_survives_a_kill_at_every_call(house: House, step: int) -> None:
    """Wherever it was cut off, nothing is gone that no leaf speaks of, and the same call drops the rest."""
    house.night()
    house.to(2027, 1, 2)
    house.years().turn()
    house.night()
    house.keep_years = 2
    house.to(2029, 1, 2)
    house.years().turn()
    house.night()
    assert every_stop(house, step, ["evidence", "evidence-2027"], 200) > 20


def test_between_the_two_renames_whoever_comes_next_finishes(house: House) -> None:
    """There is no evidence folder then, only the closed one and the coming one."""
    house.night()
    house.to(2027, 1, 2)
    house.years().turn()
    (house.root / "evidence").rename(house.root / "evidence-next")
    assert house.ledger().checkpoint().size == 1
    assert house.is_sound()


# --- the workbench ---------------------------------------------------------------------------------


@pytest.fixture
def walked(tmp_path: Path) -> tuple[Workbench, list[datetime]]:
    """A workspace that planned and sealed a night in 2026 and one in 2027."""
    clock = [datetime(2026, 12, 30, 2, tzinfo=UTC)]
    bench = Workbench.init(tmp_path / "workspace", now=lambda: clock[0])
    bench.purge(as_of="2026-12-30")
    clock[0] = datetime(2027, 1, 2, 2, tzinfo=UTC)
    bench.purge(as_of="2027-01-02")
    return bench, clock


def test_the_nightly_job_turns_the_year_by_itself(walked) -> None:
    """And verify walks all years."""
    bench, _ = walked
    assert (bench.path / "evidence-2026/checkpoint").exists()
    found = bench.verify()
    assert {check.name: check.outcome.value for check in found.checks}["log of 2026"] == "passed"
    assert found.outcome.value == "passed"
    assert bench.doctor()


@pytest.mark.parametrize(
    "path",
    [
        "evidence-2026/checkpoint",
        "evidence-2026/log.vkey",
        "evidence-2026/schema-version",
        "evidence-2026/runs/2026-12-30-a/6-record.json",
        "evidence/keys-log/log-opened.json",
    ],
)
def test_a_changed_or_missing_file_of_a_closed_year_is_found(walked, path: str) -> None:
    """One bit, an end cut off, gone."""
    bench, _ = walked
    whole = (bench.path / path).read_bytes()
    for bent in (whole[:20] + bytes([whole[20] ^ 1]) + whole[21:] if len(whole) > 20 else b"2\n", whole[:-1], None):
        (bench.path / path).unlink()
        if bent is not None:
            (bench.path / path).write_bytes(bent)
        assert bench.verify().outcome.value == "failed"
        (bench.path / path).write_bytes(whole)
    assert bench.verify().outcome.value == "passed"


def test_a_closed_log_that_is_gone_grew_or_is_of_no_chain_is_found(walked) -> None:
    """Whole and signed by the right key, but not the end that its successor names."""
    bench, _ = walked
    closed = bench.path / "evidence-2026"
    (bench.path / "aside").mkdir()
    seed = (bench.path / "keys/log.seed").read_bytes()
    closed.rename(bench.path / "aside/evidence")
    assert bench.verify().outcome.value == "failed"
    shutil.copytree(bench.path / "aside/evidence", closed)
    origin = (closed / "checkpoint").read_text().split("\n")[0]
    grown = EvidenceLedger.open(closed, bench.path / "keys", origin)
    grown.rotate_signing_key()
    assert bench.verify().outcome.value == "failed"
    shutil.rmtree(closed)
    shutil.copytree(bench.path / "aside/evidence", closed)
    (bench.path / "keys/log.seed").write_bytes(seed)
    assert bench.verify().outcome.value == "passed"
    shutil.copytree(closed, bench.path / "evidence-2019")
    assert "years" in [check.name for check in bench.verify().checks if check.outcome.value == "failed"]


def test_a_checkpoint_kept_last_year_is_good_this_year(walked) -> None:
    """Of any size: the closed log goes on from it, and the chain from the closed log. One that fits no log is not."""
    bench, _ = walked
    steps = {}
    for folder in ("evidence-2026", "evidence"):
        log = bench.path / folder
        tree = Log(log, (log / "checkpoint").read_text().split("\n")[0]).load().tree
        for size in range(1, len(tree) + 1):
            found = bench.verify(size=size, root=b64encode(tree.root(size)).decode())
            assert found.outcome.value == "passed"
            steps[folder, size] = {check.detail for check in found.checks if check.name == "log of 2026"}
            for other in (b64encode(bytes(32)).decode(), b64encode(tree.root(size - 1)).decode()):
                wrong = bench.verify(size=size, root=other)
                bad = [check.detail for check in wrong.checks if check.outcome.value == "failed"]
                assert bad == ["this log does not go on from the checkpoint that you kept"]
    assert len(steps) > 4
    for (folder, _), details in steps.items():
        assert details == {"it goes on from the checkpoint that you kept" if folder == "evidence-2026" else ""}


def test_a_kept_checkpoint_does_not_excuse_a_broken_chain(walked) -> None:
    """It fits the closed log, and today's does not go on from that one, or cannot be read at all."""
    bench, _ = walked
    closed = bench.path / "evidence-2026"
    size, root = (closed / "checkpoint").read_text().split("\n")[1:3]
    EvidenceLedger.open(closed, bench.path / "keys", (closed / "checkpoint").read_text().split("\n")[0]).append(b"{}")
    found = bench.verify(size=int(size), root=root)
    assert [check.name for check in found.checks if check.outcome.value == "failed"] == ["log of 2026"]
    (bench.path / "evidence/checkpoint").write_text("no checkpoint")
    assert bench.verify(size=int(size), root=root).outcome.value == "failed"


def test_a_signer_shows_nothing() -> None:
    """The seed is not in its repr."""
    assert "seed" not in repr(Signer(ORIGIN, bytes(32)))
