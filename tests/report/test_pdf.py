"""The PDF: tagged, the same bytes every time, nothing loaded, a missing library said in words."""

from __future__ import annotations

import builtins
import re
import subprocess
import sys
import zlib
from typing import Any

import page
import pytest

from lifecycle.errors import ConfigurationError
from lifecycle.report import render, render_paper
from lifecycle.report.papers.sample import policy, rough_month
from lifecycle.report.sample import sample, scenes


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


def _breaches(pdf: bytes) -> list[str]:
    report = page.validate_pdf_bytes(pdf, profile=page.ValidationProfile.PDF_UA_1)
    assert report.rules.total > 100
    return sorted({f"{one.rule_id}: {one.message}" for one in report.failures})


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["leaks", "planned"])
def test_a_validator_accepts_the_report_as_pdf_ua(scene: str) -> None:
    """The 104 machine-checkable rules of an independent checker: figures described, lists whole, nothing untagged."""
    assert _breaches(render(dict(scenes())[scene], "de", "pdf")) == []


@pytest.mark.slow
@pytest.mark.parametrize(("paper", "facts"), [("concept", policy()), ("record", policy()), ("month", rough_month())])
def test_a_validator_accepts_the_papers_as_pdf_ua(paper: str, facts: Any) -> None:
    """They are set by the same page."""
    assert _breaches(render_paper(paper, facts, "de", "pdf")) == []


@pytest.mark.slow
def test_the_validator_can_say_no() -> None:
    """A picture without a description, and a list of names and values."""
    weasyprint = pytest.importorskip("weasyprint")
    html = (
        "<html lang=de><title>x</title><svg width=9 height=9><path d='M0 0h9v9'/></svg><dl><div><dt>a<dd>b</div></dl>"
    )
    rules = " ".join(_breaches(weasyprint.HTML(string=html).write_pdf(pdf_variant="pdf/ua-1")))
    assert "FIGURE-ALTERNATIVE-TEXT" in rules
    assert "L-KIDS" in rules


@pytest.mark.slow
def test_header_cells_have_a_scope_and_margins_are_artifacts() -> None:
    """What that checker does not look at: columns and rows are told apart, and no page repeats its foot aloud."""
    inside = _unpacked(_pdf("de"))
    heads = [one for one in re.findall(rb"<<.*?>>", inside, re.DOTALL) if b"/S /TH" in one]
    assert heads
    assert len(re.findall(rb"/S /TH\b(?!ead)", inside)) == len(re.findall(rb"/Scope /(?:Column|Row)", inside))
    assert {b"/Column", b"/Row"} == set(re.findall(rb"/Scope (/\w+)", inside))
    pages = len(re.findall(rb"/Type /Page\b", inside))
    assert (
        len(re.findall(rb"/Artifact <<.*?/Type /Pagination.*?>> BDC|/Artifact\s+<</Type /Pagination>>", inside))
        >= pages
    )


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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("language", ["de", "en"])
def test_words_part_where_pyphen_itself_parts_them(language: str) -> None:
    """Every pattern of the dictionary, read when it is asked for, says what pyphen reads out of the whole file."""
    pyphen = pytest.importorskip("pyphen")
    from lifecycle.report.hyphens import prepare

    prepare(language)
    path = pyphen.LANGUAGES[pyphen.language_fallback(language)]
    ours, whole = pyphen.hdcache[path], pyphen.HyphDict(path)
    assert type(ours) is not type(whole), "the dictionary is read as a whole again"
    assert ours.patterns.keys() == whole.patterns.keys()
    assert [key for key, said in whole.patterns.items() if ours.patterns.get(key) != said] == []
    assert ours.maxlen == whole.maxlen
