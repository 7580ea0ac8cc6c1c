"""While a deletion run is open, nothing new comes in: a row could come back while it is being erased."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lifecycle import Workbench
from lifecycle.errors import Incomplete, StoreError
from lifecycle.model import Erased, Erasure
from lifecycle.sources.made_up import write_clinic
from lifecycle.stores.embedded.erase import Rewrite

pytestmark = pytest.mark.slow


def test_ingest_waits_for_an_open_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which run is in the way, changes nothing, and works again when the run is sealed."""
    clinic = write_clinic(tmp_path / "files", as_of=datetime.now(UTC).date())
    wb = Workbench.init(tmp_path / "workspace")
    wb.ingest(*clinic.appointments, as_of=clinic.ingest_on)
    plan = wb.plan(clinic.as_of)
    wb.approve(plan.run_id, "controller")

    def fails(_self: Rewrite, _order: Erasure) -> Erased:
        raise StoreError("The disk is gone.", "bring it back")

    with monkeypatch.context() as patched:
        patched.setattr(Rewrite, "commit", fails)
        with pytest.raises(Incomplete):
            wb.purge(plan.run_id)
    with pytest.raises(StoreError, match=plan.run_id):
        wb.ingest(*clinic.events, as_of=clinic.ingest_on)
    assert wb.purge(plan.run_id).outcome == "sealed"
    assert wb.ingest(*clinic.events, as_of=clinic.ingest_on).stored > 0
