"""Tools that are not ours accept the evidence: openssl, and Go's sumdb/note and sumdb/tlog."""

from __future__ import annotations

import os
import shutil
import subprocess
from base64 import b64decode
from pathlib import Path

import pytest

from lifecycle.ledger.evidence import EvidenceLedger

GOPATH = "/usr/share/gocode"
"""Where Debian's golang-golang-x-mod-dev puts its sources."""


def need_tool(there: bool, packages: str) -> None:
    """Skip loudly where a tool is missing; on the build server its absence is a failure."""
    if not there:
        message = f"NOT CHECKED by an independent reader: apt-get install {packages}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


@pytest.mark.parametrize("runs", [0, 1, 3])
def test_openssl_accepts_the_signature(begin, ledger: EvidenceLedger, tmp_path: Path, runs: int) -> None:
    """The text of the checkpoint, the signature without the key id, the key as PEM."""
    need_tool(shutil.which("openssl") is not None, "openssl")
    for day in range(runs):
        begin(1 + day, 1).whole()
    text, _, line = (tmp_path / "evidence/checkpoint").read_text().rpartition("\n\n")
    (tmp_path / "text").write_text(text + "\n")
    (tmp_path / "signature").write_bytes(b64decode(line.split(" ")[2])[4:])
    key = tmp_path / "evidence/log.pub.pem"
    call = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(key), "-rawin"]
    call += ["-in", str(tmp_path / "text"), "-sigfile", str(tmp_path / "signature")]
    assert subprocess.run(call, capture_output=True, check=False).returncode == 0
    (tmp_path / "text").write_text(text + " \n")
    assert subprocess.run(call, capture_output=True, check=False).returncode != 0


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader, compiled."""
    found = shutil.which("go") is not None and Path(GOPATH, "src/golang.org/x/mod/sumdb/tlog").is_dir()
    need_tool(found, "golang golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("go")
    env = {**os.environ, "GOPATH": GOPATH, "GO111MODULE": "off", "GOCACHE": str(folder / "cache"), "GOFLAGS": ""}
    source = Path(__file__).with_name("reader.go")
    subprocess.run(["go", "build", "-o", str(folder / "reader"), str(source)], env=env, check=True)
    return folder / "reader"


@pytest.mark.slow
@pytest.mark.parametrize("more", [0, 250, 70_000])
def test_go_accepts_log_and_proofs(begin, ledger: EvidenceLedger, vkey: str, tmp_path: Path, reader, more: int) -> None:
    """Signature, leaves, earlier sizes, proof files, across one, two and three levels of tiles (2,000 of 70,004)."""
    begin(1, 3).whole()
    ledger.append_all(b"filling %d" % number for number in range(more))
    begin(2, 0).whole()
    call = [str(reader), str(tmp_path / "evidence"), vkey]
    said = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (said.stdout, said.stderr) == (f"{more + 4} leaves, 2 proofs\n", "")


@pytest.mark.slow
def test_go_accepts_a_log_that_changed_its_key(begin, ledger, vkey: str, tmp_path: Path, reader: Path) -> None:
    """With both keys; with the first alone, the checkpoint of the second is a stranger's."""
    begin(1, 3).whole()
    keys = [vkey, ledger.rotate_signing_key()]
    begin(2, 3).whole()
    call = [str(reader), str(tmp_path / "evidence"), *keys]
    said = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (said.stdout, said.stderr) == ("5 leaves, 2 proofs\n", "")
    assert subprocess.run(call[:-1], capture_output=True, check=False).returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["checkpoint", "tile/0/000.p/2", "tile/entries/000.p/2", "6-record.json.tlog-proof"])
def test_go_refuses_what_was_changed(begin, ledger, vkey: str, tmp_path: Path, reader: Path, name: str) -> None:
    """The reader can say no: one bit in each kind of file."""
    run = begin(1, 3).whole()
    path = tmp_path / "evidence" / (name if "record" not in name else f"runs/{run}/{name}")
    data = bytearray(path.read_bytes())
    data[40] ^= 4
    path.write_bytes(data)
    said = subprocess.run([str(reader), str(tmp_path / "evidence"), vkey], capture_output=True, check=False)
    assert said.returncode != 0
