"""Reading by columns means exactly what reading line by line means."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.sources.columnar import ColumnarReader
from lifecycle.sources.evidence import weigh
from lifecycle.sources.files import blocks
from lifecycle.sources.names import Names
from lifecycle.sources.objects import Parsed, message_line, parse
from lifecycle.sources.uniform import FEWEST_LINES

NAMES = Names("events", without=frozenset({"channel"}))
CAREFUL = partial(parse, names=NAMES, members=message_line, command=True)


def by_line(data: bytes) -> list[Parsed]:
    return [CAREFUL(block.lines()) for block in blocks(io.BytesIO(data))]


def comparable(parsed: Parsed) -> tuple[Any, ...]:
    rows = [{name: value for name, value in row.items() if value not in (None, "")} for row in parsed.slots.to_dicts()]
    rejects = sorted((one.line, one.reason) for one in parsed.rejects)
    return rows, rejects, {name: count for name, count in parsed.undeclared.items() if count}


@pytest.fixture(scope="module")
def reader() -> Iterator[ColumnarReader]:
    found = ColumnarReader(NAMES, CAREFUL, wrapped=True, command=True)
    yield found
    found.close()


NAMED = "command appointmentUID firstName FIRSTNAME email phone startDateTimeUTC notes NOTES receivedAt received_at ZIP"
names = st.sampled_from([*NAMED.split(), "body", "Body", "a,b", 'a"b', "x y", "ä", "", "calendarId", "serviceIDs"])
texts = st.sampled_from(["", " ", "x", ":", '"', '":', "a\\", "ä", "\0", "{}", ",}", " }", "NaN", "CREATED", "\u2028"])
values = st.one_of(
    texts,
    texts,
    texts,
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([1.5, float("nan"), [], {}, ["x"], {"a": None}, [[[]]]]),
)
flat = st.lists(st.tuples(names, values), max_size=7)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """One line: an object of any members (repeated ones too), wrapped or not, in any style, sometimes broken."""
    colon, comma = draw(st.sampled_from([(":", ","), (": ", ", "), (" : ", " ,"), (":", ",")]))

    def written(members: list[tuple[str, Any]], ascii_only: bool = False) -> str:
        pairs = (
            json.dumps(name, ensure_ascii=ascii_only)
            + colon
            + (value if isinstance(value, _Raw) else json.dumps(value, ensure_ascii=ascii_only))
            for name, value in members
        )
        return "{" + comma.join(pairs) + "}"

    ascii_only = draw(st.booleans())
    text = written([*draw(flat), ("command", "CREATED")] if draw(st.booleans()) else draw(flat), ascii_only)
    if draw(st.booleans()):
        text = written([*draw(flat), ("body", _Raw(text))])
    data = text.encode()
    broken = draw(st.sampled_from(["no"] * 9 + ["cut", "comma", "byte"]))
    if broken == "cut":
        return data[: draw(st.integers(0, len(data)))]
    if broken == "comma":
        return data.replace(b"}", b",}")
    return data.replace(b"x", b"\xff") if broken == "byte" else data


class _Raw(str):
    """JSON text that stands as it is."""


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(lines(), st.just(b'{"command":"CREATED","notes":""}')), min_size=1, max_size=12))
def test_any_lines_mean_the_same_both_ways(reader: ColumnarReader, many: list[bytes]) -> None:
    """Whatever the reader has learned before and whatever stands beside a line."""
    data = b"\n".join(many) + b"\n"
    for block, expected in zip(blocks(io.BytesIO(data)), by_line(data), strict=True):
        assert comparable(reader.parse(block)) == comparable(expected)


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """Some hundred lines by up to three writers of habit, each with its own names and style, odd lines in between."""
    chance = draw(st.randoms(use_true_random=False))
    members = st.lists(names, min_size=1, max_size=5, unique=draw(st.booleans()))
    writers = draw(st.lists(st.tuples(members, members, st.booleans(), st.booleans()), min_size=1, max_size=3))
    odd = draw(st.lists(lines(), max_size=4))
    end = draw(st.sampled_from([b"\n", b"\r\n", b" \n", b"\n\n"]))

    said = {name: chance.sample(WORDS, chance.randint(1, 3)) for writer in writers for name in writer[0] + writer[1]}

    def line() -> bytes:
        outer, inner, wrapped, spaced = chance.choice(writers)
        separators = (", ", ": ") if spaced else (",", ":")

        def written(names: list[str]) -> str:
            pairs = [f"{json.dumps(name)}{separators[1]}{json.dumps(chance.choice(said[name]))}" for name in names]
            return separators[0].join(pairs)

        text = "{" + written(outer)
        text += f'{separators[0]}"body"{separators[1]}{{{written(inner)}}}}}' if wrapped else "}"
        return text.replace("\\u00e4", "ä").replace("\\u00a0", "\u00a0").encode()

    count = draw(st.integers(FEWEST_LINES, 3 * FEWEST_LINES))
    many = [line() if chance.random() < 0.98 or not odd else chance.choice(odd) for _ in range(count)]
    return end.join(many) + end


WORDS = [
    "",
    " ",
    "x",
    "CREATED",
    "ä",
    "ä ",
    "xä",
    "\u00a0x",
    "+491713920059",
    "2026-05-01T07:00:00Z",
    'a"b',
    "a\\b",
    "{",
    "a:b",
]


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(logs())
def test_lines_written_alike_mean_the_same_by_their_pattern(data: bytes) -> None:
    """What is read by where the quotes stand is what each line says on its own; what is called neat is neat."""
    reader = ColumnarReader(NAMES, CAREFUL, wrapped=True, command=True)
    for block, expected in zip(blocks(io.BytesIO(data)), by_line(data), strict=True):
        parsed = reader.parse(block)
        assert comparable(parsed) == comparable(expected)
        for slot in parsed.neat:
            assert all(value and value == value.strip() for value in parsed.slots[slot])
    reader.close()


def test_a_line_that_breaks_the_pattern_anywhere_is_not_read_by_it(reader: ColumnarReader) -> None:
    """One byte changed at each place of one line among many that are alike: it still says what it says."""
    line = b'{"received_at":"2026-05-01T07:00:00Z","body":{"command":"CREATED","email":"a:b","notes":""}}'
    for place in range(len(line)):
        odd = line[:place] + b"x" + line[place + 1 :]
        data = b"\n".join([line] * FEWEST_LINES + [odd] + [line] * FEWEST_LINES) + b"\n"
        (block,), (expected,) = blocks(io.BytesIO(data)), by_line(data)
        assert comparable(reader.parse(block)) == comparable(expected), place


def test_a_text_is_called_neat_only_where_nothing_has_to_be_trimmed(reader: ColumnarReader) -> None:
    """Neat texts are stored as they are; whitespace of any kind, at either end of one of them, would be stored too."""
    for text, is_neat in [("x", True), ("Öz", True), ("Weiß", True), ("x ", False), ("\u00a0x", False), ("", False)]:
        line = '{{"command":"CREATED","email":"{}"}}\n'
        data = (line.format("a") * FEWEST_LINES + line.format(text)).encode()
        (block,) = blocks(io.BytesIO(data))
        assert ("email" in reader.parse(block).neat) == is_neat, text


def test_a_uniform_log_is_read_without_looking_at_single_lines() -> None:
    """Plain lines are proved plain: the careful path is not called, else speed would be lost unseen."""

    def never(_: Any) -> Parsed:
        raise AssertionError("a plain line was read on its own")

    line = b'{"received_at": "2026-05-01T07:00:00Z", "body": {"command": "CREATED", "email": "a:b", "notes": "x"}}\n'
    reader = ColumnarReader(NAMES, never, wrapped=True, command=True)
    (block,) = blocks(io.BytesIO(line * 500))
    parsed = reader.parse(block)
    reader.close()
    assert parsed.slots.height == 500
    assert parsed.undeclared == {"notes": 500}


def test_evidence_counts_members_and_odd_places() -> None:
    """Counts over slices are those of the whole, and an odd place lies in its line."""
    plain = b'{"a": "1", "b": {"c": "x"}}\n'
    data = plain * 40_000 + b'{"a" : "1\\""}\n'
    whole = weigh(data, 0, len(data))
    assert (whole.members, whole.quotes) == (3 * 40_000, 10 * 40_000 + 5)
    assert np.unique(np.searchsorted(np.flatnonzero(np.frombuffer(data, np.uint8) == 10), whole.odd)).tolist() == [
        40_000
    ]
    assert weigh(data, 0, 40_000 * len(plain)).all_known(3 * 40_000, 40_000)
    assert not weigh(data, 0, 40_000 * len(plain)).all_known(3 * 40_000 - 1, 40_000)


def test_an_undeclared_field_far_down_is_seen(read_bytes: Any) -> None:
    """A field that no line had before, in one line of many, far behind what was learned from."""
    line = b'{"command": "CREATED", "appointmentUID": "a1", "phone": "1"}\n'
    odd = b'{"command": "CREATED", "appointmentUID": "a1", "phone": 1, "x": 2}\n'
    found = read_bytes(line * 3000 + odd + line * 10)
    assert found.undeclared == {"x": 1}
    assert found.read == len(found.rows) == 3011
    assert pl.Series([row["mobile"] for row in found.rows]).unique().to_list() == ["1"]
