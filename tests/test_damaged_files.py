"""A damaged file of a run is a sentence that names it, whoever stumbles over it; only the verifier goes on."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lifecycle.deletion import documents as doc
from lifecycle.deletion.documents import Limits
from lifecycle.deletion.execution import Execution, Remains
from lifecycle.deletion.schedule import Policy, key_ends_on
from lifecycle.deletion.shapes import holds_what_it_should
from lifecycle.errors import EvidenceError, LifecycleError
from lifecycle.ledger import tombstones
from lifecycle.sources.made_up import write_clinic
from lifecycle.workbench import Workbench, documents, facts, inspecting
from lifecycle.workbench.workspace import Workspace

NOW = datetime(2026, 11, 27, tzinfo=UTC)

Runs = tuple[Path, str, str]
"""The workspace, a sealed run, and a plan that was approved and never begun."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("runs")
    clinic = write_clinic(folder / "files", as_of=datetime.now(UTC).date(), appointments=120)
    wb = Workbench.init(folder / "workspace")
    wb.ingest(*clinic.events, *clinic.appointments, as_of=clinic.ingest_on)
    sealed = wb.plan(clinic.as_of).run_id
    wb.approve(sealed, "controller")
    wb.purge(sealed)
    planned = wb.plan(clinic.as_of).run_id
    wb.approve(planned, "controller")
    return wb.path, sealed, planned


@pytest.fixture
def runs(original: Runs, tmp_path: Path) -> Runs:
    return Path(shutil.copytree(original[0], tmp_path / "workspace")), *original[1:]


def failure(call: Callable[[], Any]) -> LifecycleError:
    """What a call fails with, or what its result has to complain of."""
    try:
        problem = call().problem()
    except LifecycleError as error:
        return error
    assert isinstance(problem, LifecycleError)
    return problem


@pytest.mark.parametrize("junk", [b"x\n", b"{}"])
def test_a_damaged_plan_is_named_by_every_verb_that_needs_it(runs: Runs, junk: bytes) -> None:
    """With 7 and what to do; the doctor and the verifier come to their end."""
    path, sealed, planned = runs
    (path / "evidence/runs" / planned / "1-plan.json").write_bytes(junk)
    wb = Workbench.open(path)
    verbs = (
        lambda: wb.purge(as_of="today"),
        lambda: wb.purge(planned),
        lambda: wb.approve(planned, "controller"),
        lambda: wb.report(sealed, second_opinion=False),
        lambda: wb.report(inspection=True),
    )
    for verb in verbs:
        error = failure(verb)
        assert (type(error), error.exit_code) == (EvidenceError, 7)
        assert error.fact == f"Run {planned}: 1-plan.json is damaged; it does not hold what it should."
        assert error.hint.startswith("lifecycle verify;")
        assert error.hint.endswith(f"or remove evidence/runs/{planned}: that run never began")
    examined = wb.doctor()
    assert examined.details["damaged-file"].startswith(f"Run {planned}: 1-plan.json is damaged")
    assert "damaged-file" in str(examined.problem())
    checks = {one.name: one for one in wb.verify().checks}
    assert checks["every file of a run can be read"].facts == (error.fact,)


@pytest.mark.parametrize(("name", "verb"), [("6-record.json", "purge"), ("5-verified.json", "report")])
def test_a_damaged_file_of_a_sealed_run_is_never_to_be_removed(runs: Runs, name: str, verb: str) -> None:
    """The hint brings it back only."""
    path, sealed, _ = runs
    (path / "evidence/runs" / sealed / name).write_text("{}")
    wb = Workbench.open(path)
    error = failure(lambda: wb.purge(as_of="today") if verb == "purge" else wb.report(sealed, second_opinion=False))
    assert (error.exit_code, error.fact.split(" is ")[0]) == (7, f"Run {sealed}: {name}")
    assert error.hint == "lifecycle verify; bring the file back from a copy of the evidence"
    assert "damaged-file" in wb.doctor().details


def test_what_the_hint_says_helps(runs: Runs) -> None:
    """Without the folder of a damaged plan that never began, everything works again."""
    path, _, planned = runs
    (path / "evidence/runs" / planned / "1-plan.json").write_text("{}")
    shutil.rmtree(path / "evidence/runs" / planned)
    wb = Workbench.open(path)
    assert wb.verify().outcome == "passed"
    assert wb.purge(as_of="today").outcome == "sealed"
    assert wb.verify().outcome == "passed"


def test_a_damaged_approval_and_tombstones_that_are_no_text(runs: Runs) -> None:
    """Neither the approval of a plan nor a long file is an exception."""
    path, sealed, planned = runs
    (path / "evidence/runs" / planned / "2-approval.json").write_text("{}")
    wb = Workbench.open(path)
    assert failure(lambda: wb.purge(planned)).fact.startswith(f"Run {planned}: 2-approval.json is damaged")
    (path / "evidence/runs" / sealed / "tombstones.txt").write_bytes(b"\xff\n")
    error = failure(lambda: wb.restore_check(every_key=True))
    assert error.fact.startswith(f"Run {sealed}: tombstones.txt is damaged")


JUNK = (b"", b"x", b"[]", b"3", b"\xff", b"[" * 100_000, b'{"predicate": 3}', b'{"runId": "2026-11-27-a"}')


POLICY = Policy({}, ZoneInfo("UTC"), "0" * 64, plan_days=7, max_gap_days=7, backup_days=30, tool_version="0")


@dataclass(frozen=True)
class Held:
    """The port ``Ledger``, as far as readers go, on the files of one run, each asked for before it is given."""

    files: Mapping[str, bytes]

    def listing(self, _run_id: str) -> frozenset[str]:
        return frozenset(self.files)

    def read(self, run_id: str, name: str) -> bytes:
        if not holds_what_it_should(run_id, name, self.files[name]):
            raise EvidenceError(name)
        return self.files[name]


def readers(workspace: Workspace, ledger: Any, run_id: str) -> None:
    """Whatever reads the files of a run."""
    run = facts.read_run(ledger, run_id)
    facts.day_of(run, UTC)
    documents.run_note(workspace, ledger, run)
    inspecting._run(workspace, ledger, run_id)
    list(inspecting._history(ledger, [run_id]))
    key_ends_on(ledger, run_id, POLICY)
    Execution(ledger, [], tombstones, lambda: NOW, run.plan, Remains((), frozenset(), 30), bool)._due()
    Limits(9, 9.5).exceeded_by(run.plan)
    doc.digest_of(ledger.read(run_id, doc.INTENT), doc.TOMBSTONES)
    doc.checks_of(ledger.read(run_id, doc.VERIFIED))


def mangled(value: Any) -> Iterator[Any]:
    """Give a JSON value again and again, each time with one part gone or another one."""
    if isinstance(value, dict):
        for name in value:
            rest = {key: each for key, each in value.items() if key != name}
            yield rest
            yield from ({**rest, name: each} for each in mangled(value[name]))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from ([*value[:at], each, *value[at + 1 :]] for each in mangled(item))
    yield from (None, True, 3, "three", [3], {"three": [3]})


def test_whoever_reads_what_is_given_stumbles_over_nothing(original: Runs) -> None:
    """Every part of every file gone, or of every other type: it is refused by name, or every reader can read it."""
    path, sealed, _ = original
    files = {each.name: each.read_bytes() for each in (path / "evidence/runs" / sealed).iterdir()}
    refused, read = Counter[str](), 0
    workspace = Workbench.open(path)._workspace
    readers(workspace, Held(files), sealed)
    for name in [name for name in files if name.endswith(".json")]:
        changed = [json.dumps(each).encode() for each in mangled(json.loads(files[name]))]
        for data in (*JUNK, *changed):
            try:
                readers(workspace, Held({**files, name: data}), sealed)
            except EvidenceError as error:
                refused[error.fact] += 1
            else:
                read += 1
    names = sorted(name for name in files if name.endswith(".json"))
    assert sorted(refused) == names
    assert (refused.total() > 1000, read > 100) == (True, True)


def test_a_file_of_another_run_is_none_of_this_one(original: Runs) -> None:
    """Sound as it is."""
    path, sealed, planned = original
    data = (path / "evidence/runs" / sealed / "1-plan.json").read_bytes()
    assert holds_what_it_should(sealed, "1-plan.json", data)
    assert not holds_what_it_should(planned, "1-plan.json", data)


def test_a_folder_that_a_killed_plan_left_empty_is_no_run(runs: Runs) -> None:
    """Neither a report nor the next plan stumbles over it, and the verifier says what will become of the rest."""
    path, sealed, planned = runs
    folder = path / "evidence/runs" / f"{planned[:-1]}c"
    folder.mkdir()
    (folder / ".tmp-1-plan.json").write_text("{")
    wb = Workbench.open(path)
    assert wb.report(sealed, second_opinion=False).files
    foreign = next(one for one in wb.verify().checks if one.name == "nothing foreign")
    assert foreign.outcome == "failed"
    assert foreign.facts[1] == ".tmp-* (1) was left by a call that was killed; the next plan or purge removes it"
    assert wb.plan("today").run_id == f"{planned[:-1]}d"
    assert wb.verify().outcome == "passed"


def test_the_doctor_sees_what_stops_a_purge(runs: Runs) -> None:
    """A folder in the place of the list of signers; and one hint is enough, also where the keys are gone."""
    path, _, planned = runs
    (path / "approvals/allowed_signers").mkdir()
    wb = Workbench.open(path)
    error = failure(lambda: wb.purge(planned))
    assert error.exit_code == 5
    assert wb.doctor().details["standing-approval"] == f"{error.fact} ({error.hint})"
    (path / "keys").rename(path / "gone")
    assert "hint:" not in " ".join(Workbench.open(path).doctor().details.values())
