"""The linter: a registry of template checks, each with a good and a bad example, and the one function that runs them.

A check is a generator over one template (``View``) that yields a ``Hit`` for each place. It never opens a link and
never sees a real person: what it says about values it learnt from the made-up bookings.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lifecycle.mail.fixtures import FIXTURES, Fixture
from lifecycle.mail.house import HouseRules
from lifecycle.mail.markup import Document, parse, visible_text
from lifecycle.mail.placeholders import Registry, Seen
from lifecycle.mail.render import fill, suppresses
from lifecycle.mail.setup import Setup
from lifecycle.mail.templates import Template, Templates, template_from_text
from lifecycle.model import Outcome, Severity, TemplateFinding

SUBJECT = -1
"""The ``at`` of a hit in the subject line."""

WHOLE = -2
"""The ``at`` of a hit that concerns the template as a whole: reported at line 1."""

SEVERITY_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


@dataclass(frozen=True, slots=True)
class Hit:
    """One place a check found: the piece of the template, where it starts, and what the message needs."""

    token: str
    at: int = WHOLE
    detail: Mapping[str, str] = field(default_factory=dict)
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A template file's text, with the set-up and rules under which it is looked at, and its neighbours."""

    text: str
    name: str = "confirmation.de.html"
    setup: Setup | None = None
    house: HouseRules = field(default_factory=lambda: HouseRules(imprint=False, privacy=False))
    beside: tuple[tuple[str, str], ...] = ()
    registry: Registry = field(default_factory=Registry)


@dataclass(frozen=True, slots=True)
class Check:
    """A registered check: its name, severity, messages by language, and its two examples.

    ``on`` says which templates it looks at: ``any``, ``email``, ``sms`` or ``html``. ``once`` reports a token
    for the first template only.
    """

    name: str
    severity: Severity
    on: str
    messages: Mapping[str, str]
    good: Example
    bad: Example
    run: Callable[[View], Iterable[Hit]]
    once: bool = False


class View:
    """One template as the checks see it; everything costly is worked out once and shared."""

    def __init__(
        self, template: Template, all_templates: Templates, setup: Setup | None, house: HouseRules, own: Fixtures
    ) -> None:
        self.template = template
        self.all_templates = all_templates
        self.registry: Registry = all_templates.registry
        self.setup = setup
        self.house = house
        self.fixtures = own
        self.worked_out: dict[str, Any] = {}

    @cached_property
    def document(self) -> Document:
        """The parsed HTML."""
        return parse(self.template.body)

    @cached_property
    def tokens(self) -> tuple[Seen, ...]:
        """The tokens of the body."""
        return tuple(self.registry.scan(self.template.body))

    @cached_property
    def subject_tokens(self) -> tuple[Seen, ...]:
        """The tokens of the subject."""
        return tuple(self.registry.scan(self.template.subject))

    @cached_property
    def text(self) -> str:
        """The visible text with its tokens still in it, links in angle brackets."""
        return visible_text(self.template.body) if self.template.format == "html" else self.template.body

    @cached_property
    def suppressed(self) -> bool:
        """Whether ``NOEMAIL`` keeps the mail from being sent."""
        return self.template.channel == "email" and suppresses(self.template, self.registry)

    @cached_property
    def filled(self) -> tuple[tuple[Fixture, str, str], ...]:
        """The visible text and the subject, filled with every made-up booking."""
        body, subject = self.text, self.template.subject
        return tuple(
            (item, fill(body, values, self.registry, False)[0], fill(subject, values, self.registry, False)[0])
            for item, values in self.fixtures.values(self.template.language)
        )

    def meanings(self, *meanings: str) -> list[Seen]:
        """Return the tokens of the body that stand for one of the meanings."""
        return [seen for seen in self.tokens if seen.placeholder and seen.placeholder.meaning in meanings]


class Fixtures:
    """The made-up bookings with their values worked out once per language."""

    def __init__(self, items: tuple[Fixture, ...] = FIXTURES) -> None:
        self.items = items
        self._values: dict[str, tuple[tuple[Fixture, Mapping[str, str]], ...]] = {}

    def values(self, language: str) -> tuple[tuple[Fixture, Mapping[str, str]], ...]:
        """Return each booking with its values in one language."""
        if language not in self._values:
            self._values[language] = tuple((item, item.values(language)) for item in self.items)
        return self._values[language]


Key = tuple[Template, bool, Registry]
Memory = dict[Key, tuple[TemplateFinding, ...]]
"""What ``lint`` found in each template, by everything that its findings depend on from one call to the next."""

_CHECKS: dict[str, Check] = {}


def template_check(
    name: str,
    severity: Severity,
    *,
    de: str,
    en: str,
    good: Example,
    bad: Example,
    on: str = "any",
    once: bool = False,
) -> Callable[[Callable[[View], Iterable[Hit]]], Callable[[View], Iterable[Hit]]]:
    """Register a check under its name, with its messages and its examples."""

    def register(function: Callable[[View], Iterable[Hit]]) -> Callable[[View], Iterable[Hit]]:
        assert name not in _CHECKS, name
        _CHECKS[name] = Check(name, severity, on, {"de": de, "en": en}, good, bad, function, once)
        return function

    return register


def checks() -> tuple[Check, ...]:
    """Return every check; the modules below ``checks`` are found by themselves, in the order of their names."""
    package = importlib.import_module("lifecycle.mail.checks")
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"lifecycle.mail.checks.{module}")
    return tuple(_CHECKS.values())


def lint(
    templates: Templates,
    setup: Setup | None = None,
    house: HouseRules | None = None,
    *,
    language: str = "de",
    fixtures: tuple[Fixture, ...] = FIXTURES,
    memory: Memory | None = None,
) -> tuple[TemplateFinding, ...]:
    """Look at every template with every check.

    Parameters
    ----------
    templates : Templates
    setup : Setup, optional
        The set-up of the connection; without it the checks that need it stay silent.
    house : HouseRules, optional
    language : str
        Of the messages, ``de`` or ``en``.
    fixtures : tuple of Fixture
        The bookings that each template is filled with.
    memory : dict, optional
        What the last call found, with the same set-up, rules, language and bookings: templates that have not
        changed are not looked at again.

    Returns
    -------
    tuple of TemplateFinding
        Each once, also if several templates share the part it lies in; errors first, then by file and line.
    """
    found: dict[tuple[str, str, int, str], TemplateFinding] = {}
    shared = Fixtures(fixtures)
    single = {check.name for check in checks() if check.once}
    seen: Memory = {}
    for template in templates:
        known = _recalled(template, templates, memory)
        if known is None:
            view = View(template, templates, setup, house or HouseRules(), shared)
            known = tuple(_findings(view, language))
        seen[_key(template, templates)] = known
        for finding in known:
            place = ("", 0) if finding.check in single else (finding.template, finding.line)
            found.setdefault((place[0], finding.check, place[1], finding.token), finding)
    if memory is not None:
        memory.clear()
        memory.update(seen)
    return tuple(sorted(found.values(), key=lambda f: (SEVERITY_ORDER[f.severity], f.template, f.line, f.check)))


def _key(template: Template, templates: Templates) -> Key:
    # of its neighbours a check asks only whether the same text lies there in the other format
    return template, templates.sibling(template, "text") is not None, templates.registry


def _recalled(template: Template, templates: Templates, memory: Memory | None) -> tuple[TemplateFinding, ...] | None:
    return memory.get(_key(template, templates)) if memory else None


def outcome_of(findings: Iterable[TemplateFinding]) -> Outcome:
    """Return failed where there is an error or a warning; notes alone pass."""
    return Outcome.FAILED if any(f.severity is not Severity.NOTE for f in findings) else Outcome.PASSED


def _findings(view: View, language: str) -> Iterator[TemplateFinding]:
    for check in checks():
        if applies(check, view.template):
            for hit in check.run(view):
                name, line = _place(view.template, hit.at)
                token = _one_line(hit.token)
                message = check.messages[language].format_map({"token": token, **hit.detail})
                yield TemplateFinding(name, check.name, hit.severity or check.severity, line, token, message)


def applies(check: Check, template: Template) -> bool:
    """Return whether a check looks at a template at all."""
    return {
        "any": True,
        "email": template.channel == "email",
        "sms": template.channel == "sms",
        "html": template.format == "html",
    }[check.on]


def _place(template: Template, at: int) -> tuple[str, int]:
    if at == SUBJECT:
        return template.name, template.subject_line
    return (template.name, 1) if at == WHOLE else template.where(at)


def _one_line(text: str) -> str:
    shown = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return shown if len(shown) <= 80 else shown[:79] + "…"


def lint_example(example: Example) -> tuple[TemplateFinding, ...]:
    """Lint one example, as the tests do for every registered check."""
    names = ((example.name, example.text), *example.beside)
    items = tuple(template_from_text(text, name) for name, text in names)
    return lint(Templates(Path(), items, example.registry), example.setup, example.house)


def mail(body: str, subject: str = "Ihr Termin", kind: str = "confirmation", **more: str) -> str:
    """Return the text of a template file, for examples and tests."""
    head = {"kind": kind, "channel": "email", "language": "de", "subject": f'"{subject}"', **more}
    return "---\n" + "".join(f"{key}: {value}\n" for key, value in head.items()) + f"---\n{body}\n"


def sms(body: str, kind: str = "confirmation", **more: str) -> str:
    """Return the text of an SMS template file, for examples and tests."""
    head = {"kind": kind, "channel": "sms", "language": "de", **more}
    return "---\n" + "".join(f"{key}: {value}\n" for key, value in head.items()) + f"---\n{body}\n"
