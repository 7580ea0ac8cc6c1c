"""What changed: since the last commit, since the text was last copied to eTermin, and against eTermin's own dump."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lifecycle.mail.dumps import records_of
from lifecycle.mail.templates import Template, Templates

STATE_FILE = "copied.json"


@dataclass(frozen=True, slots=True)
class Copied:
    """When a text was last copied for eTermin, and what changed since: line numbers (from 1) and a count.

    ``copied_at`` is aware and UTC, None if it never was. ``added`` are lines of the text that were not in it
    then, ``removed`` is how many lines are gone: only digests are kept, so gone lines cannot be shown.
    """

    copied_at: datetime | None
    added: tuple[int, ...] = ()
    removed: int = 0

    @property
    def current(self) -> bool:
        """Whether what was copied is what stands here now."""
        return self.copied_at is not None and not self.added and not self.removed


def copied(template: Template, state: Path) -> Copied:
    """Return what is known about the last copy of a template."""
    entry = _read_state(state).get(_slot_key(template))
    if not isinstance(entry, dict):
        return Copied(None)
    then = [str(digest) for digest in entry.get("lines", [])]
    now = _digests(template)
    added, removed = list[int](), 0
    for op, then_from, then_to, now_from, now_to in difflib.SequenceMatcher(None, then, now, False).get_opcodes():
        if op != "equal":
            added.extend(range(now_from + 1, now_to + 1))
            removed += then_to - then_from
    return Copied(datetime.fromisoformat(str(entry["copiedAt"])), tuple(added), removed)


def mark_copied(template: Template, state: Path, at: datetime) -> None:
    """Remember that a text was copied at ``at`` (aware); digests of its lines, never the text.

    Raises
    ------
    ValueError
        For a time without a zone.
    """
    if at.tzinfo is None:
        raise ValueError("the time of a copy needs a zone")
    table = _read_state(state)
    table[_slot_key(template)] = {"copiedAt": at.astimezone(UTC).isoformat(), "lines": _digests(template)}
    state.parent.mkdir(parents=True, exist_ok=True)
    temporary = state.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(state)


def _slot_key(template: Template) -> str:
    return "/".join(part or "-" for part in template.slot)


def _digests(template: Template) -> list[str]:
    lines = [f"subject: {template.subject}", *template.body.split("\n")]
    return [hashlib.sha256(line.encode()).hexdigest()[:24] for line in lines]


def _read_state(state: Path) -> dict[str, Any]:
    try:
        content = json.loads(state.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def changed_since_commit(template: Template) -> str | None:
    """Return a unified diff of the template's file against the last commit.

    Returns
    -------
    str or None
        Empty if nothing changed; None where there is no repository, or the file is not in it.
    """
    committed = _git(template.path.parent, "show", f"HEAD:./{template.path.name}")
    if committed is None:
        return None
    try:
        now = template.path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return unified(committed, now, "HEAD", template.name)


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, timeout=5, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", errors="replace") if done.returncode == 0 else None


def unified(before: str, after: str, old: str, new: str) -> str:
    """Return a unified diff; line ends do not count."""
    left, right = before.replace("\r\n", "\n").splitlines(), after.replace("\r\n", "\n").splitlines()
    return "\n".join(difflib.unified_diff(left, right, old, new, lineterm="", n=2))


@dataclass(frozen=True, slots=True)
class DumpDifference:
    """One text of a service in eTermin against ours: ``equal``, ``different`` or ``no template``."""

    service: str
    language: str
    state: str
    template: str
    diff: str


def compare_dump(templates: Templates, dump: bytes) -> tuple[DumpDifference, ...]:
    """Lay the ``emailTxt`` of a REST service dump beside the templates that override these services.

    Parameters
    ----------
    templates : Templates
    dump : bytes
        JSON: a list of services, or an object that holds one.

    Raises
    ------
    TemplateError
        If the file is no such dump.
    """
    return tuple(_difference(templates, *found) for found in _texts(records_of(dump, "service")))


def _texts(services: list[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for service in services:
        fields = {str(key).lower(): value for key, value in service.items()}
        identity = str(fields.get("id", fields.get("serviceid", "")))
        for key, language in (("emailtxt", "de"), ("emailtxtde", "de"), ("emailtxten", "en")):
            if isinstance(fields.get(key), str) and fields[key].strip():
                yield identity, language, fields[key]


def _difference(templates: Templates, service: str, language: str, theirs: str) -> DumpDifference:
    ours = [
        item
        for item in templates
        if (item.kind, item.channel, item.service, item.language) == ("confirmation", "email", service, language)
    ]
    if not ours:
        return DumpDifference(service, language, "no template", "", "")
    html = "<" in theirs and ">" in theirs
    best = min(ours, key=lambda item: (item.format == "html") != html)
    if " ".join(best.body.split()) == " ".join(theirs.split()):
        return DumpDifference(service, language, "equal", best.name, "")
    return DumpDifference(service, language, "different", best.name, unified(theirs, best.body, "eTermin", best.name))
