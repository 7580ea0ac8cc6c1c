"""What eTermin's three REST dumps share: the fields that are keys, flags and numbers, and where the id stands."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.model import Batch
from lifecycle.sources.formats import Source
from lifecycle.sources.messages import PLAIN, message_batches
from lifecycle.sources.names import Names
from lifecycle.sources.normalise import Layout

_TECHNICAL = """
appcapacity blockedapp bookingtype bookingtypeoriginal calendarssyncreadonly id appid isreadonly linkedappid
linkedmaster manualconfirmed multiappid posttimemin pretimemin rc recurrenceid recurrenceparentid recurrencerule
recurrencestate sequence servicescapacity severaltimeslots state status synckey syncstatus
"""

TECHNICAL = frozenset(_TECHNICAL.split())
"""Read over: no personal data in them. eTermin's ``status`` is not ours: its values are not documented."""

MORE = {"booked_at": ("creationdate",)}


def dump_batches(source: Source, *, status: str = "booked", received: tuple[str, ...] = ()) -> Iterator[Batch]:
    """Read a dump; ``received`` names fields that say when the record last changed."""
    names = Names(
        "appointments",
        more={**MORE, "received_at": received},
        technical=TECHNICAL,
        columns=source.columns,
        without=frozenset({"channel"}),
    )
    layout = Layout("appointments", source.channel, names, source.zone, status)
    yield from message_batches(source, layout, PLAIN)
