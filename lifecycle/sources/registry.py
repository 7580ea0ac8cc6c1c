"""The formats and the one door to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from lifecycle.errors import SourceError, UsageError
from lifecycle.model import SCHEMAS, Batch, Opened
from lifecycle.sources import (
    record_csv,
    record_json,
    record_parquet,
    rest_appointment,
    rest_appointmentdeleted,
    rest_appointmentsync,
    webpush,
)
from lifecycle.sources.files import HEAD_BYTES, head_of
from lifecycle.sources.formats import Format, Source
from lifecycle.sources.head import Head, Shape, look
from lifecycle.sources.names import squash

MOST_UNPACKED_BYTES = 4 << 30

_TABLE: tuple[Format, ...] = (
    webpush.FORMAT,
    rest_appointment.FORMAT,
    rest_appointmentsync.FORMAT,
    rest_appointmentdeleted.FORMAT,
    record_csv.FORMAT,
    record_json.NDJSON,
    record_json.JSON,
    record_parquet.FORMAT,
)
"""Every format there is. A new one is a file of its own and a line here."""

REGISTRY: Mapping[str, Format] = {one.name: one for one in _TABLE}

FORMATS = tuple(REGISTRY)
"""The names that ``--format`` takes."""


def open_file(
    path: Path,
    *,
    zone: ZoneInfo,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    channel: str | None = None,
    max_unpacked_bytes: int = MOST_UNPACKED_BYTES,
) -> Opened:
    """Open an input file, its format told by its content or by name.

    Parameters
    ----------
    path : Path
        A regular file, plain or gzip.
    zone : ZoneInfo
        Where times without an offset were written.
    format : str, optional
        One of ``FORMATS``.
    columns : mapping of str to str, optional
        Name in the file -> our column, for record exports with other names.
    channel : str, optional
        Overrides the channel of a record export; a ``channel`` column overrides both.
    max_unpacked_bytes : int
        Cap on the bytes a gzip file unpacks to.

    Raises
    ------
    SourceError
        The file cannot be opened, is empty, of no known format, or could be of several.
    UsageError
        Unknown ``format``, or ``columns`` names a column that does not exist.
    """
    columns = dict(columns or {})
    _check_columns(columns)
    beginning = head_of(path, max_unpacked_bytes)
    head = look(beginning, whole=len(beginning) < HEAD_BYTES)
    chosen = _named(format, head) if format else _told(head, columns)
    dataset = chosen.dataset(path, head, columns, max_unpacked_bytes)
    source = Source(path, head, zone, columns, channel or chosen.channel, dataset, max_unpacked_bytes)

    def batches() -> Iterator[Batch]:
        if head.shape is Shape.EMPTY:
            return
        try:
            yield from chosen.batches(source)
        except OSError:
            raise SourceError("The file could not be read to its end.", "Check the disk, and copy it again.") from None

    return Opened(path, chosen.name, dataset, source.channel, batches)


def _named(name: str, head: Head) -> Format:
    if name not in REGISTRY:
        raise UsageError("The format is unknown.", f"One of: {', '.join(FORMATS)}.")
    chosen = REGISTRY[name]
    if head.shape is Shape.EMPTY and not chosen.empty_is_fine:
        raise _empty()
    if (head.shape is Shape.PARQUET) != (name == "parquet"):
        raise SourceError(f"The file is not of the format {name}.", "Leave --format away to have it told by content.")
    return chosen


def _told(head: Head, columns: Mapping[str, str]) -> Format:
    if head.shape is Shape.EMPTY:
        raise _empty()
    # The mapping speaks only where nobody knows the names as they are.
    mapped = replace(head, columns={squash(theirs): ours for theirs, ours in columns.items()})
    for seen in (head, mapped):
        found = [one for one in REGISTRY.values() if one.recognises(seen)]
        if found:
            break
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(one.name for one in found)
        raise SourceError("The format of the file is not clear.", f"Say which with --format: {names}.")
    raise SourceError(
        "The format of the file could not be told from its content.", f"Say it with --format: {', '.join(FORMATS)}."
    )


def _empty() -> SourceError:
    return SourceError("The file is empty.", "If an empty log is right, say its format with --format.")


def _check_columns(columns: Mapping[str, str]) -> None:
    unknown = sorted(set(columns.values()) - set(SCHEMAS["events"]))
    if unknown:
        raise UsageError(
            f"The column mapping names {len(unknown)} columns that do not exist.",
            f"Columns: {', '.join(SCHEMAS['events'])}.",
        )
