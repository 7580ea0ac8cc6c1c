"""Precision and recall of every value check, as the documentation states them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.contract.labelled import Score, labelled_set, scores, scores_table
from lifecycle.contract.load import default_contracts
from lifecycle.contract.values.registry import value_checks

pytestmark = pytest.mark.slow

STATED = {
    "kvnr": (0.995, 1.000),
    "iban": (1.000, 1.000),
    "steuer-id": (1.000, 1.000),
    "lanr-bsnr": (1.000, 1.000),
    "date-of-birth": (1.000, 1.000),
    "icd-10": (1.000, 1.000),
    "ops": (1.000, 1.000),
    "landline": (1.000, 1.000),
    "foreign-number": (1.000, 1.000),
    "role-address": (1.000, 1.000),
    "phone-in-text": (0.905, 1.000),
    "email-in-text": (1.000, 1.000),
    "url": (1.000, 1.000),
    "tan-or-link": (1.000, 0.970),
    "street-or-postcode": (1.000, 1.000),
    "medical-word": (1.000, 0.780),
    "salutation-or-title": (1.000, 1.000),
    "age-or-sex": (1.000, 1.000),
    "several-people": (0.913, 1.000),
    "free-text": (1.000, 0.855),
    "html-or-script": (1.000, 1.000),
}
"""Check to (precision, recall) on the labelled set. Change a figure only together with the documentation."""


@pytest.fixture(scope="module")
def measured() -> dict[str, Score]:
    """The scores of one run."""
    return dict(scores(default_contracts()["events"], labelled_set()))


def test_every_check_is_measured_and_no_other(measured: dict[str, Score]) -> None:
    """A new check needs a maker of labelled values."""
    assert set(measured) == set(STATED) == {check.name for check in value_checks()}
    assert {score.positives for score in measured.values()} == {200}


@pytest.mark.parametrize("check", STATED)
def test_precision_and_recall_are_as_stated(check: str, measured: dict[str, Score]) -> None:
    """Neither worse, nor better without being said."""
    score = measured[check]
    assert (round(score.precision, 3), round(score.recall, 3)) == STATED[check]


def test_the_labelled_set_is_the_same_every_time_and_changes_with_its_seed() -> None:
    """So that figures can be compared."""
    small = labelled_set(each=3, clean=20)
    assert small == labelled_set(each=3, clean=20)
    assert small != labelled_set(each=3, clean=20, seed=1)


def test_another_draw_of_the_set_gives_figures_close_to_the_stated_ones() -> None:
    """The figures are not owed to one seed."""
    other = scores(default_contracts()["events"], labelled_set(seed=99))
    for check, (precision, recall) in STATED.items():
        assert abs(other[check].precision - precision) < 0.08, check
        assert abs(other[check].recall - recall) < 0.08, check


def test_the_table_for_the_documentation_has_a_line_for_each_check(measured: dict[str, Score]) -> None:
    """In Markdown."""
    lines = scores_table(measured).splitlines()
    assert len(lines) == len(STATED) + 2
    assert "| phone-in-text | 0.905 | 1.000 | 200 |" in lines
    assert "\n".join(lines) in (Path(__file__).parents[2] / "docs" / "value-checks.md").read_text(encoding="utf-8")
