"""Time stamps: asked of a real authority on this machine, checked by openssl, and waited for."""

from __future__ import annotations

import importlib.util
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from lifecycle.ledger import stamps, verify
from lifecycle.ledger.evidence import EvidenceLedger

pytestmark = pytest.mark.slow

CHECK = "run signatures and stamps hold"


@pytest.fixture(scope="module")
def tsa() -> ModuleType:
    """The program that ``make tsa`` runs."""
    spec = importlib.util.spec_from_file_location("made_up_tsa", Path(__file__).with_name("tsa.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def authority(tsa: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A local authority: its address and its CA."""
    folder = tmp_path_factory.mktemp("tsa")
    tsa.make(folder)
    server = tsa.serve(folder)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder / "ca.pem"
    server.shutdown()
    server.server_close()


def said(tmp_path: Path, vkey: str, ca: Path | None) -> str:
    return dict(verify.verify(tmp_path / "evidence", vkey, ca=ca))[CHECK]


def test_a_sealed_run_is_stamped(begin, ledger: EvidenceLedger, vkey: str, tmp_path: Path, authority) -> None:
    """Beside its proof; openssl and the verifier accept it, and nothing is asked for twice."""
    url, ca = authority
    run = begin(1, 2).whole()
    begin(2, 1).plan()
    assert stamps.waiting(ledger) == [run]
    assert stamps.ask(ledger, url, ca) == 1
    path = tmp_path / f"evidence/runs/{run}/6-record.json.tlog-proof"
    call = ["openssl", "ts", "-verify", "-in", f"{path}.tsr", "-data", str(path), "-CAfile", str(ca)]
    assert subprocess.run(call, capture_output=True, check=False).returncode == 0
    assert said(tmp_path, vkey, ca) == "passed"
    assert stamps.waiting(ledger) == []
    assert stamps.ask(ledger, "http://127.0.0.1:1", ca) == 0


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
            assert stamps.ask(ledger, url, authority[1]) == 0
    assert stamps.waiting(ledger) == [run]
    monkeypatch.undo()
    later = begin(2, 1).whole()
    assert stamps.waiting(ledger) == [later, run]
    assert stamps.ask(ledger, *authority) == 2


def test_an_answer_of_somebody_else_is_not_kept(
    begin, ledger, tmp_path: Path, authority, tsa: ModuleType, monkeypatch
) -> None:
    """Another authority's, one for another request, an older one sent again, or junk."""
    run = begin(1, 2).whole()
    url, ca = authority
    tsa.make(tmp_path / "foreign")
    assert stamps.ask(ledger, url, tmp_path / "foreign/ca.pem") == 0
    proof = ledger.read(run, stamps.PROOF)
    older = stamps.stamp_of(proof, url, ca)
    another = stamps.stamp_of(b"something else", url, ca)
    for answer in (older, another, b"junk", None):
        monkeypatch.setattr(stamps, "_post", lambda *_, answer=answer: answer)
        assert stamps.ask(ledger, url, ca) == 0
    assert stamps.waiting(ledger) == [run]


def test_the_authority_learns_a_hash_alone(begin, ledger, authority, monkeypatch) -> None:
    """No name of the log, no number of the run."""
    run = begin(1, 2).whole()
    sent: list[bytes] = []
    monkeypatch.setattr(stamps, "_post", lambda _, query: sent.append(query))
    stamps.ask(ledger, *authority)
    assert sent
    assert all(word.encode() not in sent[0] for word in (run, "clinic", "example"))
    assert len(sent[0]) < 100


def test_without_openssl_the_run_stands_and_waits(begin, ledger, authority, monkeypatch, tmp_path: Path) -> None:
    """A missing tool is no reason to end a deletion with a fault."""
    run = begin(1, 2).whole()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert stamps.ask(ledger, *authority) == 0
    assert stamps.waiting(ledger) == [run]


def test_a_stamp_that_was_cut_off_is_asked_for_again(begin, ledger, vkey, tmp_path, authority, monkeypatch) -> None:
    """Killed before every call that writes it: whole or not there."""
    import os

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
        assert stamps.ask(again, *authority) == 1
        assert set(dict(verify.verify(tmp_path / "evidence", vkey, ca=authority[1])).values()) == {"passed"}
        shutil.rmtree(tmp_path / "evidence")
        shutil.copytree(whole, tmp_path / "evidence")


@pytest.mark.parametrize("answers", [True, False])
def test_the_nightly_job_asks_by_itself(tmp_path: Path, authority, answers: bool) -> None:
    """Sealed either way; without an answer `doctor` says how many wait, and the next night gets both stamps."""
    from lifecycle.settings import FILE_NAME
    from lifecycle.workbench import Workbench

    url, ca = authority
    path = Workbench.init(tmp_path / "workspace").path
    text = (path / FILE_NAME).read_text().replace('timestamp_ca = ""', f'timestamp_ca = "{ca}"', 1)

    def bench(address: str) -> Workbench:
        (path / FILE_NAME).write_text(text.replace('timestamp_url = ""', f'timestamp_url = "{address}"', 1))
        return Workbench.open(path)

    first = bench(url if answers else "http://127.0.0.1:1")
    assert first.purge(as_of="today").outcome == "sealed"
    waiting = {one.check: one.count for one in first.doctor().findings}.get("stamps-waiting", 0)
    assert waiting == (not answers)
    again = bench(url)
    again.purge(as_of="today")
    assert len(list(path.glob("evidence/runs/*/*.tsr"))) == 2
    assert again.verify().outcome.value == "passed"
    stamp = next(path.glob("evidence/runs/*/*.tsr"))
    stamp.write_bytes(stamp.read_bytes()[:-1])
    assert again.verify().outcome.value == "failed"
