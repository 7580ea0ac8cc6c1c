"""``serve`` on real workspaces: what the pages say is what is there, and what changed since the last visit."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lifecycle.errors import StoreError, UsageError
from lifecycle.report.desk.pages import PAGES
from lifecycle.stores.embedded.connect import opened
from lifecycle.workbench import Workbench, visits
from lifecycle.workbench.serving import ServedDesk, serve
from lifecycle.workbench.workspace import Workspace, utc_now
from tests.conftest import TakenIn

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Last visits of this test only."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "lifecycle" / "visits.json"


def looked(*paths: Path) -> ServedDesk:
    """The pages of some workspaces after a first look, at one moment: with another hour they would look again."""
    moment = utc_now()
    served = ServedDesk(paths, now=lambda: moment)
    for number in range(1, len(paths) + 1):
        served.look(number)
    return served


def everything(served: ServedDesk, number: int = 1) -> dict[str, str]:
    return {name: served.page(number, name, "de").decode() for name in PAGES}


def test_the_pages_say_what_is_there_and_no_value(taken_in: TakenIn) -> None:
    """Before and after a run: its state, its counts, the hold by number; never a value or a uid."""
    bench = Workbench.open(taken_in.path)
    clinic = taken_in.clinic
    bench.hold_add(clinic.hold_uid, "legal-claims", reference="AZ 7", review_on=bench.today + timedelta(days=3))
    served = looked(taken_in.path)
    assert "Bisher gab es keinen Löschlauf." in served.page(1, "runs", "de").decode()
    plan = bench.plan()
    bench.approve(plan.run_id, "controller")
    done = bench.purge(plan.run_id)
    before = served.stamp()
    served.look(1)
    assert served.stamp() != before
    found = everything(served)
    assert plan.run_id in found["runs"]
    assert f">{done.deleted}<" in found["runs"]
    assert "AZ 7" in found["holds"]
    assert "Löschsperre Nummer 1 prüfen" in found["overview"]
    assert "Bestanden am" in found["verify"]
    assert "unterschrieben: 0 von 1 Freigaben; mit Zeitstempel: 0 von 1 Löschnachweisen" in found["verify"]
    assert "confirmation.de.html" in found["templates"]
    secret = (*clinic.canaries, *clinic.never_stored, clinic.hold_uid)
    text = "".join(found.values()) + served.front("de").decode()
    assert sum(value in text for value in secret if len(value) > 3) == 0


def left_as_it_was(root: Path) -> dict[str, tuple[int, int, str]]:
    """Time, place on the disk and content of every file, and the time of every folder, by its name."""
    return {
        path.relative_to(root).as_posix(): (
            path.stat().st_mtime_ns,
            path.stat().st_ino,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in root.rglob("*")
    }


def test_looking_at_every_page_changes_no_byte(taken_in: TakenIn) -> None:
    """Neither the store nor anything beside it: no write-ahead log, no lock file, no history; verifying neither."""
    bench = Workbench.open(taken_in.path)
    plan = bench.plan()
    bench.approve(plan.run_id, "controller")
    bench.purge(plan.run_id)
    before = left_as_it_was(taken_in.path)
    served = looked(taken_in.path)
    pages = everything(served)
    assert plan.run_id in pages["runs"]
    served.front("en")
    assert served.gallery(1).snapshot()
    assert left_as_it_was(taken_in.path) == before


def test_whoever_serves_cannot_write_into_the_store(taken_in: TakenIn) -> None:
    """Not by a fault of ours either: the file is open for reading."""
    workspace = ServedDesk([taken_in.path])._opened(taken_in.path)
    with pytest.raises(StoreError):
        workspace.store.mark_consumed(1)


def test_two_may_look_at_once_and_a_writer_waits_for_them(taken_in: TakenIn) -> None:
    """A second process reads beside the first; whoever wants to write is told, and goes on when both have gone."""
    store = taken_in.path / "data" / "lifecycle.duckdb"
    code = (
        "import sys, pathlib\n"
        "from lifecycle.stores.embedded.connect import opened\n"
        "with opened(pathlib.Path(sys.argv[1]), wait_seconds=0, read_only=sys.argv[2] == 'look') as db:\n"
        "    print(db.sql('SELECT count(*) FROM events').fetchall()[0][0] > 0)\n"
    )
    with opened(store, read_only=True):
        said = {
            how: subprocess.run([sys.executable, "-c", code, store, how], capture_output=True, text=True, check=False)
            for how in ("look", "write")
        }
    assert said["look"].stdout == "True\n"
    assert "in use by another process" in said["write"].stderr
    with opened(store) as db:
        assert db.sql("SELECT count(*) FROM events").fetchall()[0][0] > 0


def test_a_look_does_not_open_the_store_once_a_run(taken_in: TakenIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many runs there are: once for all that is shown, once for the check; the verifier a fixed few times."""
    from lifecycle.stores.embedded import store

    wb = Workbench.open(taken_in.path)
    for _ in range(3):
        plan = wb.plan("today")
        if plan.due:
            wb.approve(plan.run_id, "controller")
        wb.purge(plan.run_id)
    assert wb.verify().outcome == "passed"
    opens, real = [0], store.opened

    def counted(*given: Any, **more: Any) -> Any:
        opens[0] += 1
        return real(*given, **more)

    monkeypatch.setattr(store, "opened", counted)
    desk = ServedDesk([taken_in.path])
    desk.look(1)
    assert opens == [2]
    desk.page(1, "verify", "de")
    assert opens == [3]


def test_an_unchanged_workspace_is_not_looked_at_again(taken_in: TakenIn) -> None:
    """Looking itself changes nothing that would be looked at; a saved rule does."""
    served = looked(taken_in.path)
    before = served.stamp()
    served.look(1)
    served.page(1, "verify", "de")
    served.look(1)
    assert served.stamp() == before
    (taken_in.path / "approvals" / "note.txt").write_text("x")
    served.look(1)
    assert served.stamp() != before


def test_the_next_visit_tells_what_is_laid_down_otherwise(taken_in: TakenIn, own_state: Path) -> None:
    """In the session that comes after; a reload within one session still tells it."""
    first = looked(taken_in.path)
    assert "Ihr erster Besuch" in first.page(1, "overview", "de").decode()
    rules = taken_in.path / "lifecycle.toml"
    rules.write_text(rules.read_text().replace("lead_days = 0", "lead_days = 2", 1))
    second = looked(taken_in.path)
    for _ in range(2):
        page = second.page(1, "overview", "de").decode()
        assert "Ihr letzter Besuch war am" in page
        section = page.partition('id="changed"')[2].partition("</section>")[0]
        assert "Vorlauf" in section
        assert re.search(r">0</td>.*>2</td>", section, re.DOTALL)
    assert "seitdem nichts geändert" in looked(taken_in.path).page(1, "overview", "de").decode()
    assert own_state.stat().st_mode & 0o077 == 0
    text = own_state.read_text()
    assert str(taken_in.path) not in text
    secret = (*taken_in.clinic.canaries, *taken_in.clinic.never_stored)
    assert sum(value in text for value in secret if len(value) > 3) == 0


def test_a_log_that_lost_leaves_since_the_last_visit_is_seen(taken_in: TakenIn, tmp_path: Path) -> None:
    """Somebody put older evidence and an older store back: both agree, and only the visitor knows better."""
    bench = Workbench.open(taken_in.path)
    bench.purge(as_of="today") if bench.plan().due == 0 else None
    older = tmp_path / "older"
    shutil.copytree(taken_in.path, older)
    plan = bench.plan()
    bench.approve(plan.run_id, "controller")
    bench.purge(plan.run_id)
    looked(taken_in.path).page(1, "overview", "de")
    shutil.rmtree(taken_in.path)
    shutil.copytree(older, taken_in.path)
    served = looked(taken_in.path)
    page = served.page(1, "overview", "de").decode()
    assert "verloren. Das darf nicht vorkommen" in page
    assert "Abweichung am" in served.page(1, "verify", "de").decode()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": 1}', "null"])
def test_a_broken_memory_makes_the_visit_a_first_one(taken_in: TakenIn, own_state: Path, text: str) -> None:
    """It is a convenience; nothing depends on it."""
    workspace = Workspace(taken_in.path, utc_now)
    own_state.parent.mkdir(parents=True)
    own_state.write_text(text)
    assert visits.last_visit(workspace) is None
    served = looked(taken_in.path)
    assert "Ihr erster Besuch" in served.page(1, "overview", "de").decode()
    assert visits.last_visit(workspace) is not None


def test_a_workspace_that_cannot_be_read_stands_beside_the_others(taken_in: TakenIn, tmp_path: Path) -> None:
    """Its line says so; the others are shown, and it is shown again once it is mended."""
    other = tmp_path / "other"
    Workbench.init(other, name="Andere Praxis")
    broken = (other / "lifecycle.toml").read_text()
    (other / "lifecycle.toml").write_text("perspective = ")
    served = looked(taken_in.path, other)
    front = served.front("de").decode()
    assert "nicht lesbar" in front
    assert "Abweichung" in front
    assert "cannot be read" in served.page(2, "overview", "en").decode()
    (other / "lifecycle.toml").write_text(broken)
    served.look(2)
    assert "Andere Praxis" in served.front("de").decode()
    assert "nicht lesbar" not in served.front("de").decode()
    assert "Andere Praxis" in served.page(2, "overview", "de").decode()
    assert "Andere Praxis" not in served.page(1, "overview", "de").decode()
    for number in (-1, 0, 3):
        with pytest.raises(UsageError):
            served.page(number, "overview", "de")


def test_serve_refuses_what_is_no_workspace(tmp_path: Path, command) -> None:
    """Before anything listens."""
    said = command("serve", tmp_path)
    assert said.code == 2
    assert "is not a workspace" in said.err
    assert serve.__doc__
