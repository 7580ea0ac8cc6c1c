"""A real test mail tells what eTermin puts where - as kinds, never as values."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from lifecycle.errors import TemplateError
from lifecycle.mail.compare import compare, described, kind_of
from lifecycle.mail.fixtures import fixture
from lifecycle.mail.render import render
from lifecycle.mail.templates import Templates, load_templates, shipped_folder


@pytest.fixture(scope="module")
def templates() -> Templates:
    """The shipped texts."""
    return load_templates(shipped_folder())


def eml(html: str = "", text: str = "") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "Termin"
    if text:
        message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html") if text else message.set_content(html, subtype="html")
    return message.as_bytes()


def test_the_kind_of_every_replaced_token_is_learnt(templates: Templates):
    """An HTML mail as eTermin might send it."""
    done = render(templates.get("confirmation.de.html"), fixture("umlauts"), templates.registry)
    result = compare(templates, eml(done.html, done.text))
    kinds = {seen.token: seen.kind for seen in result.tokens}
    assert result.template.startswith("confirmation.de")
    assert result.has_html
    assert result.has_text
    assert kinds["LOCATION"] == "link"
    assert kinds["%STARTDATE%"] == "date"
    assert kinds["%STARTTIME%"] == "time"
    assert kinds["%CANCELLINK%"] == "link"


def test_no_value_of_the_mail_is_kept(templates: Templates):
    """Neither in the result nor in its representation."""
    done = render(templates.get("confirmation.de.html"), fixture("long-names"), templates.registry)
    shown = repr(compare(templates, eml(done.html)))
    for value in ("Hohenstein", "K7M2P9X4R6T3", "Mustermann", "9. November"):
        assert value not in shown


def test_a_token_that_etermin_left_alone_is_named(templates: Templates):
    """An assumed token that turns out to be wrong."""
    item = templates.get("confirmation.de.txt")
    text = render(item, fixture("usual"), templates.registry).text
    text = text.replace("Dr. Kim Muster", "%CALENDARNAME%")
    result = compare(templates, eml(text=text), "confirmation.de.txt")
    kinds = {seen.token: seen.kind for seen in result.tokens}
    assert kinds["%CALENDARNAME%"] == "kept"
    assert kinds["%STARTDATE%"] == "date"
    assert not result.has_html


def test_the_comparison_is_described_in_both_languages(templates: Templates):
    """Kinds and counts, no value."""
    done = render(templates.get("confirmation.de.html"), fixture("long-names"), templates.registry)
    result = compare(templates, eml(done.html), "confirmation.de.html")
    german, english = described(result), described(result, "en")
    assert "Datum" in german
    assert "date" in english
    assert "Hohenstein" not in german + english


def test_html_that_arrives_as_characters_is_noticed(templates: Templates):
    """The question that is not documented: does eTermin take HTML?"""
    source = render(templates.get("confirmation.de.html"), fixture("usual"), templates.registry).html
    result = compare(templates, eml(text=source), "confirmation.de.html")
    assert result.html_escaped


@pytest.mark.parametrize("data", [b"", b"\x00\xff", b"Subject: x\n\n", b"From: a@example.org\n\nnothing of ours"])
def test_what_is_no_mail_of_ours_is_refused(templates: Templates, data: bytes):
    """In words, without its content."""
    with pytest.raises(TemplateError) as error:
        compare(templates, data)
    assert "nothing of ours" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("Montag, 9. November 2026", "date"),
        ("2026-11-09", "date"),
        ("14:30 Uhr", "time"),
        ("030 23125 042", "phone number"),
        ("a@example.org", "email address"),
        ("K7M2P9X4R6T3", "tan"),
        ("Mara Beispiel", "text"),
        ("", "empty"),
    ],
)
def test_kinds_of_values(value: str, kind: str):
    """Shape alone decides."""
    assert kind_of(value) == kind


def test_the_comparison_reads_files_as_mail_programs_save_them(templates: Templates, tmp_path: Path):
    """Quoted-printable, base64 and foreign charsets."""
    done = render(templates.get("confirmation.de.txt"), fixture("umlauts"), templates.registry)
    message = EmailMessage()
    message["Subject"] = "Termin"
    message.set_content(done.text, charset="iso-8859-1", cte="quoted-printable")
    path = tmp_path / "mail.eml"
    path.write_bytes(message.as_bytes())
    assert compare(templates, path.read_bytes(), "confirmation.de.txt").found > 5
