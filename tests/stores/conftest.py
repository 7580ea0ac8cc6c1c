"""What the tests of the stores share: a store in a workspace of its own, and made-up rows."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from lifecycle.deletion.dates import cutoffs
from lifecycle.errors import SourceError
from lifecycle.ledger import tombstones
from lifecycle.model import SCHEMAS, TOMBSTONE_KEYS, Batch, Cutoffs, Erased, Erasure, Reject, Rule
from lifecycle.stores.embedded import EmbeddedStore
from lifecycle.stores.embedded.ingest import Arrival

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 10, 1)
OLD = datetime(2026, 5, 10, 8, tzinfo=UTC)  # due long before TODAY
NEW = datetime(2026, 11, 10, 8, tzinfo=UTC)  # not due for months
KEY = bytes(range(32))
RULES = {dataset: Rule(dataset, 90, "why", "source", "contract") for dataset in SCHEMAS}


def row(dataset: str = "events", number: int = 1, ends: datetime | None = NEW, **other: Any) -> dict[str, Any]:
    """One made-up row; ``number`` makes its uid and address its own."""
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
        "starts_at": ends - timedelta(minutes=30) if ends else None,
        "ends_at": ends,
        "booked_at": None,
        "received_at": None,
        "status": "booked",
        "command": "CREATED",
    } | other
    return {name: values[name] for name in SCHEMAS[dataset]}


def digest_under(key: bytes) -> Callable[[str, int, int], str]:
    return lambda dataset, count, total: tombstones.retained_set(key, dataset, count, total)


class Shelf:
    """An embedded store in a folder of its own, driven without the workbench."""

    row = staticmethod(row)
    today, old, new, key, rules, zone = TODAY, OLD, NEW, KEY, RULES, BERLIN

    def __init__(self, root: Path, empty: Path | None = None, wait_seconds: float = 0.3) -> None:
        self.root = root
        self.path = root / "data" / "lifecycle.duckdb"
        self.path.parent.mkdir(parents=True)
        self.store = EmbeddedStore(self.path, root, wait_seconds=wait_seconds)
        if empty:
            shutil.copyfile(empty, self.path)
        else:
            self.store.create()

    @staticmethod
    def cutoffs(today: date = TODAY, rules: dict[str, Rule] | None = None) -> dict[str, Cutoffs]:
        return {dataset: cutoffs(rule, today, BERLIN) for dataset, rule in (rules or RULES).items()}

    def take_in(
        self,
        *files: Sequence[dict[str, Any]],
        dataset: str = "events",
        today: date = TODAY,
        rejects: int = 0,
        keys: Sequence[tuple[str, bytes]] = (),
        names: Iterable[str] = (),
        broken: frozenset[int] = frozenset(),
        rules: dict[str, Rule] | None = None,
    ) -> list[Arrival]:
        """One call of ingest over several files; each file's digest is its name, or says what is in it."""
        given = list(names)
        with self.store.intake(today, BERLIN) as intake:
            for position, rows in enumerate(files):
                digest = given[position] if given else sha256(repr(sorted(map(repr, rows))).encode()).hexdigest()
                arrival = Arrival(f"/made-up/{position}", "ndjson", dataset, "webpush", digest)
                frame = pl.DataFrame(rows, schema=dict(SCHEMAS[dataset]), orient="row")
                frame = frame.with_row_index("line", offset=1).with_columns(pl.col("line").cast(pl.Int64))
                frame = frame.select([*SCHEMAS[dataset], "line"])
                bad = tuple(Reject("unreadable", len(rows) + n) for n in range(1, rejects + 1))
                half = len(rows) // 2  # in two batches, as a long file comes
                batches = [Batch(frame[:half], half), Batch(frame[half:], len(rows) - half + rejects, bad)]
                if position in broken:
                    with pytest.raises(SourceError):
                        intake.take(arrival, _breaking(batches))
                else:
                    intake.take(arrival, batches)
            return intake.settle(self.cutoffs(today, rules), keys)

    def rows(self, dataset: str = "events") -> Counter[tuple[Any, ...]]:
        """Everything that is stored, as a multiset of tuples in the order of the schema."""
        return Counter(row for frame in self.store.rows(dataset) for row in frame.rows())

    def order(self, run_id: str = "2026-10-01-a", today: date = TODAY, **other: Any) -> Erasure:
        """An order to erase what is due, as a run would give it."""
        limits = self.cutoffs(today)
        return Erasure(
            run_id=run_id,
            plan_sha256="0" * 64,
            as_of=today,
            zone=BERLIN.key,
            cutoffs=limits,
            rules=RULES,
            key=KEY,
            tombstones=self.store.tombstones(limits, KEY),
            retained_digest=digest_under(KEY),
            **other,
        )

    def erase(self, order: Erasure | None = None) -> Erased:
        order = order or self.order()
        with self.store.erasing(order.cutoffs, order.key) as erasing:
            return erasing.commit(order)

    def bytes_of_all_files(self) -> bytes:
        """Every byte of every file below the workspace, hidden ones too, by nothing but reading."""
        return b"\0\0".join(path.read_bytes() for path in sorted(self.root.rglob("*")) if path.is_file())

    def holds_bytes(self, *values: str) -> list[int]:
        """Positions of the values found anywhere, so that a failing test shows no value."""
        everything = self.bytes_of_all_files()
        return [position for position, value in enumerate(values) if value.encode() in everything]

    @staticmethod
    def tombstone(dataset: str, one: dict[str, Any], key: bytes = KEY) -> str:
        return tombstones.tombstone(key, dataset, [(name, one[name]) for name in TOMBSTONE_KEYS[dataset]])


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store without rows, made once."""
    folder = tmp_path_factory.mktemp("empty")
    return Shelf(folder / "workspace").path


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A new, empty store in a workspace."""
    return Shelf(tmp_path / "workspace")


@pytest.fixture(scope="session")
def new_shelf(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Callable[[], Shelf]:
    """As many new, empty stores as a test wants."""

    def make() -> Shelf:
        return Shelf(tmp_path_factory.mktemp("shelf") / "workspace", empty_store)

    return make


def _breaking(batches: list[Batch]) -> Iterator[Batch]:
    """A source that breaks after the last batch."""
    yield from batches
    raise SourceError("The file ends too early.", "Copy it again.")
