"""Durable files: written whole under a temporary name, fsynced, renamed, the folder fsynced.

A failed fsync is never tried again: the kernel may have dropped the pages and would report success.
Symbolic links are refused where a file of ours should be.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from lifecycle.errors import EvidenceError, LifecycleError

TEMPORARY = ".tmp-"
_CHUNK_BYTES = 1 << 20


def write_durably(path: Path, chunks: Iterable[bytes], mode: int = 0o644) -> None:
    """Put ``chunks`` at ``path``, all of them or nothing, and return once they would survive a power cut.

    Parameters
    ----------
    path : Path
        Replaced if it exists; whoever wants a file written once asks first, under the lock.
    chunks : iterable of bytes
    mode : int
        Permission bits of the new file.

    Raises
    ------
    EvidenceError
        Any failing system call, chained; nothing is tried a second time.
    LifecycleError
        What ``chunks`` raises passes through, and nothing of them stays.
    """
    try:
        temporary = path.with_name(TEMPORARY + path.name)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        try:
            for chunk in chunks:
                _write_all(handle, chunk)
            os.fsync(handle)
        except LifecycleError:
            os.unlink(temporary)
            raise
        finally:
            os.close(handle)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)  # before the rename: a failure here costs nothing
        try:
            os.rename(temporary, path)
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _stopped(path, error) from error


def sync_folder(path: Path) -> None:
    """Make the entries of a folder durable."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _stopped(path, error) from error


def rename_durably(path: Path, to: Path) -> None:
    """Rename a folder beside itself; once this returns, the new name would survive a power cut."""
    try:
        os.rename(path, to)
    except OSError as error:
        raise EvidenceError(
            f"{path.name} could not be renamed to {to.name} ({error.strerror}).",
            "Look after the rights of the folder they lie in, then run the same command again: it resumes.",
        ) from error
    sync_folder(to.parent)


def make_folder(path: Path, mode: int = 0o755) -> None:
    """Make ``path`` and its missing parents, each durable in its parent; a symbolic link is refused."""
    if os.path.lexists(path):
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise EvidenceError(f"{path.name} should be a folder and is not.", "Look who put it there; move it away.")
        return
    make_folder(path.parent)
    try:
        path.mkdir(mode)
    except OSError as error:
        raise _stopped(path, error) from error
    sync_folder(path.parent)


def read_file(path: Path) -> bytes:
    """Read a file of ours; a symbolic link, a folder or a device in its place is refused."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            raise _not_ours(path) from error
        raise EvidenceError(
            f"{path.name} in {path.parent.name} cannot be read ({error.strerror}).", "lifecycle verify"
        ) from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _not_ours(path)
        pieces = []
        while piece := os.read(handle, _CHUNK_BYTES):
            pieces.append(piece)
        return b"".join(pieces)
    except OSError as error:
        raise EvidenceError(
            f"{path.name} in {path.parent.name} cannot be read ({error.strerror}).", "lifecycle verify"
        ) from error
    finally:
        os.close(handle)


def names_in(folder: Path) -> list[str]:
    """Name what lies in a folder of ours; a symbolic link in its place is refused."""
    if folder.is_symlink():
        raise EvidenceError(f"The folder {folder.name} of the evidence is a symbolic link.", "lifecycle verify")
    try:
        return os.listdir(folder)
    except OSError as error:
        raise EvidenceError(
            f"The folder {folder.name} of the evidence cannot be looked into ({error.strerror}).", "lifecycle verify"
        ) from error


def lacks(folder: Path, first: str) -> bool:
    """Tell whether not even the first file of a folder of ours is there, nor any other but what a kill left."""
    if os.path.lexists(f"{folder}/{first}") or folder.is_symlink() or not folder.is_dir():
        return False
    return all(name.startswith(TEMPORARY) for name in names_in(folder))


def present(path: Path) -> bool:
    """Tell whether a file of ours is there; anything else under its name is refused."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return False
    except OSError as error:
        raise EvidenceError(
            f"{path.name} in {path.parent.name} cannot be looked at ({error.strerror}).", "lifecycle verify"
        ) from error
    if not stat.S_ISREG(kind):
        raise _not_ours(path)
    return True


def sweep(root: Path) -> None:
    """Remove what an interrupted write left under its temporary name; call it under the lock."""
    for folder, _, names in os.walk(root):
        for name in names:
            if name.startswith(TEMPORARY):
                Path(folder, name).unlink(missing_ok=True)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _not_ours(path: Path) -> EvidenceError:
    return EvidenceError(
        f"{path.name} in {path.parent.name} is not a plain file (a symbolic link or a device).",
        "Look who put it there; a file of the evidence is never a link.",
    )


def _stopped(path: Path, error: OSError) -> EvidenceError:
    return EvidenceError(
        f"Writing {path.name} in {path.parent.name} failed ({error.strerror}); stopped, nothing was tried twice.",
        "Look after the disk (space, rights, health), then run the same command again: it resumes.",
    )
