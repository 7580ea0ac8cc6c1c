"""Whatever is found in its plain spelling is found in any other: separators, scripts, look-alikes, invisible signs."""

from __future__ import annotations

import random
import string
import sys
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from lifecycle.contract.load import default_contracts
from lifecycle.contract.values.identifiers import iban_holds, kvnr_holds, lanr_holds, tax_id_holds
from lifecycle.contract.values.normalise import normalised
from lifecycle.contract.values.registry import EVERYWHERE, NAMES, OWN_DATES, value_checks
from lifecycle.contract.values.scan import suspects_in

CONTRACT = default_contracts()["events"]
WHEN = datetime(2026, 5, 10, 8, 0, tzinfo=UTC)
CHECKS = {check.name: check for check in value_checks()}
EACH = 400

SEPARATORS = (
    "", " ", "  ", "-", ".", "/", "_", ",", ":", "|", "*", "\t", "\n", " - ", "\u00a0", "\u2009", "\u2007", "\u202f",
    "\u2011", "\u2013", "\u2212", "\u00b7", "\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u200e",
)  # fmt: skip
DIALLED = (*(s for s in SEPARATORS if not set(s) & set(",:|*\n\u00b7")),)
"""Signs between the digits of a telephone number."""

ZEROS = (0x30, 0xFF10, 0x660, 0x6F0, 0x966, 0xE50, 0x17E0, 0x1810, 0xF20, 0x1040, 0x1D7CE, 0x1D7F6, 0x2080)
LOOK_ALIKE = {
    "A": "АΑᎪꓮ", "B": "ВΒꓐ", "C": "СᏟ", "D": "ꓓＤ", "E": "ЕΕ", "H": "НΗ", "I": "ІΙ", "K": "КΚ", "M": "МΜ", "N": "Νꓠ",
    "O": "ОΟ", "P": "РΡ", "S": "Ѕ", "T": "ТΤ", "X": "ХΧ", "Y": "ΥҮ", "Z": "ΖᏃ",
}  # fmt: skip
AROUND = (("", ""), ("Müller ", ""), ("(", ")"), ("", ", geb."), ("Nr.: ", ""))


def digits(rng: random.Random, n: int) -> str:
    return "".join(rng.choices(string.digits, k=n))


def valid(rng: random.Random, head: Callable[[], str], holds: Callable[[str], bool]) -> str:
    return next(number for _ in range(100_000) if holds(number := head()))


def a_kvnr(rng: random.Random) -> str:
    """Of 10, 20 or 30 places."""
    letter = rng.choice(string.ascii_uppercase)
    number = valid(rng, lambda: letter + digits(rng, 9), kvnr_holds)
    return number + digits(rng, rng.choice((0, 0, 10, 20)))


def an_iban(rng: random.Random) -> str:
    country, length = rng.choice((("DE", 22), ("DE", 22), ("AT", 20), ("FR", 27), ("NO", 15), ("CH", 21)))
    return valid(rng, lambda: country + digits(rng, length - 2), iban_holds)


def a_tax_id(rng: random.Random) -> str:
    return valid(rng, lambda: digits(rng, 11), tax_id_holds)


def a_lanr(rng: random.Random) -> str:
    return valid(rng, lambda: digits(rng, 9), lanr_holds)


def a_phone(rng: random.Random) -> str:
    return rng.choice(("0152288", "+49152288", "0049152288", "03023125", "+43664000")) + digits(rng, 5)


def a_landline(rng: random.Random) -> str:
    return rng.choice(("03023125", "+496990009", "0049221471", "08999998")) + digits(rng, 3)


def spelled(rng: random.Random, number: str, separators: tuple[str, ...]) -> str:
    """In groups of one size or of several, in any script, with letters that look like these."""
    if number.startswith("+"):
        return "+" + spelled(rng, number[1:], separators)
    separator, zero, same = rng.choice(separators), rng.choice(ZEROS), rng.choice((1, 2, 3, 4, 5, 0))
    out, at = "", 0
    while at < len(number):
        size = same or rng.randint(2, 5)
        out += (separator if at else "") + number[at : at + size]
        at += size
    alike = rng.random() < 0.3
    changed = (
        chr(zero + int(c)) if c in string.digits else rng.choice(LOOK_ALIKE[c]) if alike and c in LOOK_ALIKE else c
        for c in out
    )
    return "".join(changed)


def missed(check: str, field: str, values: list[str]) -> list[str]:
    """The values, in ASCII, that the check does not find. They are made up, so they may be shown."""
    blank = {column.name: pl.lit(None, dtype=column.dtype) for column in CONTRACT.columns if column.name != field}
    blank |= {name: pl.lit(WHEN).cast(CONTRACT.column(name).dtype) for name in OWN_DATES}
    rows = pl.DataFrame({field: values}).with_columns(**blank, _channel=pl.lit(""), _at=pl.lit(0))
    hits: set[int] = set()
    for suspects in suspects_in(CONTRACT, rows, [field]):
        text = suspects.frame.with_columns(normalised(pl.col("raw")).alias("text"))
        hits.update(text.filter(CHECKS[check].find(pl.col("text"), field))["_row"].to_list())
    return [ascii(value) for i, value in enumerate(values) if i not in hits]


NUMBERS = {
    "kvnr": (a_kvnr, EVERYWHERE, SEPARATORS),
    "iban": (an_iban, EVERYWHERE, SEPARATORS),
    "steuer-id": (a_tax_id, (*NAMES, "location", "status", "origin"), SEPARATORS),
    "lanr-bsnr": (a_lanr, NAMES, tuple(s for s in SEPARATORS if len(s) < 2)),
    "phone-in-text": (a_phone, NAMES, DIALLED),
    "landline": (a_landline, ("mobile",), DIALLED),
}


@pytest.mark.slow
@pytest.mark.parametrize("check", NUMBERS)
def test_a_valid_number_is_found_in_any_field_in_any_spelling(check: str) -> None:
    """With anything between its digits, in the digits of any script, with letters that only look like it."""
    make, fields, separators = NUMBERS[check]
    rng = random.Random(check)
    for field in fields:
        values = [spelled(rng, make(rng), separators) for _ in range(EACH // len(fields) + 20)]
        if field == "email":
            values = [f"x.{value}@example.org" for value in values]
        elif field != "mobile":
            values = [value.join(rng.choice(AROUND)) for value in values]
        assert missed(check, field, values) == []


FORMS = (
    "%d.%m.%Y", "%d.%m.%y", "%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d. %m. %Y", "%d %m %Y", "%Y.%m.%d",
    "%d%m%Y",    "%Y%m%d", "%d. %B %Y", "%d. %b %Y", "%B %d, %Y", "%d,%m,%Y", "%d|%m|%Y", "%d_%m_%Y", "%d\u200b.%m.%Y",
    "%d\u2011%m\u2011%Y", "%d\u00b7%m\u00b7%Y",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
def test_a_date_of_birth_is_found_in_any_form(form: str) -> None:
    """German, ISO, American; in figures of other scripts."""
    rng = random.Random(form)
    days = (date(1930, 1, 1) + timedelta(days=rng.randrange(34_000)) for _ in range(40))
    script = {ord(c): rng.choice(ZEROS[:6]) + int(c) for c in string.digits}
    values = [rng.choice((day.strftime(form), day.strftime(form).translate(script))) for day in days]
    assert missed("date-of-birth", "last_name", values) == []


OTHERS = {
    "icd-10": ("F32.1", "f32.1", "F32 . 1", "Ｆ３２．１", "F\u200b32.1", "F32\u20241", "Р12.3", "S51.9 GL", "F32.-"),
    "email-in-text": (
        "a@example.org", "a @ example.org", "a＠example.org", "a(at)example.org", "a [at] example [dot] org",
        "A@EXAMPLE.ORG",
        "a at example.org", "a\u200b@example.org", "a﹫example.org", "а@ехаmple.org", "<a@example.org>",
    ),
    "url": (
        "https://example.org", "HTTPS://EXAMPLE.ORG", "www.example.org", "ht\u200btps://example.org",
        "ｈｔｔｐｓ：／／example.org",
        "hxxps://example.org", "www[.]example.org", "example.org:8080", "termin.online/abc", "www。example。org",
    ),
    "tan-or-link": ("A7K2M9Q4X1ZP", "a7k2m9q4x1zp", "A7K2-M9Q4-X1ZP", "A7K 2M9 Q4X 1ZP", "A7K2M9.Q4X1ZP",
                    "Ａ７Ｋ２Ｍ９Ｑ４Ｘ１ＺＰ", "А7К2М9Q4Х1ZР", "A7K2\u200bM9Q4\u200bX1ZP"),
    "street-or-postcode": (
        "Hauptstraße 12", "HAUPTSTRASSE 12", "Hauptstr. 12", "Hauptstraße, 12", "Hauptstraße Nr. 12",
        "Haupt\u00adstraße\u00a012",
        "Am Alten Markt 3", "Feldstieg １２", "12345\u00a0Musterstadt", "D-12345 Musterstadt",
    ),
    "html-or-script": ("<b>", "＜b＞", "<\u200bb>", "&lt;b&gt;", "%3Cscript%3E"),
    "medical-word": ("Diabetes", "DIABETES", "Diаbetes", "Dia\u200bbetes", "Ｄｉａｂｅｔｅｓ", "Dia\u00adbetes"),
}  # fmt: skip


@pytest.mark.parametrize("check", OTHERS)
def test_the_other_kinds_are_found_in_their_spellings_too(check: str) -> None:
    """Alone, behind a name and in brackets."""
    values = [before + value + after for value in OTHERS[check] for before, after in AROUND[:3]]
    assert missed(check, "last_name", values) == []


def test_the_digits_of_every_script_of_unicode_are_read() -> None:
    """Also of those that a later version of Unicode brings with a later Python."""
    every = [chr(c) for c in range(0x80, sys.maxunicode + 1) if unicodedata.category(chr(c)) == "Nd"]
    read = pl.DataFrame({"t": every}).select(normalised(pl.col("t"))).to_series().to_list()
    assert read == [str(unicodedata.decimal(c)) for c in every]
    assert len(every) > 600
