"""One deletion run every night, as an Airflow DAG (Airflow 3).

The command, not the PapermillOperator: only the command checks the parameters, keeps values out of what is saved, and
ends with the exit code of the verb that failed. Install lifecycle in an environment of its own, not in Airflow's.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

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
        bash_command=(
            "/opt/lifecycle/bin/lifecycle --workspace /srv/lifecycle/praxis run 50_purge --json --max-runtime 90m"
        ),
        append_env=True,
    )
