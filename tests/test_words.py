"""One word for each step: the command, the method, the notebook and the README say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer.core
import typer.main

from lifecycle.cli.program import app
from lifecycle.workbench import Workbench

ROOT = Path(__file__).parents[1]
ALONE = {"demo", "preview"}  # functions beside the class: templates may lie anywhere, and demo makes its workspace
READERS = {"prose", "files"}  # for notebooks: they show, and do nothing
ELSEWHERE = {"path", "today", "created"}  # what a workbench knows of itself


def commands() -> dict[str, Any]:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return dict(group.commands)


def spoken() -> set[str]:
    """Every step of the command line, those of a group as ``hold add``."""
    words: set[str] = set()
    for name, command in commands().items():
        inner = getattr(command, "commands", None)
        words |= {f"{name} {one}" for one in inner} if inner else {name}
    return words


def methods() -> set[str]:
    return {name for name in dir(Workbench) if not name.startswith("_")} - ELSEWHERE


def headings(text: str) -> dict[str, str]:
    """The verbs that the section "Verbs" of the README names, with their whole call."""
    section = text.partition("\n## Verbs\n")[2].partition("\n## ")[0]
    return {call.split()[0]: call for call in re.findall(r"^(?:[-*|#]+ )?`lifecycle ([^`]+)`", section, re.MULTILINE)}


def test_the_readme_has_a_line_for_each_verb_and_no_other() -> None:
    """Whoever reads it can type what it says."""
    assert set(headings((ROOT / "README.md").read_text())) == set(commands())
    assert set(headings("\n## Verbs\n- `lifecycle eat X` y\n`lifecycle sleep` z\n## More\n`lifecycle no`")) == {
        "eat",
        "sleep",
    }


def test_the_readme_names_every_word_below_a_verb() -> None:
    """``hold add|lift|list`` as the command has it."""
    calls = headings((ROOT / "README.md").read_text())
    for name, command in commands().items():
        inner = getattr(command, "commands", None)
        if inner:
            assert set(calls[name].split()[1].split("|")) == set(inner), name


def test_every_verb_is_a_method_of_the_same_name() -> None:
    """``lifecycle hold add`` is ``Workbench.hold_add``; ``--standing`` is the one option with a method of its own."""
    wanted = {word.replace(" ", "_") for word in spoken() if word.split()[0] not in ALONE}
    assert sorted(wanted - methods() - {"run"}) == []
    assert {name.split("_")[0] for name in methods() - {"open"}} <= {name.split()[0] for name in spoken()} | READERS


def test_what_a_method_is_called_with_is_what_the_command_takes() -> None:
    """The same words as options, so that one can be read off the other."""
    import inspect

    for name in ("ingest", "check", "purge", "verify", "report", "plan"):
        options = {one.name for one in commands()[name].params} - {"as_json", "help"}
        takes = set(inspect.signature(getattr(Workbench, name)).parameters) - {"self"}
        spelled = {"files": "paths", "run": "run_id", "format": "formats" if name == "report" else "format"}
        assert {spelled.get(one, one) for one in options} == takes, name


def test_notebooks_bear_the_words_of_the_steps() -> None:
    """``50_purge.ipynb`` and not another word for it; they are in the order of the cycle."""
    numbered = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*_*.ipynb"))
    words = [name.partition("_")[2] for name in numbered]
    assert set(words) <= set(commands())
    cycle = ["ingest", "check", "plan", "approve", "purge", "verify", "report"]
    assert words == [word for word in cycle if word in words]


def test_results_speak_the_words_of_the_json() -> None:
    """Exit codes in the README are those of the errors."""
    from lifecycle import errors

    text = (ROOT / "README.md").read_text()
    codes = {each.exit_code for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)}
    section = text.partition("Exit codes:")[2].partition("\n\n")[0]
    assert {int(code) for code in re.findall(r"\b(\d+) [a-z]", section)} == codes | {0}
