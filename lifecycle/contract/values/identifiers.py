"""Numbers that name a person, an account or a practice; check digits decide wherever they exist.

Sources: KVNR § 290 SGB V (Wikipedia, gematik glossary); IBAN ISO 13616; Steuer-ID ISO 7064 Mod 11,10
(python-stdnum de.idnr); LANR check digit from general knowledge, reproduces the published examples.
"""

from __future__ import annotations

import re
from collections import Counter

import polars as pl

from lifecycle.contract.values.registry import EVERYWHERE, IDS, NAMES, WORDS, exactly, value_check
from lifecycle.model import Severity

_SEP = "[^0-9A-Za-z]{0,3}"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)

_KVNR_LIKELY = f"[A-Za-z](?:{_SEP}[0-9]){{9}}"
_KVNR = re.compile(
    rf"(?=((?:(?<![A-Za-z])[A-Za-z]{_SEP}|(?<=[a-zß-ÿ])[A-Z]{_SEP}|[A-Za-z])\d(?:{_SEP}\d){{8}})(\d*)((?:{_SEP}\d)*))"
)
"""The letter stands alone, touches its digits or is a capital after small ones: the end of a name is none of it."""
_KVNR_ALONE = re.compile(rf"(?<![0-9A-Za-z])([A-Za-z](?:{_SEP}\d){{9}})(\d*)((?:{_SEP}\d)*)")
"""In ids a letter with nine digits is common: there the number must stand alone."""

_IBAN_LIKELY = f"(?i)[A-Z]{_SEP}[A-Z](?:{_SEP}[0-9]){{2}}(?:{_SEP}[0-9A-Z]){{11}}"
_IBAN = re.compile(rf"(?=([A-Za-z]{_SEP}[A-Za-z](?:{_SEP}\d){{2}}(?:{_SEP}[0-9A-Za-z]){{11,30}}))")
_IBAN_LENGTHS = {
    "DE": 22, "AT": 20, "CH": 21, "LI": 21, "LU": 20, "NL": 18, "BE": 16, "FR": 27, "IT": 27, "ES": 24, "PT": 25,
    "PL": 28, "CZ": 24, "SK": 24, "HU": 28, "DK": 18, "SE": 24, "NO": 15, "FI": 18, "GB": 22, "IE": 22, "GR": 27,
    "TR": 26, "HR": 21, "RO": 24, "BG": 22, "SI": 19, "LT": 20, "LV": 21, "EE": 20, "CY": 28, "MT": 31,
}  # fmt: skip

_TAX_LIKELY = r"(?:^|[^0-9A-Za-z+])[1-9](?:[ .,:;/|*_-]{0,3}[0-9]){10}(?:[^0-9]|$)"
_TAX = re.compile(r"(?<![0-9A-Za-z+])[1-9](?:[ .,:;/|*_-]{0,3}\d){10}(?!\d)")
_TAX_WORD = re.compile(r"steuer|idnr|tax|\btin\b|ident", re.IGNORECASE)
_MOBILE_WITHOUT_ZERO = re.compile(r"1[567]")

_NINE_LIKELY = r"(?:^|[^0-9+])[0-9](?:[ .,:;/|*_-]?[0-9]){8}(?:[^0-9]|$)"
_NINE = re.compile(
    r"(?<![0-9A-Za-z+])(?<![0-9][ ./_-])(?<!\b[A-Za-z][ ./_-])\d(?:[ .,:;/|*_-]?\d){8}(?![ .,:;/|*_-]?\d)"
)
_DOCTOR_WORD = re.compile(r"\bl?arzt-?n|\blanr|\bbsnr|\bn?bsnr|betriebsst", re.IGNORECASE)


def kvnr_holds(number: str) -> bool:
    """Whether a letter and nine digits are a health insurance number by its check digit (§ 290 SGB V).

    Examples
    --------
    >>> kvnr_holds("A123456780"), kvnr_holds("A123456789")
    (True, False)
    """
    letter = ord(number[0].upper()) - ord("A") + 1
    digits = [int(d) for d in f"{letter:02d}{number[1:9]}"]
    products = (digit * (1 + i % 2) for i, digit in enumerate(digits))
    return sum(product // 10 + product % 10 for product in products) % 10 == int(number[9])


def iban_holds(number: str) -> bool:
    """Whether an IBAN without separators is one: length of its country, remainder 1 by 97."""
    if len(number) != _IBAN_LENGTHS.get(number[:2].upper(), 0):
        return False
    turned = number[4:] + number[:4]
    return int("".join(str(int(char, 36)) for char in turned)) % 97 == 1


def tax_id_holds(number: str) -> bool:
    """Whether eleven digits are a Steuer-ID: one digit twice or thrice among the first ten, check digit.

    Examples
    --------
    >>> tax_id_holds("36574261809"), tax_id_holds("36574261890")
    (True, False)
    """
    repeats = sorted(Counter(number[:10]).values())
    if number[0] == "0" or repeats[-1] not in (2, 3) or (len(repeats) > 1 and repeats[-2] > 1):
        return False
    rest = 10
    for digit in number[:10]:
        rest = (int(digit) + rest) % 10 or 10
        rest = rest * 2 % 11
    return (11 - rest) % 10 == int(number[10])


def lanr_holds(number: str) -> bool:
    """Whether nine digits are a doctor's number (LANR) by its check digit, and end in a speciality (01-99)."""
    total = sum(int(digit) * (4, 9)[i % 2] for i, digit in enumerate(number[:6]))
    return (10 - total % 10) % 10 == int(number[6]) and number[7:] != "00"


def _is_kvnr(match: re.Match[str]) -> bool:
    """Nine digits, or those of the long forms (20 and 30 places, in groups too), no other number of them."""
    behind = len(match[2]) in (0, 10, 20) or len(match[2] + _compact(match[3])) in (10, 20)
    return behind and kvnr_holds(_compact(match[1]))


def _ibans(text: str, *, alone: bool) -> list[tuple[int, int]]:
    """Where valid IBANs begin and end in a text."""
    found = []
    for match in _IBAN.finditer(text):
        begin = match.start(1)
        length = _IBAN_LENGTHS.get(_compact(match[1][:6])[:2].upper(), 0)
        places = [begin + i for i, char in enumerate(match[1]) if char.isascii() and char.isalnum()]
        if not length or len(places) < length or not iban_holds(_compact(match[1])[:length]):
            continue
        end = places[length - 1] + 1
        beside = text[begin - 1 : begin] + text[end : end + 1]
        if not (alone and re.search(r"[0-9A-Za-z]", beside)):
            found.append((begin, end))
    return found


def _compact(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", text)


@value_check(
    "kvnr",
    severity=Severity.ERROR,
    fields=("last_name", *(name for name in EVERYWHERE if name != "last_name")),
    good=("A123456789", "Müller", "Patient 12", ("email", "a123456789@example.org"), ("appointment_uid", "X12345678")),
    bad=(
        "A123456780",
        "Müller A123456780",
        "MüllerA123456780",
        "a 123 456 780",
        "A-123.456/780",
        "Ａ１２３４５６７８０",
        "А123456780",
        "A1234\u200b56780",
        "A1234567801234567897",
        ("email", "a123456780@example.org"),
        ("mobile", "A123456780"),
        ("appointment_uid", "uid-A123456780-1"),
        ("service_id", "A123456780"),
    ),
    sentence=(
        "A health insurance number (KVNR) stands in a field that may not hold one.",
        "In einem Feld steht eine Krankenversichertennummer (KVNR), die dort nicht stehen darf.",
    ),
)
def kvnr(text: pl.Expr, field: str) -> pl.Expr:
    """Ten places; the forms with 20 and 30 begin with them."""
    pattern = _KVNR_ALONE if field in IDS else _KVNR

    def holds(value: str) -> bool:
        if field in IDS and _UUID.fullmatch(value):
            return False
        places = [match.start(1) for match in pattern.finditer(value) if _is_kvnr(match)]
        ibans = _ibans(value, alone=False) if places else []  # the rest of an account's number is none
        return any(not any(begin <= place < end for begin, end in ibans) for place in places)

    return exactly(text, text.str.contains(_KVNR_LIKELY), holds)


@value_check(
    "iban",
    severity=Severity.ERROR,
    fields=("last_name", *(name for name in EVERYWHERE if name != "last_name")),
    good=("DE89370400440532013001", "Denk", ("appointment_uid", "DE00123456789012345678")),
    bad=(
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "Konto DE89-3704-0044-0532-0130-00 Müller",
        "ＤＥ89370400440532013000",
        "GB82WEST12345698765432",
        ("mobile", "DE89370400440532013000"),
    ),
    sentence=("A bank account number (IBAN) stands in a field.", "In einem Feld steht eine Kontonummer (IBAN)."),
)
def iban(text: pl.Expr, field: str) -> pl.Expr:
    """German ones and those of thirty other countries."""

    def holds(value: str) -> bool:
        return bool(_ibans(value, alone=field in IDS))

    return exactly(text, text.str.contains(_IBAN_LIKELY), holds)


@value_check(
    "steuer-id",
    severity=Severity.ERROR,
    fields=(*NAMES, "mobile", "email", *IDS, *WORDS),
    good=("36574261890", ("mobile", "15228817386"), ("appointment_uid", "36574261809"), ("mobile", "+4915228817386")),
    bad=("36574261809", "Steuer-ID 36 574 261 809", "36 574 261 809", ("appointment_uid", "steuerid-36574261809")),
    sentence=("A tax number (Steuer-ID) stands in a field.", "In einem Feld steht eine Steuer-Identifikationsnummer."),
)
def steuer_id(text: pl.Expr, field: str) -> pl.Expr:
    """Eleven digits; in ids only beside a word that says so, in the mobile field not where a zero was forgotten."""

    def holds(value: str) -> bool:
        if field in IDS and not _TAX_WORD.search(value):
            return False
        numbers = (_compact(match[0]) for match in _TAX.finditer(value.replace("_", " ")))
        return any(
            tax_id_holds(number) for number in numbers if field != "mobile" or not _MOBILE_WITHOUT_ZERO.match(number)
        )

    likely = text.str.contains(_TAX_LIKELY)
    return exactly(text, likely, holds)


@value_check(
    "lanr-bsnr",
    severity=Severity.WARNING,
    fields=(*NAMES, "calendar_ref", "service_id", "location"),
    good=("456456409", "Patient 12", ("calendar_ref", "838382202")),
    bad=("838382202", "LANR 456456409", "BSNR: 721234500", ("calendar_ref", "LANR 838382202"), "Praxis 838 382 202"),
    sentence=(
        "A doctor's or practice's number (LANR, BSNR) stands in a field.",
        "In einem Feld steht eine Arzt- oder Betriebsstättennummer (LANR, BSNR).",
    ),
)
def lanr_bsnr(text: pl.Expr, field: str) -> pl.Expr:
    """Nine digits with the word beside them, or, in a name, with the check digit of a LANR."""

    def holds(value: str) -> bool:
        numbers = [_compact(match[0]) for match in _NINE.finditer(value)]
        if _DOCTOR_WORD.search(value):
            return bool(numbers)
        return field in NAMES and any(lanr_holds(number) for number in numbers)

    return exactly(text, text.str.contains(_NINE_LIKELY), holds)
