"""``reports/history.jsonl``: what each report said, in names and counts, so that the next one can say what changed.

One line a run (or a day without one); a report written again replaces its line. It is a convenience and no evidence:
whoever loses it loses a comparison. Lines older than the evidence is kept are dropped with the next report.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from lifecycle.deletion.documents import Plan
from lifecycle.errors import StoreError
from lifecycle.model import Change, Facts, Finding, Outcome, Rule, Severity, Week
from lifecycle.workbench import facts as gathered
from lifecycle.workbench.facts import RunState
from lifecycle.workbench.workspace import Workspace

FILE_NAME = "history.jsonl"
_WEEKS = 26
_COUNTS = ("before", "due", "deleted", "held", "failed", "retained", "overdue")
_RULE = {
    "period": "period_days", "cap": "cap_months", "lead": "lead_days", "basis": "basis", "why": "why",
    "source": "source", "cancelled": "cancelled", "horizon": "booking_horizon_days", "superseded": "superseded_days",
}  # fmt: skip
"""Kinds of change in a rule, and the field each is about."""

Line = Mapping[str, Any]


def with_past(workspace: Workspace, said: Facts, *, compare: bool = True) -> Facts:
    """Add to facts what came before: runs by week, deviations by month and, to ``compare``, what changed.

    Parameters
    ----------
    said : Facts
        With the findings of today, where they are to be compared.
    compare : bool
        False where nothing was checked: every finding would look as if it were gone.
    """
    known = read(workspace)
    weeks, poor = _runs_by_week(workspace, said.as_of)
    own = line_of(workspace, said)
    earlier = [line for line in known if _key(line) < _key(own)]
    past = replace(
        said,
        run_weeks=weeks,
        poor_weeks=poor,
        finding_months=_finding_months([*earlier, own] if compare else [*earlier, *_same(known, own)]),
    )
    if not compare:
        return past
    before, name = _before(workspace, said, earlier)
    changed = () if before is None else tuple(changes_between(before, own))
    return replace(past, changes=changed, compared_with=name)


def remember(workspace: Workspace, said: Facts) -> None:
    """Write down what a report says, for the next one.

    Raises
    ------
    StoreError
        ``reports/`` cannot be written to.
    """
    own = line_of(workspace, said)
    oldest = date(workspace.today.year - workspace.settings.ledger.keep_years, 1, 1).isoformat()
    kept = [line for line in read(workspace) if _key(line) != _key(own) and line["asOf"] >= oldest]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in sorted([*kept, own], key=_key))
    path = workspace.path / "reports" / FILE_NAME
    new = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise StoreError(f"{FILE_NAME} cannot be written: {error.strerror}.", "see to the folder reports") from error
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def read(workspace: Workspace) -> list[Line]:
    """Return what earlier reports said, the oldest first; a line that is no longer one is passed over."""
    path = workspace.path / "reports" / FILE_NAME
    lines: list[Line] = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        with suppress(ValueError, KeyError, TypeError):
            line = json.loads(text)
            date.fromisoformat(line["asOf"])
            if all(isinstance(line[name], dict) for name in ("rules", "places", "findings", "counts", "byField")):
                lines.append(line)
    return sorted(lines, key=_key)


def line_of(workspace: Workspace, said: Facts) -> Line:
    """Return what a report says, as a line of the file."""
    return {
        "asOf": said.as_of.isoformat(),
        "runId": said.run_id or "",
        "rules": _rules(said.rules),
        "contracts": _contracts(workspace),
        "places": {one.name: [one.state, _iso(one.confirmed_on), _iso(one.next_due_on)] for one in said.places},
        "catalogue": {one.name: one.state for one in said.catalogue},
        "holds": dict(said.holds),
        "counts": {name: getattr(said, name) for name in _COUNTS},
        "findings": _findings(said.findings),
        "byField": _by_field(said.findings),
    }


def _key(line: Line) -> tuple[str, str]:
    return line["asOf"], line["runId"]


def _same(known: Iterable[Line], own: Line) -> list[Line]:
    return [line for line in known if _key(line) == _key(own)]


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _rules(rules: Iterable[Rule]) -> dict[str, dict[str, Any]]:
    return {rule.dataset: {kind: getattr(rule, name) for kind, name in _RULE.items()} for rule in rules}


def _contracts(workspace: Workspace) -> dict[str, list[str]]:
    return {name: [one.version, one.digest] for name, one in sorted(workspace.contracts().items())}


def _deviations(findings: Iterable[Finding]) -> Iterator[Finding]:
    return (one for one in findings if one.outcome is not Outcome.PASSED and one.severity is not Severity.NOTE)


def _findings(findings: Iterable[Finding]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in _deviations(findings):
        # Without its store: a file has another number in another call.
        total[" ".join((one.check, one.dataset, one.field))] += one.count
    return dict(sorted(total.items()))


def _by_field(findings: Iterable[Finding]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in _deviations(findings):
        total[one.field] += one.count
    return dict(sorted(total.items()))


# --- what changed --------------------------------------------------------------------------------------


def _before(workspace: Workspace, said: Facts, earlier: list[Line]) -> tuple[Line | None, str]:
    """The last report before this one; where there is none, what the run before says by itself."""
    if earlier:
        return earlier[-1], f"report {earlier[-1]['runId'] or earlier[-1]['asOf']}"
    ledger = workspace.ledger()
    for run_id in reversed(ledger.runs()):
        if said.run_id is None or run_id < said.run_id:
            run = gathered.read_run(ledger, run_id)
            if run.outcome == "sealed":
                return _line_of_run(run), f"run {run_id}"
    return None, ""


def _line_of_run(run: RunState) -> Line:
    plan: Plan = run.plan
    counts = run.predicate["counts"]
    numbers = {"before": run.before, "due": plan.due, "held": plan.held}
    numbers |= {name: int(counts[name]) for name in ("deleted", "failed", "retained") if name in counts}
    return {"rules": _rules(plan.rules), "holds": dict(plan.holds), "counts": numbers}


def changes_between(before: Line, now: Line) -> Iterator[Change]:
    """Yield what differs, for what both sides speak of."""
    yield from _changed_rules(before["rules"], now["rules"])
    for name, (old, new) in _pairs(before, now, "contracts"):
        if (old or [None])[0] != (new or [None])[0]:
            yield Change("contract", name, old and old[0], new and new[0])
        elif old != new:
            yield Change("contract-text", name, old[0], new[0])
    for name, (old, new) in _pairs(before, now, "places"):
        # The state first; a confirmation that was renewed in time changes its dates only.
        for kind, was, is_ in zip(
            ("place", "confirmed", "next-due"), old or [None] * 3, new or [None] * 3, strict=True
        ):
            if was != is_:
                yield Change(kind, name, was, is_)
    for kind, part in (("catalogue", "catalogue"), ("hold", "holds"), ("finding", "findings")):
        yield from (Change(kind, name, old, new) for name, (old, new) in _pairs(before, now, part) if old != new)
    for name in _COUNTS:
        if name in before["counts"]:
            yield Change(f"count-{name}", "", before["counts"][name], now["counts"][name])


def _changed_rules(before: Mapping[str, Line], now: Mapping[str, Line]) -> Iterator[Change]:
    for dataset in sorted(set(before) & set(now)):
        for kind in _RULE:
            old, new = before[dataset].get(kind), now[dataset].get(kind)
            if old != new:
                yield Change(kind, dataset, old, new)


def _pairs(before: Line, now: Line, part: str) -> Iterator[tuple[str, tuple[Any, Any]]]:
    if part in before:
        for name in sorted({*before[part], *now[part]}):
            yield name, (before[part].get(name), now[part].get(name))


# --- charts --------------------------------------------------------------------------------------------


def _finding_months(lines: Iterable[Line]) -> dict[str, dict[str, int]]:
    """Deviations by field, as the last report of each month counted them; twelve months."""
    last = {line["asOf"][:7]: dict(line["byField"]) for line in lines}
    return {month: last[month] for month in sorted(last)[-12:]}


def _runs_by_week(workspace: Workspace, as_of: date) -> tuple[tuple[Week, ...], tuple[date, ...]]:
    """Rows deleted by week, and the Mondays of weeks with a failure or a night without a run, up to ``as_of``."""
    ledger, zone = workspace.ledger(), workspace.settings.zone
    since = _monday(as_of) - timedelta(weeks=_WEEKS - 1)
    deleted: Counter[date] = Counter()
    poor: set[date] = set()
    nights: set[date] = set()
    for run_id in ledger.runs():
        # The id begins with the day that the run is as of; what is older than the chart is not even read.
        if run_id[:10] < (since - timedelta(weeks=1)).isoformat():
            continue
        run = gathered.read_run(ledger, run_id)
        day = gathered.day_of(run, zone)
        if run.outcome == "sealed" and since <= day <= as_of:
            deleted[_monday(day)] += int(run.predicate.get("counts", {}).get("deleted", 0))
            nights.add(day)
        elif run.outcome in {"aborted", "open"} and since <= day <= as_of:
            poor.add(_monday(day))
    if nights:
        first = min(nights)
        days = (first + timedelta(days=number) for number in range((as_of - first).days))
        poor |= {_monday(day) for day in days if day not in nights}
    return tuple(Week(monday, rows) for monday, rows in sorted(deleted.items())), tuple(sorted(poor))


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
