"""Reading by columns means exactly what reading line by line means."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from itertools import product
from typing import Any
from urllib.parse import urlencode

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lifecycle.errors import SourceError
from lifecycle.sources.columnar import ColumnarReader
from lifecycle.sources.dialect import Dialect
from lifecycle.sources.documents import elements, parts
from lifecycle.sources.evidence import weigh
from lifecycle.sources.files import Block, blocks
from lifecycle.sources.messages import PUSHED
from lifecycle.sources.names import Names
from lifecycle.sources.objects import Parsed, message_line, parse
from lifecycle.sources.uniform import FEWEST_LINES, UniformReader

NAMES = Names("events", without=frozenset({"channel"}))
CAREFUL = partial(parse, names=NAMES, members=message_line, command=True)


def by_line(data: bytes) -> list[Parsed]:
    return [CAREFUL(block.lines()) for block in blocks(io.BytesIO(data))]


def comparable(parsed: Parsed) -> tuple[Any, ...]:
    rows = [{name: value for name, value in row.items() if value not in (None, "")} for row in parsed.slots.to_dicts()]
    rejects = sorted((one.line, one.reason) for one in parsed.rejects)
    return rows, rejects, {name: count for name, count in parsed.undeclared.items() if count}


USUAL = ["appointmentUID", "firstName", "first_name", "email", "phone", "startDateTimeUTC", "notes", "ZIP"]
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
flat = st.lists(st.tuples(st.one_of(st.sampled_from(USUAL), names), values), max_size=7)


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


FORM_TEXTS = [*'xyA_ =&;+%"\\\t', "%20", "%22", "%5C", "%0A", "%00", "%26", "%3D", "%C3%A4", "%A4", "%zz", "%4", "ä"]
form_names = st.sampled_from(
    [*["COMMAND", "APPOINTMENTUID", "EMAIL", "PHONE", "NOTES", "BODY", "ZIP", "X%C3%A4"], "A B", ""]
)


@st.composite
def forms(draw: st.DrawFn) -> bytes:
    """One line of form variables, sometimes with what has no place in it."""
    value = st.lists(st.sampled_from(FORM_TEXTS), max_size=3).map("".join)
    plain = st.sampled_from(["CREATED", "a1", "", "x%40example.org"])
    pairs = draw(st.lists(st.tuples(form_names, st.one_of(plain, value)), min_size=1, max_size=6))
    pairs += [("COMMAND", "CREATED")] * draw(st.integers(0, 1))
    text = "&".join(f"{name}={text}" for name, text in pairs)
    return (text + draw(st.sampled_from(["", "", "", " ", "&", "=", "\r", "\0"]))).encode()


@st.composite
def in_bodies(draw: st.DrawFn) -> bytes:
    """One line of a gateway that keeps the form variables it received as a text."""
    text = draw(forms()).decode()
    text = json.dumps(text) if draw(st.booleans()) else f'"{text}"'
    body = draw(st.sampled_from(['"body":', '"body":', '"body": ', '"body" : ', '"Body":', 'x"body":', '"a":{"body":']))
    before = draw(
        st.sampled_from(["", '"received_at":"2026-05-01T07:00:00Z",', '"body":"X=1",', '"a":"\\"body\\":\\"A=b",'])
    )
    behind = draw(
        st.sampled_from(["", "", "", ',"command":"CREATED"', ',"notes":"a+b=c&d"', ',"body":{}', "}", ',"ZIP":1'])
    )
    return f"{{{before}{body}{text}{behind}}}".encode()


PLAIN = b'{"command":"CREATED","notes":""}'


class _Raw(str):
    """JSON text that stands as it is."""


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    st.one_of(
        st.lists(st.one_of(lines(), lines(), forms(), st.just(PLAIN)), min_size=1, max_size=12),
        st.lists(forms(), min_size=1, max_size=12),
        st.lists(st.one_of(in_bodies(), in_bodies(), st.just(PLAIN)), min_size=1, max_size=12),
    )
)
def test_any_lines_mean_the_same_both_ways(many: list[bytes]) -> None:
    """Whatever stands beside a line, and whether the reader has met its like before or not."""
    data = b"\n".join(many) + b"\n"
    with closing(ColumnarReader(NAMES, CAREFUL, wrapped=True, command=True, forms=True)) as reader:
        for _ in "unknown", "known":
            for block, expected in zip(blocks(io.BytesIO(data)), by_line(data), strict=True):
                assert comparable(reader.parse(block)) == comparable(expected)


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """Some hundred lines by up to three writers of habit, each with its own names and style, odd lines in between.

    Odd lines are any line at all, or one of a writer with one byte changed, left out or put in.
    """
    chance = draw(st.randoms(use_true_random=False))
    usual = st.lists(st.sampled_from(USUAL), min_size=1, max_size=5, unique=True)
    members = st.one_of(usual, usual, usual, st.lists(names, min_size=1, max_size=5, unique=draw(st.booleans())))
    styles = st.sampled_from(["bare", "wrapped", "form"])
    writers = draw(st.lists(st.tuples(members, members, styles, st.booleans()), min_size=1, max_size=3))
    odd = draw(st.lists(st.one_of(lines(), forms()), max_size=4))
    end = draw(st.sampled_from([b"\n", b"\r\n", b" \n", b"\n\n"]))
    said = {
        name: chance.sample(WORDS, chance.randint(1, 3))
        for writer in writers
        for name in ["received_at", *writer[0], *writer[1]]
    }

    def line() -> bytes:
        outer, inner, style, spaced = chance.choice(writers)
        separators = (", ", ": ") if spaced else (",", ":")

        def chosen(names: list[str], *more: str) -> list[tuple[str, str]]:
            return [(name, chance.choice(said.get(name, ["CREATED"]))) for name in [*more, *names]]

        def written(members: list[tuple[str, str]]) -> str:
            return separators[0].join(f"{json.dumps(name)}{separators[1]}{json.dumps(text)}" for name, text in members)

        if style == "form":
            return urlencode(chosen(outer, "COMMAND")).encode()
        if style == "bare":
            text = "{" + written(chosen(outer, "Command")) + "}"
        else:
            inside = written(chosen(inner, "Command"))
            text = "{" + written(chosen(["received_at"])) + f'{separators[0]}"body"{separators[1]}{{{inside}}}}}'
        return text.replace("\\u00e4", "ä").replace("\\u00a0", "\u00a0").encode()

    def slipped() -> bytes:
        text = line()
        at = chance.randrange(len(text) + 1)
        return text[:at] + chance.choice([b"", *BYTES]) + text[at + chance.randint(0, 1) :]

    count = draw(st.integers(2 * FEWEST_LINES, 4 * FEWEST_LINES))
    shares = draw(st.sampled_from([[94, 5, 1], [1, 0, 0]]))
    kinds = chance.choices(["line", "slipped", "odd"], shares, k=count)
    many = [line() if kind == "line" else chance.choice(odd) if odd and kind == "odd" else slipped() for kind in kinds]
    return end.join(many) + end


BYTES = [*(bytes([one]) for one in b'"\\,:{}x \t\0\r%&='), b"\xc3", b'","x":"']

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
    reader = ColumnarReader(NAMES, CAREFUL, wrapped=True, command=True, forms=True)
    for block, expected in zip(blocks(io.BytesIO(data)), by_line(data), strict=True):
        parsed = reader.parse(block)
        assert comparable(parsed) == comparable(expected)
        for slot in parsed.neat:
            assert all(value and value == value.strip() for value in parsed.slots[slot])
    reader.close()


HOSTILE = b'{"command":"CREATED","email":"}, {"}'
scalars = st.sampled_from([b"1", b'"},{"', b"null", b"[]", b"[{}]", b"NaN", b"{}", HOSTILE])
rightly = st.sampled_from([b",", b",", b", ", b",\n", b" ,\r\n\t"])
wrongly = st.sampled_from([b"", b";", b",,", b" ", b"]", b"\x00,", b'"'])


@st.composite
def arrays(draw: st.DrawFn) -> bytes:
    """A JSON array of any elements, written in any style; sometimes broken, cut off, or followed by something."""
    tricky = st.sampled_from([b'{"command":"CREATED","email":"a\\"b\\\\"}', b'{"command":"CREATED","email":"a\nb"}'])
    element = st.one_of(lines(), lines(), in_bodies(), tricky, scalars)
    many = draw(st.lists(element, max_size=8))
    if draw(st.booleans()):
        with suppress(ValueError):
            return json.dumps([json.loads(one) for one in many], indent=draw(st.integers(0, 3))).encode()
    data = draw(st.sampled_from([b"[", b"\xef\xbb\xbf[", b" [\r\n"]))
    for at, one in enumerate(many):
        data += one if not at else draw(st.one_of(rightly, rightly, rightly, rightly, wrongly)) + one
    return data + draw(st.sampled_from([b"]", b"]", b"]", b" ]\n", b"", b"] x", b"]]", b",]"]))


def told(read: Callable[[], list[Parsed]]) -> Any:
    """What was read of a document, or the sentence that refuses it."""
    try:
        found = [comparable(one) for one in read()]
    except SourceError as error:
        return "not UTF-8" if "UTF-8" in error.fact else error.fact
    undeclared = sum((Counter(one[2]) for one in found), Counter[str]())
    return [row for one in found for row in one[0]], [r for one in found for r in one[1]], dict(undeclared)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@example(data=b'[{},{",{"body":"COMMAND=CREATED"},\n"},{",{},"},{"]', size=2)
@given(data=arrays(), size=st.integers(1, 300))
def test_an_array_means_the_same_cut_into_its_elements(of_elements: ColumnarReader, data: bytes, size: int) -> None:
    """However it is written and wherever it is cut: the same rows and rejects, or the same sentence."""

    def in_parts() -> list[Parsed]:
        found = [
            of_elements.parse(part) if isinstance(part, Block) else PUSHED.told(part, NAMES)
            for part in parts(io.BytesIO(data), size)
        ]
        return found

    one_by_one = told(lambda: [PUSHED.told(list(elements(io.BytesIO(data))), NAMES)])
    cut = told(in_parts)
    assert cut == one_by_one or (isinstance(cut, str) and one_by_one == "not UTF-8")


@pytest.fixture(scope="module")
def of_elements() -> Iterator[ColumnarReader]:
    careful = partial(PUSHED.of_elements().parsed, names=NAMES)
    found = ColumnarReader(NAMES, careful, wrapped=True, command=True)
    yield found
    found.close()


@pytest.mark.slow
def test_a_line_that_breaks_the_pattern_anywhere_is_not_read_by_it() -> None:
    """One byte changed at each place of one line among many that are alike: it still says what it says."""
    line = b'{"received_at":"2026-05-01T07:00:00Z","body":{"command":"CREATED","email":"a:b","notes":""}}'
    for place, other in product(range(len(line)), (b"x", b'"')):
        odd = line[:place] + other + line[place + 1 :]
        data = b"\n".join([line] * FEWEST_LINES + [odd] + [line] * FEWEST_LINES) + b"\n"
        (block,), (expected,) = blocks(io.BytesIO(data)), by_line(data)
        with closing(ColumnarReader(NAMES, CAREFUL, wrapped=True, command=True)) as reader:
            assert comparable(reader.parse(block)) == comparable(expected), place


def test_values_of_any_length_are_found_by_the_pattern() -> None:
    """Empty, short, longer than what is looked at first, longer than the padding, and up to the end of the data."""
    sizes = [*range(70), 255, 256, 257, 5_000, 70_000, 3]
    lines = [f'{{"email":"{"e" * size}","command":"A","notes":"{"n" * (size // 2)}"}}\n' for size in sizes]
    data = "".join(lines).encode()
    (block,), (expected,) = blocks(io.BytesIO(data)), by_line(data)
    by_pattern = UniformReader(Dialect(NAMES, wrapped=True), wrapped=True)
    found = by_pattern.read(block, np.zeros(len(sizes), bool))
    assert sum(len(one.lines) for one in found) == len(sizes)
    with closing(ColumnarReader(NAMES, CAREFUL, wrapped=True, command=True)) as reader:
        assert comparable(reader.parse(block)) == comparable(expected)


def test_quotes_that_are_missing_in_one_line_do_not_make_up_for_those_in_another() -> None:
    """All lines of a slice together may have as many quotes as the pattern; still each has to have its own."""
    line = b'{"email":"a:b","command":"A"}\n'
    odd = b'{"email":"a"b","command":"A"}\n' + b'{"email":"a:b","command":A"}\n'
    reader = ColumnarReader(NAMES, CAREFUL, wrapped=True, command=True)
    for data in line * FEWEST_LINES, line * FEWEST_LINES + odd:
        (block,), (expected,) = blocks(io.BytesIO(data)), by_line(data)
        assert comparable(reader.parse(block)) == comparable(expected)
    reader.close()


def test_a_text_is_called_neat_only_where_nothing_has_to_be_trimmed() -> None:
    """Neat texts are stored as they are; whitespace of any kind, at either end of one of them, would be stored too."""
    reader = ColumnarReader(NAMES, CAREFUL, wrapped=True, command=True)
    for text, is_neat in [("x", True), ("Öz", True), ("Weiß", True), ("x ", False), ("\u00a0x", False), ("", False)]:
        line = '{{"command":"CREATED","email":"{}"}}\n'
        data = (line.format("a") * FEWEST_LINES + line.format(text)).encode()
        (block,) = blocks(io.BytesIO(data))
        assert ("email" in reader.parse(block).neat) == is_neat, text
    reader.close()


def test_a_uniform_log_is_read_without_looking_at_single_lines() -> None:
    """Plain lines are proved plain: the careful path is not called, else speed would be lost unseen."""

    def never(_: Any) -> Parsed:
        raise AssertionError("a plain line was read on its own")

    as_object = (
        b'{"received_at": "2026-05-01T07:00:00Z", "body": {"command": "CREATED", "email": "a:b", "notes": "x"}}\n'
    )
    as_text = b'{"received_at": "2026-05-01T07:00:00+02:00", "body": "command=CREATED&email=a%3Ab&notes=x+y"}\n'
    for line in as_object, as_text, as_text.replace(b": ", b":"):
        with closing(ColumnarReader(NAMES, never, wrapped=True, command=True)) as reader:
            (block,) = blocks(io.BytesIO(line * 500))
            parsed = reader.parse(block)
        assert parsed.slots.height == 500
        assert parsed.slots["email"].unique().to_list() == ["a:b"]
        assert parsed.undeclared == {"notes": 500}


def test_form_variables_in_a_body_that_json_would_have_to_escape_are_read_on_their_own() -> None:
    """A quote, a backslash, a blank at the end, a name without a value: what they mean is said line by line."""
    texts = [
        "command=A&email=%22x%5C",
        "command=A&email=x ",
        "command=A&email",
        "command=%zz",
        "command=%C3%A4",
        "%41=x",
    ]
    data = "".join(f'{{"received_at":"2026-05-01T07:00:00Z","body":"{text}"}}\n' for text in texts).encode()
    (block,), (expected,) = blocks(io.BytesIO(data)), by_line(data)
    with closing(ColumnarReader(NAMES, CAREFUL, wrapped=True, command=True)) as reader:
        assert comparable(reader.parse(block)) == comparable(expected)


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
