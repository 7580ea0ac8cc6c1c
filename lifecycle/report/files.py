"""Render a report and put it into a folder, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lifecycle.errors import StoreError, UsageError
from lifecycle.model import Facts
from lifecycle.report.as_data import to_json
from lifecycle.report.document import Document, write_document
from lifecycle.report.page import to_html
from lifecycle.report.papers.order import stem_of, write_paper


def _to_pdf(document: Document) -> bytes:
    from lifecycle.report.pdf import to_pdf

    return to_pdf(document)


_WRITERS: Mapping[str, Callable[[Document], bytes]] = {"html": to_html, "pdf": _to_pdf, "json": to_json}

FORMATS = tuple(_WRITERS)

_REASONS = {
    errno.ENOSPC: "there is no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.ENOTDIR: "a part of its path is a file",
    errno.EEXIST: "a file of that name is in the way",
    errno.EISDIR: "a folder of the report's name is in the way",
    errno.ENAMETOOLONG: "its name is too long",
}


def render(facts: Facts, language: str, format: str) -> bytes:
    """Write one report.

    Parameters
    ----------
    facts : Facts
        Must add up: before = deleted + retained, due = deleted + held + failed, retained = held + failed + not yet
        due; the stores' counts sum up to the same.
    language : str
        One of ``LANGUAGES``.
    format : str
        One of ``FORMATS``.

    Returns
    -------
    bytes
        UTF-8 (HTML, JSON) or PDF; the same for the same facts.

    Raises
    ------
    UsageError
        An unknown language or format.
    EvidenceError
        The numbers do not add up, or the run has no proper id.
    ConfigurationError
        PDF only: a system library is missing.
    """
    return _writer(format)(write_document(facts, language))


def write(facts: Facts, folder: Path, formats: Sequence[str], language: str) -> tuple[Path, ...]:
    """Render the formats and put them into ``folder`` (made if missing), each by a temporary name and a rename.

    File names are made of the run id and the language only. All formats are rendered before the first is written.

    Raises
    ------
    StoreError
        The folder cannot be written to; what lay there before is as it was.
    LifecycleError
        As for :func:`render`.
    """
    return _write(write_document(facts, language), facts.run_id or "workspace", folder, formats)


def render_paper(paper: str, facts: Any, language: str, format: str) -> bytes:
    """Write one paper beside the report: ``concept`` or ``record`` from a ``Policy``, ``month`` from a ``Month``.

    Raises
    ------
    UsageError
        An unknown paper, language or format.
    ConfigurationError
        PDF only: a system library is missing.
    """
    return _writer(format)(write_paper(paper, facts, language))


def write_papers(paper: str, facts: Any, folder: Path, formats: Sequence[str], language: str) -> tuple[Path, ...]:
    """Render a paper in several formats and put it into ``folder``, as :func:`write` does.

    File names are made of the paper's name, its month where it has one, and the language.
    """
    document = write_paper(paper, facts, language)
    return _write(document, stem_of(paper, facts), folder, formats)


def _write(document: Document, stem: str, folder: Path, formats: Sequence[str]) -> tuple[Path, ...]:
    language = document.say.language
    rendered = {f"{stem}.{language}.{name}": _writer(name)(document) for name in formats}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(_put(folder / name, data) for name, data in rendered.items())
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, "the system refused it")
        raise StoreError(
            f"The report could not be written: {reason}.", f"see to the folder {folder.name}, then: lifecycle report"
        ) from error


def _writer(name: str) -> Callable[[Document], bytes]:
    if name in _WRITERS:
        return _WRITERS[name]
    near = get_close_matches(name, FORMATS, 1)
    raise UsageError(
        "There is no report in such a format.",
        f"did you mean {near[0]}?" if near else f"one of {', '.join(FORMATS)}",
    )


def _put(path: Path, data: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path
