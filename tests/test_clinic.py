"""The made-up clinic through the real readers into the real store: what was written is what is counted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from lifecycle.deletion.dates import cutoffs
from lifecycle.model import Cutoffs, Hold, Rule
from lifecycle.sources.made_up import Clinic, FileCounts, write_clinic
from lifecycle.sources.registry import open_file
from lifecycle.stores.embedded.ingest import Arrival
from lifecycle.stores.embedded.store import EmbeddedStore

pytestmark = pytest.mark.slow

BERLIN = ZoneInfo("Europe/Berlin")
RULES = {name: Rule(name, 90, "promise", "help page", "contract") for name in ("events", "appointments")}


def limits(day: date) -> Mapping[str, Cutoffs]:
    return {name: cutoffs(rule, day, BERLIN) for name, rule in RULES.items()}


def ingested(clinic: Clinic, folder: Path) -> tuple[EmbeddedStore, dict[str, FileCounts]]:
    """A store that took in all files of a clinic in one call, and what it counted in each."""
    store = EmbeddedStore(folder / "data.duckdb", folder)
    store.create()
    with store.intake(clinic.ingest_on, BERLIN) as intake:
        for path in clinic.events + clinic.appointments:
            opened = open_file(path, zone=BERLIN)
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if opened.dataset == "appointments" else ""
            arrival = Arrival(str(path), opened.format, opened.dataset, opened.channel, digest)
            intake.take(arrival, opened.batches())
        arrivals = intake.settle(limits(clinic.ingest_on), [])
    counted = {Path(a.path).name: FileCounts(a.read, a.stored, a.duplicates, a.rejected, a.expired) for a in arrivals}
    return store, counted


@pytest.mark.parametrize(("seed", "as_of"), [(1, date(2026, 10, 1)), (7, date(2025, 4, 15)), (5, date(2028, 3, 1))])
def test_what_was_written_is_what_is_counted(tmp_path: Path, seed: int, as_of: date) -> None:
    """Read, stored, duplicate, rejected and expired, file by file; then due and held, dataset by dataset."""
    clinic = write_clinic(tmp_path / "files", as_of=as_of, seed=seed)
    store, counted = ingested(clinic, tmp_path)
    assert counted == clinic.counts
    assert {one.dataset: one.due for one in store.counts(limits(clinic.ingest_on))} == {"events": 0, "appointments": 0}
    store.add_hold(Hold(0, clinic.hold_uid, "Art. 17(3)(e)", "file 7", "controller", as_of))
    now = store.counts(limits(as_of))
    assert {one.dataset: one.due for one in now} == clinic.due
    assert {one.dataset: one.held for one in now} == clinic.held


def test_the_store_holds_the_canaries_and_nothing_that_is_never_stored(tmp_path: Path) -> None:
    """A byte search sees the canaries before the purge, or their absence afterwards would prove nothing."""
    clinic = write_clinic(tmp_path / "files", as_of=date(2026, 10, 1))
    ingested(clinic, tmp_path)
    data = (tmp_path / "data.duckdb").read_bytes()
    assert sum(1 for canary in clinic.canaries if canary.encode() not in data) == 0
    assert sum(1 for value in clinic.never_stored if value.encode() in data) == 0
