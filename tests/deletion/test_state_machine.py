"""Book, rebook, cancel, hold, plan, approve, purge, power cuts, backups, restores, destroyed keys, in any order.

A small model says what must be true. A few hundred steps in every run; thousands by ``make soak``. What was reached is
counted, since a walk that never comes to the rare cases proves nothing, and breaks of the product must be found by it.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lifecycle.deletion import execution, restore
from lifecycle.deletion.run import DeletionRuns
from lifecycle.deletion.schedule import GRACE_DAYS
from lifecycle.errors import LifecycleError, Refused
from lifecycle.stores.embedded import EmbeddedStore, erase

SOAK = int(os.environ.get("SOAK") or 0)
"""How many lives of 50 steps; by default ten, always the same."""
VISITS = st.integers(1, 5)
DAYS_AHEAD = st.integers(-1, 40)
PERIOD = 90
BACKUP_DAYS = 30
STEPS: tuple[tuple[type, str], ...] = (
    *((erase.Rewrite, name) for name in ("_count_early", "_write_fresh", "_search", "_mark", "_rename", "_empty")),
    (EmbeddedStore, "verify"),
)
WRITES = ("write_once", "write_pieces_once", "append", "write_proof", "destroy_tombstone_key")


class PowerOff(BaseException):
    """Nothing that catches errors catches this."""


def blow_at(count: int, patch: pytest.MonkeyPatch, world: Any) -> None:
    """End the process before its ``count``-th write or step."""
    left = [count]

    def around(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                if name == "_empty":
                    os.close(args[1])
                raise PowerOff
            return real(*args, **kwargs)

        return step

    for owner, name in STEPS:
        patch.setattr(owner, name, around(name, getattr(owner, name)))

    def wrap(ledger: Any) -> Any:
        for name in WRITES:
            setattr(ledger, name, around(name, getattr(ledger, name)))
        return ledger

    patch.setattr(world, "wrap", wrap)


class Life(RuleBasedStateMachine):
    """The model: messages by visit (day 0 of the last booking, number of rows), uids held, plans, the open run."""

    new_world: Callable[[], Any]
    seen: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.world = type(self).new_world()
        self.number = 0
        self.day_0: dict[int, Any] = {}
        self.rows: dict[int, set[str]] = {}
        self.holds: dict[int, int] = {}
        self.commands: dict[int, str] = {}
        self.plans: dict[str, tuple[Any, frozenset[str], frozenset[str]]] = {}  # when, what goes, what came back
        self.approved: set[str] = set()
        self.open: str | None = None
        self.marked: set[str] = set()
        self.erased: dict[str, tuple[frozenset[str], Any]] = {}  # by runs whose key lives, and until when
        self.backup: dict[str, Any] | None = None

    # --- the model --------------------------------------------------------------------------------

    @property
    def today(self) -> Any:
        return self.world.clock.astimezone(self.world.zone).date()

    def due(self, as_of: Any, came_back: frozenset[str] = frozenset()) -> frozenset[str]:
        """Rows (by their own mark) that must go at a day: by the rule, or because they were erased before."""
        return frozenset(
            row
            for visit, rows in self.rows.items()
            for row in rows
            if visit not in self.holds and (as_of >= self.day_0[visit] + timedelta(days=PERIOD) or row in came_back)
        )

    def forget(self, gone: frozenset[str]) -> None:
        for visit in list(self.rows):
            self.rows[visit] -= gone
            if not self.rows[visit]:
                del self.rows[visit], self.day_0[visit], self.commands[visit]

    def message(self, visit: int, days_ahead: int, command: str) -> None:
        """Every message is received later than the one before, so the last MODIFIED (else CREATED) counts."""
        self.number += 1
        ends = self.world.clock + timedelta(days=days_ahead)
        mark = f"mark-{self.number:07d}"
        received = self.world.clock + timedelta(microseconds=self.number)
        row = self.world.event(visit, ends, command=command, received_at=received, calendar_ref=mark)
        day_0 = ends.astimezone(self.world.zone).date()
        known = visit in self.rows
        self.world.put(row, today=self.today)
        if not known:
            self.commands[visit] = ""
        rank = {"": 0, "DELETED": 1, "CREATED": 2, "MODIFIED": 3}
        if rank[command] >= rank[self.commands[visit]]:
            self.commands[visit] = command
            self.day_0[visit] = day_0
        self.rows.setdefault(visit, set()).add(mark)

    # --- what people do ---------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.message(1, 3, "CREATED")

    @precondition(lambda self: self.open is None)  # nothing is taken in before an open run is finished
    @rule(visit=VISITS, days_ahead=DAYS_AHEAD)
    def book(self, visit: int, days_ahead: int) -> None:
        self.message(visit, days_ahead, "CREATED")

    @precondition(lambda self: self.open is None)
    @rule(visit=VISITS, days_ahead=DAYS_AHEAD)
    def rebook(self, visit: int, days_ahead: int) -> None:
        self.message(visit, days_ahead, "MODIFIED")

    @precondition(lambda self: self.open is None)
    @rule(visit=VISITS)
    def cancel(self, visit: int) -> None:
        self.message(visit, 5, "DELETED")

    @rule(visit=VISITS)
    def hold(self, visit: int) -> None:
        if visit not in self.holds:
            self.holds[visit] = self.world.hold(self.world.event(visit)).number

    @rule(visit=VISITS)
    def lift(self, visit: int) -> None:
        if visit in self.holds:
            self.world.store.lift_hold(self.holds.pop(visit), self.today)

    @rule(days=st.sampled_from([0, 1, 3, 8, 40, 85, 100]))
    def time_goes_on(self, days: int) -> None:
        self.world.clock += timedelta(days=days, minutes=7)

    @rule(early=st.booleans())
    def the_next_rows_fall_due(self, early: bool) -> None:
        """Or will on the next day."""
        days = [day_0 + timedelta(days=PERIOD) for visit, day_0 in self.day_0.items() if visit not in self.holds]
        coming = [day for day in days if day > self.today]
        if coming:
            self.begin_day(min(coming) - timedelta(days=early))

    def begin_day(self, day: Any) -> None:
        self.world.clock = datetime.combine(day, time(1, 7), self.world.zone).astimezone(UTC)

    @rule(days_back=st.integers(0, 2))
    def plan(self, days_back: int) -> None:
        as_of = self.today - timedelta(days=days_back)
        run_id = self.world.plan(as_of)
        due = self.due(as_of)
        assert self.world.runs().read_plan(run_id).count == len(due)
        self.plans[run_id] = (self.world.clock, due, frozenset())

    @precondition(lambda self: self.plans)
    @rule(data=st.data())
    def approve(self, data: Any) -> None:
        run_id = data.draw(st.sampled_from(sorted(self.plans)))
        with suppress(Refused):
            self.world.approve(run_id)
            self.approved.add(run_id)

    # --- carrying out -----------------------------------------------------------------------------

    def may_begin(self, run_id: str) -> bool:
        planned_at, due, _ = self.plans[run_id]
        as_of = self.world.runs().read_plan(run_id).as_of
        fresh = self.world.clock - planned_at <= timedelta(days=7)
        return fresh and self.due(as_of) == due and (run_id in self.approved or not due)

    def settled(self, run_id: str, outcome: str) -> None:
        self.seen[f"{outcome}, {'some' if self.plans[run_id][1] else 'nothing'} due"] += 1
        if outcome == "sealed":
            gone = self.plans[run_id][1]
            self.forget(gone)
            assert self.world.predicate(run_id)["counts"]["deleted"] == len(gone)
            if gone:
                self.marked.add(run_id)
                self.erased[run_id] = (gone, self.today + timedelta(days=BACKUP_DAYS + GRACE_DAYS))
        self.open = None
        self.plans.pop(run_id, None)

    def finish_open_run(self) -> None:
        """As ``purge --as-of`` does first."""
        assert self.world.runs().open_run() == self.open
        if self.open is not None:
            self.resume()

    @precondition(lambda self: self.plans)
    @rule(data=st.data())
    def purge(self, data: Any) -> None:
        self.finish_open_run()
        if not self.plans:
            return
        run_id = data.draw(st.sampled_from(sorted(self.plans)))
        allowed = self.may_begin(run_id)
        try:
            outcome = self.world.purge(run_id)
        except Refused:
            assert not allowed
            return
        assert allowed
        assert outcome == "sealed"
        self.settled(run_id, outcome)

    @rule(stop_at=st.integers(0, 20))
    def plan_approve_and_lose_power(self, stop_at: int) -> None:
        self.finish_open_run()
        self.carry_out_with_a_power_cut(self.world.plan(self.today), frozenset(), stop_at)

    def carry_out_with_a_power_cut(self, run_id: str, came_back: frozenset[str], stop_at: int) -> None:
        due = self.due(self.today, came_back)
        assert self.world.runs().read_plan(run_id).count == len(due)
        self.plans[run_id] = (self.world.clock, due, came_back)
        self.world.approve(run_id)
        self.approved.add(run_id)
        try:
            with pytest.MonkeyPatch.context() as patch:
                blow_at(stop_at, patch, self.world)
                outcome = self.world.purge(run_id)
        except PowerOff:
            self.after_power_cut(run_id)
        else:
            self.settled(run_id, outcome)

    def after_power_cut(self, run_id: str) -> None:
        self.seen[f"power cut, {'some' if self.plans[run_id][1] else 'nothing'} due"] += 1
        ledger = self.world.ledger()
        listing = ledger.listing(run_id)
        if self.world.store.erased(run_id) is not None:
            assert ledger.contains(ledger.read(run_id, "3-intent.json"))
            self.forget(self.plans[run_id][1])
        if "3-intent.json" in listing:
            self.open = None if "6-record.json.tlog-proof" in listing else run_id
            if self.open is None:
                self.settled(run_id, self.world.purge(run_id))
        elif self.plans[run_id][2]:
            del self.plans[run_id]  # rests on keys that may be destroyed by the time somebody comes back to it

    @precondition(lambda self: self.open is not None)
    @rule()
    def go_on(self) -> None:
        self.resume()

    def resume(self) -> None:
        """Equal rows: sealed. Rows that changed before anything was deleted: aborted, and nothing is gone."""
        run_id = self.open
        assert run_id is not None
        done = self.world.store.erased(run_id) is not None
        as_of = self.world.runs().read_plan(run_id).as_of
        unchanged = done or self.due(as_of, self.plans[run_id][2]) == self.plans[run_id][1]
        outcome = self.world.purge(run_id)
        assert outcome == ("sealed" if unchanged else "aborted")
        self.seen["resumed"] += 1
        self.settled(run_id, outcome)

    @rule(visit=VISITS)
    def a_due_row_is_held_behind_the_intent(self, visit: int) -> None:
        """Power is lost there; who goes on finds other rows than planned."""
        self.finish_open_run()
        self.lift(visit)
        self.message(visit, -1, "MODIFIED")
        self.begin_day(self.day_0[visit] + timedelta(days=PERIOD))
        self.carry_out_with_a_power_cut(self.world.plan(self.today), frozenset(), 3)
        self.hold(visit)

    # --- backups ----------------------------------------------------------------------------------

    MODELLED = ("day_0", "rows", "commands", "holds", "marked")

    @rule()
    def back_up(self) -> None:
        shutil.copy(self.world.root / "data/lifecycle.duckdb", self.world.root.with_name("backup"))
        self.backup = {name: copy.deepcopy(getattr(self, name)) for name in self.MODELLED}

    @precondition(lambda self: self.backup is not None and self.open is None)
    @rule()
    def restore(self) -> None:
        """The store of then, with everybody who was in it; the evidence is that of today."""
        assert self.backup is not None
        shutil.copy(self.world.root.with_name("backup"), self.world.root / "data/lifecycle.duckdb")
        for name, value in self.backup.items():
            setattr(self, name, copy.deepcopy(value))

    @rule(visit=VISITS, moved=st.booleans())
    def the_store_is_lost_after_a_purge(self, visit: int, moved: bool) -> None:
        """What was erased is there again; what was moved to an earlier day after the backup is not due by the rule."""
        self.finish_open_run()
        self.lift(visit)
        self.message(visit, 40, "MODIFIED")
        self.back_up()
        if moved:
            self.message(visit, -1, "MODIFIED")
        self.begin_day(self.day_0[visit] + timedelta(days=PERIOD))
        self.carry_out_with_a_power_cut(self.world.plan(self.today), frozenset(), 1000)
        self.restore()

    @rule(visit=VISITS)
    def what_came_back_is_held_for_a_while(self, visit: int) -> None:
        """The first restore run has to leave it, the second finds it."""
        self.finish_open_run()
        other = visit % 5 + 1  # comes back as well, and goes, so that there is a marker of that run
        self.lift(other)
        self.message(other, 40, "MODIFIED")
        self.the_store_is_lost_after_a_purge(visit, moved=False)
        self.hold(visit)
        self.erase_what_came_back(1000)
        self.lift(visit)
        self.erase_what_came_back(1000)

    @rule(stop_at=st.integers(0, 40))
    def erase_what_came_back(self, stop_at: int) -> None:
        """What a sealed run erased goes again, as long as its key lives; what an aborted one meant to erase stays."""
        self.finish_open_run()
        asked = restore.runs_to_ask(self.world.ledger(), [self.world.store])
        present = frozenset().union(*self.rows.values())
        back = {run_id for run_id, (gone, _) in self.erased.items() if gone & present}
        assert back <= set(asked) <= self.erased.keys()
        came_back = frozenset().union(*(self.erased[run_id][0] for run_id in asked))
        self.seen["came back"] += bool(came_back & present)
        self.seen["known by its tombstone alone"] += bool(self.due(self.today, came_back) - self.due(self.today))
        run_id = self.world.runs().plan(self.today, trigger="restore", rests_on=asked).run_id
        self.carry_out_with_a_power_cut(run_id, came_back, stop_at)

    @rule(wait=st.booleans(), early=st.booleans())
    def destroy_keys(self, wait: bool, early: bool) -> None:
        """On their day and not before; nothing recognises those rows any more."""
        self.finish_open_run()
        coming = [ends_on for _, ends_on in self.erased.values() if ends_on > self.today]
        if wait and coming:
            self.begin_day(min(coming) - timedelta(days=early))
            self.plan_approve_and_lose_power(1000)  # or the clock is doubted
        destroyed = set(self.world.runs().destroy_due_keys())
        if not self.clock_is_believed():
            assert not destroyed
            return
        ended = {run_id for run_id, (_, ends_on) in self.erased.items() if ends_on <= self.today}
        assert destroyed & self.erased.keys() == ended
        self.seen["keys ended"] += len(ended)
        for run_id in ended:
            del self.erased[run_id]

    def clock_is_believed(self) -> bool:
        intents = (self.world.root / "evidence/runs").glob("*/3-intent.json")
        began = [json.loads(path.read_bytes())["predicate"]["recordedAt"] for path in intents]
        return not began or self.world.clock - datetime.fromisoformat(max(began)) < timedelta(days=8)

    # --- what is always true ----------------------------------------------------------------------

    @invariant()
    def the_store_holds_exactly_what_the_model_holds(self) -> None:
        stored = sorted(row[4] for row in self.world.rows().elements())
        assert stored == sorted(row for rows in self.rows.values() for row in rows)

    def teardown(self) -> None:
        """In the end everything is finished, and the evidence is accepted."""
        self.finish_open_run()
        assert self.world.is_sound(), self.world.verified()
        assert self.marked <= self.world.store.runs()


def machine_of(new_world: Callable[[], Any]) -> tuple[type[Life], Counter[str]]:
    seen = Counter[str]()
    return type("Life", (Life,), {"new_world": staticmethod(new_world), "seen": seen}), seen


def lead(life: Life) -> None:
    """Lead one life through every rare case, three times."""
    life.begin()
    for visit in (1, 2, 3):
        life.a_due_row_is_held_behind_the_intent(visit)
        life.finish_open_run()
        life.lift(visit)
        life.the_store_is_lost_after_a_purge(visit, moved=True)
        life.erase_what_came_back(1000)
        life.what_came_back_is_held_for_a_while(visit)
        life.plan_approve_and_lose_power(5)
        for early in (True, False):
            life.destroy_keys(wait=True, early=early)
        life.the_store_holds_exactly_what_the_model_holds()
    life.teardown()


def live(new_world: Callable[[], Any]) -> Counter[str]:
    """Let the machine run and tell what it came by; what lots may leave out, it begins with."""
    machine, seen = machine_of(new_world)
    lead(machine())
    examples, steps = (SOAK, 50) if SOAK else (10, 40)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink) if SOAK else (Phase.generate,),
            derandomize=not SOAK,
        ),
    )
    return seen


RARE = (
    "sealed, some due",
    "sealed, nothing due",
    "aborted, some due",
    "power cut, some due",
    "resumed",
    "came back",
    "known by its tombstone alone",
    "keys ended",
)


@pytest.mark.slow
def test_no_order_of_events_deletes_early_or_without_evidence(new_world) -> None:
    """A model of keys beside the real store and the real ledger; the rare cases were among them."""
    seen = live(new_world)
    for what, times in sorted(seen.items()):
        print(f"{times:8}  {what}")
    assert {what: seen[what] for what in RARE if seen[what] < 3} == {}


def carries_out_what_changed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(execution.Execution, "_drift", lambda *_: None)


def never_destroys_a_key(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(DeletionRuns, "destroy_due_keys", lambda *_: ())


def asks_no_key(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restore, "runs_to_ask", lambda *_: ())


def forgets_holds_of_what_came_back(patch: pytest.MonkeyPatch) -> None:
    def unsettled(ledger: Any, stores: Any) -> set[str]:
        (store,) = stores
        asked = {run_id for plan in restore._restores(ledger, store.runs()) for run_id in plan.rests_on}
        return set(restore.missing_markers(ledger, stores)) - asked

    patch.setattr(restore, "_unsettled", unsettled)


@pytest.mark.slow
@pytest.mark.skipif(bool(SOAK), reason="a soak is of the product as it is")
@pytest.mark.parametrize(
    "broken",
    [
        carries_out_what_changed,
        never_destroys_a_key,
        asks_no_key,
        forgets_holds_of_what_came_back,
    ],
    ids=lambda broken: broken.__name__,
)
def test_a_broken_product_is_found_by_the_machine(new_world, monkeypatch: pytest.MonkeyPatch, broken: Any) -> None:
    """In steps that the product passes."""
    broken(monkeypatch)
    with pytest.raises((AssertionError, LifecycleError)):
        lead(machine_of(new_world)[0]())
