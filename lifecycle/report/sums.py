"""Numbers that do not add up are refused: a report that prints them would be worse than none."""

from __future__ import annotations

import re

from lifecycle.errors import EvidenceError
from lifecycle.model import Facts, Outcome, StoreCounts

_OUTCOMES = ("sealed", "aborted", "open", "planned", "none")
_RUN_ID = re.compile(r"[A-Za-z0-9-]+\Z")
_COUNTS = (
    "overdue", "before", "due", "deleted", "held", "failed", "not_yet_due", "no_anchor", "retained",
)  # fmt: skip


def check_sums(facts: Facts) -> None:
    """Refuse facts that contradict themselves.

    ``failed`` counts every row that was due, not held, and is still there, whatever the reason; ``not_yet_due``
    everything that stays for its day, rows without a usable date among them (``no_anchor`` is a part, no term).

    Raises
    ------
    EvidenceError
        Naming the first equation that does not hold; counts only.
    """
    for broken in _broken(facts):
        raise EvidenceError(
            f"The numbers of the report do not add up: {broken}.",
            "lifecycle verify; nothing was written",
        )


def _broken(facts: Facts) -> list[str]:
    found = [f"{name} is {getattr(facts, name)}, below zero" for name in _COUNTS if getattr(facts, name) < 0]
    equations = (
        ("before", facts.before, "deleted + retained", facts.deleted + facts.retained),
        ("due", facts.due, "deleted + held + failed", facts.deleted + facts.held + facts.failed),
        ("retained", facts.retained, "held + failed + not yet due", facts.held + facts.failed + facts.not_yet_due),
    )
    found += [f"{left} {a}, but {right} = {b}" for left, a, right, b in equations if a != b]
    found += [f"{name} {part} of {facts.before} before" for name, part in _parts(facts) if part > facts.before]
    found += _broken_stores(facts) + _broken_words(facts)
    return found


def _parts(facts: Facts) -> tuple[tuple[str, int], ...]:
    return (("overdue", facts.overdue), ("no usable date", facts.no_anchor))


def _broken_stores(facts: Facts) -> list[str]:
    if not facts.stores:
        return [f"before {facts.before}, but no store is named"] if facts.before else []
    found = []
    for name in ("before", "due", "held", "retained"):
        total = sum(getattr(store, name) for store in facts.stores)
        if total != getattr(facts, name):
            found.append(f"{name} {getattr(facts, name)}, but the stores have {total}")
    found += [f"a store with {store.before} before retains {store.retained}" for store in facts.stores if _odd(store)]
    if sum(facts.holds.values()) < facts.held:
        found.append(f"held {facts.held}, but the holds name {sum(facts.holds.values())}")
    return found


def _odd(store: StoreCounts) -> bool:
    return not 0 <= store.held <= store.due <= store.before or not store.held <= store.retained <= store.before


def _broken_words(facts: Facts) -> list[str]:
    found = []
    if facts.outcome not in _OUTCOMES:
        found.append("the outcome of the run is none of sealed, aborted, open, planned, none")
    if (facts.run_id is None) != (facts.outcome == "none"):
        found.append("a run without an id, or an id without a run")
    if facts.outcome == "none" and facts.deleted:
        found.append(f"{facts.deleted} deleted, but no run")
    if facts.run_id is not None and not _RUN_ID.match(facts.run_id):
        found.append("the run id holds characters that no run id has")
    words = {*facts.checks.values(), *(() if facts.second_opinion == "not run" else (facts.second_opinion,))}
    if not words <= set(Outcome):
        found.append("a check has an outcome that is none of passed, failed, unknown")
    return found
