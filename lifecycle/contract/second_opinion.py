"""The second opinion: Great Expectations, an independent tool, on a seeded random sample of the same rows.

It gets the contract and makes its own expectations of it; none of our expressions is used. It answers yes or no
only (``BOOLEAN_ONLY``): every other result format repeats values. It runs in memory, without network, analytics or
Data Docs. The tool takes seconds to import, so it is imported when it is asked.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lifecycle.contract.structure import examined
from lifecycle.contract.terms import Column, Contract
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
        ``second-opinion`` passed where all answers agree; else ``second-opinion:<check>`` failed (they disagree) or
        unknown (no answer) for each check and field.
    """
    told = _Told(contract, findings)
    rows = max(total or 0, frame.height)
    # A frame of fewer rows than the findings speak of is a sample already.
    looked_at = frame.select(examined(frame))
    drawn = looked_at if rows > frame.height else sample(looked_at, seed=seed)
    try:
        with _quiet():
            answers = _answers(contract, drawn)
    except ImportError:
        return (told.finding("second-opinion", "", 0, Outcome.UNKNOWN),)
    disagreements = [
        told.finding(f"second-opinion:{question.check}", question.field, count, outcome)
        for question, said in answers
        for outcome, count in [_compared(question, said, told, drawn.height, rows)]
        if outcome is not Outcome.PASSED
    ]
    return tuple(disagreements) or (told.finding("second-opinion", "", 0, Outcome.PASSED),)


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


def _compared(question: _Question, said: bool | None, told: _Told, drawn: int, rows: int) -> tuple[Outcome, int]:
    ours, count = told.outcome(question.check, question.field)
    if ours in (None, Outcome.UNKNOWN):
        return Outcome.PASSED, 0  # nothing of ours to agree or disagree with
    if said is None:
        return Outcome.UNKNOWN, 0
    if said is (ours is Outcome.PASSED):
        return Outcome.PASSED, 0
    if not said:
        return Outcome.FAILED, 0
    whole = drawn == rows
    certain = whole or (rows > 0 and count * drawn / rows >= _CERTAIN_HITS and question.check != "unique-key")
    return (Outcome.FAILED, count) if question.both_ways and certain else (Outcome.PASSED, 0)


def _answers(contract: Contract, drawn: pl.DataFrame) -> list[tuple[_Question, bool | None]]:
    """Each question with yes, no or no answer."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    questions = list(_questions(contract, drawn))
    suite = gx.ExpectationSuite(name=contract.dataset)
    for number, question in enumerate(questions):
        question.expectation.meta = {"question": number}
        suite.add_expectation(question.expectation)
    source = context.data_sources.add_pandas(name="rows")
    whole = source.add_dataframe_asset(name="sample").add_batch_definition_whole_dataframe("all")
    batch = whole.get_batch(batch_parameters={"dataframe": _pandas(contract, drawn)})
    result = batch.validate(suite, result_format="BOOLEAN_ONLY")
    said: dict[int, bool | None] = {}
    for one in result.results:
        raised = bool((one.exception_info or {}).get("raised_exception", False)) or one.success is None
        number = one.expectation_config.meta["question"] if one.expectation_config else -1
        said[number] = None if raised else bool(one.success)
    return [(question, said.get(number)) for number, question in enumerate(questions)]


def _questions(contract: Contract, drawn: pl.DataFrame) -> Iterator[_Question]:
    """The contract as Great Expectations would put it."""
    gxe = _expectations()
    exact = gxe.ExpectTableColumnsToMatchSet(column_set=list(contract.names), exact_match=True)
    if all(name in drawn.columns for name in contract.names):
        yield _Question("undeclared-field", "", exact)
    if set(contract.key) <= set(drawn.columns):
        unique = gxe.ExpectCompoundColumnsToBeUnique(column_list=list(contract.key), ignore_row_if="never")
        yield _Question("unique-key", "", unique)
    for column in contract.columns:
        if column.name in drawn.columns and drawn.schema[column.name] == column.dtype:
            yield from _about(column)


def _about(column: Column) -> Iterator[_Question]:
    gxe = _expectations()
    if column.required and column.type == "string":
        # A missing text arrives as an empty one (see `_pandas`), so that blank and missing are one question.
        filled = gxe.ExpectColumnValuesToNotMatchRegex(column=column.name, regex=_BLANK)
        yield _Question("required-field", column.name, filled)
    elif column.required:
        yield _Question("required-field", column.name, gxe.ExpectColumnValuesToNotBeNull(column=column.name))
    if column.pattern and column.type == "string":
        check = {"email": "email-pattern", "mobile": "mobile-pattern"}.get(column.name, "allowed-word")
        matches = gxe.ExpectColumnValuesToMatchRegex(column=column.name, regex=f"(?:{_BLANK})|(?:{column.pattern})")
        yield _Question(check, column.name, matches)
    for check, fields in _TELLING.items():
        if column.name in fields:
            free = gxe.ExpectColumnValuesToNotMatchRegex(column=column.name, regex=_TELLING_PATTERNS[check])
            yield _Question(check, column.name, free, both_ways=False)


def _expectations() -> Any:
    """Their classes; the module exports them in a way that type checkers do not see."""
    import great_expectations.expectations

    return great_expectations.expectations


def _pandas(contract: Contract, drawn: pl.DataFrame) -> Any:
    """The sample for the other tool: declared columns with their values, undeclared ones by name only."""
    declared = [
        pl.col(c.name).fill_null("") if c.type == "string" and drawn.schema[c.name] == pl.String else pl.col(c.name)
        for c in contract.columns
        if c.name in drawn.columns and drawn.schema[c.name] == c.dtype
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
