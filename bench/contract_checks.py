"""The contract on a Parquet file of appointments: the six checks beside pandera, all value checks beside the floor.

Every tool is a process of its own (`contract_peers`), start and report included.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from bench.measure import INSTALL, Cost, Limits, Result, cost_of, in_turn, python

PEERS = Path(__file__).with_name("contract_peers.py")
SIX_ROWS, VALUE_ROWS = 1_000_000, 10_000_000
COMPARED = {"great_expectations": "Great Expectations", "pointblank": "pointblank"}
MOST_GROWTH = 1.15
"""Seconds a row on the whole file, as a multiple of those on a tenth of it: cost is linear, memory does not grow."""

GENERATE = f"""
import sys
sys.path.insert(0, {str(PEERS.parent)!r})
from pathlib import Path
from contract_data import write
write(Path(sys.argv[1]), int(sys.argv[2]), chunk=500_000)
"""

LABELLED = """
from lifecycle.contract.labelled import labelled_set, scores
from lifecycle.contract.load import default_contracts
for score in scores(default_contracts()["events"], labelled_set()).values():
    print(f"{score.check}: precision {score.precision:.3f}, recall {score.recall:.3f} ({score.positives} labelled)")
"""


def measure_six(folder: Path, scale: float, runs: int) -> Result:
    """The six checks on a million appointments, ours beside pandera alone; two others once, for comparison."""
    path, rows = _file(folder, int(SIX_ROWS * scale))
    peer, ours = in_turn(runs, lambda: _cost("pandera", path), lambda: _cost("six", path))
    return Result(
        f"the six checks on {rows:,} appointments, report included",
        "pandera alone",
        tuple(ours),
        tuple(peer),
        Limits(ratio=1, peak_mb=450),
        tuple(_compared(path)),
    )


def _compared(path: Path) -> Iterator[str]:
    for name, title in COMPARED.items():
        if find_spec(name) is None:
            yield f"{title}: not measured, not installed; hint: {INSTALL}"
        else:
            yield f"{title}, once: {_said(_cost(name, path))}"
    yield f"all value checks, once: {_said(_cost('values', path))}"


def measure_values(folder: Path, scale: float, runs: int) -> Result:
    """All value checks on ten million appointments beside the floor; the same on a tenth of them, for the growth."""
    path, rows = _file(folder, int(VALUE_ROWS * scale))
    small, tenth = _file(folder, rows // 10)
    peer, ours = in_turn(runs, lambda: _cost("floor", path), lambda: _cost("values", path))
    little = [_cost("values", small) for _ in range(runs)]
    a_row = [median(cost.cpu_seconds for cost in costs) / n for costs, n in ((ours, rows), (little, tenth))]
    growth = a_row[0] / a_row[1]
    _, quality = python(LABELLED)
    return Result(
        f"all value checks on {rows:,} appointments",
        "the six checks by hand in polars, streaming",
        tuple(ours),
        tuple(peer),
        Limits(ratio=4, peak_mb=800),
        (
            f"on {tenth:,} of them: {_said(little[0])}; seconds of processor a row: {growth:.2f} times as many on all",
            *quality.splitlines(),
        ),
        (f"{growth:.2f} times the cost a row of a tenth, at most {MOST_GROWTH}",) if growth > MOST_GROWTH else (),
    )


def _file(folder: Path, rows: int) -> tuple[Path, int]:
    rows = max(rows, 2_000)
    path = folder / f"appointments-{rows}.parquet"
    python(GENERATE, path, str(rows))
    return path, rows


def _cost(tool: str, path: Path) -> Cost:
    return cost_of([sys.executable, PEERS, tool, path])[0]


def _said(cost: Cost) -> str:
    return f"{cost.seconds:.2f} s ({cost.cpu_seconds:.2f} s of processor), {cost.peak_mb:,.0f} MB"
