"""``run``: a notebook through papermill, guarded.

Plain papermill runs the notebooks, too. What is added here: one at a time, parameters checked before anything starts,
nothing personal on its way to the disk, the exit code of the verb that failed, and an artefact that ages.
"""

from __future__ import annotations

import ast
import difflib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any

from lifecycle import __version__
from lifecycle.errors import EvidenceError, Incomplete, LifecycleError, StoreError, Unexpected, UsageError
from lifecycle.ledger.lock import FolderLock
from lifecycle.workbench import artefacts, tables
from lifecycle.workbench.guard import guard_verbs, without_words
from lifecycle.workbench.redaction import error_of, redacted
from lifecycle.workbench.results import Result
from lifecycle.workbench.telling import Teller
from lifecycle.workbench.workspace import Workspace

Parameter = str | int | float | bool

_TYPES: Mapping[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_PATHS = ("workspace", "files", "key")
_DAYS = ("as_of", "until")


@dataclass(frozen=True)
class NotebookRun(Result):
    """``run``: what became of a notebook, and where the executed one lies."""

    notebook: str
    outcome: str
    artefact: Path
    ended_with: int = 0
    fact: str = ""
    hint: str = ""
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
        found = tuple(sorted(path for path in root.glob(wanted) if path.is_file()))
        if not found:
            raise UsageError("No file matches the pattern.", "files = 'incoming/*.csv', relative to the workspace")
        return found

    def run_notebook(
        self, notebook: str | Path, parameters: Mapping[str, Parameter] | None = None, **more: Parameter
    ) -> NotebookRun:
        """Run a notebook through papermill and keep it, executed, under ``reports/``.

        Parameters
        ----------
        notebook : str or Path
            A name such as ``50_purge`` from the workspace's ``notebooks/``, or a file.
        parameters : mapping, optional
            Only those that stand in the notebook's own parameters cell; texts are read as its types.

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
        path = _found(self._workspace, notebook)
        chosen = _checked(_declared(path), {**(parameters or {}), **more}, self._workspace)
        with _alone(self._workspace, path.stem):
            target = self._workspace.path / "reports" / f"{path.stem}-{self._workspace.now():%Y%m%dT%H%M%SZ}.ipynb"
            if target.exists():
                target = target.with_stem(f"{target.stem}-{token_hex(2)}")
            shelf = _Shelf(target, self._workspace.path, chosen)
            shelf.write(path.read_text(encoding="utf-8"), "")
            shelf.opened = True
            artefacts.register(self._workspace, target, "notebook", self._workspace.today)
            error = _execute(path, shelf, chosen) or shelf.problem
            error = _unfinished(self._workspace, error)
            artefacts.age(self._workspace)
        if error is None:
            return NotebookRun(path.name, "passed", target)
        return NotebookRun(path.name, "failed", target, error.exit_code, error.fact, error.hint, error)


class _Shelf:
    """Where papermill puts the executed notebook, after every cell: redacted, under another name, renamed."""

    def __init__(self, target: Path, root: Path, parameters: Mapping[str, Parameter]) -> None:
        self.target = target
        self.scheme = f"lifecycle-redacted-{token_hex(4)}:"
        self.opened = False
        self.problem: StoreError | None = None
        self._root = root
        self._shown = {name: _shown(name, value, root) for name, value in parameters.items()}

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


def _execute(path: Path, shelf: _Shelf, parameters: Mapping[str, Parameter]) -> LifecycleError | None:
    with _without_iris():
        import papermill  # type: ignore[import-untyped]
    from jupyter_client.manager import AsyncKernelManager
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError  # type: ignore[import-untyped]
    from papermill.iorw import papermill_io  # type: ignore[import-untyped]

    class Inside(AsyncKernelManager):
        """Talks to its kernel through sockets in the run's own folder, not through ports of the machine."""

        transport = "ipc"

        async def start_kernel(self, *args: Any, **kw: Any) -> None:  # type: ignore[override]
            """Start it without a voice of its own: what it complains of at its end is noise, and could quote values."""
            await super().start_kernel(*args, **{**kw, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL})

    papermill_io.register(shelf.scheme, shelf)
    try:
        with _own_jupyter():
            papermill.execute_notebook(
                str(path),
                shelf.scheme + shelf.target.name,
                dict(parameters),
                progress_bar=False,
                cwd=str(shelf.target.parents[1]),
                kernel_manager_class=Inside,
            )
    except PapermillExecutionError as error:
        return error_of(error.ename, error.evalue)
    except DeadKernelError:
        return Unexpected("The kernel of the notebook died.", "memory or disk may be full; run the same command again")
    except LifecycleError as error:
        return error
    except Exception as error:
        return without_words(error)
    return None


@contextmanager
def _without_iris() -> Iterator[None]:
    # Where JupyterLab is installed, jsonschema compiles a grammar of internationalised addresses on import: two
    # seconds of every night, for a format that no notebook uses.
    hidden = "rfc3987_syntax" not in sys.modules
    if hidden:
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules["rfc3987_syntax"]


@contextmanager
def _own_jupyter() -> Iterator[None]:
    """Kernels of this environment, and no trace of the run in a history file of the user's."""
    with TemporaryDirectory(prefix="lifecycle-run-") as folder:
        wanted = {"JUPYTER_PREFER_ENV_PATH": "1", "IPYTHONDIR": folder, "JUPYTER_RUNTIME_DIR": folder}
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@contextmanager
def _alone(workspace: Workspace, name: str) -> Iterator[None]:
    lock = FolderLock(workspace.path / "reports" / f".{name}.lock")
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
        unfinished = workspace.runs(__version__).open_run()
        if unfinished:
            return Incomplete(f"Run {unfinished} is not finished: {error.fact}", f"lifecycle purge {unfinished}")
    return error


def _found(workspace: Workspace, notebook: str | Path) -> Path:
    given = Path(notebook)
    name = given.name.removesuffix(".ipynb") + ".ipynb"
    inside = workspace.path / "notebooks" / name
    for path in (given, inside if given.name == str(given) else given):
        if path.is_file() and path.suffix == ".ipynb":
            return path.resolve()
    known = sorted(path.stem for path in (workspace.path / "notebooks").glob("*.ipynb"))
    near = difflib.get_close_matches(given.stem, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"one of: {', '.join(known)}" if known else "lifecycle init DIR"
    raise UsageError("There is no such notebook.", hint)


def _declared(path: Path) -> dict[str, type]:
    """The parameters that a notebook says it has: annotated assignments in the cell with the tag ``parameters``."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        own = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", ())]
        tree = ast.parse("\n".join("".join(cell["source"]) for cell in own))
    except (OSError, ValueError, KeyError, TypeError, SyntaxError):
        raise UsageError("The notebook cannot be read.", "open it in JupyterLab and save it again") from None
    found = {}
    for node in tree.body:
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(node.annotation, ast.Name)
        ):
            found[node.target.id] = _TYPES.get(node.annotation.id, str)
    return found


def _checked(
    declared: Mapping[str, type], given: Mapping[str, Parameter], workspace: Workspace
) -> dict[str, Parameter]:
    chosen: dict[str, Parameter] = {}
    for name, value in given.items():
        if name not in declared:
            near = difflib.get_close_matches(name, declared, 1)
            hint = f"did you mean {near[0]}?" if near else f"it takes: {', '.join(declared)}"
            raise UsageError("The notebook has no such parameter.", hint)
        chosen[name] = _typed(name, value, declared[name])
    for name in _DAYS:
        if chosen.get(name) not in (None, "", "today"):
            _need_day(name, str(chosen[name]))
    if "language" in chosen:
        tables.refuse_language(chosen["language"])
    if chosen.get("workspace") and Path(str(chosen["workspace"])).resolve() != workspace.path:
        raise UsageError("The notebook would look at another workspace.", "lifecycle --workspace DIR run NOTEBOOK")
    if "workspace" in declared:
        chosen["workspace"] = str(workspace.path)
    return chosen


def _typed(name: str, value: Parameter, kind: type) -> Parameter:
    try:
        if kind is bool:
            read: Parameter = value if isinstance(value, bool) else _TRUTH[str(value).lower()]
        elif isinstance(value, bool) or (kind is int and isinstance(value, float)):
            raise ValueError
        else:
            read = kind(value)
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"The parameter {name} is not of the type {kind.__name__}.", f"-p {name} VALUE") from None
    if not str(read).isprintable():
        raise UsageError(f"The parameter {name} holds what cannot be printed.", f"-p {name} VALUE")
    return read


def _need_day(name: str, value: str) -> None:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise UsageError(f"The parameter {name} is not a calendar date.", f"-p {name} YYYY-MM-DD, or today") from None


def _shown(name: str, value: Parameter, root: Path) -> Parameter:
    """A parameter as the saved notebook may show it: of a path only what lies in the workspace."""
    if name not in _PATHS or not value:
        return value
    path = Path(os.path.abspath(root / str(value)))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else "[outside the workspace]"
