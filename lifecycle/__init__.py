"""Compliance and data life cycle for the eTermin to arztkonsultation connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lifecycle.workbench import Workbench as Workbench

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # Loaded when it is asked for, so that `import lifecycle` costs nothing.
    if name == "Workbench":
        from lifecycle.workbench import Workbench

        return Workbench
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: object) -> None:
    """Add ``%lifecycle`` to a notebook: ``%load_ext lifecycle``."""
    from lifecycle.cli import magic

    magic.load(shell)
