"""What the local pages say beyond the report: what falls due for a look, what changed, runs, holds, templates."""

from __future__ import annotations

from lifecycle.model import Outcome
from lifecycle.report.content import Block, Body, Cell, Link, Mark, Section, Table, Text
from lifecycle.report.desk.terms import Desk, Front, HoldNote, Line, Soon, Step, TemplateNote
from lifecycle.report.papers.month import run_outcome
from lifecycle.report.papers.terms import RunNote
from lifecycle.report.sections.changes import change_table
from lifecycle.report.sections.data import mark
from lifecycle.report.speech import Speech
from lifecycle.report.standing import overall, tasks, worst


def soon(desk: Desk, say: Speech) -> Body:
    """What somebody must look at within the next days: agreements, confirmations, holds, approvals."""
    if not desk.soon:
        return Body((Text(say("soon.nothing")),))
    head = (say("soon.what"), say("todo.role"), say("todo.until"))
    rows = tuple(_soon_row(one, desk, say) for one in desk.soon)
    return Body((Table(say("soon.caption"), head, rows),), _soon_outcome(desk))


def _soon_row(one: Soon, desk: Desk, say: Speech) -> tuple[Cell, ...]:
    until: Cell = say.day(one.until)
    if one.until < desk.facts.as_of:
        until = Mark(Outcome.FAILED, say("soon.late", day=one.until))
    return say(f"soon.{one.what}", name=say.store(one.name)), say.word("role", one.role), until


def _soon_outcome(desk: Desk) -> Outcome | None:
    return Outcome.FAILED if any(one.until < desk.facts.as_of for one in desk.soon) else None


def changed(desk: Desk, say: Speech) -> Body:
    """What is laid down otherwise than at the last visit: rules, contracts, places; and a log that lost leaves."""
    if desk.visited_at is None:
        return Body((Text(say("changed.first-visit")),))
    blocks: list[Block] = [Text(say("changed.since", at=desk.visited_at))]
    if desk.lost_leaves:
        blocks.append(Text(say.count("changed.lost-leaves", desk.lost_leaves), lead=True))
    blocks.append(change_table(desk.changes, say) if desk.changes else Text(say("changed.nothing")))
    return Body(tuple(blocks), Outcome.FAILED if desk.lost_leaves else None)


def runs(desk: Desk, say: Speech) -> Body:
    """Every run with its state, the latest first, and a way to verify them now."""
    if not desk.runs:
        return Body((Text(say("desk.no-runs")),), Outcome.UNKNOWN)
    names = ("run", "ended", "due", "deleted-head", "held", "failed", "checks", "approval")
    head = tuple(say(f"month.{name}") for name in names)
    table = Table(
        say("month.runs-caption"), head, tuple(_run(one, say) for one in desk.runs), figures=(2, 3, 4, 5), keep=True
    )
    blocks: tuple[Block, ...] = (Text(say("desk.runs-intro")), Link(say("desk.verify-now"), "verify"), table)
    return Body(blocks, worst(map(run_outcome, desk.runs)))


def _run(run: RunNote, say: Speech) -> tuple[Cell, ...]:
    checks: Cell = "–" if run.checks is None else mark(run.checks, say)
    figures = [say.number(number) for number in (run.due, run.deleted, run.held, run.failed)]
    state = Mark(run_outcome(run), say.word("runstate", run.outcome))
    return run.run_id, state, *figures, checks, say.word("approval", run.approval)


def verified(desk: Desk, say: Speech) -> Body:
    """What the independent verifier says at this moment, step by step."""
    said = desk.verified
    if said is None:
        return Body((Text(say("desk.not-verified")), Link(say("desk.verify-now"), "verify")), Outcome.UNKNOWN)
    head = (say("desk.step"), say("checks.outcome"), say("desk.detail"))
    rows = tuple((say.word("step", one.name), mark(one.outcome, say), _detail(one, say)) for one in said.steps)
    sentence = say.count(f"desk.verified-{said.outcome}", said.tree_size, at=said.at)
    since = (Text(say("desk.since-visit")),) if said.since_visit and said.outcome == Outcome.PASSED else ()
    again = Link(say("desk.verify-again"), "verify")
    return Body((Text(sentence, lead=True), *since, Table(say("desk.steps-caption"), head, rows), again), said.outcome)


def _detail(step: Step, say: Speech) -> str:
    """What was counted in the reader's words; a failure in the verifier's own, as an auditor will quote it."""
    if step.outcome is Outcome.PASSED and step.counts:
        return "; ".join(say(f"having.{what}", n=say.number(n), of=say.number(of)) for what, n, of in step.counts)
    return step.detail or "–"


def holds(desk: Desk, say: Speech) -> Body:
    """Every hold by number and ground, those in force first."""
    if not desk.holds:
        return Body((Text(say("holds.none")),))
    names = ("number", "ground", "reference", "set", "review", "state", "rows")
    head = tuple(say(f"desk.hold-{name}") for name in names)
    ordered = sorted(desk.holds, key=lambda one: (one.lifted_on is not None, one.number))
    rows = tuple(_hold(one, desk, say) for one in ordered)
    table = Table(say("desk.holds-caption"), head, rows, figures=(6,))
    return Body((Text(say("holds.intro")), Text(say("desk.holds-private")), table))


def _hold(one: HoldNote, desk: Desk, say: Speech) -> tuple[Cell, ...]:
    review: Cell = say.short_day(one.review_on) if one.review_on else "–"
    if one.review_on and one.lifted_on is None and one.review_on <= desk.facts.as_of:
        review = Mark(Outcome.FAILED, say.short_day(one.review_on))
    state = say("desk.hold-lifted", day=one.lifted_on) if one.lifted_on else say("desk.hold-in-force")
    return (
        say.number(one.number),
        say.word("ground", one.ground),
        one.reference or "–",
        say("desk.hold-by", role=say.word("role", one.set_by), day=say.short_day(one.set_on)),
        review,
        state,
        say.number(one.rows),
    )


def templates(desk: Desk, say: Speech) -> Body:
    """Each template with what the linter says, and a way to its preview."""
    if not desk.templates:
        return Body((Text(say("desk.no-templates")),))
    head = tuple(say(f"desk.template-{name}") for name in ("name", "state", "errors", "warnings", "notes"))
    rows = tuple(_template(one, say) for one in desk.templates)
    table = Table(say("desk.templates-caption"), head, rows, figures=(2, 3, 4))
    way = Link(say("desk.preview"), f"/preview/{desk.number}/")
    return Body((Text(say("desk.templates-intro")), way, table), worst(map(_template_outcome, desk.templates)))


def _template_outcome(one: TemplateNote) -> Outcome:
    return Outcome.FAILED if one.errors or one.warnings else Outcome.PASSED


def _template(one: TemplateNote, say: Speech) -> tuple[Cell, ...]:
    figures = (one.errors, one.warnings, one.notes)
    return one.name, mark(_template_outcome(one), say), *map(say.number, figures)


def side_by_side(front: Front, say: Speech) -> Body:
    """One line a workspace: how it stands, what is overdue, what waits, and its last run."""
    head = tuple(say(f"desk.front-{name}") for name in ("name", "outcome", "overdue", "places", "tasks", "soon", "run"))
    table = Table(say("desk.front-caption"), head, tuple(_line(one, say) for one in front.lines), figures=(2, 3, 4, 5))
    outcomes = [overall(one.desk.facts) if one.desk else Outcome.UNKNOWN for one in front.lines]
    passed = outcomes.count(Outcome.PASSED)
    well = say("desk.front-none-passed") if not passed else say.count("desk.front-passed", passed)
    sentence = say.count("desk.front-sentence", len(outcomes), as_of=front.as_of)
    return Body((Text(f"{sentence} {well}", lead=True), table), worst(outcomes))


def _line(line: Line, say: Speech) -> tuple[Cell, ...]:
    link = Link(line.name, f"{line.number}/")
    if line.desk is None:
        word = say("desk.front-trouble") if line.trouble else say("desk.front-looking")
        return link, Mark(Outcome.UNKNOWN, word), *("–",) * 5
    facts = line.desk.facts
    outcome = overall(facts)
    unknown = sum(place.state not in {"checked", "confirmed"} for place in facts.places)
    last = line.desk.runs[0] if line.desk.runs else None
    run: Cell = say("page.no-run")
    if last is not None:
        run = Mark(run_outcome(last), f"{last.run_id}, {say.word('runstate', last.outcome)}")
    figures = (facts.overdue, unknown, len(tasks(facts)), len(line.desk.soon))
    return link, mark(outcome, say), *map(say.number, figures), run


SOON: Section[Desk] = Section("soon", (), (), soon)
CHANGED: Section[Desk] = Section("changed", (), (), changed)
RUNS: Section[Desk] = Section("runs", (), (), runs)
VERIFIED: Section[Desk] = Section("verified", (), (), verified)
HOLDS: Section[Desk] = Section("holdList", (), (), holds)
TEMPLATES: Section[Desk] = Section("templates", (), (), templates)
SIDE_BY_SIDE: Section[Front] = Section("sideBySide", (), (), side_by_side)
