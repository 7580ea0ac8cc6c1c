"""The embedded default: one DuckDB file in the workspace's ``data`` folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import polars as pl

from lifecycle.errors import UsageError
from lifecycle.model import (
    SCHEMAS,
    Cutoffs,
    DayCount,
    Erased,
    Erasure,
    Hold,
    SourceRow,
    StoreCounts,
    Verified,
)
from lifecycle.stores.embedded import drift, erase, returned, sql
from lifecycle.stores.embedded.connect import beside, create, opened
from lifecycle.stores.embedded.ingest import Intake

if TYPE_CHECKING:
    import duckdb

_BATCH_ROWS = 200_000


class EmbeddedStore:
    """The workspace's own store. Every method opens the file, does one thing, and closes it, or see :meth:`kept_open`.

    Parameters
    ----------
    path : pathlib.Path
        The DuckDB file.
    root : pathlib.Path
        The workspace, whose files the residue scan searches.
    wait_seconds : float
        How long to wait for other users of the file.
    read_only : bool
        For who only looks: no byte of the file changes, and what would change one is a ``StoreError``.
    """

    name = "workspace"

    def __init__(self, path: Path, root: Path, *, wait_seconds: float = 10, read_only: bool = False) -> None:
        self._path = path
        self._root = root
        self._wait_seconds = wait_seconds
        self._read_only = read_only
        self._returned: tuple[object, Mapping[str, pl.DataFrame]] | None = None
        self._kept: duckdb.DuckDBPyConnection | None = None

    def create(self) -> None:
        """Create the file with its tables."""
        create(self._path)

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Open the file once for all that is looked at in a ``with`` block: opening costs more than most looks."""
        if self._kept is not None:
            yield
            return
        with self._anew() as self._kept:
            try:
                yield
            finally:
                self._kept = None

    @contextmanager
    def _opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._anew() if self._kept is None else beside(self._kept, self._path) as db:
            yield db

    def _anew(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        return opened(self._path, wait_seconds=self._wait_seconds, read_only=self._read_only)

    # --- taking in ---------------------------------------------------------------------------------

    @contextmanager
    def intake(self, today: date, zone: ZoneInfo) -> Iterator[Intake]:
        """Open an :class:`Intake` for one call; the store's file is complete and without a log when it ends."""
        with self._opened() as db:
            yield Intake(db, today, zone)
            db.execute("CHECKPOINT")

    def sources(self) -> tuple[SourceRow, ...]:
        """Return what is known of every ingested file, in the order of their numbers."""
        with self._opened() as db:
            rows = db.sql(
                "SELECT source, path, format, dataset, channel, read, stored, replaced, duplicates, rejected, "
                "expired, last_day_0, consumed FROM _sources ORDER BY source"
            ).fetchall()
            undeclared = db.sql("SELECT source, field, count FROM _undeclared ORDER BY source, field").fetchall()
            rejects = db.sql("SELECT * FROM _rejects ORDER BY source, reason").fetchall()
        return tuple(
            replace(
                SourceRow(*row),
                undeclared={name: count for source, name, count in undeclared if source == row[0]},
                rejects={reason: tuple(found) for source, reason, *found in rejects if source == row[0]},
            )
            for row in rows
        )

    def mark_consumed(self, source: int) -> None:
        """Remember that an ingested file was removed after it was stored."""
        with self._opened() as db:
            db.execute("UPDATE _sources SET consumed = true WHERE source = $source", {"source": source})

    # --- looking -----------------------------------------------------------------------------------

    def rows(self, dataset: str) -> Iterator[pl.DataFrame]:
        """Yield all rows of a dataset in batches, with every column that the table really has but internal ones."""
        columns = ", ".join('"' + name.replace('"', '""') + '"' for name in self.columns(dataset))
        with self._opened() as db:
            relation = db.sql(f"SELECT {columns} FROM {dataset}")
            for batch in relation.to_arrow_reader(_BATCH_ROWS):
                yield pl.DataFrame(pl.from_arrow(batch))

    def sample(self, dataset: str, size: int, *, seed: int) -> pl.DataFrame:
        """Return ``size`` rows drawn at random, the same ones for the same seed and store."""
        with self._opened() as db:
            db.execute("SET threads = 1")  # a seed repeats its sample on one thread only
            columns = ", ".join(SCHEMAS[dataset])
            sampled: pl.DataFrame = db.sql(
                f"SELECT {columns} FROM {dataset} USING SAMPLE reservoir({int(size)} ROWS) REPEATABLE ({int(seed)})"
            ).pl()
            db.execute("RESET threads")
        return sampled

    def record(self, uid: str) -> dict[str, object] | None:
        """Return one stored appointment by its uid, for a preview that somebody asked for; None where there is none."""
        with self._opened() as db:
            columns = ", ".join(SCHEMAS["appointments"])
            query = f"SELECT {columns} FROM appointments WHERE appointment_uid = $uid ORDER BY participant LIMIT 1"
            found: pl.DataFrame = db.sql(query, params={"uid": uid}).pl()
        return found.row(0, named=True) if found.height else None

    def columns(self, dataset: str) -> dict[str, str]:
        """Return the columns that the table really has and their types, internal ones left out."""
        with self._opened() as db:
            rows = db.execute(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = $table "
                "AND database_name = current_database() AND NOT starts_with(column_name, '_') ORDER BY column_index",
                {"table": dataset},
            ).fetchall()
        return dict(rows)

    def counts(self, cutoffs: Mapping[str, Cutoffs]) -> tuple[StoreCounts, ...]:
        """Count per dataset what is here, due, held and without a usable date."""
        with self._opened() as db:
            self._choose_returned(db, cutoffs)
            return tuple(self._count(db, dataset, each) for dataset, each in cutoffs.items())

    def _count(self, db: duckdb.DuckDBPyConnection, dataset: str, cutoffs: Cutoffs) -> StoreCounts:
        before, due, held, no_anchor = db.sql(
            "SELECT count(*), count(*) FILTER (due_by IS NOT NULL), count(*) FILTER (due_by IS NOT NULL AND held), "
            f"count(*) FILTER (no_anchor) FROM ({sql.judged(dataset, cutoffs)})"
        ).fetchall()[0]
        return StoreCounts(self.name, dataset, before, due, held, no_anchor, before - due + held)

    def _choose_returned(self, db: duckdb.DuckDBPyConnection, cutoffs: Mapping[str, Cutoffs]) -> None:
        # A key takes seconds a million rows, and several looks at one unchanged file give the same. Only looks may
        # remember: what erases and what verifies ask anew.
        if not any(each.erased_by for each in cutoffs.values()):
            return
        now = self._path.stat()
        state = (now.st_ino, now.st_mtime_ns, now.st_size, dict(cutoffs))
        if self._returned is not None and self._returned[0] == state:
            returned.choose_again(db, self._returned[1])
            return
        returned.choose(db, cutoffs)
        self._returned = (state, returned.chosen(db, cutoffs))

    def held_by_ground(self, cutoffs: Mapping[str, Cutoffs]) -> dict[str, int]:
        """Count the due rows that stay, by the ground of their hold (the first ground where there are several)."""
        parts = [
            f"SELECT (SELECT min(h.ground) FROM _holds h WHERE h.lifted_on IS NULL AND h.appointment_uid = "
            f"e.appointment_uid) AS ground FROM {dataset} e JOIN ({sql.judged(dataset, each)}) j ON j.row = e.rowid "
            "WHERE j.due_by IS NOT NULL AND j.held"
            for dataset, each in cutoffs.items()
        ]
        with self._opened() as db:
            self._choose_returned(db, cutoffs)
            rows = db.sql(f"SELECT ground, count(*) FROM ({' UNION ALL '.join(parts)}) GROUP BY ALL").fetchall()
        return dict(rows)

    def tombstones(self, cutoffs: Mapping[str, Cutoffs], key: bytes) -> pl.Series:
        """Return the distinct tombstones of what is due and not held, sorted."""
        with self._opened() as db:
            self._choose_returned(db, cutoffs)
            for dataset, each in cutoffs.items():
                db.execute(
                    f"CREATE TEMP TABLE doomed_{dataset} AS SELECT row FROM ({sql.judged(dataset, each)}) "
                    "WHERE due_by IS NOT NULL AND NOT coalesce(held, false)"
                )
            return erase.tombstones_of_doomed(db, tuple(cutoffs), key)

    def day_counts(self, cutoffs: Mapping[str, Cutoffs], zone: ZoneInfo) -> tuple[DayCount, ...]:
        """Count rows per dataset, local day 0 and hold. For aggregates and overdue days; never shown as it is."""
        with self._opened() as db:
            found: list[DayCount] = []
            for dataset, each in cutoffs.items():
                # Grouped before it is turned into a local day, which takes ten times as long as the rest.
                instants = (
                    "SELECT day_0_at, coalesce(held, false) AS held, count(*) AS rows "
                    f"FROM ({sql.judged(dataset, each)}) GROUP BY ALL"
                )
                rows = db.sql(
                    f"SELECT (day_0_at AT TIME ZONE '{zone.key}')::DATE AS day_0, held, sum(rows)::BIGINT "
                    f"FROM ({instants}) GROUP BY ALL ORDER BY ALL"
                ).fetchall()
                found += [DayCount(dataset, *row) for row in rows]
        return tuple(found)

    def set_checks(self) -> dict[tuple[str, str], int]:
        """Count what can only be seen over all rows: (check, dataset) to the number of rows concerned."""
        with self._opened() as db:
            return {name: int(db.sql(query).fetchall()[0][0]) for name, query in sql.SET_CHECKS.items()}

    def drift(self, calendars: Iterable[str] | None) -> dict[str, int | None]:
        """Compare the sync log with the records; see :func:`drift.drift`."""
        with self._opened() as db:
            return drift.drift(db, calendars)

    def counted_by_channel(self, query: str) -> dict[str, int]:
        """Run a set-level check of the contract, SQL that gives (channel, count), in one scan of the table."""
        with self._opened() as db:
            return {str(channel or ""): int(count) for channel, count in db.sql(query).fetchall()}

    # --- erasing -----------------------------------------------------------------------------------

    @contextmanager
    def erasing(self, cutoffs: Mapping[str, Cutoffs], key: bytes) -> Iterator[erase.Rewrite]:
        """Open the store alone and choose what is due and not held; see :class:`erase.Rewrite`."""
        with self._opened() as db:
            yield erase.Rewrite(db, self._path, self._root, self.name, cutoffs, key)

    def erased(self, run_id: str) -> Erased | None:
        """Return what the marker rows of a run say; None where it never committed here."""
        with self._opened() as db:
            return erase.erased(db, run_id)

    def runs(self) -> frozenset[str]:
        """Return the ids of all runs that have a marker here."""
        with self._opened() as db:
            return frozenset(row[0] for row in db.sql("SELECT DISTINCT run_id FROM _deletion_runs").fetchall())

    def mark_restored(self, run_id: str, plan_sha256: str) -> None:
        """Leave the marker of a restore run that found nothing to erase: the store has been looked at."""
        with self._opened() as db:
            returned.mark_restored(db, self.name, run_id, plan_sha256)

    def verify(self, order: Erasure, erased: Erased) -> Verified:
        """Look at the store after the commit, on a new connection."""
        with self._opened() as db:
            return erase.verified(db, order, erased)

    # --- holds -------------------------------------------------------------------------------------

    def holds(self) -> tuple[Hold, ...]:
        """Return every hold with the number of rows it concerns."""
        with self._opened() as db:
            rows = db.sql(
                "SELECT h.*, coalesce(n, 0) FROM _holds h LEFT JOIN (SELECT appointment_uid, count(*) AS n FROM "
                "(SELECT appointment_uid FROM appointments UNION ALL SELECT appointment_uid FROM events) "
                "WHERE appointment_uid IN (SELECT appointment_uid FROM _holds) GROUP BY 1) USING (appointment_uid) "
                "ORDER BY number"
            ).fetchall()
        return tuple(Hold(*row) for row in rows)

    def add_hold(self, hold: Hold) -> Hold:
        """Store a hold and return it with its number; the uid need not have rows yet."""
        with self._opened() as db:
            number = db.sql("SELECT coalesce(max(number), 0) + 1 FROM _holds").fetchall()[0][0]
            db.execute(
                "INSERT INTO _holds VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                [number, hold.appointment_uid, hold.ground, hold.reference, hold.set_by, hold.set_on, hold.review_on],
            )
        return next(each for each in self.holds() if each.number == number)

    def lift_hold(self, number: int, on: date) -> Hold:
        """End a hold; its rows fall due by the rule again.

        Raises
        ------
        UsageError
            No such hold, or it was lifted before.
        """
        found = [each for each in self.holds() if each.number == number]
        if not found or found[0].lifted_on:
            raise UsageError(f"There is no hold {number} in force.", "lifecycle hold list")
        with self._opened() as db:
            db.execute("UPDATE _holds SET lifted_on = $on WHERE number = $number", {"on": on, "number": number})
            db.execute(sql.OWE_REWRITE)  # should no row of its appointment be left, the uid goes with the next run
        return next(each for each in self.holds() if each.number == number)
