"""The papers beside the report: deletion concept, entry for the record of processing, monthly overview."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from lifecycle import __version__
from lifecycle.deletion import documents as doc
from lifecycle.deletion.schedule import GRACE_DAYS
from lifecycle.errors import UsageError
from lifecycle.ledger import note
from lifecycle.mail.setup import Setup
from lifecycle.model import Facts, Finding, Ledger, Outcome, Task
from lifecycle.report.papers.terms import (
    AllowedField,
    ContractNote,
    Month,
    PlaceNote,
    Policy,
    ProcessorNote,
    RunNote,
    StandingOrder,
)
from lifecycle.report.standing import tasks, worst
from lifecycle.settings import parse_days
from lifecycle.workbench import approvals, facts
from lifecycle.workbench.facts import RunState
from lifecycle.workbench.results import Reported
from lifecycle.workbench.workspace import Workspace

if TYPE_CHECKING:
    from lifecycle.contract.terms import Contract

KINDS = ("concept", "record", "month")
"""What ``report --document`` writes."""


def gather_policy(workspace: Workspace) -> Policy:
    """Gather what the workspace has laid down, as of today.

    Raises
    ------
    ConfigurationError
        A contract or the set-up cannot be followed.
    """
    settings = workspace.settings
    said = facts.gather(workspace, None, (), workspace.today)
    setup = Setup.from_mapping(settings.setup)
    contracts = workspace.contracts()
    sealed = _sealed(workspace.ledger())
    return Policy(
        workspace=settings.name,
        perspective=settings.perspective,
        person_word=settings.person_word,
        as_of=workspace.today,
        written_at=workspace.now(),
        tool_version=__version__,
        time_zone=settings.time_zone,
        policy_sha256=settings.sha256,
        rules=said.rules,
        places=tuple(_notes(workspace, said)),
        catalogue=said.catalogue,
        no_backups=not settings.backups,
        key_days=0 if settings.backup_days is None else settings.backup_days + GRACE_DAYS,
        plan_days=settings.run.plan_days,
        max_gap_days=settings.run.max_gap_days,
        holds=Counter(one.ground for one in workspace.store.holds() if one.lifted_on is None),
        fields=_fields(contracts.values()),
        contracts=tuple(ContractNote(name, one.version, one.digest) for name, one in sorted(contracts.items())),
        processors=tuple(ProcessorNote(one.name, one.signed_on, one.confirmed_on) for one in setup.processors),
        standing=_standing(workspace),
        etermin_days=setup.etermin_retention_days,
        runs=len(sealed),
        last_run_on=max((run.plan.as_of for run in sealed), default=None),
    )


def _notes(workspace: Workspace, said: Facts) -> Iterable[PlaceNote]:
    kept = {one.place: parse_days(one.keep) for one in workspace.settings.backups}
    promised = {one.name: one.promised for one in workspace.settings.places if one.promised}
    for place in said.places:
        days = parse_days(promised[place.name]) if place.name in promised else None
        yield PlaceNote(place, days, kept.get(place.name))


def _fields(contracts: Iterable[Contract]) -> tuple[AllowedField, ...]:
    """Each allowed field once, in the order of the contracts, with the datasets that have it."""
    found: dict[str, AllowedField] = {}
    for contract in contracts:
        for one in contract.columns:
            meaning = {"de": one.description_de, "en": one.description}
            new = AllowedField(one.name, one.data_class, one.required, meaning, one.source, (contract.dataset,))
            old = found.get(one.name)
            # Where two contracts speak of one field, it is required only if both say so.
            found[one.name] = (
                replace(old, required=old.required and new.required, datasets=(*old.datasets, contract.dataset))
                if old
                else new
            )
    return tuple(found.values())


def _standing(workspace: Workspace) -> StandingOrder | None:
    given = approvals.standing(workspace)
    if given is None or given.until < workspace.today:
        return None
    signature = _signature(approvals.checked_standing(workspace, given))
    return StandingOrder(given.role, given.limits.max_rows, given.limits.max_percent, given.until, signature)


def _sealed(ledger: Ledger) -> list[RunState]:
    states = (facts.read_run(ledger, run_id) for run_id in ledger.runs())
    return [run for run in states if run.outcome == "sealed"]


def gather_month(workspace: Workspace, first: date, findings: tuple[Finding, ...]) -> Month:
    """Gather the runs that ended (or, unfinished, were planned) in the month of ``first``, and its nights.

    A night is a local calendar day; it is covered by a run as of that day that was sealed on that day.
    """
    ledger, today = workspace.ledger(), workspace.today
    every = [facts.read_run(ledger, run_id) for run_id in ledger.runs()]
    end = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    begun = {run.plan.as_of for run in every if run.outcome != "planned"}
    # A plan that a later one of the same day replaced says nothing about the month.
    shown = [run for run in every if run.outcome != "planned" or run.plan.as_of not in begun]
    here = [run for run in shown if first <= facts.day_of(run, workspace.settings.zone) <= end]
    since = min((facts.day_of(run, workspace.settings.zone) for run in every if run.outcome == "sealed"), default=None)
    until = min(end, today - timedelta(days=1))
    settings = workspace.settings
    now = facts.gather(workspace, None, findings, today)
    return Month(
        workspace=settings.name,
        perspective=settings.perspective,
        person_word=settings.person_word,
        as_of=today,
        written_at=workspace.now(),
        tool_version=__version__,
        first=first,
        until=until,
        since=since,
        runs=tuple(run_note(workspace, ledger, run) for run in here),
        missing=_missing(here, workspace, max(first, since) if since else None, until),
        lead_days=min(rule.lead_days for rule in now.rules),
        checkpoint=_checkpoint(ledger, here),
        overdue=now.overdue,
        tasks=_tasks(workspace, ledger, findings, now),
        places=now.places,
    )


def _missing(here: Iterable[RunState], workspace: Workspace, start: date | None, until: date) -> tuple[date, ...]:
    if start is None:
        return ()
    sealed = [run for run in here if run.outcome == "sealed"]
    covered = {run.plan.as_of for run in sealed if facts.day_of(run, workspace.settings.zone) == run.plan.as_of}
    nights = [start + timedelta(days=number) for number in range((until - start).days + 1)]
    return tuple(night for night in nights if night not in covered)


def run_note(workspace: Workspace, ledger: Ledger, run: RunState) -> RunNote:
    """Return one run as an overview shows it."""
    counts = run.predicate.get("counts", {})
    going = run.plan.due - run.plan.held
    deleted = int(counts.get("deleted", 0))
    checks = run.predicate.get("checks", {})
    return RunNote(
        run_id=run.run_id,
        as_of=run.plan.as_of,
        outcome=run.outcome,
        before=run.before,
        due=run.plan.due,
        deleted=deleted,
        held=run.plan.held,
        failed=going - deleted,
        checks=worst(map(Outcome, checks.values())) if checks else None,
        approval=_approval(workspace, ledger, run, going),
    )


def _approval(workspace: Workspace, ledger: Ledger, run: RunState, going: int) -> str:
    if run.approval is None:
        return "missing" if going else "needless"
    signature = _signature(approvals.checked(workspace, ledger, run.approval))
    return f"standing-{signature}" if run.approval.standing else signature


def _signature(checked: Outcome | None) -> str:
    return "unsigned" if checked is None else "signed" if checked == Outcome.PASSED else "unchecked"


def _checkpoint(ledger: Ledger, here: Iterable[RunState]) -> tuple[str, ...]:
    """The checkpoint that the proof of the last ended run carries: what was signed at that moment."""
    ended = [run for run in here if run.outcome in {"sealed", "aborted"}]
    if not ended:
        return ()
    last = max(ended, key=lambda run: str(run.predicate["recordedAt"]))
    name = doc.RECORD if last.outcome == "sealed" else doc.ABORTED
    return tuple(note.parse_proof(ledger.read(last.run_id, name + doc.PROOF).decode())[2].splitlines())


def _tasks(workspace: Workspace, ledger: Ledger, findings: tuple[Finding, ...], now: Facts) -> tuple[Task, ...]:
    """What somebody must do today: what follows from the latest run, and from how things stand now."""
    latest = facts.latest_run(ledger)
    said = facts.gather(workspace, latest, findings, now.as_of) if latest else now
    return tasks(replace(said, as_of=now.as_of, overdue=now.overdue, places=now.places, tasks=now.tasks))


def month_of(text: str | None, workspace: Workspace) -> date:
    """Return the first day of a month given as YYYY-MM; without one, of last month, or of this one before any run.

    Raises
    ------
    UsageError
        Not a month, or one that has not begun.
    """
    this = workspace.today.replace(day=1)
    if text is None:
        last = (this - timedelta(days=1)).replace(day=1)
        states = (facts.read_run(workspace.ledger(), run_id) for run_id in workspace.ledger().runs())
        return last if any(last <= facts.day_of(run, workspace.settings.zone) < this for run in states) else this
    try:
        first = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 a month has no zone
    except ValueError:
        raise UsageError("The month is not a month of the calendar.", "--month YYYY-MM") from None
    if first > this:
        raise UsageError("The month has not begun.", f"--month {this:%Y-%m}")
    return first


class DocumentVerbs:
    """``report --document``: the papers beside the report."""

    _workspace: Workspace

    def report_document(
        self,
        kind: str,
        *,
        month: str | None = None,
        formats: Sequence[str] = ("html", "json"),
        language: str | None = None,
    ) -> Reported:
        """Write a paper beside the report.

        Parameters
        ----------
        kind : {"concept", "record", "month"}
            The deletion concept (DIN 66398), the entry for the record of processing (Art. 30 GDPR, for a practice
            or a provider as ``perspective`` says), or the overview of one month's runs.
        month : str, optional
            YYYY-MM, for the overview only. Default: last month, or this one where it has the first runs.
        formats : sequence of {"html", "pdf", "json"}
        language : {"de", "en"}, optional
            Default: the workspace's.

        Raises
        ------
        UsageError
            An unknown kind, format or language, or a month that is none.
        """
        from lifecycle import report
        from lifecycle.workbench.checking import check_store  # slow to import, and most verbs do without

        if kind not in KINDS:
            raise UsageError("There is no such document.", f"--document, one of: {', '.join(KINDS)}")
        if month is not None and kind != "month":
            raise UsageError("Only the monthly overview has a month.", "--document month --month YYYY-MM")
        said: Policy | Month
        if kind == "month":
            findings = check_store(self._workspace, None).findings
            said = gather_month(self._workspace, month_of(month, self._workspace), findings)
        else:
            said = gather_policy(self._workspace)
        folder = self._workspace.path / "reports"
        spoken = language or self._workspace.settings.language
        return Reported(tuple(report.write_papers(kind, said, folder, formats, spoken)))
