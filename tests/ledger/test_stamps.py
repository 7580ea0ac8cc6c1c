"""Time stamps: asked of a real authority on this machine, checked by openssl, and waited for."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from lifecycle.ledger import stamps, verify
from lifecycle.ledger.evidence import EvidenceLedger

pytestmark = pytest.mark.slow

CHECK = "run signatures and stamps hold"


def said(tmp_path: Path, vkey: str, ca: Path | None) -> str:
    return dict(verify.verify(tmp_path / "evidence", vkey, ca=ca))[CHECK]


def test_a_sealed_run_is_stamped(begin, ledger: EvidenceLedger, vkey: str, tmp_path: Path, authority) -> None:
    """Beside its proof; openssl and the verifier accept it, and nothing is asked for twice."""
    url, ca = authority
    run = begin(1, 2).whole()
    begin(2, 1).plan()
    assert stamps.waiting(ledger) == [run]
    assert stamps.ask(ledger, url, ca) == (1, "")
    path = tmp_path / f"evidence/runs/{run}/6-record.json.tlog-proof"
    call = ["openssl", "ts", "-verify", "-in", f"{path}.tsr", "-data", str(path), "-CAfile", str(ca)]
    assert subprocess.run(call, capture_output=True, check=False).returncode == 0
    assert said(tmp_path, vkey, ca) == "passed"
    assert stamps.waiting(ledger) == []
    assert stamps.ask(ledger, "http://127.0.0.1:1", ca) == (0, "")


def test_without_the_ca_a_stamp_is_not_checked_and_says_how(begin, ledger, vkey, tmp_path: Path, authority) -> None:
    """Unknown, with the command, which runs as it stands once the path is filled in; never passed."""
    begin(1, 2).whole()
    stamps.ask(ledger, *authority)
    lines: list[str] = []
    assert dict(verify.verify(tmp_path / "evidence", vkey, say=lines.append))[CHECK] == "unknown"
    (command,) = re.findall("not checked: (.*)", "\n".join(lines))
    for ca, good in ((authority[1], True), (tmp_path / "none.pem", False)):
        call = command.replace("/path/to/ca.pem", str(ca))
        done = subprocess.run(call, shell=True, cwd=tmp_path / "evidence", capture_output=True, check=False)
        assert (done.returncode == 0) is good


def test_a_changed_swapped_or_foreign_stamp_is_found(
    begin, ledger, vkey, tmp_path: Path, authority, tsa: ModuleType
) -> None:
    """Bits, an end cut off, another run's, another authority's."""
    first, second = begin(1, 2).whole(), begin(2, 1).whole()
    stamps.ask(ledger, *authority)
    path, other = (tmp_path / f"evidence/runs/{run}/6-record.json.tlog-proof.tsr" for run in (first, second))
    whole = path.read_bytes()
    for bent in (
        *(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in (5, 60, 200, len(whole) - 40)),
        *(whole[:-1], b"", b"junk", other.read_bytes()),
    ):
        path.write_bytes(bent)
        assert said(tmp_path, vkey, authority[1]) == "failed"
    path.write_bytes(whole)
    assert said(tmp_path, vkey, authority[1]) == "passed"
    tsa.make(tmp_path / "foreign")
    assert said(tmp_path, vkey, tmp_path / "foreign/ca.pem") == "failed"


def test_an_authority_that_does_not_answer_is_asked_again(
    begin, ledger, tmp_path: Path, authority, monkeypatch
) -> None:
    """Nobody there, somebody silent, an error, something else: the run stays as it was and waits."""
    run = begin(1, 2).whole()
    monkeypatch.setattr(stamps, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for url in (
            "http://127.0.0.1:1",
            f"http://127.0.0.1:{silent.getsockname()[1]}",
            "http://no-such-host.invalid/",
            "http://[broken",
        ):
            assert stamps.ask(ledger, url, authority[1]) == (0, stamps.NO_ANSWER)
    assert stamps.waiting(ledger) == [run]
    monkeypatch.undo()
    later = begin(2, 1).whole()
    assert stamps.waiting(ledger) == [later, run]
    assert stamps.ask(ledger, *authority) == (2, "")


def test_an_authority_that_trickles_has_one_deadline(begin, ledger, authority, monkeypatch, trickling: str) -> None:
    """It is that of the whole answer, not of each byte; and all that waits has one together."""
    begin(1, 2).whole()
    monkeypatch.setattr(stamps, "SECONDS", 0.5)
    for url in (f"{trickling}/", f"{trickling}/head"):
        before = time.monotonic()
        assert stamps.ask(ledger, url, authority[1]) == (0, stamps.NO_ANSWER)
        assert time.monotonic() - before < 3
    monkeypatch.setattr(stamps, "SECONDS_IN_ALL", 0)
    assert stamps.ask(ledger, *authority) == (0, stamps.STOPPED)


def test_a_stop_ends_the_asking_at_once(begin, ledger, authority, monkeypatch, trickling: str) -> None:
    """While bytes trickle, long before the deadline; and nothing is asked for after it."""
    begin(1, 2).whole()
    monkeypatch.setattr(stamps, "SECONDS", 30)
    before = time.monotonic()
    asked = stamps.ask(ledger, trickling, authority[1], lambda: time.monotonic() > before + 0.5)
    assert asked == (0, stamps.STOPPED)
    assert time.monotonic() - before < 5
    monkeypatch.setattr(stamps, "stamp_of", lambda *_: pytest.fail("asked"))
    assert stamps.ask(ledger, *authority, lambda: True) == (0, stamps.STOPPED)


def test_what_an_authority_answers_is_told_apart(begin, ledger, tsa: ModuleType, authority, monkeypatch) -> None:
    """An HTTP status is named: that is no silence."""
    begin(1, 2).whole()
    monkeypatch.setattr(tsa, "reply", lambda *_: b"")
    assert stamps.ask(ledger, *authority) == (0, stamps.NOT_VOUCHED_FOR)

    class Closed(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(503)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Closed) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert stamps.ask(ledger, url, authority[1]) == (0, "the authority answered with HTTP 503")
        server.shutdown()


def test_an_answer_of_somebody_else_is_not_kept(
    begin, ledger, tmp_path: Path, authority, tsa: ModuleType, monkeypatch
) -> None:
    """Another authority's, one for another request, an older one sent again, or junk."""
    run = begin(1, 2).whole()
    url, ca = authority
    tsa.make(tmp_path / "foreign")
    assert stamps.ask(ledger, url, tmp_path / "foreign/ca.pem") == (0, stamps.NOT_VOUCHED_FOR)
    assert stamps.ask(ledger, url, tmp_path / "none.pem") == (0, stamps.NO_CA)
    proof = ledger.read(run, stamps.PROOF)
    older = stamps.stamp_of(proof, url, ca)
    another = stamps.stamp_of(b"something else", url, ca)
    for answer in (older, another, b"junk", b""):
        monkeypatch.setattr(stamps, "_post", lambda *_, answer=answer: answer)
        assert stamps.ask(ledger, url, ca) == (0, stamps.NOT_VOUCHED_FOR)
    assert stamps.waiting(ledger) == [run]


def test_the_authority_learns_a_hash_alone(begin, ledger, authority, monkeypatch) -> None:
    """No name of the log, no number of the run."""
    run = begin(1, 2).whole()
    sent: list[bytes] = []
    monkeypatch.setattr(stamps, "_post", lambda _, query, *more: (sent.append(query), b"")[1])
    stamps.ask(ledger, *authority)
    assert sent
    assert all(word.encode() not in sent[0] for word in (run, "clinic", "example"))
    assert len(sent[0]) < 100


def test_without_openssl_the_run_stands_and_waits(begin, ledger, authority, monkeypatch, tmp_path: Path) -> None:
    """A missing tool is no reason to end a deletion with a fault."""
    run = begin(1, 2).whole()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert stamps.ask(ledger, *authority) == (0, stamps.NO_OPENSSL)
    assert stamps.waiting(ledger) == [run]


def test_a_stamp_that_was_cut_off_is_asked_for_again(begin, ledger, vkey, tmp_path, authority, monkeypatch) -> None:
    """Killed before every call that writes it: whole or not there."""

    class PowerOff(BaseException):
        pass

    run = begin(1, 2).whole()
    whole = tmp_path / "whole"
    shutil.copytree(tmp_path / "evidence", whole)
    stamp = stamps.stamp_of(ledger.read(run, stamps.PROOF), *authority)
    for name in ("write", "fsync", "rename"):

        def off(*_: object) -> None:
            raise PowerOff

        with monkeypatch.context() as patch:
            patch.setattr(stamps, "stamp_of", lambda *_: stamp)
            patch.setattr(os, name, off)
            with pytest.raises(PowerOff):
                stamps.ask(ledger, *authority)
        again = EvidenceLedger.open(tmp_path / "evidence", tmp_path / "keys", ledger.checkpoint().origin)
        assert stamps.waiting(again) == [run]
        assert stamps.ask(again, *authority) == (1, "")
        assert set(dict(verify.verify(tmp_path / "evidence", vkey, ca=authority[1])).values()) == {"passed"}
        shutil.rmtree(tmp_path / "evidence")
        shutil.copytree(whole, tmp_path / "evidence")


def test_the_local_authority_ends_and_refuses_in_a_sentence(tmp_path: Path) -> None:
    """Started twice, and ended with Ctrl-C: no traceback."""
    pipe, call = subprocess.PIPE, [sys.executable, str(Path(__file__).with_name("tsa.py")), str(tmp_path / "tsa")]
    heard = ["env", "--default-signal=INT", *call]  # whoever runs the tests in the background has it ignored
    with subprocess.Popen(heard, stdout=pipe, stderr=pipe, text=True) as first:
        assert first.stdout
        port = re.findall(r":(\d+)\"", first.stdout.readline())
        first.stdout.readline()
        again = subprocess.run([*call, *port], capture_output=True, text=True, check=False)
        first.send_signal(signal.SIGINT)
        said = first.communicate(timeout=20)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert again.stderr.startswith(f"Port {port[0]} cannot be listened on (Address already in use)")
    assert (first.returncode, said) == (0, ("The authority has ended.\n", ""))
