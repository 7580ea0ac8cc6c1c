"""DuckDB in a process of its own, which has never seen a row that goes.

DuckDB fills the blocks of a file in memory and writes them whole, with whatever lay there before in their gaps. A
process that has read the old rows can so leave some of them in the fresh file, and no statement prevents it. So
another one writes it, and gets over a pipe what stays and nothing else. Run as a program, this file is that process.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lifecycle.errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa


class CleanProcess:
    """The process, from here: a context in which it runs. It ends with this one, whatever ends this one.

    Raises
    ------
    StoreError
        It could not do what was asked, or has ended; it is of no more use then.
    """

    def __enter__(self) -> CleanProcess:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a traceback could quote a value
            process_group=0,  # Ctrl-C is for this process, which knows when it may stop
        )
        assert self._process.stdin
        assert self._process.stdout
        self._to, self._from = self._process.stdin, self._process.stdout
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        with suppress(OSError):
            self._to.close()
        self._from.close()

    @contextmanager
    def opened(self, path: Path, config: Mapping[str, Any], settings: Sequence[str]) -> Iterator[None]:
        """Let it open a DuckDB file for the length of the block; afterwards the file is whole, without a log beside."""
        self._ask({"open": str(path), "config": config, "settings": settings})
        yield
        self._ask({"close": True})

    def execute(self, query: str, parameters: Sequence[str | int] = ()) -> list[list[Any]]:
        """Let it run a statement; gives the rows."""
        return self._ask({"execute": query, "parameters": parameters})

    def insert(self, into: str, rows: pa.RecordBatchReader) -> None:
        """Let it insert rows ``into`` a table (with or without a list of columns), by their position."""
        self._ask({"execute": f"INSERT INTO {into} SELECT * FROM incoming", "parameters": (), "incoming": True}, rows)

    def _ask(self, message: Mapping[str, Any], rows: pa.RecordBatchReader | None = None) -> list[list[Any]]:
        import pyarrow as pa

        try:
            self._to.write(json.dumps(message).encode() + b"\n")
            if rows is not None:
                with pa.ipc.new_stream(self._to, rows.schema) as stream:
                    for batch in rows:
                        stream.write_batch(batch)
        except (OSError, pa.ArrowException) as error:  # it has ended and says why, or the old rows could not be read
            raise self._failure(self._answer(), type(error).__name__) from None
        answer = self._answer()
        if "rows" not in answer:
            raise self._failure(answer, "its process ended")
        rows_given: list[list[Any]] = answer["rows"]
        return rows_given

    def _answer(self) -> dict[str, Any]:
        with suppress(OSError):  # it has ended; what it said last is still to be read
            self._to.flush()
        line = self._from.readline()
        return dict(json.loads(line)) if line.endswith(b"\n") else {}

    def _failure(self, answer: Mapping[str, Any], otherwise: str) -> StoreError:
        self._process.kill()  # what it has got may be a part
        return StoreError(
            f"The fresh file could not be written: {answer.get('error', otherwise)}.",
            "there must be room for a second store beside the first; run the same command again",
        )


def serve(asked: BinaryIO, answers: BinaryIO) -> None:
    """Do what is asked, line by line, until nobody asks any more; the first error is the last answer."""
    import duckdb
    import pyarrow as pa

    db: Any = None
    while line := asked.readline():
        message, rows = json.loads(line), []
        answer: dict[str, Any]
        try:
            if "open" in message:
                db = duckdb.connect(message["open"], config=message["config"])
                for setting in message["settings"]:
                    db.execute(setting)
            elif "execute" in message:
                if "incoming" in message:
                    db.register("incoming", pa.ipc.open_stream(asked))
                rows = db.execute(message["execute"], message["parameters"]).fetchall()
                if "incoming" in message:
                    db.unregister("incoming")
            else:
                db.close()
            answer = {"rows": rows}
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            answer = {"error": _reason(error)}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
        if "error" in answer:
            break


def _reason(error: Exception) -> str:
    # DuckDB's own messages can quote what it read; what the system said about a call quotes nothing.
    said = str(error)
    return next((text for code in errno.errorcode if (text := os.strerror(code)) in said), type(error).__name__)


def _end_with_parent() -> None:
    """Let Linux kill this process with the one that started it; elsewhere it ends when it finds nobody asking."""
    import ctypes
    import signal

    for number in (signal.SIGINT, signal.SIGTERM):  # whoever stops a run asks the other process, which knows when
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


if __name__ == "__main__":
    _end_with_parent()
    serve(sys.stdin.buffer, sys.stdout.buffer)
