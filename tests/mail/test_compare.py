"""A real test mail tells what eTermin puts where - as kinds, never as values."""

from __future__ import annotations

import re
import shutil
from email.message import EmailMessage
from pathlib import Path

import pytest

from lifecycle.errors import TemplateError
from lifecycle.mail.compare import VALUE_KINDS, Received, compare, described, kind_of, learn_from, received
from lifecycle.mail.fixtures import FIXTURES, fixture
from lifecycle.mail.learnt import KIND_WORDS, LEARNT_FILE, TOLD_NOTHING, fits, learn, read_learnt
from lifecycle.mail.lint import lint
from lifecycle.mail.render import render
from lifecycle.mail.templates import Templates, load_templates, shipped_folder


@pytest.fixture(scope="module")
def templates() -> Templates:
    """The shipped texts."""
    return load_templates(shipped_folder())


def eml(html: str = "", text: str = "") -> Received:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "Termin"
    if text:
        message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html") if text else message.set_content(html, subtype="html")
    return received(message.as_bytes())


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
        compare(templates, received(data))
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
    assert compare(templates, received(path.read_bytes()), "confirmation.de.txt").found > 5


@pytest.mark.parametrize("kind", ["confirmation", "change", "cancellation", "reminder1", "reminder3"])
def test_a_mail_of_an_older_text_still_finds_its_template_and_raises_no_false_alarm(templates: Templates, kind: str):
    """One sentence was edited since: what lies beside it is not mistaken for another kind of value."""
    item = templates.get(f"{kind}.de.html")
    done = render(item, fixture("umlauts"), templates.registry)
    older = re.sub(r"(?s)Guten Tag,.*?</td>", "Guten Tag, hier stand früher etwas ganz anderes:</td>", done.html)
    assert older != done.html
    result = compare(templates, eml(older))
    assert result.template == item.name
    assert result.found < result.passages
    meanings = {token: known.meaning for token, known in templates.registry.placeholders.items()}
    told = [seen for seen in result.tokens if seen.kind not in TOLD_NOTHING]
    assert [seen.token for seen in told if not fits(meanings[seen.token], seen.kind)] == []
    assert "%STARTTIME%" in {seen.token for seen in told}


def test_what_a_mail_taught_is_kept_as_kinds_and_the_linter_uses_it(tmp_path: Path):
    """Seen as expected: no longer assumed. Left standing: a finding. No value of the mail is in the file."""
    folder = tmp_path / "templates"
    shutil.copytree(shipped_folder() / "parts", folder / "parts")
    shutil.copy(shipped_folder() / "confirmation.de.html", folder)
    templates = load_templates(folder)
    assert "%STARTDATE%" in {f.token for f in lint(templates) if f.check == "assumed-token"}
    item = templates.get("confirmation.de.html")
    done = render(item, fixture("usual"), templates.registry)
    html = done.html.replace("Dr. Kim Muster", "%CALENDARNAME%")
    seen = compare(templates, eml(html), item.name)
    learn_from(seen, folder / LEARNT_FILE)
    written = (folder / LEARNT_FILE).read_text("utf-8")
    assert [value for value in fixture("usual").values("de").values() if value and value in written] == []
    after = load_templates(folder)
    assert after.registry.learnt.html == "html"
    assert after.registry.learnt.kinds["%STARTDATE%"] == "date"
    found = {(f.check, f.token) for f in lint(after)}
    assert ("assumed-token", "%STARTDATE%") not in found
    assert ("token-not-replaced", "%CALENDARNAME%") in found


def test_a_later_mail_goes_before_an_earlier_one_and_one_that_tells_nothing_changes_nothing(tmp_path: Path):
    """The file is a union over mails."""
    path = tmp_path / LEARNT_FILE
    learn(path, {"%A_B%": "kept", "%C_D%": "date", "no token": "text"}, "characters")
    again = learn(path, {"%A_B%": "text", "%C_D%": "unclear"}, "")
    assert again == read_learnt(path.read_bytes())
    assert again.kinds == {"%A_B%": "text", "%C_D%": "date"}
    assert again.html == "characters"


@pytest.mark.parametrize("data", [b"\xff", b"tokens: [", b"tokens: [1]", b"tokens: {A: Mara}", b"html: maybe"])
def test_a_file_of_something_else_is_refused_in_words(data: bytes):
    """It is small and may be deleted."""
    with pytest.raises(TemplateError) as error:
        read_learnt(data)
    assert "Mara" not in str(error.value)


def test_every_kind_of_value_has_a_word_and_the_shipped_placeholders_fit_the_made_up_bookings(templates: Templates):
    """Else a right mail would be reported as another kind of value."""
    assert {kind for kind, _ in VALUE_KINDS} <= set(KIND_WORDS["de"])
    assert set(KIND_WORDS["de"]) == set(KIND_WORDS["en"])
    wrong = {
        (seen.meaning, kind_of(value))
        for booking in FIXTURES
        for language in ("de", "en")
        for seen in templates.registry.placeholders.values()
        if (value := booking.values(language).get(seen.meaning, "")) and booking.video
        if not fits(seen.meaning, kind_of(value))
    }
    assert wrong == set()
