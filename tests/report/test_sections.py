"""The sections: their order, their examples, and that together they speak of every fact."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import date

import pytest

from lifecycle.model import Facts, as_json
from lifecycle.report.content import Chart, Example, Matrix, Section
from lifecycle.report.drawing import draw, draw_matrix
from lifecycle.report.sample import sample
from lifecycle.report.sections.charts import charts
from lifecycle.report.sections.order import SECTIONS
from lifecycle.report.speech import LANGUAGES, Speech

EXAMPLES = [(one, example) for one in SECTIONS for example in one.examples]
FIRST_PAGE = ["summary", "todo", "numbers", "dates", "rule", "roles", "limits", "verify"]
DETAILS = [
    *("charts", "stores", "findings", "holds", "checks", "residue", "secondOpinion", "drift", "changes", "catalogue"),
    "residuals",
]


def test_the_first_page_is_in_the_order_of_the_design() -> None:
    """Sentence, tasks, numbers, dates, rule, roles, limits, how to check; then the details."""
    assert [one.key for one in SECTIONS if one.first_page] == FIRST_PAGE
    assert [one.key for one in SECTIONS] == FIRST_PAGE + DETAILS


@pytest.mark.parametrize("one", SECTIONS, ids=lambda one: one.key)
def test_every_section_has_a_good_and_another_example(one: Section) -> None:
    """The first is the sample itself; at least one more shows the section in another state."""
    assert one.examples[0].change == {}
    assert len(one.examples) >= 2


@pytest.mark.parametrize(("one", "example"), EXAMPLES, ids=lambda it: it.key if isinstance(it, Section) else "")
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_stands_as_it_says(one: Section, example: Example, language: str) -> None:
    """In both languages, with something to read and no gap left open."""
    body = one.body(sample(**example.change), Speech(language))
    assert body.outcome == example.outcome
    assert body.blocks
    assert not re.search(r"\{\w*\}", str(body))


def test_the_sections_speak_of_every_fact() -> None:
    """What is in Facts is in the report: in a section, or in the head of the page."""
    told = {name for one in SECTIONS for name in one.fields} | {"writtenAt", "toolVersion"}
    assert told == set(as_json(sample()))
    assert len(told) == len(fields(Facts))


def test_keys_are_names_for_anchors_and_json() -> None:
    """Camel case, no repetition."""
    keys = [one.key for one in SECTIONS]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[a-z][a-zA-Z]+", key) for key in keys)


def test_a_week_that_matters_is_seen_even_where_nothing_was_deleted() -> None:
    """A bar of no height would hide exactly the week in which something went wrong."""
    facts = sample(run_weeks=(), poor_weeks=(date(2026, 9, 21),), age_weeks=(), due_weeks=(), finding_months={})
    (_, chart, table) = charts.body(facts, Speech("de")).blocks
    assert isinstance(chart, Chart)
    (box,) = draw(chart, 700, "wide").boxes
    assert box.height >= 3
    assert "Lücke oder Fehlschlag" in str(table)


def test_fields_that_find_no_room_are_summed_up() -> None:
    """Any number of undeclared fields: the worst ones by name, the rest as one row, and no number is lost."""
    counts = {f"field{number}": number + 1 for number in range(40)}
    facts = sample(finding_months={"2026-09": counts})
    (matrix,) = [one for one in charts.body(facts, Speech("de")).blocks if isinstance(one, Matrix)]
    assert len(matrix.rows) == 13
    assert sum(numbers[0] or 0 for _, numbers in matrix.rows) == sum(counts.values())
    assert matrix.rows[0] == ("field39", (40,))
    grid = draw_matrix(replace(matrix, columns=tuple("abcdefghijkl"), rows=(("x", tuple(range(12))),)), 330, "narrow")
    assert [label for _, label in grid.heads] == list("hijkl")
