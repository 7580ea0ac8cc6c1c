"""``serve``: the local pages of one or several workspaces, live and read-only.

A thread looks at each workspace again whenever something in it has changed; the pages are written from what it saw,
so that no page waits for a store, and a store is open only while it is looked at.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle import __version__
from lifecycle.errors import LifecycleError, UsageError
from lifecycle.mail.templates import load_templates
from lifecycle.model import Finding, Outcome, Severity
from lifecycle.report.desk import pages
from lifecycle.report.desk.terms import Desk, Front, HoldNote, Line, Step, TemplateNote, Verified
from lifecycle.workbench import documents, facts, falling_due, history, previewing, verifying, visits
from lifecycle.workbench.guard import guarded
from lifecycle.workbench.results import OPTIONAL
from lifecycle.workbench.workspace import Workspace, utc_now

if TYPE_CHECKING:
    from lifecycle.mail.gallery import Gallery

LOOK_SECONDS = 2.0
"""How often the thread asks whether anything has changed: the names, sizes and times of a few files."""

_CHECKING = Finding("still-checking", "", "workspace", "", Severity.WARNING, 1, Outcome.UNKNOWN)


@dataclass
class _Watched:
    """One workspace: what was seen of it, and for which state of its files."""

    path: Path
    name: str
    number: int
    state: str = ""
    desk: Desk | None = None
    trouble: str = ""
    before: visits.Visit | None = None
    now: visits.Visit | None = None
    remembered: visits.Visit | None = None
    at_work: threading.Lock = field(default_factory=threading.Lock)


class ServedDesk:
    """What the server shows, for any number of workspaces; see :class:`lifecycle.web.desk.Desk`.

    Parameters
    ----------
    folders : sequence of Path
        Workspaces, in the order in which they are shown.
    now : callable
        The wall clock (aware, UTC).
    """

    def __init__(self, folders: Sequence[Path], *, now: Callable[[], datetime] = utc_now) -> None:
        self._clock = now
        self._watched = [self._met(path, number) for number, path in enumerate(folders, start=1)]
        self._ended = threading.Event()
        self._changes = 0

    def _met(self, path: Path, number: int) -> _Watched:
        one = _Watched(path, path.resolve().name, number)
        with suppress(LifecycleError):
            workspace = self._opened(path)
            one.name, one.before = workspace.settings.name, visits.last_visit(workspace)
        return one

    # --- looking -----------------------------------------------------------------------------------

    def watch(self) -> None:
        """Look at the workspaces, and again whenever something changes, until :meth:`end`."""
        while not self._ended.is_set():
            for one in self._watched:
                self.look(one.number)
            self._ended.wait(LOOK_SECONDS)

    def end(self) -> None:
        """Let :meth:`watch` return."""
        self._ended.set()

    def look(self, number: int) -> None:
        """Look at one workspace, if it is not as it was."""
        one = self._one(number)
        state = _state(one.path, self._clock())
        if state == one.state:
            return
        with one.at_work:
            try:
                workspace = self._opened(one.path)
                self._see(one, guarded(_seen)(workspace, one), workspace)
                from lifecycle.workbench.checking import check_store  # slow to import

                found = guarded(check_store)(workspace, None).findings
                # What changed meanwhile is another state, and looked at next.
                self._see(one, guarded(_checked)(workspace, one, found), workspace)
                one.trouble = ""
            except LifecycleError as error:
                one.desk, one.trouble = None, error.fact
            one.state = state
        self._changes += 1

    def _see(self, one: _Watched, desk: Desk, workspace: Workspace) -> None:
        one.name, one.desk = workspace.settings.name, desk
        if desk.checked_at is not None:
            one.now = visits.seen_now(workspace, desk.facts)
        self._changes += 1

    # --- showing -----------------------------------------------------------------------------------

    @property
    def language(self) -> str:
        """The language of the first workspace."""
        with suppress(LifecycleError):
            return self._opened(self._watched[0].path).settings.language
        return "de"

    def count(self) -> int:
        """How many workspaces there are."""
        return len(self._watched)

    def stamp(self) -> str:
        """Another word whenever anything that is shown has changed."""
        return str(self._changes)

    def front(self, language: str) -> bytes:
        """Return the page with all workspaces side by side."""
        lines = tuple(Line(one.name, one.number, one.desk, one.trouble) for one in self._watched)
        return pages.front_page(Front(self._clock().astimezone().date(), lines), language, version=__version__)

    def page(self, number: int, name: str, language: str) -> bytes:
        """Return one page about one workspace; ``verify`` asks the verifier first.

        Raises
        ------
        UsageError
            There is no such workspace, page or language.
        """
        one = self._one(number)
        many = self.count() > 1
        if one.desk is None:
            return pages.trouble_page(
                Line(one.name, number, None, one.trouble), language, many=many, version=__version__
            )
        desk = one.desk
        if name == "verify":
            desk = replace(desk, verified=self._verified(one))
        page = pages.desk_page(name, desk, language, many=many)
        if name == "overview":
            self._remember(one)
        return page

    def asset(self, name: str) -> tuple[bytes, str]:
        """Return a file that the pages load, and its media type; KeyError where there is none."""
        return pages.asset(name)

    def gallery(self, number: int) -> Gallery:
        """Open the preview of one workspace's templates."""
        return previewing.gallery(self._opened(self._one(number).path), ())

    def _opened(self, path: Path) -> Workspace:
        return Workspace(path, self._clock, read_only=True)

    def _one(self, number: int) -> _Watched:
        if not 1 <= number <= len(self._watched):
            raise UsageError("There is no such workspace.", "lifecycle serve DIR...")
        return self._watched[number - 1]

    def _verified(self, one: _Watched) -> Verified:
        workspace = self._opened(one.path)
        kept = None
        if one.before and one.now and visits.comparable(one.before, one.now):
            kept = (one.before.size, one.before.root)
        with one.at_work:
            said = guarded(verifying.verify)(workspace, kept)
        counts = verifying.signed_and_stamped(workspace)
        steps = tuple(
            Step(one.name, one.outcome, one.detail, counts if one.name == OPTIONAL else ()) for one in said.checks
        )
        return Verified(_local(workspace, workspace.now()), said.outcome, said.tree_size, steps, kept is not None)

    def _remember(self, one: _Watched) -> None:
        """The overview was seen: the next visit tells what is different from then on."""
        if one.now is not None and one.now is not one.remembered:
            visits.remember(self._opened(one.path), one.now)
            one.remembered = one.now


def serve(
    folders: Sequence[Path], *, port: int = 0, token: str | None = None, told: Callable[[str], None] = print
) -> None:
    """Serve the pages on the loopback address until interrupted.

    Raises
    ------
    UsageError
        A folder is not a workspace, or the port is taken.
    """
    from lifecycle.web import desk

    served = ServedDesk(folders)
    desk.serve(served, port=port, token=token, told=told)


def _seen(workspace: Workspace, one: _Watched) -> Desk:
    """Look at everything but the findings, which take their time."""
    ledger, today = workspace.ledger(), workspace.today
    with workspace.store.kept_open():
        said = facts.gather(workspace, facts.latest_run(ledger), (_CHECKING,), today, live=True)
        said = history.with_past(workspace, said, compare=False)
        runs = [facts.read_run(ledger, run_id) for run_id in reversed(ledger.runs())]
        return Desk(
            facts=said,
            number=one.number,
            soon=falling_due.falling_due(workspace, today),
            visited_at=_local(workspace, one.before.at) if one.before else None,
            lost_leaves=visits.lost_leaves(one.before, visits.seen_now(workspace, said)) if one.before else 0,
            runs=tuple(documents.run_note(workspace, ledger, run) for run in runs),
            holds=tuple(_holds(workspace)),
            templates=tuple(_templates(workspace)),
        )


def _checked(workspace: Workspace, one: _Watched, findings: tuple[Finding, ...]) -> Desk:
    """Return what was seen, with what the check found in the same state."""
    assert one.desk is not None
    said = replace(one.desk.facts, findings=findings)
    changes = visits.changes(one.before, visits.seen_now(workspace, said)) if one.before else ()
    return replace(one.desk, facts=said, checked_at=_local(workspace, workspace.now()), changes=changes)


def _local(workspace: Workspace, moment: datetime) -> datetime:
    """A point in time on the clock of whoever looks."""
    return moment.astimezone(workspace.settings.zone)


def _holds(workspace: Workspace) -> Iterator[HoldNote]:
    for one in workspace.store.holds():
        yield HoldNote(
            one.number, one.ground, one.reference, one.set_by, one.set_on, one.review_on, one.lifted_on, one.rows
        )


def _templates(workspace: Workspace) -> Iterator[TemplateNote]:
    try:
        said = previewing.lint_templates(workspace, ()).findings
        names = [one.name for one in load_templates([workspace.path / "templates"])]
    except LifecycleError:
        return  # the preview shows what is wrong with the file
    for name in names:
        own = [one.severity for one in said if one.template == name]
        yield TemplateNote(name, *(own.count(severity) for severity in Severity))


def _state(path: Path, now: datetime) -> str:
    """A digest of what a look depends on: the day, and the time and size of the files that anything is read from."""
    files = [path / "lifecycle.toml", path / "data" / "lifecycle.duckdb", path / "evidence" / "checkpoint"]
    for folder in ("contracts", "templates", "approvals", "evidence/runs", "evidence"):
        with suppress(OSError):
            files += sorted(Path(entry.path) for entry in os.scandir(path / folder))
    said = [f"{now:%Y-%m-%d %H}"]
    for file in files:
        with suppress(OSError):
            seen = file.stat()
            said.append(f"{file} {seen.st_size} {seen.st_mtime_ns}")
    return hashlib.sha256("\n".join(said).encode()).hexdigest()
