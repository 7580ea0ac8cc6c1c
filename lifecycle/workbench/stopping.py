"""The stop switch: Ctrl-C, SIGTERM, or a file ``STOP`` in the workspace ends a run at the next safe point."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from lifecycle.errors import Refused

FILE_NAME = "STOP"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSwitch:
    """Tells at every safe point whether somebody asked the run to end there.

    Parameters
    ----------
    folder : pathlib.Path
        The workspace; a file ``STOP`` in it, whatever it holds, asks to stop and stays until somebody removes it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE_NAME
        self._asked = False

    def __call__(self) -> bool:
        return self._asked or os.path.lexists(self._file)

    def refuse(self) -> None:
        """Refuse to begin anything at all.

        Raises
        ------
        Refused
            Somebody asked to stop; nothing was begun.
        """
        if self():
            hint = f"remove the file {FILE_NAME}, if it was that; then run the same command again"
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
            print("Stopping at the next safe point; once more stops at once.", file=sys.stderr)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
