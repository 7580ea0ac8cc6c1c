"""The workspace folder: found, made, and its paths kept inside it."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.deletion.approving import Signers
from lifecycle.deletion.dates import cutoffs
from lifecycle.deletion.run import DeletionRuns
from lifecycle.deletion.schedule import Policy
from lifecycle.deletion.shapes import holds_what_it_should
from lifecycle.errors import ConfigurationError, EvidenceError, UsageError
from lifecycle.ledger import tombstones
from lifecycle.ledger.evidence import EvidenceLedger
from lifecycle.ledger.keys import KeyFolder
from lifecycle.ledger.years import Years
from lifecycle.model import Cutoffs, Residual, SourceRow
from lifecycle.settings import FILE_NAME, Settings, default_toml, read_settings
from lifecycle.stores.embedded import EmbeddedStore

if TYPE_CHECKING:
    from lifecycle.contract.terms import Contract

FOLDERS = ("contracts", "templates", "notebooks", "reports", "data", "approvals")
_KEY_SOURCES = ("seed", "next_seed", "second_holder")


class CheckedLedger(EvidenceLedger):
    """The evidence, of which nobody is given a file of a run that does not hold what its name promises."""

    def read(self, run_id: str, name: str) -> bytes:
        """Read one file of a run; one that is damaged is an ``EvidenceError``, which names both."""
        data = super().read(run_id, name)
        if holds_what_it_should(run_id, name, data):
            return data
        hint = "lifecycle verify; bring the file back from a copy of the evidence"
        # Neither an intent nor the destruction of its key is in the log, so nothing there names the plan.
        if "3-intent.json" not in self.listing(run_id) and self.holds_tombstone_key(run_id):
            hint += f", or remove evidence/runs/{run_id}: that run never began"
        raise EvidenceError(f"Run {run_id}: {name} is damaged; it does not hold what it should.", hint)


class Workspace:
    """One workspace: its settings and the rooms opened on its folders.

    Parameters
    ----------
    path : pathlib.Path
        The folder with ``lifecycle.toml``.
    now : callable
        The wall clock (aware, UTC).
    read_only : bool
        Open the store so that no byte of it can change.
    """

    def __init__(self, path: Path, now: Callable[[], datetime], *, read_only: bool = False) -> None:
        self.path = path.resolve()
        self.now = now
        self._contracts: tuple[list[tuple[object, ...]], dict[str, Contract]] | None = None
        self.settings: Settings = read_settings(self.path / FILE_NAME)
        for name in FOLDERS:
            if (self.path / name).is_symlink():
                raise ConfigurationError(f"{name} is a symbolic link.", "put the folder itself into the workspace")
        self.store = EmbeddedStore(
            self.path / "data" / "lifecycle.duckdb",
            self.path,
            wait_seconds=self.settings.run.wait_seconds,
            read_only=read_only,
        )

    @property
    def today(self) -> date:
        """The date that a wall clock in the workspace's zone shows now."""
        return self.now().astimezone(self.settings.zone).date()

    def cutoffs(self, as_of: date) -> dict[str, Cutoffs]:
        """Return every dataset's rule, turned into instants at ``as_of``."""
        settings = self.settings
        return {name: cutoffs(settings.rule(name), as_of, settings.zone) for name in sorted(settings.rules)}

    @property
    def evidence_path(self) -> Path:
        return self.path / "evidence"

    @property
    def keys_path(self) -> Path:
        return self.path / self.settings.ledger.keys

    def keys(self) -> KeyFolder:
        """Open the keys, wherever the settings say they come from; never in what is copied to the data's backups."""
        keys = KeyFolder(self.keys_path, **self.settings.ledger.model_dump(include=set(_KEY_SOURCES)))
        keys.need_outside(self.path / "data")
        return keys

    @property
    def approvals_path(self) -> Path:
        return self.path / "approvals"

    def ledger(self) -> CheckedLedger:
        """Open the evidence; seed, public key, checkpoint and tiles must belong together."""
        return CheckedLedger.open(self.evidence_path, self.keys(), self.settings.ledger.origin, self.now)

    def runs_without_evidence(self) -> list[str]:
        """Name the runs that the store carried out and whose intent no kept log has: none, but in a disaster."""
        ledger = self.ledger()
        known = {run_id for run_id in ledger.runs() if "3-intent.json" in ledger.listing(run_id)}
        return sorted(run_id for run_id in self.store.runs() - known if not ledger.is_dropped(run_id))

    def keys_without_run(self) -> tuple[str, ...]:
        """Name the runs whose tombstone key lies here and that no log knows: evidence and store came back together."""
        ledger = self.ledger()
        known = {*ledger.runs(), *ledger.cut_off()}
        return tuple(one for one in self.keys().runs() if one not in known and not ledger.is_dropped(one))

    def need_current_evidence(self) -> None:
        """Refuse evidence that is older than the store.

        Raises
        ------
        EvidenceError
            Going on would fork the log: what happened since would never be in it.
        """
        unknown = self.runs_without_evidence()
        if unknown:
            raise EvidenceError(
                f"The evidence is older than the store: it does not know {', '.join(unknown)}.",
                "bring back the newer evidence first; nothing is mended silently",
            )

    def years(self) -> Years:
        """Open what closes a year's log and drops an old one."""
        ledger, keys = self.settings.ledger, self.keys()
        return Years(
            self.evidence_path,
            lambda path: CheckedLedger.open(path, keys, ledger.origin, self.now),
            lambda path: CheckedLedger.create(path, keys, ledger.origin, self.now),
            now=self.now,
            zone=self.settings.zone,
            keep_years=ledger.keep_years,
            plan_days=self.settings.run.plan_days,
            doubted=lambda: bool(self.runs("", to_look=True).clock_doubt()),
        )

    @property
    def stamp_ca(self) -> Path | None:
        """The file that vouches for the time stamp authority; None where there is none."""
        return self.path / self.settings.ledger.timestamp_ca if self.settings.ledger.timestamp_ca else None

    def contracts(self) -> dict[str, Contract]:
        """Read and check the contracts; each dataset has exactly one, and agrees with its rule."""
        from lifecycle.contract.load import read_contracts  # a tenth of a second that most verbs do not need

        paths = sorted((self.path / "contracts").glob("*.odcs.yaml"))
        state = [(path, *state_of(path)) for path in paths]
        if self._contracts and self._contracts[0] == state:
            return dict(self._contracts[1])
        contracts = dict(read_contracts(paths))
        for dataset, table in self.settings.rules.items():
            if dataset not in contracts:
                raise ConfigurationError(f"There is no contract for {dataset}.", "contracts/*.odcs.yaml")
            period = table.rule(dataset).period_days
            if contracts[dataset].retention_days != period:
                raise ConfigurationError(
                    f"The contract of {dataset} says {contracts[dataset].retention_days} days, its rule {period}.",
                    f"make slaProperties in contracts/ and [rules.{dataset}] in {FILE_NAME} agree",
                )
        self._contracts = (state, contracts)
        return dict(contracts)

    def runs(
        self,
        version: str,
        *,
        stopped: Callable[[], bool] = lambda: False,
        signers: Signers | None = None,
        to_look: bool = False,
    ) -> DeletionRuns:
        """Open the deletion runs on the ledger and the managed stores; see :class:`DeletionRuns`.

        Unless it is only ``to_look``, the log of a year that is over is closed first.
        """
        settings = self.settings
        if not to_look:
            self.years().turn()
        policy = Policy(
            rules={dataset: settings.rule(dataset) for dataset in sorted(settings.rules)},
            zone=settings.zone,
            sha256=settings.sha256,
            plan_days=settings.run.plan_days,
            max_gap_days=settings.run.max_gap_days,
            backup_days=settings.backup_days,
            tool_version=version,
        )
        return DeletionRuns(self.ledger(), [self.store], policy, tombstones, self.now, stopped=stopped, signers=signers)

    def residuals(self, due_on: Callable[[SourceRow], date | None]) -> tuple[list[Residual], frozenset[Path]]:
        """Return the ingested files that still lie where they were, with the day when their last row falls due."""
        left = [one for one in self.store.sources() if not one.consumed and Path(one.path).is_file()]
        by_day = Counter(due_on(one) for one in left)
        days = sorted(by_day, key=lambda day: (day is None, day))
        files = frozenset(Path(one.path).resolve() for one in left)
        return [Residual("ingested-file", day, by_day[day]) for day in days], files


def find(given: Path | None) -> Path:
    """Return the workspace: the one given, else ``LIFECYCLE_WORKSPACE``, else the nearest upwards.

    Raises
    ------
    UsageError
        There is none.
    """
    named = given or (Path(os.environ["LIFECYCLE_WORKSPACE"]) if os.environ.get("LIFECYCLE_WORKSPACE") else None)
    if named is not None:
        if not (named / FILE_NAME).exists():
            raise UsageError(f"{named} is not a workspace: it has no {FILE_NAME}.", f"lifecycle init {named}")
        return named
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE_NAME).exists():
            return folder
    raise UsageError(f"There is no {FILE_NAME} here or above.", "lifecycle init DIR, or --workspace DIR")


def create(path: Path, now: Callable[[], datetime], name: str = "") -> Workspace:
    """Make a new workspace that works unedited.

    Raises
    ------
    UsageError
        There is one already, or the folder holds something of the same name.
    """
    refuse_windows()
    path = path.absolute()
    if (path / FILE_NAME).exists():
        raise UsageError(f"{path} is a workspace already.", "choose another folder")
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is not a folder.", "choose another name")
    try:
        for folder in FOLDERS:
            (path / folder).mkdir(parents=True, exist_ok=True)
        _copy_shipped(path)
        settings_text = default_toml(name or path.name)
        (path / FILE_NAME).write_text(settings_text, encoding="utf-8")
        (path / "data").chmod(0o700)
    except OSError as error:
        raise UsageError(f"The workspace cannot be written: {error.strerror}.", "choose a folder of your own") from None
    workspace = Workspace(path, now)
    workspace.store.create()
    CheckedLedger.create(workspace.evidence_path, workspace.keys(), workspace.settings.ledger.origin, now)
    return workspace


def _copy_shipped(path: Path) -> None:
    from lifecycle.contract.load import shipped_contracts

    for name, text in shipped_contracts().items():
        if not (path / "contracts" / name).exists():
            (path / "contracts" / name).write_text(text, encoding="utf-8")
    for kind in ("templates", "notebooks"):
        for source in _shipped(kind):
            target = path / kind / source.relative_to(_shipped_root(kind))
            if source.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read_bytes())


def _shipped(kind: str) -> list[Path]:
    root = _shipped_root(kind)
    return [one for one in sorted(root.rglob("*")) if not one.name.startswith(".")] if root.is_dir() else []


def _shipped_root(kind: str) -> Path:
    # In a wheel they lie inside the package; in a checkout they are the repository's own folders.
    package = Path(str(resources.files("lifecycle")))
    inside = package / "_shipped" / kind
    return inside if inside.is_dir() else package.parent / kind


def refuse_windows() -> None:
    """Refuse an operating system without POSIX locks and directory fsync."""
    if sys.platform == "win32":  # pragma: no cover
        raise UsageError("lifecycle needs a POSIX system (locks, directory fsync).", "use Linux, macOS or WSL")


def utc_now() -> datetime:
    """Return the wall clock. The one place where it is asked."""
    return datetime.now(UTC)


def state_of(path: Path) -> tuple[object, ...]:
    """What differs when a file was written anew; a file that is gone has none."""
    try:
        now = path.stat()
    except OSError:
        return ()
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns
