"""Every format, found by the registry: its own examples, and what it makes of eTermin's fields."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from lifecycle.errors import SourceError, UsageError
from lifecycle.model import SCHEMAS
from lifecycle.sources import FORMATS, REGISTRY, declared, open_file

MESSAGE = {
    "command": "created",
    "appointmentUID": "a1",
    "startDateTimeUTC": "2026-05-10T08:00:00",
    "endDateTimeUTC": "2026-05-10T08:30:00",
    "startDateTime": "2026-05-10T10:00:00",
    "bookingDateUTC": "2026-05-01T07:00:00",
    "salutation": "",
    "lastName": "Muster",
    "firstName": "Erika",
    "email": "erika@example.org",
    "phone": "+4915228817386",
    "ZIP": "",
    "notes": "something",
    "calendarName": "Praxis 1",
    "location": " arztKonsultation ",
}
ROW = {
    "channel": "webpush",
    "appointment_uid": "a1",
    "participant": 1,
    "origin": "etermin",
    "calendar_ref": "Praxis 1",
    "service_id": None,
    "location": "Arztkonsultation",
    "first_name": "Erika",
    "last_name": "Muster",
    "email": "erika@example.org",
    "mobile": "+4915228817386",
    "starts_at": datetime(2026, 5, 10, 8, tzinfo=UTC),
    "ends_at": datetime(2026, 5, 10, 8, 30, tzinfo=UTC),
    "booked_at": datetime(2026, 5, 1, 7, tzinfo=UTC),
    "received_at": None,
    "status": "booked",
    "command": "CREATED",
    "line": 1,
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_every_format_reads_its_own_good_example(name: str, packed: bool, named: bool, read_bytes: Any) -> None:
    """Told by content or by name, plain or gzip, the good example is one row in the schema of its dataset."""
    data = REGISTRY[name].good
    found = read_bytes(gzip.compress(data) if packed else data, **({"format": name} if named else {}))
    assert (found.opened.format, found.opened.channel) == (name, REGISTRY[name].channel)
    assert (len(found.rows), found.rejects) == (1, [])
    assert list(found.rows[0]) == [*SCHEMAS[found.opened.dataset], "line"]
    assert found.rows[0]["appointment_uid"] == "a1"
    assert found.rows[0]["first_name"] is not None


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_refuses_its_own_bad_example(name: str, read_bytes: Any) -> None:
    """The bad example gives a reject or a SourceError, never a row."""
    try:
        found = read_bytes(REGISTRY[name].bad, format=name)
    except SourceError:
        return
    assert found.rejects
    assert not found.rows


@pytest.mark.parametrize("name", FORMATS)
def test_frames_have_the_types_of_the_schema(name: str, tmp_path: Any) -> None:
    """Every column of every batch is of the schema's type."""
    path = tmp_path / "input"
    path.write_bytes(REGISTRY[name].good)
    opened = open_file(path, zone=ZoneInfo("Europe/Berlin"))
    for batch in opened.batches():
        assert dict(batch.rows.schema) == {**SCHEMAS[opened.dataset], "line": pl.Int64}


def _json(**changes: Any) -> bytes:
    return json.dumps({**MESSAGE, **changes}).encode()


@pytest.mark.parametrize(
    "data",
    [
        _json(),
        json.dumps({name.upper(): value for name, value in MESSAGE.items()}).encode(),
        json.dumps([MESSAGE], indent=2).encode(),
        json.dumps(MESSAGE, indent=2).encode(),
        json.dumps({"body": MESSAGE}).encode(),
        json.dumps({"body": json.dumps(MESSAGE)}).encode(),
        json.dumps({"body": MESSAGE}, indent=1).encode(),
        b"\xef\xbb\xbf" + _json() + b"\r\n",
        b'{"body":' + _json(notes='"quoted" and \\ back') + b" }",
        _json(notes=["something"], ZIP=None, town=[], street={}),
    ],
    ids=["flat", "upper", "array", "pretty", "wrapped", "text-body", "wrapped-pretty", "bom", "odd", "typed"],
)
def test_a_web_push_message_reads_the_same_in_every_wrapper(data: bytes, read_bytes: Any) -> None:
    """One object, an array, a wrapper, any case of names: the same row, and the same undeclared field."""
    found = read_bytes(data)
    assert found.opened.format == "webpush"
    assert found.rows == [ROW]
    assert {name.lower(): count for name, count in found.undeclared.items()} == {"notes": 1}


def test_form_variables_are_messages(read_bytes: Any) -> None:
    """UPPERCASE form variables, percent-encoded, bare or as the text of a wrapper."""
    form = (
        "COMMAND=DELETED&APPOINTMENTUID=a1&STARTDATETIME=20260510+100000&FIRSTNAME=J%C3%B6rg&NOTES=x"
        "&EMAIL=joerg%40example.org"
    )
    bare = read_bytes(form.encode() + b"\n")
    wrapped = read_bytes(json.dumps({"received_at": "2026-05-01T07:00:00Z", "body": form}).encode())
    assert bare.undeclared == wrapped.undeclared == {"NOTES": 1}
    assert bare.rows[0] == {**wrapped.rows[0], "received_at": None}
    assert wrapped.rows[0]["received_at"] == datetime(2026, 5, 1, 7, tzinfo=UTC)
    assert bare.rows[0]["status"] == "cancelled"
    assert bare.rows[0]["first_name"] == "Jörg"
    assert bare.rows[0]["starts_at"] == datetime(2026, 5, 10, 8, tzinfo=UTC)


def test_location_is_never_kept_as_text(read_bytes: Any) -> None:
    """Arztkonsultation, other, or nothing."""
    lines = [_json(location=text) for text in ("ARZTKONSULTATION", "https://example.org/join?tan=ABC", "", " ")]
    assert [row["location"] for row in read_bytes(b"\n".join(lines)).rows] == ["Arztkonsultation", "other", None, None]


def test_blank_is_null_and_numbers_are_their_text(read_bytes: Any) -> None:
    """An empty or blank text is no value; a number in a text field is the text that it was written as."""
    found = read_bytes(_json(lastName="  ", firstName="", phone=4915228817386, calendarId=7.50))
    row = found.rows[0]
    assert (row["last_name"], row["first_name"]) == (None, None)
    assert (row["mobile"], row["calendar_ref"]) == ("4915228817386", "7.5")


def test_rest_keys_are_read_over_and_names_found(read_bytes: Any) -> None:
    """Ids, flags and numbers of a dump are not undeclared; texts on the deny list are."""
    record = {
        "id": 9, "externalId": "a1", "calendarId": 3, "calendarName": "K", "startDateTimeUtc": "2026-05-10T08:00:00",
        "creationDate": "2026-05-01 09:00", "status": 4, "title": "Dr.", "zip": "10115", "additional3": None,
        "selectedAnswers": "", "blockedApp": False, "appCapacity": 1, "bookingLanguage": "de",
    }  # fmt: skip
    found = read_bytes(json.dumps([record, record]).encode())
    assert found.opened.format == "rest-appointment"
    assert found.undeclared == {"title": 2, "zip": 2, "bookingLanguage": 2}
    assert found.rows[1]["calendar_ref"] == "3"
    assert found.rows[1]["status"] == "booked"
    assert found.rows[1]["booked_at"] == datetime(2026, 5, 1, 7, tzinfo=UTC)
    assert found.rows[1]["line"] == 2


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_csv_in_every_dress(delimiter: str, encoding: str, read_bytes: Any) -> None:
    """Delimiters, encodings, German dates, quoted line breaks, doubled quotes; lines counted as in an editor."""
    lines = [
        ["appointment_uid", "First_Name", "phone", "starts_at", "ends_at", "Bemerkung"],
        ["a1", "Jörg", "0152 28817386", "10.05.2026 10:00", "10.05.2026", '"zwei\nZeilen, ""so"""'],
        ["a2", "Ärmel", "", "2026-05-10T10:00:00+02:00", "", ""],
        ["a3", "zu", "kurz"],
        ["a4", "Zoë", "", "31.02.2026", "", ""],
    ]
    text = "\r\n".join(delimiter.join(line) for line in lines) + "\r\n\r\n"
    found = read_bytes(text.encode(encoding))
    assert found.opened.format == "csv"
    assert [(row["first_name"], row["line"]) for row in found.rows] == [("Jörg", 2), ("Ärmel", 4)]
    assert found.rejects == [("wrong-columns", 5), ("bad-time", 6)]
    assert found.rows[0]["starts_at"] == found.rows[1]["starts_at"] == datetime(2026, 5, 10, 8, tzinfo=UTC)
    assert found.rows[0]["ends_at"] == datetime(2026, 5, 9, 22, tzinfo=UTC)
    assert found.undeclared == {"Bemerkung": 1}


def test_a_command_column_makes_events_and_a_channel_column_wins(read_bytes: Any) -> None:
    """Record exports: events if they have a command; the channel by column, else by caller."""
    csv = b"appointment_uid,command,channel,starts_at\na1,modified,rest,2026-05-10T10:00:00\na2,created,,\n"
    found = read_bytes(csv, channel="webpush")
    assert found.opened.dataset == "events"
    assert [(row["channel"], row["command"]) for row in found.rows] == [("rest", "MODIFIED"), ("webpush", "CREATED")]


def test_names_of_their_own_are_mapped(read_bytes: Any) -> None:
    """The workspace's mapping is from their name to ours."""
    csv = b"Nummer;Vorname;Beginn\na1;Erika;10.05.2026 10:00\n"
    found = read_bytes(
        csv, format="csv", columns={"nummer": "appointment_uid", "Vorname": "first_name", "Beginn": "starts_at"}
    )
    assert found.rows[0]["first_name"] == "Erika"
    assert found.rows[0]["starts_at"] == datetime(2026, 5, 10, 8, tzinfo=UTC)
    assert found.undeclared == {}
    with pytest.raises(UsageError):
        read_bytes(csv, format="csv", columns={"Nummer": "nothing"})


def test_parquet_types_and_undeclared(read_bytes: Any) -> None:
    """Typed times (with or without zone), dates and numbers are read; nested text is a reject, others are counted."""
    frame = pl.DataFrame(
        {
            "appointment_uid": [1, 2, 3],
            "starts_at": [datetime(2026, 5, 10, 10)] * 3,
            "ends_at": [date(2026, 5, 10)] * 3,
            "booked_at": pl.Series([datetime(2026, 5, 1, 7, tzinfo=UTC)] * 3),
            "first_name": ["Erika", None, "Uwe"],
            "notes": ["x", "", None],
            "tags": [["a"], [], None],
            "email": [None, ["a@example.org"], None],
            "last_name": pl.Series(["Muster"] * 3, dtype=pl.Categorical),
            "calendar_ref": [None, timedelta(1), None],
            "received_at": [None, None, None],
        }
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    found = read_bytes(buffer.getvalue())
    assert found.opened.format == "parquet"
    assert found.rejects == [("not-text", 2)]
    assert [row["line"] for row in found.rows] == [1, 3]
    assert found.rows[0]["appointment_uid"] == "1"
    assert found.rows[0]["starts_at"] == datetime(2026, 5, 10, 8, tzinfo=UTC)
    assert found.rows[0]["ends_at"] == datetime(2026, 5, 9, 22, tzinfo=UTC)
    assert found.rows[0]["booked_at"] == datetime(2026, 5, 1, 7, tzinfo=UTC)
    assert (found.rows[0]["last_name"], found.rows[0]["received_at"]) == ("Muster", None)
    assert found.undeclared == {"notes": 1, "tags": 1}


def test_records_and_messages_are_told_apart(read_bytes: Any) -> None:
    """Our spelling is a record, eTermin's a message; neither is not guessed."""
    ours = b'{"appointment_uid": "a1", "command": "CREATED", "starts_at": "2026-05-10T10:00:00"}'
    assert read_bytes(ours).opened.format == "ndjson"
    assert read_bytes(b"[" + ours + b"]").opened.format == "json"
    assert read_bytes(ours).opened.dataset == "events"
    with pytest.raises(SourceError) as failed:
        read_bytes(b'{"uid": "a1"}')
    assert all(name in failed.value.hint for name in FORMATS)


def test_every_column_is_declared_for_its_dataset() -> None:
    """The table of names speaks of every column of the schema and of no other."""
    for dataset, schema in SCHEMAS.items():
        assert set(declared(dataset)) == set(schema)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"Nummer;Vorname;Beginn\nm1;Erika;10.11.2026 10:00\n", "csv"),
        (b'{"Nummer": "m1", "Vorname": "Erika", "Beginn": "10.11.2026 10:00"}\n', "ndjson"),
        (b'[{"Nummer": "m1", "Vorname": "Erika", "Beginn": "10.11.2026 10:00"}]', "json"),
    ],
)
def test_an_export_under_mapped_names_is_known_by_them(data: bytes, name: str, read_bytes: Any) -> None:
    """Whoever has mapped the columns of an export need not say its format, too."""
    columns = {"Nummer": "appointment_uid", "vorname": "first_name", "Beginn": "starts_at"}
    found = read_bytes(data, columns=columns)
    assert found.opened.format == name
    assert [(row["appointment_uid"], row["first_name"]) for row in found.rows] == [("m1", "Erika")]
    with pytest.raises(SourceError):
        read_bytes(data)
