"""Wrong versions of the product, kept: each is caught by a check that the true one passes.

A check that passes with the mutant would be worth nothing, so every check runs twice. Lying disks (no fsync of files,
no fsync of folders) are caught in ``tests/ledger/test_crash.py`` and on a real file system in ``tests/campaigns/``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from lifecycle.deletion import approving, dates, execution, restore, run
from lifecycle.deletion import documents as doc
from lifecycle.errors import EvidenceError, LifecycleError, Refused
from lifecycle.ledger import tombstones
from lifecycle.ledger.evidence import EvidenceLedger
from lifecycle.model import TOMBSTONE_KEYS, Erased, ErasedSet, Residue
from lifecycle.stores.embedded import erase
from lifecycle.stores.embedded import tombstones as bulk

Patch = pytest.MonkeyPatch
pytestmark = pytest.mark.slow


class PowerOff(BaseException):
    """Nothing that catches errors catches this."""


def planned(world: Any) -> str:
    """Two due rows, one of them of a person whom a hold protects, one that is due tomorrow; planned and approved."""
    world.put(world.event(1), world.event(2), world.event(3), world.event(4, tomorrow(world)))
    world.hold(world.event(3))
    run_id = str(world.plan())
    world.approve(run_id)
    return run_id


def tomorrow(world: Any) -> Any:
    """The end of an appointment that is due on the day after the plan's."""
    day = world.as_of - timedelta(days=89)
    return world.old.replace(month=day.month, day=day.day)


def uids(world: Any) -> list[str]:
    return sorted(row[1] for row in world.rows().elements())


def of(world: Any, *numbers: int) -> list[str]:
    return [world.event(number)["appointment_uid"] for number in numbers]


def cut_at(step: str, world: Any, run_id: str) -> None:
    """Carry the run out, and end the process at a step of the rewrite."""

    def end(rewrite: Any, *words: Any) -> None:
        if step == "_empty":
            os.close(words[0])
        raise PowerOff

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erase.Rewrite, step, end)
        with pytest.raises(PowerOff):
            world.purge(run_id)


# --- what is checked ------------------------------------------------------------------------------


def check_rows_marker_and_intent_after_a_cut(world: Any) -> None:
    """Right after the rename: the rows are gone, their marker is there, and the intent was in the log before."""
    run_id = planned(world)
    cut_at("_empty", world, run_id)
    ledger = world.ledger()
    assert uids(world) == of(world, 3, 4)
    assert world.store.erased(run_id) is not None
    assert "3-intent.json" in ledger.listing(run_id)
    assert ledger.contains(ledger.read(run_id, "3-intent.json"))


def check_rows_that_appear_after_the_intent_abort_the_run(world: Any) -> None:
    """Only what was planned and approved is deleted, whoever wrote to the store in between."""
    run_id = planned(world)
    cut_at("_write_fresh", world, run_id)
    world.put(world.event(9))
    assert world.purge(run_id) == "aborted"
    assert uids(world) == of(world, 1, 2, 3, 4, 9)


def check_aborted_tombstones_condemn_nobody(world: Any) -> None:
    """Rows that an aborted run meant to erase were never erased: after a restore they fall due by the rule alone."""
    check_rows_that_appear_after_the_intent_abort_the_run(world)
    later = world.event(1, world.new, command="MODIFIED", received_at=world.clock)
    world.put(later, today=world.clock.date())
    every_key = restore.living_runs(world.ledger())
    plan = world.runs().plan(world.as_of, trigger="restore", rests_on=every_key)
    assert plan.count == 2  # visits 2 and 9; visit 1 was rebooked


def check_tombstones_need_their_key(world: Any) -> None:
    """They equal the HMAC under the run's key, and no guess confirms one without it."""
    run_id = planned(world)
    key = world.ledger().tombstone_key(run_id)
    world.purge(run_id)
    written = world.ledger().read(run_id, doc.TOMBSTONES).decode().split()
    columns = [[(name, world.event(n)[name]) for name in TOMBSTONE_KEYS["events"]] for n in (1, 2)]
    assert sorted(tombstones.tombstone(key, "events", each) for each in columns) == written
    guesses = {sha256(tombstones.message("events", each)).hexdigest() for each in columns}
    guesses |= {tombstones.tombstone(bytes(32), "events", each) for each in columns}
    assert not guesses & set(written)


def check_a_sealed_run_is_complete_or_is_not_accepted(world: Any) -> None:
    """The verifier accepts a record only where the due rows are gone."""
    world.purge(planned(world))
    assert world.is_sound()


def check_nobody_goes_before_the_day(world: Any) -> None:
    """Who is due tomorrow is here after the run of today."""
    world.purge(planned(world))
    assert uids(world) == of(world, 3, 4)


def check_the_future_is_refused(world: Any) -> None:
    """A plan for a day to come would delete early."""
    planned(world)
    with pytest.raises(Refused):
        world.plan(world.as_of + timedelta(days=1))


def check_a_clock_that_jumped_is_doubted(world: Any) -> None:
    """Under a standing approval a jump ahead, or back before the last run, stops before anything is deleted."""
    world.purge(planned(world))
    limits = doc.Limits(1000, 100.0)
    standing = doc.StandingApproval("controller", limits, world.as_of + timedelta(days=900), world.nonce, world.clock)
    for jump in (timedelta(days=365), -timedelta(minutes=1)):
        world.clock += jump
        plan = world.runs().plan(world.clock.date())
        with pytest.raises(Refused):
            world.runs().approve_by_standing(plan, standing, world.nonce)
        world.clock -= jump


def check_an_approval_is_of_one_plan(world: Any) -> None:
    """The word on another plan opens nothing."""
    planned_run = planned(world)
    other = world.plan()
    folder = world.root / "evidence" / "runs"
    shutil.copy(folder / planned_run / doc.APPROVAL, folder / other / doc.APPROVAL)
    with pytest.raises(EvidenceError):
        world.purge(other)
    assert uids(world) == of(world, 1, 2, 3, 4)


def check_nothing_goes_without_an_approval(world: Any) -> None:
    """A plan alone deletes nobody."""
    planned(world)
    with pytest.raises(Refused):
        world.purge(world.plan())
    assert uids(world) == of(world, 1, 2, 3, 4)


def check_people_cannot_be_swapped_after_the_approval(world: Any) -> None:
    """As many as before, but others: the approval speaks of the people, not of their number."""
    run_id = planned(world)
    world.store.lift_hold(1, world.as_of)
    world.hold(world.event(2))
    with pytest.raises(Refused):
        world.purge(run_id)
    assert uids(world) == of(world, 1, 2, 3, 4)


# --- the mutants ----------------------------------------------------------------------------------


def deletes_before_the_intent(patch: Patch) -> None:
    def late(self: Any, chosen: Any, key: bytes, **_: Any) -> None:
        self._ledger.write_pieces_once(self._run_id, doc.TOMBSTONES, doc.pieces(execution._union(chosen)))

    patch.setattr(execution.Execution, "_begin", late)


def writes_the_marker_after_the_commit(patch: Patch) -> None:
    patch.setattr(erase.Rewrite, "_mark", lambda *_: None)


def deletes_whatever_is_due_by_now(patch: Patch) -> None:
    """What a weaker isolation would do: rows chosen at one moment, deleted as they are at another."""
    patch.setattr(execution.Execution, "_drift", lambda *_: None)


def believes_aborted_runs(patch: Patch) -> None:
    patch.setattr(restore, "sealed", lambda *_: True)
    patch.setattr(EvidenceLedger, "destroy_tombstone_key", lambda *_: None)


def hashes_without_the_key(patch: Patch) -> None:
    real = bulk._hmac
    patch.setattr(bulk, "_hmac", lambda key, messages: real(bytes(32), messages))


def hashes_plainly(patch: Patch) -> None:
    patch.setattr(bulk, "_hmac", lambda key, messages: bulk._sha256(bulk.LABEL, messages))


def deletes_nothing_and_calls_it_done(patch: Patch) -> None:
    nothing = Erased((ErasedSet("workspace", "events", 0, 4, ""),), 0, Residue(1, 1, 1, 1, 1, 0))
    patch.setattr(erase.Rewrite, "commit", lambda *_: nothing)


def counts_a_day_too_few(patch: Patch) -> None:
    """The second way of counting days, inside the store, refuses what the first one lets go."""
    for module in (run, execution):
        patch.setattr(module, "cutoffs", lambda rule, day, zone: dates.cutoffs(rule, day + timedelta(days=1), zone))


def counts_a_day_too_few_twice(patch: Patch) -> None:
    counts_a_day_too_few(patch)
    patch.setattr(erase.Rewrite, "_count_early", lambda *_: 0)


def believes_in_the_future(patch: Patch) -> None:
    patch.setattr(run.DeletionRuns, "_refuse_future", lambda *_: None)


def believes_the_clock(patch: Patch) -> None:
    patch.setattr(run.DeletionRuns, "_doubt_clock", lambda *_: None)


def needs_no_approval(patch: Patch) -> None:
    patch.setattr(approving.Approvals, "refuse_unapproved", lambda *_: None)
    patch.setattr(EvidenceLedger, "read", reads_an_empty_approval(EvidenceLedger.read))


def reads_an_empty_approval(real: Callable[..., bytes]) -> Callable[..., bytes]:
    def read(self: Any, run_id: str, name: str) -> bytes:
        missing = name == doc.APPROVAL and name not in self.listing(run_id)
        return b"{}" if missing else real(self, run_id, name)

    return read


def compares_numbers_of_rows_only(patch: Patch) -> None:
    class Length:
        def __init__(self, key: bytes) -> None:
            self.length = 0

        def update(self, piece: bytes) -> None:
            self.length += len(piece)

        def hexdigest(self) -> str:
            return str(self.length)

    patch.setattr(tombstones, "due_set", Length)


MUTANTS: tuple[tuple[Callable[[Any], None], Callable[[Patch], None]], ...] = (
    (check_rows_marker_and_intent_after_a_cut, deletes_before_the_intent),
    (check_rows_marker_and_intent_after_a_cut, writes_the_marker_after_the_commit),
    (check_rows_that_appear_after_the_intent_abort_the_run, deletes_whatever_is_due_by_now),
    (check_aborted_tombstones_condemn_nobody, believes_aborted_runs),
    (check_tombstones_need_their_key, hashes_without_the_key),
    (check_tombstones_need_their_key, hashes_plainly),
    (check_a_sealed_run_is_complete_or_is_not_accepted, deletes_nothing_and_calls_it_done),
    (check_nobody_goes_before_the_day, counts_a_day_too_few),
    (check_nobody_goes_before_the_day, counts_a_day_too_few_twice),
    (check_the_future_is_refused, believes_in_the_future),
    (check_a_clock_that_jumped_is_doubted, believes_the_clock),
    (check_an_approval_is_of_one_plan, needs_no_approval),
    (check_nothing_goes_without_an_approval, needs_no_approval),
    (check_people_cannot_be_swapped_after_the_approval, compares_numbers_of_rows_only),
)


@pytest.mark.parametrize("check", dict.fromkeys(check for check, _ in MUTANTS), ids=lambda check: check.__name__)
def test_the_product_passes(world: Any, check: Callable[[Any], None]) -> None:
    """The measure for the test below."""
    check(world)


@pytest.mark.parametrize(("check", "mutant"), MUTANTS, ids=lambda one: one.__name__)
def test_the_mutant_is_caught(world: Any, check: Callable[[Any], None], mutant: Callable[[Patch], None]) -> None:
    """By an assertion, or by the product itself, which refuses in words; never by falling over."""
    with pytest.MonkeyPatch.context() as patch:
        mutant(patch)
        with pytest.raises((AssertionError, LifecycleError, pytest.fail.Exception)):
            check(world)
