"""Record exports as Parquet."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from lifecycle.errors import SourceError
from lifecycle.model import Batch, Reject
from lifecycle.sources.files import opened
from lifecycle.sources.formats import Format, Source
from lifecycle.sources.head import Head, Shape
from lifecycle.sources.names import reportable
from lifecycle.sources.normalise import batch
from lifecycle.sources.records import CHANNEL, dataset_of, record_layout, slots_of_header

ROWS_A_BATCH = 100_000


@contextmanager
def _table(path: Path, most_bytes: int) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with opened(path, most_bytes) as stream:
        try:
            # A packed file has no random access; the cap on the bytes unpacked bounds what is held.
            # Read ahead, arrow keeps every column chunk it has read until the last batch: memory as large as the file.
            yield pq.ParquetFile(stream if stream.seekable() else BytesIO(stream.read()), pre_buffer=False)
        except (pa.ArrowException, OSError, pl.exceptions.PolarsError):
            raise SourceError("The Parquet file is broken.", "Export it again.") from None


def _dataset(path: Path, _head: Head, columns: Mapping[str, str], most_bytes: int) -> str:
    with _table(path, most_bytes) as table:
        return dataset_of(table.schema_arrow.names, columns)


def _batches(source: Source) -> Iterator[Batch]:
    layout = record_layout(source)
    with _table(source.path, source.most_bytes) as table:
        header = table.schema_arrow.names
        slots = slots_of_header(header, layout.names)
        row = 1
        for part in table.iter_batches(batch_size=ROWS_A_BATCH):
            frame = pl.DataFrame(pl.from_arrow(part))
            lines = pl.Series("line", range(row, row + frame.height), dtype=pl.Int64)
            row += frame.height
            given = {slot: frame[name] for slot, name in zip(slots, header, strict=True) if slot is not None}
            others: Counter[str] = Counter()
            for name in header:
                if layout.names.undeclared(name):
                    others[reportable(name)] += _filled(frame[name])
            slotted, rejects = _texts(given, lines)
            yield batch(slotted, layout, rejects, others)


def _texts(given: Mapping[str, pl.Series], lines: pl.Series) -> tuple[pl.DataFrame, list[Reject]]:
    columns: list[pl.Series] = []
    refused = pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(lines))
    for slot, values in given.items():
        if values.dtype in (pl.String, pl.Date, pl.Datetime):
            columns.append(values.alias(slot))
        elif values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Duration, pl.Time, pl.Object):
            refused = refused | values.is_not_null()
        else:
            columns.append(values.cast(pl.String).alias(slot))
    frame = pl.DataFrame([*columns, lines])
    rejects = [Reject("not-text", line) for line in lines.filter(refused)]
    return frame.filter(~refused), rejects


def _filled(values: pl.Series) -> int:
    if values.dtype == pl.String:
        return int((values.str.strip_chars() != "").sum())
    if values.dtype == pl.List:
        return int((values.list.len() > 0).sum())
    return len(values) - values.null_count()


_EXAMPLE = (
    "UEFSMRUAFRgVGCwVAhUAFQYVBhwAAAACAAAAAgECAAAAYTEVABUeFR4sFQIVABUGFQYcAAAAAgAAAAIBBQAAAEVyaWthFQAVHBUcLBUCFQAV"
    "BhUGHAAAAAIAAAACAQDARARyUQYAFQQZTDUAGAZzY2hlbWEVBgAVDCUCGA9hcHBvaW50bWVudF91aWQlAEwcAAAAFQwlAhgKZmlyc3RfbmFt"
    "ZSUATBwAAAAVBCUCGAlzdGFydHNfYXQlFEyMERwsAAAAAAAWAhkcGTwmABwVDBklBgAZGA9hcHBvaW50bWVudF91aWQVABYCFj4WPiYISRwV"
    "ABUAFQIAPBYEGQYZJgACAAAAJgAcFQwZJQYAGRgKZmlyc3RfbmFtZRUAFgIWRBZEJkZJHBUAFQAVAgA8FgoZBhkmAAIAAAAmABwVBBklBgAZ"
    "GAlzdGFydHNfYXQVABYCFkIWQiaKAUkcFQAVABUCADwpBhkmAAIAAAAWxAEWAiYIFsQBACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAy"
    "Ni4wLjEZPBwAABwAABwAAABAAQAAUEFSMQ=="
)

FORMAT = Format(
    name="parquet",
    channel=CHANNEL,
    recognises=lambda head: head.shape is Shape.PARQUET,
    dataset=_dataset,
    batches=_batches,
    good=base64.b64decode(_EXAMPLE),
    bad=b"PAR1 and then nothing",
)
