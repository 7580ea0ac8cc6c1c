"""``verify``: the evidence by the independent verifier, and the managed stores against it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from lifecycle.deletion import documents as doc
from lifecycle.deletion import restore
from lifecycle.errors import EvidenceError, LifecycleError, StoreError
from lifecycle.ledger.files import TEMPORARY
from lifecycle.ledger.log import Log
from lifecycle.ledger.run_ids import STAMP
from lifecycle.ledger.verify import verify as verify_evidence
from lifecycle.ledger.years import chain, home_of
from lifecycle.model import Ledger, Outcome
from lifecycle.workbench.results import OPTIONAL, EvidenceCheck, VerifyResult
from lifecycle.workbench.workspace import Workspace

Kept = tuple[int, str] | None
_SHOWN = 3
_GOES_ON = "it goes on from the checkpoint that you kept"
_FOREIGN = "nothing foreign"


def verify(workspace: Workspace, kept: Kept = None) -> VerifyResult:
    """Verify evidence and stores; what could not be told is unknown, never passed.

    A kept checkpoint is looked for in the logs of all years: the chain leads on from whichever it is of.
    """
    workspace.keys()  # takes a seed out of the environment, before openssl or ssh-keygen could inherit it
    vkey = workspace.evidence_path / "log.vkey"
    lines: list[str] = []
    home = _home(workspace, kept)
    given = kept if home == workspace.evidence_path else None
    outcomes = verify_evidence(workspace.evidence_path, str(vkey), given, lines.append, ca=workspace.stamp_ca)
    checks = [
        _check(name, Outcome(outcome), [*_facts(line), *(_left(workspace) if name == _FOREIGN else ())])
        for (name, outcome), line in zip(outcomes, lines, strict=True)
    ]
    size = 0
    try:
        size = workspace.ledger().checkpoint().size
        checks += [
            _compare("every file of a run can be read", damaged(workspace.ledger()), ""),
            *_years(workspace, kept, home),
            *_stores(workspace),
        ]
    except LifecycleError as error:
        told = Outcome.UNKNOWN if isinstance(error, StoreError) else Outcome.FAILED
        checks.append(EvidenceCheck("store and evidence belong together", told, error.fact))
    found = {check.outcome for check in checks if check.name != OPTIONAL or check.outcome is Outcome.FAILED}
    outcome = next((one for one in (Outcome.FAILED, Outcome.UNKNOWN) if one in found), Outcome.PASSED)
    return VerifyResult(outcome, size, tuple(checks))


def damaged(ledger: Ledger) -> list[str]:
    """Say of each file of a run that cannot be read as what it is that it cannot."""
    found = []
    for run_id in ledger.runs():
        for name in sorted({doc.PLAN, *(name for name in ledger.listing(run_id) if name.endswith(".json"))}):
            try:
                ledger.read(run_id, name)
            except EvidenceError as error:
                found.append(error.fact)
    return found


def signed_and_stamped(workspace: Workspace) -> tuple[tuple[str, int, int], ...]:
    """Return how many approvals are signed and how many records stamped, of how many; nothing of what there is none."""
    ledger = workspace.ledger()
    files = [listing for run_id in ledger.runs() if doc.INTENT in (listing := ledger.listing(run_id))]
    pairs = (("signature", doc.APPROVAL, doc.SIGNATURE), ("time-stamp", doc.RECORD, STAMP))
    having = {what: [added in listing for listing in files if file in listing] for what, file, added in pairs}
    return tuple((what, sum(have), len(have)) for what, have in having.items() if have)


def _left(workspace: Workspace) -> Iterator[str]:
    """Say of foreign files which of them need no looking after."""
    left = sum(1 for _ in workspace.evidence_path.rglob(f"{TEMPORARY}*"))
    if left:
        yield f"{TEMPORARY}* ({left}) was left by a call that was killed; the next plan or purge removes it"


def _facts(line: str) -> list[str]:
    return [part.strip() for part in line.splitlines()[1:]]


def _check(name: str, outcome: Outcome, facts: Sequence[str], why: str = "") -> EvidenceCheck:
    """Give a step whose detail names the first facts only: a broken year would be thousands of them."""
    shown = list(facts) if len(facts) <= _SHOWN + 1 else [*facts[:_SHOWN], f"and {len(facts) - _SHOWN} more"]
    return EvidenceCheck(name, outcome, why + "; ".join(shown), tuple(facts))


def _home(workspace: Workspace, kept: Kept) -> Path:
    try:
        return home_of(*kept, workspace.evidence_path, workspace.settings.ledger.origin) if kept else Path()
    except EvidenceError:  # what is wrong with the logs the steps say
        return workspace.evidence_path


def _years(workspace: Workspace, kept: Kept, home: Path) -> Iterator[EvidenceCheck]:
    """Verify the closed logs: each ends as its successor says, with the key that the successor began with."""
    evidence, origin = workspace.evidence_path, workspace.settings.ledger.origin
    after, named = Log(evidence, origin), {evidence}
    for year, folder, size, root in chain(evidence, origin):
        named.add(folder)
        name, said = f"log of {year}", list[str]()
        if not folder.is_dir():
            yield EvidenceCheck(name, Outcome.FAILED, "it is missing, and nothing says that it was dropped")
            return
        vkey = str(folder / "log.vkey")
        given = kept if folder == home else None
        found = dict(verify_evidence(folder, vkey, given, said.append, ca=workspace.stamp_ca))
        before, wrong = Log(folder, origin), {name for name, outcome in found.items() if outcome == "failed"}
        last = before.checkpoint()
        whole = (last.size, last.root) == (size, root) and before.verifiers()[-1] == after.verifiers()[0]
        outcome = Outcome.PASSED if whole and not wrong else Outcome.FAILED
        facts = [fact for line in said if outcome is Outcome.FAILED for fact in _facts(line)]
        facts += [] if whole else ["it does not end as its successor says"]
        facts += [_GOES_ON] if given and outcome is Outcome.PASSED else []
        yield _check(name, outcome, facts)
        after = before
    stray = [one for one in evidence.parent.glob(f"{evidence.name}-*") if one not in named]
    if stray:
        yield EvidenceCheck("years", Outcome.FAILED, "a log that no other names, or an unfinished change of years")


def _stores(workspace: Workspace) -> list[EvidenceCheck]:
    ledger = workspace.ledger()
    with workspace.store.kept_open():
        return _compared(workspace, ledger)


def _compared(workspace: Workspace, ledger: Ledger) -> list[EvidenceCheck]:
    recorded = {run: ledger.read(run, doc.DELETED) for run in ledger.runs() if doc.DELETED in ledger.listing(run)}
    marked = workspace.store.runs()
    # A restored store knows nothing of later runs; the record of the restore run, which names them, explains it.
    missing = sorted(set(recorded) - marked - restore.explained(ledger, marked))
    unknown = workspace.runs_without_evidence()
    different = [run for run in recorded if run in marked and not _agrees(workspace, run, recorded[run])]
    return [
        _compare(
            "every recorded run has its marker in the store",
            missing,
            "the store is older than the evidence (lifecycle restore check)",
        ),
        _compare("every marker of the store has its evidence", unknown, "the evidence is older than the store"),
        _compare("markers and evidence say the same", different, "counts or digests differ"),
    ]


def _agrees(workspace: Workspace, run_id: str, deleted: bytes) -> bool:
    erased = workspace.store.erased(run_id)
    said = [
        (one["store"], one["dataset"], one["deleted"], one["retained"], one["retainedSet"])
        for one in json.loads(deleted)["stores"]
    ]
    sets = erased.sets if erased else ()
    return said == [(one.store, one.dataset, one.deleted, one.retained, one.retained_digest) for one in sets]


def _compare(name: str, found: list[str], why: str) -> EvidenceCheck:
    if not found:
        return EvidenceCheck(name, Outcome.PASSED)
    return _check(name, Outcome.FAILED, found, f"{why}: " if why else "")
