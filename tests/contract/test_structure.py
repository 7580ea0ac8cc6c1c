"""Structure and the basic checks, batch by batch, without a value in any finding."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl
import pytest

from lifecycle.contract.check import check_batches
from lifecycle.contract.field_names import showable
from lifecycle.contract.keys import repeated_keys_sql
from lifecycle.contract.load import contract_from_bytes, default_contracts, shipped_contracts
from lifecycle.model import SCHEMAS, Finding, Outcome, Severity

CONTRACTS = default_contracts()
WHEN = datetime(2026, 5, 10, 8, 0, tzinfo=UTC)
ROW: Mapping[str, object] = {
    "channel": "arztkonsultation",
    "appointment_uid": "uid-1",
    "participant": 1,
    "origin": "etermin",
    "calendar_ref": "104711",
    "service_id": "22",
    "location": "Arztkonsultation",
    "first_name": "Anna Maria",
    "last_name": "Müller-Lüdenscheidt",
    "email": "anna.maria@example.org",
    "mobile": "+4915228817386",
    "starts_at": WHEN,
    "ends_at": WHEN,
    "booked_at": WHEN,
    "received_at": WHEN,
    "status": "booked",
    "command": "CREATED",
}


def rows(*changes: Mapping[str, object], dataset: str = "appointments") -> pl.DataFrame:
    """One good row for each mapping, changed by it; each with an id of its own."""
    schema = dict(SCHEMAS[dataset])
    made = [{**ROW, "appointment_uid": f"uid-{i}", **change} for i, change in enumerate(changes)]
    return pl.DataFrame([{name: row[name] for name in schema} for row in made], schema=schema)


def check(*batches: pl.DataFrame, **options: object) -> tuple[Finding, ...]:
    """Check as appointments of the store ``workspace``."""
    return check_batches(CONTRACTS["appointments"], batches, store="workspace", **options)  # type: ignore[arg-type]


def failed(findings: tuple[Finding, ...], outcome: Outcome = Outcome.FAILED) -> dict[tuple[str, str], int]:
    """Check and field of what failed, with the counts added over the channels."""
    counts: dict[tuple[str, str], int] = {}
    for finding in findings:
        if finding.outcome is outcome:
            key = (finding.check, finding.field)
            counts[key] = counts.get(key, 0) + finding.count
    return counts


@pytest.mark.parametrize("dataset", sorted(SCHEMAS))
def test_a_good_row_passes_every_check_with_one_finding_each(dataset: str) -> None:
    """A passed check is said, with count 0."""
    findings = check_batches(CONTRACTS[dataset], [rows({}, {}, dataset=dataset)], store="workspace")
    assert {finding.outcome for finding in findings} == {Outcome.PASSED}
    assert {finding.count for finding in findings} == {0}
    assert len({finding.check for finding in findings}) == len(findings)


def test_an_undeclared_column_fails_on_the_first_load_even_when_it_is_empty() -> None:
    """The count is of filled values; the column itself is the fault."""
    frame = rows({}, {}, {}).with_columns(notes=pl.Series(["x", "", None]), street=pl.lit(None, dtype=pl.String))
    assert failed(check(frame)) == {("undeclared-field", "notes"): 1, ("undeclared-field", "street"): 0}


def test_a_contract_that_is_not_strict_warns_of_undeclared_columns() -> None:
    """It still sees them."""
    text = shipped_contracts()["appointments.odcs.yaml"].replace("value: true", "value: false", 1)
    contract = contract_from_bytes("x", text.encode())
    findings = check_batches(contract, [rows({}).with_columns(notes=pl.lit("x"))], store="workspace")
    assert [f.severity for f in findings if f.outcome is Outcome.FAILED] == [Severity.WARNING]


def test_internal_columns_and_the_line_number_are_not_structure() -> None:
    """Columns that begin with an underscore belong to the store."""
    frame = rows({}).with_columns(_batch=pl.lit(1), line=pl.lit(7, dtype=pl.Int64))
    assert failed(check(frame)) == {}


def test_missing_columns_fail_when_required_and_leave_their_checks_unknown() -> None:
    """What could not be told has not passed."""
    findings = check(rows({}).drop("ends_at", "received_at"))
    assert failed(findings) == {("missing-field", "ends_at"): 1, ("missing-field", "received_at"): 1}
    assert ("required-field", "ends_at") in failed(findings, Outcome.UNKNOWN)
    severities = {f.field: f.severity for f in findings if f.check == "missing-field"}
    assert severities == {"ends_at": Severity.ERROR, "received_at": Severity.NOTE}
    assert ("unique-key", "") in failed(check(rows({}).drop("participant")), Outcome.UNKNOWN)


def test_an_optional_column_that_is_missing_is_a_note_and_leaves_nothing_unknown() -> None:
    """There is nothing in it that could be wrong; the address that eTermin always brings is missing, though."""
    findings = check(rows({}).drop("mobile", "last_name", "calendar_ref"))
    assert failed(findings, Outcome.UNKNOWN) == {}
    assert {f.severity for f in findings if f.outcome is Outcome.FAILED} == {Severity.NOTE}
    assert failed(check(rows({}, {}).drop("email")))[("required-field", "email")] == 2


def test_wrong_types_nested_columns_and_their_keys_are_found() -> None:
    """Numbers, binary, lists and structs where text belongs."""
    frame = rows({}).with_columns(
        first_name=pl.lit(b"\xff\x00"),
        last_name=pl.struct(notes=pl.lit("x"), deep=pl.struct(birthday=pl.lit("y"))),
        mobile=pl.lit(4915228817386),
        service_id=pl.concat_list(pl.lit("1"), pl.lit("2")),
        participant=pl.lit("1"),
    )
    found = failed(check(frame))
    for field in ("first_name", "last_name", "mobile", "service_id", "participant"):
        assert found[("wrong-type", field)] == 1
    assert ("undeclared-field", "last_name.notes") in found
    assert ("undeclared-field", "last_name.deep.birthday") in found


def test_personal_columns_renamed_by_case_accents_or_script_are_found() -> None:
    """An alias is not a way around the contract."""
    for name in ("EMAIL", "e_mail", "É-Mail", "еmail", "Email_1", "email_duplicated_0"):
        found = failed(check(rows({}).with_columns(pl.lit("x").alias(name))))
        assert found[("repeated-field", showable(name))] == 1
    renamed = failed(check(rows({}).rename({"last_name": "Nachname"})))
    assert ("renamed-field", "Nachname") in renamed
    assert ("undeclared-field", "Nachname") in renamed


def test_a_column_named_like_a_person_or_number_is_counted_but_not_named() -> None:
    """A header can hold personal data too."""
    frame = rows({}).with_columns(pl.lit("x").alias("erika@example.org"), pl.lit("x").alias("015228817386"))
    assert failed(check(frame)) == {("undeclared-field", "(unnamed field)"): 2}


def test_required_values_and_patterns_are_counted_with_first_and_last_line() -> None:
    """Blank is as missing as null."""
    frame = rows({}, {"first_name": " "}, {"ends_at": None}, {"email": "nobody"}, {"email": None}, {"mobile": "n/a"})
    findings = check(frame.with_columns(line=pl.int_range(pl.len(), dtype=pl.Int64) + 10))
    assert failed(findings) == {
        ("required-field", "first_name"): 1,
        ("required-field", "ends_at"): 1,
        ("required-field", "email"): 1,
        ("email-pattern", "email"): 1,
        ("mobile-pattern", "mobile"): 1,
    }
    assert [(f.first, f.last) for f in findings if f.check == "email-pattern"] == [(13, 13)]


def test_records_made_in_arztkonsultation_need_e_mail_or_mobile() -> None:
    """There one field takes either; eTermin's own always bring an address."""
    made_here = {"origin": "arztkonsultation"}
    frame = rows(
        {**made_here, "email": None}, {**made_here, "mobile": None}, {**made_here, "email": None, "mobile": ""}
    )
    assert failed(check(frame)) == {("required-field", "email"): 1}
    assert failed(check(rows({"email": None, "origin": None}))) == {("required-field", "email"): 1}


def test_words_outside_the_vocabulary_fail_and_an_unknown_channel_is_never_repeated() -> None:
    """A channel could be anybody's name."""
    findings = check(rows({"channel": "Erika"}, {"status": "no show"}, {"location": "Praxis"}))
    assert failed(findings) == {
        ("allowed-word", "channel"): 1,
        ("allowed-word", "status"): 1,
        ("allowed-word", "location"): 1,
    }
    assert {f.channel for f in findings} == {"", "arztkonsultation"}


def test_findings_are_told_apart_by_channel() -> None:
    """What we hold in a log says nothing about what was transmitted."""
    findings = check(rows({"email": "x"}, {"channel": "webpush"}))
    outcomes = {f.channel: f.outcome for f in findings if f.check == "email-pattern"}
    assert outcomes == {"arztkonsultation": Outcome.FAILED, "webpush": Outcome.PASSED}


def test_repeated_keys_are_found_across_batches() -> None:
    """Each batch alone would be unique."""
    one = rows({}, {})
    assert failed(check(one, one, rows({}))) == {("unique-key", ""): 3}


def test_the_store_may_answer_for_the_unique_key() -> None:
    """Then nothing is remembered here, and the store's count stands."""
    one = rows({}, {})
    assert failed(check(one, one, duplicates=lambda: {"arztkonsultation": 5})) == {("unique-key", ""): 5}
    assert failed(check(one, one, duplicates=lambda: {})) == {}


def test_the_sql_for_repeated_keys_counts_as_the_hashes_do() -> None:
    """Nulls are equal to nulls in both."""
    duckdb = pytest.importorskip("duckdb")
    frame = pl.concat([rows({}, {"appointment_uid": None}, {"channel": "rest"})] * 3)
    with duckdb.connect() as con:
        con.register("appointments", frame.to_arrow())
        answer = dict(con.sql(repeated_keys_sql(CONTRACTS["appointments"], "appointments")).fetchall())
    hashed = {f.channel: f.count for f in check(frame) if f.check == "unique-key"}
    assert answer == hashed == {"arztkonsultation": 4, "rest": 2}


def test_too_many_rows_to_remember_leave_the_unique_key_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown never counts as passed."""
    monkeypatch.setattr("lifecycle.contract.keys.HELD_ROWS", 3)
    findings = check(rows({}, {}), rows({}, {}))
    assert [f.outcome for f in findings if f.check == "unique-key"] == [Outcome.UNKNOWN]


@pytest.mark.parametrize("dataset", sorted(SCHEMAS))
def test_pandera_agrees_with_us_about_whole_frames(dataset: str) -> None:
    """The same contract as a pandera schema: columns, types, required values and patterns."""
    import pandera.errors

    from lifecycle.contract.structure import pandera_schema

    schema = pandera_schema(CONTRACTS[dataset])
    schema.validate(rows({}, {}, dataset=dataset), lazy=True)
    for change in ({"email": "nobody"}, {"ends_at": None}, {"mobile": "n/a"}, {"status": "lost"}, {"first_name": None}):
        frame = rows(change, {}, dataset=dataset)
        with pytest.raises(pandera.errors.SchemaErrors):
            schema.validate(frame, lazy=True)
        assert failed(check_batches(CONTRACTS[dataset], [frame], store="workspace"))


def test_an_empty_table_passes_and_a_table_without_columns_does_not() -> None:
    """Nothing to find is not nothing to see."""
    assert failed(check(rows({}).head(0))) == {}
    assert failed(check()) == {}
    assert ("missing-field", "appointment_uid") in failed(check(pl.DataFrame()))


def test_two_thousand_columns_give_a_hundred_names_and_one_count_for_the_rest() -> None:
    """A finding for each would bury the others."""
    wide = rows({}).with_columns(pl.lit("x").alias(f"extra_{'abcdefghij'[i % 10]}{i}") for i in range(2_000))
    found = failed(check(wide))
    assert len(found) == 101
    assert found[("undeclared-field", "(more fields)")] == 1_900


def test_columns_that_are_all_null_are_not_of_a_wrong_type() -> None:
    """A Parquet file without any mobile number writes them as type null."""
    frame = rows({}).with_columns(mobile=pl.lit(None), booked_at=pl.lit(None))
    assert failed(check(frame)) == {}


def test_the_same_findings_come_however_the_rows_are_cut_into_batches() -> None:
    """One pass over many batches is the same as one batch."""
    frame = rows(*({"email": "x"} if i % 7 == 0 else {} for i in range(50)))
    frame = frame.with_columns(line=pl.int_range(pl.len(), dtype=pl.Int64))
    assert check(*frame.iter_slices(9)) == check(frame)
