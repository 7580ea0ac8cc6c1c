"""Answers of eTermin's REST interface, saved as files: read where they lie, and never stored.

Source: the public description of the interface (``GET /api/service``, ``GET /api/calendar``). Fields are found
without regard to case; no other resource is read here, since the others hold people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lifecycle.errors import TemplateError
from lifecycle.mail.setup import Setup

LARGEST_BYTES = 50_000_000


def records_of(dump: bytes, resource: str) -> list[Mapping[str, Any]]:
    """Return the records of a dump: a JSON list, or an object that holds one.

    Parameters
    ----------
    dump : bytes
    resource : str
        ``service`` or ``calendar``; named in the hint.

    Raises
    ------
    TemplateError
        For anything else.

    Examples
    --------
    >>> records_of(b'{"services": [{"id": 7}]}', "service")
    [{'id': 7}]
    """
    hint = f"save the answer of GET /api/{resource} as it is"
    try:
        content = json.loads(dump)
    except (ValueError, RecursionError) as error:
        raise TemplateError("The dump is no JSON.", hint) from error
    if isinstance(content, dict):
        content = next((value for value in content.values() if isinstance(value, list)), [content])
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise TemplateError(f"The dump holds no list of {resource}s.", hint)
    return content


def with_dumps(setup: Setup, folder: Path) -> Setup:
    """Return the set-up with what the dumps say that it names; one that cannot be read is noted as ``unread``.

    Parameters
    ----------
    setup : Setup
    folder : Path
        Relative paths start here.
    """
    unread = []
    for key, resource, take in (
        ("service_dump", "service", with_service_dump),
        ("calendar_dump", "calendar", with_calendar_dump),
    ):
        if name := getattr(setup, key):
            try:
                setup = take(setup, records_of(_content(folder / name), resource))
            except (TemplateError, OSError):
                unread.append(key)
    return replace(setup, unread=tuple(unread))


def _content(path: Path) -> bytes:
    if path.stat().st_size > LARGEST_BYTES:
        raise TemplateError("The dump is larger than 50 MB.", "name a dump of services or calendars")
    return path.read_bytes()


def with_service_dump(setup: Setup, services: list[Mapping[str, Any]]) -> Setup:
    """Return the set-up with what a REST service dump states; it goes before the description.

    ``appointmentLocationText`` is the location where ``appointmentLocation`` is 3. What the other numbers mean is
    not documented: such a service is as it was described, and unclear where it was not.

    Examples
    --------
    >>> dump = [{"id": 7, "appointmentLocation": 3, "appointmentLocationText": "Praxis"}, {"id": 8}]
    >>> setup = with_service_dump(Setup(), dump)
    >>> setup.location_of("7"), sorted(setup.unclear_services)
    ('Praxis', ['8'])
    """
    found, unclear, silenced = dict(setup.services), set[str](), set[str]()
    for service in services:
        values = {str(key).lower(): value for key, value in service.items()}
        identity = _identity(values, "serviceid")
        if not identity:
            continue
        if str(values.get("appointmentlocation", "")) == "3":
            found[identity] = str(values.get("appointmentlocationtext") or "")
        elif identity not in found:
            unclear.add(identity)
        texts = " ".join(str(value) for key, value in values.items() if key.startswith("emailtxt"))
        if _SILENCE.search(texts):
            silenced.add(identity)
    return replace(setup, services=found, unclear_services=frozenset(unclear), silenced_services=frozenset(silenced))


def with_calendar_dump(setup: Setup, calendars: list[Mapping[str, Any]]) -> Setup:
    """Return the set-up with the calendars that eTermin really has.

    Whose "Referenz zu Drittsystem" is in no documented field of the dump, so a calendar that nobody described is
    unknown.
    """
    values = ({str(key).lower(): value for key, value in one.items()} for one in calendars)
    return replace(setup, dumped_calendars=frozenset(filter(None, (_identity(one, "calendarid") for one in values))))


_SILENCE = re.compile(r"(?<![\w%])NOEMAIL(?![\w%])")


def _identity(values: Mapping[str, Any], other_name: str) -> str:
    found = values.get("id", values.get(other_name))
    return "" if found is None else str(found)
