"""The evidence folder: one folder a run, whose listing is its state, and the signed transparency log.

Every file but the checkpoint is written once. The order inside an append is tiles, then checkpoint: what a crash
leaves behind is tiles ahead of the checkpoint, and the checkpoint is the truth.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Self

from lifecycle.errors import ConfigurationError, EvidenceError
from lifecycle.ledger import files, note, statements, tiles
from lifecycle.ledger.keys import KeyFolder
from lifecycle.ledger.lock import FolderLock
from lifecycle.ledger.log import SCHEMA_VERSION, STATEMENTS, Log, closed_folders, predicate_of, successor, take_up
from lifecycle.ledger.merkle import Tree, leaf_hash
from lifecycle.ledger.run_ids import RUN_FILES, RUN_ID, STAMP, day_of, letters_of, number_of, run_order
from lifecycle.model import Checkpoint


class EvidenceLedger:
    """The ``Ledger`` port on a local folder.

    Parameters
    ----------
    evidence : Path
        The evidence folder; logs of closed years lie beside it (``evidence-<year>``); they are read, and get no file
        but a late time stamp.
    keys : Path or KeyFolder
        The keys folder outside the evidence; a ``KeyFolder`` where the seed comes from elsewhere.
    origin : str
        Name of the log, such as ``clinic.example.org/lifecycle``; also the name of its key.
    now : callable, optional
        The wall clock (aware, UTC), asked only when the ledger itself writes something down.

    Raises
    ------
    EvidenceError
        The seed is lost or does not fit ``log.vkey``, the checkpoint does not fit the key or the tiles, a file of
        ours is missing or a link, a key can be read by others, or a write failed.
    """

    def __init__(
        self, evidence: Path, keys: Path | KeyFolder, origin: str, now: Callable[[], datetime] | None = None
    ) -> None:
        self._keys = keys if isinstance(keys, KeyFolder) else KeyFolder(keys)
        self._keys.need_outside(evidence, successor(evidence), *closed_folders(evidence).values())
        try:
            self._origin = note.need_origin(origin)
        except ValueError as error:
            raise ConfigurationError(f"The ledger's origin cannot name a key: {error}.", "lifecycle.toml") from error
        self._evidence = evidence
        self._now = now or (lambda: datetime.now(UTC))
        self._lock = FolderLock(evidence / ".lock")
        self._stopped = self._swept = False
        self._log = Log(evidence, origin)
        self._years: dict[int, Log] = {}

    @classmethod
    def create(
        cls, evidence: Path, keys: Path | KeyFolder, origin: str, now: Callable[[], datetime] | None = None
    ) -> Self:
        """Make both folders, the seed, the public key in both spellings and the signed empty checkpoint.

        An interrupted call is taken up; evidence that has a checkpoint already is refused.
        """
        ledger = cls(evidence, keys, origin, now)
        files.make_folder(evidence)
        with ledger._lock.held():
            if files.present(evidence / "checkpoint") or (evidence / "tile").exists():
                raise EvidenceError("The evidence folder holds a log already.", "lifecycle verify")
            files.make_folder(evidence / "runs")
            signer = ledger._keys.create(origin)
            ledger._put_once(evidence / "schema-version", [b"%d\n" % SCHEMA_VERSION])
            ledger._put_once(evidence / "log.vkey", [signer.verifier.vkey.encode() + b"\n"])
            ledger._put_once(evidence / "log.pub.pem", [signer.verifier.pem.encode()])
            files.write_durably(evidence / "checkpoint", [signer.checkpoint(0, Tree().root()).encode()])
        return cls.open(evidence, keys, origin, now)

    @classmethod
    def open(
        cls, evidence: Path, keys: Path | KeyFolder, origin: str, now: Callable[[], datetime] | None = None
    ) -> Self:
        """Open existing evidence and check that seed, public key, checkpoint and tiles belong together."""
        ledger = cls(evidence, keys, origin, now)
        take_up(evidence)
        if evidence.is_symlink():
            raise EvidenceError("The evidence folder is a symbolic link.", "Put the folder itself there.")
        if not evidence.is_dir():
            raise EvidenceError("There is no evidence folder.", "lifecycle init, or bring the evidence back.")
        ledger._signer(ledger._log.load().index_of)
        return ledger

    # --- runs ------------------------------------------------------------------------------------

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the evidence alone; a second user gets ``Refused`` and is told who holds it since when."""
        with self._lock.held() as first:
            if first and not self._swept:
                for log in [self._log, *self._closed()]:
                    files.sweep(log.folder)
                self._keys.sweep()
                self._swept = True
            yield

    def runs(self) -> tuple[str, ...]:
        """Name all runs, those of closed years too, oldest first; a folder that a killed plan left empty is none."""
        return tuple(name for name, folder in self._run_folders().items() if not files.lacks(folder, "1-plan.json"))

    def cut_off(self) -> tuple[str, ...]:
        """Name the runs whose plan was never written, since the call was killed: their folder is empty."""
        return tuple(name for name, folder in self._run_folders().items() if files.lacks(folder, "1-plan.json"))

    def _run_folders(self) -> dict[str, Path]:
        runs = [log.folder / "runs" for log in [self._log, *self._closed()]]
        found = {name: each / name for each in runs for name in files.names_in(each) if RUN_ID.fullmatch(name)}
        return {name: found[name] for name in sorted(found, key=run_order)}

    def new_run_id(self, as_of: date) -> str:
        """Name the next run of a day: ``2026-10-01-a`` to ``-z``, then ``-aa``; never one that had a key."""
        day = as_of.isoformat()
        number = 1 + max((number_of(run) for run in self._run_folders() if run.startswith(day)), default=0)
        while self._keys.holds(f"{day}-{letters_of(number)}"):
            number += 1
        return f"{day}-{letters_of(number)}"

    def listing(self, run_id: str) -> frozenset[str]:
        """Name the run's files: its state. Empty for a run that does not exist."""
        folder = self._run_folder(run_id)
        return frozenset(name for name in RUN_FILES if files.present(folder / name)) if folder.is_dir() else frozenset()

    def read(self, run_id: str, name: str) -> bytes:
        """Read one file of a run."""
        return files.read_file(self._run_file(run_id, name))

    def write_once(self, run_id: str, name: str, data: bytes) -> None:
        """Write a file that is never written again; an existing one must be identical, else ``EvidenceError``."""
        with self._writing():
            self._put_once(self._writable(run_id, name), [data])

    def write_pieces_once(self, run_id: str, name: str, pieces: Iterable[bytes]) -> str:
        """Write a long file piece by piece, once as ``write_once`` does, and give its SHA-256 in hex."""
        with self._writing():
            return self._put_once(self._writable(run_id, name), pieces)

    # --- the log ---------------------------------------------------------------------------------

    def append(self, leaf: bytes) -> int:
        """Append a leaf durably and give its index; the same bytes again give the index they have."""
        return self.append_all([leaf])[0]

    def append_all(self, leaves: Iterable[bytes]) -> list[int]:
        """Append several leaves under one checkpoint; those that a log has already keep their index."""
        with self._writing():
            _, tree, index_of = self._log.load()
            old, fresh, indexes = len(tree), [], []
            self._log.forget()  # if anything below fails, the disk is asked again
            for leaf in leaves:
                if len(leaf) > tiles.MAX_LEAF_BYTES:
                    raise EvidenceError(f"A leaf has {len(leaf)} bytes; a leaf is under 64 KiB.")
                value = leaf_hash(leaf)
                found = index_of[value] if value in index_of else self._closed_index(value)
                if found is None:
                    found = index_of[value] = len(tree)
                    tree.add(value)
                    fresh.append(leaf)
                indexes.append(found)
            if fresh:
                tiles.write_growth(self._evidence, tree, old, fresh)
                text = self._signer(index_of).checkpoint(len(tree), tree.root())
                files.write_durably(self._evidence / "checkpoint", [text.encode()])
                tiles.remove_superseded(self._evidence, old, len(tree))
            return indexes

    def contains(self, leaf: bytes) -> bool:
        """Tell whether these bytes are a leaf under the signed checkpoint of today's log, or a closed one."""
        return any(log.contains(leaf) for log in [self._log, *self._closed()])

    def write_proof(self, run_id: str, name: str) -> None:
        """Write ``<name>.tlog-proof`` beside a file whose bytes are a leaf; an older good proof stays."""
        with self._writing():
            value = leaf_hash(self.read(run_id, name))
            home = self._home(run_id)
            text, tree, index_of = home.load()
            if value not in index_of:
                raise EvidenceError(f"Run {run_id}: {name} is not in the log, so nothing proves it.")
            path = self._run_file(run_id, f"{name}.tlog-proof")
            if files.present(path):
                home.need_good_proof(run_id, files.read_file(path), value)
                return
            proof = tree.inclusion_proof(index_of[value], len(tree))
            self._put_once(path, [note.spell_proof(index_of[value], proof, text).encode()])

    def consistency_proof(self, old_size: int) -> list[bytes]:
        """Prove that the log of ``old_size`` leaves (at least 1) is a prefix of today's (RFC 9162, 2.1.4)."""
        tree = self._log.load().tree
        try:
            return tree.consistency_proof(old_size, len(tree))
        except ValueError as error:
            raise EvidenceError(f"The log has {len(tree)} leaves, not {old_size}.", "lifecycle verify") from error

    def checkpoint(self) -> Checkpoint:
        """Give the signed head of the log."""
        return self._log.checkpoint()

    # --- years -----------------------------------------------------------------------------------

    @property
    def log(self) -> Log:
        """Today's log, for reading."""
        return self._log

    def open_after(self, year: int, last: Checkpoint) -> None:
        """Make the end of the log before this one the first leaf."""
        with self._writing():
            self._state("log-opened.json", lambda: statements.log_opened(year, last, self._now()))

    def state_dropped(self, year: int) -> None:
        """Write down that the closed log of a year is dropped, before it is."""
        with self._writing():
            last = next(log.checkpoint() for log in self._closed() if log is self._years[year])
            self._state(f"log-dropped-{year}.json", lambda: statements.log_dropped(year, last, self._now()))

    def is_dropped(self, run_id: str) -> bool:
        """Tell whether a run lay, by its day, in a log that is not kept any more: in one before the oldest kept.

        By the day on which that one was opened: a year waits for its end while the clock is in doubt, or a plan is to
        be approved. Somewhere it was the day after by then.
        """
        first = [self._log, *self._closed()][-1].first_leaf()
        if first is None or b'"log-opened"' not in first or (day := day_of(run_id)) is None:
            return False
        return day <= datetime.fromisoformat(predicate_of(first)["recordedAt"]).date() + timedelta(days=1)

    # --- keys ------------------------------------------------------------------------------------

    def tombstone_key(self, run_id: str, *, create: bool = False) -> bytes:
        """Give the run's tombstone key (32 bytes); ``create`` draws one where the run has no plan yet.

        The run's folder is made first: a key without one is of a run that only newer evidence knows.
        """
        folder = self._run_folder(run_id)
        if create and not self._keys.holds(run_id) and not self.listing(run_id):
            with self._writing():
                files.make_folder(folder)
                return self._keys.create_tombstone_key(run_id)
        return self._keys.tombstone_key(run_id)

    def holds_tombstone_key(self, run_id: str) -> bool:
        """Tell whether the run's tombstone key is here; it is not once it was destroyed."""
        self._run_folder(run_id)
        return self._keys.holds(run_id)

    def destroy_tombstone_key(self, run_id: str) -> None:
        """Destroy the key, then write the destruction down as a leaf of its own; again changes nothing.

        The statement ``keys-log/tombstone-<run id>.json`` speaks of the run's plan, which names the key by its id.
        A key whose run never got a plan bound nothing and leaves no leaf.
        """
        with self._writing():
            self._keys.destroy_tombstone_key(run_id)
            if "1-plan.json" not in self.listing(run_id):
                return
            home = self._home(run_id)
            year = None if home is self._log else next(year for year, log in self._years.items() if log is home)
            name = f"tombstone-{run_id}.json"
            if year is not None and files.present(home.folder / STATEMENTS / name):
                return  # it was written down before that year was closed
            # The bytes as they lie there, even damaged: the key is gone, and that must be written down.
            plan = files.read_file(self._run_file(run_id, "1-plan.json"))
            self._state(name, lambda: statements.key_destroyed(run_id, plan, self._now(), year))

    def says_key_destroyed(self, run_id: str) -> bool:
        """Tell whether a leaf says that the run's tombstone key was destroyed."""
        paths = [log.folder / STATEMENTS / f"tombstone-{run_id}.json" for log in [self._log, *self._closed()]]
        return any(files.present(path) and self.contains(files.read_file(path)) for path in paths)

    def rotate_signing_key(self) -> str:
        """Let another key sign from now on, and write that down as a leaf of its own; gives the new public key.

        The leaf is the change: before it the old key signs, with it the new one. The statement
        ``keys-log/signing-key-<n>.json`` holds both public keys and the old one's signature. ``log.vkey`` stays what
        it was, so that whoever was given it can go on using it. A call that was cut off is taken up by the next.
        """
        with self._writing():
            _, _, index_of = self._log.load()
            old = self._signer(index_of)
            known = self._keys.signers(self._origin)
            if old != known[0]:  # an earlier call was cut off after the leaf
                self._keys.finish_next()
                return old.verifier.vkey
            new = self._keys.next_signer(self._origin)
            done = sum(leaf_hash(change) in index_of for change in self._log.changes())
            self._state(f"signing-key-{done + 1}.json", lambda: statements.key_changed(old, new, self._now()))
            self._keys.take_next()
            return new.verifier.vkey

    # --- inside ----------------------------------------------------------------------------------

    def _state(self, name: str, spell: Callable[[], bytes]) -> None:
        """Make a statement of the ledger's own a file and a leaf; one that is there already is finished."""
        path = self._evidence / STATEMENTS / name
        if not files.present(path):
            files.make_folder(path.parent)
            self._put_once(path, [spell()])
        self.append(files.read_file(path))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the lock for one change; after a write that failed, this object changes nothing any more."""
        if self._stopped:
            raise EvidenceError("A write of the evidence failed before; nothing more is written.", "Start again.")
        with self.locked():
            try:
                yield
            except EvidenceError as error:
                self._stopped = isinstance(error.__cause__, OSError)
                raise

    def _put_once(self, path: Path, chunks: Iterable[bytes]) -> str:
        digest = sha256()
        if files.present(path):
            for chunk in chunks:
                digest.update(chunk)
            if sha256(files.read_file(path)).digest() != digest.digest():
                raise EvidenceError(
                    f"{path.name} in {path.parent.name} exists and is different from what should be written.",
                    "It is written once and never changed: lifecycle verify",
                )
            files.sync_folder(path.parent)  # an earlier call may have been cut off between rename and this
            return digest.hexdigest()
        files.write_durably(path, _digested(chunks, digest.update))
        return digest.hexdigest()

    def _signer(self, index_of: dict[bytes, int]) -> note.Signer:
        verifier = self._log.in_force(index_of)
        for signer in self._keys.signers(self._origin):
            if signer.verifier == verifier:
                return signer
        raise EvidenceError(
            "The seed does not fit the log's key: the evidence belongs to another key.",
            "Bring back the keys folder that belongs to this evidence, or look at origin in lifecycle.toml.",
        )

    def _home(self, run_id: str) -> Log:
        """Find the log that a run lies in; today's one for a run that is not there yet."""
        if not RUN_ID.fullmatch(run_id):
            raise EvidenceError("A run id has letters, digits and hyphens only.", "lifecycle plan")
        logs = [self._log, *self._closed()]
        return next((log for log in logs if os.path.lexists(log.folder / "runs" / run_id)), self._log)

    def _closed(self) -> list[Log]:
        """Give the logs of closed years, the newest first."""
        folders = closed_folders(self._evidence)
        for year, folder in folders.items():
            self._years.setdefault(year, Log(folder, self._origin))
        return [self._years[year] for year in folders]

    def _closed_index(self, value: bytes) -> int | None:
        return next((log.load().index_of[value] for log in self._closed() if value in log.load().index_of), None)

    def _run_folder(self, run_id: str) -> Path:
        folder = self._home(run_id).folder / "runs" / run_id
        if folder.is_symlink() or folder.parent.is_symlink():
            raise EvidenceError(f"Run {run_id}: its folder is a symbolic link.", "Look who put it there.")
        return folder

    def _run_file(self, run_id: str, name: str) -> Path:
        if name not in RUN_FILES:
            raise EvidenceError("A run's folder holds the named files only; this name is none of them.")
        return self._run_folder(run_id) / name

    def _writable(self, run_id: str, name: str) -> Path:
        path = self._run_file(run_id, name)
        if self._home(run_id) is not self._log and name != STAMP and not files.present(path):
            raise EvidenceError(f"Run {run_id} lies in the log of a closed year; nothing is added to it.")
        files.make_folder(path.parent)
        return path


def _digested(chunks: Iterable[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    for chunk in chunks:
        update(chunk)
        yield chunk
