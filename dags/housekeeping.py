"""The daily round: what a contract's end or suspension asks for is done, the registry is renewed, leftovers go.

`sluice housekeeping` does the same by hand. docs/airflow.md is for who operates it.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from dags import faults, steps
from dags.outline import HOUSEKEEPING

# Soon after a day has ended in UTC: so do the terms of contracts. A hall that was down then does it when it is back.
WHEN = "5 0 * * *"
LIMIT = timedelta(hours=1)

with DAG(
    dag_id=HOUSEKEEPING,
    description="Releases withheld, deleted or shown as their contracts stand; the registry renewed",
    schedule=CronTriggerTimetable(WHEN, timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=faults.DEFAULTS,
    tags=["sluice"],
    doc_md=__doc__,
) as dag:
    task(execution_timeout=LIMIT)(steps.housekeeping)()
