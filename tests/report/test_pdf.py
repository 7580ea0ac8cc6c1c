"""The PDF: tagged, the same bytes every time, nothing loaded, a missing library said in words."""

from __future__ import annotations

import builtins
import re
import subprocess
import sys
import zlib
from typing import Any

import pytest

from lifecycle.errors import ConfigurationError
from lifecycle.report import render
from lifecycle.report.sample import sample


def _pdf(language: str) -> bytes:
    try:
        return render(sample(), language, "pdf")
    except ConfigurationError as error:
        pytest.skip(error.fact)


def _unpacked(pdf: bytes) -> bytes:
    """All of the file's streams, unpacked, and the bytes between them."""
    packed = re.findall(rb"stream\n(x.*?)\nendstream", pdf, re.DOTALL)
    return pdf + b"".join(zlib.decompressobj().decompress(stream) for stream in packed)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["de", "en"])
def test_a_pdf_is_tagged_and_the_same_every_time(language: str, caplog: pytest.LogCaptureFixture) -> None:
    """PDF/UA-1 with its language, and byte-identical for the same facts."""
    pdf = _pdf(language)
    inside = _unpacked(pdf)
    assert b'pdfuaid:part="1"' in inside
    assert f"/Lang ({language})".encode() in inside
    assert b"/StructTreeRoot" in inside
    assert b"/Outlines" in inside
    assert not re.search(rb"/URI|/JavaScript|/Launch", inside)
    assert pdf == _pdf(language)
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.parametrize(("error", "words"), [(ImportError, "weasyprint"), (OSError, "Pango")])
def test_a_missing_library_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception], words: str
) -> None:
    """Not a traceback from a foreign library."""
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **named: Any) -> Any:
        if name == "weasyprint":
            raise error("cannot load library")
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigurationError, match=words) as refused:
        render(sample(), "de", "pdf")
    assert "install" in refused.value.hint


def test_weasyprint_is_not_imported_for_html() -> None:
    """A page without a PDF pays nothing for it; importing the room pays for neither babel nor jinja2."""
    code = (
        "import sys, lifecycle.report as r\n"
        "print({'babel', 'jinja2', 'weasyprint'} & set(sys.modules))\n"
        "from lifecycle.report.sample import sample\n"
        "r.render(sample(), 'de', 'html')\n"
        "print('weasyprint' in sys.modules)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split("\n")[:2] == ["set()", "False"]
