"""How a run of Airflow is called in the ledger."""

from __future__ import annotations

import uuid

_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:sluice:airflow-run")


def route_run_id(dag_id: str, run_id: str) -> str:
    """The UUID of Airflow's run `run_id` of `dag_id`: the same in every task, try and process of that run."""
    return str(uuid.uuid5(_SPACE, f"{len(dag_id)}:{dag_id}/{run_id}"))
