"""A bar for long work: on a terminal and in a notebook, none in a pipe, and never with more than a verb and a count.

A verb opens it; whatever works below says how many rows went by. It appears only when the work takes a moment, and is
gone when the work is done. A thread that no verb started (the local pages look at workspaces in one) has none.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from html import escape
from typing import Any, Protocol
from uuid import uuid4

APPEARS_AFTER_SECONDS = 0.7
_RENEWED_EVERY_SECONDS = 0.25


class _Surface(Protocol):
    """Where a bar is drawn. ``total`` is None where nobody knows how much there is."""

    def show(self, label: str, rows: int, total: int | None) -> None: ...
    def clear(self) -> None: ...


class _Bar:
    """One bar, drawn by a thread of its own, so that work that says nothing for a while does not look dead."""

    def __init__(self, label: str, surface: _Surface) -> None:
        self.rows = 0
        self.total: int | None = None
        self._label = label
        self._surface = surface
        self._done = threading.Event()
        self._drawing = threading.Thread(target=self._draw, name="progress", daemon=True)
        self._drawing.start()

    def _draw(self) -> None:
        if self._done.wait(APPEARS_AFTER_SECONDS):
            return
        with suppress(Exception):  # a bar that cannot be drawn must not end the work
            while not self._done.wait(_RENEWED_EVERY_SECONDS):
                self._surface.show(self._label, self.rows, self.total)
            self._surface.clear()

    def end(self) -> None:
        self._done.set()
        self._drawing.join(timeout=2)


_current: ContextVar[_Bar | None] = ContextVar("progress", default=None)


@contextmanager
def bar(label: str) -> Iterator[None]:
    """Show a bar while the block is at work, if there is somebody to see it and no other one is open."""
    surface = _surface() if _current.get() is None else None
    if surface is None:
        yield
        return
    shown = _Bar(label, surface)
    token = _current.set(shown)
    try:
        yield
    finally:
        _current.reset(token)
        shown.end()


def expect(rows: int) -> None:
    """Say how many rows there are in all."""
    shown = _current.get()
    if shown is not None:
        shown.total = rows


def advance(rows: int) -> None:
    """Say that so many more rows went by."""
    shown = _current.get()
    if shown is not None:
        shown.rows += rows


def _surface() -> _Surface | None:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if type(shell).__name__ == "ZMQInteractiveShell":
        return _Notebook()
    return _Terminal() if sys.stderr.isatty() else None


class _Terminal:
    """A line at the bottom of the terminal."""

    def __init__(self) -> None:
        self._progress: Any = None

    def show(self, label: str, rows: int, total: int | None) -> None:
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
            self._progress = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
            self._task = self._progress.add_task(label, total=total, said="")
            self._progress.start()
        self._progress.update(self._task, completed=rows, total=total, said=_said(rows, total))

    def clear(self) -> None:
        if self._progress is not None:
            self._progress.stop()


class _Notebook:
    """An output of the cell that is renewed in place and empty in the end."""

    def __init__(self) -> None:
        self._id = f"lifecycle-{uuid4()}"
        self._shown: tuple[int, int | None] | None = None

    def show(self, label: str, rows: int, total: int | None) -> None:
        if self._shown == (rows, total):
            return  # the browser keeps a bar without a value moving by itself
        known = f' value="{min(rows, total)}" max="{total}"' if total else ""
        said = escape(f"{label} {_said(rows, total)}".strip())
        self._publish(f'<progress aria-label="{escape(label)}"{known}></progress> <span>{said}</span>', said)
        self._shown = rows, total

    def clear(self) -> None:
        if self._shown is not None:
            self._publish("", "")

    def _publish(self, html: str, words: str) -> None:
        from IPython.display import display

        from lifecycle.workbench.results import OURS

        data = {"text/html": html, "text/plain": words}
        display(data, raw=True, metadata=OURS, display_id=self._id, update=self._shown is not None)  # type: ignore[no-untyped-call]


def _said(rows: int, total: int | None) -> str:
    if total:
        return f"{min(rows, total):,} / {total:,}"
    return f"{rows:,}" if rows else ""
