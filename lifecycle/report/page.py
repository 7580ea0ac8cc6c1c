"""A report as one HTML file: no script, no outside resource, everything escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifecycle.report.content import Block, Chart, Matrix, Table
from lifecycle.report.document import Document
from lifecycle.report.drawing import Drawing, Grid, draw, draw_matrix
from lifecycle.report.speech import Speech, clean

if TYPE_CHECKING:
    from jinja2 import Environment

_LOOKS = Path(__file__).parent / "looks"
_WIDE, _NARROW, _PAPER = 704.0, 330.0, 640.0
MOST_ROWS = 200
"""A page shows this many rows of a table and says how many more there are; the JSON has them all."""


def to_html(document: Document, *, paper: bool = False) -> bytes:
    """Write the page; ``paper`` leaves out what only a screen needs (for the PDF)."""
    style = _plain(_read("page.css") + _read("paper.css")) if paper else _read("page.css") + _read("screen.css")
    page = environment().get_template("page.html.j2").render(
        document=document,
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        **page_values(document.say, paper=paper),
    )  # fmt: skip
    return page.encode()


def page_values(say: Speech, *, paper: bool = False) -> dict[str, Any]:
    """Return what the blocks of any page ask for."""
    return {
        "say": say,
        "paper": paper,
        "limited": lambda block: _limited(block, say),
        "drawings": lambda chart: _drawings(chart, paper),
    }


def _limited(block: Table, say: Speech) -> tuple[Table, str]:
    """The table as far as the page shows it (a sum stays), and what to say about the rest."""
    over = len(block.rows) - MOST_ROWS
    if over <= 0:
        return block, ""
    last = block.rows[-1:] if block.total else ()
    over += len(last)
    return replace(block, rows=(*block.rows[: MOST_ROWS - len(last)], *last)), say.count("page.more-rows", over)


def _drawings(chart: Chart | Matrix, paper: bool) -> tuple[Drawing | Grid, ...]:
    widths = {"paper": _PAPER} if paper else {"wide": _WIDE, "narrow": _NARROW}
    return tuple(
        draw_matrix(chart, width, name) if isinstance(chart, Matrix) else draw(chart, width, name)
        for name, width in widths.items()
    )


@cache
def environment() -> Environment:
    """Return what renders the pages: everything escaped, a name that is missing an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_LOOKS),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["kind"] = _is_kind
    environment.filters["px"] = lambda number: f"{number:.1f}".removesuffix(".0")
    return environment


def _is_kind(block: Block, kind: str) -> bool:
    return type(block).__name__ == kind


def _finalize(value: Any) -> Any:
    """Plain text loses its invisible characters; markup made by the template's own macros passes."""
    return clean(value) if type(value) is str else value


def _plain(style: str) -> str:
    """The style with its variables' values in their places: WeasyPrint asks for them anew at every element."""
    values = dict(re.findall(r"(--\w+): ([^;]+);", style))
    return re.sub(r"var\((--\w+)\)", lambda name: values[name[1]], style)


def _read(name: str) -> str:
    return (_LOOKS / name).read_text(encoding="utf-8")
