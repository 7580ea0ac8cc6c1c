"""The keys: the log's seed and one tombstone key a run, readable by their owner alone.

They lie in a folder outside the evidence and outside the backups of the data; the seed may come from elsewhere, and
a second holder may have a copy of everything. Secrets are raw bytes and never part of a message or a repr.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lifecycle.errors import ConfigurationError, EvidenceError
from lifecycle.ledger import files, holders
from lifecycle.ledger.note import Signer

SEED = "log.seed"
NEXT_SEED = "log.seed.next"
KEY_BYTES = holders.KEY_BYTES
_KEY = re.compile(r"log\.seed(\.next)?|tombstone-.*\.key")


class KeyFolder:
    """Reads and writes the secrets; everything in it has mode 0600, the folder 0700.

    Parameters
    ----------
    path : Path
    seed, next_seed : str
        Where the log's seed comes from: ``file``, ``env:NAME`` or ``command:PROGRAM ARGS``. ``next_seed`` is the
        coming one of a rotation, where it is no file.
    second_holder : str
        Empty, or ``command:PROGRAM ARGS``: gets every key on standard input when it is made
        (:class:`lifecycle.ledger.holders.Program`).
    """

    def __init__(self, path: Path, seed: str = "file", next_seed: str = "", second_holder: str = "") -> None:
        self.path = path
        self.in_file = seed == "file"
        self._sources = [source for source in (seed, next_seed) if source and source != "file"]
        self._seeds: list[bytes] = []
        self._second = holders.Program(second_holder.removeprefix("command:")) if second_holder else None
        for source in self._sources:
            if source.startswith("env:"):
                holders.hide(source.removeprefix("env:"))

    def need_outside(self, *folders: Path) -> None:
        """Refuse keys inside one of these folders: they would go where it goes, to its backups or to an auditor.

        Raises
        ------
        ConfigurationError
            They lie inside.
        """
        lies_in = self.path.resolve()
        for folder in folders:
            if folder.resolve() in (lies_in, *lies_in.parents):
                raise ConfigurationError(
                    f"The keys folder lies inside {folder.name}/.",
                    'Move it out, and name its new place in lifecycle.toml: [ledger] keys = "keys".',
                )

    def create(self, origin: str) -> Signer:
        """Make the folder and the seed; what an interrupted call left is taken up."""
        files.make_folder(self.path, 0o700)
        self._need_private(self.path)
        if self.in_file and not files.present(self.path / SEED):
            self._make(SEED, secrets.token_bytes(KEY_BYTES))
        return self.signers(origin)[0]

    def signers(self, origin: str) -> list[Signer]:
        """Give the log's signing key and, while it is being replaced, the coming one.

        Raises
        ------
        EvidenceError
            The seed is lost or has a wrong length, or a key can be read by others.
        """
        for path in self.exposed():
            if _KEY.fullmatch(path.name) or path == self.path:
                self._need_private(path)
        if not self.in_file:
            self._seeds = self._seeds or [_from_elsewhere(source) for source in self._sources]
            return [Signer(origin, seed) for seed in self._seeds]
        if not files.present(self.path / SEED):
            raise EvidenceError(
                f"The log's seed ({SEED}) is not in the keys folder: nothing can be signed.",
                "Bring it back from its second holder. Without one, rows go to a new workspace: docs/scheduling.md.",
            )
        names = [SEED] + [NEXT_SEED] * files.present(self.path / NEXT_SEED)
        return [Signer(origin, self._read(name)) for name in names]

    # --- rotation --------------------------------------------------------------------------------

    def next_signer(self, origin: str) -> Signer:
        """Give the coming signing key; a new one is drawn where the seed is a file."""
        if self.in_file and not files.present(self.path / NEXT_SEED):
            self._make(NEXT_SEED, secrets.token_bytes(KEY_BYTES))
        found = self.signers(origin)
        if len(found) < 2:
            raise ConfigurationError(
                "There is no coming seed: the seed is no file, so nobody here can draw one.",
                'Name it in lifecycle.toml: [ledger] next_seed = "env:NAME" or "command:PROGRAM ARGS".',
            )
        return found[1]

    def take_next(self) -> None:
        """Put the coming seed in the place of the old one, which is gone then."""
        if not self.in_file or not files.present(self.path / NEXT_SEED):
            return
        if self._second:
            self._second.put(SEED, self._read(NEXT_SEED))
        try:
            os.rename(self.path / NEXT_SEED, self.path / SEED)
        except OSError as error:
            raise EvidenceError(f"The new seed could not take the old one's place ({error.strerror}).") from error
        files.sync_folder(self.path)
        if self._second:
            self._second.drop(NEXT_SEED)

    def finish_next(self) -> None:
        """Finish a rotation that was cut off; where the seed is no file, the settings still name the old one."""
        if not self.in_file:
            raise ConfigurationError(
                "The coming seed signs already.", "lifecycle.toml: [ledger]: make next_seed the seed, and name another."
            )
        self.take_next()

    # --- tombstone keys --------------------------------------------------------------------------

    def holds(self, run_id: str) -> bool:
        """Tell whether the run's tombstone key lives."""
        return files.present(self.path / _tombstone_name(run_id))

    def runs(self) -> list[str]:
        """Name the runs whose tombstone key lives."""
        before, after = _tombstone_name("*").split("*")
        paths = sorted(self.path.glob(_tombstone_name("*")))
        return [path.name.removeprefix(before).removesuffix(after) for path in paths]

    def tombstone_key(self, run_id: str) -> bytes:
        """Give the run's tombstone key, 32 bytes."""
        if not self.holds(run_id):
            raise EvidenceError(
                f"Run {run_id}: its tombstone key is not in the keys folder.",
                "It was destroyed on schedule, or bring it back from its second holder.",
            )
        return self._read(_tombstone_name(run_id))

    def create_tombstone_key(self, run_id: str) -> bytes:
        """Draw a new tombstone key and make it durable, at its second holder first, before anybody uses it."""
        self._need_private(self.path)
        return self._make(_tombstone_name(run_id), secrets.token_bytes(KEY_BYTES))

    def destroy_tombstone_key(self, run_id: str) -> None:
        """Overwrite and unlink the key. (An SSD or a snapshot may keep the old cells: the report says so.)

        The second holder destroys it first: a call that is cut off in between finds the own copy and begins again.
        """
        path = self.path / _tombstone_name(run_id)
        if not self.holds(run_id):
            return
        if self._second:
            self._second.drop(path.name)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                os.write(handle, bytes(KEY_BYTES))
                os.fsync(handle)
            finally:
                os.close(handle)
            path.unlink()
        except OSError as error:
            raise EvidenceError(
                f"Run {run_id}: its tombstone key could not be destroyed ({error.strerror}).",
                "Look after the rights of the keys folder, then run the same command again.",
            ) from error
        files.sync_folder(self.path)

    # --- the second holder -----------------------------------------------------------------------

    def different_at_second_holder(self, origin: str) -> list[str] | None:
        """Read every living key here and there, and name those that are not the same; None without a second holder.

        Raises
        ------
        EvidenceError
            A key cannot be read here.
        """
        if not self._second:
            return None
        return [name for name, key in self._living(origin) if not self._held_by_second(name, key)]

    def _living(self, origin: str) -> Iterator[tuple[str, bytes]]:
        yield SEED, self.signers(origin)[0].seed
        for path in sorted(self.path.glob(_tombstone_name("*"))):
            yield path.name, self._read(path.name)

    def _held_by_second(self, name: str, key: bytes) -> bool:
        assert self._second is not None
        try:
            return hmac.compare_digest(self._second.get(name), key)
        except EvidenceError:
            return False

    # --- inside ----------------------------------------------------------------------------------

    def exposed(self) -> dict[Path, str]:
        """Find what somebody else can read or change, of the folder and all that lies in it; with what mends it."""
        found: dict[Path, str] = {}
        try:
            paths = [self.path, *sorted(self.path.iterdir())]
        except OSError:
            return found  # whoever needs a key says that it is not there
        for path in paths:
            with suppress(FileNotFoundError):  # destroyed meanwhile
                trouble = self._exposure(path)
                found |= {path: trouble[1]} if trouble else {}
        return found

    def sweep(self) -> None:
        """Remove what an interrupted write left."""
        files.sweep(self.path)

    def _make(self, name: str, secret: bytes) -> bytes:
        # The second holder first: a key that lies here is one that it has.
        if self._second:
            self._second.put(name, secret)
        files.write_durably(self.path / name, [secret], 0o600)
        return secret

    def _read(self, name: str) -> bytes:
        self._need_private(self.path)
        self._need_private(self.path / name)
        secret = files.read_file(self.path / name)
        if len(secret) != KEY_BYTES:
            raise EvidenceError(f"{name} in the keys folder has not {KEY_BYTES} bytes.", "Bring back the right file.")
        return secret

    def _need_private(self, path: Path) -> None:
        trouble = self._exposure(path)
        if trouble:
            raise EvidenceError(*trouble)

    def _exposure(self, path: Path) -> tuple[str, str] | None:
        """Say why somebody else can read or change a path, and what mends it; the bytes are not looked at."""
        status, user = path.lstat(), os.geteuid()
        is_folder = path == self.path
        what = "The keys folder" if is_folder else f"{path.name} in the keys folder"
        if stat.S_ISLNK(status.st_mode):
            hint = "Name the folder itself in lifecycle.toml." if is_folder else "Put the file itself there."
            return f"{what} is a symbolic link.", hint
        if stat.S_IMODE(status.st_mode) & 0o077:
            return f"{what} can be read or changed by others.", f"chmod {700 if is_folder else 600} {path}"
        # Root may look after the workspace of another user, whose folder it is then.
        owner = user if is_folder and user else self.path.lstat().st_uid
        if status.st_uid not in (owner, user):
            return f"{what} belongs to another user.", f"chown {owner} {path}"
        return None


def _from_elsewhere(source: str) -> bytes:
    kind, _, rest = source.partition(":")
    return holders.from_environment(rest) if kind == "env" else holders.Program(rest).seed()


def _tombstone_name(run_id: str) -> str:
    return f"tombstone-{run_id}.key"
