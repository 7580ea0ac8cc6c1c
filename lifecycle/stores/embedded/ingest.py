"""Taking arrived rows into the embedded store: duplicates, expired and erased ones stay outside.

Rows wait in DuckDB's temporary memory until all files of the call are read, because one file may hold the booking
that another one's messages depend on. Only what is stored ever touches the store's file; should the memory limit
be reached, waiting rows spill into the store's temporary folder, which is emptied with the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl

from lifecycle.model import RECORD_KEY, SCHEMAS, Batch, Cutoffs
from lifecycle.stores.embedded import sql
from lifecycle.stores.embedded.connect import MEMORY_BYTES
from lifecycle.stores.embedded.schema import sql_type
from lifecycle.stores.embedded.tombstones import marked

if TYPE_CHECKING:
    import duckdb


WAITING_BYTES = 300_000_000
"""What DuckDB may hold while files are read, beside the readers; what judges the rows then gets the usual limit."""


@dataclass(slots=True)
class Arrival:
    """One file on its way in, and in the end its counts: read = stored + duplicates + rejected + expired.

    ``number`` is its place in the call, ``stamp`` tells whether the file is still what was read.
    """

    path: str
    format: str
    dataset: str
    channel: str
    sha256: str
    source: int = 0
    read: int = 0
    stored: int = 0
    replaced: int = 0
    duplicates: int = 0
    rejected: int = 0
    expired: int = 0
    undeclared: dict[str, int] = field(default_factory=dict)
    rejects: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    known: bool = False
    number: int = 0
    stamp: tuple[object, ...] = ()


class Intake:
    """All files of one call, first waiting, then judged, then stored one transaction a file.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The store, open for this call.
    today : datetime.date
        The day of the call (``--as-of``).
    zone : zoneinfo.ZoneInfo
        The workspace's zone, in which local dates are told.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, today: date, zone: ZoneInfo) -> None:
        self._db = connection
        self._today = today
        self._zone = zone
        self._arrivals: list[Arrival] = []
        self._first_source = connection.sql("SELECT coalesce(max(source), 0) FROM _sources").fetchall()[0][0] + 1
        connection.execute(f"SET memory_limit = '{WAITING_BYTES}B'")
        # The day of the call is the day of ingest of everything that arrives with it.
        connection.execute("CREATE TEMP TABLE new_sources (source INTEGER, ingested_on DATE)")
        for dataset, schema in SCHEMAS.items():
            columns = ", ".join(f"{name} {sql_type(dtype)}" for name, dtype in schema.items())
            columns += ", _line BIGINT, _source INTEGER, _h UBIGINT"
            connection.execute(f"CREATE TEMP TABLE new_{dataset} ({columns})")

    def take(self, arrival: Arrival, batches: Iterable[Batch]) -> None:
        """Number a file and let its rows wait: all of them, or none if the source breaks.

        Parameters
        ----------
        arrival : Arrival
            Gets its number, and the counts that the batches tell of themselves; a file with the same bytes as an
            earlier one is known.
        batches : iterable of Batch
            Read while they are stored, on other threads than the caller's; what it raises is raised here.
        """
        arrival.source = self._first_source + len(self._arrivals)
        earlier = {other.sha256 for other in self._arrivals}
        query = "SELECT count(*) FROM _sources WHERE sha256 = $sha256"
        seen = self._db.execute(query, {"sha256": arrival.sha256}).fetchall()[0][0]
        arrival.known = arrival.sha256 in earlier or bool(seen)
        self._wait(arrival, batches)
        self._db.execute("INSERT INTO new_sources VALUES (?, ?)", [arrival.source, self._today])
        self._arrivals.append(arrival)

    def _wait(self, arrival: Arrival, batches: Iterable[Batch]) -> None:
        import duckdb
        import pyarrow as pa

        broken: list[BaseException] = []
        counted = _counted(arrival, batches, broken)
        first = next(counted, None)
        if first is not None:
            # One statement that draws the batches costs half of one for each; string views pass without a copy.
            self._db.register("rows", pa.RecordBatchReader.from_batches(first.schema, chain([first], counted)))
            try:
                self._db.execute(
                    f"INSERT INTO new_{arrival.dataset} SELECT {', '.join(SCHEMAS[arrival.dataset])}, line, "
                    f"{arrival.source}, {_hash(arrival.dataset, 'rows')} FROM rows"
                )
            except duckdb.Error:
                if not broken:
                    raise
            finally:
                self._db.unregister("rows")
        if broken:
            raise broken[0] from None

    def settle(self, cutoffs: Mapping[str, Cutoffs], keys: Sequence[tuple[str, bytes]]) -> list[Arrival]:
        """Judge everything that waits and store what may be stored, file after file.

        Parameters
        ----------
        cutoffs : mapping of str to Cutoffs
            Per dataset, at the day of the call.
        keys : sequence of (tombstones as text, key)
            Of the sealed runs whose key still lives: a row with such a tombstone was erased and stays out.
        """
        self._db.execute(f"SET memory_limit = '{MEMORY_BYTES}B'")
        for dataset in sorted({arrival.dataset for arrival in self._arrivals}):
            self._judge(dataset, cutoffs[dataset], keys)
        # Said before and unsaid after: a call that is killed leaves the blocks that it had written.
        owed = bool(self._db.sql(sql.OWES_REWRITE).fetchall())
        self._db.execute(sql.OWE_REWRITE)
        removed = sum([self._store(arrival) for arrival in self._arrivals])
        if not owed and not removed:
            self._db.execute(sql.OWE_NO_REWRITE)
        return self._arrivals

    def _judge(self, dataset: str, cutoffs: Cutoffs, keys: Sequence[tuple[str, bytes]]) -> None:
        new, run = f"new_{dataset}", self._db.execute
        run(f"CREATE TEMP TABLE verdict_{dataset} (row BIGINT, verdict VARCHAR, replaced BOOLEAN)")
        same = {"columns": ", ".join(SCHEMAS[dataset]), "hash": _hash(dataset, dataset)}
        run(_DUPLICATES.format(new=new, dataset=dataset, **same))
        if dataset == "appointments":
            run(
                _OLDER_RECORDS.format(new=new, known=self._known_sources(), key=", ".join(RECORD_KEY), same=_same_key())
            )
        self._judge_expired(dataset, cutoffs)
        for lines, key in keys:
            self._judge_erased(dataset, lines, key)
        if dataset == "appointments":
            run(_BEATEN_BY_UNSTORED.format(same=_same_key("b", "n")))

    def _judge_expired(self, dataset: str, cutoffs: Cutoffs) -> None:
        if not self._db.execute(sql.any_may_be_due(f"new_{dataset}", cutoffs)).fetchall():
            return
        known = _KNOWN_APPOINTMENT if dataset == "events" else _KNOWN_RECORD.format(same=_same_key())
        judged = sql.judged(dataset, cutoffs, table=f"new_{dataset}", sources="new_sources")
        self._db.execute(
            f"INSERT INTO verdict_{dataset} SELECT j.row, 'expired', false FROM "
            f"({judged}) j JOIN new_{dataset} n ON n.rowid = j.row "
            # A hold may stand before its rows arrive: to drop them here would be to delete them.
            f"WHERE j.due_by IS NOT NULL AND NOT coalesce(j.held, false) AND NOT EXISTS ({known}) "
            f"AND j.row NOT IN (SELECT row FROM verdict_{dataset})"
        )

    def _judge_erased(self, dataset: str, lines: str, key: bytes) -> None:
        erased = pl.Series(lines.split(), dtype=pl.String)
        unjudged = f"e.rowid NOT IN (SELECT row FROM verdict_{dataset})"
        rows = marked(self._db, dataset, key, erased, unjudged, table=f"new_{dataset}")
        self._db.register("found", rows.to_arrow())
        self._db.execute(f"INSERT INTO verdict_{dataset} SELECT row, 'erased', false FROM found")
        self._db.unregister("found")

    def _known_sources(self) -> str:
        return ", ".join(["-1", *(str(arrival.source) for arrival in self._arrivals if arrival.known)])

    def _store(self, arrival: Arrival) -> int:
        """Store what may be stored of one file, and give the number of stored rows that it replaced."""
        dataset, run, removed = arrival.dataset, self._db.execute, 0
        run("BEGIN")
        for verdict, replaced, count in run(_COUNTS.format(dataset=dataset, source=arrival.source)).fetchall():
            if verdict == "erased":
                arrival.rejected += count
                arrival.rejects["erased"] = (count, 0, 0)
            else:
                setattr(arrival, verdict, getattr(arrival, verdict) + count)
            arrival.replaced += count if replaced else 0
        names = ", ".join(SCHEMAS[dataset])
        if dataset == "appointments":
            removed = run(_REPLACE.format(source=arrival.source, same=_same_key())).fetchall()[0][0]
            arrival.replaced += removed
        run(_STORE.format(dataset=dataset, names=names, source=arrival.source))
        self._register(arrival)
        run("COMMIT")
        return removed

    def _register(self, arrival: Arrival) -> None:
        row: dict[str, Any] = {name: getattr(arrival, name) for name in _REGISTERED}
        row |= {"source": arrival.source, "today": self._today, "zone": self._zone.key}
        self._db.execute("DELETE FROM _sources WHERE source = $source", {"source": arrival.source})
        self._db.execute(_REGISTER.format(dataset=arrival.dataset), row)
        for name, count in arrival.undeclared.items():
            self._db.execute("INSERT INTO _undeclared VALUES (?, ?, ?)", [arrival.source, name, count])
        for reason, (count, first, last) in arrival.rejects.items():
            self._db.execute(
                "INSERT INTO _rejects VALUES (?, ?, ?, ?, ?)", [arrival.source, reason, count, first, last]
            )


def _counted(arrival: Arrival, batches: Iterable[Batch], broken: list[BaseException]) -> Iterator[Any]:
    """Yield the rows as Arrow has them, and add up what each batch says about itself."""
    try:
        for batch in batches:
            arrival.read += batch.read
            arrival.rejected += len(batch.rejects)
            for name, count in batch.undeclared.items():
                arrival.undeclared[name] = arrival.undeclared.get(name, 0) + count
            for reject in batch.rejects:
                count, first, last = arrival.rejects.get(reject.reason, (0, reject.line, reject.line))
                arrival.rejects[reject.reason] = (count + 1, min(first, reject.line), max(last, reject.line))
            yield from batch.rows.to_arrow(compat_level=pl.CompatLevel.newest()).to_batches()
    except BaseException as error:  # DuckDB, who draws the rows, would make a text of it
        broken.append(error)
        raise


_REGISTERED = ("path", "format", "dataset", "channel", "sha256", "read", "stored", "replaced", "duplicates",
               "rejected", "expired")  # fmt: skip


def _same_key(left: str = "o", right: str = "n") -> str:
    return " AND ".join(f"{left}.{name} IS NOT DISTINCT FROM {right}.{name}" for name in RECORD_KEY)


# Rows that are equal have equal hashes, also of a part of them; rows of a hash that occurs twice are compared column by
# column. Of messages, what tells nearly all of them apart is hashed; among records the hash is an order, too.
_HASHED = {
    "events": ("appointment_uid", "command", "received_at", "booked_at", "starts_at", "participant"),
    "appointments": tuple(SCHEMAS["appointments"]),
}


def _hash(dataset: str, alias: str) -> str:
    return f"hash({', '.join(f'{alias}.{name}' for name in _HASHED[dataset])})"


_DUPLICATES = """
INSERT INTO verdict_{dataset}
WITH suspect AS (
    SELECT _h FROM {new} GROUP BY _h HAVING count(*) > 1
    UNION SELECT _h FROM {new} WHERE _h IN (SELECT {hash} FROM {dataset})
), candidate AS (
    SELECT {columns}, rowid AS row, _source, _line FROM {new} WHERE _h IN (SELECT _h FROM suspect)
    UNION ALL
    SELECT {columns}, NULL, 0, 0 FROM {dataset} WHERE {hash} IN (SELECT _h FROM suspect)
)
SELECT row, 'duplicates', false FROM candidate
QUALIFY row_number() OVER (PARTITION BY {columns} ORDER BY _source, _line) > 1 AND row IS NOT NULL
"""

# Among rows of one key the later receipt wins, then the later file, then the later booking, then an order that only
# depends on what the rows say. A known file brings nothing new: its rows lose against what is stored.
_OLDER_RECORDS = """
INSERT INTO verdict_appointments
WITH fresh AS (
    SELECT n.*, n.rowid AS row, o.received_at AS stored_at, o.rowid IS NOT NULL AS is_stored
    FROM {new} n LEFT JOIN appointments o ON {same}
    WHERE n.rowid NOT IN (SELECT row FROM verdict_appointments) AND n.appointment_uid IS NOT NULL
), older AS (
    SELECT row FROM fresh WHERE is_stored AND (_source IN ({known}) OR received_at < stored_at)
), beaten AS (
    SELECT row FROM fresh WHERE row NOT IN (SELECT row FROM older)
    QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY received_at DESC NULLS LAST, _source DESC,
                               booked_at DESC NULLS LAST, ends_at DESC NULLS LAST, _h DESC) > 1
)
SELECT row, 'duplicates', false FROM older UNION ALL SELECT row, 'stored', true FROM beaten
"""

_KNOWN_APPOINTMENT = (
    "SELECT 1 FROM events o WHERE o.channel IS NOT DISTINCT FROM n.channel AND o.appointment_uid = n.appointment_uid"
    # A record of it comes by a channel of its own, so there the uid alone must do.
    ") AND NOT EXISTS (SELECT 1 FROM appointments r WHERE r.appointment_uid = n.appointment_uid"
)
# Without a uid nobody can tell whether two rows are one person: such a row is known to nobody and replaces nobody.
_KNOWN_RECORD = "SELECT 1 FROM appointments o WHERE {same} AND n.appointment_uid IS NOT NULL"

# A row that lost against one that is not stored itself goes the same way; nothing of its key was stored.
_BEATEN_BY_UNSTORED = """
UPDATE verdict_appointments v SET verdict = w.verdict, replaced = false
FROM new_appointments b, new_appointments n, verdict_appointments w
WHERE v.replaced AND v.row = b.rowid AND {same} AND w.row = n.rowid AND w.verdict IN ('expired', 'erased')
"""

_COUNTS = """
SELECT coalesce(v.verdict, 'stored') AS verdict, coalesce(v.replaced, false), count(*)
FROM new_{dataset} n LEFT JOIN verdict_{dataset} v ON v.row = n.rowid WHERE n._source = {source} GROUP BY ALL
"""

_REPLACE = """
DELETE FROM appointments o USING new_appointments n
WHERE {same} AND n.appointment_uid IS NOT NULL AND n._source = {source}
  AND n.rowid NOT IN (SELECT row FROM verdict_appointments)
"""

_STORE = """
INSERT INTO {dataset} ({names}, _source) SELECT {names}, _source FROM new_{dataset} n
WHERE n._source = {source} AND n.rowid NOT IN (SELECT row FROM verdict_{dataset})
"""

_REGISTER = """
INSERT INTO _sources
SELECT $source, $path, $format, $dataset, $channel, $sha256, $today, $read, $stored, $replaced, $duplicates,
       $rejected, $expired, (SELECT (max(coalesce(ends_at, starts_at, $today::TIMESTAMPTZ)) AT TIME ZONE $zone)::DATE
                             FROM new_{dataset} WHERE _source = $source), false
"""
