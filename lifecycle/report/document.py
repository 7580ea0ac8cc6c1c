"""A report before it has a format: every section written once, for one set of facts in one language."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.model import Facts, Outcome, as_json
from lifecycle.report.content import Part, Section
from lifecycle.report.sections.order import SECTIONS
from lifecycle.report.speech import Speech, clean
from lifecycle.report.standing import overall
from lifecycle.report.sums import check_sums


@dataclass(frozen=True, slots=True)
class Document:
    """Title, facts for the head of the page, and the sections in their order."""

    facts: Facts
    say: Speech
    title: str
    outcome: Outcome
    head: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]


def write_document(facts: Facts, language: str) -> Document:
    """Write every section.

    Raises
    ------
    UsageError
        The language is not one of ``LANGUAGES``.
    EvidenceError
        The numbers do not add up.
    """
    say = Speech(language, facts.person_word)
    check_sums(facts)
    values = as_json(facts)
    parts = tuple(_part(section, facts, say, values) for section in SECTIONS)
    return Document(facts, say, _title(facts, say), overall(facts), _head(facts, say), parts)


def _part(section: Section, facts: Facts, say: Speech, values: dict[str, object]) -> Part:
    data = {name: values[name] for name in section.fields}
    return Part(section.key, say(f"title.{section.key}"), section.body(facts, say), section.first_page, data)


def _title(facts: Facts, say: Speech) -> str:
    """A deletion record only where what was due is gone; a run that deleted nothing of it has none to show."""
    if facts.outcome == "none":
        return say("page.inventory")
    done = facts.outcome == "sealed" and not facts.failed and (facts.deleted or not facts.due)
    return say("page.record" if done else "page.run")


def _head(facts: Facts, say: Speech) -> tuple[tuple[str, str], ...]:
    return (
        (say("page.perspective"), say.word("perspective", facts.perspective)),
        (say("page.as-of"), say.day(facts.as_of)),
        (say("page.run-id"), facts.run_id or say("page.no-run")),
        (say("page.written"), say.moment(facts.written_at)),
        (say("page.tool"), clean(f"lifecycle {facts.tool_version}")),
    )
