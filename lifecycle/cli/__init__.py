"""The command line: a thin coat over :class:`lifecycle.workbench.Workbench`.

Here is only its door, so that Ctrl-C and SIGTERM are heard before anything else is loaded.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

__all__ = ["main"]


def main() -> None:
    """Run the command line; every failure that a person can act on becomes a sentence and an exit code.

    So does a signal, from the first moment on: until a deletion listens itself, nothing of it was begun.
    """
    # Or numpy's linear algebra, which nothing here uses, starts a busy thread a processor when it is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    came: list[int] = []
    words = sys.argv[1:]

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        came.append(number)
        signal.signal(number, before[signal.Signals(number)])  # once more acts at once
        raise KeyboardInterrupt

    # A shell lets its background jobs ignore Ctrl-C, and nohup lets its own ignore more: that stays.
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    heard = [number for number, handler in before.items() if handler in usual]
    try:
        for number in heard:
            signal.signal(number, stop)
        from lifecycle.cli.program import run

        code = run(words, came)
    except KeyboardInterrupt:
        from lifecycle.cli.app import STOPPED, tell_failure

        tell_failure(STOPPED, words)
        code = STOPPED.exit_code
    finally:
        for number in heard:
            signal.signal(number, before[number])
    sys.exit(code)
