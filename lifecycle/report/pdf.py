"""A report as a tagged PDF (PDF/UA-1) by WeasyPrint: the same page set for paper, the same bytes for the same facts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
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
    html = to_html(document, paper=True)
    with _fixed_clock(int(document.facts.written_at.timestamp())):
        pdf = weasyprint.HTML(string=html.decode(), url_fetcher=_refuse).write_pdf(
            pdf_variant="pdf/ua-1",
            pdf_identifier=hashlib.sha256(html).digest()[:16],
            custom_metadata=False,
            finisher=finish,
        )
    return bytes(pdf)


def _weasyprint() -> Any:
    try:
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
