"""A contract file read a second time, by other means: plain YAML and the standard's own words, no model of ours.

The second opinion puts its questions by this reading, and compares it with what the loader understood, so that a
fault of the loader is a disagreement and not an agreement about the wrong thing. It judges nothing: files that the
loader would refuse are read as far as they go. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import yaml

from lifecycle.contract.terms import Contract

_TYPES: Mapping[str, Any] = {
    "string": pl.String,
    "integer": pl.Int32,
    "timestamp": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One property of the file: ``dtype`` is None where its logical type has no meaning here."""

    name: str
    dtype: Any
    required: bool
    pattern: str | None
    classification: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a contract file says of one dataset. ``key`` is empty where all fields together are the key."""

    dataset: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    strict: bool
    retention: str
    digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the allowed fields."""
        return tuple(field.name for field in self.fields)


def read_anew(files: Iterable[bytes], dataset: str) -> Reading | None:
    """Read the one file of these that describes a dataset; None where none or several do, or one cannot be read.

    Examples
    --------
    >>> text = b"schema: [{name: events, properties: [{name: email, logicalType: string, required: true}]}]"
    >>> read_anew([text], "events").names, read_anew([text], "appointments")
    (('email',), None)
    """
    found: list[Reading] = []
    for data in files:
        try:
            found += _readings(yaml.safe_load(data), dataset, hashlib.sha256(data).hexdigest())
        except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError, RecursionError):
            return None
    return found[0] if len(found) == 1 else None


def _readings(document: Any, dataset: str, digest: str) -> Iterator[Reading]:
    terms = document.get("slaProperties") or ()
    retention = [f"{term['value']}{term.get('unit', '')}" for term in terms if term["property"] == "retention"]
    for table in document["schema"]:
        if table["name"] != dataset:
            continue
        own = {item["property"]: item["value"] for item in table.get("customProperties") or ()}
        stated = own.get("uniqueKey", "all")
        yield Reading(
            dataset=dataset,
            fields=tuple(map(_field, table["properties"])),
            key=() if stated == "all" else tuple(re.split(r"\s*,\s*", stated.strip())),
            strict=own.get("strict", True) is True,
            retention=" ".join(retention),
            digest=digest,
        )


def _field(given: Mapping[str, Any]) -> Field:
    options = given.get("logicalTypeOptions") or {}
    return Field(
        name=given["name"],
        dtype=_TYPES.get(given["logicalType"]),
        required=given.get("required") is True,
        pattern=options.get("pattern"),
        classification=given.get("classification", ""),
    )


def differences(contract: Contract, reading: Reading) -> tuple[str, ...]:
    """Fields of which loader and second reading understood different things; "" for the dataset as a whole."""
    mine = {column.name: _said(column) for column in contract.columns}
    theirs = {field.name: _said(field) for field in reading.fields}
    fields = [name for name in dict.fromkeys((*mine, *theirs)) if mine.get(name) != theirs.get(name)]
    whole = (contract.key, contract.strict, contract.digest) != (
        reading.key or reading.names,
        reading.strict,
        reading.digest,
    )
    days = re.fullmatch(r"P?(\d+)(?:D|d|days?)", reading.retention)
    whole = whole or days is None or int(days[1]) != contract.retention_days
    return (*([""] if whole or list(mine) != list(theirs) else []), *fields)


def _said(one: Any) -> tuple[Any, ...]:
    """What `Field` and the loader's column have in common; the latter calls the classification its data class."""
    kind = one.classification if isinstance(one, Field) else one.data_class
    return (one.dtype, one.required, one.pattern, kind)
