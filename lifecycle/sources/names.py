"""Which names a source may use for which of our columns: the tables that the documentation lists.

Names are compared without regard to case or underscores (``squash``): eTermin writes ``firstName`` or
``FIRSTNAME``, a record export ``first_name``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "channel": ("channel",),
    "appointment_uid": ("appointmentuid", "externalid"),
    "participant": ("participant",),
    "origin": ("origin",),
    "calendar_ref": ("calendarref", "calendarid", "calendarname"),
    "service_id": ("serviceid", "serviceids"),
    "location": ("location",),
    "first_name": ("firstname",),
    "last_name": ("lastname",),
    "email": ("email",),
    "mobile": ("mobile", "phone"),
    "starts_at": ("startdatetimeutc", "startdatetime", "startsat"),
    "ends_at": ("enddatetimeutc", "enddatetime", "endsat"),
    "booked_at": ("bookingdateutc", "bookingdate", "bookedat"),
    "received_at": ("receivedat",),
    "status": ("status",),
    "command": ("command",),
}
"""Our column -> the squashed names it is read from; the first one that is filled in counts."""

TIME_COLUMNS = ("starts_at", "ends_at", "booked_at", "received_at")

_SQUASHED = {name: name for names in COLUMN_NAMES.values() for name in names}

_PLAUSIBLE = re.compile(r"[A-Za-zÄÖÜäöüß_][A-Za-zÄÖÜäöüß0-9_.\- ]{0,63}\Z")
_LIKE_AN_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9 ]{10,}\Z", re.IGNORECASE)
_MOST_DIGITS = 6

UNNAMED = "(unnamed)"
"""Stands for the name of an undeclared field that does not look like a name, so may itself be a value."""


def squash(name: str) -> str:
    """Reduce a field name to what is compared.

    Examples
    --------
    >>> squash(" First_Name ") == squash("FIRSTNAME") == "firstname"
    True
    """
    return name.strip().replace("_", "").lower()


def declared(dataset: str) -> Mapping[str, tuple[str, ...]]:
    """Return our columns of a dataset with the (squashed) names they are read from, preferred ones first.

    Parameters
    ----------
    dataset : str
        ``events`` or ``appointments``.

    Examples
    --------
    >>> declared("appointments")["mobile"]
    ('mobile', 'phone')
    >>> "command" in declared("appointments")
    False
    """
    return {column: names for column, names in COLUMN_NAMES.items() if column != "command" or dataset == "events"}


def reportable(name: str) -> str:
    """Return a field name that may be shown, or ``(unnamed)`` if it could be a value.

    Examples
    --------
    >>> reportable("notes"), reportable("erika@example.org"), reportable("DE89370400440532013000")
    ('notes', '(unnamed)', '(unnamed)')
    """
    digits = sum(character.isdigit() for character in name)
    if digits > _MOST_DIGITS or not _PLAUSIBLE.match(name) or _LIKE_AN_IBAN.match(name):
        return UNNAMED
    return name.strip()


class Names:
    """How the fields of one source are recognised.

    Parameters
    ----------
    dataset : str
        ``events`` or ``appointments``.
    more : mapping of str to tuple of str, optional
        Further squashed names a column is read from when its own are empty.
    technical : frozenset of str, optional
        Squashed names that carry no personal data: read over, neither stored nor undeclared.
    columns : mapping of str to str, optional
        The workspace's own mapping: name in the file -> our column.
    without : frozenset of str, optional
        Columns that this source cannot fill (a message cannot choose its own channel).
    """

    def __init__(
        self,
        dataset: str,
        *,
        more: Mapping[str, tuple[str, ...]] | None = None,
        technical: frozenset[str] = frozenset(),
        columns: Mapping[str, str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> None:
        own = {squash(theirs): squash(ours) for theirs, ours in (columns or {}).items()}
        self.technical = technical - own.keys()
        self.slots: dict[str, tuple[str, ...]] = {
            column: tuple(name for name in (*names, *(more or {}).get(column, ())) if name not in self.technical)
            for column, names in declared(dataset).items()
            if column not in without
        }
        known = {name for names in self.slots.values() for name in names}
        self._slot_of = {**{name: name for name in known}, **own}

    def slot(self, name: str) -> str | None:
        """Return the slot (squashed declared name) that a field fills, or None."""
        return self._slot_of.get(squash(name))

    def undeclared(self, name: str) -> bool:
        """Tell whether a field is neither declared nor technical."""
        plain = squash(name)
        return plain not in self._slot_of and plain not in self.technical
