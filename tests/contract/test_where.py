"""Row keys for a person who asks at a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from lifecycle.contract.load import default_contracts
from lifecycle.contract.where import row_keys
from lifecycle.errors import UsageError
from lifecycle.model import APPOINTMENTS_SCHEMA

CONTRACT = default_contracts()["appointments"]
WHEN = datetime(2026, 5, 10, 8, 0, tzinfo=UTC)


def frame(*changes: dict[str, object]) -> pl.DataFrame:
    """Rows with an id each."""
    base = {**dict.fromkeys(APPOINTMENTS_SCHEMA), "channel": "rest", "participant": 1, "starts_at": WHEN}
    made = [{**base, "appointment_uid": f"uid-{i}", **change} for i, change in enumerate(changes)]
    return pl.DataFrame(made, schema=dict(APPOINTMENTS_SCHEMA))


def test_the_keys_of_the_rows_that_fail_a_value_check_come_back_and_no_value() -> None:
    """In any case of the check's name."""
    rows = frame({}, {"last_name": "A123456780"}, {"first_name": "x A123456780"}, {})
    found = row_keys(CONTRACT, [rows, rows.with_columns(line=pl.int_range(4, dtype=pl.Int64) + 50)], "KVNR")
    assert found.columns == ["field", "at", "channel", "appointment_uid", "participant", "starts_at"]
    got = sorted(found.select("field", "at", "appointment_uid").rows())
    assert got == [
        ("first_name", 1, "uid-2"),
        ("first_name", 52, "uid-2"),
        ("last_name", 1, "uid-1"),
        ("last_name", 51, "uid-1"),
    ]


def test_the_keys_of_rows_that_fail_a_basic_check_come_back_up_to_the_limit() -> None:
    """A million bad rows are not shown."""
    rows = frame(*({"email": "nobody"} for _ in range(20)))
    assert row_keys(CONTRACT, [rows], "email-pattern", limit=7).height == 7
    assert row_keys(CONTRACT, [rows], "mobile-pattern").height == 0
    assert row_keys(CONTRACT, [], "kvnr").columns == row_keys(CONTRACT, [rows], "email-pattern").columns


@pytest.mark.parametrize(("check", "words"), [("nothing", "no check"), ("unique-key", "not of single rows")])
def test_a_check_that_does_not_speak_of_rows_is_refused(check: str, words: str) -> None:
    """With the known names as the hint."""
    with pytest.raises(UsageError, match=words):
        row_keys(CONTRACT, [], check)
