"""``lifecycle.toml``: read, checked, and written by ``init`` with every key explained.

Unknown keys are refused with "did you mean"; nothing is guessed.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import secrets
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lifecycle.errors import ConfigurationError
from lifecycle.model import SCHEMAS, Rule

FILE_NAME = "lifecycle.toml"
SCHEMA_VERSION = 1
LONGEST_PERIOD_DAYS = 90
_PERIOD = re.compile(r"P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,5})D)?")


def parse_days(text: str) -> int:
    """Return the days of an ISO 8601 period that has only days, such as ``P90D``.

    Examples
    --------
    >>> parse_days("P90D")
    90
    """
    years, months, days = _parse_period(text)
    if years or months or days is None:
        raise ValueError(f"period {text!r} must be written in days, such as P90D")
    return days


def parse_months(text: str) -> int:
    """Return the months of an ISO 8601 period that has only years and months, such as ``P3M``."""
    years, months, days = _parse_period(text)
    if days is not None or not (years or months):
        raise ValueError(f"period {text!r} must be written in months, such as P3M")
    return 12 * years + months


def _parse_period(text: str) -> tuple[int, int, int | None]:
    match = _PERIOD.fullmatch(text)
    if not match or text == "P":
        raise ValueError(f"period {text!r} is not an ISO 8601 period such as P90D")
    years, months, days = match.groups()
    return int(years or 0), int(months or 0), None if days is None else int(days)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RuleTable(_Table):
    """``[rules.<dataset>]``: starting point and standard deletion period."""

    period: str
    why: str = Field(min_length=1)
    source: str = Field(min_length=1)
    basis: Literal["law", "contract", "choice"]
    cap: str = ""
    lead_days: int = Field(default=0, ge=0, le=LONGEST_PERIOD_DAYS)
    cancelled: Literal["booking", "cancellation"] = "booking"
    booking_horizon: str = "P365D"
    superseded: str = ""

    @field_validator("period")
    @classmethod
    def _not_longer_than_promised(cls, value: str) -> str:
        if not 1 <= parse_days(value) <= LONGEST_PERIOD_DAYS:
            raise ValueError(f"the promise is 90 days: {value!r} must lie between P1D and P{LONGEST_PERIOD_DAYS}D")
        return value

    def rule(self, dataset: str) -> Rule:
        return Rule(
            dataset=dataset,
            period_days=parse_days(self.period),
            why=self.why,
            source=self.source,
            basis=self.basis,
            cap_months=parse_months(self.cap) if self.cap else None,
            lead_days=self.lead_days,
            cancelled=self.cancelled,
            booking_horizon_days=parse_days(self.booking_horizon),
            superseded_days=parse_days(self.superseded) if self.superseded else None,
        )

    @model_validator(mode="after")
    def _all_periods_readable(self) -> RuleTable:
        rule = self.rule("")
        if rule.lead_days >= rule.period_days:
            raise ValueError("lead_days must be shorter than the period")
        return self


class PlaceTable(_Table):
    """``[[places]]``: where personal data lie, and whose word we have for it."""

    name: str = Field(min_length=1)
    kind: Literal["managed", "readable", "attested"]
    promised: str = ""
    confirmed_on: date | None = None
    confirmation: str = ""
    confirmation_sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    next_due_on: date | None = None


class CatalogueTable(_Table):
    """``[[catalogue]]``: one data type that the promise "all personal data" covers."""

    data_type: str = Field(min_length=1)
    rule: str = ""
    places: tuple[str, ...] = ()


class BackupTable(_Table):
    """``[[backups]]``: how long a backup of a place is kept."""

    place: str
    keep: str

    @field_validator("keep")
    @classmethod
    def _in_days(cls, value: str) -> str:
        parse_days(value)
        return value


_ADDRESS = r"[^\s@,<>]+@[^\s@,<>]+"
_ELSEWHERE = r"env:[A-Za-z_][A-Za-z0-9_]*|command:\s*\S.*"


class LedgerTable(_Table):
    """``[ledger]``: the log, its keys, how long it is kept, and who stamps it."""

    origin: str = Field(pattern=r"^[^\s+]{3,200}$")
    keys: str = "keys"
    seed: str = Field(default="file", pattern=rf"^(file|{_ELSEWHERE})$")
    next_seed: str = Field(default="", pattern=rf"^({_ELSEWHERE})?$")
    second_holder: str = Field(default="", pattern=r"^(command:\s*\S.*)?$")
    keep_years: int = Field(default=3, ge=1, le=30)
    timestamp_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    timestamp_ca: str = ""

    @model_validator(mode="after")
    def _stamps_can_be_checked(self) -> LedgerTable:
        if self.timestamp_url and not self.timestamp_ca:
            raise ValueError("timestamp_url needs timestamp_ca, or nobody could check the stamps")
        return self


class IngestTable(_Table):
    max_unpacked_bytes: int = Field(default=4 << 30, gt=0)
    columns: dict[str, str] = Field(default_factory=dict)


class RunTable(_Table):
    max_gap_days: int = Field(default=7, ge=1)
    plan_days: int = Field(default=7, ge=1)
    wait_seconds: int = Field(default=10, ge=0)


class NotifyTable(_Table):
    """``[notify]``: who is told of a run, and how."""

    when: Literal["problems", "always"] = "problems"
    webhook: str = Field(default="", pattern=r"^(https?://[^\s/@]+(/\S*)?)?$")
    webhook_secret: str = Field(default="", pattern=rf"^({_ELSEWHERE})?$")
    smtp: str = Field(default="", pattern=r"^(smtps?://[^\s/@]+)?$")
    smtp_user: str = ""
    smtp_secret: str = Field(default="", pattern=rf"^({_ELSEWHERE})?$")
    mail_from: str = Field(default="", pattern=rf"^({_ADDRESS})?$")
    mail_to: tuple[Annotated[str, Field(pattern=rf"^{_ADDRESS}$")], ...] = ()
    escalate_to: tuple[Annotated[str, Field(pattern=rf"^{_ADDRESS}$")], ...] = ()
    timeout_seconds: int = Field(default=10, ge=1, le=60)

    @model_validator(mode="after")
    def _can_be_sent(self) -> NotifyTable:
        if self.smtp and not (self.mail_from and (self.mail_to or self.escalate_to)):
            raise ValueError("smtp needs mail_from, and mail_to or escalate_to")
        if bool(self.smtp_user) != bool(self.smtp_secret):
            raise ValueError("smtp_user and smtp_secret belong together")
        if self.webhook_secret and not re.match(r"https://|http://(localhost|127\.0\.0\.1)[:/]", self.webhook):
            raise ValueError("webhook_secret needs an https:// webhook, or anybody on the way could read it")
        return self


class Settings(_Table):
    """One workspace's ``lifecycle.toml``.

    Attributes
    ----------
    perspective : "provider" or "practice"
        Whose system it is. A practice has no access to arztkonsultation's database.
    time_zone : str
        IANA name; day 0 and ``today`` are read in it.
    backups : tuple of BackupTable
        Mandatory; an empty list says in so many words that there are none.
    setup, templates : dict
        As they stand in the file; the mail room reads them (``mail.setup.Setup``, ``mail.house.HouseRules``).
    """

    schema_version: Literal[1]
    name: str = Field(min_length=1)
    perspective: Literal["provider", "practice"]
    time_zone: str = "Europe/Berlin"
    language: Literal["de", "en"] = "de"
    person_word: Literal["Patient", "Klient", "Leistungsnehmer"] = "Patient"
    ledger: LedgerTable
    ingest: IngestTable = IngestTable()
    run: RunTable = RunTable()
    notify: NotifyTable = NotifyTable()
    rules: dict[str, RuleTable]
    places: tuple[PlaceTable, ...]
    catalogue: tuple[CatalogueTable, ...]
    backups: tuple[BackupTable, ...]
    setup: dict[str, Any] = Field(default_factory=dict)
    templates: dict[str, Any] = Field(default_factory=dict)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def backup_days(self) -> int | None:
        """Longest time a backup is kept, in days; None where there are no backups."""
        return max((parse_days(backup.keep) for backup in self.backups), default=None)

    def rule(self, dataset: str) -> Rule:
        """Return the deletion rule of ``dataset``."""
        return self.rules[dataset].rule(dataset)

    @property
    def sha256(self) -> str:
        """Digest of the policy: rules, places, catalogue and backups, as every plan names it."""
        policy = self.model_dump_json(include={"time_zone", "rules", "places", "catalogue", "backups"})
        return hashlib.sha256(policy.encode()).hexdigest()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"time zone {value!r} is unknown{_did_you_mean(value, available_timezones())}")
        return value

    @model_validator(mode="after")
    def _names_fit(self) -> Settings:
        if set(self.rules) != set(SCHEMAS):
            raise ValueError(f"rules must be given for {' and '.join(SCHEMAS)}; given: {', '.join(self.rules)}")
        places = [place.name for place in self.places]
        if len(set(places)) != len(places):
            raise ValueError("two places have the same name")
        if "workspace" not in places:
            raise ValueError("the place 'workspace' (this folder's own store) is missing")
        named = [name for entry in self.catalogue for name in entry.places] + [b.place for b in self.backups]
        for name in named:
            if name not in places:
                raise ValueError(f"place {name!r} is not among [[places]]{_did_you_mean(name, places)}")
        return self


def read_settings(path: Path) -> Settings:
    """Read and check ``lifecycle.toml``.

    Raises
    ------
    ConfigurationError
        Missing, not TOML, an unknown key (with "did you mean"), or a value that cannot be followed.
    """
    if path.is_symlink():
        raise ConfigurationError(f"{path.name} is a symbolic link.", "put the file itself into the workspace")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name} is not valid TOML: {error}.", f"mend {path}") from error
    except OSError as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error.strerror}.", "lifecycle init DIR") from error
    _refuse_newer(table)
    try:
        return Settings.model_validate(table)
    except ValidationError as error:
        raise ConfigurationError(f"{path.name}: {_first_problem(error)}", f"mend {path}") from None


def _refuse_newer(table: dict[str, Any]) -> None:
    version = table.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{FILE_NAME} has schema version {version}; this lifecycle knows {SCHEMA_VERSION}.",
            "use the version of lifecycle that wrote it, or a newer one",
        )


def _first_problem(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    # A misspelt key shows up twice, as missing and as unknown; the second is the one that helps.
    first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        *parents, key = first["loc"]
        return f"unknown key '{where}'{_did_you_mean(str(key), _keys_at(tuple(map(str, parents))))}."
    if first["type"] == "missing":
        return f"key '{where}' is missing."
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "string_pattern_mismatch":
        message = f"expected {_FORMS[next(part for part in reversed(first['loc']) if isinstance(part, str))]}"
    return f"{where}: {message}." if where else f"{message}."


_FROM_ELSEWHERE = '"env:NAME" or "command:PROGRAM ARGS"'
_FORMS = {
    "confirmation_sha256": "64 lower-case hex digits",
    "origin": 'a name of 3 to 200 characters without blanks and "+"',
    "seed": f'"file", {_FROM_ELSEWHERE}',
    "next_seed": _FROM_ELSEWHERE,
    "second_holder": '"command:PROGRAM ARGS"',
    "timestamp_url": "an address with http:// or https://",
    "webhook": "an address with http:// or https://",
    "webhook_secret": _FROM_ELSEWHERE,
    "smtp": "smtp://HOST:PORT or smtps://HOST:PORT",
    "smtp_secret": _FROM_ELSEWHERE,
    "mail_from": "an e-mail address",
    "mail_to": "an e-mail address",
    "escalate_to": "an e-mail address",
}
"""What a key with a pattern is to look like: nobody wants to read the pattern."""

_TABLES: dict[str, type[_Table]] = {
    "": Settings,
    "rules": RuleTable,
    "places": PlaceTable,
    "catalogue": CatalogueTable,
    "backups": BackupTable,
    "ledger": LedgerTable,
    "ingest": IngestTable,
    "run": RunTable,
    "notify": NotifyTable,
}


def _keys_at(parents: tuple[str, ...]) -> list[str]:
    return list(_TABLES[parents[0] if parents else ""].model_fields)


def _did_you_mean(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def default_toml(name: str) -> str:
    """Return the text that ``init`` writes: works unedited, and explains every key."""
    # A folder may have a name of 255 bytes, with quotes and line ends in it.
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower())[:60].strip("-") or "workspace"
    name = "".join(letter if letter.isprintable() else " " for letter in name)
    # A log's name must be its own: two workspaces of one name must not share it.
    return _DEFAULT.replace("@NAME@", name.replace("\\", "").replace('"', "'")).replace(
        "@ORIGIN@", f"lifecycle.example/{slug}-{secrets.token_hex(4)}"
    )


_DEFAULT = (Path(__file__).parent / "default.toml").read_text(encoding="utf-8")
