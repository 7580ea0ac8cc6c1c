"""The sieves: is a value plain enough to be waved through without a close look? Pure.

A sieve may let too much through to the checks, never too little: tests hold it to every example of every check.
"""

from __future__ import annotations

from functools import cache

import polars as pl

from lifecycle.contract.rows import matches
from lifecycle.contract.terms import Contract
from lifecycle.contract.values.contact import ROLES
from lifecycle.contract.values.registry import NAMES, WORDS
from lifecycle.contract.values.word_lists import (
    CONTEXT,
    FREE_TEXT,
    ILLNESS_OR_NAME,
    ILLNESS_STEMS,
    ILLNESS_TOKENS,
    SALUTATIONS,
    TITLES,
)

REPEATING = ("calendar_ref", "service_id", *WORDS)
"""Fields of few distinct values: those are looked at once a batch, not row by row."""

_L = "A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ"
_NAME = rf"^[{_L}]+(?:[-'’][{_L}]+)*$"
_NAMES = rf"^[{_L}]+\.?(?:[ '’-][{_L}]+(?:[-'’][{_L}]+)*\.?)+$"
_ROOM = rf"^[{_L}]+\.?(?:[ -][{_L}]+\.?)*(?:[ -][0-9]{{1,4}})?$"
_PLACE_OR_AGE = (
    "(?i)str|gasse|weg|allee|platz|ring|damm|ufer|pfad|steig|stieg|twiete|brücke|siedlung|kai|passage|zeile|chaussee|promenade|road|avenue|[0-9]{5}|alter|age|jahr|jg"
    "|(?:^| )(?:am|an|auf|im|in|unter|zum|zur) "
)
_EMAIL = r"^[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}$"
_NINE_DIGITS = r"[0-9](?:[._%+@-]{0,3}[0-9]){8}"
_ROLE = rf"(?i)^(?:{'|'.join(ROLES)})[0-9+@._-]"
_MOBILE = r"^(?:\+49|0049|0)[ /.-]?1(?:5[0-9](?:[ /.-]?[0-9]){8}|[67][0-9](?:[ /.-]?[0-9]){7,8})$"
_UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_UID = rf"^(?:[A-Za-z]{{0,8}}[-_]?[0-9]{{1,7}}|{_UUID})$"
_NUMBER = rf"^(?:[0-9]{{1,8}}|{_UUID})$"
_TOKEN = r"^[A-Za-z0-9_-]{1,64}$"
_TOKEN_SUSPECT = (
    r"(?i)(?:^|[_-])[A-Z](?:[_-]?[0-9]){9}|[A-Z]{2}[_-]?[0-9]{2}(?:[_-]?[0-9A-Z]){11}|steuer|idnr|tax|tin|ident|arzt|lanr|bsnr"
    r"|betriebs|geb|born|dob|birth|tan|token|password"
)
_WORDS_OF_TEXT = sorted(
    {*CONTEXT, *FREE_TEXT, *ILLNESS_OR_NAME, *SALUTATIONS, *TITLES, "fam", "familie", "eheleute", "ehepaar", "family"}
    | {"geschwister", "und", "and", "u", "sowie", "mit", "männlich", "weiblich", "divers", "female", "male"},
    key=len,
    reverse=True,
)
_WORD_OF_TEXT = rf"(?i)(?:^|[ -])(?:{'|'.join(w.replace('.', '[.]') for w in _WORDS_OF_TEXT)})(?:[ .-]|$)|str[.]"


def first_sieve(contract: Contract, field: str) -> pl.Expr:
    """True for values that are not plain at first sight. Null is plain."""
    value = pl.col(field)
    if field in NAMES:
        odd = ~value.str.contains(_NAME) | (value.str.len_bytes() > 60) | _contains_stem(value, field)
    elif field == "email":
        odd = ~value.str.contains(_EMAIL) | value.str.contains(_NINE_DIGITS) | value.str.contains(_ROLE)
    elif field == "mobile":
        odd = ~value.str.contains(_MOBILE)
    elif field in WORDS and contract.column(field).pattern:
        odd = ~matches(contract.column(field))
    else:
        odd = ~value.str.contains(_UID if field == "appointment_uid" else _NUMBER)
    return odd.fill_null(False)


def second_sieve(field: str) -> pl.Expr | None:
    """True for values that are still not plain; looked at only where the first sieve held them back."""
    value = pl.col("raw")
    if field in NAMES:
        plain = value.str.contains(_NAMES) & ~value.str.contains(_WORD_OF_TEXT) & (value.str.len_bytes() <= 60)
        return ~plain | _contains_stem(value, field)
    if field in ("appointment_uid", "calendar_ref", "service_id"):
        plain = value.str.contains(_TOKEN) & ~value.str.contains(_TOKEN_SUSPECT)
        if field == "appointment_uid":
            return ~plain
        plain = plain & ~value.str.contains(r"[1356789]-[0-9]{2}|(?:^|[_-])[0-9](?:[_-]{0,3}[0-9]){8}")
        named = value.str.contains(_ROOM) & ~value.str.contains(_WORD_OF_TEXT) & ~value.str.contains(_PLACE_OR_AGE)
        return ~(plain | named) | _contains_stem(value, field)
    return None


def _contains_stem(value: pl.Expr, field: str) -> pl.Expr:
    return value.str.contains_any(_stems(field == "first_name"), ascii_case_insensitive=True)


@cache
def _stems(with_salutations: bool) -> list[str]:
    stems = {*ILLNESS_STEMS, *(token.lower() for token in ILLNESS_TOKENS)}
    if with_salutations:
        stems |= {"herr", "frau", "mrs"}
    # Letters outside ASCII have two spellings for this search.
    return sorted(stems | {stem.upper() for stem in stems if not stem.isascii()})
