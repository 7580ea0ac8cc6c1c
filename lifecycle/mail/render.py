"""Filling a template with a booking, the way eTermin would: tokens are replaced, everything else stays text.

Values are escaped in HTML, so that a name never becomes markup in a preview; whether eTermin does the same
is not documented. A token nobody knows stays as it is.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from lifecycle.mail.fixtures import Fixture
from lifecycle.mail.markup import visible_text
from lifecycle.mail.placeholders import Registry
from lifecycle.mail.templates import Template


@dataclass(frozen=True, slots=True)
class Rendered:
    """A template as it arrives. Parts that do not exist are empty: an SMS has no HTML, a text mail neither.

    ``suppressed`` is True where ``NOEMAIL`` keeps eTermin from sending the mail at all.
    """

    template: str
    fixture: str
    subject: str
    html: str
    text: str
    sms: str
    suppressed: bool
    unknown: tuple[str, ...] = ()


def render(template: Template, fixture: Fixture, registry: Registry) -> Rendered:
    """Fill one template with one booking; nothing is sent, fetched or executed."""
    values = fixture.values(template.language)
    markup = template.format == "html"
    body, unknown = fill(template.body, values, registry, markup)
    subject, unknown_too = fill(template.subject, values, registry, False)
    suppressed = template.channel == "email" and suppresses(template, registry)
    sms = template.channel == "sms"
    return Rendered(
        template=template.name,
        fixture=fixture.name,
        subject=re.sub(r"[\r\n]+", " ", subject),
        html=body if markup else "",
        text="" if sms else (visible_text(body) if markup else body),
        sms=body.strip() if sms else "",
        suppressed=suppressed,
        unknown=tuple(dict.fromkeys((*unknown, *unknown_too))),
    )


def fill(text: str, values: object, registry: Registry, markup: bool) -> tuple[str, list[str]]:
    """Replace every known token; return the text and the unknown tokens, which stay in it.

    Replacing is one pass over the template: a value that looks like a token is never replaced again.
    """
    table: dict[str, str] = dict(values)  # type: ignore[call-overload]
    pieces, unknown, position = [], [], 0
    for seen in registry.scan(text):
        pieces.append(text[position : seen.start])
        position = seen.end
        if seen.placeholder is None:
            unknown.append(seen.token)
            pieces.append(seen.token)
        else:
            value = table.get(seen.placeholder.meaning, "")
            pieces.append(html.escape(value, quote=True) if markup else value)
    pieces.append(text[position:])
    return "".join(pieces), unknown


def suppresses(template: Template, registry: Registry) -> bool:
    """Return whether the template holds a token that keeps eTermin from sending."""
    wanted = registry.tokens_of("suppress")
    return any(seen.token in wanted for seen in registry.scan(template.body))
