"""The links of a template, taken apart by their spelling. No link is ever opened or resolved."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from lifecycle.mail.lint import View

_BARE_URL = re.compile(r"\b(?:https?|ftp)://[^\s<>\"']{1,2000}|\bwww\.[^\s<>\"']{1,2000}")
_CONTACT = re.compile(r"mailto:[^\s@]+@[^\s@]+|tel:\+?[\d ()/-]+|(?:mailto|tel):%[A-Z_0-9]+%", re.IGNORECASE)
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*):")


@dataclass(frozen=True, slots=True)
class Link:
    """A link as written: its target, the text shown for it, and where it starts."""

    target: str
    label: str
    offset: int
    is_token: bool
    scheme: str
    host: str
    valid: bool


def links_of(view: View) -> tuple[Link, ...]:
    """Return the links of a template: anchors and areas in HTML, addresses in the text."""
    if "links" not in view.worked_out:
        view.worked_out["links"] = _all_links(view)
    found: tuple[Link, ...] = view.worked_out["links"]
    return found


def _all_links(view: View) -> tuple[Link, ...]:
    found: list[Link] = []
    if view.template.format == "html":
        for number, element in enumerate(view.document.elements):
            if element.tag in {"a", "area"} and "href" in element.attributes:
                found.append(_link(element.attributes["href"], view.document.text_of(number), element.offset, view))
        for text in view.document.texts:
            if not view.document.linked(text.parent):
                found.extend(_in_text(text.data, text.offset, view))
    else:
        found.extend(_in_text(view.template.body, 0, view))
    return tuple(found)


def _in_text(text: str, start: int, view: View) -> list[Link]:
    return [
        _link(match.group().rstrip(".,;:!?)"), _line_before(text, match.start()), start + match.start(), view)
        for match in _BARE_URL.finditer(text)
    ]


def _line_before(text: str, position: int) -> str:
    """Return the words before an address, at most the line above and the line itself."""
    above = text.rfind("\n", 0, max(0, text.rfind("\n", 0, position)))
    return text[max(above + 1, position - 120) : position].strip()


def _link(target: str, label: str, offset: int, view: View) -> Link:
    target = target.strip()
    tokens = list(view.registry.scan(target))
    whole = len(tokens) == 1 and tokens[0].token == target
    scheme_match = _SCHEME.match(target)
    scheme = scheme_match.group(1).lower() if scheme_match else ("http" if target.startswith("www.") else "")
    host, valid = "", whole or target.startswith("#")
    if scheme in {"http", "https"}:
        host, valid = _host_of(target if scheme_match else f"http://{target}")
    elif scheme in {"mailto", "tel"}:
        valid = bool(_CONTACT.fullmatch(target))
    elif scheme:
        valid = True
    return Link(target, label, offset, whole, scheme, host, valid)


def _host_of(target: str) -> tuple[str, bool]:
    try:
        parts = urlsplit(target)
        host = (parts.hostname or "").lower().rstrip(".")
        parts.port  # noqa: B018 - reading it raises for a port that is no number
    except ValueError:
        return "", False
    well_formed = bool(host) and not re.search(r"[\s\\<>{}]", target) and ".." not in host
    return host, well_formed and ("." in host or host == "localhost")
