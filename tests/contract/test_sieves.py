"""The sieves only save time: whatever a check finds, it finds with them and without them."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.contract.check import check_batches
from lifecycle.contract.field_names import UNNAMED, meant_field, showable
from lifecycle.contract.json_text import hidden_keys
from lifecycle.contract.labelled import labelled_set
from lifecycle.contract.load import default_contracts
from lifecycle.contract.rows import conformed
from lifecycle.contract.values.registry import EVERYWHERE, OWN_DATES, value_checks
from lifecycle.contract.values.scan import Suspects, checks_of, hits_in, suspects_in
from lifecycle.model import EVENTS_SCHEMA

pytestmark = pytest.mark.slow

CONTRACT = default_contracts()["events"]
WHEN = datetime(2026, 5, 10, 8, 0, tzinfo=UTC)


def conformed_rows(field: str, values: list[str]) -> pl.DataFrame:
    """Rows with these values in one field, as the scan gets them."""
    dates = (pl.lit(WHEN).cast(EVENTS_SCHEMA[name]).alias(name) for name in OWN_DATES)
    frame = pl.DataFrame({field: values}, schema={field: pl.String})
    others = [name for name in EVENTS_SCHEMA if name not in (field, *OWN_DATES)]
    frame = frame.with_columns(*dates, *(pl.lit(None, dtype=EVENTS_SCHEMA[name]).alias(name) for name in others))
    return conformed(CONTRACT, frame.select(list(EVENTS_SCHEMA)), "", 1)[0]


def found_by(suspects: Suspects) -> set[tuple[int, str]]:
    """Row and check of every hit."""
    hits = hits_in(suspects)
    checks = checks_of(suspects.field)
    return {(int(row), check.name) for check in checks for row in hits.filter(pl.col(check.name))["_row"]}


def differences(field: str, values: list[str]) -> int:
    """How many hits are found only with, or only without the sieves."""
    rows = conformed_rows(field, values)
    sieved: set[tuple[int, str]] = set()
    for suspects in suspects_in(CONTRACT, rows, [field]):
        sieved |= found_by(suspects)
    frame = rows.select(pl.col(field).alias("raw"), "_channel", "_at", *OWN_DATES).with_row_index("_row")
    return len(sieved ^ found_by(Suspects(field, frame)))


def test_every_labelled_value_and_example_gives_the_same_without_the_sieves() -> None:
    """In every field, also those it was not made for."""
    values = [row.value for row in labelled_set(each=25, clean=300)]
    values += [value for check in value_checks() for bad in (True, False) for _, value in check.examples(bad=bad)]
    assert {field: differences(field, values) for field in EVERYWHERE} == dict.fromkeys(EVERYWHERE, 0)


PIECES = st.sampled_from(
    [
        "Anna",
        "Müller",
        "Krebs",
        "Dr.",
        "Herr",
        "und",
        "wegen",
        " ",
        " ",
        "-",
        ".",
        ",",
        "/",
        "@",
        "example.org",
        "0152",
        "28817386",
        "+49",
        "A123456780",
        "DE89",
        "370400440532013000",
        "F32.1",
        "01.02.1980",
        "Hauptstr.",
        "12",
        "12345",
        "Berlin",
        "<b>",
        "http://",
        "TAN",
        "A7K2M9Q4X1ZP",
        "Diabetes",
        "42 Jahre",
        "(w)",
        "HIV",
        "’",
        "ü",
        "1",
        "2",
        "9",
        "0",
        "Raum",
        "_",
        "geb",
        "str",
        "weg",
        "steuer",
        "5-470",
    ]
)


@given(field=st.sampled_from(EVERYWHERE), values=st.lists(st.lists(PIECES, max_size=6).map("".join), max_size=8))
@settings(max_examples=80, deadline=None)
def test_any_mixture_of_pieces_gives_the_same_without_the_sieves(field: str, values: list[str]) -> None:
    """Names, numbers, codes and signs in any order."""
    assert differences(field, values) == 0


@given(
    field=st.sampled_from(EVERYWHERE),
    values=st.lists(st.one_of(st.none(), st.text(max_size=40), st.binary(max_size=20)), max_size=6),
)
@settings(max_examples=80, deadline=None)
def test_no_text_and_no_bytes_make_the_check_fail(field: str, values: list[str | bytes | None]) -> None:
    """Whatever was typed, pasted or stored there."""
    texts = [value for value in values if not isinstance(value, bytes)]
    assert differences(field, [text for text in texts if text is not None]) == 0
    raw = [value for value in values if not isinstance(value, str)]
    frame = conformed_rows(field, []).select(EVENTS_SCHEMA.keys()).clear(len(raw))
    frame = frame.with_columns(pl.Series(field, raw, dtype=pl.Binary))
    assert check_batches(CONTRACT, [frame], store="workspace")


def test_names_and_keys_of_a_megabyte_are_not_searched_forever() -> None:
    """A key in a JSON text can be as long as the text."""
    key = "1" * 1_000_000 + "a"
    assert hidden_keys(f'{{"{key}": 1}}') == {UNNAMED}
    assert meant_field(key) is None
    assert showable(key) == UNNAMED
