"""The log's keys: from elsewhere, at a second holder, replaced; and never where somebody could read them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lifecycle.errors import ConfigurationError, EvidenceError, Refused
from lifecycle.ledger import holders, keys, verify
from lifecycle.ledger.evidence import EvidenceLedger
from lifecycle.ledger.keys import KeyFolder
from lifecycle.settings import FILE_NAME
from lifecycle.workbench import Workbench

pytestmark = pytest.mark.slow

ORIGIN = "clinic.example.org/lifecycle"
SEED = bytes(range(32))
OTHER = bytes(range(1, 33))

HOLDER = """
import os, sys
folder = sys.argv[1]
open(folder + "/calls", "a").write(" ".join(sys.argv[2:]) + "\\n")
open(folder + "/environ", "a").write(repr(sorted(os.environ.items())))
verb, path = sys.argv[2], os.path.join(folder, sys.argv[3])
if os.path.exists(folder + "/broken"):
    sys.stderr.write("secret words on standard error")
    sys.exit(3)
if verb == "put":
    open(path, "wb").write(sys.stdin.buffer.read())
elif verb == "get":
    sys.stdout.buffer.write(open(path, "rb").read())
elif os.path.exists(path):
    os.unlink(path)
"""


@pytest.fixture
def safe(tmp_path: Path) -> Path:
    """The folder of a second holder, with its program."""
    (tmp_path / "safe").mkdir()
    (tmp_path / "safe" / "holder.py").write_text(HOLDER)
    return tmp_path / "safe"


def command(safe: Path) -> str:
    return f"command:{sys.executable} '{safe}/holder.py' '{safe}'"


def created(tmp_path: Path, **sources: str) -> EvidenceLedger:
    return EvidenceLedger.create(tmp_path / "evidence", KeyFolder(tmp_path / "keys", **sources), ORIGIN)


def opened(tmp_path: Path, **sources: str) -> EvidenceLedger:
    return EvidenceLedger.open(tmp_path / "evidence", KeyFolder(tmp_path / "keys", **sources), ORIGIN)


def outcomes(evidence: Path, vkey: str) -> dict[str, str]:
    return dict(verify.verify(evidence, vkey))


def changed(tmp_path: Path, number: int = 1) -> Path:
    return tmp_path / f"evidence/keys-log/signing-key-{number}.json"


# --- from elsewhere --------------------------------------------------------------------------------


def test_the_seed_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It signs, no file holds it, and no child of this process inherits it."""
    monkeypatch.setenv("LOG_SEED", b64encode(SEED).decode())
    created(tmp_path, seed="env:LOG_SEED").append(b"leaf")
    assert opened(tmp_path, seed="env:LOG_SEED").contains(b"leaf")
    assert list((tmp_path / "keys").iterdir()) == []
    child = subprocess.run([sys.executable, "-c", "import os; print(os.environ)"], capture_output=True, check=True)
    assert b"LOG_SEED" not in child.stdout
    assert b64encode(SEED) not in child.stdout


@pytest.mark.parametrize("value", ["", "short", "ÄÖÜ", b64encode(SEED[:31]).decode(), "Vorname-Kanari" * 9])
def test_a_variable_that_is_no_key_is_named_and_not_quoted(tmp_path: Path, monkeypatch, value: str) -> None:
    """The name of the variable, never what stands in it."""
    monkeypatch.setenv("LOG_SEED", value)
    with pytest.raises(EvidenceError, match="variable LOG_SEED does not give 32 bytes") as caught:
        created(tmp_path, seed="env:LOG_SEED")
    assert value == "" or value not in str(caught.value)


def test_a_variable_that_is_not_set_is_a_lost_seed(tmp_path: Path) -> None:
    """Named, with exit 7 and a hint; no seed is drawn in its place."""
    with pytest.raises(EvidenceError, match="seed is lost: the environment variable NOT_SET_HERE") as caught:
        created(tmp_path, seed="env:NOT_SET_HERE")
    assert caught.value.exit_code == 7
    assert "second holder" in caught.value.hint


@pytest.mark.parametrize("spelled", [SEED, b64encode(SEED) + b"\n"])
def test_the_seed_may_come_from_a_program(tmp_path: Path, spelled: bytes) -> None:
    """Raw or in base64; another seed later does not fit."""
    (tmp_path / "a seed").write_bytes(spelled)
    source = f"command:cat '{tmp_path}/a seed'"
    created(tmp_path, seed=source).append(b"leaf")
    assert opened(tmp_path, seed=source).contains(b"leaf")
    (tmp_path / "a seed").write_bytes(OTHER)
    with pytest.raises(EvidenceError, match="does not fit"):
        opened(tmp_path, seed=source)


def test_a_program_gets_no_shell(tmp_path: Path) -> None:
    """What a shell would carry out is one word among others."""
    with pytest.raises(EvidenceError):
        created(tmp_path, seed=f"command:echo x; touch {tmp_path}/carried-out $(touch {tmp_path}/carried-out)")
    assert not (tmp_path / "carried-out").exists()


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        ("sh -c 'echo Vorname-Kanari >&2; exit 3'", "sh ended with 3"),
        ("sh -c 'echo Vorname-Kanari'", "does not give 32 bytes"),
        ("no-such-program-here", "cannot be called"),
    ],
)
def test_a_program_that_fails_is_named_and_not_quoted(tmp_path: Path, words: str, fact: str) -> None:
    """Neither its output nor its arguments, which may hold a secret."""
    with pytest.raises(EvidenceError, match=fact) as caught:
        created(tmp_path, seed=f"command:{words}")
    assert "Kanari" not in str(caught.value)


def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever at night."""
    monkeypatch.setattr(holders, "SECONDS", 0.2)
    with pytest.raises(EvidenceError, match="did not answer"):
        created(tmp_path, seed="command:sleep 20")


def test_a_command_without_a_program_is_wrong_configuration() -> None:
    """Nothing to call, or an open quotation mark."""
    for words in ("", "  ", "'open"):
        with pytest.raises(ConfigurationError, match="names no program"):
            holders.Program(words)


def test_settings_refuse_what_is_no_source_and_do_not_quote_it(tmp_path: Path) -> None:
    """Somebody who writes the key itself there does not find it in a log afterwards."""
    wb = Workbench.init(tmp_path / "workspace")
    path = wb.path / FILE_NAME
    text = path.read_text()
    key = b64encode(SEED).decode()
    for line in (f'seed = "{key}"', 'seed = "env:"', 'seed = "env:A-B"', 'seed = "command:"', 'seed = ""'):
        path.write_text(text.replace('seed = "file"', line, 1))
        with pytest.raises(ConfigurationError, match=r"ledger\.seed") as caught:
            Workbench.open(wb.path)
        assert key not in str(caught.value)
    path.write_text(text.replace('timestamp_url = ""', 'timestamp_url = "http://127.0.0.1:1"', 1))
    with pytest.raises(ConfigurationError, match="timestamp_ca"):
        Workbench.open(wb.path)


def test_no_program_that_verify_calls_inherits_the_seed(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is taken out of the environment before the first of them is started."""
    path, seed = bench.path / FILE_NAME, bench.path / "keys/log.seed"
    path.write_text(path.read_text().replace('seed = "file"', 'seed = "env:LOG_SEED"', 1))
    monkeypatch.setenv("LOG_SEED", b64encode(seed.read_bytes()).decode())
    seed.unlink()
    there: list[bool] = []
    real = verify.verify
    monkeypatch.setattr(
        "lifecycle.workbench.verifying.verify_evidence",
        lambda *words, **more: (there.append("LOG_SEED" in os.environ), real(*words, **more))[1],
    )
    assert Workbench.open(bench.path).verify().outcome.value == "passed"
    assert there == [False]


def test_doctor_names_a_seed_that_was_left_in_its_file(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who moves it into the environment wants it nowhere else; nobody notices a file that is not read."""
    path, seed = bench.path / FILE_NAME, bench.path / "keys/log.seed"
    assert "seed-also-a-file" not in found(bench)
    path.write_text(path.read_text().replace('seed = "file"', 'seed = "env:LOG_SEED"', 1))
    monkeypatch.setenv("LOG_SEED", b64encode(seed.read_bytes()).decode())
    bench = Workbench.open(bench.path)
    assert found(bench)["seed-also-a-file"] == "failed"
    seed.unlink()
    assert "seed-also-a-file" not in found(bench)


# --- the second holder -----------------------------------------------------------------------------


def test_a_second_holder_gets_every_key_when_it_is_made(tmp_path: Path, safe: Path) -> None:
    """On standard input: neither its words nor its environment hold a key."""
    ledger = created(tmp_path, second_holder=command(safe))
    key = ledger.tombstone_key("2026-10-01-a", create=True)
    assert (safe / "log.seed").read_bytes() == (tmp_path / "keys/log.seed").read_bytes()
    assert (safe / "tombstone-2026-10-01-a.key").read_bytes() == key
    assert (safe / "calls").read_text() == "put log.seed\nput tombstone-2026-10-01-a.key\n"
    said = (safe / "calls").read_bytes() + (safe / "environ").read_bytes()
    for secret in (key, (tmp_path / "keys/log.seed").read_bytes()):
        assert all(spelled not in said for spelled in (secret, secret.hex().encode(), b64encode(secret)))


def test_a_destroyed_key_is_destroyed_at_the_second_holder_too(tmp_path: Path, safe: Path) -> None:
    """First there; if that fails nothing is destroyed, and the same call does it later."""
    ledger = created(tmp_path, second_holder=command(safe))
    ledger.tombstone_key("2026-10-01-a", create=True)
    ledger.write_once("2026-10-01-a", "1-plan.json", b"{}")
    (safe / "broken").touch()
    with pytest.raises(EvidenceError, match="ended with 3") as caught:
        ledger.destroy_tombstone_key("2026-10-01-a")
    assert "secret words" not in str(caught.value)
    assert ledger.holds_tombstone_key("2026-10-01-a")
    assert not (tmp_path / "evidence/keys-log").exists()
    (safe / "broken").unlink()
    ledger.destroy_tombstone_key("2026-10-01-a")
    assert not list(safe.glob("tombstone*"))
    assert not ledger.holds_tombstone_key("2026-10-01-a")


def test_without_its_second_holder_no_key_is_made(tmp_path: Path, safe: Path) -> None:
    """A key that lies here is one that the second holder has."""
    (safe / "broken").touch()
    with pytest.raises(EvidenceError, match="ended with 3"):
        created(tmp_path, second_holder=command(safe))
    assert not (tmp_path / "keys/log.seed").exists()
    (safe / "broken").unlink()
    created(tmp_path, second_holder=command(safe))


def test_doctor_proves_that_both_can_be_read(tmp_path: Path, safe: Path) -> None:
    """The same here and there; lost, changed or not to be read there is an error that names how many."""
    wb = Workbench.init(tmp_path / "workspace")
    path = wb.path / FILE_NAME
    assert found(wb)["no-second-holder"] == "failed"
    path.write_text(path.read_text().replace('second_holder = ""', f'second_holder = "{command(safe)}"', 1))
    wb = Workbench.open(wb.path)
    assert found(wb)["second-holder-differs"] == "failed"
    shutil.copy(wb.path / "keys/log.seed", safe / "log.seed")
    assert found(wb)["second-holder"] == "passed"
    wb.plan("2026-10-01")
    assert found(wb)["second-holder"] == "passed"
    for name in ("log.seed", "tombstone-2026-10-01-a.key"):
        whole = (safe / name).read_bytes()
        (safe / name).write_bytes(SEED)
        assert found(wb)["second-holder-differs"] == "failed"
        (safe / name).write_bytes(whole)
    (safe / "broken").touch()
    assert found(wb)["second-holder-differs"] == "failed"


def found(wb: Workbench) -> dict[str, str]:
    return {one.check: one.outcome.value for one in wb.doctor().findings}


# --- who else can read them ------------------------------------------------------------------------


def test_a_key_that_others_can_read_is_refused_by_everything(bench: Workbench) -> None:
    """A tombstone key as the seed, and also while nobody reads it; doctor counts them and says what mends it."""
    run = bench.plan().run_id
    for name in (f"tombstone-{run}.key", "log.seed"):
        path = bench.path / "keys" / name
        for mode in (0o644, 0o620):
            path.chmod(mode)
            for verb in (bench.plan, lambda: bench.purge(as_of="today"), bench.restore_check):
                with pytest.raises(EvidenceError, match=f"{name} in the keys folder can be read or changed by others"):
                    verb()
            said = bench.doctor()
            assert {one.check: one.count for one in said.findings}["keys-readable"] == 1
            assert said.details["keys-readable"] == f"chmod 600 {path}"
        path.chmod(0o600)
    assert "keys-readable" not in found(bench)


def test_doctor_sees_a_copy_of_a_key(bench: Workbench) -> None:
    """Whatever lies beside the keys; no verb refuses because of it."""
    copy = bench.path / "keys/log.seed.bak"
    shutil.copy(bench.path / "keys/log.seed", copy)
    copy.chmod(0o604)
    assert found(bench)["keys-readable"] == "failed"
    assert bench.plan().run_id
    copy.unlink()
    copy.symlink_to("log.seed")
    assert found(bench)["keys-readable"] == "failed"


def test_a_key_of_another_user_is_refused(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who owns it can read it. Root may look after a workspace whose whole key folder is somebody else's."""
    path, lstat = bench.path / "keys/log.seed", Path.lstat
    there = {path: 4711}

    def of_another(self: Path) -> os.stat_result:
        fields = list(lstat(self))
        fields[4] = there.get(self, 0)
        return os.stat_result(fields)

    monkeypatch.setattr(Path, "lstat", of_another)
    for user in (0, 4712):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        with pytest.raises(EvidenceError, match="belongs to another user"):
            bench.plan()
        assert found(bench)["keys-readable"] == "failed"
    there[path.parent] = 4711
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert bench.plan().run_id


@pytest.mark.parametrize("folder", ["data", "data/below", "evidence", "evidence-2024/runs", "evidence-next", "link"])
def test_keys_inside_what_is_copied_elsewhere_are_refused(bench: Workbench, folder: str) -> None:
    """The data's backups and the evidence of any year; doctor says so."""
    (bench.path / "link").symlink_to("data")
    bench = with_keys_in(bench, f"{folder}/keys")
    for verb in (bench.plan, bench.restore_check):
        with pytest.raises(ConfigurationError, match="keys folder lies inside") as caught:
            verb()
        assert "[ledger] keys" in caught.value.hint
    assert found(bench)["evidence-and-keys"] == "unknown"
    assert bench.doctor().outcome.value != "passed"


def test_keys_beside_the_data_are_fine(bench: Workbench) -> None:
    """Only what lies inside goes with it."""
    assert with_keys_in(bench, "data-keys").plan().run_id


def with_keys_in(bench: Workbench, folder: str) -> Workbench:
    """The keys moved to another folder, and the settings with them."""
    settings = bench.path / FILE_NAME
    settings.write_text(settings.read_text().replace('keys = "keys"', f'keys = "{folder}"', 1))
    (bench.path / folder).parent.mkdir(parents=True, exist_ok=True)
    (bench.path / "keys").rename(bench.path / folder)
    return Workbench.open(bench.path)


# --- rotation --------------------------------------------------------------------------------------


def test_another_key_goes_on_with_the_log(tmp_path: Path) -> None:
    """The change is a leaf, every key of the chain verifies, and a stranger's does not."""
    ledger = created(tmp_path)
    ledger.append_all([])
    first = (tmp_path / "evidence/log.vkey").read_text().strip()
    old_seed = (tmp_path / "keys/log.seed").read_bytes()
    second = ledger.rotate_signing_key()
    third = opened(tmp_path).rotate_signing_key()
    assert len({first, second, third}) == 3
    assert (tmp_path / "evidence/log.vkey").read_text().strip() == first
    assert opened(tmp_path).contains(changed(tmp_path, 2).read_bytes())
    for key in (first, second, third):
        assert set(outcomes(tmp_path / "evidence", key).values()) == {"passed"}
    stranger = keys.Signer(ORIGIN, SEED).verifier.vkey
    assert outcomes(tmp_path / "evidence", stranger)["key and signed root"] == "failed"
    assert old_seed not in [path.read_bytes() for path in (tmp_path / "keys").iterdir()]
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["log.seed"]


def test_proofs_of_the_old_key_hold_after_the_change(tmp_path: Path) -> None:
    """A record sealed before is still proved by the checkpoint of its time, one sealed afterwards by the new key."""
    ledger = created(tmp_path)
    for run, leaf in (("2026-10-01-a", b'{"subject": [], "predicate": {"event": "a"}}'), ("2026-10-02-a", b"{}")):
        ledger.write_once(run, "6-record.json", leaf)
        ledger.append(leaf)
        ledger.write_proof(run, "6-record.json")
        ledger.rotate_signing_key()
        again = opened(tmp_path)
        again.write_proof(run, "6-record.json")
    signed = [path.read_text().split("— ")[1] for path in sorted((tmp_path / "evidence/runs").rglob("*.tlog-proof"))]
    assert len(set(signed)) == 2


def test_a_checkpoint_of_the_old_key_is_refused_after_the_change(tmp_path: Path) -> None:
    """Whoever stole the replaced key cannot go on with the log."""
    ledger = created(tmp_path)
    old = keys.Signer(ORIGIN, (tmp_path / "keys/log.seed").read_bytes())
    vkey = ledger.rotate_signing_key()
    ledger.append(b"{}")
    size, tree = ledger.checkpoint().size, ledger._log.load().tree
    (tmp_path / "evidence/checkpoint").write_text(old.checkpoint(size, tree.root()))
    with pytest.raises(EvidenceError, match="replaced"):
        opened(tmp_path)
    assert outcomes(tmp_path / "evidence", vkey)["key and signed root"] == "failed"


def test_a_change_that_the_old_key_did_not_sign_is_refused(tmp_path: Path) -> None:
    """A thief of the new seed alone cannot name another successor, whatever root is signed."""
    ledger = created(tmp_path)
    first = (tmp_path / "evidence/log.vkey").read_text().strip()
    thief, victim = keys.Signer(ORIGIN, SEED), keys.Signer(ORIGIN, (tmp_path / "keys/log.seed").read_bytes())
    from datetime import UTC, datetime

    from lifecycle.ledger import statements, tiles
    from lifecycle.ledger.merkle import Tree, leaf_hash

    honest = statements.key_changed(victim, thief, datetime(2026, 10, 1, tzinfo=UTC))
    forged = honest.replace(b'"signature": "', b'"signature": "AAAA', 1)
    for statement, outcome in ((forged, "failed"), (honest, "passed")):
        changed(tmp_path).parent.mkdir(exist_ok=True)
        changed(tmp_path).write_bytes(statement)
        tree = Tree([leaf_hash(statement)])
        tiles.write_growth(tmp_path / "evidence", tree, 0, [statement])
        (tmp_path / "evidence/checkpoint").write_text(thief.checkpoint(1, tree.root()))
        assert outcomes(tmp_path / "evidence", first)["key and signed root"] == outcome
    assert ledger.checkpoint().size == 1


def test_every_flipped_bit_of_a_change_is_detected(tmp_path: Path) -> None:
    """In the statement and in the version of the evidence."""
    ledger = created(tmp_path)
    vkey = ledger.rotate_signing_key()
    for path in (changed(tmp_path), tmp_path / "evidence/schema-version"):
        whole = path.read_bytes()
        for place in range(0, len(whole), 7):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            assert "failed" in outcomes(tmp_path / "evidence", vkey).values(), place
        for piece in (b"", whole[:-1], whole + b"\n"):
            path.write_bytes(piece)
            assert "failed" in outcomes(tmp_path / "evidence", vkey).values()
        path.unlink()
        assert "failed" in outcomes(tmp_path / "evidence", vkey).values()
        path.write_bytes(whole)
    assert "failed" not in outcomes(tmp_path / "evidence", vkey).values()


def test_a_change_from_the_environment_needs_its_coming_key_named(tmp_path: Path, monkeypatch) -> None:
    """next_seed is the coming one; once it signs, either order of the settings works, and no third is drawn."""
    monkeypatch.setenv("SEED_A", b64encode(SEED).decode())
    monkeypatch.setenv("SEED_B", b64encode(OTHER).decode())
    with pytest.raises(ConfigurationError, match="no coming seed"):
        created(tmp_path, seed="env:SEED_A").rotate_signing_key()
    ledger = opened(tmp_path, seed="env:SEED_A", next_seed="env:SEED_B")
    assert ledger.rotate_signing_key() == keys.Signer(ORIGIN, OTHER).verifier.vkey
    ledger.append(b"leaf")
    with pytest.raises(ConfigurationError, match="signs already"):
        ledger.rotate_signing_key()
    assert opened(tmp_path, seed="env:SEED_B").contains(b"leaf")
    with pytest.raises(EvidenceError, match="does not fit"):
        opened(tmp_path, seed="env:SEED_A")


def test_the_second_holder_follows_a_change(tmp_path: Path, safe: Path) -> None:
    """It has the coming seed before it signs, and the one in force afterwards."""
    ledger = created(tmp_path, second_holder=command(safe))
    ledger.rotate_signing_key()
    assert (safe / "log.seed").read_bytes() == (tmp_path / "keys/log.seed").read_bytes()
    assert not (safe / "log.seed.next").exists()
    assert KeyFolder(tmp_path / "keys", second_holder=command(safe)).different_at_second_holder(ORIGIN) == []


class PowerOff(BaseException):
    """Nothing that catches errors catches this."""


def test_a_change_survives_a_kill_at_every_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left opens and holds; the same call finishes it, and begins another change only after a whole one."""
    created(tmp_path).append(b'{"subject": [], "predicate": {"event": "note"}}')
    (tmp_path / "evidence/keys-log").mkdir()
    (tmp_path / "evidence/keys-log/note.json").write_bytes(b'{"subject": [], "predicate": {"event": "note"}}')
    first = (tmp_path / "evidence/log.vkey").read_text().strip()
    shutil.copytree(tmp_path, tmp_path.with_name("whole"))
    for stop in range(100):
        shutil.rmtree(tmp_path)
        shutil.copytree(tmp_path.with_name("whole"), tmp_path)
        calls = cut_off(tmp_path, monkeypatch, stop)
        kept = opened(tmp_path).checkpoint()
        whole = kept.size == 2 and not (tmp_path / "keys/log.seed.next").exists()
        wrong = {name for name, outcome in outcomes(tmp_path / "evidence", first).items() if outcome != "passed"}
        assert wrong <= {"nothing foreign", "files"}, stop
        vkey = opened(tmp_path).rotate_signing_key()
        assert set(outcomes(tmp_path / "evidence", vkey).values()) == {"passed"}, stop
        again = dict(verify.verify(tmp_path / "evidence", first, (kept.size, kept.root)))
        assert again["key and signed root"] == "passed"
        assert [path.name for path in (tmp_path / "keys").iterdir()] == ["log.seed"], stop
        assert len(list((tmp_path / "evidence/keys-log").glob("signing-key-*"))) == 1 + whole, stop
        if calls < stop:
            break
    assert 15 < stop < 99


def cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int) -> int:
    """Rotate, and end before the call with this number; gives how many calls there were."""
    calls = 0

    def watched(real):
        def call(*args, **kwargs):
            nonlocal calls
            if calls == stop:
                raise PowerOff
            calls += 1
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in ("write", "fsync", "rename", "mkdir", "unlink", "rmdir"):
            patch.setattr(os, name, watched(getattr(os, name)))
        try:
            opened(tmp_path).rotate_signing_key()
        except PowerOff:
            return calls
    return calls


def test_the_verb_changes_the_key_and_the_log_goes_on(bench: Workbench, safe: Path) -> None:
    """Verify passes across it, for a stranger with the first key and a checkpoint kept before, and for both holders.

    The verifier runs as a process of its own, as it lies at the stranger's.
    """
    settings, first = bench.path / FILE_NAME, (bench.path / "evidence/log.vkey").read_text().strip()
    settings.write_text(settings.read_text().replace('second_holder = ""', f'second_holder = "{command(safe)}"', 1))
    bench = Workbench.open(bench.path)
    bench.purge(as_of=bench.today - timedelta(days=400))
    size, root = (bench.path / "evidence/checkpoint").read_text().splitlines()[1:3]
    done = bench.key_rotate()
    assert (done.replaced, done.next_step) == (first, None)
    assert done.tree_size == int(size) + 1
    run = bench.plan().run_id
    bench.approve(run, "controller")
    assert bench.purge(run).deleted > 0
    assert bench.verify(size=int(size), root=root).outcome.value == "passed"
    assert bench.verify(size=done.tree_size, root=done.root).outcome.value == "passed"
    assert found(bench)["second-holder"] == "passed"
    for vkey in (first, done.vkey):
        call = [sys.executable, str(verify.__file__), str(bench.path / "evidence"), vkey, size, root]
        assert subprocess.run(call, capture_output=True, check=False).returncode == 0


def test_a_change_is_refused_where_it_would_do_harm(bench: Workbench, tmp_path: Path) -> None:
    """While somebody else is at work, and in evidence that is older than the store: there the log would fork."""
    with bench._workspace.ledger().locked(), pytest.raises(Refused, match="held by"):
        bench.key_rotate()
    shutil.copytree(bench.path / "evidence", tmp_path / "older")
    run = bench.plan().run_id
    bench.approve(run, "controller")
    bench.purge(run)
    shutil.rmtree(bench.path / "evidence")
    shutil.copytree(tmp_path / "older", bench.path / "evidence")
    with pytest.raises(EvidenceError, match="older than the store"):
        bench.key_rotate()


def test_doctor_says_that_a_change_is_unfinished(bench: Workbench) -> None:
    """A coming seed that still lies there was drawn by a call that was cut off."""
    (bench.path / "keys/log.seed.next").write_bytes(OTHER)
    (bench.path / "keys/log.seed.next").chmod(0o600)
    assert found(bench)["rotation-unfinished"] == "failed"
    assert bench.key_rotate().vkey == keys.Signer(bench._workspace.settings.ledger.origin, OTHER).verifier.vkey
    assert "rotation-unfinished" not in found(bench)


# --- the version of the evidence -------------------------------------------------------------------


def test_newer_evidence_is_refused_in_words(tmp_path: Path) -> None:
    """With both numbers and what to do; something that is no number is refused too."""
    created(tmp_path)
    path = tmp_path / "evidence/schema-version"
    path.write_text("2\n")
    with pytest.raises(EvidenceError, match="schema version 2; this lifecycle knows 1") as caught:
        opened(tmp_path)
    assert "newer" in caught.value.hint
    assert caught.value.exit_code == 7
    for text in ("", "one\n", "0\n", "-1\n"):
        path.write_text(text)
        with pytest.raises(EvidenceError, match="no number"):
            opened(tmp_path)


# --- what a disaster leaves ------------------------------------------------------------------------


def test_a_lost_seed_ends_every_verb_that_needs_it_with_7(bench: Workbench) -> None:
    """The state has a name and a hint, and nothing was drawn in its place."""
    (bench.path / "keys/log.seed").unlink()
    for verb in (lambda: bench.plan(), lambda: bench.purge(as_of="today"), lambda: bench.restore_check()):
        with pytest.raises(EvidenceError, match="seed") as caught:
            verb()
        assert caught.value.exit_code == 7
        assert "second holder" in caught.value.hint
    assert bench.verify().outcome.value == "failed"
    assert list((bench.path / "keys").glob("log.seed*")) == []


def test_the_guide_takes_the_rows_of_a_lost_log_to_a_new_one(bench: Workbench, tmp_path: Path) -> None:
    """As it stands there: no row is lost, what is due goes with a record, and the old log still holds."""
    run = bench.plan().run_id
    bench.approve(run, "controller")
    bench.purge(run)
    bench.ingest(write_export(tmp_path), as_of=bench.today - timedelta(days=120))
    (bench.path / "keys/log.seed").unlink()
    with pytest.raises(EvidenceError) as caught:
        bench.plan()
    assert "docs/scheduling.md" in caught.value.hint
    guide = (Path(__file__).parents[1] / "docs/scheduling.md").read_text()
    (steps,) = re.findall(r"```sh lost-seed\n(.*?)```", guide, flags=re.DOTALL)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {**os.environ, "OLD": str(bench.path), "NEW": str(tmp_path / "new"), "PATH": path}
    subprocess.run(["sh", "-ec", steps], env=environ, capture_output=True, check=True)
    new = Workbench.open(tmp_path / "new")
    for dataset in ("appointments", "events"):
        assert sorted(rows(new, dataset)) == sorted(rows(bench, dataset))
    planned = new.plan()
    assert planned.due == 1
    new.approve(planned.run_id, "controller")
    assert (new.purge(planned.run_id).deleted, new.verify().outcome.value) == (1, "passed")
    assert not list(new.path.glob("data/*.parquet"))
    vkey = (bench.path / "evidence/log.vkey").read_text().strip()
    assert set(outcomes(bench.path / "evidence", vkey).values()) == {"passed"}


def write_export(folder: Path) -> Path:
    """One appointment that has long been due."""
    export = folder / "export.csv"
    end = datetime.now(UTC) - timedelta(days=100)
    export.write_text(
        "appointment_uid,email,starts_at,ends_at\n"
        f"uid-of-a-late-visit,erika@example.org,{(end - timedelta(hours=1)).isoformat()},{end.isoformat()}\n"
    )
    return export


def rows(wb: Workbench, dataset: str) -> list[str]:
    return [
        hashlib.sha256(str(row).encode()).hexdigest()
        for each in wb._workspace.store.rows(dataset)
        for row in each.rows()
    ]


def test_evidence_older_than_the_store_ends_a_purge_with_7(bench: Workbench, tmp_path: Path) -> None:
    """Whatever run is asked for: going on would fork the log. Nothing is recorded, and the newer evidence mends it."""
    shutil.copytree(bench.path / "evidence", tmp_path / "older")
    run = bench.plan().run_id
    bench.approve(run, "controller")
    assert bench.purge(run).deleted > 0
    (bench.path / "evidence").rename(tmp_path / "newer")
    shutil.copytree(tmp_path / "older", bench.path / "evidence")
    for verb in (lambda: bench.purge(as_of="today"), lambda: bench.restore_check(), lambda: bench.restore_apply()):
        with pytest.raises(EvidenceError, match=f"older than the store: it does not know {run}") as caught:
            verb()
        assert caught.value.exit_code == 7
        assert "newer evidence" in caught.value.hint
    found = {check.name: check.outcome.value for check in bench.verify().checks}
    assert found["every marker of the store has its evidence"] == "failed"
    assert list((bench.path / "evidence/runs").iterdir()) == []
    shutil.rmtree(bench.path / "evidence")
    (tmp_path / "newer").rename(bench.path / "evidence")
    assert bench.purge(as_of="today").outcome == "sealed"
    assert bench.verify().outcome.value == "passed"


def test_newer_evidence_ends_with_7_in_the_workbench(bench: Workbench) -> None:
    """Every verb that opens it says which version it is; verify fails in words."""
    (bench.path / "evidence/schema-version").write_text("9\n")
    with pytest.raises(EvidenceError, match="schema version 9; this lifecycle knows 1"):
        bench.plan()
    said = bench.verify()
    assert said.outcome.value == "failed"
    assert any("another version" in check.detail for check in said.checks)
