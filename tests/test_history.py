"""What a report says of the one before it, and the charts that need more than one night."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lifecycle.model import Facts
from lifecycle.workbench import Workbench, facts, history

NIGHT = datetime(2026, 10, 1, 2, 17, tzinfo=UTC)
PUSH = (
    '{"command": "CREATED", "appointmentUID": "a-1", "firstName": "Ada", "email": "a@b.example.org", "notes": "%s", %s}'
)
TIMES = '"startDateTimeUTC": "2026-09-30T10:00:00", "endDateTimeUTC": "2026-09-30T10:30:00"'


@pytest.fixture
def wb(tmp_path: Path) -> Workbench:
    return Workbench.init(tmp_path / "praxis", now=lambda: NIGHT)


def later(wb: Workbench, nights: int) -> Workbench:
    """The same workspace, so many nights on."""
    return Workbench.open(wb.path, now=lambda: NIGHT + timedelta(days=nights))


@pytest.mark.slow
def changed(wb: Workbench) -> tuple[str, dict[str, tuple[object, object]]]:
    """What the report's JSON says: compared with what, and each change by kind and name."""
    (path,) = wb.report(formats=["json"], second_opinion=False).files
    section = next(one for one in json.loads(path.read_text())["sections"] if one["key"] == "changes")["data"]
    pairs = {f"{one['what']} {one['name']}".strip(): (one["before"], one["after"]) for one in section["changes"]}
    return section["comparedWith"], pairs


def test_a_report_says_what_is_no_longer_as_it_was(wb: Workbench) -> None:
    """A rule's reason, a confirmed place, a finding that appeared, numbers; never a value of the rows."""
    assert changed(wb) == ("", {})
    settings = wb.path / "lifecycle.toml"
    text = settings.read_text().replace("# confirmed_on = 2026-09-30", "confirmed_on = 2026-09-30", 1)
    settings.write_text(text.replace("Das Sync-Protokoll wiederholt", "Das Protokoll wiederholt", 1))
    log = wb.path.parent / "push.ndjson"
    log.write_text(PUSH % ("Canaryword", TIMES))
    tomorrow = later(wb, 1)
    tomorrow.ingest(log)
    against, pairs = changed(tomorrow)
    assert against == "report 2026-10-01"
    assert pairs["why events"][1] == "Das Protokoll wiederholt die Daten des Termins und darf ihn nicht überdauern."
    assert pairs["place arztkonsultation"] == ("unknown", "confirmed")
    assert pairs["confirmed arztkonsultation"] == (None, "2026-09-30")
    assert pairs["finding undeclared-field events notes"] == (None, 1)
    assert pairs["count-before"] == (0, 1)
    assert not [name for name in pairs if name.startswith("contract")]
    assert "Canaryword" not in (wb.path / "reports" / history.FILE_NAME).read_text()


@pytest.mark.slow
def test_a_report_written_again_is_compared_with_the_same_one(wb: Workbench) -> None:
    """Another language or format an hour later must not find that nothing changed."""
    changed(wb)
    tomorrow = later(wb, 1)
    contract = wb.path / "contracts" / "events.odcs.yaml"
    contract.write_text(contract.read_text() + "\n# a comment\n")
    first = changed(tomorrow)
    assert first == changed(tomorrow)
    assert first[1]["contract-text events"] == ("1.0.0", "1.0.0")
    assert len((wb.path / "reports" / history.FILE_NAME).read_text().splitlines()) == 2


@pytest.mark.slow
def test_without_an_earlier_report_the_run_before_is_compared(wb: Workbench) -> None:
    """Its evidence names rules and counts; of places and findings it says nothing, so nothing is claimed."""
    for night in (0, 1):
        later(wb, night).purge(as_of="today")
    against, pairs = changed(later(wb, 1))
    assert against == "run 2026-10-01-a"
    assert set(pairs) == {f"count-{name}" for name in ("before", "due", "deleted", "held", "failed", "retained")}


@pytest.mark.slow
def test_a_torn_line_of_the_history_is_passed_over(wb: Workbench) -> None:
    """It is a convenience: a report is written whatever became of it; lines older than the evidence are dropped."""
    changed(wb)
    path = wb.path / "reports" / history.FILE_NAME
    whole = path.read_text()
    old = whole.replace("2026-10-01", "2022-12-31")
    path.write_text('{"asOf": "2026-10-01", "runId": \n[]\n{"asOf": "x"}\n' + old + whole)
    assert changed(later(wb, 1))[0] == "report 2026-10-01"
    assert [json.loads(line)["asOf"] for line in path.read_text().splitlines()] == ["2026-10-01", "2026-10-02"]


def gathered(wb: Workbench) -> Facts:
    workspace = wb._workspace
    said = facts.gather(workspace, facts.latest_run(workspace.ledger()), (), wb.today)
    return history.with_past(workspace, said, compare=False)


@pytest.mark.slow
def test_a_week_with_a_night_without_a_run_stands_out(wb: Workbench) -> None:
    """Counted from the first run: two nights, a night missed, a run again; the chart has both weeks."""
    for night in (0, 1, 3):
        later(wb, night).purge(as_of="today")
    assert gathered(later(wb, 3)).poor_weeks == (datetime(2026, 9, 28).date(),)
    for night in (4, 5, 6):
        later(wb, night).purge(as_of="today")
    said = gathered(later(wb, 6))
    assert [(week.monday.day, week.rows) for week in said.run_weeks] == [(28, 0), (5, 0)]
    assert [monday.day for monday in said.poor_weeks] == [28]


@pytest.mark.slow
def test_deviations_are_told_by_month_without_being_looked_for_again(wb: Workbench) -> None:
    """The last report of each month counts; a page that checks nothing shows what the reports said."""
    log = wb.path.parent / "push.ndjson"
    log.write_text(PUSH % ("x", TIMES))
    wb.ingest(log)
    for night in (0, 1, 31):
        changed(later(wb, night))
    assert gathered(later(wb, 31)).finding_months["2026-10"]["notes"] == 1
    assert set(gathered(later(wb, 31)).finding_months) == {"2026-10", "2026-11"}
