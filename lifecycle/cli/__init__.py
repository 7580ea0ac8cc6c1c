"""The command line: a thin coat over :class:`lifecycle.workbench.Workbench`."""

from __future__ import annotations

import sys

import typer

from lifecycle.cli import groups, verbs
from lifecycle.cli.app import app, reader_gone, tell_failure
from lifecycle.errors import LifecycleError, Stopped, UsageError

__all__ = ["app", "groups", "main", "misused", "verbs"]


def misused(error: typer.TyperException) -> UsageError:
    """Say what is wrong with the words of the call, without repeating one: a name can have slipped into them."""
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    hint = f"{context.command_path if context else 'lifecycle'} --help"
    kind, message = type(error).__name__, error.message
    if kind == "NoSuchOption":
        close = getattr(error, "possibilities", None)
        return UsageError("There is no such option.", f"did you mean {close[0]}? {hint}" if close else hint)
    if kind == "BadOptionUsage":
        takes = "no value" if "not take" in message else "a value"
        return UsageError(f"The option {getattr(error, 'option_name', '')} takes {takes}.", hint)
    if parameter is not None:
        name = str(parameter.get_error_hint()).strip("'")
        what = "is missing" if kind == "MissingParameter" else "was given a value that it cannot take"
        return UsageError(f"{name} {what}.", hint)
    if message.startswith("No such command") and context is not None:
        return UsageError("There is no such verb.", hint)
    return UsageError("More words were given than the verb takes.", hint)


def main() -> None:
    """Run the command line; every failure that a person can act on becomes a sentence and an exit code."""
    words = sys.argv[1:]
    try:
        code = app(standalone_mode=False, prog_name="lifecycle") or 0
        sys.stdout.flush()
    except LifecycleError as error:
        tell_failure(error, words)
        code = error.exit_code
    except BrokenPipeError:
        reader_gone()
        code = 141
    except typer.TyperException as error:
        code = 2
        if type(error).__name__ == "NoArgsIsHelpError" and "--json" not in words:
            print(error.message, file=sys.stderr)
        else:
            tell_failure(misused(error), words)
    except Exception as error:
        from lifecycle.workbench.guard import without_words

        tell_failure(without_words(error), words)
        code = 70
    if code == 130:  # so typer tells that somebody pressed Ctrl-C
        tell_failure(Stopped("Stopped.", "run the same command again to go on"), words)
    sys.exit(code)
