"""After a backup came back: how old the store is, and which sealed runs can tell what should not be in it.

A key is asked only for what a SEALED run erased, never an aborted one, and only about rows that the rule leaves.
Asking costs seconds a key and million rows, so the keys of runs that cannot have come back are not asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lifecycle.deletion import documents as doc
from lifecycle.deletion.documents import Plan
from lifecycle.model import Cutoffs, Ledger, SealedRun, Store


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
            doc.from_lines(ledger.read(run_id, doc.TOMBSTONES)),
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


def explained(ledger: Ledger, marked: frozenset[str], *, nothing_held: bool = False) -> frozenset[str]:
    """Name the runs whose missing marker a sealed restore run explains.

    That run's own marker must be in the store: another restore takes it away, and with it the explanation. With
    ``nothing_held``, only those of which no row that came back can have stayed because of a hold.
    """
    found: set[str] = set()
    for run_id in marked:
        if doc.PLAN in ledger.listing(run_id) and sealed(ledger, run_id):
            plan = Plan.from_bytes(ledger.read(run_id, doc.PLAN))
            found.update(plan.missing_markers if not (nothing_held and plan.held) else ())
    return frozenset(found)


def runs_to_ask(ledger: Ledger, stores: Iterable[Store]) -> tuple[str, ...]:
    """Name the living runs whose rows a restore can have brought back: some store has lost their marker.

    A run's marker and the absence of its rows are one commit, so a copy that brings back the rows brings back a store
    without the marker; and what arrives later has to pass every living key at the door. A restore run that explains
    a missing marker has asked that run already, and what came back is gone, but for what a hold kept.
    """
    open_yet = set[str]()
    for store in stores:
        settled = explained(ledger, store.runs(), nothing_held=True)
        open_yet.update(set(missing_markers(ledger, [store])) - settled)
    return tuple(run_id for run_id in living_runs(ledger) if run_id in open_yet)
