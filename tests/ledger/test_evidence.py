"""The evidence folder: run files written once, a log that only grows, keys that stay private, one user at a time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifecycle import model
from lifecycle.errors import ConfigurationError, EvidenceError, LifecycleError, Refused
from lifecycle.ledger import note, tiles, verify
from lifecycle.ledger.evidence import EvidenceLedger
from lifecycle.ledger.merkle import consistency_holds, leaf_hash

ORIGIN = "clinic.example.org/lifecycle"
DAY = date(2026, 10, 1)


def again(tmp_path: Path) -> EvidenceLedger:
    """What another process would see."""
    return EvidenceLedger.open(tmp_path / "evidence", tmp_path / "keys", ORIGIN)


def outcomes(tmp_path: Path) -> dict[str, str]:
    return dict(verify.verify(tmp_path / "evidence", str(tmp_path / "evidence/log.vkey")))


# --- the folder ----------------------------------------------------------------------------------


def test_the_port_is_fulfilled(ledger: EvidenceLedger) -> None:
    """mypy agrees that it is a ``Ledger``; here every method is there."""
    port: model.Ledger = ledger
    names = [name for name in vars(model.Ledger) if not name.startswith("_")]
    assert len(names) >= 12
    assert all(callable(getattr(port, name)) for name in names)


def test_a_new_ledger_is_an_empty_signed_log(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """Checkpoint of size 0, both spellings of the key, nothing else."""
    head = ledger.checkpoint()
    assert (head.origin, head.size, head.root) == (ORIGIN, 0, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
    names = sorted(path.name for path in (tmp_path / "evidence").iterdir())
    assert names == [".lock", "checkpoint", "log.pub.pem", "log.vkey", "runs", "schema-version"]
    assert ledger.runs() == ()


def test_a_second_create_is_refused(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """An existing log is never begun again."""
    before = (tmp_path / "evidence/checkpoint").read_bytes()
    with pytest.raises(EvidenceError, match="already"):
        EvidenceLedger.create(tmp_path / "evidence", tmp_path / "keys", ORIGIN)
    assert (tmp_path / "evidence/checkpoint").read_bytes() == before


def test_run_ids_go_on_after_z(ledger: EvidenceLedger) -> None:
    """a to z, then aa; the order of runs is that of days and letters."""
    made = []
    for _ in range(28):
        run = ledger.new_run_id(DAY)
        ledger.write_once(run, "1-plan.json", b"{}")
        made.append(run)
    ledger.write_once(ledger.new_run_id(date(2026, 9, 30)), "1-plan.json", b"{}")
    assert [made[0], made[25], made[26], made[27]] == [f"2026-10-01-{x}" for x in ("a", "z", "aa", "ab")]
    assert ledger.runs() == ("2026-09-30-a", *made)


def test_a_run_id_that_has_a_key_is_not_given_again(ledger: EvidenceLedger) -> None:
    """Even if the plan was never written: the key may have been used."""
    ledger.tombstone_key("2026-10-01-a", create=True)
    assert ledger.new_run_id(DAY) == "2026-10-01-b"


def test_the_listing_is_the_state(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """Named files only; a temporary file of an interrupted write is none and goes with the next lock."""
    assert ledger.listing("2026-10-01-a") == frozenset()
    ledger.write_once("2026-10-01-a", "1-plan.json", b"{}")
    left = tmp_path / "evidence/runs/2026-10-01-a/.tmp-3-intent.json"
    left.write_bytes(b"half")
    assert ledger.listing("2026-10-01-a") == {"1-plan.json"}
    with again(tmp_path).locked():
        assert not left.exists()


def test_a_file_is_written_once(ledger: EvidenceLedger) -> None:
    """The same bytes again change nothing, other bytes are refused."""
    ledger.write_once("2026-10-01-a", "1-plan.json", b"{}")
    ledger.write_once("2026-10-01-a", "1-plan.json", b"{}")
    with pytest.raises(EvidenceError, match="different"):
        ledger.write_once("2026-10-01-a", "1-plan.json", b"{ }")
    assert ledger.read("2026-10-01-a", "1-plan.json") == b"{}"


def test_pieces_are_streamed_into_a_file_with_its_digest(ledger: EvidenceLedger) -> None:
    """The digest is that of the file; the same bytes again give it again, others are refused."""
    pieces = [b"%064x\n" % number * 2_000 for number in range(3)]
    digest = ledger.write_pieces_once("2026-10-01-a", "tombstones.txt", iter(pieces))
    data = ledger.read("2026-10-01-a", "tombstones.txt")
    assert data == b"".join(pieces)
    assert digest == sha256(data).hexdigest()
    assert ledger.write_pieces_once("2026-10-01-a", "tombstones.txt", iter([data])) == digest
    with pytest.raises(EvidenceError, match="different"):
        ledger.write_pieces_once("2026-10-01-a", "tombstones.txt", pieces[:-1])
    assert ledger.write_pieces_once("2026-10-01-b", "tombstones.txt", []) == sha256(b"").hexdigest()


@pytest.mark.parametrize("run", ["", "../x", "a/b", ".", "a b", "a\n", "ä"])
def test_a_run_id_leads_nowhere_else(ledger: EvidenceLedger, run: str) -> None:
    """Letters, digits, hyphens."""
    for call in (ledger.listing, ledger.tombstone_key, ledger.destroy_tombstone_key):
        with pytest.raises(EvidenceError):
            call(run)


@pytest.mark.parametrize("name", ["", "../checkpoint", "checkpoint", "notes.txt", ".tmp-1-plan.json", "1-plan.json/x"])
def test_a_run_holds_the_named_files_only(ledger: EvidenceLedger, name: str) -> None:
    """Nothing else gets into evidence."""
    with pytest.raises(EvidenceError, match="named files"):
        ledger.write_once("2026-10-01-a", name, b"")


# --- the log -------------------------------------------------------------------------------------


def test_the_same_bytes_are_appended_once(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """The index is the first one, in this process and in the next."""
    assert [ledger.append(b"a"), ledger.append(b"b"), ledger.append(b"a")] == [0, 1, 0]
    other = again(tmp_path)
    assert other.append(b"b") == 1
    assert other.contains(b"a")
    assert not other.contains(b"c")
    assert other.checkpoint().size == 2


def test_two_objects_see_each_others_leaves(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """Each asks the disk before it believes what it remembers."""
    other = again(tmp_path)
    for number in range(10):
        assert (ledger, other)[number % 2].append(b"%d" % number) == number
    assert ledger.checkpoint() == other.checkpoint()


def test_a_leaf_is_under_64_kib(ledger: EvidenceLedger) -> None:
    """65,535 bytes fit the length of an entry, one more does not; nothing is half written."""
    assert ledger.append(b"x" * 65_535) == 0
    with pytest.raises(EvidenceError, match="64 KiB"):
        ledger.append_all([b"good", b"x" * 65_536])
    assert ledger.checkpoint().size == 1
    assert not ledger.contains(b"good")
    assert ledger.append(b"good") == 1


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 513])
def test_every_tile_boundary_by_single_appends(ledger: EvidenceLedger, tmp_path: Path, size: int) -> None:
    """Around full tiles, the last three leaves one by one; superseded partial tiles are gone."""
    ledger.append_all(b"%d" % number for number in range(max(0, size - 3)))
    for number in range(max(0, size - 3), size):
        assert ledger.append(b"%d" % number) == number
    need_tiles(tmp_path / "evidence", size)
    assert again(tmp_path).append(b"0") == 0
    assert log_checks(tmp_path) == {"passed"}


@pytest.mark.slow
@pytest.mark.parametrize("size", [65_535, 65_536, 65_537])
def test_the_boundaries_of_the_third_level(ledger: EvidenceLedger, tmp_path: Path, size: int) -> None:
    """A full tile of level 1 and a first hash of level 2."""
    ledger.append_all(b"%d" % number for number in range(size - 2))
    ledger.append(b"%d" % (size - 2))
    ledger.append(b"%d" % (size - 1))
    need_tiles(tmp_path / "evidence", size)
    assert log_checks(tmp_path) == {"passed"}


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_a_log_grown_in_any_steps_is_the_same(tmp_path: Path, steps: list[int]) -> None:
    """Tiles, root and consistency do not depend on how many leaves came at once."""
    shutil.rmtree(tmp_path / "evidence", ignore_errors=True)
    shutil.rmtree(tmp_path / "keys", ignore_errors=True)
    ledger = EvidenceLedger.create(tmp_path / "evidence", tmp_path / "keys", ORIGIN)
    heads, done = [], 0
    for step in steps:
        ledger.append_all(b"%d" % number for number in range(done, done + step))
        done += step
        heads.append(ledger.checkpoint())
    need_tiles(tmp_path / "evidence", done)
    assert log_checks(tmp_path) == {"passed"}
    for head in heads:
        proof = ledger.consistency_proof(head.size)
        roots = note.strict_base64(head.root), note.strict_base64(heads[-1].root)
        assert consistency_holds(head.size, done, *roots, proof)


def log_checks(tmp_path: Path) -> set[str]:
    """What the verifier says about the log itself (these leaves have no files)."""
    return {outcome for name, outcome in list(outcomes(tmp_path).items())[:3]}


def need_tiles(evidence: Path, size: int) -> None:
    """Exactly the tiles that C2SP names for this size: full ones, and the last one as a partial."""
    expected, level = set(), 0
    while size >> 8 * level:
        count = size >> 8 * level
        for name in [str(level)] + ["entries"] * (level == 0):
            expected |= {f"tile/{name}/{number:03d}" for number in range(count // 256)}
            if count % 256:
                expected.add(f"tile/{name}/{count // 256:03d}.p/{count % 256}")
        level += 1
    found = {path.relative_to(evidence).as_posix() for path in (evidence / "tile").rglob("*") if path.is_file()}
    assert found == expected
    assert not [path for path in (evidence / "tile").rglob("*.p") if not any(path.iterdir())]


@pytest.mark.parametrize(
    ("number", "name"),
    [(0, "000"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067"), (10**9, "x001/x000/x000/000")],
)
def test_tile_names_are_those_of_the_specification(number: int, name: str) -> None:
    """Three digits a folder, all but the last with an x."""
    assert tiles.tile_name(0, number) == f"tile/0/{name}"
    assert tiles.tile_name("entries", number, 7) == f"tile/entries/{name}.p/7"


@pytest.mark.slow
def test_ten_thousand_leaves_work(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """Open, ask and append to a log of 10,000 leaves."""
    ledger.append_all(b"%d" % number for number in range(10_000))
    other = again(tmp_path)
    assert other.contains(b"9999")
    assert other.append(b"one more") == 10_000


def test_tiles_ahead_of_the_checkpoint_are_not_believed(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """After a crash the checkpoint is the truth: another leaf may come, and what lay ahead is replaced."""
    ledger.append_all([b"a", b"b"])
    shutil.copytree(tmp_path / "evidence", tmp_path / "before")
    ledger.append(b"never signed")
    for name in ("entries", "0"):
        shutil.copy(tmp_path / f"evidence/tile/{name}/000.p/3", tmp_path / f"before/tile/{name}/000.p/3")
    shutil.rmtree(tmp_path / "evidence")
    (tmp_path / "before").rename(tmp_path / "evidence")
    other = again(tmp_path)
    assert not other.contains(b"never signed")
    assert other.append(b"another") == 2
    assert log_checks(tmp_path) == {"passed"}
    need_tiles(tmp_path / "evidence", 3)


def test_a_proof_is_written_beside_its_leaf(begin, ledger: EvidenceLedger, tmp_path: Path) -> None:
    """An older good proof stays when the log has grown; a bad one, or a leaf that is none, is refused."""
    run = begin(1, 2).whole()
    path = tmp_path / "evidence/runs" / run / "6-record.json.tlog-proof"
    before = path.read_bytes()
    begin(2, 0).whole()
    ledger.write_proof(run, "6-record.json")
    assert path.read_bytes() == before
    path.write_bytes(before.replace(b"index 1", b"index 0"))
    with pytest.raises(EvidenceError, match="does not hold"):
        ledger.write_proof(run, "6-record.json")
    path.write_bytes(b"mangled")
    with pytest.raises(EvidenceError, match="cannot be read"):
        ledger.write_proof(run, "6-record.json")
    with pytest.raises(EvidenceError, match="not in the log"):
        ledger.write_proof(run, "1-plan.json")


# --- what is broken ------------------------------------------------------------------------------


def test_a_tampered_checkpoint_is_named(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """Another size, another signature, no checkpoint, one of another key."""
    ledger.append(b"leaf")
    path = tmp_path / "evidence/checkpoint"
    whole = path.read_text()
    other = note.Signer(ORIGIN, bytes(32)).checkpoint(1, leaf_hash(b"leaf"))
    for bent in (whole.replace("\n1\n", "\n2\n"), whole[:-9] + "A" * 8 + "\n", "", other):
        path.write_text(bent)
        with pytest.raises(EvidenceError, match="cannot be trusted"):
            again(tmp_path)
    path.unlink()
    with pytest.raises(EvidenceError, match="checkpoint"):
        again(tmp_path)


def test_tampered_tiles_are_named(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """Hash tiles that do not give the root; entries that do not fit their hashes are never built upon."""
    ledger.append_all([b"a", b"b"])
    hashes, entries = tmp_path / "evidence/tile/0/000.p/2", tmp_path / "evidence/tile/entries/000.p/2"
    whole = hashes.read_bytes()
    for bent in (whole[:-1], whole[::-1], b""):
        hashes.write_bytes(bent)
        with pytest.raises(EvidenceError):
            again(tmp_path)
    hashes.write_bytes(whole)
    for bent in (b"\0\1a\0\1c", b"\0\1a\0\2b", b"\0"):
        entries.write_bytes(bent)
        with pytest.raises(EvidenceError, match="Bundle 0"):
            again(tmp_path).append(b"c")


def test_a_lost_seed_is_named(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """The state has a name and a hint; no new seed is drawn silently."""
    (tmp_path / "keys/log.seed").unlink()
    with pytest.raises(EvidenceError, match=r"seed.*not in the keys folder") as caught:
        again(tmp_path)
    assert "second holder" in caught.value.hint
    assert caught.value.exit_code == 7
    assert not (tmp_path / "keys/log.seed").exists()


def test_a_key_that_does_not_fit_is_named(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """Seed of another log, or another origin."""
    with pytest.raises(EvidenceError, match="does not fit"):
        EvidenceLedger.open(tmp_path / "evidence", tmp_path / "keys", "other.example.net")
    (tmp_path / "keys/log.seed").write_bytes(bytes(32))
    with pytest.raises(EvidenceError, match="does not fit"):
        again(tmp_path)
    (tmp_path / "keys/log.seed").write_bytes(b"short")
    with pytest.raises(EvidenceError, match="32 bytes"):
        again(tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_keys_that_others_can_read_are_refused(ledger: EvidenceLedger, tmp_path: Path, mode: int) -> None:
    """With the command that mends it; the folder as well."""
    for path in (tmp_path / "keys/log.seed", tmp_path / "keys"):
        private = path.stat().st_mode & 0o777
        path.chmod(mode | 0o100)
        with pytest.raises(EvidenceError, match="by others") as caught:
            again(tmp_path)
        assert caught.value.hint.startswith("chmod ")
        path.chmod(private)
    again(tmp_path)


def test_new_keys_are_private_whatever_the_umask(tmp_path: Path) -> None:
    """0700 and 0600."""
    old = os.umask(0)
    try:
        ledger = EvidenceLedger.create(tmp_path / "evidence", tmp_path / "keys", ORIGIN)
        ledger.tombstone_key("2026-10-01-a", create=True)
    finally:
        os.umask(old)
    modes = {path.name: path.stat().st_mode & 0o777 for path in [tmp_path / "keys", *(tmp_path / "keys").iterdir()]}
    assert modes == {"keys": 0o700, "log.seed": 0o600, "tombstone-2026-10-01-a.key": 0o600}


def test_keys_inside_the_evidence_are_refused(tmp_path: Path) -> None:
    """Whoever is given the evidence must not be given the keys."""
    for keys in (tmp_path / "evidence/keys", tmp_path / "evidence"):
        with pytest.raises(ConfigurationError, match="inside evidence/"):
            EvidenceLedger.create(tmp_path / "evidence", keys, ORIGIN)


@pytest.mark.parametrize(
    "name",
    ["checkpoint", "log.vkey", "tile/0/000.p/1", ".lock", "runs/2026-10-01-a/1-plan.json", "runs/2026-10-01-a", "runs"],
)
def test_a_link_in_the_place_of_a_file_of_ours_is_refused(ledger: EvidenceLedger, tmp_path: Path, name: str) -> None:
    """Even one that leads to the right bytes; and nothing is written through it."""
    ledger.write_once("2026-10-01-a", "1-plan.json", b"{}")
    ledger.append(b"leaf")
    path = tmp_path / "evidence" / name
    path.rename(tmp_path / "aside")
    path.symlink_to(tmp_path / "aside")
    with pytest.raises(LifecycleError):
        use(again(tmp_path))
    path.unlink()
    (tmp_path / "aside").rename(path)
    use(again(tmp_path))


def use(ledger: EvidenceLedger) -> None:
    with ledger.locked():
        ledger.runs()
        ledger.listing("2026-10-01-a")
        ledger.write_once("2026-10-01-a", "1-plan.json", b"{}")


# --- keys ----------------------------------------------------------------------------------------


def test_a_tombstone_key_is_drawn_once_a_run(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """32 bytes, the same again, another for another run, none for a run that was planned with a lost one."""
    first = ledger.tombstone_key("2026-10-01-a", create=True)
    assert len(first) == 32
    assert ledger.tombstone_key("2026-10-01-a", create=True) == first == again(tmp_path).tombstone_key("2026-10-01-a")
    assert ledger.tombstone_key("2026-10-01-b", create=True) != first
    with pytest.raises(EvidenceError, match="not in the keys folder"):
        ledger.tombstone_key("2026-10-01-c")
    ledger.write_once("2026-10-01-a", "1-plan.json", b"{}")
    (tmp_path / "keys/tombstone-2026-10-01-a.key").unlink()
    with pytest.raises(EvidenceError, match="not in the keys folder"):
        ledger.tombstone_key("2026-10-01-a", create=True)


def test_destroying_a_key_is_a_leaf_of_its_own(begin, ledger: EvidenceLedger, tmp_path: Path) -> None:
    """The key is gone, the statement names the plan, and doing it again changes nothing."""
    run = begin(1, 2).whole()
    size = ledger.checkpoint().size
    ledger.destroy_tombstone_key(run)
    assert not (tmp_path / f"keys/tombstone-{run}.key").exists()
    statement = (tmp_path / f"evidence/keys-log/tombstone-{run}.json").read_bytes()
    assert ledger.contains(statement)
    assert json.loads(statement)["predicate"] == {
        "event": "key-destroyed",
        "runId": run,
        "recordedAt": "2026-10-09T00:00:00+00:00",
    }
    ledger.destroy_tombstone_key(run)
    assert ledger.checkpoint().size == size + 1
    assert set(outcomes(tmp_path).values()) == {"passed"}


def test_a_destruction_that_was_cut_off_is_finished(begin, ledger: EvidenceLedger, tmp_path: Path) -> None:
    """The key went first; its leaf follows when the same command runs again."""
    run = begin(1, 2).whole()
    (tmp_path / f"keys/tombstone-{run}.key").unlink()
    ledger.destroy_tombstone_key(run)
    assert set(outcomes(tmp_path).values()) == {"passed"}
    assert ledger.checkpoint().size == 3


# --- one user at a time --------------------------------------------------------------------------


@pytest.mark.slow
def test_a_second_process_is_told_who_holds_the_lock(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """Process and time; it is a refusal, since nothing was done."""
    code = (
        "import sys, pathlib\n"
        "from lifecycle.errors import Refused\n"
        "from lifecycle.ledger.evidence import EvidenceLedger\n"
        "home = pathlib.Path(sys.argv[1])\n"
        "ledger = EvidenceLedger.open(home / 'evidence', home / 'keys', sys.argv[2])\n"
        "try:\n    ledger.append(b'leaf')\n"
        "except Refused as error:\n    print(error.fact)\n"
    )
    call = [sys.executable, "-c", code, str(tmp_path), ORIGIN]
    with ledger.locked():
        said = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    assert f"held by process {os.getpid()} since 20" in said
    assert subprocess.run(call, capture_output=True, text=True, check=True).stdout == ""
    assert ledger.checkpoint().size == 1


def test_the_lock_is_given_back_and_may_be_entered_again(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """By the same thread; another object or thread is refused meanwhile, and an error gives it back too."""
    refused: list[LifecycleError] = []

    def try_it() -> None:
        with pytest.raises(Refused) as caught, ledger.locked():
            pass
        refused.append(caught.value)

    with ledger.locked(), ledger.locked():
        with pytest.raises(Refused), again(tmp_path).locked():
            pass
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert refused[0].exit_code == 6
    with pytest.raises(KeyError), ledger.locked():
        raise KeyError
    with again(tmp_path).locked():
        pass


def test_a_lock_file_in_another_form_is_not_quoted(ledger: EvidenceLedger, tmp_path: Path) -> None:
    """Whatever somebody wrote into it stays there."""
    with ledger.locked():
        (tmp_path / "evidence/.lock").write_text("Vorname-Kanari")
        with pytest.raises(Refused, match="another process") as caught, again(tmp_path).locked():
            pass
    assert "Kanari" not in str(caught.value)
