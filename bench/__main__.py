"""``python -m bench [NAME...] [--scale 0.01] [--runs 3]``: our time beside the peer's, medians, in one run."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from compileall import compile_dir
from pathlib import Path
from statistics import median

import lifecycle
from bench import contract_checks, evidence, ingest, mail_lint, nightly, preview_change, purge, recognisers, start
from bench.measure import BenchError, Cost, NotInstalled, Result

BENCHES: dict[str, Callable[[Path, float, int], Result]] = {
    "start": start.measure,
    "contract": contract_checks.measure_six,
    "values": contract_checks.measure_values,
    "recognisers": recognisers.measure,
    "ingest": ingest.measure,
    "purge": purge.measure,
    "mail": mail_lint.measure,
    "preview-change": preview_change.measure,
    "nightly": nightly.measure,
    "report-html": nightly.measure_html,
    "report-pdf": nightly.measure_pdf,
    **evidence.BENCHES,
}
WORK = Path(__file__).parent / "work"


def main(arguments: list[str] | None = None) -> int:
    """Run the benches asked for, print each as it ends; 1 if a limit was not kept at full size, 2 if one failed."""
    words = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    words.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHES)}; all without one")
    words.add_argument("--scale", type=float, default=1.0, help="how much of the full size, such as 0.01")
    words.add_argument("--runs", type=int, default=3, help="runs of each, for the median")
    words.add_argument("--folder", type=Path, default=WORK, help="where to make a folder to work in")
    asked = words.parse_args(arguments)
    if unknown := set(asked.names) - set(BENCHES):
        words.error(f"no bench is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    if asked.scale <= 0 or asked.runs < 1:
        words.error("--scale must be above 0 and --runs at least 1")
    asked.folder.mkdir(parents=True, exist_ok=True)
    compile_dir(lifecycle.__path__[0], quiet=2)  # as an installation does; the peers are compiled, too
    return max(_one(name, asked.folder, asked.scale, asked.runs) for name in asked.names or BENCHES)


def _one(name: str, parent: Path, scale: float, runs: int) -> int:
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
    try:
        result = BENCHES[name](folder, scale, runs)
    except NotInstalled as missing:
        print(f"{name}: not measured. {missing}", flush=True)
        return 0
    except BenchError as error:
        print(f"{name}: not measured. {error}", file=sys.stderr, flush=True)
        return 2
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(described(name, result, full=scale >= 1), flush=True)
    return 1 if scale >= 1 and result.breaches() else 0


def described(name: str, result: Result, *, full: bool) -> str:
    """One bench as text: both sides, the ratio of the medians, and what the limits say."""
    breaches = result.breaches()
    verdict = "above the limit: " + "; ".join(breaches) if breaches else "within the limits"
    busy = [median(cost.cpu_seconds for cost in side) for side in (result.ours, result.peer)]
    processor = f" (of processor seconds {busy[0] / busy[1]:.2f})" if all(busy) else ""
    ratio = f"{result.ratio:.2f}" if result.ratio >= 0.1 else f"1/{1 / result.ratio:.0f}"
    lines = [
        f"{name}: {result.title}",
        f"  ours  {_side(result.ours)}",
        f"  peer  {_side(result.peer)}  ({result.peer_title})",
        f"  ratio {ratio}{processor}; {verdict if full else 'a small size: no verdict'}",
    ]
    return "\n".join([*lines, *(f"  note  {note}" for note in result.notes)])


def _side(costs: tuple[Cost, ...]) -> str:
    seconds = sorted(cost.seconds for cost in costs)
    peak = median(cost.peak_mb for cost in costs)
    spread = f"{seconds[0]:.2f} to {seconds[-1]:.2f}, {len(seconds)} runs"
    return f"{median(seconds):8.2f} s ({spread})  {peak:7,.0f} MB"


if __name__ == "__main__":
    sys.exit(main())
