"""Erasing from the embedded store: what goes is in no byte of any file, what stays is the same to the last column."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter, namedtuple
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lifecycle.errors import StoreError
from lifecycle.model import SCHEMAS, Hold, Outcome
from lifecycle.stores.embedded import erase
from lifecycle.stores.embedded.clean import CleanProcess
from lifecycle.stores.embedded.schema import SEARCHED_COLUMNS
from lifecycle.stores.search import Searcher, files_below

pytestmark = pytest.mark.slow

PERSONAL = ("appointment_uid", "first_name", "last_name", "email", "mobile")


def fill(shelf: Any, going: int = 40, staying: int = 60) -> dict[str, list[dict[str, Any]]]:
    """Rows of both datasets, some due; all arrived when nothing was due yet."""
    rows: dict[str, list[dict[str, Any]]] = {"going": [], "staying": []}
    for dataset in SCHEMAS:
        gone = [shelf.row(dataset, number, shelf.old) for number in range(1000, 1000 + going)]
        stays = [shelf.row(dataset, number, shelf.new) for number in range(5000, 5000 + staying)]
        shelf.take_in(gone, stays, dataset=dataset, today=shelf.old.date())
        rows["going"] += gone
        rows["staying"] += stays
    return rows


def personal_values(rows: list[dict[str, Any]]) -> list[str]:
    return sorted({row[name] for row in rows for name in PERSONAL})


def query(shelf: Any, text: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(shelf.path)) as db:
        return db.sql(text).fetchall()


def leave_in_the_fresh_file(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Whenever the fresh file is searched, the value stands at its end, with nothing beside it."""
    search = Searcher.search

    def with_a_leftover(self: Searcher, files: list[Path]) -> Any:
        if files and files[0].suffix == ".new":
            with files[0].open("ab") as file:
                file.write(b"\0" * 300 + value.encode() + b"\0" * 300)
        return search(self, files)

    monkeypatch.setattr(Searcher, "search", with_a_leftover)


def lose_a_row_of_the_fresh_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted in the fresh file is one row short."""
    honest = CleanProcess.execute

    def short(self: CleanProcess, query: str, parameters: Any = ()) -> list[list[Any]]:
        rows = honest(self, query, parameters)
        return [[rows[0][0] - 1, rows[0][1]]] if query.startswith("SELECT count(*)") else rows

    monkeypatch.setattr(CleanProcess, "execute", short)


def everything_but(shelf: Any, going: list[dict[str, Any]]) -> dict[str, Counter[Any]]:
    gone = {tuple(row.values()) for row in going}
    return {
        name: Counter({row: count for row, count in shelf.rows(name).items() if row not in gone}) for name in SCHEMAS
    }


# --- what goes, what stays ------------------------------------------------------------------------


def test_no_byte_of_what_was_deleted_is_left_and_no_column_of_what_stays_changes(shelf) -> None:
    """An independent search (``in`` over all bytes of all files) and whole rows compared as sets."""
    rows = fill(shelf)
    gone, kept = personal_values(rows["going"]), personal_values(rows["staying"])
    assert len(shelf.holds_bytes(*gone)) == len(gone), "the search must be able to see what it looks for"
    staying = everything_but(shelf, rows["going"])
    done = shelf.erase()
    assert shelf.holds_bytes(*gone) == []
    assert len(shelf.holds_bytes(*kept)) == len(kept)
    assert {name: shelf.rows(name) for name in SCHEMAS} == staying
    assert [(one.dataset, one.deleted, one.retained) for one in done.sets] == [
        ("events", 40, 60),
        ("appointments", 40, 60),
    ]
    assert done.residue.outcome is Outcome.PASSED
    assert done.residue.controls == done.residue.found_in_old > 0
    assert {path.name for path in shelf.path.parent.iterdir()} == {shelf.path.name}


def test_a_plain_delete_would_have_left_the_bytes(shelf) -> None:
    """Why the file is rewritten; should DuckDB ever change this, the search above proves less than it says."""
    rows = fill(shelf)
    with duckdb.connect(str(shelf.path)) as db:
        db.execute("DELETE FROM events WHERE ends_at < $new", {"new": shelf.new})
        db.execute("DELETE FROM appointments WHERE ends_at < $new", {"new": shelf.new})
        db.execute("CHECKPOINT")
    assert shelf.holds_bytes(*personal_values(rows["going"])) != []


def test_the_marker_is_there_exactly_when_the_rows_are_gone(shelf) -> None:
    """One row a dataset, with the counts; a run that never committed has none."""
    fill(shelf)
    assert shelf.store.erased("2026-10-01-a") is None
    done = shelf.erase()
    marker = shelf.store.erased("2026-10-01-a")
    assert marker == done
    assert [(one.store, one.deleted, one.retained) for one in marker.sets] == [("workspace", 40, 60)] * 2
    assert shelf.store.runs() == {"2026-10-01-a"}
    assert shelf.store.erased("2026-10-01-b") is None


def test_internal_tables_are_carried_over_and_earlier_markers_stay(shelf) -> None:
    """Sources, rejects, undeclared names, versions and markers survive two rewrites."""
    fill(shelf)
    shelf.take_in([shelf.row()], rejects=2)
    names = ("_sources", "_undeclared", "_rejects", "_meta")
    before = {name: query(shelf, f"SELECT * FROM {name} ORDER BY ALL") for name in names}
    assert before["_sources"]
    assert before["_rejects"]
    shelf.erase()
    shelf.erase(shelf.order("2027-03-01-a", shelf.new.date() + timedelta(days=90)))
    assert {name: query(shelf, f"SELECT * FROM {name} ORDER BY ALL") for name in names} == before
    assert shelf.store.runs() == {"2026-10-01-a", "2027-03-01-a"}
    assert not shelf.rows()


def test_held_rows_stay_and_lifted_holds_of_gone_appointments_go(shelf) -> None:
    """A uid in a lifted hold is personal, too; one in force stays, as does a lifted one whose rows stay."""
    rows = fill(shelf)
    held, lifted, kept = (
        rows["going"][0]["appointment_uid"],
        rows["going"][1]["appointment_uid"],
        rows["staying"][0]["appointment_uid"],
    )
    for number, uid in enumerate((held, lifted, kept), start=1):
        shelf.store.add_hold(Hold(0, uid, "restriction", "", "controller", shelf.today))
        if uid != held:
            shelf.store.lift_hold(number, shelf.today)
    done = shelf.erase()
    assert [one.deleted for one in done.sets] == [39, 39]
    assert {hold.appointment_uid == held for hold in shelf.store.holds()} == {True, False}
    assert [hold.number for hold in shelf.store.holds()] == [1, 3]
    assert shelf.holds_bytes(lifted) == []
    assert shelf.holds_bytes(held) == [0]


def test_nothing_goes_before_its_day(shelf) -> None:
    """A cutoff that is a few days too far: the second way of counting stops it, and the file is untouched."""
    edge = shelf.old + timedelta(days=60)
    shelf.take_in([shelf.row("events", 1, edge)], today=edge.date())
    order = shelf.order(today=edge.date() + timedelta(days=89))
    too_far = shelf.cutoffs(edge.date() + timedelta(days=90))
    before = shelf.path.read_bytes()
    with pytest.raises(StoreError, match="1 rows would be deleted before their day"):
        shelf.erase(replace(order, cutoffs=too_far))
    assert shelf.path.read_bytes() == before
    assert shelf.store.erased(order.run_id) is None


def test_a_fresh_file_that_lacks_a_row_is_never_put_in_place(shelf, monkeypatch) -> None:
    """The mutant: a table that comes up short is seen before the rename."""
    fill(shelf)
    before = {name: shelf.rows(name) for name in SCHEMAS}
    lose_a_row_of_the_fresh_file(monkeypatch)
    with pytest.raises(StoreError, match="does not hold the 60 rows"):
        shelf.erase()
    assert {name: shelf.rows(name) for name in SCHEMAS} == before
    assert not list(shelf.path.parent.glob("*.new*"))


# --- bytes ----------------------------------------------------------------------------------------


def compressions(shelf: Any, dataset: str) -> set[tuple[str, str]]:
    return set(
        query(
            shelf,
            f"SELECT column_name, compression FROM pragma_storage_info('{dataset}') "
            "WHERE segment_type = 'VARCHAR' AND NOT starts_with(column_name, '_')",
        )
    )


def test_personal_columns_are_uncompressed_before_and_after_a_rewrite(shelf) -> None:
    """Many equal values tempt every compression there is; else a byte search could not see them."""
    for dataset in SCHEMAS:
        same = {"first_name": "Erika-Elisabeth", "last_name": "Musterfrau", "email": "same@example.org"}
        rows = [shelf.row(dataset, n, shelf.old if n % 2 else shelf.new, **same) for n in range(6000)]
        shelf.take_in(rows, dataset=dataset, today=shelf.old.date())
    for _ in range(2):
        for dataset in SCHEMAS:
            found = compressions(shelf, dataset)
            assert {kind for name, kind in found if name in SEARCHED_COLUMNS} == {"Uncompressed"}
            assert {name for name, _ in found} >= set(SEARCHED_COLUMNS)
            assert {kind for name, kind in found if name == "location"} != {"Uncompressed"}, "not tempting enough"
        if not shelf.store.runs():
            shelf.erase()


def test_whoever_holds_the_old_file_open_holds_nobody(shelf) -> None:
    """A descriptor opened before the commit shows an empty file afterwards; the name leads to the new one."""
    fill(shelf)
    order = shelf.order()
    with shelf.store.erasing(order.cutoffs, order.key) as erasing:
        old = os.open(shelf.path, os.O_RDONLY)
        try:
            erasing.commit(order)
            assert os.fstat(old).st_size == 0
            assert os.fstat(old).st_ino != shelf.path.stat().st_ino
        finally:
            os.close(old)
    assert sum(shelf.rows().values()) == 60


def test_the_rights_of_the_file_stay(shelf) -> None:
    """A store that only its owner may read is not opened to others by a deletion."""
    fill(shelf)
    shelf.path.chmod(0o600)
    shelf.erase()
    assert shelf.path.stat().st_mode & 0o777 == 0o600


def test_what_an_earlier_attempt_left_is_removed(shelf) -> None:
    """A fresh file that was never put in place holds people, too."""
    rows = fill(shelf)
    fresh = shelf.path.with_name(shelf.path.name + ".new")
    fresh.write_bytes(rows["going"][0]["email"].encode())
    fresh.with_name(fresh.name + ".wal").write_bytes(rows["going"][1]["email"].encode())
    shelf.erase()
    assert shelf.holds_bytes(*personal_values(rows["going"])) == []
    assert {path.name for path in shelf.path.parent.iterdir()} == {shelf.path.name}


# --- refusals -------------------------------------------------------------------------------------


def refuses(shelf: Any, match: str) -> None:
    before = shelf.path.read_bytes()
    order = shelf.order()
    with pytest.raises(StoreError, match=match) as error:
        shelf.erase(order)
    assert error.value.exit_code == 4
    assert error.value.hint
    assert shelf.path.read_bytes() == before


def test_a_hard_link_is_refused(shelf) -> None:
    """The other name would keep the old bytes; nothing is deleted."""
    fill(shelf)
    os.link(shelf.path, shelf.root / "copy.duckdb")
    refuses(shelf, "1 more hard links")


def test_too_little_room_is_said_before_anything_begins(shelf, monkeypatch) -> None:
    """A rewrite needs as much again."""
    fill(shelf)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(erase.shutil, "disk_usage", lambda path: usage(1 << 40, 1 << 40, 1 << 20))
    refuses(shelf, "1 MiB are free")


def test_an_unreadable_file_of_the_workspace_stops_the_run(shelf, monkeypatch) -> None:
    """What was not searched is not clean. (By a stand-in, since a superuser reads everything.)"""
    fill(shelf)

    def unreadable(self: Any, files: Any) -> Any:
        raise PermissionError(13, "Permission denied", "a-name-that-nobody-should-see")

    monkeypatch.setattr(Searcher, "search", unreadable)
    before = {name: shelf.rows(name) for name in SCHEMAS}
    with pytest.raises(StoreError, match="Permission denied") as error:
        shelf.erase()
    assert "nobody-should-see" not in str(error.value)
    assert {name: shelf.rows(name) for name in SCHEMAS} == before
    assert not list(shelf.path.parent.glob("*.new*"))


def test_a_folder_that_cannot_be_listed_is_said_and_the_store_closed(shelf, monkeypatch) -> None:
    """A failing disk, where the temporary folders of readers are looked for."""
    glob = Path.glob

    def failing(self: Path, pattern: str) -> Any:
        if self == shelf.path.parent:
            raise OSError(5, "Input/output error", "a-name-that-nobody-should-see")
        return glob(self, pattern)

    monkeypatch.setattr(Path, "glob", failing)
    with pytest.raises(StoreError, match=r"The folder data cannot be listed: Input/output error\.") as error:
        shelf.store.runs()
    assert "nobody-should-see" not in str(error.value)
    monkeypatch.undo()
    assert shelf.store.runs() == frozenset(), "the file was closed again"


@pytest.mark.parametrize("kind", ["symlink", "folder", "missing", "garbage", "foreign"])
def test_what_is_not_our_file_is_refused_in_words(shelf, kind: str) -> None:
    """A symbolic link, a folder, nothing, other bytes, somebody else's database."""
    real = shelf.path.rename(shelf.root / "real.duckdb")
    if kind == "symlink":
        shelf.path.symlink_to(real)
    elif kind == "folder":
        shelf.path.mkdir()
    elif kind == "garbage":
        shelf.path.write_bytes(b"no database, but long enough to be looked at " * 1000)
    elif kind == "foreign":
        with duckdb.connect(str(shelf.path)) as db:
            db.execute("CREATE TABLE t (i INTEGER)")
    words = {"symlink": "not a plain file", "folder": "not a plain file", "missing": "missing",
             "garbage": "cannot be opened", "foreign": "not a store of lifecycle"}  # fmt: skip
    with pytest.raises(StoreError, match=words[kind]) as error:
        shelf.store.counts(shelf.cutoffs())
    assert error.value.hint


def test_a_newer_version_is_refused_in_words(shelf) -> None:
    """Its number, ours, and what to do."""
    query(shelf, "UPDATE _meta SET value = '2' WHERE key = 'schema_version'")
    with pytest.raises(StoreError, match="schema version 2; this lifecycle knows 1") as error:
        shelf.store.counts(shelf.cutoffs())
    assert "version" in error.value.hint


def test_another_process_is_waited_for_and_then_named_as_the_reason(shelf) -> None:
    """First busy, then free: the call goes through; busy for longer: exit 4."""
    code = (
        "import duckdb, sys; db = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read(); db.close()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(shelf.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        begun = time.monotonic()
        with pytest.raises(StoreError, match="in use by another process") as error:
            shelf.store.counts(shelf.cutoffs())
        assert time.monotonic() - begun >= 0.3
        assert error.value.exit_code == 4
        holder.stdin.close()
    assert shelf.store.counts(shelf.cutoffs())[0].before == 0


def test_a_connection_in_this_process_is_refused(shelf) -> None:
    """DuckDB would hand out the open instance, and the old file would live on inside it."""
    with duckdb.connect(str(shelf.path)), pytest.raises(StoreError, match="open elsewhere in this process"):
        shelf.erase(None)
    shelf.erase()


# --- residue --------------------------------------------------------------------------------------


def test_a_value_inside_a_longer_one_that_stays_is_no_residue(shelf) -> None:
    """anna@ in joanna@: the bytes are somebody else's, who stays."""
    anna = shelf.row("events", 1, shelf.old, email="anna@example.org")
    joanna = shelf.row("events", 2, shelf.new, email="joanna@example.org")
    shelf.take_in([anna, joanna], today=shelf.old.date())
    residue = shelf.erase().residue
    assert (residue.found_in_new, residue.outcome) == (0, Outcome.PASSED)


def test_a_value_where_two_that_stay_touch_is_no_residue(shelf) -> None:
    """DuckDB writes values side by side, and the first bytes of the smallest and the largest one as well."""
    going = [shelf.row(number=n, ends=shelf.old, mobile="+491713920000") for n in range(1, 5)]
    staying = [shelf.row(number=50, mobile="+491713920001"), shelf.row(number=51, mobile="0176 04069001")]
    shelf.take_in([*going, *staying], today=shelf.old.date())
    residue = shelf.erase().residue
    assert (residue.found_in_new, residue.outcome) == (0, Outcome.PASSED)


def test_a_value_made_of_two_ids_that_stay_is_no_residue(shelf) -> None:
    """Whichever of them DuckDB writes first."""
    going = [shelf.row(number=n, ends=shelf.old, appointment_uid=uid) for n, uid in enumerate(["bbbbaaaa", "aa1290bb"])]
    staying = [shelf.row(number=50, appointment_uid="90bbbb"), shelf.row(number=51, appointment_uid="aaaa12")]
    shelf.take_in([*going, *staying], today=shelf.old.date())
    residue = shelf.erase().residue
    assert (residue.found_in_new, residue.outcome) == (0, Outcome.PASSED)


def test_a_value_that_was_left_is_residue_although_two_that_stay_would_make_it(shelf, monkeypatch) -> None:
    """What stands beside it in the file is no value that stays, so chance does not explain it."""
    leave_in_the_fresh_file(monkeypatch, "bbbbaaaa")
    staying = [shelf.row(number=50, appointment_uid="90bbbb"), shelf.row(number=51, appointment_uid="aaaa12")]
    going = shelf.row(number=1, ends=shelf.old, appointment_uid="bbbbaaaa")
    shelf.take_in([going, *staying], today=shelf.old.date())
    residue = shelf.erase().residue
    assert (residue.found_in_new, residue.outcome) == (1, Outcome.FAILED)


def test_what_comes_in_with_the_marker_is_found_too(shelf, monkeypatch) -> None:
    """The file is searched as it will lie there; what is found is told, in the marker, too."""
    rows, real = fill(shelf), erase.Rewrite._mark

    def mark(rewrite: Any, *words: Any) -> None:
        real(rewrite, *words)
        with duckdb.connect(str(rewrite._fresh)) as db:
            db.execute("INSERT INTO _meta VALUES ('left', $value)", {"value": rows["going"][0]["email"]})

    monkeypatch.setattr(erase.Rewrite, "_mark", mark)
    residue = shelf.erase().residue
    assert (residue.found_in_new, residue.outcome) == (1, Outcome.FAILED)
    assert len(shelf.holds_bytes(rows["going"][0]["email"])) == 1
    assert shelf.store.erased("2026-10-01-a").residue == residue


def test_in_a_night_of_a_usual_size_every_deleted_row_is_looked_for(shelf, monkeypatch) -> None:
    """One value of one row among hundreds is left: no sample could be sure to see it."""
    rows = fill(shelf, going=300, staying=3)["going"][:300]
    left = rows[137]["mobile"]
    leave_in_the_fresh_file(monkeypatch, left)
    residue = shelf.erase().residue
    assert residue.controls == residue.found_in_old >= 3 * 300
    assert (residue.found_in_new, residue.outcome) == (1, Outcome.FAILED)


def test_the_store_has_no_index(shelf) -> None:
    """The nodes of an index are written with what lay in memory before; a rewrite frees an older store of its own."""
    with duckdb.connect(str(shelf.path)) as db:
        db.execute("CREATE TABLE older AS SELECT * FROM _meta")
        db.execute("DROP TABLE _meta")
        db.execute("CREATE TABLE _meta (key VARCHAR PRIMARY KEY, value VARCHAR)")
        db.execute("INSERT INTO _meta SELECT * FROM older")
        db.execute("DROP TABLE older")
    fill(shelf)
    asked = "SELECT count(*) FROM duckdb_constraints() WHERE constraint_type IN ('PRIMARY KEY', 'UNIQUE')"
    assert query(shelf, asked) == [(1,)]
    shelf.erase()
    assert query(shelf, asked) == [(0,)]
    assert query(shelf, "SELECT count(*) FROM duckdb_indexes()") == [(0,)]


@pytest.mark.parametrize("place", ["reports/copy.txt", "notebooks/.ipynb_checkpoints/copy.ipynb", "copy.log"])
def test_a_copy_in_another_file_of_the_workspace_is_found(shelf, place: str) -> None:
    """The run ends, and its residue check fails: somebody must look. Hidden folders hold copies, too."""
    rows = fill(shelf, going=3)
    copy = shelf.root / place
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(f"forgotten: {rows['going'][0]['email']}\n")
    residue = shelf.erase().residue
    assert (residue.found_in_new, residue.outcome) == (1, Outcome.FAILED)
    assert residue.places == 2
    assert residue.files == 2


def test_a_listed_ingested_file_is_not_searched(shelf) -> None:
    """It is known to hold what it holds, and named as a residual with its date instead."""
    rows = fill(shelf, going=3)
    log = shelf.root / "log.ndjson"
    log.write_text(rows["going"][0]["email"])
    residue = shelf.erase(shelf.order(residual_files=frozenset([log.resolve()]))).residue
    assert (residue.found_in_new, residue.outcome, residue.files) == (0, Outcome.PASSED, 1)


def test_a_search_that_could_see_nothing_is_unknown(shelf) -> None:
    """Values too short to tell, or all of them held by somebody who stays: never passed."""
    short = {name: "x" for name in PERSONAL}
    shelf.take_in([shelf.row("events", 1, shelf.old, **short)], today=shelf.old.date())
    assert shelf.erase().residue.outcome is Outcome.UNKNOWN
    same = {name: f"the same {name}" for name in PERSONAL if name != "appointment_uid"}
    rows = [shelf.row("events", 1, shelf.old, appointment_uid=None, **same), shelf.row("events", 2, **same)]
    shelf.take_in(rows, today=shelf.old.date())
    residue = shelf.erase(shelf.order("2026-10-01-b")).residue
    assert (residue.controls, residue.outcome) == (0, Outcome.UNKNOWN)


def test_a_blind_search_is_unknown(shelf, monkeypatch) -> None:
    """The mutant: a searcher that finds nothing in the old bytes proves nothing about the new ones."""
    fill(shelf)
    monkeypatch.setattr(Searcher, "_pieces", lambda self, stream: iter(()))
    residue = shelf.erase().residue
    assert (residue.found_in_old, residue.found_in_new, residue.outcome) == (0, 0, Outcome.UNKNOWN)


@pytest.mark.parametrize("at", [0, 1, 8, 9, 15, 16, 31, 40])
def test_a_value_across_the_border_of_two_chunks_is_found(tmp_path: Path, monkeypatch, at: int) -> None:
    """Chunks of 16 bytes, a value of 9 bytes and one byte values of any kind around it."""
    monkeypatch.setattr("lifecycle.stores.search._CHUNK", 16)
    file = tmp_path / "bytes"
    file.write_bytes(b"." * at + "Müller.*".encode() + b"\0" * 7)
    assert Searcher(["Müller.*", "Müller.x"]).search([file]).patterns == {0}


def test_a_short_id_is_found_in_a_log_and_not_in_a_digest(shelf) -> None:
    """Eight digits in hexadecimal are chance; between quotation marks or commas they are somebody's appointment."""
    shelf.take_in([shelf.row(number=1, ends=shelf.old, appointment_uid="73519804")], today=shelf.old.date())
    (shelf.root / "digests.txt").write_text("ab73519804cd\n73519804ef\n")
    assert shelf.erase().residue.outcome is Outcome.PASSED
    shelf.take_in([shelf.row(number=1, ends=shelf.old, appointment_uid="73519804")], today=shelf.old.date())
    (shelf.root / "log.csv").write_text("73519804,booked")
    assert shelf.erase(shelf.order("2026-10-01-b")).residue.outcome is Outcome.FAILED


def test_everything_below_the_workspace_is_looked_at_but_tools_and_links(tmp_path: Path) -> None:
    """Hidden folders hold checkpoints of notebooks; a version store and an environment hold no data of ours."""
    for name in ("a.txt", "b/.hidden/c.txt", ".ipynb_checkpoints/d.ipynb", ".git/e", ".venv/lib/f", ".env"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "a.txt")
    found = {str(path.relative_to(tmp_path)) for path in files_below(tmp_path)}
    assert found == {"a.txt", "b/.hidden/c.txt", ".ipynb_checkpoints/d.ipynb", ".env"}


# --- looking again --------------------------------------------------------------------------------


@pytest.mark.parametrize("with_hashes", [True, False])
def test_a_new_connection_sees_what_is_wrong(shelf, with_hashes: bool) -> None:
    """Nothing first; then an erased row that came back, which is due, known, and more than what was retained."""
    rows = fill(shelf)
    order = shelf.order()
    done = shelf.erase(order)
    done = done if with_hashes else replace(done, key_hashes=None)
    fine = shelf.store.verify(order, done)
    assert (fine.still_due, fine.tombstoned_still_present, fine.retained_set_unchanged) == (0, 0, True)
    shelf.take_in([rows["going"][0]], today=shelf.old.date())
    back = shelf.store.verify(order, done)
    assert (back.still_due, back.tombstoned_still_present, back.retained_set_unchanged) == (1, 1, False)


def test_one_changed_letter_in_a_row_that_stays_is_seen(shelf) -> None:
    """The retained set is every column of every row."""
    fill(shelf)
    order = shelf.order()
    done = shelf.erase(order)
    query(shelf, "UPDATE events SET first_name = 'Renate' WHERE rowid = (SELECT min(rowid) FROM events)")
    assert not shelf.store.verify(order, done).retained_set_unchanged
