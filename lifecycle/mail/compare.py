"""Laying a real test mail beside our text: which tokens eTermin replaced, by what kind of value, and what it changed.

The values are looked at once to tell their kind and are not kept: a ``Comparison`` holds kinds and counts only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from lifecycle.errors import TemplateError
from lifecycle.mail.learnt import KIND_WORDS, learn
from lifecycle.mail.markup import visible_text
from lifecycle.mail.placeholders import Registry, Seen
from lifecycle.mail.templates import Template, Templates

VALUE_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("empty", re.compile(r"")),
    ("link", re.compile(r"https?://\S+")),
    ("email address", re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")),
    ("tan", re.compile(r"(?=\S*\d)(?=\S*[A-Za-z])[A-Za-z0-9]{12}")),
    ("time", re.compile(r"\d{1,2}[:.]\d{2}(?:\s*(?:Uhr|h|am|pm))?", re.IGNORECASE)),
    (
        "date",
        re.compile(
            r"(?:\w+\.?,?\s+)?\d{1,2}[./]\s?(?:\d{1,2}[./]|\w+)\s?\d{2,4}|\d{4}-\d{2}-\d{2}|\w+,? \d{1,2} \w+ \d{4}"
        ),
    ),
    ("phone number", re.compile(r"\+?[\d ()/-]{6,20}")),
    ("number", re.compile(r"\d+")),
    ("text", re.compile(r".+", re.DOTALL)),
)
"""Kinds of values, tried in this order against the whole value."""


@dataclass(frozen=True, slots=True)
class TokenSeen:
    """What became of one token: ``kind`` of the value, ``kept`` (stands there unreplaced) or ``not found``."""

    token: str
    kind: str
    times: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A real mail beside a template: kinds and counts, no value of the mail.

    Attributes
    ----------
    template : str
    sent_html : bool
        Whether our text is HTML.
    has_html, has_text : bool
        Which parts the real mail has: whether eTermin takes HTML is not documented.
    html_escaped : bool
        True where the tags of our text arrived as visible characters.
    tokens : tuple of TokenSeen
    passages, found : int
        Stretches of fixed text in our template, and how many arrived unchanged.
    alike : float
        From 0 to 1: how many words, in their order, both have in common.
    """

    template: str
    sent_html: bool
    has_html: bool
    has_text: bool
    html_escaped: bool
    tokens: tuple[TokenSeen, ...]
    passages: int
    found: int
    alike: float = 0.0


@dataclass(frozen=True, slots=True)
class Received:
    """A real mail in memory. Its values are shown on the loopback page on request; no ``repr`` has them."""

    subject: str = field(repr=False)
    sender: str = field(repr=False)
    html: str = field(repr=False)
    text: str = field(repr=False)


def received(eml: bytes) -> Received:
    """Read a mail as a mail program saves it (RFC 5322).

    Raises
    ------
    TemplateError
        If it is no mail with a text.
    """
    message = message_from_bytes(eml, policy=policy.default)
    assert isinstance(message, EmailMessage)
    html, text = (
        _decoded(part) if (part := message.get_body(preferencelist=(kind,))) is not None else ""
        for kind in ("html", "plain")
    )
    if not (html.strip() or text.strip()):
        raise TemplateError("The file is no mail with a text.", "save the mail as .eml in your mail program")
    return Received(_header(message, "subject"), _header(message, "from"), html, text)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, TypeError, AttributeError, IndexError):
        return ""  # the parser of addresses stumbles over some real headers


def compare(templates: Templates, mail: Received, name: str | None = None) -> Comparison:
    """Lay a test mail, sent to oneself, beside a template.

    Parameters
    ----------
    templates : Templates
    mail : Received
    name : str, optional
        The template; without it the e-mail template that fits best.

    Raises
    ------
    TemplateError
        If nothing fits.
    """
    chosen = [templates.get(name)] if name else [item for item in templates if item.channel == "email"]
    results = [compared(item, mail, templates.registry) for item in chosen]
    if not results:
        raise TemplateError("There is no e-mail template to compare with.", "lifecycle preview lint templates")
    best = max((one for one in results if one.found), key=lambda one: one.alike, default=None)
    if best is None:
        raise TemplateError("The mail holds no passage of any template.", "name the template it was sent from")
    return best


def described(comparison: Comparison, language: str = "de") -> str:
    """Return the comparison as lines for a terminal: which token became what, and how much text arrived."""
    kinds = KIND_WORDS[language]
    lines = summary(comparison, language)
    return "\n".join([*lines, *(f"  {seen.token:<22} {kinds[seen.kind]}" for seen in comparison.tokens)])


def summary(comparison: Comparison, language: str) -> list[str]:
    """Return in sentences what a mail told about the template as a whole."""
    words = _WORDS[language]
    lines = [
        words["text"].format(found=comparison.found, passages=comparison.passages, template=comparison.template),
        words["html"] if comparison.has_html else words["no_html"],
    ]
    return [*lines, words["escaped"]] if comparison.html_escaped else lines


def learn_from(comparison: Comparison, path: Path) -> None:
    """Add to the file at ``path`` what a comparison taught: kinds of values, and how HTML arrived."""
    html = "characters" if comparison.html_escaped else "html" if comparison.sent_html and comparison.has_html else ""
    learn(path, {seen.token: seen.kind for seen in comparison.tokens}, html)


_WORDS = {
    "de": {
        "text": "{found} von {passages} Textstellen aus {template} kamen unverändert an.",
        "html": "Die E-Mail hat einen HTML-Teil.",
        "no_html": "Die E-Mail hat keinen HTML-Teil.",
        "escaped": "HTML kam als sichtbare Zeichen an: eTermin nimmt hier kein HTML.",
    },
    "en": {
        "text": "{found} of {passages} passages of {template} arrived unchanged.",
        "html": "The mail has an HTML part.",
        "no_html": "The mail has no HTML part.",
        "escaped": "HTML arrived as visible characters: eTermin takes no HTML here.",
    },
}


def _decoded(part: object) -> str:
    assert isinstance(part, EmailMessage)
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    try:
        return data.decode(part.get_content_charset() or "utf-8", errors="replace")
    except LookupError:
        return data.decode("utf-8", errors="replace")


def compared(template: Template, mail: Received, registry: Registry) -> Comparison:
    """Lay a mail beside one template; nothing need fit."""
    ours = visible_text(template.body) if template.format == "html" else template.body
    bodies = ((mail.html, True), (mail.text, False))
    theirs = [_flat(visible_text(body) if is_html else body) for body, is_html in bodies if body]
    results = [_aligned(_flat(ours), candidate, registry) for candidate in theirs]
    best = max(range(len(results)), key=lambda number: results[number][2])
    tokens, passages, found = results[best]
    alike = SequenceMatcher(None, ours.split(), theirs[best].split(), False).ratio()
    is_html = template.format == "html"
    escaped = is_html and bool(re.search(r"<(?:table|td|p|h1)\b[^>]*>", " ".join(theirs)))
    return Comparison(
        template.name,
        is_html,
        bool(mail.html.strip()),
        bool(mail.text.strip()),
        escaped,
        tokens,
        passages,
        found,
        alike,
    )


def _flat(text: str) -> str:
    return " ".join(text.split())


ANCHOR = 16
"""Characters at the head and tail of a changed passage that still show where the values beside it begin and end."""


@dataclass(slots=True)
class _Walk:
    """Where we are in the mail, and what was seen on the way."""

    theirs: str
    position: int = 0
    sure: bool = True
    kinds: dict[str, list[str]] = field(default_factory=dict)
    found: int = 0

    def step(self, passage: str, waiting: list[Seen]) -> None:
        """Look for a fixed passage; what lies before it is the value of the tokens that wait."""
        start = self.theirs.find(passage, self.position)
        if start >= 0:
            self.found += 1
            self._value(waiting, start)
            self.position, self.sure = start + len(passage), True
            return
        head = self.theirs.find(passage[:ANCHOR], self.position) if len(passage) > 2 * ANCHOR else -1
        self._value(waiting, head)
        self.position = max(self.position, head)
        tail = self.theirs.find(passage[-ANCHOR:], self.position) if len(passage) > 2 * ANCHOR else -1
        self.position, self.sure = (tail + ANCHOR, True) if tail >= 0 else (self.position, False)

    def _value(self, waiting: list[Seen], end: int) -> None:
        if end >= 0 and self.sure:
            _note(waiting, self.theirs[self.position : end], self.kinds)
        else:
            _note_missing(waiting, self.kinds)


def _aligned(ours: str, theirs: str, registry: Registry) -> tuple[tuple[TokenSeen, ...], int, int]:
    """Walk through the fixed passages in order; what lies between two of them is the value of the tokens there.

    Returns the tokens, and how many passages there are and were found.
    """
    seen = list(registry.scan(ours))
    bounds = [0, *(end for token in seen for end in (token.start, token.end)), len(ours)]
    passages = [ours[bounds[i] : bounds[i + 1]].strip() for i in range(0, len(bounds), 2)]
    walk, waiting = _Walk(theirs), list[Seen]()
    for number, passage in enumerate(passages):
        if passage:
            walk.step(passage, waiting)
            waiting = []
        elif number == len(passages) - 1:
            walk._value(waiting, len(theirs))
        if number < len(seen):
            waiting.append(seen[number])
    tokens = tuple(TokenSeen(token, _settled(values), len(values)) for token, values in walk.kinds.items())
    return tokens, sum(1 for passage in passages if passage), walk.found


def _note(tokens: list[Seen], between: str, kinds: dict[str, list[str]]) -> None:
    value = between.strip(" <>")
    if len(tokens) == 1:
        kind = "kept" if value == tokens[0].token else kind_of(value)
        kinds.setdefault(tokens[0].token, []).append(kind)
        return
    words = value.split(" ")
    for number, token in enumerate(tokens):
        split = kind_of(words[number]) if len(words) == len(tokens) else "unclear"
        kinds.setdefault(token.token, []).append("kept" if token.token in value else split)


def _note_missing(tokens: list[Seen], kinds: dict[str, list[str]]) -> None:
    for token in tokens:
        kinds.setdefault(token.token, []).append("not found")


def _settled(kinds: list[str]) -> str:
    """Return the kind that was seen most often, leaving out what told nothing."""
    telling = [kind for kind in kinds if kind not in {"not found", "unclear"}] or kinds
    return max(set(telling), key=telling.count)


def kind_of(value: str) -> str:
    """Return what kind of value a text is.

    Examples
    --------
    >>> [kind_of(value) for value in ("https://example.org/x", "K7M2P9X4R6T3", "14:30", "09.11.2026", "")]
    ['link', 'tan', 'time', 'date', 'empty']
    """
    return next((kind for kind, pattern in VALUE_KINDS if pattern.fullmatch(value.strip())), "text")
