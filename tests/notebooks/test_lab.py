"""The review in a real JupyterLab and a real Chromium: run from top to bottom, looked at in light and dark.

Set ``LIFECYCLE_SCREENSHOTS`` to a folder to keep the pictures.
"""

from __future__ import annotations

import json
import os
import re
import signal
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
NOTEBOOK = "notebooks/compliance_review.ipynb"
SECONDS = 120
"""The longest wait for one thing; a busy machine needs some 30 for the whole."""

pytestmark = pytest.mark.slow


@pytest.fixture
def lab(clinic: tuple[Workbench, Clinic], tmp_path: Path) -> Iterator[str]:
    """A JupyterLab on a workspace; settings, runtime files and trust of its own, and nothing left when it ends."""
    if not CHROMIUM:
        assert os.environ.get("CI") != "true", "the build server must have Chromium"
        pytest.skip("NOT RUN: there is no Chromium here, so JupyterLab was not seen")
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_WORKSPACES_DIR")
    folders = {name: str(tmp_path / name.lower()) for name in own}
    quiet = Path(folders["JUPYTER_CONFIG_DIR"]) / "labconfig" / "page_config.json"
    quiet.parent.mkdir(parents=True)
    quiet.write_text(json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}))
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{one.getsockname()[1]}"
    words = ["--no-browser", "--allow-root", f"--port={address.rpartition(':')[2]}", "--ServerApp.port_retries=0",
             f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={clinic[0].path}", "--expose-app-in-browser",
             "--LabApp.extension_manager=readonly"]  # fmt: skip
    with (tmp_path / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *words], env={**os.environ, **folders}, cwd=clinic[0].path,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            await_answer(f"{address}/api/status?token={TOKEN}", server)
            yield address
        finally:
            end(server)


def await_answer(address: str, server: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + SECONDS
    while time.monotonic() < give_up:
        assert server.poll() is None, "JupyterLab ended by itself"
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError("JupyterLab does not answer")


def end(server: subprocess.Popen[bytes]) -> None:
    """Let the server end its kernels; then nobody of its session is left."""
    server.terminate()
    try:
        server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(timeout=30)


def test_the_review_runs_from_top_to_bottom_and_looks_right(
    lab: str, clinic: tuple[Workbench, Clinic], tmp_path: Path
) -> None:
    """Every cell with its output, no error, tables and charts in both themes; nothing from outside, and no value."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--no-first-run"])
        page = browser.new_page(viewport={"width": 1180, "height": 1500})
        page.set_default_timeout(SECONDS * 1000)
        foreign: list[str] = []
        own = (lab, lab.replace("http", "ws"), "data:", "blob:")
        page.on("request", lambda one: None if one.url.startswith(own) else foreign.append("from outside"))
        page.goto(f"{lab}/lab/tree/{NOTEBOOK}?token={TOKEN}")
        outputs = run_all(page)
        shown, kinds = json.dumps(outputs), [one["output_type"] for cell in outputs for one in cell]
        assert len(outputs) > 10
        assert set(kinds) <= {"display_data", "execute_result"}, "an error, or something on a stream"
        assert len([cell for cell in outputs if not cell]) <= 2, "a cell without a word about it"
        assert shown.count("<table") >= 2
        assert shown.count("<svg") >= 2
        assert "Was dieser Bericht nicht beweist" in shown
        secret = (*clinic[1].canaries, *clinic[1].never_stored)
        assert sum(value in shown for value in secret if len(value) > 3) == 0
        for theme in ("Light", "Dark"):
            look(page, theme, Path(os.environ.get("LIFECYCLE_SCREENSHOTS") or tmp_path))
        use_a_table(page)
        assert foreign == []
        browser.close()


def run_all(page: Any) -> list[list[dict[str, Any]]]:
    """Run every cell; return the outputs of each cell of code as JupyterLab keeps them."""
    # Before the kernel has answered, the command neither runs anything nor ever returns.
    page.locator("#jp-main-statusbar").get_by_text(re.compile(r"\| Idle")).wait_for()
    page.evaluate(
        "void window.jupyterapp.commands.execute('notebook:run-all-cells').then((ran) => { window.ran = String(ran); })"
    )
    page.wait_for_function("() => window.ran")
    assert page.evaluate("window.ran") == "true"
    outputs: list[list[dict[str, Any]]] = page.evaluate(
        "window.jupyterapp.shell.currentWidget.content.widgets.filter((cell) => cell.model.type === 'code')"
        ".map((cell) => cell.model.sharedModel.getOutputs())"
    )
    return outputs


def look(page: Any, theme: str, folder: Path) -> None:
    """Scroll to the first chart and to the table before it, and take its picture."""
    page.evaluate(
        "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", f"JupyterLab {theme}"
    )
    page.locator(f"body[data-jp-theme-light={'true' if theme == 'Light' else 'false'}]").wait_for(state="attached")
    chart = page.locator(".jp-OutputArea-output svg.drawing").first
    page.evaluate("() => { document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0; }")
    for _ in range(20):  # JupyterLab draws a cell when it comes into sight
        if chart.count():
            break
        page.mouse.move(600, 700)
        page.mouse.wheel(0, 500)
        page.wait_for_timeout(300)
    chart.scroll_into_view_if_needed()
    for what in ("td[data-value]", "th button", ".lifecycle-page figcaption", "details summary"):
        assert contrast(page.locator(f".jp-OutputArea-output {what}").first) > 4.5, (theme, what)
    assert page.evaluate(CUT_OFF) == []
    page.screenshot(path=str(folder / f"notebook-review-{theme.lower()}.png"))


CUT_OFF = """[...document.querySelectorAll('.jp-OutputArea-output')]
  .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.scrollWidth - one.clientWidth)"""
"""By how many pixels an output is wider than its place, for each that is."""


def use_a_table(page: Any) -> None:
    """Search for a word that can be divided, then sort by number, smallest and largest first, as a reader would."""
    search = page.locator(".jp-OutputArea-output input[type=search]").first
    table = page.locator(".jp-OutputArea-output div:has(> input[type=search]) > table").first
    rows, visible = table.locator("tbody tr"), table.locator("tbody tr:visible")
    everything = rows.count()
    search.fill("krankenversichertennummer")
    assert 0 < visible.count() < everything
    assert {text.replace("\u00ad", "").split()[0] for text in visible.all_inner_texts()} == {
        "Krankenversichertennummer"
    }
    search.fill("")
    assert visible.count() == everything
    head = table.get_by_role("button", name="Anzahl")
    for order in ("ascending", "descending"):
        head.click()
        told = "(rows) => rows.map((row) => Number(row.cells[2].dataset.value))"
        numbers = rows.evaluate_all(told)
        assert numbers == sorted(numbers, reverse=order == "descending")
        assert len(set(numbers)) > 1
        assert table.locator("th[aria-sort]").get_attribute("aria-sort") == order


def contrast(cell: Any) -> float:
    """The contrast of a cell's text to what lies behind it (WCAG)."""
    ratio = cell.evaluate(
        """(cell) => {
          const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
          const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
            .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
          const clear = (one) => /, 0\\)$|transparent/.test(getComputedStyle(one).backgroundColor);
          let behind = cell;
          while (behind.parentElement && clear(behind)) behind = behind.parentElement;
          const pair = [light(rgb(getComputedStyle(cell).color)), light(rgb(getComputedStyle(behind).backgroundColor))];
          return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        }"""
    )
    return float(ratio)
