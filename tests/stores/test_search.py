"""The search for bytes agrees with Python's own ``in``, whatever is looked for and wherever it stands."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

from lifecycle.stores import search
from lifecycle.stores.search import Searcher

LOCALS = st.sampled_from(["anna.musterfrau", "joanna.musterfrau", "anna.musterfrau2", "a", "müller.von.und.zu"])
DOMAINS = st.sampled_from(["example.org", "example.com", "example.org.example.net", "x", ""])
ADDRESSES = st.builds("{}@{}".format, LOCALS, DOMAINS)
VALUES = st.one_of(
    ADDRESSES, st.sampled_from(["+491713920001", "uid-of-visit-1", ".*", "Müller", "@", "a@b@example.org"])
)
PIECES = st.one_of(VALUES, st.sampled_from(["", "@", "anna.musterfrau@", "\0", "example.org", "ü"]))


@given(values=st.lists(VALUES, unique=True, max_size=6), pieces=st.lists(PIECES, max_size=12), chunk=st.integers(1, 70))
@example(["anna.musterfrau@example.org"], ["anna.musterfrau@example.com", "anna.musterfrau@example.org"], 70)
@example(["anna.musterfrau@example.org"], ["anna.musterfrau@example.or"], 20)
def test_a_value_is_found_exactly_where_it_stands(values: list[str], pieces: list[str], chunk: int) -> None:
    """Addresses with the same beginning, values in values, borders of chunks, and nothing by chance."""
    content = "".join(pieces).encode()
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(search, "_CHUNK", chunk):
        file = Path(folder) / "bytes"
        file.write_bytes(content)
        found = Searcher(values).search([file]).patterns
    assert found == {index for index, value in enumerate(values) if value.encode() in content}
