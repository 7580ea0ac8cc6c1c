"""Somebody edits the evidence: flipped bits, truncations, additions, removals, swaps, in every file of it.

Each is detected by the verifier, or nothing rests on the file at all.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from campaigns.promises import failed
from campaigns.scene import Scene, call
from campaigns.tally import Tally

SIGNED = ("checkpoint", "log.vkey", "log.pub.pem", ".tlog-proof", ".sig")
"""Where every bit is flipped, since base64 can be spelled in several ways; elsewhere one bit of every byte."""
HARMLESS = {
    ".lock": "who held the folder last; it is emptied and written by every process",
    "allowed_signers": "who checks brings a list of his own: this one is the operator's",
}
ADDED = (
    *("notes.txt", "runs/notes.txt", "runs/{run}/notes.txt", "runs/{run}/6-aborted.json", "keys-log/notes.json"),
    *("runs/2020-01-01-a/3-intent.json", "runs/2020-01-01-a/6-record.json", "runs/{run}/2-approval.json.sig"),
    *("runs/{run}/.tmp-6-record.json", "tile/notes", "tile/0/notes", "checkpoint.old", "runs/{run}/6-record.json.bak"),
)


def campaign(scene: Scene, folder: Path, *, every: int = 1, seed: int = 1) -> Tally:
    """Try every change (of ``every``, one) on the evidence of three sealed runs, a signature and a change of keys."""
    tally = Tally("bits", "changes of the evidence were detected, or nothing rests on them")
    path = scene.copy(folder / "workspace")
    call(path, "purge", scene.run_id)
    _sign_and_rotate(path)
    evidence, chance = path / "evidence", random.Random(seed)
    files = sorted(each for each in evidence.rglob("*") if each.is_file())
    if wrong := failed(path):
        tally.broken.append(f"untouched, the evidence fails: {', '.join(sorted(wrong))}")
    changes = [*_flips(files, chance), *_lengths(files)]
    for file, what, data in changes[chance.randrange(every) :: every]:
        whole = file.read_bytes()
        file.write_bytes(data)
        _count(tally, path, what, file.relative_to(evidence).as_posix())
        file.write_bytes(whole)
    _remove(tally, path, files)
    _add(tally, path, scene.run_id)
    _swap(tally, path, list(combinations(files, 2))[chance.randrange(every) :: every])
    if wrong := failed(path):
        tally.broken.append(f"put back, the evidence fails: {', '.join(sorted(wrong))}")
    return tally


def _sign_and_rotate(path: Path) -> None:
    """A night with nothing due whose approval is signed, and a new key of the log: files that no other run has."""
    key = path.parent / "second-person"
    key.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)], check=True)
    (path / "approvals/allowed_signers").write_text(f"controller {key.with_suffix('.pub').read_text()}")
    night = call(path, "plan")["runId"]
    call(path, "approve", night, "--role", "controller", "--key", str(key))
    call(path, "purge", night)
    call(path, "key", "rotate")


def _flips(files: list[Path], chance: random.Random) -> Iterator[tuple[Path, str, bytes]]:
    for file in files:
        whole = file.read_bytes()
        for at in range(len(whole)):
            for bit in range(8) if file.name.endswith(SIGNED) else [chance.randrange(8)]:
                yield file, "a flipped bit", whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]


def _lengths(files: list[Path]) -> Iterator[tuple[Path, str, bytes]]:
    for file in files:
        whole = file.read_bytes()
        for end in range(0, len(whole), max(1, len(whole) // 50)):
            yield file, "a truncation", whole[:end]
        for more in (b"\0", b"\n", b" ", b"{}", whole):
            if more:
                yield file, "something appended", whole + more
                yield file, "something put before", more + whole


def _remove(tally: Tally, path: Path, files: list[Path]) -> None:
    aside = path.parent / "aside"
    for each in [*files, *(path / "evidence/runs").iterdir(), path / "evidence/tile", path / "evidence/runs"]:
        each.rename(aside)
        _count(tally, path, "a removal", each.relative_to(path / "evidence").as_posix())
        aside.rename(each)


def _add(tally: Tally, path: Path, run_id: str) -> None:
    for name in ADDED:
        new = path / "evidence" / name.format(run=run_id)
        folder_is_new = not new.parent.exists()
        new.parent.mkdir(exist_ok=True)
        shutil.copy(path / f"evidence/runs/{run_id}/6-record.json", new)
        _count(tally, path, "an addition", new.name)
        new.unlink()
        if folder_is_new:
            new.parent.rmdir()


def _swap(tally: Tally, path: Path, pairs: list[tuple[Path, Path]]) -> None:
    for one, two in pairs:
        first, second = one.read_bytes(), two.read_bytes()
        if first == second or one.name in HARMLESS or two.name in HARMLESS:
            continue
        one.write_bytes(second)
        two.write_bytes(first)
        _count(tally, path, "a swap", f"{one.name} and {two.name}")
        one.write_bytes(first)
        two.write_bytes(second)


def _count(tally: Tally, path: Path, what: str, name: str) -> None:
    tally.cases += 1
    if failed(path):
        tally.seen[f"{what}, detected"] += 1
    elif name in HARMLESS:
        tally.seen[f"{what}, harmless ({name})"] += 1
    else:
        tally.broken.append(f"{what} in {name} is not detected")
