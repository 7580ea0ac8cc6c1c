"""The entry for the record of processing activities: Art. 30(1) GDPR for a practice, Art. 30(2) for a provider.

What the workspace cannot know is a blank for a person to fill in; nothing is made up.
"""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.model import Outcome
from lifecycle.report.content import Blank, Block, Body, Cell, Example, Items, Section, Table, Text, section
from lifecycle.report.papers.terms import AllowedField, PlaceNote, Policy
from lifecycle.report.speech import Speech

_PRACTICE = {"perspective": "practice"}
_NOT_RECIPIENTS = {"managed", "readable"}
_SYSTEMS = ("eTermin", "arztkonsultation")
"""The two systems that every booking goes through (help page), whether a workspace names them or not."""


def entry(policy: Policy) -> tuple[Section[Policy], ...]:
    """The sections of the entry, in the order of the letters of Art. 30(1) or 30(2)."""
    if policy.perspective == "practice":
        return (summary, todo, controller, purposes, categories, recipients, transfers, periods, measures, version)
    return (summary, todo, processor, services, processor_transfers, processor_measures, *_ADDITIONS)


def blanks(policy: Policy, say: Speech) -> dict[str, int]:
    """How many gaps each section of the entry leaves to a person, by the section's title."""
    found = {}
    for one in entry(policy):
        if not one.first_page and (gaps := _gaps(one.body(policy, say))):
            found[say(f"title.record-{one.key}")] = gaps
    return found


def _gaps(body: Body) -> int:
    rows = [row for block in body.blocks if isinstance(block, Table) for row in block.rows]
    return sum(isinstance(cell, Blank) for row in rows for cell in row)


def record_outcome(policy: Policy) -> Outcome:
    """An entry that leaves gaps is not complete, so nothing can be said to have passed."""
    return Outcome.UNKNOWN if blanks(policy, Speech("en", policy.person_word)) or not policy.fields else Outcome.PASSED


@section(
    "summary",
    ("workspace", "perspective", "personWord", "asOf"),
    (Example({}, Outcome.UNKNOWN), Example(_PRACTICE, Outcome.UNKNOWN)),
    first_page=True,
)
def summary(policy: Policy, say: Speech) -> Body:
    """Which entry this is, and how much of it is still to be filled in."""
    key = "record.sentence-practice" if policy.perspective == "practice" else "record.sentence-provider"
    gaps = sum(blanks(policy, say).values())
    blocks: list[Block] = [Text(say(key, workspace=policy.workspace, as_of=policy.as_of), lead=True)]
    blocks.append(Text(say.count("record.gaps", gaps)))
    if policy.perspective != "practice":
        blocks.append(Text(say("record.own-purposes")))
    return Body(tuple(blocks), record_outcome(policy))


@section("todo", (), (Example({}, None), Example(_PRACTICE, None)), first_page=True)
def todo(policy: Policy, say: Speech) -> Body:
    """Where something is to be filled in, section by section."""
    rows = tuple((title, say.number(gaps)) for title, gaps in blanks(policy, say).items())
    head = (say("record.section"), say("record.open"))
    return Body((Table(say("record.gaps-caption"), head, rows, figures=(1,)),))


def _form(say: Speech, rows: tuple[tuple[Cell, ...], ...], caption: str) -> Table:
    return Table(caption, (say("record.item"), say("record.content")), rows)


def _parties(say: Speech, names: tuple[str, ...], given: tuple[tuple[Cell, ...], ...] = ()) -> Table:
    rows = tuple((say(f"record.{name}"), Blank(say(f"blank.{name}"))) for name in names)
    return _form(say, (*given, *rows), say("record.parties-caption"))


@section("controller", (), (Example(_PRACTICE, None), Example({}, None)))
def controller(policy: Policy, say: Speech) -> Body:
    """Art. 30(1)(a): the controller and how to reach it, joint controllers, representative, officer."""
    given = ((say("record.name"), policy.workspace),)
    return Body((_parties(say, ("address", "contact", "joint", "representative", "dpo"), given),))


@section("processor", (), (Example({}, None), Example(_PRACTICE, None)))
def processor(policy: Policy, say: Speech) -> Body:
    """Art. 30(2)(a): the processor, each controller on whose behalf it acts, representative, officer."""
    given = ((say("record.name"), policy.workspace),)
    return Body((_parties(say, ("address", "contact", "controllers", "representative", "dpo"), given),))


@section("purposes", (), (Example(_PRACTICE, None), Example({}, None)))
def purposes(policy: Policy, say: Speech) -> Body:  # noqa: ARG001
    """Art. 30(1)(b): what the data are processed for, as the help page describes it."""
    items = tuple(say(f"record.purpose-{name}") for name in ("booking", "video", "notices", "deletion"))
    rows: tuple[tuple[Cell, ...], ...] = (
        (say("record.activity"), say("record.activity-name")),
        (say("record.legal-basis"), Blank(say("blank.legal-basis"))),
        (say("record.other-purposes"), Blank(say("blank.other-purposes"))),
    )
    form = _form(say, rows, say("record.purposes-caption"))
    return Body((Text(say("record.purposes-intro")), Items(items), form))


@section("services", (), (Example({}, None), Example(_PRACTICE, None)))
def services(policy: Policy, say: Speech) -> Body:  # noqa: ARG001
    """Art. 30(2)(b): the categories of processing carried out on behalf of each controller."""
    items = tuple(say(f"record.service-{name}") for name in ("receive", "video", "delete"))
    rows: tuple[tuple[Cell, ...], ...] = ((say("record.other-services"), Blank(say("blank.other-services"))),)
    form = _form(say, rows, say("record.services-caption"))
    return Body((Text(say("record.services-intro")), Items(items), form))


@section("categories", ("fields",), (Example(_PRACTICE, None), Example({"fields": ()}, Outcome.UNKNOWN)))
def categories(policy: Policy, say: Speech) -> Body:
    """Art. 30(1)(c): whose data, and which: every allowed field with the sentence that allows it."""
    return _fields(policy, say)


@section("fields", ("fields",), (Example({}, None), Example({"fields": ()}, Outcome.UNKNOWN)))
def fields(policy: Policy, say: Speech) -> Body:
    """In addition to Art. 30(2): whose data, and which."""
    return _fields(policy, say)


def _fields(policy: Policy, say: Speech) -> Body:
    people = Items(tuple(say(f"record.people-{name}") for name in ("booked", "practitioners", "staff")))
    if not policy.fields:
        return Body((people, Text(say("record.no-fields"))), Outcome.UNKNOWN)
    blocks: list[Block] = [people, Text(say("record.health"))]
    for data_class in ("identity", "appointment"):
        rows = tuple(_field_row(one, say) for one in policy.fields if one.data_class == data_class)
        head = tuple(say(f"record.{name}") for name in ("field", "meaning", "required", "allowed-by"))
        if rows:
            blocks.append(Table(say(f"record.class-{data_class}"), head, rows))
    return Body((*blocks, Text(say("record.sentences")), Text(say("record.nothing-else"))))


def _field_row(one: AllowedField, say: Speech) -> tuple[Cell, ...]:
    meaning = one.meaning.get(say.language) or one.meaning.get("de", "")
    # Whether an e-mail address is needed depends on where the appointment was made, which no single word can say.
    needed = "record.yes" if one.required else "record.by-origin" if one.name == "email" else "record.no"
    return say.word("field", one.name), meaning, say(needed), f"„{one.sentence}“"


@section("recipients", ("processors",), (Example(_PRACTICE, None), Example({"places": (), "processors": ()}, None)))
def recipients(policy: Policy, say: Speech) -> Body:
    """Art. 30(1)(d): to whom the data are disclosed, with the contract where one is described."""
    return _recipients(policy, say)


@section("subprocessors", ("processors",), (Example({}, None), Example({"places": (), "processors": ()}, None)))
def subprocessors(policy: Policy, say: Speech) -> Body:
    """In addition to Art. 30(2): whoever else receives the data."""
    return _recipients(policy, say)


def _recipients(policy: Policy, say: Speech) -> Body:
    head = tuple(say(f"record.{name}") for name in ("recipient", "why", "role", "contract"))
    rows = tuple(_recipient_row(name, policy, say) for name in _recipient_names(policy))
    blocks = (Text(say("record.recipients-intro")), Table(say("record.recipients-caption"), head, rows))
    return Body((*blocks, Text(say("record.recipients-more"))))


def _recipient_names(policy: Policy) -> tuple[str, ...]:
    """The two systems of every booking, the places of others, and the processors that the set-up names; each once."""
    own = {policy.workspace.lower(), "workspace"} | ({"arztkonsultation"} if _is_arztkonsultation(policy) else set())
    places = [note.place.name for note in policy.places if note.place.kind not in _NOT_RECIPIENTS]
    names: dict[str, str] = {}
    for name in (*_SYSTEMS, *places, *(one.name for one in policy.processors)):
        names.setdefault(name.lower(), name)
    return tuple(name for key, name in names.items() if key not in own)


def _is_arztkonsultation(policy: Policy) -> bool:
    """Whether the workspace is arztkonsultation's own: its store is managed here, so it is no recipient."""
    note = policy.note("arztkonsultation")
    return note is not None and note.place.kind == "managed"


def _recipient_row(name: str, policy: Policy, say: Speech) -> tuple[Cell, ...]:
    signed = next((one.signed_on for one in policy.processors if one.name.lower() == name.lower()), None)
    processor_named = signed or (policy.perspective == "practice" and name in _SYSTEMS)
    why = say.word("purpose", name, default="")
    return (
        say.store(name),
        why or Blank(say("blank.purpose")),
        say("record.is-processor") if processor_named else Blank(say("blank.role")),
        say("record.signed", on=signed) if signed else Blank(say("blank.contract")),
    )


def _transfers(say: Speech) -> Body:
    rows = tuple((say(f"record.{name}"), Blank(say(f"blank.{name}"))) for name in ("transfer", "safeguards"))
    return Body((Text(say("record.transfer-note")), _form(say, rows, say("record.transfer-caption"))))


@section("transfers", (), (Example(_PRACTICE, None), Example({}, None)))
def transfers(policy: Policy, say: Speech) -> Body:  # noqa: ARG001
    """Art. 30(1)(e): transfers to third countries, which the workspace knows nothing of."""
    return _transfers(say)


@section("processorTransfers", (), (Example({}, None), Example(_PRACTICE, None)))
def processor_transfers(policy: Policy, say: Speech) -> Body:  # noqa: ARG001
    """Art. 30(2)(c): the same for a processor."""
    return _transfers(say)


@section("periods", ("rules", "eterminDays"), (Example(_PRACTICE, None), Example({"rules": ()}, Outcome.UNKNOWN)))
def periods(policy: Policy, say: Speech) -> Body:
    """Art. 30(1)(f): the envisaged periods, here and at whoever stores for us."""
    return _periods(policy, say)


@section("processorPeriods", ("rules",), (Example({}, None), Example({"rules": ()}, Outcome.UNKNOWN)))
def processor_periods(policy: Policy, say: Speech) -> Body:
    """In addition to Art. 30(2): the periods agreed with the controllers."""
    return _periods(policy, say)


def _periods(policy: Policy, say: Speech) -> Body:
    head = (say("concept.what"), say("concept.period"), say("concept.basis"))
    rows = (*_rule_periods(policy, say), *_place_periods(policy, say))
    outcome = None if policy.rules else Outcome.UNKNOWN
    blocks = (Text(say("record.periods-intro")), Table(say("record.periods-caption"), head, rows))
    return Body((*blocks, Text(say("record.periods-concept"))), outcome)


def _rule_periods(policy: Policy, say: Speech) -> Iterator[tuple[Cell, ...]]:
    for rule in policy.rules:
        days = say.count("record.days-after", rule.period_days)
        yield say.word("dataset", rule.dataset), days, say.word("basis", rule.basis)


def _place_periods(policy: Policy, say: Speech) -> Iterator[tuple[Cell, ...]]:
    days = policy.etermin_days
    known = say.count("concept.days", days) if days else say("record.never") if days == 0 else None
    yield "eTermin", known or Blank(say("blank.etermin")), say("record.etermin-setting")
    for note in policy.places:
        if note.place.kind == "attested":
            yield _promised(note, say)
    for note in policy.places:
        if note.backup_days is not None:
            period = say.count("concept.days", note.backup_days)
            yield say("concept.backups-of", place=say.store(note.place.name)), period, say.word("basis", "choice")
    if policy.no_backups:
        yield say.word("remains", "backup"), "–", say("concept.no-backups")


def _promised(note: PlaceNote, say: Speech) -> tuple[Cell, ...]:
    if note.promised_days is None:
        return say.store(note.place.name), Blank(say("blank.promise")), say("record.no-promise")
    return say.store(note.place.name), say.count("concept.days", note.promised_days), say("concept.promise")


def _measures(say: Speech) -> Body:
    items = tuple(say(f"record.measure-{name}") for name in ("fields", "delete", "roles", "evidence", "private"))
    names = ("access", "encryption", "resilience", "testing")
    rows = tuple((say(f"record.{name}"), Blank(say("blank.measure"))) for name in names)
    form = _form(say, rows, say("record.measures-caption"))
    return Body((Text(say("record.measures-intro")), Items(items), form))


@section("measures", (), (Example(_PRACTICE, None), Example({}, None)))
def measures(policy: Policy, say: Speech) -> Body:  # noqa: ARG001
    """Art. 30(1)(g): what this program does for security, and gaps for the rest."""
    return _measures(say)


@section("processorMeasures", (), (Example({}, None), Example(_PRACTICE, None)))
def processor_measures(policy: Policy, say: Speech) -> Body:  # noqa: ARG001
    """Art. 30(2)(d): the same for a processor."""
    return _measures(say)


@section("version", ("policySha256", "contracts"), (Example({}, None), Example({"contracts": ()}, None)))
def version(policy: Policy, say: Speech) -> Body:
    """What the entry was written from."""
    contracts = tuple(
        (say("concept.contract-of", dataset=say.word("dataset", one.dataset)), f"{one.version} ({one.digest[:16]}…)")
        for one in policy.contracts
    )
    rows: tuple[tuple[Cell, ...], ...] = (
        (say("concept.digest"), policy.policy_sha256),
        *contracts,
        (say("concept.released"), Blank(say("blank.released"))),
    )
    return Body((_form(say, rows, say("record.version-caption")),))


_ADDITIONS: tuple[Section[Policy], ...] = (fields, subprocessors, processor_periods, version)
ALL: tuple[Section[Policy], ...] = (
    *(summary, todo, controller, purposes, categories, recipients, transfers, periods, measures),
    *(processor, services, processor_transfers, processor_measures, *_ADDITIONS),
)
"""Every section of either entry."""
