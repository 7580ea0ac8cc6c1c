"""Time stamps after RFC 3161: somebody else's word on when a proof existed.

A sealed run without ``6-record.json.tlog-proof.tsr`` is the queue: it is asked for again after the next run, also when
its year is closed, since no log holds the stamp. The authority learns a hash of the proof, and nothing else. openssl
makes the request and checks the answer.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from lifecycle.ledger.evidence import EvidenceLedger
from lifecycle.ledger.run_ids import STAMP

PROOF = "6-record.json.tlog-proof"
SECONDS = 5
"""How long an authority may take for one stamp, from the call to the last byte."""

SECONDS_IN_ALL = 30
"""How long a run is kept from its end by all the stamps that are waiting."""

MOST_AT_ONCE = 20
_MOST_BYTES = 1 << 20
_LOOK_SECONDS = 0.1

STOPPED = "it was stopped, or the time for them was up"
NO_ANSWER = "the authority could not be reached, or did not answer in time"
NOT_VOUCHED_FOR = "what the authority answered is no stamp that timestamp_ca vouches for"
NO_CA = "timestamp_ca is not a file"
NO_OPENSSL = "openssl is missing or did not work"


class NoStamp(Exception):
    """A stamp is not to be had now; its text says why."""


class Asked(NamedTuple):
    """How many stamps came, and why the next one did not; empty where it was not asked for."""

    come: int
    why: str


def waiting(ledger: EvidenceLedger) -> list[str]:
    """Name the sealed runs that have no stamp, those of closed years too, the newest first."""
    return [run_id for run_id in reversed(ledger.runs()) if ledger.listing(run_id) & {PROOF, STAMP} == {PROOF}]


def ask(ledger: EvidenceLedger, url: str, ca: Path, stopped: Callable[[], bool] = lambda: False) -> Asked:
    """Ask for the stamps that are waiting, until one is not to be had, time is up, or somebody asks to stop.

    Raises
    ------
    EvidenceError
        A stamp could not be written.
    Refused
        Somebody else holds the evidence.
    """
    come, end = 0, time.monotonic() + SECONDS_IN_ALL
    try:
        for run_id in waiting(ledger)[:MOST_AT_ONCE]:
            if stopped() or time.monotonic() >= end:
                return Asked(come, STOPPED)
            ledger.write_once(run_id, STAMP, stamp_of(ledger.read(run_id, PROOF), url, ca, stopped, end))
            come += 1
    except NoStamp as reason:
        return Asked(come, STOPPED if stopped() else str(reason))  # Ctrl-C ends openssl, too
    return Asked(come, "")


def stamp_of(
    data: bytes, url: str, ca: Path, stopped: Callable[[], bool] = lambda: False, end: float = float("inf")
) -> bytes:
    """Have these bytes stamped, before the monotonic clock shows ``end``.

    Raises
    ------
    NoStamp
        No good stamp is to be had.
    """
    if not ca.is_file():
        raise NoStamp(NO_CA)
    try:
        with TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "data").write_bytes(data)
            query, answer = folder / "query", folder / "answer"
            if not _openssl("-query", "-data", str(folder / "data"), "-sha256", "-cert", "-out", str(query)):
                raise NoStamp(NO_OPENSSL)
            found = _post(url, query.read_bytes(), stopped, min(end, time.monotonic() + SECONDS))
            answer.write_bytes(found)
            # Against the request, so that the nonce is checked, and against the data, as everybody later will.
            words = ("-verify", "-in", str(answer), "-CAfile", str(ca.resolve()))
            right = _openssl(*words, "-queryfile", str(query)) and _openssl(*words, "-data", str(folder / "data"))
    except OSError as error:
        raise NoStamp(f"a temporary file could not be written ({error.strerror})") from error
    if not right:
        raise NoStamp(NOT_VOUCHED_FOR)
    return found


def _post(url: str, query: bytes, stopped: Callable[[], bool], end: float) -> bytes:
    """Ask in a thread that nobody waits for: a name that is not resolved and bytes that trickle hold it alone."""
    found: list[bytes | str] = []
    thread = threading.Thread(target=_fetch, args=(url, query, end, found), daemon=True)
    thread.start()
    while thread.is_alive() and not found and time.monotonic() < end:
        if stopped():
            raise NoStamp(STOPPED)
        thread.join(_LOOK_SECONDS)
    answer = found[0] if found else NO_ANSWER
    if isinstance(answer, str):
        raise NoStamp(answer)
    return answer


def _fetch(url: str, query: bytes, end: float, found: list[bytes | str]) -> None:
    """Put the answer into ``found``, or why there is none."""
    from urllib.request import Request, urlopen

    kind = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    data = b""
    try:
        with urlopen(Request(url, data=query, headers=kind, method="POST"), timeout=SECONDS) as answer:
            while len(data) <= _MOST_BYTES and time.monotonic() < end and (piece := answer.read1(_MOST_BYTES)):
                data += piece
    except Exception as error:  # what a server answers is not repeated
        code = getattr(error, "code", None)
        found.append(f"the authority answered with HTTP {code}" if isinstance(code, int) else NO_ANSWER)
        return
    found.append(NO_ANSWER if time.monotonic() >= end else data if len(data) <= _MOST_BYTES else NOT_VOUCHED_FOR)


def _openssl(*words: str) -> bool:
    try:
        done = subprocess.run(["openssl", "ts", *words], capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoStamp(NO_OPENSSL) from error
    return done.returncode == 0
