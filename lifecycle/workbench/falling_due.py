"""What somebody must look at by a day: agreements, confirmations, holds, approvals, files and keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from lifecycle.mail.setup import CONSENT_VALID_DAYS, CONTRACT_VALID_DAYS, Setup
from lifecycle.report.desk.terms import Soon
from lifecycle.workbench import approvals, facts
from lifecycle.workbench.workspace import Workspace

SOON_DAYS = 14


def falling_due(workspace: Workspace, today: date) -> tuple[Soon, ...]:
    """Return what falls due for a look within :data:`SOON_DAYS` days, or has: the earliest first."""
    end = today + timedelta(days=SOON_DAYS)
    every = (*_agreements(workspace), *_exceptions(workspace))
    return tuple(sorted((one for one in every if one.until <= end), key=lambda one: (one.until, one.what, one.name)))


def _agreements(workspace: Workspace) -> Iterator[Soon]:
    for place in workspace.settings.places:
        if place.next_due_on:
            yield Soon("place", place.next_due_on, "controller", place.name)
    setup = Setup.from_mapping(workspace.settings.setup)
    for one in setup.processors:
        if one.signed_on:
            latest = max(one.signed_on, one.confirmed_on or one.signed_on)
            yield Soon("processor", latest + timedelta(days=CONTRACT_VALID_DAYS), "controller", one.name)
    if setup.consent_evidence_confirmed_on:
        until = setup.consent_evidence_confirmed_on + timedelta(days=CONSENT_VALID_DAYS)
        yield Soon("consent", until, "controller")


def _exceptions(workspace: Workspace) -> Iterator[Soon]:
    for hold in workspace.store.holds():
        if hold.lifted_on is None and hold.review_on:
            yield Soon("hold", hold.review_on, "controller", str(hold.number))
    given = approvals.standing(workspace)
    if given is not None:
        yield Soon("approval", given.until, "controller")
    files = [facts.file_due_on(workspace, one) for one in workspace.store.sources() if not one.consumed]
    if due := [day for day in files if day]:
        yield Soon("file", min(due), "operator")
