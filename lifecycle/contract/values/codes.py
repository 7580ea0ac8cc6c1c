"""Dates of birth and medical codes. Source: BfArM (ICD-10-GM, OPS)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

import polars as pl

from lifecycle.contract.values.registry import IDS, NAMES, OWN_DATES, WORDS, exactly, value_check
from lifecycle.model import Severity

_MONTHS = {
    "jan": 1, "feb": 2, "mär": 3, "mae": 3, "mar": 3, "apr": 4, "mai": 5, "may": 5, "jun": 6, "jul": 7, "aug": 8,
    "sep": 9, "okt": 10, "oct": 10, "nov": 11, "dez": 12, "dec": 12,
}  # fmt: skip
_MONTH = r"(jan|feb|mär|mae|mar|apr|mai|may|jun|jul|aug|sep|okt|oct|nov|dez|dec)[a-zä]{0,6}\.?"
_SIGN = r" ?[.,/_|-] ?"
_YEAR = r"((?:19|20)\d{2})"
_DATES = (
    ("dmy", re.compile(rf"(?<!\d)(\d{{1,2}}){_SIGN}(\d{{1,2}}){_SIGN}(\d{{4}}|\d{{2}})(?!\d)")),
    ("mdy", re.compile(rf"(?<!\d)(\d{{1,2}})/(\d{{1,2}})/{_YEAR}(?!\d)")),
    ("ymd", re.compile(rf"(?<!\d){_YEAR}{_SIGN}(\d{{1,2}}){_SIGN}(\d{{1,2}})(?!\d)")),
    ("dmy", re.compile(rf"(?<!\d)(?<!\d )(\d{{1,2}}) (\d{{1,2}}) {_YEAR}(?! ?\d)")),
    ("ymd", re.compile(rf"(?<!\d){_YEAR}(\d{{2}})(\d{{2}})(?!\d)")),
    ("dmy", re.compile(rf"(?<!\d)(\d{{2}})(\d{{2}}){_YEAR}(?!\d)")),
    ("dMy", re.compile(rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th)?\.? ?{_MONTH},? ?(\d{{4}})(?!\d)", re.IGNORECASE)),
    ("Mdy", re.compile(rf"{_MONTH} ?(\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})(?!\d)", re.IGNORECASE)),
)
_DATE_LIKELY = (
    r"(?i)[0-9] [0-9]{1,2} (?:19|20)[0-9]{2}|[0-9] ?[.,/_|-] ?[0-9]{1,2} ?[.,/_|-] ?[0-9]{1,4}|(?:19|20)[0-9]{6}"
    r"|[0-9]{4}(?:19|20)[0-9]{2}"
    r"|[0-9](?:st|nd|rd|th)?\.? ?(?:jan|feb|mär|mae|mar|apr|mai|may|jun|jul|aug|sep|okt|oct|nov|dez|dec)"
    r"|(?:jan|feb|mär|mae|mar|apr|mai|may|jun|jul|aug|sep|okt|oct|nov|dez|dec)[a-zä]{0,6}\.? ?[0-9]"
)
_BORN = re.compile(r"\bgeb|\bborn|\bdob\b|birth|\*", re.IGNORECASE)

_ICD_SURE = r"(?:^|[^0-9A-Za-z.])[A-TV-Z][0-9]{2} ?\. ?(?:[0-9]{1,2}|-)[+*!†]?(?: ?[VGAZRLB]){0,2}(?:[^0-9A-Za-z@.]|$)"
_ICD_SHORT = re.compile(r"(?<![0-9A-Za-z])[A-TV-Z]\d{2}(?:\.\d{1,2}|\.-)?[+*!†]?(?: ?[VGAZRLB]){0,2}(?![0-9A-Za-z])")
_ICD_WORD = re.compile(
    r"\bicd|diagnos|\bdiag\b|\bdx\b|\bv\. ?a\.|\bz\. ?n\.|verdacht|zustand nach|\bv\.a\b|befund|erkrank", re.IGNORECASE
)
_OPS_SURE = r"(?:^|[^0-9A-Za-z])[1356789]-[0-9]{2}[0-9a-z]\.[0-9a-z]{1,2}(?:[^0-9A-Za-z]|$)"
_OPS_SHORT = re.compile(r"(?<![0-9A-Za-z])[1356789]-\d{2}[0-9a-z](?:\.[0-9a-z]{1,2})?(?![0-9A-Za-z])")
_OPS_WORD = re.compile(r"\bops\b|prozedur|eingriff|operation", re.IGNORECASE)


def dates_in(text: str) -> Iterator[date]:
    """The dates that a text may mean; two-digit years are read as 19.. and 20.."""
    for order, pattern in _DATES:
        for match in pattern.finditer(text):
            first, middle, last = match.groups()
            # ISO order is read backwards, the American one has day and month changed over.
            day, middle, year = {
                "ymd": (last, middle, first),
                "mdy": (middle, first, last),
                "Mdy": (middle, first, last),
            }.get(order, (first, middle, last))
            month = _MONTHS.get(middle.lower()) or int(middle)
            for century in ("19", "20") if len(year) == 2 else ("",):
                try:
                    yield date(int(century + year), month, int(day))
                except ValueError:
                    continue


def _birth_date_in(text: str, own: list[date]) -> bool:
    """Whether a date in the text may be a date of birth, given the row's own dates.

    It lies at most 120 years before the appointment and not after it, and is none of the row's own (a day more or
    less, since those are UTC).
    """
    upto = max(own) if own else date(2100, 1, 1)
    since = max(upto.year - 121, 1895) if own else 1895
    for day in dates_in(text):
        if day.year < since or day > upto:
            continue
        if not any(abs(day - mine) <= timedelta(days=1) for mine in own):
            return True
    return False


@value_check(
    "date-of-birth",
    severity=Severity.ERROR,
    fields=("last_name", "first_name", "mobile", *IDS, *WORDS),
    good=(
        "10.05.2026",
        "2026-05-10",
        "31.02.1980",
        "Müller",
        ("appointment_uid", "20200131-17"),
        ("mobile", "0152/28817386"),
    ),
    bad=(
        "01.02.1980",
        "Müller 1.2.80",
        "1980-02-01",
        "geb. 01021980",
        "19800201",
        "Müller *1. Februar 1980",
        "February 1st, 1980",
        "02/21/1980",
        "01_02_1980",
        "01/02/1980",
        ("mobile", "01.02.1980"),
        ("appointment_uid", "geb-19800201"),
        "０１.０２.１９８０",
    ),
    sentence=(
        "A date that may be a date of birth stands in a field.",
        "In einem Feld steht ein Datum, das ein Geburtsdatum sein kann.",
    ),
)
def date_of_birth(text: pl.Expr, field: str) -> pl.Expr:
    """A calendar date that is none of the row's own; in ids only beside a word that says so."""
    likely = pl.when(text.str.contains(_DATE_LIKELY)).then(text)
    own = [pl.col(name) for name in OWN_DATES]

    def decide(values: pl.Series) -> pl.Series:
        texts = values.struct.field("text")
        rows = texts.is_not_null().arg_true()
        found = pl.zeros(len(texts), dtype=pl.Boolean, eager=True)
        asked = values.gather(rows).to_list()
        born = [_born(row["text"], [row[name] for name in OWN_DATES], field) for row in asked]
        return found.scatter(rows, born) if born else found

    return pl.struct(likely.alias("text"), *own).map_batches(decide, return_dtype=pl.Boolean)


def _born(text: str | None, own: list[datetime | None], field: str) -> bool:
    if text is None or (field in IDS and not _BORN.search(text)):
        return False
    return _birth_date_in(text, [at.date() for at in own if at is not None])


@value_check(
    "icd-10",
    severity=Severity.ERROR,
    fields=(*NAMES, "mobile", "calendar_ref", "service_id", *WORDS),
    good=("A38", "Müller", "P12", "Haus B12", ("service_id", "A12")),
    bad=(
        "F32.1",
        "Müller F32.1 G",
        "S51.9 GL",
        "Diagnose A38",
        "V.a. I64",
        "(I21.9 A)",
        "f32.1",
        "F32 . 1",
        ("service_id", "F41.1"),
    ),
    sentence=(
        "A diagnosis code (ICD-10-GM) stands in a field.",
        "In einem Feld steht ein Diagnoseschlüssel (ICD-10-GM).",
    ),
)
def icd_10(text: pl.Expr, field: str) -> pl.Expr:
    """With a decimal always; without one only beside a word that says so, since A38 is also a motorway.

    In names small letters count, too; in keys v10.2 may be a version.
    """
    beside = exactly(text, text.str.contains(r"[A-TV-Z][0-9]{2}"), _says(_ICD_WORD, _ICD_SHORT))
    sure = f"(?i){_ICD_SURE}" if field in NAMES else _ICD_SURE
    return text.str.contains(sure) | beside


@value_check(
    "ops",
    severity=Severity.ERROR,
    fields=(*NAMES, "calendar_ref", "service_id", "location", "status"),
    good=("5-470", "Haus 5-12", ("service_id", "5-470")),
    bad=("5-470.11", "OPS 1-632", "Eingriff 5-511.1", ("service_id", "5-470.11")),
    sentence=("A procedure code (OPS) stands in a field.", "In einem Feld steht ein Prozedurenschlüssel (OPS)."),
)
def ops(text: pl.Expr, _field: str) -> pl.Expr:
    """With a decimal always; without one only beside a word that says so."""
    beside = exactly(text, text.str.contains(r"[1356789]-[0-9]{2}"), _says(_OPS_WORD, _OPS_SHORT))
    return text.str.contains(_OPS_SURE) | beside


def _says(word: re.Pattern[str], code: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: word.search(value) is not None and code.search(value) is not None
