"""``preview``: templates as a patient will read them. Works in a workspace and, with a path, anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lifecycle.errors import TemplateError, UsageError
from lifecycle.mail.compare import Received, compare, described, learn_from, received
from lifecycle.mail.dumps import records_of
from lifecycle.mail.fixtures import FIXTURES, Fixture, real_fixture
from lifecycle.mail.gallery import Gallery, build, notebook_html
from lifecycle.mail.house import HouseRules
from lifecycle.mail.learnt import LEARNT_FILE
from lifecycle.mail.lint import lint, outcome_of
from lifecycle.mail.templates import load_templates
from lifecycle.model import as_json
from lifecycle.workbench.connection import connection, service_dump
from lifecycle.workbench.results import Built, Compared, Linted, Shown
from lifecycle.workbench.workspace import Workspace


def lint_templates(workspace: Workspace | None, paths: Sequence[Path]) -> Linted:
    """Look at every template with every check; see :func:`lifecycle.mail.lint.lint`."""
    findings = lint(
        load_templates(_paths(workspace, paths)),
        connection(workspace),
        _house(workspace),
        language=_language(workspace),
    )
    return Linted(outcome_of(findings), findings)


def build_gallery(workspace: Workspace | None, paths: Sequence[Path], folder: Path | None) -> Built:
    """Write the texts to paste into eTermin, and the gallery as one self-contained page."""
    target = folder or ((workspace.path / "reports" if workspace else Path.cwd()) / "preview")
    templates = load_templates(_paths(workspace, paths))
    try:
        written = build(
            templates, target, setup=connection(workspace), house=_house(workspace), language=_language(workspace)
        )
    except OSError as error:
        raise UsageError(f"The preview cannot be written: {error.strerror}.", "--output DIR") from None
    return Built(written)


_NOTED = {
    "de": f"In {LEARNT_FILE} neben den Vorlagen vermerkt: Arten von Werten, kein Wert der Testmail.",
    "en": f"Noted in {LEARNT_FILE} beside the templates: kinds of values, no value of the mail.",
}


def compare_mail(
    workspace: Workspace | None, mail: Path, paths: Sequence[Path], template: str | None, *, learn: bool = False
) -> Compared:
    """Lay a real test mail, sent to oneself, beside a template; its values are not kept."""
    templates = load_templates(_paths(workspace, paths))
    seen = compare(templates, _mail(mail), template)
    lines = described(seen, _language(workspace)).splitlines()
    if not learn:
        return Compared(tuple(lines), as_json(seen))
    try:
        learn_from(seen, templates.folder / LEARNT_FILE)
    except OSError as error:
        raise UsageError(f"{LEARNT_FILE} cannot be written: {error.strerror}.", "leave out --learn") from None
    return Compared((*lines, _NOTED[_language(workspace)]), as_json(seen))


def _mail(path: Path) -> Received:
    try:
        return received(path.read_bytes())
    except OSError as error:
        raise TemplateError(
            f"The mail cannot be read: {error.strerror}.", "lifecycle preview compare FILE.eml"
        ) from None


def gallery(
    workspace: Workspace | None,
    paths: Sequence[Path],
    *,
    dump: Path | None = None,
    record: str | None = None,
    mail: Path | None = None,
) -> Gallery:
    """Open what the preview server shows; a real record only on explicit request, and it is never written."""
    state = workspace.path / "reports" / "templates-copied.json" if workspace else None
    return Gallery(
        tuple(_paths(workspace, paths)),
        setup=connection(workspace),
        house=_house(workspace),
        language=_language(workspace),
        state=state,
        dump=_dump(dump) if dump else _own_dump(workspace),
        extra=_record(workspace, record),
        mail=_mail(mail) if mail else None,
    )


def serve(
    workspace: Workspace | None,
    paths: Sequence[Path],
    *,
    port: int,
    dump: Path | None = None,
    record: str | None = None,
    mail: Path | None = None,
) -> None:
    """Serve the gallery on the loopback address until interrupted."""
    from lifecycle.web import preview

    preview.serve(gallery(workspace, paths, dump=dump, record=record, mail=mail), port=port)


def show(workspace: Workspace, name: str, booking: str | None, scheme: str) -> Shown:
    """Show one template inline in a notebook, filled with a made-up booking."""
    chosen = next((one for one in FIXTURES if booking in (None, one.name)), None)
    if chosen is None:
        raise UsageError("There is no such booking.", f"one of: {', '.join(one.name for one in FIXTURES)}")
    templates = load_templates(_paths(workspace, ()))
    full = name if any(one.name == name for one in templates) else f"{name}.{_language(workspace)}.html"
    return Shown(full, notebook_html(templates, full, chosen, scheme=scheme, language=_language(workspace)))


def _paths(workspace: Workspace | None, paths: Sequence[Path]) -> list[Path]:
    if paths:
        return list(paths)
    if workspace is None:
        raise UsageError("There is no workspace here; which templates?", "lifecycle preview lint PATH")
    return [workspace.path / "templates"]


def _house(workspace: Workspace | None) -> HouseRules:
    return HouseRules.from_mapping(workspace.settings.templates) if workspace else HouseRules()


def _language(workspace: Workspace | None) -> str:
    return workspace.settings.language if workspace else "de"


def _dump(path: Path) -> bytes:
    try:
        dump = path.read_bytes()
    except OSError as error:
        raise UsageError(f"The dump cannot be read: {error.strerror}.", "--dump FILE") from None
    records_of(dump, "service")
    return dump


def _own_dump(workspace: Workspace | None) -> bytes | None:
    """The dump that the set-up names; if it cannot be read, ``doctor`` says so, and the texts are shown without it."""
    path = service_dump(workspace)
    try:
        return _dump(path) if path else None
    except (UsageError, TemplateError):
        return None


def _record(workspace: Workspace | None, uid: str | None) -> tuple[Fixture, ...]:
    if uid is None:
        return ()
    found = workspace.store.record(uid) if workspace else None
    if workspace is None or found is None:
        raise UsageError("There is no record with this uid in the workspace store.", "--record UID")
    return (real_fixture(found, workspace.settings.time_zone),)
