"""``lifecycle --help`` beside a Python that does nothing."""

from __future__ import annotations

from pathlib import Path

from bench.measure import LIFECYCLE, Cost, Limits, Result, cost_of, in_turn, python


def measure(_folder: Path, _scale: float, runs: int) -> Result:
    """Time both; it has no size, and needs no folder."""
    peer, ours = in_turn(max(runs, 5), _peer, _ours)
    return Result("--help", "python -c pass", tuple(ours), tuple(peer), Limits(seconds=0.25))


def _peer() -> Cost:
    return python("pass")[0]


def _ours() -> Cost:
    return cost_of([LIFECYCLE, "--help"])[0]
