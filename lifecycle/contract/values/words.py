"""Words that are no names: addresses, illnesses, salutations, several people, running text, markup."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from lifecycle.contract.values.registry import EVERYWHERE, NAMES, WORDS, value_check
from lifecycle.contract.values.word_lists import (
    CONTEXT,
    FREE_TEXT,
    ILLNESS_OR_NAME,
    ILLNESS_STEMS,
    ILLNESS_TOKENS,
    SALUTATIONS,
    TITLES,
)
from lifecycle.model import Severity

_TEXTS = (*NAMES, "service_id", "calendar_ref", *WORDS)

_L = "A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ"
_HOUSE = r"(?:,? ?(?:nr|no|hausnr|hausnummer)\.? ?|, ?| ?)[0-9]{1,4} ?[a-z]?(?:[^0-9a-z]|$)"
_STREET = (
    rf"(?i)(?:[{_L}]{{2,}}[ -]?(?:straße|strasse|str\.?|gasse|weg|allee|platz|ring|damm|ufer|pfad|steig|stieg|stiege"
    rf"|twiete|brücke|siedlung|kai|passage|zeile|chaussee|promenade|road|street|avenue)"
    rf"|\b(?:am|an der|auf der|im|in der|unter den|zum|zur) (?:[{_L}]{{2,}} )?[{_L}]{{3,}}){_HOUSE}"
    rf"|[{_L}]{{3,}}str\.(?:[^{_L}]|$)"
)
_POSTCODE = rf"(?:^|[^0-9A-Za-z])(?:D-?|DE-?)?[0-9]{{5}},? [{_L}][{_L}.-]{{2,}}"


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word).replace(r"\ ", " ") for word in sorted(words, key=len, reverse=True))


def _word(words: Iterable[str]) -> str:
    """One of the words, standing alone, in any case."""
    return rf"(?i)(?:^|[^{_L}0-9])(?:{_any_of(words)})(?:[^{_L}0-9]|$)"


_STEM = rf"(?i){_any_of(ILLNESS_STEMS)}"
_TOKEN = rf"(?:^|[^A-Za-z])(?:{_any_of(ILLNESS_TOKENS)})(?:[^A-Za-z]|$)"
_AMBIGUOUS = _word(ILLNESS_OR_NAME)
_IN_CONTEXT = _word(CONTEXT)
_SET_OFF = (
    rf"(?i)[(\[](?:[^()\[\]]*[^{_L}])?(?:{_any_of(ILLNESS_OR_NAME)})[)\]]| [-:,/] ?(?:{_any_of(ILLNESS_OR_NAME)})$"
)

_SALUTATION = rf"(?i)^(?:{_any_of(SALUTATIONS)})\.? [{_L}]"
_SALUTATION_ALONE = r"(?i)^(?:herrn?|frau|hr\.|fr\.|mrs?\.?|ms\.)$"
_TITLE = rf"(?i)(?:^|[ ,(])(?:{_any_of(TITLES)})(?:[ .,)]|$)"
_AGE = (
    rf"(?i)(?:^|[^0-9])[0-9]{{1,3}} ?-?(?:jahre?|jährige?r?|j\.|lj\.?|years?|yrs?|y/?o|monate|months)(?:[^{_L}]|$)"
    r"|\b(?:alter|age|jahrgang|jg\.?) ?[:.]? ?[0-9]{1,4}"
)
_SEX = rf"(?i)[(\[/] ?(?:m|w|d|f|m/w|m/w/d|männl|weibl)\.? ?[)\]]|[^{_L}](?:männlich|weiblich|divers|female|male)(?:[^{_L}]|$)|(?:geschlecht|gender|sex) ?[:=]"  # noqa: E501

_SEVERAL = (
    rf"(?i)^(?:fam\.?|familie|eheleute|ehepaar|family|geschwister) [{_L}]"
    rf"|[{_L}.] ?[&+;/] ?[{_L}]"
    rf"|[{_L}.] (?:und|and|u\.|sowie|mit) [{_L}]"
)
_SEVERAL_FAMILIES = r"(?i)\bvon und zu[mr]?\b|, ?(?:jr|sr|jun|sen|ii|iii|iv)\b"
_SLASH_OF_A_LINK = r"(?i)://|www\.|\.[a-z]{2,}/"
_SEVERAL_ADDRESSES = r"@[^@]*[;,/| ][^@]*@"
_SEVERAL_NUMBERS = r"[0-9]{6,} ?(?:[;,|]|/|oder|or|und) ?(?:\+|0)[0-9]{2,}(?:[ /-]?[0-9]){5,}"

_MARKUP = (
    r"(?i)<[a-z!/?][^<>]{0,200}>|<(?:script|img|a|br|div|span|p|b|i|svg|iframe)\b|&(?:lt|gt|amp|quot|nbsp|apos|[aou]uml"
    r"|szlig|#[0-9]{1,7}|#x[0-9a-f]{1,6});|javascript:|\bon(?:error|load|click)\s*=|\{\{|\{%|%3[ce]|\$\{"
)

_SENTENCE = _word(FREE_TEXT)


@value_check(
    "street-or-postcode",
    severity=Severity.ERROR,
    fields=("last_name", "first_name", "service_id", "calendar_ref", "location", "status", "mobile"),
    good=(
        "Straßer",
        "Weg",
        "Platz",
        "am Ende",
        "Bergmann",
        "Ring 12345",
        "Müller",
        ("mobile", "0152 28817386"),
        "An der Heiden",
    ),
    bad=(
        "Hauptstraße 12",
        "Musterweg 3a",
        "Hauptstr. 5",
        "Lange Gasse 7",
        "12345 Musterstadt",
        "D-12345 Berlin",
        "Am Markt 4",
        "Am Alten Markt 36",
        "Lindenallee Nr. 5",
        "Schillerplatz, 15",
        "Feldstieg 140",
        "Müller, Hauptstrasse 12",
        ("location", "Hauptstraße 12"),
        ("mobile", "Hauptstraße 12"),
    ),
    sentence=(
        "A street or a postcode with a town stands in a field.",
        "In einem Feld steht eine Straße oder eine Postleitzahl mit Ort.",
    ),
)
def street_or_postcode(text: pl.Expr, _field: str) -> pl.Expr:
    """A street needs its number (or the abbreviation "str."), a postcode its town."""
    return text.str.contains(_STREET) | text.str.contains(_POSTCODE)


@value_check(
    "medical-word",
    severity=Severity.ERROR,
    fields=(*_TEXTS, "mobile"),
    good=(
        "Krebs",
        "Herz",
        "Sommer",
        "Dr. Oetker",
        "Anna Krebs",
        "Schmerz",
        "Angst",
        "Alzheimer",
        "Krebs-Müller",
        "Pest",
        "Aidsa",
        ("calendar_ref", "Dr. Herz"),
        ("service_id", "22"),
        "Galle",
        "Fieber",
    ),
    bad=(
        "Müller Diabetes",
        "Depression",
        "Depressionssprechstunde",
        "Krebs (Krebs)",
        "Verdacht Krebs",
        "Müller - Grippe",
        "HIV",
        "Müller wegen Husten",
        "pregnant",
        "DIABЕTES",
        "Dia\u00adbetes",
        "Brustkrebs",
        ("service_id", "Depressionssprechstunde"),
        "Migräne",
        "MIGRÄNE",
    ),
    sentence=(
        "A word that states an illness or a treatment stands in a field.",
        "In einem Feld steht ein Wort, das eine Krankheit oder Behandlung nennt.",
    ),
)
def medical_word(text: pl.Expr, _field: str) -> pl.Expr:
    """Words that are surnames too need a context."""
    ambiguous = text.str.contains(_AMBIGUOUS) & (text.str.contains(_IN_CONTEXT) | text.str.contains(_SET_OFF))
    return text.str.contains(_STEM) | text.str.contains(_TOKEN) | ambiguous


@value_check(
    "salutation-or-title",
    severity=Severity.WARNING,
    fields=NAMES,
    good=(
        "Dr. Oetker",
        "Herrmann",
        "Frauke",
        ("last_name", "Prof"),
        ("last_name", "Herr"),
        "Magdalena",
        "Mister",
        "Missler",
        "Dipper",
        "Frank",
        "Mag",
        ("last_name", "Fr"),
    ),
    bad=(
        "Herr Müller",
        "Frau Dr. Müller",
        "Prof. Dr. Müller",
        "Dr. med. Müller",
        "Mrs. Smith",
        "Fr. Müller",
        ("first_name", "Frau"),
        "Dipl.-Ing. Müller",
    ),
    sentence=("A name contains a salutation or a title.", "Ein Name enthält eine Anrede oder einen Titel."),
)
def salutation_or_title(text: pl.Expr, field: str) -> pl.Expr:
    """A salutation before a name, or alone where the first name belongs; titles but a lone "Dr."."""
    titled = text.str.contains(_TITLE) & text.str.contains(r"[ .]")
    found = text.str.contains(_SALUTATION) | titled
    return found | text.str.contains(_SALUTATION_ALONE) if field == "first_name" else found


@value_check(
    "age-or-sex",
    severity=Severity.WARNING,
    fields=(*NAMES, "service_id", "calendar_ref", "location", "status"),
    good=("Male", "Anna 2", "Alter", "Jahr", "P12", "Weiblich", "Jahnke", "M"),
    bad=(
        "Anna, 42 Jahre",
        "Müller (w)",
        "Müller männlich",
        "Anna 8 Monate",
        "Jahrgang 1980",
        "John, 42 years",
        "Müller m/w/d: (d)",
    ),
    sentence=("A field states an age or a sex.", "Ein Feld nennt ein Alter oder ein Geschlecht."),
)
def age_or_sex(text: pl.Expr, _field: str) -> pl.Expr:
    """A number with its unit, a letter in brackets, or the word beside a name."""
    return text.str.contains(_AGE) | text.str.contains(_SEX)


@value_check(
    "several-people",
    severity=Severity.WARNING,
    fields=(*NAMES, "email", "mobile"),
    good=(
        "Anna Maria",
        "von und zu Guttenberg",
        "Müller-Lüdenscheidt",
        "O'Neill",
        "King, Jr.",
        "Undine",
        ("email", "a@example.org"),
        ("mobile", "+49 152/28817386"),
        "van der Berg",
        ("mobile", "0152 288 17 386"),
        ("mobile", "030/23125000"),
    ),
    bad=(
        "Anna und Bernd",
        "Anna & Bernd",
        "Anna/Bernd",
        "Fam. Müller",
        "Familie Müller",
        ("email", "a@example.org; b@example.org"),
        ("mobile", "015228817386 / 01713920000"),
        "Anna + Bernd",
    ),
    sentence=("A field for one person names several.", "Ein Feld für eine Person nennt mehrere."),
)
def several_people(text: pl.Expr, field: str) -> pl.Expr:
    """Joined names, two addresses, two numbers."""
    if field == "email":
        return text.str.contains(_SEVERAL_ADDRESSES)
    if field == "mobile":
        return text.str.replace_all(r"(?:\+?[0-9]+[ -]){2,}", "").str.contains(_SEVERAL_NUMBERS) | text.str.contains(
            _SEVERAL_NUMBERS
        )
    other = text.str.contains(_SEVERAL_FAMILIES) | text.str.contains(_SLASH_OF_A_LINK) | text.str.contains(_MARKUP)
    return text.str.contains(_SEVERAL) & ~other


@value_check(
    "free-text",
    severity=Severity.WARNING,
    fields=_TEXTS,
    good=(
        "Anna Maria Luisa",
        "Kind",
        "Danke",
        "Karl-Theodor Maria Nikolaus Johann",
        "Mohammed bin Salman Al Saud",
        "Termin",
        ("calendar_ref", "Dr. Müller, Raum 3"),
    ),
    bad=(
        "Müller bitte zurückrufen",
        "kommt mit Dolmetscher",
        "Anna!!! wichtig?",
        "Müller privat versichert",
        "Neupatientin Müller",
        "please call before the appointment",
        "Müller\nHauptstadt",
        "x" * 100,
        ("service_id", "Müller bitte zurückrufen"),
    ),
    sentence=("A name or a key holds running text.", "In einem Namen oder einer Kennung steht Freitext."),
)
def free_text(text: pl.Expr, field: str) -> pl.Expr:
    """A word that no name has beside another word, marks of a sentence, more lines than one, too long."""
    sentence = text.str.contains(_SENTENCE) & text.str.contains(r"\S \S")
    too_long = text.str.len_chars() > (80 if field in NAMES else 120)
    if field not in NAMES:
        return sentence | too_long
    marks = text.str.contains(r"[!?=\[\]{}|\\~^$€%#]")
    many = text.str.contains(rf"^(?:\S*[{_L}]{{2}}\S* ){{8,}}\S")
    return sentence | too_long | marks | many | pl.col("raw").str.contains(r"\S[ \t]*[\r\n]\s*\S")


@value_check(
    "html-or-script",
    severity=Severity.ERROR,
    fields=("last_name", *(name for name in EVERYWHERE if name != "last_name")),
    good=("Müller & Sohn", "A < B", "O'Neill", ("email", "a&b@example.org"), ("appointment_uid", "a_b-c")),
    bad=(
        "<b>Müller</b>",
        "<script>alert(1)</script>",
        "M&uuml;ller",
        "&#77;üller",
        "javascript:x",
        "{{ name }}",
        "＜b＞x＜/b＞",
        ("service_id", "<br/>"),
    ),
    sentence=(
        "A field holds HTML, a script or a template's code.",
        "Ein Feld enthält HTML, ein Skript oder Vorlagencode.",
    ),
)
def html_or_script(text: pl.Expr, _field: str) -> pl.Expr:
    """A tag, an entity, a handler, or the braces of a template."""
    return text.str.contains(_MARKUP)
