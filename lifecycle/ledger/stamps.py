"""Time stamps after RFC 3161: somebody else's word on when a proof existed.

A sealed run without ``6-record.json.tlog-proof.tsr`` is the queue: it is asked for again after the next run. The
authority learns a hash of the proof, and nothing else. openssl makes the request and checks the answer.
"""

from __future__ import annotations

import subprocess
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

from lifecycle.ledger.evidence import EvidenceLedger

PROOF, STAMP = "6-record.json.tlog-proof", "6-record.json.tlog-proof.tsr"
SECONDS = 5
MOST_AT_ONCE = 20
_MOST_BYTES = 1 << 20


def waiting(ledger: EvidenceLedger) -> list[str]:
    """Name the sealed runs of today's log that have no stamp, the newest first."""
    here = [run_id for run_id in reversed(ledger.runs()) if (ledger.log.folder / "runs" / run_id).is_dir()]
    return [run_id for run_id in here if ledger.listing(run_id) & {PROOF, STAMP} == {PROOF}]


def ask(ledger: EvidenceLedger, url: str, ca: Path) -> int:
    """Ask for the stamps that are waiting, until one is not to be had; gives how many came.

    An authority that does not answer, answers something else, or is not vouched for by ``ca`` stamps nothing: the
    deletion is done, and its evidence stands without.

    Raises
    ------
    EvidenceError
        A stamp could not be written.
    """
    come = 0
    for run_id in waiting(ledger)[:MOST_AT_ONCE]:
        stamp = stamp_of(ledger.read(run_id, PROOF), url, ca)
        if stamp is None:
            break
        ledger.write_once(run_id, STAMP, stamp)
        come += 1
    return come


def stamp_of(data: bytes, url: str, ca: Path) -> bytes | None:
    """Have these bytes stamped; None where no good stamp is to be had."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").write_bytes(data)
        query, answer = folder / "query", folder / "answer"
        if not _openssl("-query", "-data", str(folder / "data"), "-sha256", "-cert", "-out", str(query)):
            return None
        found = _post(url, query.read_bytes())
        if found is None:
            return None
        answer.write_bytes(found)
        # Against the request, so that the nonce is checked, and against the data, as everybody later will.
        words = ("-verify", "-in", str(answer), "-CAfile", str(ca.resolve()))
        right = _openssl(*words, "-queryfile", str(query)) and _openssl(*words, "-data", str(folder / "data"))
        return found if right else None


def _post(url: str, query: bytes) -> bytes | None:
    from urllib.request import Request, urlopen

    kind = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    try:
        with urlopen(Request(url, data=query, headers=kind, method="POST"), timeout=SECONDS) as answer:
            found = answer.read(_MOST_BYTES + 1)
    except (OSError, HTTPException, ValueError):
        return None
    return bytes(found) if 0 < len(found) <= _MOST_BYTES else None


def _openssl(*words: str) -> bool:
    try:
        done = subprocess.run(["openssl", "ts", *words], capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
