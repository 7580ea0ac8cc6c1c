"""The atoms of a mail: every property, value, unit, selector, element and attribute in it, each with its place.

caniemail's features are told apart by atoms (``features.py``), so one generic reader detects them all.
"""

from __future__ import annotations

import re
from functools import lru_cache

from lifecycle.mail.markup import Document, Element, parse
from lifecycle.mail.styles import Declaration, Rule, inline, stylesheet

_FUNCTION = re.compile(r"([a-z][a-z-]*)\(")
_UNIT = re.compile(r"(?<![\w#.-])-?(?:\d*\.)?\d+(%|[a-z]+)\b|(?<![\w#.-])-?(?:\d*\.)?\d+(%)")
_WORD = re.compile(r"(?<![\w-])-{0,2}[a-z][a-z-]*(?![\w(])")
_URL = re.compile(r"url\(\s*[\"']?([^\"')\s]{0,300})")
_IMAGE = re.compile(r"\.(apng|avif|bmp|gif|hdr|heic|heif|ico|jpe?g|mp4|png|svg|tiff?|webp)(?:[?#]|$)")
_DATA_IMAGE = re.compile(r"data:image/([a-z0-9.+-]+)")
_IMAGE_NAMES = {
    "jpeg": "jpg",
    "tif": "tiff",
    "heic": "heif",
    "svg+xml": "svg",
    "x-icon": "ico",
    "vnd.microsoft.icon": "ico",
}


@lru_cache(maxsize=128)
def atoms(source: str) -> dict[str, int]:
    """Return every atom of a mail with the offset where it first appears.

    Examples
    --------
    >>> sorted(atoms('<p style="color:red">x</p>'))
    ['attribute:p@style', 'attribute:style', 'element:p', 'keyword:red', 'property:color', 'value:color=red']
    """
    document = parse(source)
    index = _Index()
    if document.doctype is not None:
        index.add("doctype", document.doctype)
    for offset in document.comments:
        index.add("html-comment", offset)
    for element in document.elements:
        _element(element, index)
    _local_anchors(document, index)
    for style in document.styles:
        _sheet(style.data, style.offset, index)
    return index.found


class _Index:
    def __init__(self) -> None:
        self.found: dict[str, int] = {}

    def add(self, atom: str, offset: int) -> None:
        if offset < self.found.get(atom, offset + 1):
            self.found[atom] = offset


def _element(element: Element, index: _Index) -> None:
    index.add(f"element:{element.tag}", element.offset)
    for name, value in element.attributes.items():
        index.add(f"attribute:{name}", element.offset)
        index.add(f"attribute:{element.tag}@{name}", element.offset)
        if name in {"type", "name", "rel"}:
            index.add(f"attribute:{element.tag}@{name}={value.lower()}", element.offset)
        if name in {"src", "srcset", "background", "poster", "data"}:
            _image(value, element.tag, element.offset, index)
    for found in inline(element.attributes.get("style", "")):
        _declaration(found, element.offset, index)
    if element.attributes.get("href", "").lower().startswith("mailto:"):
        index.add("link:mailto", element.offset)


def _local_anchors(document: Document, index: _Index) -> None:
    for element in document.elements:
        if element.tag == "a" and len(element.attributes.get("href", "")) > 1 and element.attributes["href"][0] == "#":
            index.add("link:local", element.offset)


def _image(value: str, tag: str, offset: int, index: _Index) -> None:
    value = value.strip().lower()[:400]
    if match := _DATA_IMAGE.match(value):
        index.add("image:base64", offset)
        index.add(f"image:{_IMAGE_NAMES.get(match.group(1), match.group(1))}", offset)
    elif match := _IMAGE.search(value.split(" ")[0]):
        kind = _IMAGE_NAMES.get(match.group(1), match.group(1))
        if kind != "mp4" or tag in {"img", "css"}:
            index.add(f"image:{kind}", offset)


def _sheet(text: str, start: int, index: _Index) -> None:
    rules, comments = stylesheet(text)
    for offset in comments:
        index.add("css-comment", start + offset)
    for rule in rules:
        _rule(rule, start + rule.offset, index)
        for found in rule.declarations:
            _declaration(found, start + found.offset, index)


def _rule(rule: Rule, offset: int, index: _Index) -> None:
    if any(not outer.startswith("@") for outer in rule.around):
        index.add("nesting", offset)
    if not rule.is_at_rule:
        _selector(rule.prelude.lower(), offset, index)
        return
    words = rule.prelude[1:].lower().split(None, 1)
    name = re.match(r"[-a-z]*", words[0]).group() if words else ""  # type: ignore[union-attr]
    index.add(f"at:{name}", offset)
    if name == "media":
        for feature in re.findall(r"\(\s*([a-z-]+)", rule.prelude.lower()):
            index.add(f"media:{feature}", offset)


def _selector(text: str, offset: int, index: _Index) -> None:
    text = text[:2000]
    if "," in text:
        index.add("selector:grouping", offset)
    for attribute in re.findall(r"\[[^\]]*\]", text):
        index.add("selector:attribute", offset)
        text = text.replace(attribute, "[]")
    for colons, name in re.findall(r"(::?)([a-z-]+)", text):
        kind = "pseudo-element" if colons == "::" or name in _OLD_PSEUDO_ELEMENTS else "pseudo-class"
        index.add(f"{kind}:{name}", offset)
    plain = re.sub(r"::?[a-z-]+(\([^)]*\))?", "", text)
    for pattern, name in _SELECTORS:
        if pattern.search(plain):
            index.add(f"selector:{name}", offset)


_OLD_PSEUDO_ELEMENTS = frozenset({"before", "after", "first-line", "first-letter"})
_SELECTORS = (
    (re.compile(r"\.[\w-]+"), "class"),
    (re.compile(r"#[\w-]+"), "id"),
    (re.compile(r"(?:^|[\s>+~,])[a-z][\w-]*"), "type"),
    (re.compile(r"\*"), "universal"),
    (re.compile(r"[\w\])*]\s*>\s*[\w.#*\[]"), "child"),
    (re.compile(r"\+"), "adjacent"),
    (re.compile(r"~(?!=)"), "sibling"),
    (re.compile(r"[\w\])*]\s+[\w.#*\[]"), "descendant"),
    (re.compile(r"[.#][\w-]+[.#]|\][.#]|\w\.[\w-]+\.[\w-]"), "chaining"),
)


def _declaration(found: Declaration, offset: int, index: _Index) -> None:
    name, value = found.name, found.value[:4000]
    if name.startswith("--"):
        index.add("custom-property", offset)
    index.add(f"property:{name}", offset)
    if "!important" in value.replace(" ", ""):
        index.add("important", offset)
    for target in _URL.findall(value):
        _image(target, "css", offset, index)
    value = re.sub(r"url\([^)]*\)?|\"[^\"]*\"|'[^']*'", " ", value)
    for function in _FUNCTION.findall(value):
        index.add(f"function:{function}", offset)
    for unit in _UNIT.findall(value):
        index.add(f"unit:{unit[0] or unit[1]}", offset)
    for word in _WORD.findall(value.split("!")[0]):
        index.add(f"value:{name}={word}", offset)
        index.add(f"keyword:{word}", offset)
