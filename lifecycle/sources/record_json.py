"""Record exports in JSON: one record a line (NDJSON), or a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from lifecycle.model import Batch
from lifecycle.sources.formats import Format, Source
from lifecycle.sources.head import Head, Shape
from lifecycle.sources.messages import PLAIN, message_batches
from lifecycle.sources.records import CHANNEL, dataset_of, record_layout, spelled_our_way


def _dataset(_path: Path, head: Head, columns: Mapping[str, str], _most_bytes: int) -> str:
    return dataset_of(head.names, columns)


def _batches(source: Source) -> Iterator[Batch]:
    yield from message_batches(source, record_layout(source), PLAIN)


_RECORD = (
    b'{"appointment_uid": "a1", "first_name": "Erika", "last_name": "Muster", "email": "erika@example.org", '
    b'"starts_at": "2026-05-10T10:00:00+02:00", "ends_at": "2026-05-10T10:30:00+02:00"}'
)

NDJSON = Format(
    name="ndjson",
    channel=CHANNEL,
    recognises=lambda head: head.shape is Shape.LINES and spelled_our_way(head.ours(head.names)),
    dataset=_dataset,
    batches=_batches,
    good=_RECORD + b"\n",
    bad=b'{"appointment_uid": "a1", "first_name": "Erika", "starts_at": \n',
    empty_is_fine=True,
)

JSON = Format(
    name="json",
    channel=CHANNEL,
    recognises=lambda head: head.shape is Shape.DOCUMENT and spelled_our_way(head.ours(head.names)),
    dataset=_dataset,
    batches=_batches,
    good=b"[" + _RECORD + b"]",
    bad=b"[" + _RECORD + b",",
    empty_is_fine=True,
)
