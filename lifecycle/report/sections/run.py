"""About the run itself: holds, its checks, residue, the catalogue it covers, what remains."""

from __future__ import annotations

from lifecycle.model import CatalogueEntry, Facts, Outcome
from lifecycle.report.content import Block, Body, Example, Mark, Table, Text, section
from lifecycle.report.sections.data import mark
from lifecycle.report.speech import Speech
from lifecycle.report.standing import catalogue_outcome, checks_outcome, residue_outcome

_RESIDUE = ("places", "files", "controls", "foundInOld", "foundInNew")


@section("holds", ("holds",), (Example({}, None), Example({"holds": {}, "held": 0}, None)))
def holds(facts: Facts, say: Speech) -> Body:
    """Rows that stay for a reason, by ground."""
    held = {ground: rows for ground, rows in facts.holds.items() if rows}
    if not held:
        return Body((Text(say("holds.none")),))
    rows = tuple((say.word("ground", ground), say.number(number)) for ground, number in sorted(held.items()))
    table = Table(say("holds.caption"), (say("holds.ground"), say("holds.rows")), rows, figures=(1,))
    return Body((Text(say("holds.intro")), table))


@section(
    "checks",
    ("checks",),
    (
        Example({}, Outcome.PASSED),
        Example({"checks": {"stillDue": "failed"}}, Outcome.FAILED),
        Example({"checks": {}}, Outcome.UNKNOWN),
    ),
)
def checks(facts: Facts, say: Speech) -> Body:
    """The checks after the deletion, on a new connection."""
    if not facts.checks:
        return Body((Text(say("checks.none")),), checks_outcome(facts) if facts.deleted else None)
    rows = tuple((say.word("runcheck", name), mark(Outcome(outcome), say)) for name, outcome in facts.checks.items())
    table = Table(say("checks.caption"), (say("checks.check"), say("checks.outcome")), rows)
    return Body((table,), checks_outcome(facts))


@section(
    "residue",
    ("residue",),
    (
        Example({}, Outcome.PASSED),
        Example({"residue": {}}, Outcome.UNKNOWN),
        Example({"residue": {"controls": 4, "foundInOld": 4, "foundInNew": 1}}, Outcome.FAILED),
        Example({"residue": {"controls": 4, "foundInOld": 3, "foundInNew": 0}}, Outcome.UNKNOWN),
    ),
)
def residue(facts: Facts, say: Speech) -> Body:
    """Whether deleted values are still found in the bytes, and whether the search could have found them."""
    if not facts.residue:
        return Body((Text(say("residue.none")),), residue_outcome(facts) if facts.deleted else None)
    outcome = residue_outcome(facts)
    rows = [(say(f"residue.{name}"), say.number(facts.residue.get(name, 0))) for name in _RESIDUE]
    rows.insert(2, (say("residue.bytes"), say.size(facts.residue.get("bytes", 0))))
    table = Table(say("residue.caption"), (say("residue.what"), say("residue.count")), tuple(rows), figures=(1,))
    blocks: tuple[Block, ...] = (Text(say("residue.intro")), Text(say(f"residue.{outcome}")), table)
    return Body(blocks, outcome)


@section(
    "catalogue",
    ("catalogue",),
    (
        Example({}, Outcome.PASSED),
        Example({"catalogue": (CatalogueEntry("documents", "", (), "unknown"),)}, Outcome.UNKNOWN),
        Example({"catalogue": ()}, Outcome.UNKNOWN),
    ),
)
def catalogue(facts: Facts, say: Speech) -> Body:
    """Every data type that "all personal data" covers."""
    outcome = catalogue_outcome(facts)
    if not facts.catalogue:
        return Body((Text(say("catalogue.none")),), outcome)
    rows = tuple(
        (
            say.word("datatype", entry.name),
            say.word("dataset", entry.rule) or "–",
            say.listing([say.store(place) for place in entry.places]) or "–",
            _entry_mark(entry, say),
        )
        for entry in facts.catalogue
    )
    head = tuple(say(f"catalogue.{name}") for name in ("type", "rule", "places", "state"))
    blocks: list[Block] = [Text(say("catalogue.intro")), Table(say("catalogue.caption"), head, rows)]
    if outcome != Outcome.PASSED:
        blocks.append(Text(say("catalogue.incomplete")))
    return Body(tuple(blocks), outcome)


def _entry_mark(entry: CatalogueEntry, say: Speech) -> Mark:
    known = entry.state in {"covered", "attested"}
    return Mark(Outcome.PASSED if known else Outcome.UNKNOWN, say.word("covered", entry.state if known else "unknown"))


@section("residuals", ("residuals",), (Example({}, None), Example({"residuals": ()}, None)))
def residuals(facts: Facts, say: Speech) -> Body:
    """What remains where, until when."""
    if not facts.residuals:
        return Body((Text(say("residuals.none")),))
    rows = tuple(
        (
            say.word("remains", item.where),
            say.number(item.count),
            say.day(item.until) if item.until else say("residuals.open"),
        )
        for item in facts.residuals
    )
    head = (say("residuals.where"), say("residuals.count"), say("residuals.until"))
    return Body((Text(say("residuals.intro")), Table(say("residuals.caption"), head, rows, figures=(1,))))
