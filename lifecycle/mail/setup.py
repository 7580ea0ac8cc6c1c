"""The set-up of the connection, as the help page of arztkonsultation prescribes it, and what is wrong with it.

A pure module: the description comes from ``lifecycle.toml`` or from eTermin's REST dumps, findings go out. Each
check names the German menu path where it is mended (``MENU_PATHS``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from difflib import get_close_matches
from typing import Any

from lifecycle.errors import ConfigurationError
from lifecycle.model import Finding, Outcome, Severity

VIDEO = "Arztkonsultation"
CONSENT_VALID_DAYS = 365
CONTRACT_VALID_DAYS = 365

_REFERENCE = "eTermin: Unternehmen >> Kalender >> Erweiterte Einstellungen, Feld „Referenz zu Drittsystem“"
_RETENTION = "eTermin: Account >> Datenschutz (in der Anwendung auch: Account Verwalten >> Datenschutz)"

MENU_PATHS: Mapping[str, str] = {
    "setup-calendar-unmapped": _REFERENCE,
    "setup-calendar-shared": _REFERENCE,
    "setup-location": (
        "eTermin: Unternehmen >> Einstellungen >> Kommunikation, „Ortsangabe bei online gebuchten Terminen“;"
        " je Leistung: Leistungsspezifische Einstellungen"
    ),
    "setup-confirmation-off": (
        "eTermin: Unternehmen >> Einstellungen >> Kommunikation,"
        " „Terminbestätigung via E-Mail senden (online gebuchter Termin)“"
    ),
    "setup-provider-notice-off": (
        "eTermin: Unternehmen >> Einstellungen >> Kommunikation,"
        " „Benachrichtigung senden wenn online ein Termin gebucht wurde“"
    ),
    "setup-both-notify": "arztkonsultation: AdminUI >> Firmen >> Firma bearbeiten >> Reiter „Benachrichtigungen“",
    "setup-none-notifies": (
        "eTermin: Unternehmen >> Einstellungen >> Kommunikation,"
        " „Terminbestätigung via E-Mail senden (online gebuchter Termin)“"
    ),
    "setup-arztkonsultation-notifies": (
        "arztkonsultation: AdminUI >> Firmen >> Firma bearbeiten >> Reiter „Benachrichtigungen“"
    ),
    "setup-reminders-off": "eTermin: Unternehmen >> Einstellungen >> Kommunikation",
    "setup-reminder-consent": "Einwilligung in Erinnerungen ablegen, dann lifecycle.toml: [setup] reminder_consent",
    "setup-retention-missing": _RETENTION,
    "setup-retention-too-long": _RETENTION,
    "setup-consent-evidence": "Patientenakte prüfen, dann lifecycle.toml: [setup] consent_evidence_confirmed_on",
    "setup-processor-contract": "AVV ablegen (eTermin: Verwalten >> Datenschutz); lifecycle.toml: [setup.processors]",
    "setup-dump-unreadable": (
        "eTermin: API-Schnittstellen >> Integration; die Antwort von GET /api/service oder /api/calendar unverändert"
        " als Datei ablegen und in lifecycle.toml: [setup] service_dump, calendar_dump nennen"
    ),
}
"""Where each finding is mended."""


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor contract (AVV): when it was signed and when it was last confirmed to be in force."""

    name: str
    signed_on: date | None = None
    confirmed_on: date | None = None


_FOUND = {"found": True}  # learnt from a dump: no key of the table


@dataclass(frozen=True, slots=True)
class Setup:
    """The set-up as the workspace describes it. ``None`` means: nobody has said, so the check is unknown.

    Attributes
    ----------
    calendars : mapping of str to str
        eTermin calendar id to arztkonsultation user id ("Referenz zu Drittsystem"); empty means not mapped.
    default_location : str or None
        "Ortsangabe bei online gebuchten Terminen".
    services : mapping of str to str
        Service id to its own location; empty means the default applies. ``in_person`` lists ids meant to be.
    notify_patient, notify_provider : bool or None
        The two recommended options of eTermin.
    arztkonsultation_notifies : bool or None
        Whether arztkonsultation still sends its own mails (recommended: off).
    reminders : int or None
        How many reminders are on (0 to 3).
    reminder_consent : bool or None
        Whether patients consent to being reminded by mail or SMS.
    etermin_retention_days : int or None
        eTermin's own retention; 0 means never deleted.
    consent_evidence_confirmed_on : date or None
        When somebody last confirmed that consent lies in the patient record.
    service_dump, calendar_dump : str
        Paths of eTermin's REST answers, which go before the description; read in place, never stored.
    unclear_services, silenced_services : frozenset of str
        From the dump: services whose location it does not tell in words, and those with ``NOEMAIL``.
    dumped_calendars : frozenset of str
        From the dump: the calendars that there are.
    unread : tuple of str
        Which of the two dumps could not be read.
    """

    calendars: Mapping[str, str] | None = None
    default_location: str | None = None
    services: Mapping[str, str] = field(default_factory=dict)
    in_person: frozenset[str] = frozenset()
    notify_patient: bool | None = None
    notify_provider: bool | None = None
    arztkonsultation_notifies: bool | None = None
    reminders: int | None = None
    reminder_consent: bool | None = None
    etermin_retention_days: int | None = None
    consent_evidence_confirmed_on: date | None = None
    processors: tuple[Processor, ...] = ()
    service_dump: str = ""
    calendar_dump: str = ""
    unclear_services: frozenset[str] = field(default=frozenset(), metadata=_FOUND)
    silenced_services: frozenset[str] = field(default=frozenset(), metadata=_FOUND)
    dumped_calendars: frozenset[str] = field(default=frozenset(), metadata=_FOUND)
    unread: tuple[str, ...] = field(default=(), metadata=_FOUND)

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any]) -> Setup:
        """Build a set-up from the table ``[setup]`` of ``lifecycle.toml``.

        Raises
        ------
        ConfigurationError
            For an unknown key or a value of the wrong kind.

        Examples
        --------
        >>> import tomllib
        >>> text = '''
        ... [setup]
        ... default_location = "Arztkonsultation"   # Ortsangabe bei online gebuchten Terminen
        ... in_person = ["4712"]                    # services that are meant to be in person
        ... notify_patient = true
        ... notify_provider = true
        ... arztkonsultation_notifies = false
        ... reminders = 2
        ... reminder_consent = true
        ... etermin_retention_days = 90
        ... consent_evidence_confirmed_on = 2026-03-01
        ... [setup.calendars]                       # Referenz zu Drittsystem
        ... 1001 = "200001"
        ... [setup.services]                        # empty: the default applies
        ... 4711 = ""
        ... 4712 = "Praxis"
        ... [setup.processors.etermin]
        ... signed_on = 2026-01-15
        ... '''
        >>> Setup.from_mapping(tomllib.loads(text)["setup"]).location_of("4711")
        'Arztkonsultation'
        """
        known = {item.name for item in fields(cls) if not item.metadata}
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key not in known:
                close = get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]}?" if close else "one of " + ", ".join(sorted(known))
                raise ConfigurationError(f"lifecycle.toml: [setup] has no key '{key}'.", hint)
            values[key] = _value(key, value)
        return cls(**values)

    def location_of(self, service: str) -> str | None:
        """Return the effective location of a service: its own, else the default."""
        return self.services.get(service) or self.default_location

    @property
    def is_mixed(self) -> bool:
        """Whether appointments in person and video appointments share the templates."""
        places = {self.location_of(service) for service in self.services} - {None, ""}
        return bool(self.in_person) or (VIDEO in places and len(places) > 1)


_KINDS: Mapping[str, tuple[type, str]] = {
    "default_location": (str, "a text"),
    "notify_patient": (bool, "true or false"),
    "notify_provider": (bool, "true or false"),
    "arztkonsultation_notifies": (bool, "true or false"),
    "reminders": (int, "a number"),
    "reminder_consent": (bool, "true or false"),
    "etermin_retention_days": (int, "a number of days"),
    "consent_evidence_confirmed_on": (date, "a date such as 2026-01-31"),
    "service_dump": (str, "a path"),
    "calendar_dump": (str, "a path"),
}


def _value(key: str, value: Any) -> Any:
    if key in {"calendars", "services"}:
        if not isinstance(value, Mapping):
            raise ConfigurationError(f"lifecycle.toml: [setup] {key} must be a table.", f"[setup.{key}]")
        return {str(name): str(entry) for name, entry in value.items()}
    if key == "in_person":
        if not isinstance(value, list):
            raise ConfigurationError("lifecycle.toml: [setup] in_person must be a list of ids.", 'in_person = ["4712"]')
        return frozenset(str(name) for name in value)
    if key == "processors":
        if not isinstance(value, Mapping):
            raise ConfigurationError(
                "lifecycle.toml: [setup] processors must be a table.", "[setup.processors.etermin]"
            )
        return tuple(_processor(str(name), entry) for name, entry in dict(value).items())
    kind, words = _KINDS[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ConfigurationError(f"lifecycle.toml: [setup] {key} must be {words}.")
    return value


def _processor(name: str, entry: Any) -> Processor:
    dates = {"signed_on", "confirmed_on"}
    if not isinstance(entry, Mapping) or set(entry) - dates or not all(isinstance(v, date) for v in entry.values()):
        raise ConfigurationError(
            "lifecycle.toml: a processor has the dates signed_on and confirmed_on.",
            "[setup.processors.etermin] signed_on = 2026-01-31",
        )
    return Processor(name, entry.get("signed_on"), entry.get("confirmed_on"))


_Check = Callable[[Setup, date, int], Iterator[Finding]]
SETUP_CHECKS: list[_Check] = []


def setup_check(function: _Check) -> _Check:
    """Register one check of the set-up."""
    SETUP_CHECKS.append(function)
    return function


def check_setup(setup: Setup, as_of: date, rule_days: int) -> tuple[Finding, ...]:
    """Check a set-up against the instructions.

    Parameters
    ----------
    setup : Setup
    as_of : date
        Local date; evidence older than a year is out of date.
    rule_days : int
        The period of the deletion rule: eTermin's own retention must not be longer.

    Returns
    -------
    tuple of Finding
        Failed or unknown ones only, dataset ``setup``; where each is mended stands in ``MENU_PATHS``.
    """
    return tuple(found for check in SETUP_CHECKS for found in check(setup, as_of, rule_days))


def _finding(check: str, item: str, severity: Severity, outcome: Outcome = Outcome.FAILED, count: int = 1) -> Finding:
    return Finding(check, "setup", "workspace", item, severity, count, outcome)


def _unknown(check: str, item: str, severity: Severity = Severity.WARNING) -> Finding:
    return _finding(check, item, severity, Outcome.UNKNOWN)


@setup_check
def _calendars(setup: Setup, as_of: date, rule_days: int) -> Iterator[Finding]:  # noqa: ARG001
    """Each calendar belongs to exactly one user of arztkonsultation."""
    if setup.calendars is None:
        yield _unknown("setup-calendar-unmapped", "calendars")
        return
    users = [user.strip() for user in setup.calendars.values() if user.strip()]
    for number, user in enumerate(setup.calendars.values(), start=1):
        if not user.strip():
            yield _finding("setup-calendar-unmapped", f"calendar {number}", Severity.ERROR)
        elif users.count(user.strip()) > 1:
            yield _finding("setup-calendar-shared", f"calendar {number}", Severity.WARNING)
    if undescribed := len(setup.dumped_calendars - set(setup.calendars)):
        yield replace(_unknown("setup-calendar-unmapped", "calendar_dump"), count=undescribed)


@setup_check
def _locations(setup: Setup, as_of: date, rule_days: int) -> Iterator[Finding]:  # noqa: ARG001
    """Every service has a location, and it is Arztkonsultation unless the service is meant to be in person."""
    if setup.default_location is None and not setup.services:
        yield _unknown("setup-location", "default_location")
    for number, service in enumerate(setup.services, start=1):
        place = setup.location_of(service)
        item = f"service {service}" if service.isdigit() else f"service {number}"
        if place is None:
            yield _unknown("setup-location", item)
        elif (place == VIDEO) == (service in setup.in_person):
            yield _finding("setup-location", item, Severity.ERROR)
    if setup.unclear_services:
        yield replace(_unknown("setup-location", "service_dump"), count=len(setup.unclear_services))
    if not setup.services and setup.default_location not in (None, VIDEO):
        yield _finding("setup-location", "default_location", Severity.ERROR)


@setup_check
def _notifications(setup: Setup, as_of: date, rule_days: int) -> Iterator[Finding]:  # noqa: ARG001
    """The two recommended options are on and arztkonsultation's mails are off: one system writes."""
    patient, other = setup.notify_patient, setup.arztkonsultation_notifies
    silent = [service for service in setup.silenced_services if setup.location_of(service) == VIDEO]
    if patient and other is False and silent:
        yield replace(_finding("setup-none-notifies", "service_dump", Severity.ERROR), count=len(silent))
    if patient is None:
        yield _unknown("setup-confirmation-off", "notify_patient")
    if other is None:
        yield _unknown("setup-arztkonsultation-notifies", "arztkonsultation_notifies")
    if patient and other:
        yield _finding("setup-both-notify", "arztkonsultation_notifies", Severity.ERROR)
    elif patient is False and other is False:
        yield _finding("setup-none-notifies", "notify_patient", Severity.ERROR)
    elif patient is False:
        yield _finding("setup-confirmation-off", "notify_patient", Severity.WARNING)
    if other and not patient:
        yield _finding("setup-arztkonsultation-notifies", "arztkonsultation_notifies", Severity.WARNING)
    if not setup.notify_provider:
        outcome = Outcome.UNKNOWN if setup.notify_provider is None else Outcome.FAILED
        yield _finding("setup-provider-notice-off", "notify_provider", Severity.WARNING, outcome)


@setup_check
def _reminders(setup: Setup, as_of: date, rule_days: int) -> Iterator[Finding]:  # noqa: ARG001
    """Reminders by mail or SMS need a basis of their own; being without reminders is only a note."""
    if setup.reminders is None:
        yield _unknown("setup-reminders-off", "reminders", Severity.NOTE)
    elif setup.reminders == 0:
        yield _finding("setup-reminders-off", "reminders", Severity.NOTE)
    elif not setup.reminder_consent:
        outcome = Outcome.UNKNOWN if setup.reminder_consent is None else Outcome.FAILED
        yield _finding("setup-reminder-consent", "reminder_consent", Severity.WARNING, outcome)


@setup_check
def _retention(setup: Setup, as_of: date, rule_days: int) -> Iterator[Finding]:  # noqa: ARG001
    """eTermin deletes by itself, and not later than the rule."""
    days = setup.etermin_retention_days
    if days is None:
        yield _unknown("setup-retention-missing", "etermin_retention_days")
    elif days <= 0:
        yield _finding("setup-retention-missing", "etermin_retention_days", Severity.ERROR)
    elif days > rule_days:
        yield _finding("setup-retention-too-long", "etermin_retention_days", Severity.ERROR)


@setup_check
def _consent_evidence(setup: Setup, as_of: date, rule_days: int) -> Iterator[Finding]:  # noqa: ARG001
    """Once a year somebody confirms that consent lies in the patient record: it must outlive the deletion here."""
    day = setup.consent_evidence_confirmed_on
    if day is None or day > as_of:
        yield _unknown("setup-consent-evidence", "consent_evidence_confirmed_on")
    elif (as_of - day).days > CONSENT_VALID_DAYS:
        yield _finding("setup-consent-evidence", "consent_evidence_confirmed_on", Severity.WARNING)


@setup_check
def _processors(setup: Setup, as_of: date, rule_days: int) -> Iterator[Finding]:  # noqa: ARG001
    """Both processors have a contract with a date, confirmed within the last year."""
    known = {processor.name.lower(): processor for processor in setup.processors}
    for name in dict.fromkeys(("etermin", "arztkonsultation", *known)):
        processor = known.get(name)
        if processor is None or processor.signed_on is None:
            yield _unknown("setup-processor-contract", name)
            continue
        latest = max(processor.signed_on, processor.confirmed_on or processor.signed_on)
        if latest > as_of or (as_of - latest).days > CONTRACT_VALID_DAYS:
            yield _finding("setup-processor-contract", name, Severity.WARNING)


@setup_check
def _dumps(setup: Setup, as_of: date, rule_days: int) -> Iterator[Finding]:  # noqa: ARG001
    """A dump that is named can be read; else what it would have told is unknown."""
    for key in setup.unread:
        yield _unknown("setup-dump-unreadable", key)
