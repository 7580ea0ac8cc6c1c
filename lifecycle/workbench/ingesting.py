"""``ingest``: files in, counts out. All of a file or none of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from lifecycle import __version__
from lifecycle.deletion import documents as doc
from lifecycle.errors import LifecycleError, SourceError, StoreError
from lifecycle.model import Batch, Opened
from lifecycle.sources import open_file
from lifecycle.stores.embedded.ingest import Arrival, Intake
from lifecycle.workbench import progress
from lifecycle.workbench.results import Ingested, Refusal, RejectedLine, Undeclared
from lifecycle.workbench.workspace import Workspace, state_of

_SHOWN_REJECTS = 1000


def ingest(
    workspace: Workspace,
    paths: Sequence[Path],
    *,
    dataset: str | None,
    format: str | None,
    as_of: date,
    consume: bool,
) -> Ingested:
    """Read files into the workspace store; see :meth:`Workbench.ingest`."""
    unfinished = workspace.runs(__version__).open_run()
    if unfinished:
        # What arrives now could be a row that is just being erased, and its tombstone does not speak yet.
        raise StoreError(f"Run {unfinished} is not finished, so nothing was read.", f"lifecycle purge {unfinished}")
    refused: list[Refusal] = []
    rejects: list[RejectedLine] = []
    settings = workspace.settings
    limits = workspace.cutoffs(as_of)
    with workspace.store.intake(as_of, settings.zone) as intake:
        for number, path in enumerate(paths, start=1):
            try:
                _read(workspace, intake, path, dataset, format, rejects, number)
            except SourceError as error:
                refused.append(Refusal(number, str(path), error.fact, error.hint))
        arrivals = intake.settle(limits, list(_living_tombstones(workspace)))
    consumed = _consume(workspace, arrivals, refused) if consume else 0
    return _result(arrivals, rejects, refused, consumed, dataset)


def open_source(workspace: Workspace, path: Path, dataset: str | None, format: str | None) -> Opened:
    """Open one input file with the workspace's zone, column names and limits.

    Raises
    ------
    SourceError
        It cannot be read, or holds another dataset than the one asked for.
    """
    settings = workspace.settings
    opened = open_file(
        path,
        zone=settings.zone,
        format=format,
        columns=settings.ingest.columns,
        max_unpacked_bytes=settings.ingest.max_unpacked_bytes,
    )
    if dataset and opened.dataset != dataset:
        raise SourceError(
            f"The file holds {opened.dataset} ({opened.format}), not {dataset}.", "leave --dataset out, or say --format"
        )
    return opened


def _read(
    workspace: Workspace,
    intake: Intake,
    path: Path,
    dataset: str | None,
    format: str | None,
    rejects: list[RejectedLine],
    number: int,
) -> None:
    opened = open_source(workspace, path, dataset, format)
    sha256 = _sha256(path) if opened.dataset == "appointments" else ""
    where = str(path.resolve())
    arrival = Arrival(where, opened.format, opened.dataset, opened.channel, sha256, number=number, stamp=state_of(path))

    def seen() -> Iterator[Batch]:
        for batch in opened.batches():
            progress.advance(batch.read)
            room = _SHOWN_REJECTS - len(rejects)
            rejects.extend(RejectedLine(number, one.line, one.reason) for one in batch.rejects[:room])
            yield batch

    try:
        intake.take(arrival, seen())
    except LifecycleError:
        rejects[:] = [one for one in rejects if one.file != number]
        raise


def _sha256(path: Path) -> str:
    # Only records need it: an older export, read again, must not undo what a newer one replaced.
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"The file cannot be read: {error.strerror}.", "check its name and rights") from None


def _living_tombstones(workspace: Workspace) -> Iterator[tuple[str, bytes]]:
    ledger = workspace.ledger()
    for run_id in ledger.runs():
        if {doc.RECORD, doc.TOMBSTONES} <= ledger.listing(run_id) and ledger.holds_tombstone_key(run_id):
            yield ledger.read(run_id, doc.TOMBSTONES).decode("ascii"), ledger.tombstone_key(run_id)


def _consume(workspace: Workspace, arrivals: Iterable[Arrival], refused: list[Refusal]) -> int:
    """Remove what was stored. A file that stays is told, not raised: the counts of all files are true either way."""
    count = 0
    for arrival in arrivals:
        path = Path(arrival.path)
        kept, hint = "", "remove it by hand"
        if state_of(path) != arrival.stamp:
            kept = "not removed: it has changed since it was read"
            hint = "ingest it again: what was added is not stored yet"
        else:
            try:
                path.unlink()
            except OSError as error:
                kept = f"cannot be removed: {error.strerror}"
        if kept:
            refused.append(Refusal(arrival.number, arrival.path, f"It was stored, but {kept}.", hint))
            continue
        workspace.store.mark_consumed(arrival.source)
        count += 1
    return count


def _result(
    arrivals: Sequence[Arrival],
    rejects: Sequence[RejectedLine],
    refused: Sequence[Refusal],
    consumed: int,
    dataset: str | None,
) -> Ingested:
    undeclared: dict[str, int] = {}
    for arrival in arrivals:
        _add(undeclared, arrival.undeclared)
    return Ingested(
        dataset=dataset or ", ".join(sorted({arrival.dataset for arrival in arrivals})),
        files=len(arrivals),
        read=sum(arrival.read for arrival in arrivals),
        stored=sum(arrival.stored for arrival in arrivals),
        replaced=sum(arrival.replaced for arrival in arrivals),
        duplicates=sum(arrival.duplicates for arrival in arrivals),
        rejected=sum(arrival.rejected for arrival in arrivals),
        expired=sum(arrival.expired for arrival in arrivals),
        undeclared=tuple(Undeclared(name, count) for name, count in sorted(undeclared.items())),
        rejects=tuple(rejects),
        refused=tuple(refused),
        consumed=consumed,
    )


def _add(total: dict[str, int], counts: Mapping[str, int]) -> None:
    for name, count in counts.items():
        total[name] = total.get(name, 0) + count
