"""The papers beside the report: what they say of a real workspace, and that every finding has a word in them."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lifecycle.contract.values.registry import value_checks
from lifecycle.errors import UsageError
from lifecycle.mail.setup import MENU_PATHS
from lifecycle.report import LANGUAGES
from lifecycle.report.speech import Speech
from lifecycle.workbench import examining

if TYPE_CHECKING:
    from lifecycle.workbench import Workbench

pytestmark = pytest.mark.slow

Command = Callable[..., Any]


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


def written_by(bench: Workbench, kind: str, **asked: str) -> dict[str, Any]:
    """A paper of the workspace, as its JSON says it."""
    (path,) = bench.report(document=kind, formats=("json",), **asked).files
    page = json.loads(path.read_text("utf-8"))
    assert isinstance(page, dict)
    return page


def part(page: dict[str, Any], key: str) -> dict[str, Any]:
    """One section of a paper."""
    return next(one for one in page["sections"] if one["key"] == key)


def at(bench: Workbench, moment: datetime) -> Workbench:
    """The same workspace at another time."""
    from lifecycle.workbench import Workbench

    return Workbench.open(bench.path, now=lambda: moment)


def test_the_concept_of_a_new_workspace_is_not_green(bench: Workbench) -> None:
    """Nobody confirmed anything yet; every data type of the catalogue and every place is there."""
    page = written_by(bench, "concept")
    assert page["document"] == "concept"
    assert page["outcome"] == "unknown"
    (types,) = part(page, "types")["tables"]
    assert len(types["rows"]) == 9
    assert [row[1] for row in types["rows"] if row[0] == "Termine"] == ["LK 1"]
    (places,) = part(page, "places")["tables"]
    assert len(places["rows"]) == 6
    (kept,) = part(page, "backups")["tables"]
    assert [row[1] for row in kept["rows"]] == ["30 Tage", *["nicht feststellbar"] * 5]


def test_the_record_has_the_fields_of_the_contracts(bench: Workbench) -> None:
    """Each allowed field with the sentence of the help page."""
    from lifecycle.contract.load import read_contracts

    contracts = read_contracts(sorted((bench.path / "contracts").glob("*.odcs.yaml")))
    columns = {column.name: column.source for contract in contracts.values() for column in contract.columns}
    tables = part(written_by(bench, "record"), "fields")["tables"]
    sentences = [row[3] for table in tables for row in table["rows"]]
    assert sorted(sentences) == sorted(f"„{source}“" for source in columns.values())


def test_the_perspective_of_the_workspace_decides(bench: Workbench) -> None:
    """A practice gets the entry of a controller."""
    settings = bench.path / "lifecycle.toml"
    settings.write_text(settings.read_text().replace('perspective = "provider"', 'perspective = "practice"'))
    page = written_by(at(bench, datetime.now(UTC)), "record")
    assert page["sections"][2]["key"] == "controller"


def night_with_a_run(bench: Workbench) -> Workbench:
    """Plan, approve and carry out what is due today."""
    plan = bench.plan()
    bench.approve(plan.run_id, "controller")
    bench.purge(plan.run_id)
    return bench


def test_the_month_names_runs_gaps_and_the_checkpoint_at_its_end(bench: Workbench) -> None:
    """Two nights with a run, one without, in a month that is over; the checkpoint is that of the last run."""
    start = datetime.now(UTC).replace(day=1, hour=10) + timedelta(days=62)
    first = start.replace(day=3)
    for day in (3, 4, 6):
        night_with_a_run(at(bench, first.replace(day=day)))
    # Not the size of the log now: behind the record of a night with nothing due, its key is destroyed.
    proof = bench.path / "evidence" / "runs" / f"{first:%Y-%m}-06-a" / "6-record.json.tlog-proof"
    checkpoint = int(proof.read_text("utf-8").split("index ")[1].split()[0]) + 1
    next_month = first + timedelta(days=40)
    night_with_a_run(at(bench, next_month.replace(day=1)))
    after = at(bench, next_month.replace(day=2))
    page = written_by(after, "month", month=f"{first:%Y-%m}")
    (runs,) = part(page, "runs")["tables"]
    assert len(runs["rows"]) == 3 + 1
    assert part(page, "nights")["outcome"] == "failed"
    said = part(page, "checkpoint")["text"]
    assert str(checkpoint) in said
    missing = part(page, "nights")["data"]["missing"]
    assert f"{first:%Y-%m}-05" in missing
    assert f"{first:%Y-%m}-06" not in missing
    assert f"{first:%Y-%m}-02" not in missing, "nights before the first run are not judged"
    assert page["outcome"] == "failed"


@pytest.mark.parametrize("asked", ["2026-13", "x", "2999-01", "2026-01-01"])
def test_a_month_that_is_none_is_refused(bench: Workbench, asked: str) -> None:
    """In words, and the word is not repeated."""
    with pytest.raises(UsageError) as refused:
        bench.report_document("month", month=asked)
    assert asked not in refused.value.fact


@pytest.mark.parametrize(("kind", "month"), [("konzept", None), ("", None), ("concept", "2026-01")])
def test_a_document_that_there_is_not_is_refused(bench: Workbench, kind: str, month: str | None) -> None:
    """Nor has the concept a month."""
    with pytest.raises(UsageError):
        bench.report_document(kind, month=month)


def test_no_paper_is_about_one_run(bench: Workbench) -> None:
    """A run and a document together are refused."""
    with pytest.raises(UsageError):
        bench.report("2026-10-01-a", document="concept")


def test_the_command_line_writes_them(bench: Workbench, command: Command) -> None:
    """``report --document`` says which files it wrote."""
    said = command("report", "--document", "record", "--format", "html", "--language", "en", "--json",
                   workspace=bench.path)  # fmt: skip
    assert said.code == 0
    (path,) = said.json["files"]
    assert path.endswith("reports/record.en.html")
    assert "please fill in" in (bench.path / "reports" / "record.en.html").read_text("utf-8")


def test_no_value_of_the_store_is_in_a_paper(bench: Workbench) -> None:
    """No name, address, number or uid of anybody."""
    import polars as pl

    rows = [frame for name in ("events", "appointments") for frame in bench._workspace.store.rows(name)]
    columns = ("first_name", "last_name", "email", "mobile", "appointment_uid")
    values = {value for name in columns for frame in rows for value in frame[name].cast(pl.String) if value}
    long = {value for value in values if len(value) > 5}
    assert len(long) > 50
    for kind in ("concept", "record", "month"):
        for path in bench.report(document=kind, formats=("html", "json")).files:
            text = path.read_text("utf-8")
            assert sum(value in text for value in long) == 0
