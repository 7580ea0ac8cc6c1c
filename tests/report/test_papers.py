"""The deletion concept, the entry for the record of processing and the monthly overview."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.errors import UsageError
from lifecycle.model import CatalogueEntry, Outcome, Place
from lifecycle.report import LANGUAGES, PAPERS, render_paper, write_papers
from lifecycle.report.content import Blank, Example, Section, Table
from lifecycle.report.papers import record
from lifecycle.report.papers.concept import deletion_classes
from lifecycle.report.papers.month import SECTIONS as MONTH
from lifecycle.report.papers.month import gaps, longest_gap, nights_outcome
from lifecycle.report.papers.order import CONCEPT, write_paper
from lifecycle.report.papers.sample import month, paper_scenes, policy, rough_month, unsettled
from lifecycle.report.papers.terms import PlaceNote, Policy
from lifecycle.report.speech import Speech
from lifecycle.report.standing import worst

SECTIONS = {"concept": CONCEPT, "record": record.ALL, "month": MONTH}
EXAMPLES = [(name, one, example) for name, some in SECTIONS.items() for one in some for example in one.examples]
SCENES = [(paper, facts, language) for paper, _, facts in paper_scenes() for language in LANGUAGES]
ATTACK = "<script>alert(1)</script><img src=https://evil.example.org onerror=x>\u202e{{7*7}}{x}"


def first_facts(paper: str, change: Any) -> Any:
    """The sample that a paper's examples change."""
    return month(**change) if paper == "month" else policy(**change)


@pytest.mark.parametrize(("paper", "one", "example"), EXAMPLES, ids=lambda it: getattr(it, "key", ""))
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_stands_as_it_says(paper: str, one: Section[Any], example: Example, language: str) -> None:
    """In both languages, with something to read and no gap left open; each section has at least two."""
    body = one.body(first_facts(paper, example.change), Speech(language))
    assert body.outcome == example.outcome
    assert body.blocks
    assert not re.search(r"\{\w*\}", str(body))
    assert len(one.examples) >= 2


@pytest.mark.parametrize(("paper", "facts", "language"), SCENES)
def test_a_paper_is_never_better_than_its_worst_part(paper: str, facts: Any, language: str) -> None:
    """Never green while something in it is unknown or failed."""
    document = write_paper(paper, facts, language)
    parts = [part.body.outcome for part in document.parts if part.body.outcome is not None]
    assert document.outcome == worst(parts)
    assert document.parts[0].body.outcome == document.outcome


@pytest.mark.parametrize(("paper", "facts", "language"), SCENES)
def test_a_page_loads_nothing_and_runs_nothing(paper: str, facts: Any, language: str) -> None:
    """No script, no address, no inline style."""
    page = render_paper(paper, facts, language, "html")
    assert not re.search(rb"<(script|link|img|iframe|object|form)\b|\bstyle=|\bon\w+=|url\(|@import", page)
    assert b"default-src 'none'" in page
    assert len(page) < 400_000


def attacked() -> Policy:
    """A policy in which every name is an attack."""
    facts = policy(workspace=ATTACK, perspective=ATTACK, person_word=ATTACK, time_zone=ATTACK, tool_version=ATTACK)
    return replace(
        facts,
        rules=tuple(replace(rule, why=ATTACK, source=ATTACK, basis=ATTACK) for rule in facts.rules),
        places=(PlaceNote(Place(ATTACK, ATTACK, ATTACK), None, None),),
        catalogue=(CatalogueEntry(ATTACK, ATTACK, (ATTACK,), ATTACK),),
        fields=tuple(replace(one, name=ATTACK, meaning={"de": ATTACK}, sentence=ATTACK) for one in facts.fields),
        processors=tuple(replace(one, name=ATTACK) for one in facts.processors),
        holds={ATTACK: 1},
    )


@pytest.mark.parametrize("paper", ["concept", "record"])
def test_html_in_any_name_stays_text(paper: str) -> None:
    """A place, a field, a rule's reason may be called anything."""
    page = render_paper(paper, attacked(), "de", "html").decode()
    assert "<script" not in page
    assert "<img" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_concept_has_the_parts_of_din_66398(language: str) -> None:
    """Data types, classes, rules, four areas of implementation, duties, slack, backups, exceptions, evidence."""
    keys = [one.key for one in CONCEPT]
    areas = ["systems", "crossing", "manual", "processors"]
    assert [key for key in keys if key in areas] == areas
    wanted = {"types", "classes", "rules", "start", "basis", "places", "slack", "backups", "exceptions", "responsible"}
    assert wanted | {"evidence", "limits", "upkeep"} <= set(keys)
    assert "DIN 66398" in render_paper("concept", policy(), language, "html").decode()


def test_data_types_of_one_period_share_a_class() -> None:
    """A class is a starting point and a period; a data type without a rule is in none."""
    two = policy(rules=(policy().rules[0], replace(policy().rules[1], period_days=30)))
    assert [(one.number, one.days, len(one.types)) for one in deletion_classes(policy())] == [(1, 90, 2)]
    assert [(one.number, one.days) for one in deletion_classes(two)] == [(1, 30), (2, 90)]
    assert sum(len(one.types) for one in deletion_classes(unsettled())) == 2


def blanks_of(some: Any, facts: Policy) -> Iterator[str]:
    """The words of every gap in the sections."""
    for one in some:
        for block in one.body(facts, Speech("de")).blocks:
            for row in block.rows if isinstance(block, Table) else ():
                yield from (cell.word for cell in row if isinstance(cell, Blank))


def test_what_the_workspace_cannot_know_is_left_open() -> None:
    """Addresses, officers, third countries, the period of the evidence: asked for, never made up."""
    for perspective in ("practice", "provider"):
        facts = policy(perspective=perspective)
        words = list(blanks_of(record.entry(facts), facts))
        assert len(words) == sum(record.blanks(facts, Speech("de")).values()) > 10
        assert all(word.startswith("bitte ergänzen") for word in words)
        page = render_paper("record", facts, "de", "html").decode()
        assert page.count('class="blank"') == len(words)
    assert list(blanks_of(CONCEPT, policy()))


def test_the_perspective_decides_which_paragraph_it_is() -> None:
    """A practice is a controller (30(1)), a provider a processor (30(2))."""
    practice, provider = (
        json.loads(render_paper("record", policy(perspective=name), "de", "json")) for name in ("practice", "provider")
    )
    assert "Art. 30 Abs. 1" in practice["sections"][0]["text"][0]
    assert "Art. 30 Abs. 2" in provider["sections"][0]["text"][0]
    keys = [one["key"] for one in practice["sections"]]
    assert keys[2:9] == ["controller", "purposes", "categories", "recipients", "transfers", "periods", "measures"]
    assert [one["key"] for one in provider["sections"]][2:6] == [
        *("processor", "services", "processorTransfers", "processorMeasures"),
    ]


@pytest.mark.parametrize("perspective", ["practice", "provider"])
def test_every_allowed_field_stands_there_with_its_sentence(perspective: str) -> None:
    """In the words of the help page."""
    facts = policy(perspective=perspective)
    page = render_paper("record", facts, "en", "html").decode()
    assert all(f"„{one.sentence}“" in page for one in facts.fields)


def test_a_recipient_is_named_once_and_a_processor_only_where_somebody_said_so() -> None:
    """eTermin by the set-up and by the connection is one; the mailbox's role is for a person to say."""
    facts = unsettled(perspective="practice")
    page = json.loads(render_paper("record", facts, "de", "json"))
    (table,) = next(one for one in page["sections"] if one["key"] == "recipients")["tables"]
    rows = {row[0]: row for row in table["rows"]}
    assert set(rows) == {"eTermin", "arztkonsultation", "E-Mail-Postfach", "Externe Kalender", "SMS-Dienst"}
    assert "Auftragsverarbeiter (Art. 28 DSGVO)" in rows["arztkonsultation"]
    assert rows["E-Mail-Postfach"][2].startswith("bitte ergänzen")


@given(st.sets(st.integers(0, 60)))
def test_gaps_are_the_missing_nights_in_a_row(numbers: set[int]) -> None:
    """Together they are all the missing nights, and no two of them touch."""
    nights = tuple(date(2026, 1, 1) + timedelta(days=number) for number in sorted(numbers))
    found = gaps(nights)
    spread = [first + timedelta(days=n) for first, last in found for n in range((last - first).days + 1)]
    assert tuple(spread) == nights
    assert all(later[0] - earlier[1] > timedelta(days=1) for earlier, later in pairwise(found))
    assert longest_gap(nights) <= len(nights)


def test_a_gap_fails_unless_the_rules_delete_early_enough() -> None:
    """Three nights in a row need three days of slack."""
    rough = rough_month()
    assert longest_gap(rough.missing) == 3
    assert nights_outcome(replace(rough, lead_days=2)) == Outcome.FAILED
    assert nights_outcome(replace(rough, lead_days=3)) == Outcome.PASSED


def test_the_month_adds_up() -> None:
    """Due = deleted + held + left in every row, and the total is the sum of what was deleted."""
    page = json.loads(render_paper("month", rough_month(), "en", "json"))
    (table,) = next(one for one in page["sections"] if one["key"] == "runs")["tables"]
    *rows, total = table["rows"]
    for row in rows:
        due, deleted, held, left = map(int, row[2:6])
        assert due == deleted + held + left
    assert int(total[3]) == sum(int(row[3]) for row in rows)


def test_the_month_says_which_checkpoint_to_keep() -> None:
    """With the command that compares it with a later log."""
    page = render_paper("month", month(), "en", "html").decode()
    assert f"lifecycle verify --size {month().checkpoint[1]} --root" in page


@pytest.mark.parametrize("paper", PAPERS)
def test_every_fact_is_told(paper: str) -> None:
    """A fact that no section speaks of would be gathered for nothing."""
    noun = type(first_facts(paper, {}))
    code = "\n".join(open_source(module) for module in ("concept", "duties", "record", "month", "order"))
    assert [one.name for one in fields(noun) if not re.search(rf"\b(policy|month|facts|one)\.{one.name}\b", code)
            and one.name not in {"written_at", "tool_version"}] == []  # fmt: skip


def open_source(name: str) -> str:
    """The source of one module of papers."""
    from importlib import import_module
    from inspect import getsource

    return getsource(import_module(f"lifecycle.report.papers.{name}"))


def test_file_names_say_paper_month_and_language(tmp_path: Any) -> None:
    """And nothing else."""
    written = [*write_papers("concept", policy(workspace="Frau Dr. X"), tmp_path, ("html",), "de")]
    written += write_papers("month", month(), tmp_path, ("json",), "en")
    assert [path.name for path in written] == ["concept.de.html", "month-2026-09.en.json"]


def test_an_unknown_paper_is_refused() -> None:
    """With those that there are."""
    with pytest.raises(UsageError) as refused:
        render_paper("certificate", policy(), "de", "html")
    assert "concept" in refused.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("paper", PAPERS)
def test_a_pdf_is_the_same_every_time(paper: str) -> None:
    """Byte for byte, for the same facts."""
    assert render_paper(paper, first_facts(paper, {}), "de", "pdf") == render_paper(
        paper, first_facts(paper, {}), "de", "pdf"
    )
