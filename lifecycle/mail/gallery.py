"""The preview of all templates: one page for the local server and for the static folder, from the same data.

The page holds no values but those of the made-up bookings, loads nothing from outside and runs one script of ours.
Mails are shown in sandboxed frames without scripts.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lifecycle.errors import LifecycleError, TemplateError, UsageError
from lifecycle.mail import history
from lifecycle.mail.compare import Received, compare, compared, summary
from lifecycle.mail.fixtures import FIXTURES, Fixture
from lifecycle.mail.house import HouseRules
from lifecycle.mail.learnt import KEPT, KIND_WORDS, TOLD_NOTHING, fits
from lifecycle.mail.lint import Memory, lint
from lifecycle.mail.render import Rendered, render
from lifecycle.mail.setup import Setup
from lifecycle.mail.sms import sms_segments
from lifecycle.mail.templates import Template, Templates, load_templates
from lifecycle.mail.words import WORDS
from lifecycle.model import TemplateFinding, as_json

PAGES = Path(__file__).resolve().parent / "pages"
ASSETS = {"gallery.css": "text/css; charset=utf-8", "gallery.js": "text/javascript; charset=utf-8"}
FIRST_WORDS = 140
"""Characters of a mail that a lock screen shows beside the subject."""
SCHEMES = ("light", "dark")

_SCHEME_QUERY = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)


@dataclass
class Gallery:
    """What the preview server shows: loads the templates, again whenever asked, and answers for them.

    Parameters
    ----------
    paths : tuple of Path
        Folders and files, as given to ``load_templates``.
    language : str
        Of the page and its messages, ``de`` or ``en``.
    state : Path or None
        The file that remembers what was copied (digests only); None remembers nothing.
    dump : bytes or None
        A REST service dump, whose texts are laid beside the overrides.
    extra : tuple of Fixture
        Further bookings, such as a real record on explicit request; shown, never written.
    mail : Received or None
        A real test mail to lay beside the texts; shown, never written.
    """

    paths: tuple[Path, ...]
    setup: Setup | None = None
    house: HouseRules = field(default_factory=HouseRules)
    language: str = "de"
    state: Path | None = None
    dump: bytes | None = None
    extra: tuple[Fixture, ...] = ()
    mail: Received | None = None

    def __post_init__(self) -> None:
        self._templates: Templates | None = None
        self._error: LifecycleError | None = None
        self._findings: tuple[TemplateFinding, ...] = ()
        self._memory: Memory = {}
        self.reload()
        self.check()

    @property
    def fixtures(self) -> tuple[Fixture, ...]:
        """The made-up bookings and the extra ones."""
        return (*FIXTURES, *self.extra)

    def reload(self) -> None:
        """Read everything again. A file that cannot be read becomes the page's message; the last good state stays."""
        try:
            self._templates = load_templates(self.paths)
            self._error = None
        except LifecycleError as error:
            self._error = error

    def check(self) -> None:
        """Lint what was loaded: apart from ``reload``, so that a saved change is shown before it is judged."""
        if self._templates is not None:
            self._findings = lint(self._templates, self.setup, self.house, language=self.language, memory=self._memory)

    def snapshot(self) -> Mapping[str, Any]:
        """Return what the page lists: templates with findings, bookings, words."""
        shown = self._error
        return {
            "language": self.language,
            "words": WORDS[self.language],
            "error": {"fact": shown.fact, "hint": shown.hint} if shown else None,
            "templates": [self._entry(item) for item in self._templates or ()],
            "fixtures": [{"name": item.name, "title": item.title[self.language]} for item in self.fixtures],
            "mail": self._best(),
        }

    def _best(self) -> str | None:
        """The template that the test mail fits best; empty if none fits, None if there is no mail."""
        if self.mail is None:
            return None
        try:
            return compare(self._templates, self.mail).template if self._templates else ""
        except TemplateError:
            return ""

    def _entry(self, item: Template) -> dict[str, Any]:
        own = {item.name, *(piece.source for piece in item.pieces)}
        copied = history.copied(item, self.state) if self.state else history.Copied(None)
        return {
            "name": item.name,
            "kind": item.kind,
            "channel": item.channel,
            "language": item.language,
            "format": item.format,
            "override": item.service or item.calendar,
            "findings": [as_json(f) for f in self._findings if f.template in own],
            "copied": {**as_json(copied), "current": copied.current},
        }

    def view(self, template: str, fixture: str) -> Mapping[str, Any]:
        """Return one template filled with one booking, with what stands around it."""
        item, booking = self._find(template, fixture)
        assert self._templates is not None
        return view_of(item, render(item, booking, self._templates.registry), booking, self.house)

    def frame(self, template: str, fixture: str, scheme: str) -> str:
        """Return the HTML of a filled mail in one colour scheme, for a sandboxed frame."""
        item, booking = self._find(template, fixture)
        assert self._templates is not None
        return in_scheme(render(item, booking, self._templates.registry).html, scheme)

    def changes(self, template: str) -> Mapping[str, Any]:
        """Return the difference to the last commit (``commit``) and to eTermin's own text (``etermin``).

        None stands for: nothing to compare with.
        """
        item = self._find(template, FIXTURES[0].name)[0]
        assert self._templates is not None
        found = history.compare_dump(self._templates, self.dump) if self.dump else ()
        beside = next((other for other in found if other.template == item.name), None)
        return {"commit": history.changed_since_commit(item), "etermin": beside.diff if beside else None}

    def compared(self, template: str) -> Mapping[str, Any]:
        """Return the test mail beside a template: its head, which token became what, and how much text arrived."""
        item = self._find(template, FIXTURES[0].name)[0]
        if self.mail is None or self._templates is None:
            raise TemplateError("There is no test mail.", "lifecycle preview serve --mail FILE.eml")
        registry, words = self._templates.registry, KIND_WORDS[self.language]
        found = compared(item, self.mail, registry)
        return {
            "subject": self.mail.subject,
            "sender": self.mail.sender,
            "html": found.has_html,
            "text": self.mail.text,
            "summary": summary(found, self.language),
            "tokens": [
                {
                    "token": seen.token,
                    "kind": words[seen.kind],
                    "known": seen.kind not in TOLD_NOTHING,
                    "fits": seen.kind != KEPT and fits(registry.placeholders[seen.token].meaning, seen.kind)
                    if seen.token in registry.placeholders
                    else False,
                }
                for seen in found.tokens
            ],
        }

    def mail_frame(self, scheme: str) -> str:
        """Return the HTML part of the test mail in one colour scheme, for a sandboxed frame."""
        return in_scheme(self.mail.html, scheme) if self.mail else ""

    def mark_copied(self, template: str) -> None:
        """Remember that the text was copied just now."""
        if self.state:
            history.mark_copied(self._find(template, FIXTURES[0].name)[0], self.state, datetime.now(UTC))

    def page(self) -> str:
        """Return the page for the server: style and script by address, data by request."""
        return _page(self.language, WORDS[self.language]["title"], live=True)

    def asset(self, name: str) -> tuple[bytes, str]:
        """Return a style sheet or script of the page with its media type; ``KeyError`` for any other name."""
        return (PAGES / name).read_bytes(), ASSETS[name]

    def watched(self) -> tuple[Path, ...]:
        """Return the folders whose files the page shows."""
        return tuple(dict.fromkeys(path if path.is_dir() else path.parent for path in self.paths))

    def _find(self, template: str, fixture: str) -> tuple[Template, Fixture]:
        found = next((item for item in self._templates or () if item.name == template), None)
        booking = next((item for item in self.fixtures if item.name == fixture), None)
        if found is None or booking is None:
            raise TemplateError("There is no such template or booking.", "reload the page")
        return found, booking


def view_of(item: Template, done: Rendered, booking: Fixture, house: HouseRules) -> dict[str, Any]:
    """Return a filled template as JSON values; ``source`` is exactly the text to paste into eTermin."""
    cost = sms_segments(done.sms, house.sms_price) if item.channel == "sms" else None
    return {
        "template": item.name,
        "fixture": booking.name,
        "subject": done.subject,
        "html": done.html,
        "text": done.sms or done.text,
        "source": item.body,
        "subjectSource": item.subject,
        "sender": item.sender,
        "to": booking.mobile if item.channel == "sms" else booking.email,
        "language": item.language,
        "firstWords": " ".join(done.text.split())[:FIRST_WORDS],
        "state": booking.state,
        "participants": booking.participants,
        "inPerson": not booking.video,
        "suppressed": done.suppressed,
        "unknown": list(done.unknown),
        "bytes": len((done.html or done.text or done.sms).encode()),
        "sms": {**as_json(cost), "price": str(cost.price), "currency": house.sms_currency} if cost else None,
    }


def in_scheme(html: str, scheme: str) -> str:
    """Return a mail as it looks in a colour scheme, whatever the viewer's own setting.

    Examples
    --------
    >>> in_scheme("@media (prefers-color-scheme: dark) { }", "dark")
    '<style>:root{color-scheme:dark}</style>@media (min-width:0px) { }'
    """
    decided = _SCHEME_QUERY.sub(
        lambda match: "(min-width:0px)" if match.group(1).lower() == scheme else "(max-width:0px)", html
    )
    style = f"<style>:root{{color-scheme:{scheme if scheme in SCHEMES else 'light'}}}</style>"
    head = re.search(r"<head[^>]*>", decided, re.IGNORECASE)
    return decided[: head.end()] + style + decided[head.end() :] if head else style + decided


def build(
    templates: Templates,
    folder: Path,
    *,
    setup: Setup | None = None,
    house: HouseRules | None = None,
    language: str = "de",
    fixtures: Iterable[Fixture] = FIXTURES,
) -> tuple[Path, ...]:
    """Write the texts to paste into eTermin and the gallery as one self-contained page.

    Parameters
    ----------
    templates : Templates
    folder : Path
        Made if it does not exist; ``paste/`` holds one file a template with exactly the text to paste,
        ``index.html`` the gallery.

    Raises
    ------
    UsageError
        If one of the bookings is a real record: it is never written.
    """
    bookings, rules = tuple(fixtures), house or HouseRules()
    if any(booking.real for booking in bookings):
        raise UsageError("A real record is never written to a file.", "lifecycle preview serve")
    written = [_write(folder / "paste" / item.name, item.body) for item in templates]
    gallery = Gallery((), setup, rules, language)
    gallery._templates, gallery._error = templates, None
    gallery._findings = lint(templates, setup, rules, language=language, fixtures=bookings)
    views = {
        f"{item.name}|{booking.name}": view_of(item, render(item, booking, templates.registry), booking, rules)
        for item in templates
        for booking in bookings
    }
    for view in views.values():
        del view["source"]
    data = {
        **gallery.snapshot(),
        "fixtures": [{"name": booking.name, "title": booking.title[language]} for booking in bookings],
        "views": views,
        "sources": {item.name: item.body for item in templates},
    }
    page = _page(language, WORDS[language]["title"], live=False, data=data)
    return (_write(folder / "index.html", page), *written)


def notebook_html(
    templates: Templates, name: str, fixture: Fixture = FIXTURES[0], *, scheme: str = "light", language: str = "de"
) -> str:
    """Return a piece of HTML that shows one filled template inline in a notebook, in a sandboxed frame."""
    import html as html_module

    item = templates.get(name)
    done = render(item, fixture, templates.registry)
    body = in_scheme(done.html, scheme) if done.html else f"<pre>{html_module.escape(done.sms or done.text)}</pre>"
    head = html_module.escape(f"{item.name} · {fixture.title[language]} · {done.subject}")
    mark = f"<p><strong>{WORDS[language]['suppressed']}</strong></p>" if done.suppressed else ""
    guarded = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    return (
        f'<figure><figcaption>{head}</figcaption>{mark}<iframe sandbox="" title="{head}" width="100%" height="640"'
        f' srcdoc="{html_module.escape(guarded + body, quote=True)}"></iframe></figure>'
    )


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _page(language: str, title: str, *, live: bool, data: Mapping[str, Any] | None = None) -> str:
    import jinja2

    script, style = ((PAGES / name).read_text(encoding="utf-8") for name in ("gallery.js", "gallery.css"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string((PAGES / "gallery.html.j2").read_text(encoding="utf-8"))
    return template.render(
        language=language,
        title=title,
        words=WORDS[language],
        live=live,
        script="" if live else script,
        style="" if live else style,
        digest=digest,
        data="" if data is None else _for_script(data),
    )


def _for_script(data: Mapping[str, Any]) -> str:
    """Return JSON that can stand inside a script element: no character that could end it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
