"""A dump of eTermin's ``GET /api/appointmentdeleted``: what was cancelled there still stands in it, with names."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.model import Batch
from lifecycle.sources.formats import Format, Source
from lifecycle.sources.head import Head
from lifecycle.sources.names import squash
from lifecycle.sources.rest import dump_batches


def _recognises(head: Head) -> bool:
    squashed = {squash(name) for name in head.names}
    return "externalid" in squashed and ("deletedby" in squashed or {"appid", "timestamp"} <= squashed)


def _batches(source: Source) -> Iterator[Batch]:
    yield from dump_batches(source, status="cancelled", received=("timestamp",))


FORMAT = Format(
    name="rest-appointmentdeleted",
    channel="rest",
    recognises=_recognises,
    dataset=lambda *_: "appointments",
    batches=_batches,
    good=(
        b'[{"appId": 7, "externalId": "a1", "calendarid": 3, "startDateTimeUtc": "2026-05-10T10:00:00", '
        b'"firstName": "Erika", "deletedBy": "praxis", "timeStamp": "2026-05-02T09:00:00"}]'
    ),
    bad=b'[{"appId": 7, "externalId": "a1", "deletedBy": "", "startDateTimeUtc": "2026-02-30T10:00:00"}]',
    empty_is_fine=True,
)
