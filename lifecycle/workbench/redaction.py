"""An executed notebook before its first byte is written: what the workbench made stays, anything else goes.

Nothing is searched for in the hope of finding it: an output is kept because it bears the workbench's mark, an error
because it is one of ours. The patterns afterwards are the second net.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lifecycle import errors
from lifecycle.errors import LifecycleError
from lifecycle.workbench.results import OURS

ERRORS: Mapping[str, type[LifecycleError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, LifecycleError) and kind is not LifecycleError
}

_PATTERNS = (
    re.compile(r"[^\s\"'<>()\\,;:]+@[^\s\"'<>()\\,;:]+\.\w{2,}"),  # e-mail address
    re.compile(r"(?<![\w.])(?:\+|00)49[\s/()-]*\d[\d\s/()-]{7,13}\d"),  # telephone number with its country
    re.compile(r"(?<![\w.])01[5-7]\d[\d\s/-]{6,10}\d(?!\w)"),  # mobile number
    re.compile(r"(?<!\w)[A-Z]\d{9}(?!\w)"),  # health insurance number
    re.compile(r"(?<!\w)DE\d{2}(?:\s?\d{4}){4}\s?\d{2}(?!\w)"),  # IBAN
)
_LEFT_OUT = "[left out]"
_KINDS = ("text/html", "text/markdown", "text/plain")
_TIMES = ("start_time", "end_time", "duration", "exception", "status", "version")


def redacted(notebook: Mapping[str, Any], root: Path, shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return a notebook that may be written.

    Parameters
    ----------
    notebook : mapping
        As nbformat has it, executed or on its way.
    root : Path
        The workspace; its path is written as ``.``.
    shown : mapping
        The parameters as they may be seen: no path outside the workspace.

    Returns
    -------
    dict
        Sources, tags and times as they were; outputs of the workbench; errors as name, fact and hint.
    """
    cells = [_cell(cell, shown) for cell in notebook["cells"]]
    metadata = notebook.get("metadata", {})
    kept = {name: metadata[name] for name in ("kernelspec", "language_info") if name in metadata}
    papermill = metadata.get("papermill", {})
    kept["papermill"] = {name: papermill[name] for name in _TIMES if name in papermill} | {"parameters": dict(shown)}
    whole = {"cells": cells, "metadata": kept} | {name: notebook[name] for name in ("nbformat", "nbformat_minor")}
    return dict(_scrubbed(whole, root))


def error_of(name: str, value: str) -> LifecycleError:
    """Return the error that a cell ended with; of a foreign one only its kind is told."""
    if name in ERRORS:
        fact, _, hint = value.partition("\n\nhint: ")
        return ERRORS[name](fact, hint)
    kind = name if name.isidentifier() else "Error"
    return errors.Unexpected(
        f"A cell of the notebook failed with {kind}.", "its words are left out on purpose; run the verb by itself"
    )


def _cell(cell: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    tags = list(cell.get("metadata", {}).get("tags", ()))
    times = cell.get("metadata", {}).get("papermill", {})
    kept: dict[str, Any] = {"cell_type": cell["cell_type"], "source": cell["source"], "metadata": {"tags": tags}}
    if cell.get("metadata", {}).get("jupyter", {}).get("source_hidden") is True:
        kept["metadata"]["jupyter"] = {"source_hidden": True}
    if "id" in cell:
        kept["id"] = cell["id"]
    if times:
        kept["metadata"]["papermill"] = {name: times[name] for name in _TIMES if name in times}
    if "injected-parameters" in tags:
        kept["source"] = "# Parameters\n" + "\n".join(f"{name} = {value!r}" for name, value in shown.items())
    if cell["cell_type"] == "code":
        kept["execution_count"] = cell.get("execution_count")
        kept["outputs"] = [_output(one) for one in cell.get("outputs", ())]
    return kept


def _output(output: Mapping[str, Any]) -> dict[str, Any]:
    if output["output_type"] == "error":
        error = error_of(output["ename"], output["evalue"])
        words = f"{type(error).__name__}: {error}"
        return {"output_type": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": [words]}
    if output["output_type"] == "stream":
        return {"output_type": "stream", "name": output["name"], "text": _LEFT_OUT + "\n"}
    kept = {"output_type": output["output_type"], "metadata": {}, "data": {"text/plain": _LEFT_OUT}}
    if output.get("metadata") == OURS:
        kept |= {"metadata": dict(OURS), "data": {k: v for k, v in output["data"].items() if k in _KINDS}}
    if output["output_type"] == "execute_result":
        kept["execution_count"] = output.get("execution_count")
    return kept


def _scrubbed(thing: Any, root: Path) -> Any:
    if isinstance(thing, str):
        text = thing.replace(str(root), ".")
        for pattern in _PATTERNS:
            text = pattern.sub(_LEFT_OUT, text)
        return text
    if isinstance(thing, Mapping):
        return {key: _scrubbed(value, root) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [_scrubbed(value, root) for value in thing]
    return thing
