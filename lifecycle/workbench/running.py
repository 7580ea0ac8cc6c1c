"""``run``: a notebook through papermill, guarded.

Plain papermill runs the notebooks, too. What is added here: one at a time, parameters checked before anything starts,
nothing personal on its way to the disk, the exit code of the verb that failed, and an artefact that ages.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from lifecycle import __version__
from lifecycle.deletion import documents as doc
from lifecycle.errors import EvidenceError, Incomplete, LifecycleError, StoreError, UsageError
from lifecycle.ledger.lock import FolderLock
from lifecycle.workbench import artefacts, reporting, status
from lifecycle.workbench.executing import execute
from lifecycle.workbench.guard import guard_verbs
from lifecycle.workbench.parameters import Parameter, checked, declared, found, purges, shown
from lifecycle.workbench.redaction import redacted
from lifecycle.workbench.results import Result
from lifecycle.workbench.stopping import parse_runtime
from lifecycle.workbench.telling import Teller
from lifecycle.workbench.workspace import Workspace


@dataclass(frozen=True)
class NotebookRun(Result):
    """``run``: what became of a notebook, and where the executed one lies."""

    notebook: str
    outcome: str
    artefact: Path
    ended_with: int = 0
    fact: str = ""
    hint: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    error: LifecycleError | None = field(default=None, repr=False, compare=False)

    def _private(self) -> frozenset[str]:
        return frozenset({"error"})

    def problem(self) -> LifecycleError | None:
        return self.error


@guard_verbs
class NotebookVerbs:
    """The verb ``run`` of the workbench, and the words that notebooks use."""

    _workspace: Workspace

    def prose(self, language: str | None = None) -> Teller:
        """Return what tells a notebook's reader, in one language, what is done and what came of it.

        Parameters
        ----------
        language : {"de", "en"}, optional
            Default: the workspace's.
        """
        return Teller(self._workspace, language or self._workspace.settings.language)

    def files(self, pattern: str) -> tuple[Path, ...]:
        """Return the files that match a pattern such as ``incoming/*.csv``, relative to the workspace, sorted."""
        if not pattern:
            return ()
        given = Path(pattern).expanduser()
        root = Path(given.anchor) if given.is_absolute() else self._workspace.path
        wanted = str(given.relative_to(given.anchor)) if given.is_absolute() else pattern
        files = tuple(sorted(path for path in root.glob(wanted) if path.is_file()))
        if not files:
            raise UsageError("No file matches the pattern.", "files = 'incoming/*.csv', relative to the workspace")
        return files

    def run_notebook(
        self,
        notebook: str | Path,
        parameters: Mapping[str, Parameter] | None = None,
        *,
        max_runtime: str | None = None,
        **more: Parameter,
    ) -> NotebookRun:
        """Run a notebook through papermill and keep it, executed, under ``reports/``.

        After a notebook that purges, people are told as ``[notify]`` says; where it failed, a report says how things
        stand. Ctrl-C and SIGTERM are passed on to it, so that a deletion ends at its next safe point.

        Parameters
        ----------
        notebook : str or Path
            A name such as ``50_purge`` from the workspace's ``notebooks/``, or a file.
        parameters : mapping, optional
            Only those that stand in the notebook's own parameters cell; texts are read as its types.
        max_runtime : str, optional
            Such as ``90m``: a deletion in it ends at the first safe point after that time.

        Returns
        -------
        NotebookRun
            ``problem()`` is the error of the verb that failed inside, so its exit code is this call's, too.

        Raises
        ------
        UsageError
            No such notebook, or a parameter that it does not have or cannot take.
        Refused
            The same notebook is running already.
        StoreError
            ``reports/`` cannot be written to; nothing was started.
        """
        path, workspace = found(self._workspace, notebook), self._workspace
        chosen = checked(declared(path), {**(parameters or {}), **more}, workspace)
        seconds = None if max_runtime is None else parse_runtime(max_runtime)
        with _heard(workspace, path), _alone(workspace, path.stem):
            target = workspace.path / "reports" / f"{path.stem}-{workspace.now():%Y%m%dT%H%M%SZ}.ipynb"
            if target.exists():
                target = target.with_stem(f"{target.stem}-{token_hex(2)}")
            shelf = _Shelf(target, workspace.path, chosen)
            shelf.write(path.read_text(encoding="utf-8"), "")
            shelf.opened = True
            artefacts.register(workspace, target, "notebook", workspace.today)
            error = execute(path, shelf, chosen, seconds) or shelf.problem
            error = _unfinished(workspace, error)
            artefacts.age(workspace)
            after = _after_purge(workspace, error) if purges(path) else {}
        if error is None:
            return NotebookRun(path.name, "passed", target, **after)
        return NotebookRun(path.name, "failed", target, error.exit_code, error.fact, error.hint, **after, error=error)


def _after_purge(workspace: Workspace, error: LifecycleError | None) -> dict[str, Any]:
    """Tell people, and write a report where something failed; neither may hide what the run itself has to say."""
    numbers: Mapping[str, float] = {}
    with suppress(Exception):
        numbers = status.after(workspace, error.exit_code if error else 0)
    files: tuple[Path, ...] = ()
    if error is not None:
        with suppress(Exception):
            files = reporting.report_of_failure(workspace)
    counts = {name: int(value) for name, value in numbers.items() if name.endswith(("_records", "_runs"))}
    return {"counts": counts, "files": files}


class _Shelf:
    """Where papermill puts the executed notebook, after every cell: redacted, under another name, renamed."""

    def __init__(self, target: Path, root: Path, parameters: Mapping[str, Parameter]) -> None:
        self.target = target
        self.scheme = f"lifecycle-redacted-{token_hex(4)}:"
        self.opened = False
        self.problem: StoreError | None = None
        self._root = root
        self._shown = {name: shown(name, value, root) for name, value in parameters.items()}

    def write(self, text: str, _path: str) -> None:
        notebook = redacted(json.loads(text), self._root, self._shown)
        new = self.target.with_name(f".{self.target.name}.{os.getpid()}")
        try:
            new.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            new.replace(self.target)
        except OSError as error:
            problem = StoreError(
                f"The executed notebook cannot be written: {error.strerror}.", "see to the folder reports, then again"
            )
            if not self.opened:
                raise problem from None
            self.problem = problem  # a full disk must not stop a deletion halfway
        finally:
            with suppress(OSError):
                new.unlink(missing_ok=True)

    def read(self, _path: str) -> str:
        return self.target.read_text(encoding="utf-8")

    def listdir(self, _path: str) -> list[str]:
        return []

    def pretty_path(self, _path: str) -> str:
        return self.target.name


@contextmanager
def _heard(workspace: Workspace, path: Path) -> Iterator[None]:
    """Tell people of a purge that could not even start, because ``reports/`` cannot be written to."""
    try:
        yield
    except StoreError as error:
        if purges(path):
            with suppress(Exception):
                status.after(workspace, error.exit_code)
        raise


@contextmanager
def _alone(workspace: Workspace, name: str) -> Iterator[None]:
    lock = FolderLock(workspace.path / "reports" / f".{name}.lock", StoreError)
    with lock.held() if (workspace.path / "reports").is_dir() else _no_folder():
        yield


@contextmanager
def _no_folder() -> Iterator[bool]:
    raise StoreError("The folder reports is missing, or is not a folder.", "mkdir reports")
    yield False


def _unfinished(workspace: Workspace, error: LifecycleError | None) -> LifecycleError | None:
    """Whatever ended the notebook: a deletion that began and is not finished is what somebody must hear of."""
    if error is None or isinstance(error, (Incomplete, EvidenceError)):
        return error
    with suppress(Exception):  # what ended the notebook must be heard, whatever state the evidence is in
        unfinished, ledger = workspace.runs(__version__).open_run(), workspace.ledger()
        # Until its intent is in the log, a run has touched nothing.
        if unfinished and ledger.contains(ledger.read(unfinished, doc.INTENT)):
            return Incomplete(f"Run {unfinished} is not finished: {error.fact}", f"lifecycle purge {unfinished}")
    return error
