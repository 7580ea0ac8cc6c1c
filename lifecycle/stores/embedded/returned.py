"""Rows that came back with a restore although a sealed run had erased them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import polars as pl

from lifecycle.model import SCHEMAS, Cutoffs, Residue
from lifecycle.stores.embedded import sql
from lifecycle.stores.embedded.tombstones import marked

if TYPE_CHECKING:
    import duckdb


def choose(db: duckdb.DuckDBPyConnection, cutoffs: Mapping[str, Cutoffs]) -> None:
    """Fill the temporary tables ``returned_<dataset>`` with the rows that only their tombstones condemn.

    The keys are not asked about rows that the rule finds due anyway. Nothing to do where no run is asked.
    """
    for dataset, each in cutoffs.items():
        if not each.erased_by:
            continue
        by_rule = sql.judged(dataset, replace(each, erased_by=()))
        db.execute(f"CREATE OR REPLACE TEMP TABLE returned_{dataset} (row BIGINT)")
        db.execute(f"CREATE OR REPLACE TEMP TABLE asked AS SELECT row FROM ({by_rule}) WHERE due_by IS NULL")
        for run in each.erased_by:
            rows = marked(db, dataset, run.key, run.tombstones, "e.rowid IN (SELECT row FROM asked)")
            db.register("found", rows.to_arrow())
            db.execute(f"INSERT INTO returned_{dataset} SELECT row FROM found")
            db.unregister("found")
        db.execute("DROP TABLE asked")


def chosen(db: duckdb.DuckDBPyConnection, cutoffs: Mapping[str, Cutoffs]) -> dict[str, pl.DataFrame]:
    """Return what :func:`choose` found: by dataset, the numbers of the rows."""
    return {name: db.sql(f"SELECT row FROM returned_{name}").pl() for name, each in cutoffs.items() if each.erased_by}


def choose_again(db: duckdb.DuckDBPyConnection, rows: Mapping[str, pl.DataFrame]) -> None:
    """Fill the temporary tables with rows that were found before, in a file that nobody has changed since."""
    for dataset, frame in rows.items():
        db.register("found", frame.to_arrow())
        db.execute(f"CREATE OR REPLACE TEMP TABLE returned_{dataset} AS SELECT row FROM found")
        db.unregister("found")


def mark_restored(db: duckdb.DuckDBPyConnection, store: str, run_id: str, plan_sha256: str) -> None:
    """Insert the markers of a restore run that found nothing to erase, where they are missing."""
    checked = json.dumps({"deleted_before_due": 0, "residue": asdict(Residue(0, 0, 0, 0, 0, 0))})
    for dataset in SCHEMAS:
        retained = db.execute(f"SELECT count(*) FROM {dataset}").fetchall()[0][0]
        db.execute(
            "INSERT INTO _deletion_runs SELECT $run, $store, $dataset, $plan, 0, $retained, '', $checked "
            "WHERE NOT EXISTS (FROM _deletion_runs m WHERE (m.run_id, m.store, m.dataset) = ($run, $store, $dataset))",
            {"run": run_id, "store": store, "dataset": dataset, "plan": plan_sha256, "retained": retained,
             "checked": checked},
        )  # fmt: skip
