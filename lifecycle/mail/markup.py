"""What a mail's HTML consists of: elements, texts, styles and mistakes, each with its place.

A tolerant reader on the standard library's parser: it never executes, fetches or fails.
"""

from __future__ import annotations

import html as html_module
import re
from dataclasses import dataclass, field
from functools import lru_cache
from html.parser import HTMLParser

VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input"}
    | {"link", "meta", "param", "source", "track", "wbr"}
)  # fmt: skip
CLOSES_ITSELF = frozenset(
    {"p", "li", "td", "th", "tr", "tbody", "thead", "tfoot"}
    | {"option", "dt", "dd", "html", "body", "head", "colgroup"}
)  # fmt: skip
INVISIBLE = frozenset({"style", "script", "title", "head", "template", "noscript"})
PARAGRAPHS = frozenset({"p", "table", "h1", "h2", "h3"})
BLOCKS = PARAGRAPHS | {"div", "tr", "h4", "h5", "h6", "li", "ul", "ol", "hr", "blockquote", "center", "pre"}


@dataclass(frozen=True, slots=True)
class Element:
    """A start tag: lower-case name and attributes, the offset of ``<`` and the number of its parent (-1: none)."""

    tag: str
    attributes: dict[str, str]
    offset: int
    parent: int


@dataclass(frozen=True, slots=True)
class Text:
    """A stretch of text: its characters, where it starts and the number of the element it stands in."""

    data: str
    offset: int
    parent: int


@dataclass(slots=True)
class Document:
    """A parsed mail. Numbers are positions in ``elements``; offsets count characters from 0.

    ``spans`` holds, per element, the range of ``texts`` inside it.
    """

    source: str
    elements: list[Element] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    styles: list[Text] = field(default_factory=list)
    comments: list[int] = field(default_factory=list)
    doctype: int | None = None
    unclosed: list[tuple[str, int]] = field(default_factory=list)
    stray: list[tuple[str, int]] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    invisible: list[bool] = field(default_factory=list)
    in_link: list[bool] = field(default_factory=list)

    def ancestors(self, number: int) -> list[Element]:
        """Return the element with that number and everything around it, innermost first."""
        found = []
        while number >= 0:
            found.append(self.elements[number])
            number = self.elements[number].parent
        return found

    def hidden(self, number: int) -> bool:
        """Return whether text in that element is invisible: the head, or hidden by an inline style."""
        return number >= 0 and self.invisible[number]

    def linked(self, number: int) -> bool:
        """Return whether text in that element belongs to a link."""
        return number >= 0 and self.in_link[number]

    def text_of(self, number: int) -> str:
        """Return the text inside an element, whitespace collapsed."""
        first, last = self.spans[number]
        return " ".join("".join(text.data for text in self.texts[first:last]).split())


DEEPEST = 512
"""Deeper elements are children of the one at this depth, as in a browser: else a page of tags would take minutes."""


def _is_hidden(element: Element) -> bool:
    return (
        element.tag in INVISIBLE
        or "hidden" in element.attributes
        or bool(re.search(r"display\s*:\s*none", element.attributes.get("style", ""), re.IGNORECASE))
    )


class _Reader(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.document = Document(source)
        self._lines = [0, *(match.end() for match in re.finditer("\n", source))]
        self._open: list[int] = []

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def _parent(self) -> int:
        return self._open[min(len(self._open), DEEPEST) - 1] if self._open else -1

    def _start(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        parent = self._parent()
        attributes = {name: value or "" for name, value in reversed(attrs)}
        document, element = self.document, Element(tag, attributes, self._offset(), parent)
        document.elements.append(element)
        document.spans.append((len(document.texts), len(document.texts)))
        document.invisible.append(_is_hidden(element) or document.hidden(parent))
        document.in_link.append(tag == "a" or document.linked(parent))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._start(tag, attrs)
        if tag not in VOID:
            self._open.append(len(self.document.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._start(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        elements = self.document.elements
        for depth in range(len(self._open) - 1, max(-1, len(self._open) - 200), -1):
            if elements[self._open[depth]].tag == tag:
                self._note_unclosed(self._open[depth + 1 :])
                self._close(self._open[depth:])
                del self._open[depth:]
                return
        if tag not in VOID and tag != "p":
            self.document.stray.append((tag, self._offset()))

    def _close(self, numbers: list[int]) -> None:
        for number in numbers:
            self.document.spans[number] = (self.document.spans[number][0], len(self.document.texts))

    def _note_unclosed(self, numbers: list[int]) -> None:
        for number in numbers:
            element = self.document.elements[number]
            if element.tag not in CLOSES_ITSELF:
                self.document.unclosed.append((element.tag, element.offset))

    def handle_data(self, data: str) -> None:
        text = Text(data, self._offset(), self._parent())
        if self._open and self.document.elements[self._open[-1]].tag == "style":
            self.document.styles.append(text)
        else:
            self.document.texts.append(text)

    def handle_comment(self, data: str) -> None:  # noqa: ARG002
        self.document.comments.append(self._offset())

    def handle_decl(self, decl: str) -> None:
        if decl.lower().startswith("doctype"):
            self.document.doctype = self._offset()

    def finish(self) -> Document:
        self._note_unclosed(self._open)
        self._close(self._open)
        return self.document


@lru_cache(maxsize=512)
def parse(source: str) -> Document:
    """Read HTML into a document; mistakes are noted, never raised."""
    reader = _Reader(source)
    reader.feed(source)
    reader.close()
    return reader.finish()


def visible_text(source: str) -> str:
    """Return what a reader of the plain text would see, links in angle brackets.

    Examples
    --------
    >>> visible_text('<p>Guten Tag</p><p><a href="https://example.org/a">Zum Termin</a></p>')
    'Guten Tag\\n\\nZum Termin <https://example.org/a>'
    """
    pieces, position, link = [], 0, ""
    cleaned = _without_invisible(source)
    for match in re.finditer(r"<(/?)([a-zA-Z][\w-]*)([^<>]*)>", cleaned):
        pieces.append(re.sub(r"\s+", " ", cleaned[position : match.start()]))
        position = match.end()
        closing, tag, rest = match.group(1), match.group(2).lower(), match.group(3)
        if tag == "a" and not closing:
            target = re.search(r"href\s*=\s*[\"']([^\"']*)", rest)
            link = target.group(1) if target else ""
        elif tag == "a" and link:
            pieces.append(f" <{link}>")
            link = ""
        elif tag == "br":
            pieces.append("\n")
        elif tag in BLOCKS:
            pieces.append("\n\n" if tag in PARAGRAPHS else "\n")
    pieces.append(re.sub(r"\s+", " ", cleaned[position:]))
    return _tidied(html_module.unescape("".join(pieces)))


def _without_invisible(source: str) -> str:
    """Cut comments, head, styles and scripts in one pass; what is never closed stays (no quadratic search)."""
    lowered, kept, position = source.lower(), [], 0
    missing: set[str] = set()
    for match in re.finditer(r"<!--|<(?:style|script|head|title)(?=[\s>])", lowered):
        if match.start() < position or match.group() in missing:
            continue
        closing = "-->" if match.group() == "<!--" else f"</{match.group()[1:]}>"
        end = lowered.find(closing, match.end())
        if end < 0:
            missing.add(match.group())
            continue
        kept.append(source[position : match.start()])
        position = end + len(closing)
    return re.sub(r"<![a-zA-Z][^<>]*>", " ", " ".join((*kept, source[position:])))


def _tidied(text: str) -> str:
    text = re.sub(r"[^\S\n]+", " ", text.replace("\u00ad", ""))
    text = re.sub(r" *\n *", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()
