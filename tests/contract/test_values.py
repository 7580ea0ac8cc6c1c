"""Value checks: every example of every check, names that are never findings, identifiers found in any spelling."""

from __future__ import annotations

import random
import string
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.contract.check import check_batches
from lifecycle.contract.load import default_contracts
from lifecycle.contract.values.identifiers import iban_holds, kvnr_holds, lanr_holds, tax_id_holds
from lifecycle.contract.values.registry import EVERYWHERE, OWN_DATES, ValueCheck, value_checks
from lifecycle.model import EVENTS_SCHEMA, Outcome, Severity

CONTRACT = default_contracts()["events"]
WHEN = datetime(2026, 5, 10, 8, 0, tzinfo=UTC)
CHECKS = {check.name: check for check in value_checks()}
NAMES_THAT_ARE_NAMES = (
    "Krebs",
    "Herz",
    "Sommer",
    "Dr. Oetker",
    "van der Berg",
    "Nguyen",
    "O'Neill",
    "Müller-Lüdenscheidt",
    "Anna Maria",
    "K",
    "Ümit",
    "Łukasz",
    "Nguyễn",
    "Çelik",
    "D’Angelo",
    "Иван",
    "Ольга Петрова",
    "محمد",
    "李",
    "Maier-Leibnitz",
    "de la Cruz",
    "von der Leyen",
    "Al-Hassan",
    "M.",
    "Anna-Lena",
    "Patient 17",
    "P-0042",
    "St. Clair",
    "Graf von Stauffenberg",
    "Christoph",
    "Freifrau von Thun",
    "MacDonald",
    "Alzheimer",
    "Schmerz",
    "Pest",
    "Kind",
    "Termin",
    "Straßer",
    "Strasser",
    "Weg",
    "Berg",
    "Hausmann",
    "Frauke",
    "Herrmann",
    "Tanja",
    "Mai",
    "Juni",
    "August",
    "Koch",
    "Metzger",
    "Arzt",
    "Schwester",
    "Jung",
    "Alt",
    "Mann",
    "Weibel",
    "Divers",
    "Male",
    "Aids",
    "Akne",
    "Trauma",
    "Tumor",
    "Depner",
    "Diabaté",
    "Asmara",
    "Insulander",
)


def frame_of(field: str, values: list[str | None]) -> pl.DataFrame:
    """Rows that hold nothing but these values and their dates."""
    rows = [{**dict.fromkeys(EVENTS_SCHEMA), **dict.fromkeys(OWN_DATES, WHEN), field: value} for value in values]
    return pl.DataFrame(rows, schema=dict(EVENTS_SCHEMA))


def found(field: str, *values: str | None) -> set[str]:
    """The names of the value checks that failed on any of the values."""
    findings = check_batches(CONTRACT, [frame_of(field, list(values))], store="workspace")
    return {f.check for f in findings if f.outcome is Outcome.FAILED and f.check in CHECKS and f.field == field}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_every_bad_example_is_found_and_no_good_one_is(check: ValueCheck) -> None:
    """Through the whole path, so that the sieves are held to the examples too."""
    for bad in (True, False):
        wrong = [
            i for i, (field, value) in enumerate(check.examples(bad=bad)) if (check.name in found(field, value)) != bad
        ]
        assert not wrong, f"examples number {wrong} (bad={bad})"


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_every_check_has_examples_of_both_kinds_and_a_sentence_in_both_languages(check: ValueCheck) -> None:
    """So that the next reader knows what it means."""
    assert check.good
    assert check.bad
    assert check.sentence_en.endswith(".")
    assert check.sentence_de.endswith(".")
    assert set(check.fields) <= set(EVERYWHERE)


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_check_that_is_turned_off_is_noticed(check: ValueCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: the test of its examples fails, so no check can stop looking in silence."""
    mutant = replace(check, find=lambda text, _field: text.is_null())
    checks = tuple(mutant if each is check else each for each in value_checks())
    monkeypatch.setattr("lifecycle.contract.values.scan.value_checks", lambda: checks)
    with pytest.raises(AssertionError, match="examples number"):
        test_every_bad_example_is_found_and_no_good_one_is(check)


@pytest.mark.slow
@pytest.mark.parametrize("field", ["first_name", "last_name"])
def test_names_that_look_like_something_else_are_not_findings(field: str) -> None:
    """People are called Krebs."""
    wrong = [i for i, name in enumerate(NAMES_THAT_ARE_NAMES) if found(field, name)]
    assert not wrong, f"names number {wrong}"


@pytest.mark.slow
def test_names_from_a_big_list_are_not_findings() -> None:
    """Of many languages, as first and as last names; measured, so a share is allowed, and it is small."""
    faker = pytest.importorskip("faker")
    names: set[str] = set()
    for locale in (
        *("de_DE", "de_AT", "de_CH", "en_GB", "tr_TR", "pl_PL", "fr_FR", "es_ES", "it_IT", "vi_VN", "ru_RU", "nl_NL"),
        *("ar_AA", "ar_SA", "ar_EG", "fa_IR", "uk_UA", "ro_RO", "hr_HR", "el_GR", "en_IN"),
    ):
        for provider in faker.Faker(locale).get_providers():
            for kind in ("first_names", "last_names"):
                names.update(str(name) for name in getattr(provider, kind, ()))
    assert len(names) > 15_000
    ordered = sorted(names)
    double = [f"{one}-{two}" for one, two in zip(ordered[::9], ordered[5::9], strict=False)]
    double += [f"{one} {two}" for one, two in zip(ordered[::11], ordered[3::11], strict=False)]
    for field in ("first_name", "last_name"):
        findings = check_batches(CONTRACT, [frame_of(field, ordered + double)], store="workspace")
        wrong = sum(f.count for f in findings if f.outcome is Outcome.FAILED and f.check in CHECKS)
        assert wrong <= len(names) // 5_000


def a_kvnr(letter: str, digits: str) -> str:
    """A valid health insurance number."""
    return next(number for d in string.digits if kvnr_holds(number := f"{letter}{digits}{d}"))


FULL_WIDTH = {ord(c): 0xFF10 + i for i, c in enumerate(string.digits)}
ARABIC = {ord(c): 0x0660 + i for i, c in enumerate(string.digits)}
SPELLINGS = ("", " ", "-", ".", "/", " - ", "\u00a0", "\u200b", "\u2013", "\u00ad", "_")


@pytest.mark.slow
@given(
    letter=st.sampled_from(string.ascii_uppercase),
    digits=st.text(string.digits, min_size=8, max_size=8),
    separator=st.sampled_from(SPELLINGS),
    script=st.sampled_from([{}, FULL_WIDTH, ARABIC]),
    field=st.sampled_from(["first_name", "last_name", "mobile", "location", "status", "origin", "command"]),
    around=st.sampled_from([("", ""), ("Müller ", ""), ("Müller", ""), ("(", ")"), ("x ", " y"), ("", ", geb.")]),
    lower=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_valid_kvnr_is_found_anywhere_in_any_spelling(
    letter: str, digits: str, separator: str, script: dict[int, int], field: str, around: tuple[str, str], lower: bool
) -> None:
    """With separators, invisible characters, digits of another script."""
    if around[0] == "Müller":
        lower = False  # "müllera 1 2 3" reads like the end of a name and another number
    number = separator.join(a_kvnr(letter, digits)).translate(script)
    value = around[0] + (number.lower() if lower else number) + around[1]
    assert "kvnr" in found(field, value), (field, separator.encode("unicode_escape"))


@pytest.mark.slow
@given(
    letter=st.sampled_from(string.ascii_uppercase),
    digits=st.text(string.digits, min_size=8, max_size=8),
    where=st.sampled_from(
        [("email", "{}@example.org"), ("email", "x.{}@example.org"), ("email", "a@{}.example.org"),
         ("appointment_uid", "{}"), ("appointment_uid", "uid-{}-1"), ("calendar_ref", "Raum {}"), ("service_id", "{}")]
    ),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_a_valid_kvnr_is_found_in_addresses_and_ids(letter: str, digits: str, where: tuple[str, str]) -> None:
    """There it must stand alone: letters and digits are common in ids."""
    assert "kvnr" in found(where[0], where[1].format(a_kvnr(letter, digits)))


@given(digits=st.text(string.digits, min_size=8, max_size=8), letter=st.sampled_from("ABCXYZ"), off=st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_a_wrong_check_digit_is_not_a_kvnr(digits: str, letter: str, off: int) -> None:
    """Else every customer number would be one."""
    number = a_kvnr(letter, digits)
    assert not kvnr_holds(number[:9] + str((int(number[9]) + off) % 10))


def test_the_check_digits_agree_with_published_samples_and_with_another_library() -> None:
    """python-stdnum knows IBAN and Steuer-ID."""
    assert kvnr_holds("A123456780")
    assert [lanr_holds(n) for n in ("838382202", "123456601", "555555500", "456456409")] == [True, True, False, False]
    assert lanr_holds("555555501")
    pytest.importorskip("stdnum")
    from stdnum import iban
    from stdnum.de import idnr

    rng = random.Random(7)
    for turn in range(4_000):
        # Every other one has ten different digits, which random numbers hardly ever have.
        head = rng.sample(string.digits, 10) if turn % 2 else rng.choices(string.digits, k=10)
        number = "".join(head) + rng.choice(string.digits)
        assert tax_id_holds(number) == idnr.is_valid(number)
        account = f"DE{rng.randrange(100):02d}{rng.randrange(10**18):018d}"
        assert iban_holds(account) == iban.is_valid(account)


def test_an_own_date_of_the_row_is_not_a_date_of_birth() -> None:
    """Nor is one after it, or one of more than 120 years before."""
    assert "date-of-birth" not in found("last_name", "10.05.2026", "Müller 2026-05-10", "11.05.2026")
    assert "date-of-birth" not in found("last_name", "01.01.2027", "01.01.1890")
    assert "date-of-birth" in found("last_name", "09.02.2026")
    assert "date-of-birth" in found("last_name", "03.03.33")


def test_uuids_and_counters_are_no_findings_as_ids() -> None:
    """A UUID holds a letter and nine digits once in a while."""
    rng = random.Random(3)
    digits = "0123456789abcdef"
    blocks = (8, 4, 4, 4, 12)
    ids = ["-".join("".join(rng.choices(digits, k=n)) for n in blocks) for _ in range(3_000)]
    ids += [f"ext-{i}" for i in range(0, 10**7, 10**4)] + [str(10**6 + i) for i in range(1_000)]
    assert found("appointment_uid", *ids) == set()
    assert found("service_id", *map(str, range(3_000))) == set()


def test_keys_in_a_json_text_are_undeclared_fields_and_named_only_when_known() -> None:
    """A key could be a person's name."""
    texts = ['{"notes": "x", "birthday": null}', '[{"Erika Mustermann": 1}]', "{broken", "[" * 100_000, "{}"]
    findings = check_batches(CONTRACT, [frame_of("last_name", list(texts))], store="workspace")
    counts = {f.field: f.count for f in findings if f.check == "undeclared-field"}
    assert counts == {"last_name.notes": 1, "last_name.birthday": 1, "last_name.(unnamed field)": 1}


def test_findings_of_values_carry_line_numbers_and_channels() -> None:
    """First and last line concerned."""
    frame = frame_of("last_name", ["Müller", "A123456780", "Krebs", "B. A123456780", None])
    frame = frame.with_columns(line=pl.int_range(pl.len(), dtype=pl.Int64) + 100, channel=pl.lit("webpush"))
    [finding] = [f for f in check_batches(CONTRACT, [frame], store="file 3") if f.check == "kvnr"]
    assert (finding.count, finding.first, finding.last) == (2, 101, 103)
    assert (finding.channel, finding.store, finding.severity) == ("webpush", "file 3", Severity.ERROR)


def test_values_are_found_in_columns_of_the_wrong_type_too() -> None:
    """Numbers and bytes are read as text; what is nested stays unknown."""
    frame = frame_of("last_name", [None]).with_columns(
        first_name=pl.lit(b"A123456780"), mobile=pl.lit(36574261809), last_name=pl.struct(a=pl.lit("x"))
    )
    findings = check_batches(CONTRACT, [frame], store="workspace")
    failed = {(f.check, f.field) for f in findings if f.outcome is Outcome.FAILED}
    assert {("kvnr", "first_name"), ("steuer-id", "mobile")} <= failed
    assert ("kvnr", "last_name") in {(f.check, f.field) for f in findings if f.outcome is Outcome.UNKNOWN}


def test_the_same_is_found_however_the_rows_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Suspects are collected over batches; that must not show."""
    values = [value for check in value_checks() for field, value in check.examples(bad=True) if field == "last_name"]
    frame = frame_of("last_name", values * 3).with_columns(line=pl.int_range(pl.len(), dtype=pl.Int64))
    whole = check_batches(CONTRACT, [frame], store="workspace")
    monkeypatch.setattr("lifecycle.contract.values.scan._HELD_ROWS", 5)
    assert check_batches(CONTRACT, frame.iter_slices(7), store="workspace") == whole


@pytest.mark.slow
def test_values_of_ten_megabytes_are_read_to_their_end() -> None:
    """A number hides well in a long text."""
    long = "lorem ipsum " * 850_000 + "A123456780"
    names = found("last_name", long)
    assert {"kvnr", "free-text"} <= names
