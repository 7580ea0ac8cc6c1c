"""A report as a tagged PDF (PDF/UA-1) by WeasyPrint: the same page set for paper, the same bytes for the same facts."""

from __future__ import annotations

import ctypes.util
import gc
import hashlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from lifecycle.errors import ConfigurationError
from lifecycle.report.document import Document
from lifecycle.report.page import to_html
from lifecycle.report.tagging import finish


def to_pdf(document: Document) -> bytes:
    """Set the page on A4.

    Raises
    ------
    ConfigurationError
        WeasyPrint is not installed, or Pango is missing on this machine.
    """
    weasyprint = _weasyprint()
    from lifecycle.report.hyphens import prepare  # pyphen comes with WeasyPrint

    prepare(document.say.language)
    html = to_html(document, paper=True)
    with _fixed_clock(int(document.facts.written_at.timestamp())), _without_collection():
        pdf = weasyprint.HTML(string=html.decode(), url_fetcher=_refuse).write_pdf(
            pdf_variant="pdf/ua-1",
            pdf_identifier=hashlib.sha256(html).digest()[:16],
            custom_metadata=False,
            finisher=finish,
        )
    return bytes(pdf)


def _weasyprint() -> Any:
    try:
        with _libraries_by_name():
            import weasyprint  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigurationError(
            "A PDF needs the package weasyprint, which is not installed.",
            "install lifecycle with its extra 'pdf', or write html and json: lifecycle report --format html,json",
        ) from error
    except OSError as error:
        raise ConfigurationError(
            "A PDF needs the library Pango, which is not on this machine.",
            "apt-get install libpango-1.0-0 libpangoft2-1.0-0 fonts-dejavu, or: lifecycle report --format html,json",
        ) from error
    return weasyprint


@contextmanager
def _libraries_by_name() -> Iterator[None]:
    """Let the loader find Pango and its kin by their file names, and keep a complaint off standard output.

    WeasyPrint first asks for names of other systems, and for each of them Python starts ldconfig, the compiler and the
    linker: a third of a second for nothing, since the name that Linux knows stands further down in the same list.
    """
    search = ctypes.util.find_library
    if sys.platform == "linux":
        ctypes.util.find_library = _not_searched
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        ctypes.util.find_library = search


def _not_searched(name: str) -> None:  # noqa: ARG001
    return None


@contextmanager
def _without_collection() -> Iterator[None]:
    """Spare the collector the boxes of a page, which all live until the last one is set."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _refuse(*_: Any, **__: Any) -> Any:
    """A report refers to nothing outside itself; whatever asks for it gets nothing."""
    raise ValueError("a report loads no resource")


@contextmanager
def _fixed_clock(seconds: int) -> Iterator[None]:
    """Embedded fonts carry the time of writing; SOURCE_DATE_EPOCH (seconds, UTC) fixes it."""
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = str(seconds)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before
