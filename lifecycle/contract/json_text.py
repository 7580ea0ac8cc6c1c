"""Keys hidden in a text column that holds JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl

from lifecycle.contract.field_names import KNOWN_FIELDS, UNNAMED, folded

_DEEPEST = 50


def json_likely(text: pl.Expr) -> pl.Expr:
    """True for texts that may be a JSON object or list."""
    return text.str.contains(r"^\s*[\[{]")


def hidden_keys(text: str) -> frozenset[str]:
    """Names of the keys in a JSON text; empty if it is none.

    A key is part of a value here and could be anybody's name, so only names that eTermin or this contract use are
    repeated; every other one is "(unnamed field)".

    Examples
    --------
    >>> sorted(hidden_keys('{"notes": 1, "Erika": {"birthday": 2}}'))
    ['(unnamed field)', 'birthday', 'notes']
    """
    try:
        return frozenset(_keys(json.loads(text), 0))
    except (ValueError, RecursionError):
        return frozenset()


def _keys(value: object, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key if folded(key) in KNOWN_FIELDS else UNNAMED
            yield from _keys(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner, depth + 1)
