"""The second opinion agrees where both are right, says so where they differ, and stays silent about values."""

from __future__ import annotations

import socket
import subprocess
import sys

import polars as pl
import pytest

pytest.importorskip("great_expectations")

from lifecycle.contract.check import check_batches
from lifecycle.contract.load import default_contracts
from lifecycle.contract.second_opinion import sample, second_opinion
from lifecycle.model import APPOINTMENTS_SCHEMA, Finding, Outcome

CONTRACT = default_contracts()["appointments"]
WHEN = pl.datetime(2026, 5, 10, time_zone="UTC")
pytestmark = pytest.mark.slow


def rows(n: int) -> pl.DataFrame:
    """Good rows with ids of their own."""
    words = {"channel": "arztkonsultation", "origin": "etermin", "location": "other", "status": "booked"}
    words |= {"first_name": "Anna", "last_name": "Krebs", "email": "a@example.org", "mobile": "+4915228817386"}
    frame = pl.select(pl.int_range(n).cast(pl.String).alias("appointment_uid")).with_columns(
        *(pl.lit(word).alias(name) for name, word in words.items()),
        *(WHEN.alias(name) for name in ("starts_at", "ends_at", "booked_at", "received_at")),
        *(pl.lit("1").alias(name) for name in ("calendar_ref", "service_id", "participant")),
    )
    return frame.select(list(APPOINTMENTS_SCHEMA)).cast(dict(APPOINTMENTS_SCHEMA))  # type: ignore[arg-type]


def spoiled(n: int = 30) -> pl.DataFrame:
    """Rows with one fault of each kind that both can see."""
    first = pl.int_range(pl.len())
    frame = rows(n).with_columns(
        email=pl.when(first == 0).then(pl.lit("CANARY-1")).otherwise("email"),
        mobile=pl.when(first == 1).then(pl.lit("CANARY-2")).otherwise("mobile"),
        ends_at=pl.when(first == 2).then(None).otherwise("ends_at"),
        first_name=pl.when(first == 3).then(pl.lit(" ")).otherwise("first_name"),
        status=pl.when(first == 4).then(pl.lit("CANARY-3")).otherwise("status"),
        last_name=pl.when(first == 5).then(pl.lit("<b>canary@example.org</b>")).otherwise("last_name"),
        notes=pl.lit("CANARY-4"),
    )
    return pl.concat([frame, frame[-1:]])


def checked(frame: pl.DataFrame) -> tuple[Finding, ...]:
    """Our own findings."""
    return check_batches(CONTRACT, [frame], store="workspace")


def outcomes(found: tuple[Finding, ...]) -> dict[tuple[str, str], Outcome]:
    """Check and field to outcome."""
    return {(f.check, f.field): f.outcome for f in found}


@pytest.mark.parametrize("kind", ["good", "spoiled", "empty"])
def test_both_tools_agree_about_the_same_rows(kind: str) -> None:
    """Then there is one finding, and it has passed."""
    frame = {"good": rows(30), "spoiled": spoiled(), "empty": rows(0)}[kind]
    found = second_opinion(CONTRACT, frame, checked(frame), seed=1)
    assert outcomes(found) == {("second-opinion", ""): Outcome.PASSED}


def test_what_we_missed_is_a_finding_for_each_check() -> None:
    """As if our own checks had been turned off."""
    found = outcomes(second_opinion(CONTRACT, spoiled(), checked(rows(30)), seed=1))
    assert set(found) >= {
        ("second-opinion:undeclared-field", ""),
        ("second-opinion:unique-key", ""),
        ("second-opinion:required-field", "first_name"),
        ("second-opinion:required-field", "ends_at"),
        ("second-opinion:email-pattern", "email"),
        ("second-opinion:mobile-pattern", "mobile"),
        ("second-opinion:allowed-word", "status"),
        ("second-opinion:email-in-text", "last_name"),
        ("second-opinion:html-or-script", "last_name"),
    }
    assert set(found.values()) == {Outcome.FAILED}


def test_what_only_we_saw_is_a_finding_when_all_rows_were_looked_at() -> None:
    """A false alarm of ours would show here."""
    found = outcomes(second_opinion(CONTRACT, rows(30), checked(spoiled()), seed=1))
    assert found[("second-opinion:email-pattern", "email")] is Outcome.FAILED


def test_a_sample_that_may_have_missed_a_rare_fault_does_not_contradict_us() -> None:
    """Three bad rows of a million are not expected among thirty; all of them would be."""
    rare = second_opinion(CONTRACT, rows(30), checked(spoiled()), seed=1, total=1_000_000)
    assert ("second-opinion:email-pattern", "email") not in outcomes(rare)
    common = checked(rows(300).with_columns(email=pl.lit("nobody")))
    assert ("second-opinion:email-pattern", "email") in outcomes(
        second_opinion(CONTRACT, rows(30), common, seed=1, total=300)
    )


def test_the_sample_is_all_rows_or_a_fifth_of_them_and_repeats_with_its_seed() -> None:
    """At most 200,000."""
    frame = pl.select(pl.int_range(1_200_000).alias("n"))
    assert sample(frame.head(100_000), seed=1).height == 100_000
    assert sample(frame.head(100_005), seed=1).height == 20_001
    assert sample(frame, seed=1).height == 200_000
    assert sample(frame, seed=1).equals(sample(frame, seed=1))
    assert not sample(frame, seed=1).equals(sample(frame, seed=2))


def test_no_value_is_printed_and_no_network_is_used(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither progress bars nor analytics."""
    calls: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: calls.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: calls.append(args) or [])
    found = second_opinion(CONTRACT, spoiled(), checked(spoiled()), seed=1)
    printed = "".join(capfd.readouterr())
    assert "canary" not in (printed + repr(found)).casefold()
    assert not calls


def test_without_the_other_tool_the_opinion_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown never counts as passed."""
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    found = second_opinion(CONTRACT, rows(3), checked(rows(3)), seed=1)
    assert outcomes(found) == {("second-opinion", ""): Outcome.UNKNOWN}


def test_checking_does_not_import_the_second_opinion() -> None:
    """It takes seconds; only who asks for it waits."""
    code = (
        "import sys, lifecycle.contract.check, lifecycle.contract.load, lifecycle.contract.where;"
        "slow = {'great_expectations', 'pandas', 'pandera', 'lifecycle.contract.second_opinion'};"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
