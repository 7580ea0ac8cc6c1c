"""Template files are read strictly, and refused with a fact and a hint."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.errors import TemplateError
from lifecycle.mail.fixtures import FIXTURES, fixture
from lifecycle.mail.lint import mail, sms
from lifecycle.mail.placeholders import DOCUMENTED, Placeholder, Registry, load_registry
from lifecycle.mail.render import render
from lifecycle.mail.templates import load_templates, shipped_folder, template_from_text

REGISTRY = Registry((Placeholder("%FIRSTNAME%", "first_name"), Placeholder("%LASTNAME%", "last_name")))


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_html", ".html").replace("_txt", ".txt")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_an_unknown_key_is_refused_with_a_suggestion(tmp_path: Path):
    """A typing mistake in the front matter must not pass silently."""
    write(tmp_path, a_html="---\nkind: confirmation\nchanel: email\nlanguage: de\n---\nx")
    with pytest.raises(TemplateError) as error:
        load_templates(tmp_path)
    assert "chanel" in error.value.fact
    assert "channel" in error.value.hint
    assert error.value.exit_code == 8


@pytest.mark.parametrize(
    "head",
    [
        "kind: confirmatoin\nchannel: email\nlanguage: de",
        "kind: change\nchannel: email\nlanguage: fr",
        "channel: email",
        "- a\n- b",
        "kind: [",
        "subject: true",
    ],
)
def test_a_wrong_front_matter_is_refused(tmp_path: Path, head: str):
    """Unknown choices, missing keys, no mapping, no YAML."""
    write(tmp_path, a_html=f"---\n{head}\n---\nx")
    with pytest.raises(TemplateError):
        load_templates(tmp_path)


def test_an_open_front_matter_is_refused(tmp_path: Path):
    """The second line of dashes is missing."""
    write(tmp_path, a_html="---\nkind: confirmation\n")
    with pytest.raises(TemplateError, match="not closed"):
        load_templates(tmp_path)


def test_two_texts_for_one_slot_are_refused(tmp_path: Path):
    """Which of the two would be pasted?"""
    write(tmp_path, a_html=mail("x"), b_html=mail("y"))
    with pytest.raises(TemplateError, match="one slot"):
        load_templates(tmp_path)


def test_an_override_is_a_slot_of_its_own(tmp_path: Path):
    """A service's text stands beside the global one."""
    write(tmp_path, a_html=mail("x"), b_html=mail("y", service='"4711"'), c_txt=mail("z"))
    assert len(load_templates(tmp_path)) == 3


def test_invalid_utf8_is_refused_with_its_place(tmp_path: Path):
    """Latin-1 umlauts are the usual case."""
    (tmp_path / "a.html").write_bytes(mail("Grüße").encode("latin-1"))
    with pytest.raises(TemplateError, match="UTF-8"):
        load_templates(tmp_path)


def test_a_part_that_includes_itself_is_refused(tmp_path: Path):
    """Directly or around a corner."""
    write(
        tmp_path,
        a_html=mail("x", parts="[body, one]"),
        parts__one_html="---\nparts: [two, body]\n---\n1",
        parts__two_html="---\nparts: [one, body]\n---\n2",
    )
    with pytest.raises(TemplateError, match="includes itself"):
        load_templates(tmp_path)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", ".."])
def test_a_part_never_leaves_its_folder(tmp_path: Path, name: str):
    """A name is one word, never a path."""
    write(tmp_path, a_html=mail("x", parts=f'[body, "{name}"]'))
    with pytest.raises(TemplateError):
        load_templates(tmp_path)


def test_parts_are_joined_in_the_order_of_the_list(tmp_path: Path):
    """The language's own part goes before the general one."""
    write(
        tmp_path,
        a_html=mail("BODY", parts="[top, body, end]"),
        parts__top_html="TOP ",
        parts__end_html="never",
    )
    (tmp_path / "parts" / "end.de.html").write_text(" END")
    assert load_templates(tmp_path).get("a.html").body.split() == ["TOP", "BODY", "END"]


def test_a_bare_text_is_guessed_from_its_name(tmp_path: Path):
    """Somebody saved what eTermin showed: it can be looked at."""
    write(tmp_path, reminder1_txt="Bald ist Ihr Termin")
    item = load_templates(tmp_path / "reminder1.txt").get("reminder1")
    assert (item.kind, item.channel, item.declared) == ("reminder1", "email", False)


def test_every_shipped_template_is_filled_with_every_booking_without_unknown_tokens():
    """All texts, all bookings."""
    templates = load_templates(shipped_folder())
    for item in templates:
        for booking in FIXTURES:
            assert render(item, booking, templates.registry).unknown == ()


def test_a_name_with_html_and_template_code_stays_text():
    """No markup, no arithmetic."""
    item = template_from_text(mail("<p>%FIRSTNAME% %LASTNAME%</p>"), "a.html")
    done = render(item, fixture("html-name"), REGISTRY)
    assert "<script>" not in done.html
    assert "&lt;b&gt;Mara&lt;/b&gt; {{ 7*7 }} &lt;script&gt;" in done.html
    assert "49" not in done.text
    assert "<b>Mara</b> {{ 7*7 }}" in done.text


def test_a_value_that_looks_like_a_token_is_not_replaced_again():
    """One pass over the template, none over the values."""
    registry = Registry((Placeholder("%CALENDARNAME%", "calendar"),))
    from dataclasses import replace

    booking = replace(FIXTURES[0], calendar="%MEETINGPASSWORD% LOCATION")
    done = render(template_from_text(mail("%CALENDARNAME%"), "a.txt"), booking, registry)
    assert done.text.strip() == "%MEETINGPASSWORD% LOCATION"


def test_an_unknown_token_is_never_swallowed():
    """It stays in the text and is reported."""
    done = render(template_from_text(mail("A %NOT_KNOWN% B"), "a.txt"), FIXTURES[0], REGISTRY)
    assert done.unknown == ("%NOT_KNOWN%",)
    assert "A %NOT_KNOWN% B" in done.text


def test_noemail_suppresses_a_mail_and_the_preview_says_so():
    """Not an SMS: that is not documented."""
    assert render(template_from_text(mail("NOEMAIL", service='"1"'), "a.html"), FIXTURES[0], REGISTRY).suppressed
    assert not render(template_from_text(sms("NOEMAIL"), "a.txt"), FIXTURES[0], REGISTRY).suppressed
    assert not render(template_from_text(mail("noemail NOEMAILS"), "a.html"), FIXTURES[0], REGISTRY).suppressed


def test_the_bookings_are_made_up():
    """Example addresses and drama numbers only."""
    for booking in FIXTURES:
        assert booking.email == "" or booking.email.split("@")[1] in {"example.org", "example.com", "example.net"}
        assert booking.mobile in {"", "+49 152 28817386"}


def test_exactly_five_placeholders_are_documented():
    """Everything else is the administrator's word."""
    assert {p.token for p in DOCUMENTED} == {
        "LOCATION",
        "%MEETINGPASSWORD%",
        "NOEMAIL",
        "%SERVICETEXT%",
        "%INFOTEXTP2%",
    }
    shipped = load_templates(shipped_folder()).registry
    assert {p.token for p in shipped.placeholders.values() if p.documented} == {p.token for p in DOCUMENTED}


def test_a_registry_with_an_unknown_meaning_is_refused(tmp_path: Path):
    """With the closest meaning as hint."""
    path = tmp_path / "placeholders.yaml"
    path.write_text('placeholders:\n  "%X_Y%": {meaning: first_nam}\n')
    with pytest.raises(TemplateError) as error:
        load_registry(path)
    assert "first_name" in error.value.hint


@given(st.text(alphabet="%ABCLOCATIN_x -\n/", max_size=60))
def test_scanning_never_loses_a_character(text: str):
    """What lies between the tokens, together with them, is the text."""
    position, rebuilt = 0, ""
    for seen in REGISTRY.scan(text):
        assert seen.start >= position
        rebuilt += text[position : seen.start] + seen.token
        position = seen.end
    assert rebuilt + text[position:] == text


@given(st.text(max_size=80))
def test_text_without_tokens_arrives_unchanged(text: str):
    """No escaping, no execution, no trimming in a text mail."""
    body = text.replace("%", "").replace("LOCATION", "").replace("NOEMAIL", "")
    item = template_from_text(mail("x"), "a.txt")
    from lifecycle.mail.render import fill

    assert fill(body, FIXTURES[0].values(item.language), REGISTRY, False) == (body, [])
