"""The first page: sentence, tasks, numbers, dates, rule, roles, limits, how to check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lifecycle.model import Facts, Outcome, Place, Rule, Task
from lifecycle.report.content import Block, Body, Cell, Code, Example, Items, Table, Text, section
from lifecycle.report.sample import sample
from lifecycle.report.speech import Speech
from lifecycle.report.standing import ALWAYS_LIMITS, deletion_outcome, overall, places_outcome, tasks

_LEFT = {"sealed": "numbers.failed", "open": "numbers.unproved"}
"""What became of rows that were due and not held: of an open run nobody can tell yet."""

_UNKNOWN_PLACE = Place("Outlook", "attested", "unknown")


@section(
    "summary",
    ("workspace", "perspective", "personWord", "asOf", "runId", "outcome", "overdue", "places"),
    (
        Example({}, Outcome.PASSED),
        Example({"overdue": 3}, Outcome.FAILED),
        Example({"places": (_UNKNOWN_PLACE,)}, Outcome.UNKNOWN),
        Example({"places": ()}, Outcome.UNKNOWN),
    ),
    first_page=True,
)
def summary(facts: Facts, say: Speech) -> Body:
    """One sentence: as of when, whose system in which role, how many overdue, how the places stand."""
    whose = {
        "as_of": facts.as_of,
        "workspace": facts.workspace,
        "perspective": say.word("perspective", facts.perspective),
        "places": _place_counts(facts, say),
    }
    if facts.overdue:
        sentence = say.count("summary.overdue", facts.overdue, **whose)
    else:
        sentence = say("summary.none-overdue", **whose)
    blocks: list[Block] = [Text(sentence, lead=True), Text(run_sentence(facts, say))]
    if places_outcome(facts) == Outcome.UNKNOWN:
        blocks.append(Text(say("summary.never-green")))
    return Body(tuple(blocks), overall(facts))


def _place_counts(facts: Facts, say: Speech) -> str:
    states = [
        place.state if place.state in {"checked", "confirmed", "overdue"} else "unknown" for place in facts.places
    ]
    shown = ["checked", "confirmed", *(["overdue"] if "overdue" in states else []), "unknown"]
    return say.listing([say(f"places.{state}", n=states.count(state)) for state in shown])


def run_sentence(facts: Facts, say: Speech) -> str:
    """What the run did, in one or two sentences; nothing deleted never sounds like something done."""
    if facts.outcome != "sealed":
        text = say(f"run.{facts.outcome}", run=facts.run_id or "")
        if facts.outcome == "aborted":
            text += " " + _deleted(facts, say)
        return text
    if not facts.due:
        return say("run.nothing-due", run=facts.run_id or "")
    if not facts.deleted:
        return say.count("run.nothing-deleted", facts.due, run=facts.run_id or "") + _kept(facts, say)
    return say("run.sealed", run=facts.run_id or "") + " " + _deleted(facts, say) + _kept(facts, say)


def _deleted(facts: Facts, say: Speech) -> str:
    return say.count("run.deleted", facts.deleted) if facts.deleted else say("run.none-deleted")


def _kept(facts: Facts, say: Speech) -> str:
    held = " " + say.count("run.held", facts.held) if facts.held else ""
    return held + (" " + say.count("run.failed", facts.failed) if facts.failed else "")


@section(
    "todo",
    ("tasks",),
    (
        Example({}, None),
        Example({"tasks": (Task("confirm", "controller", None, {"place": "Outlook"}),)}, None),
        Example({"overdue": 3}, None),
    ),
    first_page=True,
)
def todo(facts: Facts, say: Speech) -> Body:
    """What somebody must do, in which role, until when; nothing to do only where that is true."""
    open_tasks = tasks(facts)
    if not open_tasks:
        return Body((Text(say("todo.nothing"), lead=True),))
    return Body((task_table(open_tasks, say),))


def task_table(some: Iterable[Task], say: Speech) -> Table:
    """Tasks with the role that must do them and the date, in the order given."""
    rows: list[tuple[Cell, ...]] = [
        (task_words(task, say), say.word("role", task.role), say.day(task.until) if task.until else say("todo.soon"))
        for task in some
    ]
    head = (say("todo.what"), say("todo.role"), say("todo.until"))
    return Table(say("todo.caption"), head, tuple(rows))


def task_words(task: Task, say: Speech) -> str:
    """A task in words. One that the catalogue does not know is shown by its name rather than dropped."""
    what = f"task.{task.what.removeprefix('task.')}"
    if not say.knows(what):
        return say("task.unnamed", name=task.what)
    gaps = {"run": "–", "place": "–", "rows": 0, "n": 0, **task.detail}
    return say(what, **{**gaps, "place": say.store(str(gaps["place"]))})


@section(
    "numbers",
    (
        "before",
        "due",
        "deleted",
        "held",
        "failed",
        "notYetDue",
        "noAnchor",
        "retained",
        "oldestAgeDays",
    ),
    (
        Example({}, Outcome.PASSED),
        Example({"overdue": 4}, Outcome.FAILED),
        Example({"deleted": 0, "failed": 1204, "retained": 12483}, Outcome.FAILED),
    ),
    first_page=True,
)
def numbers(facts: Facts, say: Speech) -> Body:
    """Before = deleted + held + failed + not yet due; then the age of the oldest record without a hold."""
    left = _LEFT.get(facts.outcome, "numbers.still-due")
    none = "-none" if facts.outcome == "none" else ""
    rows = (
        (say("numbers.deleted"), say.number(facts.deleted)),
        (say("numbers.held"), say.number(facts.held)),
        (say(left), say.number(facts.failed)),
        (say("numbers.not-yet-due"), say.number(facts.not_yet_due)),
        (say(f"numbers.before{none}"), say.number(facts.before)),
    )
    head = (say("numbers.what"), say("numbers.records"))
    table = Table(say(f"numbers.caption{none}"), head, rows, figures=(1,), total=True)
    notes = [_oldest(facts, say)]
    if facts.no_anchor:
        notes.append(say.count("numbers.no-anchor", facts.no_anchor))
    return Body((table, Items(tuple(notes))), deletion_outcome(facts))


def _oldest(facts: Facts, say: Speech) -> str:
    if facts.oldest_age_days is None:
        return say("numbers.no-oldest")
    return say.count("numbers.oldest", facts.oldest_age_days)


@section(
    "dates",
    ("goneLiveOn", "goneBackupsOn"),
    (Example({}, None), Example({"gone_live_on": None, "gone_backups_on": None}, None)),
    first_page=True,
)
def two_dates(facts: Facts, say: Speech) -> Body:
    """Gone from the live systems on, gone from the backups by."""
    if facts.outcome == "sealed" and not facts.deleted:
        return Body((Text(say("dates.nothing")),))
    rows = (
        (say("dates.live"), say.day(facts.gone_live_on) if facts.gone_live_on else say("dates.open")),
        (say("dates.backups"), say.day(facts.gone_backups_on) if facts.gone_backups_on else say("dates.open")),
    )
    return Body((Table(say("dates.caption"), (say("dates.where"), say("dates.when")), rows),))


@section(
    "rule",
    ("rules",),
    (
        Example({}, None),
        Example({"rules": ()}, Outcome.UNKNOWN),
        Example({"rules": (replace(sample().rules[0], cap_months=3, lead_days=1, superseded_days=7),)}, None),
    ),
    first_page=True,
)
def rule(facts: Facts, say: Speech) -> Body:
    """The rule in one sentence, its source, and whether it is law, contract or own choice."""
    if not facts.rules:
        return Body((Text(say("rule.none")),), Outcome.UNKNOWN)
    return Body(rule_blocks(facts.rules, say))


def rule_blocks(rules: tuple[Rule, ...], say: Speech) -> tuple[Block, ...]:
    """Each rule in one sentence, with its reasons; rules that differ in their dataset only are told together."""
    groups: dict[Rule, list[Rule]] = {}
    for one in rules:
        groups.setdefault(replace(one, dataset="", why=""), []).append(one)
    blocks: list[Block] = []
    for one, alike in groups.items():
        first, *others = (say.word("dataset", each.dataset) for each in alike)
        named = say.listing([first, *map(say.inside, others)])
        sentence = say.count("rule.sentence", one.period_days, datasets=named)
        blocks += [Text(sentence, lead=not blocks), Items((*_reasons(alike, say), *_rule_notes(one, say)))]
    return tuple(blocks)


def _reasons(alike: list[Rule], say: Speech) -> list[str]:
    """Why, once where the rules say the same."""
    if len({one.why for one in alike}) == 1:
        return [say("rule.why", why=alike[0].why)]
    return [say("rule.why-of", dataset=say.inside(say.word("dataset", one.dataset)), why=one.why) for one in alike]


def _rule_notes(one: Rule, say: Speech) -> tuple[str, ...]:
    notes = [
        say("rule.basis", basis=say.word("basis", one.basis)),
        say("rule.source", source=one.source),
        say("rule.cancellation" if one.cancelled == "cancellation" else "rule.booking"),
        say.count("rule.fallback", one.booking_horizon_days),
    ]
    if one.cap_months is not None:
        notes.append(say.count("rule.cap", one.cap_months))
    if one.lead_days:
        notes.append(say.count("rule.lead", one.lead_days))
    if one.superseded_days is not None:
        notes.append(say.count("rule.superseded", one.superseded_days))
    return tuple(notes)


@section(
    "roles",
    ("orderedBy", "approvedBy", "approvalSigned", "approvalChecked", "approvalStanding", "carriedOutBy", "verifiedBy"),
    (
        Example({}, None),
        Example({"approval_signed": False}, None),
        Example({"approval_checked": "unknown"}, None),
        Example({"approval_checked": "failed"}, None),
        Example({"approved_by": "", "approval_signed": False, "approval_standing": False}, None),
    ),
    first_page=True,
)
def roles(facts: Facts, say: Speech) -> Body:
    """Ordered, approved, carried out, verified: by role, never by name."""
    if facts.outcome == "none":
        return Body((Text(say("roles.no-run")),))
    people = (
        ("roles.ordered", facts.ordered_by),
        ("roles.approved", facts.approved_by),
        ("roles.carried-out", facts.carried_out_by),
        ("roles.verified", facts.verified_by),
    )
    rows = tuple((say(step), say.word("role", role) if role else say("roles.nobody")) for step, role in people)
    table = Table(say("roles.caption"), (say("roles.step"), say("roles.role")), rows)
    return Body((table, Text(_approval(facts, say))))


def _approval(facts: Facts, say: Speech) -> str:
    if not facts.approved_by:
        return say("roles.not-approved" if facts.due else "roles.no-approval-needed")
    signature = say("roles.unsigned")
    if facts.approval_signed:
        signature = say(f"roles.signature-{facts.approval_checked}")
    return f"{signature} {say('roles.standing')}" if facts.approval_standing else signature


@section("limits", ("limits",), (Example({}, None), Example({"limits": ("logical",)}, None)), first_page=True)
def limits(facts: Facts, say: Speech) -> Body:
    """What this record does not prove."""
    named = [limit.removeprefix("limit.") for limit in facts.limits]
    keys = [*ALWAYS_LIMITS, *(key for key in named if key not in ALWAYS_LIMITS)]
    return Body((Items(tuple(say.word("limit", key) for key in keys)),))


@section(
    "verify",
    ("verifyCommand", "checkpoint"),
    (Example({}, None), Example({"checkpoint": (), "verify_command": ""}, None)),
    first_page=True,
)
def verify(facts: Facts, say: Speech) -> Body:
    """How to check it, with the checkpoint's lines to compare or to keep."""
    if not facts.checkpoint:
        return Body((Text(say("verify.nothing")),))
    steps = (say("verify.run"), say("verify.compare"), say("verify.keep"))
    blocks: list[Block] = [Items(steps, numbered=True)]
    if facts.verify_command:
        blocks.append(Code(say("verify.command"), (facts.verify_command,)))
    blocks.append(Code(say("verify.checkpoint"), facts.checkpoint))
    return Body(tuple(blocks))
