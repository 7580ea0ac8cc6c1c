"""The sections: their order, their examples, and that together they speak of every fact."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from lifecycle.model import Facts, as_json
from lifecycle.report.content import Example, Section
from lifecycle.report.sample import sample
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
