"""Evidence, by counting bytes, that every member of a block of JSON lines is known.

In a block of JSON objects each structural member has one quote directly before its colon, unless whitespace
stands between. So if nothing is written with whitespace before a colon, and as many ``":`` occur as members were
found under known names, then there is no other member: no undeclared field, no null, no repeated name. If there
are also as many quotes as that many names and texts need, none is escaped and no list opens, every value is a text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_SLICE = 1 << 19  # stays in the processor's cache
_QUOTE, _COLON, _BACKSLASH, _COMMA, _CLOSE = (ord(character) for character in '":\\,}')
_OPEN_LIST = ord("[")


@dataclass(frozen=True)
class Evidence:
    """Counts over one block.

    Attributes
    ----------
    quotes, members : int
        Quotes; quotes directly followed by a colon.
    odd : numpy array of int64
        Places of what a plain line does not have: an escaped quote, whitespace before a colon, whitespace or a
        comma before a closing brace, a list as a value.
    escapes : bool
        There is a backslash.
    """

    quotes: int
    members: int
    odd: npt.NDArray[np.int64]
    escapes: bool

    def all_known(self, found: int, wrappers: int) -> bool:
        """Tell whether ``found`` members, of which ``wrappers`` hold an object and the others a text, are all."""
        return not len(self.odd) and self.members == found and self.quotes == 4 * found - 2 * wrappers


def weigh(data: bytes | bytearray | memoryview, begin: int, end: int) -> Evidence:
    """Count over ``data[begin:end]``."""
    text = np.frombuffer(data, np.uint8, end - begin, begin)
    quotes = members = 0
    escapes = False
    odd: list[npt.NDArray[np.int64]] = []
    for at in range(0, len(text), _SLICE):
        window = text[at : at + _SLICE + 1]
        quote = window == _QUOTE
        quotes += int(np.count_nonzero(quote[:_SLICE]))
        before, after = window[:-1], window[1:]
        colon = after == _COLON
        members += int(np.count_nonzero(quote[:-1] & colon))
        strange = (before <= 32) & colon
        for sign, unlike in ((_CLOSE, _COMMA), (_OPEN_LIST, _COLON)):
            places = np.flatnonzero(after == sign)
            previous = before[places]
            strange[places[(previous <= 32) | (previous == unlike)]] = True
        backslash = before == _BACKSLASH
        if backslash.any():
            escapes = True
            strange |= backslash & quote[1:]
        if strange.any():
            odd.append(np.flatnonzero(strange) + (at + begin))
    return Evidence(quotes, members, np.concatenate(odd) if odd else np.empty(0, np.int64), escapes)
