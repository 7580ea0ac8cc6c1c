"""Canaries in every field, then everything that lifecycle can do and fail at: none of them comes out.

A canary is a made-up value that stands in one place of the input only. What fails here names the canary and the
place where it was found, never the canary itself.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from subprocess import PIPE
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, unquote_to_bytes, urlencode, urlsplit

import hyperscan
import polars as pl
import pytest

LIFECYCLE = (sys.executable, "-m", "lifecycle.cli")
DEPTH = 4


def word(name: str) -> str:
    """A word that stands nowhere else, the same in every run."""
    letters = hashlib.sha256(name.encode()).digest()[:10]
    return "Zq" + "".join(chr(97 + byte % 26) for byte in letters)


# --- finding a canary however it is wrapped -------------------------------------------------------


def spellings(value: str) -> Iterator[bytes]:
    """A value as it may stand in a file when nobody decodes it: other encodings, and digests that a guess confirms."""
    plain = value.encode()
    yield plain
    yield value.encode("utf-16-le")
    yield plain.hex().encode()
    for kind in ("sha256", "md5", "sha1"):
        digest = hashlib.new(kind, plain)
        yield digest.hexdigest().encode()
        yield base64.b64encode(digest.digest()).rstrip(b"=")
        yield base64.urlsafe_b64encode(digest.digest()).rstrip(b"=")
        yield digest.digest()


def unwrapped(data: bytes, depth: int = DEPTH) -> Iterator[bytes]:
    """The data, and whatever is packed into them: gzip, zip, zlib, base64, entities, escapes, percent signs."""
    layer, seen = {data}, {data}
    for _ in range(depth):
        yield from layer
        layer = {inner for one in layer for inner in opened_up(one)} - seen
        seen |= layer
    yield from layer


def opened_up(data: bytes) -> Iterator[bytes]:
    yield from _packed(data)
    for token in set(re.findall(rb"[A-Za-z0-9+/_-]{12,}={0,2}", data)):
        yield from _from_base64(token)
    yield _entities(data)
    yield _escapes(data)
    yield unquote_to_bytes(data) if b"%" in data else data


def _packed(data: bytes) -> Iterator[bytes]:
    for match in re.finditer(rb"\x1f\x8b\x08", data):
        with_errors = zlib.decompressobj(31)
        yield from _inflated(with_errors, data[match.start() :])
    for match in re.finditer(rb"stream\r?\n", data):  # as in a PDF
        yield from _inflated(zlib.decompressobj(), data[match.end() :])
    if b"PK\x03\x04" in data:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                yield from (archive.read(name) + name.encode() for name in archive.namelist())
        except zipfile.BadZipFile:
            pass


def _inflated(stream: Any, data: bytes) -> Iterator[bytes]:
    try:
        yield stream.decompress(data)
    except zlib.error:
        return


def _from_base64(token: bytes) -> Iterator[bytes]:
    plain = token.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    for start in range(4 if len(plain) < 200 else 1):  # a token may begin in the middle of a run of letters
        cut = plain[start:]
        cut = cut[: len(cut) - (len(cut) % 4 == 1)]
        decoded = base64.b64decode(cut + b"=" * (-len(cut) % 4))
        if sum(32 <= byte < 127 for byte in decoded) > len(decoded) * 0.8 or decoded[:2] in (b"\x1f\x8b", b"PK"):
            yield decoded


def _entities(data: bytes) -> bytes:
    return html.unescape(data.decode("utf-8", "replace")).encode() if b"&" in data else data


def _escapes(data: bytes) -> bytes:
    return re.sub(rb"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})", _escape, data) if b"\\" in data else data


def _escape(match: re.Match[bytes]) -> bytes:
    return chr(int(match[1] or match[2], 16)).encode("utf-8", "replace")


class Seeker:
    """Looks for all canaries at once and answers with their names."""

    def __init__(self, canaries: Mapping[str, str]) -> None:
        spelt = {spelling: name for name, value in canaries.items() for spelling in spellings(value)}
        self._names = list(spelt.values())
        self._database = hyperscan.Database()
        flags = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH
        patterns = ["".join(f"\\x{byte:02x}" for byte in spelling).encode() for spelling in spelt]
        self._database.compile(expressions=patterns, ids=list(range(len(patterns))), flags=[flags] * len(patterns))

    def plainly_found(self, data: bytes) -> set[str]:
        """Without unwrapping anything: for the store's own bytes, which are large."""
        found: set[str] = set()

        def take(number: int, *_: object) -> None:
            found.add(self._names[number])

        self._database.scan(data, match_event_handler=take)
        return found

    def found(self, data: bytes) -> set[str]:
        return {name for layer in unwrapped(data) for name in self.plainly_found(layer)}


# --- what is planted ------------------------------------------------------------------------------


@dataclass(repr=False)
class Planted:
    """The input files, and every canary in them by its name.

    The first part of the name says how long it may stay in the store: ``stays``, ``due`` (until the purge), ``never``.
    """

    folder: Path
    today: datetime
    canaries: dict[str, str] = field(default_factory=dict)
    good: list[Path] = field(default_factory=list)
    older: Path = Path()
    broken: list[Path] = field(default_factory=list)

    def new(self, name: str, pattern: str = "{}") -> str:
        value = pattern.format(word(name))
        self.canaries[name] = word(name) if "{}" in pattern else value
        return value

    def write(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path


def person(planted: Planted, group: str, days: int, number: int = 0) -> dict[str, Any]:
    """One appointment with a canary in every declared column, ``days`` from today (in our own spelling)."""
    start = planted.today + timedelta(days=days)
    times = {
        name: f"{start + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S}Z"
        for name, minutes in (("starts_at", 0), ("ends_at", 20), ("booked_at", -30_000), ("received_at", -29_000))
    }
    for name, value in times.items():
        planted.canaries[f"{group}.{name}"] = value[:19]
    planted.canaries[f"{group}.mobile"] = f"17139299{number:02d}"
    return {
        "appointment_uid": planted.new(f"{group}.appointment_uid"),
        "calendar_ref": planted.new(f"{group}.calendar_ref", "Sprechzimmer {}"),
        "service_id": planted.new(f"{group}.service_id"),
        "location": planted.new(f"never.{group}.location", "Hinterhaus {}"),
        "first_name": planted.new(f"{group}.first_name", "<b onclick='x'>{}</b>"),
        "last_name": planted.new(f"{group}.last_name", "=HYPERLINK({}) A123456780"),
        "email": planted.new(f"{group}.email", "{}@example.org"),
        "mobile": f"+49{planted.canaries[f'{group}.mobile']}",
        **times,
    }


def pushed(row: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The same as eTermin's web push."""
    names = {
        "appointment_uid": "appointmentUID", "calendar_ref": "calendarName", "service_id": "serviceIDs",
        "location": "location", "first_name": "firstName", "last_name": "lastName", "email": "email",
        "mobile": "phone", "starts_at": "startDateTimeUTC", "ends_at": "endDateTimeUTC", "booked_at": "bookingDateUTC",
    }  # fmt: skip
    body = {"command": "CREATED"} | {names[name]: value for name, value in row.items() if name in names} | more
    return {"received_at": row["received_at"], "body": body}


def undeclared(planted: Planted, where: str) -> dict[str, Any]:
    """Fields that nobody declared, deep ones, and one whose name is a value."""
    deep = planted.new(f"never.{where}.deep")
    return {
        "notes": planted.new(f"never.{where}.notes"),
        "street": planted.new(f"never.{where}.street", "Lindenweg 7 {}"),
        "birthday": planted.new(f"never.{where}.birthday"),
        "selectedAnswers": [{"answer": planted.new(f"never.{where}.answer"), "er": {"deep": [deep]}}],
        planted.new(f"never.{where}.field_name", "{}@example.org"): "x",
    }  # fmt: skip


def bad_lines(planted: Planted, row: Mapping[str, Any]) -> Iterator[bytes]:
    """Lines that cannot be read, each with a canary of its own."""

    def line(name: str, **change: Any) -> bytes:
        person = dict(row, first_name=planted.new(f"never.rejected.{name}"), last_name="", email="", mobile="")
        return json.dumps(pushed(person, **change)).encode()

    yield line("truncated")[:-25]
    yield line("nul") + b"\0"
    yield line("wrong type", email={"x": planted.new("never.rejected.inside")})
    yield line("30 February", startDateTimeUTC="2026-02-30T10:00:00")
    yield line("time", endDateTimeUTC=planted.new("never.rejected.in a time"))
    yield line("number", participant=planted.new("never.rejected.in a number"))
    yield line("deep", notes="D").replace(b'"D"', b"[" * 5_000)
    yield line("encoding").replace(b"CREATED", b"CREATED\xff")
    yield line("twice")[:-2] + b', "firstName": "x"}}'
    yield planted.new("never.rejected.no json").encode()


def plant(folder: Path) -> Planted:
    """Write every input file: good, older than what is stored, and broken as a whole."""
    folder.mkdir()
    planted = Planted(folder, datetime.now(UTC).replace(microsecond=0))
    stays, due, expired = (
        person(planted, group, days, number)
        for number, (group, days) in enumerate((("stays", -40), ("due", -95), ("never.expired", -160)))
    )
    odd = planted.new("stays.command"), planted.new("stays.status")
    log = [
        pushed(stays, **undeclared(planted, "log")),
        pushed(due),
        pushed(due),
        pushed(expired),
        pushed(person(planted, "stays.odd", -39, 3), command=odd[0], status=odd[1]),
    ]
    lines = [*(json.dumps(one).encode() for one in log), *bad_lines(planted, stays)]
    held = person(planted, "stays.held", -96, 4)
    with_control = planted.new("path", "log\x1b[31m {}\n.ndjson")
    rows = [person(planted, "due.csv", -94, 6), person(planted, "stays.csv", -20, 7)]
    records = [person(planted, "stays.json", 3, 8) | {"note": planted.new("never.json.note")}]
    planted.good = [
        planted.write(with_control, b"\n".join([*lines, json.dumps(pushed(held)).encode()]) + b"\n"),
        planted.write("forms.log", _form(person(planted, "stays.form", -35, 5), planted)),
        planted.write("export.csv", _csv(rows, planted)),
        planted.write("export.json.gz", gzip.compress(json.dumps(records).encode())),
        _parquet(planted, person(planted, "stays.parquet", 4, 9)),
    ]
    older = person(planted, "never.older", -20, 10) | {"received_at": "2026-01-01T00:00:00Z"}
    twin = {name: word(f"stays.csv.{name}") for name in ("appointment_uid",)}
    planted.older = planted.write("older.json", json.dumps([older | twin]).encode())
    _break(planted, stays)
    for name in ("never.older.starts_at", "never.older.received_at"):
        del planted.canaries[name]  # the same instant as in another file, and a date of everybody
    return planted


def _form(row: Mapping[str, Any], planted: Planted) -> bytes:
    body = {name.upper(): value for name, value in pushed(row)["body"].items()}
    return urlencode(body | {"NOTES": planted.new("never.form.notes")}).encode() + b"\n"


def _csv(rows: Iterable[Mapping[str, Any]], planted: Planted) -> bytes:
    table = [{**row, "geburtsname": planted.new(f"never.csv.{number}")} for number, row in enumerate(rows)]
    lines = [";".join(table[0]), *(";".join(f'"{value}"' for value in row.values()) for row in table)]
    return ("\r\n".join(lines) + "\r\n" + planted.new("never.csv.short") + ";x\r\n").encode("utf-8-sig")


def _parquet(planted: Planted, row: Mapping[str, Any]) -> Path:
    path = planted.folder / "export.parquet"
    pl.DataFrame([{**row, "bemerkung": planted.new("never.parquet.remark")}]).write_parquet(path)
    return path


def mail(planted: Planted) -> Path:
    """A confirmation as eTermin would have sent it, to somebody."""
    name, address = planted.new("never.mail.name"), planted.new("never.mail.address", "{}@example.org")
    head = f"From: clinic@example.org\nTo: {address}\nSubject: Termin {name}\n"
    text = f"Guten Tag {name}, Ihre TAN ist {planted.new('never.mail.tan')}.\n"
    return planted.write("sent.eml", f"{head}Content-Type: text/plain; charset=utf-8\n\n{text}".encode())


def _break(planted: Planted, row: Mapping[str, Any]) -> None:
    def text(name: str) -> str:
        return json.dumps(dict(row, first_name=planted.new(f"never.broken.{name}"), last_name="", email="", mobile=""))

    def csv(name: str) -> str:
        return f"{planted.new(f'never.broken.{name}')};{planted.new(f'never.broken.{name} 2')}@example.org\r\n"

    planted.broken = [
        planted.write("array.json", f"[{text('array')}, {text('array, cut')[:-9]}".encode()),
        planted.write("headless.csv", (csv("no header") * 3).encode()),
        planted.write("changed.csv", b"appointment_uid;first_name;first_name\r\n" + csv("header").encode()),
        planted.write("wide.json", text("utf-16").encode("utf-16")),
        planted.write("cut.ndjson.gz", gzip.compress(text("gzip").encode() * 50)[:-20]),
        planted.write("cut.parquet", b"PAR1" + text("parquet").encode() + b"PAR1"),
        planted.write("deep.json", text("deep").encode() + b"[" * 100_000),
        planted.write("empty.json", b""),
        planted.write(planted.new("path.broken", "{} cut.json"), text("path").encode()[:-9]),
    ]


# --- everything that can be done ------------------------------------------------------------------


@contextmanager
def caught() -> Iterator[list[bytes]]:
    """Catch what is written to standard output and error, below Python's own objects, too."""
    streams: list[bytes] = []
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        kept = os.dup(1), os.dup(2)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            with (
                os.fdopen(os.dup(1), "w") as text_out,
                os.fdopen(os.dup(2), "w") as text_err,
                redirect_stdout(text_out),
                redirect_stderr(text_err),
            ):
                yield streams
        finally:
            for number, descriptor in zip((1, 2), kept, strict=True):
                os.dup2(descriptor, number)
                os.close(descriptor)
            for file in (out, err):
                file.seek(0)
                streams.append(file.read())


@dataclass(repr=False)
class Stage:
    """Runs the command line and keeps what it said, by a label without canaries.

    The verbs that touch data run as processes of their own, the many failures inside this one; in both cases all
    that is written to the two streams is caught, by whomever.
    """

    workspace: Path
    temporary: Path
    said: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    for_scripts: set[str] = field(default_factory=set)

    def run(self, label: str, *words: str | Path, code: int = 0, alone: bool = False) -> bytes:
        call = ["--workspace", str(self.workspace), *map(str, words)]
        ended, out, err = self.alone(call) if alone else self.inside(call)
        self.said[label] = (out, err)
        if "--json" in words:
            self.for_scripts.add(label)
        assert (label, ended, b"Traceback" in err) == (label, code, False)
        return out

    def alone(self, call: list[str]) -> tuple[int, bytes, bytes]:
        env = {**os.environ, "TMPDIR": str(self.temporary)}
        done = subprocess.run([*LIFECYCLE, *call], capture_output=True, check=False, env=env, cwd=self.temporary)
        return done.returncode, done.stdout, done.stderr

    def inside(self, call: list[str]) -> tuple[int, bytes, bytes]:
        from lifecycle.cli import main

        with pytest.MonkeyPatch.context() as patched, caught() as streams:
            patched.setattr(sys, "argv", ["lifecycle", *call])
            patched.setattr("tempfile.tempdir", str(self.temporary))
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = streams
        return int(ended.value.code or 0), out, err

    def serve(self, label: str, *words: str | Path) -> dict[str, bytes]:
        """Serve the preview, look at every part of the page as a browser would, save a text, and stop it."""
        template = self.workspace / "templates" / "change.de.txt"
        return self.served(label, ["preview", "serve", *map(str, words)], lambda address: looked_at(address, template))

    def desk(self, label: str, typed: str) -> None:
        """Serve the local pages, open each of them, ask for what is not there, and stop; then read what was kept."""
        shown = self.served(label, ["serve"], lambda address: desk_pages(address, typed))
        self.said |= {f"{label} {name}": (page, b"") for name, page in shown.items()}
        for path in self.state.rglob("*.json"):
            self.said[f"{label}, what was kept of the visit"] = (path.read_bytes(), b"")

    @property
    def state(self) -> Path:
        return self.workspace.parent / "state"

    def served(self, label: str, words: list[str], look: Callable[[SplitResult], dict[str, bytes]]) -> dict[str, bytes]:
        call = [*LIFECYCLE, "--workspace", str(self.workspace), *words]
        own = {"TMPDIR": str(self.temporary), "XDG_STATE_HOME": str(self.state)}
        env = {**os.environ, **own, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(call, stdout=PIPE, stderr=PIPE, env=env, cwd=self.temporary) as process:
            assert process.stdout is not None
            address = process.stdout.readline()
            try:
                shown = look(urlsplit(address.decode().strip()))
            finally:
                process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        self.said[label] = (address + out, err)
        assert (label, process.returncode, err) == (label, 0, b"")
        return shown

    def json(self, label: str, *words: str | Path, alone: bool = False) -> dict[str, Any]:
        found = json.loads(self.run(label, *words, "--json", alone=alone))
        assert isinstance(found, dict)
        return found


def looked_at(address: SplitResult, template: Path) -> dict[str, bytes]:
    """Every answer of the preview server by its path; a text is marked as copied and saved in between."""
    headers = {"Authorization": f"token {parse_qs(address.query)['token'][0]}", "Content-Type": "application/json"}
    asked = "?" + urlencode({"template": template.name, "fixture": "record", "scheme": "dark"})
    body = json.dumps({"template": template.name}).encode()
    shown: dict[str, bytes] = {}
    for path in ("/", "/api/snapshot", "/api/view", "/frame", "/api/compared", "/mail", "/api/changes", "/api/copied"):
        if path == "/api/copied":
            template.write_text(template.read_text("utf-8") + "\n", "utf-8")
        connection = HTTPConnection(str(address.hostname), address.port, timeout=30)
        connection.request("POST" if path == "/api/copied" else "GET", path + asked, body, headers)
        answer = connection.getresponse()
        shown[path] = answer.read()
        assert (path, answer.status) == (path, 200)
        connection.close()
    return shown


def desk_pages(address: SplitResult, typed: str) -> dict[str, bytes]:
    """Every local page in both languages once the first check is over, and the answers to what does not exist."""
    from lifecycle.report.desk.pages import PAGES

    def get(path: str) -> tuple[int, bytes]:
        connection = HTTPConnection(str(address.hostname), address.port, timeout=60)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, b"%r %s" % (answer.getheaders(), answer.read())
        finally:
            connection.close()

    headers = {"Authorization": f"token {parse_qs(address.query)['token'][0]}"}
    give_up = time.monotonic() + 90
    while "wird gerade geprüft".encode() in get("/de/1/findings")[1] or b"<table" not in get("/de/1/findings")[1]:
        assert time.monotonic() < give_up, "the first check does not end"
        time.sleep(0.3)
    paths = [f"/{language}/{place}" for language in ("de", "en") for place in ("", *(f"1/{name}" for name in PAGES))]
    shown = {}
    for path in (*paths, "/preview/1/", "/state"):
        status, shown[path] = get(path)
        assert (path, status) == (path, 200)
    for number, path in enumerate((f"/{typed}/", f"/de/1/{typed}", f"/assets/{typed}", f"/preview/{typed}/")):
        status, shown[f"nothing there {number}"] = get(path)
        assert (number, status) == (number, 404)
    return shown


@dataclass(repr=False)
class Played:
    """What was planted, what was said, and what lay in the workspace before and after the purge."""

    planted: Planted
    stage: Stage
    store_before: bytes


def play(folder: Path) -> Played:
    """The whole cycle with all its failures, on canaries."""
    planted = plant(folder / "input")
    stage = Stage(folder / "workspace", folder / "temporary")
    stage.temporary.mkdir()
    stage.run("init", "init", stage.workspace)
    take_in(stage, planted)
    look(stage, planted)
    store_before = b"".join(path.read_bytes() for path in (stage.workspace / "data").iterdir() if path.is_file())
    misuse(stage, planted)
    delete(stage, planted)
    return Played(planted, stage, store_before)


def take_in(stage: Stage, planted: Planted) -> None:
    day = f"{planted.today - timedelta(days=10):%Y-%m-%d}"
    counts = stage.json("ingest", "ingest", *planted.good, "--as-of", day, alone=True)
    assert (counts["expired"], counts["duplicates"]) == (1, 1)
    assert counts["rejected"] >= 10
    stage.run("ingest, shown", "ingest", *planted.good, "--as-of", day)
    assert stage.json("ingest, older", "ingest", planted.older)["duplicates"] == 1
    for path in planted.broken:
        stage.run(f"ingest broken {planted.broken.index(path)}", "ingest", path, code=3)
    stage.run("ingest, broken among good", "ingest", *planted.broken, planted.older, "--json", code=3, alone=True)
    stage.run("ingest a folder", "ingest", planted.folder, code=3)


def look(stage: Stage, planted: Planted) -> None:
    stage.run("check", "check", code=1)
    stage.run("check --json", "check", "--json", code=1, alone=True)
    for path in planted.good:
        stage.run(f"check file {planted.good.index(path)}", "check", path, "--json", code=1)
    for path in planted.broken[:5]:
        stage.run(f"check broken {planted.broken.index(path)}", "check", path, code=3)
    stage.run("doctor", "doctor", code=1)
    stage.run("report before any run", "report", "--no-second-opinion")


def misuse(stage: Stage, planted: Planted) -> None:
    """Values typed where they do not belong."""
    typed = planted.new("typed")
    limits = ("--max-rows", "1", "--max-percent", "1", "--until", "today")
    calls: dict[str, tuple[int, tuple[str, ...]]] = {
        "verb": (2, (typed,)),
        "option": (2, ("plan", f"--{typed}")),
        "surplus": (2, ("plan", typed)),
        "date": (2, ("plan", "--as-of", typed)),
        "number": (2, ("approve", "--standing", "--max-rows", typed)),
        "choice": (2, ("ingest", "x", "--dataset", typed)),
        "format": (2, ("ingest", str(planted.good[1]), "--format", typed)),
        "store": (2, ("check", "--store", typed)),
        "run": (2, ("purge", typed)),
        "approve": (2, ("approve", typed, "--role", "controller")),
        "role": (2, ("approve", "--standing", "--role", typed, *limits)),
        "ground": (2, ("hold", "add", "x", "--ground", typed)),
        "report": (2, ("report", typed)),
        "language": (2, ("report", "--language", typed, "--no-second-opinion")),
        "report format": (2, ("report", "--format", typed, "--no-second-opinion")),
        "hold": (2, ("hold", "lift", typed)),
    }  # fmt: skip
    for label, (code, words) in calls.items():
        stage.run(f"misused: {label}", *words, code=code, alone=label == "surplus")


def delete(stage: Stage, planted: Planted) -> None:
    """Holds, refusals, drift, the purge, its proof, the reports, and then everything broken."""
    stage.run("hold add", "hold", "add", word("stays.held.appointment_uid"), "--ground", "legal-claims", "--json")
    run = stage.json("plan", "plan")["runId"]
    stage.run("plan the future", "plan", "--as-of", "2999-01-01", code=6)
    stage.run("purge without approval", "purge", run, code=6)
    stage.run("approve as dpo", "approve", run, "--role", "dpo", code=6)
    stage.run("approve", "approve", run, "--role", "controller")
    stage.run("hold the due", "hold", "add", word("due.appointment_uid"))
    stage.run("purge with drift", "purge", run, code=6)
    stage.run("hold lift", "hold", "lift", "2")
    stage.run("hold list", "hold", "list")
    stage.run("hold list --json", "hold", "list", "--json")
    stage.run("purge without standing approval", "purge", "--as-of", "today", code=6)
    stage.run("approve --standing", "approve", "--standing", "--role", "controller", "--max-rows", "100",
              "--max-percent", "100", "--until", f"{planted.today + timedelta(days=60):%Y-%m-%d}")  # fmt: skip
    purged = stage.json("purge", "purge", "--as-of", "today", alone=True)
    assert (purged["outcome"], purged["held"], purged["failed"]) == ("sealed", 1, 0)
    assert purged["deleted"] >= 2
    stage.run("verify", "verify", alone=True)
    stage.run("report de", "report", "--language", "de", "--json", alone=True)
    stage.run("report en", "report", "--language", "en", "--format", "html,pdf,json", "--no-second-opinion")
    stage.run("preview", "preview", "build", "--json")
    stage.desk("serve", planted.new("typed as an address"))
    sent = mail(planted)
    stage.run("preview compare", "preview", "compare", sent, "--json")
    stage.run("preview compare, learning", "preview", "compare", sent, "--learn", "--json")
    shown = stage.serve("preview serve", "--record", word("stays.csv.appointment_uid"), "--mail", sent)
    assert word("stays.csv.first_name").encode() in shown["/api/view"]
    assert word("never.mail.name").encode() in shown["/api/compared"]
    stage.run("restore check", "restore", "check", "--json")
    stage.run("ingest after the purge", "ingest", *planted.good)
    (stage.workspace / "evidence" / "checkpoint").write_bytes(b"broken")
    for verb in (["verify"], ["report"], ["purge", "--as-of", "today"], ["ingest", str(planted.older)]):
        stage.run(f"{verb[0]}, evidence broken", *verb, code=7)
    store = stage.workspace / "data" / "lifecycle.duckdb"
    kept = store.read_bytes()
    store.write_bytes(kept[:5_000] + b"\0" * 9_000)
    stage.run("check, store broken", "check", code=4)
    store.unlink()
    stage.run("check, store missing", "check", "--json", code=4)
    store.write_bytes(kept)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory.mktemp("canaries"))


# --- and what came out ----------------------------------------------------------------------------


@pytest.mark.slow
def test_nothing_that_is_said_holds_a_canary(played: Played) -> None:
    """Every verb and every failure, with and without ``--json``. The path of an input file is for people only."""
    seeker = Seeker(played.planted.canaries)
    leaks = []
    for label, (out, err) in played.stage.said.items():
        for_people = label not in played.stage.for_scripts
        leaks += [(label, "out", name) for name in seeker.found(out) if not (for_people and name.startswith("path"))]
        leaks += [(label, "err", name) for name in seeker.found(err)]
    assert sorted(leaks) == []


@pytest.mark.slow
def test_no_file_of_the_workspace_but_the_store_holds_a_canary(played: Played) -> None:
    """Reports in both languages, evidence, approvals, previews; names of files and folders too."""
    seeker = Seeker(played.planted.canaries)
    root = played.stage.workspace
    files = [path for path in root.rglob("*") if path.is_file() and path.parent.name != "data"]
    assert {path.suffix for path in files} >= {".html", ".json", ".pdf", ".toml", ".key"}
    leaks = {(path.relative_to(root).as_posix(), name) for path in files for name in seeker.found(path.read_bytes())}
    leaks |= {("a name", name) for path in root.rglob("*") for name in seeker.found(os.fsencode(path.name))}
    assert sorted(leaks) == []


@pytest.mark.slow
def test_what_is_never_stored_is_not_in_the_store_either(played: Played) -> None:
    """Undeclared, expired, rejected and older values touch no byte of it; what stays shows that the search sees."""
    seeker = Seeker(played.planted.canaries)
    before = seeker.plainly_found(played.store_before)
    assert sorted(name for name in before if name.startswith("never")) == []
    stored = {f"{group}.{name}" for group in ("stays", "due", "stays.csv") for name in ("first_name", "email")}
    assert sorted(stored - before) == []


@pytest.mark.slow
def test_after_the_purge_nothing_of_the_deleted_is_left(played: Played) -> None:
    """No byte in the store, its write-ahead log or a temporary folder; those who stay are still there."""
    seeker = Seeker(played.planted.canaries)
    data = {path: path.read_bytes() for path in (played.stage.workspace / "data").rglob("*") if path.is_file()}
    left = {name for content in data.values() for name in seeker.plainly_found(content)}
    assert sorted(name for name in left if name.startswith(("due", "never"))) == []
    assert "stays.email" in left
    assert "stays.held.email" in left


@pytest.mark.slow
def test_nothing_is_left_in_temporary_folders(played: Played) -> None:
    """Neither DuckDB's nor anybody else's."""
    assert [path.name for path in played.stage.temporary.rglob("*")] == []
    assert [path.name for path in (played.stage.workspace / "data").iterdir()] == ["lifecycle.duckdb"]


def zipped(text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.txt", text)
    return packed.getvalue()


WRAPPINGS: dict[str, Callable[[str], str | bytes]] = {
    "plain": lambda text: text,
    "upper case": str.upper,
    "utf-16": lambda text: text.encode("utf-16"),
    "hex": lambda text: text.encode().hex(),
    "entities": lambda text: "".join(f"&#x{ord(char):x};" for char in text),
    "json escapes": lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
    "percent": lambda text: "".join(f"%{ord(char):02x}" for char in text),
    "base64": lambda text: base64.b64encode(b"some text " + text.encode()),
    "data uri": lambda text: b"data:text/html;base64," + base64.b64encode(f"<p>{text}</p>".encode()),
    "url-safe base64 in json": lambda text: json.dumps({"a": base64.urlsafe_b64encode(text.encode()).decode()}),
    "gzip": lambda text: b"prefix" + gzip.compress(text.encode()),
    "zip": zipped,
    "pdf stream": lambda text: b"obj\nstream\n" + zlib.compress(text.encode()) + b"\nendstream",
    "base64 of gzip": lambda text: base64.b64encode(gzip.compress(text.encode())),
    "notebook": lambda text: json.dumps({"metadata": {"p": quote(json.dumps(text))}}),
    "sha256": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "md5": lambda text: hashlib.md5(text.encode()).hexdigest().upper(),
    "base64 of sha256": lambda text: base64.b64encode(hashlib.sha256(text.encode()).digest()),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_the_search_sees_through(wrapping: str) -> None:
    """A search that cannot find what is hidden this way proves nothing by finding nothing."""
    hidden = WRAPPINGS[wrapping](word("hidden"))
    data = hidden.encode() if isinstance(hidden, str) else hidden
    assert Seeker({"hidden": word("hidden"), "other": word("other")}).found(b"{'x': '" + data + b"'}") == {"hidden"}
