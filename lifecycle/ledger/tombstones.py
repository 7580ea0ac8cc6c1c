"""Tombstones and the digests of a run. Pure; the reference that those of the stores must equal.

A tombstone is a keyed digest of the columns that make a row that row. It is pseudonymous personal data while its
key lives, and a random number afterwards.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import UTC, date, datetime
from hashlib import sha256

KEY_BYTES = 32
TOMBSTONE_LABEL = b"deletion-tombstone/v1\0"
RETAINED_SET_LABEL = b"deletion-retained-set/v1\0"
LINE_BYTES = 65
_LINE_FEED = 10

_FORM = "tombstones come sorted and distinct, 64 hex digits each"

Value = str | int | datetime | date | None


def netstring(data: bytes) -> bytes:
    """Spell bytes as a netstring.

    Examples
    --------
    >>> netstring(b"events")
    b'6:events,'
    """
    return b"%d:%s," % (len(data), data)


def spell(value: str | int | datetime | date) -> bytes:
    """Spell one value: text as UTF-8, numbers in decimal, times as RFC 3339 UTC with six decimals.

    Examples
    --------
    >>> spell(datetime(2026, 5, 10, 8, 0, tzinfo=UTC))
    b'2026-05-10T08:00:00.000000Z'
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time without a zone has no tombstone")
        utc = value.astimezone(UTC)
        return f"{utc.year:04d}-{utc:%m-%dT%H:%M:%S.%f}Z".encode()
    if isinstance(value, bool) or not isinstance(value, (str, int, date)):
        raise TypeError("a tombstone speaks of text, whole numbers and times only")
    return str(value).encode()


def message(dataset: str, columns: Sequence[tuple[str, Value]]) -> bytes:
    """Spell what a tombstone is the keyed digest of: label, dataset, then name and value of each key column.

    NULL is the empty netstring, its name suffixed ``?``, so that it differs from the empty text.
    """
    parts = [TOMBSTONE_LABEL, netstring(dataset.encode())]
    for name, value in columns:
        absent = value is None
        parts.append(netstring(name.encode() + b"?" * absent))
        parts.append(netstring(b"" if value is None else spell(value)))
    return b"".join(parts)


def tombstone(key: bytes, dataset: str, columns: Sequence[tuple[str, Value]]) -> str:
    """Give a row's tombstone: HMAC-SHA-256 in lower-case hex.

    Parameters
    ----------
    key : bytes
        The run's tombstone key, 32 bytes.
    dataset : str
    columns : sequence of (name, value)
        The dataset's key columns in their declared order (``lifecycle.model.TOMBSTONE_KEYS``).
    """
    return hmac.new(_need_key(key), message(dataset, columns), sha256).hexdigest()


class DueSet:
    """Binds a plan to its rows: the HMAC of the very bytes of ``tombstones.txt``, so that openssl gives it too.

    Parameters
    ----------
    key : bytes
        The run's tombstone key.
    """

    def __init__(self, key: bytes) -> None:
        self._digest = hmac.new(_need_key(key), digestmod=sha256)
        self._last = b""

    def update(self, piece: bytes) -> None:
        """Take in the file's next whole lines, each 64 lower-case hex digits, ascending, without repetition.

        Raises
        ------
        ValueError
            A tombstone out of order, repeated, or of another form.
        """
        import numpy as np

        count, rest = divmod(len(piece), LINE_BYTES)
        whole = rest == 0 < count and piece[LINE_BYTES - 1 :: LINE_BYTES] == b"\n" * count
        if not (whole and piece.isascii() and np.count_nonzero(np.frombuffer(piece, np.uint8) == _LINE_FEED) == count):
            raise ValueError(_FORM)
        lines = np.frombuffer(piece, dtype=f"S{LINE_BYTES}")
        if self._last >= piece[:LINE_BYTES] or not (lines[:-1] < lines[1:]).all():
            raise ValueError(_FORM)
        self._digest.update(piece)
        self._last = piece[-LINE_BYTES:]

    def hexdigest(self) -> str:
        """Give the digest of what was taken in."""
        return self._digest.hexdigest()


due_set = DueSet
"""As the port ``model.Digests`` names it."""


def retained_set(key: bytes, dataset: str, count: int, hash_sum: int) -> str:
    """Bind what stays: HMAC over the number of rows and the sum of their 64-bit row hashes (modulo 2^64).

    Under the run's key, because a plain digest of one or two rows would confirm a guess.
    """
    if count < 0:
        raise ValueError("a count is not negative")
    total = hash_sum % (1 << 64)
    data = RETAINED_SET_LABEL + netstring(dataset.encode()) + netstring(b"%d" % count) + netstring(b"%d" % total)
    return hmac.new(_need_key(key), data, sha256).hexdigest()


def _need_key(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError("a tombstone key has 32 bytes")
    return key
