"""kill -9 before every call that changes the workspace, and at random moments; then again while the run goes on."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from campaigns.process import Point, need_strace, points, run, struck
from campaigns.promises import finish, look
from campaigns.scene import ROOT, Broken, Scene, environment, words
from campaigns.tally import Tally, each

KILL = "signal=KILL"


def campaign(
    scene: Scene, folder: Path, *, every: int = 1, at_random: int = 100, seed: int = 1, jobs: int = 0
) -> Tally:
    """Kill at every named point (of ``every``, one), and ``at_random`` times at any moment."""
    tally = Tally("kill", "runs killed twice went on to a sealed record")
    if skipped := need_strace():
        tally.skipped = skipped
        return tally
    chance = random.Random(seed)
    named = named_points(points(scene.copy(folder / "traced"), "purge", scene.run_id))
    chosen = named[chance.randrange(every) :: every]
    pairs = [(point, chance.choice(named[named.index(point) :])) for point in chosen]

    def at_points(folder: Path, pair: tuple[Point, Point]) -> Iterator[str]:
        path = scene.copy(folder / "workspace")
        for point, which in zip(pair, ("run", "resume"), strict=True):
            _, hit = struck(path, point, KILL, "purge", scene.run_id)
            if not hit and which == "run" and point.number == 1:
                raise Broken("the call never came")
            state = look(path, scene)
            yield f"killed in the {which}: {state}" if hit else f"the {which} ended before the call came"
        finish(path, scene)

    each(tally, pairs, at_points, jobs)
    seconds = how_long(scene, folder / "timed")

    def at_any_moment(folder: Path, number: int) -> Iterator[str]:
        path, when = scene.copy(folder / "workspace"), random.Random(seed * 1_000_003 + number)
        for _ in range(2):
            killed = kill_after(path, scene.run_id, seconds * when.uniform(0.7, 1.3))
            yield f"killed at random: {look(path, scene)}" if killed else "ended before it was killed"
        finish(path, scene)

    return each(tally, range(at_random), at_any_moment, jobs)


def named_points(found: list[Point]) -> list[Point]:
    """Choose the changing calls; of many equal ones on one file (DuckDB's own writes) the first and the last."""
    # The status file is written under a name of its own by each process, and nothing rests on it.
    changing = [point for point in found if point.changes and not point.path.startswith("reports/.")]
    numbers = Counter[tuple[str, str]]()
    for point in changing:
        numbers[point.call, point.path] = max(numbers[point.call, point.path], point.number)
    return [point for point in changing if point.number in (1, numbers[point.call, point.path])]


def how_long(scene: Scene, path: Path) -> float:
    """Measure one undisturbed run, in seconds."""
    began = time.monotonic()
    run(scene.copy(path), "purge", scene.run_id)
    return time.monotonic() - began


def kill_after(path: Path, run_id: str, seconds: float) -> bool:
    """Begin or go on with the run, kill it after so long, and tell whether it was still there."""
    process = subprocess.Popen(
        words(path, "purge", run_id), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, env=environment()
    )
    time.sleep(seconds)
    process.kill()
    return process.wait() == -signal.SIGKILL
