"""eTermin's placeholders: five are documented and stand here, the others in a registry file of the administrator.

Source of the five: the help page of arztkonsultation (``LOCATION``, ``NOEMAIL``, ``%MEETINGPASSWORD%``) and the
eTermin API description (``%SERVICETEXT%``, ``%INFOTEXTP2%``). Every other token is marked "assumed": nobody
has published eTermin's list, so the file says what the administrator has seen in the application.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import yaml

from lifecycle.errors import TemplateError
from lifecycle.mail.learnt import Learnt, read_learnt

MEANINGS = (
    "join_link",
    "tan",
    "suppress",
    "service_text",
    "booking_page_text",
    "first_name",
    "last_name",
    "salutation",
    "email",
    "mobile",
    "date",
    "start_time",
    "end_time",
    "service",
    "calendar",
    "cancel_link",
    "company",
    "company_phone",
    "company_address",
)
"""What a token can stand for; a fixture has a value for each."""

PERSONAL_MEANINGS = frozenset({"first_name", "last_name", "salutation", "email", "mobile", "tan", "join_link"})
SERVICE_MEANINGS = frozenset({"service", "service_text"})

TOKEN = re.compile(r"%[A-Z][A-Z0-9_]{2,40}%")
"""A percent token. Shorter ones would be escapes in addresses, such as ``%C3%A4``."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One token and what eTermin puts in its place; ``documented`` is False where that is assumed."""

    token: str
    meaning: str
    documented: bool = False
    note: str = ""

    @property
    def bare(self) -> bool:
        """Whether the token is a plain word, without percent signs."""
        return not self.token.startswith("%")


@dataclass(frozen=True, slots=True)
class Seen:
    """A token found in a text: where it starts (characters from 0) and what it is, or None if nobody knows."""

    token: str
    start: int
    placeholder: Placeholder | None

    @property
    def end(self) -> int:
        """Offset of the first character after the token."""
        return self.start + len(self.token)


DOCUMENTED: tuple[Placeholder, ...] = (
    Placeholder("LOCATION", "join_link", True, "Beitrittslink für Leistungsnehmer (trägt die TAN)"),
    Placeholder("%MEETINGPASSWORD%", "tan", True, "TAN ohne Link"),
    Placeholder("NOEMAIL", "suppress", True, "unterdrückt die E-Mail (leistungsspezifische Vorlage)"),
    Placeholder("%SERVICETEXT%", "service_text", True, "Text der Leistung, je Sprache"),
    Placeholder("%INFOTEXTP2%", "booking_page_text", True, "Text auf Seite 2 der Buchungsseite, nicht für E-Mails"),
)


class Registry:
    """The documented placeholders together with the administrator's own, and what test mails taught about them."""

    def __init__(self, assumed: tuple[Placeholder, ...] = (), learnt: Learnt | None = None) -> None:
        self.learnt = learnt or Learnt()
        self.placeholders: Mapping[str, Placeholder] = {p.token: p for p in (*assumed, *DOCUMENTED)}
        self._suggestions: dict[str, str] = {}
        words = sorted((p.token for p in self.placeholders.values() if p.bare), key=len, reverse=True)
        bare = "|".join(re.escape(word) for word in words)
        self._scanner = re.compile(rf"{TOKEN.pattern}|(?<![\w%])(?:{bare})(?![\w%])")

    def scan(self, text: str) -> Iterator[Seen]:
        """Yield every token from left to right: percent tokens anywhere, bare ones as whole upper-case words.

        Examples
        --------
        >>> [seen.token for seen in Registry().scan("Link: LOCATION, ALLOCATION, Location, %MEETINGPASSWORD%, %NOPE%")]
        ['LOCATION', '%MEETINGPASSWORD%', '%NOPE%']
        """
        for match in self._scanner.finditer(text):
            yield Seen(match.group(), match.start(), self.placeholders.get(match.group()))

    def suggestion(self, token: str) -> str:
        """Return the known token closest in spelling, or an empty text."""
        if token not in self._suggestions:
            bare = {known.strip("%"): known for known in self.placeholders}
            close = get_close_matches(token.strip("%").strip().upper(), bare, n=1, cutoff=0.72)
            self._suggestions[token] = bare[close[0]] if close else ""
        return self._suggestions[token]

    def tokens_of(self, *meanings: str) -> frozenset[str]:
        """Return the tokens that stand for one of the meanings."""
        return frozenset(p.token for p in self.placeholders.values() if p.meaning in meanings)


def load_registry(path: Path | None, learnt: Path | None = None) -> Registry:
    """Read the administrator's registry file (YAML: token to ``meaning`` and ``note``).

    Parameters
    ----------
    path : Path or None
        None or a missing file gives the documented placeholders alone.
    learnt : Path, optional
        What test mails taught, where there is such a file.

    Raises
    ------
    TemplateError
        For a file that is no YAML mapping, a token that is not upper case, or an unknown meaning.
    """
    data = path.read_bytes() if path and path.is_file() else b""
    taught = learnt.read_bytes() if learnt and learnt.is_file() else b""
    return _registry_from(data, path.name if path else "", taught)


@lru_cache(maxsize=32)
def _registry_from(data: bytes, name: str, taught: bytes) -> Registry:
    known = read_learnt(taught) if taught else Learnt()
    if not data:
        return Registry((), known)
    try:
        content = yaml.safe_load(data.decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TemplateError(
            f"{name} is no readable YAML.", f"check the indentation and the encoding of {name}"
        ) from error
    table = content.get("placeholders") if isinstance(content, dict) else None
    if not isinstance(table, dict):
        raise TemplateError(
            f"{name} has no table 'placeholders'.", "the shipped templates/placeholders.yaml shows the form"
        )
    return Registry(tuple(_placeholder(str(token), entry, name) for token, entry in table.items()), known)


def _placeholder(token: str, entry: object, name: str) -> Placeholder:
    if not re.fullmatch(r"%[A-Z][A-Z0-9_]{2,40}%|[A-Z][A-Z0-9_]{3,40}", token):
        raise TemplateError(f"{name}: a token must be %UPPER% or a plain upper-case word of four letters or more.")
    meaning = entry.get("meaning") if isinstance(entry, dict) else None
    if meaning not in MEANINGS:
        close = get_close_matches(str(meaning), MEANINGS, n=1)
        hint = f"did you mean {close[0]}?" if close else "one of " + ", ".join(MEANINGS)
        raise TemplateError(f"{name}: the meaning of {token} is unknown.", hint)
    note = entry.get("note", "") if isinstance(entry, dict) else ""
    return Placeholder(token, str(meaning), token in {p.token for p in DOCUMENTED}, str(note))
