"""Deleting from the embedded store: a fresh file with what stays and the marker rows; the rename is the commit.

A plain DELETE leaves every byte in a DuckDB file, and so do UPDATE, VACUUM and CHECKPOINT; dropped blocks are only
free. So nothing is deleted in place, ever, and the fresh file is written by a process that never saw the old rows.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from lifecycle.errors import Incomplete, StoreError
from lifecycle.model import SCHEMAS, Cutoffs, Erased, ErasedSet, Erasure, Residue, Verified
from lifecycle.stores.embedded import returned, sql
from lifecycle.stores.embedded.clean import CleanProcess
from lifecycle.stores.embedded.connect import CONFIG, IN_UTC, LIMITS, NO_PROGRESS_BAR
from lifecycle.stores.embedded.residue import Controls, choose_controls
from lifecycle.stores.embedded.schema import CARRIED_OVER, create_statements
from lifecycle.stores.embedded.tombstones import distinct_and_sorted, load_ahead, marked, tombstones
from lifecycle.stores.search import Searcher, files_below

if TYPE_CHECKING:
    import duckdb

_BY_CHANCE = 12  # bytes; shorter values may occur in digests
_BATCH = 30_000  # rows that pass at a time; more are no faster and take more memory


class Rewrite:
    """The embedded store, open and alone, with the due rows chosen (the port ``model.Erasing``).

    Parameters
    ----------
    db : duckdb.DuckDBPyConnection
        The store's only connection; it is closed with the commit.
    path, root : pathlib.Path
        The store's file, and the workspace whose bytes are searched.
    name : str
        The store's name in plans and markers.
    """

    def __init__(
        self,
        db: duckdb.DuckDBPyConnection,
        path: Path,
        root: Path,
        name: str,
        cutoffs: Mapping[str, Cutoffs],
        key: bytes,
    ) -> None:
        self._db = db
        self._path = path
        self._root = root
        self._name = name
        self._cutoffs = cutoffs
        self._fresh = path.with_name(path.name + ".new")
        self._refuse_unsafe_file()
        db.execute("CHECKPOINT")
        if any(db.execute(sql.any_may_be_due(dataset, each)).fetchall() for dataset, each in cutoffs.items()):
            load_ahead()  # while the due rows are chosen; a night without any need not
        returned.choose(db, cutoffs)
        for dataset, each in cutoffs.items():
            db.execute(
                f"CREATE TEMP TABLE doomed_{dataset} AS SELECT row, due_by, day_0_at "
                f"FROM ({sql.judged(dataset, each)}) WHERE due_by IS NOT NULL AND NOT coalesce(held, false)"
            )
        self._tombstones = tombstones_of_doomed(db, tuple(cutoffs), key)

    @property
    def tombstones(self) -> pl.Series:
        """The distinct tombstones of the chosen rows, sorted."""
        return self._tombstones

    def commit(self, order: Erasure) -> Erased:
        """Rewrite, search, and commit by renaming."""
        with self._fresh_file():
            early = self._count_early(order)
            controls = choose_controls(self._db)
            key_hashes = _key_hashes(self._db, self._cutoffs)
            sets, residue = self._write_and_search(order, controls, early)
            self._put_in_place(order.run_id)
        return Erased(sets, early, residue, key_hashes)

    def renew(self, run_id: str) -> None:
        """Rewrite what stays where replaced rows, or a call that was killed, left their bytes; no row is deleted."""
        if not self._db.sql(sql.OWES_REWRITE).fetchall():
            return
        with self._fresh_file():
            self._write_fresh()
            _sync(self._fresh)
            self._put_in_place(run_id)

    @contextmanager
    def _fresh_file(self) -> Iterator[None]:
        self._remove_leftovers()
        try:
            with CleanProcess() as self._clean:
                yield
        except OSError as error:
            raise StoreError(
                f"The workspace could not be searched or the fresh file not be written: {error.strerror}.",
                "every file of the workspace must be readable, and there must be room for a second store",
            ) from None
        finally:
            self._remove_leftovers()

    def _refuse_unsafe_file(self) -> None:
        size = self._path.stat()
        if size.st_nlink > 1:
            raise StoreError(
                f"The store {self._path.name} has {size.st_nlink - 1} more hard links, which would keep the old bytes.",
                "remove the other links (find -samefile) and run again",
            )
        free = shutil.disk_usage(self._path.parent).free
        if free < size.st_size + (64 << 20):
            raise StoreError(
                f"A rewrite needs {size.st_size >> 20} MiB beside the store; {free >> 20} MiB are free.",
                "free some space and run the same command again",
            )

    def _remove_leftovers(self) -> None:
        for leftover in (self._fresh, self._fresh.with_name(self._fresh.name + ".wal")):
            leftover.unlink(missing_ok=True)

    def _count_early(self, order: Erasure) -> int:
        early = 0
        for dataset in self._cutoffs:
            too_soon = sql.not_yet_due_by_calendar(order.rules[dataset], order.zone, order.as_of)
            early += _one(self._db, f"SELECT count(*) FROM doomed_{dataset} WHERE due_by = 'booked' AND {too_soon}")
        if early:
            raise StoreError(
                f"{early} rows would be deleted before their day; nothing was deleted.",
                "two ways of counting days disagree: this is a fault of lifecycle, report it",
            )
        return early

    def _write_fresh(self) -> dict[str, tuple[int, int]]:
        """Write what stays into a fresh file; gives per dataset the number of rows and the sum of their hashes."""
        db, stayed = self._db, {}
        with self._fresh_opened():
            for statement in create_statements():
                self._clean.execute(statement)
            for table in CARRIED_OVER:
                self._clean.insert(table, db.sql(f"FROM {table} {_STAYS.get(table, '')}").to_arrow_reader())
            for dataset, schema in SCHEMAS.items():
                names = ", ".join([*schema, "_source"])
                stays = f"FROM {dataset} e ANTI JOIN doomed_{dataset} d ON d.row = e.rowid"
                expected = _count_and_sum(db, dataset, stays)
                rows = db.sql(f"SELECT {names} {stays}").to_arrow_reader(_BATCH)
                self._clean.insert(f"{dataset} ({names})", rows)
                if tuple(self._clean.execute(_counted_and_summed(dataset, f"FROM {dataset} e"))[0]) != expected:
                    raise StoreError(
                        f"The fresh file does not hold the {expected[0]} rows of {dataset} that stay; nothing was "
                        "deleted.",
                        "run the same command again",
                    )
                stayed[dataset] = expected
        return stayed

    def _fresh_opened(self) -> AbstractContextManager[None]:
        # Without a temporary folder: rows that only pass through need none.
        settings = [NO_PROGRESS_BAR, IN_UTC, *LIMITS, "SET temp_directory = ''"]
        return self._clean.opened(self._fresh, CONFIG, settings)

    def _erased_set(self, order: Erasure, dataset: str, stayed: tuple[int, int]) -> ErasedSet:
        deleted = _one(self._db, f"SELECT count(*) FROM doomed_{dataset}")
        return ErasedSet(self._name, dataset, deleted, stayed[0], order.retained_digest(dataset, *stayed))

    def _write_and_search(
        self, order: Erasure, controls: Controls, early: int
    ) -> tuple[tuple[ErasedSet, ...], Residue]:
        """Write the fresh file and search it as it will lie there, marker included."""
        elsewhere, clean = self._search_others(order, controls)
        sets = tuple(self._erased_set(order, dataset, each) for dataset, each in self._write_fresh().items())
        self._mark(order, sets, early, clean)
        residue = self._search(controls, elsewhere, clean)
        if residue != clean:  # some of the controls are part of a longer value that stays, or values are left
            self._mark(order, sets, early, residue)
        return sets, residue

    def _search_others(self, order: Erasure, controls: Controls) -> tuple[set[int], Residue]:
        old = Searcher(controls.values).search([self._path])
        others = files_below(self._root, without=[self._path, self._fresh, *order.residual_files])
        seen = Searcher(controls.telling, alone_below=_BY_CHANCE).search(others)
        elsewhere = {controls.values.index(controls.telling[index]) for index in seen.patterns}
        return elsewhere, Residue(
            places=len({self._place(path) for path in others}) + 1,
            files=1 + len(others),
            bytes=old.bytes + seen.bytes,
            controls=len(controls.values),
            found_in_old=len(old.patterns),
            found_in_new=len(elsewhere),
        )

    def _search(self, controls: Controls, elsewhere: set[int], clean: Residue) -> Residue:
        """Search the fresh file; gives what its marker must say."""
        fresh = Searcher(controls.values).search([self._fresh])
        explained = controls.explained(self._db, fresh.patterns, self._fresh)
        return replace(
            clean,
            controls=clean.controls - len(explained),
            found_in_old=clean.found_in_old - len(explained),
            found_in_new=len((fresh.patterns - explained) | elsewhere),
        )

    def _place(self, path: Path) -> str:
        return path.relative_to(self._root).parts[0]

    def _mark(self, order: Erasure, sets: Iterable[ErasedSet], early: int, residue: Residue) -> None:
        checked = json.dumps({"deleted_before_due": early, "residue": asdict(residue)})
        with self._fresh_opened():
            self._clean.execute("DELETE FROM _deletion_runs WHERE run_id = ?", [order.run_id])
            for one in sets:
                self._clean.execute(
                    "INSERT INTO _deletion_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [order.run_id, one.store, one.dataset, order.plan_sha256, one.deleted, one.retained,
                     one.retained_digest, checked],
                )  # fmt: skip
        _sync(self._fresh)

    def _put_in_place(self, run_id: str) -> None:
        old = os.open(self._path, os.O_RDWR)
        try:
            self._rename(run_id)
        finally:
            # Still alone: nobody can have opened the old file since, and whoever did before was refused.
            self._db.close()
            self._empty(old)

    def _rename(self, run_id: str) -> None:
        for path in (self._path, self._fresh):
            if path.with_name(path.name + ".wal").exists():
                raise StoreError("A write-ahead log lies beside the store; nothing was deleted.", "run it again")
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.chmod(self._fresh, self._path.stat().st_mode & 0o777)
            os.rename(self._fresh, self._path)
            os.fsync(folder)
        except OSError as error:
            raise Incomplete(
                f"The fresh file could not be put in place: {error.strerror}.", f"lifecycle purge {run_id}"
            ) from None
        finally:
            os.close(folder)

    def _empty(self, old: int) -> None:
        # Whoever still holds the old file open would keep everybody in it; an emptied file holds nobody.
        try:
            if os.fstat(old).st_nlink == 0:
                os.ftruncate(old, 0)
                os.fsync(old)
        finally:
            os.close(old)


def erased(db: duckdb.DuckDBPyConnection, run_id: str) -> Erased | None:
    """Return what the marker rows of a run say, or None where there are none."""
    rows = db.execute(
        "SELECT store, dataset, deleted, retained, retained_digest, checked FROM _deletion_runs "
        "WHERE run_id = $run_id ORDER BY dataset DESC",
        {"run_id": run_id},
    ).fetchall()
    if not rows:
        return None
    checked = json.loads(rows[0][5])
    sets = tuple(ErasedSet(*row[:5]) for row in rows)
    return Erased(sets, checked["deleted_before_due"], Residue(**checked["residue"]))


def verified(db: duckdb.DuckDBPyConnection, order: Erasure, done: Erased) -> Verified:
    """Look at the store again, on a new connection: what is due, what was erased, what stayed."""
    returned.choose(db, order.cutoffs)
    going = "due_by IS NOT NULL AND NOT coalesce(held, false)"
    still_due = sum(
        _one(db, f"SELECT count(*) FROM ({sql.judged(dataset, cutoffs)}) WHERE {going}")
        for dataset, cutoffs in order.cutoffs.items()
    )
    # Nothing can have arrived since the commit: while a run is open, nothing is taken in.
    unchanged = all(
        order.retained_digest(each.dataset, *_count_and_sum(db, each.dataset, f"FROM {each.dataset} e"))
        == each.retained_digest
        for each in done.sets
    )
    return Verified(still_due, _tombstoned_still_present(db, order, done.key_hashes), unchanged)


def _tombstoned_still_present(db: duckdb.DuckDBPyConnection, order: Erasure, key_hashes: pl.Series | None) -> int:
    if key_hashes is not None:
        db.register("suspects", key_hashes.to_frame("h").to_arrow())
    count = 0
    for dataset in order.cutoffs:
        # The cheap comparison first: an HMAC of every row that stays would cost more than the rewrite itself.
        suspect = "true" if key_hashes is None else f"{sql.key_hash(dataset)} IN (SELECT h FROM suspects)"
        count += marked(db, dataset, order.key, order.tombstones, suspect).height
    return count


def _key_hashes(db: duckdb.DuckDBPyConnection, datasets: Iterable[str]) -> pl.Series:
    parts = [
        f"SELECT {sql.key_hash(dataset)} AS h FROM {dataset} e WHERE e.rowid IN (SELECT row FROM doomed_{dataset})"
        for dataset in datasets
    ]
    hashes: pl.DataFrame = db.sql(" UNION ALL ".join(parts)).pl()
    return hashes["h"]


def tombstones_of_doomed(db: duckdb.DuckDBPyConnection, datasets: Iterable[str], key: bytes) -> pl.Series:
    """Return the distinct tombstones of the rows in the ``doomed`` tables, sorted."""
    parts = [
        tombstones(db, dataset, key, f"e.rowid IN (SELECT row FROM doomed_{dataset})")["tombstone"]
        for dataset in datasets
        if _one(db, f"SELECT count(*) FROM doomed_{dataset}")  # a night with nothing due need not load what hashes
    ]
    return distinct_and_sorted(pl.concat(parts)) if parts else pl.Series(dtype=pl.String)


# A hold that was lifted goes with the last row of its appointment: its uid is personal, too.
_STAYS = {
    "_meta": f"WHERE key <> '{sql.REWRITE_OWED}'",
    "_holds": "h WHERE h.lifted_on IS NULL OR EXISTS (SELECT 1 FROM appointments e WHERE e.appointment_uid = "
    "h.appointment_uid AND e.rowid NOT IN (SELECT row FROM doomed_appointments)) OR EXISTS (SELECT 1 FROM events e "
    "WHERE e.appointment_uid = h.appointment_uid AND e.rowid NOT IN (SELECT row FROM doomed_events))",
}


def _count_and_sum(db: duckdb.DuckDBPyConnection, dataset: str, source: str) -> tuple[int, int]:
    row = db.execute(_counted_and_summed(dataset, source)).fetchall()[0]
    return int(row[0]), int(row[1])


def _counted_and_summed(dataset: str, source: str) -> str:
    return f"SELECT count(*), coalesce(sum({sql.row_hash(dataset)}), 0) {source}"


def _one(db: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(db.execute(query).fetchall()[0][0])


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
