"""A workspace filled with a made-up clinic, ready for notebooks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lifecycle.sources.made_up import Clinic, write_clinic
from lifecycle.workbench import Workbench, tables


@pytest.fixture(autouse=True)
def spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins in English, whatever the notebook before it spoke."""
    monkeypatch.setattr(tables, "_spoken", ["en"])


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Clinic]:
    """A workspace with a made-up clinic in its store and its files beside it; never changed."""
    folder = tmp_path_factory.mktemp("filled") / "clinic"
    wb = Workbench.init(folder, name="Praxis <b>am</b> See")
    clinic = write_clinic(folder.parent / "incoming", as_of=wb.today)
    wb.ingest(*clinic.events, *clinic.appointments, as_of=clinic.ingest_on)
    wb.hold_add(clinic.hold_uid, "legal-claims", reference="made-up case 1")
    return folder, clinic


@pytest.fixture
def clinic(filled: tuple[Path, Clinic], tmp_path: Path) -> tuple[Workbench, Clinic]:
    """The same as a copy of one's own, with a standing approval for the night."""
    shutil.copytree(filled[0], tmp_path / "clinic")
    wb = Workbench.open(tmp_path / "clinic")
    wb.approve_standing("controller", max_rows=10_000, max_percent=100, until=wb.today)
    return wb, filled[1]
