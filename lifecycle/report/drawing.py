"""Charts as SVG, drawn by Jinja2 from plain geometry.

No chart library: the best one for this starts a whole JavaScript engine (0.8 to 1.3 s cold), writes its own English
labels for screen readers, and paints colours that a dark page cannot change. A few bars need none of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lifecycle.report.content import Bar, Chart, Line, Matrix

_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 8.0, 26.0, 26.0
_HEIGHT = 200.0
_LEAST = 4.0
_CELL_HEIGHT, _HEAD_HEIGHT, _CELL_LEAST = 26.0, 24.0, 40.0


@dataclass(frozen=True, slots=True)
class Box:
    """A bar in the units of the drawing."""

    bar: Bar
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Rule:
    """A vertical line with its label, anchored so that the label stays inside."""

    line: Line
    x: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart at one width, ready for the template."""

    chart: Chart
    name: str
    width: float
    height: float
    boxes: tuple[Box, ...]
    rules: tuple[Rule, ...]
    months: tuple[tuple[float, str], ...]
    steps: tuple[tuple[float, str], ...]
    left: float = _LEFT
    top: float = _TOP
    floor: float = _HEIGHT - _BOTTOM


def draw(chart: Chart, width: float, name: str) -> Drawing:
    """Lay a chart out at a width in CSS pixels; ``name`` makes its ids unique in the page."""
    scale = (width - _LEFT - _RIGHT) / chart.weeks
    step, top = nice_steps(max((bar.rows for bar in chart.bars), default=0))
    unit = (_HEIGHT - _TOP - _BOTTOM) / top
    floor = _HEIGHT - _BOTTOM
    boxes = tuple(_box(bar, _LEFT + bar.week * scale, floor, scale, bar.rows * unit) for bar in chart.bars)
    rules = tuple(Rule(line, _LEFT + line.week * scale, _anchor(line, chart)) for line in chart.lines)
    spaced = chart.ticks if scale * 4 > 34 else chart.ticks[::2]
    months = tuple((_LEFT + week * scale, label) for week, label in spaced if week < chart.weeks - 1)
    steps = tuple((floor - value * unit, chart.number(value)) for value in range(0, top + 1, step))
    return Drawing(chart, name, width, _HEIGHT, boxes, rules, months, steps)


def _box(bar: Bar, left: float, floor: float, width: float, height: float) -> Box:
    # A week that matters is seen even where its number is zero.
    height = max(height, _LEAST) if bar.past else height
    return Box(bar, left + 1, floor - height, width - 2, height)


def _anchor(line: Line, chart: Chart) -> str:
    share = line.week / chart.weeks
    return "start" if share < 0.2 else "end" if share > 0.8 else "middle"


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of a matrix; ``shade`` is the opacity of its ground, ``words`` name it in full."""

    x: float
    y: float
    text: str
    shade: float
    words: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A matrix at one width, ready for the template."""

    chart: Matrix
    name: str
    width: float
    height: float
    heads: tuple[tuple[float, str], ...]
    labels: tuple[tuple[float, str], ...]
    cells: tuple[Cell, ...]
    step: float
    tall: float = _CELL_HEIGHT


def draw_matrix(matrix: Matrix, width: float, name: str) -> Grid:
    """Lay a matrix out at a width in CSS pixels; columns that find no room are left out, the oldest first."""
    left = width * (0.3 if width > 400 else 0.38)
    shown = max(1, min(len(matrix.columns), int((width - left) // _CELL_LEAST)))
    first = len(matrix.columns) - shown
    step = min((width - left) / shown, 2 * _CELL_LEAST)
    largest = max((number or 0 for _, numbers in matrix.rows for number in numbers), default=0)
    heads = tuple((left + at * step + step / 2, label) for at, label in enumerate(matrix.columns[first:]))
    cells, labels = [], []
    for row, (label, numbers) in enumerate(matrix.rows):
        y = _HEAD_HEIGHT + row * _CELL_HEIGHT
        labels.append((y, _short(label, int(left / 7))))
        for at, number in enumerate(numbers[first:]):
            text = "–" if number is None else matrix.number(number)
            shade = 0.0 if not number else 0.1 + 0.3 * math.log1p(number) / math.log1p(largest)
            words = f"{label}, {matrix.columns[first + at]}: {text}"
            cells.append(Cell(left + at * step, y, text, round(shade, 2), words))
    height = _HEAD_HEIGHT + len(matrix.rows) * _CELL_HEIGHT + 4
    return Grid(matrix, name, width, height, heads, tuple(labels), tuple(cells), step)


def _short(label: str, most: int) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"


def nice_steps(largest: int) -> tuple[int, int]:
    """Step and top of an axis of whole numbers, with at most five steps of 1, 2 or 5 times a power of ten.

    Examples
    --------
    >>> nice_steps(812), nice_steps(3), nice_steps(0)
    ((200, 1000), (1, 3), (1, 1))
    """
    if largest <= 0:
        return 1, 1
    power = 10 ** max(0, math.floor(math.log10(largest)) - 1)
    step = next(step * power for step in (1, 2, 5, 10, 20, 50, 100) if step * power * 5 >= largest)
    return step, step * math.ceil(largest / step)
