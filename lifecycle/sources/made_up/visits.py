"""The appointments of the made-up clinic: when, how often rebooked, cancelled, and what was planted in them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from lifecycle.sources.made_up.people import LANDLINES, Person, new_person

ZONE = ZoneInfo("Europe/Berlin")
CALENDARS = ("Sprechzimmer 1", "Sprechzimmer 2", "Sprechzimmer 3")

# Days of the appointment relative to as_of, and how many appointments of a hundred.
GROUPS: Mapping[str, tuple[int, int, int]] = {
    "expired": (-165, -126, 4),  # was due before anybody ingested it
    "due": (-119, -90, 34),  # due at as_of, and not yet 30 days earlier
    "soon": (-89, -62, 24),  # falls due within four weeks
    "recent": (-61, -31, 20),
    "future": (-29, 60, 18),
}
DAYS_BEFORE = 30
"""``Clinic.ingest_on`` lies so many days before ``as_of``: nothing but the group ``expired`` is due then."""

# Where a value does not belong: a field that the contract allows ...
VALUE_LEAKS: Sequence[tuple[str, str, str]] = (
    ("kvnr", "last", "A123456780"),
    ("iban", "last", "DE89370400440532013000"),
    ("icd10", "first", "Anna F32.1"),
    ("email-in-name", "last", "geheim.im.namen@example.org"),
    ("landline", "mobile", LANDLINES[123]),
)
# ... and fields that it does not.
FIELD_LEAKS: Sequence[tuple[str, str]] = (
    ("birthday", "14.03.1962"),
    ("notes", "Depressionssprechstunde, bitte diskret behandeln"),
    ("street", "Lindenweg 4711"),
)


@dataclass(slots=True)
class Visit:
    """One appointment: ``starts`` as booked and rebooked (UTC), the last one counts."""

    uid: str
    person: Person
    group: str
    starts: list[datetime]
    minutes: int
    booked: datetime
    calendar: str
    log: str  # "push", "forms" or "" (made in arztkonsultation, unknown to eTermin)
    video: bool = True
    cancelled: bool = False
    partner: Person | None = None
    extra: dict[str, str] = field(default_factory=dict)
    drift: str = ""
    special: bool = False  # planted with a meaning of its own: neither repeated nor broken

    @property
    def start(self) -> datetime:
        return self.starts[-1]

    @property
    def in_records(self) -> bool:
        transmitted = (self.video or self.drift == "non-video") and (not self.cancelled or self.drift == "zombie")
        return transmitted and self.drift != "missing"


def people_of(visit: Visit) -> list[Person]:
    return [visit.person, *([visit.partner] if visit.partner else [])]


def all_visits(rng: random.Random, as_of: date, count: int) -> list[Visit]:
    shares = [share for _, _, share in GROUPS.values()]
    groups = [group for group, share in zip(GROUPS, shares, strict=True) for _ in range(round(count * share / 100))]
    groups += ["soon"] * (count - len(groups))
    rng.shuffle(groups)
    visits: list[Visit] = []
    for number, group in enumerate(groups[:count], start=1):
        returning = [v.person for v in visits[-60:] if v.group == group] if number % 8 == 0 else []
        person = rng.choice(returning) if returning else new_person(rng, number)
        visits.append(_visit(rng, as_of, number, group, person))
    return visits


def _visit(rng: random.Random, as_of: date, number: int, group: str, person: Person) -> Visit:
    start = _slot(rng, as_of, group)
    last_moment = datetime.combine(as_of - timedelta(days=DAYS_BEFORE), time(), UTC)
    known = min(start, last_moment)  # nobody has received a message of tomorrow
    booked = known - timedelta(days=rng.randrange(2, 30), seconds=rng.randrange(50_000))
    starts = [start]
    log = rng.choices(("push", "forms", ""), (70, 22, 8))[0]
    if log and group != "expired" and rng.random() < 0.16:
        before = start + timedelta(days=rng.choice((-7, 7, 14)))
        starts = [before, start] if before > booked + timedelta(hours=3) else starts
    visit = Visit(
        f"{rng.getrandbits(64):016x}",
        person,
        group,
        starts,
        rng.choice((20, 30, 50)),
        booked,
        rng.choice(CALENDARS),
        log,
    )
    visit.video = not log or rng.random() < 0.9
    visit.cancelled = bool(log) and group != "expired" and rng.random() < 0.09
    if number % 40 == 0 and not visit.cancelled:
        visit.partner = new_person(rng, 10_000 + number)
    return visit


def _slot(rng: random.Random, as_of: date, group: str) -> datetime:
    first, last, _ = GROUPS[group]
    while True:
        day = as_of + timedelta(days=rng.randint(first, last))
        at = time(rng.randint(8, 16), rng.choice((0, 20, 40)))
        if day.weekday() < 5:
            return datetime.combine(day, at, ZONE).astimezone(UTC)


def plant(visits: list[Visit]) -> Visit:
    """Give some plain visits their leaks and their drift, and name the one to hold."""
    plain = [v for v in visits if len(v.starts) == 1 and not v.cancelled and not v.partner and v.video and v.log]
    returning = Counter(v.person for v in visits)
    alone = [v for v in plain if returning[v.person] == 1]
    pushed = [v for v in alone if v.log == "push" and v.group in ("due", "soon")]
    hold = next(v for v in pushed if v.group == "due")
    hold.special = True
    free = iter([v for v in pushed if v is not hold])
    for _, column, value in VALUE_LEAKS:
        visit = next(free)
        visit.person, visit.special = replace(visit.person, **{column: value}), True
    in_forms = iter([v for v in alone if v.log == "forms" and v.group in ("due", "soon")])
    for name, value in FIELD_LEAKS:
        for visit in (next(free), next(in_forms)):
            visit.extra, visit.special = {name: value}, True
    later = [v for v in visits if v.group in ("recent", "future") and v.log and not v.special and not v.partner]
    for drift, fits in _DRIFTS.items():
        for visit in [v for v in later if not v.special and fits(v)][:2]:
            visit.drift, visit.special = drift, True
    return hold


_DRIFTS: Mapping[str, Callable[[Visit], bool]] = {
    "zombie": lambda v: v.cancelled and v.video,  # cancelled in eTermin, alive in the records
    "stale": lambda v: len(v.starts) > 1 and v.video and not v.cancelled,  # the rebooking never arrived
    "missing": lambda v: v.video and not v.cancelled and len(v.starts) == 1,
    "non-video": lambda v: not v.video and not v.cancelled,  # transmitted, although not by video
}


def messages(visit: Visit, now: datetime | None = None) -> list[tuple[datetime, str, datetime]]:
    """The messages of one visit: received at (UTC), command, start; none of them after ``now``."""
    if not visit.log:
        return []
    steps = [("CREATED", visit.starts[0]), *(("MODIFIED", start) for start in visit.starts[1:])]
    steps += [("DELETED", visit.start)] if visit.cancelled else []
    until = min([*visit.starts, *([now] if now else [])])
    gap = (until - visit.booked) / (len(steps) + 1)
    return [
        ((visit.booked + gap * n).replace(microsecond=0) + timedelta(seconds=3), command, start)
        for n, (command, start) in enumerate(steps)
    ]
