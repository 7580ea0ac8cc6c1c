"""After a backup came back: how old the store is, and which sealed runs can tell what should not be in it.

A key is asked only for what a SEALED run erased, never an aborted one, and only about rows that the rule leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import polars as pl

from lifecycle.deletion import documents as doc
from lifecycle.deletion.documents import Plan
from lifecycle.model import Cutoffs, Ledger, SealedRun, Store

TRIGGER = "restore"


def sealed(ledger: Ledger, run_id: str) -> bool:
    """Tell whether a run's record is a leaf of the log with its proof beside it."""
    listing = ledger.listing(run_id)
    if doc.ABORTED in listing or not {doc.RECORD, doc.RECORD + doc.PROOF} <= listing:
        return False
    return ledger.contains(ledger.read(run_id, doc.RECORD))


def living_runs(ledger: Ledger) -> tuple[str, ...]:
    """Name the sealed runs that erased rows and whose tombstone key lives."""
    return tuple(
        run_id
        for run_id in ledger.runs()
        if ledger.holds_tombstone_key(run_id) and doc.TOMBSTONES in ledger.listing(run_id) and sealed(ledger, run_id)
    )


def with_tombstones(cutoffs: Mapping[str, Cutoffs], ledger: Ledger, run_ids: Iterable[str]) -> dict[str, Cutoffs]:
    """Let the tombstones of these runs condemn rows, too; a key that was destroyed is an ``EvidenceError``."""
    earlier = tuple(
        SealedRun(
            run_id,
            pl.Series("t", ledger.read(run_id, doc.TOMBSTONES).decode("ascii").split(), dtype=pl.String),
            ledger.tombstone_key(run_id),
        )
        for run_id in run_ids
    )
    return {dataset: replace(each, erased_by=earlier) for dataset, each in cutoffs.items()}


def missing_markers(ledger: Ledger, stores: Iterable[Store]) -> tuple[str, ...]:
    """Name the runs that erased rows and have no marker in some store: that store is older than they are."""
    known = [store.runs() for store in stores]
    return tuple(
        run_id
        for run_id in ledger.runs()
        if doc.DELETED in ledger.listing(run_id) and not all(run_id in runs for runs in known)
    )


def explained(ledger: Ledger, marked: frozenset[str]) -> frozenset[str]:
    """Name the runs whose missing marker a sealed restore run explains.

    That run's own marker must be in the store: another restore takes it away, and with it the explanation.
    """
    found: set[str] = set()
    for run_id in marked:
        if doc.PLAN in ledger.listing(run_id) and sealed(ledger, run_id):
            found.update(Plan.from_bytes(ledger.read(run_id, doc.PLAN)).missing_markers)
    return frozenset(found)
