"""What an SMS costs and how it arrives."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lifecycle.mail.lint import WHOLE, Example, Hit, View, sms, template_check
from lifecycle.mail.sms import sms_segments
from lifecycle.model import Severity


@template_check(
    "sms-length",
    Severity.WARNING,
    de="Bis zu {segments} SMS („{booking}“, {units} Zeichen {encoding}), Preis {price}; die Hausregel erlaubt {most}.",
    en='Up to {segments} SMS ("{booking}", {units} units of {encoding}), price {price}; the house rule allows {most}.',
    good=Example(sms("Ihr Termin: LOCATION"), "a.txt"),
    bad=Example(sms("Ihr Termin bei uns in der Praxis rückt näher. " * 8 + "LOCATION"), "a.txt"),
    on="sms",
)
def sms_length(view: View) -> Iterator[Hit]:
    """The longest made-up booking against the most segments that the house allows."""
    costs = [(sms_segments(text.strip(), view.house.sms_price), item) for item, text, _ in view.filled]
    cost, item = max(costs, key=lambda pair: (pair[0].segments, pair[0].units))
    if cost.segments > view.house.sms_segments:
        detail = {
            "segments": str(cost.segments),
            "units": str(cost.units),
            "encoding": cost.encoding,
            "booking": item.title[view.template.language],
            "most": str(view.house.sms_segments),
            "price": str(cost.price),
        }
        own = sms_segments(view.template.body)
        values_only = bool(cost.forced_by) and not own.forced_by
        yield Hit(f"{cost.segments} SMS", WHOLE, detail, Severity.NOTE if values_only else None)


@template_check(
    "sms-encoding",
    Severity.WARNING,
    de="„{token}“ ({code}) erzwingt UCS-2: nur noch 70 statt 160 Zeichen je SMS.",
    en='"{token}" ({code}) forces UCS-2: 70 instead of 160 characters each.',
    good=Example(sms("Ihr Termin - wir freuen uns: LOCATION"), "a.txt"),
    bad=Example(sms("Ihr Termin – wir freuen uns: LOCATION"), "a.txt"),
    on="sms",
)
def sms_encoding(view: View) -> Iterator[Hit]:
    """The characters of the text itself that do not fit GSM-7; those of a name cannot be helped."""
    for char in sms_segments(view.template.body).forced_by:
        yield Hit(char, view.template.body.find(char), {"code": f"U+{ord(char):04X}"})


@template_check(
    "sms-markup",
    Severity.ERROR,
    de="{token}: HTML in einer SMS liest der Patient als Zeichen.",
    en="{token}: HTML in an SMS is read as characters.",
    good=Example(sms("Ihr Termin: LOCATION"), "a.txt"),
    bad=Example(sms("Ihr <b>Termin</b>: LOCATION"), "a.txt"),
    on="sms",
)
def sms_markup(view: View) -> Iterator[Hit]:
    """Tags and character references."""
    for match in re.finditer(r"</?[a-zA-Z][^<>]{0,200}>|&(?:[a-z]{2,8}|#\d{1,6});", view.template.body):
        yield Hit(match.group(), match.start())


@template_check(
    "sms-sender",
    Severity.WARNING,
    de="Absender „{token}“: erlaubt sind 11 Buchstaben und Ziffern oder eine Rufnummer.",
    en='Sender "{token}": 11 letters and digits, or a phone number, are allowed.',
    good=Example(sms("LOCATION", sender="Praxis"), "a.txt"),
    bad=Example(sms("LOCATION", sender="Praxis am Lindenhof"), "a.txt"),
    on="sms",
)
def sms_sender(view: View) -> Iterator[Hit]:
    """Alphanumeric senders are limited by the networks (3GPP TS 23.040, 9.1.2.5)."""
    sender = view.template.sender
    if sender and not re.fullmatch(r"[A-Za-z0-9 ]{1,11}|\+?\d{5,15}", sender):
        yield Hit(sender)
