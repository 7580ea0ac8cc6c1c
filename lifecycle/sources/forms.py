"""Lines of form variables, many at once: spelled as JSON, so that one reader by columns does for both."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from lifecycle.sources.files import PADDING_BYTES, Block, table_of

Mask = npt.NDArray[np.bool_]

_PERCENT, _BLANK, _LINE_FEED = b"% \n"
_CONTROLS = bytes(range(32)).replace(b"\n", b"")
_UNFIT = table_of(_CONTROLS + b'"\\' + bytes(range(128, 256)))
"""Form variables are ASCII; a quote, a backslash or a control character would have to be escaped in JSON."""
_HOSTILE = table_of(bytes(range(32)) + b'"\\')
_NO_DIGIT = 255
_HEX = np.full(256, _NO_DIGIT, np.uint8)
_HEX[np.frombuffer(b"0123456789ABCDEFabcdef", np.uint8)] = [*range(16), *range(10, 16)]
_BODY = re.compile(rb'"body": ?"([A-Za-z_][^"\\\x00-\x1f\x80-\xff]*)"')
_LETTERS = table_of(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")


def may_be_forms(block: Block) -> Mask:
    """Tell which lines begin like form variables."""
    return np.asarray(_LETTERS[np.frombuffer(block.data, np.uint8)[block.starts]])


def in_bodies(block: Block) -> tuple[Mask, Block, Mask] | None:
    """Spell form variables that are the text of a ``body`` as an object; None where no line holds such a text.

    In a line without a backslash every quote begins or ends a text. So what stands behind the name is a value, and
    with another value in its place the line is JSON exactly if it was before.

    Returns
    -------
    tuple of mask, Block and mask, or None
        Which lines hold one, those lines spelled anew, and for which of them that was not possible.
    """
    if not len(block.numbers) or not _BODY.search(block.data, int(block.starts[0]), int(block.ends[-1])):
        return None
    # A piece of a broken array may hold a line feed.
    found = [None if b"\\" in line or b"\n" in line else _BODY.search(line) for _, line in block.lines()]
    held = np.fromiter((match is not None for match in found), bool, len(found))
    matches = [match for match in found if match is not None]
    if not matches:
        return None
    bodies = _lines(b"".join([match[1] + b"\n" for match in matches]), block.numbers[held])
    objects, unfit = as_json(bodies)
    lines: list[bytes] = []
    for match, (_, spelled) in zip(matches, objects.lines(), strict=True):
        line, (begin, end) = match.string, match.span(1)
        lines += (line[: begin - 1], spelled, line[end + 1 :], b"\n")
    return held, _lines(b"".join(lines), block.numbers[held]), unfit


def as_json(block: Block) -> tuple[Block, Mask]:
    """Spell form variables as JSON objects of texts, line for line; tell for which lines that was not possible.

    What is no sequence of one name, one equals sign and one value becomes no JSON object: names and values hold no
    quote, so nothing else can stand between them.
    """
    whole = block.only(np.ones(len(block.numbers), bool))
    text = bytes(memoryview(whole.data)[whole.starts[0] : whole.ends[-1] + 1]).replace(b"\r\n", b"\n")
    plain = _lines(text, block.numbers)
    unfit = plain.with_any(_UNFIT) | (np.frombuffer(plain.data, np.uint8)[plain.ends - 1] == _BLANK)
    text = text.replace(b"+", b" ").replace(b"=", b'":"').replace(b"&", b'","').replace(b"\n", b'"}\n{"')
    decoded, undecoded = _decoded(_lines(b'{"' + text[:-2], block.numbers))
    return decoded, unfit | undecoded


def _decoded(block: Block) -> tuple[Block, Mask]:
    """Decode every ``%XX``; tell which lines hold one that is none, or one that JSON would have to escape."""
    text = np.frombuffer(block.data, np.uint8).copy()
    places = np.flatnonzero(text == _PERCENT)
    high, low = _HEX[text[places + 1]], _HEX[text[places + 2]]
    values = (high << 4) | low
    good = (high != _NO_DIGIT) & (low != _NO_DIGIT) & ~_HOSTILE[values]
    bad = block.lines_at(places[~good])
    text[places[good]] = values[good]
    keep = np.ones(len(text), bool)
    keep[places[good] + 1] = keep[places[good] + 2] = False
    return _lines(text[keep], block.numbers), bad


def _lines(text: bytes | npt.NDArray[np.uint8], numbers: npt.NDArray[np.int64]) -> Block:
    data = bytearray(text) + bytes(PADDING_BYTES)
    ends = np.flatnonzero(np.frombuffer(data, np.uint8)[: len(text)] == _LINE_FEED)
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
    return Block(data, starts, ends, numbers)
