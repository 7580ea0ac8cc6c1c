"""``python -m campaigns [NAME...] [--every 1] [--at-random 100]``: each campaign to its end, then its counts."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from campaigns import bits, faults, kill, power, taking_in
from campaigns.promises import look, remember
from campaigns.scene import Scene, prepare
from campaigns.tally import Tally

CAMPAIGNS: dict[str, Callable[..., Tally]] = {
    "kill": kill.campaign,
    "power": power.campaign,
    "faults": faults.campaign,
    "ingest": taking_in.campaign,
    "bits": bits.campaign,
}
WITH_MOMENTS = ("kill", "power")


def main(arguments: list[str] | None = None) -> int:
    """Run the campaigns asked for; 1 if a promise was broken, 0 otherwise, also where one had to be skipped."""
    asked_for = argparse.ArgumentParser(prog="python -m campaigns", description=__doc__)
    asked_for.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(CAMPAIGNS)}; all without one")
    asked_for.add_argument("--every", type=int, default=1, help="one of so many cases, for a quick look")
    asked_for.add_argument("--at-random", type=int, default=100, help="how many moments by chance")
    asked_for.add_argument("--seed", type=int, default=1, help="of everything that is drawn by lot")
    asked_for.add_argument("--jobs", type=int, default=0, help="cases at once; by default as many as there are cores")
    asked = asked_for.parse_args(arguments)
    if unknown := set(asked.names) - set(CAMPAIGNS):
        asked_for.error(f"no campaign is called {', '.join(sorted(unknown))}; there are {', '.join(CAMPAIGNS)}")
    with tempfile.TemporaryDirectory(prefix="campaigns-") as folder:
        scene = remember(prepare(Path(folder)))
        if (state := look(scene.path, scene)) != "approved":
            raise SystemExit(f"the prepared run is {state}, not approved")
        tallies = [_one(name, scene, Path(folder), asked) for name in asked.names or CAMPAIGNS]
    return int(any(tally.broken for tally in tallies))


def _one(name: str, scene: Scene, folder: Path, asked: argparse.Namespace) -> Tally:
    place, began = folder / name, time.monotonic()
    place.mkdir()
    more = {"at_random": asked.at_random} if name in WITH_MOMENTS else {}
    more |= {"jobs": asked.jobs} if name != "bits" else {}
    tally = CAMPAIGNS[name](scene, place, every=asked.every, seed=asked.seed, **more)
    print(f"{tally.described()}\n  {time.monotonic() - began:6.0f}  seconds", flush=True)
    return tally


if __name__ == "__main__":
    sys.exit(main())
