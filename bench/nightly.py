"""What happens every night: the guarded notebook on a day with nothing due, and the report of a run.

Beside it plain papermill with a notebook that computes 1, and WeasyPrint with a page that says one word: what the
tools themselves cost before anything of ours begins.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from statistics import median

from bench.measure import Cost, Limits, Result, cost_of, expect, in_turn, lifecycle, python

_CLINIC = """
import sys
from datetime import timedelta
from pathlib import Path
from lifecycle import Workbench
from lifecycle.sources.made_up import write_clinic
folder, appointments = Path(sys.argv[1]), int(sys.argv[2])
wb = Workbench.init(folder / "praxis")
clinic = write_clinic(folder / "incoming", as_of=wb.today, appointments=appointments)
wb.ingest(*clinic.events, *clinic.appointments, as_of=clinic.ingest_on, consume=True)
wb.approve_standing("controller", max_rows=10**9, max_percent=100, until=wb.today + timedelta(days=30))
assert wb.purge(as_of="today").deleted
"""
_APPOINTMENTS = 2_000
_KERNEL = {"name": "python3", "language": "python", "display_name": "Python 3"}
_CELL = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None, "source": "1"}
_NOTHING = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": _KERNEL}, "cells": [_CELL]}
_IMPORTS = "import polars, duckdb, jinja2"
_PAGE = "import weasyprint; weasyprint.HTML(string='<h1>Bericht</h1>').write_pdf(pdf_variant='pdf/ua-1')"


def measure(folder: Path, scale: float, runs: int) -> Result:
    """An empty night through ``lifecycle run 50_purge``."""
    workspace = _workspace(folder, scale)
    peer, ours = in_turn(runs, partial(_papermill, folder), partial(_night, workspace))
    return _result("an empty night", "papermill, a notebook that computes 1", ours, peer, 6.0)


def measure_html(folder: Path, scale: float, runs: int) -> Result:
    """The report of a run as HTML and JSON, without the second opinion."""
    workspace = _workspace(folder, scale)
    peer, ours = in_turn(runs, lambda: python(_IMPORTS)[0], partial(_report, workspace, "html,json"))
    return _result("report, HTML", "importing polars, duckdb and jinja2", ours, peer, 2.0)


def measure_pdf(folder: Path, scale: float, runs: int) -> Result:
    """The report of a run as PDF."""
    workspace = _workspace(folder, scale)
    peer, ours = in_turn(runs, lambda: python(_PAGE)[0], partial(_report, workspace, "pdf"))
    return _result("report, PDF", "WeasyPrint, one word", ours, peer, 4.0)


def _result(title: str, peer_title: str, ours: list[Cost], peer: list[Cost], seconds: float) -> Result:
    mine, theirs = (median(cost.cpu_seconds for cost in side) for side in (ours, peer))
    note = f"processor: ours {mine:.2f} s, peer {theirs:.2f} s"
    return Result(title, peer_title, tuple(ours), tuple(peer), Limits(seconds=seconds), (note,))


def _workspace(folder: Path, scale: float) -> Path:
    python(_CLINIC, folder, str(max(100, int(_APPOINTMENTS * scale))))
    return folder / "praxis"


def _papermill(folder: Path) -> Cost:
    notebook = folder / "nothing.ipynb"
    notebook.write_text(json.dumps(_NOTHING))
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    papermill = Path(sys.executable).parent / "papermill"
    return cost_of([papermill, notebook, folder / "done.ipynb", "--no-progress-bar"])[0]


def _night(workspace: Path) -> Cost:
    cost, said = lifecycle(workspace, "run", "50_purge")
    expect("what the night did", (said["outcome"], said["counts"]["deleted_records"]), ("passed", 0))
    return cost


def _report(workspace: Path, formats: str) -> Cost:
    cost, said = lifecycle(workspace, "report", "--no-second-opinion", "--format", formats)
    expect("files written", len(said["files"]), len(formats.split(",")))
    return cost
