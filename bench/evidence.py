"""What evidence costs: tombstones, their share of a run, verifying a year and a long log, a restore check."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from bench.measure import LIFECYCLE, Cost, Limits, Result, cost_of, expect, in_turn, lifecycle, python
from bench.purge import GENERATE

ROWS = 1_000_000
RUNS = 400
LEAVES = 10_000
KEYS = 37  # backups of 30 days, and the seven that a key outlives them
LOST = 7

# Every row of the store: chosen already, so that only the digests, their order and their distinctness are timed.
TOMBSTONES = """
import json, sys, time
from pathlib import Path
from lifecycle.stores.embedded.connect import opened
from lifecycle.stores.embedded.erase import tombstones_of_doomed
with opened(Path(sys.argv[1])) as db:
    db.execute("CREATE TEMP TABLE doomed_appointments AS SELECT rowid AS row FROM appointments")
    began, busy = time.perf_counter(), time.process_time()
    marks = tombstones_of_doomed(db, ("appointments",), bytes(range(32)))
    print(json.dumps([time.perf_counter() - began, time.process_time() - busy, marks.len()]))
"""

# The peer: HMAC as Python has it, one call a message that is there already.
PEER = """
import hmac, json, sys, time
messages = [b"%0190d" % number for number in range(int(sys.argv[1]))]
began, busy = time.perf_counter(), time.process_time()
marks = sorted(hmac.digest(b"k" * 32, message, "sha256").hex() for message in messages)
print(json.dumps([time.perf_counter() - began, time.process_time() - busy, len(marks)]))
"""

# One purge; what the evidence costs is the time inside the tombstones and the ledger, which reads the digest over them.
SHARE = """
import json, os, sys, time
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does
from functools import wraps
from lifecycle.ledger.evidence import EvidenceLedger
from lifecycle.stores.embedded import erase
from lifecycle.workbench import Workbench
spent, busy, depth, hashed = 0.0, 0.0, 0, 0.0
def timed(real):
    @wraps(real)
    def call(*words, **more):
        global spent, busy, depth, hashed
        began, idle, depth = time.perf_counter(), time.process_time(), depth + 1
        try:
            return real(*words, **more)
        finally:
            depth -= 1
            if depth == 0:
                spent += time.perf_counter() - began
                busy += time.process_time() - idle
                hashed += (time.perf_counter() - began) * (real.__name__ == "tombstones_of_doomed")
    return call
erase.tombstones_of_doomed = timed(erase.tombstones_of_doomed)
for name in ("read", "write_once", "write_pieces_once", "append", "write_proof", "contains"):
    setattr(EvidenceLedger, name, timed(getattr(EvidenceLedger, name)))
wb = Workbench.open(sys.argv[1])
began, idle = time.perf_counter(), time.process_time()
done = wb.purge(sys.argv[2])
print(json.dumps([spent, busy, time.perf_counter() - began, time.process_time() - idle, hashed, done.deleted]))
"""

# A year of nights, 21 hours apart; in the first of them rows are due, so that there is every kind of file. The
# empty ones are planned and carried out by the same rooms with the store opened once: opening takes most of a night.
YEAR = """
import json, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from lifecycle.workbench import Workbench
folder, clock = Path(sys.argv[1]), datetime(2025, 12, 1, 1, tzinfo=UTC)
wb = Workbench.init(folder / "clinic", now=lambda: clock)
first = datetime(2025, 10, 3, 9, tzinfo=UTC)
rows = [{"appointment_uid": f"made-up-{n}", "first_name": "Erika", "email": f"erika{n}@example.org",
         "starts_at": (first + timedelta(days=n)).isoformat()} for n in range(20)]
(folder / "rows.ndjson").write_text("".join(json.dumps(row) + chr(10) for row in rows))
wb.ingest(folder / "rows.ndjson", consume=True)
clock = datetime(2026, 1, 1, 1, tzinfo=UTC)
wb.approve_standing("controller", max_rows=9, max_percent=100, until="2026-12-31")
nights = [clock + timedelta(hours=21 * night) for night in range(int(sys.argv[2]))]
for clock in nights[:24]:
    assert wb.purge(as_of="today").outcome == "sealed"
workspace = wb._workspace
runs = workspace.runs("bench")
with workspace.store.kept_open(), runs.alone():
    for clock in nights[24:]:
        runs.destroy_due_keys()
        plan = runs.plan(workspace.today, trigger="schedule")
        assert plan.count == 0 and runs.carry_out(plan.run_id, [], frozenset()) == "sealed"
print(len(workspace.ledger().runs()))
"""

LONG = """
import json, sys, time
from pathlib import Path
from lifecycle.ledger.evidence import EvidenceLedger
folder = Path(sys.argv[1])
ledger = EvidenceLedger.create(folder / "evidence", folder / "keys", "bench.example")
(folder / "evidence/keys-log").mkdir()
notes = [{"subject": [], "predicate": {"event": "note", "number": number}} for number in range(int(sys.argv[2]))]
leaves = [json.dumps(note).encode() for note in notes]
for number, leaf in enumerate(leaves):
    (folder / f"evidence/keys-log/note-{number}.json").write_bytes(leaf)
ledger.append_all(leaves)
began = time.perf_counter()
again = EvidenceLedger.open(folder / "evidence", folder / "keys", "bench.example")
print(json.dumps([time.perf_counter() - began, again.checkpoint().size]))
"""

# What anybody must do who checks files: read all of them and hash them.
FLOOR = """
import hashlib, sys
from pathlib import Path
print(len([hashlib.sha256(path.read_bytes()) for path in Path(sys.argv[1]).rglob("*") if path.is_file()]))
"""

# What stays anyway waits in another file until the nights are over, or each of them would write all of it anew.
ASIDE = """
import sys, duckdb
with duckdb.connect(sys.argv[1]) as db:
    db.execute(f"ATTACH '{sys.argv[2]}' AS aside")
    stays = "FROM appointments WHERE coalesce(ends_at, starts_at) > current_date - 80"
    db.execute(f"CREATE TABLE aside.kept AS SELECT * {stays}")
    db.execute(f"DELETE {stays}")
"""

# That many sealed runs ...
NIGHTS = """
import json, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from lifecycle.workbench import Workbench
wb = Workbench.open(sys.argv[1])
today = wb.today
wb.approve_standing("controller", max_rows=10**9, max_percent=100, until=(today + timedelta(days=9)).isoformat())
for night in range(int(sys.argv[2]), 0, -1):
    wb.purge(as_of=today - timedelta(days=night))
"""

# ... some of whose markers the store then loses.
LOSE = """
import sys, duckdb
with duckdb.connect(sys.argv[1]) as db:
    db.execute(f"ATTACH '{sys.argv[3]}' AS aside")
    db.execute("INSERT INTO appointments SELECT * FROM aside.kept")
    runs = [row[0] for row in db.sql("SELECT DISTINCT run_id FROM _deletion_runs ORDER BY 1 DESC").fetchall()]
    db.execute("DELETE FROM _deletion_runs WHERE run_id IN (SELECT unnest($1))", [runs[: int(sys.argv[2])]])
    print(len(runs))
"""


def tombstones(folder: Path, scale: float, runs: int) -> Result:
    """Time the tombstones of a million rows, sorted and distinct, beside Python's HMAC over ready messages."""
    rows = _rows(scale)
    store = _filled(folder, rows, 0) / "data/lifecycle.duckdb"
    peer, ours = in_turn(runs, lambda: _said(PEER, rows, str(rows)), lambda: _said(TOMBSTONES, rows, store))
    return Result(f"{rows:,} tombstones", "hmac.digest", tuple(ours), tuple(peer), Limits(seconds=2))


def share(folder: Path, scale: float, runs: int) -> Result:
    """Time what a purge of a million rows in five spends on evidence, beside the whole purge."""
    rows = _rows(scale)
    filled = _filled(folder, rows * 5, 20)
    costs = [_purged(folder, filled, rows) for _ in range(runs)]
    ours, whole, hashed = zip(*costs, strict=True)
    title = f"evidence of {rows:,} rows deleted from {rows * 5:,}"
    note = f"of it the tombstones: {median(hashed):.2f} s"
    return Result(title, "the whole run", ours, whole, Limits(ratio=0.15), notes=(note,))


def year(folder: Path, scale: float, runs: int) -> Result:
    """Time verify.py over 400 runs, proofs included, beside reading and hashing the same files."""
    nights = max(int(RUNS * scale), 3)
    expect("runs", int(python(YEAR, folder, str(nights))[1]), nights)
    return _verified(folder / "clinic/evidence", runs, f"verify.py, {nights} runs with their proofs", Limits(seconds=1))


def long_log(folder: Path, scale: float, runs: int) -> Result:
    """Time verify.py over a log of 10,000 leaves, and say how long the ledger takes to open it."""
    leaves = max(int(LEAVES * scale), 10)
    seconds, size = json.loads(python(LONG, folder, str(leaves))[1])
    expect("leaves", size, leaves)
    result = _verified(folder / "evidence", runs, f"verify.py, {leaves:,} leaves", Limits(seconds=5))
    return replace(result, notes=(f"the ledger opens it in {seconds:.2f} s",))


def restore(folder: Path, scale: float, runs: int) -> Result:
    """Time ``restore check`` of a million rows with 37 living keys, seven of which must be asked, beside ``plan``."""
    rows, keys = _rows(scale), KEYS if scale >= 1 else 9
    # Rows fall due on each of the 38 days up to yesterday, so that no night passes without a key.
    filled, aside = _filled(folder, rows, 10, days_ago=10), folder / "aside.duckdb"
    store = filled / "data/lifecycle.duckdb"
    python(ASIDE, store, aside)
    python(NIGHTS, filled, str(keys))
    expect("runs with a marker", int(python(LOSE, store, str(LOST), aside)[1]), keys)
    peer, ours = in_turn(runs, lambda: lifecycle(filled, "plan")[0], lambda: _checked(filled))
    each = (median(cost.cpu_seconds for cost in ours) - median(cost.cpu_seconds for cost in peer)) / LOST
    note = f"a key: {each:.1f} s of processor, so {keys * each:.0f} s for all of them with --every-key"
    title = f"restore check, {rows:,} rows, {LOST} of {keys} keys asked"
    return Result(title, "plan", tuple(ours), tuple(peer), Limits(seconds=30), notes=(note,))


def _rows(scale: float) -> int:
    return max(int(ROWS * scale), 1_000)


def _today() -> date:
    return datetime.now(ZoneInfo("Europe/Berlin")).date()  # purge refuses a day to come


def _filled(folder: Path, rows: int, due_percent: int, *, days_ago: int = 0) -> Path:
    """Make a workspace with so many rows: some were due so many days ago, and none of them 30 days earlier."""
    export, workspace = folder / "records.parquet", folder / "filled"
    day = _today() - timedelta(days=days_ago)
    python(GENERATE, export, str(rows), day.isoformat(), str(due_percent))
    cost_of([LIFECYCLE, "init", workspace])
    earlier = (day - timedelta(days=30)).isoformat()
    _, said = lifecycle(workspace, "ingest", export, "--dataset", "appointments", "--as-of", earlier)
    expect("rows stored", said["stored"], rows)
    export.unlink()
    return workspace


def _said(code: str, rows: int, argument: str | Path) -> Cost:
    """Run a piece of code that prints its own seconds, since starting and opening are no part of them."""
    cost, printed = python(code, argument)
    seconds, busy, marks = json.loads(printed)
    expect("tombstones", marks, rows)
    return Cost(seconds, cost.peak_mb, busy)


def _purged(folder: Path, filled: Path, rows: int) -> tuple[Cost, Cost, float]:
    workspace = folder / "workspace"
    shutil.copytree(filled, workspace)
    os.sync()  # or the disk is still busy with the copy
    _, plan = lifecycle(workspace, "plan")
    lifecycle(workspace, "approve", plan["runId"], "--role", "controller")
    cost, printed = python(SHARE, workspace, plan["runId"])
    *seconds, deleted = json.loads(printed)
    expect("rows deleted", deleted, rows)
    shutil.rmtree(workspace)
    spent, busy, whole, busy_whole, hashed = seconds
    return Cost(spent, cost.peak_mb, busy), Cost(whole, cost.peak_mb, busy_whole), hashed


def _verified(evidence: Path, runs: int, title: str, limits: Limits) -> Result:
    verifier = Path(__file__).parents[1] / "lifecycle/ledger/verify.py"
    call = [sys.executable, verifier, evidence, evidence / "log.vkey"]
    peer, ours = in_turn(runs, lambda: python(FLOOR, evidence)[0], lambda: cost_of(call)[0])
    return Result(title, "reading and hashing the files", tuple(ours), tuple(peer), limits)


def _checked(workspace: Path) -> Cost:
    look = "Workbench.open(sys.argv[1]).restore_check()"
    call = f"import sys; from lifecycle.workbench import Workbench; print(len({look}.asked))"
    cost, printed = python(call, workspace)
    expect("keys asked", int(printed), LOST)
    return cost


BENCHES = {
    "tombstones": tombstones,
    "evidence-share": share,
    "verify-year": year,
    "verify-long": long_log,
    "restore": restore,
}
