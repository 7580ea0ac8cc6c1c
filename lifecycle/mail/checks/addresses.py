"""Where links lead, judged by their spelling alone. No check here opens, resolves or pings anything."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from difflib import SequenceMatcher

from lifecycle.mail.house import ARZTKONSULTATION_HOSTS, ETERMIN_HOSTS, HouseRules, belongs_to
from lifecycle.mail.links import Link, links_of
from lifecycle.mail.lint import Example, Hit, View, mail, template_check
from lifecycle.model import Severity

EXAMPLE_HOSTS = ("example.org", "example.com", "example.net", "example", "invalid", "test")
_PRACTICE = HouseRules(hosts=("praxis.example.org",), imprint=False, privacy=False)


@template_check(
    "link-syntax",
    Severity.ERROR,
    de="{token} ist keine gültige Adresse.",
    en="{token} is no valid address.",
    good=Example(mail('<a href="https://www.etermin.net/a">x</a> LOCATION')),
    bad=Example(mail('<a href="https://www etermin.net/a">x</a> LOCATION')),
)
def link_syntax(view: View) -> Iterator[Hit]:
    """A target that is empty, relative or malformed."""
    for link in links_of(view):
        if not link.valid and not link.is_token and not _holds_token(view, link):
            yield Hit(link.target or "href", link.offset)


def _holds_token(view: View, link: Link) -> bool:
    return any(True for _ in view.registry.scan(link.target))


@template_check(
    "link-scheme",
    Severity.ERROR,
    de="{token}: Links beginnen mit https, mailto oder tel.",
    en="{token}: links begin with https, mailto or tel.",
    good=Example(mail('<a href="https://www.etermin.net/a">x</a> LOCATION')),
    bad=Example(mail('<a href="javascript:alert(1)">x</a> LOCATION')),
)
def link_scheme(view: View) -> Iterator[Hit]:
    """Anything executable or odd is an error, plain http a warning."""
    for link in links_of(view):
        if link.scheme == "http":
            yield Hit(link.target, link.offset, severity=Severity.WARNING)
        elif link.scheme and link.scheme not in {"https", "mailto", "tel"}:
            yield Hit(link.target, link.offset)


@template_check(
    "link-host",
    Severity.WARNING,
    de="{host} steht nicht in der Liste erlaubter Adressen (lifecycle.toml: [templates] hosts).",
    en="{host} is not in the list of allowed hosts (lifecycle.toml: [templates] hosts).",
    good=Example(mail('<a href="https://praxis.example.org/a">x</a> LOCATION'), house=_PRACTICE),
    bad=Example(mail('<a href="https://bit.ly/a">x</a> LOCATION'), house=_PRACTICE),
)
def link_host(view: View) -> Iterator[Hit]:
    """A host that the house rules do not name; example addresses have a check of their own."""
    for link in links_of(view):
        if link.host and not view.house.allows(link.host) and not belongs_to(link.host, EXAMPLE_HOSTS):
            yield Hit(link.target, link.offset, {"host": link.host})


@template_check(
    "example-address",
    Severity.NOTE,
    de="{token} ist eine Beispieladresse: vor dem Einsatz durch die eigene ersetzen.",
    en="{token} is an example address: replace it by your own before use.",
    good=Example(mail('<a href="https://www.etermin.net/a">x</a> LOCATION')),
    bad=Example(mail('<a href="https://www.example.org/impressum">x</a> LOCATION')),
)
def example_address(view: View) -> Iterator[Hit]:
    """The shipped texts point to example.org until somebody edits them."""
    for link in links_of(view):
        if belongs_to(link.host, EXAMPLE_HOSTS) and not belongs_to(link.host, view.house.hosts):
            yield Hit(link.target, link.offset)


@template_check(
    "link-lookalike",
    Severity.ERROR,
    de="{host} sieht einer bekannten Adresse nur ähnlich ({known}).",
    en="{host} only resembles a known address ({known}).",
    good=Example(mail('<a href="https://www.arztkonsultation.de/a">x</a> LOCATION')),
    bad=Example(mail('<a href="https://www.arztkonsuItation.de.example.org/a">x</a> LOCATION')),
)
def link_lookalike(view: View) -> Iterator[Hit]:
    """Mixed scripts, a known name as a subdomain of another, or one or two letters exchanged."""
    known = (*ETERMIN_HOSTS, *ARZTKONSULTATION_HOSTS, *view.house.hosts)
    for link in links_of(view):
        if link.host and not belongs_to(link.host, known) and (resembled := _resembled(link.host, known)):
            yield Hit(link.target, link.offset, {"host": link.host, "known": resembled})


def _resembled(host: str, known: tuple[str, ...]) -> str:
    if "xn--" in host or len({_script(char) for char in host if char.isalpha()}) > 1:
        return "IDN"
    labels = [form for label in host.split(".") for form in (label, _folded(label))]
    for domain in known:
        name = domain.split(".")[-2] if domain.count(".") else domain
        for label in labels:
            if len(name) > 5 and (label == name or SequenceMatcher(None, label, name).ratio() >= 0.86):
                return domain
    return ""


def _folded(label: str) -> str:
    """Undo the exchanges that the eye does not see."""
    return label.replace("rn", "m").replace("vv", "w").translate(str.maketrans("01", "ol"))


def _script(char: str) -> str:
    return unicodedata.name(char, "UNKNOWN").split()[0]


@template_check(
    "link-text-differs",
    Severity.ERROR,
    de="Der Text zeigt eine andere Adresse als das Ziel {token}.",
    en="The text shows another address than the target {token}.",
    good=Example(mail('<a href="https://www.etermin.net/a">www.etermin.net</a> LOCATION')),
    bad=Example(mail('<a href="https://www.etermin.net/a">www.arztkonsultation.de</a> LOCATION')),
    on="html",
)
def link_text_differs(view: View) -> Iterator[Hit]:
    """What phishing does, and spam filters look for."""
    for link in links_of(view):
        shown = re.match(r"(?:https?://)?((?:[\w-]+\.)+[a-z]{2,})(?:/|$)", link.label.lower())
        if shown and link.host and shown.group(1).removeprefix("www.") != link.host.removeprefix("www."):
            yield Hit(link.target, link.offset)


@template_check(
    "link-credentials",
    Severity.ERROR,
    de="{token}: Vor dem @ steht etwas, das wie eine Adresse aussehen kann.",
    en="{token}: what stands before the @ can pass for an address.",
    good=Example(mail('<a href="https://www.etermin.net/a">x</a> LOCATION')),
    bad=Example(mail('<a href="https://www.etermin.net@bad.example.org/">x</a> LOCATION')),
)
def link_credentials(view: View) -> Iterator[Hit]:
    """User names in web addresses."""
    for link in links_of(view):
        if link.scheme in {"http", "https"} and re.match(r"https?://[^/?#]*@", link.target, re.IGNORECASE):
            yield Hit(link.target, link.offset)
