"""Time and memory of the contract room beside its peers, each in a process of its own, medians of several runs.

    python bench/contract_checks.py [--rows 1000000] [--runs 3] [--with-slow]

Six checks (column set, unique key, not-null id and end, e-mail and mobile pattern) on a Parquet file, report counted:
polars by hand (the floor), pandera alone, ours with the six checks only, ours with every value check; with
``--with-slow`` Great Expectations, and pointblank if it is installed.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

BATCH = 100_000
PATTERNS = {
    "email": r"^[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$",
    "mobile": r"^(\+|00|0)[0-9 ()/.-]{6,22}$",
}


def floor(path: Path) -> int:
    """The six checks by hand, streaming."""
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


def pandera_alone(path: Path) -> int:
    """The six checks as a pandera schema over an eager frame."""
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
        return len(failure.schema_errors)
    return 0


def ours_six(path: Path) -> int:
    """Our structure and basic checks, without the value checks."""
    from lifecycle.contract.values import scan

    scan.value_checks = tuple  # type: ignore[assignment]
    scan.suspects_in = lambda *_: iter(())  # type: ignore[assignment]
    return ours_all(path)


def ours_all(path: Path) -> int:
    """Everything that `check_batches` does."""
    import polars as pl
    import pyarrow.parquet as pq

    from lifecycle.contract.check import check_batches
    from lifecycle.contract.load import contract_from_bytes, shipped_contracts

    contract = contract_from_bytes("appointments", shipped_contracts()["appointments.odcs.yaml"].encode())
    # Not ahead: arrow would keep all it has read, and polars' own stream keeps more the longer the file is.
    parts = pq.ParquetFile(path, pre_buffer=False).iter_batches(batch_size=BATCH)
    batches = (pl.DataFrame(pl.from_arrow(part)) for part in parts)
    findings = check_batches(contract, batches, store="file 1", spill=tempfile.TemporaryFile)
    return sum(finding.count for finding in findings)


def great_expectations(path: Path) -> int:
    """The second opinion on all rows of the sample."""
    import polars as pl

    from lifecycle.contract import second_opinion
    from lifecycle.contract.load import default_contracts

    second_opinion.WHOLE_UP_TO = 10**9
    return len(second_opinion.second_opinion(default_contracts()["appointments"], pl.read_parquet(path), (), seed=1))


def pointblank(path: Path) -> int:
    """The six checks and its HTML report."""
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


PEERS: dict[str, Callable[[Path], int]] = {
    "polars by hand (floor)": floor,
    "pandera alone": pandera_alone,
    "ours, six checks": ours_six,
    "ours, all value checks": ours_all,
}
SLOW: dict[str, Callable[[Path], int]] = {"great_expectations": great_expectations, "pointblank": pointblank}


def measure(name: str, path: Path) -> None:
    """Run one peer in this process and print its figures as JSON."""
    count = {**PEERS, **SLOW}[name](path)
    # Not ru_maxrss: a forked child begins with its parent's.
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"peak_mb": peak, "count": count}))


def run(name: str, path: Path) -> tuple[float, float, float] | None:
    """Seconds of the whole process, its processor seconds, its peak in MB; None when the peer is not installed."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, __file__, "--one", name, "--file", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        return None
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, json.loads(done.stdout.strip().splitlines()[-1])["peak_mb"]


def main() -> None:
    """Make the file, run the peers, print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--with-slow", action="store_true")
    options.add_argument("--one")
    options.add_argument("--file", type=Path)
    given = options.parse_args()
    if given.one:
        measure(given.one, given.file)
        return
    from contract_data import write

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "appointments.parquet"
        write(path, given.rows)
        print(
            f"{given.rows:,} appointments, {path.stat().st_size / 1e6:.0f} MB Parquet, medians of {given.runs} runs\n"
        )
        print(
            "| tool | seconds | cpu seconds | peak MB | seconds, cpu x floor | x pandera |\n|---|---|---|---|---|---|"
        )
        # One after the other within each round, so that a busy moment of the machine meets all of them.
        names = [*PEERS, *(SLOW if given.with_slow else {})]
        rounds = [{name: run(name, path) for name in names} for _ in range(given.runs)]
        medians: dict[str, tuple[float, float]] = {}
        for name in names:
            results = [result for one in rounds if (result := one[name])]
            if not results:
                print(f"| {name} | not installed | | | | |")
                continue
            seconds, cpu = (statistics.median(result[i] for result in results) for i in (0, 1))
            medians[name] = seconds, cpu
            beside = [medians[peer] for peer in (*PEERS,)[:2] if peer in medians]
            ratios = [f"{seconds / peer[0]:.2f}, {cpu / peer[1]:.2f}" for peer in beside]
            peak = max(result[2] for result in results)
            print(f"| {name} | {seconds:.2f} | {cpu:.2f} | {peak:.0f} | {' | '.join(ratios)} |")


if __name__ == "__main__":
    main()
