"""Messages in JSON or form variables, line by line or in a document: what the JSON formats share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from lifecycle.model import Batch
from lifecycle.sources.documents import elements
from lifecycle.sources.files import blocks, opened
from lifecycle.sources.formats import Source
from lifecycle.sources.head import Shape
from lifecycle.sources.normalise import Layout, batch
from lifecycle.sources.objects import Members, json_line, members_of, message_line, parse, unwrapped

ELEMENTS_A_BATCH = 50_000


@dataclass(frozen=True)
class Reading:
    """How a message is taken from a line, or from an element of a document; ``command``: it must carry one."""

    line: Callable[[bytes], Members]
    element: Callable[[Any], Members]
    command: bool = False


PLAIN = Reading(json_line, members_of)
"""One JSON object, as it is."""

PUSHED = Reading(message_line, lambda value: unwrapped(members_of(value)), command=True)
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
            numbered = elements(stream)
            while group := list(islice(numbered, ELEMENTS_A_BATCH)):
                parsed = parse(group, layout.names, reading.element, command=reading.command)
                yield batch(parsed.slots, layout, parsed.rejects, parsed.undeclared)
            return
        for block in blocks(stream):
            parsed = parse(block.lines(), layout.names, reading.line, command=reading.command)
            yield batch(parsed.slots, layout, [*block.rejects, *parsed.rejects], parsed.undeclared)
