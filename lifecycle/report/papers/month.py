"""The monthly overview: every deletion run of one month, the nights without one, and the log at its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from lifecycle.model import Outcome
from lifecycle.report.content import Block, Body, Cell, Code, Example, Items, Mark, Table, Text, section
from lifecycle.report.papers.sample import month as sample_month
from lifecycle.report.papers.sample import rough_month
from lifecycle.report.papers.terms import Month, RunNote
from lifecycle.report.sections.data import mark
from lifecycle.report.sections.first import task_table
from lifecycle.report.speech import Speech
from lifecycle.report.standing import ALWAYS_LIMITS, places_outcome_of, worst

_STATES = {"sealed": Outcome.PASSED, "open": Outcome.FAILED, "aborted": Outcome.FAILED, "planned": Outcome.UNKNOWN}
_ROUGH = rough_month()
_EMPTY = sample_month(runs=(), since=None, checkpoint=())


def run_outcome(run: RunNote) -> Outcome:
    """How one run ended; a sealed one that left rows, or failed a check, is no success."""
    if run.outcome != "sealed":
        return _STATES.get(run.outcome, Outcome.UNKNOWN)
    checks = run.checks or (Outcome.UNKNOWN if run.deleted else Outcome.PASSED)
    return worst([Outcome.FAILED if run.failed else Outcome.PASSED, checks])


def longest_gap(missing: tuple[date, ...]) -> int:
    """The most nights in a row.

    Examples
    --------
    >>> longest_gap((date(2026, 9, 1), date(2026, 9, 2), date(2026, 9, 9)))
    2
    """
    return max(((last - first).days + 1 for first, last in gaps(missing)), default=0)


def gaps(missing: tuple[date, ...]) -> tuple[tuple[date, date], ...]:
    """Nights in a row, each time the first and the last."""
    found: list[tuple[date, date]] = []
    for night in missing:
        if found and night - found[-1][1] == timedelta(days=1):
            found[-1] = (found[-1][0], night)
        else:
            found.append((night, night))
    return tuple(found)


def nights_outcome(month: Month) -> Outcome:
    """Gapless nights pass; a gap fails unless every rule deletes early enough; before any run nothing can be told."""
    if month.since is None or month.since > month.until or month.until < month.first:
        return Outcome.UNKNOWN
    return Outcome.FAILED if longest_gap(month.missing) > month.lead_days else Outcome.PASSED


def month_outcome(month: Month) -> Outcome:
    """The outcome of the whole overview; a month that is not over, or a place that is unknown, never passes."""
    found = [*map(run_outcome, month.runs), nights_outcome(month), places_outcome_of(month.places)]
    found.append(Outcome.FAILED if month.overdue else Outcome.PASSED)
    return worst([*found, Outcome.PASSED if month.over and month.runs else Outcome.UNKNOWN])


@section(
    "summary",
    ("workspace", "perspective", "personWord", "asOf", "first", "until", "overdue"),
    (
        Example({}, Outcome.PASSED),
        Example({"overdue": 2}, Outcome.FAILED),
        Example({"runs": (), "since": None}, Outcome.UNKNOWN),
        Example({"as_of": date(2026, 9, 20), "until": date(2026, 9, 19)}, Outcome.UNKNOWN),
        Example({"places": ()}, Outcome.UNKNOWN),
    ),
    first_page=True,
)
def summary(month: Month, say: Speech) -> Body:
    """One sentence: how many runs, how many records deleted; then what is overdue today."""
    deleted = sum(run.deleted for run in month.runs)
    sentence = say(
        "month.sentence",
        month=say.month_name(month.first),
        workspace=month.workspace,
        perspective=say.word("perspective", month.perspective),
        runs=say.count("month.runs", sum(run.outcome == "sealed" for run in month.runs)),
        deleted=say.count("month.deleted", deleted),
    )
    blocks: list[Block] = [Text(sentence, lead=True), Text(_overdue(month, say))]
    if not month.over:
        blocks.append(Text(say("month.not-over")))
    if places_outcome_of(month.places) == Outcome.UNKNOWN:
        blocks.append(Text(say("summary.never-green")))
    return Body(tuple(blocks), month_outcome(month))


def _overdue(month: Month, say: Speech) -> str:
    if not month.overdue:
        return say("month.none-overdue", as_of=month.as_of)
    return say.count("month.overdue", month.overdue, as_of=month.as_of)


@section("todo", ("tasks",), (Example({}, None), Example({"tasks": _ROUGH.tasks}, None)), first_page=True)
def todo(month: Month, say: Speech) -> Body:
    """What somebody must do, as things stand on the day of writing."""
    if not month.tasks:
        return Body((Text(say("todo.nothing")),))
    return Body((Text(say("month.todo-as-of", as_of=month.as_of)), task_table(month.tasks, say)))


@section(
    "numbers",
    (),
    (Example({}, None), Example({"runs": ()}, None), Example({"runs": _ROUGH.runs}, None)),
    first_page=True,
)
def numbers(month: Month, say: Speech) -> Body:
    """Runs by how they ended, and what was deleted."""
    if not month.runs:
        return Body((Text(say("month.no-runs")),))
    states = [run.outcome for run in month.runs]
    rows = [(say.word("runstate", state), say.number(states.count(state))) for state in _STATES if state in states]
    total = (say("month.total-runs"), say.number(len(states)))
    head = (say("month.runs-head"), say("month.count"))
    table = Table(say("month.numbers-caption"), head, (*rows, total), figures=(1,), total=True)
    empty = sum(run.outcome == "sealed" and not run.due for run in month.runs)
    notes = [say.count("month.empty-runs", empty)] if empty else []
    held = max(run.held for run in month.runs)
    if held:
        notes.append(say.count("month.most-held", held))
    return Body((table, Items(tuple(notes))) if notes else (table,))


@section(
    "nights",
    ("since", "missing", "leadDays"),
    (
        Example({}, Outcome.PASSED),
        Example({"missing": (date(2026, 9, 5),)}, Outcome.FAILED),
        Example({"missing": (date(2026, 9, 5),), "lead_days": 1}, Outcome.PASSED),
        Example({"runs": (), "since": None}, Outcome.UNKNOWN),
    ),
    first_page=True,
)
def nights(month: Month, say: Speech) -> Body:
    """Nights without a sealed run; a run with nothing due leaves its record, too, so that none may be missing."""
    if nights_outcome(month) == Outcome.UNKNOWN or month.since is None:
        return Body((Text(say("month.nights-unknown")),), Outcome.UNKNOWN)
    start = max(month.first, month.since)
    judged = (month.until - start).days + 1
    text = say("month.nights", since=start, until=month.until, nights=say.count("month.nights-number", judged))
    blocks: list[Block] = [Text(text)]
    if month.missing:
        blocks.append(Text(say.count("month.missing", len(month.missing), longest=longest_gap(month.missing))))
        blocks.append(Items(tuple(_span(first, last, say) for first, last in gaps(month.missing))))
        covered = nights_outcome(month) == Outcome.PASSED
        blocks.append(Text(say("month.gap-covered" if covered else "month.gap-open")))
    else:
        blocks.append(Text(say("month.gapless")))
    if month.since > month.first:
        blocks.append(Text(say("month.before-first", since=month.since)))
    return Body(tuple(blocks), nights_outcome(month))


def _span(first: date, last: date, say: Speech) -> str:
    return say.day(first) if first == last else say("month.span", first=first, last=last)


@section(
    "runs",
    ("runs",),
    (
        Example({}, Outcome.PASSED),
        Example({"runs": _ROUGH.runs}, Outcome.FAILED),
        Example({"runs": ()}, Outcome.UNKNOWN),
        Example({"runs": (replace(sample_month().runs[0], outcome="planned", deleted=0),)}, Outcome.UNKNOWN),
    ),
)
def runs(month: Month, say: Speech) -> Body:
    """Every run with its counts, its checks and its approval."""
    if not month.runs:
        return Body((Text(say("month.no-runs")),), Outcome.UNKNOWN)
    names = ("run", "ended", "due", "deleted-head", "held", "failed", "checks", "approval")
    head = tuple(say(f"month.{name}") for name in names)
    deleted = say.number(sum(run.deleted for run in month.runs))
    total = (say("month.total"), "", "", deleted, "", "", "", "")
    rows = (*(_run_row(run, say) for run in month.runs), total)
    table = Table(say("month.runs-caption"), head, rows, figures=(2, 3, 4, 5), total=True, keep=True)
    return Body((Text(say("month.runs-intro")), table), worst(map(run_outcome, month.runs)))


def _run_row(run: RunNote, say: Speech) -> tuple[Cell, ...]:
    word = say.word("runstate", run.outcome)
    checks: Cell = "–" if run.checks is None else mark(run.checks, say)
    figures = [say.number(number) for number in (run.due, run.deleted, run.held, run.failed)]
    return run.run_id, Mark(run_outcome(run), word), *figures, checks, say.word("approval", run.approval)


@section(
    "checkpoint",
    ("checkpoint",),
    (Example({}, None), Example({"checkpoint": ()}, Outcome.UNKNOWN)),
)
def checkpoint(month: Month, say: Speech) -> Body:
    """The lines that were signed at the end of the month's last run, to be kept elsewhere."""
    if not month.checkpoint:
        return Body((Text(say("month.no-checkpoint")),), Outcome.UNKNOWN)
    steps = Items((say("month.keep"), say("month.compare")), numbered=True)
    blocks: list[Block] = [Text(say("month.checkpoint-intro")), Code(say("verify.checkpoint"), month.checkpoint), steps]
    size, root = month.checkpoint[1], month.checkpoint[2]
    blocks.append(Code(say("verify.command"), (f"lifecycle verify --size {size} --root {root}",)))
    return Body(tuple(blocks))


@section("limits", (), (Example({}, None), Example({"runs": ()}, None)))
def limits(month: Month, say: Speech) -> Body:  # noqa: ARG001
    """What this overview does not prove."""
    return Body((Items(tuple(say.word("limit", key) for key in ALWAYS_LIMITS)),))


SECTIONS = (summary, todo, numbers, nights, runs, checkpoint, limits)
