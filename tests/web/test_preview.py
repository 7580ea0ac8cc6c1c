"""The preview server lets in whoever knows the token, from this machine, from its own page - and nobody else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from lifecycle.errors import TemplateError, UsageError
from lifecycle.web.guard import listener
from lifecycle.web.preview import Hub, preview_app

PORT = 8123
BASE = f"http://127.0.0.1:{PORT}"
TOKEN = "a-token-for-tests"


class FakeGallery:
    """A gallery without templates: remembers what it was asked."""

    def __init__(self) -> None:
        self.copied: list[str] = []
        self.reloads = 0

    def reload(self) -> None:
        self.reloads += 1

    def check(self) -> None:
        self.reloads += 1

    def snapshot(self) -> Mapping[str, Any]:
        return {"templates": [], "error": None}

    def view(self, template: str, fixture: str) -> Mapping[str, Any]:
        if template != "a.html":
            raise TemplateError("There is no such template or booking.", "reload the page")
        return {"template": template, "fixture": fixture}

    def frame(self, template: str, fixture: str, scheme: str) -> str:
        return f"<script>alert(1)</script><p>{scheme}</p>"

    def changes(self, template: str) -> Mapping[str, Any]:
        raise RuntimeError("canary-value-7f3")

    def compared(self, template: str) -> Mapping[str, Any]:
        return {"template": template}

    def mail_frame(self, scheme: str) -> str:
        return f"<img src=https://example.org/pixel><script>alert(1)</script><p>{scheme}</p>"

    def mark_copied(self, template: str) -> None:
        self.copied.append(template)

    def page(self) -> str:
        return "<!DOCTYPE html><title>x</title>"

    def asset(self, name: str) -> tuple[bytes, str]:
        return {"gallery.js": (b"1", "text/javascript")}[name]

    def watched(self) -> tuple[Path, ...]:
        return ()


@pytest.fixture
def gallery() -> FakeGallery:
    """One for each test."""
    return FakeGallery()


@pytest.fixture
def client(gallery: FakeGallery) -> TestClient:
    """A browser on this machine that has not been let in yet."""
    app = preview_app(gallery, TOKEN, PORT)
    return TestClient(app, base_url=BASE, follow_redirects=False, raise_server_exceptions=False)


@pytest.fixture
def inside(client: TestClient) -> TestClient:
    """A browser that came with the token."""
    assert client.get(f"/?token={TOKEN}").status_code == 303
    return client


PATHS = ["/", "/assets/gallery.js", "/frame", "/mail", "/events", "/nowhere"]
PATHS += [f"/api/{name}" for name in ("snapshot", "view", "changes", "compared")]


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_nothing_is_shown(client: TestClient, path: str):
    """Neither the page nor its script."""
    assert client.get(path).status_code == 403
    assert client.get(path, params={"token": "wrong"}).status_code == 403


def test_the_token_moves_from_the_address_into_a_strict_cookie(client: TestClient):
    """It does not stay in the history, and no script reads it."""
    answer = client.get(f"/?token={TOKEN}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/").status_code == 200


def test_a_program_sends_the_token_in_a_header(client: TestClient):
    """As with Jupyter."""
    assert client.get("/api/snapshot", headers={"Authorization": f"token {TOKEN}"}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example.org", f"127.0.0.1.example.org:{PORT}", "127.0.0.1:1", "", f"0.0.0.0:{PORT}"]
)
def test_another_host_name_is_refused(inside: TestClient, host: str):
    """DNS rebinding brings the browser here under a foreign name."""
    assert inside.get("/", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_from_another_page_is_refused(inside: TestClient, site: str):
    """Even with the cookie, even to the first page."""
    assert inside.get("/", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert inside.get("/", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_a_form_cannot_mark_anything_as_copied(inside: TestClient, gallery: FakeGallery):
    """Only JSON, which another site's form cannot send."""
    assert inside.post("/api/copied", data={"template": "a.html"}).status_code == 415
    assert inside.post("/api/copied", json={"template": "a.html"}).status_code == 200
    assert inside.post("/api/copied", json=["x"]).status_code == 400
    assert gallery.copied == ["a.html"]


def test_the_page_may_run_its_own_script_and_nothing_inline(inside: TestClient):
    """The policy of the page, and the usual guards."""
    headers = inside.get("/").headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_a_mail_may_run_and_load_nothing(inside: TestClient):
    """Its policy makes a sandbox of its own."""
    policy = inside.get("/frame?template=a.html&fixture=usual&scheme=dark").headers["content-security-policy"]
    assert inside.get("/mail?scheme=dark").headers["content-security-policy"] == policy
    assert re.search(r"default-src 'none'.*sandbox$", policy)
    assert "script-src" not in policy
    assert "img-src data:" in policy


def test_an_unknown_template_is_said_in_words_and_an_unknown_asset_is_not_found(inside: TestClient):
    """No path leads out of the assets."""
    answer = inside.get("/api/view?template=b.html&fixture=usual")
    assert answer.status_code == 404
    assert answer.json()["hint"] == "reload the page"
    assert inside.get("/assets/gallery.py").status_code == 404
    assert inside.get("/assets/..%2Fgallery.js").status_code == 404


def test_an_unexpected_failure_does_not_repeat_what_it_held(inside: TestClient, capfd: pytest.CaptureFixture[str]):
    """The text of an exception may hold a value."""
    answer = inside.get("/api/changes?template=a.html")
    assert answer.status_code == 500
    assert "canary" not in answer.text


def test_every_open_page_hears_of_a_change():
    """Two pages, one change, then the end."""

    async def run() -> list[str]:
        hub = Hub()
        first, second = hub.listen(), hub.listen()
        heard = [await anext(first), await anext(second)]
        hub.tell("changed")
        heard += [await anext(first), await anext(second)]
        hub.close()
        assert [line async for line in first] == []
        return heard

    heard = asyncio.run(run())
    assert heard[2:] == ["event: changed\ndata: 1\n\n"] * 2


def test_a_taken_port_is_refused_in_words_and_only_the_loopback_is_used():
    """Never 0.0.0.0."""
    first = listener(0, "preview serve")
    try:
        address, port = first.getsockname()
        assert address == "127.0.0.1"
        with pytest.raises(UsageError):
            listener(port, "preview serve")
    finally:
        first.close()
