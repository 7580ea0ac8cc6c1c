"""The verifier accepts true evidence and nothing else."""

from __future__ import annotations

import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lifecycle.ledger import note, tiles, verify
from lifecycle.ledger.evidence import EvidenceLedger
from lifecycle.ledger.merkle import Tree, leaf_hash

pytestmark = pytest.mark.slow

VERIFIER = Path(verify.__file__)
Begin = Callable[..., "object"]


@pytest.fixture
def evidence(begin, ledger: EvidenceLedger, tmp_path: Path) -> Path:
    """Two sealed runs, one of them over two stores, a night with nothing due, an aborted one, a destroyed key."""
    first = begin(1, 3).whole()
    begin(2, 0).whole()
    begin(3, 2, ("workspace", "archive")).whole()
    drifted = begin(4, 2)
    drifted.plan()
    drifted.approve()
    drifted.intend()
    drifted.abort()
    ledger.destroy_tombstone_key(first)
    return tmp_path / "evidence"


def failed(evidence: Path, vkey: str, kept: tuple[int, str] | None = None) -> list[str]:
    """Name the checks that failed."""
    return [name for name, outcome in verify.verify(evidence, vkey, kept) if outcome == "failed"]


def files_of(evidence: Path) -> list[Path]:
    return sorted(path for path in evidence.rglob("*") if path.is_file() and path.name != ".lock")


def restored(evidence: Path, change: Callable[[], None]) -> Iterator[None]:
    """Keep a copy, make a change, put everything back afterwards."""
    copy = evidence.parent / "copy"
    shutil.copytree(evidence, copy)
    change()
    yield
    shutil.rmtree(evidence)
    copy.rename(evidence)


def test_true_evidence_passes_every_check(evidence: Path, vkey: str) -> None:
    """Sealed, empty, aborted and many-store runs and a destroyed key are all in order."""
    outcomes = verify.verify(evidence, vkey)
    assert {outcome for _, outcome in outcomes} == {"passed"}
    assert len(outcomes) == 8


def test_a_new_log_passes(ledger: EvidenceLedger, vkey: str, tmp_path: Path) -> None:
    """An empty log is evidence too: its checkpoint is signed."""
    assert failed(tmp_path / "evidence", vkey) == []


def test_the_key_may_lie_in_a_file(evidence: Path) -> None:
    """VKEY is the key itself or a file that holds it."""
    assert failed(evidence, str(evidence / "log.vkey")) == []


def test_another_key_is_refused(evidence: Path, tmp_path: Path) -> None:
    """A key of the same name that did not sign is not accepted."""
    other = note.Signer("clinic.example.org/lifecycle", bytes(32)).verifier.vkey
    assert failed(evidence, other)


def test_a_planned_run_without_intent_is_no_fault(evidence: Path, vkey: str, begin) -> None:
    """Before the intent nothing was deleted, so there is nothing to prove."""
    begin(5, 2).plan()
    assert failed(evidence, vkey) == []


def test_the_approval_of_a_plan_that_never_began_is_not_judged(evidence: Path, vkey: str, begin, ledger) -> None:
    """Half an approval, or one that can never count, is in nobody's way; from the intent on it is judged."""
    half, whole = begin(5, 2), begin(6, 2)
    half.plan()
    half.approve(signed=True)
    whole.plan()
    whole.approve(role="dpo")
    ledger.write_once(whole.run, "2-approval.json.sig", b"a signature")
    said: list[str] = []
    outcomes = dict(verify.verify(evidence, vkey, say=said.append))
    assert set(outcomes.values()) == {"passed"}
    assert "signed: 0 of 3 approvals" in said[-1]
    half.intend()
    half.delete()
    half.verified()
    half.seal()
    assert failed(evidence, vkey) == ["run signatures and stamps hold"]


def test_an_unfinished_run_is_not_accepted(evidence: Path, vkey: str, begin) -> None:
    """From the intent to the proof every state says that it is unfinished."""
    run = begin(5, 2)
    run.plan()
    run.approve()
    for step in (run.intend, run.delete, run.verified):
        step()
        assert failed(evidence, vkey) == ["run has one proved outcome"]
    run.seal()
    assert failed(evidence, vkey) == []
    (evidence / "runs" / run.run / "6-record.json.tlog-proof").unlink()
    assert failed(evidence, vkey) == ["run has one proved outcome"]


def test_an_aborted_run_needs_its_proof_too(evidence: Path, vkey: str) -> None:
    """A crash between the leaf and its proof leaves a run that is not finished."""
    (evidence / "runs/2026-10-04-a/6-aborted.json.tlog-proof").unlink()
    assert failed(evidence, vkey) == ["run has one proved outcome"]


def test_every_flipped_bit_is_detected(evidence: Path, vkey: str) -> None:
    """One flipped bit at a few places of every file."""
    assert undetected_flips(evidence, vkey, flips=3) == []


@pytest.mark.slow
def test_every_flipped_bit_is_detected_everywhere(evidence: Path, vkey: str) -> None:
    """One flipped bit at many places of every file."""
    assert undetected_flips(evidence, vkey, flips=60) == []


def undetected_flips(evidence: Path, vkey: str, flips: int) -> list[str]:
    chance, missed = random.Random(20261001), []
    for path in files_of(evidence):
        whole = path.read_bytes()
        places = {0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(flips))} if whole else set()
        for place in places:
            bit = 1 << chance.randrange(8)
            path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            if not failed(evidence, vkey):
                missed.append(f"{path.relative_to(evidence)} byte {place} bit {bit}")
        path.write_bytes(whole)
    assert failed(evidence, vkey) == []
    return missed


def test_every_truncation_and_addition_is_detected(evidence: Path, vkey: str) -> None:
    """Emptied, cut in half, one byte shorter, one longer, written twice."""
    missed = []
    for path in files_of(evidence):
        whole = path.read_bytes()
        for piece in (b"", whole[: len(whole) // 2], whole[:-1], whole + b"\n", whole + whole):
            path.write_bytes(piece)
            if not failed(evidence, vkey):
                missed.append(f"{path.relative_to(evidence)} with {len(piece)} of {len(whole)} bytes")
        path.write_bytes(whole)
    assert missed == []


def test_every_removal_is_detected(evidence: Path, vkey: str) -> None:
    """Each file by itself, and each run as a whole."""
    missed = []
    for path in files_of(evidence):
        whole = path.read_bytes()
        path.unlink()
        if not failed(evidence, vkey):
            missed.append(str(path.relative_to(evidence)))
        path.write_bytes(whole)
    for run in (evidence / "runs").iterdir():
        run.rename(evidence.parent / "gone")
        if not failed(evidence, vkey):
            missed.append(run.name)
        (evidence.parent / "gone").rename(run)
    assert missed == []


@pytest.mark.parametrize("more", [b"\0\1x", b"\0", b"\xff"])
def test_an_entry_bundle_holds_its_leaves_and_nothing_else(evidence: Path, vkey: str, more: bytes) -> None:
    """A leaf too many, or a half one, does not change the root; it is refused all the same."""
    (bundle,) = (evidence / "tile/entries").rglob("*.p/*")
    whole = bundle.read_bytes()
    bundle.write_bytes(whole + more)
    assert failed(evidence, vkey)
    at = len(whole) - len(tiles.unpack(whole)[-1]) - 2
    longer = int.from_bytes(whole[at : at + 2], "big") + 1  # the last leaf claims a byte more than there is
    bundle.write_bytes(whole[:at] + longer.to_bytes(2, "big") + whole[at + 2 :])
    assert failed(evidence, vkey)


def test_every_swap_is_detected(evidence: Path, vkey: str) -> None:
    """The bytes of any two files exchanged (where they differ), and two runs under each other's name."""
    files, missed = files_of(evidence), []
    pairs = [(one, two) for one in files for two in files if one < two]
    for one, two in random.Random(4).sample(pairs, 150):
        first, second = one.read_bytes(), two.read_bytes()
        if first == second:
            continue
        one.write_bytes(second)
        two.write_bytes(first)
        if not failed(evidence, vkey):
            missed.append(f"{one.name} and {two.name}")
        one.write_bytes(first)
        two.write_bytes(second)
    runs = sorted((evidence / "runs").iterdir())
    runs[0].rename(evidence.parent / "gone")
    runs[1].rename(runs[0])
    (evidence.parent / "gone").rename(runs[1])
    assert failed(evidence, vkey)
    assert missed == []


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "runs/list.csv",
        "runs/2026-10-01-a/patients.csv",
        "runs/2026-10-02-a/2-approval.json",
        "runs/2026-10-02-a/5-verified.json",
        "runs/2026-10-01-a/6-aborted.json",
        "runs/2026-10-01-a/6-aborted.json.tlog-proof",
        "runs/2026-10-04-a/6-record.json",
        "runs/2026-10-09-a/6-record.json",
        "runs/2026-10-09-a/3-intent.json",
        "keys-log/other.json",
        "keys-log/notes.txt",
        "tile/notes.txt",
        "tile/0/notes",
        ".tmp-checkpoint",
    ],
)
def test_every_addition_is_detected(evidence: Path, vkey: str, name: str) -> None:
    """A file that does not belong here, or that no leaf speaks of."""
    path = evidence / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((evidence / "runs/2026-10-01-a/6-record.json").read_bytes())
    assert failed(evidence, vkey)


def test_what_is_harmless_is_accepted(evidence: Path, vkey: str, begin) -> None:
    """The lock, a plan before its intent, superseded and early tiles, empty folders: nothing rests on them."""
    begin(7, 1).plan()
    (evidence / "runs/2026-10-07-a/1-plan.json").write_bytes(b"{}")
    (evidence / ".lock").write_bytes(b"anything")
    (evidence / "runs" / "2026-10-08-a").mkdir()
    for name in ("tile/0/000.p/1", "tile/0/000.p/200", "tile/entries/001.p/3", "tile/1/000"):
        (evidence / name).parent.mkdir(exist_ok=True)
        (evidence / name).write_bytes(b"an older or an early tile")
    assert failed(evidence, vkey) == []


def test_links_are_refused(evidence: Path, vkey: str, tmp_path: Path) -> None:
    """A link in the place of a file or a folder is refused, even if what it leads to is right."""
    plan = evidence / "runs/2026-10-01-a/1-plan.json"
    plan.rename(tmp_path / "plan")
    plan.symlink_to(tmp_path / "plan")
    assert failed(evidence, vkey)
    plan.unlink()
    (tmp_path / "plan").rename(plan)
    (evidence / "keys-log").rename(tmp_path / "keys-log")
    (evidence / "keys-log").symlink_to(tmp_path / "keys-log")
    assert failed(evidence, vkey)


def test_a_pipe_in_the_place_of_a_file_does_not_hang(evidence: Path, vkey: str) -> None:
    """A named pipe would block a careless reader for ever."""
    plan = evidence / "runs/2026-10-01-a/1-plan.json"
    plan.unlink()
    os.mkfifo(plan)
    assert failed(evidence, vkey)


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"[" * 100_000,
        b'{"_type":' * 20_000,
        b"\xff\xfe",
        b"{" + b"9" * 5000,
        b"NaN",
        b"\0",
    ],
)
def test_mangled_files_give_a_sentence_and_no_traceback(evidence: Path, vkey: str, junk: bytes) -> None:
    """Whatever stands in a file, verify returns outcomes."""
    for path in files_of(evidence)[::3]:
        whole = path.read_bytes()
        path.write_bytes(junk)
        assert failed(evidence, vkey)
        path.write_bytes(whole)


def test_nothing_of_a_file_is_ever_printed(evidence: Path, vkey: str) -> None:
    """A canary in every file and in a foreign file's name never comes out."""
    canary, said = "Vorname-Kanari", []
    for place in ("runs", "keys-log", "tile", canary):
        (evidence / place).mkdir(exist_ok=True)
        (evidence / place / f"{canary} and more.json").write_text(canary)
    # Commands are printed to be pasted: the name of a folder must not become one.
    shutil.copytree(evidence / "runs/2026-10-01-a", evidence / "runs" / f"{canary}; touch pasted")
    (evidence / "runs" / f"{canary}; touch pasted" / "2-approval.json.sig").write_text(canary)
    for path in files_of(evidence):
        whole = path.read_bytes()
        for junk in (canary.encode(), json.dumps({canary: canary}).encode(), whole.replace(b"runId", canary.encode())):
            path.write_bytes(junk)
            verify.verify(evidence, vkey, say=said.append)
        path.write_bytes(whole)
    assert said
    assert not [line for line in said if canary in line]


def test_a_kept_checkpoint_must_be_a_prefix(evidence: Path, vkey: str, ledger: EvidenceLedger, begin) -> None:
    """What was sent out of the house earlier still fits; another root or a larger size does not."""
    kept = ledger.checkpoint()
    begin(6, 1).whole()
    assert failed(evidence, vkey, (kept.size, kept.root)) == []
    assert failed(evidence, vkey, (kept.size - 1, kept.root))
    assert failed(evidence, vkey, (kept.size + 9, kept.root))
    assert failed(evidence, vkey, (-1, kept.root))
    assert failed(evidence, vkey, (kept.size, "not base64"))


def test_a_log_rolled_back_is_seen_by_a_kept_checkpoint_alone(
    evidence: Path, vkey: str, ledger: EvidenceLedger, begin
) -> None:
    """An older copy of the whole folder is consistent in itself: this is why a checkpoint leaves the house."""
    older = evidence.parent / "older"
    shutil.copytree(evidence, older)
    begin(6, 1).whole()
    kept = ledger.checkpoint()
    assert failed(older, vkey) == []
    assert failed(older, vkey, (kept.size, kept.root))


def order(until: str = "2026-10-01", rows: int = 3, percent: float = 6.0) -> dict[str, object]:
    """A standing approval that just covers a run of three rows of fifty on the first of October."""
    return {"role": "controller", "limits": {"maxRows": rows, "maxPercent": percent}, "until": until}


@pytest.mark.parametrize("until", ["2026-10-01", "2026-09-30"])
def test_a_standing_approval_that_covered_its_run_passes(evidence: Path, vkey: str, begin, until: str) -> None:
    """Up to its limits; and its last day, which in a zone west of Greenwich is already the next one in UTC."""
    bent(begin(5, 3), approve={"standing": order(until)})
    assert failed(evidence, vkey) == []


BENT_RUNS: dict[str, Callable[..., object]] = {
    "the standing approval had ended": lambda run: bent(run, approve={"standing": order("2026-09-29")}),
    "it covered fewer rows": lambda run: bent(run, approve={"standing": order(rows=2)}),
    "it covered a smaller part": lambda run: bent(run, approve={"standing": order(percent=5.99)}),
    "it has no limits": lambda run: bent(run, approve={"standing": {"role": "controller"}}),
    "the plan says another count": lambda run: bent(run, plan={"count": 2}),
    "another plan was approved": lambda run: bent(run, approve={"planSha256": "0" * 64}),
    "another run was approved": lambda run: bent(run, approve={"runId": "2026-10-01-z"}),
    "the data protection officer approved": lambda run: bent(run, approve={"role": "dpo"}),
    "signed without a signature": lambda run: bent(run, approve={"signed": True}),
    "the intent says another count": lambda run: bent(run, intend={"count": 4}),
    "the intent is of another run": lambda run: bent(run, intend={"runId": "2026-10-01-z"}),
    "the intent is no intent": lambda run: bent(run, intend={"event": "sealed"}),
    "due rows are left": lambda run: bent(run, verified={"stillDue": 1}),
    "it says nothing of due rows": lambda run: bent(run, verified={"stillDue": None}),
    "rows went too early": lambda run: bent(run, verified={"deletedBeforeDue": 1}),
    "tombstoned rows are there": lambda run: bent(run, verified={"tombstonedStillPresent": 1}),
    "what stays was changed": lambda run: bent(run, verified={"retainedSetUnchanged": False}),
    "values were found": lambda run: bent(run, verified={"residue": residue(foundInNew=1)}),
    "the scan could not see": lambda run: bent(run, verified={"residue": residue(foundInOld=3)}),
    "the scan looked for nothing": lambda run: bent(run, verified={"residue": residue(controls=0, foundInOld=0)}),
    "before does not add up": lambda run: bent(run, counts={"before": 51}),
    "the stores kept another number": lambda run: bent(run, counts={"before": 51, "retained": 48}),
    "due does not add up": lambda run: bent(run, counts={"due": 4}),
    "rows failed": lambda run: bent(run, counts={"deleted": 2, "failed": 1, "retained": 48}),
    "zero deletions are complete": lambda run: bent(run, counts={"deleted": 0, "due": 3, "failed": 3, "retained": 50}),
    "a negative count": lambda run: bent(run, counts={"held": -1, "failed": 1}),
    "a check failed": lambda run: bent(run, seal={"checks": {"residue": "failed"}}),
    "a check is unknown": lambda run: bent(run, seal={"checks": {"residue": "unknown"}}),
    "no checks at all": lambda run: bent(run, seal={"checks": {}}),
    "nothing erased": lambda run: bent(run, seal={"erasure": "none"}),
    "the record is of another run": lambda run: bent(run, seal={"runId": "2026-10-01-z"}),
    "the record is no record": lambda run: bent(run, seal={"event": "intent"}),
}


def residue(**bent_values: int) -> dict[str, int]:
    return {"places": 1, "files": 2, "bytes": 3, "controls": 4, "foundInOld": 4, "foundInNew": 0} | bent_values


def bent(run, plan=None, approve=None, intend=None, verified=None, counts=None, seal=None) -> None:
    run.plan(**plan or {})
    run.approve(**approve or {})
    run.intend(**intend or {})
    run.delete()
    run.verified(**verified or {})
    run.seal(counts, **seal or {})


def test_an_unbent_run_passes(evidence: Path, vkey: str, begin) -> None:
    """The measure for the test below: the same steps, nothing bent."""
    bent(begin(5, 3))
    assert failed(evidence, vkey) == []


@pytest.mark.parametrize("how", BENT_RUNS)
def test_signed_evidence_that_contradicts_itself_is_refused(evidence: Path, vkey: str, begin, how: str) -> None:
    """The writer may sign what it likes: the verifier counts again."""
    BENT_RUNS[how](begin(5, 3))
    assert failed(evidence, vkey), how


def test_unsorted_or_repeated_tombstones_are_refused(evidence: Path, vkey: str, begin) -> None:
    """Distinct and sorted, so that their number is the number of rows."""
    for day, bend in ((5, lambda marks: marks[::-1]), (6, lambda marks: [marks[0], *marks[:2]])):
        run = begin(day, 3)
        run.plan()
        run.approve()
        run.marks = bend(run.marks)
        run.intend()
        run.delete()
        run.verified()
        run.seal()
    said: list[str] = []
    verify.verify(evidence, vkey, say=said.append)
    assert "\n".join(said).count("distinct, sorted tombstones") == 2


def test_a_withdrawn_signature_is_reported_with_its_digest(evidence: Path, vkey: str, begin, ledger) -> None:
    """A signature file that names staff may go later, if the withdrawal is a leaf; otherwise it is missing."""
    run = begin(5, 2)
    run.plan()
    run.approve(signed=True)
    ledger.write_once(run.run, "2-approval.json.sig", b"a signature")
    run.intend()
    run.delete()
    run.verified()
    run.seal()
    path, digest = f"runs/{run.run}/2-approval.json.sig", run.digest("2-approval.json.sig")
    (evidence / path).unlink()
    assert "files" in failed(evidence, vkey)
    statement = run.statement([], {"event": "withdrawn"}) | {"subject": [{"name": path, "digest": {"sha256": digest}}]}
    leaf = json.dumps(statement).encode()
    (evidence / "keys-log" / f"withdrawn-{run.run}.json").write_bytes(leaf)
    ledger.append(leaf)
    said: list[str] = []
    assert dict(verify.verify(evidence, vkey, say=said.append))["files"] == "unknown"
    assert failed(evidence, vkey) == []
    assert digest in "\n".join(said)


def test_a_leaf_that_is_in_the_log_twice_is_refused(vkey: str, ledger: EvidenceLedger, tmp_path: Path) -> None:
    """The writer never does it; a signed log that does is refused."""
    leaf, tree = b'{"subject": [], "predicate": {"event": "note"}}', Tree([])
    for _ in range(2):
        tree.add(leaf_hash(leaf))
    tiles.write_growth(tmp_path / "evidence", tree, 0, [leaf, leaf])
    signer = note.Signer("clinic.example.org/lifecycle", (tmp_path / "keys/log.seed").read_bytes())
    (tmp_path / "evidence/checkpoint").write_text(signer.checkpoint(2, tree.root()))
    (tmp_path / "evidence/keys-log").mkdir()
    (tmp_path / "evidence/keys-log/note-1.json").write_bytes(leaf)
    assert failed(tmp_path / "evidence", vkey) == ["leaves"]


def ssh_key(folder: Path, name: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / name)], check=True)
    return folder / name


def pasted(line: str, evidence: Path, public: Path, folder: Path) -> bool:
    """Run the printed command as it stands in the evidence folder, with the one path filled in."""
    (command,) = re.findall("not checked: (.*)", line)
    (folder / "signers").write_text(f'controller namespaces="deletion-approval" {public.read_text()}')
    assert command.count("/path/to/") == 1
    command = command.replace("/path/to/allowed_signers", str(folder / "signers"))
    return subprocess.run(command, shell=True, cwd=evidence, capture_output=True, check=False).returncode == 0


def test_an_ssh_signature_is_checked_where_the_signers_are_known(evidence: Path, vkey: str, begin, tmp_path) -> None:
    """ssh-keygen checks it; without the file of allowed signers the command is printed."""
    key, other = ssh_key(tmp_path, "key"), ssh_key(tmp_path, "other")
    run = begin(5, 2)
    run.plan()
    run.approve(signed=True)
    approval = evidence / "runs" / run.run / "2-approval.json"
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-n", "deletion-approval", "-f", str(key), str(approval)],
        check=True,
        capture_output=True,
    )
    run.intend()
    run.delete()
    run.verified()
    run.seal()
    said: list[str] = []
    outcomes = dict(verify.verify(evidence, vkey, say=said.append))
    assert outcomes["run signatures and stamps hold"] == "unknown"
    assert pasted(said[-1], evidence, key.with_suffix(".pub"), tmp_path)
    assert not pasted(said[-1], evidence, other.with_suffix(".pub"), tmp_path)
    for signer, outcome in ((key, "passed"), (other, "failed")):
        public = signer.with_suffix(".pub").read_text()
        (evidence / "allowed_signers").write_text(f'controller namespaces="deletion-approval" {public}')
        assert dict(verify.verify(evidence, vkey))["run signatures and stamps hold"] == outcome
    (evidence / "allowed_signers").rename(tmp_path / "allowed_signers")
    assert dict(verify.verify(evidence, vkey, trusted=tmp_path))["run signatures and stamps hold"] == "failed"


def test_what_nobody_signed_or_stamped_is_said(ledger: EvidenceLedger, vkey: str, begin, tmp_path: Path) -> None:
    """Signatures and stamps that hold are none, where there are none: the numbers stand beside "passed"."""
    begin(5, 2).whole()
    run = begin(6, 2)
    run.plan()
    run.approve(standing=order())
    run.intend()
    run.delete()
    run.verified()
    run.seal()
    begin(7, 0).whole()
    said: list[str] = []
    outcomes = verify.verify(tmp_path / "evidence", vkey, say=said.append)
    assert outcomes[-1] == ("run signatures and stamps hold", "passed")
    assert said[-1].splitlines()[1:] == [
        "   signed: 0 of 2 approvals; 1 rest on a standing one; stamped: 0 of 3 records"
    ]
    assert not any("signed:" in line for line in said[:-1])


def test_the_file_runs_by_itself(evidence: Path, vkey: str, tmp_path: Path) -> None:
    """Copied alone into an empty folder, it verifies and ends with 0 or 7."""
    alone = tmp_path / "alone" / "verify.py"
    alone.parent.mkdir()
    shutil.copy(VERIFIER, alone)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        call = [sys.executable, "-I", str(alone), *words]
        return subprocess.run(call, capture_output=True, text=True, cwd=alone.parent, check=False)

    good = run(str(evidence), vkey)
    assert (good.returncode, good.stderr) == (0, "")
    assert "1. " in good.stdout
    assert "Not shown" in good.stdout
    head = (evidence / "checkpoint").read_text().split("\n")
    assert run(str(evidence), vkey, head[1], head[2]).returncode == 0
    assert run(str(evidence), vkey, head[1], "A" * 43 + "=").returncode == 7
    (evidence / "runs/2026-10-01-a/1-plan.json").write_text("{}")
    bad = run(str(evidence), str(evidence / "log.vkey"))
    assert (bad.returncode, bad.stderr) == (7, "")


def test_the_verifier_shares_no_code_with_the_writer() -> None:
    """It imports the standard library and cryptography alone, and has at most 200 lines of code."""
    tree = ast.parse(VERIFIER.read_text())
    imported = {
        (name.name if isinstance(each, ast.Import) else str(each.module)).split(".")[0]
        for each in ast.walk(tree)
        if isinstance(each, (ast.Import, ast.ImportFrom))
        for name in each.names
    }
    assert imported - {"cryptography"} <= sys.stdlib_module_names
    assert not [each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom) and each.level]
    words = {line for each in ast.walk(tree) if isinstance(each, ast.stmt) for line in said_lines(each)}
    code = [
        line
        for number, line in enumerate(VERIFIER.read_text().splitlines(), 1)
        if line.strip() and not line.strip().startswith("#") and number not in words
    ]
    assert len(code) <= 200


def said_lines(each: ast.stmt) -> range:
    """Give the lines of a docstring."""
    is_text = isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
    return range(each.lineno, (each.end_lineno or 0) + 1) if is_text else range(0)


@pytest.mark.slow
def test_a_year_of_runs_verifies(ledger: EvidenceLedger, vkey: str, begin, tmp_path) -> None:
    """400 runs, proofs included."""
    for number in range(400):
        begin(1 + number % 30, number % 4).whole()
    assert failed(tmp_path / "evidence", vkey) == []


@pytest.mark.slow
def test_ten_thousand_leaves_verify(ledger: EvidenceLedger, vkey: str, tmp_path: Path) -> None:
    """A log of 10,000 statements, all with their files."""
    leaves = []
    (tmp_path / "evidence/keys-log").mkdir()
    for number in range(10_000):
        leaf = json.dumps({"subject": [], "predicate": {"event": "note", "number": number}}).encode()
        (tmp_path / "evidence/keys-log" / f"note-{number}.json").write_bytes(leaf)
        leaves.append(leaf)
    ledger.append_all(leaves)
    assert failed(tmp_path / "evidence", vkey) == []
