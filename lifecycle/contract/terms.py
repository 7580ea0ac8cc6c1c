"""The nouns of this room: a contract and its columns. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from lifecycle.model import UTC_TIME

MAX_RETENTION_DAYS = 90
"""The provider's promise (help page): shorter is always allowed, longer refused."""

CHANNELS = ("arztkonsultation", "webpush", "rest")

DataClass = Literal["identity", "appointment"]
LogicalType = Literal["string", "integer", "timestamp"]

_DTYPES: Mapping[str, Any] = {"string": pl.String, "integer": pl.Int32, "timestamp": UTC_TIME}


@dataclass(frozen=True, slots=True)
class Column:
    """One allowed field.

    Attributes
    ----------
    name : str
    data_class : {"identity", "appointment"}
        Both are personal; being a patient is health data.
    required : bool
    type : {"string", "integer", "timestamp"}
        Timestamps are UTC, microseconds.
    pattern : str or None
        A regular expression without look-around and back-references; the whole value is meant if it is anchored.
    source : str
        The German sentence of the help page that allows the field, quoted.
    description, description_de : str
    """

    name: str
    data_class: DataClass
    required: bool
    type: LogicalType
    pattern: str | None
    source: str
    description: str
    description_de: str

    @property
    def dtype(self) -> Any:
        """The polars type of the column."""
        return _DTYPES[self.type]


@dataclass(frozen=True, slots=True)
class Contract:
    """What one dataset may hold (data contract, Feldkatalog). Everything not named is undeclared.

    Attributes
    ----------
    dataset : str
    title, description, description_de : str
        What one row is, for the record of processing activities.
    columns : tuple of Column
        In the order of the file.
    key : tuple of str
        The columns that make a row unique.
    strict : bool
        Whether an undeclared column fails (the default) or is only warned about.
    retention_days : int
        Calendar days after the end of the appointment, at most 90.
    version : str
        As the file states it.
    digest : str
        SHA-256 of the file's bytes, hexadecimal.
    """

    dataset: str
    title: str
    description: str
    description_de: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    strict: bool
    retention_days: int
    version: str
    digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the allowed fields."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError for an undeclared one."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
