"""The numbers on the page are the facts, they add up, and facts that do not are refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.errors import EvidenceError, LifecycleError
from lifecycle.model import Facts, StoreCounts
from lifecycle.report import render
from lifecycle.report.content import Table
from lifecycle.report.document import Document, write_document
from lifecycle.report.sample import sample

COUNT = st.integers(min_value=0, max_value=10**7)


def facts_of(deleted: int, held: int, failed: int, waiting: int) -> Facts:
    """Facts that add up, from the four parts."""
    before, due, retained = deleted + held + failed + waiting, deleted + held + failed, held + failed + waiting
    stores = (StoreCounts("workspace", "events", before, due, held, 0, retained),)
    return sample(
        before=before, due=due, deleted=deleted, held=held, failed=failed, not_yet_due=waiting, retained=retained,
        no_anchor=0, holds={"legal-claims": held}, stores=stores,
    )  # fmt: skip


def rows(document: Document, key: str, number: int = 0) -> list[list[int]]:
    """The figures of a section's table, read back from the words."""
    part = next(part for part in document.parts if part.key == key)
    table = [block for block in part.body.blocks if isinstance(block, Table)][number]
    return [[int(str(row[column]).replace(",", "")) for column in table.figures] for row in table.rows]


@pytest.mark.slow
@settings(deadline=None)
@given(COUNT, COUNT, COUNT, COUNT)
def test_the_parts_on_the_page_sum_up_to_the_whole(deleted: int, held: int, failed: int, waiting: int) -> None:
    """Before = deleted + held + failed + not yet due, as printed, for any facts."""
    document = write_document(facts_of(deleted, held, failed, waiting), "en")
    *parts, total = (row[0] for row in rows(document, "numbers"))
    assert parts == [deleted, held, failed, waiting]
    assert sum(parts) == total == document.facts.before


def test_the_stores_sum_up_to_the_same() -> None:
    """Each column of the stores' table adds up to its last row, which is the facts'."""
    document = write_document(sample(), "en")
    *parts, total = rows(document, "stores", 1)
    assert [sum(column) for column in zip(*parts, strict=True)] == total
    facts = document.facts
    assert total == [facts.before, facts.due, facts.held, facts.deleted, facts.retained]


def test_the_charts_tables_hold_every_row() -> None:
    """Weeks outside the window are summed up, not lost."""
    document = write_document(sample(), "en")
    for number, weeks in enumerate((sample().age_weeks, sample().due_weeks)):
        *parts, total = (row[0] for row in rows(document, "charts", number))
        assert sum(parts) == total == sum(week.rows for week in weeks)


@pytest.mark.parametrize("name", ["before", "due", "deleted", "held", "failed", "not_yet_due", "retained"])
@pytest.mark.parametrize("by", [1, -1])
def test_a_number_that_does_not_add_up_is_refused(name: str, by: int) -> None:
    """One more or one less anywhere, and there is no report."""
    wrong = replace(sample(), **{name: getattr(sample(), name) + by})
    with pytest.raises(EvidenceError, match="do not add up") as refused:
        render(wrong, "de", "html")
    assert refused.value.hint


@pytest.mark.parametrize(
    "change",
    [
        {"stores": ()},
        {"stores": (StoreCounts("workspace", "events", 12483, 1207, 3, 0, 11280),)},
        {"stores": (StoreCounts("a", "events", 12483, 1207, 1208, 0, 11279),), "held": 1208},
        {"overdue": 12484},
        {"no_anchor": 12484},
        {"no_anchor": -1},
        {"holds": {"legal-claims": 2}},
        {"outcome": "done"},
        {"outcome": "none"},
        {"run_id": None},
        {"run_id": "../../etc/passwd"},
        {"checks": {"stillDue": "fine"}},
        {"second_opinion": "maybe"},
    ],
)
def test_facts_that_contradict_themselves_are_refused(change: dict[str, object]) -> None:
    """In a sentence, never in a page."""
    with pytest.raises(LifecycleError, match="do not add up"):
        render(sample(**change), "en", "json")


def test_the_json_carries_the_facts_beside_the_words() -> None:
    """Every value under its camelCase name, once."""
    page = json.loads(render(sample(), "de", "json"))
    data = {name: value for one in page["sections"] for name, value in one["data"].items()}
    assert (data["before"], data["notYetDue"], data["ageWeeks"][0]) == (
        12483,
        11276,
        {"monday": "2026-06-29", "rows": 640},
    )
    assert page["asOf"] == "2026-10-01"
    assert page["outcome"] == "passed"
