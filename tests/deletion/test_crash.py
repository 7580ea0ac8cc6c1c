"""Whatever moment a run ends, every row is here or its marker is; and the same command goes on to a sealed record."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from lifecycle.errors import Refused
from lifecycle.stores.embedded import EmbeddedStore, erase

pytestmark = pytest.mark.slow

LEDGER_STEPS = ("write_once", "write_pieces_once", "append", "write_proof", "destroy_tombstone_key")
STORE_STEPS = ("erased", "erasing", "verify")
REWRITE_STEPS = (
    *("_refuse_unsafe_file", "_remove_leftovers", "_count_early", "_write_fresh"),
    *("_search", "_mark", "_rename", "_empty"),
)


class PowerOff(BaseException):
    """Nothing that catches errors catches this."""


class Fuse:
    """Counts steps and ends the process before or after one of them: from then on every step ends, too."""

    def __init__(self, stop_at: int = -1, *, after: bool = False) -> None:
        self.stop_at, self.after = stop_at, after
        self.steps: list[str] = []
        self.blown = False

    def around(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            if self.blown:
                if name == "_empty":  # a process that ends closes what it had open
                    os.close(args[1])
                raise PowerOff
            here = len(self.steps)
            self.steps.append(name)
            if here == self.stop_at and not self.after:
                self.blown = True
                if name == "_empty":
                    os.close(args[1])
                raise PowerOff
            result = real(*args, **kwargs)
            if here == self.stop_at:
                self.blown = True
                raise PowerOff
            return result

        return step

    def install(self, patch: pytest.MonkeyPatch, world: Any) -> None:
        """Wrap every write of the ledger and every step of the store."""
        for name in STORE_STEPS:
            patch.setattr(EmbeddedStore, name, self.around(name, getattr(EmbeddedStore, name)))
        for name in REWRITE_STEPS:
            patch.setattr(erase.Rewrite, name, self.around(name, getattr(erase.Rewrite, name)))
        patch.setattr(erase.os, "rename", self.around("rename", os.rename))

        def wrap(ledger: Any) -> Any:
            for name in LEDGER_STEPS:
                setattr(ledger, name, self.around(name, getattr(ledger, name)))
            return ledger

        patch.setattr(world, "wrap", wrap)


def purge_with(fuse: Fuse, world: Any, run_id: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        fuse.install(patch, world)
        try:
            world.purge(run_id)
        except PowerOff:
            return


@pytest.fixture(scope="module")
def prepared(new_world) -> Any:
    """Three due rows, one of them held, one that is not due; in both datasets; planned and approved."""
    world = new_world()
    for dataset in ("events", "appointments"):
        world.put(*(world.event(n) for n in (1, 2, 3)), world.event(4, world.new), dataset=dataset)
    world.hold(world.event(3))
    run_id = world.plan()
    world.approve(run_id)
    return world, run_id


DUE = (1, 2)
STAYING = (3, 4)


def uids(world: Any, numbers: tuple[int, ...]) -> set[str]:
    return {world.event(number)["appointment_uid"] for number in numbers}


def here(world: Any) -> dict[str, set[str]]:
    return {name: {row[1] for row in world.rows(name)} for name in ("events", "appointments")}


def check_invariants(world: Any, run_id: str) -> bool:
    """All due rows and no marker, or no due row and the marker with the intent in the log; nothing else, ever."""
    ledger, marker, rows = world.ledger(), world.store.erased(run_id), here(world)
    gone = marker is not None
    expected = uids(world, STAYING if gone else DUE + STAYING)
    assert all(found == expected for found in rows.values()), f"marker: {gone}"
    if gone:
        assert ledger.contains(ledger.read(run_id, "3-intent.json"))
    else:
        assert "4-deleted.json" not in ledger.listing(run_id)
        assert "6-record.json" not in ledger.listing(run_id)
    return gone


def check_sealed(world: Any, run_id: str) -> None:
    assert check_invariants(world, run_id)
    assert world.predicate(run_id)["counts"] == {
        "before": 8, "due": 6, "deleted": 4, "held": 2, "failed": 0, "retained": 4
    }  # fmt: skip
    assert set(world.predicate(run_id)["checks"].values()) == {"passed"}
    assert world.is_sound(), world.verified()
    assert {path.name for path in (world.root / "data").iterdir()} == {"lifecycle.duckdb"}
    everything = b"".join(path.read_bytes() for path in world.root.rglob("*") if path.is_file())
    assert [number for number in DUE if world.event(number)["email"].encode() in everything] == []


@pytest.fixture
def fresh(prepared, new_world) -> Callable[[], tuple[Any, str]]:
    """Copies of the prepared workspace."""

    def copy() -> tuple[Any, str]:
        original, run_id = prepared
        world = new_world()
        shutil.rmtree(world.root)
        shutil.copytree(original.root, world.root)
        return world, run_id

    return copy


def all_steps(fresh: Callable[[], tuple[Any, str]]) -> list[str]:
    fuse = Fuse()
    purge_with(fuse, *fresh())
    return fuse.steps


def test_the_order_of_the_steps_is_that_of_the_format(fresh) -> None:
    """Intent in the log, then the rename, then the files that speak of it."""
    steps = all_steps(fresh)
    assert set(steps) >= {
        *STORE_STEPS,
        "_write_fresh",
        "_mark",
        "_search",
        "_rename",
        "rename",
        "append",
        "write_proof",
    }
    assert steps.index("write_pieces_once") < steps.index("append") < steps.index("_write_fresh")
    in_place = steps.index("rename", steps.index("_rename"))
    assert steps.index("_mark") < steps.index("_search") < in_place < steps.index("_empty")
    after = steps[steps.index("_empty") :]
    writes = ("write_once", "append", "write_proof")
    assert [step for step in after if step in writes] == [
        "write_once", "write_once", "write_once", "append", "write_proof"
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_a_power_cut_at_every_step_leaves_all_or_nothing_and_can_be_resumed(fresh, after: bool) -> None:
    """Before and after every write of the ledger and every step of the rewrite; then the same command."""
    seen = set()
    for stop_at, name in enumerate(all_steps(fresh)):
        if after and name not in (*LEDGER_STEPS, "rename"):
            continue  # the next step's "before" is the same moment
        world, run_id = fresh()
        fuse = Fuse(stop_at, after=after)
        purge_with(fuse, world, run_id)
        assert fuse.blown
        seen.add(check_invariants(world, run_id))
        assert world.purge(run_id) == "sealed"
        check_sealed(world, run_id)
        shutil.rmtree(world.root)
    assert seen == {True, False}


@pytest.mark.slow
def test_two_power_cuts_one_after_the_other(fresh) -> None:
    """The second during the resuming, at some steps of both."""
    count = len(all_steps(fresh))
    for first in range(3, count, 7):
        for second in (1, 9):
            world, run_id = fresh()
            purge_with(Fuse(first), world, run_id)
            gone = check_invariants(world, run_id)
            purge_with(Fuse(second, after=True), world, run_id)
            assert check_invariants(world, run_id) or not gone
            assert world.purge(run_id) == "sealed"
            check_sealed(world, run_id)
            shutil.rmtree(world.root)


# --- between the intent and the deletion ----------------------------------------------------------


def cut_before_the_rewrite(fresh: Callable[[], tuple[Any, str]]) -> tuple[Any, str]:
    """The intent is in the log, and nothing is deleted."""
    world, run_id = fresh()
    purge_with(Fuse(all_steps(fresh).index("_write_fresh")), world, run_id)
    assert not check_invariants(world, run_id)
    assert world.ledger().contains(world.ledger().read(run_id, "3-intent.json"))
    return world, run_id


@pytest.mark.parametrize("change", ["appeared", "vanished"])
def test_rows_that_changed_after_the_intent_abort_the_run(fresh, change: str) -> None:
    """A leaf with counts and no deletion; the key is of no more use and destroyed; a new plan goes through."""
    world, run_id = cut_before_the_rewrite(fresh)
    world.backup_days = 30
    if change == "appeared":
        world.put(world.event(9))
    else:
        world.hold(world.event(1))
    before = here(world)
    assert world.purge(run_id) == "aborted"
    assert here(world) == before
    leaf = world.predicate(run_id, "6-aborted.json")
    counts = {"appeared": (1, 0), "vanished": (0, 2)}[change]
    assert (leaf["event"], leaf["reason"], leaf["appeared"], leaf["vanished"]) == ("aborted", "plan-drift", *counts)
    assert not world.ledger().holds_tombstone_key(run_id)
    assert world.store.erased(run_id) is None
    assert world.purge(run_id) == "aborted"
    assert world.is_sound(), world.verified()
    world.approve(again := world.plan())
    assert world.purge(again) == "sealed"
    assert world.is_sound(), world.verified()


def test_whoever_writes_past_the_workbench_while_a_run_is_open_is_noticed(fresh) -> None:
    """Nothing is taken in while a run is open; what arrives all the same is not what the run retained, and stays."""
    world, run_id = fresh()
    purge_with(Fuse(all_steps(fresh).index("_empty")), world, run_id)
    assert check_invariants(world, run_id)
    world.put(world.event(8, world.new))
    world.put(world.event(8, world.new), dataset="appointments")
    assert world.purge(run_id) == "sealed"
    failed = {name for name, outcome in world.predicate(run_id)["checks"].items() if outcome != "passed"}
    assert failed == {"retainedSetUnchanged"}
    assert all(found == uids(world, (*STAYING, 8)) for found in here(world).values())


def test_a_begun_run_is_finished_whatever_the_clock_and_the_rules_say_by_now(fresh) -> None:
    """What may refuse a run may do so before it begins; half a run helps nobody."""
    world, run_id = cut_before_the_rewrite(fresh)
    world.policy_sha256 = "2" * 64
    world.clock = world.clock.replace(year=2027)
    assert world.runs().open_run() == run_id
    assert world.purge(run_id) == "sealed"
    assert world.runs().open_run() is None


def test_tombstones_without_an_intent_are_nothing_deleted(fresh) -> None:
    """Cut between the two: the plan can still be refused, and nothing is an open run."""
    world, run_id = fresh()
    purge_with(Fuse(all_steps(fresh).index("write_pieces_once"), after=True), world, run_id)
    assert "tombstones.txt" in world.ledger().listing(run_id)
    assert world.runs().open_run() is None
    world.policy_sha256 = "2" * 64
    with pytest.raises(Refused):
        world.purge(run_id)
    assert not check_invariants(world, run_id)
