"""Whether the HTML is whole, safe, readable by everybody, and shown by the mail programs people use here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lifecycle.mail.contrast import smallest_contrasts
from lifecycle.mail.features import used_features
from lifecycle.mail.lint import WHOLE, Example, Hit, View, mail, template_check
from lifecycle.mail.styles import inline
from lifecycle.model import Severity

GMAIL_CLIPS_BYTES = 102 * 1024
SMALLEST_FONT_PX = 12.0
LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, for text of normal size."""

WARN_FROM, NOTE_FROM = 0.6, 0.4
"""Weighted share of mail programs that do not show a feature."""

HARMLESS = frozenset(
    {"html-meta-color-scheme", "css-at-media-prefers-color-scheme", "css-color-scheme", "css-comments", "html-comments"}
    | {"css-word-break", "css-overflow-wrap", "css-word-wrap", "html-lang", "html-dir", "html-role", "css-hyphens"}
    | {"css-border-radius", "css-box-shadow", "html-title", "css-at-media-prefers-reduced-motion"}
)
"""Features whose absence costs nothing but looks: never more than a note."""

_EXECUTABLE = frozenset({"script", "iframe", "object", "embed", "form", "applet", "base"})


@template_check(
    "plain-text-missing",
    Severity.WARNING,
    de="Zu dieser HTML-Mail fehlt der Text ohne HTML (gleicher Kopf, Endung .txt).",
    en="This HTML mail has no plain-text part (same front matter, ending .txt).",
    good=Example(mail("<p>LOCATION</p>"), beside=(("confirmation.de.txt", mail("LOCATION")),)),
    bad=Example(mail("<p>LOCATION</p>")),
    on="html",
)
def plain_text_missing(view: View) -> Iterator[Hit]:
    """Spam filters mistrust mails without one, and whether eTermin takes HTML at all is not documented."""
    if not view.suppressed and view.template.own.strip() and not view.all_templates.sibling(view.template, "text"):
        yield Hit(view.template.kind)


@template_check(
    "image-alt",
    Severity.WARNING,
    de='Bild ohne Alternativtext (für Schmuckbilder alt="").',
    en='Image without alternative text (alt="" for decoration).',
    good=Example(mail('<img src="cid:logo" alt="Praxis"> LOCATION')),
    bad=Example(mail('<img src="cid:logo"> LOCATION')),
    on="html",
)
def image_alt(view: View) -> Iterator[Hit]:
    """Most programs block images at first: the alternative text is what is seen."""
    for element in view.document.elements:
        if element.tag == "img" and "alt" not in element.attributes:
            yield Hit(element.attributes.get("src", "img"), element.offset)


@template_check(
    "tracking-pixel",
    Severity.ERROR,
    de="Unsichtbares Bild: ein Zählpixel meldet, wer wann die Mail liest. Das braucht eine Einwilligung.",
    en="Invisible image: a tracking pixel reports who reads the mail when. That needs consent.",
    good=Example(mail('<img src="cid:logo" alt="" width="120" height="40"> LOCATION')),
    bad=Example(mail('<img src="https://www.etermin.net/o.gif" alt="" width="1" height="1"> LOCATION')),
    on="html",
)
def tracking_pixel(view: View) -> Iterator[Hit]:
    """A remote image that is at most two pixels wide or high, or hidden."""
    for number, element in enumerate(view.document.elements):
        if element.tag != "img" or not element.attributes.get("src", "").lower().startswith(("http", "//")):
            continue
        style = {d.name: d.value for d in inline(element.attributes.get("style", ""))}
        sizes = [element.attributes.get(side) or style.get(side, "") for side in ("width", "height")]
        if any(re.fullmatch(r"[012](?:px)?", size.strip()) for size in sizes) or view.document.hidden(number):
            yield Hit(element.attributes["src"], element.offset)


@template_check(
    "remote-content",
    Severity.WARNING,
    de="{token} wird beim Öffnen aus dem Netz geladen und verrät, dass die Mail gelesen wird.",
    en="{token} is fetched when the mail is opened and gives away that it is read.",
    good=Example(mail('<img src="cid:logo" alt="Praxis"> LOCATION')),
    bad=Example(mail('<link rel="stylesheet" href="https://fonts.example.org/a.css"> LOCATION')),
    on="html",
)
def remote_content(view: View) -> Iterator[Hit]:
    """Images, styles and fonts from outside."""
    for element in view.document.elements:
        for name in ("src", "background", "poster", "srcset", "data"):
            if re.match(r"\s*(?:https?:)?//", element.attributes.get(name, ""), re.IGNORECASE):
                yield Hit(element.attributes[name], element.offset)
        if element.tag == "link" and re.match(r"\s*(?:https?:)?//", element.attributes.get("href", "")):
            yield Hit(element.attributes["href"], element.offset)
        yield from _urls(element.attributes.get("style", ""), element.offset, False)
    for style in view.document.styles:
        yield from _urls(style.data, style.offset, True)


def _urls(css: str, offset: int, exact: bool) -> Iterator[Hit]:
    for match in re.finditer(
        r"url\(\s*[\"']?\s*((?:https?:)?//[^\"')\s]{1,300})|@import\s+[\"']([^\"']{1,300})", css, re.I
    ):
        yield Hit(match.group(1) or match.group(2), offset + (match.start() if exact else 0))


@template_check(
    "contrast",
    Severity.WARNING,
    de="Zu wenig Kontrast: {ratio} : 1 ({scheme}), nötig sind 4,5 : 1.",
    en="Too little contrast: {ratio} : 1 ({scheme}), 4.5 : 1 are needed.",
    good=Example(mail('<p style="color:#333333;background-color:#ffffff">LOCATION</p>')),
    bad=Example(mail('<p style="color:#999999;background-color:#ffffff">LOCATION</p>')),
    on="html",
)
def contrast(view: View) -> Iterator[Hit]:
    """Text against the nearest declared background, in light and in the mail's own dark colours."""
    for found in smallest_contrasts(view.document):
        if found.ratio < LEAST_CONTRAST:
            detail = {"ratio": f"{found.ratio:.1f}", "scheme": found.scheme}
            yield Hit(f"{found.colour} / {found.background}", found.offset, detail)


@template_check(
    "font-size",
    Severity.WARNING,
    de="Schrift von {size} px: unter 12 px liest sie auf dem Telefon kaum jemand.",
    en="Font of {size} px: below 12 px few can read it on a phone.",
    good=Example(mail('<p style="font-size:14px">LOCATION</p>')),
    bad=Example(mail('<p style="font-size:7pt">LOCATION</p>')),
    on="html",
)
def font_size(view: View) -> Iterator[Hit]:
    """Inline sizes in pixels and points; 0 and 1 px are preheader tricks and left alone."""
    for element in view.document.elements:
        for found in inline(element.attributes.get("style", "")):
            match = re.match(r"(\d+(?:\.\d+)?)(px|pt)", found.value) if found.name == "font-size" else None
            if match:
                size = float(match.group(1)) * (4 / 3 if match.group(2) == "pt" else 1)
                if 1 < size < SMALLEST_FONT_PX:
                    yield Hit(found.value, element.offset, {"size": f"{size:.0f}"})


@template_check(
    "language-attribute",
    Severity.WARNING,
    de='<html lang="{language}"> fehlt oder passt nicht: Vorleseprogramme sprechen die falsche Sprache.',
    en='<html lang="{language}"> is missing or does not match: screen readers speak the wrong language.',
    good=Example(mail('<html lang="de"><p>LOCATION</p></html>')),
    bad=Example(mail('<html lang="en"><p>LOCATION</p></html>')),
    on="html",
)
def language_attribute(view: View) -> Iterator[Hit]:
    """The language of the document against the front matter."""
    wanted = view.template.language
    for element in view.document.elements:
        if element.tag == "html":
            if element.attributes.get("lang", "").lower().split("-")[0] != wanted:
                yield Hit(element.attributes.get("lang", "html"), element.offset, {"language": wanted})
            return
    if view.document.elements and not any("lang" in e.attributes for e in view.document.elements[:3]):
        yield Hit("html", WHOLE, {"language": wanted}, Severity.NOTE)


@template_check(
    "size",
    Severity.WARNING,
    de="{size} kB: Gmail schneidet Mails ab 102 kB ab, samt Impressum und Absagelink.",
    en="{size} kB: Gmail clips mails from 102 kB on, together with imprint and cancellation link.",
    good=Example(mail("<p>LOCATION</p>")),
    bad=Example(mail("<style>" + "/* lang */" * 12_000 + "</style><p>LOCATION</p>")),
    on="html",
)
def size(view: View) -> Iterator[Hit]:
    """The size of the HTML in UTF-8, before values are filled in."""
    length = len(view.template.body.encode())
    if length > GMAIL_CLIPS_BYTES:
        yield Hit(f"{length} bytes", WHOLE, {"size": str(length // 1024)})


@template_check(
    "unclosed-tag",
    Severity.WARNING,
    de="<{token}> wird nicht geschlossen oder nie geöffnet: Programme raten verschieden, was gemeint ist.",
    en="<{token}> is not closed or never opened: programs guess differently what is meant.",
    good=Example(mail("<p>LOCATION</p>")),
    bad=Example(mail("<table><tr><td><b>LOCATION</td></tr></table>")),
    on="html",
)
def unclosed_tag(view: View) -> Iterator[Hit]:
    """Elements left open, and closing tags without an opening one."""
    for tag, offset in (*view.document.unclosed, *view.document.stray):
        yield Hit(tag, offset)


@template_check(
    "active-content",
    Severity.ERROR,
    de="<{token}>: Mailprogramme entfernen ausführbare Inhalte und stufen die Mail als gefährlich ein.",
    en="<{token}>: mail programs remove active content and rate the mail as dangerous.",
    good=Example(mail("<p>LOCATION</p>")),
    bad=Example(mail("<p>LOCATION</p><script>alert(1)</script>")),
    on="html",
)
def active_content(view: View) -> Iterator[Hit]:
    """Scripts, frames, forms, and event attributes."""
    for element in view.document.elements:
        if element.tag in _EXECUTABLE:
            yield Hit(element.tag, element.offset)
        for name in element.attributes:
            if name.startswith("on"):
                yield Hit(f"{element.tag} {name}", element.offset)


@template_check(
    "client-support",
    Severity.WARNING,
    de="{token}: nicht oder nur teilweise unterstützt von {clients} (caniemail).",
    en="{token} is not or only partly shown by: {clients} (caniemail).",
    good=Example(mail('<p style="color:#222222">LOCATION</p>')),
    bad=Example(mail('<p style="backdrop-filter:blur(2px)">LOCATION</p>')),
    on="html",
)
def client_support(view: View) -> Iterator[Hit]:
    """Features of HTML and CSS by caniemail's data, weighted for the programs used in Germany."""
    for slug, (feature, offset) in used_features(view.template.body).items():
        if feature.unsupported >= NOTE_FROM:
            serious = feature.unsupported >= WARN_FROM and slug not in HARMLESS
            detail = {"clients": ", ".join(feature.lacking)}
            yield Hit(feature.title, offset, detail, Severity.WARNING if serious else Severity.NOTE)
