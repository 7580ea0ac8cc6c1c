"""A failing disk: every call on a file of the workspace fails once with EIO, ENOSPC or EACCES.

A run that was struck ends in one sentence and a hint, with 9 where it had begun and less where it had not, or it does
not need the call and ends well. Then the same command, on a disk that works again, finishes it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from campaigns.kill import named_points
from campaigns.process import Ended, Point, need_strace, points, struck
from campaigns.promises import finish, look, need_finished
from campaigns.scene import Broken, Scene
from campaigns.tally import Tally, each

ERRORS = {
    "openat": ("EACCES", "EIO", "ENOSPC"),
    "rename": ("EIO", "ENOSPC", "EACCES"),
    "unlink": ("EIO", "EACCES"),
    "mkdir": ("EIO", "ENOSPC", "EACCES"),
    "chmod": ("EIO", "EACCES"),
    "fsync": ("EIO", "ENOSPC"),
    "fdatasync": ("EIO", "ENOSPC"),
}
WRITING = ("EIO", "ENOSPC")
READING = ("EACCES", "EIO")
BEFORE = {4: "store", 5: "configuration", 6: "refused", 7: "evidence unreadable"}
INCOMPLETE = 9
HARMLESS = 0


def campaign(scene: Scene, folder: Path, *, every: int = 1, seed: int = 1, jobs: int = 0) -> Tally:
    """Strike each call (of ``every``, one): those that change something, and those that open a file to read."""
    tally = Tally("faults", "failing calls ended in a sentence and the right code, and the run could go on")
    if skipped := need_strace():
        tally.skipped = skipped
        return tally
    cases = list(chosen(points(scene.copy(folder / "traced"), "purge", scene.run_id)))
    start = random.Random(seed).randrange(every)

    def one(folder: Path, case: tuple[Point, str]) -> Iterator[str]:
        point, error = case
        path = scene.copy(folder / "workspace")
        ended, hit = struck(path, point, f"error={error}", "purge", scene.run_id)
        if not hit and point.number == 1:
            raise Broken("the call never came")
        state = look(path, scene)
        need_right_end(ended, path, scene, state)
        finish(path, scene)
        yield f"{point.call} {error}" if hit else "ended before the call came"
        yield f"ended with {ended.code}"

    return each(tally, cases[start::every], one, jobs)


def chosen(found: list[Point]) -> Iterator[tuple[Point, str]]:
    """Choose calls and errors: every changing call with every error that it may give, reading each file with one."""
    for point in named_points(found):
        for error in ERRORS.get(point.call, WRITING):
            yield point, error
    reading = [point for point in found if not point.changes and not point.path.startswith(("templates", "notebooks"))]
    for number, point in enumerate(point for point in reading if point.number == 1):
        yield point, READING[number % len(READING)]


def need_right_end(ended: Ended, path: Path, scene: Scene, state: str) -> None:
    """Check the exit code against what had happened, and the words."""
    if ended.code == HARMLESS:
        json.loads(ended.out)
        need_finished(path, scene)
        return
    begun = (path / "evidence/runs" / scene.run_id / "3-intent.json").exists()
    if (ended.code == INCOMPLETE) is not begun or (not begun and ended.code not in BEFORE):
        raise Broken(f"ended with {ended.code} in the state '{state}': {ended.err.strip()}")
    fact, _, hint = ended.err.strip().partition("\n\nhint: ")
    if "Traceback" in ended.err or "\n" in fact or not fact.endswith(".") or not hint:
        raise Broken(f"these are not one sentence and a hint: {ended.err.strip()}")
    if json.loads(ended.out)["error"] != {"fact": fact, "hint": hint, "exitCode": ended.code}:
        raise Broken("standard output says something else")
    if any(needle.decode() in ended.out + ended.err for needle in scene.needles()):
        raise Broken("a value was printed")
