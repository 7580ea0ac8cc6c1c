"""Hyphenation that is ready at once: the dictionaries of pyphen, whose patterns are read when a word asks for them.

pyphen reads all 77,000 German patterns before the first word, which takes longer than importing WeasyPrint; a report
asks for a few thousand of them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyphen  # type: ignore[import-untyped]

_WITHOUT_DIGITS = {ord(digit): None for digit in "0123456789"}


class Hyphens(pyphen.HyphDict):  # type: ignore[misc]
    """A dictionary of pyphen whose patterns stay as they are written: ``.ab3ol`` under ``.abol``."""

    def __init__(self, patterns: list[str]) -> None:
        keys = "\n".join(patterns).translate(_WITHOUT_DIGITS).split("\n")
        self.patterns = _Patterns(zip(keys, patterns, strict=True))
        self.cache: dict[str, Any] = {}
        self.maxlen = max(map(len, keys))


class _Patterns(dict[str, str]):
    def get(self, key: str, default: Any = None) -> Any:
        """Return where the values of a pattern begin, and the values from the first to the last that counts."""
        written = super().get(key)
        if written is None:
            return default
        values = [int(digit or "0") for digit, _ in pyphen.parse(written)]
        counting = [at for at, value in enumerate(values) if value]
        return counting[0], tuple(values[counting[0] : counting[-1] + 1])


def prepare(language: str) -> None:
    """Lay the dictionary of ``de`` or ``en`` where pyphen looks first."""
    path = pyphen.LANGUAGES[pyphen.language_fallback(language)]
    if path not in pyphen.hdcache and (patterns := _patterns(path)):
        pyphen.hdcache[path] = Hyphens(patterns)


def _patterns(path: Path) -> list[str]:
    """Return the patterns that say something; none where one is written in a way that only pyphen reads."""
    with path.open("rb") as file:
        encoding = file.readline().decode().strip()
    lines = path.read_text(encoding).split("\n")[1:]
    patterns = [line.strip() for line in lines if not line.startswith(pyphen.ignored)]
    if any("/" in one or "^^" in one for one in patterns):
        return []
    says_something = re.compile("[1-9]").search
    return [one for one in patterns if says_something(one)]
