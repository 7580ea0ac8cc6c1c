"""Contrast of text against its background, from what a mail declares: WCAG 2.2 relative luminance.

Only declared colours are judged: text without a declared colour or background is up to the mail program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lifecycle.mail.markup import Document, Element
from lifecycle.mail.styles import inline, stylesheet

NAMED = {
    "white": "#ffffff",
    "black": "#000000",
    "red": "#ff0000",
    "gray": "#808080",
    "grey": "#808080",
    "blue": "#0000ff",
}

Rules = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Contrast:
    """The contrast of one stretch of text: ratio 1 to 21, in which scheme, where it starts."""

    ratio: float
    colour: str
    background: str
    scheme: str
    offset: int


def smallest_contrasts(document: Document) -> Iterator[Contrast]:
    """Yield the contrast of every visible stretch of text whose colour and background are both declared.

    Each pair of colours is given once per scheme, at its first place.
    """
    told: set[tuple[str, str, str]] = set()
    visible = [text for text in document.texts if not text.data.isspace() and not document.hidden(text.parent)]
    for scheme, rules in _sheets(document).items():
        colours = _Cascade(document, rules, ("color",))
        backgrounds = _Cascade(document, rules, ("background-color", "background"))
        for text in visible:
            colour, background = colours.of(text.parent), backgrounds.of(text.parent)
            if colour and background and (key := (scheme, colour, background)) not in told:
                told.add(key)
                yield Contrast(ratio(colour, background), colour, background, scheme, text.offset)


class _Cascade:
    """The nearest declared colour around each element, worked out once per element."""

    def __init__(self, document: Document, rules: Rules, names: tuple[str, ...]) -> None:
        self._elements = document.elements
        self._rules = rules
        self._names = names
        self._known: dict[int, str] = {-1: ""}

    def of(self, number: int) -> str:
        path = []
        while number not in self._known:
            path.append(number)
            number = self._elements[number].parent
        found = self._known[number]
        for inner in reversed(path):
            found = _declared(self._elements[inner], self._rules, self._names) or found
            self._known[inner] = found
        return found


def _sheets(document: Document) -> dict[str, dict[str, dict[str, str]]]:
    """Return, per scheme, what simple selectors (``.class`` and ``tag``) declare; important ones win over inline."""
    light: dict[str, dict[str, str]] = {}
    dark: dict[str, dict[str, str]] = {}
    for style in document.styles:
        for rule in stylesheet(style.data)[0]:
            around = " ".join(rule.around).replace(" ", "").lower()
            if rule.is_at_rule or (rule.around and "prefers-color-scheme:dark" not in around):
                continue
            for target in (dark,) if rule.around else (light, dark):
                for selector in rule.prelude.lower().split(","):
                    found = {d.name: d.value for d in rule.declarations}
                    target.setdefault(selector.strip(), {}).update(found)
    return {"light": light, "dark": dark} if dark != light else {"light": light}


def _declared(element: Element, rules: Rules, names: tuple[str, ...]) -> str:
    own = {d.name: d.value for d in inline(element.attributes.get("style", ""))}
    keys = [f".{name}" for name in element.attributes.get("class", "").lower().split()] + [element.tag]
    for name in names:
        values = [rules[key][name] for key in keys if name in rules.get(key, {})]
        values.sort(key=lambda value: "!important" not in value)
        important = values and "!important" in values[0]
        value = values[0] if important else own.get(name) or (values[0] if values else "")
        if value and (found := _hex(value)):
            return found
    return _hex(element.attributes.get("bgcolor", "")) if "background-color" in names else ""


def _hex(value: str) -> str:
    value = value.replace("!important", "").strip().lower()
    if match := re.fullmatch(r"#([0-9a-f])([0-9a-f])([0-9a-f])", value):
        return "#" + "".join(part * 2 for part in match.groups())
    if re.fullmatch(r"#[0-9a-f]{6}", value):
        return value
    if match := re.fullmatch(r"rgb\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})\s*\)", value):
        return "#" + "".join(f"{min(255, int(part)):02x}" for part in match.groups())
    return NAMED.get(value, "")


def ratio(first: str, second: str) -> float:
    """Return the contrast ratio of two colours such as ``#ffffff``.

    Examples
    --------
    >>> round(ratio("#000000", "#ffffff")), round(ratio("#767676", "#ffffff"), 2)
    (21, 4.54)
    """
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
