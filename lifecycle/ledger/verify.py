"""Check evidence of deletion: python verify.py EVIDENCE VKEY [SIZE ROOT]. Ends with 0, or 7: broken or unfinished.

VKEY is the log's public key or a file that holds it, SIZE and ROOT two lines of a checkpoint kept elsewhere.

Not shown: that the operator has not written everything anew (a checkpoint kept elsewhere shows it),
and that the counts were true (restore the copy from before the run, plan with its asOf and key, compare).
"""

import re
import subprocess
import sys
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator
from datetime import date
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
NEW_KEY = b'"urn:lifecycle:signing-key:v1"'
FILE = re.compile(  # every file that belongs here
    r"\.lock|checkpoint|log\.(vkey|pub\.pem)|allowed_signers|keys-log/[\w-]+\.json|tile/(\d|entries)/[x\d/.p]+|"
    r"schema-version|runs/[A-Za-z0-9-]+/((1-plan|2-approval|3-intent|4-deleted|5-verified|6-record|6-aborted)\.json|tombstones\.txt|"
    r"2-approval\.json\.sig|6-(record|aborted)\.json\.tlog-proof|6-record\.json\.tlog-proof\.tsr)"
)
Kept = tuple[int, str] | None
Facts = Iterator[tuple[bool | None, str]]  # does it hold (None: not checked), and the words if it does not


class Evidence:
    """The folder and what is known of it so far. The checks run in this order, those of a run once a run."""

    def __init__(self, root: Path, vkey: str, kept: Kept, trusted: dict[str, Path]) -> None:
        self.root, self.vkey, self.kept, self.trusted, self.at = root, vkey, kept, trusted, "the folder"
        self.tree, self.seen, self.notes = cache(self.subtree), Counter[str](), list[str]()

    def read(self, name: str) -> bytes:
        self.at = name  # an error says what was being read
        return (self.root / name).read_bytes() if (self.root / name).is_file() else b""

    def runs(self) -> Iterator[tuple[str, dict[str, bytes], dict[str, Any]]]:
        for path in sorted(self.root.glob("runs/*/")):
            # a plan that never began deleted nothing; the name of a foreign folder is never said
            if FILE.fullmatch(f"runs/{path.name}/{PLAN}") and any(path.glob("[3-6]-*")):
                self.at = f"runs/{path.name}"
                have = {each.name: each.read_bytes() for each in path.glob("[1-6t]*") if each.is_file()}
                yield path.name, have, {name: loads(data) for name, data in have.items() if name.endswith(".json")}

    def subtree(self, start: int, stop: int) -> bytes:
        """Hash the leaves from `start` to before `stop` after RFC 6962."""
        if stop - start < 2:
            return sha256(b"\0" + self.leaves[start] if start < stop else b"").digest()
        middle = start + (1 << (stop - start - 1).bit_length() - 1)
        return sha256(b"\1" + self.tree(start, middle) + self.tree(middle, stop)).digest()

    def proof(self, index: int, size: int) -> str:
        """Spell the one right proof of a leaf: the hashes beside the way down to it, the lowest first."""
        hashes, start, stop = list[str](), 0, size
        while stop - start > 1:
            middle = start + (1 << (stop - start - 1).bit_length() - 1)
            below, beside = ((start, middle), (middle, stop))[:: 1 if index < middle else -1]
            hashes, (start, stop) = [b64encode(self.tree(*beside)).decode(), *hashes], below
        return "\n".join(["c2sp.org/tlog-proof@v1", f"index {index}", *hashes]) if index < size else "none"

    def tiles(self, level: int | str, count: int) -> Iterator[tuple[bytes, int, int]]:
        """Read the tiles of a level with `count` hashes; each comes with the first hash in it and the first after."""
        for at in range(0, count, 256):
            number, end = at // 256, min(at + 256, count)
            name = f"tile/{level}/" + f"x{number // 1000:03d}/" * (number > 999) + f"{number % 1000:03d}"
            yield self.read(name + f".p/{end - at}" * (end < at + 256)), at, end

    def signed_size(self, checkpoint: str) -> int:
        """Check a checkpoint: origin, size, root of so many leaves, empty line, `— origin base64(id || signature)`."""
        size, raw = int(checkpoint.split("\n")[1]), b64decode(checkpoint.split(" ")[-1])
        name, key_id, key = [key for first, key in self.keys if first <= size][-1]  # the key in force at that size
        text = f"{name}\n{size}\n{b64encode(self.tree(0, size)).decode()}\n"
        key.verify(raw[4:], text.encode())
        return size if checkpoint == f"{text}\n— {name} {b64encode(raw).decode()}\n" and raw[:4] == key_id else -1

    def check_leaves(self) -> Facts:
        yield self.read("schema-version") == b"1\n", "this is evidence of another version than 1"
        self.leaves, self.size = list[bytes](), int(self.read("checkpoint").split(b"\n")[1])
        for data, _, stop in self.tiles("entries", self.size):
            at = 0
            while at < len(data):
                start, at = at + 2, at + 2 + int.from_bytes(data[at : at + 2], "big")
                self.leaves.append(data[start:at])
            yield at == len(data) and len(self.leaves) == stop, f"{self.at} does not hold its leaves"
        self.index = {leaf: index for index, leaf in enumerate(self.leaves)}
        yield len(self.index) == self.size, "the log holds a leaf twice"

    def read_key(self, vkey: str) -> tuple[str, bytes, Ed25519PublicKey]:
        """Read a key that is spelled `name+hex(id)+base64(01 || public key)`, id = SHA256(name || 0A || 01 || key)."""
        name, key_id, key = vkey.split("+", 2)
        raw = b64decode(key)
        right = (sha256(f"{name}\n".encode() + raw).hexdigest()[:8], raw[:1]) == (key_id, b"\1")
        return name, bytes.fromhex(key_id if right else ""), Ed25519PublicKey.from_public_bytes(raw[1:])

    def check_key_and_signed_root(self) -> Facts:
        vkeys = [self.read("log.vkey").decode().removesuffix("\n")]
        self.keys = [(0, self.read_key(vkeys[0]))]  # each key signs from this size of the log on
        for size, change in [(n, loads(leaf)["predicate"]) for n, leaf in enumerate(self.leaves, 1) if NEW_KEY in leaf]:
            text = f"deletion-signing-key/v1\n{vkeys[-1]}\n{change['to']}\n"  # signed by the key that it replaces
            self.keys[-1][1][2].verify(b64decode(change["signature"]), text.encode())
            vkeys, self.keys = [*vkeys, change["to"]], [*self.keys, (size, self.read_key(change["to"]))]
        pem = self.keys[0][1][2].public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        same = self.read("log.vkey") == f"{vkeys[0]}\n".encode() and self.read("log.pub.pem") == pem
        given = (self.vkey if "+" in self.vkey else Path(self.vkey).read_text()).strip()
        yield same and given in vkeys, "the key that you gave is none of this log's, or log.pub.pem is not log.vkey"
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
            name = path.relative_to(self.root)
            own = path.is_dir() or (path.is_file() and FILE.fullmatch(name.as_posix()))
            where = name.parts[0] if name.parts[0] in ("keys-log", "runs", "tile") else "the folder itself"
            yield bool(own) and not path.is_symlink(), f"a foreign file or a link lies in {where}"

    def check_files(self) -> Facts:
        said, leaves = list[tuple[str, str, str]](), dict[str, bytes]()
        paths = [*(self.root / "keys-log").glob("*"), *(self.root / "runs").glob("*/[36]-*.json")]
        for name in sorted(filter(FILE.fullmatch, [path.relative_to(self.root).as_posix() for path in paths])):
            folder, leaves[name] = re.sub("^keys-log/|[^/]*$", "", name), self.read(name)
            what = loads(leaves[name])
            said += [(folder + s["name"], s["digest"]["sha256"], what["predicate"]["event"]) for s in what["subject"]]
            yield leaves[name] in self.index, f"{name} is not a leaf of the log"
        yield set(self.index) <= set(leaves.values()), "leaves of the log have no file any more"
        self.withdrawn = {name for name, _, event in said if event == "withdrawn" and name.endswith(SIGNATURE)}
        for name, digest in sorted({(name, digest) for name, digest, _ in said}):
            same = FILE.fullmatch(name) and sha256(self.read(name)).hexdigest() == digest
            gone = name in self.withdrawn and not (self.root / name).exists()
            words = f"is missing; it was withdrawn, its SHA-256 is {digest[:64]}" if gone else "is missing or changed"
            yield None if gone else bool(same), f"{self.at} {words}"
        covered = set(leaves) | {name for name, _, _ in said} | {name + PROOF for name in leaves}
        for folder in [name.rpartition("/")[0] for name in leaves if name.endswith((RECORD, ABORTED))]:
            loose = {f"{folder}/{each.name}" for each in (self.root / folder).iterdir() if each.name != STAMP}
            yield loose <= covered, f"{folder} holds a file that its record does not cover"

    def run_has_one_proved_outcome(self, run: str, have: dict[str, bytes], said: Any) -> Facts:
        yield INTENT in have and len({RECORD, ABORTED} & have.keys()) == 1, "not one outcome of one intent: unfinished?"
        yield ABORTED not in have or not {DELETED, VERIFIED} & have.keys(), "deleted although aborted"
        for name, event in [(INTENT, "intent"), (RECORD, "sealed"), (ABORTED, "aborted")]:
            if name in have:
                index, kind, what = self.index[have[name]], said[name]["predicateType"], said[name]["predicate"]
                right = (kind, what["event"], what["runId"]) == ("urn:lifecycle:deletion-run:v1", event, run)
                yield right and index >= self.index[have[INTENT]], f"{name} is of another run, or came too early"
                if name != INTENT:
                    path, checkpoint = have.get(name + PROOF, b"").decode().split("\n\n", 1)
                    yield path == self.proof(index, self.signed_size(checkpoint)), f"the proof of {name} does not hold"

    def run_adds_up_and_passed_its_checks(self, run: str, have: dict[str, bytes], said: Any) -> Facts:
        plan, count, marks = said[PLAN], said[INTENT]["predicate"]["count"], have.get(TOMBSTONES, b"").splitlines()
        fine = sorted(set(marks)) == marks and all(re.fullmatch(b"[0-9a-f]{64}", mark) for mark in marks)
        yield fine and len(marks) == count == plan["count"], "plan, intent and distinct, sorted tombstones differ"
        if count or APPROVAL in have:
            yes, began = said[APPROVAL], date.fromisoformat(said[INTENT]["predicate"]["recordedAt"][:10])
            right = (yes["planSha256"], yes["runId"]) == (sha256(have[PLAN]).hexdigest(), run)
            yield right and yes["role"] in ("controller", "delegate"), "nobody who may approved this plan"
            if order := yes["standing"]:
                before, due, held = (sum(each[name] for each in plan["stores"]) for name in ("before", "due", "held"))
                most, late = order["limits"], (began - date.fromisoformat(order["until"])).days
                within = due - held <= most["maxRows"] and 100 * due / before <= most["maxPercent"]
                # it ends with a day of the plan's time zone, which may be the next one in UTC
                yield within and late <= 1, "its standing approval did not cover this plan, or had ended"
        if RECORD in have:
            record, n, seen = said[RECORD]["predicate"], said[RECORD]["predicate"]["counts"], said.get(VERIFIED)
            done = said[DELETED]["stores"] if count or DELETED in have else [{"deleted": 0, "retained": n["retained"]}]
            gone, kept = (sum(each[name] for each in done) for name in ("deleted", "retained"))
            # a row in two stores has one tombstone
            most = count * max(Counter(each["dataset"] for each in plan["stores"]).values(), default=0)
            yield n["before"] == n["deleted"] + n["retained"], "before is not deleted + retained"
            yield n["due"] == n["deleted"] + n["held"] + n["failed"], "due is not deleted + held + failed"
            yield [n["deleted"], n["retained"], min(0, *n.values())] == [gone, kept, 0], "the stores have other numbers"
            yield count <= n["deleted"] + n["failed"] <= most, "other rows than planned"
            yield n["failed"] == 0, "due rows are left: not complete"
            yield all(outcome == "passed" for outcome in record["checks"].values()), "not every check passed"
            if seen or n["deleted"]:
                scan, wrong = seen["residue"], ("stillDue", "deletedBeforeDue", "tombstonedStillPresent")
                good = seen["retainedSetUnchanged"] is True and [seen[name] for name in wrong] == [0, 0, 0]
                yield good and record["checks"] != {}, "other rows than the due ones are gone, or nothing was checked"
                found = scan["foundInOld"] >= scan["controls"] > 0 == scan["foundInNew"]
                yield record["erasure"] == "logical" or (found and record["erasure"] == "rewritten"), "bytes are left"

    def run_signatures_and_stamps_hold(self, run: str, have: dict[str, bytes], said: Any) -> Facts:
        approval, signed = said.get(APPROVAL, {}), SIGNATURE in have or f"runs/{run}/{SIGNATURE}" in self.withdrawn
        yield approval.get("signed", False) is signed, "approval and signature do not go together"
        (n := self.seen).update(have.keys(), standing=bool(approval.get("standing")))
        approvals = f"signed: {n[SIGNATURE]} of {n[APPROVAL]} approvals; {n['standing']} rest on a standing one"
        self.notes = [f"{approvals}; stamped: {n[STAMP]} of {n[RECORD]} records"]
        role = "delegate" if approval.get("role") == "delegate" else "controller"
        ssh = f"ssh-keygen -Y verify -n deletion-approval -I {role} -s runs/{run}/{SIGNATURE} -f", "allowed_signers"
        stamp = f"openssl ts -verify -in runs/{run}/{STAMP} -data runs/{run}/{RECORD}{PROOF} -CAfile", "ca.pem"
        for (call, trusted), data in [(ssh, APPROVAL)] * (SIGNATURE in have) + [(stamp, RECORD)] * (STAMP in have):
            words, known = [*call.split(" "), str(self.trusted[trusted].resolve())], self.trusted[trusted].is_file()
            done = known and subprocess.run(words, cwd=self.root, input=have[data], capture_output=True, check=False)
            fact = f"{'refused' if done else 'not checked'}: {call} /path/to/{trusted} < runs/{run}/{data}"
            yield done.returncode == 0 if done else None, fact


def verify(
    evidence: Path, vkey: str, kept: Kept = None, say: Any = len, trusted: Path | None = None, ca: Path | None = None
) -> list[tuple[str, str]]:
    """Give name and outcome (passed, failed, unknown) of each check; `say` gets the numbered lines."""
    known = {"allowed_signers": (trusted or evidence) / "allowed_signers", "ca.pem": ca or evidence / "ca.pem"}
    e, outcomes = Evidence(evidence, vkey, kept, known), list[tuple[str, str]]()
    for check in [name for name in vars(Evidence) if name.startswith(("check_", "run_"))]:
        wrong = dict[str, bool | None]()  # each fact once
        try:
            for about in e.runs() if check.startswith("run_") else [()]:
                wrong |= {" ".join([*about[:1], fact]): ok for ok, fact in getattr(e, check)(*about) if not ok}
        except Exception as error:
            wrong[f"{e.at} cannot be read or does not hold ({type(error).__name__})"] = False
        outcome = "passed" if not wrong else "failed" if False in wrong.values() else "unknown"
        outcomes.append((check.removeprefix("check_").replace("_", " "), outcome))
        say("\n   ".join([f"{len(outcomes)}. {outcomes[-1][0]}: {outcome}", *e.notes, *wrong]))
    return outcomes


if __name__ == "__main__":
    if len(sys.argv) not in (3, 5) or not "".join(sys.argv[3:4] or "0").isdecimal():
        sys.exit(__doc__)
    remembered = (int(sys.argv[3]), sys.argv[4]) if sys.argv[3:] else None
    broken = "failed" in dict(verify(Path(sys.argv[1]), sys.argv[2], remembered, print)).values()
    # with the last words of this file's docstring
    print("BROKEN OR UNFINISHED" if broken else "Nothing is wrong.", *str(__doc__).strip().split("\n\n")[2:], sep="\n")
    sys.exit(7 if broken else 0)
