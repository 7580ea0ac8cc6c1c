"""``report --inspection``: one ZIP for an authority, which needs nothing of ours to read or check it.

The same workspace gives the same bytes. There are names of rules, roles and grounds in it, counts, and dates of
runs; no personal value. The tombstones in the evidence are keyed digests; no key leaves the house.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from lifecycle.deletion import documents as doc
from lifecycle.errors import EvidenceError, StoreError
from lifecycle.ledger import verify as verifier
from lifecycle.ledger.evidence import EvidenceLedger
from lifecycle.ledger.log import closed_folders
from lifecycle.ledger.run_ids import STAMP
from lifecycle.ledger.years import chain, year_of_log
from lifecycle.model import Ledger, Outcome, Rule, as_json
from lifecycle.workbench import approvals, facts, inspection_words
from lifecycle.workbench.workspace import Workspace

_RUN_COLUMNS = (
    *("run", "as_of", "trigger", "outcome", "recorded_at", "before", "due", "deleted", "held", "failed", "retained"),
    *("erasure", "checks", "approved_by", "signed", "standing", "policy_sha256"),
)
_RULE_FIELDS = tuple(each.name for each in fields(Rule))
_HISTORY_COLUMNS = ("policy_sha256", "first_run", "planned_at", "time_zone", *_RULE_FIELDS)
_SIGNED = {None: "no", Outcome.PASSED: "yes", Outcome.UNKNOWN: "not checked", Outcome.FAILED: "does not hold"}
_DAWN = (1980, 1, 1, 0, 0, 0)


def write_inspection(workspace: Workspace) -> Path:
    """Write ``reports/inspection-<size of the log>.zip`` and return its path.

    Raises
    ------
    EvidenceError
        A link or a device lies among the evidence: nothing is packed that is not a plain file.
    StoreError
        It cannot be written.
    """
    ledger = workspace.ledger()
    with ledger.locked():
        folder = workspace.path / "reports"
        path = folder / f"inspection-{ledger.checkpoint().size}.zip"
        temporary = path.with_name(path.name + ".tmp")
        try:
            folder.mkdir(exist_ok=True)
            _pack(workspace, ledger, temporary)
            os.replace(temporary, path)
        except OSError as error:
            fact = f"The ZIP cannot be written: {error.strerror}."
            raise StoreError(fact, "see to the folder reports, then: lifecycle report --inspection") from None
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    return path


def _pack(workspace: Workspace, ledger: EvidenceLedger, path: Path) -> None:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        copied = sorted(_copied(workspace))
        for name, text in sorted(_written(workspace, ledger, [name for name, _ in copied]).items()):
            archive.writestr(_entry(name), text)
        for name, source in copied:
            with source.open("rb") as stream, archive.open(_entry(name), "w", force_zip64=True) as target:
                shutil.copyfileobj(stream, target, 1 << 20)


def _written(workspace: Workspace, ledger: EvidenceLedger, copied: Iterable[str]) -> dict[str, str]:
    runs = [run_id for run_id in ledger.runs() if doc.PLAN in ledger.listing(run_id)]
    return {
        "LIESMICH.txt": _readme(inspection_words.GERMAN, workspace, ledger, copied),
        "README.txt": _readme(inspection_words.ENGLISH, workspace, ledger, copied),
        "rules.json": _as_text(_policy(workspace)),
        "rules-history.csv": _table(_HISTORY_COLUMNS, _history(ledger, runs)),
        "runs.csv": _table(_RUN_COLUMNS, (_run(workspace, ledger, run_id) for run_id in runs)),
        "exceptions.csv": _table(("ground", "in_force", "lifted", "rows_held", "earliest_review"),
                                 _exceptions(workspace)),
    }  # fmt: skip


def _copied(workspace: Workspace) -> Iterator[tuple[str, Path]]:
    yield "verify.py", Path(verifier.__file__)
    for contract in (workspace.path / "contracts").glob("*.odcs.yaml"):
        yield f"contracts/{contract.name}", _plain(contract)
    for order in workspace.approvals_path.glob("standing-*.json*"):
        if order.name.endswith((".json", ".json.sig")):
            yield f"approvals/{order.name}", _plain(order)
    for log in (workspace.evidence_path, *closed_folders(workspace.evidence_path).values()):
        for source in (log, *log.rglob("*")):
            if (source.is_symlink() or not source.is_dir()) and source.name != ".lock":
                yield source.relative_to(workspace.path).as_posix(), _plain(source)


def _plain(path: Path) -> Path:
    if path.is_symlink() or not path.is_file():
        raise EvidenceError(f"{path.name} in {path.parent.name} is not a plain file.", "lifecycle verify")
    return path


def _readme(words: inspection_words.Words, workspace: Workspace, ledger: EvidenceLedger, copied: Iterable[str]) -> str:
    """Spell the file that says how to verify: one call a log.

    A closed log is verified under the key that its successor began with, so the calls follow the keys, too.
    """
    name, checkpoint = workspace.evidence_path.name, ledger.checkpoint()
    calls, closed, after = [f"python verify.py {name} {name}/log.vkey"], list[int](), name
    for year, folder, size, root in chain(workspace.evidence_path, workspace.settings.ledger.origin):
        calls.append(f"python verify.py {folder.name} {after}/log.vkey {size} {root}")
        closed, after = [*closed, year], folder.name
    marks = {"changed": "/keys-log/signing-key-", "stamped": STAMP}
    having = {what for what, mark in marks.items() if any(mark in path for path in copied)}
    year_now = year_of_log(ledger.log, workspace.settings.zone)
    head = {"workspace": workspace.settings.name, "size": str(checkpoint.size), "root": checkpoint.root}
    return words.filled(head | {"year": str(year_now or "-")}, closed, calls, having)


def _policy(workspace: Workspace) -> dict[str, Any]:
    settings = workspace.settings
    return {
        "policySha256": settings.sha256,
        "timeZone": settings.time_zone,
        "perspective": settings.perspective,
        "rules": {dataset: as_json(settings.rule(dataset)) for dataset in sorted(settings.rules)},
        **settings.model_dump(mode="json", include={"places", "catalogue", "backups"}),
    }


def _history(ledger: Ledger, runs: Iterable[str]) -> Iterator[Sequence[object]]:
    """Give each change, a return to earlier rules too, in the order in which the plans were made."""
    before = ""
    for plan in sorted((facts.read_run(ledger, run_id).plan for run_id in runs), key=lambda plan: plan.planned_at):
        if plan.policy_sha256 != before:
            before, version = plan.policy_sha256, (plan.policy_sha256, plan.run_id, plan.planned_at, plan.time_zone)
            yield from ((*version, *(getattr(rule, name) for name in _RULE_FIELDS)) for rule in plan.rules)


def _run(workspace: Workspace, ledger: Ledger, run_id: str) -> Sequence[object]:
    run = facts.read_run(ledger, run_id)
    plan, said, approval = run.plan, run.predicate, run.approval
    counts = said.get("counts", {})
    wrong = sorted(f"{name}: {outcome}" for name, outcome in said.get("checks", {}).items() if outcome != "passed")
    standing = approval.standing if approval else None
    checked = approvals.checked(workspace, ledger, approval) if approval else None
    return (
        *(run_id, plan.as_of, plan.trigger, run.outcome, said.get("recordedAt")),
        *(run.before, plan.due, counts.get("deleted", 0), plan.held, counts.get("failed"), counts.get("retained")),
        *(said.get("erasure"), "; ".join(wrong) or ("passed" if said.get("checks") else "")),
        *(approval.role if approval else "", _SIGNED[checked]),
        *(standing is not None, plan.policy_sha256),
    )


def _exceptions(workspace: Workspace) -> Iterator[Sequence[object]]:
    holds = workspace.store.holds()
    in_force = [one for one in holds if one.lifted_on is None]
    force, lifted = Counter(one.ground for one in in_force), Counter(one.ground for one in holds if one.lifted_on)
    rows = Counter[str]()
    for one in {one.appointment_uid: one for one in reversed(in_force)}.values():  # two holds keep a row once
        rows[one.ground] += one.rows
    for ground in sorted({*force, *lifted}):
        reviews = [one.review_on for one in in_force if one.ground == ground and one.review_on]
        yield ground, force[ground], lifted[ground], rows[ground], min(reviews, default=None)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def _cell(value: object) -> str:
    """Spell a cell so that no spreadsheet takes it for a formula.

    Examples
    --------
    >>> _cell("=1+1"), _cell(True), _cell(None)
    ("'=1+1", 'yes', '')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = "" if value is None else str(value)
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")) else text


def _as_text(table: Any) -> str:
    return json.dumps(table, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, _DAWN)
    entry.compress_type, entry.external_attr, entry.create_system = ZIP_DEFLATED, 0o644 << 16, 3
    return entry
