"""The files of the made-up clinic, line by line, and what a reader must count in each."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from lifecycle.sources.made_up.visits import CALENDARS, ZONE, Visit, messages, people_of

BIRTH_COLUMN = ("geburtsdatum", "23.11.1954")
EXPORT_COLUMNS = (
    *("appointment_uid", "participant", "origin", "calendar_ref", "service_id", "location"),
    *("first_name", "last_name", "email", "mobile", "starts_at", "ends_at", "booked_at", "status"),
)


@dataclass(frozen=True, slots=True)
class FileCounts:
    """What ``ingest --as-of <ingest_on>`` must count in one file: ``read`` is the sum of the other four."""

    read: int
    stored: int
    duplicates: int
    rejected: int
    expired: int


@dataclass(slots=True)
class File:
    """One file as it grows: its lines, and what a reader must count in them."""

    lines: list[str] = field(default_factory=list)
    expired: int = 0
    duplicates: int = 0
    rejected: int = 0
    undeclared: Counter[str] = field(default_factory=Counter)

    def add(self, visit: Visit, line: str, extra: Iterable[str] = ()) -> None:
        self.lines.append(line)
        self.expired += visit.group == "expired"
        self.undeclared.update(list(extra))

    def repeat(self, position: int) -> None:
        self.lines.insert(position + 1, self.lines[position])
        self.duplicates += 1

    def spoil(self, position: int, line: str) -> None:
        self.lines.insert(position, line)
        self.rejected += 1

    def counts(self) -> FileCounts:
        stored = len(self.lines) - self.duplicates - self.rejected - self.expired
        return FileCounts(len(self.lines), stored, self.duplicates, self.rejected, self.expired)


def file_bytes(name: str, lines: list[str]) -> bytes:
    if name.endswith(".json"):
        return ("[\n" + ",\n".join(lines) + "\n]\n").encode()
    if name.endswith(".csv"):  # as a German spreadsheet saves it: byte order mark, semicolons, CRLF
        header = ";".join([*EXPORT_COLUMNS, BIRTH_COLUMN[0]])
        return ("\ufeff" + "".join(f"{line}\r\n" for line in [header, *lines])).encode()
    plain = "".join(f"{line}\n" for line in lines).encode()
    if not name.endswith(".gz"):
        return plain
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as out:  # no clock, no name: same bytes
        out.write(plain)
    return packed.getvalue()


# --- what eTermin sends


def _body(visit: Visit, command: str, start: datetime, spelling: str) -> dict[str, str]:
    """Every field of the message, the empty ones too (facts: JSON lists all, variables only those filled)."""
    end = start + timedelta(minutes=visit.minutes)
    body = {
        "command": command,
        "appointmentUID": visit.uid,
        "startDateTimeUTC": start.strftime(spelling),
        "endDateTimeUTC": end.strftime(spelling),
        "startDateTime": start.astimezone(ZONE).strftime(spelling),
        "endDateTime": end.astimezone(ZONE).strftime(spelling),
        "bookingDateUTC": visit.booked.strftime(spelling),
        "salutation": "",
        "lastName": visit.person.last,
        "firstName": visit.person.first,
        "phone": visit.person.mobile,
        "email": visit.person.email,
    }
    rest = {name: "" for name in ("street", "ZIP", "town", "birthday", "notes", "selectedAnswers")}
    place = {"calendarName": visit.calendar, "serviceIDs": "12" if visit.video else "7", "location": _location(visit)}
    return body | rest | place | visit.extra


def _location(visit: Visit) -> str:
    return "Arztkonsultation" if visit.video else "Praxis"


ISO = "%Y-%m-%dT%H:%M:%S"


def push_log(rng: random.Random, visits: list[Visit], now: datetime) -> File:
    """Web Push as JSON, behind a gateway that notes when a message came."""
    entries = sorted(
        ((at, command, start, v) for v in visits if v.log == "push" for at, command, start in messages(v, now)),
        key=lambda entry: (entry[0], entry[3].uid),
    )
    file = File()
    for at, command, start, visit in entries:
        wrapped = {"received_at": at.strftime(ISO + "Z"), "body": _body(visit, command, start, ISO)}
        file.add(visit, json.dumps(wrapped, ensure_ascii=False), visit.extra)
    plain = [n for n, entry in enumerate(entries) if not entry[3].special and entry[3].group != "expired"]
    broken = file.lines[rng.choice(plain)][:180]
    for position in sorted(rng.sample(plain, len(plain) // 40), reverse=True):
        file.repeat(position)
    undated = dict.fromkeys(_body(entries[0][3], "DELETED", now, ISO), "") | {"command": "DELETED"}
    undated["appointmentUID"] = f"{rng.getrandbits(64):016x}"  # somebody's message without a single date
    file.lines.append(json.dumps({"received_at": now.strftime(ISO + "Z"), "body": undated}))
    for bad in (broken, "\0" * 24, "502 Bad Gateway"):
        file.spoil(rng.randrange(len(file.lines)), bad)
    return file


def forms_log(rng: random.Random, visits: list[Visit], now: datetime) -> File:
    """Web Push as form variables of an older account: UPPERCASE, compact dates, only what is filled, any order."""
    file = File()
    entries = [(v, command, start) for v in visits if v.log == "forms" for _, command, start in messages(v, now)]
    rng.shuffle(entries)
    for visit, command, start in entries:
        body = {name.upper(): value for name, value in _body(visit, command, start, "%Y%m%d %H%M%S").items() if value}
        file.add(visit, urlencode(body), map(str.upper, visit.extra))
    plain = [n for n, entry in enumerate(entries) if not entry[0].special and entry[0].group != "expired"]
    for position in sorted(rng.sample(plain, 2), reverse=True):
        file.repeat(position)
    file.spoil(rng.randrange(len(file.lines)), "\0" * 24)
    return file


def deleted_dump(visits: list[Visit], now: datetime) -> File:
    """eTermin's own list of deleted appointments, which keeps the people in it."""
    file = File()
    for visit in (v for v in visits if v.cancelled):
        end = visit.start + timedelta(minutes=visit.minutes)
        row = {
            "appId": int(visit.uid[:7], 16),
            "calendarid": CALENDARS.index(visit.calendar) + 1,
            "calendarName": visit.calendar,
            "customerNumber": "",
            "deletedBy": "online",
            "email": visit.person.email,
            "endDateTime": end.astimezone(ZONE).strftime(ISO),
            "endDateTimeUtc": end.strftime(ISO),
            "externalId": visit.uid,
            "firstName": visit.person.first,
            "lastName": visit.person.last,
            "notes": "",
            "phone": visit.person.mobile,
            "rc": 0,
            "servicesText": "Videosprechstunde" if visit.video else "Sprechstunde",
            "startDateTime": visit.start.astimezone(ZONE).strftime(ISO),
            "startDateTimeUtc": visit.start.strftime(ISO),
            "timeStamp": messages(visit, now)[-1][0].strftime(ISO),
        }
        file.add(visit, json.dumps(row, ensure_ascii=False), ("deletedBy", "servicesText"))
    return file


# --- what arztkonsultation holds


def _records(visit: Visit, spell: Callable[[datetime], str]) -> list[dict[str, str | int]]:
    start = visit.starts[0] if visit.drift == "stale" else visit.start
    return [
        {
            "appointment_uid": visit.uid,
            "participant": number,
            "origin": "etermin" if visit.log else "arztkonsultation",
            "calendar_ref": visit.calendar,
            "service_id": "12" if visit.video else "7",
            "location": "Arztkonsultation",
            "first_name": person.first,
            "last_name": person.last,
            "email": person.email,
            "mobile": person.mobile,
            "starts_at": spell(start),
            "ends_at": spell(start + timedelta(minutes=visit.minutes)),
            "booked_at": spell(visit.booked),
            "status": "booked",
        }
        for number, person in enumerate(people_of(visit), start=1)
    ]


def csv_export(rng: random.Random, visits: list[Visit]) -> File:
    """Two calendars as semicolon CSV with German dates, and one column that nobody declared."""
    file = File()
    rows = [v for v in visits if v.in_records and v.calendar != CALENDARS[2]]
    with_birth = [v.uid for v in rows if not v.special and not v.partner and v.group in ("due", "soon")][:3]
    plain: list[int] = []
    for visit in rows:
        for record in _records(visit, lambda at: at.astimezone(ZONE).strftime("%d.%m.%Y %H:%M")):
            born = [BIRTH_COLUMN[1]] if visit.uid in with_birth else []
            line = io.StringIO()
            csv.writer(line, delimiter=";", lineterminator="").writerow([*record.values(), *(born or [""])])
            file.add(visit, line.getvalue(), [BIRTH_COLUMN[0]] if born else [])
            if not (visit.special or born or visit.group == "expired"):
                plain.append(len(file.lines) - 1)
    for position in sorted(rng.sample(plain, 2), reverse=True):
        file.repeat(position)
    return file


def ndjson_export(rng: random.Random, visits: list[Visit]) -> File:
    """The third calendar, one JSON object a line, times with an offset; the last line was cut off."""
    file = File()
    for visit in (v for v in visits if v.in_records and v.calendar == CALENDARS[2]):
        for record in _records(visit, lambda at: at.astimezone(ZONE).isoformat(timespec="seconds")):
            file.add(visit, json.dumps(record, ensure_ascii=False))
    file.spoil(len(file.lines), file.lines[rng.randrange(len(file.lines))][:90])
    return file
