"""Two charts from weekly sums: how old what is stored is, and what falls due in the coming weeks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from lifecycle.model import Facts, Week
from lifecycle.report.content import Bar, Block, Body, Chart, Example, Line, Table, Text, section
from lifecycle.report.speech import Speech

_WEEKS_BEFORE = 20
_WEEKS_AFTER = 17


@section("charts", ("ageWeeks", "dueWeeks"), (Example({}, None), Example({"age_weeks": (), "due_weeks": ()}, None)))
def charts(facts: Facts, say: Speech) -> Body:
    """Each chart with its numbers as a table."""
    blocks: list[Block] = []
    if facts.age_weeks:
        blocks += _age(facts, say)
    if facts.due_weeks:
        blocks += _falls_due(facts, say)
    return Body(tuple(blocks) or (Text(say("charts.none")),))


def _age(facts: Facts, say: Speech) -> list[Block]:
    period = max((rule.period_days for rule in facts.rules), default=90)
    line = facts.as_of - timedelta(days=period)
    first = _monday(facts.as_of) - timedelta(weeks=_WEEKS_BEFORE)
    weeks = _in_weeks(facts.age_weeks, first)
    lines = (
        Line(_position(line, first), say("charts.period-line", n=period), strong=True),
        Line(_position(facts.as_of, first), say("charts.as-of-line")),
    )
    past = {week for week, _ in weeks.items() if week + 1 <= _position(line, first)}
    older = sum(rows for week, rows in weeks.items() if week in past)
    text = say.count("charts.age-older", older, period=period) if older else say("charts.age-none-older", period=period)
    return _chart(weeks, first, "age", text, lines, past, say)


def _falls_due(facts: Facts, say: Speech) -> list[Block]:
    first = _monday(facts.as_of)
    weeks = _in_weeks(facts.due_weeks, first)
    lines = (Line(_position(facts.as_of, first), say("charts.as-of-line")),)
    soon = sum(rows for week, rows in weeks.items() if 0 <= week < 4)
    text = say.count("charts.due-soon", soon)
    return _chart(weeks, first, "due", text, lines, {week for week in weeks if week < 0}, say)


def _chart(
    weeks: dict[int, int], first: date, key: str, text: str, lines: tuple[Line, ...], past: set[int], say: Speech
) -> list[Block]:
    """Weeks outside the window are summed up in the table, so that chart and page stay small."""
    width = _WEEKS_BEFORE + 1 if key == "age" else _WEEKS_AFTER
    days = {week: first + timedelta(weeks=week) for week in range(-1, width + 1)}
    bars = tuple(
        Bar(week, rows, say("charts.week", monday=say.short_day(days[week])), week in past)
        for week, rows in weeks.items()
        if 0 <= week < width
    )
    rows = [(bar.label, say.number(bar.rows)) for bar in bars]
    if earlier := sum(n for week, n in weeks.items() if week < 0):
        rows.insert(0, (say("charts.earlier"), say.number(earlier)))
    if later := sum(n for week, n in weeks.items() if week >= width):
        rows.append((say("charts.later"), say.number(later)))
    rows.append((say("charts.total"), say.number(sum(weeks.values()))))
    title = say(f"charts.{key}-title")
    chart = Chart(key, title, text, width, bars, lines, _months(first, width, say), say.number)
    head = (say("charts.week-head"), say("charts.rows-head"))
    table = Table(say("charts.table", title=title), head, tuple(rows), figures=(1,), total=True, folded=True)
    return [Text(text), chart, table]


def _in_weeks(weeks: Iterable[Week], first: date) -> dict[int, int]:
    found: dict[int, int] = {}
    for week in weeks:
        number = (_monday(week.monday) - first).days // 7
        found[number] = found.get(number, 0) + week.rows
    return dict(sorted(found.items()))


def _months(first: date, weeks: int, say: Speech) -> tuple[tuple[float, str], ...]:
    days = (first + timedelta(days=n) for n in range(weeks * 7))
    return tuple((_position(day, first), say.month(day)) for day in days if day.day == 1)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _position(day: date, first: date) -> float:
    return (day - first).days / 7
