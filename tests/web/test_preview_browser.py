"""The preview in a real Chromium: open, switch, edit and see, and nothing serious for axe-core.

Set ``LIFECYCLE_SCREENSHOTS`` to a folder to keep the pictures.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lifecycle.mail.compare import Received
from lifecycle.mail.fixtures import fixture
from lifecycle.mail.gallery import Gallery, build
from lifecycle.mail.render import render
from lifecycle.mail.templates import load_templates, shipped_folder

CHROMIUM = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), "")
AXE = Path(__file__).with_name("axe.min.js")
TOKEN = "a-token-for-the-browser"

pytestmark = pytest.mark.slow


@dataclass
class Preview:
    """A running server and a browser."""

    browser: Any
    port: int
    folder: Path
    gallery: Gallery

    def open(self, width: int = 1360, height: int = 900, scheme: str = "light", blocked: str = "") -> Any:
        """Open the page in a window of its own; any error or foreign request fails the test.

        ``blocked`` is an address whose refusal by the page's policy is expected, and no error.
        """
        context = self.browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        page = context.new_page()
        page.problems = []

        def told(message: Any) -> None:
            if message.type == "error" and not (blocked and blocked in message.text and "Policy" in message.text):
                page.problems.append(message.text)

        page.on("console", told)
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        # a refused request is announced too; only one that was sent would finish or get an answer
        page.on("requestfinished" if blocked else "request", lambda sent: note_foreign(page, sent.url, self.port))
        page.refused = []
        page.on("requestfailed", lambda sent: page.refused.append((sent.url, sent.failure)))
        page.goto(f"http://127.0.0.1:{self.port}/?token={TOKEN}")
        page.wait_for_selector("#panel iframe")
        return page


def note_foreign(page: Any, url: str, port: int) -> None:
    """Note a request to anywhere else."""
    if not url.startswith((f"http://127.0.0.1:{port}/", "data:", "about:", "blob:", "file:")):
        page.problems.append("a request to another host")


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preview]:
    """Serve a copy of the shipped texts and start Chromium."""
    if not CHROMIUM:
        assert os.environ.get("CI") != "true", "the build server must have Chromium"
        pytest.skip("NOT RUN: there is no Chromium here, so the page was not seen")
    import uvicorn
    from playwright.sync_api import sync_playwright

    from lifecycle.web.guard import listener
    from lifecycle.web.preview import preview_app

    folder = tmp_path_factory.mktemp("texts") / "templates"
    shutil.copytree(shipped_folder(), folder)
    gallery = Gallery((folder,), state=folder.parent / "copied.json")
    door = listener(0, "preview serve")
    port = int(door.getsockname()[1])
    server = uvicorn.Server(
        uvicorn.Config(preview_app(gallery, TOKEN, port), log_level="warning", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    arguments = ["--no-sandbox", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield Preview(browser, port, folder, gallery)
        browser.close()
    server.should_exit = True
    thread.join(timeout=10)


def mail_of(page: Any) -> Any:
    """The frame that shows the mail."""
    page.wait_for_selector("#panel iframe")
    return page.frame_locator("#panel iframe")


def keep(page: Any, name: str) -> None:
    """Keep a picture, if somebody asked for it."""
    if folder := os.environ.get("LIFECYCLE_SCREENSHOTS"):
        page.wait_for_timeout(300)
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def test_the_page_opens_within_a_second_and_shows_the_confirmation(preview: Preview):
    """Interactive: the list, the tools and the mail are there."""
    preview.open().context.close()
    page = preview.open()
    interactive = page.evaluate("performance.getEntriesByType('navigation')[0].domInteractive")
    mail_of(page).get_by_text("Ihr Termin ist gebucht").wait_for()
    assert interactive < 1000
    assert page.locator(".item").count() == len(load_templates(preview.folder))
    assert page.problems == []
    page.context.close()


def test_booking_language_phone_and_dark_are_switched(preview: Preview):
    """By mouse."""
    page = preview.open()
    page.select_option("#booking", "umlauts")
    mail_of(page).get_by_text("Müßigöhr-Übelacker").wait_for()
    page.locator("#language label", has_text="Englisch").click()
    mail_of(page).get_by_text("Your appointment is booked").wait_for()
    page.locator("#frame label", has_text="Telefon").click()
    page.wait_for_selector(".device.phone")
    assert page.locator(".device iframe").bounding_box()["width"] <= 390
    page.locator("#scheme label", has_text="Dunkel").click()
    page.wait_for_selector(".device.dark")
    mail_of(page).get_by_text("Your appointment is booked").wait_for()
    card = mail_of(page).locator(".card").first
    assert card.evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(27, 38, 41)"
    assert page.problems == []
    page.context.close()


def test_everything_is_reached_by_keyboard(preview: Preview):
    """Letters, digits and arrows; the mail follows."""
    page = preview.open()
    page.keyboard.press("p")
    page.wait_for_selector(".device.phone")
    page.keyboard.press("d")
    page.wait_for_selector(".device.dark")
    page.keyboard.press("l")
    mail_of(page).get_by_text("Your appointment is booked").wait_for()
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#name:not(:empty)")
    page.keyboard.press("6")
    page.wait_for_selector("#tabFindings[aria-selected=true]")
    page.locator("#tabFindings").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#tabMatrix[aria-selected=true]")
    assert page.evaluate("document.activeElement.id") == "tabMatrix"
    assert page.problems == []
    page.context.close()


def test_a_saved_change_is_on_the_open_page(preview: Preview):
    """Without anybody asking for it; how fast is no question for a test on a shared machine."""
    page = preview.open()
    path = preview.folder / "confirmation.de.html"
    before = path.read_text(encoding="utf-8")
    mail_of(page).get_by_text("Ihr Termin ist gebucht").wait_for()
    seconds = []
    for number in range(8):
        wanted = f"Gespeichert Nummer {number}"
        started = time.perf_counter()
        path.write_text(before.replace("Ihr Termin ist gebucht", wanted), encoding="utf-8")
        mail_of(page).get_by_text(wanted).wait_for(timeout=5000)
        seconds.append(time.perf_counter() - started)
        if seconds[-1] < 0.3:
            break
        page.wait_for_timeout(600)
    path.write_text(before, encoding="utf-8")
    print(f"a saved change was visible after {min(seconds):.2f} s (of {[round(s, 2) for s in seconds]})")
    assert min(seconds) < 2.0
    page.context.close()


def test_a_file_broken_while_editing_is_said_on_the_page(preview: Preview):
    """And the page comes back with the next save."""
    page = preview.open()
    path = preview.folder / "change.de.html"
    before = path.read_text(encoding="utf-8")
    path.write_text("---\nkidn: change\n---\n", encoding="utf-8")
    page.wait_for_selector("#alert:not([hidden])")
    assert "kidn" in page.locator("#alert").text_content()
    path.write_text(before, encoding="utf-8")
    page.wait_for_selector("#alert", state="hidden")
    page.context.close()


def test_the_copied_text_is_exactly_the_text_to_paste(preview: Preview):
    """And the page remembers."""
    page = preview.open()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("#copy")
    page.locator("#status", has_text="eTermin").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    wanted = load_templates(preview.folder).get("confirmation.de.html").body
    assert copied.replace("\r\n", "\n") == wanted
    page.locator("#copied", has_text="Zuletzt kopiert").wait_for()
    page.context.close()


def test_a_script_in_a_template_does_not_run_and_a_link_leads_nowhere(preview: Preview):
    """The frame has no scripts, no forms, and no way out."""
    path = preview.folder / "reminder1.en.html"
    before = path.read_text(encoding="utf-8")
    harmful = (
        '<tr><td><a id="out" href="http://127.0.0.1:9/x" target="_top">out</a><script>document.title="ran"</script>'
    )
    path.write_text(before.replace("</td></tr>", harmful + "</td></tr>", 1), encoding="utf-8")
    page = preview.open()
    page.locator(".item", has_text="Erinnerung 1").nth(2).click()
    mail_of(page).locator("#out").click()
    page.wait_for_timeout(400)
    assert page.url.startswith(f"http://127.0.0.1:{preview.port}/")
    assert mail_of(page).locator("title").first.text_content() != "ran"
    path.write_text(before, encoding="utf-8")
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1360, 900), (390, 844)])
def test_axe_finds_nothing_serious(preview: Preview, scheme: str, width: int, height: int):
    """Every tab, in both colour schemes, on a desk and on a phone; and nothing is wider than the window."""
    page = preview.open(width, height, scheme)
    source = AXE.read_text(encoding="utf-8")
    keep(page, f"preview-{'phone' if width < 800 else 'desktop'}-{scheme}")
    for tab in "1234567":
        page.keyboard.press(tab)
        page.wait_for_timeout(400)
        page.evaluate(source)
        found = page.evaluate("axe.run(document, { iframes: false, resultTypes: ['violations'] })")
        serious = [(v["id"], tab) for v in found["violations"] if v["impact"] in ("serious", "critical")]
        assert serious == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.context.close()


def test_a_test_mail_lies_beside_our_preview_and_loads_nothing(preview: Preview):
    """On a desk side by side, on a phone one below the other; its pixel is not fetched, and axe finds nothing."""
    templates = load_templates(preview.folder)
    done = render(templates.get("confirmation.de.html"), fixture("umlauts"), templates.registry)
    html = done.html.replace("Dr. Kim Muster", '%CALENDARNAME%<img src="https://example.org/pixel.gif" alt="">')
    preview.gallery.mail = Received("Betreff der Testmail", "praxis@example.org", html, "")
    try:
        for width, scheme in ((1360, "light"), (390, "dark")):
            page = preview.open(width, 900, scheme, blocked="example.org/pixel.gif")
            page.wait_for_selector("#tabMail[aria-selected=true]")
            page.frame_locator(".beside section:nth-child(2) iframe").get_by_text("Jörg Müßigöhr-Übelacker").wait_for()
            page.frame_locator(".beside section:nth-child(1) iframe").get_by_text("Mara Beispiel").wait_for()
            row = page.locator("table.tokens tr", has_text="%CALENDARNAME%")
            assert "blieb stehen" in row.text_content()
            one, two = (page.locator(".beside section").nth(number).bounding_box() for number in (0, 1))
            assert (one["y"] == two["y"]) == (width > 800)
            page.evaluate(AXE.read_text(encoding="utf-8"))
            found = page.evaluate("axe.run(document, { iframes: false, resultTypes: ['violations'] })")
            assert [v["id"] for v in found["violations"] if v["impact"] in ("serious", "critical")] == []
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            assert page.problems == []
            assert page.refused == [("https://example.org/pixel.gif", "csp")]
            keep(page, f"preview-mail-{scheme}")
            page.context.close()
    finally:
        preview.gallery.mail = None


def test_axe_finds_nothing_serious_in_the_shipped_mails(preview: Preview):
    """Each HTML text, light and dark, outside of the preview."""
    source = AXE.read_text(encoding="utf-8")
    gallery = Gallery((shipped_folder(),))
    page = preview.browser.new_context(viewport={"width": 640, "height": 900}).new_page()
    for item in load_templates(shipped_folder()):
        if item.format != "html":
            continue
        for scheme in ("light", "dark"):
            page.set_content(gallery.frame(item.name, "long-names", scheme))
            page.evaluate(source)
            found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
            assert [(v["id"], item.name) for v in found["violations"] if v["impact"] in ("serious", "critical")] == []
    page.context.close()


def test_the_static_folder_works_from_the_disk_without_network(preview: Preview, tmp_path: Path):
    """Opened as a file, offline: the same page."""
    build(load_templates(shipped_folder()), tmp_path)
    context = preview.browser.new_context(viewport={"width": 1360, "height": 900}, offline=True)
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"file://{tmp_path}/index.html")
    mail_of(page).get_by_text("Ihr Termin ist gebucht").wait_for()
    page.keyboard.press("d")
    page.select_option("#booking", "pseudonym")
    mail_of(page).get_by_text("Seestern 17").wait_for()
    page.keyboard.press("7")
    page.wait_for_selector(".matrix .cell")
    page.frame_locator(".matrix .cell iframe").nth(0).locator("h1").wait_for()
    page.wait_for_timeout(1500)
    keep(page, "preview-matrix-dark")
    assert problems == []
    context.close()
