"""``%load_ext lifecycle``: the verbs as a line magic, with completion, results as tables, and errors as sentences.

``%lifecycle check --second-opinion`` is ``lifecycle check --second-opinion``, word for word; its result is the value of
the cell. Without an option it works in the workspace that ``LIFECYCLE_WORKSPACE`` names, else the nearest upwards.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
import typer.main

from lifecycle.cli.app import complain, kept
from lifecycle.cli.program import app, misused
from lifecycle.errors import LifecycleError, UsageError

if TYPE_CHECKING:
    from lifecycle.workbench.results import Result

_ENDLESS = frozenset({"serve", "preview serve"})
"""Verbs that end only when they are interrupted: nothing for a cell."""


def load(shell: Any) -> None:
    """Register the magic, its completion, and errors as sentences, in an IPython shell."""
    shell.register_magic_function(run_line, "line", "lifecycle")
    shell.Completer.custom_matchers.append(_matcher())
    shell.set_custom_exc((LifecycleError,), _told)


def run_line(line: str) -> Result | None:
    """Run one verb and return its result; what it has to complain of is said beside it.

    Raises
    ------
    LifecycleError
        As the verb does.
    """
    words = shlex.split(line)
    if " ".join(words[:2]) in _ENDLESS or words[:1] == ["serve"]:
        raise UsageError("A page server never ends by itself.", f"in a terminal: lifecycle {line.strip()}")
    with kept() as results:
        try:
            app(args=words, standalone_mode=False, prog_name="%lifecycle")
        except typer.TyperException as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                print(error.message)
                return None
            raise misused(error) from None
    if not results:
        return None
    problem = results[-1].problem()
    if problem is not None:
        complain(problem)
    return results[-1]


def _told(shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: Any = None) -> None:  # noqa: ARG001
    """Show fact and hint, as the command line does; where in our code they were written helps nobody."""
    shell._showtraceback(kind, error, [f"{kind.__name__}: {error}"])


def _matcher() -> Any:
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher(identifier="lifecycle")  # type: ignore[untyped-decorator]
    def lifecycle(context: Any) -> dict[str, Any]:
        """What can stand where the cursor is; in a line of the magic nothing else can."""
        line = re.fullmatch(r"\s*(?:\w+\s*=\s*)?%lifecycle(\s.*)", context.text_until_cursor)
        if line is None:
            return {"completions": []}
        typed = line[1]
        found = [SimpleCompletion(one, type="lifecycle") for one in candidates(typed)]
        begun = "" if typed[-1:].isspace() else typed.split()[-1]
        return {"completions": found, "matched_fragment": begun, "suppress": True}

    return lifecycle


def candidates(typed: str) -> Iterator[str]:
    """Yield what can come after ``typed``, which ends at the cursor.

    Examples
    --------
    >>> list(candidates(" ver"))
    ['verify']
    >>> list(candidates(" hold l"))
    ['lift', 'list']
    >>> list(candidates(" verify --s"))
    ['--size']
    """
    words = typed.split()
    begun = words.pop() if words and not typed.endswith((" ", "\t")) else ""
    command, rest = _command_of(words)
    if hasattr(command, "commands") and not rest:
        yield from (name for name in sorted(command.commands) if name.startswith(begun))
    elif begun.startswith("-"):
        options = {one for parameter in command.params for one in parameter.opts if one.startswith("--")}
        yield from (one for one in sorted(options) if one.startswith(begun))
    elif any(parameter.param_type_name == "argument" for parameter in command.params):
        yield from _files(begun)


def _command_of(words: Sequence[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the words that are left for it."""
    command: Any = typer.main.get_command(app)
    left = list(words)
    while left and hasattr(command, "commands") and left[0] in command.commands:
        command = command.commands[left.pop(0)]
    return command, left


def _files(begun: str) -> Iterator[str]:
    given = Path(begun)
    folder = given if begun.endswith("/") else given.parent
    with_end = (f"{path}/" if path.is_dir() else str(path) for path in sorted(folder.glob("*")))
    yield from (name for name in with_end if name.startswith(begun) and not Path(name).name.startswith("."))
