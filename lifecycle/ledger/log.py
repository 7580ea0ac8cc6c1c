"""Reading a log: its keys, its checkpoint, its tree; today's log and those of closed years beside it."""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode
from pathlib import Path
from typing import Any, NamedTuple

from lifecycle.errors import EvidenceError
from lifecycle.ledger import files, note, tiles
from lifecycle.ledger.lock import FolderLock
from lifecycle.ledger.merkle import Tree, inclusion_holds, leaf_hash
from lifecycle.model import Checkpoint

SCHEMA_VERSION = 1
STATEMENTS = "keys-log"
_CHANGES = re.compile(r"signing-key-(\d+)\.json")


class Loaded(NamedTuple):
    """A log as its checkpoint shows it; ``index_of`` maps the hash of a leaf to its index."""

    text: str
    tree: Tree
    index_of: dict[bytes, int]


class Log:
    """One log on disk.

    Parameters
    ----------
    folder : Path
    origin : str
        Name of the log and of its keys.
    """

    def __init__(self, folder: Path, origin: str) -> None:
        self.folder = folder
        self.origin = origin
        self._loaded: Loaded | None = None

    # --- keys ------------------------------------------------------------------------------------

    def changes(self) -> list[bytes]:
        """Read the statements of changed signing keys, the oldest first."""
        folder = self.folder / STATEMENTS
        if not folder.is_dir():
            return []
        numbers = sorted(int(found[1]) for each in folder.iterdir() if (found := _CHANGES.fullmatch(each.name)))
        return [files.read_file(folder / f"signing-key-{number}.json") for number in numbers]

    def verifiers(self) -> list[note.Verifier]:
        """Give the public keys of the log in their order; each change must be signed by the key before it."""
        try:
            keys = [note.parse_vkey(files.read_file(self.folder / "log.vkey").decode().strip())]
            for change in self.changes():
                said = predicate_of(change)
                if said["from"] != keys[-1].vkey:
                    raise ValueError("a change of the key does not follow the one before")
                keys[-1].need_signed(note.key_change(said["from"], said["to"]), b64decode(said["signature"]))
                keys.append(note.parse_vkey(said["to"]))
        except (ValueError, KeyError, TypeError) as error:
            raise EvidenceError("The public keys of the log do not hold together.", "lifecycle verify") from error
        if keys[0].name != self.origin:
            raise EvidenceError(
                "log.vkey does not fit the origin: the evidence belongs to another log.",
                "Look at origin in lifecycle.toml, or bring back the evidence of this workspace.",
            )
        return keys

    def in_force(self, index_of: dict[bytes, int]) -> note.Verifier:
        """Give the key that signs a log with these leaves: the last one whose change is a leaf."""
        return self.verifiers()[sum(leaf_hash(change) in index_of for change in self.changes())]

    # --- the log ---------------------------------------------------------------------------------

    def load(self) -> Loaded:
        """Checkpoint, tree and index of leaves; read again only when the checkpoint changed."""
        for attempt in range(3):
            text = self._text()
            if self._loaded is None or self._loaded.text != text:
                try:
                    self._loaded = self._read(text)
                except EvidenceError:  # another process may have grown the log meanwhile
                    if attempt == 2 or self._text() == text:
                        raise
                    continue
            break
        assert self._loaded is not None
        return self._loaded

    def forget(self) -> None:
        """Ask the disk again at the next call."""
        self._loaded = None

    def contains(self, leaf: bytes) -> bool:
        """Tell whether these bytes are a leaf under the signed checkpoint."""
        return leaf_hash(leaf) in self.load().index_of

    def first_leaf(self) -> bytes | None:
        """Read the leaf with index 0, if there is one."""
        _, tree, _ = self.load()
        return tiles.load_leaves(self.folder, tree, 0, len(tree))[0] if len(tree) else None

    def checkpoint(self) -> Checkpoint:
        """Give the signed head of the log."""
        return self._parse(self.load().text)

    def need_good_proof(self, run_id: str, data: bytes, value: bytes) -> None:
        """Check the proof file of a leaf."""
        try:
            index, proof, text = note.parse_proof(data.decode())
            head = self._parse(text)
        except ValueError as error:
            raise EvidenceError(f"Run {run_id}: the existing proof cannot be read.", "lifecycle verify") from error
        if not inclusion_holds(index, head.size, value, proof, b64decode(head.root)):
            raise EvidenceError(f"Run {run_id}: the existing proof does not hold.", "lifecycle verify")

    # --- inside ----------------------------------------------------------------------------------

    def _text(self) -> str:
        return files.read_file(self.folder / "checkpoint").decode(errors="replace")

    def _read(self, text: str) -> Loaded:
        need_known_version(self.folder)
        head = self._parse(text)
        tree = tiles.load_tree(self.folder, head.size)
        if tree.root() != b64decode(head.root):
            raise EvidenceError("The tiles of the log do not give the root that was signed.", "lifecycle verify")
        found = Loaded(text, tree, {value: index for index, value in enumerate(tree.levels[0])})
        if not self.in_force(found.index_of).accepts(text):
            raise EvidenceError("The checkpoint is signed by a key that was replaced.", "lifecycle verify")
        return found

    def _parse(self, text: str) -> Checkpoint:
        trouble = ValueError("it is not a checkpoint")
        for verifier in reversed(self.verifiers()):
            try:
                return note.parse_checkpoint(text, verifier)
            except ValueError as error:
                trouble = error
        raise EvidenceError(
            f"The checkpoint cannot be trusted: {trouble}.",
            "Bring the evidence back as it was; a checkpoint kept elsewhere shows what is missing.",
        ) from trouble


def predicate_of(statement: bytes) -> dict[str, Any]:
    """Read what an in-toto statement says."""
    said = json.loads(statement)["predicate"]
    if not isinstance(said, dict):
        raise ValueError("the statement says nothing")
    return said


def need_known_version(folder: Path) -> None:
    """Refuse evidence of a newer schema version, in words.

    Raises
    ------
    EvidenceError
        A newer version, or no version at all.
    """
    text = files.read_file(folder / "schema-version").decode(errors="replace").strip()
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise EvidenceError("schema-version of the evidence holds no number.", "lifecycle verify")
    if int(text) > SCHEMA_VERSION:
        raise EvidenceError(
            f"The evidence has schema version {text}; this lifecycle knows {SCHEMA_VERSION}.",
            "use the version of lifecycle that wrote it, or a newer one",
        )


def successor(evidence: Path) -> Path:
    """Name the folder in which the next year's log is made."""
    return evidence.with_name(f"{evidence.name}-next")


def take_up(evidence: Path) -> None:
    """Finish a change of years that was cut off between its two renames; somebody at work on it is ``Refused``."""
    coming = successor(evidence)
    if os.path.lexists(evidence) or not coming.is_dir() or not closed_folders(evidence):
        return
    with FolderLock(coming / ".lock").held():
        if not os.path.lexists(evidence):
            files.rename_durably(coming, evidence)


def closed_folders(evidence: Path) -> dict[int, Path]:
    """Find the logs of closed years beside the evidence folder, by year, the newest first."""
    name = re.compile(re.escape(evidence.name) + r"-(\d{4})")
    found = {int(year[1]): each for each in evidence.parent.iterdir() if (year := name.fullmatch(each.name))}
    return {year: found[year] for year in sorted(found, reverse=True)}
