"""``verify``: the evidence by the independent verifier, and the managed stores against it."""

from __future__ import annotations

import json

from lifecycle.deletion import documents as doc
from lifecycle.deletion import restore
from lifecycle.errors import LifecycleError
from lifecycle.ledger.verify import verify as verify_evidence
from lifecycle.model import Outcome
from lifecycle.workbench.results import EvidenceCheck, VerifyResult
from lifecycle.workbench.workspace import Workspace


def verify(workspace: Workspace, kept: tuple[int, str] | None = None) -> VerifyResult:
    """Verify evidence and stores; what could not be told is unknown, never passed."""
    vkey = workspace.evidence_path / "log.vkey"
    lines: list[str] = []
    outcomes = verify_evidence(workspace.evidence_path, str(vkey), kept, lines.append)
    checks = [
        EvidenceCheck(name, Outcome(outcome), _facts(line))
        for (name, outcome), line in zip(outcomes, lines, strict=True)
    ]
    size = 0
    try:
        size = workspace.ledger().checkpoint().size
        checks += _stores(workspace)
    except LifecycleError as error:
        checks.append(EvidenceCheck("store and evidence belong together", Outcome.FAILED, error.fact))
    found = {check.outcome for check in checks if check.name != _OPTIONAL}
    outcome = next((one for one in (Outcome.FAILED, Outcome.UNKNOWN) if one in found), Outcome.PASSED)
    return VerifyResult(outcome, size, tuple(checks))


# Signatures and stamps are optional, so "not checked" there does not make the evidence doubtful.
_OPTIONAL = "run is signed and stamped"


def _facts(line: str) -> str:
    return " ".join(part.strip() for part in line.splitlines()[1:])


def _stores(workspace: Workspace) -> list[EvidenceCheck]:
    ledger = workspace.ledger()
    recorded = {run: ledger.read(run, doc.DELETED) for run in ledger.runs() if doc.DELETED in ledger.listing(run)}
    marked = workspace.store.runs()
    # A restored store knows nothing of later runs; the record of the restore run, which names them, explains it.
    missing = sorted(set(recorded) - marked - restore.explained(ledger, marked))
    unknown = sorted(run for run in marked if doc.INTENT not in ledger.listing(run))
    different = [run for run in recorded if run in marked and not _agrees(workspace, run, recorded[run])]
    return [
        _check(
            "every recorded run has its marker in the store",
            missing,
            "the store is older than the evidence (lifecycle restore check)",
        ),
        _check("every marker of the store has its evidence", unknown, "the evidence is older than the store"),
        _check("markers and evidence say the same", different, "counts or digests differ"),
    ]


def _agrees(workspace: Workspace, run_id: str, deleted: bytes) -> bool:
    erased = workspace.store.erased(run_id)
    said = [
        (one["store"], one["dataset"], one["deleted"], one["retained"], one["retainedSet"])
        for one in json.loads(deleted)["stores"]
    ]
    sets = erased.sets if erased else ()
    return said == [(one.store, one.dataset, one.deleted, one.retained, one.retained_digest) for one in sets]


def _check(name: str, runs: list[str], why: str) -> EvidenceCheck:
    if not runs:
        return EvidenceCheck(name, Outcome.PASSED)
    return EvidenceCheck(name, Outcome.FAILED, f"{why}: {', '.join(runs)}")
