"""What nobody foresaw must not speak: foreign exceptions quote the values that they stumbled over."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import FunctionType
from typing import ParamSpec, TypeVar

from lifecycle.errors import LifecycleError, Unexpected

P = ParamSpec("P")
T = TypeVar("T")

_PACKAGE = Path(__file__).parents[1]


def guarded(verb: Callable[P, T]) -> Callable[P, T]:
    """Let only our own exceptions out of a verb; any other becomes one that says where it happened, not what it said.

    Raises
    ------
    Unexpected
        A fault of this program or of the machine.
    """

    @wraps(verb)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return verb(*args, **kwargs)
        except LifecycleError:
            raise
        except Exception as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is None:
                raise  # the call itself is wrong: a missing or a surplus argument
            silent = without_words(error)
        # Raised outside the handler, so that nothing leads back to the words of the other one.
        raise silent

    return call


def guard_verbs(bench: type[T]) -> type[T]:
    """Put every public method of a class under :func:`guarded`, inherited and new ones too."""
    members = {name: member for base in reversed(bench.__mro__[:-1]) for name, member in vars(base).items()}
    for name, member in members.items():
        if name.startswith("_"):
            continue
        if isinstance(member, classmethod):
            setattr(bench, name, classmethod(guarded(member.__func__)))
        elif isinstance(member, FunctionType):
            setattr(bench, name, guarded(member))
    return bench


def without_words(error: Exception) -> Unexpected:
    """Return what may be said of a foreign exception: its kind and where it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    where = ours[-1] if ours else frames[-1]
    place = f"{Path(where.filename).name}, line {where.lineno}"
    reason = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    return Unexpected(
        f"Something went wrong that nobody foresaw ({type(error).__name__} in {place}{reason}).",
        "the values it stumbled over are left out on purpose; lifecycle doctor",
    )
