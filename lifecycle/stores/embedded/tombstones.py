"""Tombstones of stored rows: DuckDB spells their messages, polars-hash makes HMAC-SHA-256 of them.

DuckDB's own SHA-256 does without the processor's instructions for it, and it has no HMAC. The messages pass through
memory in batches; only digests are kept, and DuckDB never sees the key. What ``lifecycle.ledger.tombstones`` makes of
one row is the reference that these equal.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

import polars as pl

from lifecycle.errors import StoreError
from lifecycle.stores.embedded import sql

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

LABEL = b"deletion-tombstone/v1\0"
BATCH_ROWS = 30_000
COMPARED_BATCHES = 20
"""So many are compared at once with the tombstones that are looked for, of which a table is built each time."""
THREADS = max(1, min(4, os.cpu_count() or 1))
_FORM = {"row": pl.Int64, "tombstone": pl.String}
_BLOCK_BYTES, _DIGEST_BYTES = 64, 32


def load_ahead() -> None:
    """Begin to load what makes tombstones, on a thread of its own; whoever makes some waits for it."""

    def load() -> None:
        import polars_hash  # noqa: F401
        import pyarrow  # noqa: F401 - DuckDB asks it for batches

    pool = ThreadPoolExecutor(1, "loading")
    pool.submit(load)
    pool.shutdown(wait=False)


def tombstones(
    db: duckdb.DuckDBPyConnection, dataset: str, key: bytes, where: str = "true", *, table: str = ""
) -> pl.DataFrame:
    """Make the tombstones of the rows of a dataset, on several threads while DuckDB spells the next messages.

    Parameters
    ----------
    db : duckdb.DuckDBPyConnection
    dataset : str
    key : bytes
        The run's tombstone key, 32 bytes.
    where : str
        SQL that chooses rows of ``e``.
    table : str
        Another relation of the same columns, with a ``rowid``.

    Returns
    -------
    polars.DataFrame
        ``row`` (the ``rowid``) and ``tombstone`` (64 lower-case hex digits), in no order.

    Raises
    ------
    StoreError
        The rows could not be read.
    """
    with closing(_made(db, dataset, key, where, table)) as batches:
        return pl.concat([pl.DataFrame(schema=_FORM), *batches])


def marked(
    db: duckdb.DuckDBPyConnection, dataset: str, key: bytes, by: pl.Series, where: str = "true", *, table: str = ""
) -> pl.DataFrame:
    """Return those of the rows (``row``) that have one of these tombstones; of others nothing is kept in memory.

    The parameters are those of :func:`tombstones`, and ``by``, the tombstones looked for.
    """
    found = [pl.DataFrame(schema={"row": pl.Int64})]
    if by.is_empty():
        return found[0]
    with closing(_made(db, dataset, key, where, table)) as batches:
        while some := list(islice(batches, COMPARED_BATCHES)):
            rows = pl.concat(some).join(by.to_frame("tombstone"), on="tombstone", how="semi")
            found.append(rows.select("row"))
    return pl.concat(found)


def _made(
    db: duckdb.DuckDBPyConnection, dataset: str, key: bytes, where: str, table: str
) -> Generator[pl.DataFrame, None, None]:
    query = f"SELECT e.rowid AS row, {sql.message(dataset, 'e')} AS message FROM {table or dataset} e WHERE {where}"
    waiting = deque[Future[pl.DataFrame]]()
    # Closed whatever happens: DuckDB answers no other query before.
    with closing(_batches(db, query)) as batches, ThreadPoolExecutor(THREADS, "tombstones") as pool:
        for batch in batches:
            waiting.append(pool.submit(_hashed, batch, key))
            if len(waiting) > THREADS:  # or the messages of all rows would wait in memory
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def distinct_and_sorted(marks: pl.Series) -> pl.Series:
    """Sort tombstones and leave out what is there already, several times faster than as any other texts.

    They are sorted by their first 16 digits, whose characters are read as one number. Only where some agree in these
    are texts compared: they are the same tombstone; should two ever not be, all are sorted as texts.
    """
    number = pl.col("t").cast(pl.Binary).bin.head(16).bin.reinterpret(dtype=pl.Int128, endianness="big")
    frame = marks.to_frame("t").with_columns(number.alias("number")).sort("number")
    found, numbers = frame["t"], frame["number"]
    if not (numbers == numbers.shift(1)).any():
        return found
    before = found.shift(1)
    if (found < before).any():
        found = found.sort()
        before = found.shift(1)
    return found.filter(found.ne_missing(before))


def _batches(db: duckdb.DuckDBPyConnection, query: str) -> Generator[pl.DataFrame, None, None]:
    import pyarrow as pa

    try:
        with db.sql(query).to_arrow_reader(BATCH_ROWS) as reader:
            for batch in reader:
                yield pl.DataFrame(_Arrow(batch))
    except (OSError, pa.ArrowException) as error:  # DuckDB's message on its way through Arrow; it can quote rows
        raise StoreError(
            f"The store's rows could not be read for their tombstones ({type(error).__name__}).", "lifecycle doctor"
        ) from None


def _hashed(batch: pl.DataFrame, key: bytes) -> pl.DataFrame:
    # Copied, or a column of numbers would hold the whole batch in memory, messages included.
    row = pl.Series(batch["row"].to_numpy().copy())
    return pl.DataFrame({"row": row, "tombstone": _hmac(key, batch["message"].cast(pl.Binary))})


def _hmac(key: bytes, messages: pl.Series) -> pl.Series:
    """HMAC-SHA-256 by its definition (RFC 2104), since the one of polars-hash takes keys that are text."""
    inner = _sha256(_pad(key, 0x36) + LABEL, messages)
    return _sha256(_pad(key, 0x5C), _from_hex(inner))


def _pad(key: bytes, byte: int) -> bytes:
    return bytes(each ^ byte for each in key.ljust(_BLOCK_BYTES, b"\0"))


def _sha256(head: bytes, tails: pl.Series) -> pl.Series:
    """SHA-256, as lower-case hex, of what begins alike and ends with each of the tails."""
    import polars_hash as plh

    whole = tails.to_frame("m").select((pl.lit(head) + pl.col("m")).alias("m"))
    return whole.select(plh.col("m").chash.sha2_256()).to_series()


class _Arrow:
    """What Arrow holds, for polars: where it sees that it is pyarrow's, it loads ``pyarrow.compute`` for nothing."""

    def __init__(self, held: pa.RecordBatch | pa.Array) -> None:
        self._held = held

    def __arrow_c_array__(self, schema: object = None) -> tuple[object, object]:
        """Hand it on by Arrow's PyCapsule interface."""
        capsules: tuple[object, object] = self._held.__arrow_c_array__(schema)
        return capsules


def _from_hex(digests: pl.Series) -> pl.Series:
    # Four times as fast as polars decodes hex, which would take a third of the whole time.
    import pyarrow as pa

    data = bytes.fromhex(digests.str.join("").item())
    form, count = pa.binary(_DIGEST_BYTES), len(data) // _DIGEST_BYTES
    return pl.Series(_Arrow(pa.FixedSizeBinaryArray.from_buffers(form, count, [None, pa.py_buffer(data)])))
