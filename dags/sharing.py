"""The loader: a DAG for each contract in SLUICE_CONTRACTS.

check -> receive -> validate -> anonymize -> publish, and `clean`, a teardown that runs whatever became of the others.
A task builds no other DAG than its own, and nothing heavy is imported before a task runs.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, get_parsing_context, task

from core.settings import Settings
from dags import steps
from dags.outline import Outline, outline_of, outlines

# A refusal isn't tried again (dags/steps.py); what is: a source that was away, a full disk, a busy database.
DEFAULTS = {
    "owner": "sluice",
    "on_failure_callback": steps.record_failure,
    "on_retry_callback": steps.tell,
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
}
SHORT, LONG = timedelta(minutes=10), timedelta(hours=6)


def sharing(outline: Outline) -> DAG:
    """The DAG of one contract; one that only fails, saying why, when its file shows no contract."""
    with DAG(
        dag_id=outline.dag_id,
        description=outline.problem or f"{outline.name or outline.contract_id} {outline.version}".strip(),
        schedule=None,
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS,
        tags=["sluice", outline.status or "refused"],
        doc_md=__doc__,
    ) as dag:
        check = task(multiple_outputs=False, execution_timeout=SHORT)(steps.check)
        # No setup: a teardown with setups is left out when one of them fails. It doesn't decide the run's state
        # either: on_failure_fail_dagrun would make it the only leaf, and a refused run would end as a success.
        clean = task(execution_timeout=SHORT)(steps.clean)().as_teardown()
        if outline.problem:
            check(str(outline.path), outline.problem) >> clean
            return dag
        receive, validate, anonymize = (
            task(multiple_outputs=False, execution_timeout=LONG)(body)
            for body in (steps.receive, steps.validate, steps.anonymize)
        )
        outlets = [Asset(name=name, uri=uri) for name, uri in outline.assets.items()]
        publish = task(execution_timeout=LONG, outlets=outlets)(steps.publish)
        publish(anonymize(validate(receive(check(str(outline.path), ""))))) >> clean
    return dag


def _wanted() -> tuple[Outline, ...]:
    contracts, dag_id = Settings.from_env().contracts, get_parsing_context().dag_id
    if dag_id is None:
        return outlines(contracts)
    outline = outline_of(contracts, dag_id)
    return (outline,) if outline else ()


for _outline in _wanted():
    globals()[f"dag_{_outline.dag_id}"] = sharing(_outline)
