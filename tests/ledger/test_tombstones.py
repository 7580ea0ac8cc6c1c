"""Tombstones are keyed, unambiguous and stable."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.ledger import tombstones

KEY = bytes(range(32))
VALUES = st.one_of(st.none(), st.text(max_size=5), st.integers(-5, 99), st.datetimes(timezones=st.just(UTC)))
ROWS = st.tuples(
    st.sampled_from(["events", "event"]), st.lists(st.tuples(st.text("ab?:,1", max_size=3), VALUES), max_size=3)
)


def test_the_bytes_are_those_of_the_format() -> None:
    """Written out by hand once."""
    row = [("appointment_uid", "made-up"), ("participant", 1), ("booked_at", None), ("note", "")]
    by_hand = (
        b"deletion-tombstone/v1\x0012:appointments,15:appointment_uid,7:made-up,"
        b"11:participant,1:1,10:booked_at?,0:,4:note,0:,"
    )
    assert tombstones.message("appointments", row) == by_hand
    assert tombstones.tombstone(KEY, "appointments", row) == hmac.new(KEY, by_hand, sha256).hexdigest()


def test_a_plain_hash_is_not_a_tombstone() -> None:
    """The mutant: without the key anybody could try names until one fits."""
    row = [("appointment_uid", "made-up")]
    plain = sha256(tombstones.message("appointments", row)).hexdigest()
    assert tombstones.tombstone(KEY, "appointments", row) != plain
    assert tombstones.tombstone(bytes(32), "appointments", row) != tombstones.tombstone(KEY, "appointments", row)


def test_a_time_is_the_same_in_every_zone() -> None:
    """RFC 3339, UTC, six decimals; a time without a zone is refused."""
    utc = datetime(2026, 3, 29, 1, 30, 0, 5, tzinfo=UTC)
    assert tombstones.spell(utc) == b"2026-03-29T01:30:00.000005Z"
    assert tombstones.spell(utc.astimezone(timezone(timedelta(hours=2)))) == tombstones.spell(utc)
    with pytest.raises(ValueError, match="zone"):
        tombstones.spell(datetime(2026, 3, 29, 1, 30))


@pytest.mark.parametrize("value", [1.0, True, b"bytes"])
def test_other_kinds_of_values_are_refused(value: object) -> None:
    """A float has no one spelling."""
    with pytest.raises(TypeError):
        tombstones.spell(value)


@given(ROWS, ROWS)
def test_different_rows_have_different_messages(one, two) -> None:
    """Netstrings leave no two ways to read the same bytes; NULL differs from the empty text."""

    def typed(row):
        name, columns = row
        said = [(n + "?", b"") if v is None else (n, tombstones.spell(v)) for n, v in columns]
        return name, said

    same = tombstones.message(*one) == tombstones.message(*two)
    assert same == (typed(one) == typed(two))


def due_set(pieces: Iterable[bytes]) -> str:
    digest = tombstones.due_set(KEY)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def test_the_due_set_is_the_hmac_of_the_file() -> None:
    """openssl over tombstones.txt gives the same; it is read in pieces of whole lines, in order, once each."""
    marks = sorted(tombstones.tombstone(KEY, "events", [("appointment_uid", str(n))]) for n in range(50))
    file = "".join(mark + "\n" for mark in marks).encode()

    def stream() -> Iterator[bytes]:
        yield from (file[:650], file[650:715], file[715:])

    assert due_set(stream()) == hmac.new(KEY, file, sha256).hexdigest()
    assert due_set([]) == hmac.new(KEY, b"", sha256).hexdigest()
    one, two = (mark.encode() for mark in marks[:2])
    for bent in (
        [two + b"\n" + one + b"\n"],
        [two + b"\n", one + b"\n"],
        [one + b"\n" + one + b"\n"],
        [one + b"\n", one + b"\n"],  # across two pieces
        [b"short\n"],
        [b""],
        [one],
        [one + b"\n" + two],
        [one[:63] + b"\n" + one[63:] + two + b"\n"],  # as many bytes, another file
        ["ä".encode() * 32 + b"\n"],
        [b"\n" * 65],
    ):
        with pytest.raises(ValueError, match="sorted and distinct"):
            due_set(bent)


def test_a_retained_set_is_bound_by_count_sum_dataset_and_key() -> None:
    """Each of the four changes the digest; the sum counts modulo 2^64."""
    digests = {
        tombstones.retained_set(KEY, "events", 2, 7),
        tombstones.retained_set(KEY, "events", 3, 7),
        tombstones.retained_set(KEY, "events", 2, 8),
        tombstones.retained_set(KEY, "appointments", 2, 7),
        tombstones.retained_set(bytes(32), "events", 2, 7),
    }
    assert len(digests) == 5
    assert tombstones.retained_set(KEY, "events", 2, 7 + 2**64) in digests
    with pytest.raises(ValueError, match="negative"):
        tombstones.retained_set(KEY, "events", -1, 0)


def test_a_key_has_32_bytes() -> None:
    """A short key is refused."""
    for call in (
        lambda: tombstones.tombstone(b"short", "events", []),
        lambda: tombstones.due_set(b""),
        lambda: tombstones.retained_set(b"short", "events", 0, 0),
    ):
        with pytest.raises(ValueError, match="32 bytes"):
            call()
