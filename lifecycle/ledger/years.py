"""The evidence's own retention: one log a year, dropped whole.

A log's year is that of its first leaf. To close it, its successor is made whole beside it, with a first leaf that
names how the closed one ended; then two renames: the old folder away, the new one into its place. Between the two
there is no evidence folder, and whoever comes next finishes the second. Nothing is ever dropped before a leaf says so.
"""

from __future__ import annotations

import json
import os
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from lifecycle.errors import EvidenceError
from lifecycle.ledger import files
from lifecycle.ledger.evidence import EvidenceLedger
from lifecycle.ledger.log import STATEMENTS, Log, closed_folders, predicate_of, successor, take_up

_PLAN, _INTENT = "1-plan.json", "3-intent.json"
_ENDED = frozenset({"6-record.json.tlog-proof", "6-aborted.json.tlog-proof"})


class Years:
    """Closes and drops logs.

    Parameters
    ----------
    evidence : Path
    open_ledger, create_ledger : callable
        Open the ledger of the evidence folder; make one in another folder, with the same keys.
    now : callable
        The wall clock (aware, UTC).
    zone : tzinfo
        In which a year begins.
    keep_years : int
        Whole calendar years that a closed log is kept after its own.
    plan_days : int
        How long a plan may wait for its approval.
    doubted : callable
        Tells whether the clock is not to be believed; then no year is over.
    """

    def __init__(
        self,
        evidence: Path,
        open_ledger: Callable[[Path], EvidenceLedger],
        create_ledger: Callable[[Path], EvidenceLedger],
        *,
        now: Callable[[], datetime],
        zone: tzinfo,
        keep_years: int,
        plan_days: int,
        doubted: Callable[[], bool],
    ) -> None:
        self._evidence = evidence
        self._open = open_ledger
        self._create = create_ledger
        self._now = now
        self._zone = zone
        self._keep_years = keep_years
        self._plan_days = plan_days
        self._doubted = doubted

    def turn(self) -> tuple[int | None, list[int]]:
        """Close the log if its year is over and no run is open; drop what is old enough. Again changes nothing.

        Returns
        -------
        (int or None, list of int)
            The year that was closed, and the years that were dropped.

        Raises
        ------
        Refused
            Somebody else holds the evidence.
        """
        take_up(self._evidence)
        closed = self._close()
        return closed, self._drop()

    # --- closing ---------------------------------------------------------------------------------

    def _close(self) -> int | None:
        ledger = self._open(self._evidence)
        if not self._is_over(year_of_log(ledger.log, self._zone)) or self._doubted():
            return None
        with ledger.locked():
            year = year_of_log(ledger.log, self._zone)
            if year is None or not self._is_over(year) or any(self._pending(ledger)):
                return None
            closed = self._evidence.with_name(f"{self._evidence.name}-{year:04d}")
            if os.path.lexists(closed):
                raise EvidenceError(
                    f"The log of {year} cannot be closed: {closed.name} exists.", "Look who put it there; move it away."
                )
            coming = successor(self._evidence)
            if os.path.lexists(coming):
                shutil.rmtree(coming)  # cut off while it was made: nothing rests on it
            following = self._create(coming)
            if following.log.verifiers()[0] != ledger.log.verifiers()[-1]:
                raise EvidenceError(
                    f"The log of {year} cannot be closed: a change of its signing key is not finished.",
                    "Finish it first; where the seed is no file: make next_seed the seed in lifecycle.toml: [ledger].",
                )
            with following.locked():
                following.open_after(year, ledger.checkpoint())
                files.rename_durably(self._evidence, closed)
                files.rename_durably(coming, self._evidence)
        return year

    def _is_over(self, year: int | None) -> bool:
        return year is not None and year < self._now().astimezone(self._zone).year

    def _pending(self, ledger: EvidenceLedger) -> Iterator[str]:
        """Name the runs that are not finished, and the plans that may still be approved."""
        for path in sorted((self._evidence / "runs").iterdir()):
            listing = ledger.listing(path.name)
            if _INTENT in listing:
                if not listing & _ENDED:
                    yield path.name
            elif _PLAN in listing and self._may_be_approved(ledger.read(path.name, _PLAN)):
                yield path.name

    def _may_be_approved(self, plan: bytes) -> bool:
        try:
            planned_at = datetime.fromisoformat(json.loads(plan)["plannedAt"])
        except (ValueError, KeyError, TypeError):
            return False
        return self._now() - planned_at <= timedelta(days=self._plan_days)

    # --- dropping --------------------------------------------------------------------------------

    def _drop(self) -> list[int]:
        ledger = self._open(self._evidence)
        left = sorted(self._evidence.parent.glob(f"{self._evidence.name}-*.dropping"))
        going = self._outlived(ledger)
        if not left and not going:
            return []
        with ledger.locked():
            for year, folder in going.items():
                ledger.state_dropped(year)
                left.append(folder.with_name(f"{folder.name}.dropping"))
                files.rename_durably(folder, left[-1])
            for path in left:
                shutil.rmtree(path)
            files.sync_folder(self._evidence.parent)
        return list(going)

    def _outlived(self, ledger: EvidenceLedger) -> dict[int, Path]:
        """Find the closed logs whose time is over, the oldest first; a living tombstone key keeps its log."""
        closed, found = closed_folders(self._evidence), dict[int, Path]()
        until = self._recorded_year(ledger) if closed else None
        for year, folder in reversed(closed.items()):
            if until is None or until <= year + self._keep_years:
                break
            if any(ledger.holds_tombstone_key(path.name) for path in sorted((folder / "runs").iterdir())):
                break  # a restored backup may still need it
            found[year] = folder
        return found

    def _recorded_year(self, ledger: EvidenceLedger) -> int | None:
        """Give the year in which the last run began: a clock that jumped must not drop what no run vouched for."""
        years = [
            datetime.fromisoformat(predicate_of(ledger.read(run_id, _INTENT))["recordedAt"]).astimezone(self._zone).year
            for run_id in (path.name for path in (self._evidence / "runs").iterdir())
            if _INTENT in ledger.listing(run_id)
        ]
        return min(max(years), self._now().astimezone(self._zone).year) if years else None


def year_of_log(log: Log, zone: tzinfo) -> int | None:
    """Give the year of a log, that of its first leaf; None for an empty one."""
    leaf = log.first_leaf()
    if leaf is None:
        return None
    try:
        at = datetime.fromisoformat(predicate_of(leaf)["recordedAt"])
    except (ValueError, KeyError, TypeError) as error:
        raise EvidenceError("The first leaf of the log does not say when it was written.") from error
    return at.astimezone(zone).year


def chain(evidence: Path, origin: str) -> list[tuple[int, Path, int, str]]:
    """Follow the logs back: year, folder, and the size and root that its successor names; the newest first.

    It ends where a log has no predecessor, or where a leaf says that the predecessor was dropped.
    """
    folder, dropped, found = evidence, _dropped(evidence), list[tuple[int, Path, int, str]]()
    while True:
        first = Log(folder, origin).first_leaf()
        said = predicate_of(first) if first is not None and b'"log-opened"' in first else {}
        if "previous" not in said:
            return found
        end = said["previous"]
        key = (int(end["year"]), int(end["size"]), str(end["root"]))
        folder = evidence.with_name(f"{evidence.name}-{key[0]:04d}")
        if key in dropped and not folder.is_dir():
            return found
        found.append((key[0], folder, key[1], key[2]))
        if not folder.is_dir():
            return found
        dropped |= _dropped(folder)


def home_of(size: int, root: str, evidence: Path, origin: str) -> Path:
    """Find the log of the chain that goes on from a checkpoint: today's, or a closed one; today's where none does."""
    for folder in (evidence, *(folder for _, folder, _, _ in chain(evidence, origin) if folder.is_dir())):
        tree = Log(folder, origin).load().tree
        if 0 <= size <= len(tree) and b64encode(tree.root(size)).decode() == root:
            return folder
    return evidence


def _dropped(folder: Path) -> set[tuple[int, int, str]]:
    said = [predicate_of(files.read_file(path))["dropped"] for path in (folder / STATEMENTS).glob("log-dropped-*.json")]
    return {(int(each["year"]), int(each["size"]), str(each["root"])) for each in said}
