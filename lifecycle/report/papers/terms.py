"""What the papers are written from: what a workspace has laid down, and what happened in one month.

Names, counts, roles, periods and dates of runs; never a value, an id or a single person's date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from lifecycle.model import CatalogueEntry, Outcome, Place, Rule, Task


@dataclass(frozen=True, slots=True)
class AllowedField:
    """One allowed field of the data contracts.

    ``meaning`` is by language; ``sentence`` is the German sentence of the help page that allows the field.
    """

    name: str
    data_class: str  # "identity" or "appointment"
    required: bool
    meaning: Mapping[str, str]
    sentence: str
    datasets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlaceNote:
    """What is laid down about a place, beside its state.

    ``promised_days`` is the period that somebody promised for an attested place, ``backup_days`` how long its
    backups are kept; None: nothing is laid down.
    """

    place: Place
    promised_days: int | None = None
    backup_days: int | None = None


@dataclass(frozen=True, slots=True)
class ContractNote:
    """Which version of a data contract applies; ``digest`` is SHA-256, hexadecimal."""

    dataset: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class ProcessorNote:
    """A processor and its contract, as the workspace names them."""

    name: str
    signed_on: date | None = None
    confirmed_on: date | None = None


@dataclass(frozen=True, slots=True)
class StandingOrder:
    """The standing approval in force: its limits for one run, and its end."""

    role: str
    max_rows: int
    max_percent: float
    until: date
    signature: str  # "signed", "unchecked" or "unsigned"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a workspace has laid down: the ground of the deletion concept and of the record of processing.

    Attributes
    ----------
    policy_sha256 : str
        Digest of rules, places, catalogue and backups, as every plan names it.
    no_backups : bool
        Whether it is laid down that there are no backups at all.
    key_days : int
        Days after a run for which the key of its tombstones is kept.
    holds : mapping of str to int
        Ground to number of holds in force.
    etermin_days : int or None
        eTermin's own deletion period; 0: never deletes; None: not described.
    runs : int
        Sealed deletion runs so far; ``last_run_on`` is the reference date of the latest.
    """

    workspace: str
    perspective: str
    person_word: str
    as_of: date
    written_at: datetime
    tool_version: str
    time_zone: str
    policy_sha256: str
    rules: tuple[Rule, ...]
    places: tuple[PlaceNote, ...]
    catalogue: tuple[CatalogueEntry, ...]
    no_backups: bool
    key_days: int
    plan_days: int
    max_gap_days: int
    holds: Mapping[str, int]
    fields: tuple[AllowedField, ...]
    contracts: tuple[ContractNote, ...]
    processors: tuple[ProcessorNote, ...] = ()
    standing: StandingOrder | None = None
    etermin_days: int | None = None
    runs: int = 0
    last_run_on: date | None = None

    def rule_of(self, entry: CatalogueEntry) -> Rule | None:
        """The deletion rule of a data type, if one is laid down."""
        return next((rule for rule in self.rules if entry.rule and rule.dataset == entry.rule), None)

    def note(self, name: str) -> PlaceNote | None:
        """What is laid down about a place."""
        return next((one for one in self.places if one.place.name == name), None)


@dataclass(frozen=True, slots=True)
class RunNote:
    """One deletion run in a month.

    ``outcome`` is ``sealed``, ``open``, ``aborted`` or ``planned``; ``approval`` is ``signed``, ``unchecked``,
    ``unsigned``, any of them after ``standing-``, ``needless`` (nothing was due) or ``missing``.
    """

    run_id: str
    as_of: date
    outcome: str
    before: int
    due: int
    deleted: int
    held: int
    failed: int
    checks: Outcome | None
    approval: str


@dataclass(frozen=True, slots=True)
class Month:
    """Everything the monthly overview says.

    Attributes
    ----------
    first : date
        The first day of the month.
    until : date
        The last night that is looked at: the last of the month or, in a month that is not over, the day before
        ``as_of``; before ``first`` where no night is over.
    since : date or None
        The reference date of the very first run; nights before it are not judged. None: there is no run.
    missing : tuple of date
        Nights without a sealed run.
    lead_days : int
        Days by which every rule deletes early; a shorter gap makes nothing overdue.
    checkpoint : tuple of str
        The lines that were signed when the last run of the month ended.
    overdue : int
        Records overdue at ``as_of``.
    tasks : tuple of Task
        What somebody must do at ``as_of``.
    """

    workspace: str
    perspective: str
    person_word: str
    as_of: date
    written_at: datetime
    tool_version: str
    first: date
    until: date
    since: date | None
    runs: tuple[RunNote, ...]
    missing: tuple[date, ...]
    lead_days: int
    checkpoint: tuple[str, ...]
    overdue: int
    tasks: tuple[Task, ...]
    places: tuple[Place, ...] = field(default=())

    @property
    def over(self) -> bool:
        """Whether the month is over."""
        return (self.as_of.year, self.as_of.month) > (self.first.year, self.first.month)
