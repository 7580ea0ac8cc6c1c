"""One call of the command line, from its words to its exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from lifecycle.cli import groups, verbs
from lifecycle.cli.app import STOPPED, app, reader_gone, tell_failure
from lifecycle.errors import LifecycleError, Unexpected, UsageError

__all__ = ["app", "groups", "misused", "run", "verbs"]


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


def run(words: Sequence[str], came: Sequence[int] = ()) -> int:
    """Run one call, tell of its failure if it failed, and return its exit code.

    Parameters
    ----------
    words : sequence of str
        For whether they ask for JSON.
    came : sequence of int
        The signals that came so far, added to as they come.
    """

    def failed(error: LifecycleError) -> int:
        # DuckDB turns a signal in the middle of a query into an error of its own.
        told = STOPPED if came and isinstance(error, Unexpected) else error
        tell_failure(told, words)
        return told.exit_code

    try:
        code = app(standalone_mode=False, prog_name="lifecycle") or 0
        sys.stdout.flush()
    except LifecycleError as error:
        return failed(error)
    except BrokenPipeError:
        reader_gone()
        return 141
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError" and "--json" not in words:
            print(error.message, file=sys.stderr)
            return 2
        return failed(misused(error))
    except Exception as error:
        from lifecycle.workbench.guard import without_words

        return failed(without_words(error))
    # So typer tells of a signal.
    return failed(STOPPED) if code == STOPPED.exit_code else int(code)
