"""Placeholders that eTermin will not know, or will replace where nobody meant it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lifecycle.mail.learnt import KEPT, KIND_WORDS, Learnt, fits
from lifecycle.mail.lint import SUBJECT, Example, Hit, View, mail, template_check
from lifecycle.mail.placeholders import Placeholder, Registry
from lifecycle.model import Severity

_ASSUMED = Registry((Placeholder("%STARTDATE%", "date"),))


def _taught(kind: str) -> Registry:
    return Registry((Placeholder("%STARTDATE%", "date"),), Learnt({"%STARTDATE%": kind}))


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
                # what a test mail showed is no longer assumed; if it showed something else, another check says so
                if seen.token not in view.registry.learnt.kinds:
                    yield Hit(seen.token, _at(seen.start, base))


@template_check(
    "token-not-replaced",
    Severity.ERROR,
    de="{token} blieb in einer Testmail unersetzt stehen: eTermin kennt diesen Platzhalter nicht.",
    en="{token} stood in a test mail unreplaced: eTermin does not know this placeholder.",
    good=Example(mail("LOCATION %STARTDATE%"), registry=_taught("date")),
    bad=Example(mail("LOCATION %STARTDATE%"), registry=_taught(KEPT)),
)
def token_not_replaced(view: View) -> Iterator[Hit]:
    """A token that a real test mail showed as it is."""
    for text, base in _texts(view):
        for seen in view.registry.scan(text):
            if view.registry.learnt.kinds.get(seen.token) == KEPT:
                yield Hit(seen.token, _at(seen.start, base))


@template_check(
    "other-value",
    Severity.WARNING,
    de="{token}: In einer Testmail stand hier: {kind_de}; die Platzhalterdatei sagt „{meaning}“.",
    en="{token}: in a test mail this was: {kind_en}; the registry says '{meaning}'.",
    good=Example(mail("LOCATION %STARTDATE%"), registry=_taught("date")),
    bad=Example(mail("LOCATION %STARTDATE%"), registry=_taught("email address")),
)
def other_value(view: View) -> Iterator[Hit]:
    """A token that became another kind of value than its meaning in the registry."""
    for text, base in _texts(view):
        for seen in view.registry.scan(text):
            kind = view.registry.learnt.kinds.get(seen.token, KEPT)
            if seen.placeholder and kind != KEPT and not fits(seen.placeholder.meaning, kind):
                words = {f"kind_{language}": KIND_WORDS[language][kind] for language in ("de", "en")}
                yield Hit(seen.token, _at(seen.start, base), {"meaning": seen.placeholder.meaning, **words})


@template_check(
    "html-shown-as-characters",
    Severity.ERROR,
    de="In einer Testmail kam HTML als sichtbare Zeichen an: hier nur die Textfassung in eTermin einfügen.",
    en="In a test mail HTML arrived as visible characters: paste only the plain text into eTermin here.",
    good=Example(mail("<p>LOCATION</p>"), registry=Registry((), Learnt(html="html"))),
    bad=Example(mail("<p>LOCATION</p>"), registry=Registry((), Learnt(html="characters"))),
    on="html",
)
def html_shown_as_characters(view: View) -> Iterator[Hit]:
    """An HTML text, where a real mail has shown that eTermin takes none."""
    if view.registry.learnt.html == "characters":
        yield Hit("")


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
