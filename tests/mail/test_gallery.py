"""The gallery writes exactly the text to paste, and a page that needs nobody else."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lifecycle.errors import UsageError
from lifecycle.mail.fixtures import FIXTURES, real_fixture
from lifecycle.mail.gallery import PAGES, Gallery, build, in_scheme, notebook_html
from lifecycle.mail.lint import mail, sms
from lifecycle.mail.templates import load_templates, shipped_folder
from lifecycle.mail.words import WORDS


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static gallery of the shipped texts."""
    folder = tmp_path_factory.mktemp("gallery")
    build(load_templates(shipped_folder()), folder)
    return folder


def test_the_text_to_paste_is_the_composed_body_byte_for_byte(built: Path):
    """No front matter, parts joined, tokens untouched."""
    templates = load_templates(shipped_folder())
    for item in templates:
        assert (built / "paste" / item.name).read_bytes() == item.body.encode()
    pasted = (built / "paste" / "confirmation.de.html").read_text()
    assert pasted.startswith("<!DOCTYPE html>")
    assert 'href="LOCATION"' in pasted


def test_the_page_loads_nothing_and_allows_exactly_one_script(built: Path):
    """The policy names the digest of the one script, and no other source."""
    page = (built / "index.html").read_text()
    head = page[: page.index("<body")]
    assert "default-src 'none'" in head
    digest = base64.b64encode(hashlib.sha256((PAGES / "gallery.js").read_bytes()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in head
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"'](?!data:,|#)", page)
    assert page.count("<script") == 2


def test_the_data_in_the_page_cannot_end_its_script_element(built: Path):
    """A booking whose name holds a script tag is in it, escaped."""
    page = (built / "index.html").read_text()
    data = page.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    assert "<" not in data
    content = json.loads(data)
    view = content["views"]["confirmation.de.html|html-name"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in view["html"]
    assert len(content["views"]) == len(content["templates"]) * len(FIXTURES)


@pytest.mark.slow
def test_building_twice_gives_the_same_bytes(built: Path, tmp_path: Path):
    """No clock, no order of sets."""
    build(load_templates(shipped_folder()), tmp_path)
    assert (tmp_path / "index.html").read_bytes() == (built / "index.html").read_bytes()


def test_a_real_record_is_shown_but_never_written(tmp_path: Path):
    """Nor does its representation say whose it is."""
    start = datetime(2026, 11, 9, 9, 0, tzinfo=UTC)
    record = {"first_name": "Mara", "email": "mara@example.org", "starts_at": start, "location": "Arztkonsultation"}
    booking = real_fixture(record)
    assert "Mara" not in repr(booking)
    templates = load_templates(shipped_folder())
    with pytest.raises(UsageError):
        build(templates, tmp_path, fixtures=(*FIXTURES, booking))
    assert list(tmp_path.iterdir()) == []
    gallery = Gallery((shipped_folder(),), extra=(booking,))
    assert gallery.view("confirmation.de.html", "record")["to"] == "mara@example.org"


def test_a_colour_scheme_is_decided_in_the_mail_itself():
    """Both directions, whatever the viewer has set."""
    source = "<head></head>@media (prefers-color-scheme: dark) {a} @media (prefers-color-scheme:light) {b}"
    assert "(min-width:0px) {a} @media (max-width:0px) {b}" in in_scheme(source, "dark")
    assert "(max-width:0px) {a} @media (min-width:0px) {b}" in in_scheme(source, "light")
    assert "color-scheme:light" in in_scheme(source, "<script>")


def test_a_broken_file_becomes_a_message_and_the_last_good_state_stays(tmp_path: Path):
    """Saved in the middle of a thought."""
    path = tmp_path / "confirmation.html"
    path.write_text(mail("LOCATION"))
    gallery = Gallery((tmp_path,))
    path.write_text("---\nkind: nonsense\n---\n")
    gallery.reload()
    shown = gallery.snapshot()
    assert "kind" in shown["error"]["fact"]
    assert [item["name"] for item in shown["templates"]] == ["confirmation.html"]
    path.write_text(mail("LOCATION neu"))
    gallery.reload()
    assert gallery.snapshot()["error"] is None


def test_copying_is_remembered_per_text(tmp_path: Path):
    """And shown in the next list."""
    (tmp_path / "confirmation.html").write_text(mail("LOCATION"))
    gallery = Gallery((tmp_path,), state=tmp_path / ".state" / "copied.json")
    assert gallery.snapshot()["templates"][0]["copied"]["copiedAt"] is None
    gallery.mark_copied("confirmation.html")
    assert gallery.snapshot()["templates"][0]["copied"]["current"]


def test_a_notebook_shows_a_mail_in_a_sandbox_without_scripts():
    """Text and SMS too."""
    templates = load_templates(shipped_folder())
    shown = notebook_html(templates, "confirmation", replace(FIXTURES[0], first_name="<script>x</script>"))
    assert '<iframe sandbox=""' in shown
    assert "<script" not in shown
    assert "SMS" not in notebook_html(templates, "confirmation.sms.de.txt")


def test_both_languages_of_the_page_have_the_same_words():
    """And the script asks for none that is missing."""
    assert set(WORDS["de"]) == set(WORDS["en"])
    script = (PAGES / "gallery.js").read_text()
    assert set(re.findall(r'word\("(\w+)"\)', script)) <= set(WORDS["de"])


def test_an_sms_is_shown_with_its_cost(tmp_path: Path):
    """Segments, encoding, price."""
    (tmp_path / "a.txt").write_text(sms("Ihr Termin – hier geht es zum Gespräch: LOCATION"))
    view = Gallery((tmp_path,)).view("a.txt", "usual")
    assert view["sms"]["encoding"] == "UCS-2"
    assert view["sms"]["forcedBy"] == ["–"]
    assert view["sms"]["price"] == "0.16"


@pytest.mark.slow
def test_lint_and_build_need_no_network(tmp_path: Path):
    """Run in a network namespace without interfaces."""
    probe = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False)
    words = ["unshare", "-rn"] if probe.returncode == 0 else ["unshare", "-n"]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode != 0:
        assert os.environ.get("CI") != "true", "the build server must be able to make a network namespace"
        pytest.skip("NOT RUN: a network namespace is not permitted here, so zero network is not shown")
    program = (
        "import socket, sys\n"
        "from pathlib import Path\n"
        "names = [name for _, name in socket.if_nameindex()]\n"
        "assert names in (['lo'], []), names\n"
        "from lifecycle.mail.gallery import build\n"
        "from lifecycle.mail.lint import lint\n"
        "from lifecycle.mail.templates import load_templates, shipped_folder\n"
        "templates = load_templates(shipped_folder())\n"
        "print(len(lint(templates)), len(build(templates, Path(sys.argv[1]))))\n"
    )
    done = subprocess.run([*words, sys.executable, "-c", program, str(tmp_path)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-500:]
    assert int(done.stdout.split()[1]) == 41


@pytest.mark.slow
def test_linting_and_building_open_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also where no namespace can be made: any socket would fail the test."""
    import socket

    from lifecycle.mail.lint import lint

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    templates = load_templates(shipped_folder())
    lint(templates)
    build(templates, tmp_path)


def test_the_text_in_etermin_is_laid_beside_the_override(tmp_path: Path):
    """From a REST dump of the services; nothing to compare with is said as such."""
    (tmp_path / "one.txt").write_text(mail("Neu LOCATION", service='"1"'))
    (tmp_path / "two.txt").write_text(mail("LOCATION"))
    gallery = Gallery((tmp_path,), dump=b'[{"id": 1, "emailTxt": "Alt LOCATION"}]')
    assert "-Alt LOCATION" in gallery.changes("one.txt")["etermin"]
    assert gallery.changes("two.txt") == {"commit": None, "etermin": None}


def test_a_check_looks_again_at_what_has_changed_and_at_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With the same findings as a look at everything, also when a neighbour or the placeholders change."""
    from lifecycle.mail import lint as linter

    (tmp_path / "a.html").write_text(mail("<p>LOCATION %NOPE%</p>"))
    (tmp_path / "b.html").write_text(mail("<p>LOCATION</p>", kind="reminder1"))
    (tmp_path / "placeholders.yaml").write_text("placeholders: {}\n")
    gallery = Gallery((tmp_path,))
    looked: list[str] = []
    whole = linter._findings
    monkeypatch.setattr(
        linter, "_findings", lambda view, language: [looked.append(view.template.name), *whole(view, language)][1:]
    )

    def after(name: str, text: str) -> list[str]:
        (tmp_path / name).write_text(text)
        looked.clear()
        gallery.reload()
        gallery.check()
        seen = list(looked)
        assert gallery._findings == linter.lint(load_templates(tmp_path))
        return seen

    assert after("a.html", mail("<p>LOCATION</p>")) == ["a.html"]
    assert after("b.txt", mail("LOCATION", kind="reminder1")) == ["b.html", "b.txt"]
    assert after("a.html", mail("<p>LOCATION %NAME%</p>")) == ["a.html"]
    assert after("placeholders.yaml", 'placeholders: {"%NAME%": {meaning: last_name}}\n') == [
        "a.html",
        "b.html",
        "b.txt",
    ]
