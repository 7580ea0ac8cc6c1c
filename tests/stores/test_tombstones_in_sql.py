"""The store makes tombstones in SQL; the ledger is the reference. They must never differ by a bit."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lifecycle.ledger import tombstones
from lifecycle.model import SCHEMAS, TOMBSTONE_KEYS, UTC_TIME
from lifecycle.stores.embedded import sql
from lifecycle.stores.embedded.erase import distinct_and_sorted, tombstones_of_doomed

pytestmark = pytest.mark.slow

KEY = bytes(range(200, 232))

# A NUL never gets past the door (it is a reject), and lone surrogates are not UTF-8.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
HARD_TEXTS = st.sampled_from(
    [
        "",
        "?",
        ",",
        ":",
        "0:,",
        "5:email,",
        "é",
        "e\u0301",
        "İbrahim",
        "𝔘",
        "\n",
        "'",
        '"',
        "\\x00",
        "%Y",
        "$inner",
        "ß" * 9,
    ]
)
TIMES = st.one_of(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
    st.sampled_from(
        [
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(1970, 1, 1, tzinfo=UTC),
            datetime(2026, 10, 25, 0, 30, 0, 1, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        ]
    ),
)


def values_of(dtype: Any) -> st.SearchStrategy[Any]:
    if dtype == UTC_TIME:
        return st.none() | TIMES
    if dtype == pl.Int32:
        return st.none() | st.integers(-(2**31), 2**31 - 1)
    return st.none() | TEXTS | HARD_TEXTS


ROWS = {
    dataset: st.lists(
        st.fixed_dictionaries({name: values_of(dtype) for name, dtype in schema.items()}), min_size=1, max_size=4
    )
    for dataset, schema in SCHEMAS.items()
}
EMPTY = {dataset: [dict.fromkeys(schema)] for dataset, schema in SCHEMAS.items()}
BLANK = {
    dataset: [{name: "" if dtype == pl.String else None for name, dtype in schema.items()}]
    for dataset, schema in SCHEMAS.items()
}


@pytest.fixture(scope="module")
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory, in the zone that the store sets."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def in_sql(db: duckdb.DuckDBPyConnection, dataset: str, rows: list[dict[str, Any]], key: bytes = KEY) -> list[str]:
    frame = pl.DataFrame(rows, schema=dict(SCHEMAS[dataset]), orient="row").with_row_index("n")
    db.register("rows", frame.to_arrow())
    query = f"SELECT {sql.tombstone(dataset)} FROM rows e ORDER BY n"
    return [row[0] for row in db.execute(query, sql.hmac_pads(key)).fetchall()]


def by_reference(dataset: str, rows: list[dict[str, Any]], key: bytes = KEY) -> list[str]:
    names = TOMBSTONE_KEYS[dataset]
    return [tombstones.tombstone(key, dataset, [(name, row[name]) for name in names]) for row in rows]


@given(ROWS["events"])
@example(EMPTY["events"])
@example(BLANK["events"])
@settings(max_examples=80, deadline=None)
def test_events_get_the_tombstones_of_the_reference(db, rows) -> None:
    """All declared columns: NULLs, empty texts, any script, years 1 to 9999."""
    assert in_sql(db, "events", rows) == by_reference("events", rows)


@given(ROWS["appointments"])
@example(EMPTY["appointments"])
@example(BLANK["appointments"])
@settings(max_examples=80, deadline=None)
def test_appointments_get_the_tombstones_of_the_reference(db, rows) -> None:
    """The key and ``booked_at``."""
    assert in_sql(db, "appointments", rows) == by_reference("appointments", rows)


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=50, deadline=None)
def test_every_key_gives_the_same_hmac(db, key) -> None:
    """Two nested hashes over padded bytes are an HMAC, whatever bytes the key has."""
    assert in_sql(db, "events", EMPTY["events"], key) == by_reference("events", EMPTY["events"], key)


def test_a_column_outside_the_key_does_not_matter(db) -> None:
    """An appointment's tombstone survives a corrected name; an event's does not: it is another message."""
    changed = [{**BLANK["appointments"][0], "first_name": "Erika"}]
    assert in_sql(db, "appointments", changed) == in_sql(db, "appointments", BLANK["appointments"])
    changed = [{**BLANK["events"][0], "first_name": "Erika"}]
    assert in_sql(db, "events", changed) != in_sql(db, "events", BLANK["events"])


@pytest.mark.parametrize("dataset", SCHEMAS)
def test_null_and_empty_text_are_two_rows(db, dataset: str) -> None:
    """The mutant: without the question mark in the name they would condemn each other."""
    assert in_sql(db, dataset, EMPTY[dataset]) != in_sql(db, dataset, BLANK[dataset])


def test_rows_of_one_tombstone_give_it_once_and_all_are_in_order() -> None:
    """Three rows without an id are three deletions, but one line of ``tombstones.txt``."""
    rows = [{**BLANK["appointments"][0], "appointment_uid": uid} for uid in ("b", None, "a", None, "c", None)]
    with duckdb.connect() as store:
        store.execute("SET TimeZone = 'UTC'")
        store.register("arrived", pl.DataFrame(rows, schema=dict(SCHEMAS["appointments"])).to_arrow())
        store.execute("CREATE TABLE appointments AS SELECT * FROM arrived")
        store.execute("CREATE TABLE doomed_appointments AS SELECT rowid AS row FROM appointments")
        found = tombstones_of_doomed(store, ("appointments",), KEY).to_list()
    assert found == sorted(set(by_reference("appointments", rows)))


def test_one_tombstone_by_hand(db) -> None:
    """Written out once, so that both ways cannot drift together."""
    row = {
        **dict.fromkeys(SCHEMAS["appointments"]),
        "channel": "rest",
        "appointment_uid": "ä1",
        "participant": 2,
        "starts_at": datetime(2026, 5, 10, 8, 0, 0, 7, tzinfo=UTC),
    }
    text = (
        "deletion-tombstone/v1\0" "12:appointments,"
        "7:channel,4:rest,15:appointment_uid,3:ä1,11:participant,1:2,"
        "9:starts_at,27:2026-05-10T08:00:00.000007Z,10:booked_at?,0:,"
    )  # fmt: skip
    assert in_sql(db, "appointments", [row]) == [hmac.new(KEY, text.encode(), sha256).hexdigest()]


# Few and short beginnings and ends, so that some are repeated and some agree in their first 16 digits only.
DIGESTS = st.builds(
    lambda first, rest: first * 16 + rest.rjust(48, "0"), st.sampled_from("0789f"), st.text("0189af", max_size=2)
)


@given(st.lists(DIGESTS, max_size=30))
@settings(deadline=None)
def test_tombstones_come_sorted_and_once(marks: list[str]) -> None:
    """As Python sorts texts, whatever they share; the mutants: no second sort, numbers with a sign."""
    assert distinct_and_sorted(pl.Series("t", marks, dtype=pl.String)).to_list() == sorted(set(marks))
