"""Placeholders that eTermin will not know, or will replace where nobody meant it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lifecycle.mail.lint import SUBJECT, Example, Hit, View, mail, template_check
from lifecycle.mail.placeholders import Placeholder, Registry
from lifecycle.model import Severity

_ASSUMED = Registry((Placeholder("%STARTDATE%", "date"),))

_ALMOST = re.compile(
    r"%[A-Za-z][A-Za-z0-9_ ]{2,30}%|%[A-Z][A-Z0-9_]{3,40}(?![A-Z0-9_%])|(?<![%A-Z0-9_])[A-Z][A-Z0-9_]{3,40}%"
)
_CODE = re.compile(r"\{\{.{0,200}?\}\}|\{%.{0,200}?%\}|<%.{0,200}?%>|\$\{.{0,200}?\}|<\?php", re.DOTALL)


def _texts(view: View) -> Iterator[tuple[str, int]]:
    """Yield the subject and the body, each with the ``at`` of its first character."""
    yield view.template.subject, SUBJECT
    yield view.template.body, 0


def _at(start: int, base: int) -> int:
    return SUBJECT if base == SUBJECT else base + start


@template_check(
    "unknown-token",
    Severity.ERROR,
    de="{token} kennt weder die Dokumentation noch Ihre Platzhalterdatei; Patienten läsen es so.{suggestion}",
    en="{token} is neither documented nor in your registry; patients would read it as it is.{suggestion}",
    good=Example(mail("LOCATION %MEETINGPASSWORD%")),
    bad=Example(mail("LOCATION %MEETINGPASWORD%")),
)
def unknown_token(view: View) -> Iterator[Hit]:
    """A percent token nobody knows; the closest known one is suggested."""
    for text, base in _texts(view):
        for seen in view.registry.scan(text):
            if seen.placeholder is None:
                yield Hit(seen.token, _at(seen.start, base), {"suggestion": _suggestion(view, seen.token)})


@template_check(
    "broken-token",
    Severity.ERROR,
    de="{token} sieht aus wie ein Platzhalter, ist aber keiner.{suggestion}",
    en="{token} looks like a placeholder but is none.{suggestion}",
    good=Example(mail("LOCATION zu 100% sicher")),
    bad=Example(mail("LOCATION %MeetingPassword%")),
)
def broken_token(view: View) -> Iterator[Hit]:
    """A token in mixed case, with a blank, or without one of its percent signs - if a known one is close."""
    for text, base in _texts(view):
        taken = [(seen.start, seen.end) for seen in view.registry.scan(text)]
        for match in _ALMOST.finditer(text):
            suggestion = view.registry.suggestion(match.group())
            inside = any(start < match.end() and match.start() < end for start, end in taken)
            if suggestion and not inside and suggestion != match.group():
                yield Hit(match.group(), _at(match.start(), base), {"suggestion": _suggestion(view, match.group())})


def _suggestion(view: View, token: str) -> str:
    close = view.registry.suggestion(token)
    return f" → {close}" if close else ""


@template_check(
    "assumed-token",
    Severity.NOTE,
    de="{token} ist angenommen, nicht dokumentiert: in eTermin oder mit einer Testmail prüfen.",
    en="{token} is assumed, not documented: check it in eTermin or with a test mail.",
    good=Example(mail("LOCATION"), registry=_ASSUMED),
    bad=Example(mail("LOCATION %STARTDATE%"), registry=_ASSUMED),
    once=True,
)
def assumed_token(view: View) -> Iterator[Hit]:
    """A token that only the administrator's registry knows: told once."""
    told: set[str] = set()
    for text, base in _texts(view):
        for seen in view.registry.scan(text):
            if seen.placeholder and not seen.placeholder.documented and seen.token not in told:
                told.add(seen.token)
                yield Hit(seen.token, _at(seen.start, base))


@template_check(
    "accidental-word",
    Severity.WARNING,
    de="{token}: eTermin ersetzt dieses Wort vermutlich auch hier, mitten in anderem Text.",
    en="{token}: eTermin probably replaces this word here too, in the middle of other text.",
    good=Example(mail("Ihr Zugang: LOCATION")),
    bad=Example(mail("YOUR LOCATION DETAILS")),
)
def accidental_word(view: View) -> Iterator[Hit]:
    """A bare word among capitals, inside a longer word or address, or next to a hyphen."""
    bare = [p.token for p in view.registry.placeholders.values() if p.bare]
    for text, base in _texts(view):
        for token in bare:
            for match in re.finditer(re.escape(token), text):
                around = text[max(0, match.start() - 30) : match.end() + 30]
                if _is_accident(text, match.start(), match.end()):
                    yield Hit(_word_around(around, token), _at(match.start(), base))


def _is_accident(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - 20) : start], text[end : end + 20]
    if re.search(r"[\w/=?&-]$", before) or re.match(r"[\w/=?&-]", after):
        return not before.endswith(("href=", "<"))
    return bool(re.search(r"\b[A-ZÄÖÜ]{3,} $", before) or re.match(r" [A-ZÄÖÜ]{3,}\b", after))


def _word_around(text: str, token: str) -> str:
    return next((word for word in text.split() if token in word), token)


@template_check(
    "template-code",
    Severity.WARNING,
    de="{token}: Vorlagencode wird nicht ausgeführt, Patienten läsen ihn so.",
    en="{token}: template code is not executed, patients would read it as it is.",
    good=Example(mail("LOCATION")),
    bad=Example(mail("LOCATION {{ 7*7 }}")),
)
def template_code(view: View) -> Iterator[Hit]:
    """Code of some other template language."""
    for text, base in _texts(view):
        for match in _CODE.finditer(text):
            yield Hit(match.group(), _at(match.start(), base))
