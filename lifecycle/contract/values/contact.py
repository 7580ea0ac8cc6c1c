"""Contact data of the wrong kind or in the wrong place: numbers, addresses, links, access codes.

Sources: mobile numbers python-phonenumbers region DE (ranges 15, 16, 17 of the Bundesnetzagentur); TAN
arztkonsultation's help page "TAN-Verwaltung" (12 letters and digits).
"""

from __future__ import annotations

import re

import polars as pl

from lifecycle.contract.values.registry import NAMES, WORDS, exactly, value_check
from lifecycle.model import Severity

_TEXTS = (*NAMES, "service_id", *WORDS)

_GERMAN_MOBILE = r"^\+491(?:5[0-9]{9}|6[0-9]{8,9}|7[0-9]{8,9})$"
ROLES = (
    "info", "kontakt", "contact", "praxis", "office", "buero", "büro", "empfang", "anmeldung", "rezeption", "mail",
    "service", "support", "team", "verwaltung", "sekretariat", "post", "postmaster", "admin", "webmaster", "noreply",
    "no-reply", "hello", "hallo", "rechnung", "buchhaltung", "termin", "termine", "vertrieb", "sales", "datenschutz",
)  # fmt: skip

_ROLE_FIRST = "(?:praxis|info|kontakt|office|empfang|anmeldung)"
"""Words that stay a function with something behind them: praxis-mueller@."""

_PHONE = r"(?:^|[^0-9A-Za-z.+-])(?:\+[1-9](?:[ ()/._-]{0,3}[0-9]){7,13}|\(?0(?:[ ()/._-]{0,3}[0-9]){8,14})(?:[^0-9]|$)"
_PHONE_ALONE = re.compile(
    r"(?<![0-9A-Za-z.+-])(?<![0-9][ ()/._-])(?<!\b[A-Za-z][ /._-])"
    r"(?:\+[1-9](?:[ ()/._-]{0,3}\d){7,13}|\(?0(?:[ ()/._-]{0,3}\d){8,14})(?!\d)"
)
"""Not the middle of a longer number that is spelled in groups."""

_TLDS = "de|com|org|net|eu|info|io|at|ch|app|test|invalid"
_MORE_TLDS = "online|site|shop|xyz|me|tv|health|care|clinic|doctor|berlin|hamburg|koeln|bayern|tirol|wien|cloud|dev"
"""These are names too (Dr.Berlin), so they count only with something behind them."""

_LOCAL = "[0-9a-z_%+-][0-9a-z._%+-]*"
_AT, _DOT = r" ?@ ?| ?[(\[{] ?(?:at|ät) ?[)\]}] ?", r"\.| ?[(\[{] ?(?:dot|punkt) ?[)\]}] ?"
_EMAIL = (
    rf"(?i){_LOCAL}(?:{_AT})[0-9a-z-]+(?:{_DOT})[a-z]{{2,}}"
    rf"|{_LOCAL} at (?:[0-9a-z-]+\.)+(?:{_TLDS})(?:[^0-9a-z]|$)"
)

_URL = (
    rf"(?i)https?:|h..ps?://|ftp:|www(?:\.|\[\.\]|\(\.\))|\b[0-9a-z-]{{2,}}\.(?:{_TLDS})(?:[/?#:]|$|[ ),;])"
    rf"|\b[0-9a-z-]{{2,}}\.(?:{_MORE_TLDS})[/?#:]"
)
_URL_IN_IDS = r"(?i)https?:|ftp:|www\."

_TAN_WORD = r"(?i)(?:^|[^a-z])tan(?:[-_ ]?(?:code|nr|nummer))?[ :=#-]{1,3}[0-9a-z]{6,12}(?:[^0-9a-z]|$)"
_TAN_LINK = r"(?i)arztkonsultation\.de|[?&](?:tan|tid|token|pin)=|%?meetingpassword%?|/video/|beitritts-?link"
_CODE = "[0-9A-Za-z]{12}|" + "|".join(
    rf"[0-9A-Z]{{{size}}}(?:[ .-][0-9A-Z]{{{size}}}){{{12 // size - 1}}}" for size in (2, 3, 4, 6)
)
_TWELVE = rf"(?:^|[^0-9A-Za-z])(?:{_CODE})(?:[^0-9A-Za-z]|$)"
_TWELVE_ALONE = re.compile(rf"(?<![0-9A-Za-z])(?:{_CODE})(?![0-9A-Za-z])")
_CHANGE = re.compile(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")


def dialled(text: pl.Expr) -> pl.Expr:
    """A number as it is dialled from abroad: ``+`` and digits; German ones may begin with 0 or 0049."""
    digits = text.str.replace(r"\(0\)", "").str.replace_all(r"[ ()/._-]", "")
    return digits.str.replace(r"^00", "+").str.replace(r"^0", "+49").str.replace(r"^\+490", "+49")


@value_check(
    "landline",
    severity=Severity.ERROR,
    fields=("mobile",),
    good=("+4915228817386", "0152 28817386", "0049 (0)171 3920000", "+43 664 1234567", "n/a", "+49 (0) 176/04069000"),
    bad=("030 23125000", "+49 69 90009000", "0049-40-66969000", "0221/4710000", "0800 1234567", "+49 152 1"),
    sentence=(
        "The mobile field holds a German number that is no mobile number.",
        "Im Feld Mobilnummer steht eine deutsche Nummer, die keine Mobilfunknummer ist.",
    ),
)
def landline(text: pl.Expr, _field: str) -> pl.Expr:
    """Any +49 number outside the mobile ranges, or too short or long for one."""
    number = dialled(text)
    return number.str.contains(r"^\+49[0-9]{3,}$") & ~number.str.contains(_GERMAN_MOBILE)


@value_check(
    "foreign-number",
    severity=Severity.NOTE,
    fields=("mobile",),
    good=("+4915228817386", "030 23125000", "n/a"),
    bad=("+43 664 1234567", "0041 79 123 45 67", "+1 (202) 555-0100"),
    sentence=(
        "The mobile field holds a number of another country; whether it is a mobile number is not checked.",
        "Im Feld Mobilnummer steht eine ausländische Nummer; ob sie eine Mobilfunknummer ist, wird nicht geprüft.",
    ),
)
def foreign_number(text: pl.Expr, _field: str) -> pl.Expr:
    """A number that begins with a country code other than Germany's."""
    number = dialled(text)
    return number.str.contains(r"^\+[1-9][0-9]{6,14}$") & ~number.str.starts_with("+49")


@value_check(
    "role-address",
    severity=Severity.NOTE,
    fields=("email",),
    good=("anna@example.org", "informatik.anna@example.org", "postel@example.org"),
    bad=("info@example.org", "Praxis@example.com", "no-reply@example.net", "info+1@example.org"),
    sentence=(
        "An e-mail address belongs to a function (info@, praxis@), not to a person.",
        "Eine E-Mail-Adresse gehört zu einer Funktion (info@, praxis@), nicht zu einer Person.",
    ),
)
def role_address(text: pl.Expr, _field: str) -> pl.Expr:
    """Several people may read what is sent there."""
    return text.str.contains(
        rf"(?i)^(?:{'|'.join(map(re.escape, ROLES))})[0-9]{{0,2}}(?:\+[^@]*)?@|^{_ROLE_FIRST}[._-][^@]*@"
    )


@value_check(
    "phone-in-text",
    severity=Severity.ERROR,
    fields=_TEXTS,
    good=("Anna 2", "01.02.1980", "Müller", "P-0012345", ("service_id", "123456789012")),
    bad=(
        "0152 28817386",
        "Anna +49 152 28817386",
        "Tel. 030/23125000",
        "０１５２２８８１７３８６",
        "Müller (0171-3920000)",
    ),
    sentence=("A phone number stands in a name or text.", "In einem Namen oder Text steht eine Telefonnummer."),
)
def phone_in_text(text: pl.Expr, field: str) -> pl.Expr:
    """At least nine digits that begin with 0, or eight after a plus; in a key only spelled like a number to dial."""
    likely = text.str.contains(_PHONE)
    if field == "service_id":
        likely = likely & text.str.contains("[ +/]")
    return exactly(text, likely, lambda value: _PHONE_ALONE.search(value) is not None)


@value_check(
    "email-in-text",
    severity=Severity.ERROR,
    fields=(*_TEXTS, "mobile"),
    good=("Anna", "A. Müller", "van der Berg", "Anna at St.Anna"),
    bad=(
        "anna@example.org",
        "Müller anna.m@example.com",
        "anna (at) example.org",
        "anna at example.org",
        "anna @ example.org",
        "anna@exаmple.org",
        "anna\u200b@example.org",
        ("mobile", "a@example.org"),
    ),
    sentence=(
        "An e-mail address stands in a field for something else.",
        "In einem anderen Feld steht eine E-Mail-Adresse.",
    ),
)
def email_in_text(text: pl.Expr, _field: str) -> pl.Expr:
    """Also with "(at)" in place of the sign."""
    return text.str.contains(_EMAIL)


@value_check(
    "url",
    severity=Severity.ERROR,
    fields=("last_name", "first_name", "email", "mobile", "appointment_uid", "calendar_ref", "service_id", *WORDS),
    good=(
        "St. Clair",
        "A.Müller",
        "Dr.Berlin",
        ("email", "anna@example.org"),
        ("appointment_uid", "abc@etermin.net"),
        "Anna M.",
    ),
    bad=(
        "https://example.org/x",
        "www.example.org",
        "example.org/termin",
        "termin.online/17",
        "www[.]example.org",
        "Müller http://a.b",
        ("email", "http://example.org"),
        ("appointment_uid", "https://example.org/1"),
    ),
    sentence=("A link stands in a field.", "In einem Feld steht ein Link."),
)
def url(text: pl.Expr, field: str) -> pl.Expr:
    """In names a bare domain too."""
    if field not in _TEXTS:
        return text.str.contains(_URL_IN_IDS)
    return text.str.replace_all(_EMAIL, " ").str.contains(_URL)  # an address has its own check


@value_check(
    "tan-or-link",
    severity=Severity.ERROR,
    fields=("last_name", "first_name", "email", "mobile", "appointment_uid", "calendar_ref", "service_id", *WORDS),
    good=("Patient12345", "Tanja Tander", "Abcdefghijkl", ("appointment_uid", "a1b2c3d4e5f6"), "Tan", "123456789012"),
    bad=(
        "A7K2M9Q4X1ZP",
        "a7k2m9q4x1zp",
        "TAN: A7K2M9Q4X1ZP",
        "A7K2-M9Q4-X1ZP",
        "A7K-2M9-Q4X-1ZP",
        "A7K2M9 Q4X1ZP",
        "tan=abcdefgh1234",
        ("appointment_uid", "https://www.arztkonsultation.de/?tan=A7K2M9Q4X1ZP"),
        ("mobile", "A7K2M9Q4X1ZP"),
        ("location", "https://demo.arztkonsultation.de/video/17?tid=abc"),
    ),
    sentence=(
        "An access code (TAN) or a link into the video consultation stands in a field.",
        "In einem Feld steht ein Zugangscode (TAN) oder ein Link in die Videosprechstunde.",
    ),
)
def tan_or_link(text: pl.Expr, field: str) -> pl.Expr:
    """Twelve mixed letters and digits; in ids and addresses, which look alike, only with the word or a link."""
    named = text.str.contains(_TAN_LINK) | text.str.contains(_TAN_WORD)
    if field in ("appointment_uid", "calendar_ref", "service_id", "email"):
        return named
    return named | exactly(text, text.str.contains(_TWELVE), _mixed).fill_null(False)


def _mixed(value: str) -> bool:
    found = (re.sub(r"[ .-]", "", match[0]) for match in _TWELVE_ALONE.finditer(value))
    return any(len(_CHANGE.findall(code)) >= 2 for code in found)
