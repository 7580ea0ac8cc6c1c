"""The application that verbs register with: its options, the workspace that a call names, and how a result is told."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lifecycle import __version__
from lifecycle.errors import LifecycleError, Stopped, UsageError

if TYPE_CHECKING:
    from lifecycle.workbench import Workbench
    from lifecycle.workbench.results import Result
    from lifecycle.workbench.workspace import Workspace

app = typer.Typer(
    name="lifecycle",
    help="Check, delete after 90 days, and prove it: data life cycle for eTermin and arztkonsultation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Dataset(StrEnum):
    """The two datasets."""

    EVENTS = "events"
    APPOINTMENTS = "appointments"


AsJson = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output.")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="YYYY-MM-DD, or today (default).")]
# Whether a file can be read is the readers' to say: theirs is a refused file (3), and the others go on.
Files = Annotated[list[Path], typer.Argument(help="Logs or exports; plain or gzip.", readable=False)]
OptionalFiles = Annotated[
    list[Path] | None, typer.Argument(help="Files to read in place; default: the store.", readable=False)
]
Format = Annotated[str | None, typer.Option("--format", metavar="F", help="Instead of telling it by content.")]
OneDataset = Annotated[Dataset | None, typer.Option("--dataset", help="Refuse files of the other dataset.")]
Key = Annotated[Path | None, typer.Option("--key", metavar="SSHKEY", help="Sign with this SSH key.")]
MaxRuntime = Annotated[
    str | None, typer.Option("--max-runtime", metavar="TIME", help="90m, 2h: a deletion ends at the next safe point.")
]

STOPPED = Stopped("Stopped.", "run the same command again to go on")

_workspace: dict[str, Path | None] = {"path": None}


def _version(asked: bool) -> None:
    if asked:
        print(f"lifecycle {__version__}")
        raise typer.Exit


@app.callback()
def choose(
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", metavar="DIR", help="Else LIFECYCLE_WORKSPACE, else the nearest folder upwards."),
    ] = None,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", help="Print name and version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Remember the workspace for the verb that follows."""
    _workspace["path"] = workspace


def workspace_if_any(paths: list[Path] | None) -> Workspace | None:
    """Return the workspace that the call names; none where there is none and the paths say enough."""
    from lifecycle.workbench.workspace import Workspace, find, utc_now

    try:
        return Workspace(find(_workspace["path"]), utc_now)
    except UsageError:
        if paths and _workspace["path"] is None:
            return None  # templates may lie anywhere
        raise


def workbench() -> Workbench:
    """Open the workspace that the call names."""
    from lifecycle.workbench import Workbench

    return Workbench.open(_workspace["path"])


_kept: ContextVar[list[Result] | None] = ContextVar("kept", default=None)


@contextmanager
def kept() -> Iterator[list[Result]]:
    """Keep the results of verbs, which a notebook shows itself, instead of printing them."""
    results: list[Result] = []
    token = _kept.set(results)
    try:
        yield results
    finally:
        _kept.reset(token)


def tell(result: Result, as_json: bool) -> None:
    """Print a result, and end with the exit code of its problem where it has one."""
    keep = _kept.get()
    if keep is not None:
        keep.append(result)
        return
    problem = result.problem()
    try:
        if as_json:
            found = result.to_json()
            _print_object({"outcome": problem.outcome, **found, "error": problem.to_json()} if problem else found)
        else:
            from lifecycle.workbench.terminal import show

            show(result)
        sys.stdout.flush()
    except BrokenPipeError:
        reader_gone()
        if problem is None:
            raise typer.Exit(141) from None
    if problem is not None:
        complain(problem)
        raise typer.Exit(problem.exit_code)


def reader_gone() -> None:
    """Let nobody complain that whoever read our output has gone."""
    # Python would complain once more at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(error: LifecycleError) -> None:
    """Print a fact and its hint on standard error."""
    print(_printable(str(error)), file=sys.stderr)


def tell_failure(error: LifecycleError, words: Sequence[str]) -> None:
    """Tell of a call that came to no result; where its words ask for JSON, as an object on standard output, too."""
    complain(error)
    if "--json" in words:
        with suppress(BrokenPipeError):
            _print_object({"outcome": error.outcome, "error": error.to_json()})
            sys.stdout.flush()


def _print_object(found: Mapping[str, object]) -> None:
    print(_printable(json.dumps(found, ensure_ascii=False)))


def _printable(text: str) -> str:
    """Without control characters, whatever a file name brought along: a terminal would obey them."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
