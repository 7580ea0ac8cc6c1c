"""What an SMS costs: its encoding, its segments and the character that makes it expensive.

Source: 3GPP TS 23.038 (GSM 7 bit default alphabet and extension table). 160 septets fit one message, 153 each
of several; one character outside the alphabet turns the whole text into UCS-2 with 70, then 67 units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_DOUBLE = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True, slots=True)
class SmsCost:
    """Encoding, length and price of one SMS.

    Attributes
    ----------
    encoding : str
        ``GSM-7`` or ``UCS-2``.
    units : int
        Septets (``€`` and brackets count two) or 16-bit units (an emoji counts two).
    segments : int
        Messages that are paid for; 0 for an empty text.
    left : int
        Units still free in the last segment.
    forced_by : tuple of str
        The characters that force UCS-2, in order of appearance.
    price : Decimal
        ``segments`` times the price of one, in the currency the price is given in.
    """

    encoding: str
    units: int
    segments: int
    left: int
    forced_by: tuple[str, ...]
    price: Decimal


def sms_segments(text: str, price: Decimal | str | float = "0") -> SmsCost:
    """Count what a text takes as SMS.

    Parameters
    ----------
    text : str
        The text as sent.
    price : Decimal, str or float
        Price of one segment.

    Examples
    --------
    >>> sms_segments("Ihr Termin beginnt um 9 Uhr", "0.08").price
    Decimal('0.08')
    >>> cost = sms_segments("Termin – 9 Uhr")
    >>> cost.encoding, cost.forced_by
    ('UCS-2', ('–',))
    """
    forced = tuple(dict.fromkeys(char for char in text if char not in GSM7 and char not in GSM7_DOUBLE))
    if forced:
        sizes, single, several = [2 if ord(char) > 0xFFFF else 1 for char in text], 70, 67
    else:
        sizes, single, several = [2 if char in GSM7_DOUBLE else 1 for char in text], 160, 153
    units = sum(sizes)
    segments, left = (math.ceil(units / single), single - units) if units <= single else _packed(sizes, several)
    each = Decimal(str(price))
    return SmsCost("UCS-2" if forced else "GSM-7", units, segments, left, forced, each * segments)


def _packed(sizes: list[int], limit: int) -> tuple[int, int]:
    """Fill segments in order; a double-width character is never split between two."""
    segments, used = 1, 0
    for size in sizes:
        if used + size > limit:
            segments, used = segments + 1, 0
        used += size
    return segments, limit - used
