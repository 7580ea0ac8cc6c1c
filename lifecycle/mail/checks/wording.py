"""The words: language, spam, what the law wants in the footer, and how a text reads for every booking."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lifecycle.mail.house import HouseRules
from lifecycle.mail.links import links_of
from lifecycle.mail.lint import SUBJECT, WHOLE, Example, Hit, View, mail, template_check
from lifecycle.model import Severity

_GERMAN = frozenset(
    {"der", "die", "das", "und", "ist", "nicht", "ihr", "ihre", "ihren", "sie", "termin", "bitte", "mit", "für", "wir"}
    | {"am", "um", "zum", "uhr", "auf", "den", "ein", "eine", "guten", "tag", "von", "wird", "wurde", "bei"}
)
_ENGLISH = frozenset(
    {"the", "and", "is", "not", "your", "you", "appointment", "please", "with", "for", "we", "at", "on", "to", "our"}
    | {"hello", "this", "of", "will", "has", "been", "call", "join", "are", "or"}
)
_SPAM = re.compile(
    r"\b(?:gratis|100 ?% kostenlos|jetzt zugreifen|nur heute|garantiert|gewinn\w*|hier klicken|klicken sie hier"
    r"|dringend|click here|act now|free of charge|winner|guaranteed|urgent|limited time|buy now|risk.free)\b"
    r"|!{2,}|\${2,}",
    re.IGNORECASE,
)
_BOTH = HouseRules()


@template_check(
    "wrong-language",
    Severity.WARNING,
    de="Der Kopf sagt „{language}“, der Text liest sich wie {other}.",
    en='The front matter says "{language}", the text reads like {other}.',
    good=Example(mail("Ihr Termin ist gebucht. Wir sehen Sie am Montag um 9 Uhr: LOCATION")),
    bad=Example(mail("Your appointment is booked. We will see you on Monday at 9: please join with LOCATION")),
)
def wrong_language(view: View) -> Iterator[Hit]:
    """Frequent words of the other language outnumber those of the declared one."""
    words = re.findall(r"[a-zäöüß]+", view.text.lower())
    german, english = sum(word in _GERMAN for word in words), sum(word in _ENGLISH for word in words)
    declared, other = (german, english) if view.template.language == "de" else (english, german)
    if other >= 4 and other > 1.5 * declared:
        names = {"language": view.template.language, "other": "en" if view.template.language == "de" else "de"}
        yield Hit(view.template.language, WHOLE, names)


@template_check(
    "spam-wording",
    Severity.WARNING,
    de="„{token}“: solche Worte bringen Mails in den Spamordner.",
    en='"{token}": such words send mails to the spam folder.',
    good=Example(mail("Ihr Termin: LOCATION")),
    bad=Example(mail("Jetzt zugreifen!!! LOCATION")),
    on="email",
)
def spam_wording(view: View) -> Iterator[Hit]:
    """Words and signs that filters weigh, in subject and text; a subject in capitals."""
    for match in _SPAM.finditer(view.template.subject):
        yield Hit(match.group(), SUBJECT)
    bare = re.sub(r"%[A-Z0-9_]+%", "", view.template.subject)
    if len(re.findall(r"[A-ZÄÖÜ]", bare)) > 8 and bare == bare.upper():
        yield Hit(bare, SUBJECT)
    for match in _SPAM.finditer(view.text):
        yield Hit(match.group(), max(0, view.template.body.find(match.group())))


@template_check(
    "imprint-missing",
    Severity.WARNING,
    de="Der Link zum Impressum fehlt (Hausregel; lifecycle.toml: [templates] imprint).",
    en="The link to the legal notice is missing (house rule; lifecycle.toml: [templates] imprint).",
    good=Example(mail('LOCATION <a href="https://www.etermin.net/i">Impressum</a>'), house=HouseRules(privacy=False)),
    bad=Example(mail("LOCATION"), house=HouseRules(privacy=False)),
    on="email",
)
def imprint_missing(view: View) -> Iterator[Hit]:
    """A house rule that can be switched off."""
    if view.house.imprint and not _links_to(view, r"impressum|imprint|legal notice"):
        yield Hit(view.template.kind)


@template_check(
    "privacy-link-missing",
    Severity.WARNING,
    de="Der Link zur Datenschutzerklärung fehlt (Hausregel; lifecycle.toml: [templates] privacy).",
    en="The link to the privacy notice is missing (house rule; lifecycle.toml: [templates] privacy).",
    good=Example(mail('LOCATION <a href="https://www.etermin.net/d">Datenschutz</a>'), house=HouseRules(imprint=False)),
    bad=Example(mail("LOCATION"), house=HouseRules(imprint=False)),
    on="email",
)
def privacy_link_missing(view: View) -> Iterator[Hit]:
    """A house rule that can be switched off."""
    if view.house.privacy and not _links_to(view, r"datenschutz|privacy"):
        yield Hit(view.template.kind)


def _links_to(view: View, pattern: str) -> bool:
    if view.suppressed or not view.template.own.strip() or view.template.kind == "provider":
        return True
    return any(re.search(pattern, f"{link.label} {link.target}", re.IGNORECASE) for link in links_of(view))


@template_check(
    "gap-in-text",
    Severity.WARNING,
    de="Bei „{booking}“ bleibt eine Lücke: „{token}“.",
    en='With "{booking}" a gap is left: "{token}".',
    good=Example(mail("Guten Tag, LOCATION")),
    bad=Example(mail("Zugang: LOCATION oder TAN %MEETINGPASSWORD%, wie Sie mögen."), "confirmation.de.txt"),
)
def gap_in_text(view: View) -> Iterator[Hit]:
    """A value that is missing leaves a blank before a comma or a stop, as in a greeting without a last name."""
    told: set[str] = set()
    for item, text, subject in view.filled:
        for place, base in ((subject, SUBJECT), (text, WHOLE)):
            for match in re.finditer(r"(?<=[^\n]) +[,.;!](?=\s|$)|(?<![\w\n])\(\s*\)", place):
                line = place[place.rfind("\n", 0, match.start()) + 1 : match.end()].strip()[-60:]
                shown = _without_values(line, item.values(view.template.language))
                if shown not in told:
                    told.add(shown)
                    yield Hit(shown, _where(view, base, line), {"booking": item.title[view.template.language]})


def _without_values(line: str, values: object) -> str:
    """Put dots for the values, so that a finding never repeats one - not even of a made-up person."""
    for value in sorted((v for v in dict(values).values() if v), key=len, reverse=True):  # type: ignore[call-overload]
        line = line.replace(value, "…")
    return line


def _where(view: View, base: int, line: str) -> int:
    if base == SUBJECT:
        return SUBJECT
    words = line.split()
    found = view.template.body.find(words[0]) if words else -1
    return found if found >= 0 else WHOLE


@template_check(
    "subject-length",
    Severity.NOTE,
    de="Der Betreff wird bis zu {length} Zeichen lang („{booking}“); Telefone schneiden ihn ab.",
    en='The subject gets up to {length} characters long ("{booking}"); phones cut it off.',
    good=Example(mail("LOCATION")),
    bad=Example(mail("LOCATION", subject="Ihr Termin " * 9)),
    on="email",
)
def subject_length(view: View) -> Iterator[Hit]:
    """The subject as filled with the longest booking."""
    item, _, subject = max(view.filled, key=lambda filled: len(filled[2]))
    if len(subject) > view.house.subject_length:
        detail = {"length": str(len(subject)), "booking": item.title[view.template.language]}
        yield Hit("subject", SUBJECT, detail)


@template_check(
    "no-front-matter",
    Severity.NOTE,
    de="Der Kopf (---) fehlt: Art, Weg und Sprache sind aus dem Dateinamen geraten.",
    en="The front matter (---) is missing: kind, channel and language are guessed from the file name.",
    good=Example(mail("LOCATION")),
    bad=Example("Ihr Termin: LOCATION", "confirmation.de.txt"),
)
def no_front_matter(view: View) -> Iterator[Hit]:
    """A bare text is looked at too, with a guess that is said."""
    if not view.template.declared:
        yield Hit(f"{view.template.kind}, {view.template.channel}, {view.template.language}")
