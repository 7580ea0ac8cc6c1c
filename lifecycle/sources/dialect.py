"""The member names that a log of JSON lines was seen to use, and the SQL that reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from lifecycle.sources.names import TIME_COLUMNS, Names, squash

Path = tuple[str, ...]

BODY = "body"
MOST_PATHS = 300

_LEARNABLE = re.compile(r"[A-Za-zÄÖÜäöüß_][A-Za-zÄÖÜäöüß0-9_\-]{0,63}\Z")
_PLAIN = {"VARCHAR", "UBIGINT", "BIGINT", "BOOLEAN", "NULL", None}


class Dialect:
    """Paths of members, learned as they are met; a path is one name, or ``body`` and a name in it.

    Two names that differ in case only cannot both be learned (DuckDB's structs do not tell them apart), nor can
    names of unusual characters, nor more than 300: lines with those are read one at a time.
    """

    def __init__(self, names: Names, *, wrapped: bool) -> None:
        self._names, self._wrapped = names, wrapped
        self._times = {slot for column in TIME_COLUMNS for slot in names.slots.get(column, ())}
        self.paths: list[Path] = []
        self._lower: dict[Path, Path] = {}

    def learn(self, keys: list[str], inside: list[str] | None) -> bool:
        """Learn the names of one message; tell whether all of them can be read and none is repeated."""
        wrapped = self._wrapped and BODY in keys
        paths: list[Path] = [(name,) for name in keys]
        if wrapped:
            paths += [(BODY, name) for name in inside or []]
        return len(set(paths)) == len(paths) and all([self._learned(path) for path in paths])

    def _learned(self, path: Path) -> bool:
        known = self._lower.get(tuple(name.lower() for name in path))
        if known is not None:
            return known == path
        misspelled_body = self._wrapped and len(path) == 1 and path != (BODY,) and squash(path[0]) == BODY
        if misspelled_body or not _LEARNABLE.match(path[-1]) or len(self.paths) >= MOST_PATHS:
            return False
        self._lower[tuple(name.lower() for name in path)] = path
        self.paths.append(path)
        return True

    def is_wrapper(self, path: Path) -> bool:
        """Tell whether a path is that of the object which holds the message."""
        return self._wrapped and path == (BODY,)

    def is_declared(self, path: Path) -> bool:
        """Tell whether a path holds the value of a declared field."""
        return not self.is_wrapper(path) and self._names.slot(path[-1]) is not None

    def is_trimmed(self, path: Path) -> bool:
        """Tell whether whitespace around the declared value of a path is to be taken off; times are read with it."""
        return self._names.slot(path[-1]) not in self._times

    def slots(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each slot with the columns that fill it."""
        filled: dict[str, list[str]] = {}
        for at, path in enumerate(self.paths):
            slot = None if self.is_wrapper(path) else self._names.slot(path[-1])
            if slot is not None:
                filled.setdefault(slot, []).append(str(at))
        yield from filled.items()

    def undeclared(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the column of each undeclared member."""
        for at, path in enumerate(self.paths):
            if not self.is_wrapper(path) and self._names.undeclared(path[-1]):
                yield path[-1], str(at)

    def shape(self) -> str:
        """Return what ``json_transform`` is told."""
        top: dict[str, object] = {path[0]: "VARCHAR" for path in self.paths if len(path) == 1}
        inside = {path[1]: "VARCHAR" for path in self.paths if len(path) == 2}
        if self._wrapped and BODY in top:
            # Always a struct, so that a body which is none becomes null, not a text.
            top[BODY] = inside or {"-": "VARCHAR"}
        return json.dumps(top, ensure_ascii=False)

    def query(self) -> str:
        """Return the SQL that reads all paths: texts of declared members, "is it filled" of others, null if absent."""
        columns = ", ".join(f'{self._column(path)} as "{at}"' for at, path in enumerate(self.paths))
        body = f'x."{BODY}"' if self._wrapped and (BODY,) in self.paths else "null"
        parsed = f"select json_transform(l, '{self.shape()}') as x from lines"
        return f"select {columns} from (select x, {body} as body from ({parsed}))"

    def _column(self, path: Path) -> str:
        member = f'body."{path[1]}"' if len(path) == 2 else f'x."{path[0]}"'
        if self.is_wrapper(path):
            # DuckDB makes a struct of a text or a number too; only one with a member is an object for certain.
            inside = ", ".join(f'body."{name[1]}"' for name in self.paths if len(name) == 2)
            return f"nullif(coalesce({inside}) is not null, false)" if inside else "null::boolean"
        return member if self._names.slot(path[-1]) is not None else f"{member} <> ''"

    def keys(self) -> str:
        """Return the SQL that lists the names in a line, outside and inside the wrapper."""
        return f"json_keys(l, ['$', '$.{BODY}'])" if self._wrapped else "[json_keys(l)]"

    def types(self) -> str:
        """Return the SQL that lists the JSON types of all paths in a line."""
        listed = ", ".join("'$." + ".".join(f'"{name}"' for name in path) + "'" for path in self.paths)
        return f"json_type(l, [{listed}])"

    def plain(self, types: list[str | None]) -> bool:
        """Tell whether every member of these types is one that reading by columns gives exactly."""
        return all(
            kind == "OBJECT" or kind is None if self.is_wrapper(path) else kind in _PLAIN
            for path, kind in zip(self.paths, types, strict=True)
        )
