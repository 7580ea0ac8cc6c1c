"""Bad input through the whole house: a counted reject, or one sentence with a hint and the right exit code.

What is already stored stays, of a file all is stored or nothing, and no input ends in a traceback.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.slow

WORD = "Zqlindwurm"
GOOD = {
    "command": "CREATED", "appointmentUID": "good", "firstName": "Anna", "email": "anna@example.org",
    "startDateTimeUTC": "2999-05-10T10:00:00", "endDateTimeUTC": "2999-05-10T10:30:00",
    "bookingDateUTC": "2999-01-01T10:00:00", "calendarName": "Sprechzimmer 1",
}  # fmt: skip
HEADER = "appointment_uid;calendar_ref;first_name;last_name;email;starts_at;ends_at;booked_at"
RECORD = f"good;S1;Anna;{WORD};anna@example.org;10.05.2999 10:00;10.05.2999 10:30;01.01.2999 10:00"


def message(uid: str = "good", **change: Any) -> bytes:
    return json.dumps({**GOOD, "appointmentUID": uid, "lastName": WORD, **change}).encode()


LINES: dict[str, tuple[bytes, str]] = {
    "truncated": (message()[:-20], "bad-json"),
    "NaN": (message(phone=float("nan")), "bad-json"),
    "100,000 brackets": (message(notes="D").replace(b'"D"', b"[" * 100_000 + b"]" * 100_000), "too-deep"),
    "duplicate keys": (message()[:-1] + b', "firstName": "x"}', "duplicate-key"),
    "NUL": (message() + b"\0", "nul-byte"),
    "Windows-1252": (message(notes="D").replace(b"D", b"\xe4"), "bad-encoding"),
    "30 February": (message(startDateTimeUTC="2026-02-30T10:00:00"), "bad-time"),
    "an object for a text": (message(email={"a": WORD}), "not-text"),
    "no message": (b'"' + WORD.encode() + b'"', "not-an-object"),
    "2 MB": (message(notes="x" * 2_000_000), "too-long"),
}


def rows(at: Path) -> int:
    """How many rows the store holds, asked without any verb."""
    import duckdb

    with duckdb.connect(str(at / "data" / "lifecycle.duckdb"), read_only=True) as db:
        counts = [db.sql(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in ("events", "appointments")]
    return sum(counts)


def sentence(said: Any) -> str:
    """The fact of a failure that was said as it should be."""
    assert "Traceback" not in said.err
    assert WORD not in said.err + said.out
    fact, _, hint = said.err.strip().partition("\n\nhint: ")
    assert fact, "no fact"
    assert hint, "no hint"
    assert "\n" not in fact
    return fact


@pytest.mark.parametrize("kind", LINES)
def test_a_bad_line_is_one_counted_reject(kind: str, command: Any, taken_in: Any, tmp_path: Path) -> None:
    """With its reason and its line, through ``ingest`` and ``check``; the lines around it are stored."""
    line, reason = LINES[kind]
    path = tmp_path / "log.ndjson"
    path.write_bytes(b"\n".join([message("one"), line, b"", message("two")]))
    before = rows(taken_in.path)
    said = command("ingest", path, "--json", workspace=taken_in.path)
    assert said.code == 0
    counted = {key: said.json[key] for key in ("read", "stored", "rejected", "duplicates", "expired")}
    assert counted == {"read": 3, "stored": 2, "rejected": 1, "duplicates": 0, "expired": 0}
    assert said.json["rejects"] == [{"file": 1, "line": 2, "reason": reason}]
    assert rows(taken_in.path) == before + 2
    checked = command("check", path, "--json", workspace=taken_in.path)
    found = [one for one in checked.json["findings"] if one["check"] == "rejected"]
    assert [(one["count"], one["outcome"], one["first"]) for one in found] == [(1, "unknown", 2)]
    assert WORD not in said.out + said.err + checked.out + checked.err


def test_the_same_file_again_gives_the_same_rejects(command: Any, taken_in: Any, tmp_path: Path) -> None:
    """Nothing is remembered wrongly: good lines are duplicates then, bad ones bad."""
    path = tmp_path / "log.ndjson"
    path.write_bytes(b"\n".join([message("one"), *(line for line, _ in LINES.values())]))
    first, again = (command("ingest", path, "--json", workspace=taken_in.path).json for _ in range(2))
    assert first["rejects"] == again["rejects"]
    assert (first["stored"], again["stored"], again["duplicates"]) == (1, 0, 1)


# --- files that are broken as a whole -------------------------------------------------------------


def bomb() -> bytes:
    """Three gigabytes in three megabytes would take long to write; the cap of the workspace is lowered instead."""
    return gzip.compress(b"".join(message(str(n)) + b"\n" for n in range(3_000)))


FILES: dict[str, tuple[str, bytes]] = {
    "an array that was cut off": ("a.json", b"[" + message() + b"," + message("b")[:-10]),
    "an array with a comma too many": ("a.json", b"[" + message() + b",]"),
    "100,000 brackets": ("a.json", b"[" * 100_000),
    "not a number in an array": ("a.json", b"[" + message(phone=float("nan")) + b"]"),
    "empty": ("a.json", b""),
    "blank": ("a.ndjson", b"\n \n"),
    "nothing that we know": ("a.txt", WORD.encode() * 50),
    "UTF-16": ("a.ndjson", message().decode().encode("utf-16")),
    "a header without our columns": ("a.csv", f"{WORD};b;c\n1;2;3\n".encode()),
    "a header with a column twice": ("a.csv", f"{HEADER};email\n{RECORD};x\n".encode()),
    "a header that is a record": ("a.csv", f"{RECORD}\n{RECORD}\n".encode()),
    "gzip, cut off": ("a.ndjson.gz", gzip.compress(b"\n".join(message(str(n)) for n in range(999)))[:-30]),
    "gzip, damaged": ("a.gz", b"\x1f\x8b\x08" + os.urandom(100)),
    "gzip of too much": ("a.ndjson.gz", bomb()),
    "gzip of gzip": ("a.gz.gz", gzip.compress(gzip.compress(message()))),
    "half a Parquet file": ("a.parquet", b"PAR1" + WORD.encode() * 9 + b"PAR1"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_broken_file_is_refused_whole(kind: str, command: Any, taken_in: Any, tmp_path: Path) -> None:
    """Exit 3 and one sentence; the store is as it was, and nobody remembers the file."""
    name, data = FILES[kind]
    (tmp_path / name).write_bytes(data)
    settings = taken_in.path / "lifecycle.toml"
    settings.write_text(settings.read_text().replace("= 4294967296", "= 100000"))
    before = rows(taken_in.path)
    digest = hashlib.sha256((taken_in.path / "data" / "lifecycle.duckdb").read_bytes()).digest()
    for verb in ("check", "ingest"):
        said = command(verb, tmp_path / name, workspace=taken_in.path)
        assert (verb, said.code) == (verb, 3)
        sentence(said)
    assert rows(taken_in.path) == before
    assert [path.name for path in (taken_in.path / "data").iterdir()] == ["lifecycle.duckdb"]
    if hashlib.sha256((taken_in.path / "data" / "lifecycle.duckdb").read_bytes()).digest() != digest:
        assert command("plan", workspace=taken_in.path).code == 0  # a checkpoint may move bytes, but lose nothing


def test_of_several_files_the_good_ones_are_stored(command: Any, taken_in: Any, tmp_path: Path) -> None:
    """The others are named by their number and reason; exit 3; read adds up over the stored ones."""
    paths = []
    for kind in ("empty", "an array that was cut off", "UTF-16"):
        name, data = FILES[kind]
        paths.append(tmp_path / f"{len(paths)} {name}")
        paths[-1].write_bytes(data)
    good = tmp_path / "good.ndjson"
    good.write_bytes(message("one") + b"\n" + message("two") + b"\n")
    before = rows(taken_in.path)
    said = command("ingest", paths[0], good, *paths[1:], tmp_path / "none", tmp_path, "--json", workspace=taken_in.path)
    assert said.code == 3
    assert (said.json["files"], said.json["read"], said.json["stored"]) == (1, 2, 2)
    assert [one["file"] for one in said.json["refused"]] == [1, 3, 4, 5, 6]
    assert all(one["fact"] and one["hint"] for one in said.json["refused"])
    assert rows(taken_in.path) == before + 2
    sentence(said)


def test_a_file_that_breaks_at_its_end_leaves_nothing_of_its_beginning(
    command: Any, taken_in: Any, tmp_path: Path
) -> None:
    """All of a file or none of it, also when thousands of good rows came first."""
    whole = gzip.compress(b"".join(message(f"u{n}") + b"\n" for n in range(20_000)), mtime=0)
    path = tmp_path / "log.ndjson.gz"
    path.write_bytes(whole[:-10])
    before = rows(taken_in.path)
    assert command("ingest", path, workspace=taken_in.path).code == 3
    assert rows(taken_in.path) == before
    path.write_bytes(whole)
    assert command("ingest", path, "--json", workspace=taken_in.path).json["stored"] == 20_000


def not_there(folder: Path) -> Path:
    return folder / "no such file"


def a_folder(folder: Path) -> Path:
    return folder


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def a_dangling_link(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "nowhere")
    return folder / "link"


def an_endless_name(folder: Path) -> Path:
    return folder / ("x" * 5_000)


@pytest.mark.parametrize("make", [not_there, a_folder, a_pipe, a_dangling_link, an_endless_name])
@pytest.mark.parametrize("verb", ["ingest", "check"])
def test_what_is_no_file_is_refused_in_words(
    make: Callable[[Path], Path], verb: str, command: Any, shared: Any, tmp_path: Path
) -> None:
    """Exit 3, and nobody waits for a pipe."""
    said = command(verb, make(tmp_path), workspace=shared.path)
    assert said.code == 3
    sentence(said)


@pytest.mark.parametrize("verb", ["ingest", "check"])
def test_a_file_that_may_not_be_read_is_refused_and_the_others_go_on(
    verb: str, command: Any, shared: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line does not judge rights on its own: a refused file is 3, and no wrong call."""
    path = tmp_path / "log.ndjson"
    path.write_bytes(message())
    opens = Path.open

    def may_not(self: Path, *how: Any, **more: Any) -> Any:
        if self == path:
            raise PermissionError(13, "Permission denied")
        return opens(self, *how, **more)

    monkeypatch.setattr(Path, "open", may_not)
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda at, *how, **more: str(at) != str(path) and allowed(at, *how, **more))
    said = command(verb, path, workspace=shared.path)
    assert said.code == 3
    assert "Permission denied" in said.out + said.err
    sentence(said)


def two_logs(folder: Path) -> tuple[Path, Path]:
    """Two logs of one message each."""
    path, other = folder / "log.ndjson", folder / "other.ndjson"
    path.write_bytes(message("one") + b"\n")
    other.write_bytes(message("two") + b"\n")
    return path, other


def test_what_is_written_into_a_file_while_it_is_read_is_not_removed_with_it(
    command: Any, taken_in: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--consume`` leaves a file that is not the one it read, says so, and still tells every count."""
    from lifecycle.stores.embedded.ingest import Intake

    path, other = two_logs(tmp_path)
    settle = Intake.settle

    def late(self: Intake, *given: Any) -> Any:
        with path.open("ab") as log:
            log.write(message("late") + b"\n")
        return settle(self, *given)

    monkeypatch.setattr(Intake, "settle", late)
    said = command("ingest", path, other, "--consume", "--json", workspace=taken_in.path)
    assert (said.code, said.json["stored"], said.json["consumed"]) == (3, 2, 1)
    assert [one["file"] for one in said.json["refused"]] == [1]
    assert (path.exists(), other.exists()) == (True, False)
    monkeypatch.undo()
    again = command("ingest", path, "--consume", "--json", workspace=taken_in.path)
    assert (again.code, again.json["stored"], again.json["duplicates"], path.exists()) == (0, 1, 1, False)


def test_a_file_that_cannot_be_removed_is_told_and_the_others_go(
    command: Any, taken_in: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--consume`` where the folder of one file is read-only: its rows are stored once, and it stays."""
    path, other = two_logs(tmp_path)
    unlink = Path.unlink

    def may_not(self: Path, *how: Any, **more: Any) -> None:
        if self == path:
            raise OSError(30, "Read-only file system", str(self))
        unlink(self, *how, **more)

    monkeypatch.setattr(Path, "unlink", may_not)
    said = command("ingest", path, other, "--consume", "--json", workspace=taken_in.path)
    assert (said.code, said.json["stored"], said.json["consumed"]) == (3, 2, 1)
    (refused,) = said.json["refused"]
    assert refused["file"] == 1
    assert refused["fact"] == "It was stored, but cannot be removed: Read-only file system."
    assert refused["hint"] == "remove it by hand"
    sentence(said)
    assert (path.exists(), other.exists()) == (True, False)
    monkeypatch.undo()
    again = command("ingest", path, "--consume", "--json", workspace=taken_in.path)
    assert (again.code, again.json["duplicates"], again.json["consumed"], path.exists()) == (0, 1, 1, False)


# --- symbolic links where a file of the workspace should be ---------------------------------------


def link(path: Path, elsewhere: Path) -> None:
    """Move what is there to another place and leave a symbolic link."""
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


LINKED = {
    "data/lifecycle.duckdb": (4, "plan"),
    "data/lifecycle.duckdb.tmp": (4, "plan"),
    "data": (5, "plan"),
    "lifecycle.toml": (5, "plan"),
    "contracts": (5, "check"),
    "reports": (5, "report"),
    "approvals": (5, "plan"),
    "evidence": (7, "plan"),
    "evidence/checkpoint": (7, "plan"),
    "evidence/runs": (7, "plan"),
    "keys": (7, "plan"),
    "keys/log.seed": (7, "plan"),
}


@pytest.mark.parametrize("name", LINKED)
def test_a_symbolic_link_in_the_workspace_is_not_followed(
    name: str, command: Any, taken_in: Any, tmp_path: Path
) -> None:
    """Whoever can write one elsewhere must not lead a deletion astray; refused in words, and nothing is written."""
    code, verb = LINKED[name]
    command("plan", "--as-of", "2020-01-01", workspace=taken_in.path)
    if name.endswith(".tmp"):
        (taken_in.path / name).mkdir()
    link(taken_in.path / name, tmp_path / "elsewhere")
    before = sorted(tmp_path.rglob("*"))
    said = command(verb, workspace=taken_in.path)
    assert said.code == code
    assert "link" in said.err or "plain file" in said.err or name.startswith("evidence/"), said.err
    sentence(said)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_report_does_not_write_through_a_link(command: Any, taken_in: Any, tmp_path: Path) -> None:
    """The link is replaced by the report; what it pointed to is as it was."""
    words = ("report", "--format", "json", "--no-second-opinion", "--json")
    path = Path(command(*words, workspace=taken_in.path).json["files"][0])
    link(path, tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text("untouched")
    command(*words, workspace=taken_in.path)
    assert (tmp_path / "elsewhere").read_text() == "untouched"


# --- stores and settings that are broken ----------------------------------------------------------


def rubbish(path: Path) -> None:
    path.write_bytes(os.urandom(20_000))


def zeros(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4_000:30_000] = bytes(26_000)
    path.write_bytes(data)


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def a_foreign_database(path: Path) -> None:
    import duckdb

    path.unlink()
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE TABLE people (name VARCHAR)")


def a_newer_one(path: Path) -> None:
    import duckdb

    with duckdb.connect(str(path)) as db:
        db.execute("UPDATE _meta SET value = '99' WHERE key = 'schema_version'")


@pytest.mark.parametrize("damage", [rubbish, zeros, nothing, a_foreign_database, a_newer_one])
def test_a_store_that_is_none_ends_with_4(damage: Callable[[Path], None], command: Any, taken_in: Any) -> None:
    """Whatever verb meets it first; the file is left for whoever can mend it."""
    path = taken_in.path / "data" / "lifecycle.duckdb"
    damage(path)
    for verb in (["plan"], ["check"], ["ingest", taken_in.clinic.events[0]], ["hold", "list"]):
        said = command(*verb, workspace=taken_in.path)
        assert (verb[0], said.code) == (verb[0], 4)
        sentence(said)
    assert path.exists()


SETTINGS: dict[str, Callable[[str], str | bytes]] = {
    "an unknown key": lambda text: text.replace("time_zone =", "timezone ="),
    "a longer period": lambda text: text.replace('period = "P90D"', 'period = "P91D"'),
    "no time zone of this world": lambda text: text.replace("Europe/Berlin", "Europe/Entenhausen"),
    "not TOML": lambda text: text.replace("[ledger]", "[ledger"),
    "not UTF-8": lambda text: text.encode("utf-16"),
    "nothing": lambda text: "",
    "a newer version": lambda text: text.replace("schema_version = 1", "schema_version = 2"),
    "another period than the contract's": lambda text: text.replace('period = "P90D"', 'period = "P30D"'),
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings_that_cannot_be_followed_end_with_5(kind: str, command: Any, taken_in: Any) -> None:
    """Before anything is read or deleted."""
    path = taken_in.path / "lifecycle.toml"
    changed = SETTINGS[kind](path.read_text())
    path.write_bytes(changed.encode() if isinstance(changed, str) else changed)
    said = command("check", workspace=taken_in.path)
    assert said.code == 5
    fact = sentence(said)
    assert ("did you mean 'time_zone'" in fact) == (kind == "an unknown key")


# --- folders that cannot be written ---------------------------------------------------------------

READ_ONLY = "mount --bind {at} {at} && mount -o remount,bind,ro {at}"
FULL = "mount -t tmpfs -o size=64k none {at} && ! dd if=/dev/zero of={at}/fill bs=1k status=none 2>&-"
"""Real ones, for root may write where the bits forbid it: in a namespace of its own, which ends with the call."""


def may_mount() -> bool:
    words = ["unshare", "--mount", "true"]
    return bool(
        os.getuid() == 0 and shutil.which("unshare") and subprocess.run(words, capture_output=True).returncode == 0
    )


def within(mount: str, at: Path, folder: str, *words: str) -> SimpleNamespace:
    """Call the command line while one folder of the workspace is read-only, or full."""
    script = f'{mount.format(at=at / folder)} && exec "$@"'
    call = [sys.executable, "-m", "lifecycle.cli", "--workspace", str(at), *words]
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", *call], capture_output=True, text=True)
    return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)


CLOSED: dict[str, tuple[str, str, tuple[str, ...], int, str]] = {
    "report": (READ_ONLY, "reports", ("report", "--no-second-opinion"), 4, "the disk is read-only"),
    "report, full": (FULL, "reports", ("report", "--no-second-opinion"), 4, "no space left"),
    "inspection": (READ_ONLY, "reports", ("report", "--inspection"), 4, "Read-only file system"),
    "inspection, full": (FULL, "reports", ("report", "--inspection"), 4, "No space left"),
    "plan": (READ_ONLY, "data", ("plan",), 4, "The folder data is read-only for this user"),
    "purge": (READ_ONLY, "data", ("purge", "--as-of", "today"), 4, "The folder data is read-only for this user"),
    "notebook": (READ_ONLY, "data", ("run", "50_purge"), 4, "The folder data is read-only for this user"),
}


@pytest.mark.skipif(not may_mount(), reason="NOT RUN: needs root, and the right to unshare mounts")
@pytest.mark.parametrize("kind", CLOSED)
def test_a_folder_that_cannot_be_written_is_one_sentence_and_4(kind: str, taken_in: Any) -> None:
    """Nothing was deleted, nobody is told that the evidence is broken, and a hint says whom to ask."""
    mount, folder, words, code, fact = CLOSED[kind]
    before = rows(taken_in.path)
    said = within(mount, taken_in.path, folder, *words)
    assert said.code == code
    assert fact in sentence(said)
    assert rows(taken_in.path) == before
    if words[0] in ("purge", "run"):
        assert 'last_exit_code{workspace="workspace"} 4\n' in (taken_in.path / "reports/lifecycle.prom").read_text()


@pytest.mark.skipif(not may_mount(), reason="NOT RUN: needs root, and the right to unshare mounts")
@pytest.mark.parametrize("mount", [READ_ONLY, FULL])
def test_a_purge_whose_status_file_cannot_be_written_says_so(mount: str, taken_in: Any, bench: Any) -> None:
    """It deletes all the same; whoever watches the file would else take a good night for a missed one."""
    bench.approve_standing("controller", max_rows=10_000, max_percent=100, until=bench.today)
    if mount == READ_ONLY:
        asked = within(mount, taken_in.path, "reports", "doctor", "--json")
        assert "folder-read-only" in {
            one["check"] for one in json.loads(asked.out)["findings"] if one["outcome"] == "failed"
        }
    said = within(mount, taken_in.path, "reports", "purge", "--as-of", "today", "--json")
    assert (said.code, json.loads(said.out)["outcome"]) == (0, "sealed")
    assert said.err.startswith("warning: reports/lifecycle.prom could not be written: ")
    sentence(said)


@pytest.mark.skipif(not may_mount(), reason="NOT RUN: needs root, and the right to unshare mounts")
def test_somebody_hears_of_a_nightly_notebook_that_could_not_even_start(taken_in: Any) -> None:
    """``reports/`` is read-only, so there is neither notebook nor status file: the message is all there is."""
    settings = taken_in.path / "lifecycle.toml"
    settings.write_text(settings.read_text().replace('webhook = ""', 'webhook = "http://127.0.0.1:9/"'))
    said = within(READ_ONLY, taken_in.path, "reports", "run", "50_purge", "--json")
    assert (said.code, json.loads(said.out)["outcome"]) == (4, "store")
    assert "webhook could not be sent" in said.err
    assert "The lock of the reports folder cannot be opened" in said.err


# --- 200 MB in one line ---------------------------------------------------------------------------

LIMIT_BYTES = 3 << 30  # of address space, which DuckDB and polars reserve generously


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True])
def test_a_line_of_200_megabytes_is_one_reject_in_bounded_memory(packed: bool, taken_in: Any, tmp_path: Path) -> None:
    """It is skipped while it is read: the process stays below half a gigabyte."""
    path = tmp_path / ("log.ndjson.gz" if packed else "log.ndjson")
    with gzip.open(path, "wb", compresslevel=1) if packed else path.open("wb") as file:
        for piece in pieces():
            file.write(piece)
    # VmHWM, for ru_maxrss begins with the peak of the process that started this one.
    code = (
        "import sys, lifecycle.cli\n"
        "try: lifecycle.cli.main()\n"
        "finally: print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], file=sys.stderr)"
    )
    words = [sys.executable, "-c", code, "--workspace", str(taken_in.path), "ingest", str(path), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, preexec_fn=limited)
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert (found["read"], found["stored"], found["rejected"]) == (3, 2, 1)
    assert found["rejects"] == [{"file": 1, "line": 2, "reason": "too-long"}]
    assert int(done.stderr.splitlines()[-1]) < 500_000, "kilobytes at the peak"


def pieces() -> Iterator[bytes]:
    yield message("one") + b"\n" + message("long")[:-2]
    for _ in range(200):
        yield b"x" * 1_000_000
    yield b'"}\n' + message("two") + b"\n"


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
