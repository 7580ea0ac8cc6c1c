"""A made-up clinic taken in once and copied for whoever changes something, and the command line to call."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lifecycle.sources.made_up import Clinic
    from lifecycle.workbench import Workbench
    from lifecycle.workbench.results import Ingested


@dataclass(frozen=True)
class Said:
    """What one call of the command line gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


@dataclass(frozen=True)
class TakenIn:
    """A workspace that has taken in the files of a made-up clinic; the files lie elsewhere."""

    path: Path
    clinic: Clinic
    ingested: Ingested


@pytest.fixture(scope="session")
def first_clinic(tmp_path_factory: pytest.TempPathFactory) -> TakenIn:
    """The clinic that every copy is made of. Nobody changes it."""
    from lifecycle.sources.made_up import write_clinic
    from lifecycle.workbench import Workbench

    folder = tmp_path_factory.mktemp("clinic")
    clinic = write_clinic(folder / "files", as_of=datetime.now(UTC).date(), appointments=120)
    bench = Workbench.init(folder / "workspace")
    ingested = bench.ingest(*clinic.events, *clinic.appointments, as_of=clinic.ingest_on)
    return TakenIn(folder / "workspace", clinic, ingested)


@pytest.fixture(scope="module")
def shared(first_clinic: TakenIn, tmp_path_factory: pytest.TempPathFactory) -> TakenIn:
    """A copy for the tests of one file that change nothing, or nothing that another one looks at."""
    path = tmp_path_factory.mktemp("shared") / "workspace"
    shutil.copytree(first_clinic.path, path)
    return TakenIn(path, first_clinic.clinic, first_clinic.ingested)


@pytest.fixture
def taken_in(first_clinic: TakenIn, tmp_path: Path) -> TakenIn:
    """A copy of one's own, to delete from and to break."""
    shutil.copytree(first_clinic.path, tmp_path / "workspace")
    return TakenIn(tmp_path / "workspace", first_clinic.clinic, first_clinic.ingested)


@pytest.fixture
def bench(taken_in: TakenIn) -> Workbench:
    from lifecycle.workbench import Workbench

    return Workbench.open(taken_in.path)


Command = Callable[..., Said]


@pytest.fixture(scope="session")
def command() -> Command:
    """Call the command line in this process: ``command("plan", "--json", workspace=path)``."""
    from lifecycle.cli import main

    def call(*words: str | Path, workspace: Path | None = None) -> Said:
        chosen = ["--workspace", str(workspace)] if workspace else []
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(err):
            patched.setattr(sys, "argv", ["lifecycle", *chosen, *map(str, words)])
            with pytest.raises(SystemExit) as ended:
                main()
        return Said(int(ended.value.code or 0), out.getvalue(), err.getvalue())

    return call
