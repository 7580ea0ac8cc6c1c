"""What is stored and what was found in it: stores, findings, second opinion, drift."""

from __future__ import annotations

from collections.abc import Iterable

from lifecycle.model import Facts, Finding, Outcome, Place, Severity, StoreCounts
from lifecycle.report import standing
from lifecycle.report.content import Block, Body, Cell, Example, Mark, Table, Text, section
from lifecycle.report.speech import Speech
from lifecycle.report.standing import findings_outcome, is_second_opinion, places_outcome

DRIFT_CHECKS = frozenset({"missing", "orphan", "zombie", "stale", "unmapped-calendar", "non-video-service"})
"""Checks that compare the sync log with the records; a name that begins with ``drift-`` belongs here too."""

_PLACE_OUTCOMES = {"checked": Outcome.PASSED, "confirmed": Outcome.PASSED, "overdue": Outcome.FAILED}
_ORDER = {Outcome.FAILED: 0, Outcome.UNKNOWN: 1, Outcome.PASSED: 2}
_SEVERITIES = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}
_BAD = Finding("kvnr", "appointments", "workspace", "last_name", Severity.ERROR, 2, Outcome.FAILED)
_DRIFTED = Finding("zombie", "appointments", "workspace", "", Severity.ERROR, 5, Outcome.FAILED)
_OTHER = Finding("second-opinion:kvnr", "events", "workspace", "last_name", Severity.WARNING, 2, Outcome.FAILED)
_UNTOLD = Finding("email-pattern", "events", "workspace", "email", Severity.ERROR, 0, Outcome.UNKNOWN)


def mark(outcome: Outcome, say: Speech) -> Mark:
    """An outcome in the words of the glossary."""
    return Mark(outcome, say.word("outcome", outcome))


@section(
    "stores",
    ("stores", "places"),
    (
        Example({}, Outcome.PASSED),
        Example({"places": (Place("Outlook", "attested", "unknown"),)}, Outcome.UNKNOWN),
        Example({"places": (Place("arztkonsultation", "attested", "overdue"),)}, Outcome.FAILED),
    ),
)
def stores(facts: Facts, say: Speech) -> Body:
    """Each place with what is known about it, then each store with its counts."""
    blocks: list[Block] = []
    if facts.places:
        head = tuple(say(f"stores.{name}") for name in ("place", "kind", "state", "rows", "confirmed", "next"))
        rows = tuple(_place_row(place, say) for place in facts.places)
        blocks.append(Table(say("stores.places-caption"), head, rows, figures=(3,)))
    else:
        blocks.append(Text(say("stores.no-places")))
    if facts.stores:
        names = ("place", "dataset", "before", "due", "held", "deleted", "retained")
        counts = tuple(_store_row(store, say) for store in facts.stores)
        table = Table(
            say("stores.counts-caption"),
            tuple(say(f"stores.{name}") for name in names),
            (*counts, _store_total(facts, say)),
            figures=(2, 3, 4, 5, 6),
            total=True,
        )
        blocks.append(table)
    return Body(tuple(blocks), places_outcome(facts))


def _place_row(place: Place, say: Speech) -> tuple[Cell, ...]:
    outcome = _PLACE_OUTCOMES.get(place.state, Outcome.UNKNOWN)
    return (
        say.store(place.name),
        say.word("kind", place.kind),
        Mark(outcome, say.word("state", place.state if place.state in _PLACE_OUTCOMES else "unknown")),
        "–" if place.rows is None else say.number(place.rows),
        say.short_day(place.confirmed_on) if place.confirmed_on else "–",
        say.short_day(place.next_due_on) if place.next_due_on else "–",
    )


def _store_row(store: StoreCounts, say: Speech) -> tuple[Cell, ...]:
    figures = (store.before, store.due, store.held, store.before - store.retained, store.retained)
    return (say.store(store.store), say.word("dataset", store.dataset), *map(say.number, figures))


def _store_total(facts: Facts, say: Speech) -> tuple[Cell, ...]:
    figures = (facts.before, facts.due, facts.held, facts.deleted, facts.retained)
    return (say("stores.total"), "", *map(say.number, figures))


@section(
    "findings",
    ("findings",),
    (
        Example({}, Outcome.PASSED),
        Example({"findings": (_BAD,)}, Outcome.FAILED),
        Example({"findings": (_UNTOLD,)}, Outcome.UNKNOWN),
    ),
)
def findings(facts: Facts, say: Speech) -> Body:
    """Deviations and what could not be told; what passed is counted."""
    own = [finding for finding in facts.findings if not _is_drift(finding) and not is_second_opinion(finding)]
    return _finding_body(own, say, "findings")


@section(
    "drift",
    (),
    (Example({}, None), Example({"findings": (_DRIFTED,)}, Outcome.FAILED)),
)
def drift(facts: Facts, say: Speech) -> Body:
    """The sync log against the records."""
    compared = [finding for finding in facts.findings if _is_drift(finding)]
    if not compared:
        return Body((Text(say("drift.not-run")),))
    return _finding_body(compared, say, "drift")


def _is_drift(finding: Finding) -> bool:
    return finding.check in DRIFT_CHECKS or finding.check.startswith("drift-")


def _finding_body(some: list[Finding], say: Speech, key: str) -> Body:
    passed = sum(finding.outcome == Outcome.PASSED for finding in some)
    blocks: list[Block] = [Text(say(f"{key}.intro"))]
    if told := [finding for finding in some if finding.outcome != Outcome.PASSED]:
        blocks.append(_finding_table(told, say, say(f"{key}.caption")))
    if passed:
        blocks.append(Text(say.count("findings.passed", passed)))
    if not some:
        blocks.append(Text(say("findings.none")))
    return Body(tuple(blocks), findings_outcome(some))


def _finding_table(some: Iterable[Finding], say: Speech, caption: str) -> Table:
    names = ("check", "outcome", "count", "field", "where")
    ordered = sorted(some, key=lambda f: (_ORDER[f.outcome], _SEVERITIES[f.severity], -f.count, f.check, f.field))
    rows = tuple(
        (
            _check_name(finding, say),
            _result(finding, say),
            say.number(finding.count),
            say.word("field", finding.field) or "–",
            _where(finding, say),
        )
        for finding in ordered
    )
    return Table(caption, tuple(say(f"findings.{name}") for name in names), rows, figures=(2,))


def _check_name(finding: Finding, say: Speech) -> str:
    return ": ".join(say.word("check", name) for name in finding.check.split(":"))


def _where(finding: Finding, say: Speech) -> str:
    words = [say.word("dataset", finding.dataset), say.store(finding.store)]
    return ", ".join([*words, say.word("channel", finding.channel)] if finding.channel else words)


def _result(finding: Finding, say: Speech) -> Cell:
    """Notes judge nothing, so they carry no mark."""
    if finding.outcome != Outcome.FAILED or finding.severity == Severity.ERROR:
        return mark(finding.outcome, say)
    word = say.word("severity", finding.severity)
    return word if finding.severity == Severity.NOTE else Mark(finding.outcome, word)


@section(
    "secondOpinion",
    ("secondOpinion",),
    (
        Example({}, Outcome.PASSED),
        Example({"second_opinion": "failed"}, Outcome.FAILED),
        Example({"second_opinion": "not run"}, None),
        Example({"second_opinion": "not run", "findings": (_OTHER,)}, Outcome.FAILED),
    ),
)
def second_opinion(facts: Facts, say: Speech) -> Body:
    """What an independent tool said about a sample."""
    outcome = standing.second_opinion(facts)
    if outcome is None:
        return Body((Text(say("second.not-run")),))
    blocks: list[Block] = [Text(say("second.intro")), Text(say(f"second.{outcome}"))]
    asked = [one for one in facts.findings if is_second_opinion(one)]
    if told := [one for one in asked if one.outcome != Outcome.PASSED]:
        blocks.append(_finding_table(told, say, say("second.caption")))
    if agreed := len(asked) - len(told):
        blocks.append(Text(say.count("second.agreed", agreed)))
    return Body(tuple(blocks), outcome)
