"""Run the value checks over rows: wave the plain values through, look closely at the rest.

Most values are plain: a name of letters, a German mobile number, an address of letters and a few digits. One
regular expression per column says so (Rust's engine never backtracks). What remains is normalised once and every
check looks at it. The sieves may let too much through to the checks, never too little: a test holds them to every
example of every check.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import polars as pl

from lifecycle.contract.rows import matches
from lifecycle.contract.terms import Contract
from lifecycle.contract.values.contact import ROLES
from lifecycle.contract.values.normalise import normalised
from lifecycle.contract.values.registry import NAMES, OWN_DATES, WORDS, ValueCheck, value_checks
from lifecycle.contract.values.word_lists import (
    CONTEXT,
    FREE_TEXT,
    ILLNESS_OR_NAME,
    ILLNESS_STEMS,
    ILLNESS_TOKENS,
    SALUTATIONS,
    TITLES,
)

_L = "A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ"
_NAME = rf"^[{_L}]+(?:[-'’][{_L}]+)*\.?$"
_NAMES = rf"^[{_L}]+\.?(?:[ '’-][{_L}]+(?:[-'’][{_L}]+)*\.?)+$"
_EMAIL = r"^[A-Za-z._+-]+[0-9]{0,4}[A-Za-z._+-]*@(?:[A-Za-z-]+[0-9]{0,4}[A-Za-z-]*\.)+[A-Za-z]{2,24}$"
_ROLE = rf"(?i)^(?:{'|'.join(ROLES)})[0-9+@._-]"
_MOBILE = r"^(?:\+49|0049|0)[ /.-]?1(?:5[0-9][ /.-]?[0-9]{8}|[67][0-9][ /.-]?[0-9]{7,8})$"
_UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_UID = rf"^(?:[A-Za-z]{{0,8}}[-_]?[0-9]{{1,7}}|{_UUID})$"
_NUMBER = rf"^(?:[0-9]{{1,8}}|{_UUID})$"
_TOKEN = r"^[A-Za-z0-9_-]{1,64}$"
_TOKEN_SUSPECT = (
    r"(?i)[A-Z](?:[_-]?[0-9]){9}|[A-Z]{2}[_-]?[0-9]{2}(?:[_-]?[0-9A-Z]){11}|steuer|idnr|tax|tin|ident|arzt|lanr|bsnr"
    r"|betriebs|geb|born|dob|birth|tan|token|password|[1356789]-[0-9]{2}[0-9a-z]"
)
_WORDS_OF_TEXT = sorted(
    {*CONTEXT, *FREE_TEXT, *ILLNESS_OR_NAME, *SALUTATIONS, *TITLES, "fam", "familie", "eheleute", "ehepaar", "family"}
    | {"geschwister", "und", "and", "u", "sowie", "mit", "männlich", "weiblich", "divers", "female", "male"},
    key=len,
    reverse=True,
)
_WORD_OF_TEXT = rf"(?i)(?:^|[ -])(?:{'|'.join(w.replace('.', '[.]') for w in _WORDS_OF_TEXT)})(?:[ .-]|$)|str[.]"


_HELD_BATCHES = 16
_HELD_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Suspects:
    """The values of one field that could not be waved through.

    ``frame`` has ``raw``, ``_channel``, ``_at``, the row's own dates and ``_row`` (number in the batch, from 0).
    """

    field: str
    frame: pl.DataFrame


class Scanner:
    """Collects suspects over batches and hands them out in bulk: asking twenty checks about three values costs as
    much as asking them about three thousand.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._held: dict[str, list[pl.DataFrame]] = {}
        self._batches = 0

    def add(self, rows: pl.DataFrame, fields: list[str]) -> Iterator[Suspects]:
        """Look at rows as `rows.conformed` makes them; hands out what was collected when it is enough."""
        for suspects in suspects_in(self._contract, rows, fields):
            self._held.setdefault(suspects.field, []).append(suspects.frame)
        self._batches += 1
        if self._batches >= _HELD_BATCHES or sum(map(len, self._all())) > _HELD_ROWS:
            yield from self.rest()

    def rest(self) -> Iterator[Suspects]:
        """Hand out everything that is still held."""
        held, self._held, self._batches = self._held, {}, 0
        for field, frames in held.items():
            yield Suspects(field, pl.concat(frames))

    def _all(self) -> Iterator[pl.DataFrame]:
        for frames in self._held.values():
            yield from frames


def suspects_in(contract: Contract, rows: pl.DataFrame, fields: list[str]) -> Iterator[Suspects]:
    """The values of each field that need a close look; ``rows`` as `rows.conformed` makes them."""
    if not rows.height or not fields:
        return
    masks = rows.select(_first_sieve(contract, field).alias(field) for field in fields)
    for field in fields:
        if masks[field].any():
            own = [name for name in OWN_DATES if name in rows.columns]
            frame = rows.select(pl.col(field).alias("raw"), "_channel", "_at", *own).with_row_index("_row")
            frame = frame.filter(masks[field])
            second = _second_sieve(field)
            frame = frame if second is None else frame.filter(second)
            if frame.height:
                yield Suspects(field, frame)


def hits_in(suspects: Suspects) -> pl.DataFrame:
    """The frame of the suspects with a column of true and false for each check of their field."""
    frame = suspects.frame.with_columns(normalised(pl.col("raw")).alias("text"))
    text = pl.col("text")
    found = (check.find(text, suspects.field).fill_null(False).alias(check.name) for check in checks_of(suspects.field))
    return frame.with_columns(found)


def checks_of(field: str) -> tuple[ValueCheck, ...]:
    """The value checks that look at a field."""
    return tuple(check for check in value_checks() if field in check.fields)


def _first_sieve(contract: Contract, field: str) -> pl.Expr:
    """True for values that are not plain at first sight. Null is plain."""
    value = pl.col(field)
    if field in NAMES:
        odd = ~value.str.contains(_NAME) | (value.str.len_bytes() > 60) | _contains_stem(value, field)
    elif field == "email":
        odd = ~value.str.contains(_EMAIL) | value.str.contains(_ROLE)
    elif field == "mobile":
        odd = ~value.str.contains(_MOBILE)
    elif field in WORDS and contract.column(field).pattern:
        odd = ~matches(contract.column(field))
    else:
        odd = ~value.str.contains(_UID if field == "appointment_uid" else _NUMBER)
    return odd.fill_null(False)


def _second_sieve(field: str) -> pl.Expr | None:
    """True for values that are still not plain; looked at only where the first sieve held them back."""
    value = pl.col("raw")
    if field in NAMES:
        plain = value.str.contains(_NAMES) & ~value.str.contains(_WORD_OF_TEXT) & (value.str.len_bytes() <= 60)
        return ~plain | _contains_stem(value, field)
    if field in ("appointment_uid", "calendar_ref", "service_id"):
        plain = value.str.contains(_TOKEN) & ~value.str.contains(_TOKEN_SUSPECT)
        return ~plain if field == "appointment_uid" else ~plain | _contains_stem(value, field)
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
