"""The deletion concept after DIN 66398: what is deleted when, and by which rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from lifecycle.model import CatalogueEntry, Outcome, Rule
from lifecycle.report.content import Blank, Block, Body, Cell, Example, Items, Mark, Table, Text, section
from lifecycle.report.papers.sample import policy as sample_policy
from lifecycle.report.papers.terms import PlaceNote, Policy
from lifecycle.report.sections.data import mark
from lifecycle.report.sections.first import rule_blocks
from lifecycle.report.speech import Speech
from lifecycle.report.standing import worst

_KNOWN = {"covered", "attested"}
_START_TYPES = ("collection", "process", "relation")
"""The three types of starting point of DIN 66398; appointments and their log begin at the end of a process."""

_PLACE_STATES = {"checked": Outcome.PASSED, "confirmed": Outcome.PASSED, "overdue": Outcome.FAILED}
_UNKNOWN_TYPE = CatalogueEntry("documents", "", (), "unknown")


@dataclass(frozen=True, slots=True)
class DeletionClass:
    """One type of starting point and one standard deletion period (days), and the data types that share them."""

    number: int
    start: str
    days: int
    types: tuple[CatalogueEntry, ...]


def deletion_classes(policy: Policy) -> tuple[DeletionClass, ...]:
    """The classes in use, the shortest period first."""
    by_days: dict[int, list[CatalogueEntry]] = {}
    for entry in policy.catalogue:
        if rule := policy.rule_of(entry):
            by_days.setdefault(rule.period_days, []).append(entry)
    return tuple(
        DeletionClass(number, "process", days, tuple(by_days[days])) for number, days in enumerate(sorted(by_days), 1)
    )


def type_outcome(entry: CatalogueEntry) -> Outcome:
    """A data type is known only when each of its places was checked or confirmed."""
    return Outcome.PASSED if entry.state in _KNOWN else Outcome.UNKNOWN


def place_outcome(note: PlaceNote) -> Outcome:
    """How a place stands today."""
    return _PLACE_STATES.get(note.place.state, Outcome.UNKNOWN)


def concept_outcome(policy: Policy) -> Outcome:
    """Whether the concept covers everything that it speaks of."""
    ruled = [_ruled(entry, policy) for entry in policy.catalogue]
    known = [*map(type_outcome, policy.catalogue), *map(place_outcome, policy.places), *ruled]
    backups = [] if policy.no_backups else [backup_outcome(note) for note in policy.places]
    return worst([*known, *backups]) if policy.catalogue and policy.places and policy.rules else Outcome.UNKNOWN


def _ruled(entry: CatalogueEntry, policy: Policy) -> Outcome:
    return Outcome.PASSED if policy.rule_of(entry) else Outcome.UNKNOWN


def backup_outcome(note: PlaceNote) -> Outcome:
    """A place whose backups nobody spoke of is unknown."""
    return Outcome.UNKNOWN if note.backup_days is None else Outcome.PASSED


@section(
    "summary",
    ("workspace", "perspective", "personWord", "asOf"),
    (
        Example({}, Outcome.PASSED),
        Example({"catalogue": (_UNKNOWN_TYPE,)}, Outcome.UNKNOWN),
        Example({"places": ()}, Outcome.UNKNOWN),
    ),
    first_page=True,
)
def summary(policy: Policy, say: Speech) -> Body:
    """Whose concept, how many data types and classes, and what cannot be told."""
    sentence = say(
        "concept.sentence",
        workspace=policy.workspace,
        perspective=say.word("perspective", policy.perspective),
        as_of=policy.as_of,
        types=say.count("concept.types", len(policy.catalogue)),
        places=say.count("concept.places", len(policy.places)),
    )
    blocks: list[Block] = [Text(sentence, lead=True), Text(say("concept.method"))]
    if concept_outcome(policy) != Outcome.PASSED:
        unknown = sum(type_outcome(entry) != Outcome.PASSED for entry in policy.catalogue)
        blocks.append(Text(say.count("concept.unknown", unknown)))
    return Body(tuple(blocks), concept_outcome(policy))


@section(
    "todo",
    ("catalogue",),
    (Example({}, None), Example({"catalogue": (_UNKNOWN_TYPE,)}, None)),
    first_page=True,
)
def todo(policy: Policy, say: Speech) -> Body:
    """What is still to be laid down, before the concept covers everything."""
    items = tuple(_missing(policy, say))
    if not items:
        return Body((Text(say("concept.nothing-missing")),))
    return Body((Items(items),))


def _missing(policy: Policy, say: Speech) -> Iterator[str]:
    no_rule = [say.word("datatype", one.name) for one in policy.catalogue if policy.rule_of(one) is None]
    no_place = [say.word("datatype", one.name) for one in policy.catalogue if not one.places]
    unknown = [say.store(one.place.name) for one in policy.places if place_outcome(one) == Outcome.UNKNOWN]
    overdue = [say.store(one.place.name) for one in policy.places if place_outcome(one) == Outcome.FAILED]
    backups = [] if policy.no_backups else [one for one in policy.places if one.backup_days is None]
    if not policy.catalogue:
        yield say("concept.missing-types")
    if not policy.places:
        yield say("stores.no-places")
    for key, names in (
        ("concept.missing-rule", no_rule),
        ("concept.missing-place", no_place),
        ("concept.missing-confirmation", unknown),
        ("concept.missing-renewal", overdue),
        ("concept.missing-backup", [say.store(one.place.name) for one in backups]),
    ):
        if names:
            yield say(key, names=say.listing(names))


@section("scope", ("perspective",), (Example({}, None), Example({"perspective": "practice"}, None)))
def scope(policy: Policy, say: Speech) -> Body:
    """What the concept is about, and where it ends."""
    provider = policy.perspective == "provider"
    items = (
        say("concept.scope-data"),
        say("concept.scope-provider" if provider else "concept.scope-practice"),
        say("concept.scope-patient-record"),
        say("concept.scope-regime"),
    )
    return Body((Items(items),))


@section(
    "types",
    ("catalogue",),
    (Example({}, Outcome.PASSED), Example({"catalogue": ()}, Outcome.UNKNOWN)),
)
def types(policy: Policy, say: Speech) -> Body:
    """Each data type with its class, rule, places and state."""
    if not policy.catalogue:
        return Body((Text(say("catalogue.none")),), Outcome.UNKNOWN)
    named = {entry.name: one.number for one in deletion_classes(policy) for entry in one.types}
    rows = tuple(_type_row(entry, named.get(entry.name), policy, say) for entry in policy.catalogue)
    head = tuple(say(f"concept.{name}") for name in ("type", "class", "period", "where", "state"))
    outcome = worst(
        [
            *map(type_outcome, policy.catalogue),
            *("passed" if policy.rule_of(e) else "unknown" for e in policy.catalogue),
        ]
    )
    return Body((Text(say("concept.types-intro")), Table(say("concept.types-caption"), head, rows)), outcome)


def _type_row(entry: CatalogueEntry, number: int | None, policy: Policy, say: Speech) -> tuple[Cell, ...]:
    rule = policy.rule_of(entry)
    promised = {note.promised_days for name in entry.places if (note := policy.note(name))}
    if rule:
        period: Cell = say.count("concept.days", rule.period_days)
    elif len(promised) == 1 and (days := promised.pop()):
        period = say.count("concept.promised", days)
    else:
        period = mark(Outcome.UNKNOWN, say)
    places = say.listing([say.store(name) for name in entry.places])
    state = Mark(type_outcome(entry), say.word("covered", entry.state if entry.state in _KNOWN else "unknown"))
    return (
        say.word("datatype", entry.name),
        say("concept.class-name", number=number) if number else mark(Outcome.UNKNOWN, say),
        period,
        places or Blank(say("blank.place")),
        state,
    )


@section("classes", ("rules",), (Example({}, None), Example({"rules": ()}, Outcome.UNKNOWN)))
def classes(policy: Policy, say: Speech) -> Body:
    """The matrix: three types of starting point by the standard deletion periods in use."""
    found = deletion_classes(policy)
    if not found:
        return Body((Text(say("concept.no-class")),), Outcome.UNKNOWN)
    head = (say("concept.start"), *(say.count("concept.days", one.days) for one in found))
    rows = tuple((say.word("start", start), *(_members(one, start, say) for one in found)) for start in _START_TYPES)
    left = [say.word("datatype", entry.name) for entry in policy.catalogue if policy.rule_of(entry) is None]
    blocks: list[Block] = [Text(say("concept.classes-intro")), Table(say("concept.classes-caption"), head, rows)]
    if left:
        blocks.append(Text(say("concept.no-class-for", names=say.listing(left))))
    return Body(tuple(blocks))


def _members(one: DeletionClass, start: str, say: Speech) -> str:
    if one.start != start:
        return "–"
    names = say.listing([say.word("datatype", entry.name) for entry in one.types])
    return f"{say('concept.class-name', number=one.number)}: {names}"


@section(
    "rules",
    ("rules",),
    (
        Example({}, None),
        Example({"rules": ()}, Outcome.UNKNOWN),
        Example({"rules": (replace(sample_policy().rules[0], cap_months=3, lead_days=2),)}, None),
    ),
)
def rules(policy: Policy, say: Speech) -> Body:
    """Every deletion rule in one sentence, with its reason, source and exceptions."""
    if not policy.rules:
        return Body((Text(say("rule.none")),), Outcome.UNKNOWN)
    return Body(rule_blocks(policy.rules, say))


@section("start", ("timeZone",), (Example({}, None), Example({"time_zone": "Europe/Vienna"}, None)))
def start(policy: Policy, say: Speech) -> Body:
    """How the starting point is found and how the days are counted."""
    items = [say("concept.start-day", zone=policy.time_zone), say("concept.start-count"), say("concept.start-last")]
    return Body((Items(tuple(items)),))


@section(
    "basis",
    ("rules",),
    (Example({}, None), Example({"rules": ()}, None), Example({"places": ()}, None)),
)
def basis(policy: Policy, say: Speech) -> Body:
    """What is law, what is contract, what is own choice, each with its source."""
    head = (say("concept.what"), say("concept.period"), say("concept.basis"), say("concept.source"))
    rows = (*_rule_bases(policy.rules, say), *_promises(policy.places, say), *_own_choices(policy, say))
    blocks: list[Block] = [Text(say("concept.basis-intro")), Table(say("concept.basis-caption"), head, rows)]
    return Body((*blocks, Items((say("concept.basis-law"), say("concept.basis-ceiling")))))


def _rule_bases(some: Iterable[Rule], say: Speech) -> Iterator[tuple[Cell, ...]]:
    for one in some:
        days = say.count("concept.days", one.period_days)
        yield say.word("dataset", one.dataset), days, say.word("basis", one.basis), one.source


def _promises(some: Iterable[PlaceNote], say: Speech) -> Iterator[tuple[Cell, ...]]:
    for one in some:
        if one.promised_days is None:
            continue
        confirmed = one.place.confirmed_on
        source: Cell = say("concept.confirmed", on=confirmed) if confirmed else Blank(say("blank.confirmation"))
        days = say.count("concept.days", one.promised_days)
        yield say("concept.promise-of", place=say.store(one.place.name)), days, say("concept.promise"), source


def _own_choices(policy: Policy, say: Speech) -> Iterator[tuple[Cell, ...]]:
    own = say.word("basis", "choice")
    for one in policy.places:
        if one.backup_days is not None:
            days = say.count("concept.days", one.backup_days)
            yield say("concept.backups-of", place=say.store(one.place.name)), days, own, say("concept.own-source")
    yield say("concept.keys"), say.count("concept.key-days", policy.key_days), own, say("concept.key-source")
    yield say("concept.records"), Blank(say("blank.period")), say("concept.no-law"), "–"
