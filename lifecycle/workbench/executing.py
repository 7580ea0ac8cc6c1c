"""One notebook through papermill: its own kernel, its own sockets, its own end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from lifecycle.errors import LifecycleError, Refused, Unexpected
from lifecycle.workbench.guard import without_words
from lifecycle.workbench.parameters import Parameter
from lifecycle.workbench.redaction import error_of
from lifecycle.workbench.status import GUARDED
from lifecycle.workbench.stopping import STOP_AT, passing_on


class Shelf(Protocol):
    """Where papermill puts the executed notebook: its handler for ``scheme``."""

    scheme: str
    target: Path


def execute(
    path: Path, shelf: Shelf, parameters: Mapping[str, Parameter], max_seconds: float | None = None
) -> LifecycleError | None:
    """Run a notebook in a kernel of its own, and return what it ended with, as one of our errors.

    Parameters
    ----------
    path : Path
    shelf : Shelf
    parameters : mapping
    max_seconds : float, optional
        After this time a deletion in it ends at its next safe point.
    """
    import asyncio

    kernels: list[int] = []
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
            kernels.append(int(getattr(self.provisioner, "pid", 0)))
            # On a signal nbclient would shut the kernel down; it is passed on instead, and the purge ends where it can.
            asyncio.get_running_loop().add_signal_handler = _nobody_else  # type: ignore[method-assign, assignment]

    papermill_io.register(shelf.scheme, shelf)
    signals: list[int] = []
    try:
        with _own_jupyter(max_seconds), passing_on(kernels) as signals:
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
        if signals:
            return Refused("The notebook was stopped before its end.", "run the same command again")
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
def _own_jupyter(max_seconds: float | None) -> Iterator[None]:
    """Kernels of this environment, no trace of the run in a history file of the user's, and what a purge must know."""
    with TemporaryDirectory(prefix="lifecycle-run-") as folder:
        wanted = {"JUPYTER_PREFER_ENV_PATH": "1", "IPYTHONDIR": folder, "JUPYTER_RUNTIME_DIR": folder, GUARDED: "1"}
        if max_seconds is not None:
            wanted[STOP_AT] = str(time.monotonic() + max_seconds)
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


def _nobody_else(*_: Any) -> None:
    """Take no signal."""
