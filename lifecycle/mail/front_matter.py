"""The head of a template file: YAML between two ``---`` lines, checked key by key."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache
from pathlib import PurePosixPath

import yaml

from lifecycle.errors import TemplateError

KINDS = ("confirmation", "change", "cancellation", "reminder1", "reminder2", "reminder3", "provider")
CHANNELS = ("email", "sms")
KEYS = ("kind", "channel", "language", "service", "calendar", "subject", "sender", "parts")
CHOICES = {"kind": KINDS, "channel": CHANNELS, "language": ("de", "en")}


def split(text: str) -> tuple[dict[str, object] | None, str, int]:
    """Split a file into front matter, body and the line on which the body starts (from 1).

    Front matter is None where the file has none. A ``---`` further down is text.
    """
    lines = text.split("\n")
    if lines[0].strip() != "---":
        return None, text, 1
    for number, line in enumerate(lines[1:], start=1):
        if line.strip() == "---":
            body = "\n".join(lines[number + 1 :])
            return _mapping("\n".join(lines[1:number])), body, number + 2
    raise TemplateError("The front matter is not closed.", "put a second line --- below the last key")


def _mapping(text: str) -> dict[str, object]:
    return dict(_parsed(text))


@lru_cache(maxsize=1024)
def _parsed(text: str) -> dict[str, object]:
    """Parse once: a preview reads the same heads again with every saved change."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" near line {mark.line + 2}" if mark else ""
        raise TemplateError(
            f"The front matter is no readable YAML{where}.",
            "a value that starts with % or holds a colon needs quotation marks",
        ) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise TemplateError("The front matter is no list of keys and values.", "write one key: value per line")
    return {str(key): value for key, value in content.items()}


def checked(content: dict[str, object], keys: tuple[str, ...] = KEYS) -> dict[str, object]:
    """Return the front matter with every key known and every choice valid.

    Raises
    ------
    TemplateError
        For an unknown key or choice, with the closest known one as hint.
    """
    for key, value in content.items():
        if key not in keys:
            raise TemplateError(f"Unknown front-matter key '{_shown(key)}'.", _did_you_mean(key, keys))
        if key in CHOICES and value not in CHOICES[key]:
            raise TemplateError(f"Unknown {key} '{_shown(value)}'.", _did_you_mean(str(value), CHOICES[key]))
        if key == "parts":
            if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
                raise TemplateError("'parts' must be a list of names.", "parts: [header, body, footer]")
        elif not isinstance(value, str | int) or isinstance(value, bool):
            raise TemplateError(f"'{key}' must be a text.", f'{key}: "..."')
    return content


def _shown(value: object) -> str:
    return re.sub(r"[^\w .%-]", "", str(value))[:40]


def _did_you_mean(word: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else "one of " + ", ".join(known)


def guessed(name: str) -> dict[str, object]:
    """Guess the front matter of a bare text from its file name, so that any file can be looked at.

    Examples
    --------
    >>> guessed("reminder1.en.txt")["kind"], guessed("sms-erinnerung.txt")["channel"]
    ('reminder1', 'sms')
    """
    words = re.split(r"[^a-z0-9]+", PurePosixPath(name).name.lower())
    kind = next((kind for kind in KINDS if kind in words), "confirmation")
    if "reminder" in words:
        kind = "reminder1"
    return {
        "kind": kind,
        "channel": "sms" if "sms" in words else "email",
        "language": "en" if "en" in words else "de",
    }
