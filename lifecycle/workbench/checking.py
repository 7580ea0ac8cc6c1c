"""``check``: the contract against what is stored, or against files read in place."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import polars as pl

from lifecycle.contract.check import check_batches
from lifecycle.contract.keys import repeated_keys_sql
from lifecycle.contract.second_opinion import MOST, SHARE, WHOLE_UP_TO, second_opinion
from lifecycle.contract.terms import Contract
from lifecycle.errors import SourceError, UsageError
from lifecycle.mail.setup import MENU_PATHS, Setup
from lifecycle.model import Finding, Opened, Outcome, Severity, SourceRow
from lifecycle.workbench import progress
from lifecycle.workbench.connection import connection_findings
from lifecycle.workbench.results import Checked, outcome_of
from lifecycle.workbench.workspace import Workspace


def check_store(workspace: Workspace, store: str | None, *, second_opinion: bool = False) -> Checked:
    """Check everything in the workspace store, and what ``ingest`` dropped at the door."""
    if store not in (None, workspace.store.name):
        raise UsageError("There is no such store to read.", f"--store {workspace.store.name}")
    with workspace.store.kept_open():
        return _checked_store(workspace, second_opinion=second_opinion)


def _checked_store(workspace: Workspace, *, second_opinion: bool) -> Checked:
    findings: list[Finding] = []
    rows = 0
    progress.expect(sum(one.before for one in workspace.store.counts(workspace.cutoffs(workspace.today))))
    for dataset, contract in workspace.contracts().items():
        counter = _Counter(workspace.store.rows(dataset))
        repeated = partial(workspace.store.counted_by_channel, repeated_keys_sql(contract, dataset))
        found = check_batches(contract, counter, store=workspace.store.name, duplicates=repeated)
        findings += found
        rows += counter.rows
        if second_opinion and counter.rows:
            drawn = workspace.store.sample(dataset, _sample_size(counter.rows), seed=_seed(workspace))
            findings += _second_opinion(workspace, contract, drawn, found, counter.rows)
    findings += _set_findings(workspace)
    for source in workspace.store.sources():
        findings += _door_findings(source)
    findings += _drift_findings(workspace)
    connection = connection_findings(workspace)
    findings += connection
    mended_at = {one.check: MENU_PATHS[one.check] for one in connection}
    return Checked(outcome_of(findings), rows, tuple(findings), mended_at, partial(_where, workspace))


def _where(workspace: Workspace, check: str) -> pl.DataFrame:
    from lifecycle.contract.where import row_keys

    found = [
        row_keys(contract, workspace.store.rows(dataset), check).with_columns(pl.lit(dataset).alias("dataset"))
        for dataset, contract in workspace.contracts().items()
    ]
    return pl.concat(found, how="diagonal")


_DRIFT_SEVERITY = {"zombie": Severity.ERROR, "non-video-service": Severity.ERROR}


def _drift_findings(workspace: Workspace) -> list[Finding]:
    """Compare log and records; where one of them is not here, nothing is compared, and nothing is said to agree."""
    calendars = Setup.from_mapping(workspace.settings.setup).calendars
    return [
        Finding(
            check,
            "appointments",
            workspace.store.name,
            "",
            _DRIFT_SEVERITY.get(check, Severity.WARNING),
            count,
            Outcome.FAILED if count else Outcome.PASSED,
            "arztkonsultation",
        )
        for check, count in workspace.store.drift(calendars).items()
        if count is not None
    ]


def check_files(
    workspace: Workspace,
    paths: Sequence[Path],
    dataset: str | None,
    format: str | None,
    *,
    second_opinion: bool = False,
) -> Checked:
    """Check files where they lie; nothing of them is stored."""
    from lifecycle.workbench.ingesting import open_source  # the readers, which a check of the store does without

    contracts = workspace.contracts()
    findings: list[Finding] = []
    rows = 0
    for number, path in enumerate(paths, start=1):
        try:
            opened = open_source(workspace, path, dataset, format)
        except SourceError as error:
            raise SourceError(f"File {number}: {error.fact}", error.hint) from None
        seen = _Seen(opened, _seed(workspace) if second_opinion else None)
        where = f"file {number}"
        contract = contracts[opened.dataset]
        found = check_batches(
            contract, seen.frames(), store=where, channel=opened.channel, spill=tempfile.TemporaryFile
        )
        findings += found
        if second_opinion and seen.rows:
            findings += _second_opinion(workspace, contract, seen.drawn(), found, seen.rows)
        findings += _undeclared(seen.undeclared, opened.dataset, where, opened.channel)
        findings += _unreadable(seen.rejected, opened.dataset, where, opened.channel, seen.first, seen.last)
        rows += seen.rows
    return Checked(outcome_of(findings), rows, tuple(findings))


class _Counter:
    def __init__(self, frames: Iterator[pl.DataFrame]) -> None:
        self._frames = frames
        self.rows = 0

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for frame in self._frames:
            self.rows += frame.height
            progress.advance(frame.height)
            yield frame


class _Seen:
    """What a file said about itself while its rows went by."""

    def __init__(self, opened: Opened, seed: int | None) -> None:
        self._opened = opened
        self._seed = seed
        self._kept: list[pl.DataFrame] = []
        self.rows = 0
        self.rejected = 0
        self.first: int | None = None
        self.last: int | None = None
        self.undeclared: dict[str, int] = {}

    def frames(self) -> Iterator[pl.DataFrame]:
        for batch in self._opened.batches():
            self.rows += batch.rows.height
            progress.advance(batch.rows.height)
            self.rejected += len(batch.rejects)
            lines = [one.line for one in batch.rejects]
            self.first = min([*lines, *([self.first] if self.first else [])], default=None)
            self.last = max([*lines, *([self.last] if self.last else [])], default=None)
            for name, count in batch.undeclared.items():
                self.undeclared[name] = self.undeclared.get(name, 0) + count
            if self._seed is not None:
                self._keep(batch.rows.drop("line"), self._seed)
            yield batch.rows

    def _keep(self, rows: pl.DataFrame, seed: int) -> None:
        # How long the file is shows at its end, so what is kept is thinned out as it grows.
        self._kept.append(rows)
        if sum(frame.height for frame in self._kept) > 2 * MOST:
            self._kept = [pl.concat(self._kept).sample(MOST, seed=seed)]

    def drawn(self) -> pl.DataFrame:
        kept = pl.concat(self._kept)
        size = min(kept.height, _sample_size(self.rows))
        return kept.sample(size, seed=self._seed) if size < kept.height else kept


def _sample_size(rows: int) -> int:
    return rows if rows <= WHOLE_UP_TO else min(int(rows * SHARE), MOST)


def _seed(workspace: Workspace) -> int:
    # The same on one day, so that a look at the same data gives the same sample; another one tomorrow.
    return workspace.today.toordinal()


def _second_opinion(
    workspace: Workspace, contract: Contract, drawn: pl.DataFrame, found: Sequence[Finding], rows: int
) -> tuple[Finding, ...]:
    # Read from disk once more: the other tool has its own reading of them.
    files = [path.read_bytes() for path in sorted((workspace.path / "contracts").glob("*.odcs.yaml"))]
    return second_opinion(contract, files, drawn, found, seed=_seed(workspace), total=rows)


def _door_findings(source: SourceRow) -> list[Finding]:
    where = f"file {source.source}"
    findings = _undeclared(dict(source.undeclared), source.dataset, where, source.channel)
    lines = [line for _, first, last in source.rejects.values() for line in (first, last)]
    first, last = min(lines, default=None), max(lines, default=None)
    findings += _unreadable(source.rejected, source.dataset, where, source.channel, first, last)
    if source.expired:
        # Somebody held these rows longer than the rule allows; that they are not stored here does not mend it.
        findings.append(_failed("expired", source.dataset, where, source.channel, "", source.expired))
    return findings


def _undeclared(counts: dict[str, int], dataset: str, where: str, channel: str) -> list[Finding]:
    return [
        _failed("undeclared-field", dataset, where, channel, name, count)
        for name, count in sorted(counts.items())
        if count
    ]


def _unreadable(
    count: int, dataset: str, where: str, channel: str, first: int | None, last: int | None
) -> list[Finding]:
    if not count:
        return []
    return [Finding("rejected", dataset, where, "", Severity.NOTE, count, Outcome.UNKNOWN, channel, first, last)]


def _failed(check: str, dataset: str, where: str, channel: str, field: str, count: int) -> Finding:
    return Finding(check, dataset, where, field, Severity.ERROR, count, Outcome.FAILED, channel)


_SET_SEVERITY = {"series": Severity.NOTE, "order-unknown": Severity.WARNING}


def _set_findings(workspace: Workspace) -> list[Finding]:
    return [
        Finding(
            check,
            dataset,
            workspace.store.name,
            "appointment_uid",
            _SET_SEVERITY[check],
            count,
            Outcome.FAILED if count else Outcome.PASSED,
        )
        for (check, dataset), count in workspace.store.set_checks().items()
    ]
