"""Check batches of rows against a contract: one streaming pass, memory that does not grow with the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import polars as pl

from lifecycle.contract.json_text import hidden_keys, json_likely
from lifecycle.contract.keys import KeyCounter
from lifecycle.contract.rows import BASIC_CHECKS, RowCheck, basic_checks, conformed
from lifecycle.contract.structure import STRUCTURE_CHECKS, Flaw, structure_flaws
from lifecycle.contract.tally import Tally, known_channel
from lifecycle.contract.terms import Contract
from lifecycle.contract.values.registry import value_checks
from lifecycle.contract.values.scan import Scanner, Suspects, checks_of, hits_in
from lifecycle.errors import StoreError
from lifecycle.model import Finding, Severity

if TYPE_CHECKING:
    from lifecycle.contract.key_runs import Spill

Duplicates = Callable[[], Mapping[str, int]]
"""The store's answer: channel to number of rows that repeat an earlier key (see `keys.repeated_keys_sql`)."""


_SLICE = 250_000
"""Rows looked at together: what is computed on the way stays small however large a batch is."""


def check_batches(
    contract: Contract,
    batches: Iterable[pl.DataFrame],
    *,
    store: str,
    channel: str | None = None,
    duplicates: Duplicates | None = None,
    spill: Spill | None = None,
) -> tuple[Finding, ...]:
    """Check rows against their contract: structure, the basic checks and every value check.

    Parameters
    ----------
    contract : Contract
    batches : iterable of polars.DataFrame
        Rows in the dataset's columns. Columns that begin with ``_`` are ignored; ``line`` (Int64), if there, gives
        the line numbers of the findings, else the number of the batch does (from 1).
    store : str
        As it stands in the findings.
    channel : str, optional
        The channel of rows that have no column ``channel``.
    duplicates : callable, optional
        The store's own answer to "which keys repeat" (SQL). Without it keys are hashed on the way, up to
        `keys.HELD_ROWS` rows (with ``spill``: `keys.WRITTEN_ROWS`); beyond that the check says unknown.
    spill : callable, optional
        Lends a file for those hashes, so that memory does not grow with the rows; see `keys.KeyCounter`.

    Raises
    ------
    StoreError
        A batch that polars cannot work on.

    Returns
    -------
    tuple of Finding
        Per channel and check; one with outcome passed and count 0 for what passed. Never a value.
    """
    keys = KeyCounter(contract.key, spill) if duplicates is None else None
    checker = _Checker(contract, store, channel, keys)
    number = 0
    try:
        for number, batch in enumerate(batches, start=1):
            for part in batch.iter_slices(_SLICE) if batch.height > _SLICE else (batch,):
                checker.add(part, number)
        return checker.findings(duplicates() if duplicates is not None else None)
    except pl.exceptions.PolarsError as error:  # its message may hold values
        fact = f"Batch {number} of {store} could not be checked ({type(error).__name__})."
        raise StoreError(fact, "lifecycle check FILE reads an export of it instead") from None


class _Checker:
    def __init__(self, contract: Contract, store: str, channel: str | None, keys: KeyCounter | None) -> None:
        self._contract = contract
        self._channel = known_channel(channel)
        self._tally = Tally(contract.dataset, store)
        self._keys = keys
        self._flaws: dict[tuple[tuple[str, pl.DataType], ...], tuple[Flaw, ...]] = {}
        self._checks = basic_checks(contract)
        self._scanner = Scanner(contract)

    def add(self, batch: pl.DataFrame, number: int) -> None:
        """Count one batch."""
        rows, unread = conformed(self._contract, batch, self._channel, number)
        channels = rows["_channel"].unique().to_list() or [self._channel]
        self._tally.seen(channels)
        self._count_flaws(batch, rows, channels)
        told = []
        for check in self._checks:
            if unread.intersection(check.fails.meta.root_names()):
                for name in channels:
                    self._tally.unknown(check.name, check.field, name, check.severity)
            else:
                told.append(check)
        count_failures(self._tally, rows, told)
        self._count_values(rows, unread, channels)
        if self._keys is not None:
            if unread.intersection(self._contract.key) - {"channel"}:
                self._keys.forget()  # a key that cannot be read is not unique and not repeated: unknown
            else:
                self._keys.add(rows)

    def _count_values(self, rows: pl.DataFrame, unread: frozenset[str], channels: list[str]) -> None:
        texts = [column.name for column in self._contract.columns if column.type == "string"]
        for field in unread.intersection(texts):
            for check in checks_of(field):
                for name in channels:
                    self._tally.unknown(check.name, field, name, check.severity)
        for suspects in self._scanner.add(rows, [field for field in texts if field not in unread]):
            self._count_suspects(suspects)

    def _count_suspects(self, suspects: Suspects) -> None:
        hits = hits_in(suspects)
        checks = checks_of(suspects.field)
        found = [RowCheck(check.name, suspects.field, check.severity, pl.col(check.name)) for check in checks]
        count_failures(self._tally, hits, found)
        self._count_hidden(hits.filter(json_likely(pl.col("text"))), suspects.field)

    def _count_hidden(self, texts: pl.DataFrame, field: str) -> None:
        severity = Severity.ERROR if self._contract.strict else Severity.WARNING
        for text, name, at in texts.select("text", "_channel", "_at").iter_rows():
            for key in hidden_keys(text):
                self._tally.failed("undeclared-field", f"{field}.{key}", name, severity, 1, at, at)

    def findings(self, repeated: Mapping[str, int] | None) -> tuple[Finding, ...]:
        """All findings; ``repeated`` is the store's answer about keys, if it was asked."""
        for suspects in self._scanner.rest():
            self._count_suspects(suspects)
        if self._keys is not None:
            repeated = self._keys.repeated()
        if repeated is None:
            self._tally.unknown_everywhere("unique-key", Severity.ERROR)
        for name, rows in (repeated or {}).items():
            if rows:
                self._tally.failed("unique-key", "", known_channel(name), Severity.ERROR, rows)
        values = ((check.name, check.severity) for check in value_checks())
        return self._tally.findings((*STRUCTURE_CHECKS, *BASIC_CHECKS, *values))

    def _structure(self, batch: pl.DataFrame) -> tuple[Flaw, ...]:
        shape = tuple(batch.schema.items())
        if shape not in self._flaws:
            flaws = structure_flaws(self._contract, batch)
            if self._channel:  # the caller says whose rows these are
                flaws = tuple(flaw for flaw in flaws if (flaw.check, flaw.field) != ("missing-field", "channel"))
            self._flaws[shape] = flaws
        return self._flaws[shape]

    def _count_flaws(self, batch: pl.DataFrame, rows: pl.DataFrame, channels: list[str]) -> None:
        flaws, schema = self._structure(batch), batch.schema
        columns = list(dict.fromkeys(flaw.column for flaw in flaws if flaw.column is not None))
        filled = batch.select(_filled(schema[name], name).alias(f"{i}") for i, name in enumerate(columns))
        number = {name: f"{i}" for i, name in enumerate(columns)}
        marked = pl.concat([rows.select("_channel", "_at"), filled], how="horizontal") if columns else rows
        hits = {flaw.column: pl.col(number[flaw.column]) if flaw.column else pl.lit(True) for flaw in flaws}
        counted = dict(zip(hits, _counts(marked, list(hits.values())), strict=True)) if flaws else {}
        for flaw in flaws:
            for name in channels:
                # Zero is a failure too: the column is there, although it must not be.
                count = counted[flaw.column].get(name, (0, None, None))
                self._tally.failed(flaw.check, flaw.field, name, flaw.severity, *count)


def count_failures(tally: Tally, rows: pl.DataFrame, checks: Iterable[RowCheck]) -> None:
    """Evaluate all checks in one select; look closer, channel by channel, only at those that failed somewhere."""
    checks = list(checks)
    if not checks or not rows.height:
        return
    sums = rows.select(check.fails.sum().alias(str(i)) for i, check in enumerate(checks)).row(0)
    failing = [check for check, failed in zip(checks, sums, strict=True) if failed]
    for check, counts in zip(failing, _counts(rows, [check.fails for check in failing]), strict=True):
        for name, count in counts.items():
            tally.failed(check.name, check.field, name, check.severity, *count)


Counts = Mapping[str, tuple[int, int | None, int | None]]
"""Channel to number of rows, first and last place."""


def _counts(rows: pl.DataFrame, hits: list[pl.Expr]) -> list[Counts]:
    """For each expression the rows it is true for, by channel; one pass for all."""
    if not hits or not rows.height:
        return [{} for _ in hits]
    marked = rows.select("_channel", "_at", *(hit.fill_null(False).alias(f"{i}") for i, hit in enumerate(hits)))
    columns = []
    for i in range(len(hits)):
        places = pl.col("_at").filter(pl.col(f"{i}"))
        columns += [pl.col(f"{i}").sum().alias(f"n{i}"), places.min().alias(f"f{i}"), places.max().alias(f"l{i}")]
    grouped = marked.group_by("_channel").agg(columns).rows()
    return [
        {str(row[0]): (row[1 + 3 * i], row[2 + 3 * i], row[3 + 3 * i]) for row in grouped if row[1 + 3 * i]}
        for i in range(len(hits))
    ]


def _filled(dtype: pl.DataType, name: str) -> pl.Expr:
    present = pl.col(name).is_not_null()
    return present & (pl.col(name).str.len_bytes() > 0) if dtype == pl.String else present
