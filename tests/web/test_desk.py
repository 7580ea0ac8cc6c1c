"""The local pages behind their guard: which address gives what, and what a page may hold and load."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from lifecycle.errors import UsageError
from lifecycle.model import Outcome
from lifecycle.report.desk import pages
from lifecycle.report.desk.terms import Desk, Front, HoldNote, Line, Soon, Step, TemplateNote, Verified
from lifecycle.report.papers.sample import month
from lifecycle.report.sample import sample
from lifecycle.web.desk import desk_app
from lifecycle.web.guard import listener

PORT = 8124
TOKEN = "a-token-for-tests"
NAMES = ("front", *pages.PAGES)


def desk(**change: Any) -> Desk:
    """One workspace with something on every page."""
    now = datetime(2026, 10, 1, 9, 30, tzinfo=UTC)
    found = Desk(
        facts=sample(),
        number=1,
        checked_at=now,
        soon=(Soon("processor", date(2026, 10, 9), "controller", "eTermin"),),
        visited_at=now,
        runs=month().runs,
        holds=(HoldNote(7, "legal-claims", "AZ 1", "controller", date(2026, 9, 1), date(2026, 10, 9), None, 3),),
        templates=(TemplateNote("confirmation.de.html", 0, 1, 2),),
        verified=Verified(now, Outcome.PASSED, 12, (Step("leaves", Outcome.PASSED, ""),), True),
    )
    return replace(found, **change)


def written(name: str, language: str, one: Desk) -> str:
    """One of the pages as text."""
    if name == "front":
        return pages.front_page(Front(date(2026, 10, 1), (Line("A", 1, one),)), language, version="1").decode()
    return pages.desk_page(name, one, language, many=True).decode()


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("name", NAMES)
def test_a_page_runs_nothing_of_its_own_and_names_text_as_text(name: str, language: str):
    """No script or style in the page, nothing from outside; markup in a name stays a name."""
    hostile = '<img src=x onerror="alert(1)">'
    one = desk(
        facts=sample(workspace=hostile),
        soon=(Soon("place", date(2026, 9, 1), "controller", hostile),),
        holds=(HoldNote(1, "other", hostile, "controller", date(2026, 9, 1), None, None, 0),),
        templates=(TemplateNote(hostile, 0, 0, 0),),
    )
    page = written(name, language, one)
    assert "<img" not in page
    assert re.findall(r"<script(?! src=\"/assets/desk\.js\" defer></script>)|<style| style=\"| on\w+=\"", page) == []
    assert set(re.findall(r"(?:src|href)=\"(?!#)([^\"]*)\"", page)) <= {
        *("/assets/desk.css", "/assets/desk.js", "/preview/1/", "verify", "1/"),
        *(f"/{code}/" for code in ("de", "en")),
        *(f"/{code}/1/{tab}" for code in ("de", "en") for tab in ("", *pages.PAGES)),
    }


def test_a_page_says_what_stands_out():
    """What is late is a deviation, a log that lost entries too, and a check at work is never passed."""
    late = desk(soon=(Soon("place", date(2026, 9, 1), "controller", "eTermin"),))
    assert "abgelaufen am 1. September 2026" in written("overview", "de", late)
    lost = written("overview", "de", desk(lost_leaves=2))
    assert "2 Einträge verloren" in lost
    assert "Ihr erster Besuch" in written("overview", "de", desk(visited_at=None))
    assert "wird gerade geprüft" in written("findings", "de", desk(checked_at=None))
    unknown = Line("B", 2, None, "The store is in use.")
    front = pages.front_page(Front(date(2026, 10, 1), (unknown,)), "de", version="1").decode()
    assert "nicht lesbar" in front
    assert "Keiner davon" in front
    told = pages.trouble_page(unknown, "de", many=True, version="1").decode()
    assert "The store is in use." in told


class FakeDesk:
    """Two workspaces of which only the address is shown."""

    language = "en"

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.watched = False

    def watch(self) -> None:
        self.watched = True
        self.ended.wait(10)

    def end(self) -> None:
        self.ended.set()

    def count(self) -> int:
        return 2

    def stamp(self) -> str:
        return "7"

    def front(self, language: str) -> bytes:
        return f"<p>{language}</p>".encode()

    def page(self, number: int, name: str, language: str) -> bytes:
        if number > 2:
            raise UsageError("There is no such workspace.", "lifecycle serve DIR...")
        if name == "broken":
            raise RuntimeError("canary-value-7f3")
        return f"<p>{language} {number} {name}</p>".encode()

    def asset(self, name: str) -> tuple[bytes, str]:
        return {"desk.css": (b"1", "text/css")}[name]

    def gallery(self, number: int) -> Any:
        from tests.web.test_preview import FakeGallery

        return FakeGallery()


@pytest.fixture
def inside() -> Iterator[TestClient]:
    """A browser that came with the token, while the server runs."""
    app = desk_app(FakeDesk(), TOKEN, PORT)
    base = f"http://127.0.0.1:{PORT}"
    with TestClient(app, base_url=base, follow_redirects=False, raise_server_exceptions=False) as client:
        for path in ("/", "/de/", "/de/1/", "/de/1/runs", "/state", "/assets/desk.css", "/preview/1/"):
            assert client.get(path).status_code == 403, path
        assert client.get(f"/?token={TOKEN}").status_code == 303
        yield client


def test_every_address_gives_its_page_and_nothing_can_be_changed(inside: TestClient):
    """A language, a number and a name; reading only; a fault of ours is not repeated."""
    assert inside.get("/").headers["location"] == "/en/"
    assert inside.get("/de/").text == "<p>de</p>"
    assert inside.get("/en/2/").text == "<p>en 2 overview</p>"
    assert inside.get("/de/1/runs").text == "<p>de 1 runs</p>"
    assert inside.get("/state").json() == {"stamp": "7"}
    assert inside.get("/de/3/").status_code == 404
    assert inside.get("/assets/desk.py").status_code == 404
    broken = inside.get("/de/1/broken")
    assert (broken.status_code, broken.text) == (500, "internal error")
    for path in ("/", "/de/", "/de/1/", "/de/1/verify", "/state"):
        assert inside.post(path, json={}).status_code == 405, path
    policy = inside.get("/de/1/").headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    for directive in ("default-src", "base-uri", "form-action", "frame-ancestors"):
        assert f"{directive} 'none'" in policy


def test_the_preview_of_each_workspace_lies_below_its_number(inside: TestClient):
    """The same pages as ``preview serve``, frames in their sandbox included."""
    assert inside.get("/preview/1/").text.startswith("<!DOCTYPE html>")
    assert inside.get("/preview/2/api/snapshot").json()["templates"] == []
    assert "sandbox" in inside.get("/preview/1/frame?template=a.html").headers["content-security-policy"]


def test_the_pages_of_the_preview_find_their_way_from_anywhere():
    """An address that begins at the root would miss the folder that the pages are mounted at."""
    folder = Path(pages.__file__).parents[2] / "mail" / "pages"
    text = "".join((folder / name).read_text() for name in ("gallery.js", "gallery.html.j2"))
    assert re.findall(r"[\"'`]/(?:api|assets|events|frame)\b", text) == []
    assert len(re.findall(r"[\"'`](?:api|assets|events|frame)\b", text)) >= 8


def test_another_machine_is_refused_whatever_it_knows():
    """The port can be forwarded or the address be changed by mistake; the pages are for this machine."""
    app = desk_app(FakeDesk(), TOKEN, PORT)
    far = TestClient(app, base_url=f"http://127.0.0.1:{PORT}", client=("192.0.2.7", 40000))
    answer = far.get("/de/", headers={"Authorization": f"token {TOKEN}"})
    assert (answer.status_code, answer.text) == (403, "loopback only")


def test_the_door_is_on_the_loopback_address_only():
    """Not on every address of the machine, which a colleague's browser could reach."""
    with listener(0, "serve") as door:
        assert door.getsockname()[0] == "127.0.0.1"


def test_asking_for_the_head_only_gives_no_page_and_every_header(inside: TestClient):
    """A HEAD is a GET without its body, behind the same door."""
    head = inside.head("/de/1/")
    assert (head.status_code, head.text) == (200, "")
    assert head.headers["content-security-policy"] == inside.get("/de/1/").headers["content-security-policy"]
    assert TestClient(inside.app, base_url=f"http://127.0.0.1:{PORT}").head("/de/1/").status_code == 403


@pytest.mark.parametrize("name", ["..%2f..%2fsettings.py", "%2e%2e/page.css", "..%5cpage.css", "page.css"])
def test_no_other_file_can_be_asked_for(name: str, inside: TestClient):
    """Assets are named by a table, not by a path; what is outside of it is not there."""
    assert inside.get(f"/assets/{name}").status_code in (404, 405)
    with pytest.raises(KeyError):
        pages.asset(name)
