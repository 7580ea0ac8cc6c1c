"""Canaries in every field, in every type: none in findings, exceptions, reprs or what is printed."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl
import pytest

from lifecycle.contract.check import check_batches
from lifecycle.contract.load import default_contracts
from lifecycle.errors import LifecycleError, StoreError
from lifecycle.model import SCHEMAS, as_json

CONTRACT = default_contracts()["events"]
CANARY = "Zanarina"
LEAKS = (
    "{c}", "{c} A123456780", "{c} DE89370400440532013000", "{c}@example.org", "https://example.org/{c}", "<b>{c}</b>",
    '{{"{c}": 1, "notes": "{c}"}}', "{c} 01.02.1980", "{c} Diabetes", "Herr {c}", "{c} und {c}", "0152 28817386 {c}",
)  # fmt: skip


def rows_of_canaries() -> pl.DataFrame:
    """Every text field full of them."""
    schema = dict(SCHEMAS["events"])
    texts = [name for name, dtype in schema.items() if dtype == pl.String]
    made = [dict.fromkeys(schema) | {name: leak.format(c=CANARY) for name in texts} for leak in LEAKS]
    return pl.DataFrame(made, schema=schema).with_columns(
        starts_at=pl.lit(datetime(2026, 5, 10, tzinfo=UTC)).cast(schema["starts_at"])
    )


def frames() -> Iterator[pl.DataFrame]:
    """As they should be, and with everything wrong about types and names."""
    good = rows_of_canaries()
    yield good
    yield good.with_columns(pl.lit(CANARY).alias(f"{CANARY} {CANARY}"), pl.lit(CANARY).alias(f"{CANARY}@example.org"))
    yield good.with_columns(pl.struct(pl.col("email").alias(f"{CANARY} 1")).alias("mobile"))
    yield good.with_columns(pl.col("last_name").cast(pl.Binary), pl.col("email").cast(pl.Categorical))
    yield good.with_columns(pl.concat_list("email", "mobile").alias("service_id"), pl.col("email").alias("starts_at"))
    yield good.with_columns(pl.lit(b"\xff" + CANARY.encode()).alias("first_name"), pl.col("email").alias("line"))


@pytest.mark.parametrize("number", range(6))
def test_no_canary_is_in_any_finding_or_output(
    number: int, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is wrong with the frame."""
    caplog.set_level(logging.DEBUG)
    frame = list(frames())[number]
    findings = check_batches(CONTRACT, [frame], store="file 1", channel=CANARY)
    assert any(finding.count for finding in findings)
    said = f"{findings!r} {as_json(findings)} {capfd.readouterr()} {caplog.text}"
    leaked = CANARY.casefold() in said.casefold()
    assert not leaked


def test_a_channel_that_is_none_of_the_known_words_is_never_repeated() -> None:
    """Neither when the caller names it, nor when the store's own count does."""
    frame = rows_of_canaries().drop("channel")
    findings = check_batches(CONTRACT, [frame], store="x", channel=CANARY, duplicates=lambda: {CANARY: 3})
    assert {finding.channel for finding in findings} == {""}


def test_an_error_of_polars_is_reported_without_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its messages repeat values."""

    def broken(*args: object, **kwargs: object) -> None:
        raise pl.exceptions.ComputeError(f"could not parse {CANARY}")

    monkeypatch.setattr("lifecycle.contract.check.conformed", broken)
    with pytest.raises(StoreError, match=r"Batch 1 of file 1 could not be checked \(ComputeError\)") as caught:
        check_batches(CONTRACT, [rows_of_canaries()], store="file 1")
    leaked = CANARY in "".join(traceback.format_exception(caught.value))
    assert not leaked
    assert isinstance(caught.value, LifecycleError)
