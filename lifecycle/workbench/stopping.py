"""The stop switch: Ctrl-C, SIGTERM, a file ``STOP`` in the workspace or the end of the time allowed ends a run.

At the next safe point, and so that the same command goes on.
"""

from __future__ import annotations

import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from lifecycle.errors import Refused, UsageError

FILE_NAME = "STOP"
STOP_AT = "LIFECYCLE_STOP_AT"
"""In the environment of a guarded kernel: when its time is over, on the machine's monotonic clock, in seconds."""

_RUNTIME = re.compile(r"(\d{1,6})([smh]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WORDS = "Stopping at the next safe point; once more stops at once."


def parse_runtime(text: str) -> float:
    """Return the seconds of a time such as ``5400``, ``90m`` or ``2h``.

    Examples
    --------
    >>> parse_runtime("90m")
    5400.0

    Raises
    ------
    UsageError
        It is none.
    """
    match = _RUNTIME.fullmatch(text.strip())
    if not match:
        raise UsageError("The longest runtime is no time.", "--max-runtime 5400, 90m or 2h")
    return float(int(match[1]) * _SECONDS[match[2]])


@contextmanager
def passing_on(processes: list[int]) -> Iterator[list[int]]:
    """Pass Ctrl-C and SIGTERM on to other processes as SIGTERM; a second one ends this process where it stands.

    Yields
    ------
    list of int
        The signals that came.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def pass_on(number: int, frame: FrameType | None) -> None:
        del frame
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt
        print(_WORDS, file=sys.stderr)
        for process in filter(None, processes):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)

    before = {number: signal.signal(number, pass_on) for number in _SIGNALS}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


class StopSwitch:
    """Tells at every safe point whether somebody asked the run to end there.

    Parameters
    ----------
    folder : pathlib.Path
        The workspace; a file ``STOP`` in it, whatever it holds, asks to stop and stays until somebody removes it.
    max_seconds : float, optional
        Time allowed from now on. A guarded notebook hands its own limit down in the environment.
    """

    def __init__(self, folder: Path, max_seconds: float | None = None) -> None:
        self._file = folder / FILE_NAME
        self._asked = False
        ends = [] if max_seconds is None else [time.monotonic() + max_seconds]
        with suppress(ValueError):
            ends += [float(os.environ[STOP_AT])] if os.environ.get(STOP_AT) else []
        self._end = min(ends, default=math.inf)

    def __call__(self) -> bool:
        return self._asked or time.monotonic() >= self._end or os.path.lexists(self._file)

    def refuse(self) -> None:
        """Refuse to begin anything at all.

        Raises
        ------
        Refused
            Somebody asked to stop; nothing was begun.
        """
        if self():
            hint = f"remove the file {FILE_NAME} or allow more time, if it was that; then run the same command again"
            raise Refused("A stop was asked for; nothing was begun.", hint)

    @contextmanager
    def armed(self) -> Iterator[StopSwitch]:
        """Take Ctrl-C and SIGTERM as the wish to stop; a second one ends the process where it stands."""
        if threading.current_thread() is not threading.main_thread():
            yield self  # signals belong to the main thread; the file works everywhere
            return
        before = {number: signal.signal(number, self._ask) for number in _SIGNALS}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del frame
        if not self._asked:
            self._asked = True
            print(_WORDS, file=sys.stderr)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
