"""The workbench: one method a verb, the one place where the rooms meet."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

from lifecycle import __version__
from lifecycle.deletion import documents as doc
from lifecycle.deletion.approving import refuse_role
from lifecycle.deletion.documents import Limits, Plan, StandingApproval
from lifecycle.deletion.run import DeletionRuns
from lifecycle.errors import UsageError
from lifecycle.model import Hold
from lifecycle.workbench import approvals, progress, purging, workspace
from lifecycle.workbench.documents import DocumentVerbs
from lifecycle.workbench.guard import guard_verbs
from lifecycle.workbench.keeping import KeyVerbs
from lifecycle.workbench.restoring import RestoreVerbs
from lifecycle.workbench.results import (
    Approved,
    Checked,
    Created,
    Examined,
    Holds,
    Ingested,
    Planned,
    Purged,
    Reported,
    VerifyResult,
)
from lifecycle.workbench.running import NotebookVerbs
from lifecycle.workbench.status import told
from lifecycle.workbench.stopping import parse_runtime
from lifecycle.workbench.templating import TemplateVerbs

__all__ = ["Workbench"]


@guard_verbs
class Workbench(DocumentVerbs, TemplateVerbs, RestoreVerbs, KeyVerbs, NotebookVerbs):
    """A workspace and everything that can be done with it.

    Every verb is spelled like its command. Results are frozen dataclasses with ``frame`` (polars), ``summary()``,
    a table in notebooks, and ``raise_if_failed()``; none of them holds a personal value.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> wb = Workbench.init(Path(mkdtemp()) / "clinic")
    >>> wb.plan("2026-10-01").due
    0
    """

    def __init__(self, path: Path, *, now: Callable[[], datetime] = workspace.utc_now) -> None:
        self._workspace = workspace.Workspace(path, now)

    def __repr__(self) -> str:
        return f"Workbench({self._workspace.settings.name!r})"

    @classmethod
    def open(cls, path: str | Path | None = None, *, now: Callable[[], datetime] = workspace.utc_now) -> Workbench:
        """Open the workspace at ``path``, else the one that ``LIFECYCLE_WORKSPACE`` names, else the nearest upwards.

        Raises
        ------
        UsageError
            There is none.
        ConfigurationError
            Its ``lifecycle.toml`` cannot be followed.
        """
        workspace.refuse_windows()
        return cls(workspace.find(Path(path) if path is not None else None), now=now)

    @classmethod
    def init(cls, path: str | Path, *, name: str = "", now: Callable[[], datetime] = workspace.utc_now) -> Workbench:
        """Make a new workspace that works unedited, and open it; reports call it ``name`` (default: the folder's)."""
        workspace.create(Path(path), now, name)
        return cls(Path(path), now=now)

    @property
    def path(self) -> Path:
        """The workspace's folder."""
        return self._workspace.path

    @property
    def today(self) -> date:
        """The date that a wall clock in the workspace's zone shows now."""
        return self._workspace.today

    def created(self) -> Created:
        """Return what ``init`` prints."""
        return Created(self._workspace.path)

    # --- what is there -----------------------------------------------------------------------------

    def ingest(
        self,
        *paths: str | Path,
        dataset: str | None = None,
        format: str | None = None,
        as_of: str | date | None = None,
        consume: bool = False,
    ) -> Ingested:
        """Read logs or exports into the workspace store.

        Parameters
        ----------
        *paths : path
            Files that may lie anywhere; plain or gzip.
        dataset : {"events", "appointments"}, optional
            Refuse files of the other dataset.
        format : str, optional
            Instead of telling it by content.
        as_of : date, optional
            The day of the call, default today: what is due on it is counted as expired and not stored.
        consume : bool
            Remove each file once it is stored.

        Returns
        -------
        Ingested
            ``read = stored + duplicates + rejected + expired``, summed over the files. A file that is broken as a
            whole is among ``refused``; the others are stored.
        """
        from lifecycle.workbench import ingesting  # the readers are slow to import, and most verbs do without

        day, files = self._day(as_of), [Path(path) for path in paths]
        with progress.bar("ingest"):
            return ingesting.ingest(
                self._workspace, files, dataset=dataset, format=format, as_of=day, consume=consume
            )  # fmt: skip

    def check(
        self,
        *paths: str | Path,
        store: str | None = None,
        dataset: str | None = None,
        format: str | None = None,
        second_opinion: bool = False,
    ) -> Checked:
        """Check the store against its contracts or, with files, read them in place and store nothing.

        Parameters
        ----------
        *paths : path, optional
        store : str, optional
            One store only.
        dataset, format : str, optional
            As for :meth:`ingest`.
        second_opinion : bool
            Ask Great Expectations, too, on a seeded random sample; where the two disagree is a finding.
        """
        from lifecycle.workbench import checking  # the checks are slow to import, and most verbs do without

        with progress.bar("check"):
            if paths:
                files = [Path(path) for path in paths]
                return checking.check_files(self._workspace, files, dataset, format, second_opinion=second_opinion)
            return checking.check_store(self._workspace, store, second_opinion=second_opinion)

    # --- deleting ----------------------------------------------------------------------------------

    def plan(self, as_of: str | date | None = None) -> Planned:
        """Plan what must go at ``as_of`` (default today), in every store.

        Raises
        ------
        Refused
            The date lies in the future.
        """
        with self._workspace.store.kept_open():
            return _planned(self._runs().plan(self._day(as_of)))

    def approve(self, run_id: str, role: str, *, key: str | Path | None = None) -> Approved:
        """Approve one plan, as the second person; with an SSH key the approval is signed.

        Raises
        ------
        Refused
            The role may not approve, the signature does not count, the run has begun, or it is approved already by
            another role, with another key, or by an approval that does not count.
        """
        runs = self._workspace.runs(__version__, signers=approvals.AllowedSigners(self._workspace))
        signer = None if key is None else approvals.SshKey(Path(key))
        approval = runs.approve(run_id, role, secrets.token_hex(16), key=signer)
        return Approved(run_id, approval.plan_sha256, approval.signed, approval.role)

    def approve_standing(
        self, role: str, *, max_rows: int, max_percent: float, until: str | date, key: str | Path | None = None
    ) -> Approved:
        """Give the nightly job a limited standing approval."""
        refuse_role(role)
        end = self._day(until)
        if end < self._workspace.today or max_rows < 0 or not 0 <= max_percent <= 100:
            raise UsageError("A standing approval needs a coming end date and limits that are not negative.", "--help")
        standing = StandingApproval(
            role, Limits(max_rows, max_percent), end, secrets.token_hex(16), self._workspace.now(), key is not None
        )
        path = approvals.write_standing(self._workspace, standing, Path(key) if key else None)
        return Approved(None, None, standing.signed, role, path)

    @told
    def purge(
        self, run_id: str | None = None, *, as_of: str | date | None = None, max_runtime: str | None = None
    ) -> Purged:
        """Carry out one approved plan; or plan ``as_of`` and go through if a standing approval covers it.

        A run that was interrupted goes on by the same call; ``as_of`` first finishes an open run. Afterwards the
        tombstone keys whose time is over are destroyed. Ctrl-C, SIGTERM, a file ``STOP`` in the workspace or the end
        of ``max_runtime`` (such as ``90m``) end it at the next safe point. Then people are told, as ``[notify]`` says.

        Raises
        ------
        Refused
            Not approved, stale, over a limit, in the future, stopped before its beginning, somebody else is at work,
            another run is open, or the clock cannot be trusted. Nothing was deleted.
        Incomplete
            A deletion began and is not finished; the same call goes on.
        """
        seconds = None if max_runtime is None else parse_runtime(max_runtime)
        with progress.bar("purge"):
            return purging.purge(self._workspace, run_id, self._day(as_of), seconds)

    # --- exceptions --------------------------------------------------------------------------------

    def hold_add(
        self,
        appointment_uid: str,
        ground: str,
        *,
        reference: str = "",
        by: str = "controller",
        review_on: str | date | None = None,
    ) -> Holds:
        """Except an appointment from deletion, by its uid; the rows stay and are counted as held."""
        if ground not in approvals.GROUNDS:
            raise UsageError("There is no such ground.", f"one of: {', '.join(approvals.GROUNDS)}")
        if not appointment_uid.strip():
            raise UsageError("A hold needs an appointment uid.", "lifecycle hold add UID --ground GROUND")
        review = self._day(review_on) if review_on is not None else None
        hold = Hold(0, appointment_uid, ground, reference, by, self._workspace.today, review)
        return Holds((self._workspace.store.add_hold(hold),))

    def hold_lift(self, number: int) -> Holds:
        """End a hold by its number."""
        return Holds((self._workspace.store.lift_hold(number, self._workspace.today),))

    def hold_list(self) -> Holds:
        """Return all holds, in force and lifted."""
        return Holds(self._workspace.store.holds())

    # --- proving -----------------------------------------------------------------------------------

    def verify(self, *, size: int | None = None, root: str | None = None) -> VerifyResult:
        """Verify the evidence by the independent verifier, and the managed stores against it.

        Parameters
        ----------
        size, root : int and str, optional
            Two lines of a checkpoint that was kept elsewhere: today's log must go on from it, or that of a closed year.
        """
        if (size is None) != (root is None):
            raise UsageError("A kept checkpoint needs both its size and its root.", "--size N --root BASE64")
        from lifecycle.workbench import verifying  # cryptography's slowest part, which most verbs do without

        return verifying.verify(self._workspace, (size, root) if size is not None and root is not None else None)

    def report(
        self,
        run_id: str | None = None,
        *,
        formats: Sequence[str] = ("html", "json"),
        language: str | None = None,
        second_opinion: bool = True,
        inspection: bool = False,
        document: str | None = None,
        month: str | None = None,
    ) -> Reported:
        """Write the report of a run (default: the latest), or of the workspace where there is none yet.

        Parameters
        ----------
        run_id : str, optional
        formats : sequence of {"html", "pdf", "json"}
        language : {"de", "en"}, optional
            Default: the workspace's.
        second_opinion : bool
            Without it the report says that nobody else was asked, and is there two seconds earlier.
        inspection : bool
            Instead of a report, one ZIP for an authority: rules, runs, exceptions, evidence and how to verify it.
        document, month : str, optional
            Instead of a report, another paper, as :meth:`report_document` writes it.
        """
        if document is not None or month is not None:
            if run_id is not None or inspection:
                raise UsageError("A document is about the workspace, not about one run.", "lifecycle report --help")
            kind = "month" if document is None else document
            return self.report_document(kind, month=month, formats=formats, language=language)
        if inspection:
            from lifecycle.workbench.inspecting import write_inspection

            return Reported((write_inspection(self._workspace),))
        from lifecycle.workbench.reporting import write_report

        written = write_report(
            self._workspace, run_id, formats=formats, language=language, second_opinion=second_opinion
        )
        return Reported(written)

    def doctor(self) -> Examined:
        """Examine set-up, keys, clock and files."""
        from lifecycle.workbench import examining

        return examining.examine(self._workspace)

    def serve(self, *others: str | Path, port: int = 0) -> None:
        """Serve the local pages of this workspace, and of others beside it, until interrupted; nothing is changed.

        Parameters
        ----------
        *others : path
            Further workspaces.
        port : int
            0 takes a free one.

        Raises
        ------
        UsageError
            The port is taken, or one of the others is no workspace.
        """
        from lifecycle.workbench import serving

        serving.serve([self.path, *(workspace.find(Path(other)) for other in others)], port=port)

    # --- small things ------------------------------------------------------------------------------

    def _runs(self) -> DeletionRuns:
        return self._workspace.runs(__version__)

    def _day(self, given: str | date | None) -> date:
        if isinstance(given, date):
            return given
        if given is None or given == "today":
            return self._workspace.today
        try:
            return date.fromisoformat(given)
        except ValueError:
            raise UsageError("The date is not a calendar date.", "YYYY-MM-DD, or today") from None


def _planned(plan: Plan) -> Planned:
    return Planned(
        run_id=plan.run_id,
        as_of=plan.as_of,
        before=plan.before,
        due=plan.due,
        held=plan.held,
        no_anchor=plan.no_anchor,
        retained=plan.retained,
        plan_sha256=doc.sha256_hex(plan.to_bytes()),
        stores=plan.stores,
    )
