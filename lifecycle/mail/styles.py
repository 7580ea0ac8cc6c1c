"""What a mail's CSS consists of: rules with selectors, declarations and the at-rules around them.

One pass over the text, tolerant of everything, linear in its length. Nothing is applied or fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_BREAK = re.compile(r"/\*|[\"'{};]")
_DECLARATION = re.compile(r"^\s*(--[\w-]+|[-\w]+)\s*:\s*(.*?)\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Declaration:
    """One property and its value, both lower case (custom properties keep their case)."""

    name: str
    value: str
    offset: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A block: its selector or at-rule, the preludes around it (outermost first), and its declarations.

    Statements such as ``@import`` are rules without declarations. ``offset`` counts characters of the text.
    """

    prelude: str
    around: tuple[str, ...]
    declarations: tuple[Declaration, ...]
    offset: int

    @property
    def is_at_rule(self) -> bool:
        """Whether the block is an at-rule such as ``@media``."""
        return self.prelude.startswith("@")


@dataclass(slots=True)
class _Open:
    prelude: str
    offset: int
    declarations: list[Declaration]


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.comments: list[int] = []
        self.rules: list[Rule] = []
        self._open: list[_Open] = []
        self._start = 0
        self._position = 0

    def run(self) -> None:
        while match := _BREAK.search(self.text, self._position):
            mark = match.group()
            self._position = match.end()
            if mark == "/*":
                self._skip_comment(match.start())
            elif mark in "\"'":
                self._skip_string(mark)
            elif mark == "{":
                self._open.append(_Open(self._taken(match.start()), self._start, []))
                self._start = match.end()
            else:
                self._end_statement(match.start(), mark)
        self._end_statement(len(self.text), ";")
        while self._open:
            self._close()

    def _taken(self, end: int) -> str:
        return re.sub(r"/\*.*?\*/", " ", self.text[self._start : end], flags=re.DOTALL).strip()

    def _skip_comment(self, start: int) -> None:
        self.comments.append(start)
        end = self.text.find("*/", self._position)
        self._position = len(self.text) if end < 0 else end + 2

    def _skip_string(self, quote: str) -> None:
        end = self.text.find(quote, self._position)
        line = self.text.find("\n", self._position)
        if end >= 0 and (line < 0 or end < line):
            self._position = end + 1

    def _end_statement(self, end: int, mark: str) -> None:
        statement = self._taken(end)
        if statement.startswith("@"):
            self._add(statement, self._start, ())
        elif statement and self._open and (found := declaration(statement, self._start)):
            self._open[-1].declarations.append(found)
        self._start = end + 1
        if mark == "}" and self._open:
            self._close()

    def _close(self) -> None:
        block = self._open.pop()
        self._add(block.prelude, block.offset, tuple(block.declarations))

    def _add(self, prelude: str, offset: int, declarations: tuple[Declaration, ...]) -> None:
        around = tuple(block.prelude for block in self._open[:12])
        self.rules.append(Rule(prelude, around, declarations, offset))


def declaration(text: str, offset: int = 0) -> Declaration | None:
    """Read ``name: value``; None for anything else."""
    match = _DECLARATION.match(text)
    if not match:
        return None
    name = match.group(1)
    return Declaration(name if name.startswith("--") else name.lower(), match.group(2).lower(), offset)


@lru_cache(maxsize=256)
def stylesheet(text: str) -> tuple[tuple[Rule, ...], tuple[int, ...]]:
    """Return the rules of a style sheet and the offsets of its comments.

    Examples
    --------
    >>> rules, _ = stylesheet("@media (min-width: 1px) { .a { color: red } }")
    >>> [(rule.prelude, rule.around, [d.name for d in rule.declarations]) for rule in rules]
    [('.a', ('@media (min-width: 1px)',), ['color']), ('@media (min-width: 1px)', (), [])]
    """
    scanner = _Scanner(text)
    scanner.run()
    return tuple(scanner.rules), tuple(scanner.comments)


@lru_cache(maxsize=2048)
def inline(text: str) -> tuple[Declaration, ...]:
    """Return the declarations of a ``style`` attribute."""
    return tuple(found for part in _split(text) if (found := declaration(part)))


def _split(text: str) -> Iterator[str]:
    """Split at semicolons outside of quotes and brackets."""
    depth, quote, start = 0, "", 0
    for position, mark in enumerate(text):
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "\"'":
            quote = mark
        elif mark == "(":
            depth += 1
        elif mark == ")":
            depth -= 1
        elif mark == ";" and depth <= 0:
            yield text[start:position]
            start = position + 1
    yield text[start:]
