"""Reports: the same sections as HTML, PDF and JSON, in German and English.

Only ``Facts`` come in: counts, names, roles and dates of runs. See ``sections/order.py`` for what a report says.
The papers beside it (deletion concept, record of processing, monthly overview) are in ``papers/``; see
``papers/order.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lifecycle.report.files import FORMATS, render, render_paper, write, write_papers
    from lifecycle.report.papers.order import PAPERS
    from lifecycle.report.speech import LANGUAGES

__all__ = ["FORMATS", "LANGUAGES", "PAPERS", "render", "render_paper", "write", "write_papers"]

_WHERE = {"PAPERS": "lifecycle.report.papers.order", "LANGUAGES": "lifecycle.report.speech"}


def __getattr__(name: str) -> Any:
    # Every verb needs a word of the catalogue; the sections are a quarter of the time that the workbench takes to load.
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module(_WHERE.get(name, "lifecycle.report.files")), name)
