"""Results as tables: escaped, sorted by what matters, searchable, in the reader's language and theme."""

from __future__ import annotations

import re

import pytest

from lifecycle.errors import UsageError
from lifecycle.model import Finding, Outcome, Severity
from lifecycle.workbench.results import OURS, Checked, Ingested, Refusal, Shown
from lifecycle.workbench.tables import MOST_ROWS, result_html


def finding(check: str, outcome: Outcome, count: int, field: str = "email") -> Finding:
    return Finding(check, "events", "workspace", field, Severity.ERROR, count, outcome, "webpush")


def checked(*findings: Finding) -> Checked:
    return Checked(Outcome.FAILED, 10, findings)


def test_what_failed_stands_first_and_the_largest_before_the_smaller() -> None:
    """Nobody should have to look for what must be done."""
    some = (finding("iban", Outcome.PASSED, 0), finding("kvnr", Outcome.FAILED, 2), finding("html", Outcome.FAILED, 7))
    html = result_html(checked(*some, finding("url", Outcome.UNKNOWN, 9)))
    counts = re.findall(r'data-value="(\d+)"', html.rpartition("<thead>")[2])
    assert counts == ["7", "2", "9", "0"]


def test_what_passed_is_folded_away_where_there_is_much() -> None:
    """It can be opened, and its number is told; a short table is shown whole."""
    many = [finding("kvnr", Outcome.PASSED, 0) for _ in range(12)]
    html = result_html(checked(finding("iban", Outcome.FAILED, 1), *many), "de")
    assert "<summary>bestanden: 12</summary>" in html
    assert "IBAN" in html.partition("<details>")[0]
    assert "<details>" not in result_html(checked(*many[:3]))


def test_markup_in_a_name_is_text() -> None:
    """A field of a foreign file can be called anything."""
    html = result_html(checked(finding("undeclared-field", Outcome.FAILED, 1, '<img src=x onerror="alert(1)">')))
    assert "<img" not in html
    assert "&lt;img" in html


def test_german_headings_and_words() -> None:
    """A table in a German notebook speaks German, numbers too."""
    html = result_html(checked(finding("kvnr", Outcome.FAILED, 12480)), "de")
    assert all(word in html for word in ("Prüfung", "Abweichung", "Krankenversichertennummer", "12.480"))
    assert "Outcome" not in html


def test_long_tables_can_be_searched_and_say_what_they_leave_out() -> None:
    """The frame has everything; the page shows the first two hundred."""
    html = result_html(checked(*(finding("kvnr", Outcome.FAILED, n) for n in range(MOST_ROWS + 3))))
    assert 'type="search"' in html
    assert "3 more rows" in html
    assert html.rpartition("<tbody>")[2].count("<tr>") == MOST_ROWS
    assert 'type="search"' not in result_html(checked(finding("kvnr", Outcome.FAILED, 1)))


def test_tables_take_their_colours_from_the_theme_and_load_nothing() -> None:
    """Light and dark JupyterLab are the same page; no address is fetched."""
    html = result_html(checked(*(finding("kvnr", Outcome.FAILED, n) for n in range(9))))
    assert "var(--jp-content-font-color1" in html
    assert not re.search(r"https?:|\bsrc=|\bhref=|<script|<link", html)


def test_every_output_bears_the_mark_of_the_workbench() -> None:
    """What a guarded run keeps; a shown template keeps its page, and no text repeats it."""
    data, mark = checked(finding("kvnr", Outcome.FAILED, 1))._repr_mimebundle_()
    assert mark == OURS
    assert data["text/plain"] == "Checked(outcome=failed, rows=10)"
    shown, _ = Shown("confirmation.de.html", "<p>page</p>")._repr_mimebundle_()
    assert shown == {"text/html": "<p>page</p>", "text/plain": "Shown(template=confirmation.de.html)"}


def test_the_path_of_a_refused_file_is_not_shown() -> None:
    """A file can bear a patient's name; its number in the call is enough."""
    refused = Refusal(1, "incoming/Canary-Person.csv", "The header has no name.", "say --format")
    taken = Ingested("", 0, 0, 0, 0, 0, 0, 0, (), refused=(refused,))
    for text in (*taken._repr_mimebundle_()[0].values(), repr(taken), result_html(taken, "de")):
        assert "Canary" not in text


def test_a_language_without_words_is_refused() -> None:
    """Rather than half a table in another one."""
    with pytest.raises(UsageError):
        result_html(checked(), "fr")
