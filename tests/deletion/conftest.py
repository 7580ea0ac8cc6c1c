"""A workspace with the real ledger and the real embedded store, a clock that stands, and a second store in memory."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from lifecycle.deletion.dates import cutoffs
from lifecycle.deletion.run import DeletionRuns
from lifecycle.deletion.schedule import Policy
from lifecycle.errors import StoreError
from lifecycle.ledger import tombstones, verify
from lifecycle.ledger.evidence import EvidenceLedger
from lifecycle.model import (
    SCHEMAS,
    TOMBSTONE_KEYS,
    Batch,
    Cutoffs,
    Erased,
    ErasedSet,
    Erasure,
    Hold,
    Residue,
    Rule,
    StoreCounts,
    Verified,
)
from lifecycle.stores.embedded import EmbeddedStore
from lifecycle.stores.embedded.ingest import Arrival

BERLIN = ZoneInfo("Europe/Berlin")
ORIGIN = "clinic.example.org/lifecycle"
AS_OF = date(2026, 10, 1)
CLOCK = datetime(2026, 10, 1, 1, tzinfo=UTC)
OLD = datetime(2026, 5, 10, 8, tzinfo=UTC)
NEW = datetime(2026, 11, 10, 8, tzinfo=UTC)
NONCE = "00" * 16
ARRIVED = OLD.date()


def event(number: int, ends: datetime = OLD, **other: Any) -> dict[str, Any]:
    """One made-up message, with values long enough to be looked for."""
    values = {
        "channel": "webpush",
        "appointment_uid": f"uid-of-visit-{number:05d}",
        "participant": 1,
        "origin": "etermin",
        "calendar_ref": "Sprechzimmer 1",
        "service_id": "17",
        "location": "Arztkonsultation",
        "first_name": f"Erika{number:05d}",
        "last_name": f"Musterfrau{number:05d}",
        "email": f"erika{number:05d}@example.org",
        "mobile": f"+49171392{number:05d}",
        "starts_at": ends - timedelta(minutes=30),
        "ends_at": ends,
        "booked_at": None,
        "received_at": None,
        "status": "booked",
        "command": "CREATED",
    } | other
    return {name: values[name] for name in SCHEMAS["events"]}


def tombstone_of(dataset: str, row: Mapping[str, Any], key: bytes) -> str:
    return tombstones.tombstone(key, dataset, [(name, row[name]) for name in TOMBSTONE_KEYS[dataset]])


@dataclass
class MemoryStore:
    """The port ``model.Store`` over lists of rows. ``fail_at`` names a method whose next call fails."""

    name: str = "memory"
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in SCHEMAS})
    held: set[str] = field(default_factory=set)
    markers: dict[str, Erased] = field(default_factory=dict)
    fail_at: str = ""

    def _step(self, name: str) -> None:
        if self.fail_at == name:
            self.fail_at = ""
            raise StoreError(f"The store {self.name} cannot be reached.", "look at its server")

    def _due(self, dataset: str, limits: Cutoffs) -> list[dict[str, Any]]:
        return [row for row in self.rows[dataset] if row["ends_at"] < limits.booked_end]

    def _doomed(self, limits: Mapping[str, Cutoffs]) -> dict[str, list[dict[str, Any]]]:
        return {
            dataset: [row for row in self._due(dataset, each) if row["appointment_uid"] not in self.held]
            for dataset, each in limits.items()
        }

    def counts(self, cutoffs: Mapping[str, Cutoffs]) -> tuple[StoreCounts, ...]:
        self._step("counts")
        found = []
        for dataset, each in cutoffs.items():
            before, due = len(self.rows[dataset]), len(self._due(dataset, each))
            held = due - len(self._doomed({dataset: each})[dataset])
            found.append(StoreCounts(self.name, dataset, before, due, held, 0, before - due + held))
        return tuple(found)

    def held_by_ground(self, cutoffs: Mapping[str, Cutoffs]) -> dict[str, int]:
        held = sum(each.held for each in self.counts(cutoffs))
        return {"other": held} if held else {}

    def tombstones(self, cutoffs: Mapping[str, Cutoffs], key: bytes) -> pl.Series:
        found = {tombstone_of(name, row, key) for name, rows in self._doomed(cutoffs).items() for row in rows}
        return pl.Series("t", sorted(found), dtype=pl.String)

    def erased(self, run_id: str) -> Erased | None:
        self._step("erased")
        return self.markers.get(run_id)

    def runs(self) -> frozenset[str]:
        return frozenset(self.markers)

    def mark_restored(self, run_id: str, plan_sha256: str) -> None:
        nothing = tuple(ErasedSet(self.name, name, 0, len(rows), "") for name, rows in self.rows.items())
        self.markers.setdefault(run_id, Erased(nothing, 0, Residue(0, 0, 0, 0, 0, 0)))

    @contextmanager
    def erasing(self, cutoffs: Mapping[str, Cutoffs], key: bytes) -> Iterator[Any]:
        self._step("erasing")
        yield MemoryErasing(self, cutoffs, self.tombstones(cutoffs, key))

    def verify(self, order: Erasure, erased: Erased) -> Verified:
        self._step("verify")
        planned = set(order.tombstones)
        here = [tombstone_of(name, row, order.key) for name, rows in self.rows.items() for row in rows]
        still = sum(map(len, self._doomed(order.cutoffs).values()))
        return Verified(still, sum(one in planned for one in here), True)


@dataclass
class MemoryErasing:
    store: MemoryStore
    limits: Mapping[str, Cutoffs]
    tombstones: pl.Series

    def renew(self, run_id: str) -> None:
        self.store._step("renew")

    def commit(self, order: Erasure) -> Erased:
        self.store._step("commit")
        sets, doomed = [], self.store._doomed(self.limits)
        for dataset, gone in doomed.items():
            self.store.rows[dataset] = [row for row in self.store.rows[dataset] if row not in gone]
            left = len(self.store.rows[dataset])
            digest = order.retained_digest(dataset, left, 0)
            sets.append(ErasedSet(self.store.name, dataset, len(gone), left, digest))
        done = Erased(tuple(sets), 0, Residue(1, 1, 1, 1, 1, 0))
        self.store.markers[order.run_id] = done
        self.store._step("after-commit")
        return done


class World:
    """A workspace on disk. Every call opens ledger and store anew, as another process would."""

    as_of, old, new, nonce, zone = AS_OF, OLD, NEW, NONCE, BERLIN
    event = staticmethod(event)

    def __init__(self, root: Path, template: Path | None = None) -> None:
        self.root = root
        self.clock = CLOCK
        self.rules = {name: Rule(name, 90, "why", "source", "contract") for name in sorted(SCHEMAS)}
        self.policy_sha256 = "1" * 64
        self.backup_days: int | None = 30
        self.others: list[MemoryStore] = []
        self.first: list[MemoryStore] = []
        self.wrap: Callable[[Any], Any] = lambda ledger: ledger
        if template:
            shutil.copytree(template, root)
        else:
            (root / "data").mkdir(parents=True)
            self.store.create()
            EvidenceLedger.create(root / "evidence", root / "keys", ORIGIN, self.now)

    def now(self) -> datetime:
        return self.clock

    @property
    def store(self) -> EmbeddedStore:
        return EmbeddedStore(self.root / "data" / "lifecycle.duckdb", self.root, wait_seconds=0.2)

    def ledger(self) -> EvidenceLedger:
        return EvidenceLedger.open(self.root / "evidence", self.root / "keys", ORIGIN, self.now)

    def runs(self) -> DeletionRuns:
        policy = Policy(
            rules=self.rules,
            zone=BERLIN,
            sha256=self.policy_sha256,
            plan_days=7,
            max_gap_days=7,
            backup_days=self.backup_days,
            tool_version="0",
        )
        stores = [*self.first, self.store, *self.others]
        return DeletionRuns(self.wrap(self.ledger()), stores, policy, tombstones, self.now)

    def put(self, *rows: dict[str, Any], dataset: str = "events", today: date = ARRIVED) -> None:
        """Ingest rows on a day when they were not due."""
        with self.store.intake(today, BERLIN) as intake:
            arrival = Arrival("/made-up", "ndjson", dataset, "webpush", sha256(repr(rows).encode()).hexdigest())
            picked = [{name: row[name] for name in SCHEMAS[dataset]} for row in rows]
            frame = pl.DataFrame(picked, schema=dict(SCHEMAS[dataset]), orient="row")
            frame = frame.with_columns(pl.int_range(1, len(rows) + 1, dtype=pl.Int64).alias("line"))
            intake.take(arrival, [Batch(frame, len(rows))])
            limits = {name: cutoffs(rule, today, BERLIN) for name, rule in self.rules.items()}
            intake.settle(limits, [])

    def hold(self, row: Mapping[str, Any]) -> Hold:
        return self.store.add_hold(Hold(0, row["appointment_uid"], "restriction", "", "controller", self.clock.date()))

    def rows(self, dataset: str = "events") -> Counter[tuple[Any, ...]]:
        return Counter(row for frame in self.store.rows(dataset) for row in frame.rows())

    def plan(self, as_of: date = AS_OF) -> str:
        return self.runs().plan(as_of).run_id

    def approve(self, run_id: str, role: str = "controller") -> None:
        self.runs().approve(run_id, role, NONCE)

    def purge(self, run_id: str) -> str:
        return self.runs().carry_out(run_id, [], frozenset())

    def predicate(self, run_id: str, name: str = "6-record.json") -> dict[str, Any]:
        import json

        return json.loads(self.ledger().read(run_id, name))["predicate"]

    def state(self, run_id: str) -> tuple[int, frozenset[str]]:
        """Size of the log and all that lies in the run's folder: unchanged means that nothing was recorded."""
        folder = self.root / "evidence/runs" / run_id
        return self.ledger().checkpoint().size, frozenset(path.name for path in folder.iterdir())

    def verified(self) -> dict[str, str]:
        """What the independent verifier says, without what is optional."""
        said = dict(verify.verify(self.root / "evidence", str(self.root / "evidence" / "log.vkey")))
        return {name: outcome for name, outcome in said.items() if name != "run signatures and stamps hold"}

    def is_sound(self) -> bool:
        return set(self.verified().values()) == {"passed"}

    with_rule = staticmethod(replace)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty workspace, made once and copied."""
    root = tmp_path_factory.mktemp("template") / "workspace"
    World(root)
    return root


@pytest.fixture
def world(tmp_path: Path, template: Path) -> World:
    """A new, empty workspace at 1 October 2026, 3 o'clock in Berlin."""
    return World(tmp_path / "workspace", template)


@pytest.fixture(scope="session")
def new_world(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Callable[[], World]:
    """As many new workspaces as a test wants."""
    return lambda: World(tmp_path_factory.mktemp("world") / "workspace", template)


@pytest.fixture
def memory_store() -> type[MemoryStore]:
    """A second store, in memory."""
    return MemoryStore


__all__: Sequence[str] = ("MemoryStore", "World")
