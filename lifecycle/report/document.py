"""A report or another paper before it has a format: every section written once, in one language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from lifecycle.model import Facts, Outcome, as_json
from lifecycle.report.content import F, Part, Section
from lifecycle.report.sections.order import SECTIONS
from lifecycle.report.speech import Speech, clean
from lifecycle.report.standing import overall
from lifecycle.report.sums import check_sums


class Subject(Protocol):
    """What every paper knows of where it comes from."""

    @property
    def workspace(self) -> str: ...
    @property
    def as_of(self) -> date: ...
    @property
    def written_at(self) -> datetime: ...
    @property
    def tool_version(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Document:
    """Title, facts for the head of the page, and the sections in their order.

    ``identity`` stands at the top of the JSON, ``name`` in the page's title, ``line`` at the foot of every page;
    ``numbered`` goes on counting in the sections after the first page.
    """

    facts: Subject
    say: Speech
    title: str
    outcome: Outcome
    head: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    identity: Mapping[str, Any]
    name: str
    line: str
    numbered: bool = False


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
    return Document(
        facts=facts,
        say=say,
        title=_title(facts, say),
        outcome=overall(facts),
        head=_head(facts, say),
        parts=written(SECTIONS, facts, say),
        identity={"runId": facts.run_id},
        name=facts.run_id or facts.as_of.isoformat(),
        line=say("page.line", run=facts.run_id or "–", as_of=facts.as_of),
    )


def written(sections: Iterable[Section[F]], facts: F, say: Speech, paper: str = "") -> tuple[Part, ...]:
    """Write sections; the message ids of their titles begin with ``title.`` and the name of the paper."""
    values = as_json(facts)
    return tuple(_part(section, facts, say, values, paper) for section in sections)


def _part(section: Section[F], facts: F, say: Speech, values: dict[str, object], paper: str) -> Part:
    data = {name: values[name] for name in section.fields}
    return Part(section.key, say(f"title.{paper}{section.key}"), section.body(facts, say), section.first_page, data)


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
        *origin_of(facts, say),
    )


def origin_of(facts: Subject, say: Speech) -> tuple[tuple[str, str], ...]:
    """When a paper was written, and by which version."""
    return (
        (say("page.written"), say.moment(facts.written_at)),
        (say("page.tool"), clean(f"lifecycle {facts.tool_version}")),
    )
