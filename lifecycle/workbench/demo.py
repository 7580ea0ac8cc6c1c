"""``demo``: the whole cycle on a clinic that does not exist, through the same calls that everybody uses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

from lifecycle.errors import UsageError
from lifecycle.model import Outcome, Severity
from lifecycle.sources.made_up import write_clinic
from lifecycle.workbench import Workbench
from lifecycle.workbench.results import Demonstrated
from lifecycle.workbench.workspace import utc_now


def demonstrate(path: Path | None, *, now: Callable[[], datetime] = utc_now) -> Demonstrated:
    """Make a workspace, fill it with made-up data, purge, verify and report.

    The files are read as of a month before the purge: what was in order then is due today. They are consumed, so
    that nothing of the deleted is left in the folder.

    Raises
    ------
    UsageError
        The folder exists and is not empty.
    """
    folder = path or Path(mkdtemp(prefix="lifecycle-demo-"))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder.", "lifecycle demo NEW_FOLDER, or remove it")
    wb = Workbench.init(folder, name="Musterpraxis am See", now=now)
    as_of = wb.today
    clinic = write_clinic(folder / "incoming", as_of=as_of)
    taken = wb.ingest(*clinic.events, *clinic.appointments, as_of=clinic.ingest_on, consume=True)
    taken.raise_if_failed()
    (folder / "incoming").rmdir()
    findings = wb.check().findings
    wb.hold_add(clinic.hold_uid, "legal-claims", reference="made-up case 1")
    plan = wb.plan(as_of)
    wb.approve(plan.run_id, "controller")
    purged = wb.purge(plan.run_id)
    verified = wb.verify()
    files = [*wb.report(plan.run_id, language="de").files, *wb.report(plan.run_id, language="en").files]
    failed = [one for one in findings if one.outcome is Outcome.FAILED and one.severity is not Severity.NOTE]
    return Demonstrated(
        workspace=wb.path,
        as_of=as_of,
        read=taken.read,
        stored=taken.stored,
        duplicates=taken.duplicates,
        rejected=taken.rejected,
        expired=taken.expired,
        findings=len(failed),
        run_id=purged.run_id,
        before=purged.before,
        due=purged.due,
        deleted=purged.deleted,
        held=purged.held,
        failed=purged.failed,
        retained=purged.retained,
        not_yet_due=purged.before - purged.due,
        erasure=purged.erasure,
        verified=verified.outcome,
        tree_size=verified.tree_size,
        files=tuple(files),
    )
