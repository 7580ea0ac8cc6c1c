"""The local pages in a real Chromium: every page in both schemes and widths, and what changes while one looks.

Set ``LIFECYCLE_SCREENSHOTS`` to a folder to keep the pictures.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lifecycle.workbench import Workbench
from lifecycle.workbench.serving import ServedDesk
from tests.conftest import TakenIn
from tests.web.test_preview_browser import AXE, CHROMIUM, TOKEN, keep, note_foreign

pytestmark = pytest.mark.slow

PAGES = ("", "1/", "1/findings", "1/calendar", "1/runs", "1/verify", "1/holds", "1/templates")


@dataclass
class Served:
    """A running server and a browser."""

    browser: Any
    port: int
    path: Path

    def open(self, address: str, width: int = 1360, height: int = 900, scheme: str = "light") -> Any:
        """Open a page in a window of its own; any error or foreign request is noted."""
        context = self.browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        page = context.new_page()
        page.problems = []
        page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("request", lambda request: note_foreign(page, request.url, self.port))
        page.goto(f"http://127.0.0.1:{self.port}/?token={TOKEN}")
        page.goto(f"http://127.0.0.1:{self.port}{address}")
        return page


@pytest.fixture(scope="module")
def served(first_clinic: TakenIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two workspaces, one of them with a run, served to a Chromium."""
    if not CHROMIUM:
        assert os.environ.get("CI") != "true", "the build server must have Chromium"
        pytest.skip("NOT RUN: there is no Chromium here, so the pages were not seen")
    import uvicorn
    from playwright.sync_api import sync_playwright

    from lifecycle.web.desk import desk_app
    from lifecycle.web.guard import listener

    folder = tmp_path_factory.mktemp("desk")
    path = folder / "workspace"
    shutil.copytree(first_clinic.path, path)
    bench = Workbench.open(path)
    bench.hold_add(first_clinic.clinic.hold_uid, "legal-claims", reference="AZ 7", review_on=bench.today)
    plan = bench.plan()
    bench.approve(plan.run_id, "controller")
    bench.purge(plan.run_id)
    Workbench.init(folder / "other", name="Andere Praxis")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_STATE_HOME", str(folder / "state"))
        desk = ServedDesk([path, folder / "other"])
        for number in (1, 2):
            desk.look(number)
        door = listener(0, "serve")
        port = int(door.getsockname()[1])
        server = uvicorn.Server(
            uvicorn.Config(desk_app(desk, TOKEN, port), log_level="warning", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
        thread.start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--no-first-run"])
            yield Served(browser, port, path)
            browser.close()
        server.should_exit = True
        thread.join(timeout=10)


@pytest.mark.parametrize(("width", "height", "scheme"), [(1360, 900, "light"), (390, 844, "dark")])
def test_axe_finds_nothing_serious_on_any_page(served: Served, width: int, height: int, scheme: str):
    """On a desk and on a phone, in light and dark; nothing is wider than the window, nothing comes from outside."""
    source = AXE.read_text(encoding="utf-8")
    for name in PAGES:
        page = served.open(f"/de/{name}", width, height, scheme)
        kind = name.strip("/").replace("1/", "").replace("1", "overview") or "front"
        keep(page, f"serve-{kind}-{'phone' if width < 800 else 'desktop'}-{scheme}")
        page.evaluate(source)
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        serious = [(v["id"], name) for v in found["violations"] if v["impact"] in ("serious", "critical")]
        assert serious == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
        assert page.problems == []
        page.context.close()


def test_the_pages_are_walked_with_the_keyboard(served: Served):
    """First the way past the navigation, then the pages in their order; where one is, is told."""
    page = served.open("/en/1/runs")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Verify the evidence now"
    page.keyboard.press("Enter")
    page.wait_for_url("**/en/1/verify")
    assert "Passed on" in page.text_content("main")
    assert page.text_content(".tabs [aria-current=page]") == "Runs"
    assert page.problems == []
    page.context.close()


def test_an_open_page_follows_what_happens(served: Served):
    """A hold is lifted elsewhere: the page shows it without being loaded again."""
    page = served.open("/de/1/holds")
    page.wait_for_timeout(500)
    assert "aufgehoben am" not in page.text_content("main")
    page.evaluate("window.same = true")
    Workbench.open(served.path).hold_lift(1)
    page.locator("main", has_text="aufgehoben am").wait_for(timeout=60_000)
    assert page.evaluate("window.same") is True
    assert page.problems == []
    page.context.close()


def test_the_preview_opens_from_the_templates(served: Served):
    """With its frames and its own script, below the address of the workspace."""
    page = served.open("/de/1/templates")
    page.click("a.way")
    page.wait_for_selector("#panel iframe", timeout=60_000)
    frame = page.frame_locator("#panel iframe")
    frame.locator("body").wait_for()
    assert len(frame.locator("body").inner_text()) > 100
    assert page.problems == []
    page.context.close()
