"""What the ledger itself states in the log: keys destroyed and changed, years opened and dropped. Pure."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from lifecycle.ledger import note
from lifecycle.model import Checkpoint


def key_destroyed(run_id: str, plan: bytes, at: datetime, closed_year: int | None = None) -> bytes:
    """State that a run's tombstone key is gone. The plan names the key by its id.

    A plan in the log of a closed year is no subject of this one; it is named by its digest then.
    """
    digest = sha256(plan).hexdigest()
    said = {"event": "key-destroyed", "runId": run_id}
    subject = (f"runs/{run_id}/1-plan.json", digest)
    if closed_year is None:
        return _statement("tombstone-key", [subject], said, at)
    return _statement("tombstone-key", [], said | {"closedLog": closed_year, "planSha256": digest}, at)


def key_changed(old: note.Signer, new: note.Signer, at: datetime) -> bytes:
    """State, with the old key's signature, that another key signs from this leaf on."""
    before, after = old.verifier.vkey, new.verifier.vkey
    signature = b64encode(old.sign_bytes(note.key_change(before, after))).decode()
    said = {"event": "signing-key-changed", "from": before, "to": after, "signature": signature}
    return _statement("signing-key", [], said, at)


def log_opened(year: int, last: Checkpoint, at: datetime) -> bytes:
    """State how the log of the closed year ended: the first leaf of the next one."""
    return _statement("log", [], {"event": "log-opened", "previous": _end(year, last)}, at)


def log_dropped(year: int, last: Checkpoint, at: datetime) -> bytes:
    """State that the log of a closed year is dropped, its retention being over."""
    return _statement("log", [], {"event": "log-dropped", "dropped": _end(year, last)}, at)


def _end(year: int, last: Checkpoint) -> dict[str, Any]:
    return {"year": year, "size": last.size, "root": last.root}


def _statement(kind: str, subjects: Sequence[tuple[str, str]], predicate: dict[str, Any], at: datetime) -> bytes:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects],
        "predicateType": f"urn:lifecycle:{kind}:v1",
        "predicate": predicate | {"recordedAt": at.astimezone(UTC).isoformat(timespec="seconds")},
    }
    return json.dumps(statement, indent=2, ensure_ascii=False).encode() + b"\n"
