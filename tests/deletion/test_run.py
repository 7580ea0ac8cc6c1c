"""One deletion run from plan to record: what is refused, what is sealed, and what a store's failure leaves behind."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from lifecycle.deletion import documents as doc
from lifecycle.deletion.documents import Limits, StandingApproval, from_lines, pieces
from lifecycle.errors import EvidenceError, Incomplete, Refused, StoreError, UsageError

pytestmark = pytest.mark.slow


def planned(world: Any, *rows: dict[str, Any]) -> str:
    """Two due rows and one that is not, planned for today."""
    world.put(*(rows or (world.event(1), world.event(2), world.event(3, world.new))))
    return world.plan()


def approved(world: Any, *rows: dict[str, Any]) -> str:
    run_id = planned(world, *rows)
    world.approve(run_id)
    return run_id


def refused(world: Any, run_id: str, match: str) -> None:
    """Exit code 6, a hint, no leaf, no new file, no row gone."""
    state, rows = world.state(run_id), world.rows()
    with pytest.raises(Refused, match=match) as error:
        world.purge(run_id)
    assert error.value.exit_code == 6
    assert error.value.hint
    assert world.state(run_id) == state
    assert world.rows() == rows


@pytest.mark.parametrize("marks", [[], ["0" * 64], [f"{number:064x}" for number in range(100_001)]], ids=len)
def test_what_was_written_as_lines_is_read_as_the_same_tombstones(marks: list[str]) -> None:
    """None, one, and more than are written in one piece; as they were, or a run would never equal its plan."""
    written = pl.Series("t", marks, dtype=pl.String)
    assert b"".join(pieces(written)) == "".join(f"{mark}\n" for mark in marks).encode()
    assert from_lines(b"".join(pieces(written))).equals(written, check_names=True)


# --- the way it should go -------------------------------------------------------------------------


def test_plan_approve_purge(world) -> None:
    """Counts that add up, a record in the log, the verifier content, and the other row untouched."""
    run_id = planned(world)
    plan = world.runs().read_plan(run_id)
    assert (plan.before, plan.due, plan.held, plan.retained, plan.count) == (3, 2, 0, 1, 2)
    world.approve(run_id)
    assert world.purge(run_id) == "sealed"
    counts = world.predicate(run_id)["counts"]
    assert counts == {"before": 3, "due": 2, "deleted": 2, "held": 0, "failed": 0, "retained": 1}
    assert set(world.predicate(run_id)["checks"].values()) == {"passed"}
    assert list(world.rows()) == [tuple(world.event(3, world.new).values())]
    assert world.is_sound(), world.verified()


def test_the_same_command_again_changes_nothing(world) -> None:
    """Sealed is sealed: no second leaf, no other byte."""
    run_id = approved(world)
    world.purge(run_id)
    state = world.state(run_id)
    assert world.purge(run_id) == "sealed"
    assert world.state(run_id) == state


def test_a_run_reads_no_long_file_that_it_has_just_written(world) -> None:
    """The tombstones are compared and signed as written; reading a million again took half a second."""
    run_id, read = approved(world), []

    def wrap(ledger: Any) -> Any:
        real = ledger.read
        ledger.read = lambda run, name: (read.append(name), real(run, name))[1]
        return ledger

    world.wrap = wrap
    assert world.purge(run_id) == "sealed"
    assert "1-plan.json" in read
    assert "tombstones.txt" not in read
    assert world.is_sound(), world.verified()


def test_lines_are_joined_once_for_digest_and_file(world, monkeypatch) -> None:
    """In their order, however many pieces; to join them twice took as long as all that is done with them."""
    run_id, joined, real = approved(world), [], doc._lines
    monkeypatch.setattr(doc, "_TOMBSTONES_A_PIECE", 1)
    monkeypatch.setattr(doc, "_lines", lambda piece: (joined.append(piece.height), real(piece))[1])
    assert world.purge(run_id) == "sealed"
    assert joined == [1, 1]
    lines = world.ledger().read(run_id, doc.TOMBSTONES).decode().splitlines()
    assert lines == sorted(set(lines))
    assert len(lines) == 2


def test_a_change_of_the_tombstones_is_not_signed_over(world) -> None:
    """The record names what the intent named, so a file that was changed between them is found."""
    run_id = approved(world)
    path = world.root / "evidence/runs" / run_id / "tombstones.txt"

    def wrap(ledger: Any) -> Any:
        real = ledger.write_once

        def write_once(run: str, name: str, data: bytes) -> None:
            if name == "5-verified.json":
                path.write_bytes(path.read_bytes()[:-65])
            real(run, name, data)

        ledger.write_once = write_once
        return ledger

    world.wrap = wrap
    world.purge(run_id)
    record = json.loads((path.parent / "6-record.json").read_bytes())
    intent = json.loads((path.parent / "3-intent.json").read_bytes())
    named = [{each["name"]: each["digest"] for each in leaf["subject"]}["tombstones.txt"] for leaf in (record, intent)]
    assert named[0] == named[1]
    assert not world.is_sound()


def test_the_evidence_names_nobody(world) -> None:
    """No value of any row in any byte of the evidence; two digits alone occur in every hash."""
    run_id = approved(world)
    world.purge(run_id)
    evidence = b"".join(path.read_bytes() for path in (world.root / "evidence").rglob("*") if path.is_file())
    values = [
        value for n in (1, 2, 3) for value in world.event(n).values() if isinstance(value, str) and str(n) in value
    ]
    values = [value for value in values if len(value) > 5]
    assert len(values) >= 9
    assert [position for position, value in enumerate(values) if value.encode() in evidence] == []


def test_both_datasets_go_in_one_run(world) -> None:
    """The record adds up over events and appointments."""
    world.put(world.event(1), world.event(2, world.new))
    world.put(world.event(1), world.event(2, world.new), dataset="appointments")
    run_id = world.plan()
    world.approve(run_id)
    world.purge(run_id)
    assert world.predicate(run_id)["counts"]["deleted"] == 2
    assert [sum(world.rows(name).values()) for name in ("events", "appointments")] == [1, 1]
    assert world.is_sound()


def test_nothing_due_is_sealed_with_zeros_and_without_approval(world) -> None:
    """So that nights are gapless."""
    world.put(world.event(3, world.new))
    run_id = world.plan()
    assert world.purge(run_id) == "sealed"
    assert set(world.predicate(run_id)["counts"].values()) == {0, 1}
    assert world.predicate(run_id)["erasure"] == "none"
    assert world.is_sound()
    assert not world.ledger().holds_tombstone_key(run_id)


def test_a_night_with_nothing_due_removes_the_bytes_of_replaced_rows(world) -> None:
    """A newer export replaced a record; its older values are gone the next morning, and the evidence is sound."""
    record = world.event(3, world.new)
    world.put(record | {"first_name": "Waltraud03"}, dataset="appointments")
    world.put(record, dataset="appointments")
    rows = world.rows("appointments")
    run_id = world.plan()
    stored = world.root / "data" / "lifecycle.duckdb"
    assert b"Waltraud03" in stored.read_bytes()
    assert world.purge(run_id) == "sealed"
    assert b"Waltraud03" not in b"".join(path.read_bytes() for path in world.root.rglob("*") if path.is_file())
    assert world.rows("appointments") == rows
    assert world.predicate(run_id)["erasure"] == "none"
    assert world.is_sound()


def test_the_record_counts_what_was_there_when_the_rows_went(world) -> None:
    """Rows that arrive between plan and purge stay, and are counted: record and stores say the same."""
    run_id = approved(world)
    world.put(world.event(4, world.new), world.event(5, world.new))
    assert world.purge(run_id) == "sealed"
    stores = json.loads(world.ledger().read(run_id, "4-deleted.json"))["stores"]
    kept = sum(each["retained"] for each in stores)
    assert kept == sum(world.rows().values()) == 3
    counts = world.predicate(run_id)["counts"]
    assert counts == {"before": 5, "due": 2, "deleted": 2, "held": 0, "failed": 0, "retained": kept}
    assert world.is_sound()


def test_a_missed_night_goes_with_the_next_run(world) -> None:
    """Every due row, however long overdue."""
    world.put(world.event(1), world.event(2, world.old + timedelta(days=20)))
    world.approve(run_id := world.plan())
    world.purge(run_id)
    assert not world.rows()


def test_held_rows_are_counted_and_stay(world) -> None:
    """due = deleted + held + failed; the ground is counted, too."""
    world.put(world.event(1), world.event(2))
    world.hold(world.event(2))
    run_id = world.plan()
    assert dict(world.runs().read_plan(run_id).holds) == {"restriction": 1}
    world.approve(run_id)
    world.purge(run_id)
    counts = world.predicate(run_id)["counts"]
    assert (counts["due"], counts["deleted"], counts["held"], counts["retained"]) == (2, 1, 1, 1)
    assert list(world.rows()) == [tuple(world.event(2).values())]
    assert world.is_sound()


@pytest.mark.parametrize(("backup_days", "lives"), [(30, True), (None, False)])
def test_a_key_lives_as_long_as_a_backup_could_come_back(world, backup_days: int | None, lives: bool) -> None:
    """Without backups it is destroyed with the sealing, and that is a leaf."""
    world.backup_days = backup_days
    run_id = approved(world)
    world.purge(run_id)
    assert world.ledger().holds_tombstone_key(run_id) is lives
    where = {one["where"]: one["untilAt"] for one in world.predicate(run_id)["residuals"]}
    assert where == ({"backup": "2026-10-31", "tombstone-key": "2026-11-07"} if lives else {})
    assert world.is_sound()


# --- refusals -------------------------------------------------------------------------------------


def test_without_approval_nothing_goes(world) -> None:
    """The plan can still be approved afterwards."""
    run_id = planned(world)
    refused(world, run_id, "is not approved: 2 rows")
    world.approve(run_id)
    assert world.purge(run_id) == "sealed"


@pytest.mark.parametrize(("role", "error"), [("dpo", Refused), ("admin", UsageError)])
def test_who_may_not_approve(world, role: str, error: type[Exception]) -> None:
    """A data protection officer must not decide (Art. 38(6) GDPR); other words are no roles."""
    run_id = planned(world)
    with pytest.raises(error):
        world.approve(run_id, role)
    refused(world, run_id, "not approved")


def test_an_approval_is_for_one_plan_only(world) -> None:
    """Copied from another run, it is broken evidence, not an approval."""
    one = approved(world)
    other = world.plan()
    runs = world.root / "evidence" / "runs"
    shutil.copy(runs / one / "2-approval.json", runs / other / "2-approval.json")
    with pytest.raises(EvidenceError, match="another plan"):
        world.purge(other)
    assert sum(world.rows().values()) == 3


def test_a_changed_plan_is_not_the_approved_one(world) -> None:
    """One more digit in the plan after the approval."""
    run_id = approved(world)
    path = world.root / "evidence" / "runs" / run_id / "1-plan.json"
    path.write_bytes(path.read_bytes().replace(b'"retained": 1', b'"retained": 2', 1))
    with pytest.raises(EvidenceError):
        world.purge(run_id)
    assert sum(world.rows().values()) == 3


class MadeUpKey:
    """Signs with a name and the digest of the bytes."""

    def __init__(self, name: str = "one") -> None:
        self.name = name

    def sign(self, data: bytes) -> bytes:
        return f"{self.name} {doc.sha256_hex(data)}".encode()

    def made(self, data: bytes, signature: bytes) -> bool:
        return signature == self.sign(data)


def test_a_signed_approval_needs_its_signature(world) -> None:
    """Where it is missing, as after a kill between the two files, the same call with the key brings it."""
    run_id = planned(world)
    world.runs().approve(run_id, "controller", world.nonce, key=MadeUpKey())
    path = world.root / "evidence" / "runs" / run_id / "2-approval.json.sig"
    signature = path.read_bytes()
    path.unlink()
    refused(world, run_id, "says it is signed, but has no signature")
    with pytest.raises(Refused, match="approved already, with a signature"):
        world.approve(run_id)
    assert world.runs().approve(run_id, "controller", "11" * 16, key=MadeUpKey()).signed
    assert path.read_bytes() == signature
    assert world.purge(run_id) == "sealed"
    assert world.is_sound()


def test_only_what_this_tool_wrote_is_signed_later(world) -> None:
    """Nobody puts a key under a file that says more than was approved."""
    run_id = planned(world)
    world.runs().approve(run_id, "controller", world.nonce, key=MadeUpKey())
    folder = world.root / "evidence" / "runs" / run_id
    (folder / "2-approval.json.sig").unlink()
    path = folder / "2-approval.json"
    path.write_bytes(path.read_bytes().replace(b'"signed"', b'"more": 1, "signed"'))
    with pytest.raises(Refused, match="approved already"):
        world.runs().approve(run_id, "controller", world.nonce, key=MadeUpKey())
    assert not (folder / "2-approval.json.sig").exists()


@pytest.mark.parametrize("other", ["role", "key", "no key", "a key"])
def test_an_approval_by_somebody_else_is_no_success(world, other: str) -> None:
    """Who approves what is approved already is told whether it is their word; it is not changed."""
    run_id = planned(world)
    first = None if other == "a key" else MadeUpKey()
    world.runs().approve(run_id, "controller", world.nonce, key=first)
    state = world.state(run_id)
    role, key = {
        "role": ("delegate", MadeUpKey()),
        "key": ("controller", MadeUpKey("two")),
        "no key": ("controller", None),
        "a key": ("controller", MadeUpKey()),
    }[other]
    with pytest.raises(Refused, match="is approved already") as error:
        world.runs().approve(run_id, role, world.nonce, key=key)
    assert "lifecycle plan" in error.value.hint
    assert world.runs().approve(run_id, "controller", world.nonce, key=first).role == "controller"
    assert world.state(run_id) == state
    assert world.purge(run_id) == "sealed"


def changed_approval(world: Any, run_id: str, **other: Any) -> None:
    path = world.root / "evidence" / "runs" / run_id / "2-approval.json"
    path.write_bytes(doc.to_bytes(json.loads(path.read_bytes()) | other))


@pytest.mark.parametrize("role", ["dpo", "admin"])
def test_an_approval_by_a_role_that_may_not_is_refused(world, role: str) -> None:
    """Also where it did not come by the command; and a second call does not call it a success."""
    run_id = approved(world)
    changed_approval(world, run_id, role=role)
    refused(world, run_id, "by a role that may not approve")
    with pytest.raises(Refused, match="approved already, without a signature, as a role that may not"):
        world.approve(run_id)


def test_a_run_that_has_begun_cannot_be_approved_again(world) -> None:
    """Who approves afterwards approves nothing."""
    run_id = approved(world)
    world.purge(run_id)
    with pytest.raises(Refused, match="has begun already"):
        world.approve(run_id)


def test_an_old_plan_is_refused(world) -> None:
    """Seven days, and a microsecond more."""
    run_id = approved(world)
    world.clock += timedelta(days=7, microseconds=1)
    refused(world, run_id, "is 7 days old")
    world.clock -= timedelta(microseconds=1)
    assert world.purge(run_id) == "sealed"


def test_a_plan_under_other_rules_is_refused(world) -> None:
    """The policy's digest is part of the plan."""
    run_id = approved(world)
    world.policy_sha256 = "2" * 64
    refused(world, run_id, "rules have changed")


@pytest.mark.parametrize("change", ["appeared", "vanished", "exchanged"])
def test_a_plan_whose_rows_changed_is_refused(world, change: str) -> None:
    """Also where the number is the same: the plan binds people, not counts."""
    run_id = approved(world)
    if change in ("appeared", "exchanged"):
        world.put(world.event(9))
    if change in ("vanished", "exchanged"):
        world.hold(world.event(1))
    words = {"appeared": "1 rows became due", "vanished": "1 rows are no longer", "exchanged": "the due rows changed"}
    refused(world, run_id, words[change])


def test_a_plan_of_nothing_is_refused_once_something_is_due(world) -> None:
    """It writes no tombstones down, and is bound to their absence all the same."""
    run_id = planned(world, world.event(1, world.new))
    world.put(world.event(2))
    refused(world, run_id, "1 rows became due")


def test_a_hold_between_plan_and_purge_keeps_its_row(world) -> None:
    """The run is refused; the next plan leaves the row out and goes through."""
    run_id = approved(world)
    world.hold(world.event(1))
    refused(world, run_id, "no longer due")
    world.approve(again := world.plan())
    assert world.purge(again) == "sealed"
    assert tuple(world.event(1).values()) in world.rows()
    assert world.is_sound()


def test_a_date_in_the_future_is_refused(world) -> None:
    """In the workspace's zone: at 22:30 UTC it is tomorrow in Berlin."""
    world.put(world.event(1))
    with pytest.raises(Refused, match="2026-10-02 lies in the future"):
        world.plan(world.as_of + timedelta(days=1))
    assert world.ledger().runs() == ()
    world.clock = datetime(2026, 10, 1, 22, 30, tzinfo=UTC)
    assert world.plan(world.as_of + timedelta(days=1)) == "2026-10-02-a"


def test_a_clock_that_went_back_makes_the_plan_a_future_one(world) -> None:
    """Nothing goes before its day, whatever the clock said when it was planned."""
    run_id = approved(world)
    world.clock -= timedelta(days=2)
    refused(world, run_id, "lies in the future")


def test_an_unknown_run_is_said_to_be_unknown(world) -> None:
    """With the runs there are."""
    with pytest.raises(UsageError, match="no such run; the latest are: none"):
        world.purge("2026-01-01-a")


# --- standing approvals ---------------------------------------------------------------------------


def standing(**other: Any) -> StandingApproval:
    values = {"max_rows": 10, "max_percent": 80.0, "until": date(2026, 12, 31)} | other
    return StandingApproval(
        "controller",
        Limits(values["max_rows"], values["max_percent"]),
        values["until"],
        "00" * 16,
        datetime(2026, 9, 1, tzinfo=UTC),
    )


def last_sealed(world: Any, days_ago: int) -> None:
    """A run that ended so many days before now."""
    now, world.clock = world.clock, world.clock - timedelta(days=days_ago)
    world.purge(world.plan(world.clock.date()))
    world.clock = now


def test_a_standing_approval_covers_what_lies_within_its_limits(world) -> None:
    """It is copied into the run, so that the record rests on it."""
    last_sealed(world, 1)
    run_id = planned(world)
    world.runs().approve_by_standing(world.runs().read_plan(run_id), standing(), world.nonce)
    assert world.purge(run_id) == "sealed"
    approval = json.loads(world.ledger().read(run_id, "2-approval.json"))
    assert approval["standing"]["limits"] == {"maxRows": 10, "maxPercent": 80.0}
    assert world.is_sound()


@pytest.mark.parametrize(
    ("due", "before", "most", "words"),
    [
        (871, 3001, 29.0, "29.02 % of all rows are due; the standing approval covers 29 %"),
        (2, 3, 66.0, "66.7 % of all rows are due; the standing approval covers 66 %"),
        (1, 3, 33.333333, "33.3333333 % of all rows are due; the standing approval covers 33.333333 %"),
        (1, 1_000_000, 0.0, "0.0001 % of all rows are due; the standing approval covers 0 %"),
    ],
)
def test_a_percentage_is_shown_with_the_digits_that_tell_it_from_its_limit(
    world, due: int, before: int, most: float, words: str
) -> None:
    """Two numbers that look the same would contradict the sentence."""
    plan = world.runs().read_plan(planned(world))
    plan = replace(plan, stores=(replace(plan.stores[0], before=before, due=due, held=0),))
    assert words in Limits(9999, most).exceeded_by(plan)


REFUSALS: dict[str, tuple[Any, int, str]] = {
    "none": (None, 1, "nobody approved"),
    "ended": (standing(until=date(2026, 9, 30)), 1, "ended on 2026-09-30"),
    "rows": (standing(max_rows=1), 1, "2 rows would go; the standing approval covers 1"),
    "percent": (standing(max_percent=66.0), 1, "66.7 % of all rows are due"),
    "gap": (standing(), 8, "8 days ago, more than 7"),
    "clock went back": (standing(), -1, "before the last run"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_standing_approval_stops_where_a_person_may_go_on(world, name: str) -> None:
    """Limits, end, clock: no leaf, nothing deleted; a person's approval of the same plan passes that."""
    order, days_ago, words = REFUSALS[name]
    last_sealed(world, days_ago)
    run_id = planned(world)
    state = world.state(run_id)
    with pytest.raises(Refused, match=words) as error:
        world.runs().approve_by_standing(world.runs().read_plan(run_id), order, world.nonce)
    assert "a person" in error.value.hint
    assert world.state(run_id) == state
    refused(world, run_id, "not approved")
    world.approve(run_id)
    assert world.purge(run_id) == "sealed"


@pytest.mark.parametrize(("days_ago", "until"), [(7, date(2026, 12, 31)), (1, date(2026, 10, 1))])
def test_the_last_day_of_a_limit_is_within_it(world, days_ago: int, until: date) -> None:
    """Seven days are not more than seven; an approval holds on the day it ends."""
    last_sealed(world, days_ago)
    run_id = planned(world)
    world.runs().approve_by_standing(world.runs().read_plan(run_id), standing(until=until), world.nonce)
    assert world.purge(run_id) == "sealed"


def stopped_under_standing(world: Any, order: StandingApproval) -> str:
    """A night that ended after its approval and before its intent."""
    last_sealed(world, 1)
    run_id = planned(world)
    world.runs().approve_by_standing(world.runs().read_plan(run_id), order, world.nonce)
    return run_id


def test_a_standing_approval_that_ended_covers_no_run_that_has_not_begun(world) -> None:
    """The night stopped before its beginning, and somebody goes on days later; another plan needs another word."""
    run_id = stopped_under_standing(world, standing(until=world.as_of))
    world.clock += timedelta(days=3)
    refused(world, run_id, "ended on 2026-10-01")
    world.approve(again := world.plan(world.clock.date()))
    assert world.purge(again) == "sealed"
    assert world.is_sound()


def test_a_clock_that_jumped_after_the_approval_is_doubted(world) -> None:
    """The plan is young enough, the last record is not."""
    run_id = stopped_under_standing(world, standing())
    world.clock += timedelta(days=7)
    refused(world, run_id, "began 8 days ago, more than 7")


def test_a_restore_whose_standing_approval_ended_is_planned_anew(world) -> None:
    """Else the next call would find the same plan, which no other word can approve any more."""
    last_sealed(world, 1)
    world.put(world.event(1), world.event(3, world.new))
    plan = world.runs().plan(world.as_of, "restore", ())
    world.runs().approve_by_standing(plan, standing(until=world.as_of), world.nonce)
    assert world.runs().pending_restore(()) == plan
    world.clock += timedelta(days=1)
    assert world.runs().pending_restore(()) is None
    with pytest.raises(Refused, match="ended on") as error:
        world.purge(plan.run_id)
    assert "lifecycle restore apply" in error.value.hint


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"limits": {"maxRows": 1, "maxPercent": 100.0}}, "2 rows would go; the standing approval covers 1"),
        ({"limits": {"maxRows": 9, "maxPercent": 1.0}}, "66.7 % of all rows are due"),
        ({"until": "2020-01-01"}, "ended on 2020-01-01"),
        ({"role": "delegate"}, "says something else than its standing approval"),
    ],
)
def test_a_standing_approval_in_a_run_is_held_to_what_it_says(world, other: dict[str, Any], words: str) -> None:
    """Whoever wrote it there: its limits and its end are asked again before the run begins."""
    run_id = stopped_under_standing(world, standing())
    order = json.loads(world.ledger().read(run_id, "2-approval.json"))["standing"] | other
    changed_approval(world, run_id, standing=order, limits=order["limits"])
    refused(world, run_id, words)
    changed_approval(world, run_id, limits={"maxRows": 10, "maxPercent": 80.0}, standing=order)
    refused(world, run_id, words if "limits" not in other else "something else than its standing approval")


def test_a_run_that_has_begun_is_finished_after_its_standing_approval_ended(world, memory_store) -> None:
    """From the intent on rows may be gone: only finishing it is safe."""
    last_sealed(world, 1)
    other = memory_store(fail_at="commit")
    other.rows["events"] = [world.event(1)]
    world.others = [other]
    run_id = planned(world)
    order = standing(until=world.as_of)
    world.runs().approve_by_standing(world.runs().read_plan(run_id), order, world.nonce)
    with pytest.raises(Incomplete):
        world.purge(run_id)
    world.clock += timedelta(days=3)
    assert world.purge(run_id) == "sealed"


# --- several stores -------------------------------------------------------------------------------


def test_the_same_row_in_two_stores_is_one_tombstone_and_two_deletions(world, memory_store) -> None:
    """The plan counts rows per store; the tombstones are distinct."""
    other = memory_store()
    other.rows["events"] = [world.event(1), world.event(3, world.new)]
    world.others = [other]
    run_id = approved(world)
    plan = world.runs().read_plan(run_id)
    assert (plan.due, plan.count) == (3, 2)
    assert world.purge(run_id) == "sealed"
    assert world.predicate(run_id)["counts"]["deleted"] == 3
    assert len(world.ledger().read(run_id, "tombstones.txt").split()) == 2
    assert other.rows["events"] == [world.event(3, world.new)]
    assert world.is_sound(), world.verified()


@pytest.mark.parametrize("place", ["first", "others"])
@pytest.mark.parametrize("step", ["commit", "after-commit", "verify"])
def test_a_store_that_fails_after_the_intent_leaves_the_run_open(world, memory_store, step: str, place: str) -> None:
    """Exit 9 until it is done; the same command goes on, whichever store was done first."""
    other = memory_store(fail_at=step)
    other.rows["events"] = [world.event(1), world.event(7), world.event(3, world.new)]
    setattr(world, place, [other])
    run_id = approved(world)
    with pytest.raises(Incomplete) as error:
        world.purge(run_id)
    assert error.value.exit_code == 9
    assert run_id in error.value.hint
    assert world.runs().open_run() == run_id
    assert "6-record.json" not in world.ledger().listing(run_id)
    assert world.purge(run_id) == "sealed"
    assert world.runs().open_run() is None
    assert world.predicate(run_id)["counts"] == {
        "before": 6, "due": 4, "deleted": 4, "held": 0, "failed": 0, "retained": 2
    }  # fmt: skip
    assert [sum(world.rows().values()), len(other.rows["events"])] == [1, 1]
    assert world.is_sound(), world.verified()


@pytest.mark.parametrize("step", ["erased", "erasing"])
def test_a_store_that_fails_before_the_intent_leaves_everything_as_it_was(world, memory_store, step: str) -> None:
    """Exit 4, no leaf; the approved plan is still good."""
    other = memory_store()
    world.others = [other]
    run_id = approved(world)
    state = world.state(run_id)
    other.fail_at = step
    with pytest.raises(StoreError) as error:
        world.purge(run_id)
    assert error.value.exit_code == 4
    assert world.state(run_id) == state
    assert world.purge(run_id) == "sealed"


def test_rows_that_fall_due_in_a_store_after_another_is_done_are_never_taken_along(world, memory_store) -> None:
    """Nothing outside the approved plan goes: incomplete, until somebody has looked."""
    other = memory_store(fail_at="commit")
    other.rows["events"] = [world.event(1)]
    world.others = [other]
    run_id = approved(world)
    with pytest.raises(Incomplete):
        world.purge(run_id)
    other.rows["events"].append(world.event(8))
    with pytest.raises(Incomplete, match="1 rows became due in a store after another"):
        world.purge(run_id)
    assert len(other.rows["events"]) == 2
    other.rows["events"].pop()
    assert world.purge(run_id) == "sealed"


# --- what must not happen -------------------------------------------------------------------------


def evidence_from_before(world: Any, run_id: str) -> None:
    """Purge, then bring the evidence back as it was before."""
    copy = world.root.parent / "copy"
    shutil.copytree(world.root / "evidence", copy)
    world.purge(run_id)
    shutil.rmtree(world.root / "evidence")
    copy.rename(world.root / "evidence")


def test_a_marker_without_its_intent_in_the_log_is_broken_evidence(world) -> None:
    """Evidence copied back from before the run: exit 7, and never repaired silently."""
    run_id = approved(world)
    evidence_from_before(world, run_id)
    state = world.state(run_id)
    for _ in range(2):
        with pytest.raises(EvidenceError, match="its intent is not in the log") as error:
            world.purge(run_id)
        assert error.value.exit_code == 7
        assert "older than the store" in error.value.hint
        assert world.state(run_id) == state


def test_another_store_with_the_same_rows_does_not_make_up_the_intent(world, memory_store) -> None:
    """The mutant: its due rows equal the plan's, so an intent could be written after the fact."""
    run_id = approved(world)
    evidence_from_before(world, run_id)
    other = memory_store()
    other.rows["events"] = [world.event(1), world.event(2)]
    world.others = [other]
    state = world.state(run_id)
    with pytest.raises(EvidenceError, match="its intent is not in the log"):
        world.purge(run_id)
    assert world.state(run_id) == state
    assert len(other.rows["events"]) == 2
