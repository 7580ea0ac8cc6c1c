"""Many JSON lines at once: by their pattern where they have one, else with DuckDB's parser.

It gives what ``objects.parse`` gives, and hands that every line whose meaning is not certain: what is no JSON
object, what holds a name or a value out of the ordinary, what DuckDB reads more kindly than JSON is defined.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lifecycle.model import Reject
from lifecycle.sources.dialect import Dialect
from lifecycle.sources.evidence import Evidence, weigh
from lifecycle.sources.files import Block, Places
from lifecycle.sources.forms import as_json, in_bodies, may_be_forms
from lifecycle.sources.names import Names, reportable
from lifecycle.sources.objects import Parsed
from lifecycle.sources.uniform import UniformReader

Mask = npt.NDArray[np.bool_]

LEARNED_FROM = 1000
MOST_STRANGE = 0.02
"""Up to this share of lines written unlike the rest is read one at a time; more of them are the log's own style."""

_TRAILING_COMMA = re.compile(rb",\s*[}\]]")
_NUL_ESCAPE = re.compile(rb"\\u0000")
_OPEN = ord("{")


class ColumnarReader:
    """Reads blocks of JSON lines; one instance a thread, since it holds a connection and what it has learned.

    Parameters
    ----------
    names : Names
    careful : callable
        Reads numbered lines one at a time; it says what a line means.
    wrapped : bool
        A member ``body`` is the message: an object, or form variables as a text.
    command : bool
        What carries no command is rejected.
    forms : bool
        A line may be form variables.
    """

    def __init__(
        self,
        names: Names,
        careful: Callable[[Iterable[tuple[int, bytes]]], Parsed],
        *,
        wrapped: bool,
        command: bool,
        forms: bool = False,
    ) -> None:
        self._careful, self._command, self._forms, self._wrapped = careful, command, forms, wrapped
        self._dialect = Dialect(names, wrapped=wrapped)
        self._uniform = UniformReader(self._dialect, wrapped)
        self._connected: Any = None

    @property
    def _connection(self) -> Any:
        """A DuckDB in memory; most logs are read by their pattern and need none."""
        import duckdb

        if self._connected is not None:
            return self._connected
        settings: dict[str, Any] = {
            "threads": 1,
            "temp_directory": "",  # never a personal value in a temporary file
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        self._connected = duckdb.connect(config=settings)
        return self._connected

    def close(self) -> None:
        if self._connected is not None:
            self._connected.close()

    def parse(self, block: Block) -> Parsed:
        """Read one block, in the order of its lines."""
        as_forms = may_be_forms(block) if self._forms else np.zeros(len(block.numbers), bool)
        if not as_forms.any():
            read, doubtful = block, _unfit(block)
        elif as_forms.all():
            read, doubtful = as_json(block)
            doubtful |= _unfit(read)
        else:
            return _joined([self.parse(block.only(chosen)) for chosen in (as_forms, ~as_forms)])
        return self._spelled(block, read, doubtful)

    def _spelled(self, block: Block, read: Block, doubtful: Mask, *, again: bool = False) -> Parsed:
        """Read lines that are spelled as JSON in ``read``, those that are doubtful as they stand in ``block``."""
        parts: list[Parsed] = []
        left = ~doubtful
        for alike in self._uniform.read(read, doubtful):
            sure = ~self._filled_twice(alike.values)
            doubtful[alike.lines[~sure]] = True
            left[alike.lines] = False
            parts.append(self._sorted(alike.values, read.numbers[alike.lines], sure, alike.neat))
        if self._wrapped and not again and left.any() and (bodies := in_bodies(read.only(left))) is not None:
            held, spelled, unfit = bodies
            chosen = np.zeros(len(left), bool)
            chosen[np.flatnonzero(left)[held]] = True
            left &= ~chosen
            parts.append(self._spelled(block.only(chosen), spelled, unfit | _unfit(spelled), again=True))
        if left.any():
            parts.append(self._parsed(read, left, doubtful))
        if doubtful.any():
            parts.append(self._careful(block.only(doubtful).lines()))
        return _joined(parts)

    def _parsed(self, block: Block, chosen: Mask, doubtful: Mask) -> Parsed:
        """Read the chosen lines with DuckDB; those whose meaning is not certain are marked as doubtful instead."""
        places = np.flatnonzero(chosen)
        rest = block.only(chosen)
        evidence = _weighed(rest)
        strange = _strange(rest, evidence)
        if strange.any():
            doubtful[places[strange]] = True
            places, rest = places[~strange], rest.only(~strange)
            evidence = _weighed(rest)
        sure, parsed = self._sure(rest, evidence)
        doubtful[places[~sure]] = True
        return parsed

    def _sure(self, block: Block, evidence: Evidence) -> tuple[Mask, Parsed]:
        """Read the lines whose meaning is certain, and tell which they are."""
        import duckdb

        unreadable = (duckdb.Error, UnicodeError)  # the latter: a message that quotes half a character
        try:
            return self._read(block, evidence)
        except unreadable:
            pass  # Some line is not JSON. DuckDB's message would quote it.
        try:
            sure = self._query("select json_valid(l) as sure from lines", block)["sure"].to_numpy().copy()
            among, parsed = self._read(block.only(sure), None)
            sure[np.flatnonzero(sure)[~among]] = False
            return sure, parsed
        except unreadable:
            return np.zeros(len(block.numbers), bool), Parsed(_no_rows())

    def _read(self, block: Block, evidence: Evidence | None) -> tuple[Mask, Parsed]:
        if not len(block.numbers):
            return np.zeros(0, bool), Parsed(_no_rows())
        if not self._dialect.paths:
            self._known(block.first(LEARNED_FROM))
        sure = np.ones(len(block.numbers), bool)
        frame = self._extracted(block)
        if evidence is None or not self._all_known(frame, evidence):
            known_paths = len(self._dialect.paths)
            sure = self._known(block)
            sure &= self._plain(block)
            frame = frame if known_paths == len(self._dialect.paths) else self._extracted(block)
        sure &= ~self._filled_twice(frame)
        return sure, self._sorted(frame, block.numbers, sure)

    def _all_known(self, frame: pl.DataFrame, evidence: Evidence) -> bool:
        paths = self._dialect.paths
        found = [frame.height - frame[str(at)].null_count() for at in range(len(paths))]
        wrappers = sum(count for count, path in zip(found, paths, strict=True) if self._dialect.is_wrapper(path))
        return evidence.all_known(sum(found), wrappers)

    def _extracted(self, block: Block) -> pl.DataFrame:
        if not self._dialect.paths:
            return pl.DataFrame(height=len(block.numbers))
        return self._query(self._dialect.query(), block)

    def _known(self, block: Block) -> Mask:
        """Learn the names in the lines; tell which lines have none but learned ones, each once."""
        groups = self._query(
            f"""select any_value(keys) as keys, list(i) as i from (select {self._dialect.keys()} as keys, i from lines)
            group by keys::varchar, len(keys[1]), len(keys[2])""",
            block,
        )
        known = [self._dialect.learn(keys[0], keys[1] if len(keys) > 1 else None) for keys in groups["keys"].to_list()]
        return _spread(groups["i"], known, len(block.numbers))

    def _plain(self, block: Block) -> Mask:
        """Tell which lines hold texts, whole numbers, booleans and nulls only."""
        if not self._dialect.paths:
            return np.zeros(len(block.numbers), bool)
        groups = self._query(
            f"""select any_value(types) as types, list(i) as i
            from (select {self._dialect.types()} as types, i from lines) group by types::varchar""",
            block,
        )
        return _spread(
            groups["i"], [self._dialect.plain(types) for types in groups["types"].to_list()], len(block.numbers)
        )

    def _filled_twice(self, frame: pl.DataFrame) -> Mask:
        twice = np.zeros(frame.height, bool)
        for _, every in self._dialect.slots():
            columns = [column for column in every if column in frame.columns]
            if sum(frame[column].null_count() < frame.height for column in columns) > 1:
                given = frame.select(pl.sum_horizontal(pl.col(columns).is_not_null().cast(pl.UInt16)))
                twice |= (given.to_series() > 1).to_numpy()
        return twice

    def _sorted(self, frame: pl.DataFrame, numbers: Places, sure: Mask, neat: frozenset[str] = frozenset()) -> Parsed:
        """Sort the columns of the lines that are sure into slots and counts; ``neat`` columns make neat slots."""
        if not sure.all():
            frame, numbers = frame.filter(pl.Series(sure)), numbers[sure]
        given_in = {slot: [one for one in columns if one in frame.columns] for slot, columns in self._dialect.slots()}
        tidy = frozenset(slot for slot, found in given_in.items() if found and found[0] in neat)
        slots = pl.DataFrame(
            [*(_first_filled(frame, found).alias(slot) for slot, found in given_in.items() if found),
             pl.Series("line", numbers)]
        )  # fmt: skip
        rejects: list[Reject] = []
        if self._command and "command" not in tidy:
            given = (
                slots["command"]
                if "command" in slots.columns
                else pl.repeat(None, slots.height, dtype=pl.String, eager=True)
            )
            has = (given.str.strip_chars() != "").fill_null(False)
            if not has.all():
                rejects = [Reject("no-command", line) for line in slots["line"].filter(~has)]
                slots, frame = slots.filter(has), frame.filter(has)
        undeclared: Counter[str] = Counter()
        for name, column in self._dialect.undeclared():
            if column in frame.columns:
                undeclared[reportable(name)] += int(frame[column].sum() or 0)
        return Parsed(slots, rejects, undeclared, tidy)

    def _query(self, sql: str, block: Block) -> pl.DataFrame:
        self._connection.register("lines", _as_arrow(block))
        try:
            return pl.DataFrame(self._connection.sql(sql).pl())
        finally:
            self._connection.unregister("lines")


def _first_filled(frame: pl.DataFrame, columns: list[str]) -> pl.Series:
    if len(columns) == 1:
        return frame[columns[0]]
    return frame.select(pl.coalesce(columns)).to_series()


def _as_arrow(block: Block) -> Any:
    """Return the lines as a table over the block's own bytes, nothing copied. The lines lie one after the other."""
    import pyarrow as pa

    places = np.append(block.starts, block.ends[-1] + 1) if len(block.ends) else np.zeros(1, np.int64)
    texts = pa.LargeStringArray.from_buffers(len(block.starts), pa.py_buffer(places), pa.py_buffer(block.data))
    return pa.table({"l": texts, "i": np.arange(len(block.starts), dtype=np.int32)})


def _weighed(block: Block) -> Evidence:
    if not len(block.numbers):
        return weigh(b"", 0, 0)
    return weigh(block.data, int(block.starts[0]), int(block.ends[-1]) + 1)


def _unfit(block: Block) -> Mask:
    """Tell which lines are no JSON objects by their first byte, or hold a NUL byte, or are not UTF-8."""
    text = np.frombuffer(block.data, np.uint8)
    unfit: Mask = text[block.starts] != _OPEN
    if block.data.find(b"\0", block.starts[0], block.ends[-1]) >= 0:
        unfit |= _holding(block, lambda line: b"\0" in line)
    if not block.data.isascii() and not _is_utf8(memoryview(block.data)[block.starts[0] : block.ends[-1]]):
        unfit |= _holding(block, lambda line: not _is_utf8(line))
    return unfit


def _is_utf8(data: bytes | memoryview) -> bool:
    import pyarrow as pa

    whole = pa.LargeStringArray.from_buffers(1, pa.py_buffer(np.array([0, len(data)])), pa.py_buffer(data))
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _strange(block: Block, evidence: Evidence) -> Mask:
    """Tell which lines are written unlike the rest, and which DuckDB would read too kindly."""
    strange = block.lines_at(evidence.odd)
    if len(strange) and strange.mean() > MOST_STRANGE:
        strange &= _holding(block, lambda line: _TRAILING_COMMA.search(line) is not None)
    if evidence.escapes:
        strange |= _holding(block, lambda line: _NUL_ESCAPE.search(line) is not None)
    return strange


def _holding(block: Block, test: Callable[[bytes], bool]) -> Mask:
    return np.fromiter((test(line) for _, line in block.lines()), bool, len(block.numbers))


def _spread(rows: pl.Series, verdicts: list[bool], height: int) -> Mask:
    mask = np.zeros(height, bool)
    chosen = rows.filter(pl.Series(verdicts, dtype=pl.Boolean))
    mask[chosen.explode().drop_nulls().to_numpy()] = True
    return mask


def _no_rows() -> pl.DataFrame:
    return pl.DataFrame(schema={"line": pl.Int64})


def _joined(parts: list[Parsed]) -> Parsed:
    """Put together what was read of one block, in the order of its lines."""
    if len(parts) == 1:
        return parts[0]
    slots = pl.concat([part.slots for part in parts] or [_no_rows()], how="diagonal").sort("line")
    undeclared: Counter[str] = Counter()
    for part in parts:
        undeclared.update(part.undeclared)
    return Parsed(slots, [reject for part in parts for reject in part.rejects], undeclared)
