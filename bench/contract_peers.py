"""``python bench/contract_peers.py NAME FILE``: the six checks on a Parquet file of appointments, by one tool.

Column set, unique key, not-null id and end, e-mail and mobile pattern; each tool ends with its own report. What it
prints is the number of faults it counted, or the length of its report.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

BATCH = 100_000
PATTERNS = {
    "email": r"^[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$",
    "mobile": r"^(\+|00|0)[0-9 ()/.-]{6,22}$",
}


def floor(path: Path) -> int:
    """The six checks by hand in polars, streaming; counts and nothing else."""
    import polars as pl

    from lifecycle.model import APPOINTMENTS_SCHEMA, RECORD_KEY

    rows = pl.scan_parquet(path)
    assert rows.collect_schema().names() == list(APPOINTMENTS_SCHEMA)
    counts = rows.select(
        pl.col("appointment_uid").null_count().alias("id"),
        pl.col("ends_at").null_count().alias("end"),
        (~pl.col("email").str.contains(PATTERNS["email"])).sum().alias("email"),
        (~pl.col("mobile").str.contains(PATTERNS["mobile"])).sum().alias("mobile"),
        (pl.len() - pl.struct(RECORD_KEY).n_unique()).alias("repeated"),
    )
    return sum(counts.collect(engine="streaming").row(0))


def pandera(path: Path) -> int:
    """A pandera schema over an eager frame."""
    import pandera.polars as pa
    import polars as pl

    from lifecycle.model import APPOINTMENTS_SCHEMA, RECORD_KEY

    columns = {
        name: pa.Column(
            dtype,
            checks=[pa.Check.str_matches(PATTERNS[name])] if name in PATTERNS else None,
            nullable=name not in ("appointment_uid", "ends_at"),
        )
        for name, dtype in APPOINTMENTS_SCHEMA.items()
    }
    schema = pa.DataFrameSchema(columns, strict=True, unique=list(RECORD_KEY))
    try:
        schema.validate(pl.read_parquet(path), lazy=True)
    except pa.errors.SchemaErrors as failure:
        return len(str(failure))
    return 0


def six(path: Path) -> int:
    """Our structure and basic checks; the value checks are turned off."""
    from lifecycle.contract.values import scan

    scan.value_checks = tuple  # type: ignore[assignment]
    scan.suspects_in = lambda *_: iter(())  # type: ignore[assignment]
    return values(path)


def values(path: Path) -> int:
    """Everything that `check_batches` does, and its findings as JSON."""
    import polars as pl
    import pyarrow.parquet as pq

    from lifecycle.contract.check import check_batches
    from lifecycle.contract.load import contract_from_bytes, shipped_contracts
    from lifecycle.contract.views import findings_json

    contract = contract_from_bytes("appointments", shipped_contracts()["appointments.odcs.yaml"].encode())
    # As `lifecycle check FILE` reads. Not ahead: arrow would keep all it has read.
    parts = pq.ParquetFile(path, pre_buffer=False).iter_batches(batch_size=BATCH)
    batches = (pl.DataFrame(pl.from_arrow(part)) for part in parts)
    findings = check_batches(contract, batches, store="file 1", spill=tempfile.TemporaryFile)
    return len(findings_json(findings))


def great_expectations(path: Path) -> int:
    """The same six as expectations over pandas."""
    import great_expectations as gx
    import pandas as pd

    from lifecycle.model import APPOINTMENTS_SCHEMA, RECORD_KEY

    gxe = gx.expectations
    asked = [
        gxe.ExpectTableColumnsToMatchSet(column_set=list(APPOINTMENTS_SCHEMA), exact_match=True),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=list(RECORD_KEY)),
        *(gxe.ExpectColumnValuesToNotBeNull(column=name) for name in ("appointment_uid", "ends_at")),
        *(gxe.ExpectColumnValuesToMatchRegex(column=name, regex=regex) for name, regex in PATTERNS.items()),
    ]
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas(name="rows").add_dataframe_asset(name="all")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": pd.read_parquet(path)})
    result = batch.validate(gx.ExpectationSuite(name="six", expectations=asked))
    return len(str(result))


def pointblank(path: Path) -> int:
    """The same six and its HTML report."""
    import pointblank as pb
    import polars as pl

    from lifecycle.model import APPOINTMENTS_SCHEMA, RECORD_KEY

    validation = (
        pb.Validate(pl.read_parquet(path))
        .col_schema_match(pb.Schema(columns=list(APPOINTMENTS_SCHEMA)), full_match_dtypes=False)
        .rows_distinct(columns_subset=list(RECORD_KEY))
        .col_vals_not_null(columns=["appointment_uid", "ends_at"])
        .col_vals_regex(columns="email", pattern=PATTERNS["email"], na_pass=True)
        .col_vals_regex(columns="mobile", pattern=PATTERNS["mobile"], na_pass=True)
        .interrogate()
    )
    return len(validation.get_tabular_report().as_raw_html())


TOOLS: dict[str, Callable[[Path], int]] = {
    tool.__name__: tool for tool in (floor, pandera, six, values, great_expectations, pointblank)
}

if __name__ == "__main__":
    print(TOOLS[sys.argv[1]](Path(sys.argv[2])))
