"""One deletion run every night, as an Airflow DAG (Airflow 2.9 or newer).

The command, not the PapermillOperator: only the command checks the parameters, keeps values out of what is saved, and
ends with the exit code of the verb that failed.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow import DAG
from airflow.operators.bash import BashOperator

with DAG(
    dag_id="lifecycle_purge",
    schedule="17 4 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"),
    catchup=False,  # a missed night needs no run of its own: the next one deletes whatever became due
    max_active_runs=1,
    default_args={"retries": 0, "execution_timeout": timedelta(hours=2)},
) as dag:
    BashOperator(
        task_id="purge",
        bash_command="lifecycle --workspace /srv/lifecycle/praxis run 50_purge --json --max-runtime 90m",
        append_env=True,
    )
