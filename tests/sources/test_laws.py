"""Laws of every source: what is written is read, nothing but our errors comes out, nothing personal in them."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import traceback
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifecycle.errors import LifecycleError
from lifecycle.sources import FORMATS, REGISTRY
from lifecycle.sources.names import UNNAMED, reportable

LAWFUL = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

written = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
times = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(lambda moment: moment.replace(microsecond=0))
messages = st.fixed_dictionaries(
    {"command": st.sampled_from(["CREATED", "MODIFIED", "DELETED"]), "appointmentUID": written},
    optional={
        "firstName": written,
        "lastName": written,
        "email": written,
        "phone": written,
        "calendarName": written,
        "startDateTimeUTC": times,
        "endDateTimeUTC": times,
        "bookingDateUTC": times,
    },
)
COLUMNS = {
    "appointmentUID": "appointment_uid",
    "firstName": "first_name",
    "lastName": "last_name",
    "email": "email",
    "phone": "mobile",
    "calendarName": "calendar_ref",
    "startDateTimeUTC": "starts_at",
    "endDateTimeUTC": "ends_at",
    "bookingDateUTC": "booked_at",
    "command": "command",
}


def expected(message: dict[str, Any]) -> dict[str, Any]:
    """Return the row that a message must become, without what every row has."""
    row = {column: message.get(name) for name, column in COLUMNS.items()}
    return {name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for name, value in row.items()}


def dressed(message: dict[str, Any], dress: random.Random) -> bytes:
    """Write a message in one of the ways that are known: case, underscores, order, date spelling, wrapper, form."""
    spelling = dress.choice([str, str.upper, str.lower, lambda name: "_".join(name)])
    date = dress.choice(["%Y-%m-%dT%H:%M:%S", "%Y%m%d %H%M%S"])
    texts = {k: value.strftime(date) if isinstance(value, datetime) else value for k, value in message.items()}
    pairs = [(spelling(name), value) for name, value in texts.items()]
    pairs += [(spelling(name), "") for name in COLUMNS if name not in message and dress.random() < 0.5]
    dress.shuffle(pairs)
    form, plain = urlencode(pairs), dict(pairs)
    escaped = dress.random() < 0.5
    return dress.choice(
        [
            json.dumps(plain, ensure_ascii=escaped),
            json.dumps(plain, separators=(",", ":"), ensure_ascii=escaped),
            json.dumps({"body": plain, "received_at": None}),
            json.dumps({"received_at": "", "body": json.dumps(plain, ensure_ascii=escaped)}),
            json.dumps({"body": form}),
            form,
        ]
    ).encode()


@pytest.mark.slow
@LAWFUL
@given(st.lists(messages, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_a_message_reads_back_in_any_dress(read_bytes: Any, many: list[dict[str, Any]], dress: random.Random) -> None:
    """Any declared record in any spelling, wrapper and order is the same row; nothing is undeclared."""
    found = read_bytes(b"\n".join(dressed(message, dress) for message in many), format="webpush")
    assert [{name: row[name] for name in COLUMNS.values()} for row in found.rows] == [expected(one) for one in many]
    assert found.undeclared == {}


@pytest.mark.slow
@LAWFUL
@given(st.lists(messages, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_a_record_reads_back_from_csv(read_bytes: Any, many: list[dict[str, Any]], dress: random.Random) -> None:
    """The same values as a table, with any delimiter, in any order of columns."""
    names = [*COLUMNS]
    dress.shuffle(names)
    delimiter = dress.choice(",;\t")
    date = dress.choice(["%Y-%m-%dT%H:%M:%S+00:00", "%d.%m.%Y %H:%M:%SZ"])
    lines = [delimiter.join(names)]
    for one in many:
        cells = [one.get(name, "") for name in names]
        texts = [cell.strftime(date) if isinstance(cell, datetime) else cell for cell in cells]
        lines.append(delimiter.join('"' + text.replace('"', '""') + '"' for text in texts))
    found = read_bytes("\n".join(lines).encode(), format="csv")
    # The columns are named ...UTC, so both spellings of an offset agree with them.
    assert [{name: row[name] for name in COLUMNS.values()} for row in found.rows] == [expected(one) for one in many]


@pytest.mark.slow
@LAWFUL
@given(st.lists(messages, min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_only_line_numbers(
    read_bytes: Any, many: list[dict[str, Any]], dress: random.Random
) -> None:
    """The same lines in another order are the same rows."""
    lines = [*(dressed(message, dress) for message in many), b"{", b'{"command": 1, "notes": ""}']

    def without_lines(found: Any) -> list[str]:
        return sorted(str({**row, "line": 0}) for row in found.rows) + sorted(reason for reason, _ in found.rejects)

    before = without_lines(read_bytes(b"\n".join(lines), format="webpush"))
    dress.shuffle(lines)
    assert without_lines(read_bytes(b"\n".join(lines), format="webpush")) == before


examples = st.sampled_from([example for one in REGISTRY.values() for example in (one.good, one.bad)])


@st.composite
def mutilated(draw: st.DrawFn) -> bytes:
    """An example with a piece cut out, doubled or overwritten, perhaps packed and cut again; or plain noise."""
    data = draw(st.one_of(examples, examples, st.binary(max_size=80)))
    for _ in range(draw(st.integers(0, 3))):
        begin, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        middle = draw(
            st.one_of(st.binary(max_size=6), st.just(data[begin:end] * 2), st.sampled_from([b"\0", b"[", b'"']))
        )
        data = data[:begin] + middle + data[end:]
    if draw(st.booleans()):
        data = gzip.compress(data, mtime=0)
        data = data[: len(data) - draw(st.sampled_from([0, 0, 1, 9]))]
    return data


@pytest.mark.slow
@settings(LAWFUL, max_examples=300)
@given(mutilated(), st.sampled_from([None, *FORMATS]))
def test_any_bytes_end_in_rows_or_in_one_of_our_errors(read_bytes: Any, data: bytes, name: str | None) -> None:
    """Rows and rejects add up (checked while reading), or it is one of our errors; no other exception."""
    with contextlib.suppress(LifecycleError):
        read_bytes(data, format=name)


CANARIES = ["Zeisig", "zeisig@example.org", "+4915228817386", "1971-03-04", "A123456780"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("cut", [0, 1, 30, 90, 200])
def test_no_value_is_in_an_error_a_reject_or_a_repr(name: str, cut: int, read_bytes: Any) -> None:
    """Canaries in every field of every format, whole and broken: not in errors, tracebacks, rejects or names."""
    record = {
        "command": "CREATED", "appointmentUID": "a1", "externalId": "a1", "id": 1, "syncKey": 1, "deletedBy": "Zeisig",
        "firstName": "Zeisig", "lastName": {"a": "Zeisig"}, "email": "zeisig@example.org", "phone": "+4915228817386",
        "birthday": "1971-03-04", "notes": "A123456780", "startDateTime": "Zeisig", "zeisig@example.org": "x",
        "+4915228817386": "x", "1971-03-04": "x",
    }  # fmt: skip
    text = json.dumps(record)
    if name == "csv":
        text = "appointment_uid;email;Zeisig@example.org;starts_at\na1;zeisig@example.org;A123456780;Zeisig\na2;Zeisig"
    if name in ("json", *(one for one in FORMATS if one.startswith("rest"))):
        text = f"[{text}, {text}]"
    data = text.encode()
    if name == "parquet":
        import io

        pl.DataFrame(
            {"appointment_uid": ["a1"], "zeisig@example.org": ["A123456780"], "starts_at": ["Zeisig"]}
        ).write_parquet(buffer := io.BytesIO())
        data = buffer.getvalue()
    try:
        found = read_bytes(data[: len(data) - cut], format=name)
        shown = repr((found.rejects, found.undeclared, found.opened))
    except LifecycleError as error:
        shown = "".join(traceback.format_exception(error)) + repr(error) + error.hint
        shown += repr(error.__cause__)
    assert not [canary for canary in CANARIES if canary.lower() in shown.lower()]


@given(st.text(max_size=80))
def test_a_name_that_is_shown_looks_like_a_name(name: str) -> None:
    """No addresses, no long digits, nothing over 64 characters."""
    shown = reportable(name)
    assert shown == UNNAMED or (shown == name.strip() and "@" not in shown and len(shown) <= 64 and not shown.isdigit())


@pytest.mark.parametrize(
    "name", ["notes", "ZIP", "additional20", "Telefon privat", "a7", "Straße", "x-ref", "body.notes"]
)
def test_ordinary_names_are_shown(name: str) -> None:
    """As the file spells them."""
    assert reportable(name) == name
