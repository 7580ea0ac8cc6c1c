"""Which rows does a finding speak of? For a person at a terminal who asks; never written anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from lifecycle.contract.rows import BASIC_CHECKS, basic_checks, conformed
from lifecycle.contract.structure import STRUCTURE_CHECKS
from lifecycle.contract.terms import Contract
from lifecycle.contract.values.registry import value_checks
from lifecycle.contract.values.scan import checks_of, hits_in, suspects_in
from lifecycle.errors import StoreError, UsageError
from lifecycle.model import RECORD_KEY


def row_keys(contract: Contract, batches: Iterable[pl.DataFrame], check: str, *, limit: int = 1_000) -> pl.DataFrame:
    """Keys of the rows that fail a row-local check. The caller shows them and writes them nowhere.

    Parameters
    ----------
    contract : Contract
    batches : iterable of polars.DataFrame
        As for `check.check_batches`; read once, up to the ``limit``-th row found.
    check : str
        Name of a value check or of a row-local basic check, in any case.
    limit : int
        Most rows to return.

    Returns
    -------
    polars.DataFrame
        ``field``, ``at`` (line, else number of the batch) and the columns of the record's key.

    Raises
    ------
    UsageError
        No such check, or one that does not speak of single rows.
    StoreError
        A batch that polars cannot work on.
    """
    name = _known(check)
    found: list[pl.DataFrame] = []
    left = limit
    try:
        for number, batch in enumerate(batches, start=1):
            for part in _failing(contract, batch, number, name):
                found.append(part.head(left))
                left -= found[-1].height
                if left <= 0:
                    return pl.concat(found)
    except pl.exceptions.PolarsError as error:  # its message may hold values
        raise StoreError(f"The rows could not be looked at ({type(error).__name__}).") from None
    return pl.concat(found) if found else _empty(contract)


def _known(check: str) -> str:
    rows = {"required-field", "email-pattern", "mobile-pattern", "allowed-word"}
    names = {value.name for value in value_checks()} | rows
    wanted = check.strip().casefold()
    if wanted in names:
        return wanted
    if wanted in {name for name, _ in (*STRUCTURE_CHECKS, *BASIC_CHECKS)}:
        raise UsageError(f"'{wanted}' speaks of columns or of all rows at once, not of single rows.")
    raise UsageError("There is no check of that name.", f"known: {', '.join(sorted(names))}")


def _failing(contract: Contract, batch: pl.DataFrame, number: int, name: str) -> Iterator[pl.DataFrame]:
    rows, unread = conformed(contract, batch, "", number)
    for check in basic_checks(contract):
        if check.name == name and not unread.intersection(check.fails.meta.root_names()):
            yield _keys(rows.filter(check.fails), check.field)
    texts = [c.name for c in contract.columns if c.type == "string" and c.name not in unread]
    fields = [field for field in texts if name in {check.name for check in checks_of(field)}]
    for suspects in suspects_in(contract, rows, fields):
        hit = hits_in(suspects).filter(pl.col(name))
        yield _keys(rows[hit["_row"].to_list()], suspects.field)


def _keys(rows: pl.DataFrame, field: str) -> pl.DataFrame:
    return rows.select(pl.lit(field).alias("field"), pl.col("_at").alias("at"), *RECORD_KEY)


def _empty(contract: Contract) -> pl.DataFrame:
    key = {name: contract.column(name).dtype for name in RECORD_KEY}
    return pl.DataFrame(schema={"field": pl.String, "at": pl.Int64, **key})
