"""What a report says, gathered from the rooms: counts, names, roles and the dates of runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from lifecycle import __version__
from lifecycle.deletion import documents as doc
from lifecycle.deletion.dates import due_on, overdue_days
from lifecycle.deletion.documents import Approval, Plan
from lifecycle.errors import UsageError
from lifecycle.model import (
    CatalogueEntry,
    DayCount,
    Facts,
    Finding,
    Ledger,
    Outcome,
    Place,
    Residual,
    SourceRow,
    StoreCounts,
    Task,
    Week,
)
from lifecycle.settings import PlaceTable
from lifecycle.workbench import approvals
from lifecycle.workbench.workspace import Workspace

ALWAYS_LIMITS = ("places", "processors", "counts", "media", "operator")
SOON_DAYS = 14
_ORDERED_BY = {"request": "operator"}


@dataclass(frozen=True, slots=True)
class RunState:
    """One run as its folder tells it."""

    run_id: str
    outcome: str
    plan: Plan
    approval: Approval | None
    predicate: Mapping[str, Any]
    residue: Mapping[str, int]
    ended_on: date | None
    stores: tuple[StoreCounts, ...]

    @property
    def before(self) -> int:
        """All rows of all stores, before the run."""
        return sum(each.before for each in self.stores)


def read_run(ledger: Ledger, run_id: str) -> RunState:
    """Read a run's folder: its state is its listing."""
    listing = ledger.listing(run_id)
    outcome, end = "open", ""
    if doc.RECORD + doc.PROOF in listing:
        outcome, end = "sealed", doc.RECORD
    elif doc.ABORTED in listing:
        outcome, end = "aborted", doc.ABORTED
    elif doc.INTENT not in listing:
        outcome = "planned"
    predicate = doc.predicate_of(ledger.read(run_id, end)) if end else {}
    residue = json.loads(ledger.read(run_id, doc.VERIFIED))["residue"] if doc.VERIFIED in listing else {}
    plan = Plan.from_bytes(ledger.read(run_id, doc.PLAN))
    return RunState(
        run_id=run_id,
        outcome=outcome,
        plan=plan,
        approval=Approval.from_bytes(ledger.read(run_id, doc.APPROVAL)) if doc.APPROVAL in listing else None,
        predicate=predicate,
        residue={key: value for key, value in residue.items() if isinstance(value, int)},
        ended_on=date.fromisoformat(predicate["recordedAt"][:10]) if predicate else None,
        stores=doc.counted(plan.stores, ledger.read(run_id, doc.DELETED)) if doc.DELETED in listing else plan.stores,
    )


def gather(
    workspace: Workspace,
    run_id: str | None,
    findings: tuple[Finding, ...],
    as_of: date,
    *,
    planned: bool = False,
    live: bool = False,
) -> Facts:
    """Gather the facts of one run (at its ``asOf``), or of the workspace at ``as_of`` where there is no run.

    With ``live`` whatever does not belong to the run, such as overdue rows and places, is told as of ``as_of``.
    A run that was planned, but never begun, has facts only where ``planned`` allows it: after a purge that failed.

    Raises
    ------
    UsageError
        The run was planned, but never begun.
    """
    ledger = workspace.ledger()
    run = read_run(ledger, run_id) if run_id else None
    if run and run.outcome == "planned" and not planned:
        raise UsageError(f"Run {run_id} was planned, but not carried out.", f"lifecycle purge {run_id}")
    as_of = run.plan.as_of if run and not live else as_of
    settings = workspace.settings
    rules = {name: settings.rule(name) for name in sorted(settings.rules)}
    limits = workspace.cutoffs(as_of)
    days = workspace.store.day_counts(limits, settings.zone)
    now = workspace.store.counts(limits)
    places = tuple(_place(one, as_of, now) for one in settings.places)
    signature = approvals.checked(workspace, ledger, run.approval) if run and run.approval else None
    return Facts(
        workspace=settings.name,
        perspective=settings.perspective,
        person_word=settings.person_word,
        as_of=as_of,
        written_at=workspace.now(),
        tool_version=__version__,
        run_id=run_id,
        outcome=run.outcome if run else "none",
        overdue=sum(each.rows for each in _overdue(days, workspace, as_of)),
        places=places,
        tasks=tuple(_tasks(workspace, as_of)),
        **_sums(run, now),
        oldest_age_days=_oldest_age(days, as_of),
        rules=tuple(run.plan.rules if run else rules.values()),
        **_roles(run, signature),
        **_proof(ledger, run, signature),
        catalogue=tuple(_catalogue(workspace, places)),
        stores=_stores(run, now),
        holds=run.plan.holds if run else workspace.store.held_by_ground(limits),
        findings=findings,
        residuals=tuple(_residuals(workspace, run)),
        age_weeks=_weeks((each.day_0, each.rows) for each in days),
        due_weeks=_weeks((_falls_due(workspace, each), each.rows) for each in days),
        second_opinion=_second_opinion(findings),
        **_dates(workspace, run),
    )


def day_of(run: RunState, zone: tzinfo) -> date:
    """Return the local day on which a run ended or, unfinished, was planned."""
    recorded = run.predicate.get("recordedAt")
    moment = datetime.fromisoformat(recorded) if recorded else run.plan.planned_at
    return moment.astimezone(zone).date()


def run_of_today(workspace: Workspace) -> str:
    """Return the latest run that was planned or ended today; empty where there is none."""
    ledger = workspace.ledger()
    last = ledger.runs()[-1:]
    if not last or doc.PLAN not in ledger.listing(last[0]):
        return ""
    return last[0] if day_of(read_run(ledger, last[0]), workspace.settings.zone) == workspace.today else ""


def latest_run(ledger: Ledger) -> str | None:
    """Return the latest run that was begun, or None."""
    begun = [run_id for run_id in ledger.runs() if doc.INTENT in ledger.listing(run_id)]
    return begun[-1] if begun else None


def _stores(run: RunState | None, now: Iterable[StoreCounts]) -> tuple[StoreCounts, ...]:
    if run and run.outcome == "sealed":
        return run.stores
    # Nothing is gone that is not proved: whatever is due is still there.
    return tuple(replace(each, retained=each.before) for each in (run.stores if run else now))


def _limits(run: RunState | None, signature: Outcome | None) -> tuple[str, ...]:
    approval = ["approval" if signature is None else "signature"] if run and run.approval else []
    unasked = ["unasked"] if run and run.plan.cannot_be_asked else []
    return (*ALWAYS_LIMITS, *(approval if signature != Outcome.PASSED else []), *unasked, "time")


def _second_opinion(findings: Iterable[Finding]) -> str:
    asked = [one.outcome for one in findings if one.check.startswith("second-opinion")]
    if not asked:
        return "not run"
    return next((one for one in (Outcome.FAILED, Outcome.UNKNOWN) if one in asked), Outcome.PASSED)


def _sums(run: RunState | None, now: Iterable[StoreCounts]) -> dict[str, Any]:
    stores = run.stores if run else tuple(now)
    before, due, held = (sum(getattr(each, name) for each in stores) for name in ("before", "due", "held"))
    deleted = _deleted(run)
    # A run that is not sealed has deleted nothing that it could prove: what is due and not held is still failed.
    return {
        "before": before,
        "due": due,
        "deleted": deleted,
        "held": held,
        "failed": due - held - deleted,
        "not_yet_due": before - due,
        "no_anchor": sum(each.no_anchor for each in stores),
        "retained": before - deleted,
    }


def _deleted(run: RunState | None) -> int:
    return int(run.predicate.get("counts", {}).get("deleted", 0)) if run else 0


def _roles(run: RunState | None, signature: Outcome | None) -> dict[str, Any]:
    approval = run.approval if run else None
    return {
        "ordered_by": _ORDERED_BY.get(run.plan.trigger, run.plan.trigger) if run else "",
        "approved_by": approval.role if approval else "",
        "approval_signed": signature is not None,
        "approval_checked": signature or Outcome.UNKNOWN,
        "approval_standing": bool(approval and approval.standing),
        "carried_out_by": "tool" if run and run.outcome != "planned" else "",
        "verified_by": "verifier" if run and run.outcome == "sealed" else "",
    }


def _proof(ledger: Ledger, run: RunState | None, signature: Outcome | None) -> dict[str, Any]:
    return {
        "limits": _limits(run, signature),
        "checkpoint": tuple(ledger.checkpoint().text.splitlines()),
        "verify_command": "python verify.py evidence evidence/log.vkey",
        "checks": run.predicate.get("checks", {}) if run else {},
        "residue": run.residue if run else {},
    }


def _dates(workspace: Workspace, run: RunState | None) -> dict[str, Any]:
    """Return the two dates: gone from live systems on, gone from backups by."""
    gone = run.ended_on if run and run.outcome == "sealed" and _deleted(run) else None
    kept = timedelta(days=workspace.settings.backup_days or 0)
    return {"gone_live_on": gone, "gone_backups_on": gone + kept if gone else None}


def file_due_on(workspace: Workspace, source: SourceRow) -> date | None:
    """Return the day when the last row of an ingested file falls due; the file must be gone then."""
    return due_on(source.last_day_0, workspace.settings.rule(source.dataset)) if source.last_day_0 else None


def _falls_due(workspace: Workspace, each: DayCount) -> date | None:
    return due_on(each.day_0, workspace.settings.rule(each.dataset)) if each.day_0 and not each.held else None


def _overdue(days: Iterable[DayCount], workspace: Workspace, as_of: date) -> list[DayCount]:
    return [
        each
        for each in days
        if each.day_0 and not each.held and overdue_days(each.day_0, workspace.settings.rule(each.dataset), as_of) > 0
    ]


def _oldest_age(days: Iterable[DayCount], as_of: date) -> int | None:
    oldest = min((each.day_0 for each in days if each.day_0 and not each.held), default=None)
    return max(0, (as_of - oldest).days) if oldest else None


def _weeks(counts: Iterable[tuple[date | None, int]]) -> tuple[Week, ...]:
    total: Counter[date] = Counter()
    for day, rows in counts:
        if day is not None:
            total[day - timedelta(days=day.weekday())] += rows
    return tuple(Week(monday, rows) for monday, rows in sorted(total.items()))


def _place(table: PlaceTable, as_of: date, counts: Iterable[StoreCounts]) -> Place:
    rows = sum(each.before for each in counts) if table.name == "workspace" else None
    state = "checked"
    if table.kind == "attested":
        state = "confirmed" if table.confirmed_on else "unknown"
        if table.next_due_on and table.next_due_on < as_of:
            state = "overdue"
    elif table.kind == "readable":
        state = "unknown"
    return Place(table.name, table.kind, state, rows, table.confirmed_on, table.next_due_on)


def _catalogue(workspace: Workspace, places: Iterable[Place]) -> Iterable[CatalogueEntry]:
    known = {place.name: place for place in places}
    for entry in workspace.settings.catalogue:
        states = {known[name].state for name in entry.places}
        state = "unknown"
        if entry.places and states <= {"checked", "confirmed"}:
            state = "attested" if "confirmed" in states else "covered"
        yield CatalogueEntry(entry.data_type, entry.rule, entry.places, state)


def _residuals(workspace: Workspace, run: RunState | None) -> Iterator[Residual]:
    for each in run.predicate.get("residuals", ()) if run else ():
        if each["where"] != "ingested-file":
            yield Residual(each["where"], _day(each["untilAt"]), each["count"])
    yield from workspace.residuals(lambda source: file_due_on(workspace, source))[0]


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _tasks(workspace: Workspace, as_of: date) -> Iterator[Task]:
    """Yield what follows from the workspace; what follows from the numbers the report says by itself."""
    soon = as_of + timedelta(days=SOON_DAYS)
    reviews = [
        one.review_on
        for one in workspace.store.holds()
        if one.lifted_on is None and one.review_on and one.review_on <= soon
    ]
    if reviews:
        yield Task("review-hold", "controller", min(reviews), {"n": len(reviews)})
    due = [file_due_on(workspace, one) for one in workspace.store.sources() if not one.consumed]
    late = [day for day in due if day and day <= as_of]
    if late:
        yield Task("files", "operator", min(late), {"n": len(late)})
