"""The tables of the embedded store (DuckDB, schema ``main``) and its version. Text only, no connection."""

from __future__ import annotations

from lifecycle.model import APPOINTMENTS_SCHEMA, EVENTS_SCHEMA, SCHEMAS, UTC_TIME

VERSION = 1

SEARCHED_COLUMNS = ("appointment_uid", "first_name", "last_name", "email", "mobile")
"""Columns stored uncompressed, so that a byte search can see what they hold and its silence means something."""

# No keys and no indexes: DuckDB writes their nodes with whatever lay in memory before, a deleted person's uid included.
_INTERNAL = {
    # One row a file that was ingested. The path never leaves the store and the terminal.
    "_sources": "source INTEGER, path VARCHAR, format VARCHAR, dataset VARCHAR, channel VARCHAR, "
    "sha256 VARCHAR, ingested_on DATE, read BIGINT, stored BIGINT, replaced BIGINT, duplicates BIGINT, "
    "rejected BIGINT, expired BIGINT, last_day_0 DATE, consumed BOOLEAN",
    "_undeclared": "source INTEGER, field VARCHAR, count BIGINT",
    "_rejects": "source INTEGER, reason VARCHAR, count BIGINT, first_line BIGINT, last_line BIGINT",
    "_holds": "number INTEGER, appointment_uid VARCHAR, ground VARCHAR, reference VARCHAR, "
    "set_by VARCHAR, set_on DATE, review_on DATE, lifted_on DATE",
    # The marker of evidence.md: written in the same fresh file, so it is there exactly when the rows are gone.
    "_deletion_runs": "run_id VARCHAR, store VARCHAR, dataset VARCHAR, plan_sha256 VARCHAR, deleted BIGINT, "
    "retained BIGINT, retained_digest VARCHAR, checked VARCHAR",
    "_meta": "key VARCHAR, value VARCHAR",
}

CARRIED_OVER = ("_sources", "_undeclared", "_rejects", "_holds", "_deletion_runs", "_meta")
"""Internal tables that a rewrite copies."""


def create_statements() -> list[str]:
    """Return the DDL of every table."""
    tables = {
        "events": _columns_ddl(EVENTS_SCHEMA),
        "appointments": _columns_ddl(APPOINTMENTS_SCHEMA),
        **_INTERNAL,
    }
    return [f"CREATE TABLE {name} ({columns})" for name, columns in tables.items()]


def sql_type(dtype: object) -> str:
    """Return DuckDB's type for a type of a schema constant."""
    if dtype == UTC_TIME:
        return "TIMESTAMPTZ"
    return {"String": "VARCHAR", "Int32": "INTEGER"}[str(dtype)]


def _columns_ddl(schema: object) -> str:
    assert schema in SCHEMAS.values()
    columns = [
        f"{name} {sql_type(dtype)}" + (" USING COMPRESSION uncompressed" if name in SEARCHED_COLUMNS else "")
        for name, dtype in schema.items()  # type: ignore[attr-defined]
    ]
    return ", ".join([*columns, "_source INTEGER"])
