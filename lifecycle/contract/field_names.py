"""Names of fields: which may be shown, which mean the same. Pure."""

from __future__ import annotations

import re
import unicodedata

UNNAMED = "(unnamed field)"

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
    parts = name.split(".")
    looks_like_one = all(_SHOWABLE.fullmatch(part) for part in parts) and not re.search(r"\d{5}", name)
    return name if looks_like_one and len(name) <= 120 else UNNAMED


def meant_field(name: str) -> str | None:
    """The personal field that a column name means, whatever its case, accents, separators or trailing number.

    Examples
    --------
    >>> meant_field("E-Mäil 2"), meant_field("LASTNAME"), meant_field("notes")
    ('email', 'last_name', None)
    """
    plain = unicodedata.normalize("NFKD", name.translate(_TO_ASCII)).casefold()
    folded = re.sub(r"[^a-z0-9]", "", plain)
    folded = re.sub(r"(duplicated|copy|kopie)?\d*$", "", folded)
    return _BY_FOLDED.get(folded)
