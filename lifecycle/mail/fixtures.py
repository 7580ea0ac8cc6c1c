"""Made-up bookings that differ where it hurts. Names and addresses are invented; numbers are drama numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

MONTHS = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "en": "January February March April May June July August September October November December",
}
WEEKDAYS = {
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
}
COMPANY = "Praxis am Lindenhof"
ADDRESS = "Lindenhof 1, 00000 Musterstadt"


@dataclass(frozen=True, slots=True, repr=False)
class Fixture:
    """A booking to fill a template with. Times are aware and UTC; shown in ``zone``.

    ``video`` is False for an appointment in person; ``state`` is ``booked``, ``moved`` or ``cancelled``.
    """

    name: str
    title: Mapping[str, str]
    first_name: str = "Mara"
    last_name: str = "Beispiel"
    salutation: str = "Frau"
    email: str = "mara.beispiel@example.org"
    mobile: str = "+49 152 28817386"
    starts_at: datetime = datetime(2026, 11, 9, 13, 30, tzinfo=UTC)
    ends_at: datetime = datetime(2026, 11, 9, 13, 50, tzinfo=UTC)
    video: bool = True
    state: str = "booked"
    participants: int = 1
    zone: str = "Europe/Berlin"
    calendar: str = "Dr. Kim Muster"
    service: Mapping[str, str] | None = None
    real: bool = False

    def __repr__(self) -> str:
        """Name the booking, never its values: it may be a real one."""
        return f"Fixture({self.name!r})"

    def values(self, language: str) -> Mapping[str, str]:
        """Return the value of every placeholder meaning, in the language asked for."""
        starts, ends = (at.astimezone(ZoneInfo(self.zone)) for at in (self.starts_at, self.ends_at))
        german = language == "de"
        service = (self.service or {"de": "Sprechstunde", "en": "Consultation"})[language]
        greeting = {"Frau": "Ms", "Herr": "Mr"}.get(self.salutation, self.salutation)
        return {
            "join_link": "https://www.arztkonsultation.de/tan?tan=K7M2P9X4R6T3" if self.video else ADDRESS,
            "tan": "K7M2P9X4R6T3" if self.video else "",
            "suppress": "",
            "service_text": "Bitte halten Sie Ihre Unterlagen bereit." if german else "Please have your papers ready.",
            "booking_page_text": "",
            "first_name": self.first_name,
            "last_name": self.last_name,
            "salutation": self.salutation if german else greeting,
            "email": self.email,
            "mobile": self.mobile,
            "date": _date(starts, language),
            "start_time": f"{starts:%H:%M}",
            "end_time": f"{ends:%H:%M}",
            "service": service,
            "calendar": self.calendar,
            "cancel_link": "https://www.etermin.net/cancel?id=4f1c2a77-0000-4000-8000-5b1d2c3e4f50",
            "company": COMPANY,
            "company_phone": "030 23125 042",
            "company_address": ADDRESS,
        }


def _date(at: datetime, language: str) -> str:
    weekday, month = WEEKDAYS[language].split()[at.weekday()], MONTHS[language].split()[at.month - 1]
    return f"{weekday}, {at.day}. {month} {at.year}" if language == "de" else f"{weekday}, {at.day} {month} {at.year}"


FIXTURES: tuple[Fixture, ...] = (
    Fixture("usual", {"de": "Der übliche Fall", "en": "The usual case"}),
    Fixture("pseudonym", {"de": "Nur ein Pseudonym", "en": "Pseudonym only"}, "Seestern 17", "", "", mobile=""),
    Fixture("no-last-name", {"de": "Ohne Nachname", "en": "No last name"}, "Mara", "", ""),
    Fixture("no-mobile", {"de": "Ohne Mobilnummer", "en": "No mobile number"}, mobile=""),
    Fixture(
        "long-names",
        {"de": "Lange Doppelnamen", "en": "Long double names"},
        "Maximiliane-Alexandra Theodora",
        "von Hohenstein-Wolkenbruch zu Obermusterhausen",
        email="maximiliane-alexandra.von-hohenstein-wolkenbruch@example.org",
        calendar="Priv.-Doz. Dr. med. habil. Kim-Alexander Mustermann-Beispielhuber",
    ),
    Fixture("umlauts", {"de": "Umlaute", "en": "Umlauts"}, "Jörg", "Müßigöhr-Übelacker", "Herr", "joerg@example.net"),
    Fixture(
        "apostrophe", {"de": "Apostroph", "en": "Apostrophe"}, "D’Angelo", "O'Beispiel", "Herr", "dangelo@example.org"
    ),
    Fixture(
        "right-to-left",
        {"de": "Schrift von rechts", "en": "Right-to-left name"},
        "ليلى",
        "المثال",
        "",
        "laila@example.com",
    ),
    Fixture(
        "emoji", {"de": "Emoji im Namen", "en": "Emoji in the name"}, "Sternchen ⭐", "🦊", "", "stern@example.org"
    ),
    Fixture(
        "html-name",
        {"de": "HTML und Vorlagencode im Namen", "en": "HTML and template code in the name"},
        "<b>Mara</b>",
        "{{ 7*7 }} <script>alert(1)</script>",
    ),
    Fixture(
        "clock-change",
        {"de": "Über die Zeitumstellung", "en": "Across the clock change"},
        starts_at=datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        ends_at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    ),
    Fixture(
        "group",
        {"de": "Gruppentermin, vier Personen", "en": "Group appointment, four people"},
        participants=4,
        service={"de": "Gruppengespräch", "en": "Group session"},
    ),
    Fixture("in-person", {"de": "Termin vor Ort", "en": "Appointment in person"}, video=False),
    Fixture("cancelled", {"de": "Abgesagt", "en": "Cancelled"}, state="cancelled"),
    Fixture(
        "moved",
        {"de": "Verschoben", "en": "Moved"},
        state="moved",
        starts_at=datetime(2026, 12, 31, 22, 45, tzinfo=UTC),
        ends_at=datetime(2026, 12, 31, 23, 15, tzinfo=UTC),
    ),
)
"""Every kind of booking that a preview shows. ``LOCATION`` in person is assumed: nobody has documented it."""


def real_fixture(record: Mapping[str, object], zone: str = "Europe/Berlin") -> Fixture:
    """Turn a stored record into a booking, for a terminal or loopback page, on explicit request only.

    Parameters
    ----------
    record : mapping
        Columns of ``APPOINTMENTS_SCHEMA``; ``starts_at`` and ``ends_at`` aware UTC.
    zone : str
        The workspace's time zone.

    Returns
    -------
    Fixture
        Marked ``real``: ``build`` refuses it, so it is never written.
    """

    def text(name: str) -> str:
        return str(record.get(name) or "")

    starts, ends = record.get("starts_at"), record.get("ends_at")
    start = starts if isinstance(starts, datetime) else datetime(2026, 11, 9, 13, 30, tzinfo=UTC)
    return Fixture(
        "record",
        {"de": "Echter Datensatz", "en": "Real record"},
        text("first_name"),
        text("last_name"),
        "",
        text("email"),
        text("mobile"),
        start,
        ends if isinstance(ends, datetime) else start,
        video=text("location") != "other",
        zone=zone,
        calendar=text("calendar_ref"),
        real=True,
    )


def fixture(name: str) -> Fixture:
    """Return the fixture called ``name``; a ``KeyError`` names the known ones."""
    for item in FIXTURES:
        if item.name == name:
            return item
    raise KeyError(f"fixtures: {', '.join(item.name for item in FIXTURES)}")
