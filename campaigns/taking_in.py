"""``ingest`` killed before every call that changes the workspace, and failing calls under it.

All of a file is stored or none of it, nothing that was stored before is lost, and the same command again takes in the
rest. What a broken-off call had written, and what it replaced, is in no byte of any file after the next deletion run.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from campaigns.faults import chosen
from campaigns.kill import KILL, named_points
from campaigns.process import Ended, Point, need_strace, points, struck
from campaigns.promises import failed, found_in, read_store
from campaigns.scene import CSV_COLUMNS, DATASETS, Broken, Person, Scene, call
from campaigns.tally import Tally, each

Rows = dict[str, list[tuple[object, ...]]]
ENDS = {0: "all", 3: "source", 4: "store", 5: "configuration", 7: "evidence unreadable"}
REPLACED = "Waltraud"


@dataclass(frozen=True)
class Files:
    """What is taken in, and what the store may hold at any moment: none of the two files, one, or both."""

    verb: tuple[str, ...]
    read: tuple[Path, ...]
    steps: dict[str, Rows]
    needles: tuple[bytes, ...]


def campaign(scene: Scene, folder: Path, *, every: int = 1, seed: int = 1, jobs: int = 0) -> Tally:
    """Kill at every named point and let every call fail with every error it can give (of ``every``, one)."""
    tally = Tally("ingest", "broken-off calls left all of a file or none, and the same command took in the rest")
    if skipped := need_strace():
        tally.skipped = skipped
        return tally
    scene, files = prepared(scene, folder)
    found = points(scene.copy(folder / "traced"), *files.verb)
    cases = [(point, KILL) for point in named_points(found)]
    cases += [(point, f"error={error}") for point, error in chosen(found)]
    cases += [(Point("read", str(path), number), "error=EIO") for path in files.read for number in (1, 2)]
    start = random.Random(seed).randrange(every)

    def one(folder: Path, case: tuple[Point, str]) -> Iterator[str]:
        point, how = case
        path = scene.copy(folder / "workspace")
        ended, hit = struck(path, point, how, *files.verb)
        if not hit and point.number == 1:
            raise Broken("the call never came")
        done = look_in(path, files)
        need_right_words(ended, how, done, files)
        finish(path, scene, files)
        yield f"{point.call} {how.partition('=')[2]}" if hit else "ended before the call came"
        yield f"stored: {done}"

    return each(tally, cases[start::every], one, jobs)


def prepared(scene: Scene, folder: Path) -> tuple[Scene, Files]:
    """Give a workspace in which a name was taken in that the export corrects, the files, and what they lead to."""
    day, (corrected, *_) = datetime.now(UTC).date(), scene.staying
    older, log, export = (folder / name for name in ("older.csv", "later.ndjson", "later.csv"))
    head, right = ";".join(CSV_COLUMNS), corrected.record(day)
    older.write_text(f"{head}\n{right.replace(corrected.values['first_name'], REPLACED)}\n")
    export.write_text(f"{head}\n{right}\n{Person(901, 10).record(day)}\n")
    log.write_text("".join(json.dumps(Person(number, 10).message(day)) + "\n" for number in range(901, 905)))
    with_older = Scene(scene.copy(folder / "with-older"), scene.run_id, scene.gone, scene.held, scene.staying)
    call(with_older.path, "ingest", str(older))
    if not found_in(with_older.path, [REPLACED.encode()]):
        raise Broken("the value that will be replaced cannot be found even before")
    steps = {"none": stored(with_older.path)}
    for name, given in {"the first": [log], "the second": [export], "both": [log, export]}.items():
        path = with_older.copy(folder / name)
        call(path, "ingest", *map(str, given))
        steps[name] = stored(path)
    people = [value for number in range(901, 905) for value in Person(number, 10).values.values()]
    needles = tuple(value.encode() for value in [*people, REPLACED])
    return with_older, Files(("ingest", str(log), str(export)), (log, export), steps, needles)


def stored(path: Path) -> Rows:
    """All rows without the number of the file that they came with, which counts broken-off files, too."""
    rows, _, _ = read_store(path)
    return {name: sorted((row[:-1] for row in rows[name]), key=repr) for name in DATASETS}


def look_in(path: Path, files: Files) -> str:
    """Check what holds after a broken-off call, and name the files that were stored."""
    rows = stored(path)
    found = [name for name, step in files.steps.items() if step == rows]
    if not found:
        raise Broken(f"neither all nor nothing: {', '.join(f'{len(rows[name])} {name}' for name in DATASETS)}")
    if failed(path):
        raise Broken(f"the evidence fails: {', '.join(sorted(failed(path)))}")
    return found[0]


def need_right_words(ended: Ended, how: str, done: str, files: Files) -> None:
    """Check that the process was killed, or said in one sentence and a hint what it could not do."""
    if how == KILL:
        return
    if ended.code not in ENDS or "Traceback" in ended.err or (ended.code == 0 and done != "both"):
        raise Broken(f"ended with {ended.code}, stored: {done}: {ended.err.strip()}")
    if ended.code and "hint: " not in ended.err:
        raise Broken(f"there is no hint: {ended.err.strip()}")
    if any(needle.decode() in ended.out + ended.err for needle in files.needles):
        raise Broken("a value was printed")


def finish(path: Path, scene: Scene, files: Files) -> None:
    """Take the files in again, then delete: everything must be as if nothing had happened, to the last byte."""
    call(path, *files.verb)
    if stored(path) != files.steps["both"]:
        raise Broken("the same command again did not take in the rest")
    said = call(path, "purge", scene.run_id)
    if (said["outcome"], said["deleted"]) != ("sealed", len(DATASETS) * len(scene.gone)):
        raise Broken("the run did not end as planned")
    if left := found_in(path, [*scene.needles(), REPLACED.encode()]):
        raise Broken(f"values of the deleted or replaced stand in {', '.join(left)}")
    data = {each.name for each in (path / "data").iterdir()} - {"lost+found"}
    if data != {"lifecycle.duckdb"}:
        raise Broken(f"something lies about: {len(data)} files beside the store")
