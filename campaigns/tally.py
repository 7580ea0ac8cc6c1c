"""What a campaign counts."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from campaigns.scene import ROOT, Broken
from lifecycle.errors import LifecycleError

Case = TypeVar("Case")
KEPT = ROOT / "build" / "campaigns"
"""Where the workspace of a broken promise is kept, for whoever looks for the cause."""


@dataclass
class Tally:
    """Cases of one campaign, what became of them, and every promise that was broken."""

    name: str
    title: str
    cases: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    skipped: str = ""

    def described(self) -> str:
        """The campaign as text: counts first."""
        if self.skipped:
            return f"{self.name}: SKIPPED, {self.skipped}. Nothing was shown."
        lines = [f"{self.name}: {self.cases - len(self.broken)} of {self.cases} {self.title}"]
        lines += [f"  {count:6d}  {what}" for what, count in sorted(self.seen.items())]
        return "\n".join([*lines, *(f"  BROKEN  {words}" for words in self.broken)])


def each(tally: Tally, cases: Iterable[Case], try_one: Callable[[Path, Case], Iterable[str]], jobs: int = 0) -> Tally:
    """Try every case in a folder of its own, several at once; what ``try_one`` gives is counted."""

    def one(case: Case) -> tuple[list[str], str]:
        folder = Path(tempfile.mkdtemp(prefix="campaign-"))
        try:
            return list(try_one(folder, case)), ""
        except (Broken, OSError, ValueError, LifecycleError) as broken:
            kept = KEPT / folder.name
            shutil.copytree(folder, kept, symlinks=True)
            return [], f"{case}: {type(broken).__name__}: {broken} (kept in {kept.relative_to(ROOT)})"
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        for seen, broken in pool.map(one, cases):
            tally.cases += 1
            tally.seen.update(seen)
            if broken:
                tally.broken.append(broken)
                print(f"  BROKEN  {broken}", file=sys.stderr, flush=True)
    return tally
