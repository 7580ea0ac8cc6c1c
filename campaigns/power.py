"""Power cuts on a real file system: ext4 on a loop device, shut down by ioctl, mounted again.

Evidence and keys lie on one, the database on another. After the cut the disk has what the kernel had written and
nothing that only lay in memory: the caches and the journal that was not yet committed are gone. The mounts are the
harshest that ext4 knows: no commit by the clock, no flush on a rename (``noauto_da_alloc``).
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from campaigns.kill import KILL, how_long, named_points
from campaigns.process import Point, need_strace, points, struck
from campaigns.promises import finish, look, need_finished
from campaigns.scene import ROOT, Broken, Scene, call, environment, words
from campaigns.tally import Tally, each

SHUTDOWN = 0x8004587D
NO_LOG_FLUSH, LOG_FLUSH = 2, 1
"""What becomes of the journal: lost with the caches, or still written."""
OPTIONS = "loop,noauto_da_alloc,commit=600,noatime"
LYING_FILES = ("-e", "inject=fsync,fdatasync:retval=0")


class Disks:
    """A workspace on two file systems, in a folder that is given back empty."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "mounted"
        self.places = [self.path, self.path / "data"]
        self.images = [folder / "workspace.img", folder / "data.img"]

    def make(self, scene: Scene) -> None:
        """Make both, and fill them with the workspace; what is there now is on the disk."""
        self.path.mkdir()
        for image in self.images:
            with image.open("wb") as file:
                file.truncate(256 << 20)
            _need(["mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1", str(image)])
        _need(["mount", "-o", OPTIONS, str(self.images[0]), str(self.places[0])])
        self.places[1].mkdir()
        _need(["mount", "-o", OPTIONS, str(self.images[1]), str(self.places[1])])
        shutil.copytree(scene.path, self.path, symlinks=True, dirs_exist_ok=True)
        os.sync()

    def cut(self, flags: int) -> None:
        """Cut the power of both."""
        for place in self.places[::-1]:
            handle = os.open(place, os.O_RDONLY)
            try:
                fcntl.ioctl(handle, SHUTDOWN, struct.pack("I", flags))
            finally:
                os.close(handle)

    def mount_again(self) -> None:
        """Take both away and bring them back, as after a start of the machine."""
        self.take_away()
        for image, place in zip(self.images, self.places, strict=True):
            _need(["mount", "-o", OPTIONS, str(image), str(place)])

    def take_away(self) -> None:
        """Unmount whatever is mounted."""
        for place in self.places[::-1]:
            for _ in range(50):
                if not os.path.ismount(place):
                    break
                subprocess.run(["umount", str(place)], capture_output=True, check=False)
                time.sleep(0.02)


def unavailable() -> str:
    """Say why there can be no power cuts here; empty where there can."""
    if os.geteuid() != 0:
        return "loop devices need root"
    if shutil.which("mkfs.ext4") is None:
        return "mkfs.ext4 is missing (make debian)"
    if not Path("/dev/loop-control").exists():
        return "this machine has no loop devices"
    return need_strace()


def campaign(
    scene: Scene, folder: Path, *, every: int = 1, at_random: int = 100, seed: int = 1, jobs: int = 0
) -> Tally:
    """Cut the power before every changing call (of ``every``, one), after the end, and at random moments."""
    tally = Tally("power", "runs survived a power cut on ext4, evidence and database on two file systems")
    if skipped := unavailable():
        tally.skipped = skipped
        return tally
    chance = random.Random(seed)
    named = named_points(points(scene.copy(folder / "traced"), "purge", scene.run_id))
    cases: list[Point | float] = [*named[chance.randrange(every) :: every]]
    seconds = how_long(scene, folder / "timed")
    cases += [seconds * chance.uniform(0.7, 1.3) for _ in range(at_random)]
    cases += [float("inf")]

    def one(folder: Path, case: Point | float) -> Iterator[str]:
        yield cut_during(folder, scene, case, NO_LOG_FLUSH if crc32(str(case).encode()) % 4 else LOG_FLUSH)

    return each(tally, cases, one, jobs)


def cut_during(folder: Path, scene: Scene, moment: Point | float, flags: int, lying: bool = False) -> str:
    """Cut the power at one moment of a run, look, go on with it; ``lying`` disks make nothing durable."""
    disks = Disks(folder)
    try:
        disks.make(scene)
        ended = _run_until(disks, scene, moment, flags, lying)
        disks.mount_again()
        state = look(disks.path, scene)
        if ended:
            need_finished(disks.path, scene)  # what was reported as done is done, without going on
        finish(disks.path, scene)
    finally:
        disks.take_away()
    return f"cut, {state}" if not ended else "cut after the end"


def _run_until(disks: Disks, scene: Scene, moment: Point | float, flags: int, lying: bool) -> bool:
    """Run until the moment comes; tells whether the run had ended by then."""
    if isinstance(moment, Point):
        # Dead before the call; what it left in memory is lost a moment later.
        _, hit = struck(disks.path, moment, KILL, "purge", scene.run_id)
        disks.cut(flags)
        if not hit and moment.number == 1:
            raise Broken("the call never came")
        return not hit
    if moment == float("inf") and not lying:
        call(disks.path, "purge", scene.run_id)
        disks.cut(flags)
        return True
    tracing = ("strace", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", *LYING_FILES)
    process = subprocess.Popen(
        [*(tracing if lying else ()), *words(disks.path, "purge", scene.run_id)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, env=environment(),
    )  # fmt: skip
    with suppress(subprocess.TimeoutExpired):
        process.wait(None if moment == float("inf") else moment)
    ended = process.poll() == 0
    disks.cut(flags)
    process.kill()
    process.wait()
    return ended


def _need(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Broken(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()}")
