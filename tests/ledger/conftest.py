"""A small real evidence folder, written by the ledger in the shapes of a deletion run; and those who stamp it."""

from __future__ import annotations

import hmac
import importlib.util
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lifecycle.ledger import tombstones
from lifecycle.ledger.evidence import EvidenceLedger

ORIGIN = "clinic.example.org/lifecycle"
WHEN = "2026-10-01T01:00:00Z"
PASSED = {"notBeforeDue": "passed", "retained": "passed", "residue": "passed"}


def spelled(thing: Any) -> bytes:
    """Spell JSON as a run does: indented UTF-8."""
    return json.dumps(thing, indent=2, ensure_ascii=False).encode() + b"\n"


class RunWriter:
    """Writes the files of one run through the port, as deletion does; any part can be left out or bent."""

    def __init__(
        self, ledger: EvidenceLedger, day: date, rows: int, stores: tuple[str, ...] = ("workspace",), run: str = ""
    ) -> None:
        self.ledger, self.rows, self.stores = ledger, rows, stores
        self.run = run or ledger.new_run_id(day)
        self.day = day
        self.key = ledger.tombstone_key(self.run, create=True)
        names = [("appointment_uid", f"made-up-{number}") for number in range(rows)]
        marks = sorted(tombstones.tombstone(self.key, "appointments", [name]) for name in names)
        self.marks = [f"{mark}\n".encode() for mark in marks]

    def put(self, name: str, thing: Any) -> None:
        self.ledger.write_once(self.run, name, spelled(thing))

    def digest(self, name: str) -> str:
        return sha256(self.ledger.read(self.run, name)).hexdigest()

    def statement(self, names: list[str], predicate: dict[str, Any]) -> dict[str, Any]:
        return {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": name, "digest": {"sha256": self.digest(name)}} for name in names],
            "predicateType": "urn:lifecycle:deletion-run:v1",
            "predicate": {"runId": self.run, "recordedAt": WHEN, **predicate},
        }

    def plan(self, **bent: Any) -> None:
        stores = [
            {
                "store": s,
                "dataset": "appointments",
                "before": 50,
                "due": self.rows,
                "held": 0,
                "noAnchor": 0,
                "retained": 50 - self.rows,
            }
            for s in self.stores
        ]
        self.put(
            "1-plan.json",
            {
                "runId": self.run,
                "asOf": self.day.isoformat(),
                "timeZone": "Europe/Berlin",
                "policySha256": "0" * 64,
                "rules": [],
                "stores": stores,
                "count": self.rows,
                "dueSet": hmac.new(self.key, b"".join(self.marks), sha256).hexdigest(),
                "tombstoneKeyId": sha256(self.key).hexdigest()[:16],
                "toolVersion": "0",
                "plannedAt": WHEN,
                "trigger": "schedule",
            }
            | bent,
        )

    def approve(self, **bent: Any) -> None:
        self.put(
            "2-approval.json",
            {
                "runId": self.run,
                "planSha256": self.digest("1-plan.json"),
                "role": "controller",
                "limits": None,
                "nonce": "00" * 16,
                "approvedAt": WHEN,
                "standing": None,
                "signed": False,
            }
            | bent,
        )

    def intend(self, **bent: Any) -> None:
        names = ["1-plan.json"]
        if self.rows:
            self.ledger.write_pieces_once(self.run, "tombstones.txt", self.marks)
            names += ["2-approval.json", "tombstones.txt"]
        self.put("3-intent.json", self.statement(names, {"event": "intent", "count": self.rows} | bent))
        self.ledger.append(self.ledger.read(self.run, "3-intent.json"))

    def delete(self) -> None:
        stores = [
            {
                "store": s,
                "dataset": "appointments",
                "deleted": self.rows,
                "retained": 50 - self.rows,
                "retainedSet": "0" * 64,
            }
            for s in self.stores
        ]
        self.put("4-deleted.json", {"runId": self.run, "stores": stores, "deletedAt": WHEN})

    def verified(self, **bent: Any) -> None:
        residue = {"places": 1, "files": 2, "bytes": 3, "controls": 4, "foundInOld": 4, "foundInNew": 0}
        zeros = {"stillDue": 0, "deletedBeforeDue": 0, "tombstonedStillPresent": 0, "retainedSetUnchanged": True}
        self.put("5-verified.json", {"runId": self.run, **zeros, "residue": residue, "verifiedAt": WHEN} | bent)

    def seal(self, counts: dict[str, int] | None = None, **bent: Any) -> None:
        gone, before = self.rows * len(self.stores), 50 * len(self.stores)
        true = {"before": before, "due": gone, "deleted": gone, "held": 0, "failed": 0, "retained": before - gone}
        predicate = {
            "event": "sealed",
            "counts": true | (counts or {}),
            "checks": PASSED if gone else {},
            "erasure": "rewritten" if gone else "none",
            "residuals": [],
        }
        names = sorted(name for name in self.ledger.listing(self.run) if not name.startswith("6-"))
        self.put("6-record.json", self.statement(names, predicate | bent))
        self.ledger.append(self.ledger.read(self.run, "6-record.json"))
        self.ledger.write_proof(self.run, "6-record.json")

    def abort(self) -> None:
        predicate = {"event": "aborted", "reason": "plan-drift", "appeared": 1, "vanished": 0}
        self.put("6-aborted.json", self.statement(sorted(self.ledger.listing(self.run)), predicate))
        self.ledger.append(self.ledger.read(self.run, "6-aborted.json"))
        self.ledger.write_proof(self.run, "6-aborted.json")

    def whole(self) -> str:
        """Everything from plan to record."""
        self.plan()
        if self.rows:
            self.approve()
        self.intend()
        if self.rows:
            self.delete()
            self.verified()
        self.seal()
        return self.run


@pytest.fixture
def ledger(tmp_path: Path) -> EvidenceLedger:
    """A new, empty ledger."""
    return EvidenceLedger.create(
        tmp_path / "evidence", tmp_path / "keys", ORIGIN, now=lambda: datetime(2026, 10, 9, tzinfo=UTC)
    )


@pytest.fixture
def begin(ledger: EvidenceLedger) -> Callable[..., RunWriter]:
    """Begin a run: ``begin(day_of_october, rows, stores)``; or go on with ``run`` on the ledger ``again``."""

    def begin_run(
        day: int = 1,
        rows: int = 3,
        stores: tuple[str, ...] = ("workspace",),
        run: str = "",
        again: EvidenceLedger | None = None,
    ) -> RunWriter:
        return RunWriter(again or ledger, date(2026, 10, day), rows, stores, run)

    return begin_run


@pytest.fixture
def vkey(ledger: EvidenceLedger, tmp_path: Path) -> str:
    """The public key that an auditor was given."""
    return (tmp_path / "evidence" / "log.vkey").read_text().strip()


@pytest.fixture(scope="session")
def tsa() -> ModuleType:
    """The program that ``make tsa`` runs."""
    spec = importlib.util.spec_from_file_location("made_up_tsa", Path(__file__).with_name("tsa.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def authority(tsa: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A local authority: its address and its CA."""
    folder = tmp_path_factory.mktemp("tsa")
    tsa.make(folder)
    server = tsa.serve(folder)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder / "ca.pem"
    server.shutdown()
    server.server_close()


@pytest.fixture
def trickling() -> Iterator[str]:
    """Somebody who promises much, sends a byte now and then, and never ends; at ``/head`` in a header."""

    class Trickle(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n" + (b"\r\n" if self.path == "/" else b""))
            with suppress(OSError):
                while not over.wait(0.05):
                    self.wfile.write(b"0")

        def log_message(self, *_: object) -> None:
            pass

    over = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Trickle) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        over.set()
        server.shutdown()
