"""What the verbs give back: frozen, printable, and without a single personal value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from lifecycle import __version__
from lifecycle.errors import EvidenceError, FindingsFailed, Incomplete, LifecycleError, Refused, SourceError, UsageError
from lifecycle.model import Finding, Hold, Outcome, Severity, StoreCounts, TemplateFinding, as_json

OURS = {"lifecycle": True}  # the mark of an output that the workbench made; a guarded run keeps no other


class Result:
    """Base of every result: the same words as JSON, as a short text, as a frame and as a table in a notebook."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that ``--json`` prints."""
        return {key: value for key, value in as_json(self).items() if key not in self._private()}

    def _private(self) -> frozenset[str]:
        return frozenset()

    def summary(self) -> dict[str, Any]:
        """Return the few numbers that a person looks at first, in order."""
        return {key: value for key, value in self.to_json().items() if isinstance(value, (int, str, float))}

    def table_rows(self) -> tuple[dict[str, Any], ...]:
        """Return the result's rows (findings, stores, checks) as flat tables; nothing where it has none."""
        for value in self.to_json().values():
            if isinstance(value, list) and value and isinstance(value[0], dict):
                return tuple(_flat(row) for row in value)
        return ()

    @property
    def frame(self) -> pl.DataFrame:
        """The result's rows (findings, stores, checks) as polars; one row of counts where it has none."""
        return pl.DataFrame(list(self.table_rows()) or [_flat(self.summary())], infer_schema_length=None)

    def problem(self) -> LifecycleError | None:
        """Return what kept this from being all right, or None."""
        return None

    def raise_if_failed(self) -> None:
        """Raise what :meth:`problem` returns."""
        problem = self.problem()
        if problem is not None:
            raise problem

    @property
    def exit_code(self) -> int:
        """The exit code of the command that gives this result."""
        problem = self.problem()
        return problem.exit_code if problem else 0

    def _repr_html_(self) -> str:
        from lifecycle.workbench.tables import result_html

        return result_html(self)

    def _repr_mimebundle_(self, **_asked: Any) -> tuple[dict[str, str], dict[str, bool]]:
        words = ", ".join(f"{key}={value}" for key, value in self.summary().items())
        return {"text/html": self._repr_html_(), "text/plain": f"{type(self).__name__}({words})"}, OURS


@dataclass(frozen=True)
class Created(Result):
    """``init``: a new workspace."""

    path: Path


@dataclass(frozen=True)
class Undeclared:
    """An undeclared field that arrived with values: its name and how many were not empty."""

    field: str
    count: int


@dataclass(frozen=True)
class RejectedLine:
    """Where a line could not be read, and why. ``file`` is the file's place in the call, from 1."""

    file: int
    line: int
    reason: str


@dataclass(frozen=True)
class Refusal:
    """An input file of which nothing was stored, or that could not be removed. Its path is for the terminal only."""

    file: int
    path: str = field(repr=False)
    fact: str
    hint: str


@dataclass(frozen=True)
class Ingested(Result):
    """``ingest``: read = stored + duplicates + rejected + expired, summed over the files."""

    dataset: str
    files: int
    read: int
    stored: int
    replaced: int
    duplicates: int
    rejected: int
    expired: int
    undeclared: tuple[Undeclared, ...]
    rejects: tuple[RejectedLine, ...] = ()
    refused: tuple[Refusal, ...] = ()
    consumed: int = 0

    def to_json(self) -> dict[str, Any]:
        refused = [{k: v for k, v in as_json(one).items() if k != "path"} for one in self.refused]
        return {**super().to_json(), "refused": refused}

    @property
    def lines(self) -> tuple[str, ...]:
        """What a terminal shows besides the counts: which files were refused, by name."""
        return tuple(f"refused: {one.path} (file {one.file}): {one.fact}" for one in self.refused)

    def problem(self) -> LifecycleError | None:
        if not self.refused:
            return None
        first = self.refused[0]
        more = f" ({len(self.refused) - 1} more files were refused)" if len(self.refused) > 1 else ""
        return SourceError(f"File {first.file}: {first.fact}{more}", first.hint)


@dataclass(frozen=True)
class Checked(Result):
    """``check``: findings by name and count; ``details`` names the menu where a part of the set-up is mended."""

    outcome: Outcome
    rows: int
    findings: tuple[Finding, ...]
    details: Mapping[str, str] = field(default_factory=dict)
    look: Callable[[str], pl.DataFrame] | None = field(default=None, repr=False, compare=False)

    def _private(self) -> frozenset[str]:
        return frozenset({"look"})

    def where(self, check: str) -> pl.DataFrame:
        """Return the keys of the rows that a check speaks of, for a person who asks; they are written nowhere.

        Raises
        ------
        UsageError
            No such check, or one that does not speak of single rows.
        """
        if self.look is None:
            raise UsageError("Rows can be looked up in the store only.", "wb.check().where(CHECK)")
        return self.look(check)

    def junit(self) -> str:
        """Return the findings as JUnit XML, for a build server."""
        from lifecycle.contract.views import findings_junit

        return findings_junit(self.findings)

    def sarif(self) -> str:
        """Return the findings as SARIF 2.1.0."""
        from lifecycle.contract.views import findings_sarif

        return findings_sarif(self.findings, __version__)

    def problem(self) -> LifecycleError | None:
        if self.outcome is Outcome.PASSED:
            return None
        bad = [one for one in self.findings if one.outcome is not Outcome.PASSED and one.severity is not Severity.NOTE]
        names = ", ".join(sorted({one.check for one in bad}))
        return FindingsFailed(f"{len(bad)} findings: {names}.", "lifecycle check --json lists them with their counts")


@dataclass(frozen=True)
class Planned(Result):
    """``plan``: what must go, in every store, at ``as_of``."""

    run_id: str
    as_of: date
    before: int
    due: int
    held: int
    no_anchor: int
    retained: int
    plan_sha256: str
    stores: tuple[StoreCounts, ...]


@dataclass(frozen=True)
class Approved(Result):
    """``approve``: the second person's word, or a standing order."""

    run_id: str | None
    plan_sha256: str | None
    signed: bool
    role: str
    path: Path | None = None


@dataclass(frozen=True)
class Purged(Result):
    """``purge``: one run, sealed or aborted."""

    run_id: str
    outcome: str
    as_of: date
    before: int
    due: int
    deleted: int
    held: int
    failed: int
    retained: int
    erasure: str
    checks: Mapping[str, str]

    def problem(self) -> LifecycleError | None:
        if self.outcome == "aborted":
            return Refused(
                f"Run {self.run_id} was aborted: the due rows were no longer those of the plan.",
                f"lifecycle plan --as-of {self.as_of}",
            )
        failed = [name for name, outcome in self.checks.items() if outcome == Outcome.FAILED]
        if failed or self.failed:
            return Incomplete(
                f"Run {self.run_id} is sealed, but failed: {', '.join(failed) or 'rows were left'}.",
                f"lifecycle report {self.run_id}",
            )
        return None


@dataclass(frozen=True)
class EvidenceCheck:
    """One step of the verifier, or one comparison; ``detail`` is for a person, ``facts`` is all that was found."""

    name: str
    outcome: Outcome
    detail: str = ""
    facts: tuple[str, ...] = ()


# Signatures and stamps are optional, so "not checked" there does not make the evidence doubtful.
OPTIONAL = "run signatures and stamps hold"


@dataclass(frozen=True)
class VerifyResult(Result):
    """``verify``: the evidence by the independent verifier, and the managed stores against it."""

    outcome: Outcome
    tree_size: int
    checks: tuple[EvidenceCheck, ...]

    def problem(self) -> LifecycleError | None:
        bad = [one for one in self.checks if one.outcome is self.outcome]
        bad.sort(key=lambda one: one.name == OPTIONAL)
        if self.outcome is Outcome.PASSED or not bad:
            return None
        return EvidenceError(f"{bad[0].name}: {bad[0].detail or bad[0].outcome}", "lifecycle verify --json")


@dataclass(frozen=True)
class Reported(Result):
    """``report``: the files that were written."""

    files: tuple[Path, ...]


@dataclass(frozen=True)
class Holds(Result):
    """``hold``: the holds by number and ground. The uid is shown only to who asks for it at a terminal."""

    holds: tuple[Hold, ...] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        return {"holds": [_without_uid(hold) for hold in self.holds]}

    @property
    def frame(self) -> pl.DataFrame:
        return pl.DataFrame([_without_uid(hold) for hold in self.holds], infer_schema_length=None)


@dataclass(frozen=True)
class Examined(Result):
    """``doctor``: set-up, keys, clocks, unregistered files; ``last_run_at`` is when a deletion run last ended (UTC)."""

    outcome: Outcome
    findings: tuple[Finding, ...]
    details: Mapping[str, str] = field(default_factory=dict)
    last_run_at: datetime | None = None

    def problem(self) -> LifecycleError | None:
        bad = [one for one in self.findings if one.outcome is not Outcome.PASSED and one.severity is not Severity.NOTE]
        if not bad:
            return None
        detail = self.details.get(bad[0].check, "")
        return FindingsFailed(f"{len(bad)} findings: {', '.join(one.check for one in bad)}.", detail)


@dataclass(frozen=True)
class Demonstrated(Result):
    """``demo``: every count of the whole cycle on made-up data, and where the report is."""

    workspace: Path
    as_of: date
    read: int
    stored: int
    duplicates: int
    rejected: int
    expired: int
    findings: int
    run_id: str
    before: int
    due: int
    deleted: int
    held: int
    failed: int
    retained: int
    not_yet_due: int
    erasure: str
    verified: str
    tree_size: int
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Linted(Result):
    """``preview lint``: what is wrong with the templates, by line and token."""

    outcome: Outcome
    findings: tuple[TemplateFinding, ...]

    def problem(self) -> LifecycleError | None:
        if self.outcome is Outcome.PASSED:
            return None
        bad = [one for one in self.findings if one.severity is not Severity.NOTE]
        return FindingsFailed(f"{len(bad)} findings in the templates.", "lifecycle preview serve shows them")


@dataclass(frozen=True)
class Built(Result):
    """``preview build``: the files that were written."""

    files: tuple[Path, ...]


@dataclass(frozen=True)
class Compared(Result):
    """``preview compare``: what became of each token, by kind; no value of the mail."""

    lines: tuple[str, ...]
    comparison: Mapping[str, Any]


@dataclass(frozen=True)
class Shown(Result):
    """One filled template, inline in a notebook."""

    template: str
    html: str = field(repr=False)

    def _private(self) -> frozenset[str]:
        return frozenset({"html"})

    def _repr_html_(self) -> str:
        return self.html


def outcome_of(findings: Iterable[Finding]) -> Outcome:
    """Return one outcome for many findings: errors and warnings count, unknown is never passed, notes never fail.

    Examples
    --------
    >>> outcome_of([])
    <Outcome.PASSED: 'passed'>
    """
    found = [one.outcome for one in findings if one.severity is not Severity.NOTE]
    for outcome in (Outcome.FAILED, Outcome.UNKNOWN):
        if outcome in found:
            return outcome
    return Outcome.PASSED


def _without_uid(hold: Hold) -> dict[str, Any]:
    return {key: value for key, value in as_json(hold).items() if key != "appointmentUid"}


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if not isinstance(value, (dict, list))}
