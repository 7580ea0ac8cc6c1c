"""Processes under strace: which calls change the workspace, and one of them struck by a signal or an error."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from campaigns.scene import ROOT, Broken, environment, words

CHANGING = (
    *("write", "pwrite64", "writev", "fsync", "fdatasync", "rename", "renameat", "renameat2", "unlink", "unlinkat"),
    *("mkdir", "mkdirat", "rmdir", "ftruncate", "fallocate", "chmod", "fchmod", "openat"),
)
_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
_FIRST = re.compile(r"(?:\d+<(?P<held>[^>]*)>|(?:AT_FDCWD<[^>]*>, )?\"(?P<said>[^\"]*)\")(?P<deleted>\(deleted\))?")


@dataclass(frozen=True)
class Point:
    """One moment of a run: before the ``number``-th such call on a file (in the one thread that makes it)."""

    call: str
    path: str
    number: int
    changes: bool = True

    def __str__(self) -> str:
        return f"{self.call} {self.path} ({self.number})"


@dataclass(frozen=True)
class Ended:
    """How a process ended; a negative code is the signal that killed it."""

    code: int
    out: str
    err: str


def need_strace() -> str:
    """Say why strace cannot be used here; empty where it can."""
    if shutil.which("strace") is None:
        return "strace is missing (make debian)"
    probe = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return "" if probe.returncode == 0 else "this process may trace no other (ptrace)"


def run(workspace: Path, *verb: str, strace: tuple[str, ...] = ()) -> Ended:
    """Run a verb to its end, or to where it is struck."""
    called = [*strace, *words(workspace, *verb, "--json")]
    done = subprocess.run(called, capture_output=True, text=True, check=False, cwd=ROOT, env=environment())
    return Ended(done.returncode, done.stdout, done.stderr)


def points(workspace: Path, *verb: str) -> list[Point]:
    """Let a verb run undisturbed, and name every call on a file of the workspace, in their order."""
    with tempfile.NamedTemporaryFile("r") as trace:
        how = ("strace", "-f", "-qq", "-y", "--seccomp-bpf", "-o", trace.name, "-e", f"trace={','.join(CHANGING)}")
        ended = run(workspace, *verb, strace=how)
        if ended.code:
            raise Broken(f"undisturbed, {verb[0]} ended with {ended.code}: {ended.err.strip()}")
        found = list(dict.fromkeys(_points(trace.read(), workspace)))
    return found


def _points(trace: str, workspace: Path) -> Iterator[Point]:
    seen: Counter[tuple[str, str, str]] = Counter()
    for line in trace.splitlines():
        if not (parts := _LINE.match(line)) or not (first := _FIRST.match(parts[3])):
            continue
        thread, name, path = parts[1], parts[2], first["held"] or first["said"]
        # strace finds a file by its name: calls on one that has none any more are counted over all files.
        where = "" if first["deleted"] else path
        seen[thread, name, where] += 1
        seen[thread, name, ""] += bool(where)
        if not path.startswith(f"{workspace}/"):
            continue
        relative = path.removeprefix(f"{workspace}/")
        changes = name != "openat" or "O_CREAT" in parts[3]
        yield Point(name, "" if first["deleted"] else relative, seen[thread, name, where], changes)


def struck(workspace: Path, point: Point, how: str, *verb: str) -> tuple[Ended, bool]:
    """Run a verb with one call struck (``signal=KILL``, ``error=EIO``); tells also whether the call came."""
    with tempfile.NamedTemporaryFile("r") as trace:
        where = ("-P", str(workspace / point.path)) if point.path else ()
        # A signal is not delivered at a stop of seccomp, so killing goes the slow way.
        fast = () if how.startswith("signal") else ("--seccomp-bpf",)
        inject = f"inject={point.call}:{how}:when={point.number}"
        call = ("strace", "-f", "-qq", *fast, "-o", trace.name, *where, "-e", f"trace={point.call}", "-e", inject)
        ended = run(workspace, *verb, strace=call)
        traced = trace.read()
    return ended, "INJECTED" in traced or "killed by" in traced
