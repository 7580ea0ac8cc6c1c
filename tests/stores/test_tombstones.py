"""The store makes tombstones in bulk; the ledger is the reference. They must never differ by a bit."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lifecycle.errors import StoreError
from lifecycle.ledger import tombstones
from lifecycle.model import SCHEMAS, TOMBSTONE_KEYS, UTC_TIME
from lifecycle.stores.embedded import tombstones as bulk
from lifecycle.stores.embedded.erase import tombstones_of_doomed

pytestmark = pytest.mark.slow

KEY = bytes(range(200, 232))

# Lone surrogates are not UTF-8.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
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
        "\0",
        "a\0",
        "'",
        '"',
        "\\x00",
        "%Y",
        "$key",
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


def in_bulk(db: duckdb.DuckDBPyConnection, dataset: str, rows: list[dict[str, Any]], key: bytes = KEY) -> list[str]:
    frame = pl.DataFrame(rows, schema=dict(SCHEMAS[dataset]), orient="row").with_row_index("n")
    db.register("rows", frame.to_arrow())
    db.execute("CREATE OR REPLACE TEMP TABLE arrived AS SELECT * FROM rows ORDER BY n")
    found = bulk.tombstones(db, dataset, key, table="arrived").sort("row")
    assert found["row"].to_list() == list(range(len(rows)))
    return found["tombstone"].to_list()


def by_reference(dataset: str, rows: list[dict[str, Any]], key: bytes = KEY) -> list[str]:
    names = TOMBSTONE_KEYS[dataset]
    return [tombstones.tombstone(key, dataset, [(name, row[name]) for name in names]) for row in rows]


@given(ROWS["events"])
@example(EMPTY["events"])
@example(BLANK["events"])
@settings(max_examples=80, deadline=None)
def test_events_get_the_tombstones_of_the_reference(db, rows) -> None:
    """All declared columns: NULLs, empty texts, any script, years 1 to 9999."""
    assert in_bulk(db, "events", rows) == by_reference("events", rows)


@given(ROWS["appointments"])
@example(EMPTY["appointments"])
@example(BLANK["appointments"])
@settings(max_examples=80, deadline=None)
def test_appointments_get_the_tombstones_of_the_reference(db, rows) -> None:
    """The key and ``booked_at``."""
    assert in_bulk(db, "appointments", rows) == by_reference("appointments", rows)


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=50, deadline=None)
def test_every_key_gives_the_same_hmac(db, key) -> None:
    """Two hashes over padded bytes are an HMAC, whatever bytes the key has."""
    assert in_bulk(db, "events", EMPTY["events"], key) == by_reference("events", EMPTY["events"], key)


def test_a_column_outside_the_key_does_not_matter(db) -> None:
    """An appointment's tombstone survives a corrected name; an event's does not: it is another message."""
    changed = [{**BLANK["appointments"][0], "first_name": "Erika"}]
    assert in_bulk(db, "appointments", changed) == in_bulk(db, "appointments", BLANK["appointments"])
    changed = [{**BLANK["events"][0], "first_name": "Erika"}]
    assert in_bulk(db, "events", changed) != in_bulk(db, "events", BLANK["events"])


@pytest.mark.parametrize("dataset", SCHEMAS)
def test_null_and_empty_text_are_two_rows(db, dataset: str) -> None:
    """The mutant: without the question mark in the name they would condemn each other."""
    assert in_bulk(db, dataset, EMPTY[dataset]) != in_bulk(db, dataset, BLANK[dataset])


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
    assert in_bulk(db, "appointments", [row]) == [hmac.new(KEY, text.encode(), sha256).hexdigest()]


@pytest.mark.parametrize("threads", [1, 4])
def test_many_batches_on_many_threads_give_every_row_its_own(db, threads: int) -> None:
    """None is lost, the last and smaller batch included, none comes twice, and none gets another row's."""
    start = datetime(1969, 12, 31, 23, tzinfo=UTC)
    rows = [
        {**EMPTY["appointments"][0], "appointment_uid": f"Termin-{n}", "starts_at": start + timedelta(seconds=n / 3)}
        for n in range(20_001)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "BATCH_ROWS", 2_048)
        patch.setattr(bulk, "THREADS", threads)
        assert in_bulk(db, "appointments", rows) == by_reference("appointments", rows)


def test_messages_do_not_pile_up(db) -> None:
    """At most one batch a thread, and the next, are between DuckDB and their digests."""
    read, done, most = [0], [0], [0]
    batches, hashed = bulk._batches, bulk._hashed

    def counted(*words: Any) -> Iterator[pl.DataFrame]:
        for batch in batches(*words):
            read[0] += 1
            most[0] = max(most[0], read[0] - done[0])
            yield batch

    def slow(*words: Any) -> pl.DataFrame:
        found = hashed(*words)
        done[0] += 1
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "BATCH_ROWS", 2_048)
        patch.setattr(bulk, "THREADS", 1)
        patch.setattr(bulk, "_batches", counted)
        patch.setattr(bulk, "_hashed", slow)
        in_bulk(db, "events", EMPTY["events"] * 40_000)
    assert (read[0], done[0]) == (20, 20)
    assert most[0] <= 3


def test_no_message_outlives_its_tombstone() -> None:
    """What is kept of a batch holds none of its memory; columns that arrive together are let go together."""
    before = pa.total_allocated_bytes()
    batch = pl.DataFrame(
        pl.from_arrow(pa.record_batch({"row": pa.array(range(1_000)), "message": pa.array([b"message" * 100] * 1_000)}))
    )
    found = bulk._hashed(batch, KEY)
    assert pa.total_allocated_bytes() - before > 700_000
    del batch
    assert found.height == 1_000
    assert pa.total_allocated_bytes() - before < 100


def test_no_rows_have_no_tombstones(db) -> None:
    """Nothing due is the usual night."""
    in_bulk(db, "events", EMPTY["events"])
    found = bulk.tombstones(db, "events", KEY, "false", table="arrived")
    assert (found.height, found.schema) == (0, {"row": pl.Int64, "tombstone": pl.String})
    assert bulk.marked(db, "events", KEY, pl.Series(["0" * 64]), "false", table="arrived").height == 0
    assert bulk.distinct_and_sorted(found["tombstone"]).to_list() == []


def test_rows_that_cannot_be_read_are_an_error_without_their_values(db) -> None:
    """Arrow would hand on DuckDB's words, which quote them; and the store answers again at once."""
    in_bulk(db, "events", [{**EMPTY["events"][0], "email": "erika@example.org"}] * 5_000)
    with pytest.raises(StoreError) as caught:
        bulk.tombstones(db, "events", KEY, "e.rowid < 4000 OR error('of ' || e.email) IS NULL", table="arrived")
    assert "erika" not in f"{caught.value.fact} {caught.value.hint}"
    assert caught.value.__suppress_context__
    assert db.sql("SELECT 1").fetchall() == [(1,)]


def test_the_store_answers_after_a_call_that_was_cut_off(db) -> None:
    """DuckDB refuses every query beside one that is read; the traceback of the cut keeps all that it can."""

    def cut(*words: Any) -> pl.DataFrame:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "BATCH_ROWS", 2_048)
        patch.setattr(bulk, "THREADS", 1)
        patch.setattr(bulk, "_hashed", cut)
        with pytest.raises(KeyboardInterrupt) as caught:
            in_bulk(db, "events", EMPTY["events"] * 40_000)
    assert db.sql("SELECT 1").fetchall() == [(1,)]
    assert caught.tb is not None


def test_rows_are_found_by_their_tombstones(db) -> None:
    """Those of another key, or of no row, find none; a row found twice over is one row."""
    rows = [{**EMPTY["appointments"][0], "appointment_uid": uid} for uid in ("a", "b", None, "b")]
    marks = by_reference("appointments", rows)
    in_bulk(db, "appointments", rows)
    for by, expected in (([marks[1], "0" * 64], [1, 3]), ([marks[2], marks[2]], [2]), ([], [])):
        found = bulk.marked(db, "appointments", KEY, pl.Series(by, dtype=pl.String), table="arrived")
        assert found["row"].sort().to_list() == expected
    assert bulk.marked(db, "appointments", bytes(32), pl.Series(marks), table="arrived").is_empty()


def test_of_rows_that_are_not_looked_for_nothing_is_kept(db, monkeypatch) -> None:
    """A log of any length is compared in the same memory: so many batches are held at once, and each is compared."""
    rows = [{**EMPTY["appointments"][0], "appointment_uid": str(number)} for number in range(20_000)]
    marks = by_reference("appointments", rows)
    in_bulk(db, "appointments", rows)
    held, real = [], pl.concat

    def counted(parts: list[pl.DataFrame]) -> pl.DataFrame:
        held.append(len(parts))
        return real(parts)

    monkeypatch.setattr(bulk, "BATCH_ROWS", 2_048)
    monkeypatch.setattr(bulk, "COMPARED_BATCHES", 2)
    monkeypatch.setattr(pl, "concat", counted)
    found = bulk.marked(db, "appointments", KEY, pl.Series(marks[::7]), table="arrived")
    assert found["row"].sort().to_list() == list(range(0, 20_000, 7))
    assert len(held) > 4
    assert max(held[:-1]) <= 3


# Few and short beginnings and ends, so that some are repeated and some agree in their first 16 digits only.
DIGESTS = st.builds(
    lambda first, rest: first * 16 + rest.rjust(48, "0"), st.sampled_from("0789f"), st.text("0189af", max_size=2)
)


@given(st.lists(DIGESTS, max_size=30))
@settings(deadline=None)
def test_tombstones_come_sorted_and_once(marks: list[str]) -> None:
    """As Python sorts texts, whatever they share; the mutants: no sort as texts, numbers with a sign."""
    assert bulk.distinct_and_sorted(pl.Series("t", marks, dtype=pl.String)).to_list() == sorted(set(marks))
