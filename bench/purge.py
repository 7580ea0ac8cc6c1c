"""``plan`` and ``purge`` of a large store beside a bare ``COPY FROM DATABASE`` of the same file."""

from __future__ import annotations

import os
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from bench.measure import LIFECYCLE as PROGRAM
from bench.measure import Cost, Limits, Result, cost_of, expect, in_turn, lifecycle, python

ROWS = 5_000_000
DUE_PERCENT = 10

GENERATE = """
import sys
from datetime import date
from pathlib import Path
from lifecycle.sources.made_up import write_records
path, rows, as_of, due, seed = [*sys.argv[1:], "1"][:5]
write_records(Path(path), int(rows), int(seed), as_of=date.fromisoformat(as_of), due_percent=int(due))
"""

# Everything is copied and nothing is decided, looked for or proved.
PEER = """
import sys, duckdb
with duckdb.connect() as con:
    con.execute("SET enable_progress_bar = false")  # or it is printed into a pipe, too
    con.execute(f"ATTACH '{sys.argv[1]}' AS old (READ_ONLY)")
    con.execute(f"ATTACH '{sys.argv[2]}' AS new")
    con.execute("COPY FROM DATABASE old TO new")
    con.execute("DETACH new")
"""


def measure(folder: Path, scale: float, runs: int) -> Result:
    """Time both in ``folder``, with ``scale`` times five million appointments in the store."""
    rows = max(int(ROWS * scale) // 100 * 100, 1_000)
    as_of = datetime.now(ZoneInfo("Europe/Berlin")).date()  # purge refuses a day to come
    filled = _filled(folder, rows, as_of)
    store = filled / "data" / "lifecycle.duckdb"
    due = rows * DUE_PERCENT // 100
    peer, ours = in_turn(runs, lambda: _peer(folder, store), lambda: _ours(folder, filled, as_of, rows, due))
    return Result(
        f"plan + purge of {due:,} due in {rows:,} appointments, {store.stat().st_size / 1e6:,.0f} MB",
        "bare COPY FROM DATABASE",
        tuple(ours),
        tuple(peer),
        Limits(ratio=4),
    )


def _filled(folder: Path, rows: int, as_of: date) -> Path:
    """A workspace whose store holds the rows: ingested 30 days earlier, when nothing was due."""
    export, workspace = folder / "records.parquet", folder / "filled"
    python(GENERATE, export, str(rows), as_of.isoformat(), str(DUE_PERCENT))
    cost_of([PROGRAM, "init", workspace])
    earlier = (as_of - timedelta(days=30)).isoformat()
    _, said = lifecycle(workspace, "ingest", export, "--dataset", "appointments", "--as-of", earlier)
    expect("rows stored", said["stored"], rows)
    export.unlink()
    return workspace


def _peer(folder: Path, store: Path) -> Cost:
    copy = folder / "copy.duckdb"
    copy.unlink(missing_ok=True)
    os.sync()
    cost, _ = python(PEER, store, copy)
    expect("size of the copy above half of the store", copy.stat().st_size * 2 > store.stat().st_size, True)
    copy.unlink()
    return cost


def _ours(folder: Path, filled: Path, as_of: date, rows: int, due: int) -> Cost:
    workspace = folder / "workspace"
    shutil.copytree(filled, workspace)
    os.sync()  # or the disk is still busy with the copy
    planned, plan = lifecycle(workspace, "plan", "--as-of", as_of.isoformat())
    expect("rows due", plan["due"], due)
    lifecycle(workspace, "approve", plan["runId"], "--role", "controller")  # a person's step: not timed
    purged, said = lifecycle(workspace, "purge", plan["runId"])
    expect("outcome", said["outcome"], "sealed")
    expect("rows deleted", said["deleted"], due)
    expect("rows retained", said["retained"], rows - due)
    shutil.rmtree(workspace)
    return planned + purged
