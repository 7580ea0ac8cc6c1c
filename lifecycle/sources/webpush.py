"""eTermin Web Push: a log of messages, JSON (camelCase) or form variables (UPPERCASE), bare or wrapped by a gateway."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.model import Batch
from lifecycle.sources.formats import Format, Source
from lifecycle.sources.head import Head
from lifecycle.sources.messages import PUSHED, message_batches
from lifecycle.sources.names import Names, squash
from lifecycle.sources.normalise import Layout


def _recognises(head: Head) -> bool:
    squashed = {squash(name) for name in head.names}
    spelled_our_way = any("_" in name and squash(name) != "receivedat" for name in head.names)
    return {"command", "appointmentuid"} <= squashed and not spelled_our_way


def _batches(source: Source) -> Iterator[Batch]:
    names = Names("events", columns=source.columns, without=frozenset({"channel"}))
    yield from message_batches(source, Layout("events", source.channel, names, source.zone), PUSHED)


FORMAT = Format(
    name="webpush",
    channel="webpush",
    recognises=_recognises,
    dataset=lambda *_: "events",
    batches=_batches,
    good=(
        b'{"received_at": "2026-05-01T08:00:00Z", "body": {"command": "CREATED", "appointmentUID": "a1", '
        b'"startDateTimeUTC": "2026-05-10T10:00:00", "endDateTimeUTC": "2026-05-10T10:30:00", '
        b'"firstName": "Erika", "lastName": "Muster", "email": "erika@example.org", "notes": ""}}\n'
    ),
    bad=b'{"command": "CREATED", "appointmentUID": "a1", "startDateTimeUTC": "2026-02-30T10:00:00"}\n',
    empty_is_fine=True,
)
