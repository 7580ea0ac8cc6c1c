"""What record exports share: our column names (or eTermin's), and the dataset told by a ``command`` column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lifecycle.errors import SourceError
from lifecycle.sources.formats import Source
from lifecycle.sources.names import COLUMN_NAMES, Names, squash
from lifecycle.sources.normalise import Layout

CHANNEL = "arztkonsultation"

_ONLY_OURS = {"appointment_uid", "calendar_ref", "service_id", "first_name", "last_name", "starts_at", "ends_at"}


def record_layout(source: Source) -> Layout:
    """Return how a record export is read."""
    names = Names(source.dataset, columns=source.columns)
    return Layout(source.dataset, source.channel, names, source.zone)


def spelled_our_way(names: Iterable[str]) -> bool:
    """Tell whether at least two of the names are columns of ours, in our spelling."""
    return len({name.strip().lower() for name in names} & _ONLY_OURS) >= 2


def dataset_of(names: Iterable[str], columns: Mapping[str, str]) -> str:
    """Return ``events`` if there is a command among the names, else ``appointments``."""
    own = {squash(theirs): squash(ours) for theirs, ours in columns.items()}
    return "events" if any(own.get(squash(name), squash(name)) == "command" for name in names) else "appointments"


def slots_of_header(header: list[str], names: Names) -> list[str | None]:
    """Return the slot of each column of a table (None: undeclared or technical).

    Raises
    ------
    SourceError
        No column holds the appointment's id, or two columns hold the same.
    """
    slots = [names.slot(name) for name in header]
    filled = [slot for slot in slots if slot is not None]
    if not set(filled) & set(names.slots["appointment_uid"]):
        raise SourceError(
            f"The table has {len(header)} columns, and none of them holds the appointment's id.",
            f"Name it {' or '.join(('appointment_uid', *COLUMN_NAMES['appointment_uid']))}, "
            "or map its name in lifecycle.toml.",
        )
    twice = sorted({slot for slot in filled if filled.count(slot) > 1})
    if twice:
        raise SourceError(f"The table has more than one column for: {', '.join(twice)}.", "Remove or rename one.")
    return slots
