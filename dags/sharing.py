"""The loader: a DAG for each contract in SLUICE_CONTRACTS.

check -> receive -> validate -> anonymize -> publish, and `clean`, the teardown of `check`: it runs whatever became of the
others, and with any of them that is cleared. A contract that says how often its data comes, and that was
negotiated here, has a DAG that runs so often within its term, each run over its own data interval. docs/airflow.md is for who operates it.

A task builds no other DAG than its own, and nothing heavy is imported before a task runs.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, get_parsing_context, task

from contracts.model import slug
from core.settings import Settings
from dags import faults, steps
from dags.outline import Outline, outline_of, outlines

SHORT, LONG = timedelta(minutes=10), timedelta(hours=6)


def sharing(outline: Outline, today: date, *, negotiated: bool) -> DAG:
    """The DAG of one contract; one that only fails, saying why, when its file shows no contract.

    negotiated: whether the hall keeps a negotiation about it. Without one nothing can be in force, and nothing is scheduled;
    whether it is, `check` asks.
    """
    cron = outline.due(today) if negotiated else ""
    with DAG(
        dag_id=outline.dag_id,
        description=outline.problem or f"{outline.name or outline.contract_id} {outline.version}".strip(),
        schedule=CronDataIntervalTimetable(cron, timezone="UTC") if cron else None,
        catchup=False,
        max_active_runs=1,
        default_args=faults.DEFAULTS,
        tags=["sluice", outline.status or "refused"],
        doc_md=__doc__,
    ) as dag:
        check = task(multiple_outputs=False, execution_timeout=SHORT)(steps.check)
        begun = check(str(outline.path), outline.problem, outline.schedule, outline.timed).as_setup()
        # It doesn't decide the run's state: on_failure_fail_dagrun would make it the only leaf, and a refused run would
        # end as a success.
        clean = task(execution_timeout=SHORT)(steps.clean)().as_teardown(setups=begun)
        if outline.problem:
            return dag
        receive, validate, anonymize = (
            task(multiple_outputs=False, execution_timeout=LONG)(body)
            for body in (steps.receive, steps.validate, steps.anonymize)
        )
        assets = [Asset(name=name, uri=uri) for name, uri in outline.assets.items()]
        publish = task(execution_timeout=LONG, inlets=assets, outlets=assets)(steps.publish)
        publish(anonymize(validate(receive(begun)))) >> clean
    return dag


def _wanted(contracts: Path) -> tuple[Outline, ...]:
    dag_id = get_parsing_context().dag_id
    if dag_id is None:
        return outlines(contracts)
    outline = outline_of(contracts, dag_id)
    return (outline,) if outline else ()


_settings, _today = Settings.from_env(), datetime.now(UTC).date()
for _outline in _wanted(_settings.contracts):
    _negotiated = _settings.dossiers(slug(_outline.contract_id)).is_dir()
    globals()[f"dag_{_outline.dag_id}"] = sharing(_outline, _today, negotiated=_negotiated)
