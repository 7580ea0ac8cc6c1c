"""Results on a terminal: the numbers first, then rows, without a control character."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lifecycle.workbench.results import Checked, Demonstrated, Examined, Result

_MOST_ROWS = 60
_WIDE = 240


def show(result: Result) -> None:
    """Print a result for a person; without a terminal it is the same text without colour."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE)  # nothing is cut off on the way into a file
    grid = Table.grid(padding=(0, 2))
    for name, value in result.summary().items():
        grid.add_row(Text(_words(name)), Text(_plain(value)))
    console.print(grid)
    rows = _rows(result)
    if rows:
        console.print()
        console.print(_table(rows[:_MOST_ROWS]))
        if len(rows) > _MOST_ROWS:
            console.print(f"... and {len(rows) - _MOST_ROWS} more: --json lists all")
    if isinstance(result, (Checked, Examined)):
        for check, hint in result.details.items():
            console.print(Text(f"{check}: {_plain(hint)}"))
    for line in getattr(result, "lines", ()):
        console.print(Text(_plain(line)))
    for path in getattr(result, "files", ()) if not isinstance(getattr(result, "files", ()), int) else ():
        console.print(Text(f"report: {_plain(path)}"))


def _rows(result: Result) -> list[dict[str, Any]]:
    if isinstance(result, Demonstrated):
        return []
    fold = isinstance(result, (Checked, Examined))
    return [row for row in result.table_rows() if not (fold and row["outcome"] == "passed")]


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = [name for name in rows[0] if any(row.get(name) not in (None, "") for row in rows)]
    for name in names:
        table.add_column(_words(name), justify="right" if isinstance(rows[0][name], int) else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_plain(row.get(name))) for name in names))
    return table


def _words(name: str) -> str:
    return "".join(f" {char.lower()}" if char.isupper() else char for char in name)


def _plain(value: Any) -> str:
    return "" if value is None else "".join(char if char.isprintable() else "\ufffd" for char in str(value))
