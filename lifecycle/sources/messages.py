"""Messages in JSON or form variables, line by line or in a document: what the JSON formats share."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from lifecycle.model import Batch
from lifecycle.sources.columnar import ColumnarReader
from lifecycle.sources.documents import element_of, parts
from lifecycle.sources.files import Block, blocks, opened
from lifecycle.sources.formats import Source
from lifecycle.sources.head import Shape
from lifecycle.sources.names import Names
from lifecycle.sources.normalise import Layout, batch
from lifecycle.sources.objects import Members, Parsed, json_line, members_of, message_line, parse, unwrapped

FEW_LINES = 300
"""Not worth a connection: read one at a time."""

WORKERS = max(1, min(4, os.cpu_count() or 1))


@dataclass(frozen=True)
class Reading:
    """How a message is taken from a numbered line, or from an element of a document; ``command``: it must carry one."""

    line: Callable[[bytes], Members]
    element: Callable[[Any], Members]
    command: bool = False
    wrapped: bool = False
    forms: bool = False
    cut_out: bool = False

    def of_elements(self) -> Reading:
        """Return how a message is taken from a line that is an element of an array, which breaks if it does."""
        return replace(self, forms=False, cut_out=True)

    def parsed(self, numbered: Iterable[tuple[int, bytes]], names: Names) -> Parsed:
        """Read lines one at a time."""
        if self.cut_out:
            return self.told(((number, element_of(line, number)) for number, line in numbered), names)
        return parse(numbered, names, self.line, command=self.command)

    def told(self, numbered: Iterable[tuple[int, Any]], names: Names) -> Parsed:
        """Read elements of a document one at a time."""
        return parse(numbered, names, self.element, command=self.command)


PLAIN = Reading(json_line, members_of)
"""One JSON object, as it is."""

PUSHED = Reading(message_line, lambda value: unwrapped(members_of(value)), command=True, wrapped=True, forms=True)
"""A web push message: JSON or form variables, bare or in a gateway's wrapper."""


def message_batches(source: Source, layout: Layout, reading: Reading) -> Iterator[Batch]:
    """Read a file of messages in batches, in its order.

    Raises
    ------
    SourceError
        A document (array) is broken; lines never raise.
    """
    with opened(source.path, source.most_bytes) as stream:
        if source.head.shape is Shape.DOCUMENT:
            yield from _in_columns(parts(stream), layout, reading.of_elements())
        else:
            yield from _in_columns(blocks(stream), layout, reading)


class _Readers:
    """Reads blocks on several threads, each with a reader of its own."""

    def __init__(self, layout: Layout, reading: Reading) -> None:
        self._layout, self._reading = layout, reading
        self._own = threading.local()
        self._all: list[ColumnarReader] = []

    def read(self, part: Block | list[tuple[int, Any]]) -> Parsed:
        if not isinstance(part, Block):
            return self._reading.told(part, self._layout.names)
        few = len(part.numbers) < FEW_LINES
        parsed = self._careful(part.lines()) if few else self._reader().parse(part)
        return replace(parsed, rejects=[*part.rejects, *parsed.rejects])

    def close(self) -> None:
        for reader in self._all:
            reader.close()

    def _careful(self, lines: Iterable[tuple[int, bytes]]) -> Parsed:
        return self._reading.parsed(lines, self._layout.names)

    def _reader(self) -> ColumnarReader:
        if not hasattr(self._own, "reader"):
            how = self._reading
            self._own.reader = ColumnarReader(
                self._layout.names, self._careful, wrapped=how.wrapped, command=how.command, forms=how.forms
            )
            self._all.append(self._own.reader)
        reader: ColumnarReader = self._own.reader
        return reader


def _batch(parsed: Parsed, layout: Layout) -> Batch:
    return batch(parsed.slots, layout, parsed.rejects, parsed.undeclared, parsed.neat)


def _in_columns(found: Iterator[Block | list[tuple[int, Any]]], layout: Layout, reading: Reading) -> Iterator[Batch]:
    """Read parts on several threads, a few ahead of the caller, who normalises them in their order."""
    readers = _Readers(layout, reading)
    waiting: deque[Future[Parsed]] = deque()
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="source")
    try:
        for part in found:
            waiting.append(pool.submit(readers.read, part))
            if len(waiting) > WORKERS:
                yield _batch(waiting.popleft().result(), layout)
        while waiting:
            yield _batch(waiting.popleft().result(), layout)
    finally:
        pool.shutdown(cancel_futures=True)
        readers.close()
