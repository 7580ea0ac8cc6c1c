"""Notebooks through papermill: guarded, one at a time, with the exit code of the verb, and without a single value."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import nbformat
import pytest

from lifecycle.errors import Incomplete, Refused, StoreError, Unexpected, UsageError
from lifecycle.ledger.lock import FolderLock
from lifecycle.sources.made_up import Clinic
from lifecycle.workbench import Workbench, artefacts
from lifecycle.workbench.redaction import redacted
from lifecycle.workbench.results import OURS

pytestmark = pytest.mark.slow

Prepared = tuple[Workbench, Clinic]


def saved(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text())
    nbformat.validate(nbformat.from_dict(notebook))
    return notebook


def words_of(path: Path) -> str:
    """All that a reader of the file could see, as one text."""
    return json.dumps(saved(path), ensure_ascii=False)


def leaks(path: Path, clinic: Clinic) -> int:
    text = words_of(path)
    return sum(value in text for value in (*clinic.canaries, *clinic.never_stored, clinic.hold_uid) if len(value) > 3)


def kernel_python() -> dict[str, str]:
    return {**os.environ, "JUPYTER_PREFER_ENV_PATH": "1"}


def written(wb: Workbench, name: str, code: str, parameters: str = 'workspace: str = ""') -> str:
    """A notebook of somebody's own."""
    cells = [
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(code),
    ]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, wb.path / "notebooks" / f"{name}.ipynb")
    return name


# --- before anything starts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("as_off", "2026-10-01", "no such parameter"),
        ("as_of", "yesterday", "not a calendar date"),
        ("as_of", "2026-02-30", "not a calendar date"),
        ("language", "fr", "do not speak"),
        ("workspace", "/elsewhere", "another workspace"),
        ("run_id", "a\x1b[31m", "cannot be printed"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_starts(
    clinic: Prepared, name: str, value: str, words: str
) -> None:
    """Exit code 2, no kernel, no artefact, and the value is not repeated."""
    with pytest.raises(UsageError, match=words) as caught:
        clinic[0].run_notebook("50_purge", {name: value})
    assert value not in str(caught.value).replace("-p as_of YYYY", "")
    assert not list((clinic[0].path / "reports").glob("*.ipynb"))


@pytest.mark.parametrize("value", ["maybe", 2.5, "2"])
def test_a_parameter_of_the_wrong_type_is_refused(clinic: Prepared, value: Any) -> None:
    """The notebook's own annotation says what it takes."""
    with pytest.raises(UsageError, match="not of the type bool"):
        clinic[0].run_notebook("20_check", {"strict": value})


@pytest.mark.parametrize(("name", "hint"), [("50_purg", "did you mean 50_purge"), ("nothing.ipynb", "one of: 10_ing")])
def test_a_notebook_that_does_not_exist_is_refused(clinic: Prepared, name: str, hint: str) -> None:
    """With the one that was meant."""
    with pytest.raises(UsageError) as caught:
        clinic[0].run_notebook(name)
    assert hint in caught.value.hint


def test_a_notebook_that_cannot_be_read_is_refused(clinic: Prepared) -> None:
    """In words, not in those of a parser."""
    (clinic[0].path / "notebooks" / "torn.ipynb").write_text('{"cells": [')
    with pytest.raises(UsageError, match="cannot be read"):
        clinic[0].run_notebook("torn")


def test_the_same_notebook_runs_once_at_a_time(clinic: Prepared) -> None:
    """The second of two scheduled runs is refused (exit code 6) and says who has it."""
    wb, caught = clinic[0], []
    with FolderLock(wb.path / "reports" / ".50_purge.lock").held():

        def second() -> None:
            with pytest.raises(Refused, match="held by process") as refused:
                wb.run_notebook("50_purge")
            caught.append(refused.value.exit_code)

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert caught == [6]


def test_without_a_folder_for_reports_nothing_is_started(clinic: Prepared) -> None:
    """A run that cannot keep its notebook does not delete, either."""
    wb, before = clinic[0], clinic[0].plan().before
    shutil.rmtree(wb.path / "reports")
    with pytest.raises(StoreError, match="reports"):
        wb.run_notebook("50_purge")
    assert wb.plan().before == before


def test_a_full_disk_is_noticed_before_anything_starts(clinic: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first write is tried before the kernel is."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StoreError, match="No space left"):
        clinic[0].run_notebook("50_purge")
    assert not list((clinic[0].path / "reports").glob("*50_purge*.ipynb*"))


# --- what is written -------------------------------------------------------------------------------------


def output(kind: str, **more: Any) -> dict[str, Any]:
    return {"output_type": kind, **more}


def redact(*outputs: dict[str, Any], root: Path = Path("/srv/praxis"), **shown: Any) -> str:
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": 1, "source": "1", "outputs": [*outputs]}
    metadata = {"papermill": {"input_path": "/srv/praxis/notebooks/x.ipynb", "environment_variables": {"A": "Canary"}}}
    notebook = {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    done = redacted(notebook, root, shown)
    nbformat.validate(nbformat.from_dict(done))
    return json.dumps(done)


@pytest.mark.parametrize(
    "foreign",
    [
        output("stream", name="stdout", text="Canary\n"),
        output("execute_result", execution_count=1, metadata={}, data={"text/plain": "Canary"}),
        output("display_data", metadata={"lifecycle": "yes"}, data={"text/html": "<b>Canary</b>"}),
        output("display_data", metadata=OURS, data={"image/png": "Canary", "text/plain": "ours"}),
        output("error", ename="ValueError", evalue="Canary", traceback=["Canary"]),
        output("error", ename="Canary Person", evalue="", traceback=[]),
        output("error", ename="Refused", evalue="Over the limit.\n\nhint: plan", traceback=["Canary"]),
    ],
)
def test_what_the_workbench_did_not_make_is_left_out(foreign: dict[str, Any]) -> None:
    """Kept is what bears the mark; of an error its name, fact and hint; never what led to it."""
    assert "Canary" not in redact(foreign)


@pytest.mark.parametrize(
    "value", ["erika.canary@example.org", "+49 152 28817386", "015228817386", "A123456780", "DE89370400440532013000"]
)
def test_patterns_are_the_second_net(value: str) -> None:
    """Even in an output of our own."""
    assert value not in redact(output("display_data", metadata=OURS, data={"text/plain": f"see {value}."}))


def test_counts_dates_and_digests_pass_the_second_net() -> None:
    """Or a report of the run would be full of holes."""
    text = "Run 2026-10-01-a: 1204 of 12483 rows, 4f2a9c0177e61b5d8a, 2026-10-01T02:17:00.016412+00:00"
    assert text in redact(output("display_data", metadata=OURS, data={"text/plain": text}))


def test_the_workspace_is_written_as_a_point() -> None:
    """The saved notebook does not tell where on which machine it ran."""
    text = redact(output("display_data", metadata=OURS, data={"text/plain": "/srv/praxis/reports/x"}), workspace=".")
    assert "/srv" not in text
    assert "./reports/x" in text


@pytest.mark.slow
def test_a_notebook_of_ones_own_that_shows_people_is_saved_without_them(clinic: Prepared) -> None:
    """Printed, displayed, raised: whatever a cell does with the rows, the file has none of it."""
    wb, made_up = clinic
    name = written(
        wb,
        "own",
        "import lifecycle.workbench as w\nrows = next(w.Workbench.open()._workspace.store.rows('appointments'))\n"
        "print(rows['email'].to_list())\ndisplay(rows)\nraise ValueError(str(rows['email'].to_list()))",
    )
    done = wb.run_notebook(name)
    assert done.exit_code == 70
    assert isinstance(done.problem(), Unexpected)
    assert leaks(done.artefact, made_up) == 0
    assert "ValueError" in words_of(done.artefact)
    assert "@example" not in words_of(done.artefact) + repr(done) + json.dumps(done.to_json())


@pytest.mark.slow
def test_a_kernel_that_dies_is_told_in_words(clinic: Prepared) -> None:
    """Exit code 70 where nothing had begun; the notebook is there as far as it came."""
    wb = clinic[0]
    done = wb.run_notebook(written(wb, "dies", "import os\nos._exit(9)"))
    assert done.exit_code == 70
    assert "kernel" in done.fact
    assert saved(done.artefact)["cells"]


@pytest.mark.slow
def test_a_kernel_that_dies_within_a_deletion_ends_with_9(clinic: Prepared) -> None:
    """Then somebody must act now; the next run goes on where this one stopped."""
    wb, made_up = clinic
    code = (
        "import os, lifecycle.workbench as w\n"
        "from lifecycle.stores.embedded.store import EmbeddedStore\n"
        "EmbeddedStore.verify = lambda *_: os._exit(9)\n"
        "w.Workbench.open().purge(as_of='today')"
    )
    done = wb.run_notebook(written(wb, "halfway", code))
    assert done.exit_code == 9
    assert isinstance(done.problem(), Incomplete)
    again = wb.run_notebook("50_purge")
    assert again.exit_code == 0
    assert wb.verify().outcome == "passed"
    assert leaks(again.artefact, made_up) == 0


@pytest.mark.slow
def test_a_refused_purge_saves_notebook_report_and_status_and_ends_with_6(clinic: Prepared) -> None:
    """More is due than the standing approval allows: nothing deleted; whoever comes in the morning finds why."""
    wb, made_up = clinic
    wb.approve_standing("controller", max_rows=1, max_percent=100, until=wb.today)
    before = wb.plan().before
    done = wb.run_notebook("50_purge")
    assert done.exit_code == 6
    assert done.to_json()["outcome"] == "failed"
    assert wb.plan().before == before
    errors = [one for cell in saved(done.artefact)["cells"] for one in cell.get("outputs", ()) if "ename" in one]
    assert [one["ename"] for one in errors] == ["Refused"]
    assert errors[0]["traceback"] == [f"Refused: {errors[0]['evalue']}"]
    assert "hint:" in errors[0]["evalue"]
    page, data = (path.read_text() for path in done.files)
    assert "ist geplant, aber nicht begonnen; es wurde nichts gelöscht" in page
    assert "Löschnachweis</h1>" not in page
    tasks = next(one for one in json.loads(data)["sections"] if one["key"] == "todo")["tables"][0]["rows"]
    assert any("prüfen und freigeben" in row[0] and row[1] == "Verantwortliche Stelle" for row in tasks)
    assert leaks(done.artefact, made_up) == 0
    assert sum(value in page + data for value in (*made_up.canaries, *made_up.never_stored) if len(value) > 3) == 0
    status = (wb.path / "reports" / "lifecycle.prom").read_text()
    assert 'lifecycle_last_exit_code{workspace="Praxis <b>am</b> See"} 6\n' in status
    assert done.counts["due_records"] == sum(made_up.due.values()) - sum(made_up.held.values())
    assert "last_success" not in status


SLOWLY = """
import pathlib, time
import lifecycle.workbench as w
from lifecycle.deletion import documents
real = documents.intent
def slowly(*words):
    pathlib.Path("reports/ready").touch()
    while not pathlib.Path("reports/go").exists():
        time.sleep(0.02)
    return real(*words)
documents.intent = slowly
w.Workbench.open().purge(as_of="today")
"""


@pytest.mark.slow
def test_a_signal_reaches_the_purge_inside_and_the_notebook_is_saved(clinic: Prepared) -> None:
    """``kill PID`` of the outer process: the deletion ends at its next safe point (9), with nothing deleted yet."""
    wb, made_up = clinic
    name = written(wb, "slowly", SLOWLY)
    call = [str(Path(sys.executable).parent / "lifecycle"), "--workspace", str(wb.path), "run", name, "--json"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (wb.path / "reports" / "ready").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        time.sleep(0.5)
        (wb.path / "reports" / "go").touch()
        out, err = process.communicate(timeout=300)
    assert process.returncode == 9, err[-2000:]
    assert err.startswith("Stopping at the next safe point")
    said = json.loads(out)
    assert "before anything was deleted; it has begun and is not finished" in said["fact"]
    assert leaks(Path(said["artefact"]), made_up) == 0
    assert wb.purge(as_of="today").outcome == "sealed"


# --- the whole cycle -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("language", ["de", "en"])
def test_all_notebooks_run_one_after_the_other(clinic: Prepared, language: str) -> None:
    """Ingest to review in either language; the numbers are those of the clinic, and no value is in any file."""
    wb, made_up = clinic
    wb.approve_standing("controller", max_rows=0, max_percent=0, until=wb.today)  # so that approve matters
    said = {"language": language}
    runs = [
        wb.run_notebook("10_ingest", said, files=str(made_up.folder / "*.ndjson"), as_of=made_up.ingest_on.isoformat())
    ]
    runs.append(wb.run_notebook("20_check", said))
    runs.append(wb.run_notebook("30_plan", said))
    planned = wb._workspace.ledger().runs()[-1]
    runs.append(wb.run_notebook("40_approve", said, run_id=planned, role="controller"))
    runs.append(wb.run_notebook("50_purge", said, run_id=planned))
    runs.append(wb.run_notebook("60_verify", said))
    runs.append(wb.run_notebook("70_report", said, second_opinion="no"))
    runs.append(wb.run_notebook("compliance_review", said, second_opinion=False))
    assert [(run.notebook, run.fact) for run in runs if run.exit_code] == []
    assert [leaks(run.artefact, made_up) for run in runs] == [0] * 8
    purged = words_of(runs[4].artefact)
    gone = sum(made_up.due.values()) - sum(made_up.held.values())
    assert f"**{gone} {'Datensätze' if language == 'de' else 'records'}**" in purged
    review = words_of(runs[7].artefact)
    assert ("Löschsperre" in review) is (language == "de")
    assert review.count("<svg") >= 2
    assert "[left out]" not in "".join(words_of(run.artefact) for run in runs)
    assert str(made_up.folder) not in words_of(runs[0].artefact)
    assert str(wb.path) not in "".join(words_of(run.artefact) for run in runs)


@pytest.mark.slow
def test_papermill_runs_the_purge_as_it_stands(clinic: Prepared, tmp_path: Path) -> None:
    """The plain command, without our guard: it deletes, and a second one with a wrong date shows no value, either."""
    wb, made_up = clinic
    bin_folder = Path(sys.executable).parent
    out = wb.path / "reports" / "out.ipynb"
    base = [str(bin_folder / "papermill"), "notebooks/50_purge.ipynb", str(out), "-p", "workspace", str(wb.path)]
    done = subprocess.run(
        [*base, "-p", "as_of", wb.today.isoformat()], cwd=wb.path, env=kernel_python(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert leaks(out, made_up) == 0
    assert wb.plan().due == sum(made_up.held.values())
    late = (wb.today + timedelta(days=3)).isoformat()
    done = subprocess.run(
        [*base, "-p", "as_of", late], cwd=wb.path, env=kernel_python(), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Refused" in words_of(out)
    assert "Traceback (most recent" not in words_of(out)
    assert leaks(out, made_up) == 0
    assert sum(value in done.stderr for value in made_up.canaries) == 0


# --- artefacts and status --------------------------------------------------------------------------------


def test_artefacts_are_registered_and_go_when_their_time_is_over(clinic: Prepared) -> None:
    """The deletion period after they were written; a notebook of plain papermill is found and registered, too."""
    wb = clinic[0]
    folder = wb.path / "reports"
    for name in ("old.ipynb", "new.ipynb", "found.ipynb"):
        (folder / name).write_text("{}")
    workspace = wb._workspace
    assert artefacts.register(workspace, folder / "old.ipynb", "notebook", wb.today - timedelta(days=90)) == wb.today
    artefacts.register(workspace, folder / "new.ipynb", "notebook", wb.today - timedelta(days=89))
    assert artefacts.age(workspace) == 1
    assert not (folder / "old.ipynb").exists()
    assert artefacts.registered(workspace) == {
        "new.ipynb": wb.today + timedelta(days=1),
        "found.ipynb": wb.today + timedelta(days=90),
    }
    assert artefacts.age(workspace) == 0
    assert "unregistered-files" not in [one.check for one in wb.doctor().findings if one.count]


def test_a_register_that_was_tampered_with_removes_nothing_else(clinic: Prepared) -> None:
    """A name is a name in the folder, never a path; a torn line is passed over."""
    wb = clinic[0]
    (wb.path / "precious.ipynb").write_text("{}")
    lines = ['{"name": "../precious.ipynb", "dueOn": "2020-01-01"}', '{"name": "x', "[]", '{"name": 7}']
    (wb.path / "reports" / artefacts.REGISTER).write_text("\n".join(lines) + "\n")
    assert artefacts.age(wb._workspace) == 0
    assert (wb.path / "precious.ipynb").exists()


def test_the_status_file_tells_of_success_and_of_failure(clinic: Prepared) -> None:
    """After each purge; the last success stays where the next attempt fails, and no file is half written."""
    wb, made_up = clinic
    path = wb.path / "reports" / "lifecycle.prom"
    wb.purge(as_of="today")
    first = numbers(path)
    assert first["last_exit_code"] == 0
    assert first["held_records"] == sum(made_up.held.values())
    assert first["due_records"] == first["overdue_records"] == first["open_runs"] == 0
    assert first["approval_expires_timestamp_seconds"] > first["last_success_timestamp_seconds"] > 1.7e9
    with pytest.raises(Refused):
        wb.purge(as_of=wb.today + timedelta(days=1))
    second = numbers(path)
    assert second["last_exit_code"] == 6
    assert second["last_success_timestamp_seconds"] == first["last_success_timestamp_seconds"]
    assert second["last_attempt_timestamp_seconds"] >= first["last_attempt_timestamp_seconds"]
    assert [one.name for one in path.parent.glob(".lifecycle.prom*")] == []


def numbers(path: Path) -> dict[str, float]:
    """The samples of a textfile; every one has its HELP and TYPE, as the format wants it."""
    lines = path.read_text().splitlines()
    found = {}
    for head, kind, sample in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        name, _, value = sample.rpartition(" ")
        name = name.partition("{")[0]
        assert head.startswith(f"# HELP {name} ")
        assert kind == f"# TYPE {name} gauge"
        found[name.removeprefix("lifecycle_")] = float(value)
    return found


def test_what_could_not_be_read_is_left_out_of_the_status(clinic: Prepared) -> None:
    """Yesterday's number must not be taken for today's."""
    wb = clinic[0]
    wb.purge(as_of="today")
    (wb.path / "data" / "lifecycle.duckdb").write_bytes(b"broken")
    with pytest.raises(StoreError):
        wb.purge(as_of="today")
    left = numbers(wb.path / "reports" / "lifecycle.prom")
    assert left["last_exit_code"] == 4
    assert "held_records" not in left
    assert "last_success_timestamp_seconds" in left
