"""How a value check is written down, and the list of all of them.

A check is one decorated function. It gets the normalised text and the name of the field and returns an expression
that is true where the value is of the wrong kind. It runs on the few values that the scan could not wave through,
so it may be exact rather than fast; a step that needs Python is wrapped in `exactly`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import polars as pl

from lifecycle.model import Severity

NAMES = ("first_name", "last_name")
IDS = ("appointment_uid", "calendar_ref", "service_id")
WORDS = ("channel", "origin", "location", "status", "command")
EVERYWHERE = (*NAMES, "email", "mobile", *IDS, *WORDS)
"""Every text field of both datasets."""

OWN_DATES = ("starts_at", "ends_at", "booked_at", "received_at")
"""A date that is one of the row's own is not a date of birth."""

Find = Callable[[pl.Expr, str], pl.Expr]


@dataclass(frozen=True, slots=True)
class ValueCheck:
    """One check of values.

    Attributes
    ----------
    name : str
        As it stands in findings.
    severity : Severity
    fields : tuple of str
        Where it looks. The first one is the field of the examples that name none.
    good, bad : tuple of str or (field, value)
        Values that are not findings, and values that are. Made up.
    sentence_en, sentence_de : str
        What a data protection officer reads.
    find : callable
        From text and field to an expression.
    """

    name: str
    severity: Severity
    fields: tuple[str, ...]
    good: tuple[str | tuple[str, str], ...]
    bad: tuple[str | tuple[str, str], ...]
    sentence_en: str
    sentence_de: str
    find: Find

    def examples(self, *, bad: bool) -> list[tuple[str, str]]:
        """The good or bad examples, each with its field."""
        given = self.bad if bad else self.good
        return [(self.fields[0], item) if isinstance(item, str) else item for item in given]


def value_check(
    name: str,
    *,
    severity: Severity,
    fields: tuple[str, ...],
    good: tuple[str | tuple[str, str], ...],
    bad: tuple[str | tuple[str, str], ...],
    sentence: tuple[str, str],
) -> Callable[[Find], ValueCheck]:
    """Make a function a value check; ``sentence`` is English, German."""

    def make(find: Find) -> ValueCheck:
        return ValueCheck(name, severity, fields, good, bad, sentence[0], sentence[1], find)

    return make


def exactly(text: pl.Expr, likely: pl.Expr, holds: Callable[[str], bool]) -> pl.Expr:
    """True where ``likely`` is and ``holds`` says so: Python sees only the values that passed the cheap question."""

    def decide(values: pl.Series) -> pl.Series:
        return pl.Series([value is not None and holds(value) for value in values], dtype=pl.Boolean)

    return pl.when(likely).then(text).map_batches(decide, return_dtype=pl.Boolean)


@cache
def value_checks() -> tuple[ValueCheck, ...]:
    """All value checks, in the order of their modules. Whoever adds one adds it to a module named here."""
    from lifecycle.contract.values import codes, contact, identifiers, words

    found = []
    for module in (identifiers, codes, contact, words):
        found += [thing for thing in vars(module).values() if isinstance(thing, ValueCheck)]
    return tuple(found)
