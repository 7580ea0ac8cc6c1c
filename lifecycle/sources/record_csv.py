"""Record exports as CSV: comma, semicolon or tab; UTF-8 (with or without BOM) or Windows-1252; German dates."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from lifecycle.errors import SourceError
from lifecycle.model import Batch, Reject
from lifecycle.sources.files import blocks, opened
from lifecycle.sources.formats import Format, Source
from lifecycle.sources.head import Head, Shape
from lifecycle.sources.names import COLUMN_NAMES, reportable, squash
from lifecycle.sources.normalise import batch
from lifecycle.sources.records import CHANNEL, dataset_of, record_layout, slots_of_header

ROWS_A_BATCH = 50_000
_DELIMITERS = ";,\t"
_KNOWN = {name for names in COLUMN_NAMES.values() for name in names}


class _Lines:
    """Decoded lines for the csv module, which knows their number; what cannot be decoded becomes a reject."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.taken: list[int] = []  # lines of the row that is being read
        self.rejects: list[Reject] = []

    def __iter__(self) -> Iterator[str]:
        with opened(self._source.path, self._source.most_bytes) as stream:
            for block in blocks(stream, 4 << 20, keep_blank=True):
                self.rejects.extend(block.rejects)
                for number, line in block.lines():
                    text = _decoded(line)
                    if text is None:
                        self.rejects.append(Reject("nul-byte" if b"\0" in line else "bad-encoding", number))
                    else:
                        self.taken.append(number)
                        yield text


def _decoded(line: bytes) -> str | None:
    if b"\0" in line:
        return None
    for encoding in ("utf-8", "cp1252"):
        try:
            return line.decode(encoding) + "\n"
        except UnicodeDecodeError:
            continue
    return None


def delimiter_of(line: str) -> str:
    """Return the delimiter that occurs most in a header line.

    Examples
    --------
    >>> delimiter_of("appointment_uid;email"), delimiter_of("appointment_uid,email")
    (';', ',')
    """
    return max(_DELIMITERS, key=line.count)


def _header(line: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter_of(line)), [])
    except csv.Error:  # a lone carriage return, say: no line of a table
        return []


def _recognises(head: Head) -> bool:
    return head.shape is Shape.TABLE and (len({squash(name) for name in head.ours(_header(head.line))} & _KNOWN) >= 2)


def _dataset(_path: Path, head: Head, columns: Mapping[str, str], _most_bytes: int) -> str:
    return dataset_of(_header(head.line), columns)


def _batches(source: Source) -> Iterator[Batch]:
    layout = record_layout(source)
    lines = _Lines(source)
    texts = iter(lines)
    first = next((text for text in texts if text.strip()), "")
    header = _header(first)
    if not lines.taken or any(one.line < lines.taken[0] for one in lines.rejects):
        raise SourceError("The first line of the table cannot be read.", "Save it as UTF-8, with a header line.")
    slots = slots_of_header(header, layout.names)
    reader = csv.reader(texts, delimiter=delimiter_of(first), strict=True)
    undeclared = {i: reportable(name) for i, name in enumerate(header) if layout.names.undeclared(name)}
    ended = False
    while not ended:
        cells, numbers, ended = _rows(reader, lines, len(header))
        declared = [(i, slot) for i, slot in enumerate(slots) if slot is not None]
        taken = [pl.Series(slot, cells[i :: len(header)], dtype=pl.String) for i, slot in declared]
        frame = pl.DataFrame([*taken, pl.Series("line", numbers, dtype=pl.Int64)])
        counts: Counter[str] = Counter()
        for i, name in undeclared.items():
            counts[name] += sum(1 for text in cells[i :: len(header)] if text.strip())
        rejects, lines.rejects = lines.rejects, []
        yield batch(frame, layout, rejects, counts)


def _rows(reader: Iterator[list[str]], lines: _Lines, width: int) -> tuple[list[str], list[int], bool]:
    """Return the cells of some rows, one row after the other: a list for each would keep the garbage collector busy."""
    cells: list[str] = []
    numbers: list[int] = []
    while len(numbers) < ROWS_A_BATCH:
        lines.taken.clear()
        try:
            row = next(reader)
        except StopIteration:
            return cells, numbers, True
        except csv.Error:
            # A quote that is never closed takes in the lines behind it; each of them is told as lost.
            lines.rejects += [Reject("bad-csv", number) for number in lines.taken]
            continue
        begin = lines.taken[0]
        if len(row) != width:
            if row:
                lines.rejects.append(Reject("wrong-columns", begin))
            continue
        cells += row
        numbers.append(begin)
    return cells, numbers, False


FORMAT = Format(
    name="csv",
    channel=CHANNEL,
    recognises=_recognises,
    dataset=_dataset,
    batches=_batches,
    good=(
        "appointment_uid;first_name;last_name;email;starts_at;ends_at\r\n"
        "a1;Jörg;Muster;joerg@example.org;10.05.2026 10:00;10.05.2026 10:30\r\n"
    ).encode("cp1252"),
    bad=b"number;first_name;email\r\n1;Erika;erika@example.org\r\n",
)
