"""One made-up clinic as a whole."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from lifecycle.sources.made_up.files import (
    BIRTH_COLUMN,
    File,
    FileCounts,
    csv_export,
    deleted_dump,
    file_bytes,
    forms_log,
    ndjson_export,
    push_log,
)
from lifecycle.sources.made_up.visits import (
    DAYS_BEFORE,
    FIELD_LEAKS,
    VALUE_LEAKS,
    Visit,
    all_visits,
    messages,
    people_of,
    plant,
)

SMALLEST = 100


@dataclass(frozen=True, slots=True)
class Clinic:
    """The files of one made-up clinic and what must come of them.

    Attributes
    ----------
    as_of, ingest_on : datetime.date
        Ingest with the earlier day, purge with ``as_of``.
    events, appointments : tuple of Path
        The files of each dataset, in an order to ingest them in (any other gives the same).
    counts : mapping of str to FileCounts
        By file name.
    undeclared : mapping of str to Mapping
        Dataset to {undeclared field as the file spells it: non-empty values}.
    value_leaks, drift : mapping of str to int
        Planted leaks in allowed fields (appointments concerned), and disagreements between log and records.
    due, held : mapping of str to int
        Dataset to rows due at ``as_of`` (held included), and rows that the hold on ``hold_uid`` keeps.
    canaries : tuple of str
        E-mail addresses and uids that only rows due at ``as_of``, and not held, contain: gone after the purge.
    never_stored : tuple of str
        Values of undeclared fields and of expired people: in no file of a workspace, at no time.
    """

    folder: Path
    as_of: date
    ingest_on: date
    events: tuple[Path, ...]
    appointments: tuple[Path, ...]
    counts: Mapping[str, FileCounts]
    undeclared: Mapping[str, Mapping[str, int]]
    value_leaks: Mapping[str, int]
    drift: Mapping[str, int]
    due: Mapping[str, int]
    held: Mapping[str, int]
    hold_uid: str = field(repr=False)
    canaries: tuple[str, ...] = field(repr=False)
    never_stored: tuple[str, ...] = field(repr=False)


def write_clinic(folder: Path, *, as_of: date, seed: int = 1, appointments: int = 400) -> Clinic:
    """Write a believable clinic's logs, dump and exports into ``folder``; the same arguments give the same bytes.

    Parameters
    ----------
    folder : Path
        Made if it does not exist; files of the same names are overwritten.
    as_of : datetime.date
        The day of the purge, in Europe/Berlin. About a third of the appointments are due on it and were not
        ``DAYS_BEFORE`` days earlier, on ``Clinic.ingest_on``.
    seed : int
    appointments : int
        At least 100, or not every kind of leak finds its place.

    Returns
    -------
    Clinic

    Raises
    ------
    ValueError
        Fewer than 100 appointments were asked for.
    """
    if appointments < SMALLEST:
        raise ValueError(f"a clinic needs at least {SMALLEST} appointments, not {appointments}")
    rng = random.Random(seed)
    ingest_on = as_of - timedelta(days=DAYS_BEFORE)
    visits = all_visits(rng, as_of, appointments)
    hold = plant(visits)
    now = datetime.combine(ingest_on, time(), UTC)
    files = {
        "webpush.ndjson": push_log(rng, visits, now),
        "webpush-forms.log": forms_log(rng, visits, now),
        "appointmentdeleted.json": deleted_dump(visits, now),
        "export.csv": csv_export(rng, visits),
        "export.ndjson.gz": ndjson_export(rng, visits),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        (folder / name).write_bytes(file_bytes(name, file.lines))
    return _clinic(folder, as_of, visits, files, hold)


def _clinic(folder: Path, as_of: date, visits: list[Visit], files: Mapping[str, File], hold: Visit) -> Clinic:
    events = ("webpush.ndjson", "webpush-forms.log")
    appointments = ("export.csv", "export.ndjson.gz", "appointmentdeleted.json")
    due = [v for v in visits if v.group == "due"]
    staying = {p.email for v in visits if v.group not in ("due", "expired") or v is hold for p in people_of(v)}
    written = {p.email for v in due if v.in_records for p in people_of(v)} | {v.person.email for v in due if v.log}
    gone = written - staying
    strangers = {p.email for v in visits if v.group == "expired" for p in people_of(v)} - staying - gone - {""}
    leaks = (leak for v in visits for leak, column, value in VALUE_LEAKS if getattr(v.person, column) == value)
    return Clinic(
        folder=folder,
        as_of=as_of,
        ingest_on=as_of - timedelta(days=DAYS_BEFORE),
        events=tuple(folder / name for name in events),
        appointments=tuple(folder / name for name in appointments),
        counts={name: file.counts() for name, file in files.items()},
        undeclared={
            "events": sum((files[name].undeclared for name in events), Counter()),
            "appointments": sum((files[name].undeclared for name in appointments), Counter()),
        },
        value_leaks=Counter(leaks),
        drift=Counter(v.drift for v in visits if v.drift),
        due={
            "events": sum(len(messages(v)) for v in due),
            "appointments": sum(len(people_of(v)) * v.in_records + v.cancelled for v in due),
        },
        held={"events": len(messages(hold)), "appointments": len(people_of(hold))},
        hold_uid=hold.uid,
        canaries=(*sorted(gone), *sorted(v.uid for v in due if v is not hold)),
        never_stored=(
            *sorted(strangers),
            *sorted(v.uid for v in visits if v.group == "expired"),
            *(value for _, value in (*FIELD_LEAKS, BIRTH_COLUMN)),
        ),
    )
