"""Prose for notebooks: what the law says and what came out, in plain words of one language.

The texts lie in ``words/<language>.md``, one heading a text, so that whoever speaks the language can mend them.
Where a text depends on a number, the heading has a variant: ``## purge.result: none``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from lifecycle import report
from lifecycle.errors import UsageError
from lifecycle.report.speech import Speech
from lifecycle.workbench import facts, history, tables
from lifecycle.workbench.guard import guard_verbs
from lifecycle.workbench.results import OURS, Result
from lifecycle.workbench.workspace import Workspace

_DAYS = ("asOf",)
_WORDS = Path(__file__).parent / "words"


@dataclass(frozen=True)
class Prose:
    """A text as a notebook shows it: Markdown."""

    text: str

    def _repr_mimebundle_(self, **_asked: Any) -> tuple[dict[str, str], dict[str, bool]]:
        return {"text/markdown": self.text, "text/plain": self.text}, OURS


@dataclass(frozen=True)
class Markup:
    """Something drawn: HTML that was escaped where it was made, with the same in words."""

    html: str
    words: str = ""

    def _repr_mimebundle_(self, **_asked: Any) -> tuple[dict[str, str], dict[str, bool]]:
        return {"text/html": self.html, "text/plain": self.words}, OURS


@guard_verbs
class Teller:
    """Tells in one language what a notebook does and what came of it.

    Parameters
    ----------
    workspace : Workspace
    language : {"de", "en"}

    Raises
    ------
    UsageError
        There is no such language.
    """

    def __init__(self, workspace: Workspace, language: str) -> None:
        self._workspace = workspace
        self._language = tables.refuse_language(language)
        tables.speak(language)
        self._say = Speech(language, workspace.settings.person_word)
        self._page: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Teller({self._language!r})"

    def __call__(self, name: str, result: Result | None = None) -> Prose:
        """Return a text; with a result, the variant that its numbers ask for, filled with them."""
        values = result.to_json() if result is not None else {}
        text = _text(self._language, name, _variant(result, values) if result is not None else "")
        return Prose(text.format_map({**self._own(), **self._spoken(values)}))

    def table(self, result: Result) -> Markup:
        """Return a result as tables with headings of this language; searched and sorted by the reader."""
        return Markup(tables.result_html(result, self._language), repr(sorted(result.summary().items())))

    def sections(self, *names: str) -> Markup:
        """Return sections of the latest run's report (of the workspace, where there is no run), charts among them.

        Parameters
        ----------
        *names : str
            Keys of the report's sections, such as ``summary``, ``todo``, ``stores`` or ``charts``.
        """
        page = self._report()
        missing = [name for name in names if name not in page]
        if missing:
            raise UsageError("The report has no such section.", f"one of: {', '.join(page)}")
        body = "".join(page[name] for name in names)
        words = re.sub(r"\s+", " ", re.sub(r"<style.*?</style>|<svg.*?</svg>|<[^>]+>", " ", body, flags=re.DOTALL))
        return Markup(f'<div class="lifecycle lifecycle-page"><style>{_STYLE}</style>{body}</div>', words.strip())

    def runs(self) -> Markup:
        """Return the runs so far, the latest first: what was due, deleted, held and left, and who approved."""
        ledger = self._workspace.ledger()
        rows = [_run_row(facts.read_run(ledger, run_id)) for run_id in reversed(ledger.runs())]
        if not rows:
            return Markup(f"<p>{escape(_text(self._language, 'runs.none', ''))}</p>")
        return Markup(f'<div class="lifecycle">{tables.table_html(rows, self._say)}</div>', f"{len(rows)} runs")

    def _report(self) -> dict[str, str]:
        if not self._page:
            run_id = facts.latest_run(self._workspace.ledger())
            said = facts.gather(self._workspace, run_id, (), self._workspace.today)
            said = history.with_past(self._workspace, said, compare=False)
            html = report.render(said, self._language, "html").decode()
            found = re.findall(r'<section id="(\w+)".*?</section>', html, re.DOTALL)
            parts = [part[0] for part in re.finditer(r'<section id="\w+".*?</section>', html, re.DOTALL)]
            self._page = {name: _plain_ids(part) for name, part in zip(found, parts, strict=True)}
        return self._page

    def _own(self) -> dict[str, str]:
        settings = self._workspace.settings
        return {
            "workspace": _defused(settings.name),
            "people": self._say("people.person") if not settings.person_word else settings.person_word,
            "today": self._say.day(self._workspace.today),
            "days": str(settings.rule("appointments").period_days),
            "basis": self._say.word("basis", settings.rule("appointments").basis),
        }

    def _spoken(self, values: Mapping[str, Any]) -> dict[str, str]:
        spoken = {}
        for name, value in values.items():
            if isinstance(value, bool):
                continue
            if isinstance(value, int):
                spoken[name] = self._say.number(value)
            elif isinstance(value, list):
                spoken[name] = self._say.number(len(value))
            elif name in _DAYS and value:
                spoken[name] = self._say.day(date.fromisoformat(value))
            else:
                spoken[name] = _defused(str(value))
        return spoken


def _run_row(run: facts.RunState) -> dict[str, Any]:
    counts = run.predicate.get("counts", {})
    return {
        "runId": run.run_id,
        "asOf": run.plan.as_of.isoformat(),
        "state": run.outcome,
        "due": run.plan.due,
        "deleted": counts.get("deleted", 0),
        "held": run.plan.held,
        "failed": counts.get("failed", 0),
        "approvedBy": run.approval.role if run.approval else None,
    }


_MAIN_NUMBER = ("deleted", "due", "read", "holds", "files")


def _variant(result: Result, values: Mapping[str, Any]) -> str:
    """Which variant of a text a result asks for: its outcome where it has one and that is bad, else none, one, many."""
    outcome = str(values.get("outcome", ""))
    if outcome and outcome not in ("sealed",):
        return outcome
    for name in _MAIN_NUMBER:
        if name in values:
            number = len(values[name]) if isinstance(values[name], list) else values[name]
            if result.problem() is not None:
                return "problem"
            return "none" if number == 0 else "one" if number == 1 else "many"
    return ""


@cache
def _texts(language: str) -> dict[str, str]:
    # A heading of a text is a name; headings inside a text are words.
    name = re.compile(r"^## ([a-z]+\.[a-z]+(?:: \w+)?)$", re.MULTILINE)
    parts = name.split((_WORDS / f"{language}.md").read_text(encoding="utf-8"))[1:]
    return {parts[at]: parts[at + 1].strip() for at in range(0, len(parts), 2)}


def _text(language: str, name: str, variant: str) -> str:
    texts = _texts(language)
    for key in (f"{name}: {variant}", f"{name}: many" if variant == "one" else name, name):
        if key in texts:
            return texts[key]
    raise UsageError("There is no text of this name.", "lifecycle/workbench/words: one heading a text")


def _defused(text: str) -> str:
    """Text that means nothing in Markdown or HTML, whatever a workspace is called."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~$])", r"\\\1", "".join(c if c.isprintable() else "\ufffd" for c in text))


def _plain_ids(section: str) -> str:
    """A section for a notebook: one drawing of each chart, and ids that do not collide with others in the page."""
    section = re.sub(r'<svg class="drawing narrow".*?</svg>', "", section, flags=re.DOTALL)
    return re.sub(r'\b(id|aria-labelledby)="([^"]+)"', _prefixed, section)


def _prefixed(match: re.Match[str]) -> str:
    return f'{match[1]}="{" ".join("lifecycle-" + name for name in match[2].split())}"'


_STYLE = (
    ".lifecycle-page h3{display:flex;gap:.6em;align-items:baseline;font-size:1.15em;margin:1em 0 .3em}"
    ".lifecycle-page .number{display:none}"
    ".lifecycle-page .mark{display:inline-flex;gap:.35em;align-items:center;font-size:.85em}"
    ".lifecycle-page .shape{width:1em;height:1em;flex:none}"
    ".lifecycle-page figure{margin:.6em 0}"
    ".lifecycle-page .drawing{max-width:100%;height:auto;display:block}"
    ".lifecycle-page svg .label,.lifecycle-page svg .line{fill:var(--jp-content-font-color1,currentColor)}"
    ".lifecycle-page svg .grid{stroke:var(--jp-border-color2,#8886)}"
    ".lifecycle-page svg .bar{fill:var(--jp-brand-color1,#1f7c8a)}.lifecycle-page svg .past{fill:#d0482f}"
    ".lifecycle-page svg .halo{stroke:var(--jp-layout-color0,transparent)}"
    ".lifecycle-page svg .strong,.lifecycle-page svg .thin{stroke:var(--jp-content-font-color1,currentColor)}"
    ".lifecycle-page .scroll{overflow-x:auto}"
    ".lifecycle-page table{border-collapse:collapse;text-align:left}"
    ".lifecycle-page caption{text-align:left;caption-side:top;color:var(--jp-content-font-color2,currentColor)}"
    ".lifecycle-page h3 .jp-InternalAnchorLink{display:none}"
    ".lifecycle-page table tbody th{font-weight:400}"
    ".lifecycle-page table th,.lifecycle-page table td{text-align:left!important;vertical-align:top;white-space:normal;"
    "max-width:none;padding:.3em .9em .3em 0;border-bottom:1px solid var(--jp-border-color2,#8886)}"
    ".lifecycle-page table .figure{text-align:right!important;white-space:nowrap}"
)
