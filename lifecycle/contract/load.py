"""Read contract files: the one place of this room that touches the disk."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

import polars as pl

from lifecycle.contract.odcs import CustomProperty, Document, Property, Table, did_you_mean
from lifecycle.contract.terms import MAX_RETENTION_DAYS, Column, Contract
from lifecycle.errors import ConfigurationError
from lifecycle.model import SCHEMAS

_MAX_BYTES = 1_000_000
_NEVER = (
    ("diagnosis", r"diagno|\bicd|befund|krankheit|illness|disease|medika|medicat|therap|anamnes|indikation|\bops\b"),
    (
        "complaint",
        r"beschwer|complaint|symptom|anliegen|besuchsgrund|reason|grund\b|notiz|\bnotes?\b|anmerkung|comment",
    ),
    ("insurance", r"versicher|insuran|krankenkasse|\bkasse|kvnr|\bgkv|\bpkv|kostentr|\begk\b"),
)
"""What a contract may never allow. A booking is health data anyway; these would state the illness itself."""


def shipped_contracts() -> Mapping[str, str]:
    """The contracts inside the package: file name to text, as ``lifecycle init`` writes them.

    Examples
    --------
    >>> sorted(shipped_contracts())
    ['appointments.odcs.yaml', 'events.odcs.yaml']
    """
    folder = resources.files("lifecycle.contract") / "shipped"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".odcs.yaml"))
    return {name: (folder / name).read_text(encoding="utf-8") for name in names}


def read_contract(path: Path) -> Contract:
    """Read one contract file.

    Raises
    ------
    ConfigurationError
        Unreadable, a symbolic link, a typo (with line, column and the nearest known word), a field that states
        diagnosis, complaint or insurance, a pattern that cannot be used, or a retention longer than 90 days.
    """
    if path.is_symlink():
        raise ConfigurationError(f"{path.name} is a symbolic link.", "put the file itself into contracts/")
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= _MAX_BYTES else None
    except OSError as error:
        raise ConfigurationError(f"{path.name}: cannot be read ({error.strerror}).", f"look at {path}") from error
    if data is None:
        raise ConfigurationError(f"{path.name}: {size} bytes; a contract has at most {_MAX_BYTES}.")
    return contract_from_bytes(path.name, data)


def read_contracts(paths: Sequence[Path]) -> Mapping[str, Contract]:
    """Read the contracts of a workspace: dataset to contract.

    Raises
    ------
    ConfigurationError
        As `read_contract`; also when two files speak of one dataset.
    """
    contracts: dict[str, Contract] = {}
    files: dict[str, str] = {}
    for path in sorted(paths):
        contract = read_contract(path)
        if contract.dataset in contracts:
            raise ConfigurationError(
                f"Two contracts for the dataset '{contract.dataset}': {files[contract.dataset]} and {path.name}.",
                "keep one of them; the other belongs outside contracts/",
            )
        contracts[contract.dataset], files[contract.dataset] = contract, path.name
    return contracts


def default_contracts() -> Mapping[str, Contract]:
    """The shipped contracts, read: dataset to contract."""
    read = [contract_from_bytes(name, text.encode()) for name, text in shipped_contracts().items()]
    return {contract.dataset: contract for contract in read}


def contract_from_bytes(name: str, data: bytes) -> Contract:
    """Read a contract from the bytes of a file; ``name`` stands in the messages. Errors as `read_contract`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name}: not UTF-8 (byte {error.start}).", "save it as UTF-8") from None
    document = Document(name, text)
    file = document.model
    if len(file.schema_) != 1:
        raise document.error(("schema",), f"{len(file.schema_)} tables; a contract describes one dataset.")
    table = file.schema_[0]
    if table.name not in SCHEMAS:
        hint = did_you_mean(table.name, list(SCHEMAS))
        raise document.error(("schema", 0, "name"), f"unknown dataset '{table.name}'.", hint)
    columns = _columns(document, table)
    return Contract(
        dataset=table.name,
        title=file.description.purpose or table.name,
        description=table.description,
        description_de=str(_custom(table.customProperties, "descriptionDe", "")),
        columns=columns,
        key=_key(document, table, columns),
        strict=_custom(table.customProperties, "strict", True) is True,
        retention_days=_retention_days(document),
        version=file.version,
        digest=hashlib.sha256(data).hexdigest(),
    )


def _columns(document: Document, table: Table) -> tuple[Column, ...]:
    schema = SCHEMAS[table.name]
    given = [prop.name for prop in table.properties]
    for i, prop in enumerate(table.properties):
        loc = ("schema", 0, "properties", i, "name")
        if given.index(prop.name) != i:
            raise document.error(loc, f"the field '{prop.name}' stands here twice.")
        _refuse_health(document, loc, prop.name)
        if prop.name not in schema:
            free = [name for name in schema if name not in given]
            raise document.error(
                loc, f"'{prop.name}' is no field of {table.name}.", did_you_mean(prop.name, free or list(schema))
            )
    missing = [name for name in schema if name not in given]
    if missing:
        fact = f"{len(missing)} fields of {table.name} are not described: {', '.join(missing)}."
        raise document.error(("schema", 0, "properties"), fact, "every field has its entry, optional ones too")
    return tuple(_column(document, i, prop, schema[prop.name]) for i, prop in enumerate(table.properties))


def _column(document: Document, i: int, prop: Property, dtype: object) -> Column:
    loc = ("schema", 0, "properties", i)
    column = Column(
        name=prop.name,
        data_class=prop.classification,
        required=prop.required,
        type=prop.logicalType,
        pattern=prop.logicalTypeOptions.pattern,
        source=str(_custom(prop.customProperties, "source", "")),
        description=prop.description,
        description_de=str(_custom(prop.customProperties, "descriptionDe", prop.description)),
    )
    if column.dtype != dtype:
        raise document.error((*loc, "logicalType"), f"'{prop.name}' is stored as another type than {column.type}.")
    if not column.source:
        raise document.error(loc, f"'{prop.name}' names no source.", "customProperties: - property: source")
    if column.pattern is not None and not _usable(column.pattern):
        raise document.error(
            (*loc, "logicalTypeOptions", "pattern"),
            f"the pattern of '{prop.name}' cannot be used.",
            "no look-around, no back-references, no repetition of a repetition or choice such as (a+)+ or (a|b)*;"
            " at most 1,000 characters",
        )
    return column


def _usable(pattern: str) -> bool:
    """Whether polars takes the pattern, and no engine that backtracks can be made to hang by it."""
    if len(pattern) > 1_000 or re.search(r"[+*}]\)?[+*]|\([^()]*[+*|][^()]*\)[+*{]", _without_literals(pattern)):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
        pl.Series([""]).str.contains(pattern)
    except (re.error, pl.exceptions.PolarsError, Warning, RecursionError, OverflowError):
        return False
    return True


def _without_literals(pattern: str) -> str:
    """The skeleton of a pattern: escapes and classes gone; a group that begins with a fixed character is no danger."""
    skeleton = re.sub(r"\\.", "x", pattern)
    skeleton = re.sub(r"\[[^\]]*\]", "C", skeleton)
    return re.sub(r"\((?:\?:)?x[^()|]*\)", "G", skeleton)


def _refuse_health(document: Document, loc: tuple[str | int, ...], name: str) -> None:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).casefold()
    for what, pattern in _NEVER:
        if re.search(pattern, words):
            raise document.error(
                loc,
                f"a contract cannot allow '{name}': the field states {what}.",
                "take it out here and at its source; nothing of it may be transmitted or stored",
            )


def _key(document: Document, table: Table, columns: tuple[Column, ...]) -> tuple[str, ...]:
    names = tuple(column.name for column in columns)
    stated = str(_custom(table.customProperties, "uniqueKey", "all"))
    if stated == "all":
        return names
    key = tuple(part.strip() for part in stated.split(","))
    for part in key:
        if part not in names:
            raise document.error(
                ("schema", 0, "customProperties"),
                f"uniqueKey names '{part}', which is no field.",
                did_you_mean(part, list(names)),
            )
    return key


def _retention_days(document: Document) -> int:
    found = [(i, p) for i, p in enumerate(document.model.slaProperties) if p.property == "retention"]
    if len(found) != 1:
        fact = f"{len(found)} retention entries; a contract states one."
        raise document.error(("slaProperties",), fact, "slaProperties: - property: retention, value: P90D")
    i, sla = found[0]
    loc = ("slaProperties", i, "value")
    written = re.fullmatch(r"P(\d{1,5})D", str(sla.value))
    if written:
        days = int(written[1])
    elif isinstance(sla.value, int) and not isinstance(sla.value, bool) and sla.unit in {"d", "day", "days"}:
        days = sla.value
    else:
        raise document.error(loc, "the retention is not a number of days.", "write it as P90D")
    if not 0 < days <= MAX_RETENTION_DAYS:
        fact = f"a retention of {days} days; allowed are 1 to {MAX_RETENTION_DAYS}."
        raise document.error(loc, fact, "90 days is what patients were promised; shorter is always allowed")
    return days


def _custom(properties: Sequence[CustomProperty], name: str, default: str | bool) -> str | bool:
    return next((item.value for item in properties if item.property == name), default)
