"""Contract files are read strictly, and every refusal says where and what."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from lifecycle.contract.load import (
    contract_from_bytes,
    default_contracts,
    read_contract,
    read_contracts,
    shipped_contracts,
)
from lifecycle.errors import ConfigurationError
from lifecycle.model import IDENTITY_COLUMNS, RECORD_KEY, SCHEMAS

EVENTS = shipped_contracts()["events.odcs.yaml"]


def refusal(old: str, new: str) -> str:
    """The message after changing the first ``old`` of the shipped contract for events."""
    assert old in EVENTS
    with pytest.raises(ConfigurationError) as caught:
        contract_from_bytes("events.odcs.yaml", EVENTS.replace(old, new, 1).encode())
    return str(caught.value)


@pytest.mark.parametrize("dataset", sorted(SCHEMAS))
def test_the_shipped_contracts_name_every_column_of_the_model_with_its_type(dataset: str) -> None:
    """Contract and model cannot drift apart."""
    contract = default_contracts()[dataset]
    assert {column.name: column.dtype for column in contract.columns} == dict(SCHEMAS[dataset])
    assert contract.strict
    assert contract.retention_days == 90


@pytest.mark.parametrize("dataset", sorted(SCHEMAS))
def test_only_the_four_fields_of_the_help_page_are_identity_data(dataset: str) -> None:
    """First name or pseudonym is the required one."""
    columns = default_contracts()[dataset].columns
    assert tuple(column.name for column in columns if column.data_class == "identity") == IDENTITY_COLUMNS
    assert [c.name for c in columns if c.data_class == "identity" and c.required] == ["first_name"]
    assert all(column.source and column.description_de for column in columns)


def test_the_keys_are_those_of_the_model() -> None:
    """An event is the same as another only when all its columns are."""
    contracts = default_contracts()
    assert contracts["appointments"].key == RECORD_KEY
    assert contracts["events"].key == tuple(SCHEMAS["events"])


def test_the_shipped_contracts_are_valid_by_the_standards_own_schema() -> None:
    """The published JSON Schema of the Open Data Contract Standard accepts them."""
    jsonschema = pytest.importorskip("jsonschema")
    standard = pytest.importorskip("open_data_contract_standard.model")
    yaml = pytest.importorskip("yaml")
    schema = json.loads((Path(standard.__file__).parent / "schema.json").read_text())
    for text in shipped_contracts().values():
        errors = list(jsonschema.Draft201909Validator(schema).iter_errors(yaml.safe_load(text)))
        assert not errors


def test_a_typo_is_shown_with_line_and_column_and_the_word_that_was_meant() -> None:
    """On every level of the file."""
    line = EVENTS[: EVENTS.index("required: true")].count("\n") + 1
    assert f"events.odcs.yaml, line {line}, column 9" in refusal("required: true", "requird: true")
    assert "did you mean 'required'?" in refusal("required: true", "requird: true")
    assert "did you mean 'identity'?" in refusal("classification: identity", "classification: identiy")
    assert "did you mean 'email'?" in refusal("- name: email", "- name: emial")
    assert "did you mean 'strict'?" in refusal("property: strict", "property: strikt")
    assert "did you mean 'slaProperties'?" in refusal("slaProperties:", "slaPropertys:")
    assert "did you mean 'events'?" in refusal("- name: events\n    logicalType", "- name: event\n    logicalType")


@pytest.mark.parametrize(
    ("field", "what"),
    [
        ("diagnosis", "diagnosis"),
        ("icd_code", "diagnosis"),
        ("Hauptdiagnose", "diagnosis"),
        ("Beschwerden", "complaint"),
        ("symptoms", "complaint"),
        ("notes", "complaint"),
        ("healthInsurance", "insurance"),
        ("krankenkasse", "insurance"),
        ("kvnr", "insurance"),
    ],
)
def test_a_contract_cannot_allow_a_field_that_states_diagnosis_complaint_or_insurance(field: str, what: str) -> None:
    """Being a patient is health data already; the illness itself is never allowed."""
    assert f"the field states {what}" in refusal("- name: last_name", f"- name: {field}")


def test_a_retention_longer_than_90_days_is_refused_and_a_shorter_one_is_not() -> None:
    """90 days is the promise."""
    assert "a retention of 91 days; allowed are 1 to 90" in refusal("P90D", "P91D")
    assert "not a number of days" in refusal("P90D", "P3M")
    assert "0 retention entries" in refusal("property: retention", "property: latency")
    shorter = contract_from_bytes("events.odcs.yaml", EVENTS.replace("P90D", "P30D").encode())
    assert shorter.retention_days == 30


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+", "(a*)*x", "(?=a)b", r"(a)\1", "(", "a{1,2}{3}", "((ab)*)*", "^(a|aa)+$", r"(\.a|\.)+", "(a*b?)+"],
)
def test_a_pattern_that_backtracks_or_cannot_be_compiled_is_refused(pattern: str) -> None:
    """Our engine never backtracks; the second opinion's may."""
    assert "cannot be used" in refusal("^(booked|cancelled)$", pattern)


def test_repeated_keys_repeated_fields_and_broken_files_are_refused() -> None:
    """YAML itself would let the last of two keys win."""
    assert "the key 'kind' stands here twice" in refusal("kind: DataContract", "kind: DataContract\nkind: DataContract")
    assert "'email' stands here twice" in refusal("- name: last_name", "- name: email")
    assert "not YAML" in refusal("version: 1.0.0", "version: [")
    assert "names no source" in refusal("- property: source\n", "- property: sourceUrl\n")
    assert "stored as another type" in refusal("logicalType: integer", "logicalType: string")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        contract_from_bytes("x", b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="a contract is a mapping"):
        contract_from_bytes("x", b"- 1")
    with pytest.raises(ConfigurationError, match="not YAML"):
        contract_from_bytes("x", b"[" * 100_000)
    with pytest.raises(ConfigurationError, match="aliases are not used"):
        contract_from_bytes("x", b"a: &a [1, 2]\nb: [*a, *a]")


def test_two_contracts_for_one_dataset_are_refused(tmp_path: Path) -> None:
    """Which of them would hold?"""
    for name in ("a.odcs.yaml", "b.odcs.yaml"):
        (tmp_path / name).write_text(EVENTS, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"Two contracts for the dataset 'events': a.odcs.yaml and b.odcs"):
        read_contracts(list(tmp_path.iterdir()))


def test_a_contract_is_read_from_disk_with_the_digest_of_its_bytes(tmp_path: Path) -> None:
    """The digest changes with every byte."""
    file = tmp_path / "events.odcs.yaml"
    file.write_text(EVENTS, encoding="utf-8")
    first = read_contract(file)
    file.write_text(EVENTS + "# a comment\n", encoding="utf-8")
    assert read_contract(file).digest != first.digest
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_contract(tmp_path / "missing.odcs.yaml")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_contract(tmp_path)
    (tmp_path / "linked.odcs.yaml").symlink_to(file)
    with pytest.raises(ConfigurationError, match="is a symbolic link"):
        read_contract(tmp_path / "linked.odcs.yaml")


def test_the_patterns_of_the_shipped_contracts_hold_in_polars() -> None:
    """E-mail addresses and numbers as people write them."""
    contract = default_contracts()["events"]
    emails = {"a.b+c@example.org": True, "a@exämple.org": True, "a@b": False, "a b@example.org": False, "@x.de": False}
    numbers = {"+49 152 28817386": True, "0152/28817386": True, "0049-152-28817386": True, "anna": False, "12": False}
    for name, examples in (("email", emails), ("mobile", numbers)):
        found = pl.Series(list(examples)).str.contains(contract.column(name).pattern or "").to_list()
        assert found == list(examples.values())
