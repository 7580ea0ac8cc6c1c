"""The second opinion agrees where both are right, says so where they differ, and stays silent about values."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace

import polars as pl
import pytest

pytest.importorskip("great_expectations")

from lifecycle.contract import load
from lifecycle.contract.check import check_batches
from lifecycle.contract.load import contract_from_bytes, default_contracts, shipped_contracts
from lifecycle.contract.second_opinion import sample, second_opinion
from lifecycle.model import APPOINTMENTS_SCHEMA, Finding, Outcome

FILES = [text.encode() for text in shipped_contracts().values()]
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
    """About every question that was put, and about the contract file itself."""
    frame = {"good": rows(30), "spoiled": spoiled(), "empty": rows(0)}[kind]
    found = outcomes(second_opinion(CONTRACT, FILES, frame, checked(frame), seed=1))
    assert set(found.values()) == {Outcome.PASSED}
    about = {check for check, _ in found}
    assert {f"second-opinion:{name}" for name in ("contract", "unique-key", "required-field", "email-pattern")} < about
    assert len(found) > 15


def test_what_we_missed_is_a_finding_for_each_check() -> None:
    """As if our own checks had been turned off."""
    found = outcomes(second_opinion(CONTRACT, FILES, spoiled(), checked(rows(30)), seed=1))
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
    agreed = {key for key, outcome in found.items() if outcome is not Outcome.FAILED}
    assert ("second-opinion:required-field", "email") not in found, "a question of ours only"
    assert agreed >= {("second-opinion:contract", ""), ("second-opinion:required-field", "starts_at")}


def test_what_only_we_saw_is_a_finding_when_all_rows_were_looked_at() -> None:
    """A false alarm of ours would show here."""
    found = outcomes(second_opinion(CONTRACT, FILES, rows(30), checked(spoiled()), seed=1))
    assert found[("second-opinion:email-pattern", "email")] is Outcome.FAILED


def test_a_sample_that_may_have_missed_a_rare_fault_does_not_contradict_us() -> None:
    """Three bad rows of a million are not expected among thirty; all of them would be."""
    rare = second_opinion(CONTRACT, FILES, rows(30), checked(spoiled()), seed=1, total=1_000_000)
    assert ("second-opinion:email-pattern", "email") not in outcomes(rare)
    common = checked(rows(300).with_columns(email=pl.lit("nobody")))
    assert ("second-opinion:email-pattern", "email") in outcomes(
        second_opinion(CONTRACT, FILES, rows(30), common, seed=1, total=300)
    )


MUTANTS: dict[str, tuple[dict[str, object], str]] = {
    "forgets that the end is required": ({"required": False}, "ends_at"),
    "loses the pattern of e-mail addresses": ({"pattern": None}, "email"),
    "reads another pattern": ({"pattern": "^.*$"}, "mobile"),
    "takes a number for a text": ({"type": "string"}, "participant"),
    "takes a person's name for an appointment's data": ({"data_class": "appointment"}, "last_name"),
}


@pytest.mark.parametrize("fault", MUTANTS)
def test_a_fault_of_our_loader_is_a_disagreement(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other reading is its own: what the loader gets wrong is not wrong in both."""
    change, field = MUTANTS[fault]
    column = load.Column

    def faulty(**given: object) -> object:
        return column(**{**given, **(change if given["name"] == field else {})})  # type: ignore[arg-type]

    monkeypatch.setattr(load, "Column", faulty)
    monkeypatch.setattr(load, "SCHEMAS", {"appointments": _types_of(change, field)})
    contract = contract_from_bytes("x", shipped_contracts()["appointments.odcs.yaml"].encode())
    frame = spoiled()
    ours = check_batches(contract, [frame], store="workspace")
    found = outcomes(second_opinion(contract, FILES, frame, ours, seed=1))
    assert found[("second-opinion:contract", field)] is Outcome.FAILED
    if field == "ends_at":
        assert found[("second-opinion:required-field", "ends_at")] is Outcome.FAILED, "and the rows show it, too"


def _types_of(change: dict[str, object], field: str) -> dict[str, object]:
    return dict(APPOINTMENTS_SCHEMA) | ({field: pl.String} if change.get("type") else {})


@pytest.mark.parametrize("fault", ["key", "strict", "retention_days", "digest", "columns"])
def test_a_fault_about_the_whole_contract_is_one_too(fault: str) -> None:
    """A shorter key, undeclared fields let through, another period, another file, a field left out."""
    wrong = {
        "key": CONTRACT.key[:2], "strict": False, "retention_days": 30, "digest": "0" * 64,
        "columns": CONTRACT.columns[1:],
    }[fault]  # fmt: skip
    found = outcomes(second_opinion(replace(CONTRACT, **{fault: wrong}), FILES, rows(3), checked(rows(3)), seed=1))  # type: ignore[arg-type]
    assert found[("second-opinion:contract", "")] is Outcome.FAILED
    assert (("second-opinion:contract", "channel") in found) == (fault == "columns")


@pytest.mark.parametrize("files", [[], [*FILES, *FILES], [b"["], [b"- 1"], [b"schema: 3"]])
def test_a_contract_file_that_cannot_be_read_anew_leaves_the_opinion_unknown(files: list[bytes]) -> None:
    """None, two of them, no YAML, no contract."""
    found = second_opinion(CONTRACT, files, rows(3), checked(rows(3)), seed=1)
    assert outcomes(found) == {("second-opinion:contract", ""): Outcome.UNKNOWN}


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
    found = second_opinion(CONTRACT, FILES, spoiled(), checked(spoiled()), seed=1)
    printed = "".join(capfd.readouterr())
    assert "canary" not in (printed + repr(found)).casefold()
    assert not calls


def test_without_the_other_tool_the_opinion_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown never counts as passed."""
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    found = second_opinion(CONTRACT, FILES, rows(3), checked(rows(3)), seed=1)
    assert outcomes(found) == {("second-opinion", ""): Outcome.UNKNOWN}


def test_a_failure_of_the_other_tool_is_unknown_and_its_words_are_dropped(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """They could quote a value."""

    def broken(*_: object) -> None:
        raise ValueError("could not convert CANARY-5")

    monkeypatch.setattr("lifecycle.contract.second_opinion._answers", broken)
    found = second_opinion(CONTRACT, FILES, rows(3), checked(rows(3)), seed=1)
    assert outcomes(found) == {("second-opinion", ""): Outcome.UNKNOWN}
    assert "CANARY" not in repr(found) + "".join(capfd.readouterr())


def test_checking_does_not_import_the_second_opinion() -> None:
    """It takes seconds; only who asks for it waits."""
    code = (
        "import sys, lifecycle.contract.check, lifecycle.contract.load, lifecycle.contract.where;"
        "slow = {'great_expectations', 'pandas', 'pandera', 'lifecycle.contract.second_opinion'};"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
