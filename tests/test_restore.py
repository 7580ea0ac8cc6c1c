"""After a backup came back: what is overdue and what had been erased before goes again; keys die on schedule."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lifecycle.deletion import documents as doc
from lifecycle.errors import EvidenceError, FindingsFailed, Incomplete, Refused, UsageError
from lifecycle.stores.embedded import returned
from lifecycle.workbench import Workbench
from lifecycle.workbench.stopping import StopSwitch

pytestmark = pytest.mark.slow

START = datetime(2026, 8, 1, 1, tzinfo=UTC)


class Clinic:
    """A workspace whose clock stands until somebody moves it, with a copy of its store in a drawer."""

    def __init__(self, folder: Path) -> None:
        self.clock = START
        self.path = folder / "clinic"
        self.wb = Workbench.init(self.path, name="Made-up clinic", now=lambda: self.clock)
        self.store = self.path / "data" / "lifecycle.duckdb"
        self.drawer = folder / "backup.duckdb"
        self.inbox = folder / "inbox"
        self.inbox.mkdir()

    def book(self, *days_ago: int, first: int = 1) -> None:
        """Store one appointment for each number: it ended so many days before the clock's day."""
        lines = [self._line(first + at, self.clock - timedelta(days=days)) for at, days in enumerate(days_ago)]
        path = self.inbox / f"export-{first}-{self.clock:%Y%m%d}.ndjson"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.wb.ingest(path, as_of=(self.clock - timedelta(days=200)).date(), consume=True).raise_if_failed()

    def _line(self, number: int, ends: datetime) -> dict[str, Any]:
        return {
            "appointment_uid": f"uid-of-visit-{number:05d}",
            "first_name": f"Erika{number:05d}",
            "last_name": f"Musterfrau{number:05d}",
            "email": f"erika{number:05d}@example.org",
            "starts_at": (ends - timedelta(minutes=30)).isoformat(),
            "ends_at": ends.isoformat(),
            "booked_at": (ends - timedelta(days=20)).isoformat(),
        }

    def purge(self) -> Any:
        plan = self.wb.plan("today")
        self.wb.approve(plan.run_id, "controller")
        return self.wb.purge(plan.run_id)

    def look(self) -> None:
        """After more than a week nobody believes the clock but a person, who orders a run with nothing due."""
        self.wb.purge(self.wb.plan("today").run_id)

    def back_up(self) -> None:
        shutil.copy(self.store, self.drawer)

    def bring_back(self) -> None:
        shutil.copy(self.drawer, self.store)

    def wait(self, days: float) -> None:
        self.clock += timedelta(days=days)

    def rule(self, period: int) -> None:
        """Change the period of both rules."""
        path = self.path / "lifecycle.toml"
        text = path.read_text()
        for old in (90, 60):
            text = text.replace(f'period = "P{old}D"', f'period = "P{period}D"')
        path.write_text(text)
        self.wb = Workbench.open(self.path, now=lambda: self.clock)

    def rows(self) -> int:
        return sum(one.before for one in self.wb.plan("today").stores)


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path)


@pytest.fixture
def restored(clinic: Clinic) -> Clinic:
    """Three rows were erased, two stayed; then the copy from before the run came back."""
    clinic.book(100, 95, 91, 10, 5)
    clinic.back_up()
    assert clinic.purge().deleted == 3
    clinic.wait(1)
    clinic.bring_back()
    return clinic


def test_a_store_that_was_not_restored_passes(clinic: Clinic) -> None:
    """Nothing due, nothing back, every run known."""
    clinic.book(100, 5)
    clinic.purge()
    seen = clinic.wb.restore_check()
    assert (seen.outcome, seen.overdue, seen.resurrected, seen.missing_runs) == ("passed", 0, 0, ())
    assert (seen.known_until, seen.asked) == (START.date(), ())
    assert clinic.wb.restore_check(every_key=True).asked == ("2026-08-01-a",)


def test_check_tells_how_old_the_store_is(restored: Clinic) -> None:
    """The run of which it knows nothing, and what the rule finds due in it."""
    seen = restored.wb.restore_check()
    assert (seen.outcome, seen.overdue, seen.resurrected) == ("failed", 3, 0)
    assert (seen.known_until, seen.missing_runs) == (None, ("2026-08-01-a",))
    assert (seen.at_least_days_old, seen.at_most_days_old) == (1, None)
    assert {"resurrected": 0, "overdue": 3}.items() <= seen.to_json().items()
    with pytest.raises(
        FindingsFailed, match="saved at least 1 days ago and does not know what was erased since: 2026-08-01-a"
    ):
        seen.raise_if_failed()


def test_a_store_older_than_a_run_of_today_is_not_said_to_be_no_days_old(clinic: Clinic) -> None:
    """Without an earlier run there is no other bound, and "at least 0 days ago" tells nobody anything."""
    clinic.book(100, 5)
    clinic.back_up()
    clinic.purge()
    clinic.bring_back()
    said = str(clinic.wb.restore_check().problem())
    assert "The store is an older one and does not know what was erased since: 2026-08-01-a. " in said
    assert "days ago" not in said


def test_check_tells_between_which_runs_the_store_was_saved(clinic: Clinic) -> None:
    """After the first, nine days ago, and before the second, six days ago."""
    clinic.book(100, 95)
    clinic.purge()
    clinic.wait(3)
    clinic.book(100, first=3)
    clinic.back_up()
    clinic.purge()
    clinic.wait(6)
    clinic.bring_back()
    seen = clinic.wb.restore_check()
    assert (seen.at_least_days_old, seen.at_most_days_old, seen.known_until) == (6, 9, START.date())
    assert "saved 6 to 9 days ago" in str(seen.problem())


def test_verify_fails_until_apply_and_passes_afterwards(restored: Clinic) -> None:
    """The record of the restore run, which names the runs that the store has lost, explains their missing markers."""
    assert restored.wb.verify().outcome == "failed"
    with pytest.raises(Refused, match="nobody approved") as refused:
        restored.wb.restore_apply()
    run_id = refused.value.hint.split(" ")[-3]
    assert restored.wb.verify().outcome == "failed"
    restored.wb.approve(run_id, "controller")
    done = restored.wb.restore_apply()
    assert (done.run_id, done.outcome, done.deleted, done.overdue, done.resurrected) == (run_id, "sealed", 3, 3, 0)
    assert set(done.checks.values()) == {"passed"}
    assert restored.wb.verify().outcome == "passed"
    assert restored.wb.restore_check().outcome == "passed"
    plan = json.loads((restored.path / "evidence/runs" / run_id / doc.PLAN).read_text())
    assert (plan["trigger"], plan["restsOn"], plan["missingMarkers"]) == ("restore", ["2026-08-01-a"], ["2026-08-01-a"])


def test_what_had_been_erased_goes_although_the_rule_has_become_longer(clinic: Clinic) -> None:
    """At 60 days two rows went; at 90 days they are not due, and only their tombstones know them."""
    clinic.rule(60)
    clinic.book(80, 70, 10)
    clinic.back_up()
    assert clinic.purge().deleted == 2
    clinic.wait(1)
    clinic.rule(90)
    clinic.bring_back()
    seen = clinic.wb.restore_check()
    assert (seen.overdue, seen.resurrected) == (0, 2)
    with pytest.raises(Refused) as refused:
        clinic.wb.restore_apply()
    clinic.wb.approve(refused.value.hint.split(" ")[-3], "controller")
    done = clinic.wb.restore_apply()
    assert (done.deleted, done.resurrected, done.retained) == (2, 2, 1)
    assert clinic.wb.verify().outcome == "passed"


def test_only_runs_that_can_have_come_back_are_asked(clinic: Clinic) -> None:
    """Those of which the store has lost the marker, until a restore run has asked them and nothing was held."""
    clinic.rule(60)
    clinic.book(80, 70, 10)
    clinic.back_up()
    clinic.purge()
    clinic.rule(90)
    assert clinic.wb.restore_check().asked == ()
    clinic.bring_back()
    assert clinic.wb.restore_check().asked == ("2026-08-01-a",)
    hold = clinic.wb.hold_add("uid-of-visit-00001", "legal-claims").holds[0].number
    with pytest.raises(Refused) as refused:
        clinic.wb.restore_apply()
    clinic.wb.approve(refused.value.hint.split(" ")[-3], "controller")
    assert clinic.wb.restore_apply().deleted == 1
    clinic.wb.hold_lift(hold)
    seen = clinic.wb.restore_check()
    assert (seen.asked, seen.resurrected, seen.missing_runs) == (("2026-08-01-a",), 1, ())
    with pytest.raises(Refused) as refused:
        clinic.wb.restore_apply()
    clinic.wb.approve(refused.value.hint.split(" ")[-3], "controller")
    assert clinic.wb.restore_apply().deleted == 1


def test_a_key_is_asked_once_for_all_looks_and_anew_for_the_erasure(clinic: Clinic, monkeypatch) -> None:
    """Check and plan look at one file; what erases and what verifies rests on nobody's memory; another file is seen."""
    clinic.rule(60)
    clinic.book(80, 70, 10)
    clinic.back_up()
    clinic.purge()
    clinic.rule(90)
    clinic.bring_back()
    asked: list[bool] = []
    real = returned.choose
    monkeypatch.setattr(returned, "choose", lambda db, limits: (asked.append(_any_key(limits)), real(db, limits))[1])
    with pytest.raises(Refused) as refused:
        clinic.wb.restore_apply()
    assert sum(asked) == 1
    assert clinic.wb.restore_check().resurrected == 2
    assert sum(asked) == 1
    clinic.wb.approve(refused.value.hint.split(" ")[-3], "controller")
    assert clinic.wb.restore_apply().deleted == 2
    assert sum(asked) == 3
    clinic.bring_back()
    assert clinic.wb.restore_check().resurrected == 2


def _any_key(limits: Any) -> bool:
    return any(each.erased_by for each in limits.values())


def test_rows_that_somebody_copied_back_by_hand_are_found_by_every_key(clinic: Clinic) -> None:
    """The marker is there, so no restore is seen; asked about, the keys know the rows, and they go."""
    clinic.rule(60)
    clinic.book(80, 70, 10)
    clinic.back_up()
    clinic.purge()
    clinic.rule(90)
    with duckdb.connect(clinic.store) as db:
        db.execute(f"ATTACH '{clinic.drawer}' AS old (READ_ONLY)")
        db.execute(
            "INSERT INTO appointments SELECT * FROM old.appointments ANTI JOIN appointments USING (appointment_uid)"
        )
    assert clinic.wb.restore_check().outcome == "passed"
    assert clinic.wb.restore_check(every_key=True).resurrected == 2
    with pytest.raises(Refused) as refused:
        clinic.wb.restore_apply(every_key=True)
    clinic.wb.approve(refused.value.hint.split(" ")[-3], "controller")
    done = clinic.wb.restore_apply(every_key=True)
    assert (done.deleted, done.resurrected) == (2, 2)
    assert clinic.wb.restore_check(every_key=True).outcome == "passed"


def test_an_aborted_runs_tombstones_condemn_nobody(clinic: Clinic) -> None:
    """It deleted nothing, so nothing of it can have come back."""
    clinic.rule(60)
    clinic.book(80, 70, 10)
    plan = clinic.wb.plan("today")
    clinic.wb.approve(plan.run_id, "controller")
    run = clinic.path / "evidence/runs" / plan.run_id
    ledger = clinic.wb._workspace.ledger()
    key = ledger.tombstone_key(plan.run_id)
    marks = clinic.wb._workspace.store.tombstones(clinic.wb._runs()._cutoffs(plan.as_of), key)
    ledger.write_pieces_once(plan.run_id, doc.TOMBSTONES, doc.pieces(marks))
    for name, make in (
        (doc.INTENT, lambda said: doc.intent(plan.run_id, 2, said, START)),
        (doc.ABORTED, lambda said: doc.aborted(plan.run_id, said, "plan-drift", 0, 1, START)),
    ):
        said = {each.name: each.read_bytes() for each in sorted(run.iterdir())}
        ledger.write_once(plan.run_id, name, make(said))
        ledger.append(ledger.read(plan.run_id, name))
    ledger.write_proof(plan.run_id, doc.ABORTED)
    assert ledger.holds_tombstone_key(plan.run_id)
    clinic.rule(90)
    seen = clinic.wb.restore_check(every_key=True)
    assert (seen.keys, seen.resurrected) == (0, 0)


def test_a_run_without_its_key_is_not_asked(restored: Clinic) -> None:
    """Once the key is gone, only the rule can tell; the rows that it finds due still go."""
    restored.wb._workspace.ledger().destroy_tombstone_key("2026-08-01-a")
    seen = restored.wb.restore_check()
    assert (seen.keys, seen.overdue, seen.resurrected) == (0, 3, 0)
    assert (seen.outcome, seen.cannot_be_asked) == ("failed", ("2026-08-01-a",))
    assert "3 rows are due" in str(seen.problem())
    assert "1 runs can no longer be asked what came back" in str(seen.problem())


@pytest.fixture
def unasked(clinic: Clinic) -> Clinic:
    """Of three rows two went by a shorter rule; then the copy from before came back, and the key did not."""
    clinic.rule(60)
    clinic.book(100, 70, 10)
    clinic.back_up()
    assert clinic.purge().deleted == 2
    clinic.rule(90)
    clinic.bring_back()
    (clinic.path / "keys/tombstone-2026-08-01-a.key").rename(clinic.inbox / "lost.key")
    return clinic


def restore_approved(clinic: Clinic) -> Any:
    with pytest.raises(Refused) as refused:
        clinic.wb.restore_apply()
    clinic.wb.approve(refused.value.hint.split(" ")[-3], "controller")
    return clinic.wb.restore_apply()


def test_what_cannot_be_told_is_not_passed_after_apply_either(unasked: Clinic) -> None:
    """The rule finds one of the two rows that are back; the other stays, and every look says that nobody knows."""
    done = restore_approved(unasked)
    assert (done.outcome, done.deleted, done.cannot_be_asked) == ("sealed", 1, ("2026-08-01-a",))
    assert done.exit_code == 1
    plan = json.loads((unasked.path / "evidence/runs" / done.run_id / doc.PLAN).read_text())
    assert (plan["restsOn"], plan["missingMarkers"], plan["cannotBeAsked"]) == ([], ["2026-08-01-a"], ["2026-08-01-a"])
    for every_key in (False, True):
        seen = unasked.wb.restore_check(every_key=every_key)
        assert (seen.outcome, seen.exit_code, seen.cannot_be_asked) == ("unknown", 1, ("2026-08-01-a",))
        assert (seen.overdue, seen.resurrected, seen.missing_runs) == (0, 0, ())
        assert "their keys are destroyed or lost: 2026-08-01-a. Of what they erased only" in str(seen.problem())
    assert unasked.wb.verify().outcome == "passed", "the marker is explained all the same"


def test_the_report_of_a_restore_says_which_limit_it_had(unasked: Clinic) -> None:
    """Only where a run could not be asked."""
    for run_id, limited in ((restore_approved(unasked).run_id, True), ("2026-08-01-a", False)):
        files = unasked.wb.report(run_id, formats=("html",), language="en", second_opinion=False).files
        said = next(one for one in files if one.suffix == ".html").read_text()
        assert ("not all earlier deletion runs could be asked" in said) is limited


def test_a_key_that_is_put_back_is_asked_although_the_run_is_explained(unasked: Clinic) -> None:
    """Explained is not settled: the restore run named that run, and had no key to ask it with."""
    restore_approved(unasked)
    (unasked.inbox / "lost.key").rename(unasked.path / "keys/tombstone-2026-08-01-a.key")
    seen = unasked.wb.restore_check()
    assert (seen.outcome, seen.asked, seen.resurrected, seen.cannot_be_asked) == ("failed", ("2026-08-01-a",), 1, ())
    assert restore_approved(unasked).deleted == 1
    assert unasked.wb.restore_check().outcome == "passed"
    (unasked.path / "keys/tombstone-2026-08-01-a.key").unlink()
    assert unasked.wb.restore_check().outcome == "passed", "what came back is gone, so nobody has to ask again"


def test_a_copy_older_than_the_keys_is_never_called_passed(clinic: Clinic) -> None:
    """By schedule alone: a rule with a lead, the key destroyed on its day, then a copy older than any backup."""
    path = clinic.path / "lifecycle.toml"
    plain = path.read_text()
    path.write_text(plain.replace("lead_days = 0", "lead_days = 60"))
    clinic.wb = Workbench.open(clinic.path, now=lambda: clinic.clock)
    clinic.book(89, 45, 35)
    clinic.back_up()
    assert clinic.purge().deleted == 3
    path.write_text(plain)
    clinic.wb = Workbench.open(clinic.path, now=lambda: clinic.clock)
    clinic.wait(37)
    clinic.look()
    assert not (clinic.path / "keys/tombstone-2026-08-01-a.key").exists()
    clinic.bring_back()
    clinic.wait(1)
    assert clinic.wb.restore_check().outcome == "failed"
    assert restore_approved(clinic).deleted == 1
    seen = clinic.wb.restore_check()
    assert (seen.outcome, seen.cannot_be_asked) == ("unknown", ("2026-08-01-a",))
    assert clinic.wb.verify().outcome == "passed"


def doctor_found(clinic: Clinic) -> dict[str, int]:
    return {one.check: one.count for one in clinic.wb.doctor().findings if one.outcome != "passed"}


def test_doctor_names_keys_that_nobody_destroyed_and_that_are_gone(clinic: Clinic) -> None:
    """Two lost keys are one finding; one that was destroyed on schedule, or was never of use, is none."""
    for first in (1, 2, 3):
        clinic.book(100, first=first)
        clinic.purge()
    clinic.wb.purge(as_of="today")
    assert "tombstone-key-lost" not in doctor_found(clinic)
    clinic.wb._workspace.ledger().destroy_tombstone_key("2026-08-01-a")
    assert "tombstone-key-lost" not in doctor_found(clinic)
    for letter in "bc":
        (clinic.path / f"keys/tombstone-2026-08-01-{letter}.key").unlink()
    assert doctor_found(clinic)["tombstone-key-lost"] == 2
    hint = clinic.wb.doctor().details["tombstone-key-lost"]
    assert "2026-08-01-b, 2026-08-01-c: bring them back" in hint


def test_evidence_and_store_that_are_older_than_the_keys_are_told(clinic: Clinic, tmp_path: Path) -> None:
    """A whole workspace came back, but for its keys: nothing else knows that a run is missing."""
    clinic.book(100)
    clinic.back_up()
    shutil.copytree(clinic.path / "evidence", tmp_path / "evidence")
    assert clinic.wb.restore_check().keys_without_run == ()
    assert "evidence-older-than-keys" not in doctor_found(clinic)
    clinic.purge()
    shutil.rmtree(clinic.path / "evidence")
    shutil.copytree(tmp_path / "evidence", clinic.path / "evidence")
    clinic.bring_back()
    seen = clinic.wb.restore_check()
    assert (seen.outcome, seen.overdue, seen.keys_without_run) == ("failed", 1, ("2026-08-01-a",))
    problem = seen.problem()
    assert problem is not None
    assert "keys of 1 runs that the evidence does not know: 2026-08-01-a" in problem.fact
    assert problem.hint.startswith("bring back the newer evidence")
    clinic.wb.hold_add("uid-of-visit-00001", "other")
    assert clinic.wb.restore_check().outcome == "unknown"
    assert doctor_found(clinic)["evidence-older-than-keys"] == 1
    assert clinic.wb.doctor().details["evidence-older-than-keys"].startswith("bring back the newer evidence")


POINTS, POINTS_OF_AN_EMPTY_RUN = 6, 2


@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize("point", range(1, 8))
def test_a_stopped_restore_goes_on_by_the_command_that_it_names(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, point: int, rows: int
) -> None:
    """At every safe point, with rows to erase and without: afterwards all is erased and every marker explained."""
    if rows:
        clinic.book(100, 95, 91, 10)
    clinic.back_up()
    clinic.book(100, first=9)
    clinic.purge()
    clinic.bring_back()
    clinic.wb.approve_standing("controller", max_rows=9, max_percent=100, until="2026-12-31")
    asked = [0]

    def at_this_point(switch: StopSwitch) -> bool:
        asked[0] += 1
        return asked[0] == point + 1  # the first look comes before anything is begun

    monkeypatch.setattr(StopSwitch, "__call__", at_this_point)
    if point > (POINTS if rows else POINTS_OF_AN_EMPTY_RUN):
        clinic.wb.restore_apply()
    else:
        with pytest.raises((Refused, Incomplete)) as stopped:
            clinic.wb.restore_apply()
        run_id = stopped.value.hint.split(" ")[-1]
        assert stopped.value.hint.endswith(f"; then: lifecycle restore apply {run_id}")
        done = clinic.wb.restore_apply(run_id)
        assert (done.outcome, done.deleted) == ("sealed", rows)
        assert done.run_id == run_id or not rows
    assert clinic.wb.restore_check().outcome == "passed"
    assert clinic.wb.verify().outcome == "passed"


def test_a_restore_run_that_has_ended_does_not_vouch_for_another_copy(clinic: Clinic) -> None:
    """The same command after a second restore looks anew; it used to write its marker into a store it never saw."""
    clinic.back_up()
    clinic.rule(60)
    clinic.book(70)
    older = clinic.store.read_bytes()
    clinic.purge()
    clinic.rule(90)
    clinic.bring_back()
    ended = clinic.wb.restore_apply()
    assert (ended.outcome, ended.deleted) == ("sealed", 0)
    assert clinic.wb.restore_apply(ended.run_id).run_id == ended.run_id
    clinic.store.write_bytes(older)
    with pytest.raises(Refused, match="nobody approved"):
        clinic.wb.restore_apply(ended.run_id)
    assert clinic.wb.restore_check().resurrected == 1


def test_a_restore_with_nothing_to_erase_is_sealed_and_explained(clinic: Clinic) -> None:
    """The copy was made before anything was stored; the run leaves its leaf and its marker all the same."""
    clinic.back_up()
    clinic.book(100, 5)
    clinic.purge()
    clinic.bring_back()
    assert clinic.wb.verify().outcome == "failed"
    done = clinic.wb.restore_apply()
    assert (done.outcome, done.deleted) == ("sealed", 0)
    assert clinic.wb.verify().outcome == "passed"
    clinic.bring_back()
    assert clinic.wb.verify().outcome == "failed", "a second restore takes the explanation away"


def test_a_second_restore_is_seen_again(restored: Clinic) -> None:
    """What the first restore run explained is open again with the older copy, and closed by the second."""
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            restored.wb.restore_apply()
        restored.wb.approve(refused.value.hint.split(" ")[-3], "controller")
        assert restored.wb.restore_apply().deleted == 3
        assert restored.wb.verify().outcome == "passed"
        restored.bring_back()
        assert restored.wb.verify().outcome == "failed"
    assert restored.wb.restore_check().missing_runs == ("2026-08-01-a", "2026-08-02-a", "2026-08-02-b")


def test_a_standing_approval_covers_a_restore_within_its_limits(restored: Clinic) -> None:
    """As for any run; over the limit it stops before deleting."""
    restored.wb.approve_standing("controller", max_rows=2, max_percent=90, until="2026-12-31")
    with pytest.raises(Refused, match="covers 2"):
        restored.wb.restore_apply()
    restored.wait(0.001)
    restored.wb.approve_standing("controller", max_rows=3, max_percent=90, until="2026-12-31")
    assert restored.wb.restore_apply().deleted == 3


def test_lost_holds_need_a_person(clinic: Clinic) -> None:
    """The copy is older than a hold: no standing approval covers that; the hold, set again, keeps the row."""
    clinic.book(100, 95)
    clinic.back_up()
    clinic.wb.hold_add("uid-of-visit-00001", "legal-claims")
    clinic.purge()
    clinic.bring_back()
    clinic.wb.approve_standing("controller", max_rows=9, max_percent=100, until="2026-12-31")
    with pytest.raises(Refused, match="1 rows were held before the restore, 0 are now"):
        clinic.wb.restore_apply()
    clinic.wb.hold_add("uid-of-visit-00001", "legal-claims")
    done = clinic.wb.restore_apply()
    assert (done.deleted, done.held) == (1, 1)
    assert clinic.wb.verify().outcome == "passed"


def test_evidence_that_is_older_than_the_store_is_another_case(clinic: Clinic, tmp_path: Path) -> None:
    """Then it is the evidence that was restored; nothing is mended silently."""
    clinic.book(100)
    shutil.copytree(clinic.path / "evidence", tmp_path / "evidence")
    clinic.purge()
    shutil.rmtree(clinic.path / "evidence")
    shutil.copytree(tmp_path / "evidence", clinic.path / "evidence")
    with pytest.raises(EvidenceError, match="evidence is older"):
        clinic.wb.restore_check()


def test_a_plan_that_no_longer_fits_is_made_again(restored: Clinic) -> None:
    """A hold set after the approval changes the rows; the old approval says nothing about the new plan."""
    with pytest.raises(Refused) as refused:
        restored.wb.restore_apply()
    first = refused.value.hint.split(" ")[-3]
    restored.wb.approve(first, "controller")
    restored.wb.hold_add("uid-of-visit-00002", "other")
    with pytest.raises(Refused) as refused:
        restored.wb.restore_apply()
    second = refused.value.hint.split(" ")[-3]
    assert first != second
    restored.wb.approve(second, "delegate")
    assert restored.wb.restore_apply(second).deleted == 2


def test_apply_refuses_a_run_that_is_not_about_a_restore(clinic: Clinic) -> None:
    """An ordinary plan has its own verb."""
    plan = clinic.wb.plan("today")
    with pytest.raises(UsageError, match="not about a restore"):
        clinic.wb.restore_apply(plan.run_id)


def test_a_key_lives_until_the_backups_are_over_and_seven_days_more(clinic: Clinic) -> None:
    """Thirty days of backups: on day 36 the key is there, on day 37 the nightly purge destroys it, as a leaf."""
    clinic.book(100, 5)
    clinic.purge()
    key = clinic.path / "keys/tombstone-2026-08-01-a.key"
    clinic.wait(36)
    clinic.look()
    assert key.exists()
    clinic.wait(1)
    found = [one.check for one in clinic.wb.doctor().findings if one.outcome == "failed"]
    assert "tombstone-key-due" in found
    size = clinic.wb.verify().tree_size
    clinic.wb.purge(as_of="today")
    assert not key.exists()
    leaf = json.loads((clinic.path / "evidence/keys-log/tombstone-2026-08-01-a.json").read_text())
    assert leaf["predicate"]["event"] == "key-destroyed"
    verified = clinic.wb.verify()
    # One leaf for the destruction; the night itself has intent and record, and destroys the key that it did not need.
    assert (verified.outcome, verified.tree_size) == ("passed", size + 4)
    assert "tombstone-key-due" not in [one.check for one in clinic.wb.doctor().findings if one.outcome == "failed"]


def test_keys_are_destroyed_although_nobody_approves_the_night(clinic: Clinic) -> None:
    """A refused purge deletes no rows; the key's time is over all the same."""
    clinic.book(100, 50)
    clinic.purge()
    clinic.wait(36)
    clinic.look()
    clinic.wait(6)
    with pytest.raises(Refused, match="nobody approved"):
        clinic.wb.purge(as_of="today")
    assert not (clinic.path / "keys/tombstone-2026-08-01-a.key").exists()
    assert clinic.wb.verify().outcome == "passed"


def test_the_key_of_a_plan_that_nobody_carried_out_ends_with_it(clinic: Clinic) -> None:
    """Seven days a plan is good for; its key is of no use afterwards."""
    clinic.book(100)
    plan = clinic.wb.plan("today")
    key = clinic.path / f"keys/tombstone-{plan.run_id}.key"
    for days, there in ((7, True), (1, False)):
        clinic.wait(days)
        with pytest.raises(Refused):
            clinic.wb.purge(as_of="today")
        assert key.exists() is there
    assert os.listdir(clinic.path / "evidence/runs" / plan.run_id) == [doc.PLAN]


def test_a_longer_backup_period_prolongs_the_keys_life(clinic: Clinic) -> None:
    """Backups that are kept longer than planned could still bring somebody back."""
    clinic.book(100)
    clinic.purge()
    path = clinic.path / "lifecycle.toml"
    path.write_text(path.read_text().replace('keep = "P30D"', 'keep = "P50D"'))
    clinic.wb = Workbench.open(clinic.path, now=lambda: clinic.clock)
    for days, there in ((56, True), (1, False)):
        clinic.wait(days)
        clinic.look()
        assert (clinic.path / "keys/tombstone-2026-08-01-a.key").exists() is there


def test_a_run_that_deleted_is_never_called_aborted(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older store comes back between deletion and record: the run stays open and says what it needs."""
    clinic.book(100)
    clinic.back_up()
    clinic.book(95, first=2)
    make = doc.verified
    monkeypatch.setattr(doc, "verified", lambda *args: (clinic.path / "STOP").touch() or make(*args))
    with pytest.raises(Incomplete):
        clinic.purge()
    monkeypatch.undo()
    (clinic.path / "STOP").unlink()
    newer = clinic.store.read_bytes()
    clinic.bring_back()
    for call in (lambda: clinic.wb.purge("2026-08-01-a"), clinic.wb.restore_apply):
        with pytest.raises(Incomplete, match="a store that was restored since knows nothing of it"):
            call()
    assert not list((clinic.path / "evidence/runs").glob("*/6-*"))
    clinic.store.write_bytes(newer)
    assert clinic.wb.purge("2026-08-01-a").deleted == 2
    assert clinic.wb.verify().outcome == "passed"


def test_the_command_line_speaks_of_a_restore_as_promised(tmp_path: Path) -> None:
    """``check`` ends with 1 and one JSON object, ``apply`` with 6 and an approvable plan, then with 0."""
    clinic = Clinic(tmp_path)
    clinic.clock = datetime.now(UTC)  # the command line has no other clock
    clinic.book(100, 5)
    clinic.back_up()
    clinic.purge()
    clinic.bring_back()

    def call(*words: str) -> tuple[int, dict[str, Any], str]:
        command = [sys.executable, "-m", "lifecycle.cli", "--workspace", str(clinic.path), *words, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr

    code, seen, _ = call("restore", "check")
    assert (code, seen["overdue"], seen["resurrected"], len(seen["missingRuns"])) == (1, 1, 0, 1)
    assert call("verify")[0] == 7
    code, refused, words = call("restore", "apply")
    assert (code, refused["outcome"], refused["error"]["exitCode"]) == (6, "refused", 6)
    run_id = words.strip().split(" ")[-3]
    assert call("approve", run_id, "--role", "delegate")[0] == 0
    code, done, _ = call("restore", "apply")
    assert (code, done["outcome"], done["overdue"], done["resurrected"], done["deleted"]) == (0, "sealed", 1, 0, 1)
    assert (call("restore", "check")[0], call("verify")[0]) == (0, 0)
