"""The second opinion: Great Expectations, an independent tool, on a seeded random sample of the same rows.

It reads the contract file anew (`second_reading`) and makes its own expectations of it; nothing of our loader and
none of our expressions is used. It answers yes or no only (``BOOLEAN_ONLY``): every other result format repeats
values. It runs in memory, without network, analytics or Data Docs. The tool takes seconds to import, so it is
imported when it is asked.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lifecycle.contract.field_names import showable
from lifecycle.contract.second_reading import Field, Reading, differences, read_anew
from lifecycle.contract.structure import examined
from lifecycle.contract.terms import Contract
from lifecycle.model import Finding, Outcome, Severity

WHOLE_UP_TO = 100_000
SHARE = 0.2
MOST = 200_000

_BLANK = r"^\s*$"
_CERTAIN_HITS = 20
"""So many failing rows must be expected in a sample before their absence is a disagreement (odds of e^-20)."""

_TELLING = {
    "email-in-text": ("first_name", "last_name"),
    "html-or-script": ("first_name", "last_name", "service_id"),
    "url": ("first_name", "last_name", "location"),
}
_TELLING_PATTERNS = {
    "email-in-text": r"[a-z0-9]@[a-z0-9-]+\.[a-z]{2}",
    "html-or-script": r"<[a-z]+ ?/?>",
    "url": r"https?://[a-z]",
}
"""Value checks that can be put to it as a pattern; it may see less than we do, never more."""


@dataclass(frozen=True, slots=True)
class _Question:
    """One expectation and the finding it speaks of. ``both_ways``: a yes of theirs contradicts a failure of ours."""

    check: str
    field: str
    expectation: Any
    both_ways: bool = True


def sample(frame: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """The rows to look at: all up to 100,000, else 20 % but at most 200,000, drawn by the seed.

    Examples
    --------
    >>> sample(pl.DataFrame({"a": range(10)}), seed=1).height
    10
    """
    if frame.height <= WHOLE_UP_TO:
        return frame
    return frame.sample(n=min(int(frame.height * SHARE), MOST), seed=seed)


def second_opinion(
    contract: Contract,
    files: Iterable[bytes],
    frame: pl.DataFrame,
    findings: Sequence[Finding],
    *,
    seed: int,
    total: int | None = None,
) -> tuple[Finding, ...]:
    """Ask Great Expectations the same questions and compare.

    Parameters
    ----------
    contract : Contract
        As our loader understood it.
    files : iterable of bytes
        The workspace's contract files, read from disk once more; the one of this dataset is looked for here.
    frame : polars.DataFrame
        Rows in the dataset's columns; a sample of them is drawn here, unless they are one (see ``total``).
    findings : sequence of Finding
        What `check.check_batches` said about the same rows, or about the ``total`` rows they were drawn from.
    seed : int
        Of the sample; belongs in the report.
    total : int, optional
        Rows that the findings speak of, if more than ``frame`` has: then ``frame`` is the sample.

    Returns
    -------
    tuple of Finding
        ``second-opinion:<check>`` for each check and field that could be compared: passed (both say the same),
        failed (they disagree) or unknown (no answer). ``second-opinion:contract`` is about the contract file itself,
        and names the fields that the two read differently. ``second-opinion`` unknown: there was no opinion at all.
    """
    told = _Told(contract, findings)
    reading = read_anew(files, contract.dataset)
    if reading is None:
        return (told.finding("second-opinion:contract", "", 0, Outcome.UNKNOWN),)
    rows = max(total or 0, frame.height)
    # A frame of fewer rows than the findings speak of is a sample already.
    looked_at = frame.select(examined(frame))
    drawn = looked_at if rows > frame.height else sample(looked_at, seed=seed)
    try:
        with _quiet():
            answers = _answers(reading, drawn)
    except Exception:  # not there, or failed: its words could repeat a value, and an opinion is not worth that
        return (told.finding("second-opinion", "", 0, Outcome.UNKNOWN),)
    compared = [
        told.finding(f"second-opinion:{question.check}", question.field, *answer)
        for question, said in answers
        if (answer := _compared(question, said, told, drawn.height, rows)) is not None
    ]
    if not compared:  # nothing of ours to agree or disagree with
        compared = [told.finding("second-opinion", "", 0, Outcome.UNKNOWN)]
    return (*_about_the_file(contract, reading, told), *compared)


def _about_the_file(contract: Contract, reading: Reading, told: _Told) -> Iterator[Finding]:
    fields = differences(contract, reading)
    for field in fields:
        yield told.finding("second-opinion:contract", showable(field) if field else "", 0, Outcome.FAILED)
    if not fields:
        yield told.finding("second-opinion:contract", "", 0, Outcome.PASSED)


class _Told:
    """What our own checks said, without channels: the other tool knows none."""

    def __init__(self, contract: Contract, findings: Sequence[Finding]) -> None:
        self._dataset = contract.dataset
        self._store = findings[0].store if findings else ""
        # Keys inside a declared column are beyond the other tool, which knows columns only.
        inside = tuple(f"{name}." for name in contract.names)
        mine = [finding for finding in findings if finding.dataset == contract.dataset]
        self._findings = [finding for finding in mine if not finding.field.startswith(inside)]

    def outcome(self, check: str, field: str) -> tuple[Outcome | None, int]:
        """Our outcome and count for a check and field; None when we did not look."""
        ours = [f for f in self._findings if f.check == check]
        here = [f for f in ours if f.field in (field, "") or not field]
        failed = [f for f in here if f.outcome is Outcome.FAILED]
        if failed:
            return Outcome.FAILED, sum(f.count for f in failed)
        if not ours and check != "undeclared-field":
            return None, 0
        unknown = any(f.outcome is Outcome.UNKNOWN for f in here)
        return (Outcome.UNKNOWN if unknown else Outcome.PASSED), 0

    def finding(self, check: str, field: str, count: int, outcome: Outcome) -> Finding:
        return Finding(check, self._dataset, self._store, field, Severity.WARNING, count, outcome)


def _compared(question: _Question, said: bool | None, told: _Told, drawn: int, rows: int) -> tuple[int, Outcome] | None:
    """Agreement, disagreement or no answer; None where a sample cannot tell, or we said nothing ourselves."""
    ours, count = told.outcome(question.check, question.field)
    if ours in (None, Outcome.UNKNOWN):
        return None
    if said is None:
        return 0, Outcome.UNKNOWN
    if said is (ours is Outcome.PASSED):
        return 0, Outcome.PASSED
    if not said:
        return 0, Outcome.FAILED
    whole = drawn == rows
    certain = whole or (rows > 0 and count * drawn / rows >= _CERTAIN_HITS and question.check != "unique-key")
    return (count, Outcome.FAILED) if question.both_ways and certain else None


def _answers(reading: Reading, drawn: pl.DataFrame) -> list[tuple[_Question, bool | None]]:
    """Each question with yes, no or no answer."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    questions = list(_questions(reading, drawn))
    suite = gx.ExpectationSuite(name=reading.dataset)
    for number, question in enumerate(questions):
        question.expectation.meta = {"question": number}
        suite.add_expectation(question.expectation)
    source = context.data_sources.add_pandas(name="rows")
    whole = source.add_dataframe_asset(name="sample").add_batch_definition_whole_dataframe("all")
    batch = whole.get_batch(batch_parameters={"dataframe": _pandas(reading, drawn)})
    result = batch.validate(suite, result_format="BOOLEAN_ONLY")
    said: dict[int, bool | None] = {}
    for one in result.results:
        raised = bool((one.exception_info or {}).get("raised_exception", False)) or one.success is None
        number = one.expectation_config.meta["question"] if one.expectation_config else -1
        said[number] = None if raised else bool(one.success)
    return [(question, said.get(number)) for number, question in enumerate(questions)]


def _questions(reading: Reading, drawn: pl.DataFrame) -> Iterator[_Question]:
    """The contract as Great Expectations would put it."""
    gxe = _expectations()
    exact = gxe.ExpectTableColumnsToMatchSet(column_set=list(reading.names), exact_match=True)
    if all(name in drawn.columns for name in reading.names):
        yield _Question("undeclared-field", "", exact)
    key = reading.key or reading.names
    if set(key) <= set(drawn.columns):
        unique = gxe.ExpectCompoundColumnsToBeUnique(column_list=list(key), ignore_row_if="never")
        yield _Question("unique-key", "", unique)
    for field in reading.fields:
        if field.dtype is not None and drawn.schema.get(field.name) == field.dtype:
            yield from _about(field)


def _about(field: Field) -> Iterator[_Question]:
    gxe = _expectations()
    text, name = field.dtype == pl.String, field.name
    if field.required and text:
        # A missing text arrives as an empty one (see `_pandas`), so that blank and missing are one question.
        yield _Question("required-field", name, gxe.ExpectColumnValuesToNotMatchRegex(column=name, regex=_BLANK))
    elif field.required:
        yield _Question("required-field", name, gxe.ExpectColumnValuesToNotBeNull(column=name))
    if field.pattern and text:
        check = {"email": "email-pattern", "mobile": "mobile-pattern"}.get(name, "allowed-word")
        matches = gxe.ExpectColumnValuesToMatchRegex(column=name, regex=f"(?:{_BLANK})|(?:{field.pattern})")
        yield _Question(check, name, matches)
    for check, fields in _TELLING.items():
        if name in fields:
            free = gxe.ExpectColumnValuesToNotMatchRegex(column=name, regex=_TELLING_PATTERNS[check])
            yield _Question(check, name, free, both_ways=False)


def _expectations() -> Any:
    """Their classes; the module exports them in a way that type checkers do not see."""
    import great_expectations.expectations

    return great_expectations.expectations


def _pandas(reading: Reading, drawn: pl.DataFrame) -> Any:
    """The sample for the other tool: declared columns with their values, undeclared ones by name only."""
    declared = [
        pl.col(field.name).fill_null("") if field.dtype == pl.String else pl.col(field.name)
        for field in reading.fields
        if field.dtype is not None and drawn.schema.get(field.name) == field.dtype
    ]
    rows = drawn.select(declared).to_pandas()
    for name in drawn.columns:
        if name not in rows.columns:
            rows[name] = None
    return rows


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No analytics, no progress bars, no warnings of theirs."""
    before = os.environ.get("GX_ANALYTICS_ENABLED")
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        if before is None:
            os.environ.pop("GX_ANALYTICS_ENABLED")
        else:
            os.environ["GX_ANALYTICS_ENABLED"] = before
