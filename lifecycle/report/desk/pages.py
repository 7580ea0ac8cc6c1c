"""The one table of local pages: which sections each has, in their order.

To add a page: name its sections here, and give it a title (``desk.page-<name>``) in both catalogues.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lifecycle.errors import UsageError
from lifecycle.model import Facts
from lifecycle.report.content import Part, Section
from lifecycle.report.desk import sections as own
from lifecycle.report.desk.terms import Desk, Front, Line
from lifecycle.report.document import written
from lifecycle.report.page import environment, page_values
from lifecycle.report.sections import charts, data, first, run
from lifecycle.report.speech import LANGUAGES, Speech

_LOOKS = Path(__file__).parents[1] / "looks"

PAGES: Mapping[str, tuple[Section[Any], ...]] = {
    "overview": (
        first.summary,
        first.todo,
        own.SOON,
        own.CHANGED,
        first.numbers,
        first.two_dates,
        first.rule,
        first.roles,
        first.limits,
        first.verify,
    ),
    "findings": (data.findings, data.drift, data.stores, run.catalogue),
    "calendar": (charts.charts, own.SOON, run.residuals),
    "runs": (own.RUNS, run.checks, run.residue),
    "verify": (own.VERIFIED,),
    "holds": (own.HOLDS,),
    "templates": (own.TEMPLATES,),
}
"""In the order of the way from page to page; ``verify`` is reached from the runs."""

TABS = tuple(name for name in PAGES if name != "verify")

_OWN = frozenset(section.key for section in (own.SOON, own.CHANGED, own.RUNS, own.VERIFIED, own.HOLDS, own.TEMPLATES))
_TYPES = {"css": "text/css", "js": "text/javascript"}


def desk_page(name: str, desk: Desk, language: str, *, many: bool) -> bytes:
    """Write one page about one workspace; ``many`` says whether there are others to go back to.

    Raises
    ------
    UsageError
        There is no such page, or no such language.
    """
    if name not in PAGES:
        raise UsageError("There is no such page.", f"one of: {', '.join(PAGES)}")
    say = Speech(language, desk.facts.person_word)
    parts = tuple(part for section in PAGES[name] for part in _part(section, desk, say))
    checked = say("desk.checked", at=desk.checked_at) if desk.checked_at else say("desk.checking")
    return _page(
        say,
        title=say(f"desk.page-{name}"),
        name=desk.facts.workspace,
        parts=parts,
        current="runs" if name == "verify" else name,
        here=name,
        number=desk.number,
        many=many,
        told="" if name == "verify" else checked,
        version=desk.facts.tool_version,
    )


def front_page(front: Front, language: str, *, version: str) -> bytes:
    """Write the page with all workspaces side by side."""
    say = Speech(language)
    parts = written((own.SIDE_BY_SIDE,), front, say, "desk-")
    title = say("desk.page-front")
    return _page(say, title=title, name="lifecycle", parts=parts, number=0, many=True, told="", version=version)


def trouble_page(line: Line, language: str, *, many: bool, version: str) -> bytes:
    """Write the page of a workspace about which nothing can be said: why, or that the first look is not over."""
    say = Speech(language)
    word = line.trouble or say("desk.first-look")
    title = say("desk.front-trouble") if line.trouble else say("desk.front-looking")
    return _page(
        say, title=title, name=line.name, parts=(), number=line.number, many=many, told=word, version=version
    )  # fmt: skip


def asset(name: str) -> tuple[bytes, str]:
    """Return a file that the pages load, and its media type.

    Raises
    ------
    KeyError
        There is no such file.
    """
    files = {"desk.css": ("page.css", "screen.css", "desk.css"), "desk.js": ("desk.js",)}[name]
    content = "".join((_LOOKS / file).read_text(encoding="utf-8") for file in files)
    return content.encode(), _TYPES[name.rpartition(".")[2]]


def _part(section: Section[Any], desk: Desk, say: Speech) -> tuple[Part, ...]:
    if section in (run.checks, run.residue) and not desk.facts.checks:
        return ()  # the latest run deleted nothing, and the sentence of a report would stand there without its context
    if section.key in _OWN:
        return written((section,), desk, say, "desk-")
    facts: Facts = desk.facts
    return written((section,), facts, say)


def _page(
    say: Speech, *, parts: tuple[Part, ...], number: int, here: str = "", current: str = "", **words: Any
) -> bytes:
    page = environment().get_template("desk.html.j2").render(
        parts=parts,
        number=number,
        here=here,
        current=current,
        tabs=tuple((name, say(f"desk.page-{name}")) for name in TABS) if current else (),
        languages=tuple((code, say.word("language", code)) for code in LANGUAGES),
        **page_values(say),
        **words,
    )  # fmt: skip
    return page.encode()
