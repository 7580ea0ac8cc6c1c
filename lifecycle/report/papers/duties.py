"""The deletion concept, continued: how the rules are carried out, where, by whom, and with which exceptions."""

from __future__ import annotations

from lifecycle.model import Outcome
from lifecycle.report.content import Blank, Block, Body, Cell, Example, Items, Mark, Table, Text, section
from lifecycle.report.papers.concept import backup_outcome, place_outcome
from lifecycle.report.papers.sample import policy as sample_policy
from lifecycle.report.papers.terms import PlaceNote, Policy, StandingOrder
from lifecycle.report.sections.data import mark
from lifecycle.report.speech import Speech
from lifecycle.report.standing import ALWAYS_LIMITS, worst

_NOT_OURS = tuple(note for note in sample_policy().places if note.place.kind == "attested")
_STATES = {"checked", "confirmed", "overdue"}


@section(
    "places",
    ("places",),
    (Example({}, Outcome.PASSED), Example({"places": ()}, Outcome.UNKNOWN)),
)
def places(policy: Policy, say: Speech) -> Body:
    """Each place with its kind, what was promised there, and its state."""
    if not policy.places:
        return Body((Text(say("stores.no-places")),), Outcome.UNKNOWN)
    head = tuple(say(f"stores.{name}") for name in ("place", "kind", "state", "confirmed", "next"))
    rows = tuple(_place_row(note, say) for note in policy.places)
    blocks = (Text(say("concept.places-intro")), Table(say("stores.places-caption"), head, rows))
    return Body(blocks, worst(map(place_outcome, policy.places)))


def _place_row(note: PlaceNote, say: Speech) -> tuple[Cell, ...]:
    place = note.place
    return (
        say.store(place.name),
        say.word("kind", place.kind),
        Mark(place_outcome(note), say.word("state", place.state if place.state in _STATES else "unknown")),
        say.short_day(place.confirmed_on) if place.confirmed_on else "–",
        say.short_day(place.next_due_on) if place.next_due_on else "–",
    )


@section("systems", ("places",), (Example({}, None), Example({"places": _NOT_OURS}, None)))
def systems(policy: Policy, say: Speech) -> Body:
    """First area: the systems that are read and erased here."""
    own = [say.store(note.place.name) for note in policy.places if note.place.kind == "managed"]
    readable = [say.store(note.place.name) for note in policy.places if note.place.kind == "readable"]
    items = [say("concept.systems-none")]
    if own:
        steps = ("run", "plan", "rewrite", "check", "door")
        items = [say("concept.systems-own", names=say.listing(own)), *(say(f"concept.systems-{one}") for one in steps)]
    if readable:
        items.append(say("concept.systems-readable", names=say.listing(readable)))
    return Body((Items(tuple(items)),))


@section("crossing", ("keyDays",), (Example({}, None), Example({"no_backups": True}, None)))
def crossing(policy: Policy, say: Speech) -> Body:
    """Second area: logs, ingested files, reports and backups, which cut across the systems."""
    names = ("log", "files", "reports", "restore")
    items = [say(f"concept.crossing-{name}") for name in names]
    items.append(say("concept.crossing-keys", days=say.count("concept.key-days", policy.key_days)))
    return Body((Items(tuple(items)),))


@section("manual", ("perspective",), (Example({}, None), Example({"perspective": "practice"}, None)))
def manual(policy: Policy, say: Speech) -> Body:  # noqa: ARG001
    """Third area: what people do by hand, where no program reaches."""
    items = [say(f"concept.manual-{name}") for name in ("paper", "mailbox", "exports", "requests")]
    blank = (say("concept.manual-who"), Blank(say("blank.responsible")))
    table = Table(say("concept.manual-caption"), (say("record.item"), say("record.content")), (blank,))
    return Body((Text(say("concept.manual-intro")), Items(tuple(items)), table))


@section(
    "processors",
    ("processors",),
    (
        Example({}, Outcome.PASSED),
        Example({"places": sample_policy().places[:1]}, None),
        Example({"places": (PlaceNote(sample_policy().places[-1].place),)}, Outcome.PASSED),
    ),
)
def processors(policy: Policy, say: Speech) -> Body:
    """Fourth area: whoever stores for us, and whose word we have."""
    theirs = [note for note in policy.places if note.place.kind == "attested"]
    if not theirs:
        return Body((Text(say("concept.no-processors")),))
    head = tuple(say(f"concept.{name}") for name in ("place", "promised-period", "state", "confirmed-on"))
    rows = tuple(_promise_row(note, say) for note in theirs)
    steps = Items(tuple(say(f"concept.processors-{name}") for name in ("order", "collect", "renew", "end")))
    blocks = (steps, Table(say("concept.processors-caption"), head, rows))
    return Body(blocks, worst(map(place_outcome, theirs)))


def _promise_row(note: PlaceNote, say: Speech) -> tuple[Cell, ...]:
    place = note.place
    word = say.word("state", place.state if place.state in _STATES else "unknown")
    promised: Cell = Blank(say("blank.promise"))
    if note.promised_days is not None:
        promised = say.count("concept.days", note.promised_days)
    confirmed: Cell = say.short_day(place.confirmed_on) if place.confirmed_on else Blank(say("blank.confirmation"))
    return say.store(place.name), promised, Mark(place_outcome(note), word), confirmed


@section(
    "slack",
    ("maxGapDays",),
    (Example({}, None), Example({"rules": tuple(sample_policy(lead_days=2).rules)}, None)),
)
def slack(policy: Policy, say: Speech) -> Body:
    """How many failed nights the period survives; DIN 66398 counts the deletion itself into the period."""
    least = min((rule.lead_days for rule in policy.rules), default=0)
    items = [say("concept.slack-within"), say("concept.slack-none") if not least else say.count("concept.slack", least)]
    items.append(say.count("concept.slack-plan", policy.plan_days))
    items.append(say.count("concept.slack-clock", policy.max_gap_days))
    return Body((Items(tuple(items)),))


@section(
    "backups",
    ("noBackups",),
    (
        Example({}, Outcome.PASSED),
        Example({"no_backups": True}, None),
        Example({"places": (PlaceNote(sample_policy().places[0].place),)}, Outcome.UNKNOWN),
    ),
)
def backups(policy: Policy, say: Speech) -> Body:
    """How long backups are kept, which the standard deletion period does not include."""
    if policy.no_backups:
        return Body((Text(say("concept.no-backups")),))
    rows = tuple(_backup_row(note, say) for note in policy.places)
    head = (say("concept.place"), say("concept.kept"))
    blocks = (Text(say("concept.backups-intro")), Table(say("concept.backups-caption"), head, rows))
    return Body(blocks, worst(map(backup_outcome, policy.places)))


def _backup_row(note: PlaceNote, say: Speech) -> tuple[Cell, ...]:
    days = note.backup_days
    kept: Cell = mark(Outcome.UNKNOWN, say) if days is None else say.count("concept.days", days)
    return say.store(note.place.name), kept


@section("exceptions", ("holds",), (Example({}, None), Example({"holds": {}}, None)))
def exceptions(policy: Policy, say: Speech) -> Body:
    """Holds: which grounds there are, how many are in force, and who sets them."""
    blocks: list[Block] = [Text(say("concept.holds-intro"))]
    held = {ground: number for ground, number in policy.holds.items() if number}
    if held:
        head = (say("holds.ground"), say("concept.holds-number"))
        rows = tuple((say.word("ground", ground), say.number(number)) for ground, number in sorted(held.items()))
        blocks.append(Table(say("concept.holds-caption"), head, rows, figures=(1,)))
    else:
        blocks.append(Text(say("holds.none")))
    return Body((*blocks, Items((say("concept.holds-counted"), say("concept.holds-review")))))


_DUTIES = (
    ("rules", "controller"), ("setup", "administrator"), ("order", "operator"), ("approve", "delegate"),
    ("carry-out", "tool"), ("verify", "verifier"), ("watch", "dpo"), ("holds", "controller"), ("collect", "controller"),
)  # fmt: skip


@section(
    "responsible",
    ("standing",),
    (Example({}, None), Example({"standing": None, "perspective": "practice"}, None)),
)
def responsible(policy: Policy, say: Speech) -> Body:
    """Who does what, by role; the names are for the reader to fill in."""
    head = (say("concept.duty"), say("concept.role"), say("concept.person"))
    rows = tuple(_duty(step, role, say) for step, role in _DUTIES)
    order = policy.standing
    said = say("concept.no-standing") if order is None else _standing(order, say)
    provider = (Text(say("concept.on-instruction")),) if policy.perspective == "provider" else ()
    return Body(
        (Table(say("concept.duties-caption"), head, rows), Text(say("concept.separate")), *provider, Text(said))
    )


def _duty(step: str, role: str, say: Speech) -> tuple[Cell, ...]:
    person: Cell = "–" if role in {"tool", "verifier"} else Blank(say("blank.person"))
    who = say("concept.approvers") if step == "approve" else say.word("role", role)
    return say(f"concept.duty-{step}"), who, person


def _standing(order: StandingOrder, say: Speech) -> str:
    return say(
        f"concept.standing-{order.signature}",
        rows=order.max_rows,
        percent=say.decimal(order.max_percent),
        until=order.until,
        role=say.word("role", order.role),
    )


@section("evidence", ("runs", "lastRunOn"), (Example({}, None), Example({"runs": 0, "last_run_on": None}, None)))
def evidence(policy: Policy, say: Speech) -> Body:
    """What proves the runs, and how long that itself is kept."""
    last = policy.last_run_on
    so_far = say.count("concept.runs", policy.runs, last=last) if last else say("concept.no-runs")
    head = (say("concept.kind"), say("concept.holds-what"), say("concept.until"))
    key_days = say.count("concept.key-days", policy.key_days)
    rows: tuple[tuple[Cell, ...], ...] = (
        (say("concept.records"), say("concept.records-hold"), Blank(say("blank.period"))),
        (say("concept.tombstones"), say("concept.tombstones-hold"), say("concept.tombstones-until", days=key_days)),
        (say("concept.approvals"), say("concept.approvals-hold"), Blank(say("blank.period"))),
        (say.word("remains", "ingested-file"), say("concept.files-hold"), say("concept.files-until")),
    )
    table = Table(say("concept.evidence-caption"), head, rows)
    return Body((Text(say("concept.evidence-intro")), Text(so_far), table, Text(say("concept.evidence-law"))))


@section("limits", (), (Example({}, None), Example({"places": ()}, None)))
def limits(policy: Policy, say: Speech) -> Body:  # noqa: ARG001
    """What this concept does not cover."""
    return Body((Items(tuple(say.word("limit", key) for key in ALWAYS_LIMITS if key != "counts")),))


@section(
    "upkeep",
    ("policySha256", "contracts"),
    (Example({}, None), Example({"contracts": ()}, None)),
)
def upkeep(policy: Policy, say: Speech) -> Body:
    """Which version this is, who releases it, and when it is looked at again."""
    names = [(say.word("dataset", one.dataset), one.version) for one in policy.contracts]
    contracts = tuple((say("concept.contract-of", dataset=dataset), number) for dataset, number in names)
    rows: tuple[tuple[Cell, ...], ...] = (
        (say("concept.digest"), policy.policy_sha256),
        *contracts,
        (say("concept.released"), Blank(say("blank.released"))),
        (say("concept.next-review"), Blank(say("blank.review"))),
    )
    head = (say("record.item"), say("record.content"))
    return Body((Text(say("concept.upkeep")), Table(say("concept.upkeep-caption"), head, rows)))
