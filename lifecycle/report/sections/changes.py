"""What is not as it was in the last report: rules, contracts, places, holds and findings, then the numbers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from lifecycle.model import Change, Facts
from lifecycle.report.content import Block, Body, Example, Table, Text, section
from lifecycle.report.speech import Speech, clean

_WORDS = {"place": "state", "catalogue": "covered", "basis": "basis"}
"""Kinds of change whose values are words of a family of the catalogue."""

_SUBJECTS = {"place": "place", "confirmed": "place", "next-due": "place", "catalogue": "datatype", "hold": "ground"}
"""Kinds of change whose subject is not a dataset."""

_DAYS = frozenset({"confirmed", "next-due"})
COUNT = "count-"
"""Kinds that begin so are numbers of the report; they stand in a table of their own, without ``name``."""

_EVERY_KIND = (
    Change("period", "appointments", 90, 60), Change("basis", "events", "choice", "contract"),
    Change("source", "events", "A", "B"), Change("contract", "events", "1.0.0", "1.1.0"),
    Change("contract-text", "appointments", "1.0.0", "1.0.0"), Change("place", "Outlook", None, "unknown"),
    Change("confirmed", "eTermin", None, "2026-09-14"), Change("next-due", "eTermin", "2026-09-14", "2027-09-14"),
    Change("catalogue", "documents", "unknown", "attested"), Change("hold", "restriction", 1, None),
    Change("finding", "kvnr appointments last_name", 2, None), Change("cancelled", "events", "booking", "cancellation"),
)  # fmt: skip


@section(
    "changes",
    ("changes", "comparedWith"),
    (
        Example({}, None),
        Example({"changes": _EVERY_KIND}, None),
        Example({"changes": (), "compared_with": ""}, None),
        Example({"changes": (), "compared_with": "report 2026-09-30"}, None),
        Example({"changes": (), "compared_with": "run 2026-09-30-a"}, None),
    ),
)
def changes(facts: Facts, say: Speech) -> Body:
    """What changed since the last report, each with what it was before."""
    if not facts.compared_with:
        return Body((Text(say("changes.first")),))
    kind, _, which = facts.compared_with.partition(" ")
    said = [one for one in facts.changes if not one.what.startswith(COUNT)]
    counts = [one for one in facts.changes if one.what.startswith(COUNT)]
    blocks: list[Block] = [Text(say(f"changes.compared-{kind}", last=_last(which, say)))]
    blocks.append(change_table(said, say) if said else Text(say(f"changes.none-{kind}")))
    if counts:
        numbers = tuple(
            (say.word("change", one.what), *(_value(one.what, number, say) for number in (one.before, one.after)))
            for one in counts
        )
        blocks.append(Table(say("changes.numbers-caption"), _heads(say), numbers, figures=(1, 2)))
    return Body(tuple(blocks))


def change_table(said: Iterable[Change], say: Speech) -> Table:
    """Changes with what was before and what is now; not for those that are counts."""
    rows = tuple((_subject(one, say), _value(one.what, one.before, say), _now(one, say)) for one in said)
    return Table(say("changes.caption"), _heads(say), rows)


def _heads(say: Speech) -> tuple[str, ...]:
    return say("changes.what"), say("changes.before"), say("changes.now")


def _last(which: str, say: Speech) -> str:
    """A run by its id, a day in words."""
    try:
        return say("changes.day", day=date.fromisoformat(which))
    except ValueError:
        return say("changes.run", run=which)


def _subject(change: Change, say: Speech) -> str:
    kind = say.word("change", change.what)
    if change.what == "finding":
        check, dataset, *field = change.name.split(" ")
        names = [": ".join(say.word("check", part) for part in check.split(":")), say.word("dataset", dataset)]
        names += [say.word("field", one) for one in field if one]
        return f"{kind}: {', '.join(names)}"
    family = _SUBJECTS.get(change.what, "dataset")
    return f"{kind}: {say.word(family, change.name)}"


def _now(change: Change, say: Speech) -> str:
    if change.what == "contract-text":
        return say("changes.same-version", version=str(change.after))
    return _value(change.what, change.after, say)


def _value(what: str, value: str | int | None, say: Speech) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, int):
        return say.count("changes.days", value) if what == "period" else say.number(value)
    if what in _DAYS:
        return say.short_day(date.fromisoformat(value))
    if what == "cancelled":
        return say.word("cancelled", value)
    return say.word(_WORDS[what], value) if what in _WORDS else clean(value)
