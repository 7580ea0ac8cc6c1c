"""What comes in is stored, a duplicate, rejected or expired; never two of these, never none, in whatever order."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.model import Hold, Rule
from lifecycle.stores.embedded.connect import MEMORY_BYTES
from lifecycle.stores.embedded.ingest import WAITING_BYTES

CHANGED = {"first_name": "Renate", "received_at": datetime(2026, 9, 2, tzinfo=UTC)}
NINETY = timedelta(days=90)

# 23:59:59.999999 of 3 July 2026 in Berlin is due on 1 October; midnight is not.
EDGE = datetime(2026, 7, 3, 22, tzinfo=UTC)
ENDS = st.sampled_from([EDGE - timedelta(microseconds=1), EDGE, EDGE - NINETY, EDGE + NINETY, None])
RECEIPTS = st.sampled_from([None, datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)])
MESSAGES = st.builds(
    lambda number, uid, **other: {"number": number, **({} if uid else {"appointment_uid": None}), **other},
    st.integers(1, 3),
    st.sampled_from([True] * 5 + [False]),
    ends=ENDS,
    received_at=RECEIPTS,
    command=st.sampled_from(["CREATED", "MODIFIED", "DELETED"]),
    channel=st.sampled_from(["webpush", "webpush", "rest"]),
)
FILES = st.lists(st.lists(MESSAGES, max_size=6), min_size=1, max_size=3)


def spelled(shelf: Any, files: list[list[dict[str, Any]]], dataset: str = "events") -> list[list[dict[str, Any]]]:
    return [[shelf.row(dataset, **message) for message in file] for file in files]


def last_booking(messages: list[tuple[Any, ...]]) -> datetime | None:
    """Design, section 5, in plain Python: MODIFIED, then CREATED, then DELETED; later receipt; later end."""
    names = {"ends_at": 12, "starts_at": 11, "received_at": 14, "command": 16}

    def end(message: tuple[Any, ...]) -> datetime | None:
        return message[names["ends_at"]] or message[names["starts_at"]]

    dated = [message for message in messages if end(message) is not None]
    for command in ("MODIFIED", "CREATED", "DELETED"):
        same = [message for message in dated if message[names["command"]] == command]
        if same:
            received = [message for message in same if message[names["received_at"]] is not None]
            latest = max((message[names["received_at"]] for message in received), default=None)
            best = [m for m in same if m[names["received_at"]] == latest]
            return max(end(m) for m in best)  # type: ignore[type-var]
    return None


def is_due(messages: list[tuple[Any, ...]]) -> bool:
    """At 1 October 2026 in Berlin, with a horizon of a year for what has no date (nothing here is that old)."""
    end = last_booking(messages)
    return end is not None and end < EDGE


def expected_events(
    stored: Counter[Any], files: list[list[tuple[Any, ...]]]
) -> tuple[Counter[Any], list[Counter[str]]]:
    """What must be stored afterwards, and what each file must be counted as."""
    seen, groups = set(stored), defaultdict(list)
    for position, file in enumerate(files):
        for line, message in enumerate(file):
            alone = (position, line) if message[1] is None else None
            groups[message[0], message[1], alone].append(message)
    known = {(message[0], message[1]) for message in stored if message[1] is not None}
    after, counts = stored.copy(), []
    for position, file in enumerate(files):
        count: Counter[str] = Counter()
        for line, message in enumerate(file):
            alone = (position, line) if message[1] is None else None
            if message in seen:
                count["duplicates"] += 1
            elif is_due(groups[message[0], message[1], alone]) and (message[0], message[1]) not in known:
                count["expired"] += 1
            else:
                count["stored"] += 1
                after[message] += 1
            seen.add(message)
        counts.append(count)
    return after, counts


def tuples(files: list[list[dict[str, Any]]]) -> list[list[tuple[Any, ...]]]:
    return [[tuple(message.values()) for message in file] for file in files]


def counted(arrival: Any) -> Counter[str]:
    return +Counter({name: getattr(arrival, name) for name in ("stored", "duplicates", "expired")})


@pytest.mark.slow
@given(FILES, FILES, st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_messages_are_judged_as_a_simple_reference_judges_them(new_shelf, first, second, rejects) -> None:
    """Two calls, several files each: rows and counts per file; read = stored + duplicates + rejected + expired."""
    shelf = new_shelf()
    stored: Counter[Any] = Counter()
    for files in (spelled(shelf, first), spelled(shelf, second)):
        arrivals = shelf.take_in(*files, rejects=rejects)
        stored, counts = expected_events(stored, tuples(files))
        assert [counted(arrival) for arrival in arrivals] == counts
        assert shelf.rows() == stored
        for arrival, file in zip(arrivals, files, strict=True):
            assert arrival.read == len(file) + rejects
            assert arrival.read == arrival.stored + arrival.duplicates + arrival.rejected + arrival.expired
            assert arrival.rejected == rejects


@pytest.mark.slow
@given(FILES, st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_the_order_of_lines_and_of_files_does_not_matter(new_shelf, files, random) -> None:
    """The same messages shuffled within their files, and the files shuffled: the same rows."""
    one, other = new_shelf(), new_shelf()
    shuffled = [random.sample(file, len(file)) for file in random.sample(files, len(files))]
    total = sum((counted(arrival) for arrival in one.take_in(*spelled(one, files))), Counter())
    again = sum((counted(arrival) for arrival in other.take_in(*spelled(other, shuffled))), Counter())
    assert (one.rows(), total) == (other.rows(), again)


@pytest.mark.slow
@given(FILES)
@settings(max_examples=10, deadline=None)
def test_the_same_files_again_change_nothing(new_shelf, files) -> None:
    """Whatever was stored is a duplicate now, and what was expired is expired again or a duplicate of what is known."""
    shelf = new_shelf()
    shelf.take_in(*spelled(shelf, files))
    before = shelf.rows()
    again = shelf.take_in(*spelled(shelf, files))
    assert shelf.rows() == before
    assert sum(arrival.stored for arrival in again) == 0


# --- records --------------------------------------------------------------------------------------

RECORDS = st.builds(
    lambda **values: values,
    number=st.integers(1, 2),
    ends=st.sampled_from([EDGE - timedelta(days=1), EDGE + timedelta(days=1)]),
    first_name=st.sampled_from(["Erika", "Renate"]),
    received_at=st.sampled_from([datetime(2026, 3, n, tzinfo=UTC) for n in (1, 2, 3)]),
)


def newest_records(files: list[list[tuple[Any, ...]]]) -> dict[tuple[Any, ...], datetime]:
    """The latest receipt of each key that is not due."""
    newest: dict[tuple[Any, ...], datetime] = {}
    for file in files:
        for record in file:
            if record[12] >= EDGE:
                key = (record[0], record[1], record[2], record[11])
                newest[key] = max(newest.get(key, record[14]), record[14])
    return newest


@pytest.mark.slow
@given(st.lists(st.lists(RECORDS, max_size=5), min_size=1, max_size=3), st.booleans())
@settings(max_examples=20, deadline=None)
def test_of_records_with_one_key_the_later_receipt_stays(new_shelf, files, at_once) -> None:
    """In one call or in several: one row a key, the newest; and every record read is counted exactly once."""
    shelf = new_shelf()
    files = spelled(shelf, files, "appointments")
    calls = [files] if at_once else [[file] for file in files]
    arrivals = [arrival for call in calls for arrival in shelf.take_in(*call, dataset="appointments")]
    newest = newest_records(tuples(files))
    stored = shelf.rows("appointments")
    assert Counter((r[0], r[1], r[2], r[11], r[14]) for r in stored.elements()) == Counter(
        (*key, received) for key, received in newest.items()
    )
    for arrival, file in zip(arrivals, files, strict=True):
        assert arrival.read == len(file) == arrival.stored + arrival.duplicates + arrival.expired
    # What was stored is still here, or was replaced by what came later.
    assert sum(a.stored for a in arrivals) - sum(a.replaced for a in arrivals) == sum(stored.values())


@pytest.mark.slow
@given(st.lists(RECORDS, min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_records_in_a_file_does_not_matter(new_shelf, records, random) -> None:
    """Among equals the row itself decides, never its line."""
    one, other = new_shelf(), new_shelf()
    one.take_in(*spelled(one, [records], "appointments"), dataset="appointments")
    other.take_in(*spelled(other, [random.sample(records, len(records))], "appointments"), dataset="appointments")
    assert one.rows("appointments") == other.rows("appointments")


def test_a_newer_export_replaces_and_is_counted_within_stored(shelf) -> None:
    """Counted as stored and as replaced; the newer values are here, the older are not."""
    old = shelf.row("appointments")
    new = old | {"first_name": "Renate"}
    shelf.take_in([old], dataset="appointments")
    (arrival,) = shelf.take_in([new], dataset="appointments")
    assert (arrival.stored, arrival.replaced, arrival.duplicates) == (1, 1, 0)
    assert shelf.rows("appointments") == Counter([tuple(new.values())])


def test_an_older_export_read_again_does_not_undo_a_newer_one(shelf) -> None:
    """Known by its bytes where it says nothing of receipt; by its receipt where its bytes are new."""
    old = shelf.row("appointments")
    shelf.take_in([old], dataset="appointments", names=["monday"])
    shelf.take_in([old | {"first_name": "Renate"}], dataset="appointments", names=["tuesday"])
    (again,) = shelf.take_in([old], dataset="appointments", names=["monday"])
    assert (again.stored, again.duplicates) == (0, 1)
    dated = shelf.row("appointments", 2, received_at=datetime(2026, 9, 2, tzinfo=UTC))
    shelf.take_in([dated], dataset="appointments", names=["wednesday"])
    earlier = dated | {"first_name": "Older", "received_at": datetime(2026, 9, 1, tzinfo=UTC)}
    (older,) = shelf.take_in([earlier], dataset="appointments", names=["found later"])
    assert (older.stored, older.duplicates) == (0, 1)
    assert sorted(row[7] for row in shelf.rows("appointments")) == sorted(["Renate", dated["first_name"]])


def test_records_without_a_uid_never_replace_each_other(shelf) -> None:
    """Nobody can tell whether they are one person: both stay, for ``check`` to find."""
    one = shelf.row("appointments", 1, appointment_uid=None)
    other = shelf.row("appointments", 2, appointment_uid=None)
    shelf.take_in([one], dataset="appointments")
    (arrival,) = shelf.take_in([other], dataset="appointments")
    assert (arrival.stored, arrival.replaced) == (1, 0)
    assert sum(shelf.rows("appointments").values()) == 2


def test_a_due_record_without_a_uid_is_expired_although_another_lies_there(shelf) -> None:
    """A row without a uid belongs to no appointment that the store could know."""
    shelf.take_in([shelf.row("appointments", 1, shelf.old, appointment_uid=None)], dataset="appointments",
                  today=shelf.old.date())  # fmt: skip
    due = shelf.row("appointments", 2, shelf.old, appointment_uid=None)
    (arrival,) = shelf.take_in([due], dataset="appointments")
    assert (arrival.stored, arrival.expired) == (0, 1)


def test_a_record_beaten_by_an_expired_one_is_not_counted_as_stored(shelf) -> None:
    """Two rows of one key in one export, both due: nothing is stored, and nothing is said to be."""
    due = shelf.row("appointments", 1, shelf.old)
    (arrival,) = shelf.take_in([due, due | CHANGED], dataset="appointments")
    assert (arrival.stored, arrival.replaced, arrival.expired) == (0, 0, 2)
    assert not shelf.rows("appointments")


# --- expired --------------------------------------------------------------------------------------


def test_a_rebooking_in_another_file_saves_the_old_message(shelf) -> None:
    """Expired is told per appointment over all files of the call."""
    created = shelf.row("events", 1, shelf.old)
    moved = shelf.row("events", 1, shelf.new, command="MODIFIED")
    arrivals = shelf.take_in([created], [moved])
    assert [arrival.expired for arrival in arrivals] == [0, 0]
    assert sum(shelf.rows().values()) == 2


def test_a_message_of_an_appointment_that_has_rows_is_never_dropped(shelf) -> None:
    """Its rows may be due themselves: the purge deletes them, not the door."""
    shelf.take_in([shelf.row("events", 1, shelf.old)], today=shelf.old.date())
    (late,) = shelf.take_in([shelf.row("events", 1, shelf.old, command="DELETED")])
    assert (late.stored, late.expired) == (1, 0)
    (other_channel,) = shelf.take_in([shelf.row("events", 1, shelf.old, channel="rest")])
    assert (other_channel.stored, other_channel.expired) == (0, 1)


def test_a_message_of_an_appointment_that_has_a_record_is_never_dropped(shelf) -> None:
    """Its row may be among the records only, which came by another channel."""
    shelf.take_in([shelf.row("appointments", 1, channel="arztkonsultation")], dataset="appointments")
    of_record, of_nobody = shelf.row("events", 1, shelf.old), shelf.row("events", 2, shelf.old)
    (late,) = shelf.take_in([of_record, of_nobody])
    assert (late.stored, late.expired) == (1, 1)
    assert shelf.rows() == Counter([tuple(of_record.values())])


def test_a_held_appointment_is_stored_although_it_is_due(shelf) -> None:
    """A hold may be set before its rows arrive; dropping them at the door would be deleting them."""
    uid = shelf.row("events", 1)["appointment_uid"]
    shelf.store.add_hold(Hold(0, uid, "legal-claims", "", "controller", shelf.today))
    held, due = shelf.row("events", 1, shelf.old), shelf.row("events", 2, shelf.old)
    (arrival,) = shelf.take_in([held, due])
    assert (arrival.stored, arrival.expired) == (1, 1)
    assert shelf.rows() == Counter([tuple(held.values())])


def test_expired_counts_days_as_the_purge_does(shelf) -> None:
    """The last microsecond of the day that is due, and the first that is not."""
    rows = [shelf.row("events", 1, EDGE - timedelta(microseconds=1)), shelf.row("events", 2, EDGE)]
    (arrival,) = shelf.take_in(rows)
    assert (arrival.stored, arrival.expired) == (1, 1)
    assert shelf.store.counts(shelf.cutoffs())[0].due == 0


# --- erased ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", ["events", "appointments"])
def test_an_erased_row_is_refused_while_the_key_of_its_run_lives(shelf, dataset: str) -> None:
    """Counted as a reject, and only that row; without the key nobody can recognise it."""
    gone, other = shelf.row(dataset, 1), shelf.row(dataset, 2)
    keys = [(shelf.tombstone(dataset, gone) + "\n", shelf.key)]
    (arrival,) = shelf.take_in([gone, other], dataset=dataset, keys=keys)
    assert (arrival.stored, arrival.rejected, arrival.rejects) == (1, 1, {"erased": (1, 0, 0)})
    assert arrival.read == arrival.stored + arrival.rejected
    assert shelf.holds_bytes(gone["email"], gone["appointment_uid"]) == []
    (arrival,) = shelf.take_in([gone], dataset=dataset, keys=[(shelf.tombstone(dataset, gone), bytes(32))])
    assert (arrival.stored, arrival.rejected) == (1, 0)


@pytest.mark.slow
# --- all of a file or none of it ------------------------------------------------------------------


def test_a_broken_file_is_withdrawn_whole_and_leaves_no_byte(shelf) -> None:
    """The others of the call go on; what it would have saved or doubled is judged without it."""
    good, broken = shelf.row("events", 1), shelf.row("events", 2)
    created, moved = shelf.row("events", 3, shelf.old), shelf.row("events", 3, shelf.new, command="MODIFIED")
    arrivals = shelf.take_in([good, created], [broken, moved], broken=frozenset([1]))
    assert [(arrival.stored, arrival.expired) for arrival in arrivals] == [(1, 1)]
    assert shelf.rows() == Counter([tuple(good.values())])
    assert shelf.holds_bytes(broken["email"], created["email"], broken["appointment_uid"]) == []
    assert shelf.holds_bytes(good["email"]) == [0]


def test_a_file_after_a_broken_one_is_counted_once(shelf) -> None:
    """The broken file's number is given again; nothing of the first bearer may be left."""
    rows = [shelf.row("events", 1, shelf.old), shelf.row("events", 2)]
    (arrival,) = shelf.take_in([shelf.row("events", 3)], rows, broken=frozenset([0]))
    assert (arrival.read, arrival.stored, arrival.expired, arrival.source) == (2, 1, 1, 1)


def test_nothing_of_what_is_not_stored_is_in_any_byte(shelf) -> None:
    """Plain search through every file: expired, erased and beaten rows never touched the disk; stored ones did."""
    stored = [shelf.row("appointments", number) for number in range(50)]
    expired = [shelf.row("appointments", number, shelf.old) for number in range(100, 150)]
    beaten = [one | {"email": f"beaten{n}@example.net"} for n, one in enumerate(stored)]
    winning = [one | {"received_at": datetime(2026, 9, 2, tzinfo=UTC)} for one in stored]
    erased = [shelf.row("appointments", number) for number in range(200, 220)]
    keys = [("\n".join(shelf.tombstone("appointments", one) for one in erased), shelf.key)]
    (arrival,) = shelf.take_in(expired + beaten + winning + erased, dataset="appointments", keys=keys)
    assert (arrival.stored, arrival.replaced, arrival.expired, arrival.rejected) == (100, 50, 50, 20)
    absent = [
        *(one["email"] for one in expired + beaten + erased),
        *(one["appointment_uid"] for one in expired + erased),
    ]
    assert shelf.holds_bytes(*absent) == []
    assert len(shelf.holds_bytes(*(one["email"] for one in winning))) == 50
    assert {path.name for path in shelf.path.parent.iterdir()} == {shelf.path.name}


# --- which booking is the last --------------------------------------------------------------------


@pytest.mark.slow
@given(st.lists(MESSAGES.map(lambda m: m | {"number": 1, "channel": "webpush"}), min_size=1, max_size=6))
@settings(max_examples=20, deadline=None)
def test_day_0_is_that_of_the_booking_that_the_reference_names(new_shelf, messages) -> None:
    """MODIFIED beats CREATED, then the later receipt, then the later end; DELETED only where nothing else has dates."""
    shelf = new_shelf()
    (file,) = spelled(shelf, [[message | {"appointment_uid": "one-visit"} for message in messages]])
    shelf.take_in(file, today=datetime(2026, 1, 1).date())
    end = last_booking([tuple(message.values()) for message in file])
    day_0 = end.astimezone(shelf.zone).date() if end else None
    found = shelf.store.day_counts(shelf.cutoffs(), shelf.zone)
    assert [(each.day_0, each.rows) for each in found] == [(day_0, sum(shelf.rows().values()))]
    counts = shelf.store.counts(shelf.cutoffs())[0]
    assert counts.due == (counts.before if end is not None and end < EDGE else 0)
    assert counts.no_anchor == (counts.before if end is None else 0)


@pytest.mark.parametrize(("days_later", "due"), [(-1, 0), (0, 1), (1, 1)])
def test_a_row_without_a_date_falls_due_by_its_receipt_else_by_its_ingest(shelf, days_later: int, due: int) -> None:
    """Receipt (else the day of ingest) + 365 + 90 days, and not a day before."""
    received = datetime(2025, 6, 1, 12, tzinfo=UTC)
    for number, (at, today) in enumerate([(received, received.date() + timedelta(days=99)), (None, received.date())]):
        shelf.take_in([shelf.row("events", number, None, received_at=at)], today=today)
    limits = shelf.cutoffs(received.date() + timedelta(days=455 + days_later))
    counts = shelf.store.counts(limits)[0]
    assert (counts.due, counts.no_anchor) == (2 * due, 2)


@pytest.mark.parametrize(("cancelled", "due"), [("booking", 0), ("cancellation", 2)])
def test_a_cancellation_moves_the_date_only_where_the_rule_says_so(shelf, cancelled: str, due: int) -> None:
    """Then the earlier of the two; a booking after the cancellation takes it back."""
    gone = datetime(2026, 6, 1, tzinfo=UTC)
    rules = {name: Rule(name, 90, "", "", "contract", cancelled=cancelled) for name in shelf.rules}
    created = shelf.row("events", 1, received_at=gone - timedelta(days=9))
    deleted = shelf.row("events", 1, command="DELETED", received_at=gone)
    shelf.take_in([created, deleted], today=gone.date())
    assert shelf.store.counts(shelf.cutoffs(rules=rules))[0].due == due
    shelf.take_in([shelf.row("events", 1, command="MODIFIED", received_at=gone + timedelta(days=1))])
    assert shelf.store.counts(shelf.cutoffs(rules=rules))[0].due == 0


def test_superseded_messages_fall_due_earlier_where_the_rule_says_so(shelf) -> None:
    """Only what a later booking replaced; the last one and the cancellation stay."""
    rules = {name: Rule(name, 90, "", "", "contract", superseded_days=30) for name in shelf.rules}
    at = datetime(2026, 8, 1, tzinfo=UTC)
    messages = [
        shelf.row("events", 1, received_at=at),
        shelf.row("events", 1, command="MODIFIED", received_at=at + timedelta(days=1)),
        shelf.row("events", 1, command="DELETED", received_at=at + timedelta(days=2)),
    ]
    shelf.take_in(messages)
    assert shelf.store.counts(shelf.cutoffs(rules=rules))[0].due == 1
    assert shelf.store.counts(shelf.cutoffs())[0].due == 0


def test_rows_that_wait_may_take_less_memory_than_what_judges_them(shelf: Any) -> None:
    """Reading needs memory of its own beside DuckDB's; judging and storing must not run short (it reuses buffers)."""

    def granted() -> float:
        amount, unit = intake._db.sql("SELECT current_setting('memory_limit')").fetchall()[0][0].split()
        return float(amount) * {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[unit]

    with shelf.store.intake(shelf.today, shelf.zone) as intake:
        waiting = granted()
        intake.settle(shelf.cutoffs(), [])
        judging = granted()
    assert waiting == pytest.approx(WAITING_BYTES, rel=0.01)
    assert judging == pytest.approx(MEMORY_BYTES, rel=0.01)
    assert WAITING_BYTES < MEMORY_BYTES
