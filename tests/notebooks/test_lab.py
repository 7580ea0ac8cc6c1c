"""The review in a real JupyterLab and a real Chromium: run from top to bottom, in light and dark, sorted by a click.

Set ``LIFECYCLE_SCREENSHOTS`` to a folder to keep the pictures.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle.sources.made_up import Clinic
from lifecycle.workbench import Workbench

CHROMIUM = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), "")
TOKEN = "a-token-for-the-lab"

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def lab(clinic: tuple[Workbench, Clinic], tmp_path: Path) -> Iterator[str]:
    """A JupyterLab on a workspace with one run; settings, runtime files and trust of its own."""
    if not CHROMIUM:
        assert os.environ.get("CI") != "true", "the build server must have Chromium"
        pytest.skip("NOT RUN: there is no Chromium here, so JupyterLab was not seen")
    wb = clinic[0]
    wb.purge(as_of="today")
    port = free_port()
    own = {name: str(tmp_path / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    environment = {**os.environ, **own, "JUPYTER_RUNTIME_DIR": str(tmp_path / "run"), "JUPYTER_PREFER_ENV_PATH": "1"}
    words = ["--no-browser", f"--port={port}", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={wb.path}"]
    words += [
        "--allow-root",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with (tmp_path / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *words], env=environment, stdout=log, stderr=log, cwd=wb.path
        )
        try:
            await_answer(f"http://127.0.0.1:{port}/api?token={TOKEN}", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=60)


def await_answer(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        assert server.poll() is None, "JupyterLab ended by itself"
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError("JupyterLab does not answer")


def ask(page: Any, command: str, **args: Any) -> Any:
    """Let JupyterLab carry out one of its commands."""
    return page.evaluate("([command, args]) => window.jupyterapp.commands.execute(command, args)", [command, args])


def test_the_review_runs_from_top_to_bottom_and_looks_right(lab: str, tmp_path: Path) -> None:
    """Every cell, no error, tables and charts in both themes; a click on a heading sorts; nothing from outside."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--no-first-run"])
        page = browser.new_page(viewport={"width": 1180, "height": 1500})
        foreign: list[str] = []
        page.on("request", lambda one: foreign.append("x") if not one.url.startswith((lab, "data:", "blob:")) else None)
        page.goto(f"{lab}/lab/tree/notebooks/compliance_review.ipynb?token={TOKEN}&exposeAppInBrowser=true")
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=180_000)
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=180_000)
        ask(page, "notebook:run-all-cells")
        page.locator(".lifecycle-page", has_text="Was dieser Bericht nicht beweist").wait_for(timeout=300_000)
        assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
        assert page.locator(".jp-OutputArea-output svg.drawing").count() >= 2
        table = page.locator(".lifecycle table:has(th button)").first
        counts = sorted_by(page, table, "Anzahl")
        assert counts == sorted(counts)
        assert len(counts) > 5
        for theme in ("JupyterLab Light", "JupyterLab Dark"):
            ask(page, "apputils:change-theme", theme=theme)
            page.wait_for_timeout(1500)
            assert contrast_of(page) > 4.5, theme
            if folder := os.environ.get("LIFECYCLE_SCREENSHOTS"):
                table.scroll_into_view_if_needed()
                page.screenshot(path=str(Path(folder) / f"notebook-review-{theme.rpartition(' ')[2].lower()}.png"))
        assert foreign == []
        browser.close()


def sorted_by(page: Any, table: Any, heading: str) -> list[int]:
    """The numbers of a column after a click on its heading."""
    table.locator("th button", has_text=heading).click()
    at = table.evaluate("(t, h) => [...t.tHead.rows[0].cells].findIndex(c => c.textContent === h)", heading)
    return table.evaluate("(t, at) => [...t.tBodies[0].rows].map(r => Number(r.cells[at].dataset.value))", at)


def contrast_of(page: Any) -> float:
    """The contrast of a table's text to what lies behind it (WCAG)."""
    ratio = page.evaluate(
        """() => {
          const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
          const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
            .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
          const cell = document.querySelector('.lifecycle td');
          let behind = cell;
          const clear = (one) => /, 0\\)$|transparent/.test(getComputedStyle(one).backgroundColor);
          while (behind && clear(behind)) behind = behind.parentElement;
          const pair = [light(rgb(getComputedStyle(cell).color)), light(rgb(getComputedStyle(behind).backgroundColor))];
          return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        }"""
    )
    return float(ratio)
