"""Made-up facts of a clinic that does not exist: the ground of every section's examples and of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lifecycle.model import (
    CatalogueEntry,
    Change,
    Facts,
    Finding,
    Outcome,
    Place,
    Residual,
    Rule,
    Severity,
    StoreCounts,
    Week,
)

_AS_OF = date(2026, 10, 1)

_PLACES = (
    Place("workspace", "managed", "checked", rows=11279),
    Place("reports", "managed", "checked", rows=0),
    Place("eTermin", "readable", "checked", rows=902),
    Place("arztkonsultation", "attested", "confirmed", None, date(2026, 9, 14), date(2026, 12, 14)),
    Place("SMS-Dienst", "attested", "confirmed", None, date(2026, 8, 3), date(2027, 2, 3)),
)
_CATALOGUE = (
    CatalogueEntry("appointments", "appointments", ("workspace", "arztkonsultation"), "covered"),
    CatalogueEntry("sync log", "events", ("workspace",), "covered"),
    CatalogueEntry("mail and SMS logs", "", ("SMS-Dienst",), "attested"),
    CatalogueEntry("call metadata", "", ("arztkonsultation",), "attested"),
)
_FINDINGS = (
    Finding("unique-key", "appointments", "workspace", "", Severity.ERROR, 0, Outcome.PASSED, "arztkonsultation"),
    Finding("email-pattern", "appointments", "workspace", "email", Severity.ERROR, 0, Outcome.PASSED),
    Finding("foreign-number", "events", "workspace", "mobile", Severity.NOTE, 14, Outcome.FAILED, "webpush"),
)
_CHECKPOINT = (
    "praxis-am-see.example.org/lifecycle",
    "2",
    "q1m0pYV0C2b0kAqY3yE1mQmZ4m1q3o2yq7nq8q1bR5s=",
    "",
    "— praxis-am-see.example.org/lifecycle 5Zf1sQ0tqk0y8wG4m9bV2m1f",
)


def _appointments_rule() -> Rule:
    return Rule(
        "appointments", 90, "Rückfragen zum Termin und zur Abrechnung des Videodienstes sind bis dahin geklärt.",
        "Hilfe arztkonsultation, Abschnitt „Übermittelte Daten“", "contract",
    )  # fmt: skip


def _weeks(first: date, rows: list[int]) -> tuple[Week, ...]:
    return tuple(Week(first + timedelta(weeks=i), n) for i, n in enumerate(rows))


def _changes() -> tuple[Change, ...]:
    return (
        Change("place", "arztkonsultation", "overdue", "confirmed"),
        Change("confirmed", "arztkonsultation", "2026-06-12", "2026-09-14"),
        Change("finding", "kvnr appointments last_name", 2, None),
        Change("count-before", "", 12391, 12483),
        Change("count-due", "", 1188, 1207),
        Change("count-deleted", "", 1185, 1204),
        Change("count-held", "", 3, 3),
        Change("count-failed", "", 0, 0),
        Change("count-retained", "", 11206, 11279),
        Change("count-overdue", "", 0, 0),
    )


def sample(**change: Any) -> Facts:
    """Facts of a sealed run in which everything is in order, with the fields of ``change`` replaced.

    Examples
    --------
    >>> sample(overdue=3).overdue
    3
    """
    rules = (
        _appointments_rule(),
        replace(_appointments_rule(), dataset="events", why="Das Protokoll wiederholt die Angaben des Termins."),
    )
    stored = [640, 655, 702, 688, 691, 730, 745, 709, 698, 742, 760, 751, 733, 812, 640, 418, 275]
    falls_due = [705, 642, 655, 702, 688, 691, 730, 745, 709, 698, 742, 760, 751, 733, 811, 211]
    facts = Facts(
        workspace="Praxis am See", perspective="practice", person_word="Patient", as_of=_AS_OF,
        written_at=datetime(2026, 10, 1, 1, 12, 40, tzinfo=UTC), tool_version="0.1.0",
        run_id="2026-10-01-a", outcome="sealed", overdue=0, places=_PLACES, tasks=(),
        before=12483, due=1207, deleted=1204, held=3, failed=0, not_yet_due=11276, no_anchor=2, retained=11279,
        oldest_age_days=89, gone_live_on=_AS_OF, gone_backups_on=date(2026, 11, 5), rules=rules,
        ordered_by="schedule", approved_by="controller", approval_signed=True, approval_standing=True,
        approval_checked="passed",
        carried_out_by="tool", verified_by="verifier", limits=(), checkpoint=_CHECKPOINT,
        verify_command="python verify.py evidence evidence/log.vkey", catalogue=_CATALOGUE,
        stores=(
            StoreCounts("workspace", "appointments", 8241, 803, 3, 2, 7441),
            StoreCounts("workspace", "events", 4242, 404, 0, 0, 3838),
        ),
        checks={
            "stillDue": "passed", "deletedBeforeDue": "passed", "tombstonedStillPresent": "passed",
            "retainedSetUnchanged": "passed", "residue": "passed",
        },
        residue={"places": 2, "files": 41, "bytes": 6291456, "controls": 64, "foundInOld": 64, "foundInNew": 0},
        holds={"legal-claims": 2, "restriction": 1}, findings=_FINDINGS,
        residuals=(
            Residual("backup", date(2026, 11, 5), 1), Residual("tombstone-key", date(2026, 11, 12), 1),
            Residual("ingested-file", date(2026, 12, 30), 4),
        ),
        age_weeks=_weeks(date(2026, 6, 29), stored), due_weeks=_weeks(date(2026, 9, 28), falls_due),
        second_opinion="passed", changes=_changes(), compared_with="report 2026-09-30-a",
        run_weeks=_weeks(date(2026, 4, 6), [*stored[:10], 0, 1511, *stored[:14]]),
        poor_weeks=(date(2026, 6, 15),),
        finding_months={
            "2026-08": {"notes": 212, "birthday": 90}, "2026-09": {"notes": 12, "last_name": 2}, "2026-10": {},
        },
    )  # fmt: skip
    return replace(facts, **change)


def scenes() -> Iterator[tuple[str, Facts]]:
    """The states a report can be in, each by name: what to look at when a page changes."""
    yield "sealed", sample()
    nothing_due = StoreCounts("workspace", "appointments", 11279, 0, 0, 2, 11279)
    yield "empty", sample(
        before=11279, due=0, deleted=0, held=0, failed=0, not_yet_due=11279, approved_by="", approval_signed=False,
        approval_standing=False, holds={}, residue={}, stores=(nothing_due,),
    )  # fmt: skip
    yield (
        "unknown",
        sample(
            places=(*_PLACES, Place("Outlook-Kalender", "attested", "unknown")),
            catalogue=(*_CATALOGUE, CatalogueEntry("documents", "", (), "unknown")),
        ),
    )
    yield "overdue", _still_there(overdue=87, outcome="none", run_id=None)
    yield "open", _still_there(overdue=117, outcome="open")
    yield "planned", _still_there(overdue=117, outcome="planned", carried_out_by="")
    yield "aborted", _still_there(overdue=1204, outcome="aborted")
    yield "leaks", sample(findings=(*_FINDINGS, *_leaks()), second_opinion="failed")


def _still_there(**change: Any) -> Facts:
    stores = (
        StoreCounts("workspace", "appointments", 8241, 803, 3, 2, 8241),
        StoreCounts("workspace", "events", 4242, 404, 0, 0, 4242),
    )
    older = _weeks(date(2026, 6, 15), [117, 561])
    late = replace(_PLACES[3], state="overdue", next_due_on=date(2026, 9, 14))
    return sample(
        deleted=0, failed=1204, retained=12483, stores=stores, residue={}, checks={}, gone_live_on=None,
        gone_backups_on=None, oldest_age_days=104, approved_by="", approval_signed=False, approval_standing=False,
        verified_by="", age_weeks=(*older, *sample().age_weeks), places=(*_PLACES[:3], late, _PLACES[4]), **change,
    )  # fmt: skip


def _leaks() -> tuple[Finding, ...]:
    return (
        Finding(
            "undeclared-field", "events", "file 3", "notes", Severity.ERROR, 212, Outcome.FAILED, "webpush", 4, 998
        ),
        Finding(
            "undeclared-field", "events", "file 3", "birthday", Severity.ERROR, 998, Outcome.FAILED, "webpush", 1, 998
        ),
        Finding(
            "kvnr", "appointments", "workspace", "last_name", Severity.ERROR, 2, Outcome.FAILED, "arztkonsultation"
        ),
        Finding("zombie", "appointments", "workspace", "", Severity.ERROR, 5, Outcome.FAILED, "arztkonsultation"),
        Finding("required-field", "appointments", "workspace", "ends_at", Severity.WARNING, 7, Outcome.UNKNOWN),
    )
