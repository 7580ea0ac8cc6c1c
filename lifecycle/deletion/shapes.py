"""What each file of a run must hold, so that whoever reads one stumbles over nothing in it. Pure.

It is asked at one place, where files are read. Whether it is true the verifier says, which shares no code with this.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from lifecycle.deletion import documents as doc
from lifecycle.model import Outcome


def holds_what_it_should(run_id: str, name: str, data: bytes) -> bool:
    """Tell whether a file of a run has the shape that its name promises, and is of this run."""
    try:
        if name == doc.TOMBSTONES:
            return data.isascii()
        if name in _SHAPES:
            table = json.loads(data)
            _need(table, _SHAPES[name])
            return bool(table.get("predicate", table)["runId"] == run_id)
    # A file can be broken in as many ways as what reads it can fail.
    except (ValueError, LookupError, TypeError, AttributeError, OSError, RecursionError):
        return False
    return True


def _need(value: Any, shape: Any) -> None:
    """Raise unless ``value`` has the shape: a type, one of several, named parts, a list of one shape, or a reader."""
    if isinstance(shape, tuple):
        if value is not None:
            _need(value, shape[0])
    elif isinstance(shape, list):
        for each in _of(value, list):
            _need(each, shape[0])
    elif isinstance(shape, dict):
        _need_parts(_of(value, dict), shape)
    elif isinstance(shape, type):
        _of(value, shape)
    else:
        shape(value)


def _need_parts(table: dict[str, Any], shape: dict[Any, Any]) -> None:
    for name, part in shape.items():
        if name is str:
            for each in table.values():
                _need(each, part)
        elif not name.endswith("?") or name[:-1] in table:
            _need(table[name.removesuffix("?")], part)


def _of(value: Any, kind: type) -> Any:
    # JSON's true is no number, though Python's is.
    if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
        raise TypeError("it is of another type")
    return value


def _moment(text: str) -> None:
    date.fromisoformat(text[:10])
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("it does not say in which zone")


def _percent(value: Any) -> None:
    _of(value, float if isinstance(value, float) else int)


def _zone(name: str) -> None:
    ZoneInfo(name)


def _outcome(text: Any) -> None:
    Outcome(text)


def _residual(one: Any) -> None:
    # A key always has a last day, a file need not have one.
    until = _day if one["where"] == "tombstone-key" else (_day,)
    _need(one, {"where": str, "untilAt": until, "count": int})


def _intent(table: Any) -> None:
    _need(table, _statement({"count": int}))
    if table["predicate"]["count"] and doc.TOMBSTONES not in {each["name"] for each in table["subject"]}:
        raise ValueError("it does not bind its tombstones")


def _named(kind: type, *names: str) -> dict[str, type]:
    return dict.fromkeys(names, kind)


def _statement(predicate: dict[str, Any]) -> dict[str, Any]:
    subject = {"name": str, "digest": {"sha256": str}}
    said = {"event": str, "runId": str, "recordedAt": _moment, **predicate}
    return {"subject": [subject], "predicateType": str, "predicate": said}


_day = date.fromisoformat
# A name with a question mark may be missing; of a tuple null is as good.
_RULE = {
    **_named(str, "dataset", "why", "source", "basis", "cancelled?"),
    **_named(int, "periodDays", "leadDays?", "bookingHorizonDays?"),
    "capMonths?": (int,),
    "supersededDays?": (int,),
}
_STORE = _named(str, "store", "dataset") | _named(int, "before", "due", "held", "noAnchor", "retained")
_LIMITS = {"maxRows": int, "maxPercent": _percent}
_STANDING = {"role": str, "limits": _LIMITS, "until": _day, "nonce": str, "approvedAt": _moment, "signed": bool}
_RESIDUE = _named(int, "places", "files", "bytes", "controls", "foundInOld", "foundInNew") | {"outcome": _outcome}
_SHAPES: dict[str, Any] = {
    doc.PLAN: {
        **_named(str, "runId", "policySha256", "dueSet", "tombstoneKeyId", "toolVersion", "trigger"),
        "asOf": _day,
        "timeZone": _zone,
        "rules": [_RULE],
        "stores": [_STORE],
        "count": int,
        "plannedAt": _moment,
        "holds": {str: int},
        "restsOn?": [str],
        "missingMarkers?": [str],
    },
    doc.APPROVAL: {
        **_named(str, "runId", "planSha256", "role", "nonce"),
        "limits": (_LIMITS,),
        "approvedAt": _moment,
        "standing": (_STANDING,),
        "signed": bool,
    },
    doc.INTENT: _intent,
    doc.DELETED: {
        "runId": str,
        "stores": [_named(str, "store", "dataset", "retainedSet") | _named(int, "deleted", "retained")],
    },
    doc.VERIFIED: {
        "runId": str,
        **_named(int, "stillDue", "deletedBeforeDue", "tombstonedStillPresent"),
        "retainedSetUnchanged": bool,
        "residue": _RESIDUE,
    },
    doc.RECORD: _statement(
        {
            "counts": _named(int, "before", "due", "deleted", "held", "failed", "retained"),
            "checks": {str: _outcome},
            "erasure": str,
            "residuals": [_residual],
        }
    ),
    doc.ABORTED: _statement({"reason": str, "appeared": int, "vanished": int}),
}
