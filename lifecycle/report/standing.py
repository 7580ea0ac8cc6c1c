"""How things stand: the one outcome above everything, and what somebody must do because of it.

Never *passed* while a place is unknown; never *passed* when nothing was deleted although something was due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lifecycle.model import Facts, Finding, Outcome, Place, Severity, Task

TASKS = (
    "resume", "plan-again", "first-run", "purge", "failed", "no-anchor", "approve", "approval-ends",
    "confirm", "confirm-again", "register", "findings", "findings-unknown", "checks", "residue",
    "review-hold", "files", "keys", "checkpoint", "verify", "restored", "catalogue",
)  # fmt: skip
"""Message ids for ``Task.what`` (without the prefix ``task.``); what fills each stands in the catalogues."""

LIMITS = ("places", "processors", "counts", "media", "operator", "logical", "approval", "signature", "unasked", "time")
"""Message ids for ``Facts.limits``; the first five are true of every report and always printed."""

ALWAYS_LIMITS = LIMITS[:5]


def worst(outcomes: Iterable[str]) -> Outcome:
    """The outcome of several together: one failure fails, else one unknown makes it unknown."""
    seen = set(outcomes)
    for outcome in (Outcome.FAILED, Outcome.UNKNOWN):
        if outcome in seen:
            return outcome
    return Outcome.PASSED


def overall(facts: Facts) -> Outcome:
    """The outcome of the whole report."""
    return worst(
        (
            run_outcome(facts),
            deletion_outcome(facts),
            places_outcome(facts),
            findings_outcome(facts.findings),
            checks_outcome(facts),
            residue_outcome(facts),
            catalogue_outcome(facts),
            second_outcome(facts),
        )
    )


def run_outcome(facts: Facts) -> Outcome:
    """Sealed passes; aborted and open fail; before any run nothing can be told."""
    known = {"sealed": Outcome.PASSED, "none": Outcome.UNKNOWN}
    return known.get(facts.outcome, Outcome.FAILED)


def deletion_outcome(facts: Facts) -> Outcome:
    """Whether what had to go is gone: nothing overdue, nothing due that is still there without a hold."""
    if facts.overdue or (facts.failed and facts.outcome != "none"):
        return Outcome.FAILED
    return Outcome.UNKNOWN if facts.failed or (facts.due and not facts.deleted) else Outcome.PASSED


def places_outcome(facts: Facts) -> Outcome:
    """A place is known only when we checked it or somebody confirmed it; no place at all is unknown."""
    return places_outcome_of(facts.places)


def places_outcome_of(places: Sequence[Place]) -> Outcome:
    """The same of any places."""
    states = {"checked": Outcome.PASSED, "confirmed": Outcome.PASSED, "overdue": Outcome.FAILED}
    return worst(states.get(place.state, Outcome.UNKNOWN) for place in places) if places else Outcome.UNKNOWN


def findings_outcome(findings: Iterable[Finding]) -> Outcome:
    """Notes alone do not fail; unknown never passes."""
    return worst(
        Outcome.PASSED if f.outcome == Outcome.FAILED and f.severity == Severity.NOTE else f.outcome for f in findings
    )


def checks_outcome(facts: Facts) -> Outcome:
    """The checks of the run itself; a sealed run without any is unknown."""
    if not facts.checks:
        return Outcome.UNKNOWN if facts.outcome == "sealed" and facts.deleted else Outcome.PASSED
    return worst(facts.checks.values())


def residue_outcome(facts: Facts) -> Outcome:
    """Passed only if the scan first found every control value in the old bytes, and none in the new."""
    if not facts.residue:
        return Outcome.UNKNOWN if facts.deleted else Outcome.PASSED
    if facts.residue.get("foundInNew", 0):
        return Outcome.FAILED
    controls = facts.residue.get("controls", 0)
    proved = controls > 0 and facts.residue.get("foundInOld", 0) >= controls and "foundInNew" in facts.residue
    return Outcome.PASSED if proved or not facts.deleted else Outcome.UNKNOWN


def catalogue_outcome(facts: Facts) -> Outcome:
    """Every data type of the promise must be covered or attested."""
    known = facts.catalogue and all(entry.state in {"covered", "attested"} for entry in facts.catalogue)
    return Outcome.PASSED if known else Outcome.UNKNOWN


def second_outcome(facts: Facts) -> Outcome:
    """The independent tool; not asked is no judgement."""
    said = second_opinion(facts)
    return Outcome.PASSED if said is None else said


def second_opinion(facts: Facts) -> Outcome | None:
    """What the facts say about it, else what its own findings say; None where it was not asked."""
    if facts.second_opinion != "not run":
        return Outcome(facts.second_opinion)
    own = [finding for finding in facts.findings if is_second_opinion(finding)]
    return findings_outcome(own) if own else None


def is_second_opinion(finding: Finding) -> bool:
    """Whether the finding is about where two independent checks differ."""
    return finding.check.split(":")[0] == "second-opinion"


def tasks(facts: Facts) -> tuple[Task, ...]:
    """What somebody must do: the tasks given, and those that follow from the facts and were not given.

    So "nothing to do" cannot appear on a page whose numbers say otherwise. Dated tasks first, the earliest first.
    """
    given = list(facts.tasks)
    named = {_subject(task) for task in given}
    both = given + [task for task in _implied(facts) if _subject(task) not in named]
    return tuple(sorted(both, key=lambda task: (task.until is None, task.until or facts.as_of)))


def _subject(task: Task) -> tuple[str, str]:
    return task.what.removeprefix("task."), str(task.detail.get("place", ""))


def _implied(facts: Facts) -> Iterator[Task]:
    yield from _implied_by_run(facts)
    for place in facts.places:
        if place.state == "overdue":
            yield Task("confirm-again", "controller", place.next_due_on, {"place": place.name})
        elif place.state not in {"checked", "confirmed"}:
            what = "confirm" if place.kind == "attested" else "register"
            yield Task(what, "controller", None, {"place": place.name})
    if not facts.places:
        yield Task("register", "controller", None, {"place": "–"})
    yield from _implied_by_checks(facts)


def _implied_by_run(facts: Facts) -> Iterator[Task]:
    if facts.outcome == "open":
        yield Task("resume", "operator", facts.as_of, {"run": facts.run_id or ""})
    if facts.outcome == "aborted":
        yield Task("plan-again", "operator", facts.as_of, {"run": facts.run_id or ""})
    if facts.outcome == "planned":
        yield Task("approve", "controller", facts.as_of, {"run": facts.run_id or ""})
    if facts.outcome == "none":
        yield Task("first-run", "operator")
    elif facts.failed and facts.outcome == "sealed":
        yield Task("failed", "operator", facts.as_of, {"rows": facts.failed})
    if facts.due and not facts.deleted and facts.held:
        yield Task("review-hold", "controller", None, {"n": facts.held})
    if facts.overdue:
        yield Task("purge", "operator", facts.as_of, {"rows": facts.overdue})


def _implied_by_checks(facts: Facts) -> Iterator[Task]:
    outcomes = [f.outcome for f in facts.findings if f.outcome != Outcome.FAILED or f.severity != Severity.NOTE]
    for what, outcome in (("findings", Outcome.FAILED), ("findings-unknown", Outcome.UNKNOWN)):
        if number := outcomes.count(outcome):
            yield Task(what, "controller", None, {"n": number})
    if checks_outcome(facts) != Outcome.PASSED or second_outcome(facts) != Outcome.PASSED:
        yield Task("checks", "operator")
    if residue_outcome(facts) != Outcome.PASSED:
        yield Task("residue", "operator")
    if catalogue_outcome(facts) != Outcome.PASSED:
        yield Task("catalogue", "controller", None, {"n": _open_entries(facts)})


def _open_entries(facts: Facts) -> int:
    return sum(entry.state not in {"covered", "attested"} for entry in facts.catalogue)
