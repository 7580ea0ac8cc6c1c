"""Other shapes of a contract and of findings are valid, complete and without values."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import polars as pl
import pytest

from lifecycle.contract.check import check_batches
from lifecycle.contract.load import default_contracts
from lifecycle.contract.structure import STRUCTURE_CHECKS
from lifecycle.contract.values.registry import value_checks
from lifecycle.contract.views import (
    contract_page,
    findings_json,
    findings_junit,
    findings_sarif,
    json_schema,
    sentence,
)
from lifecycle.model import APPOINTMENTS_SCHEMA, Finding, Outcome

CONTRACTS = default_contracts()


def some_findings() -> tuple[Finding, ...]:
    """Passed, failed, unknown, and a note."""
    rows = pl.DataFrame(
        {
            "channel": ["rest"] * 3,
            "last_name": ["A123456780", "<b>CANARY</b>", None],
            "email": ["info@example.org"] * 3,
            "line": [5, 6, 7],
        }
    )
    return check_batches(CONTRACTS["appointments"], [rows], store="file 1")


def test_the_json_schema_takes_a_good_record_and_refuses_an_undeclared_key() -> None:
    """Draft 2020-12."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json_schema(CONTRACTS["appointments"])
    jsonschema.Draft202012Validator.check_schema(schema)
    record = dict.fromkeys(APPOINTMENTS_SCHEMA) | {
        "channel": "rest",
        "appointment_uid": "1",
        "participant": 1,
        "first_name": "Anna",
        "starts_at": "2026-05-10T08:00:00Z",
        "ends_at": "2026-05-10T08:15:00Z",
    }
    valid = jsonschema.Draft202012Validator(schema)
    assert valid.is_valid(record)
    assert not valid.is_valid({**record, "notes": "x"})
    assert not valid.is_valid({**record, "first_name": None})
    assert not valid.is_valid({**record, "email": "nobody"})


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("dataset", sorted(CONTRACTS))
def test_the_page_names_every_field_with_its_source_in_both_languages(language: str, dataset: str) -> None:
    """For the record of processing activities."""
    contract = CONTRACTS[dataset]
    page = contract_page(contract, language)  # type: ignore[arg-type]
    for column in contract.columns:
        [line] = [line for line in page.splitlines() if line.startswith(f"| `{column.name}` |")]
        assert column.source in line
        assert line.count("|") == 6
    assert contract.digest in page
    assert "90" in page
    assert ("Regellöschfrist" in page) == (language == "de")


def test_every_check_has_its_sentence_in_both_languages() -> None:
    """Also those of structure."""
    names = {f.check for f in some_findings()} | {name for name, _ in STRUCTURE_CHECKS} | {"second-opinion:kvnr"}
    for name in names | {check.name for check in value_checks()}:
        assert sentence(name, "en").endswith(".")
        assert sentence(name, "de").endswith(".")
        assert sentence(name, "de") != sentence(name, "en")


def test_junit_counts_failures_and_what_is_unknown_and_lets_notes_pass() -> None:
    """A build reads it."""
    findings = some_findings()
    suite = ET.fromstring(findings_junit(findings))
    assert int(suite.attrib["tests"]) == len(findings) == len(suite)
    failed = [f for f in findings if f.outcome is Outcome.FAILED and f.severity != "note"]
    assert int(suite.attrib["failures"]) == len(suite.findall(".//failure")) == len(failed) > 0
    unknown = [f for f in findings if f.outcome is Outcome.UNKNOWN]
    assert int(suite.attrib["errors"]) == len(suite.findall(".//error")) == len(unknown) > 0


def test_json_and_sarif_hold_every_finding_that_did_not_pass() -> None:
    """With lines where they are known."""
    findings = some_findings()
    assert len(json.loads(findings_json(findings))["findings"]) == len(findings)
    [run] = json.loads(findings_sarif(findings, "0.1.0"))["runs"]
    assert len(run["results"]) == sum(f.outcome is not Outcome.PASSED for f in findings)
    [kvnr] = [result for result in run["results"] if result["ruleId"] == "kvnr" and result["properties"]["count"]]
    assert kvnr["locations"][0]["physicalLocation"]["region"] == {"startLine": 5, "endLine": 5}
    assert {result["level"] for result in run["results"]} <= {"error", "warning", "note"}
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {result["ruleId"] for result in run["results"]}


def test_no_shape_of_findings_holds_a_value() -> None:
    """Neither the insurance number nor the canary."""
    findings = some_findings()
    everything = findings_json(findings) + findings_junit(findings) + findings_sarif(findings, "0.1.0")
    leaked = [word for word in ("CANARY", "A123456780", "info@example") if word in everything]
    assert not leaked
