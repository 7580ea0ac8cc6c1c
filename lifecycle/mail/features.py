"""Which of caniemail's features a mail uses, and which mail programs do not show them.

A feature is detected by its atoms (``atoms.py``). Most follow from its name; the others stand in ``SPECIAL``;
what cannot be seen in a template stands in ``UNDETECTED`` with the reason. The data are caniemail's (MIT licence,
``data/caniemail.LICENSE.txt``), made compact by ``refresh_clients.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lifecycle.mail.atoms import atoms

DATA = Path(__file__).resolve().parent / "data" / "caniemail.json"

WEIGHTS: Mapping[str, int] = {
    "gmx": 18,
    "web-de": 18,
    "outlook": 18,
    "gmail": 20,
    "apple-mail": 18,
    "t-online-de": 8,
}
"""How much each family counts, in percent. A choice for Germany, not a measured market share."""

FAMILY_NAMES: Mapping[str, str] = {
    "gmx": "GMX",
    "web-de": "WEB.DE",
    "outlook": "Outlook",
    "gmail": "Gmail",
    "apple-mail": "Apple Mail",
    "t-online-de": "T-Online",
}
VERDICTS = {"y": 0.0, "a": 0.5, "n": 1.0}

SPECIAL: Mapping[str, tuple[str, ...]] = {
    "css-animation": ("property:animation", "property:animation-name"),
    "css-at-media-device-pixel-ratio": ("media:-webkit-device-pixel-ratio", "media:-webkit-min-device-pixel-ratio"),
    "css-at-media-hover": ("media:hover", "media:any-hover"),
    "css-block-inline-size": ("property:block-size", "property:inline-size"),
    "css-border-image": ("property:border-image", "property:border-image-source"),
    "css-border-inline-block-individual": ("property:border-inline-start", "property:border-block-end"),
    "css-border-inline-block-longhand": ("property:border-inline-color", "property:border-block-width"),
    "css-border-inline-block": ("property:border-inline", "property:border-block"),
    "css-border-radius-logical": ("property:border-start-start-radius", "property:border-end-end-radius"),
    "css-column-layout-properties": ("property:columns", "property:column-width", "property:column-span"),
    "css-comments": ("css-comment",),
    "css-conic-gradient": ("function:conic-gradient",),
    "css-display-flex": ("value:display=flex", "value:display=inline-flex"),
    "css-display-grid": ("value:display=grid", "value:display=inline-grid"),
    "css-display-none": ("value:display=none",),
    "css-gap": ("property:gap", "property:column-gap", "property:row-gap"),
    "css-grid-template": ("property:grid-template", "property:grid-template-columns", "property:grid-template-rows"),
    "css-important": ("important",),
    "css-intrinsic-size": ("keyword:fit-content", "keyword:min-content", "keyword:max-content"),
    "css-left-right-top-bottom": ("property:left", "property:right", "property:top", "property:bottom"),
    "css-linear-gradient": ("function:linear-gradient",),
    "css-margin-block-start-end": ("property:margin-block-start", "property:margin-block-end"),
    "css-margin-inline-block": ("property:margin-inline", "property:margin-block"),
    "css-margin-inline-start-end": ("property:margin-inline-start", "property:margin-inline-end"),
    "css-margin": ("property:margin", "property:margin-top", "property:margin-left", "property:margin-bottom"),
    "css-modern-color": ("function:lch", "function:oklch", "function:lab", "function:oklab"),
    "css-nesting": ("nesting",),
    "css-padding-block-start-end": ("property:padding-block-start", "property:padding-block-end"),
    "css-padding-inline-block": ("property:padding-inline", "property:padding-block"),
    "css-padding-inline-start-end": ("property:padding-inline-start", "property:padding-inline-end"),
    "css-padding": ("property:padding", "property:padding-top", "property:padding-left", "property:padding-bottom"),
    "css-radial-gradient": ("function:radial-gradient",),
    "css-rgb": ("function:rgb",),
    "css-rgba": ("function:rgba",),
    "css-scroll-snap": ("property:scroll-snap-type", "property:scroll-snap-align"),
    "css-selector-adjacent-sibling": ("selector:adjacent",),
    "css-selector-general-sibling": ("selector:sibling",),
    "css-flex-direction": ("value:flex-direction=column", "value:flex-direction=column-reverse"),
    "css-flex-wrap": ("value:flex-wrap=wrap", "value:flex-wrap=wrap-reverse"),
    "css-sytem-ui": ("keyword:system-ui", "keyword:ui-serif", "keyword:ui-sans-serif", "keyword:ui-monospace"),
    "css-unit-calc": ("function:calc",),
    "css-unit-initial": ("keyword:initial",),
    "css-unit-percent": ("unit:%",),
    "css-variables": ("custom-property", "function:var"),
    "css-inert-attribute": ("attribute:inert",),
    "html-align": ("attribute:align",),
    "html-anchor-links": ("link:local",),
    "html-background": ("attribute:background",),
    "html-button-reset": ("attribute:button@type=reset",),
    "html-button-submit": ("attribute:button@type=submit",),
    "html-cellpadding": ("attribute:cellpadding",),
    "html-cellspacing": ("attribute:cellspacing",),
    "html-comments": ("html-comment",),
    "html-dir": ("attribute:dir",),
    "html-doctype": ("doctype",),
    "html-h1-h6": tuple(f"element:h{level}" for level in range(1, 7)),
    "html-height": ("attribute:height",),
    "html-hidden": ("attribute:hidden",),
    "html-image-maps": ("element:map", "attribute:img@usemap"),
    "html-lang": ("attribute:lang",),
    "html-lists": ("element:ul", "element:ol", "element:dl"),
    "html-loading-attribute": ("attribute:loading",),
    "html-mailto-links": ("link:mailto",),
    "html-meta-color-scheme": ("attribute:meta@name=color-scheme",),
    "html-popover": ("attribute:popover",),
    "html-required": ("attribute:required",),
    "html-role": ("attribute:role",),
    "html-semantics": tuple(f"element:{tag}" for tag in "article aside footer header main nav section figure".split()),  # noqa: SIM905
    "html-srcset": ("attribute:srcset", "attribute:sizes"),
    "html-target": ("attribute:target",),
    "html-valign": ("attribute:valign",),
    "html-width": ("attribute:width",),
}
"""Atoms of the features whose name does not say them."""

UNDETECTED: Mapping[str, str] = {
    "amp": "a MIME part of the message, not of the template",
    "bimi": "a DNS record of the sender's domain",
    "image-apng": "an animated PNG has the same name and address as a still one; the file is never opened",
}
"""What a template does not show, and why."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of caniemail: ``support`` is 0 to 1 of the weight that does not show it, ``lacking`` who."""

    slug: str
    title: str
    category: str
    atoms: tuple[str, ...]
    unsupported: float
    lacking: tuple[str, ...]


def detectors(slug: str) -> tuple[str, ...]:
    """Return the atoms that tell a feature; empty if it is not detected.

    Examples
    --------
    >>> detectors("css-pseudo-class-hover"), detectors("html-img"), detectors("css-gap")[0]
    (('pseudo-class:hover',), ('element:img',), 'property:gap')
    """
    if slug in UNDETECTED:
        return ()
    if slug in SPECIAL:
        return SPECIAL[slug]
    for prefix, kind in _PREFIXES:
        if slug.startswith(prefix):
            rest = slug.removeprefix(prefix)
            return (f"{kind}{rest}",)
    return ()


_PREFIXES = (
    ("css-at-media-", "media:"),
    ("css-at-", "at:"),
    ("css-pseudo-class-", "pseudo-class:"),
    ("css-pseudo-element-", "pseudo-element:"),
    ("css-selector-", "selector:"),
    ("css-function-", "function:"),
    ("css-unit-", "unit:"),
    ("css-", "property:"),
    ("html-aria-", "attribute:aria-"),
    ("html-input-", "attribute:input@type="),
    ("html-", "element:"),
    ("image-", "image:"),
)


@cache
def features() -> tuple[Feature, ...]:
    """Return all features of the vendored data, detected or not."""
    content = json.loads(DATA.read_text(encoding="utf-8"))
    return tuple(_feature(entry) for entry in content["features"])


def _feature(entry: Mapping[str, object]) -> Feature:
    support = entry["support"]
    assert isinstance(support, dict)
    total, lost, lacking = 0, 0.0, []
    for family, weight in WEIGHTS.items():
        verdicts = [VERDICTS[v] for client, v in support.items() if client.split("/")[0] == family and v in VERDICTS]
        if not verdicts:
            continue
        share = sum(verdicts) / len(verdicts)
        total += weight
        lost += weight * share
        if share > 0.25:
            lacking.append(FAMILY_NAMES[family] + ("" if share == 1 else " (teilweise)"))
    slug = str(entry["slug"])
    unsupported = lost / total if total else 0.0
    return Feature(slug, str(entry["title"]), str(entry["category"]), detectors(slug), unsupported, tuple(lacking))


@cache
def _by_atom() -> Mapping[str, tuple[Feature, ...]]:
    table: dict[str, list[Feature]] = {}
    for feature in features():
        for atom in feature.atoms:
            table.setdefault(atom, []).append(feature)
    return {atom: tuple(found) for atom, found in table.items()}


def used_features(source: str) -> dict[str, tuple[Feature, int]]:
    """Return the features that a mail uses, by slug, with the offset where each first appears."""
    table, used = _by_atom(), dict[str, tuple[Feature, int]]()
    for atom, offset in atoms(source).items():
        for feature in table.get(atom, ()):
            if feature.slug not in used or offset < used[feature.slug][1]:
                used[feature.slug] = (feature, offset)
    return used


def example_of(atom: str) -> str:
    """Return a small mail that holds the atom: what the tests feed to each detector."""
    kind, _, rest = atom.partition(":")
    name, _, value = rest.partition("=")
    tag, _, attribute = name.partition("@")
    makers = {
        "property": f'<p style="{rest}:1">x</p>',
        "value": f'<p style="{name}:{value}">x</p>',
        "keyword": f'<p style="width:{rest}">x</p>',
        "function": f'<p style="width:{rest}(1)">x</p>',
        "unit": f'<p style="width:1.5{rest}">x</p>',
        "custom-property": '<p style="--a:1">x</p>',
        "important": '<p style="color:red ! important">x</p>',
        "css-comment": "<style>/* x */ p {}</style>",
        "nesting": "<style>.a { .b { color: red } }</style>",
        "at": f"<style>@{rest} x {{ p {{ color: red }} }}</style>",
        "media": f"<style>@media screen and ({rest}: 1) {{ p {{ color: red }} }}</style>",
        "pseudo-class": f"<style>p:{rest} {{ color: red }}</style>",
        "pseudo-element": f"<style>p::{rest} {{ color: red }}</style>",
        "selector": f"<style>{_SELECTOR_EXAMPLES.get(rest, '')} {{ color: red }}</style>",
        "element": f"<{rest}></{rest}>",
        "attribute": f'<{tag} {attribute}="{value or 1}">' if attribute else f'<p {rest}="1">x</p>',
        "image": f'<img src="https://example.org/a.{rest}">'
        if rest != "base64"
        else '<img src="data:image/png;base64,x">',
        "link": '<a href="mailto:a@example.org">x</a>' if rest == "mailto" else '<a href="#x">x</a>',
        "html-comment": "<!-- x -->",
        "doctype": "<!DOCTYPE html>",
    }
    return makers[kind]


_SELECTOR_EXAMPLES = {
    "class": ".a",
    "id": "#a",
    "type": "p",
    "universal": "*",
    "child": "p > b",
    "adjacent": "p + b",
    "sibling": "p ~ b",
    "descendant": "p b",
    "chaining": ".a.b",
    "grouping": "p, b",
    "attribute": "[lang]",
}
