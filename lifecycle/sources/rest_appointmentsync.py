"""A dump of eTermin's ``GET /api/appointmentsync``."""

from __future__ import annotations

from lifecycle.sources.formats import Format
from lifecycle.sources.head import Head
from lifecycle.sources.names import squash
from lifecycle.sources.rest import dump_batches


def _recognises(head: Head) -> bool:
    squashed = {squash(name) for name in head.names}
    return "externalid" in squashed and bool(squashed & {"synckey", "syncstatus"})


FORMAT = Format(
    name="rest-appointmentsync",
    channel="rest",
    recognises=_recognises,
    dataset=lambda *_: "appointments",
    batches=dump_batches,
    good=(
        b'[{"id": 7, "externalId": "a1", "syncKey": 12, "syncStatus": 1, "serviceIDs": "4,5", '
        b'"startDateTime": "2026-05-10T12:00:00", "bookingDateUtc": "2026-05-01T08:00:00", "firstName": "Erika"}]'
    ),
    bad=b'[{"externalId": "a1", "syncKey": 12, "email": {"private": "erika@example.org"}}]',
    empty_is_fine=True,
)
