"""Drift: what the sync log says against the records, counted on the made-up clinic."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import pytest

from lifecycle.model import Outcome
from lifecycle.sources.made_up import Clinic, write_clinic
from lifecycle.workbench import Workbench

pytestmark = pytest.mark.slow

AS_OF = date(2026, 10, 1)
NAMES = {"missing": "missing", "zombie": "zombie", "stale": "stale", "non-video": "non-video-service"}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    return write_clinic(tmp_path_factory.mktemp("clinic"), as_of=AS_OF)


def drift(wb: Workbench) -> dict[str, int]:
    """Count what disagrees, by check."""
    checks = {*NAMES.values(), "orphan", "unmapped-calendar"}
    return {one.check: one.count for one in wb.check().findings if one.check in checks}


def test_every_planted_disagreement_is_counted(clinic: Clinic, tmp_path: Path) -> None:
    """The clinic says how many it planted; the check finds so many and no others."""
    wb = Workbench.init(tmp_path / "workspace")
    wb.ingest(*clinic.events, *clinic.appointments, as_of=clinic.ingest_on)
    planted = {NAMES[name]: count for name, count in clinic.drift.items()}
    assert drift(wb) == {**planted, "orphan": 0}


def test_the_order_of_the_log_does_not_matter(clinic: Clinic, tmp_path: Path) -> None:
    """A shuffled log gives the same counts."""
    log = next(path for path in clinic.events if path.suffix == ".ndjson")
    lines = log.read_text().splitlines(keepends=True)
    random.Random(7).shuffle(lines)
    shuffled = tmp_path / "shuffled.ndjson"
    shuffled.write_text("".join(lines))
    others = [path for path in (*clinic.events, *clinic.appointments) if path != log]
    found = []
    for name, files in (("straight", [log, *others]), ("shuffled", [*others, shuffled])):
        wb = Workbench.init(tmp_path / name)
        wb.ingest(*files, as_of=clinic.ingest_on)
        found.append(drift(wb))
    assert found[0] == found[1]


def test_nothing_is_compared_where_one_side_is_not_here(clinic: Clinic, tmp_path: Path) -> None:
    """A practice without arztkonsultation's records is not told that they agree."""
    wb = Workbench.init(tmp_path / "workspace")
    wb.ingest(*clinic.events, as_of=clinic.ingest_on)
    assert drift(wb) == {}


def test_a_record_that_the_log_does_not_know_is_an_orphan(clinic: Clinic, tmp_path: Path) -> None:
    """Booked while the log was written, made in eTermin, and yet without a message."""
    wb = Workbench.init(tmp_path / "workspace")
    wb.ingest(*clinic.events, *clinic.appointments, as_of=clinic.ingest_on)
    extra = tmp_path / "extra.csv"
    extra.write_text(
        "appointment_uid,first_name,email,starts_at,ends_at,booked_at\n"
        "nobody-knows-me,Mara,mara@example.org,2026-10-02T10:00:00,2026-10-02T10:15:00,2026-08-30T09:00:00\n"
    )
    wb.ingest(extra, as_of=clinic.ingest_on)
    assert drift(wb)["orphan"] == 1


def test_an_unmapped_calendar_is_counted_once_the_calendars_are_described(clinic: Clinic, tmp_path: Path) -> None:
    """Without a description nobody knows which calendars are mapped, and nothing is said."""
    wb = Workbench.init(tmp_path / "workspace")
    wb.ingest(*clinic.events, *clinic.appointments, as_of=clinic.ingest_on)
    assert "unmapped-calendar" not in drift(wb)
    toml = wb.path / "lifecycle.toml"
    toml.write_text(toml.read_text().replace("[setup]\n", '[setup]\ncalendars = { "Sprechzimmer 1" = "200001" }\n'))
    found = Workbench.open(wb.path)
    assert drift(found)["unmapped-calendar"] > 0


def test_an_undeclared_column_of_the_table_itself_is_found(clinic: Clinic, tmp_path: Path) -> None:
    """The store is checked as it is, not as the contract says it should be."""
    import duckdb

    wb = Workbench.init(tmp_path / "workspace")
    wb.ingest(*clinic.appointments, as_of=clinic.ingest_on)
    with duckdb.connect(str(wb.path / "data" / "lifecycle.duckdb")) as db:
        db.execute("ALTER TABLE appointments ADD COLUMN diagnosis VARCHAR")
        db.execute("UPDATE appointments SET diagnosis = 'x'")
    found = [one for one in wb.check().findings if one.field == "diagnosis"]
    assert [one.outcome for one in found] == [Outcome.FAILED] * len(found)
    assert found


def test_a_person_may_ask_which_rows_a_finding_speaks_of(clinic: Clinic, tmp_path: Path) -> None:
    """Keys only, and only in memory; a build server gets counts."""
    wb = Workbench.init(tmp_path / "workspace")
    wb.ingest(*clinic.events, *clinic.appointments, as_of=clinic.ingest_on)
    checked = wb.check()
    rows = checked.where("KVNR")
    assert rows.height == sum(one.count for one in checked.findings if one.check == "kvnr") > 0
    assert not {"first_name", "last_name", "email", "mobile"} & set(rows.columns)
    uids = set(rows["appointment_uid"])
    for text in (checked.junit(), checked.sarif(), repr(checked), str(checked.to_json())):
        assert not [uid for uid in uids if uid in text]
