"""What the local pages are written from: one workspace as it stands now, or several side by side.

Names, counts, roles and dates of runs and agreements; never a value, an id or a single person's date.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from lifecycle.model import Change, Facts, Outcome
from lifecycle.report.papers.terms import RunNote


@dataclass(frozen=True, slots=True)
class Soon:
    """Something that somebody must look at by a day. ``what`` is a message id without ``soon.``."""

    what: str
    until: date
    role: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class HoldNote:
    """A hold by its number; whom it is about stays in the store."""

    number: int
    ground: str
    reference: str
    set_by: str
    set_on: date
    review_on: date | None
    lifted_on: date | None
    rows: int


@dataclass(frozen=True, slots=True)
class TemplateNote:
    """A template and how many errors, warnings and notes there are about it."""

    name: str
    errors: int
    warnings: int
    notes: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the verifier, or one comparison with the store.

    ``counts`` says the same as ``detail`` in numbers: what is there, how often, of how many.
    """

    name: str
    outcome: Outcome
    detail: str
    counts: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Verified:
    """What ``verify`` said, and when; ``since_visit`` says whether the log goes on from what was seen last time."""

    at: datetime
    outcome: Outcome
    tree_size: int
    steps: tuple[Step, ...]
    since_visit: bool


@dataclass(frozen=True, slots=True)
class Desk:
    """One workspace as it stands at ``facts.as_of``.

    Attributes
    ----------
    facts : Facts
        Of the latest run; overdue rows, places, tasks and findings as of now.
    number : int
        Its place among the workspaces, from 1.
    checked_at : datetime or None
        When its findings were found; None: the check is still at work.
    visited_at : datetime or None
        The last visit before this one; None: this is the first.
    changes : tuple of Change
        What is not as it was at that visit.
    lost_leaves : int
        How many entries the log of the evidence has lost since that visit: none, but in a disaster.
    """

    facts: Facts
    number: int
    checked_at: datetime | None = None
    soon: tuple[Soon, ...] = ()
    visited_at: datetime | None = None
    changes: tuple[Change, ...] = ()
    lost_leaves: int = 0
    runs: tuple[RunNote, ...] = ()
    holds: tuple[HoldNote, ...] = ()
    templates: tuple[TemplateNote, ...] = ()
    verified: Verified | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One workspace among several. ``desk`` is None where nothing can be said about it, and ``trouble`` says why."""

    name: str
    number: int
    desk: Desk | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Front:
    """Several workspaces side by side."""

    as_of: date
    lines: tuple[Line, ...]
