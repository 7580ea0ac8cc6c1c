"""Made-up policies and months of a practice that does not exist: the ground of the papers' examples and tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lifecycle.model import CatalogueEntry, Outcome, Place, Task
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
from lifecycle.report.sample import sample

_WRITTEN = datetime(2026, 10, 1, 7, 30, tzinfo=UTC)


def policy(*, lead_days: int = 0, **change: Any) -> Policy:
    """A policy in which everything is laid down, with the fields of ``change`` replaced.

    Examples
    --------
    >>> policy(perspective="practice").perspective
    'practice'
    """
    facts = sample()
    laid_down = Policy(
        workspace=facts.workspace,
        perspective="provider",
        person_word=facts.person_word,
        as_of=facts.as_of,
        written_at=_WRITTEN,
        tool_version=facts.tool_version,
        time_zone="Europe/Berlin",
        policy_sha256="5f0c8a1e" * 8,
        rules=tuple(replace(rule, lead_days=lead_days) for rule in facts.rules),
        places=(
            PlaceNote(Place("workspace", "managed", "checked", rows=11279), None, 30),
            PlaceNote(
                Place("arztkonsultation", "attested", "confirmed", None, date(2026, 9, 14), date(2027, 9, 14)), 90, 35
            ),
            PlaceNote(Place("sms provider", "attested", "confirmed", None, date(2026, 8, 3), date(2027, 8, 3)), 30, 14),
        ),
        catalogue=(
            CatalogueEntry("appointments", "appointments", ("workspace", "arztkonsultation"), "attested"),
            CatalogueEntry("sync log", "events", ("workspace",), "covered"),
        ),
        no_backups=False,
        key_days=42,
        plan_days=7,
        max_gap_days=7,
        holds={"legal-claims": 1, "restriction": 1},
        fields=_FIELDS,
        contracts=(ContractNote("appointments", "1.0.0", "ab" * 32), ContractNote("events", "1.0.0", "cd" * 32)),
        processors=(ProcessorNote("arztkonsultation", date(2026, 1, 15), date(2026, 6, 1)), ProcessorNote("eTermin")),
        standing=StandingOrder("controller", 2000, 5.0, date(2027, 3, 31), "signed"),
        etermin_days=90,
        runs=92,
        last_run_on=facts.as_of,
    )
    return replace(laid_down, **change)


def _field(name: str, data_class: str, required: bool, german: str, english: str, sentence: str) -> AllowedField:
    return AllowedField(name, data_class, required, {"de": german, "en": english}, sentence, ("appointments", "events"))


_FIELDS = (
    _field("first_name", "identity", True, "Vorname oder Pseudonym.", "First name or pseudonym.",
           "Vorname oder Pseudonym"),
    _field("last_name", "identity", False, "Nachname.", "Last name.", "Nachname (optional)"),
    _field("email", "identity", False, "E-Mail-Adresse.", "E-mail address.", "E-Mail-Adresse"),
    _field("mobile", "identity", False, "Mobilfunktelefonnummer.", "Mobile number.",
           "Mobilfunktelefonnummer (optional)"),
    _field("ends_at", "appointment", True, "Ende des Termins (UTC).", "End of the appointment, UTC.",
           "Alle personenbezogenen Daten werden in arztkonsultation 90 Tage nach dem gebuchten Termin restlos und"
           " endgültig gelöscht."),
)  # fmt: skip


def unsettled(**change: Any) -> Policy:
    """A policy as ``init`` leaves it: much is not laid down, nothing is confirmed."""
    attested = ("arztkonsultation", "mailbox", "external calendars", "sms provider")
    return policy(
        places=(
            PlaceNote(Place("workspace", "managed", "checked", rows=0), None, 30),
            PlaceNote(Place("artefacts", "managed", "checked")),
            *(PlaceNote(Place(name, "attested", "unknown"), 90 if name == attested[0] else None) for name in attested),
        ),
        catalogue=(
            CatalogueEntry("appointments", "appointments", ("workspace", "arztkonsultation"), "unknown"),
            CatalogueEntry("sync log", "events", ("workspace",), "covered"),
            CatalogueEntry("contacts", "", (), "unknown"),
            CatalogueEntry("TANs", "", ("arztkonsultation",), "unknown"),
            CatalogueEntry("mail and SMS logs", "", ("mailbox", "sms provider"), "unknown"),
        ),
        processors=(),
        holds={},
        standing=None,
        etermin_days=None,
        runs=0,
        last_run_on=None,
        **change,
    )


def month(**change: Any) -> Month:
    """A month in which a run was sealed every night, with the fields of ``change`` replaced.

    Examples
    --------
    >>> len(month().runs)
    30
    """
    first = date(2026, 9, 1)
    facts = sample()
    nights = [first + timedelta(days=number) for number in range(30)]
    good = Month(
        workspace=facts.workspace,
        perspective=facts.perspective,
        person_word=facts.person_word,
        as_of=facts.as_of,
        written_at=_WRITTEN,
        tool_version=facts.tool_version,
        first=first,
        until=nights[-1],
        since=date(2026, 7, 1),
        runs=tuple(_night(day, number) for number, day in enumerate(nights)),
        missing=(),
        lead_days=0,
        checkpoint=facts.checkpoint,
        overdue=0,
        tasks=(),
        places=facts.places,
    )
    return replace(good, **change)


def _night(day: date, number: int) -> RunNote:
    going = 0 if day.weekday() == 6 else 30 + (number * 7) % 23
    approval = "standing-signed" if going else "needless"
    checks = Outcome.PASSED if going else None
    return RunNote(f"{day}-a", day, "sealed", 11000 + number, going + 3, going, 3, 0, checks, approval)


def rough_month() -> Month:
    """A month with a gap, an aborted and an open run, and something to do."""
    good = month()
    kept = [run for run in good.runs if run.as_of.day not in {11, 12, 13}]
    aborted = replace(kept[4], outcome="aborted", deleted=0, failed=kept[4].deleted, checks=None)
    still_open = replace(kept[-1], outcome="open", deleted=0, failed=kept[-1].deleted, checks=None, approval="signed")
    return month(
        runs=(*kept[:4], aborted, *kept[5:-1], still_open),
        missing=(date(2026, 9, 5), date(2026, 9, 11), date(2026, 9, 12), date(2026, 9, 13), date(2026, 9, 30)),
        overdue=still_open.failed,
        tasks=(Task("resume", "operator", good.as_of, {"run": still_open.run_id}),),
    )


def paper_scenes() -> Iterator[tuple[str, str, Any]]:
    """Paper, state and facts: what to look at when a page changes."""
    yield "concept", "settled", policy()
    yield "concept", "unsettled", unsettled()
    yield "record", "provider", policy()
    yield "record", "practice", unsettled(perspective="practice")
    yield "month", "good", month()
    yield "month", "rough", rough_month()
