"""What real test mails taught: by what kind of value eTermin replaced a token, and whether it takes HTML.

Kinds only, never a value. The file lies beside the templates (``learnt.yaml``), is written by ``preview compare
--learn`` and may be edited or deleted by hand; the linter reads it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lifecycle.errors import TemplateError

LEARNT_FILE = "learnt.yaml"
KEPT = "kept"
TOLD_NOTHING = frozenset({"not found", "unclear"})

KIND_WORDS: Mapping[str, Mapping[str, str]] = {
    "de": {
        "kept": "blieb stehen",
        "not found": "nicht feststellbar",
        "unclear": "nicht eindeutig",
        "empty": "leer",
        "link": "Link",
        "email address": "E-Mail-Adresse",
        "tan": "TAN",
        "time": "Uhrzeit",
        "date": "Datum",
        "phone number": "Telefonnummer",
        "number": "Zahl",
        "text": "Text",
    },
    "en": {
        "kept": "stayed as it is",
        "not found": "could not be told",
        "unclear": "not clear",
        "empty": "empty",
        "link": "link",
        "email address": "e-mail address",
        "tan": "TAN",
        "time": "time",
        "date": "date",
        "phone number": "phone number",
        "number": "number",
        "text": "text",
    },
}

_EXPECTED: Mapping[str, frozenset[str]] = {
    "join_link": frozenset({"link"}),
    "cancel_link": frozenset({"link"}),
    "tan": frozenset({"tan"}),
    "email": frozenset({"email address"}),
    "mobile": frozenset({"phone number", "number"}),
    "company_phone": frozenset({"phone number", "number"}),
    "date": frozenset({"date"}),
    "start_time": frozenset({"time"}),
    "end_time": frozenset({"time"}),
}
_WORDS = frozenset({"text", "number", "tan"})
_HTML = ("", "html", "characters")


def fits(meaning: str, kind: str) -> bool:
    """Return whether a kind of value can be what a placeholder means. An empty value fits, since many may be missing.

    Examples
    --------
    >>> fits("date", "date"), fits("date", "link"), fits("last_name", "text"), fits("last_name", "date")
    (True, False, True, False)
    """
    return kind == "empty" or kind in _EXPECTED.get(meaning, _WORDS)


@dataclass(frozen=True, slots=True)
class Learnt:
    """Kinds by token, and how HTML arrived: ``html``, ``characters`` (as visible signs) or empty (nobody tried)."""

    kinds: Mapping[str, str] = field(default_factory=dict)
    html: str = ""


def read_learnt(data: bytes) -> Learnt:
    """Read the file's content.

    Raises
    ------
    TemplateError
        If it is not what ``--learn`` writes.
    """
    try:
        content = yaml.safe_load(data.decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TemplateError(f"{LEARNT_FILE} is no readable YAML.", f"delete it: {_AGAIN}") from error
    table = content if isinstance(content, dict) else {}
    kinds, html = table.get("tokens", {}), table.get("html", "")
    known = set(KIND_WORDS["en"]) - TOLD_NOTHING
    if not isinstance(kinds, dict) or not set(map(str, kinds.values())) <= known or html not in _HTML:
        raise TemplateError(f"{LEARNT_FILE} is not what a comparison writes.", f"delete it: {_AGAIN}")
    return Learnt({str(token): str(kind) for token, kind in kinds.items()}, str(html))


def learn(path: Path, kinds: Mapping[str, str], html: str) -> Learnt:
    """Add what one mail taught to the file; a later mail goes before an earlier one.

    Parameters
    ----------
    path : Path
    kinds : mapping of str to str
        Token to kind; those that told nothing are left out.
    html : str
        As in ``Learnt``; empty leaves what is known.
    """
    before = read_learnt(path.read_bytes()) if path.is_file() else Learnt()
    told = {token: kind for token, kind in kinds.items() if kind not in TOLD_NOTHING and _TOKEN.fullmatch(token)}
    after = Learnt({**before.kinds, **told}, html or before.html)
    content: dict[str, Any] = {"html": after.html, "tokens": dict(sorted(after.kinds.items()))}
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(_HEAD + yaml.safe_dump(content, allow_unicode=True, sort_keys=True), encoding="utf-8")
    temporary.replace(path)
    return after


_TOKEN = re.compile(r"%?[A-Z][A-Z0-9_]{2,40}%?")
_AGAIN = "lifecycle preview compare FILE.eml --learn writes it anew"
_HEAD = """\
# What real test mails taught (lifecycle preview compare FILE.eml --learn): by what kind of value eTermin replaced
# each placeholder ("kept": it stood there unreplaced), and how HTML arrived ("html", or "characters": as visible
# signs). No value of a mail is in here.
"""
