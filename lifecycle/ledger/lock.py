"""One lock for one folder: who holds it is written in it."""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from lifecycle.errors import EvidenceError, LifecycleError, Refused

_HOLDER = re.compile(rb"pid (\d{1,10}) since (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\n")


class FolderLock:
    """``flock`` on a file; the same thread may enter again, every other user is refused at once.

    Parameters
    ----------
    path : Path
        The file; made where it is missing.
    broken : type of LifecycleError, optional
        What it means that the file cannot be used; else that the evidence is broken.
    """

    def __init__(self, path: Path, broken: type[LifecycleError] = EvidenceError) -> None:
        self._path = path
        self._broken = broken
        self._depth = 0
        self._owner = 0

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the lock; yields whether this is the outermost entry.

        Raises
        ------
        Refused
            Somebody else holds it; the fact names the process and since when.
        EvidenceError, or ``broken``
            The lock file cannot be opened, or a link lies in its place.
        """
        if self._depth and self._owner == threading.get_ident():
            self._depth += 1
            try:
                yield False
            finally:
                self._depth -= 1
            return
        handle = self._take()
        self._depth, self._owner = 1, threading.get_ident()
        try:
            yield True
        finally:
            self._depth = 0
            os.close(handle)  # gives the lock back

    def _take(self) -> int:
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._broken(
                f"The lock of the {self._path.parent.name} folder cannot be opened ({error.strerror}).",
                "Look after the rights of the folder; a link in the place of .lock is refused.",
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._is_ours(handle):
                raise BlockingIOError
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"pid {os.getpid()} since {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n".encode(), 0)
        except BlockingIOError as error:
            holder = _HOLDER.fullmatch(os.pread(handle, 200, 0))
            os.close(handle)
            who = f"process {holder[1].decode()} since {holder[2].decode()}" if holder else "another process"
            raise Refused(
                f"The {self._path.parent.name} folder is held by {who}; nothing was done.",
                "Wait until it has finished, then run the same command again.",
            ) from error
        except OSError as error:
            os.close(handle)
            raise self._broken(
                f"The lock of the {self._path.parent.name} folder cannot be taken ({error.strerror}).",
                "Look after the disk (space, rights, health), then run the same command again.",
            ) from error
        return handle

    def _is_ours(self, handle: int) -> bool:
        # The folder may have been closed with its year since the file was opened; its successor has another lock.
        try:
            return os.path.samestat(os.fstat(handle), os.lstat(self._path))
        except FileNotFoundError:
            return False
