"""A saved template on the open page: from the write to the painted mail, in Chromium.

Limits: 0.3 s for a change, 1 s until an opened page shows its mail. The peer does the least that shows a saved file at
all: it watches, tells the page, and the page loads the file, unfilled and unchecked, into its one frame.
"""

from __future__ import annotations

import resource
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.measure import BenchError, Cost, Limits, Result

CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser")
CHANGES = 12
OPEN_SECONDS = 1
TOKEN = "a-token-for-the-bench"
PAUSE_SECONDS = 0.8
"""Between two changes: a person does not save ten times a second."""

SHOWN = """
window.shown = 0;
document.addEventListener("load", (event) => {
  if (event.target.tagName !== "IFRAME") return;
  const note = () => { window.shown = performance.timeOrigin + performance.now(); };
  requestAnimationFrame(() => requestAnimationFrame(note));
}, true);
"""
PEER_PAGE = """<!DOCTYPE html><title>peer</title><iframe id="mail" src="/mail"></iframe><script>
const load = () => { document.getElementById("mail").src = "/mail?" + Date.now(); };
new EventSource("/events").addEventListener("changed", load);
</script>"""


def measure(folder: Path, _scale: float, runs: int) -> Result:
    """Change one text again and again, before both sides; it has no size."""
    path = _texts(folder)
    with _browser() as browser:
        with _served(_peer_app(path)) as port:
            peer, _ = _changes(browser, port, path, runs)
        with _served(_our_app(path.parent)) as port:
            ours, opened = _changes(browser, port, path, runs)
    if opened > OPEN_SECONDS:
        raise BenchError(f"The page showed its first mail after {opened:.2f} s, not within {OPEN_SECONDS} s.")
    notes = (f"ours: the first mail was on the page {opened:.2f} s after it was asked for (limit {OPEN_SECONDS} s)",)
    title = f"a saved change on the open page ({CHANGES} changes a run)"
    return Result(title, "a bare page with one frame", ours, peer, Limits(seconds=0.3), notes)


def _texts(folder: Path) -> Path:
    from lifecycle.mail.templates import shipped_folder

    shutil.copytree(shipped_folder(), folder / "templates")
    return folder / "templates" / "confirmation.de.html"


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    program = next((path for path in CHROMIUM if Path(path).exists()), None)
    if program is None:
        raise BenchError("There is no Chromium here: make debian")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--no-first-run"])
        yield browser
        browser.close()


@contextmanager
def _served(app: Any) -> Iterator[int]:
    import uvicorn

    from lifecycle.web.guard import listener

    door = listener(0, "preview serve")
    port = int(door.getsockname()[1])
    made = app(port)
    server = uvicorn.Server(uvicorn.Config(made, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    yield port
    server.should_exit = True
    thread.join(timeout=10)


def _our_app(folder: Path) -> Any:
    from lifecycle.mail.gallery import Gallery
    from lifecycle.web.preview import preview_app

    gallery = Gallery((folder,), state=folder.parent / "copied.json")
    return lambda port: preview_app(gallery, TOKEN, port)


def _peer_app(path: Path) -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, Response, StreamingResponse
    from starlette.routing import Route
    from watchfiles import awatch

    async def page(_: Request) -> Response:
        return HTMLResponse(PEER_PAGE)

    async def mail(_: Request) -> Response:
        return HTMLResponse(path.read_text(encoding="utf-8"))

    async def events(_: Request) -> Response:
        async def told() -> AsyncIterator[str]:
            yield "retry: 500\n\n"
            async for _changed in awatch(path.parent, debounce=50, step=10, rust_timeout=500):
                yield "event: changed\ndata: 1\n\n"

        return StreamingResponse(told(), media_type="text/event-stream")

    return lambda _port: Starlette(routes=[Route("/", page), Route("/mail", mail), Route("/events", events)])


def _changes(browser: Any, port: int, path: Path, runs: int) -> tuple[tuple[Cost, ...], float]:
    """Return the median seconds of each run, and the seconds from asking for the page to its first mail (best of 3)."""
    before = path.read_text(encoding="utf-8")
    page = browser.new_context(viewport={"width": 1360, "height": 900}).new_page()
    page.add_init_script(SHOWN)
    opened = min(_opened(page, port) for _ in range(3))
    costs = []
    for run in range(runs):
        seconds = [_change(page, path, before, f"Nummer {run}-{number}") for number in range(CHANGES)]
        costs.append(Cost(median(seconds), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6))
    path.write_text(before, encoding="utf-8")
    page.context.close()
    return tuple(costs), opened


def _opened(page: Any, port: int) -> float:
    page.goto(f"http://127.0.0.1:{port}/?token={TOKEN}")
    return _painted(page) - float(page.evaluate("performance.timeOrigin")) / 1000


def _change(page: Any, path: Path, before: str, words: str) -> float:
    time.sleep(PAUSE_SECONDS)
    page.evaluate("window.shown = 0")
    text = before.replace("Ihr Termin ist gebucht", words)
    started = time.time()
    path.write_text(text, encoding="utf-8")
    shown = _painted(page)
    if not page.frame_locator("iframe").get_by_text(words).count():
        raise BenchError("The page showed a mail, but not the changed one.")
    return shown - started


def _painted(page: Any) -> float:
    """Return when a mail was painted, in seconds since 1970; asks from outside, since the page runs no foreign code."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if shown := float(page.evaluate("window.shown")):
            return shown / 1000
        time.sleep(0.03)
    raise BenchError("No mail was painted within 10 s.")
