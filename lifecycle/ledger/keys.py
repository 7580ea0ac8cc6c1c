"""The key folder: the log's seed and one tombstone key a run, readable by their owner alone.

It lies outside the evidence and outside the backups of the data. Secrets are raw bytes and never part of a
message or a repr.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from lifecycle.errors import EvidenceError
from lifecycle.ledger import files
from lifecycle.ledger.note import Signer

SEED = "log.seed"
KEY_BYTES = 32


class KeyFolder:
    """Reads and writes the secrets; everything in it has mode 0600, the folder 0700."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self, origin: str) -> Signer:
        """Make the folder and the seed; what an interrupted call left is taken up."""
        files.make_folder(self.path, 0o700)
        self._need_private(self.path)
        if not files.present(self.path / SEED):
            self._write(SEED, secrets.token_bytes(KEY_BYTES))
        return self.signer(origin)

    def signer(self, origin: str) -> Signer:
        """Give the log's signing key.

        Raises
        ------
        EvidenceError
            The seed is lost, has a wrong length, or can be read by others.
        """
        if not files.present(self.path / SEED):
            raise EvidenceError(
                f"The log's seed ({SEED}) is not in the keys folder: nothing can be signed.",
                "Bring it back from its second holder. Without it, close this log and begin a new one.",
            )
        return Signer(origin, self._read(SEED))

    def holds(self, run_id: str) -> bool:
        """Tell whether the run's tombstone key lives."""
        return files.present(self.path / _tombstone_name(run_id))

    def tombstone_key(self, run_id: str) -> bytes:
        """Give the run's tombstone key, 32 bytes."""
        if not self.holds(run_id):
            raise EvidenceError(
                f"Run {run_id}: its tombstone key is not in the keys folder.",
                "It was destroyed on schedule, or bring it back from its second holder.",
            )
        return self._read(_tombstone_name(run_id))

    def create_tombstone_key(self, run_id: str) -> bytes:
        """Draw a new tombstone key and make it durable before anybody uses it."""
        self._need_private(self.path)
        key = secrets.token_bytes(KEY_BYTES)
        self._write(_tombstone_name(run_id), key)
        return key

    def destroy_tombstone_key(self, run_id: str) -> None:
        """Overwrite and unlink the key. (An SSD or a snapshot may keep the old cells: the report says so.)"""
        path = self.path / _tombstone_name(run_id)
        if not self.holds(run_id):
            return
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

    def sweep(self) -> None:
        """Remove what an interrupted write left."""
        files.sweep(self.path)

    def _write(self, name: str, secret: bytes) -> None:
        files.write_durably(self.path / name, [secret], 0o600)

    def _read(self, name: str) -> bytes:
        self._need_private(self.path)
        self._need_private(self.path / name)
        secret = files.read_file(self.path / name)
        if len(secret) != KEY_BYTES:
            raise EvidenceError(f"{name} in the keys folder has not {KEY_BYTES} bytes.", "Bring back the right file.")
        return secret

    def _need_private(self, path: Path) -> None:
        status = path.lstat()
        is_folder = stat.S_ISDIR(status.st_mode)
        if stat.S_ISLNK(status.st_mode):
            raise EvidenceError("The keys folder is a symbolic link.", "Name the folder itself in lifecycle.toml.")
        if stat.S_IMODE(status.st_mode) & 0o077:
            what = "The keys folder" if is_folder else f"{path.name} in the keys folder"
            mode = "700" if is_folder else "600"
            raise EvidenceError(f"{what} can be read or changed by others.", f"chmod {mode} {path}")


def _tombstone_name(run_id: str) -> str:
    return f"tombstone-{run_id}.key"
