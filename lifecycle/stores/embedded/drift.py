"""Drift (Abgleich): the sync log against the records. Set-level SQL; counts only, whatever order the log has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lifecycle.stores.embedded.sql import ORDER

if TYPE_CHECKING:
    import duckdb

# What eTermin says about each appointment in the end, and what arztkonsultation has of it.
_SIDES = f"""
CREATE TEMP TABLE log_side AS
SELECT e.appointment_uid AS uid,
       arg_max(coalesce(e.starts_at, e.ends_at), {ORDER}) AS starts_at,
       arg_max(e.location, {ORDER}) AS location,
       arg_max(e.calendar_ref, {ORDER}) AS calendar_ref,
       count(*) FILTER (e.command = 'DELETED') > 0
           AND coalesce(max(e.received_at) FILTER (e.command = 'DELETED')
                        >= max(e.received_at) FILTER (e.command <> 'DELETED'), true) AS cancelled
FROM events e WHERE e.channel = 'webpush' AND e.appointment_uid IS NOT NULL GROUP BY ALL;
CREATE TEMP TABLE record_side AS
SELECT appointment_uid AS uid, list(DISTINCT starts_at) AS starts,
       bool_and(status IS DISTINCT FROM 'cancelled') AS alive,
       max(booked_at) AS booked_at, bool_or(origin IS DISTINCT FROM 'etermin') AS made_there
FROM appointments WHERE channel = 'arztkonsultation' AND appointment_uid IS NOT NULL GROUP BY ALL;
"""

_CHECKS = {
    # Transmitted to be seen by video, yet not among the records.
    "missing": "SELECT count(*) FROM log_side l ANTI JOIN record_side r USING (uid) "
    "WHERE NOT l.cancelled AND l.location = 'Arztkonsultation'",
    # A record from eTermin that the log, as far back as it reaches, does not know.
    "orphan": "SELECT count(*) FROM record_side r ANTI JOIN log_side l USING (uid) WHERE NOT r.made_there "
    "AND r.booked_at >= (SELECT min(received_at) FROM events WHERE channel = 'webpush')",
    # Cancelled in eTermin, alive here: the person is expected, and the data should go by another date.
    "zombie": "SELECT count(*) FROM log_side l JOIN record_side r USING (uid) WHERE l.cancelled AND r.alive",
    # An edit that was lost on the way.
    "stale": "SELECT count(*) FROM log_side l JOIN record_side r USING (uid) "
    "WHERE NOT l.cancelled AND l.starts_at IS NOT NULL AND NOT list_contains(r.starts, l.starts_at)",
    # Sent to the video service, although the appointment is not one by video.
    "non-video-service": "SELECT count(*) FROM log_side l JOIN record_side r USING (uid) WHERE l.location = 'other'",
}


def drift(db: duckdb.DuckDBPyConnection, calendars: Iterable[str] | None) -> dict[str, int | None]:
    """Count the appointments on which log and records disagree.

    Parameters
    ----------
    db : duckdb.DuckDBPyConnection
    calendars : iterable of str or None
        eTermin's calendars that are mapped to a user of arztkonsultation; None where nobody has said.

    Returns
    -------
    dict of str to int or None
        Check to count of appointments; None where it could not be told, because one side is empty.
    """
    for statement in _SIDES.split(";")[:-1]:
        db.execute(statement)
    sides = db.execute("SELECT (SELECT count(*) FROM log_side), (SELECT count(*) FROM record_side)").fetchall()[0]
    found: dict[str, int | None] = {
        name: int(db.execute(query).fetchall()[0][0]) if all(sides) else None for name, query in _CHECKS.items()
    }
    if calendars is not None:
        query = (
            "SELECT count(*) FROM log_side l WHERE l.location = 'Arztkonsultation' AND NOT l.cancelled "
            "AND coalesce(l.calendar_ref, '') NOT IN (SELECT unnest($calendars::VARCHAR[]))"
        )
        found["unmapped-calendar"] = int(db.execute(query, {"calendars": list(calendars)}).fetchall()[0][0])
    return found
