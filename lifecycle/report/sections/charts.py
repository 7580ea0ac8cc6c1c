"""Four charts of sums: age of what is stored, what falls due, findings by field and month, runs over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from lifecycle.model import Facts, Week
from lifecycle.report.content import Bar, Block, Body, Chart, Example, Line, Matrix, Table, Text, section
from lifecycle.report.speech import Speech

_AGE, _DUE, _RUNS = "age", "due", "runs"
_WIDTHS = {_AGE: 21, _DUE: 17, _RUNS: 26}
"""Weeks that each chart shows."""

_MOST_FIELDS = 12


@section(
    "charts",
    ("ageWeeks", "dueWeeks", "runWeeks", "poorWeeks", "findingMonths"),
    (
        Example({}, None),
        Example({"age_weeks": (), "due_weeks": (), "run_weeks": (), "poor_weeks": (), "finding_months": {}}, None),
    ),
)
def charts(facts: Facts, say: Speech) -> Body:
    """Each chart with its numbers as a table."""
    blocks = (
        *(age_chart(facts, say) if facts.age_weeks else ()),
        *(due_chart(facts, say) if facts.due_weeks else ()),
        *(findings_chart(facts, say) if facts.finding_months else ()),
        *(runs_chart(facts, say) if facts.run_weeks or facts.poor_weeks else ()),
    )
    return Body(blocks or (Text(say("charts.none")),))


def age_chart(facts: Facts, say: Speech) -> list[Block]:
    """Stored rows by the week of the appointment, against the line of the standard deletion period."""
    period = max((rule.period_days for rule in facts.rules), default=90)
    line = facts.as_of - timedelta(days=period)
    first = _monday(facts.as_of) - timedelta(weeks=_WIDTHS[_AGE] - 1)
    weeks = _in_weeks(facts.age_weeks, first)
    lines = (
        Line(_position(line, first), say("charts.period-line", n=period), strong=True),
        Line(_position(facts.as_of, first), say("charts.as-of-line")),
    )
    past = {week for week, _ in weeks.items() if week + 1 <= _position(line, first)}
    older = sum(rows for week, rows in weeks.items() if week in past)
    text = say.count("charts.age-older", older, period=period) if older else say("charts.age-none-older", period=period)
    return _chart(weeks, first, _AGE, text, lines, past, say)


def due_chart(facts: Facts, say: Speech) -> list[Block]:
    """Stored rows by the week in which they fall due."""
    first = _monday(facts.as_of)
    weeks = _in_weeks(facts.due_weeks, first)
    lines = (Line(_position(facts.as_of, first), say("charts.as-of-line")),)
    soon = sum(rows for week, rows in weeks.items() if 0 <= week < 4)
    text = say.count("charts.due-soon", soon)
    return _chart(weeks, first, _DUE, text, lines, {week for week in weeks if week < 0}, say)


def runs_chart(facts: Facts, say: Speech) -> list[Block]:
    """Rows deleted by the week of the run; weeks that somebody should look at stand out, even with nothing deleted."""
    first = _monday(facts.as_of) - timedelta(weeks=_WIDTHS[_RUNS] - 1)
    poor = set(_in_weeks([Week(monday, 1) for monday in facts.poor_weeks], first))
    weeks = _in_weeks(facts.run_weeks, first)
    weeks = dict(sorted({**{week: 0 for week in poor if week >= 0}, **weeks}.items()))
    shown = sum(0 <= week < _WIDTHS[_RUNS] for week in poor)
    text = say.count("charts.runs-poor", shown) if shown else say("charts.runs-good")
    lines = (Line(_position(facts.as_of, first), say("charts.as-of-line")),)
    return _chart(weeks, first, _RUNS, text, lines, poor, say)


def findings_chart(facts: Facts, say: Speech) -> list[Block]:
    """Rows with a deviation by field, at the last report of each month."""
    months = sorted(facts.finding_months)[-12:]
    by_field = _by_field(facts.finding_months, months)
    if not by_field:
        return [Text(say.count("charts.findings-none", len(months)))]
    names = tuple(say.month_year(date.fromisoformat(f"{month}-01")) for month in months)
    rows = tuple((_field_name(field, say), numbers) for field, numbers in by_field.items())
    title, text = say("charts.findings-title"), say("charts.findings-text")
    matrix = Matrix("findings-by-month", title, text, names, rows, say.number)
    cells = tuple((label, *(say.number(number) for number in numbers)) for label, numbers in rows)
    head = (say("charts.field-head"), *names)
    figures = tuple(range(1, len(head)))
    table = Table(say("charts.table", title=title), head, cells, figures=figures, folded=True)
    return [Text(text), matrix, table]


def _by_field(counts: Mapping[str, Mapping[str, int]], months: list[str]) -> dict[str, tuple[int, ...]]:
    """The fields with most deviations first; those that find no room are summed up."""
    fields = {field for month in months for field, rows in counts[month].items() if rows}
    found = {field: tuple(counts[month].get(field, 0) for month in months) for field in fields}
    ordered = sorted(found, key=lambda field: (*(-number for number in reversed(found[field])), field))
    kept = {field: found[field] for field in ordered[:_MOST_FIELDS]}
    if rest := ordered[_MOST_FIELDS:]:
        kept["…"] = tuple(sum(numbers) for numbers in zip(*(found[field] for field in rest), strict=True))
    return kept


def _field_name(field: str, say: Speech) -> str:
    if field == "…":
        return say("charts.other-fields")
    return say.word("field", field) if field else say("charts.no-field")


def _chart(
    weeks: dict[int, int], first: date, key: str, text: str, lines: tuple[Line, ...], past: set[int], say: Speech
) -> list[Block]:
    """Weeks outside the window are summed up in the table, so that chart and page stay small."""
    width = _WIDTHS[key]
    days = {week: first + timedelta(weeks=week) for week in range(-1, width + 1)}
    bars = tuple(
        Bar(week, rows, say("charts.week", monday=say.short_day(days[week])), week in past)
        for week, rows in weeks.items()
        if 0 <= week < width
    )
    rows = [(_week_label(bar, key, say), say.number(bar.rows)) for bar in bars]
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


def _week_label(bar: Bar, key: str, say: Speech) -> str:
    return say("charts.week-to-look-at", week=bar.label) if key == _RUNS and bar.past else bar.label


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
