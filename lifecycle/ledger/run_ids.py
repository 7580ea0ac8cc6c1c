"""Names of runs, a day and letters, ``2026-10-01-a`` to ``-z``, then ``-aa``; and of the files that they have. Pure."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date

STAMP = "6-record.json.tlog-proof.tsr"
"""The one file that a run of a closed year may still get: it comes when its authority answers, and no log holds it."""
RUN_FILES = (
    "1-plan.json",
    "2-approval.json",
    "2-approval.json.sig",
    "tombstones.txt",
    "3-intent.json",
    "4-deleted.json",
    "5-verified.json",
    "6-record.json",
    "6-record.json.tlog-proof",
    STAMP,
    "6-aborted.json",
    "6-aborted.json.tlog-proof",
)
"""Every name a run's folder may hold; any other is refused by writer and verifier alike."""

RUN_ID = re.compile(r"[A-Za-z0-9-]+")
_DATED = re.compile(r"(\d{4}-\d\d-\d\d)-([a-z]+)")


def run_order(run_id: str) -> tuple[str, int, str]:
    """Give the key that sorts runs, the oldest day first."""
    dated = _DATED.fullmatch(run_id)
    return (dated[1], number_of(run_id), "") if dated else (run_id, 0, run_id)


def number_of(run_id: str) -> int:
    """Give the place of a run in its day; 0 for an id of another kind.

    Examples
    --------
    >>> number_of("2026-10-01-a"), number_of("2026-10-01-aa")
    (1, 27)
    """
    dated, number = _DATED.fullmatch(run_id), 0
    for letter in dated[2] if dated else "":
        number = number * 26 + ord(letter) - ord("a") + 1
    return number


def letters_of(number: int) -> str:
    """Spell a place in the day.

    Examples
    --------
    >>> letters_of(1), letters_of(27)
    ('a', 'aa')
    """
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters


def day_of(run_id: str) -> date | None:
    """Give the run's day; None for an id of another kind."""
    with suppress(ValueError):
        return date.fromisoformat(run_id[:10]) if _DATED.fullmatch(run_id) else None
    return None
