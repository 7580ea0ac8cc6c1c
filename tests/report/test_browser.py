"""Reports and papers in a real Chromium: nothing serious for axe-core, nothing wider than the window, nothing loaded.

Set ``LIFECYCLE_SCREENSHOTS`` to a folder to keep the pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle.report import render, render_paper
from lifecycle.report.papers.sample import paper_scenes
from lifecycle.report.sample import scenes

CHROMIUM = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), "")
AXE = Path(__file__).parents[1] / "web" / "axe.min.js"
WINDOWS = {"desk": (1360, 900, "light"), "phone": (375, 720, "dark")}

SCENES = ("leaks", "planned", "empty")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM:
        assert os.environ.get("CI") != "true", "the build server must have Chromium"
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


def pages() -> dict[str, bytes]:
    """The states of a report that have most to show, and every paper in its states, in German."""
    reports = {f"report-{name}": render(facts, "de", "html") for name, facts in scenes() if name in SCENES}
    papers = {f"{paper}-{state}": render_paper(paper, facts, "de", "html") for paper, state, facts in paper_scenes()}
    return reports | papers


@pytest.mark.parametrize("window", WINDOWS)
def test_every_page_is_usable_and_fits_its_window(browser: Any, tmp_path: Path, window: str) -> None:
    """On a desk and on a phone in the dark: axe-core finds nothing serious, and nobody scrolls sideways."""
    width, height, scheme = WINDOWS[window]
    # The page's own policy refuses the checker's script, as it should.
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, bypass_csp=True, offline=True
    )
    made = pages()
    assert len(made) == 9
    wrong: dict[str, object] = {}
    for name, html in made.items():
        (tmp_path / f"{name}.html").write_bytes(html)
        tab = context.new_page()
        asked: list[str] = []
        tab.on("request", lambda sent, asked=asked: asked.append(sent.url))
        tab.goto((tmp_path / f"{name}.html").as_uri())
        tab.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        tab.add_script_tag(content=AXE.read_text("utf-8"))
        found = tab.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        serious = [one["id"] for one in found if one["impact"] in {"serious", "critical"}]
        wide = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if serious or wide > 0 or len(asked) > 1 or len(html) > 400_000:
            wrong[name] = (serious, wide, len(asked), len(html))
        if folder := os.environ.get("LIFECYCLE_SCREENSHOTS"):
            tab.screenshot(path=str(Path(folder) / f"{name}-{window}.png"), full_page=True)
        tab.close()
    context.close()
    assert wrong == {}
