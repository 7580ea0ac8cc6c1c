"""The process that writes the fresh file: it gets what stays and nothing else, and ends with its parent."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from lifecycle.errors import StoreError
from lifecycle.stores.embedded import erase
from lifecycle.stores.embedded.clean import CleanProcess
from lifecycle.stores.embedded.connect import CONFIG, NO_PROGRESS_BAR

QUIET = [NO_PROGRESS_BAR]
PERSONAL = ("appointment_uid", "first_name", "last_name", "email", "mobile")


def some_rows(number: int = 3) -> pa.RecordBatchReader:
    return streamed(f"SELECT i AS number, 'x' || i AS text FROM range({number}) t(i)")


def streamed(query: str) -> pa.RecordBatchReader:
    """What a query gives, read as it passes, by a connection of its own."""
    return duckdb.connect().sql(query).to_arrow_reader(10_000)


def test_rows_pass_and_the_file_is_whole_when_it_is_closed(tmp_path: Path) -> None:
    """No log beside it, opened and closed twice by the same process."""
    path = tmp_path / "fresh.new"
    with CleanProcess() as clean:
        with clean.opened(path, CONFIG, QUIET):
            clean.execute("CREATE TABLE t (number BIGINT, text VARCHAR, missing VARCHAR)")
            clean.insert("t (number, text)", some_rows(5000))
        assert [each.name for each in tmp_path.iterdir()] == [path.name]
        with clean.opened(path, CONFIG, QUIET):
            clean.execute("INSERT INTO t VALUES (?, ?, ?)", [5000, "größer", "no"])
            assert clean.execute("SELECT count(*), sum(number::HUGEINT << 60) FROM t") == [
                [5001, sum(range(5001)) << 60]
            ]
    with duckdb.connect(str(path)) as db:
        assert db.sql("SELECT text FROM t WHERE number = 5000").fetchall() == [("größer",)]


def fact_of_failing(folder: Path, table: str, rows: pa.RecordBatchReader) -> str:
    """Let rows fail to pass, and return what is said; then the process is of no more use."""
    with CleanProcess() as clean:
        with pytest.raises(StoreError) as error:
            fill(clean, folder / "fresh.new", table, rows)
        with pytest.raises(StoreError, match=r"could not be written: (its process ended|BrokenPipeError)\."):
            clean.execute("SELECT 1")
    return error.value.fact


def fill(clean: CleanProcess, path: Path, table: str, rows: pa.RecordBatchReader) -> None:
    with clean.opened(path, CONFIG, QUIET):
        clean.execute(f"CREATE TABLE {table}")
        clean.insert("t", rows)


def test_an_error_is_told_without_what_it_quotes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """DuckDB quotes the value that it could not convert; nobody else does. The rows behind it are not waited for."""
    many = streamed("SELECT 'erika@example.org' AS number FROM range(3000000)")
    fact = fact_of_failing(tmp_path, "t (number BIGINT)", many)
    assert fact == "The fresh file could not be written: ConversionException."
    assert "erika" not in "".join(capfd.readouterr())


def test_old_rows_that_cannot_be_read_are_an_error_in_words(tmp_path: Path) -> None:
    """Arrow wraps DuckDB's own error, message and all."""
    rows = streamed(
        "SELECT CASE WHEN i = 200000 THEN error('erika@example.org') ELSE 'x' END AS text FROM range(300000) t(i)"
    )
    fact = fact_of_failing(tmp_path, "t (text VARCHAR)", rows)
    assert fact.startswith("The fresh file could not be written: ")
    assert "erika" not in fact


def test_what_the_system_says_is_told(tmp_path: Path) -> None:
    """A file in a folder that is none; a disk that is full says so in the same way."""
    (tmp_path / "file").touch()
    with CleanProcess() as clean, pytest.raises(StoreError, match=os.strerror(errno.ENOTDIR)):
        fill(clean, tmp_path / "file" / "fresh.new", "t (number BIGINT, text VARCHAR)", some_rows())


def test_it_ends_with_the_block_and_stops_for_no_signal_before(tmp_path: Path) -> None:
    """A service manager that stops a run signals all its processes; the run ends at its own next safe point."""
    with CleanProcess() as clean, clean.opened(tmp_path / "fresh.new", CONFIG, QUIET):
        for number in (signal.SIGINT, signal.SIGTERM):
            clean._process.send_signal(number)
        assert clean.execute("SELECT 42") == [[42]]
        assert os.getpgid(clean._process.pid) != os.getpgid(0), "Ctrl-C goes to a group"
    assert clean._process.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="the system must say that a parent has ended")
def test_it_is_killed_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Else it could write beside the fresh file of the run that goes on."""
    program = (
        "import sys, time\n"
        "from lifecycle.stores.embedded.clean import CleanProcess\n"
        "with CleanProcess() as clean:\n"
        "    with clean.opened(sys.argv[1], {}, []):\n"
        '        clean._to.write(b\'{"execute": "SELECT count(*) FROM range(1000000000000)", "parameters": []}\\n\')\n'
        "        clean._to.flush()\n"
        "        print(clean._process.pid, flush=True)\n"
        "        time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, tmp_path / "f"], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()
    assert gone_within(child, seconds=10)


def gone_within(process: int, seconds: float) -> bool:
    """Tell whether a process that is nobody's child here has ended (or waits to be buried)."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_nothing_of_a_row_that_goes_passes_and_nobody_else_writes(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The promise that the fresh file rests on; what DuckDB leaves in it shows only above its memory limit."""
    going = [shelf.row("appointments", number, shelf.old) for number in range(40)]
    staying = [shelf.row("appointments", number, shelf.new) for number in range(100, 160)]
    shelf.take_in(going, staying, dataset="appointments", today=shelf.old.date())
    passed: list[str] = []
    insert, execute, mark = CleanProcess.insert, CleanProcess.execute, erase.Rewrite._mark
    databases: list[list[tuple[str]]] = []

    def seen(self: CleanProcess, into: str, rows: pa.RecordBatchReader) -> None:
        table = rows.read_all()
        passed.append(repr(table.to_pylist()))
        insert(self, into, table.to_reader())

    def heard(self: CleanProcess, query: str, parameters: Any = ()) -> list[list[Any]]:
        passed.append(query + repr(parameters))
        return execute(self, query, parameters)

    def marked(rewrite: Any, *words: Any) -> None:
        databases.append(rewrite._db.sql("SELECT path FROM duckdb_databases() WHERE path IS NOT NULL").fetchall())
        mark(rewrite, *words)

    monkeypatch.setattr(CleanProcess, "insert", seen)
    monkeypatch.setattr(CleanProcess, "execute", heard)
    monkeypatch.setattr(erase.Rewrite, "_mark", marked)
    shelf.erase()
    assert databases == [[(str(shelf.path),)]], "the old file is the only one that this process has open"
    everything = "".join(passed)
    for row in staying:
        assert row["email"] in everything
    for row in going:
        assert not any(row[name] in everything for name in PERSONAL)
