"""The parameters of a notebook: what it says it takes, and what it is given, checked before anything starts."""

from __future__ import annotations

import ast
import difflib
import json
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from lifecycle.errors import UsageError
from lifecycle.workbench import tables
from lifecycle.workbench.workspace import Workspace

Parameter = str | int | float | bool

_TYPES: Mapping[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LIKE = {str: "TEXT", int: "NUMBER", float: "NUMBER", bool: "true|false"}
_PATHS = ("workspace", "files", "key")
_DAYS = ("as_of", "until")


def found(workspace: Workspace, notebook: str | Path) -> Path:
    """Return the notebook's file, from the workspace's ``notebooks/`` or as it is named.

    Raises
    ------
    UsageError
        There is none.
    """
    given = Path(notebook)
    name = given.name.removesuffix(".ipynb") + ".ipynb"
    inside = workspace.path / "notebooks" / name
    for path in (given, inside if given.name == str(given) else given):
        if path.is_file() and path.suffix == ".ipynb":
            return path.resolve()
    known = sorted(path.stem for path in (workspace.path / "notebooks").glob("*.ipynb"))
    near = difflib.get_close_matches(given.stem, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"one of: {', '.join(known)}" if known else "lifecycle init DIR"
    raise UsageError("There is no such notebook.", hint)


def declared(path: Path) -> dict[str, type]:
    """The parameters that a notebook says it has: annotated assignments in the cell with the tag ``parameters``."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        own = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", ())]
        tree = ast.parse("\n".join("".join(cell["source"]) for cell in own))
    except (OSError, ValueError, KeyError, TypeError, SyntaxError):
        raise UsageError("The notebook cannot be read.", "open it in JupyterLab and save it again") from None
    names = {}
    for node in tree.body:
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(node.annotation, ast.Name)
        ):
            names[node.target.id] = _TYPES.get(node.annotation.id, str)
    return names


def checked(names: Mapping[str, type], given: Mapping[str, Parameter], workspace: Workspace) -> dict[str, Parameter]:
    """Return the parameters in the notebook's own types.

    Raises
    ------
    UsageError
        One that the notebook does not have, of another type, or of another workspace; its value is not repeated.
    """
    chosen: dict[str, Parameter] = {}
    for name, value in given.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"it takes: {', '.join(names)}"
            raise UsageError("The notebook has no such parameter.", hint)
        chosen[name] = _typed(name, value, names[name])
    for name in _DAYS:
        if chosen.get(name) not in (None, "", "today"):
            _need_day(name, str(chosen[name]))
    if "language" in chosen:
        tables.refuse_language(chosen["language"])
    if chosen.get("workspace") and Path(str(chosen["workspace"])).resolve() != workspace.path:
        raise UsageError("The notebook would look at another workspace.", "lifecycle --workspace DIR run NOTEBOOK")
    if "workspace" in names:
        chosen["workspace"] = str(workspace.path)
    return chosen


def _typed(name: str, value: Parameter, kind: type) -> Parameter:
    try:
        if kind is bool:
            read: Parameter = value if isinstance(value, bool) else _TRUTH[str(value).lower()]
        elif isinstance(value, bool) or (kind is int and isinstance(value, float)):
            raise ValueError
        else:
            read = kind(value)
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"The parameter {name} is not of the type {kind.__name__}.", f"-p {name} {_LIKE[kind]}"
        ) from None
    if not str(read).isprintable():
        raise UsageError(f"The parameter {name} holds what cannot be printed.", f"-p {name} VALUE")
    return read


def _need_day(name: str, value: str) -> None:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise UsageError(f"The parameter {name} is not a calendar date.", f"-p {name} YYYY-MM-DD, or today") from None


def shown(name: str, value: Parameter, root: Path) -> Parameter:
    """A parameter as the saved notebook may show it: of a path only what lies in the workspace."""
    if name not in _PATHS or not value:
        return value
    path = Path(os.path.abspath(root / str(value)))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else "[outside the workspace]"


def purges(path: Path) -> bool:
    """Whether a notebook calls ``purge``: people are told of such a run."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return any(".purge(" in "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
