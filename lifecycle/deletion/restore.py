"""After a backup came back: how old the store is, and which sealed runs can tell what should not be in it.

A key is asked only for what a SEALED run erased, never an aborted one, and only about rows that the rule leaves.
Asking costs seconds a key and million rows, so the keys of runs that cannot have come back are not asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
    return tuple(run_id for run_id in ledger.runs() if _is_known(ledger, run_id) and sealed(ledger, run_id))


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


def explained(ledger: Ledger, marked: Iterable[str]) -> frozenset[str]:
    """Name the runs whose missing marker a sealed restore run explains.

    That run's own marker must be in the store: another restore takes it away, and with it the explanation. An
    explained run need not be a settled one: what came back of it can only be told while its key lives.
    """
    return frozenset(run_id for plan in _restores(ledger, marked) for run_id in plan.missing_markers)


def runs_to_ask(ledger: Ledger, stores: Iterable[Store]) -> tuple[str, ...]:
    """Name the living runs whose rows a restore can have brought back: some store has lost their marker.

    A run's marker and the absence of its rows are one commit, so a copy that brings back the rows brings back a store
    without the marker; and what arrives later has to pass every living key at the door.
    """
    unsettled = _unsettled(ledger, stores)
    return tuple(run_id for run_id in living_runs(ledger) if run_id in unsettled)


def cannot_be_asked(ledger: Ledger, stores: Iterable[Store]) -> tuple[str, ...]:
    """Name the runs whose rows a restore can have brought back and whose key, or tombstones, are gone.

    That stays so: no rule finds what they erased for certain, since a row's date can have been a later one at the time
    of the backup.
    """
    unsettled = _unsettled(ledger, stores)
    return tuple(run_id for run_id in ledger.runs() if run_id in unsettled and not _is_known(ledger, run_id))


def _is_known(ledger: Ledger, run_id: str) -> bool:
    return ledger.holds_tombstone_key(run_id) and doc.TOMBSTONES in ledger.listing(run_id)


def _unsettled(ledger: Ledger, stores: Iterable[Store]) -> set[str]:
    """Name the runs whose marker a store has lost, but for those that a restore run asked since and held nothing of.

    What came back of those is gone.
    """
    found = set[str]()
    for store in stores:
        asked = {run_id for plan in _restores(ledger, store.runs()) if not plan.held for run_id in plan.rests_on}
        found.update(set(missing_markers(ledger, [store])) - asked)
    return found


def _restores(ledger: Ledger, marked: Iterable[str]) -> Iterator[Plan]:
    """Give the plans of the sealed restore runs among these."""
    for run_id in marked:
        if doc.PLAN in ledger.listing(run_id):
            plan = Plan.from_bytes(ledger.read(run_id, doc.PLAN))
            if plan.trigger == doc.RESTORE and sealed(ledger, run_id):
                yield plan
