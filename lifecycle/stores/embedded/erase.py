"""Deleting from the embedded store: a fresh file with what stays and the marker rows; the rename is the commit.

A plain DELETE leaves every byte in a DuckDB file, and so do UPDATE, VACUUM and CHECKPOINT; dropped blocks are only
free. So nothing is deleted in place, ever.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from lifecycle.errors import Incomplete, StoreError
from lifecycle.model import SCHEMAS, Erased, ErasedSet, Erasure, PlanDrift, Residue, Verified
from lifecycle.stores.embedded import sql
from lifecycle.stores.embedded.connect import fill_schema, opened
from lifecycle.stores.embedded.residue import Controls, choose_controls
from lifecycle.stores.embedded.schema import CARRIED_OVER
from lifecycle.stores.search import Searcher, files_below

if TYPE_CHECKING:
    import duckdb


class Rewrite:
    """One run's rewrite of the embedded store.

    Parameters
    ----------
    path, root : pathlib.Path
        The store's file, and the workspace whose bytes are searched.
    name : str
        The store's name in plans and markers.
    """

    def __init__(self, path: Path, root: Path, name: str, order: Erasure, wait_seconds: float) -> None:
        self._path = path
        self._root = root
        self._name = name
        self._order = order
        self._wait_seconds = wait_seconds
        self._early = 0
        self._fresh = path.with_name(path.name + ".new")

    def run(self) -> Erased | PlanDrift:
        """Rewrite, search, commit by renaming; or say that the due rows are no longer those of the plan."""
        self._refuse_unsafe_file()
        self._remove_leftovers()
        try:
            with opened(self._path, wait_seconds=self._wait_seconds) as db:
                db.execute("CHECKPOINT")
                drift = self._select(db)
                if drift is not None:
                    return drift
                controls = choose_controls(db)
                key_hashes = _key_hashes(db, self._order.cutoffs)
                sets = self._write_fresh(db)
                residue = self._search(db, controls)
                self._mark(db, sets, residue)
                old = os.open(self._path, os.O_RDWR)
                try:
                    self._commit()
                finally:
                    # Still alone: nobody can have opened the old file since, and whoever did before was refused.
                    db.close()
                    self._empty(old)
        finally:
            self._remove_leftovers()
        return Erased(sets, self._early, residue, key_hashes)

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

    def _select(self, db: duckdb.DuckDBPyConnection) -> PlanDrift | None:
        for dataset, cutoffs in self._order.cutoffs.items():
            early = sql.not_yet_due_by_calendar(self._order.rules[dataset], self._order.zone, self._order.as_of)
            db.execute(
                f"CREATE TEMP TABLE doomed_{dataset} AS SELECT row, due_by = 'booked' AND {early} AS early "
                f"FROM ({sql.judged(dataset, cutoffs)}) WHERE due_by IS NOT NULL AND NOT coalesce(held, false)"
            )
        self._early = sum(_one(db, f"SELECT count(*) FROM doomed_{ds} WHERE early") for ds in self._order.cutoffs)
        if self._early:
            raise StoreError(
                f"{self._early} rows would be deleted before their day; nothing was deleted.",
                "two ways of counting days disagree: this is a fault of lifecycle, report it",
            )
        present = tombstones_of_doomed(db, tuple(self._order.cutoffs), self._order.key)
        if _digest(present) == self._order.tombstones_sha256:
            return None
        now, planned = set(present), set(self._order.tombstones())
        return PlanDrift(appeared=len(now - planned), vanished=len(planned - now))

    def _write_fresh(self, db: duckdb.DuckDBPyConnection) -> tuple[ErasedSet, ...]:
        db.execute("ATTACH $fresh AS fresh", {"fresh": str(self._fresh)})
        fill_schema(db, "fresh")
        db.execute("DELETE FROM fresh._meta")
        for table in CARRIED_OVER:
            db.execute(f"INSERT INTO fresh.{table} SELECT * FROM {table} {_STAYS.get(table, '')}")
        sets = []
        for dataset, schema in SCHEMAS.items():
            names = ", ".join([*schema, "_source"])
            stays = f"FROM {dataset} e WHERE e.rowid NOT IN (SELECT row FROM doomed_{dataset})"
            expected = _count_and_sum(db, dataset, stays)
            db.execute(f"INSERT INTO fresh.{dataset} ({names}) SELECT {names} {stays}")
            if _count_and_sum(db, dataset, f"FROM fresh.{dataset} e") != expected:
                raise StoreError(
                    f"The fresh file does not hold the {expected[0]} rows of {dataset} that stay; nothing was deleted.",
                    "run the same command again",
                )
            deleted = _one(db, f"SELECT count(*) FROM doomed_{dataset}")
            sets.append(
                ErasedSet(self._name, dataset, deleted, expected[0], self._order.retained_digest(dataset, *expected))
            )
        return tuple(sets)

    def _search(self, db: duckdb.DuckDBPyConnection, controls: Controls) -> Residue:
        db.execute("DETACH fresh")
        old = Searcher(controls.values).search([self._path])
        fresh = Searcher(controls.values).search([self._fresh])
        explained = controls.explained(db, fresh.patterns)
        others = self._other_files()
        elsewhere = Searcher(controls.telling).search(others)
        counted = [index for index in range(len(controls.values)) if index not in explained]
        left = (fresh.patterns - explained) | {controls.values.index(controls.telling[i]) for i in elsewhere.patterns}
        return Residue(
            places=len({self._place(path) for path in others}) + 1,
            files=1 + len(others),
            bytes=fresh.bytes + elsewhere.bytes,
            controls=len(counted),
            found_in_old=len(old.patterns.intersection(counted)),
            found_in_new=len(left),
        )

    def _other_files(self) -> list[Path]:
        return files_below(self._root, without=[self._path, self._fresh, *self._order.residual_files])

    def _place(self, path: Path) -> str:
        return path.relative_to(self._root).parts[0]

    def _mark(self, db: duckdb.DuckDBPyConnection, sets: Iterable[ErasedSet], residue: Residue) -> None:
        db.execute("ATTACH $fresh AS fresh", {"fresh": str(self._fresh)})
        for each in sets:
            db.execute(
                "INSERT INTO fresh._deletion_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [self._order.run_id, each.store, each.dataset, self._order.plan_sha256, each.deleted, each.retained,
                 each.retained_digest, json.dumps({"deleted_before_due": self._early, "residue": asdict(residue)})],
            )  # fmt: skip
        db.execute("DETACH fresh")
        _sync(self._fresh)

    def _commit(self) -> None:
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
                f"The fresh file could not be put in place: {error.strerror}.", f"lifecycle purge {self._order.run_id}"
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
    still_due = sum(
        _one(db, f"SELECT count(*) FROM ({sql.judged(dataset, cutoffs)}) WHERE due_by IS NOT NULL AND NOT held")
        for dataset, cutoffs in order.cutoffs.items()
    )
    unchanged = all(
        order.retained_digest(each.dataset, *_count_and_sum(db, each.dataset, f"FROM {each.dataset} e"))
        == each.retained_digest
        for each in done.sets
    )
    return Verified(still_due, _tombstoned_still_present(db, order, done.key_hashes), unchanged)


def _tombstoned_still_present(db: duckdb.DuckDBPyConnection, order: Erasure, key_hashes: pl.Series | None) -> int:
    db.register("planned", pl.DataFrame({"t": pl.Series(order.tombstones(), dtype=pl.String)}).to_arrow())
    if key_hashes is not None:
        db.register("suspects", key_hashes.to_frame("h").to_arrow())
    count = 0
    for dataset in order.cutoffs:
        suspect = "" if key_hashes is None else f"AND {sql.key_hash(dataset)} IN (SELECT h FROM suspects)"
        # The cheap comparison first: an HMAC of every row that stays would cost more than the rewrite itself.
        query = (
            f"SELECT count(*) FROM (SELECT * FROM {dataset} e WHERE true {suspect}) e "
            f"WHERE {sql.tombstone(dataset)} IN (SELECT t FROM planned)"
        )
        count += int(db.execute(query, sql.hmac_pads(order.key)).fetchall()[0][0])
    return count


def _key_hashes(db: duckdb.DuckDBPyConnection, datasets: Iterable[str]) -> pl.Series:
    parts = [
        f"SELECT {sql.key_hash(dataset)} AS h FROM {dataset} e WHERE e.rowid IN (SELECT row FROM doomed_{dataset})"
        for dataset in datasets
    ]
    hashes: pl.DataFrame = db.sql(" UNION ALL ".join(parts)).pl()
    return hashes["h"]


def tombstones_of_doomed(db: duckdb.DuckDBPyConnection, datasets: Iterable[str], key: bytes) -> list[str]:
    """Return the distinct tombstones of the rows in the ``doomed`` tables, sorted."""
    parts = [
        f"SELECT {sql.tombstone(dataset)} AS t FROM {dataset} e WHERE e.rowid IN (SELECT row FROM doomed_{dataset})"
        for dataset in datasets
    ]
    frame: pl.DataFrame = db.sql(
        f"SELECT DISTINCT t FROM ({' UNION ALL '.join(parts)}) ORDER BY t", params=sql.hmac_pads(key)
    ).pl()
    return frame["t"].to_list()


# A hold that was lifted goes with the last row of its appointment: its uid is personal, too.
_STAYS = {
    "_holds": "h WHERE h.lifted_on IS NULL OR EXISTS (SELECT 1 FROM appointments e WHERE e.appointment_uid = "
    "h.appointment_uid AND e.rowid NOT IN (SELECT row FROM doomed_appointments)) OR EXISTS (SELECT 1 FROM events e "
    "WHERE e.appointment_uid = h.appointment_uid AND e.rowid NOT IN (SELECT row FROM doomed_events))"
}


def _count_and_sum(db: duckdb.DuckDBPyConnection, dataset: str, source: str) -> tuple[int, int]:
    row = db.execute(f"SELECT count(*), coalesce(sum({sql.row_hash(dataset)}), 0) {source}").fetchall()[0]
    return int(row[0]), int(row[1])


def _one(db: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(db.execute(query).fetchall()[0][0])


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
