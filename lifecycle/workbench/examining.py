"""``doctor``: set-up, keys, clock, open runs, and files that nobody registered."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from lifecycle import __version__
from lifecycle.deletion import documents as doc
from lifecycle.deletion import restore
from lifecycle.errors import LifecycleError
from lifecycle.ledger import stamps
from lifecycle.ledger.keys import NEXT_SEED, SEED
from lifecycle.mail.house import HouseRules
from lifecycle.mail.setup import MENU_PATHS
from lifecycle.model import Finding, Outcome, Severity
from lifecycle.workbench import approvals, facts, notifying, restoring, stamping
from lifecycle.workbench.connection import connection_findings, dump_paths
from lifecycle.workbench.results import Examined, outcome_of
from lifecycle.workbench.verifying import damaged
from lifecycle.workbench.workspace import Workspace

_DATA_ENDINGS = {".csv", ".ndjson", ".jsonl", ".json", ".parquet", ".log", ".gz", ".duckdb", ".db", ".sqlite", ".xlsx"}
_NIGHT = timedelta(hours=36)
"""A nightly run that is older than this was missed; the alarm in docs/examples/prometheus says the same."""

_OUR_FOLDERS = {"contracts", "templates", "notebooks", "reports", "approvals", "evidence", "keys"}

Problem = tuple[str | Finding, Severity, int, str]
"""Check (or a finding that is complete, with an outcome of its own), severity, how many, and what to do."""


def examine(workspace: Workspace) -> Examined:
    """Examine the workspace; a part that cannot be examined is unknown, with the reason."""
    findings: list[Finding] = []
    details: dict[str, str] = {}
    for name, check in _CHECKS.items():
        try:
            problems = list(check(workspace))
            outcome = Outcome.FAILED
        except LifecycleError as error:
            problems, outcome = [(name, Severity.ERROR, 1, _said(error))], Outcome.UNKNOWN
        for what, severity, count, detail in problems:
            one = what if isinstance(what, Finding) else Finding(what, "", "workspace", "", severity, count, outcome)
            findings.append(one)
            details[one.check] = detail
        if not problems:
            findings.append(Finding(name, "", "workspace", "", Severity.ERROR, 0, Outcome.PASSED))
    last = None
    with suppress(LifecycleError):
        last = workspace.runs(__version__, to_look=True).last_recorded_at()
    return Examined(outcome_of(findings), tuple(findings), details, last)


def _said(error: LifecycleError) -> str:
    """Spell fact and hint as a detail, which stands behind a "hint:" of its own."""
    return f"{error.fact} ({error.hint})" if error.hint else error.fact


def _contracts(workspace: Workspace) -> Iterator[Problem]:
    workspace.contracts()
    yield from ()


def _setup(workspace: Workspace) -> Iterator[Problem]:
    HouseRules.from_mapping(workspace.settings.templates)
    for one in connection_findings(workspace):
        yield one, one.severity, one.count, MENU_PATHS[one.check]
    if not workspace.settings.setup:
        yield "setup-not-described", Severity.NOTE, 1, "describe the connection in lifecycle.toml: [setup]"


def _evidence(workspace: Workspace) -> Iterator[Problem]:
    exposed = workspace.keys().exposed()
    if exposed:  # a key among them keeps the ledger from being opened
        yield "keys-readable", Severity.ERROR, len(exposed), next(iter(exposed.values()))
    else:
        workspace.ledger()
        yield from _tombstone_keys(workspace)
    if (workspace.keys_path / NEXT_SEED).exists():
        yield "rotation-unfinished", Severity.WARNING, 1, "lifecycle key rotate finishes it"
    where = workspace.settings.ledger
    if where.seed != "file" and (workspace.keys_path / SEED).exists():
        hint = f"{where.keys}/{SEED} is used no more: remove it once its new place is proved"
        yield "seed-also-a-file", Severity.WARNING, 1, hint


def _tombstone_keys(workspace: Workspace) -> Iterator[Problem]:
    """Compare keys and evidence: each key has its run, and each run that erased rows its key or the leaf of its end."""
    alone = workspace.keys_without_run()
    if alone:
        yield "evidence-older-than-keys", Severity.ERROR, len(alone), restoring.NEWER_EVIDENCE
    ledger = workspace.ledger()
    lost = [
        run_id
        for run_id in ledger.runs()
        if doc.DELETED in ledger.listing(run_id) and not ledger.holds_tombstone_key(run_id)
        if restore.sealed(ledger, run_id) and not ledger.says_key_destroyed(run_id)
    ]
    if lost:
        hint = "bring them back from their second holder; else nobody can tell what a restore brings back"
        hint = f"{restoring.some(lost)}: {hint}"
        yield "tombstone-key-lost", Severity.ERROR, len(lost), hint


def _run_files(workspace: Workspace) -> Iterator[Problem]:
    found = damaged(workspace.ledger())
    if found:
        yield "damaged-file", Severity.ERROR, len(found), f"{found[0]} (lifecycle verify)"


def _stamps(workspace: Workspace) -> Iterator[Problem]:
    if not workspace.settings.ledger.timestamp_url:
        return
    if workspace.stamp_ca is None or not workspace.stamp_ca.is_file():
        yield "stamp-ca-missing", Severity.ERROR, 1, "lifecycle.toml: [ledger] timestamp_ca is not a file"
    left = len(stamps.waiting(workspace.ledger()))
    if left:
        yield "stamps-waiting", Severity.WARNING, left, stamping.why_waiting(workspace)


def _second_holder(workspace: Workspace) -> Iterator[Problem]:
    """Read every key here and at its second holder, and compare."""
    different = workspace.keys().different_at_second_holder(workspace.settings.ledger.origin)
    if different is None:
        yield "no-second-holder", Severity.NOTE, 1, "a lost seed ends the log: lifecycle.toml: [ledger] second_holder"
    elif different:
        hint = f"hand it over again: PROGRAM put {different[0]} < {workspace.settings.ledger.keys}/{different[0]}"
        yield "second-holder-differs", Severity.ERROR, len(different), hint


def _runs(workspace: Workspace) -> Iterator[Problem]:
    runs = workspace.runs(__version__, to_look=True)
    unfinished = runs.open_run()
    if unfinished:
        yield "open-run", Severity.ERROR, 1, f"lifecycle purge {unfinished}"
    keys = runs.keys_due()
    if keys:
        yield "tombstone-key-due", Severity.WARNING, len(keys), "lifecycle purge --as-of today destroys them"
    last = runs.last_recorded_at()
    if last is not None and workspace.now() < last:
        yield "clock-behind", Severity.ERROR, 1, "the clock shows a time before the last record; set it right"
    if last is not None and workspace.now() - last > timedelta(days=workspace.settings.run.max_gap_days):
        yield "run-missing", Severity.WARNING, (workspace.now() - last).days, "lifecycle purge --as-of today"
    elif last is not None and workspace.now() - last > _NIGHT and _is_nightly(workspace):
        yield "night-missed", Severity.WARNING, 1, "see to the schedule; lifecycle purge --as-of today catches up"


def _is_nightly(workspace: Workspace) -> bool:
    """Whether the latest run was ordered by the schedule: then the next one is expected a day later."""
    latest = facts.latest_run(workspace.ledger())
    return latest is not None and facts.read_run(workspace.ledger(), latest).plan.trigger == "schedule"


def _notices(workspace: Workspace) -> Iterator[Problem]:
    failed = notifying.failed_ways(workspace)
    if failed:
        said = "; ".join(f"{name}: {problem}" for name, problem in sorted(failed.items()))
        yield "notice-failed", Severity.WARNING, len(failed), f"the last run could not be told ({said}): [notify]"


def _due(workspace: Workspace) -> Iterator[Problem]:
    limits = workspace.cutoffs(workspace.today)
    counts = workspace.store.counts(limits)
    due = sum(one.due - one.held for one in counts)
    if due:
        yield "rows-due", Severity.WARNING, due, "lifecycle purge --as-of today"
    no_anchor = sum(one.no_anchor for one in counts)
    if no_anchor:
        yield "no-anchor", Severity.WARNING, no_anchor, "rows without a usable date fall due by the rule's fallback"


def _approval(workspace: Workspace) -> Iterator[Problem]:
    approvals.AllowedSigners(workspace)
    given = approvals.standing(workspace)
    if given is not None and given.until <= workspace.today + timedelta(days=14):
        yield "standing-approval-ends", Severity.WARNING, 1, f"it ends on {given.until}: lifecycle approve --standing"


def _unregistered(workspace: Workspace) -> Iterator[Problem]:
    known = {Path(one.path) for one in workspace.store.sources()} | {workspace.path / "data" / "lifecycle.duckdb"}
    known.update(dump_paths(workspace))
    found = [
        path
        for path in workspace.path.rglob("*")
        if path.suffix in _DATA_ENDINGS and path.is_file() and path not in known and not _ours(workspace.path, path)
    ]
    if found:
        yield "unregistered-files", Severity.WARNING, len(found), "ingest them, move them away, or delete them"
    left = [path for path in (workspace.path / "data").iterdir() if path.name.startswith("lifecycle.duckdb.")]
    if left:
        yield "leftover-files", Severity.ERROR, len(left), "an interrupted call left them: run it again"


def _ours(root: Path, path: Path) -> bool:
    top = path.relative_to(root).parts[0]
    return top in _OUR_FOLDERS or top.startswith((".", "evidence-"))


def _folders(workspace: Workspace) -> Iterator[Problem]:
    """Ask for the right to write, as this user: a disk that was mounted again after a fault is often read-only."""
    folders = {"data": workspace.path / "data", "reports": workspace.path / "reports"}
    folders["evidence"] = workspace.evidence_path
    bad = [name for name, path in folders.items() if path.is_dir() and not os.access(path, os.W_OK)]
    if bad:
        hint = f"no run can take place: give the user who runs lifecycle the right to write {', '.join(bad)}"
        yield "folder-read-only", Severity.ERROR, len(bad), hint


def _space(workspace: Workspace) -> Iterator[Problem]:
    store = workspace.path / "data" / "lifecycle.duckdb"
    if store.is_file() and shutil.disk_usage(store.parent).free < 2 * store.stat().st_size:
        yield "little-space", Severity.WARNING, 1, "a rewrite needs as much space as the store beside it"


_CHECKS: dict[str, Callable[[Workspace], Iterator[Problem]]] = {
    "contracts": _contracts,
    "setup": _setup,
    "evidence-and-keys": _evidence,
    "run-files": _run_files,
    "second-holder": _second_holder,
    "time-stamps": _stamps,
    "runs-and-clock": _runs,
    "notices": _notices,
    "rows-due-today": _due,
    "standing-approval": _approval,
    "files": _unregistered,
    "folders": _folders,
    "disk-space": _space,
}
