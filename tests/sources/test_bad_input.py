"""What is broken is a counted reject with a reason and a line, or one clear sentence; never content."""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.errors import SourceError, UsageError
from lifecycle.sources import open_file
from lifecycle.sources.files import LONGEST_LINE_BYTES

BERLIN = ZoneInfo("Europe/Berlin")
CANARY = "Canary-Zeisig"
GOOD = b'{"command": "CREATED", "appointmentUID": "a1", "firstName": "Canary-Zeisig"}'


def _with(**members: Any) -> bytes:
    return json.dumps({"command": "CREATED", "appointmentUID": "a1", **members}).encode()


BAD_LINES = {
    "truncated": (GOOD[:-9], "bad-json"),
    "nothing like json": (b'{Canary-Zeisig"', "bad-json"),
    "not a number": (_with(phone=float("nan")), "bad-json"),
    "lower-case nan": (b'{"command": "CREATED", "appointmentUID": "a1", "phone": nan}', "bad-json"),
    "infinity, undeclared": (_with(price=float("inf")), "bad-json"),
    "nan deep inside": (_with(extra=[{"a": float("nan")}]), "bad-json"),
    "trailing comma": (GOOD[:-1] + b",}", "bad-json"),
    "trailing comma, spaced": (GOOD[:-1] + b" ,  }", "bad-json"),
    "two objects": (GOOD + GOOD, "bad-json"),
    "text behind": (GOOD + b" Canary-Zeisig", "bad-json"),
    "leading zero": (b'{"command": "CREATED", "appointmentUID": 007}', "bad-json"),
    "raw tab": (b'{"command": "CREATED", "appointmentUID": "a\t1"}', "bad-json"),
    "array": (b"[" + GOOD + b"]", "not-an-object"),
    "text": (b'"Canary-Zeisig"', "not-an-object"),
    "number": (b"4711", "not-an-object"),
    "wrapped number": (b'{"body": 4711}', "not-an-object"),
    "wrapped nothing": (b'{"received_at": "2026-05-01T07:00:00Z", "body": null}', "not-an-object"),
    "two bodies": (b'{"body": ' + GOOD + b', "body": ' + GOOD + b"}", "duplicate-key"),
    "nul byte": (GOOD[:-3] + b'\0"}', "nul-byte"),
    "nul escape": (_with(firstName="Canary\0Zeisig"), "nul-byte"),
    "latin": ('{"command": "CREATED", "appointmentUID": "ä"}'.encode("cp1252"), "bad-encoding"),
    "half a pair": (b'{"command": "CREATED", "appointmentUID": "a1", "firstName": "\\ud800"}', "bad-encoding"),
    "same name twice": (GOOD[:-1] + b', "firstName": "x"}', "duplicate-key"),
    "same field twice": (GOOD[:-1] + b', "FIRSTNAME": "x"}', "duplicate-key"),
    "object for a text": (_with(email={"private": CANARY}), "not-text"),
    "list for a text": (_with(email=[CANARY]), "not-text"),
    "no command": (b'{"appointmentUID": "a1", "firstName": "Canary-Zeisig"}', "no-command"),
    "blank command": (b'{"command": " ", "appointmentUID": "a1"}', "no-command"),
    "30 February": (_with(startDateTimeUTC="2026-02-30T10:00:00"), "bad-time"),
    "no time": (_with(endDateTime=CANARY), "bad-time"),
    "year 1": (_with(endDateTime="0001-01-01T00:00:00"), "bad-time"),
    "participant": (_with(participant="zwei"), "bad-number"),
    "deep": (b'{"command": "CREATED", "notes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too-deep"),
    "deep and open": (b'{"command": "CREATED", "notes": ' + b'{"a":' * 50_000, "too-deep"),
    "long": (_with(notes="x" * LONGEST_LINE_BYTES), "too-long"),
    "form": (b"COMMAND=CREATED&Canary-Zeisig", "bad-form"),
    "form, latin": (b"COMMAND=CREATED&FIRSTNAME=J%F6rg", "bad-encoding"),
}


@pytest.mark.parametrize("kind", BAD_LINES)
@pytest.mark.parametrize("around", [1, 400])
def test_a_bad_line_is_one_reject_and_the_file_goes_on(kind: str, around: int, read_bytes: Any) -> None:
    """Whatever stands around it (which way it is read depends on that): its reason, its line, all others kept."""
    line, reason = BAD_LINES[kind]
    found = read_bytes(b"\n".join([*[GOOD] * around, b"", line, b"  ", GOOD]))
    assert found.rejects == [(reason, around + 2)]
    assert [row["line"] for row in found.rows] == [*range(1, around + 1), around + 4]
    assert found.read == around + 2
    assert found.undeclared.get(CANARY) is None


@pytest.mark.parametrize("kind", [kind for kind in BAD_LINES if kind != "array"])
def test_a_file_of_bad_lines_only(kind: str, read_bytes: Any) -> None:
    """The same line alone, many times, gives the same reason many times (an array would be a document)."""
    line, reason = BAD_LINES[kind]
    times = 3 if len(line) > 100_000 else 400
    found = read_bytes(b"\n".join([line] * times), format="webpush")
    assert found.rejects == [(reason, number) for number in range(1, times + 1)]


class _Zeros(io.RawIOBase):
    """A log of one good line, a line of 200 MB, and another good line, that exists nowhere as a whole."""

    def __init__(self) -> None:
        self._parts = [GOOD + b"\n", *[b"x" * (1 << 20)] * 200, b"\n", GOOD]

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        if not self._parts:
            return 0
        part = self._parts.pop(0)
        now, later = part[: len(view)], part[len(view) :]
        if later:
            self._parts.insert(0, later)
        view[: len(now)] = now
        return len(now)


def test_a_line_of_200_megabytes_is_skipped_while_it_is_read() -> None:
    """It is one reject, no block holds it, and the lines behind it have their numbers."""
    from lifecycle.sources.files import blocks

    found = list(blocks(io.BufferedReader(_Zeros()), 4 << 20))
    assert [(one.reason, one.line) for block in found for one in block.rejects] == [("too-long", 2)]
    assert [number for block in found for number in block.numbers.tolist()] == [1, 3]
    assert max(len(block.data) for block in found) < 8 << 20


class _Pipe(io.BytesIO):
    """What can only be read on, like a packed file."""

    def seekable(self) -> bool:
        return False


@given(
    parts=st.lists(st.sampled_from([b"\n", b"\r\n", b"a", b" ", b"\xef\xbb\xbf", b"b" * 300, b"\n" * 300]), max_size=9),
    chunk_bytes=st.integers(1, 700),
    stream=st.sampled_from([io.BytesIO, _Pipe]),
)
def test_lines_are_the_same_wherever_the_file_is_cut(
    parts: list[bytes], chunk_bytes: int, stream: type[io.BytesIO]
) -> None:
    """Each line once, whole, under its number, with bytes behind it; blank ones and the byte order mark left out."""
    from lifecycle.sources.files import PADDING_BYTES, blocks

    data = b"".join(parts)
    expected = [(n, one) for n, one in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1) if one.strip()]
    found = list(blocks(stream(data), chunk_bytes))
    assert [one for block in found for one in block.lines()] == expected
    assert all(len(block.data) >= block.ends[-1] + PADDING_BYTES for block in found)


def _fails(path: Path, **options: Any) -> SourceError:
    with pytest.raises(SourceError) as failed:
        list(open_file(path, zone=BERLIN, **options).batches())
    assert failed.value.hint
    assert failed.value.fact.endswith(".")
    assert CANARY not in str(failed.value)
    return failed.value


BROKEN_FILES = {
    "nothing": (b"", "empty"),
    "blank": (b" \n\t\n", "empty"),
    "utf-16": ('[{"command": "CREATED"}]'.encode("utf-16"), "UTF-16"),
    "utf-32": ('[{"command": "CREATED"}]'.encode("utf-32"), "UTF-32"),
    "array cut off": (b"[" + GOOD + b",", "element 2"),
    "array not closed": (b"[" + GOOD, "after element 1"),
    "array without comma": (b"[" + GOOD + b" " + GOOD + b"]", "after element 1"),
    "array and more": (b"[" + GOOD + b"] x", "follows"),
    "array with nan": (b"[" + GOOD + b", NaN]", "element 2"),
    "array too deep": (b"[" + GOOD + b"," + b"[" * 100_000 + b"]" * 100_000 + b"]", "element 2"),
    "array in latin": (b"[" + GOOD + ', "ä"]'.encode("cp1252"), "UTF-8"),
    "gzip cut off": (gzip.compress(GOOD * 99)[:-9], "too early"),
    "gzip damaged": (b"\x1f\x8bCanary-Zeisig", "damaged"),
    "parquet": (b"PAR1Canary-Zeisig", "Parquet"),
    "no header": (b"Canary-Zeisig;Muster;canary@example.org\n", "could not be told"),
    "header changed": (b"number;firstname;email\n1;Canary-Zeisig;canary@example.org\n", "none of them"),
    "header twice": (b"appointment_uid;email;E_MAIL\na1;canary@example.org;\n", "more than one"),
    "noise": (bytes(range(1, 256)) * 9, "could not be told"),
}


@pytest.mark.parametrize("kind", BROKEN_FILES)
def test_a_broken_file_is_one_clear_sentence(kind: str, tmp_path: Path) -> None:
    """A document, a header, a container: refused as a whole, with a hint, without content."""
    data, words = BROKEN_FILES[kind]
    path = tmp_path / "input"
    path.write_bytes(data)
    assert words in _fails(path).fact


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    """A folder, a missing file, a pipe, a path with a NUL, a loop of links."""
    pipe, loop = tmp_path / "pipe", tmp_path / "loop"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    assert "folder" in _fails(tmp_path).fact
    assert "does not exist" in _fails(tmp_path / "missing").fact
    assert "not a regular file" in _fails(pipe).fact
    assert "cannot be opened" in _fails(loop).fact
    assert "cannot be opened" in _fails(tmp_path / "a\0b").fact


def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    """The bytes unpacked are counted while they come, whatever the file says of itself."""
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"\n" * (8 << 20)))
    assert "unpacks to more than" in _fails(path, format="webpush", max_unpacked_bytes=1 << 20).fact
    assert "unpacks to more than" in _fails(path, format="csv", max_unpacked_bytes=1 << 20).fact


def test_an_empty_log_is_fine_if_it_is_said_to_be_one(read_bytes: Any) -> None:
    """Zero messages with --format; an empty table is still no table."""
    assert read_bytes(b"", format="webpush").read == 0
    assert read_bytes(b"\n", format="ndjson").read == 0
    with pytest.raises(SourceError, match="empty"):
        read_bytes(b"", format="csv")


def test_an_unknown_format_is_a_wrong_call(read_bytes: Any) -> None:
    """And the hint lists the known ones."""
    with pytest.raises(UsageError) as failed:
        read_bytes(GOOD, format="xml")
    assert "webpush" in failed.value.hint


def test_csv_rejects_have_a_reason_and_a_line(read_bytes: Any) -> None:
    """NUL bytes, bytes of no encoding, a quote in the wrong place, a cell without end."""
    lines = [
        b"appointment_uid;email",
        b"a1;x@example.org",
        b"a2;\0",
        b"a3;\x81",
        b'a4;"x" y',
        b"a5;" + b"x" * LONGEST_LINE_BYTES,
        b"a6;x@example.org",
        b'a7;"' + b"\nxxxxxxxx" * 20_000,
    ]
    found = read_bytes(b"\n".join(lines))
    assert [row["line"] for row in found.rows] == [2, 7]
    assert found.rejects[:4] == [("nul-byte", 3), ("bad-encoding", 4), ("bad-csv", 5), ("too-long", 6)]
    assert found.rejects[4] == ("bad-csv", 8)


@pytest.mark.parametrize("closed", [b"", b'\na5;"x"'])
def test_a_quote_that_is_never_closed_loses_no_line_unseen(closed: bytes, read_bytes: Any) -> None:
    """It takes in the lines behind it, to the end or to the next quote; each of them is a reject of its own."""
    found = read_bytes(b'appointment_uid;email\na1;x@example.org\na2;"x\na3;x@example.org\na4;' + closed)
    assert [row["line"] for row in found.rows] == [2]
    assert found.rejects == [("bad-csv", line) for line in range(3, 6 + bool(closed))]


def test_names_that_may_be_values_are_not_repeated(read_bytes: Any) -> None:
    """A key that is a number, an address, an account or too long is counted without its name."""
    names = ["erika@example.org", "015228817386", "DE89370400440532013000", "x" * 65, "a<b>", "", "9"]
    found = read_bytes(GOOD + b"\n" + _with(**dict.fromkeys(names, "x")), format="webpush")
    assert found.undeclared == {"(unnamed)": len(names)}
    assert len(found.rows) == 2
