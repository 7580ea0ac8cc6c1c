"""SQL texts of the embedded store: which rows are due, their messages and hashes. Values are always bound."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from lifecycle.model import SCHEMAS, TOMBSTONE_KEYS, UTC_TIME, Cutoffs, Rule

# Rows that were replaced, or that a killed call had written, have left their bytes in the file: the next deletion run
# writes it anew, rows due or not.
REWRITE_OWED = "rewrite_owed"
OWES_REWRITE = f"SELECT 1 FROM _meta WHERE key = '{REWRITE_OWED}'"
OWE_REWRITE = f"INSERT INTO _meta SELECT '{REWRITE_OWED}', 'true' WHERE NOT EXISTS ({OWES_REWRITE})"
OWE_NO_REWRITE = f"DELETE FROM _meta WHERE key = '{REWRITE_OWED}'"


def judged(dataset: str, cutoffs: Cutoffs, *, table: str = "", sources: str = "_sources") -> str:
    """Return a SELECT over every row of ``dataset``: ``row, due_by, held, no_anchor, day_0_at``.

    ``due_by`` names the clause that makes the row due (booked, fallback, cancelled, superseded, returned) and is
    NULL otherwise; "returned" needs the tables that ``returned.choose`` fills. ``table`` may be another relation of
    the same columns (rows that have just arrived), with a ``rowid``; ``sources`` then names the relation (source,
    ingested_on) that tells the day of their ingest.
    """
    text = _JUDGE_EVENTS if dataset == "events" else _JUDGE_APPOINTMENTS
    return text.format(
        source=table or dataset,
        sources=sources,
        booked_end=_instant(cutoffs.booked_end),
        no_anchor=_instant(cutoffs.no_anchor),
        cancelled="false" if cutoffs.cancelled is None else f"cancelled_at < {_instant(cutoffs.cancelled)}",
        superseded="false"
        if cutoffs.superseded is None
        else f"e.received_at < {_instant(cutoffs.superseded)} AND e.command <> 'DELETED' AND {ORDER} < l.last",
        order=ORDER,
        returned=f"e.rowid IN (SELECT row FROM returned_{dataset})" if cutoffs.erased_by else "false",
    )


_JUDGE_APPOINTMENTS = """
SELECT e.rowid AS row, coalesce(e.ends_at, e.starts_at) AS day_0_at, day_0_at IS NULL AS no_anchor,
       CASE WHEN e.status = 'cancelled' THEN e.received_at END AS cancelled_at,
       CASE WHEN day_0_at < {booked_end} THEN 'booked'
            WHEN no_anchor AND coalesce(e.received_at, s.ingested_on::TIMESTAMPTZ) < {no_anchor} THEN 'fallback'
            WHEN {cancelled} THEN 'cancelled'
            WHEN {returned} THEN 'returned' END AS due_by,
       e.appointment_uid IN (SELECT h.appointment_uid FROM _holds h WHERE h.lifted_on IS NULL) AS held
FROM {source} e LEFT JOIN {sources} s ON s.source = e._source
"""

# Which booking is the last: any MODIFIED beats any CREATED, then the later receipt, then the later end. DELETED
# gives dates only where nothing else does. A number, because comparing numbers is several times faster than rows.
ORDER = (
    "((CASE e.command WHEN 'MODIFIED' THEN 2 WHEN 'CREATED' THEN 1 ELSE 0 END)::HUGEINT << 124)"
    " + ((coalesce(epoch_us(e.received_at), -1::BIGINT) + 1)::HUGEINT << 62)"
    " + (epoch_us(coalesce(e.ends_at, e.starts_at)) + (1::BIGINT << 61))"
)

_JUDGE_EVENTS = """
SELECT e.rowid AS row, l.day_0_at AS day_0_at, l.day_0_at IS NULL AS no_anchor, l.cancelled_at AS cancelled_at,
       CASE WHEN l.day_0_at < {booked_end} THEN 'booked'
            WHEN no_anchor AND coalesce(l.received_at, s.ingested_on::TIMESTAMPTZ) < {no_anchor} THEN 'fallback'
            WHEN {cancelled} THEN 'cancelled'
            WHEN {superseded} THEN 'superseded'
            WHEN {returned} THEN 'returned' END AS due_by,
       e.appointment_uid IN (SELECT h.appointment_uid FROM _holds h WHERE h.lifted_on IS NULL) AS held
FROM {source} e
JOIN (
    SELECT e.channel, coalesce(e.appointment_uid, '') AS uid,
           CASE WHEN e.appointment_uid IS NULL THEN e.rowid END AS lone,
           max({order}) AS last,
           arg_max(coalesce(e.ends_at, e.starts_at), {order}) AS day_0_at,
           max(e.received_at) AS received_at,
           max(e.received_at) FILTER (e.command = 'DELETED') AS deleted_at,
           CASE WHEN deleted_at >= coalesce(max(e.received_at) FILTER (e.command <> 'DELETED'), deleted_at)
                THEN deleted_at END AS cancelled_at
    FROM {source} e GROUP BY ALL
) l ON l.channel IS NOT DISTINCT FROM e.channel AND l.uid = coalesce(e.appointment_uid, '')
   AND l.lone IS NOT DISTINCT FROM CASE WHEN e.appointment_uid IS NULL THEN e.rowid END
LEFT JOIN {sources} s ON s.source = e._source
"""


def any_may_be_due(source: str, cutoffs: Cutoffs) -> str:
    """Return a query that gives a row unless nothing in ``source`` is due for certain. Cheaper than judging.

    An appointment falls due by one of its messages' dates, or by the fallback for want of any.
    """
    where = f"coalesce(coalesce(e.ends_at, e.starts_at) < {_instant(cutoffs.booked_end)}, true)"
    if cutoffs.cancelled is not None or cutoffs.superseded is not None:
        where = "true"
    return f"SELECT 1 FROM {source} e WHERE {where} LIMIT 1"


def not_yet_due_by_calendar(rule: Rule, zone: str, as_of: date) -> str:
    """Return a condition on ``day_0_at`` that is true when the row is *not* due, by calendar arithmetic in SQL.

    Deliberately another way than :class:`Cutoffs`: what is about to be deleted is counted once more with it.
    """
    day_0 = f"(day_0_at AT TIME ZONE '{zone}')::DATE"
    by_period = f"{day_0} + {rule.period_days}"
    last = by_period
    if rule.cap_months is not None:
        last = f"least({by_period}, ({day_0} + INTERVAL {rule.cap_months} MONTH)::DATE)"
    return f"{last} - {rule.lead_days} > DATE '{as_of.isoformat()}'"


def message(dataset: str, alias: str = "e") -> str:
    """Return an expression: the text that a row's tombstone is the keyed digest of, but for the label before it."""
    parts, before = list[str](), f"{len(dataset)}:{dataset},"
    for name in TOMBSTONE_KEYS[dataset]:
        parts += _key_parts(before, f"{alias}.{name}", name, SCHEMAS[dataset][name])
        before = ","  # every part takes time, so one ends what is before it
    return f"concat({', '.join(parts)}, ',')"


def row_hash(dataset: str, alias: str = "e") -> str:
    """Return an expression: a 64-bit hash over all declared columns of a row."""
    return f"hash({', '.join(f'{alias}.{name}' for name in SCHEMAS[dataset])})"


def key_hash(dataset: str, alias: str = "e") -> str:
    """Return an expression: a 64-bit hash over the columns that a tombstone speaks of."""
    return f"hash({', '.join(f'{alias}.{name}' for name in TOMBSTONE_KEYS[dataset])})"


def _key_parts(before: str, column: str, name: str, dtype: object) -> list[str]:
    # concat leaves out what is NULL, so only the head must tell. One CASE around all of it takes longer.
    head = f"CASE WHEN {column} IS NULL THEN '{before}{len(name) + 1}:{name}?,0:' ELSE '{before}{len(name)}:{name},"
    if dtype == UTC_TIME:
        # Every time is 27 characters long. Without a zone, strftime does not have to ask for one in every row.
        return [f"{head}27:' END", f"strftime(make_timestamp(epoch_us({column})), '%Y-%m-%dT%H:%M:%S.%fZ')"]
    value = column if str(dtype) == "String" else f"{column}::VARCHAR"
    return [f"{head}' END", f"strlen({value}) || ':'", value]


def _instant(moment: datetime) -> str:
    return f"TIMESTAMPTZ '{moment.strftime('%Y-%m-%d %H:%M:%S.%f')}+00'"


SET_CHECKS: Mapping[tuple[str, str], str] = {
    ("series", "appointments"): "SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM appointments "
    "WHERE appointment_uid IS NOT NULL GROUP BY channel, appointment_uid, participant "
    "HAVING count(DISTINCT starts_at) > 1)",
    # Several bookings of one rank and no receipt to tell them apart: the later end was taken.
    ("order-unknown", "events"): "SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM events "
    "WHERE appointment_uid IS NOT NULL AND received_at IS NULL AND command IN ('CREATED', 'MODIFIED') "
    "GROUP BY channel, appointment_uid, command HAVING n > 1)",
}
"""Checks over all rows of a dataset: (check, dataset) to a query that counts the rows concerned."""
