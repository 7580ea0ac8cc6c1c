"""Names of fields: which may be shown, which mean the same. Pure."""

from __future__ import annotations

import re
import unicodedata

UNNAMED = "(unnamed field)"

_LONGEST = 120

_SHOWABLE = re.compile(r"[A-Za-zÄÖÜäöüß_][A-Za-z0-9ÄÖÜäöüß_.\-]{0,63}")

_ALIASES = {
    "first_name": ("firstname", "vorname", "givenname", "rufname", "forename", "pseudonym"),
    "last_name": ("lastname", "nachname", "surname", "familyname", "familienname", "zuname"),
    "email": ("email", "mail", "emailadresse", "emailaddress", "emailadress", "mailadresse"),
    "mobile": (
        "mobile", "mobil", "phone", "mobilnummer", "handy", "handynummer", "telefon", "telefonnummer", "phonenumber",
        "mobilephone", "mobilfunktelefonnummer", "mobiltelefon", "tel",
    ),
}  # fmt: skip

KNOWN_FIELDS = frozenset(
    re.findall(
        r"[a-z]+",
        """
        salutation title birthday street zip town city state country company notes customernumber selectedanswers
        servicestext attachmentlink summarycaldav bookerinfo bookingurl bookinglanguage location loginid password tags
        newsletter feedbackpermissionaccepted agbaccepted dataprivacyaccepted paymentmethod transactionid vouchercode
        vouchervalue pricegross waitnumber lastappointmentdate language contactid cid deletedby reference additional a
        firstname lastname email phone mobile appointmentuid externalid calendarid calendarname serviceids
        startdatetime enddatetime startdatetimeutc enddatetimeutc bookingdateutc bookingdate command status body
        receivedat channel origin participant tan tid token meetingpassword diagnosis diagnose icd kvnr insurance
        krankenkasse birthdate geburtsdatum strasse plz ort notiz bemerkung
        """,
    )
)
"""Folded names that eTermin, this contract or a careless form use (facts: "every name that carries personal data")."""

_BY_FOLDED = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}

_TO_ASCII = str.maketrans(
    "аеіорсухАВЕКМНОРСТХ" + "αενορτυχΑΒΕΗΙΚΜΝΟΡΤΥΧΖ",
    "aeiopcyxABEKMHOPCTX" + "aevoptuxABEHIKMNOPTYXZ",
)


def showable(name: str) -> str:
    """The name as it may stand in a finding; what does not look like a field's name is replaced.

    Examples
    --------
    >>> showable("notes"), showable("erika@example.org"), showable("0152 28817386")
    ('notes', '(unnamed field)', '(unnamed field)')
    """
    parts = name[: _LONGEST + 1].split(".")
    looks_like_one = all(_SHOWABLE.fullmatch(part) for part in parts) and not re.search(r"\d{5}", name)
    return name if looks_like_one and len(name) <= _LONGEST else UNNAMED


def meant_field(name: str) -> str | None:
    """The personal field that a column name means, whatever its case, accents, separators or trailing number.

    Examples
    --------
    >>> meant_field("E-Mäil 2"), meant_field("LASTNAME"), meant_field("notes")
    ('email', 'last_name', None)
    """
    return _BY_FOLDED.get(folded(name))


def folded(name: str) -> str:
    """A name without case, accents, separators and trailing numbers, in Latin letters.

    Examples
    --------
    >>> folded("Straße_2"), folded("additional12")
    ('strasse', 'additional')
    """
    if len(name) > _LONGEST:  # no field is called that; and the search below is quadratic
        return ""
    plain = unicodedata.normalize("NFKD", name.translate(_TO_ASCII)).casefold()
    letters = re.sub(r"[^a-z0-9]", "", plain)
    return re.sub(r"(duplicated|copy|kopie)?\d*$", "", letters)
