"""The nouns of the house and the ports between its rooms. Imports nothing of ours.

Frames are polars; column names and types stand in the schema constants. Times are aware and UTC,
dates are local calendar dates of the workspace's zone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import polars as pl

Noun = TypeVar("Noun")

UTC_TIME = pl.Datetime("us", "UTC")

APPOINTMENTS_SCHEMA: Mapping[str, Any] = {
    "channel": pl.String,
    "appointment_uid": pl.String,
    "participant": pl.Int32,
    "origin": pl.String,
    "calendar_ref": pl.String,
    "service_id": pl.String,
    "location": pl.String,
    "first_name": pl.String,
    "last_name": pl.String,
    "email": pl.String,
    "mobile": pl.String,
    "starts_at": UTC_TIME,
    "ends_at": UTC_TIME,
    "booked_at": UTC_TIME,
    "received_at": UTC_TIME,
    "status": pl.String,
}
"""One person at one appointment, as stored. Key: channel, appointment_uid, participant, starts_at."""

EVENTS_SCHEMA: Mapping[str, Any] = {**APPOINTMENTS_SCHEMA, "command": pl.String}
"""One message of the sync log (CREATED, MODIFIED, DELETED). Key: all columns."""

SCHEMAS: Mapping[str, Mapping[str, Any]] = {"events": EVENTS_SCHEMA, "appointments": APPOINTMENTS_SCHEMA}

IDENTITY_COLUMNS = ("first_name", "last_name", "email", "mobile")
"""The four personal fields that the contract allows (seed: "Übermittelte Daten")."""

RECORD_KEY = ("channel", "appointment_uid", "participant", "starts_at")
"""What makes two rows of ``appointments`` the same row; a newer one replaces the older."""

TOMBSTONE_KEYS: Mapping[str, tuple[str, ...]] = {
    "events": tuple(EVENTS_SCHEMA),
    "appointments": (*RECORD_KEY, "booked_at"),
}
"""The columns a tombstone speaks of. An id alone, issued again, would condemn a new person."""


class Outcome(StrEnum):
    """Three outcomes; ``unknown`` (could not be told) never counts as passed."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about stored or transmitted data: names and counts, never a value.

    Attributes
    ----------
    check : str
        Name of the check, such as ``undeclared-field`` or ``kvnr``.
    dataset, store : str
        Where; ``store`` is ``workspace``, another registered store, or ``file N`` (its number).
    channel : str
        ``arztkonsultation`` (what was transmitted or stored), ``webpush`` or ``rest`` (a log or dump we hold).
    field : str
        Column or undeclared field; empty for a finding about the whole dataset.
    severity : Severity
    count : int
        Rows concerned; 0 when passed.
    outcome : Outcome
    first, last : int or None
        First and last line or batch number concerned, where known.
    """

    check: str
    dataset: str
    store: str
    field: str
    severity: Severity
    count: int
    outcome: Outcome
    channel: str = ""
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class TemplateFinding:
    """One fact about a template: ``line`` counts from 1, ``token`` is a piece of the template itself."""

    template: str
    check: str
    severity: Severity
    line: int
    token: str
    message: str = ""


# --- sources -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that could not be read: why and where, never what it said. ``line`` counts from 1."""

    reason: str
    line: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of one input file, normalised.

    Attributes
    ----------
    rows : polars.DataFrame
        In the dataset's schema constant, plus a last column ``line`` (Int64): where the row began in its file.
    read : int
        Messages or records read, rejects included: ``read == rows.height + len(rejects)``.
    rejects : tuple of Reject
    undeclared : mapping of str to int
        Field name as the file spells it (without the wrapper) to its count of non-empty values.
    """

    rows: pl.DataFrame
    read: int
    rejects: tuple[Reject, ...] = ()
    undeclared: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Opened:
    """An input file whose format is known.

    ``channel`` is the source's own and stands in every row; ``batches`` may be called once and yields in file
    order; it raises ``SourceError`` for a document that is broken as a whole.
    """

    path: Path
    format: str
    dataset: str
    channel: str
    batches: Callable[[], Iterator[Batch]]


# --- rules and dates -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """A deletion rule (Löschregel): starting point and standard deletion period, with its reason.

    ``period_days`` counts calendar days after day 0 (local date of the end of the appointment as last booked).
    ``cap_months`` takes the earlier of the two; ``lead_days`` makes a row due that many days earlier.
    ``basis`` is ``law``, ``contract`` or ``choice``.
    """

    dataset: str
    period_days: int
    why: str
    source: str
    basis: str
    cap_months: int | None = None
    lead_days: int = 0
    cancelled: str = "booking"
    booking_horizon_days: int = 365
    superseded_days: int | None = None


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """A rule at one ``as_of``, turned into instants (UTC): a row is due when its anchor lies *before* its cutoff.

    Because a local date never goes back as time goes on, comparing instants equals comparing due dates.
    ``None`` means: this clause does not apply. After a restore, a row that one of ``erased_by`` erased is due, too.
    """

    booked_end: datetime
    no_anchor: datetime
    cancelled: datetime | None = None
    superseded: datetime | None = None
    erased_by: tuple[SealedRun, ...] = ()


@dataclass(frozen=True, slots=True)
class SealedRun:
    """A sealed run whose tombstone key lives: what it erased is recognised when it comes back."""

    run_id: str
    tombstones: pl.Series = field(repr=False, compare=False)
    key: bytes = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """What one store holds of one dataset at ``as_of``; ``due`` includes ``held``; before = retained + what goes."""

    store: str
    dataset: str
    before: int
    due: int
    held: int
    no_anchor: int
    retained: int


@dataclass(frozen=True, slots=True)
class Hold:
    """An exception from deletion (Löschsperre) for one appointment. The uid stays in the store."""

    number: int
    appointment_uid: str
    ground: str
    reference: str
    set_by: str
    set_on: date
    review_on: date | None = None
    lifted_on: date | None = None
    rows: int = 0


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One ingested file as the store remembers it: read = stored + duplicates + rejected + expired.

    ``path`` is for the terminal only; findings name the file by its number. ``last_day_0`` is the latest day 0 of
    anything in it, ``rejects`` maps a reason to (count, first line, last line).
    """

    source: int
    path: str
    format: str
    dataset: str
    channel: str
    read: int
    stored: int
    replaced: int
    duplicates: int
    rejected: int
    expired: int
    last_day_0: date | None
    consumed: bool
    undeclared: Mapping[str, int] = field(default_factory=dict)
    rejects: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DayCount:
    """Rows of one dataset with the same local day 0 (None: no usable date). Not for display: see :class:`Week`."""

    dataset: str
    day_0: date | None
    held: bool
    rows: int


# --- what a report is made of --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A place where personal data lie (Speicherort) and what is known about it.

    ``kind`` is ``managed`` (we read and erase), ``readable`` (we only read) or ``attested`` (somebody else's word).
    ``state`` is ``checked``, ``confirmed``, ``unknown`` or ``overdue``.
    """

    name: str
    kind: str
    state: str
    rows: int | None = None
    confirmed_on: date | None = None
    next_due_on: date | None = None


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A data type that "all personal data" covers; ``state`` is ``covered``, ``attested`` or ``unknown``."""

    name: str
    rule: str
    places: tuple[str, ...]
    state: str


@dataclass(frozen=True, slots=True)
class Task:
    """Something a person must do. ``what`` is a message id of the report's catalogue, ``detail`` fills it."""

    what: str
    role: str
    until: date | None = None
    detail: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Residual:
    """What remains where until when: an ingested file, a backup, a tombstone key."""

    where: str
    until: date | None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Week:
    """An aggregate for charts: rows by the Monday of a week. Single dates are never shown."""

    monday: date
    rows: int


@dataclass(frozen=True, slots=True)
class Change:
    """What is not as it was in the last report: ``what`` names the kind (``period``, ``place``, ``finding``, ``due``),
    ``name`` what it is about. None: it was not there before, or is not any more.
    """

    what: str
    name: str
    before: str | int | None
    after: str | int | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything one report may say about one run or, before any run, about the workspace.

    Counts, names, roles and dates of runs; never a value, an id or a single person's date. The first page is made
    of the fields in this order (design: sentence, tasks, numbers, two dates, rule, roles, limits, how to verify).
    """

    workspace: str
    perspective: str
    person_word: str
    as_of: date
    written_at: datetime
    tool_version: str
    run_id: str | None
    outcome: str  # "sealed", "aborted", "open", "planned" (not begun), "none" (no run yet)
    overdue: int
    places: tuple[Place, ...]
    tasks: tuple[Task, ...]
    before: int
    due: int
    deleted: int
    held: int
    failed: int
    not_yet_due: int
    no_anchor: int
    retained: int
    oldest_age_days: int | None
    gone_live_on: date | None
    gone_backups_on: date | None
    rules: tuple[Rule, ...]
    ordered_by: str
    approved_by: str
    approval_signed: bool
    approval_standing: bool
    carried_out_by: str
    verified_by: str
    limits: tuple[str, ...]  # message ids of what this record does not prove
    checkpoint: tuple[str, ...]  # the checkpoint's lines
    verify_command: str
    catalogue: tuple[CatalogueEntry, ...]
    stores: tuple[StoreCounts, ...]
    checks: Mapping[str, str]  # name of a check of the run -> outcome
    residue: Mapping[str, int]  # places, files, bytes, controls, foundInOld, foundInNew
    holds: Mapping[str, int]  # ground -> rows held
    findings: tuple[Finding, ...]
    residuals: tuple[Residual, ...]
    age_weeks: tuple[Week, ...]  # stored rows by the week their appointment ended
    due_weeks: tuple[Week, ...]  # stored rows by the week they fall due
    second_opinion: str = "not run"  # an outcome, or "not run"
    approval_checked: str = "unknown"  # the outcome of verifying the signature of the approval, where it is signed
    changes: tuple[Change, ...] = ()
    compared_with: str = ""  # the report before this one, by its run or its day; empty where there is none
    run_weeks: tuple[Week, ...] = ()  # rows deleted, by the week of the run
    poor_weeks: tuple[date, ...] = ()  # Mondays of weeks with a run that did not succeed, or a night without one
    finding_months: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # YYYY-MM -> field -> rows


# --- carrying out a deletion ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Residue:
    """What a residue scan (Restdatenprüfung) saw.

    A control is a value of a doomed row that no retained row holds. ``found_in_old`` counts the controls that the
    scan found in the old bytes (so that its silence means something), ``found_in_new`` those found afterwards.
    """

    places: int
    files: int
    bytes: int
    controls: int
    found_in_old: int
    found_in_new: int

    @property
    def outcome(self) -> Outcome:
        """Failed when anything is left; unknown when the scan was blind to what it looked for."""
        if self.found_in_new:
            return Outcome.FAILED
        return Outcome.PASSED if 0 < self.controls == self.found_in_old else Outcome.UNKNOWN


@dataclass(frozen=True, slots=True)
class Erasure:
    """The order to erase one run's rows, as the plan and its approval fixed it.

    Attributes
    ----------
    cutoffs, rules : mapping of str to Cutoffs or Rule
        Per dataset, at ``as_of``.
    key : bytes
        The run's tombstone key.
    tombstones : polars.Series
        The planned tombstones, sorted.
    retained_digest : callable of (dataset, rows, sum of row hashes) to hex
        HMAC under the run's key.
    residual_files : frozenset of Path
        Ingested files that lie in the workspace: known to hold what they hold, and not searched.
    """

    run_id: str
    plan_sha256: str
    as_of: date
    zone: str
    cutoffs: Mapping[str, Cutoffs]
    rules: Mapping[str, Rule]
    key: bytes
    tombstones: pl.Series
    retained_digest: Callable[[str, int, int], str]
    residual_files: frozenset[Path] = frozenset()


@dataclass(frozen=True, slots=True)
class PlanDrift:
    """The due rows are no longer those of the plan; nothing was deleted."""

    appeared: int
    vanished: int


@dataclass(frozen=True, slots=True)
class ErasedSet:
    """One dataset of one store after the commit, as its marker row says."""

    store: str
    dataset: str
    deleted: int
    retained: int
    retained_digest: str


@dataclass(frozen=True, slots=True)
class Erased:
    """What a store erased, and what it counted before it committed: rows before their day, and what was left.

    ``key_hashes`` (64-bit hashes of the erased rows' key columns) only makes the look afterwards quicker; a run that
    goes on after a crash does without.
    """

    sets: tuple[ErasedSet, ...]
    deleted_before_due: int
    residue: Residue
    key_hashes: pl.Series | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a new connection sees after the commit."""

    still_due: int
    tombstoned_still_present: int
    retained_set_unchanged: bool


# --- ports ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The signed head of the log. ``root`` is base64, ``text`` the file as it is."""

    origin: str
    size: int
    root: str
    text: str


class Erasing(Protocol):
    """A store, open and alone, with the due rows chosen: nobody else can change them until it is closed.

    ``tombstones`` are those of the chosen rows, distinct and sorted; ``commit`` erases them as the order says.
    ``renew`` is for a run with nothing to erase: it removes the bytes that rows left which were replaced earlier.
    """

    @property
    def tombstones(self) -> pl.Series: ...
    def commit(self, order: Erasure) -> Erased: ...
    def renew(self, run_id: str) -> None: ...


class Store(Protocol):
    """A place that is managed: it counts, erases and can be looked at again."""

    @property
    def name(self) -> str: ...
    def counts(self, cutoffs: Mapping[str, Cutoffs]) -> tuple[StoreCounts, ...]: ...
    def held_by_ground(self, cutoffs: Mapping[str, Cutoffs]) -> Mapping[str, int]: ...
    def tombstones(self, cutoffs: Mapping[str, Cutoffs], key: bytes) -> pl.Series: ...
    def runs(self) -> frozenset[str]: ...
    def erased(self, run_id: str) -> Erased | None: ...
    def erasing(self, cutoffs: Mapping[str, Cutoffs], key: bytes) -> AbstractContextManager[Erasing]: ...
    def verify(self, order: Erasure, erased: Erased) -> Verified: ...
    def mark_restored(self, run_id: str, plan_sha256: str) -> None: ...


class Digest(Protocol):
    """A digest that is fed piece by piece, as those of ``hashlib`` are."""

    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class Digests(Protocol):
    """The keyed digests of the evidence format (HMAC-SHA-256 under a run's tombstone key), as lower-case hex."""

    def due_set(self, key: bytes) -> Digest: ...
    def retained_set(self, key: bytes, dataset: str, count: int, hash_sum: int) -> str: ...


class Ledger(Protocol):
    """The evidence folder: one folder a run, whose listing is its state, and the transparency log."""

    def locked(self) -> AbstractContextManager[None]: ...
    def runs(self) -> tuple[str, ...]: ...
    def cut_off(self) -> tuple[str, ...]: ...
    def new_run_id(self, as_of: date) -> str: ...
    def listing(self, run_id: str) -> frozenset[str]: ...
    def read(self, run_id: str, name: str) -> bytes: ...
    def write_once(self, run_id: str, name: str, data: bytes) -> None: ...
    def write_pieces_once(self, run_id: str, name: str, pieces: Iterable[bytes]) -> str: ...
    def append(self, leaf: bytes) -> int: ...
    def contains(self, leaf: bytes) -> bool: ...
    def write_proof(self, run_id: str, name: str) -> None: ...
    def checkpoint(self) -> Checkpoint: ...
    def tombstone_key(self, run_id: str, *, create: bool = False) -> bytes: ...
    def holds_tombstone_key(self, run_id: str) -> bool: ...
    def destroy_tombstone_key(self, run_id: str) -> None: ...


def as_json(thing: Any) -> Any:
    """Turn nouns into JSON values: dataclass fields and mapping keys in camelCase, dates in ISO 8601.

    Examples
    --------
    >>> as_json(StoreCounts("workspace", "events", 3, 1, 0, 0, 2))["noAnchor"]
    0
    """
    if is_dataclass(thing) and not isinstance(thing, type):
        return {_camel(f.name): as_json(getattr(thing, f.name)) for f in fields(thing)}
    if isinstance(thing, Mapping):
        return {str(key): as_json(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple, frozenset, set)):
        return [as_json(item) for item in thing]
    if isinstance(thing, (date, datetime)):
        return thing.isoformat()
    if isinstance(thing, Path):
        return str(thing)
    return thing


def from_json(noun: type[Noun], table: Mapping[str, Any]) -> Noun:
    """Fill a flat noun from what :func:`as_json` made of it; keys that it does not know are left out.

    Examples
    --------
    >>> from_json(StoreCounts, as_json(StoreCounts("workspace", "events", 3, 1, 0, 0, 2))).retained
    2
    """
    names = {_camel(each.name): each.name for each in fields(cast(Any, noun))}
    return noun(**{names[key]: value for key, value in table.items() if key in names})


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
