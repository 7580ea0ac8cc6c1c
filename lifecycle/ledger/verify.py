#!/usr/bin/env python3
"""Check evidence of deletion: python verify.py EVIDENCE VKEY [SIZE ROOT]. Ends with 0, or 7: broken or unfinished.

VKEY is the log's public key or a file that holds it, SIZE and ROOT two lines of a checkpoint kept elsewhere."""

import os
import re
import subprocess
import sys
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from functools import reduce
from hashlib import sha256
from itertools import pairwise
from json import loads
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

PLAN, APPROVAL, SIGNATURE = "1-plan.json", "2-approval.json", "2-approval.json.sig"
TOMBSTONES, INTENT, DELETED, VERIFIED = "tombstones.txt", "3-intent.json", "4-deleted.json", "5-verified.json"
RECORD, ABORTED, PROOF, STAMP = "6-record.json", "6-aborted.json", ".tlog-proof", ".tlog-proof.tsr"
FILE = re.compile(  # every file that belongs here
    r"\.lock|checkpoint|log\.(vkey|pub\.pem)|allowed_signers|ca\.pem|keys-log/[\w-]+\.json|"
    r"tile/(\d|entries)/[x\d/.p]+|"
    r"runs/[A-Za-z0-9-]+/([1-6]-(plan|approval|intent|deleted|verified|record|aborted)\.json|tombstones\.txt|"
    r"2-approval\.json\.sig|6-(record|aborted)\.json\.tlog-proof(\.tsr)?)"
)
LIMITS = """Not shown: that the operator has not written everything anew (SIZE and ROOT of a checkpoint kept elsewhere do),
and that the counts were true (restore the copy from before the run, plan with its asOf and key, compare)."""
Facts = Iterator[tuple[bool | None, str]]  # what holds or not (None: not checked), and the words for "not"


class Broken(Exception):
    """A fact about the evidence; no file's content is ever quoted."""


def need(condition: object, fact: str) -> None:
    if not condition:
        raise Broken(fact)


def base64(text: str) -> bytes:
    need(b64encode(b64decode(text)).decode() == text, "base64 is spelled in an unusual way")
    return b64decode(text)


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def climb(index: int, size: int, value: bytes, proof: list[bytes]) -> bytes:
    """Follow an inclusion proof, whose hashes come from the leaf upwards, to the root that it claims."""
    need((size > 1) == bool(proof), "a proof has a wrong length")
    half = 1 << (size - 1).bit_length() >> 1
    if size == 1:
        return value
    if index < half:
        return node(climb(index, half, value, proof[:-1]), proof[-1])
    return node(proof[-1], climb(index - half, size - half, value, proof[:-1]))


def tiles(level: int | str, count: int) -> Iterator[tuple[str, int, int]]:
    """Name the tiles of a level with `count` hashes, each with the first hash in it and the first after it."""
    for at in range(0, count, 256):
        number, end = at // 256, min(at + 256, count)
        name = f"x{number // 1000:03d}/" * (number > 999) + f"{number % 1000:03d}"
        yield f"tile/{level}/{name}" + f".p/{end - at}" * (end < at + 256), at, end


class Evidence:
    """The folder and what is known of it so far. The checks run in this order."""

    def __init__(self, root: Path, vkey: str, kept: tuple[int, str] | None, trusted: Path | None) -> None:
        self.root, self.vkey, self.kept, self.trusted, self.at = root, vkey, kept, trusted or root, "the start"

    def read(self, name: str) -> bytes:
        self.at, path = name, self.root / name
        need(path.is_file() and not path.is_symlink(), f"{name} is missing or not a plain file")
        return path.read_bytes()

    def json(self, name: str) -> Any:
        return loads(self.read(name))

    def runs(self, *names: str) -> Iterator[tuple[str, set[str]]]:
        """Name the folders `runs/<run id>/` that hold one of these files, each with its listing."""
        for path in sorted((self.root / "runs").iterdir()):
            if (have := set(os.listdir(path))) & set(names):
                yield f"runs/{path.name}/", have

    def head(self, text: str) -> tuple[int, bytes]:
        """Read a checkpoint: origin, size, root, empty line, `— origin base64(key id || signature)`."""
        body, _, signatures = text.rpartition("\n\n")
        origin, size, root = body.split("\n")
        blobs = [base64(line.split(" ")[2]) for line in signatures.split("\n") if line.startswith(f"— {self.name} ")]
        mine = [blob[4:] for blob in blobs if blob[:4] == self.key_id]
        need(mine and origin == self.name and signatures.endswith("\n"), "a checkpoint is not signed by this key")
        self.key.verify(mine[0], body.encode() + b"\n")
        return int(size), base64(root)

    def check_key_and_signature(self) -> Facts:
        vkey = (self.vkey if "+" in self.vkey else Path(self.vkey).read_text()).strip()
        self.name, key_id, key = vkey.split("+", 2)
        raw, self.key_id = base64(key), bytes.fromhex(key_id)
        need(raw[0] == 1 and sha256(f"{self.name}\n".encode() + raw).digest()[:4] == self.key_id, "VKEY is no vkey")
        self.key = Ed25519PublicKey.from_public_bytes(raw[1:])
        yield self.read("log.vkey").decode() == vkey + "\n", "log.vkey is not the key that you gave"
        yield load_pem_public_key(self.read("log.pub.pem")) == self.key, "log.pub.pem is not the key that you gave"
        self.size, self.top = self.head(self.read("checkpoint").decode())

    def check_leaves_give_the_root(self) -> Facts:
        self.leaves: list[bytes] = []
        for name, _, stop in tiles("entries", self.size):
            data, at = self.read(name), 0
            while at < len(data):
                start, at = at + 2, at + 2 + int.from_bytes(data[at : at + 2], "big")
                self.leaves.append(data[start:at])
            need(at == len(data) and len(self.leaves) == stop, f"{name} does not hold whole leaves")
        self.hashes, self.index = [sha256(b"\0" + leaf).digest() for leaf in self.leaves], {}
        peaks: list[bytes] = []  # the complete subtrees so far; they give the root of every size
        self.roots = [sha256(b"").digest()]
        for index, value in enumerate(self.hashes):
            self.index[self.leaves[index]] = index
            while index & 1:
                value, index = node(peaks.pop(), value), index >> 1
            peaks.append(value)
            self.roots.append(reduce(lambda right, left: node(left, right), reversed(peaks)))
        need(self.roots[-1] == self.top, "the leaves do not give the root that was signed")
        yield len(self.index) == self.size, "the log holds a leaf twice"

    def check_kept_checkpoint_is_a_prefix(self) -> Facts:
        size, root = self.kept or (0, b64encode(self.roots[0]).decode())
        yield (
            0 <= size <= self.size and base64(root) == self.roots[size],
            "this log does not go on from the one you kept",
        )

    def check_hash_tiles(self) -> Facts:
        level, hashes = 0, self.hashes
        while hashes:
            for name, start, stop in tiles(level, len(hashes)):
                yield self.read(name) == b"".join(hashes[start:stop]), f"{name} is wrong"
            for _ in range(8):
                hashes = [node(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=False)]
            level += 1

    def check_nothing_foreign(self) -> Facts:
        for path in self.root.rglob("*"):
            name, folder = path.relative_to(self.root).as_posix(), path.parent.relative_to(self.root)
            own = path.is_dir() or FILE.fullmatch(name)
            yield (
                bool(own and not path.is_symlink()),
                f"{folder}/ holds something that does not belong there, or a link",
            )

    def check_files_equal_leaf_or_digest(self) -> Facts:
        self.withdrawn: set[str] = set()
        said: dict[str, set[str]] = {}
        lonely = set(self.index)
        statements = [("", f"keys-log/{path.name}") for path in (self.root / "keys-log").glob("*")]
        for run, have in self.runs(INTENT, RECORD, ABORTED):
            statements += [(run, run + name) for name in have & {INTENT, RECORD, ABORTED}]
        for folder, path in statements:
            yield self.read(path) in self.index, f"{path} is not a leaf of the log"
            lonely.discard(self.read(path))
            for subject in self.json(path)["subject"]:
                said.setdefault(folder + subject["name"], set()).add(subject["digest"]["sha256"])
            if self.json(path)["predicate"]["event"] == "withdrawn":
                self.withdrawn |= {subject["name"] for subject in self.json(path)["subject"]}
        yield not lonely, f"{len(lonely)} leaves have no file any more"
        for path, digests in said.items():
            if path in self.withdrawn and path.endswith(SIGNATURE) and not (self.root / path).exists():
                yield None, f"{path} was withdrawn; its SHA-256 is {min(digests)[:64]}"
            else:
                same = FILE.fullmatch(path) and {sha256(self.read(path)).hexdigest()} == digests
                yield bool(same), f"{self.at} is not what was sealed"
        for run, have in self.runs(RECORD, ABORTED):
            own = {run + name + end for name in (INTENT, RECORD, ABORTED) for end in ("", PROOF, STAMP)}
            yield {run + name for name in have} <= own | set(said), f"{run} holds a file that its record does not cover"

    def check_one_outcome_per_intent(self) -> Facts:
        for run, have in self.runs(INTENT, DELETED, VERIFIED, RECORD, ABORTED):
            ends = have & ({ABORTED} if have & {ABORTED} else {RECORD})
            yield (
                INTENT in have and len(have & {RECORD, ABORTED}) == 1,
                f"{run}: not one outcome of one intent (unfinished?)",
            )
            yield not (ABORTED in have and have & {DELETED, VERIFIED}), f"{run}: aborted, and yet deleted"
            for name, event in ((INTENT, "intent"), (RECORD, "sealed"), (ABORTED, "aborted")):
                if name in have:
                    said, kind = self.json(run + name), "urn:lifecycle:deletion-run:v1"
                    what = said["predicateType"], said["predicate"]["event"], f"runs/{said['predicate']['runId']}/"
                    yield what == (kind, event, run), f"{run}{name} speaks of something else"
            order = [self.index[self.read(run + name)] for name in (INTENT, *ends)]
            yield order == sorted(order), f"{run}: the outcome came before the intent"

    def check_counts(self) -> Facts:
        for run, have in self.runs(INTENT):
            plan, count = self.json(run + PLAN), self.json(run + INTENT)["predicate"]["count"]
            lines = self.read(run + TOMBSTONES).splitlines() if count or TOMBSTONES in have else []
            well_formed = all(re.fullmatch(b"[0-9a-f]{64}", line) for line in lines)
            yield well_formed and all(a < b for a, b in pairwise(lines)), f"{run}: tombstones unsorted or malformed"
            yield len(lines) == count == plan["count"], f"{run}: plan, intent and tombstones differ in number"
            if count or APPROVAL in have:
                approval, digest = self.json(run + APPROVAL), sha256(self.read(run + PLAN)).hexdigest()
                same = (f"runs/{approval['runId']}/", approval["planSha256"]) == (run, digest)
                yield same and approval["role"] in ("controller", "delegate"), f"{run}: this plan was not approved"
            if RECORD in have:
                n = self.json(run + RECORD)["predicate"]["counts"]
                stores = self.json(run + DELETED)["stores"] if count or DELETED in have else []
                copies = max(Counter(store["dataset"] for store in plan["stores"]).values(), default=0)
                yield n["before"] == n["deleted"] + n["retained"], f"{run}: before is not deleted + retained"
                yield n["due"] == n["deleted"] + n["held"] + n["failed"], f"{run}: due is not deleted + held + failed"
                yield n["deleted"] == sum(store["deleted"] for store in stores), f"{run}: the stores deleted otherwise"
                # one row in two stores is one tombstone and two deletions
                yield count <= n["deleted"] + n["failed"] <= count * copies, f"{run}: not the rows that were planned"
                yield n["failed"] == 0 and (n["deleted"] > 0 or n["due"] == n["held"]), f"{run}: due rows are left"
                yield min(n.values()) >= 0, f"{run}: a negative count"

    def check_outcomes(self) -> Facts:
        for run, have in self.runs(RECORD):
            record = self.json(run + RECORD)["predicate"]
            yield all(outcome == "passed" for outcome in record["checks"].values()), f"{run}: not every check passed"
            if VERIFIED in have or record["counts"]["deleted"]:
                seen, wiped = self.json(run + VERIFIED), record["erasure"] == "rewritten"
                residue, wrong = seen["residue"], ("stillDue", "deletedBeforeDue", "tombstonedStillPresent")
                yield (
                    not any(seen[name] for name in wrong) and seen["retainedSetUnchanged"] is True,
                    f"{run}: wrong rows",
                )
                yield (
                    bool(record["checks"]) and record["erasure"] != "none",
                    f"{run}: deleted without checks or erasure",
                )
                searched = residue["foundInNew"] == 0 and residue["foundInOld"] >= residue["controls"] > 0
                yield searched or not wiped, f"{run}: the residue scan proves nothing or found something"

    def check_proofs(self) -> Facts:
        for run, have in self.runs(RECORD, *(name + PROOF for name in (RECORD, ABORTED))):
            for name in [name for name in (RECORD, ABORTED) if {RECORD, name + PROOF} & have and name in have]:
                index = self.index[self.read(run + name)]
                path, _, checkpoint = self.read(run + name + PROOF).decode().partition("\n\n")
                size, root = self.head(checkpoint)
                header, place, *hashes = path.split("\n")
                need((header, place) == ("c2sp.org/tlog-proof@v1", f"index {index}"), f"{self.at} proves another leaf")
                same = index < size <= self.size and root == self.roots[size]
                claimed = climb(index, size, self.hashes[index], [base64(text) for text in hashes])
                yield same and claimed == root, f"{self.at} does not hold"

    def check_signatures_and_stamps(self) -> Facts:
        for run, have in self.runs(APPROVAL, SIGNATURE):
            approval, there = self.json(run + APPROVAL), SIGNATURE in have or run + SIGNATURE in self.withdrawn
            yield approval["signed"] is there, f"{run}: approval and signature do not go together"
            if SIGNATURE in have:
                call = f"ssh-keygen -Y verify -n deletion-approval -I {approval['role']} -s {SIGNATURE} -f"
                yield self.ask(run, call, "allowed_signers", APPROVAL)
        for run, _ in self.runs(RECORD + STAMP):
            yield self.ask(
                run, f"openssl ts -verify -in {RECORD}{STAMP} -data {RECORD}{PROOF} -CAfile", "ca.pem", RECORD
            )

    def ask(self, run: str, call: str, trusted: str, name: str) -> tuple[bool | None, str]:
        """Ask a tool of the system; without the file that says whom to trust, say what to call."""
        path = (self.trusted / trusted).resolve()
        if not path.is_file():
            return None, f"not checked: cd {run} && {call} {trusted} < {name}"
        done = subprocess.run(
            [*call.split(" "), path], cwd=self.root / run, input=self.read(run + name), capture_output=True
        )
        return done.returncode == 0, f"{run}{name}: {call.split(' ')[0]} refuses it"


def verify(
    evidence: Path,
    vkey: str,
    kept: tuple[int, str] | None = None,
    *,
    say: Callable[[str], object] = len,
    trusted: Path | None = None,
) -> list[tuple[str, str]]:
    """Give name and outcome (passed, failed, unknown) of each check; `say` gets the numbered lines."""
    e, outcomes = Evidence(evidence, vkey, kept, trusted), []  # type: ignore[var-annotated]
    for check in [name for name in vars(Evidence) if name.startswith("check_")]:
        wrong: list[tuple[bool | None, str]] = []
        try:
            if "failed" in [outcome for _, outcome in outcomes[:2]]:
                wrong.append((None, "not checked, since key or leaves are wrong"))
            else:
                wrong += [fact for fact in getattr(e, check)() if not fact[0]]
        except Broken as error:
            wrong.append((False, str(error)))
        except Exception as error:
            wrong.append((False, f"{e.at} cannot be read or does not hold ({type(error).__name__})"))
        outcome = "passed" if not wrong else "failed" if False in [ok for ok, _ in wrong] else "unknown"
        outcomes.append((check.removeprefix("check_").replace("_", " "), outcome))
        say(f"{len(outcomes)}. {outcomes[-1][0]}: {outcome}")
        for _, fact in wrong:
            say(f"   {fact}")
    return outcomes


def main() -> int:
    if len(sys.argv) not in (3, 5):
        print(__doc__)
        return 2
    kept = (int(sys.argv[3]), sys.argv[4]) if len(sys.argv) == 5 else None
    failed = [name for name, outcome in verify(Path(sys.argv[1]), sys.argv[2], kept, say=print) if outcome == "failed"]
    print(f"{'BROKEN OR UNFINISHED' if failed else 'Nothing is wrong'}\n{LIMITS}")
    return 7 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
