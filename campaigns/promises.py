"""What must be true of a workspace, whatever happened: before somebody goes on with the run, and after.

The store is read by DuckDB itself and the log by a few lines here, so that a fault of the product cannot hide itself;
the evidence is judged by the independent verifier.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from campaigns.scene import DATASETS, Broken, Scene, call
from lifecycle.ledger.verify import verify
from lifecycle.workbench import Workbench

UNFINISHED = "run has one proved outcome"
STRAY = "nothing foreign"
STATES = (
    ("6-record.json.tlog-proof", "sealed"),
    ("6-record.json", "record without proof"),
    ("5-verified.json", "verified"),
    ("4-deleted.json", "deleted"),
    ("3-intent.json", "intent"),
    ("tombstones.txt", "tombstones"),
    ("2-approval.json", "approved"),
)


def read_store(path: Path) -> tuple[dict[str, list[tuple[Any, ...]]], list[tuple[Any, ...]], set[str]]:
    """Read a copy of the store: rows by dataset, holds, and the runs that have a marker."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(path / "data", copy, dirs_exist_ok=True)
        try:
            with duckdb.connect(str(Path(copy) / "lifecycle.duckdb")) as db:
                rows = {name: sorted(db.sql(f"SELECT * FROM {name}").fetchall(), key=repr) for name in DATASETS}
                holds = sorted(db.sql("SELECT * FROM _holds").fetchall(), key=repr)
                marked = {row[0] for row in db.sql("SELECT DISTINCT run_id FROM _deletion_runs").fetchall()}
        except duckdb.Error as error:
            raise Broken(f"the store cannot be read ({type(error).__name__})") from None
    return rows, holds, marked


def leaves(path: Path) -> set[bytes]:
    """Read the leaves under the checkpoint, of a log with less than 256."""
    size = int((path / "evidence/checkpoint").read_text().split("\n")[1])
    bundle, found, at = (path / f"evidence/tile/entries/000.p/{size}").read_bytes() if size else b"", set(), 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at : at + 2], "big")
        found.add(bundle[at + 2 : at + 2 + length])
        at += 2 + length
    return found


def failed(path: Path) -> set[str]:
    """Name the checks of the verifier that fail."""
    vkey = str(path / "evidence/log.vkey")
    return {name for name, outcome in verify(path / "evidence", vkey) if outcome == "failed"}


def remember(scene: Scene) -> Scene:
    """Keep what the store holds before anything happens, and see that the search for bytes can see."""
    scene.before, scene.holds, _ = read_store(scene.path)
    blind = [needle for needle in scene.needles() if not found_in(scene.path, [needle])]
    if blind or not scene.gone or not scene.holds:
        raise Broken(f"{len(blind)} values cannot be found even before they are deleted")
    return scene


def found_in(path: Path, needles: list[bytes]) -> list[str]:
    """Name the files below a folder in which one of the values stands."""
    found = []
    for each in sorted(each for each in path.rglob("*") if each.is_file() and not each.is_symlink()):
        data = each.read_bytes()
        if any(needle in data for needle in needles):
            found.append(each.relative_to(path).as_posix())
    return found


def look(path: Path, scene: Scene) -> str:
    """Check what holds at every moment, and name the state of the run."""
    rows, holds, marked = read_store(path)
    done = scene.run_id in marked
    _need_rows(rows, scene, done)
    if holds != scene.holds:
        raise Broken("a hold was lost or changed")
    run = path / "evidence/runs" / scene.run_id
    listing = {each.name for each in run.iterdir()}
    in_log = "3-intent.json" in listing and (run / "3-intent.json").read_bytes() in leaves(path)
    if done and not in_log:
        raise Broken("deleted without an intent in the log")
    if not done and listing & {"4-deleted.json", "5-verified.json", "6-record.json", "6-aborted.json"}:
        raise Broken("the evidence speaks of a deletion that did not happen")
    for each in run.glob("[1-6]*.json"):
        if not isinstance(json.loads(each.read_bytes()), dict):
            raise Broken(f"{each.name} cannot be read")
    _need_evidence(path, listing)
    state = next(word for name, word in STATES if name in listing)
    if state == "intent":
        state = "intent, committed" if done else "intent in the log" if in_log else "intent, not in the log"
    return state


def _need_rows(rows: dict[str, list[tuple[Any, ...]]], scene: Scene, done: bool) -> None:
    going = {person.uid for person in scene.gone}
    for name in DATASETS:
        expected = [row for row in scene.before[name] if not (done and going & set(map(str, row)))]
        if rows[name] != expected:
            raise Broken(f"{name}: {len(rows[name])} rows where {len(expected)} must be (marker: {done})")


def _need_evidence(path: Path, listing: set[str]) -> None:
    wrong = failed(path)
    may = {STRAY} if any(path.glob("evidence/**/.tmp-*")) else set()
    if "3-intent.json" in listing and "6-record.json.tlog-proof" not in listing:
        if UNFINISHED not in wrong:
            raise Broken("an unfinished run passes for a finished one")
        may |= {UNFINISHED, "files"}
    if wrong - may:
        raise Broken(f"the evidence fails: {', '.join(sorted(wrong - may))}")


def finish(path: Path, scene: Scene) -> None:
    """Go on with the same command; then everything must be as if nothing had happened."""
    said = call(path, "purge", scene.run_id)
    gone, held = len(DATASETS) * len(scene.gone), len(DATASETS) * len(scene.held)
    before = sum(map(len, scene.before.values()))
    right = {"outcome": "sealed", "deleted": gone, "held": held, "failed": 0, "retained": before - gone}
    wrong = [name for name, value in right.items() if said[name] != value]
    if wrong or set(said["checks"].values()) != {"passed"}:
        raise Broken(f"the run did not end as planned: {', '.join(wrong) or 'a check'}")
    need_finished(path, scene)


def need_finished(path: Path, scene: Scene) -> None:
    """Check a sealed run: evidence and stores agree, nothing of the deleted is left anywhere, nothing lies about."""
    if look(path, scene) != "sealed":
        raise Broken("the run is not sealed")
    if failed(path):
        raise Broken(f"the evidence fails: {', '.join(sorted(failed(path)))}")
    said = Workbench.open(path).verify()
    if said.outcome != "passed":
        wrong = [check.name for check in said.checks if check.outcome == "failed"]
        raise Broken(f"verify says {said.outcome}: {', '.join(wrong)}")
    if left := found_in(path, scene.needles()):
        raise Broken(f"values of the deleted stand in {', '.join(left)}")
    data = {each.name for each in (path / "data").iterdir()} - {"lost+found"}
    if data != {"lifecycle.duckdb"} or any(path.rglob(".tmp-*")):
        raise Broken(f"something lies about: {len(data)} files beside the store")
