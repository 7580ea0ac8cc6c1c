"""The made-up clinic: nobody real in it, the same every time, and counted by other code than the readers'."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from lifecycle.sources.made_up import Clinic, write_clinic, write_records, write_webpush
from lifecycle.sources.registry import open_file

AS_OF = date(2026, 10, 1)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    return write_clinic(tmp_path_factory.mktemp("clinic"), as_of=AS_OF)


def text_of(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")


def bodies(clinic: Clinic) -> list[dict[str, str]]:
    """Every readable JSON message, read by three lines of our own."""
    lines = [line for line in text_of(clinic.events[0]).splitlines() if line.endswith("}}")]
    return [json.loads(line)["body"] for line in lines]


def forms(clinic: Clinic) -> list[dict[str, str]]:
    lines = [line for line in text_of(clinic.events[1]).splitlines() if "=" in line]
    return [{name: value for name, (value,) in parse_qs(line).items()} for line in lines]


def records(clinic: Clinic) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(text_of(clinic.appointments[0])), delimiter=";"))
    return rows + [json.loads(line) for line in text_of(clinic.appointments[1]).splitlines() if line.endswith("}")]


def local_day(written: str) -> date:
    if "T" in written:
        return datetime.fromisoformat(written).date()
    return datetime.strptime(written, "%d.%m.%Y %H:%M").date()


def last_bookings(clinic: Clinic) -> dict[str, date]:
    """Uid to the local day of the last booking, from both push logs."""
    last: dict[str, tuple[bool, str, date]] = {}
    for body in bodies(clinic):
        if body["startDateTime"]:
            step = (body["command"] != "CREATED", "", local_day(body["endDateTime"]))
            last[body["appointmentUID"]] = max(last.get(body["appointmentUID"], step), step, key=lambda s: s[0])
    for body in forms(clinic):
        step = (body["COMMAND"] != "CREATED", "", datetime.strptime(body["ENDDATETIME"], "%Y%m%d %H%M%S").date())
        last[body["APPOINTMENTUID"]] = max(last.get(body["APPOINTMENTUID"], step), step, key=lambda s: s[0])
    return {uid: day for uid, (_, _, day) in last.items()}


def test_the_same_arguments_give_the_same_bytes(clinic: Clinic, tmp_path: Path) -> None:
    """Nothing of the clock, the machine or the order of a set is in the files."""
    again = write_clinic(tmp_path, as_of=AS_OF)
    for one, other in zip(clinic.events + clinic.appointments, again.events + again.appointments, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
    assert again.canaries == clinic.canaries


def test_another_seed_gives_other_people(clinic: Clinic, tmp_path: Path) -> None:
    """The seed reaches the files."""
    other = write_clinic(tmp_path, as_of=AS_OF, seed=2)
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(clinic.events, other.events, strict=True))


def test_every_address_lies_in_a_reserved_domain(clinic: Clinic) -> None:
    """No mail to anybody: example.org, .com and .net belong to nobody (RFC 2606)."""
    for path in clinic.events + clinic.appointments:
        domains = set(re.findall(r"(?:@|%40)([\w.-]+)", text_of(path)))
        assert domains, path.name
        assert domains <= {"example.org", "example.com", "example.net"}, path.name


def test_every_number_is_one_of_a_film(clinic: Clinic) -> None:
    """Mobile numbers and the one landline come from the ranges kept free for films."""
    film = re.compile(r"(\+49|0)(15228817386|171392\d{4}|17604069\d{3}|3023125\d{3})")
    numbers = {body["phone"].replace(" ", "") for body in bodies(clinic)} | {
        row["mobile"].replace(" ", "") for row in records(clinic)
    }
    numbers -= {""}
    assert len(numbers) > 50
    assert sum(1 for number in numbers if not film.fullmatch(number)) == 0
    assert any(number.startswith("+4930") for number in numbers), "the leaked landline"


def test_counts_add_up_and_agree_with_the_files(clinic: Clinic) -> None:
    """What the reader must say: read = stored + duplicates + rejected + expired, and read is what lies there."""
    for path in clinic.events + clinic.appointments:
        said = clinic.counts[path.name]
        text = text_of(path)
        lines = len(json.loads(text)) if path.suffix == ".json" else len(text.splitlines()) - (path.suffix == ".csv")
        assert said.read == lines
        assert said.read == said.stored + said.duplicates + said.rejected + said.expired
        units = [json.dumps(row) for row in json.loads(text)] if path.suffix == ".json" else text.splitlines()
        assert said.duplicates == sum(n - 1 for n in Counter(units).values())
    assert {c.rejected for c in clinic.counts.values()} == {0, 1, 3}
    assert all(clinic.counts[name].expired for name in ("webpush.ndjson", "export.csv"))


def test_the_readers_count_the_same(clinic: Clinic) -> None:
    """Two pieces of code that know nothing of each other: what was written, and what is read."""
    for dataset, paths in (("events", clinic.events), ("appointments", clinic.appointments)):
        undeclared: Counter[str] = Counter()
        for path in paths:
            said, opened = clinic.counts[path.name], open_file(path, zone=BERLIN)
            batches = list(opened.batches())
            rows = pl.concat([batch.rows for batch in batches]).drop("line")
            assert opened.dataset == dataset
            assert sum(batch.read for batch in batches) == said.read
            assert sum(len(batch.rejects) for batch in batches) == said.rejected
            assert rows.height - rows.unique().height == said.duplicates
            for batch in batches:
                undeclared.update(batch.undeclared)
        assert undeclared == clinic.undeclared[dataset]


def test_a_third_is_due_on_the_day_and_nothing_new_thirty_days_before(clinic: Clinic) -> None:
    """The demo ingests on one day and purges on the other; what was due before the first is the expired part."""
    days = list(last_bookings(clinic).values())
    due = sum(1 for day in days if timedelta(90) <= AS_OF - day)
    early = sum(1 for day in days if timedelta(90) <= clinic.ingest_on - day)
    assert 0.3 < (due - early) / len(days) < 0.42
    assert early == clinic.counts["webpush.ndjson"].expired + clinic.counts["webpush-forms.log"].expired
    assert any(day > AS_OF for day in days)


def test_the_due_rows_are_as_many_as_it_says(clinic: Clinic) -> None:
    """``due`` is the oracle for the plan, so it is counted a second time here, from the files alone."""
    gone = {uid for uid, day in last_bookings(clinic).items() if timedelta(90) <= AS_OF - day}
    gone -= {uid for uid, day in last_bookings(clinic).items() if timedelta(90) <= clinic.ingest_on - day}
    messages = {json.dumps(body, sort_keys=True) for body in bodies(clinic) if body["appointmentUID"] in gone}
    messages |= {json.dumps(body, sort_keys=True) for body in forms(clinic) if body["APPOINTMENTUID"] in gone}
    assert clinic.due["events"] == len(messages)
    dumped = [row for row in json.loads(text_of(clinic.appointments[2])) if row["externalId"] in gone]
    rows = {
        (row["appointment_uid"], str(row["participant"]))
        for row in records(clinic)
        if timedelta(90) <= AS_OF - local_day(row["ends_at"]) <= timedelta(119)
    }
    assert clinic.due["appointments"] == len(rows) + len(dumped)


def test_every_message_was_received_before_the_day_of_ingest(clinic: Clinic) -> None:
    """Nobody receives a message of tomorrow, so ingesting with an earlier ``as_of`` is believable."""
    lines = [json.loads(line) for line in text_of(clinic.events[0]).splitlines() if line.endswith("}}")]
    received = [datetime.fromisoformat(line["received_at"]) for line in lines]
    assert max(received) <= datetime.combine(clinic.ingest_on, datetime.min.time(), UTC)
    assert received == sorted(received)


def test_utc_and_local_times_say_the_same(clinic: Clinic) -> None:
    """A reader may prefer either; both spellings name one instant."""
    for body in bodies(clinic):
        if body["startDateTimeUTC"]:
            utc = datetime.fromisoformat(body["startDateTimeUTC"]).replace(tzinfo=UTC)
            assert utc.astimezone(BERLIN).replace(tzinfo=None) == datetime.fromisoformat(body["startDateTime"])


def test_canaries_belong_to_due_people_only(clinic: Clinic) -> None:
    """Or the purge could never make them disappear: no message or record that stays contains one."""
    days = last_bookings(clinic)
    kept = [
        json.dumps(body)
        for body in bodies(clinic)
        if body["appointmentUID"] == clinic.hold_uid or AS_OF - days.get(body["appointmentUID"], AS_OF) < timedelta(90)
    ]
    kept += [json.dumps(row) for row in records(clinic) if AS_OF - local_day(row["ends_at"]) < timedelta(90)]
    everything = "\n".join(kept)
    assert len(clinic.canaries) > 100
    assert sum(1 for canary in clinic.canaries if canary in everything) == 0
    source = text_of(clinic.events[0]) + text_of(clinic.events[1]).replace("%40", "@") + str(records(clinic))
    assert all(canary in source for canary in clinic.canaries)


def test_the_held_appointment_is_due_and_known_to_both_datasets(clinic: Clinic) -> None:
    """The demo's hold must have something to hold."""
    mine = [body for body in bodies(clinic) if body["appointmentUID"] == clinic.hold_uid]
    rows = [row for row in records(clinic) if row["appointment_uid"] == clinic.hold_uid]
    assert len(mine) == clinic.held["events"]
    assert len(rows) == clinic.held["appointments"]
    assert timedelta(90) <= AS_OF - last_bookings(clinic)[clinic.hold_uid] <= timedelta(119)


def test_leaks_of_every_kind_are_planted_and_counted(clinic: Clinic) -> None:
    """A check that finds nothing here is broken; undeclared fields count every non-empty value."""
    assert set(clinic.value_leaks) == {"kvnr", "iban", "icd10", "email-in-name", "landline"}
    assert all(clinic.value_leaks.values())
    found = Counter(n for body in bodies(clinic) for n in ("birthday", "notes", "street") if body[n])
    found += Counter(n for body in forms(clinic) for n in ("BIRTHDAY", "NOTES", "STREET") if n in body)
    assert clinic.undeclared["events"] == found
    born = sum(1 for row in records(clinic) if row.get("geburtsdatum"))
    cancelled = clinic.counts["appointmentdeleted.json"].read
    expected = {"geburtsdatum": born, "deletedBy": cancelled, "servicesText": cancelled}
    assert clinic.undeclared["appointments"] == expected
    assert clinic.drift == {"zombie": 2, "stale": 2, "missing": 2, "non-video": 2}


@pytest.mark.parametrize("seed", [3, 4, 5])
@pytest.mark.parametrize("as_of", [date(2024, 2, 29), date(2025, 3, 30), date(2032, 12, 31)])
def test_any_day_and_seed_make_a_clinic(tmp_path: Path, as_of: date, seed: int) -> None:
    """Leap days, clock changes and the turn of a year included; the smallest clinic has every leak too."""
    small = write_clinic(tmp_path, as_of=as_of, seed=seed, appointments=100)
    assert len(small.value_leaks) == 5
    assert len(small.undeclared["events"]) == 6
    assert small.due["appointments"] > 10


def test_too_small_a_clinic_is_refused(tmp_path: Path) -> None:
    """Fewer than a hundred appointments would silently miss a kind of leak."""
    with pytest.raises(ValueError, match="at least 100"):
        write_clinic(tmp_path, as_of=AS_OF, appointments=99)


def test_the_bulk_log_is_json_of_about_five_hundred_bytes(tmp_path: Path) -> None:
    """Every line parses, one of a hundred repeats, nothing in it is due."""
    path = tmp_path / "bulk.ndjson"
    write_webpush(path, 5_000, 1, as_of=AS_OF)
    lines = path.read_text().splitlines()
    read = [json.loads(line) for line in lines]
    assert len(read) == 5_000
    assert len(set(lines)) == 4_950
    assert 450 < path.stat().st_size / len(lines) < 560
    assert min(local_day(message["body"]["startDateTime"]) for message in read) > AS_OF
    assert {message["body"]["command"] for message in read} == {"CREATED", "MODIFIED", "DELETED"}


def test_the_bulk_records_are_due_in_the_share_asked_for(tmp_path: Path) -> None:
    """Ten of a hundred are due on the day, none thirty days earlier, every key once."""
    path = tmp_path / "bulk.parquet"
    write_records(path, 10_000, 1, as_of=AS_OF)
    ends = pl.read_parquet(path).with_columns(pl.col("ends_at").dt.convert_time_zone("Europe/Berlin").dt.date())
    assert ends.filter(pl.col("ends_at") + pl.duration(days=90) <= AS_OF).height == 1_000
    assert ends.filter(pl.col("ends_at") + pl.duration(days=90) <= AS_OF - timedelta(days=30)).height == 0
    assert ends["appointment_uid"].n_unique() == 10_000
