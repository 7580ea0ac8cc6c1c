"""The notebooks as files: clean, short, and with nothing behind them but the workbench."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest

from lifecycle.errors import UsageError
from lifecycle.model import Outcome
from lifecycle.report.speech import Speech
from lifecycle.workbench import Workbench

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WORDS = ROOT / "lifecycle" / "workbench" / "words"
STEPS = ("10_ingest", "20_check", "30_plan", "40_approve", "50_purge", "60_verify", "70_report", "compliance_review")


def code(path: Path) -> list[str]:
    cells: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_there_is_a_notebook_for_every_step() -> None:
    """A step is a word, spelled the same as command, method and notebook."""
    assert tuple(path.stem for path in NOTEBOOKS) == STEPS
    for path in NOTEBOOKS:
        verb = path.stem.partition("_")[2]
        assert verb == "review" or hasattr(Workbench, verb)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_clean(path: Path) -> None:
    """Valid, for the kernel of any environment, without a trace of the last person who ran it."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.kernelspec.language == "python"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
        assert len(cell.source.splitlines()) <= 8, "short cells"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_sees_only_the_workbench(path: Path) -> None:
    """One import, of one name; everything else is a method of it."""
    tree = ast.parse("\n".join(code(path)))
    imports = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert imports == ["from lifecycle import Workbench"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_parameter_has_a_type_and_a_default(path: Path) -> None:
    """papermill finds the cell by its tag; the types are what a guarded run checks against."""
    cells = json.loads(path.read_text())["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    body = ast.parse("".join(tagged[0]["source"])).body
    assert all(isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant) for node in body)
    names = [ast.unparse(node.target) for node in body if isinstance(node, ast.AnnAssign)]
    assert names[:2] == ["workspace", "language"]


def test_the_review_never_approves_or_deletes() -> None:
    """Who monitors does not decide (Art. 38(6) GDPR): not a call in it changes what is stored or allowed."""
    text = "\n".join(code(ROOT / "notebooks" / "compliance_review.ipynb"))
    called = set(re.findall(r"wb\.(\w+)\(", text))
    assert called == {"prose", "check", "hold_list", "verify", "doctor", "report"}


def headings(language: str) -> set[str]:
    return set(re.findall(r"^## (.+)$", (WORDS / f"{language}.md").read_text(), re.MULTILINE))


def test_both_languages_have_the_same_texts() -> None:
    """A text that one language lacks would end a notebook in the middle."""
    keys = {name for name in headings("de") if re.match(r"^[a-z]+\.[a-z]+(: \w+)?$", name)}
    assert keys == {name for name in headings("en") if re.match(r"^[a-z]+\.[a-z]+(: \w+)?$", name)}
    assert len(keys) > 30


@pytest.mark.parametrize("language", ["de", "en"])
def test_no_text_is_empty(filled: tuple[Path, Any], language: str) -> None:
    """A heading inside a text is not the name of the next one."""
    tell = Workbench.open(filled[0]).prose(language)
    asked = {name for path in NOTEBOOKS for name in re.findall(r'tell\("([a-z.]+)"\)', "\n".join(code(path)))}
    assert len(asked) > 15
    assert sorted(name for name in asked if len(tell(name).text) < 10) == []
    assert tell("review.state").text.startswith("## 1. ")


def test_every_text_that_a_notebook_asks_for_is_there(filled: tuple[Path, Any]) -> None:
    """And no text waits for a notebook that never asks."""
    asked = {name for path in NOTEBOOKS for name in re.findall(r'tell\("([a-z.]+)"', "\n".join(code(path)))}
    known = {name.partition(":")[0] for name in headings("de") if re.match(r"^[a-z]+\.[a-z]+(:|$)", name)}
    assert asked == known - {"runs.none"}


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_step_of_the_verifier_is_explained(filled: tuple[Path, Any], language: str) -> None:
    """The verifier speaks English; what it means that a step has not passed stands below, by the step's own name."""
    wb, say = Workbench.open(filled[0]), Speech(language)
    verified, tell = wb.verify(), wb.prose(language)
    names = {check.name for check in verified.checks} | {"store and evidence belong together", "years"}
    words = {say.word("step", name) for name in names}
    assert len(words & names) == 0, "each step has a word of its own"
    bad = replace(verified, outcome=Outcome.FAILED)
    assert {word for word in words if f"**{word}**" not in " ".join(tell("verify.details", bad).text.split())} == set()
    assert "*not checked*" in tell("verify.details", verified).text


def test_the_words_stay_with_the_glossary() -> None:
    """German texts use the terms of the reports: never a certificate, never a (medical) finding."""
    text = (WORDS / "de.md").read_text()
    assert not re.search("[Zz]erti" + "fikat|Be" + "fund|Purge|Whitelist|Verstoß", text)
    assert "Sie" in text
    assert not re.search(r"\b(du|dein|dir)\b", text, re.IGNORECASE)


@pytest.mark.parametrize("language", ["fr", "", "DE", "../de"])
def test_a_language_that_does_not_exist_is_refused(filled: tuple[Path, Any], language: str) -> None:
    """By name, before anything is read; an empty one is the workspace's own."""
    wb = Workbench.open(filled[0])
    if language:
        with pytest.raises(UsageError, match="do not speak"):
            wb.prose(language)
    else:
        assert repr(wb.prose(language)) == "Teller('de')"


def test_a_workspace_name_with_markup_is_shown_as_it_is_written(filled: tuple[Path, Any]) -> None:
    """A name is text: neither Markdown nor HTML comes of it."""
    text = Workbench.open(filled[0]).prose("en")("review.intro").text
    assert "<b>" not in text
    assert r"Praxis \<b\>am\</b\> See" in text


def test_charts_come_from_the_report_room_and_load_nothing(filled: tuple[Path, Any]) -> None:
    """Two drawings, with ids of their own, and no address that a browser would fetch."""
    html = Workbench.open(filled[0]).prose("de").sections("charts").html
    assert html.count('<svg class="drawing') == html.count('<svg class="drawing wide"') == 2
    assert not re.search(r"(src|href|url)\s*[=(]", html)
    assert set(re.findall(r'\bid="(\w+)', html)) == {"lifecycle"}


def test_a_section_that_does_not_exist_is_refused(filled: tuple[Path, Any]) -> None:
    """With the names of those that do."""
    with pytest.raises(UsageError, match="no such section"):
        Workbench.open(filled[0]).prose("de").sections("chart")
