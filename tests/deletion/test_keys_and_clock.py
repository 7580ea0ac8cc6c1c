"""What a clock that jumped must not do, when tombstone keys go, and that one run is open at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lifecycle.errors import EvidenceError, Incomplete, Refused
from lifecycle.ledger.keys import KeyFolder

pytestmark = pytest.mark.slow


class PowerOff(BaseException):
    """Nothing that catches errors catches this."""


def sealed(world: Any, *numbers: int) -> str:
    """A run that erased rows and whose key lives until the backups are over."""
    world.put(*(world.event(number) for number in numbers))
    run_id = world.plan(world.clock.date())
    world.approve(run_id)
    world.purge(run_id)
    return str(run_id)


def opened(world: Any, memory_store: Any) -> str:
    """A run that has begun and stopped, since a second store could not be reached."""
    other = memory_store(fail_at="commit")
    other.rows["events"] = [world.event(1)]
    world.first = [other]
    world.put(world.event(1))
    run_id = world.plan()
    world.approve(run_id)
    with pytest.raises(Incomplete):
        world.purge(run_id)
    assert world.runs().open_run() == run_id
    return str(run_id)


def cut_off(world: Any, call: Any) -> None:
    """End the process before its plan is written."""

    def wrap(ledger: Any) -> Any:
        ledger.write_once = ends
        return ledger

    world.wrap = wrap
    with pytest.raises(PowerOff):
        call()
    world.wrap = lambda ledger: ledger


def ends(*_: Any) -> Any:
    raise PowerOff


def test_a_clock_that_jumped_destroys_no_key(world) -> None:
    """However long their time seems to be over; once a person ordered a run, they go, each with its leaf."""
    run_id = sealed(world, 1, 2)
    world.clock += timedelta(days=400)
    size = world.ledger().checkpoint().size
    assert world.runs().keys_due() == (run_id,)
    assert world.runs().destroy_due_keys() == ()
    assert world.ledger().holds_tombstone_key(run_id)
    assert world.ledger().checkpoint().size == size
    world.purge(world.plan(world.clock.date()))
    assert world.runs().destroy_due_keys() == (run_id,)
    assert not world.ledger().holds_tombstone_key(run_id)
    assert world.is_sound(), world.verified()


@pytest.mark.parametrize("days", [-1, 8])
def test_the_last_day_on_which_a_clock_is_believed(world, days: int) -> None:
    """Seven days after the last run began; not a day before it, and not eight days after."""
    sealed(world, 1)
    world.clock += timedelta(days=7)
    assert world.runs().clock_doubt() == ""
    world.clock += timedelta(days=days - 7)
    assert world.runs().clock_doubt() != ""


def test_an_open_run_that_ends_under_another_clock_does_not_vouch_for_it(world, memory_store) -> None:
    """It is finished whatever the clock says; a key is destroyed no sooner for that."""
    older = sealed(world, 7)
    run_id = opened(world, memory_store)
    world.clock += timedelta(days=400)
    assert world.purge(run_id) == "sealed"
    assert "400 days ago" in world.runs().clock_doubt()
    assert world.runs().destroy_due_keys() == ()
    assert world.ledger().holds_tombstone_key(older)


@pytest.mark.parametrize("trigger", ["schedule", "restore"])
def test_a_run_with_nothing_due_that_nobody_ordered_does_not_vouch_for_the_clock(world, trigger: str) -> None:
    """No approval asks for it, so the clock itself does; a person's word passes."""
    sealed(world, 1)
    world.clock += timedelta(days=8)
    run_id = world.runs().plan(world.clock.date(), trigger).run_id
    state = world.state(run_id)
    with pytest.raises(Refused, match="has the clock jumped") as refused:
        world.purge(run_id)
    assert "a person" in refused.value.hint
    assert world.state(run_id) == state
    world.approve(run_id)
    assert world.purge(run_id) == "sealed"
    assert world.runs().clock_doubt() == ""


# --- keys without a plan ----------------------------------------------------------------------------


def test_a_key_whose_plan_was_never_written_is_destroyed(world) -> None:
    """Nothing is bound to it: no leaf, and the next plan has an id and a key of its own."""
    world.put(world.event(1))
    cut_off(world, world.plan)
    run_id = "2026-10-01-a"
    assert world.ledger().holds_tombstone_key(run_id)
    assert world.ledger().listing(run_id) == frozenset()
    assert world.runs().keys_due() == (run_id,)
    assert world.runs().destroy_due_keys() == (run_id,)
    assert not world.ledger().holds_tombstone_key(run_id)
    assert world.ledger().checkpoint().size == 0
    assert world.plan() == "2026-10-01-b"
    assert world.runs().keys_due() == ()
    assert world.is_sound(), world.verified()


def test_a_key_is_drawn_only_once_its_run_has_a_folder(world, monkeypatch) -> None:
    """Cut off between the two, there is no key; so a key without a folder is never left by a plan."""
    with monkeypatch.context() as patched:
        patched.setattr(KeyFolder, "create_tombstone_key", ends)
        with pytest.raises(PowerOff):
            world.plan()
    assert (world.ledger().runs(), world.ledger().cut_off()) == ((), ("2026-10-01-a",))
    assert not world.ledger().holds_tombstone_key("2026-10-01-a")
    assert world.plan() == "2026-10-01-b"


def test_a_key_of_a_run_that_the_evidence_does_not_know_stays(world) -> None:
    """It belongs to newer evidence that may come back; and so does one whose run has lost nothing but its plan."""
    run_id = sealed(world, 1)
    for name in ("2026-10-01-b", "2026-10-02-a"):
        key = world.root / f"keys/tombstone-{name}.key"
        key.touch(0o600)
        key.write_bytes(bytes(32))
    (world.root / "evidence/runs" / run_id / "1-plan.json").unlink()
    assert world.runs().keys_due() == ()
    assert world.runs().destroy_due_keys() == ()
    assert len(list((world.root / "keys").glob("tombstone-*"))) == 3


# --- one open run at a time -------------------------------------------------------------------------


def test_no_other_run_is_carried_out_while_one_is_open(world, memory_store) -> None:
    """Neither one that would begin nor one that has ended; the open one goes on, and then the other may."""
    ended = world.plan()
    world.purge(ended)
    run_id = opened(world, memory_store)
    other = world.plan()
    world.approve(other)
    for one in (other, ended):
        state, rows = world.state(one), world.rows()
        with pytest.raises(Refused, match=f"Run {run_id} has begun and is not finished") as refused:
            world.purge(one)
        assert refused.value.hint == f"lifecycle purge {run_id}"
        assert (world.state(one), world.rows()) == (state, rows)
    assert world.purge(run_id) == "sealed"
    assert world.purge(ended) == "sealed"
    with pytest.raises(Refused, match="no longer due"):
        world.purge(other)
    assert world.is_sound(), world.verified()


def test_no_key_is_destroyed_while_a_run_is_open(world, memory_store) -> None:
    """It may rest on one of them; once it has ended they go."""
    cut_off(world, world.plan)
    run_id = opened(world, memory_store)
    assert world.runs().keys_due() == ("2026-10-01-a",)
    assert world.runs().destroy_due_keys() == ()
    world.purge(run_id)
    assert world.runs().destroy_due_keys() == ("2026-10-01-a",)


def test_what_an_aborted_run_left_is_counted_in_the_stores(world) -> None:
    """Its plan may speak of rows that are gone; of the earlier runs it rests on only living keys are asked."""
    run_id = sealed(world, 1, 2)
    world.put(world.event(3), world.event(4, world.new))
    plan = world.runs().plan(world.as_of, "restore", (run_id,))
    for _ in ("living", "destroyed"):
        assert [(one.before, one.due) for one in world.runs().counts(plan)] == [(0, 0), (2, 1)]
        world.ledger().destroy_tombstone_key(run_id)
    with pytest.raises(EvidenceError):
        world.ledger().tombstone_key(run_id)
