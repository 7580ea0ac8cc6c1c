"""The page as a browser gets it: safe, self-contained, small, in order."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from lifecycle.model import Change, Facts, Finding, Outcome, Place, Residual, Severity, Task, Week
from lifecycle.report import LANGUAGES, render
from lifecycle.report.page import MOST_ROWS
from lifecycle.report.sample import sample, scenes
from lifecycle.report.sections.order import SECTIONS

ATTACK = '<script>alert(1)</script>"><img src=https://evil.example.org/x onerror=alert(1)>\u202e{{7*7}}{x}'
SCENES = [(name, facts, language) for name, facts in scenes() for language in LANGUAGES]


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of that name."""
        return [attributes for name, attributes in self.tags if name == tag]


def read(facts: Facts, language: str = "de") -> Reader:
    """The page of these facts."""
    return Reader(render(facts, language, "html"))


@pytest.mark.parametrize(("name", "facts", "language"), SCENES, ids=lambda it: it if isinstance(it, str) else "")
def test_a_page_loads_nothing_and_runs_nothing(name: str, facts: Facts, language: str) -> None:
    """No script, no address, no inline style or handler; only anchors within the page."""
    page = render(facts, language, "html")
    reader = Reader(page)
    tags = {tag for tag, _ in reader.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image", "use"}
    assert all(str(link["href"]).startswith("#") for link in reader.all("a"))
    assert not re.search(rb"url\(|@import|(?:src|srcset|xlink:href|action)=", page)
    assert not [
        attributes for _, attributes in reader.tags if "style" in attributes or any(a[:2] == "on" for a in attributes)
    ]


def test_the_policy_allows_one_style_by_its_hash() -> None:
    """Whatever slipped in would not be obeyed."""
    page = render(sample(), "de", "html").decode()
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = next(meta["content"] for meta in read(sample()).all("meta") if "http-equiv" in meta)
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def attacked() -> Facts:
    """Facts in which every name is an attack."""
    facts = sample()
    rules = tuple(replace(rule, why=ATTACK, source=ATTACK, basis=ATTACK, dataset=ATTACK) for rule in facts.rules)
    entries = tuple(
        replace(entry, name=ATTACK, rule=ATTACK, places=(ATTACK,), state=ATTACK) for entry in facts.catalogue
    )
    return replace(
        facts, workspace=ATTACK, perspective=ATTACK, person_word=ATTACK, tool_version=ATTACK,
        places=(Place(ATTACK, ATTACK, ATTACK, 1),), rules=rules, catalogue=entries,
        tasks=(Task(ATTACK, ATTACK, None, {"place": ATTACK}), Task("confirm", "dpo", None, {"place": ATTACK})),
        ordered_by=ATTACK, approved_by=ATTACK, carried_out_by=ATTACK, verified_by=ATTACK, limits=(ATTACK,),
        checkpoint=(ATTACK,), verify_command=ATTACK, holds={ATTACK: 3}, checks={ATTACK: "passed"},
        stores=tuple(replace(store, store=ATTACK, dataset=ATTACK) for store in facts.stores),
        findings=(Finding(ATTACK, ATTACK, ATTACK, ATTACK, Severity.ERROR, 1, Outcome.FAILED, ATTACK),),
        residuals=(Residual(ATTACK, None),),
        changes=(Change("place", ATTACK, ATTACK, ATTACK), Change(ATTACK, ATTACK, None, 1)),
        finding_months={"2026-10": {ATTACK: 1}},
    )  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_html_in_any_name_stays_text(language: str) -> None:
    """A workspace, place, field or task may be called anything."""
    reader = read(attacked(), language)
    tags = {tag for tag, _ in reader.tags}
    assert not tags & {"script", "img"}
    assert not [a for _, attributes in reader.tags for a in attributes if a.startswith("on")]
    assert "\u202e" not in render(attacked(), language, "html").decode()
    assert "<script>alert(1)</script>" in "".join(reader.text)


def test_html_in_any_name_stays_text_in_json() -> None:
    """The JSON is data; it parses, and holds the name as it was."""
    page = json.loads(render(attacked(), "en", "json"))
    assert page["workspace"] == ATTACK


@pytest.mark.parametrize(("name", "facts", "language"), SCENES, ids=lambda it: it if isinstance(it, str) else "")
def test_a_page_is_built_for_everybody(name: str, facts: Facts, language: str) -> None:
    """Language, landmarks, headings in order, captions, scopes, unique ids, charts with title and description."""
    reader = read(facts, language)
    tags = [tag for tag, _ in reader.tags]
    assert reader.all("html") == [{"lang": language}]
    assert [tags.count(tag) for tag in ("main", "header", "nav", "footer", "h1")] == [1, 1, 1, 1, 1]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert tags.count("caption") == tags.count("table")
    assert all("scope" in head for head in reader.all("th"))
    ids = [attributes["id"] for _, attributes in reader.tags if attributes.get("id")]
    assert len(set(ids)) == len(ids)
    pictures = [one for one in reader.all("svg") if one.get("role") == "img"]
    assert all(set(str(one["aria-labelledby"]).split()) <= set(ids) for one in pictures)
    assert all(one.get("aria-hidden") == "true" for one in reader.all("svg") if one not in pictures)


@pytest.mark.parametrize("language", LANGUAGES)
def test_page_and_json_have_the_sections_in_the_same_order(language: str) -> None:
    """The order of the table of sections."""
    keys = [one.key for one in SECTIONS]
    assert [one["id"] for one in read(sample(), language).all("section")] == keys
    assert [one["key"] for one in json.loads(render(sample(), language, "json"))["sections"]] == keys


def test_an_outcome_is_a_word_and_a_shape() -> None:
    """No colour is needed to tell passed from failed from unknown."""
    page = render(dict(scenes())["leaks"], "de", "html").decode()
    shapes = dict(re.findall(r'<span class="mark (\w+)"><svg[^>]*>(.*?)</svg>', page, re.DOTALL))
    assert set(shapes) == {"passed", "failed", "unknown"}
    assert len(set(shapes.values())) == 3
    for outcome, word in (("passed", "bestanden"), ("failed", "Abweichung"), ("unknown", "nicht feststellbar")):
        assert re.search(rf'mark {outcome}">.*?<span>{word}</span>', page, re.DOTALL)


@pytest.mark.slow
def test_the_page_stays_small_however_much_there_is_to_say() -> None:
    """Ten thousand findings and twenty years of weeks: under 400 kB; the JSON is complete."""
    finding = Finding("undeclared-field", "events", "file 1", "notes", Severity.ERROR, 1, Outcome.FAILED, "webpush")
    facts = sample(
        findings=tuple(replace(finding, field=f"field{n}") for n in range(10_000)),
        age_weeks=tuple(Week(date_of(n), 1) for n in range(1040)),
        residuals=tuple(Residual(f"file {n}", None) for n in range(1000)),
    )
    page = render(facts, "de", "html")
    assert len(page) < 400_000
    assert f"und {10_000 - MOST_ROWS:,} weitere Zeilen".replace(",", ".") in page.decode()
    findings = next(one for one in json.loads(render(facts, "de", "json"))["sections"] if one["key"] == "findings")
    assert len(findings["tables"][0]["rows"]) == 10_000


def date_of(week: int) -> date:
    """The Monday that lies so many weeks before the sample's day."""
    return date(2026, 9, 28) - timedelta(weeks=week)


@pytest.mark.parametrize("format", ["html", "json"])
def test_the_same_facts_give_the_same_bytes(format: str) -> None:
    """No clock, no random name."""
    assert render(sample(), "de", format) == render(sample(), "de", format)


def test_no_week_is_so_narrow_that_it_is_a_day() -> None:
    """A row in the middle of a week moves to its Monday; single dates are not shown."""
    facts = sample(age_weeks=(Week(date(2026, 9, 23), 5),), due_weeks=())
    page = render(facts, "de", "html").decode()
    assert "Woche ab 21.09.2026" in page
    assert "23.09.2026" not in page
