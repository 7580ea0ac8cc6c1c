"""The one table of papers: which sections each has, in their order, and what stands at its head.

To add a paper: write its sections in a file of this folder, name it here, and give its titles
(``title.<paper>-<section>``) and words in both catalogues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lifecycle.errors import UsageError
from lifecycle.model import Outcome
from lifecycle.report.content import Section
from lifecycle.report.document import Document, origin_of, written
from lifecycle.report.papers import concept, duties, month, record
from lifecycle.report.papers.terms import Month, Policy
from lifecycle.report.speech import Speech, clean

CONCEPT: tuple[Section[Policy], ...] = (
    concept.summary,
    concept.todo,
    concept.scope,
    concept.types,
    concept.classes,
    concept.rules,
    concept.start,
    concept.basis,
    duties.places,
    duties.systems,
    duties.crossing,
    duties.manual,
    duties.processors,
    duties.slack,
    duties.backups,
    duties.exceptions,
    duties.responsible,
    duties.evidence,
    duties.limits,
    duties.upkeep,
)


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper.

    ``sections`` may depend on the facts (a practice's record differs from a provider's); ``head`` is what stands at
    its head beside its date; ``stem`` begins its file names.
    """

    sections: Callable[[Any], tuple[Section[Any], ...]]
    outcome: Callable[[Any], Outcome]
    head: Callable[[Any, Speech], tuple[str, str]]
    stem: Callable[[Any], str]
    numbered: bool = False


def _policy_head(policy: Policy, say: Speech) -> tuple[str, str]:
    return say("paper.version"), policy.policy_sha256[:16]


def _month_head(one: Month, say: Speech) -> tuple[str, str]:
    return say("month.month"), say.month_name(one.first)


PAPERS: Mapping[str, Paper] = {
    "concept": Paper(lambda _: CONCEPT, concept.concept_outcome, _policy_head, lambda _: "concept", numbered=True),
    "record": Paper(record.entry, record.record_outcome, _policy_head, lambda _: "record"),
    "month": Paper(
        sections=lambda _: month.SECTIONS,
        outcome=month.month_outcome,
        head=_month_head,
        stem=lambda one: f"month-{one.first:%Y-%m}",
        numbered=True,
    ),
}


def stem_of(name: str, facts: Policy | Month) -> str:
    """How the file names of a paper begin."""
    return _paper(name).stem(facts)


def write_paper(name: str, facts: Policy | Month, language: str) -> Document:
    """Write every section of a paper.

    Raises
    ------
    UsageError
        There is no such paper, or no such language.
    """
    paper = _paper(name)
    say = Speech(language, facts.person_word)
    title = say(f"paper.{name}")
    return Document(
        facts=facts,
        say=say,
        title=title,
        outcome=paper.outcome(facts),
        head=(
            (say("page.perspective"), say.word("perspective", facts.perspective)),
            (say("page.as-of"), say.day(facts.as_of)),
            paper.head(facts, say),
            *origin_of(facts, say),
        ),
        parts=written(paper.sections(facts), facts, say, f"{name}-"),
        identity={"document": name},
        name=paper.stem(facts),
        line=clean(say("paper.line", title=title, as_of=facts.as_of)),
        numbered=paper.numbered,
    )


def _paper(name: str) -> Paper:
    if name not in PAPERS:
        raise UsageError("There is no such document.", f"one of: {', '.join(PAPERS)}")
    return PAPERS[name]
