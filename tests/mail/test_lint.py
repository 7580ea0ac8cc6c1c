"""Every template check fires on its bad example and stays silent on its good one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.mail.house import HouseRules
from lifecycle.mail.lint import Check, Example, applies, checks, lint, lint_example, mail, sms
from lifecycle.mail.markup import DEEPEST, parse
from lifecycle.mail.setup import Setup
from lifecycle.mail.templates import load_templates, shipped_folder, template_from_text
from lifecycle.model import Severity

ALL = {check.name: check for check in checks()}


def names(text: str, name: str = "confirmation.de.html", **more: object) -> list[str]:
    return [finding.check for finding in lint_example(Example(text, name, **more))]


@pytest.mark.parametrize("check", ALL.values(), ids=list(ALL))
def test_a_check_fires_on_its_bad_example(check: Check):
    """A check that cannot fail is no check."""
    assert check.name in [finding.check for finding in lint_example(check.bad)]


@pytest.mark.parametrize("check", ALL.values(), ids=list(ALL))
def test_a_check_is_silent_on_its_good_example(check: Check):
    """A check that always fails is ignored."""
    assert check.name not in [finding.check for finding in lint_example(check.good)]
    assert applies(check, template_from_text(check.good.text, check.good.name))


@pytest.mark.parametrize("check", ALL.values(), ids=list(ALL))
def test_a_check_speaks_both_languages(check: Check):
    """Messages are filled in German and English."""
    assert set(check.messages) == {"de", "en"}
    for finding in lint_example(check.bad):
        assert finding.message
        assert "{" not in finding.message.replace(finding.token, "") or finding.check == "template-code"


def test_the_shipped_templates_have_neither_errors_nor_warnings():
    """What ships is an example to follow."""
    findings = lint(load_templates(shipped_folder()))
    assert [f for f in findings if f.severity is not Severity.NOTE] == []


def test_the_shipped_templates_cover_every_kind_in_both_languages():
    """German and English, HTML, text and SMS."""
    slots = {item.slot[:3] for item in load_templates(shipped_folder())}
    kinds = {"confirmation", "change", "cancellation", "reminder1", "reminder2", "reminder3", "provider"}
    assert {(kind, "email", language) for kind in kinds for language in ("de", "en")} <= slots
    assert {(kind, "sms", language) for kind in kinds - {"provider"} for language in ("de", "en")} <= slots


def test_a_finding_names_the_line_in_the_file():
    """Line numbers count the front matter."""
    text = mail("<p>LOCATION</p>\n<p>\n%MEETINGPASWORD%</p>")
    found = next(f for f in lint_example(Example(text)) if f.check == "unknown-token")
    assert text.split("\n")[found.line - 1] == "%MEETINGPASWORD%</p>"
    assert found.token == "%MEETINGPASWORD%"
    assert "%MEETINGPASSWORD%" in found.message


def test_a_finding_in_a_shared_part_is_told_once_and_names_the_part(tmp_path: Path):
    """Twenty templates with one footer have one finding in it."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "footer.html").write_text("<p>ok</p>\n<p>%NOPE_AT_ALL%</p>")
    for kind in ("confirmation", "change"):
        text = mail("<p>LOCATION</p>\n", kind=kind, parts="[body, footer]")
        (tmp_path / f"{kind}.html").write_text(text)
    found = [f for f in lint(load_templates(tmp_path)) if f.check == "unknown-token"]
    assert [(f.template, f.line) for f in found] == [("parts/footer.html", 2)]


def test_a_service_is_found_in_sms_subject_and_first_words_but_not_further_down():
    """A lock screen shows the beginning only."""
    assert "service-revealed" in names(sms("Ihre Urologie-Praxis: LOCATION"), "a.txt")
    assert "service-revealed" in names(mail("LOCATION", subject="Psychotherapie am Montag"))
    assert "service-revealed" in names(mail("<p>Ihre Onkologie. LOCATION</p>"))
    assert "service-revealed" not in names(mail("<p>" + "Guten Tag. " * 20 + "Onkologie LOCATION</p>"))


def test_the_practice_adds_its_own_sensitive_words():
    """House rules know what the built-in list does not."""
    house = HouseRules(imprint=False, privacy=False, sensitive_words=("traumzentrum",))
    assert "service-revealed" in names(mail("LOCATION", subject="Ihr Termin im Traumzentrum"), house=house)


def test_noemail_in_the_global_text_is_an_error():
    """It would silence every mail."""
    found = [f for f in lint_example(Example(mail("NOEMAIL"))) if f.check == "suppressed"]
    assert [f.severity for f in found] == [Severity.ERROR]


def test_an_in_person_service_needs_no_join_link():
    """The set-up knows which service is a video service."""
    setup = Setup(services={"4711": "Praxis"}, in_person=frozenset({"4711"}))
    assert "no-access" not in names(mail("<p>Bis bald.</p>", service='"4711"'), setup=setup)
    assert "no-access" in names(mail("<p>Bis bald.</p>", service='"4711"'))


@pytest.mark.parametrize(
    "host",
    ["www.arztkonsultat1on.de", "аrztkonsultation.de", "etermin.net.example.org", "xn--etermn-8va.net", "eterrnin.net"],
)
def test_lookalike_hosts_are_found_by_spelling_alone(host: str):
    """Exchanged letters, Cyrillic letters, a known name as a subdomain, punycode."""
    assert "link-lookalike" in names(mail(f'LOCATION <a href="https://{host}/x">x</a>'))


@pytest.mark.parametrize("host", ["www.etermin.net", "video.arztkonsultation.de"])
def test_known_hosts_are_not_lookalikes(host: str):
    """The real ones and their subdomains."""
    found = names(mail(f'LOCATION <a href="https://{host}/x">x</a>'))
    assert not {"link-lookalike", "link-host"} & set(found)


@pytest.mark.parametrize("body", ["{{ 7*7 }}", "<% 7*7 %>", "${7*7}", "{% include 'x' %}"])
def test_template_code_is_named_and_stays_text(body: str):
    """Nothing is executed."""
    assert "template-code" in names(mail(f"LOCATION {body}"))


@pytest.mark.parametrize(
    "body",
    [
        "<p><b><i>LOCATION",
        "</div></td>LOCATION",
        "<a href=LOCATION",
        "<<<>>><p",
        "<style>" * 3000,
        "<!--" * 3000,
        "a{" * 50_000,
    ],
)
def test_broken_markup_never_stops_the_linter(body: str):
    """Unclosed, stray, cut off, nested without end - each within a second."""
    started = time.process_time()
    names(mail(body))
    assert time.process_time() - started < 2


@pytest.mark.slow
def test_megabytes_of_css_are_linted_in_seconds():
    """Two megabytes end in a finding about the size."""
    css = "<style>" + ".a > b:hover, #c { color: red; margin: 1px 2px } /* x */\n" * 36_000 + "</style>"
    started = time.process_time()
    assert "size" in names(mail(css + "<p>LOCATION</p>"))
    assert time.process_time() - started < 15


def test_dark_contrast_is_judged_by_the_mails_own_dark_rules():
    """Light text on white in light is fine; the same black on black in dark is not."""
    text = mail(
        "<style>@media (prefers-color-scheme: dark) { .card { background-color: #111111 !important } }</style>"
        '<div class="card" style="background-color:#ffffff"><p style="color:#222222">LOCATION</p></div>'
    )
    found = [f for f in lint_example(Example(text)) if f.check == "contrast"]
    assert len(found) == 1
    assert "dark" in found[0].message


def test_a_bare_word_in_a_link_or_among_capitals_is_an_accident():
    """eTermin replaces words, not meanings."""
    assert "accidental-word" in names(mail("<a href='https://www.etermin.net/LOCATION/x'>x</a> LOCATION"))
    assert "accidental-word" in names(mail("IHRE LOCATION IST HIER"))
    assert "accidental-word" not in names(mail("Ihr Link: LOCATION\nBis bald"))
    assert "accidental-word" not in names(mail('<a href="LOCATION">x</a>'))


def test_the_findings_come_errors_first():
    """A person reads from the top."""
    order = [f.severity for f in lint_example(Example(mail("%NOPE% {{ x }} %MEETINGPASSWORD% LOCATION")))]
    assert order == sorted(order, key=[Severity.ERROR, Severity.WARNING, Severity.NOTE].index)


@given(st.text(alphabet="%ABCLOCATIN_<>/='\"{} .,;:&#@-\nhref ahtmlstyle✓–", max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_text_is_linted_without_failing(text: str):
    """Mail and SMS, HTML and text: findings, never an exception, and never a line outside of the file."""
    for source, name in ((mail(text), "a.html"), (mail(text), "a.txt"), (sms(text), "b.txt")):
        lines = source.count("\n") + 1
        assert all(1 <= finding.line <= lines for finding in lint_example(Example(source, name)))


@pytest.mark.slow
def test_deep_nesting_and_thousands_of_links_stay_linear():
    """Five thousand levels, five thousand links: within seconds."""
    started = time.process_time()
    names(mail("<div><p>x" * 5000 + "LOCATION"))
    names(mail('<a href="https://www.etermin.net/a">x</a> ' * 5000 + "LOCATION"))
    assert time.process_time() - started < 20


def test_tags_nested_without_end_are_read_to_the_depth_of_a_browser():
    """What lies deeper counts as lying there, so that no text asks thousands of elements around it."""
    document = parse("<div>" * 3000 + "<b>x</b>")
    assert len(document.elements) == 3001
    assert len(document.ancestors(3000)) == DEEPEST + 1
    assert document.text_of(3000) == "x"
