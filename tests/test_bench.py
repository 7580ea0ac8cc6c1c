"""The benches measure what they say: whole processes, real memory, and never work that was not done."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench import ingest, purge
from bench.__main__ import BENCHES, described
from bench.measure import BenchError, Cost, Limits, Result, expect, in_turn, python

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


MEASURED = """
from bench.measure import python
print(python("pass")[0].peak_mb, python("x = bytearray(120_000_000)")[0].peak_mb)
"""


def test_the_peak_is_the_childs_own() -> None:
    """A child that touches 120 MB has a peak of a little more; one that does nothing has no more than its parent.

    Measured from a small process, as the benches do: this one has grown with the tests before it.
    """
    done = subprocess.run([sys.executable, "-c", MEASURED], cwd=ROOT, capture_output=True, text=True, check=True)
    small, large = map(float, done.stdout.split())
    assert 120 < large < 150
    assert small < large


def test_seconds_are_wall_seconds() -> None:
    """Waiting counts too: a process that sleeps is slow."""
    cost, _ = python("import time; time.sleep(0.3)")
    assert 0.3 <= cost.seconds < 3


def test_a_process_that_fails_is_not_a_fast_one() -> None:
    """The words of the failure are kept, since somebody must act on them."""
    with pytest.raises(BenchError, match="ended with 3"):
        python("import sys; sys.exit(3)")


def test_work_that_was_not_done_is_refused() -> None:
    """A count that is not the expected one ends the bench."""
    with pytest.raises(BenchError, match="rows: 2 expected, 1 found"):
        expect("rows", 1, 2)


def test_processes_in_a_row_add_seconds_and_share_the_peak() -> None:
    """Plan and purge are two processes: seconds add up, memory does not."""
    assert Cost(1, 50) + Cost(2, 30) == Cost(3, 50)


def test_both_sides_take_turns() -> None:
    """What else the machine does in between meets both."""
    order: list[str] = []

    def side(name: str) -> Cost:
        order.append(name)
        return Cost(1, 1)

    in_turn(2, lambda: side("peer"), lambda: side("ours"))
    assert order == ["peer", "ours", "peer", "ours"]


@pytest.mark.parametrize(
    ("limits", "breaches"),
    [
        (Limits(ratio=2.5, peak_mb=1_000), []),
        (Limits(ratio=1.5), ["2.00 times the peer, at most 1.5"]),
        (Limits(seconds=3.5, peak_mb=400), ["4.00 seconds, at most 3.5", "500.00 MB, at most 400"]),
    ],
)
def test_a_limit_that_is_not_kept_is_named(limits: Limits, breaches: list[str]) -> None:
    """Medians are compared, so one slow run of three breaks nothing."""
    ours = (Cost(4, 500), Cost(4, 500), Cost(40, 500))
    result = Result("ours", "peer", ours, (Cost(2, 10),) * 3, limits)
    assert result.breaches() == breaches
    text = described("ingest", result, full=True)
    assert "ratio 2.00" in text
    assert ("within the limits" in text) == (not breaches)


def test_the_peers_do_the_bare_minimum_and_do_it(tmp_path: Path) -> None:
    """Both peers run on their own, so the ratio has something below the line."""
    log = tmp_path / "log.ndjson"
    python(ingest.GENERATE, log, "2000")
    assert ingest._peer(tmp_path, log, 2_000).seconds > 0
    assert purge._peer(tmp_path, tmp_path / "peer.duckdb").seconds > 0


def test_what_else_was_promised_and_not_kept_is_a_breach_too() -> None:
    """And a peer that is two hundred times slower is still a readable ratio."""
    result = Result(
        "ours", "peer", (Cost(1, 1),), (Cost(250, 1),), Limits(ratio=1 / 200), faults=("iban: recall below",)
    )
    assert result.breaches() == ["iban: recall below"]
    assert "ratio 1/250" in described("recognisers", result, full=True)


@pytest.mark.slow
def test_every_bench_runs_at_a_small_size(tmp_path: Path) -> None:
    """``python -m bench`` goes through with the real command line and prints a ratio for each."""
    words = [sys.executable, "-m", "bench", "--scale", "0.002", "--runs", "1", "--folder", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    missing = done.stdout.count("recognisers: not measured. presidio-analyzer is not installed")
    assert missing == (find_spec("presidio_analyzer") is None)
    assert done.stdout.count("  ratio ") == len(BENCHES) - missing
    assert "kvnr: precision 0.9" in done.stdout
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
