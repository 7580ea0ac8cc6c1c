"""``reports/lifecycle.prom``: what a monitoring system must know, so that a job that did not run is noticed.

Prometheus' textfile format. Written after each purge, whatever came of it, under another name and renamed; counts and
times of runs only. What could not be read is left out rather than repeated from yesterday.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, time, timedelta
from functools import wraps
from typing import ParamSpec

from lifecycle.deletion import documents as doc
from lifecycle.deletion.dates import overdue_days
from lifecycle.errors import LifecycleError, StoreError
from lifecycle.workbench import approvals, artefacts, facts, notifying
from lifecycle.workbench.results import Purged
from lifecycle.workbench.workspace import Workspace

FILE_NAME = "lifecycle.prom"

GUARDED = "LIFECYCLE_GUARDED"
"""Set in the kernel of a guarded run, which tells people itself, once, also where the kernel died."""

P = ParamSpec("P")

_Sample = tuple[str, str, float]
"""Name without prefix, help, value."""


def told(purge: Callable[P, Purged]) -> Callable[P, Purged]:
    """Let a purge tell people, write the status file and remove artefacts that fell due, whether it succeeds or not."""

    @wraps(purge)
    def call(*args: P.args, **kwargs: P.kwargs) -> Purged:
        workspace, code = args[0]._workspace, 70  # type: ignore[attr-defined]
        try:
            purged = purge(*args, **kwargs)
            code = purged.exit_code
        except LifecycleError as error:
            code = error.exit_code
            raise
        finally:
            # Neither may hide what the purge itself has to say.
            with suppress(Exception):
                artefacts.age(workspace)
            with suppress(Exception):
                after(workspace, code, silent=bool(os.environ.get(GUARDED)))
        return purged

    return call


def after(workspace: Workspace, exit_code: int, *, silent: bool = False) -> Mapping[str, float]:
    """Tell people (unless ``silent``) and write the status file after a purge that ended with ``exit_code``.

    A file that cannot be written is a warning on standard error: its reader would take the run for a missed one.

    Returns
    -------
    mapping of str to float
        The samples, by name without prefix.
    """
    samples = list(_samples(workspace, exit_code))
    numbers = {name: value for name, _, value in samples}
    reached: bool | None = True
    if not silent:
        try:
            reached = notifying.tell(workspace, _notice(workspace, exit_code, numbers))
        except Exception:
            reached = False
    if reached is not None and not silent:
        samples.append(("notice_failed", "Whether somebody could not be told of that purge.", not reached))
    try:
        _write(workspace, samples)
    except OSError as error:
        if not silent:
            print(f"warning: reports/{FILE_NAME} could not be written: {error.strerror}.\n\nhint: see to the folder "
                  "reports; the run itself is not touched by this", file=sys.stderr)  # fmt: skip
    return numbers


def _notice(workspace: Workspace, exit_code: int, numbers: Mapping[str, float]) -> notifying.Notice:
    settings = workspace.settings
    return notifying.Notice(
        settings.name, workspace.now(), exit_code, facts.run_of_today(workspace), numbers, workspace.today
    )


def _write(workspace: Workspace, samples: Iterable[_Sample]) -> None:
    label = workspace.settings.name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    lines = []
    for name, words, value in samples:
        lines += [f"# HELP lifecycle_{name} {words}", f"# TYPE lifecycle_{name} gauge"]
        lines += [f'lifecycle_{name}{{workspace="{label}"}} {value:.0f}']
    path = workspace.path / "reports" / FILE_NAME
    new = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    try:
        new.write_text("\n".join(lines) + "\n", encoding="utf-8")
        new.chmod(0o644)
        new.replace(path)
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def _samples(workspace: Workspace, exit_code: int) -> Iterator[_Sample]:
    """What is known now; what cannot be read is left out, whatever kept it from being read."""
    yield "last_attempt_timestamp_seconds", "When a purge last ended, well or badly.", workspace.now().timestamp()
    yield "last_exit_code", "Exit code of that purge; 0 is good.", exit_code
    with suppress(Exception):
        yield from _from_evidence(workspace)
    with suppress(Exception):
        yield from _from_approvals(workspace)
    if exit_code != StoreError.exit_code:  # it would only wait once more for whoever holds the store
        with suppress(Exception):
            yield from _from_store(workspace)


def _from_evidence(workspace: Workspace) -> Iterator[_Sample]:
    ledger = workspace.ledger()
    sealed = [run for run in ledger.runs() if doc.RECORD in ledger.listing(run)]
    records = [(doc.predicate_of(ledger.read(run, doc.RECORD)), run) for run in sealed]
    if records:
        predicate, _ = max(records, key=lambda one: (datetime.fromisoformat(one[0]["recordedAt"]), one[1]))
        last = datetime.fromisoformat(predicate["recordedAt"])
        yield "last_success_timestamp_seconds", "When a deletion run was last sealed.", last.timestamp()
        yield "deleted_records", "Records that this run deleted.", predicate.get("counts", {}).get("deleted", 0)
    ended = {doc.RECORD, doc.ABORTED}
    begun = [run for run in ledger.runs() if doc.INTENT in ledger.listing(run) and not ended & ledger.listing(run)]
    yield "open_runs", "Deletion runs that began and are not finished.", len(begun)


def _from_approvals(workspace: Workspace) -> Iterator[_Sample]:
    given = approvals.standing(workspace)
    if given is not None:
        end = datetime.combine(given.until + timedelta(days=1), time(), workspace.settings.zone)
        yield "approval_expires_timestamp_seconds", "When the standing approval ends.", end.timestamp()


def _from_store(workspace: Workspace) -> Iterator[_Sample]:
    settings, today = workspace.settings, workspace.today
    rules = {name: settings.rule(name) for name in settings.rules}
    limits = workspace.cutoffs(today)
    with workspace.store.kept_open():
        counts = workspace.store.counts(limits)
        days = workspace.store.day_counts(limits, settings.zone)
    overdue = sum(
        each.rows
        for each in days
        if each.day_0 and not each.held and overdue_days(each.day_0, rules[each.dataset], today) > 0
    )
    yield "due_records", "Records that are due today and not under a hold.", sum(one.due - one.held for one in counts)
    yield "overdue_records", "Records that should have gone before today.", overdue
    yield "held_records", "Records that are due and stay under a hold.", sum(one.held for one in counts)
    yield "stored_records", "Records in the managed stores.", sum(one.before for one in counts)
