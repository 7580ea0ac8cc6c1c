"""One message or record, exactly: bytes to named values, to slots. It says what the fast path means."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import polars as pl

from lifecycle.model import Reject
from lifecycle.sources.names import Names, reportable, squash

DEEPEST = 64
"""A message is flat, wrapped once at most; deeper nesting than this is not read."""

_FORM = re.compile(rb"\s*[A-Za-z_][\w.\[\]%-]*=")
_WRAPPED = "body"


class Unreadable(Exception):
    """A reason code, on its way to a reject; never leaves this room."""

    @property
    def reason(self) -> str:
        return str(self.args[0])


class Members(list[tuple[str, Any]]):
    """The members of a JSON object in their order, repeated names included."""


def _no_constant(_: str) -> Any:
    raise Unreadable("bad-json")


DECODER = json.JSONDecoder(
    object_pairs_hook=Members, parse_float=str, parse_int=str, parse_constant=_no_constant, strict=True
)
"""Numbers stay the text they are; NaN and Infinity are not JSON."""


def json_value(text: str) -> Any:
    """Read one JSON value; raises ``Unreadable``."""
    if text.count("[") + text.count("{") > DEEPEST and _depth(text) > DEEPEST:
        raise Unreadable("too-deep")
    try:
        return DECODER.decode(text)
    except RecursionError:
        raise Unreadable("too-deep") from None
    except ValueError:
        raise Unreadable("bad-json") from None


def _depth(text: str) -> int:
    outside = re.sub(r'"(?:[^"\\]|\\.)*+"?', "", text, flags=re.DOTALL)
    depth = deepest = 0
    for character in outside:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def members_of(value: Any) -> Members:
    """Return the members of a JSON object; raises ``Unreadable`` for any other value."""
    if not isinstance(value, Members):
        raise Unreadable("not-an-object")
    return value


def text_of(line: bytes) -> str:
    """Decode one line; raises ``Unreadable``."""
    if b"\0" in line:
        raise Unreadable("nul-byte")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("bad-encoding") from None


def json_line(line: bytes) -> Members:
    """Read a line that is one JSON object."""
    return members_of(json_value(text_of(line)))


def is_form(line: bytes) -> bool:
    """Tell whether a line looks like form variables (``COMMAND=CREATED&...``)."""
    return _FORM.match(line) is not None


def form_line(line: bytes) -> Members:
    """Read a line of form variables."""
    try:
        pairs = parse_qsl(
            text_of(line).strip(), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=500
        )
    except UnicodeDecodeError:
        raise Unreadable("bad-encoding") from None
    except ValueError:
        raise Unreadable("bad-form") from None
    return Members(pairs)


def message_line(line: bytes) -> Members:
    """Read a line that is one message: JSON or form variables, bare or in a gateway's wrapper."""
    return unwrapped(form_line(line) if is_form(line) else json_line(line))


def unwrapped(members: Members) -> Members:
    """Take a message out of ``{"received_at": ..., "body": ...}``; the wrapper's other members stay beside it."""
    bodies = [value for name, value in members if squash(name) == _WRAPPED]
    if not bodies:
        return members
    if len(bodies) > 1:
        raise Unreadable("duplicate-key")
    body = bodies[0]
    if isinstance(body, str):
        line = body.encode("utf-8", "surrogatepass")
        body = form_line(line) if is_form(line) else json_line(line)
    outside = Members((name, value) for name, value in members if squash(name) != _WRAPPED)
    inside = members_of(body)
    stamped = any(squash(name) == "receivedat" and not is_empty(value) for name, value in outside)
    inside = Members(one for one in inside if not (stamped and squash(one[0]) == "receivedat"))
    return Members([*_filled_or_alone(outside, inside), *_filled_or_alone(inside, outside)])


def _filled_or_alone(members: Members, others: Members) -> Members:
    """Leave out the empty members that stand on the other side of the wrapper too: they repeat nothing."""
    elsewhere = {name for name, _ in others}
    return Members((name, value) for name, value in members if name not in elsewhere or not is_empty(value))


def is_empty(value: Any) -> bool:
    """Tell whether a value says nothing: null, an empty text, list or object; ``false``, 0 and a blank do not."""
    return value is None or (isinstance(value, (str, list)) and not value)


def slots_of(members: Members, names: Names, undeclared: Counter[str]) -> dict[str, str]:
    """Sort the members of one message into slots; count the undeclared ones.

    Raises
    ------
    Unreadable
        ``not-text`` (an object where a text belongs), ``duplicate-key``, ``nul-byte``, ``bad-encoding``.
    """
    slots: dict[str, str] = {}
    others: list[str] = []
    spelled: set[str] = set()
    for name, value in members:
        slot = names.slot(name)
        if slot is not None and name in spelled:
            raise Unreadable("duplicate-key")
        spelled.add(name)
        if is_empty(value):
            continue
        if slot is not None:
            if slot in slots:
                raise Unreadable("duplicate-key")
            slots[slot] = _text(value, slot)
        elif names.undeclared(name):
            others.append(name)
    undeclared.update(reportable(name) for name in others)
    return slots


def _text(value: Any, slot: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if slot == "serviceids" and isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = ",".join(value)
    if not isinstance(value, str):
        raise Unreadable("not-text")
    if "\0" in value:
        raise Unreadable("nul-byte")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise Unreadable("bad-encoding") from None
    return value


@dataclass
class Parsed:
    """Messages sorted into slots: a frame of texts with ``line``, the rejects, the undeclared counts.

    ``neat`` names slots that are known to be filled in every row, without whitespace around the text.
    """

    slots: pl.DataFrame
    rejects: list[Reject] = field(default_factory=list)
    undeclared: Counter[str] = field(default_factory=Counter)
    neat: frozenset[str] = frozenset()


def parse(
    numbered: Iterable[tuple[int, Any]], names: Names, members: Callable[[Any], Members], *, command: bool = False
) -> Parsed:
    """Read messages one at a time.

    Parameters
    ----------
    numbered : iterable of tuple of int and object
        Line number and whatever ``members`` reads.
    names : Names
    members : callable
        Turns one of them into its members, or raises ``Unreadable``.
    command : bool
        Reject what carries no command.
    """
    rows: list[dict[str, str]] = []
    lines: list[int] = []
    rejects: list[Reject] = []
    undeclared: Counter[str] = Counter()
    for number, value in numbered:
        try:
            found = members(value)
            counted: Counter[str] = Counter()
            slots = slots_of(found, names, counted)
            if command and not slots.get("command", "").strip():
                raise Unreadable("no-command")
        except Unreadable as unreadable:
            rejects.append(Reject(unreadable.reason, number))
            continue
        rows.append(slots)
        lines.append(number)
        undeclared.update(counted)
    used = sorted({name for row in rows for name in row})
    frame = pl.DataFrame(
        [pl.Series(name, [row.get(name) for row in rows], dtype=pl.String) for name in used]
        + [pl.Series("line", lines, dtype=pl.Int64)]
    )
    return Parsed(frame, rejects, undeclared)
