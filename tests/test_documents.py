"""The papers beside the report: what they say of a real workspace, and that every finding has a word in them."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING

import pytest

from lifecycle.contract.values.registry import value_checks
from lifecycle.mail.setup import MENU_PATHS
from lifecycle.report import LANGUAGES
from lifecycle.report.speech import Speech
from lifecycle.workbench import examining

if TYPE_CHECKING:
    from lifecycle.workbench import Workbench


def doctors_names() -> set[str]:
    """The names of the doctor's parts, and of everything that they find."""
    tree = ast.parse(inspect.getsource(examining))
    found = [n.value.elts[0] for n in ast.walk(tree) if isinstance(n, ast.Yield) and isinstance(n.value, ast.Tuple)]
    return {str(first.value) for first in found if isinstance(first, ast.Constant)} | set(examining._CHECKS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_finding_of_the_registries_has_a_word(language: str) -> None:
    """A value check, a part of the set-up, the doctor: none is printed by its name in the code."""
    names = {check.name for check in value_checks()} | set(MENU_PATHS) | doctors_names()
    assert len(doctors_names()) > 15
    assert [name for name in sorted(names) if not Speech(language).knows(f"check.{name}")] == []


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_finding_of_a_workspace_has_a_word(bench: Workbench, language: str) -> None:
    """Whatever the checks, the second opinion and the doctor really say about a made-up clinic."""
    found = [*bench.check(second_opinion=True).findings, *bench.doctor().findings]
    names = {part for one in found for part in one.check.split(":")}
    assert "second-opinion" in names
    assert [name for name in sorted(names) if not Speech(language).knows(f"check.{name}")] == []
