"""What a section says, before it is HTML, PDF or JSON: plain text in a few kinds of blocks.

Texts in blocks are plain text in the reader's language, never markup; whoever writes them out escapes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lifecycle.model import Outcome

if TYPE_CHECKING:
    from lifecycle.report.speech import Speech

F = TypeVar("F")
"""What a section is written from: ``Facts`` for a report, another noun for another paper."""


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; ``lead`` sets it larger."""

    text: str
    lead: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list; ``numbered`` where the order matters."""

    items: tuple[str, ...]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """An outcome as a word; the page adds a shape, so that no colour is needed to understand it."""

    outcome: Outcome
    word: str


@dataclass(frozen=True, slots=True)
class Blank:
    """A gap that only a person can fill: the workspace does not know, and nothing is made up. ``word`` says so."""

    word: str


@dataclass(frozen=True, slots=True)
class Link:
    """A way to another of our own local pages, in a cell or by itself; reports and papers have none."""

    word: str
    href: str


Cell = str | Mark | Blank | Link


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the first column heads its row. ``figures`` are the columns that hold numbers, from 0.

    ``total`` says that the last row is the sum of the others. ``folded`` hides it behind its caption on a screen;
    ``keep`` never breaks the first column.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    figures: tuple[int, ...] = ()
    total: bool = False
    folded: bool = False
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to be copied as they are: a command, a checkpoint."""

    caption: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One week of a chart. ``label`` names it in words; ``past`` lies beyond the line that matters."""

    week: int
    rows: int
    label: str
    past: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A vertical line of a chart at ``week`` (weeks from the first one, fractions allowed)."""

    week: float
    label: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """Rows by week. ``ticks`` are (week, label); ``weeks`` is the width in weeks."""

    key: str
    title: str
    description: str
    weeks: int
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    ticks: tuple[tuple[float, str], ...]
    number: Callable[[int], str] = str


@dataclass(frozen=True, slots=True)
class Matrix:
    """Numbers by row and column, darker where they are larger. ``rows`` are (label, a number a column or None)."""

    key: str
    title: str
    description: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int | None, ...]], ...]
    number: Callable[[int], str] = str


Block = Text | Items | Table | Code | Chart | Matrix | Link


@dataclass(frozen=True, slots=True)
class Body:
    """What one section says, and how it stands (``None``: the section judges nothing)."""

    blocks: tuple[Block, ...]
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """Facts that differ from the sample in ``change``, and the outcome that the section must then have."""

    change: Mapping[str, Any]
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Section(Generic[F]):
    """One section of a report or another paper.

    Attributes
    ----------
    key : str
        Its anchor, its name in the JSON and the end of its title's message id (``title.<key>``).
    fields : tuple of str
        The fields of its facts it speaks of; the JSON carries their values beside the words.
    first_page : bool
        The eight parts of the first page are numbered; the rest is detail.
    """

    key: str
    fields: tuple[str, ...]
    examples: tuple[Example, ...]
    body: Callable[[F, Speech], Body]
    first_page: bool = False


def section(
    key: str, fields: Sequence[str], examples: Sequence[Example], *, first_page: bool = False
) -> Callable[[Callable[[F, Speech], Body]], Section[F]]:
    """Turn a function from facts to a body into a section."""

    def wrap(body: Callable[[F, Speech], Body]) -> Section[F]:
        return Section(key, tuple(fields), tuple(examples), body, first_page)

    return wrap


@dataclass(frozen=True, slots=True)
class Part:
    """A section as written for one set of facts in one language."""

    key: str
    title: str
    body: Body
    first_page: bool
    data: Mapping[str, Any] = field(default_factory=dict)
