"""A dump of eTermin's ``GET /api/appointment``."""

from __future__ import annotations

from lifecycle.sources.formats import Format
from lifecycle.sources.head import Head
from lifecycle.sources.names import squash
from lifecycle.sources.rest import dump_batches

_ONLY_ELSEWHERE = {"synckey", "syncstatus", "deletedby", "command"}


def _recognises(head: Head) -> bool:
    squashed = {squash(name) for name in head.names}
    return {"externalid", "id"} <= squashed and not squashed & _ONLY_ELSEWHERE


FORMAT = Format(
    name="rest-appointment",
    channel="rest",
    recognises=_recognises,
    dataset=lambda *_: "appointments",
    batches=dump_batches,
    good=(
        b'[{"id": 7, "externalId": "a1", "calendarId": 3, "startDateTimeUtc": "2026-05-10T10:00:00", '
        b'"endDateTimeUtc": "2026-05-10T10:30:00", "firstName": "Erika", "email": "erika@example.org", "zip": ""}]'
    ),
    bad=b'[{"id": 7, "externalId": "a1",',
    empty_is_fine=True,
)
