"""``docs/verify.md``: every command on the page does what the page says, and says no where something was changed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lifecycle.ledger import stamps, verify
from lifecycle.workbench import Workbench

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 8, 1, 1, tzinfo=UTC)
BLOCKS = dict(re.findall(r"^```sh (\w+)\n(.*?)^```$", (ROOT / "docs/verify.md").read_text(), re.MULTILINE | re.DOTALL))
SAYS = {
    "choose": "looking at 2026-08-01-a",
    "verifier": "Nothing is wrong.",
    "kept": "Nothing is wrong.",
    "keep": "lifecycle.example/clinic",
    "years": "evidence-2025 ends as evidence says.\nevidence-2024 ends as evidence-2025 says.",
    "signature": "Signature Verified Successfully",
    "key": "It is the same key.",
    "changed": "It is the newest key.",
    "files": "2-approval.json.sig: OK",
    "counts": "tombstones: 2\nThey are distinct.",
    "proof": "The record is in the log.\nSignature Verified Successfully",
    "plan": "It is this plan.",
    "approval": 'Good "deletion-approval" signature for controller',
    "standing": 'Good "deletion-approval" signature for controller',
    "stamp": "Verification: OK",
    "bound": "These rows were planned.",
    "go": "leaves, 4 proofs",
}
RUN = "evidence/runs/2026-08-01-a"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an auditor has on the desk: evidence of four runs, the verifier, the key, a checkpoint kept earlier."""
    folder = tmp_path_factory.mktemp("desk")
    wb = Workbench.init(folder / "clinic", now=lambda: NOW)
    rows = [
        {
            "appointment_uid": f"uid-of-visit-{days:05d}",
            "first_name": f"Erika{days:05d}",
            "email": f"erika{days:05d}@example.org",
            "starts_at": (NOW - timedelta(days=days)).isoformat(),
            "ends_at": (NOW - timedelta(days=days)).isoformat(),
        }
        for days in (110, 100, 5)
    ]
    (folder / "export.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    wb.ingest(folder / "export.ndjson", as_of=(NOW - timedelta(days=50)).date(), consume=True)
    key = folder / "second-person"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (wb.path / "approvals/allowed_signers").write_text(f"controller {key.with_suffix('.pub').read_text()}")
    run_id = wb.plan("today").run_id
    wb.approve(run_id, "controller", key=key)
    wb.purge(run_id)
    wb.approve_standing("controller", max_rows=9, max_percent=90, until="2026-12-31", key=key)
    desk = folder / "desk"
    desk.mkdir()
    shutil.copytree(wb.path / "approvals", desk / "approvals")
    shutil.copy(wb.path / "evidence/checkpoint", desk / "kept-checkpoint")
    for _ in range(3):
        wb.purge(as_of="today")
    with authority(desk) as url:
        assert stamps.ask(wb._workspace.ledger(), url, desk / "ca.pem").come == 4
    shutil.copytree(wb.path / "evidence", desk / "evidence", ignore=shutil.ignore_patterns(".lock"))
    shutil.copy(str(verify.__file__), desk / "verify.py")
    shutil.copy(wb.path / "evidence/log.vkey", desk)
    shutil.copy(wb.path / f"keys/tombstone-{run_id}.key", desk)
    shutil.copy(ROOT / "tests/ledger/reader.go", desk)
    for _ in range(2):
        wb.key_rotate()
    wb.purge(as_of="today")
    shutil.copytree(wb.path / "evidence", desk / "later", ignore=shutil.ignore_patterns(".lock"))
    (desk / "bin").mkdir()
    (desk / "bin/python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (desk / "bin/python3").chmod(0o755)
    return desk


@contextmanager
def authority(desk: Path) -> Iterator[str]:
    """What ``make tsa`` starts; its certificate lies on the desk afterwards."""
    keys = desk.parent / "tsa"
    call = [sys.executable, str(ROOT / "tests/ledger/tsa.py"), str(keys)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            settings = dict(re.findall(r'(\w+) = "(.*)"', server.stdout.readline() + server.stdout.readline()))
            shutil.copy(settings["timestamp_ca"], desk / "ca.pem")
            yield settings["timestamp_url"]
        finally:
            server.terminate()


@pytest.fixture
def desk(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "desk"))


def said(desk: Path, name: str, run_id: str = "") -> str:
    """Run one block as somebody would who pastes it, after the first one; both streams."""
    env = {"PATH": f"{desk / 'bin'}:{os.environ['PATH']}", "HOME": str(desk), "LC_ALL": "C.UTF-8"}
    choice = f"export RUN={run_id}\n" if run_id else BLOCKS["choose"]
    script = choice + ("" if name == "choose" else BLOCKS[name])
    done = subprocess.run(["bash", "-c", script], cwd=desk, env=env, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_every_block_of_the_page_is_run_here() -> None:
    """And there is none that a test does not know."""
    assert set(BLOCKS) == set(SAYS)
    text = (ROOT / "docs/verify.md").read_text()
    assert text.count("```") == 2 * len(BLOCKS)


@pytest.mark.parametrize("name", [name for name in SAYS if name not in ("go", "years")])
def test_each_command_says_what_the_page_says(desk: Path, name: str) -> None:
    """On evidence that is in order."""
    assert SAYS[name] in said(desk, name)


def test_the_page_begins_with_a_run_that_deleted_something(desk: Path) -> None:
    """Neither with a plan that nobody carried out, nor with a night with nothing due."""
    runs = desk / "evidence/runs"
    shutil.copytree(runs / "2026-08-01-b", runs / "2026-07-02-a")
    assert (runs / "2026-07-02-a/6-record.json").exists()
    (runs / "2026-07-01-a").mkdir()
    shutil.copy(runs / "2026-08-01-a/1-plan.json", runs / "2026-07-01-a")
    assert SAYS["choose"] in said(desk, "choose")


@pytest.mark.slow
def test_go_accepts_the_log(desk: Path) -> None:
    """With Debian's packages of Go's own sources."""
    if shutil.which("go") is None or not Path("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("NOT CHECKED by Go: apt-get install golang golang-golang-x-mod-dev")
    assert SAYS["go"] in said(desk, "go")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("verifier", f"{RUN}/4-deleted.json"),
        ("kept", "kept-checkpoint"),
        ("signature", "evidence/checkpoint"),
        ("key", "log.vkey"),
        ("files", f"{RUN}/2-approval.json.sig"),
        ("proof", f"{RUN}/6-record.json"),
        ("proof", f"{RUN}/6-record.json.tlog-proof"),
        ("plan", f"{RUN}/1-plan.json"),
        ("approval", f"{RUN}/2-approval.json"),
        ("approval", "evidence/allowed_signers"),
        ("stamp", f"{RUN}/6-record.json.tlog-proof"),
        ("stamp", "ca.pem"),
        ("bound", f"{RUN}/tombstones.txt"),
        ("bound", "tombstone-2026-08-01-a.key"),
    ],
)
def test_each_command_says_no_where_something_was_changed(desk: Path, name: str, changed: str) -> None:
    """One bit in the middle of a file; of a checkpoint, in its root."""
    path = desk / changed
    data = bytearray(path.read_bytes())
    at = data.index(b"\n", data.index(b"\n") + 1) + 3 if changed.endswith("checkpoint") else len(data) // 2
    data[at] ^= 1
    path.write_bytes(data)
    assert SAYS[name] not in said(desk, name)


def test_repeated_tombstones_are_seen(desk: Path) -> None:
    """As many lines as before, but not as many rows."""
    path = desk / RUN / "tombstones.txt"
    first = path.read_text().splitlines()[0]
    path.write_text(f"{first}\n{first}\n")
    assert "They are distinct." not in said(desk, "counts")


def test_the_key_that_was_received_leads_to_the_newest(desk: Path) -> None:
    """Across two changes, and not where one bit of a change is another."""
    shutil.rmtree(desk / "evidence")
    (desk / "later").rename(desk / "evidence")
    assert said(desk, "changed").count("Signature Verified Successfully") == 3
    assert SAYS["changed"] in said(desk, "changed")
    assert SAYS["signature"] not in said(desk, "signature")
    path = desk / "evidence/keys-log/signing-key-2.json"
    data = bytearray(path.read_bytes())
    data[data.index(b'"to"') + 70] ^= 1
    path.write_bytes(data)
    assert SAYS["changed"] not in said(desk, "changed")


@pytest.mark.parametrize("run_id", ["2026-08-01-a", "2026-08-01-e"])
def test_a_proof_is_checked_with_the_key_of_its_day(desk: Path, run_id: str) -> None:
    """Of a run before two changes of the key and of one after them; without the changes only the first key is known."""
    shutil.rmtree(desk / "evidence")
    (desk / "later").rename(desk / "evidence")
    first = run_id == "2026-08-01-a"
    assert (SAYS["proof"] in said(desk, "proof", run_id)) is first
    said(desk, "changed")
    assert SAYS["proof"] in said(desk, "proof", run_id)
    (desk / "evidence/runs" / run_id / "6-record.json").write_bytes(b"another")
    assert SAYS["proof"] not in said(desk, "proof", run_id)


@pytest.fixture(scope="module")
def three_years(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk with the logs of 2024, 2025 and today's; the key was changed in 2024, and checkpoints were kept."""
    folder = tmp_path_factory.mktemp("years")
    desk = folder / "desk"
    desk.mkdir()
    clock = [datetime(2024, 12, 31, 2, tzinfo=UTC)]
    wb = Workbench.init(folder / "clinic", now=lambda: clock[0])
    for year, month, day in ((2024, 12, 31), (2025, 1, 2), (2026, 1, 2)):
        if year == 2026:  # a person goes on after the gap, or the clock would be doubted
            clock[0] = datetime(2025, 12, 30, 2, tzinfo=UTC)
            wb.purge(wb.plan("today").run_id)
        clock[0] = datetime(year, month, day, 2, tzinfo=UTC)
        wb.purge(as_of="today")
        shutil.copy(wb.path / "evidence/checkpoint", desk / f"kept-{year}")
        if year == 2024:
            wb.key_rotate()
    for log in wb.path.glob("evidence*"):
        shutil.copytree(log, desk / log.name, ignore=shutil.ignore_patterns(".lock"))
    shutil.copy(str(verify.__file__), desk / "verify.py")
    (desk / "bin").mkdir()
    (desk / "bin/python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (desk / "bin/python3").chmod(0o755)
    return desk


def test_the_years_are_followed_back(three_years: Path, tmp_path: Path) -> None:
    """Each log to its end, over a change of the key; a changed one, a longer one and a missing one are seen."""
    desk = Path(shutil.copytree(three_years, tmp_path / "desk"))
    lines = [line for line in said(desk, "years").splitlines() if " ends as " in line]
    assert "\n".join(lines) == SAYS["years"]
    (desk / "evidence-2024").rename(desk / "aside")
    assert "evidence-2024 is missing." in said(desk, "years")
    (desk / "evidence/keys-log/log-dropped-2024.json").write_text("{}")
    assert "evidence-2024 was dropped, as stated there." in said(desk, "years")
    record = next((desk / "evidence-2025/runs").glob("*/6-record.json"))
    record.write_bytes(record.read_bytes()[:-1])
    assert " ends as " not in said(desk, "years")


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_a_checkpoint_kept_in_any_year_is_found_in_its_log(three_years: Path, tmp_path: Path, year: int) -> None:
    """And in none where its root is another."""
    desk = Path(shutil.copytree(three_years, tmp_path / "desk"))
    kept = desk / f"kept-{year}"
    kept.rename(desk / "kept-checkpoint")
    log = "evidence" if year == 2026 else f"evidence-{year}"
    told = said(desk, "kept")
    assert "Nothing is wrong." in told
    assert f"{log} goes on from the checkpoint that I kept." in told
    lines = (desk / "kept-checkpoint").read_text().split("\n")
    (desk / "kept-checkpoint").write_text("\n".join([*lines[:2], "A" * 43 + "=", *lines[3:]]))
    told = said(desk, "kept")
    assert "Nothing is wrong." not in told
    assert "No log goes on from the checkpoint that I kept." in told
