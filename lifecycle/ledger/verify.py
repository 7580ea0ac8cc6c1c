#!/usr/bin/env python3
"""Check evidence of deletion: python verify.py EVIDENCE VKEY [SIZE ROOT]. Ends with 0, or 7: broken or unfinished.

VKEY is the log's public key or a file that holds it, SIZE and ROOT two lines of a checkpoint kept elsewhere.
"""

import re
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256
from json import loads
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PLAN, APPROVAL, SIGNATURE, TOMBSTONES = "1-plan.json", "2-approval.json", "2-approval.json.sig", "tombstones.txt"
INTENT, DELETED, VERIFIED, RECORD = "3-intent.json", "4-deleted.json", "5-verified.json", "6-record.json"
ABORTED, PROOF, STAMP = "6-aborted.json", ".tlog-proof", "6-record.json.tlog-proof.tsr"
FILE = re.compile(  # every file that belongs here
    r"\.lock|checkpoint|log\.(vkey|pub\.pem)|allowed_signers|keys-log/[\w-]+\.json"
    r"|tile/(\d|entries)/[x\d/.p]+|runs/[A-Za-z0-9-]+/([1-6]-(plan|approval|intent|deleted|verified|record|aborted)\.json|tombstones\.txt"
    r"|2-approval\.json\.sig|6-(record|aborted)\.json\.tlog-proof|6-record\.json\.tlog-proof\.tsr)"
)
LIMITS = """Not shown: that the operator has not written everything anew (SIZE and ROOT of a checkpoint kept elsewhere do),
and that the counts were true (restore the copy from before the run, plan with its asOf and key, compare)."""
Facts = Iterator[tuple[bool | None, str]]  # does it hold (None: not checked), and the words if it does not
Kept = tuple[int, str] | None


class Evidence:
    """The folder and what is known of it so far. The checks run in this order, those of a run once a run."""

    def __init__(self, root: Path, vkey: str, kept: Kept, trusted: Path) -> None:
        self.root, self.vkey, self.kept, self.trusted, self.at = root, vkey, kept, trusted.resolve(), "the folder"
        self.tree = cache(self.subtree)

    def read(self, name: str) -> bytes:
        self.at = name  # an error says what was being read
        return (self.root / name).read_bytes() if (self.root / name).is_file() else b""

    def json(self, name: str) -> Any:
        return loads(self.read(name))

    def runs(self) -> Iterator[tuple[str, set[str]]]:
        for path in sorted((self.root / "runs").iterdir()):
            yield f"runs/{path.name}/", {file.name for file in path.iterdir()}

    def subtree(self, start: int, stop: int) -> bytes:
        """Hash the leaves from `start` to before `stop` after RFC 6962."""
        if stop - start < 2:
            return sha256(b"\0" + self.leaves[start] if start < stop else b"").digest()
        middle = start + (1 << (stop - start - 1).bit_length() - 1)
        return sha256(b"\1" + self.tree(start, middle) + self.tree(middle, stop)).digest()

    def path(self, index: int, start: int, stop: int) -> list[str]:
        """Spell the one right inclusion proof of a leaf: the hashes beside its way, from the leaf upwards."""
        if stop - start < 2:
            return []
        middle = start + (1 << (stop - start - 1).bit_length() - 1)
        below, beside = ((start, middle), (middle, stop))[:: 1 if index < middle else -1]
        return [*self.path(index, *below), b64encode(self.tree(*beside)).decode()]

    def tiles(self, level: int | str, count: int) -> Iterator[tuple[bytes, int, int]]:
        """Read the tiles of a level with `count` hashes; each comes with the first hash in it and the first after."""
        for at in range(0, count, 256):
            number, end = at // 256, min(at + 256, count)
            name = f"tile/{level}/" + f"x{number // 1000:03d}/" * (number > 999) + f"{number % 1000:03d}"
            yield self.read(name + f".p/{end - at}" * (end < at + 256)), at, end

    def signed_size(self, checkpoint: str) -> int:
        """Check a checkpoint: origin, size, root of so many leaves, empty line, `— origin base64(id || signature)`."""
        size, raw = int(checkpoint.split("\n")[1]), b64decode(checkpoint.split(" ")[-1])
        text = f"{self.name}\n{size}\n{b64encode(self.tree(0, size)).decode()}\n"
        self.key.verify(raw[4:], text.encode())
        same = checkpoint == f"{text}\n— {self.name} {b64encode(raw).decode()}\n" and raw[:4] == self.key_id
        return size if same else -1

    def check_leaves(self) -> Facts:
        self.leaves, self.size = list[bytes](), int(self.read("checkpoint").split(b"\n")[1])
        for data, _, stop in self.tiles("entries", self.size):
            at = 0
            while at < len(data):
                start, at = at + 2, at + 2 + int.from_bytes(data[at : at + 2], "big")
                self.leaves.append(data[start:at])
            yield at == len(data) and len(self.leaves) == stop, f"{self.at} does not hold its leaves"
        self.index = {leaf: index for index, leaf in enumerate(self.leaves)}
        yield len(self.index) == self.size, "the log holds a leaf twice"

    def check_key_and_signed_root(self) -> Facts:
        vkey = (self.vkey if "+" in self.vkey else Path(self.vkey).read_text()).strip()
        self.name, key_id, key = vkey.split("+", 2)
        raw, self.key_id = b64decode(key), bytes.fromhex(key_id)
        self.key = Ed25519PublicKey.from_public_bytes(raw[1:])
        pem, rooted = self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), f"{self.name}\n".encode()
        yield raw[:1] == b"\1" and sha256(rooted + raw).digest()[:4] == self.key_id, "VKEY is not in order"
        yield self.read("log.vkey").decode() == vkey + "\n", "log.vkey is not the key that you gave"
        yield self.read("log.pub.pem") == pem, "log.pub.pem is not the key that you gave"
        yield self.signed_size(self.read("checkpoint").decode()) == self.size, "the key did not sign these leaves"
        size, root = self.kept or (0, b64encode(self.tree(0, 0)).decode())
        same = 0 <= size <= self.size and b64encode(self.tree(0, size)).decode() == root
        yield same, "this log does not go on from the checkpoint that you kept"

    def check_hash_tiles(self) -> Facts:
        for level in range(8):
            for data, start, stop in self.tiles(level, self.size >> 8 * level):
                hashes = [self.tree(at << 8 * level, at + 1 << 8 * level) for at in range(start, stop)]
                yield data == b"".join(hashes), f"{self.at} is wrong"

    def check_nothing_foreign(self) -> Facts:
        for path in self.root.rglob("*"):
            known = path.is_dir() or (path.is_file() and FILE.fullmatch(path.relative_to(self.root).as_posix()))
            own = bool(known) and not path.is_symlink()
            yield own, f"{path.parent.relative_to(self.root)}/ holds something that does not belong there, or a link"

    def check_files(self) -> Facts:
        said, lonely = list[tuple[str, str, str]](), set(self.index)
        statements = [("", f"keys-log/{path.name}") for path in (self.root / "keys-log").glob("*")]
        statements += [(run, run + name) for run, have in self.runs() for name in have & {INTENT, RECORD, ABORTED}]
        for folder, path in statements:
            leaf, event = self.read(path), self.json(path)["predicate"]["event"]
            yield leaf in self.index, f"{path} is not a leaf of the log"
            lonely.discard(leaf)
            said += [(folder + each["name"], each["digest"]["sha256"], event) for each in loads(leaf)["subject"]]
        yield not lonely, f"{len(lonely)} leaves have no file any more"
        self.withdrawn = {path for path, _, event in said if event == "withdrawn" and path.endswith(SIGNATURE)}
        for path, digest, _ in said:
            if path in self.withdrawn and not (self.root / path).exists():
                yield None, f"{path} was withdrawn; its SHA-256 is {digest[:64]}"
            else:
                same = FILE.fullmatch(path) and sha256(self.read(path)).hexdigest() == digest
                yield bool(same), f"{self.at} is missing or changed"
        for run, have in self.runs():
            own = {INTENT, RECORD, ABORTED, STAMP} | {name + PROOF for name in have & {RECORD, ABORTED}}
            loose = have - own - {path.removeprefix(run) for path, _, _ in said}
            yield not loose or not have & {RECORD, ABORTED}, f"{run} holds a file that its record does not cover"

    def run_has_one_outcome(self, run: str, have: set[str]) -> Facts:
        yield len(have & {RECORD, ABORTED}) == (INTENT in have), "not one outcome of one intent: unfinished, or made up"
        yield not have & {DELETED, VERIFIED} or (INTENT in have and ABORTED not in have), "deleted without an intent"
        for name, event in ((INTENT, "intent"), (RECORD, "sealed"), (ABORTED, "aborted")):
            if name in have:
                said, intent = self.json(run + name), self.index[self.read(run + INTENT)]
                what = said["predicateType"], said["predicate"]["event"], said["predicate"]["runId"]
                same = what == ("urn:lifecycle:deletion-run:v1", event, run[5:-1])
                yield (
                    same and self.index[self.read(run + name)] >= intent,
                    f"{name} speaks of another run, or too early",
                )

    def run_was_planned_and_approved(self, run: str, have: set[str]) -> Facts:
        if INTENT in have:
            count, lines = self.json(run + INTENT)["predicate"]["count"], self.read(run + TOMBSTONES).splitlines()
            fine = sorted(set(lines)) == lines and all(re.fullmatch(b"[0-9a-f]{64}", line) for line in lines)
            yield fine and len(lines) == count, "the intent's count is not that of distinct, sorted tombstones"
            yield self.json(run + PLAN)["count"] == count, "the plan has another count than the intent"
            if count or APPROVAL in have:
                digest, approval = sha256(self.read(run + PLAN)).hexdigest(), self.json(run + APPROVAL)
                same = (approval["planSha256"], approval["runId"]) == (digest, run[5:-1])
                yield same and approval["role"] in ("controller", "delegate"), "nobody who may approved this plan"

    def run_adds_up(self, run: str, have: set[str]) -> Facts:
        if RECORD in have:
            n, count = self.json(run + RECORD)["predicate"]["counts"], self.json(run + INTENT)["predicate"]["count"]
            places = [each["dataset"] for each in self.json(run + PLAN)["stores"]]
            stores = self.json(run + DELETED)["stores"] if count or DELETED in have else []
            most = count * max(map(places.count, places), default=0)  # a row in two stores has one tombstone
            yield n["before"] == n["deleted"] + n["retained"], "before is not deleted + retained"
            yield n["due"] == n["deleted"] + n["held"] + n["failed"], "due is not deleted + held + failed"
            yield n["deleted"] == sum(each["deleted"] for each in stores), "the stores deleted another number"
            yield min(n.values()) >= 0 and count <= n["deleted"] + n["failed"] <= most, "other rows than planned"
            yield n["failed"] == 0 and (n["deleted"] > 0 or n["due"] == n["held"]), "due rows are left: not complete"

    def run_passed_its_checks(self, run: str, have: set[str]) -> Facts:
        record = self.json(run + RECORD)["predicate"] if RECORD in have else {"checks": {}}
        yield all(outcome == "passed" for outcome in record["checks"].values()), "not every check passed"
        if RECORD in have and (VERIFIED in have or record["counts"]["deleted"]):
            seen = self.json(run + VERIFIED)
            scan, wrong = seen["residue"], seen["stillDue"] + seen["deletedBeforeDue"] + seen["tombstonedStillPresent"]
            good = wrong == 0 and seen["retainedSetUnchanged"] is True and record["checks"] != {}
            found = scan["foundInOld"] >= scan["controls"] > 0 == scan["foundInNew"]
            yield good, "other rows than the due ones are gone, or nothing was checked"
            yield record["erasure"] == "logical" or (record["erasure"] == "rewritten" and found), "bytes may be left"

    def run_has_its_proofs(self, run: str, have: set[str]) -> Facts:
        for name in [name for name in (RECORD, ABORTED) if {RECORD: RECORD, ABORTED: ABORTED + PROOF}[name] in have]:
            index = self.index[self.read(run + name)]
            proof, _, checkpoint = self.read(run + name + PROOF).decode().partition("\n\n")
            size = self.signed_size(checkpoint)
            right = ["c2sp.org/tlog-proof@v1", f"index {index}", *self.path(index, 0, size)]
            yield index < size <= self.size and proof.split("\n") == right, f"the proof of {name} does not hold"

    def run_is_signed_and_stamped(self, run: str, have: set[str]) -> Facts:
        if have & {APPROVAL, SIGNATURE}:
            approval, there = self.json(run + APPROVAL), SIGNATURE in have or run + SIGNATURE in self.withdrawn
            yield approval["signed"] is there, "approval and signature do not go together"
            call = f"ssh-keygen -Y verify -n deletion-approval -I {approval['role']} -s {SIGNATURE} -f"
            yield self.ask(run, call, "allowed_signers", APPROVAL) if SIGNATURE in have else (True, "")
        if STAMP in have:
            yield self.ask(run, f"openssl ts -verify -in {STAMP} -data {RECORD}{PROOF} -CAfile", "ca.pem", RECORD)

    def ask(self, run: str, call: str, trusted: str, name: str) -> tuple[bool | None, str]:
        """Ask a tool of the system; without the file that says whom to trust, print what to call."""
        if not (self.trusted / trusted).is_file():
            return None, f"not checked: cd {run} && {call} {trusted} < {name}"
        words, data = [*call.split(" "), str(self.trusted / trusted)], self.read(run + name)
        done = subprocess.run(words, cwd=self.root / run, input=data, capture_output=True, check=False)
        return done.returncode == 0, f"{words[0]} does not accept it"


def verify(
    evidence: Path, vkey: str, kept: Kept = None, say: Callable[[str], object] = len, trusted: Path | None = None
) -> list[tuple[str, str]]:
    """Give name and outcome (passed, failed, unknown) of each check; `say` gets the numbered lines."""
    e, outcomes = Evidence(evidence, vkey, kept, trusted or evidence), list[tuple[str, str]]()
    for check in [name for name in vars(Evidence) if name.startswith(("check_", "run_"))]:
        wrong = list[tuple[bool | None, str]]()
        try:
            for about in e.runs() if check.startswith("run_") else [()]:
                wrong += [(ok, " ".join([*about[:1], fact])) for ok, fact in getattr(e, check)(*about) if not ok]
        except Exception as error:
            wrong.append((False, f"{e.at} cannot be read or does not hold ({type(error).__name__})"))
        outcome = "passed" if not wrong else "failed" if any(ok is not None for ok, _ in wrong) else "unknown"
        outcomes.append((check.removeprefix("check_").replace("_", " "), outcome))
        say("\n   ".join([f"{len(outcomes)}. {outcomes[-1][0]}: {outcome}", *(fact for _, fact in wrong)]))
    return outcomes


if __name__ == "__main__":
    if len(sys.argv) not in (3, 5):
        sys.exit(__doc__)
    remembered = (int(sys.argv[3]), sys.argv[4]) if len(sys.argv) == 5 else None
    broken = "failed" in dict(verify(Path(sys.argv[1]), sys.argv[2], remembered, print)).values()
    print(f"{'BROKEN OR UNFINISHED' if broken else 'Nothing is wrong.'}\n{LIMITS}")
    sys.exit(7 if broken else 0)
