"""Opening the DuckDB file: alone, offline, and never longer than one call."""

from __future__ import annotations

import glob
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifecycle.errors import StoreError
from lifecycle.stores.embedded.schema import VERSION, create_statements

if TYPE_CHECKING:
    import duckdb

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
MEMORY_BYTES = 500_000_000
"""What DuckDB may hold for a call; beyond that it spills."""
LIMITS = (f"SET memory_limit = '{MEMORY_BYTES}B'", "SET preserve_insertion_order = false")
NO_PROGRESS_BAR = "SET enable_progress_bar = false"
"""Else DuckDB draws its progress on standard output, even into a pipe."""
IN_UTC = "SET TimeZone = 'UTC'"
"""Hashes of rows rest on it."""


def create(path: Path) -> None:
    """Create the store's file with all its tables."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path, wait_seconds=0) as connection:
        for statement in create_statements():
            connection.execute(statement)
        connection.execute("INSERT INTO _meta VALUES ('schema_version', $version)", {"version": str(VERSION)})


@contextmanager
def opened(path: Path, *, wait_seconds: float = 10, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the store for the length of a ``with`` block, alone; wait for other users, then say who is in the way.

    Parameters
    ----------
    read_only : bool
        Change no byte of it, and be in nobody's way who only reads, too.

    Raises
    ------
    StoreError
        Missing, a symbolic link, in use by another process, of a newer version, or not a DuckDB file; or it is to be
        changed, and it or its folder is read-only.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise StoreError(f"The store {path.name} is not a plain file.", "put the DuckDB file itself there")
    if not path.exists():
        raise StoreError(f"The store {path.name} is missing.", "lifecycle init DIR, or bring the file back")
    if not read_only:
        _need_rights(path)
    with _opened(path, wait_seconds=wait_seconds, read_only=read_only) as connection:
        _refuse_newer(connection, path)
        yield connection


def _need_rights(path: Path) -> None:
    """Refuse what may not be written in words; DuckDB would say it late, or as if the file were none of its own."""
    for one in (path.parent, path):
        if not os.access(one, os.W_OK):
            kind = "folder" if one.is_dir() else "store"
            raise StoreError(
                f"The {kind} {one.name} is read-only for this user, and every verb but serve writes there.",
                f"give the user who runs lifecycle the right to write {one.name}; to look only: lifecycle serve",
            )


@contextmanager
def beside(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open another session of a store that is open already: with temporary tables of its own, and no cost."""
    session = connection.cursor()
    try:
        with _translated_errors(path):
            _speak_plainly(session)
            yield session
    finally:
        session.close()


@contextmanager
def _opened(path: Path, *, wait_seconds: float, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = _connect(path, wait_seconds, read_only)
    # The temporary folder is part of the store: beside it, for its owner only, and empty outside a call. There can be
    # several readers at once; what one of them left, because it was killed, goes with the next one who is alone.
    temporary = path.with_name(path.name + (f".tmp.{os.getpid()}" if read_only else ".tmp"))
    try:
        if temporary.is_symlink():  # what spills would lie wherever it leads
            raise StoreError(f"{temporary.name} beside the store is a symbolic link.", "remove it")
        if not read_only:
            _clear_readers(path)
        with _translated_errors(path):
            _speak_plainly(connection)
            for limit in LIMITS:
                connection.execute(limit)
            connection.execute(f"SET temp_directory = '{str(temporary).replace(chr(39), chr(39) * 2)}'")
            yield connection
    finally:
        connection.close()
        shutil.rmtree(temporary, ignore_errors=True)


def _clear_readers(path: Path) -> None:
    try:
        for left in list(path.parent.glob(f"{glob.escape(path.name)}.tmp.*")):
            shutil.rmtree(left, ignore_errors=True)
    except OSError as error:
        raise StoreError(
            f"The folder {path.parent.name} cannot be listed: {error.strerror}.",
            "look after the disk (rights, health), then run the same command again",
        ) from None


def _speak_plainly(connection: duckdb.DuckDBPyConnection) -> None:
    import duckdb

    with suppress(duckdb.InvalidInputException):  # in a notebook without ipywidgets it can draw none, and refuses
        connection.execute(NO_PROGRESS_BAR)
    connection.execute(IN_UTC)


@contextmanager
def _translated_errors(path: Path) -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        # DuckDB's own messages can quote what it read, so they stop here.
        raise StoreError(
            f"The store {path.name} could not do what was asked ({type(error).__name__}).", "lifecycle doctor"
        ) from None


def _connect(path: Path, wait_seconds: float, read_only: bool) -> Any:
    import duckdb

    if _open_in_this_process(path):
        raise StoreError(f"The store {path.name} is open elsewhere in this process.", "close that connection first")
    give_up = time.monotonic() + wait_seconds
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only, config=CONFIG)
        except duckdb.IOException as error:
            busy = "lock" in str(error).lower()
            if busy and time.monotonic() < give_up:
                time.sleep(0.1)
                continue
            raise _translated(path, busy) from None
        except duckdb.Error:
            raise _translated(path, False) from None


def _translated(path: Path, busy: bool) -> StoreError:
    if busy:
        return StoreError(f"The store {path.name} is in use by another process.", "close it there and try again")
    return StoreError(f"The store {path.name} cannot be opened as a DuckDB file.", "lifecycle doctor")


def _open_in_this_process(path: Path) -> bool:
    # DuckDB would hand out the instance that is already open, and a swapped file would live on inside it.
    return str(path.resolve()) in open_files("self")


def open_files(process: str) -> set[str]:
    """Return the paths that a process holds open, as far as this user may see them (Linux; else nothing)."""
    folder = Path("/proc") / process / "fd"
    found: set[str] = set()
    try:
        descriptors = list(folder.iterdir())
    except OSError:
        return found
    for descriptor in descriptors:
        try:
            found.add(os.readlink(descriptor))
        except OSError:
            continue
    return found


def _refuse_newer(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    import duckdb

    try:
        row = connection.sql("SELECT value FROM _meta WHERE key = 'schema_version'").fetchall()
    except duckdb.Error:
        row = []
    if not row:
        raise StoreError(f"{path.name} is a DuckDB file, but not a store of lifecycle.", "lifecycle init DIR")
    if int(row[0][0]) > VERSION:
        raise StoreError(
            f"The store {path.name} has schema version {row[0][0]}; this lifecycle knows {VERSION}.",
            "use the version of lifecycle that wrote it, or a newer one",
        )
