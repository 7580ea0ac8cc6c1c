"""``ingest`` of a web push log beside DuckDB's own ``read_json`` and ``CREATE TABLE`` of the same columns."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.measure import LIFECYCLE as PROGRAM
from bench.measure import Cost, Limits, Result, cost_of, expect, in_turn, lifecycle, python

MESSAGES = 1_000_000
AS_OF = "2026-10-01"

GENERATE = """
import sys
from pathlib import Path
from lifecycle.sources.made_up import write_webpush
write_webpush(Path(sys.argv[1]), int(sys.argv[2]))
"""

# The peer is told the columns, so it need not guess: the faster way. No check, no key, no duplicate, no ledger.
PEER = """
import sys, duckdb
with duckdb.connect(sys.argv[2]) as con:
    con.execute("SET enable_progress_bar = false")  # or it is printed into a pipe, too
    con.execute('''
        CREATE TABLE events AS
        SELECT received_at, body.command, body.appointmentUID, body.startDateTimeUTC, body.endDateTimeUTC,
            body.bookingDateUTC, body.lastName, body.firstName, body.phone, body.email, body.calendarName, body.location
        FROM read_json(?, format = 'newline_delimited', columns = {
            received_at: 'TIMESTAMP',
            body: 'STRUCT(command VARCHAR, appointmentUID VARCHAR, startDateTimeUTC TIMESTAMP, endDateTimeUTC TIMESTAMP,
                bookingDateUTC TIMESTAMP, lastName VARCHAR, firstName VARCHAR, phone VARCHAR, email VARCHAR,
                calendarName VARCHAR, location VARCHAR)'})
    ''', [sys.argv[1]])
    print(con.sql('SELECT count(*) FROM events').fetchall()[0][0])
"""


def measure(folder: Path, scale: float, runs: int) -> Result:
    """Time both in ``folder``, with ``scale`` times a million messages."""
    messages = max(int(MESSAGES * scale), 1_000)
    log, part = folder / "webpush.ndjson", folder / "quarter.ndjson"
    python(GENERATE, log, str(messages))
    python(GENERATE, part, str(messages // 4))
    log.read_bytes()  # both find it in the page cache
    peer, ours = in_turn(runs, lambda: _peer(folder, log, messages), lambda: _ours(folder, log, messages))
    quarter = _ours(folder, part, messages // 4)
    return Result(
        f"ingest of {messages:,} messages, {log.stat().st_size / 1e6:,.0f} MB",
        "DuckDB read_json + CREATE TABLE",
        tuple(ours),
        tuple(peer),
        Limits(ratio=2.5, peak_mb=1_000),
        (f"a quarter of the file took a peak of {quarter.peak_mb:,.0f} MB",),
    )


def _peer(folder: Path, log: Path, messages: int) -> Cost:
    database = folder / "peer.duckdb"
    database.unlink(missing_ok=True)
    cost, printed = python(PEER, log, database)
    expect("rows of the peer", int(printed), messages)
    return cost


def _ours(folder: Path, log: Path, messages: int) -> Cost:
    workspace = folder / "workspace"
    shutil.rmtree(workspace, ignore_errors=True)
    cost_of([PROGRAM, "init", workspace])
    cost, said = lifecycle(workspace, "ingest", log, "--dataset", "events", "--as-of", AS_OF)
    expect("messages read", said["read"], messages)
    expect("messages stored or repeated", said["stored"] + said["duplicates"], messages)
    return cost
