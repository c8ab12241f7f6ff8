"""The loader as Airflow loads it, and a contract's DAG run task by task by Airflow's own `dag.test`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from audit.events import EventKind
from core.errors import QualityError
from core.proof import Window
from core.settings import PUBLISHED
from pipeline import route
from pipeline.airflow_home import DAGS
from pipeline.airflow_runs import route_run_id
from pipeline.home import Home

if TYPE_CHECKING:
    from tests.dags.conftest import Shop

HEAVY = (
    "great_expectations",
    "duckdb",
    "pyarrow",
    "pandas",
    "numba",
    "deltalake",
    "open_data_contract_standard",
    "pydantic_yaml",
)


def load() -> Any:
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 (after conftest has set its home)

    return DagBag(dag_folder=str(DAGS), bundle_path=DAGS, bundle_name="dags-folder")


def test_a_parse_imports_nothing_heavy() -> None:
    code = f"import sys, dags.sharing; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_there_is_a_dag_for_each_contract(shop: Shop, airflow_database: object) -> None:
    shop.contract("one")
    shop.contract("two")
    (shop.settings.contracts / "bad.odcs.yaml").write_text("id: [", encoding="utf-8")
    bag = load()
    assert bag.import_errors == {}
    assert set(bag.dags) == {"one", "two", "refused.bad"}
    dag = bag.dags["one"]
    assert set(dag.task_ids) == {"check", "receive", "validate", "anonymize", "publish", "clean"}
    clean, publish = dag.get_task("clean"), dag.get_task("publish")
    assert clean.is_teardown
    assert clean.trigger_rule == "all_done_setup_success"
    assert not any(task.is_setup for task in dag.tasks)  # a failed setup would leave the clean-up out
    assert [(o.name, o.uri) for o in publish.outlets] == [("one.goods", "sluice://catalog/one/goods")]
    for task in dag.tasks:
        assert task.retries == 3
        assert task.retry_exponential_backoff
        assert task.execution_timeout is not None
        assert task.on_failure_callback
    assert set(bag.dags["refused.bad"].task_ids) == {"check", "clean"}


def test_the_shipped_contracts_make_dags(monkeypatch: pytest.MonkeyPatch, airflow_database: object) -> None:
    monkeypatch.setenv("SLUICE_CONTRACTS", str(PUBLISHED))
    bag = load()
    assert bag.import_errors == {}
    assert "grocery-demand" in bag.dags


def test_a_task_builds_no_other_dag(shop: Shop, airflow_database: object) -> None:
    shop.contract("one")
    shop.contract("two")
    code = "import dags.sharing as s; print([n for n in vars(s) if n.startswith('dag_')])"
    env = {
        **os.environ,
        "_AIRFLOW_PARSING_CONTEXT_DAG_ID": "two",
        "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "check",
    }
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "['dag_two']"


def run(dag_id: str, **options: Any) -> Any:
    return load().dags[dag_id].test(**options)


def states(run: Any) -> dict[str, str]:
    return {instance.task_id: str(instance.state) for instance in run.get_task_instances()}


@pytest.mark.slow
def test_a_contract_goes_through_airflow_to_a_release(shop: Shop, airflow_database: object) -> None:
    shop.contract("goods-list")
    done = run("goods-list")
    assert str(done.state) == "success"
    home = Home.open(shop.settings)
    (release,) = home.catalog.releases()
    assert [(table.name, table.rows) for table in release.tables] == [("goods", 3)]
    completed = home.ledger.receipt_for(EventKind.RUN_COMPLETED, route_run_id("goods-list", done.run_id))
    assert completed is not None
    assert list(shop.settings.runs.iterdir()) == []  # raw data is gone
    again = run("goods-list")
    assert str(again.state) == "success"
    assert len(home.catalog.releases(all=True)) == 1


@pytest.mark.slow
def test_between_tasks_travels_a_path_and_a_digest(shop: Shop, airflow_database: object) -> None:
    from airflow.models.xcom import XComModel  # noqa: PLC0415 (after conftest)
    from airflow.utils.session import create_session  # noqa: PLC0415 (after conftest)

    shop.contract("handed-on")
    done = run("handed-on")
    with create_session() as session:
        rows = (
            session.query(XComModel)
            .filter(XComModel.run_id == done.run_id, XComModel.dag_id == "handed-on")
            .all()
        )
        values = {row.task_id: row.value for row in rows if row.key == "return_value"}
    assert set(values) == {"check", "receive", "validate", "anonymize"}
    for value in values.values():
        value = json.loads(value) if isinstance(value, str) else value
        assert set(value) == {"path", "sha256"}
        assert Path(value["path"]).parent.parent == shop.settings.runs
        assert len(value["sha256"]) == 64


@pytest.mark.slow
def test_a_refusal_is_final_recorded_and_leaves_no_raw_data(
    shop: Shop, airflow_database: object, capfd: pytest.CaptureFixture[str]
) -> None:
    shop.contract("too-few", rows=10)
    done = run("too-few")
    assert str(done.state) == "failed"
    assert states(done) | {"clean": "success"} == {
        "check": "success",
        "receive": "success",
        "validate": "failed",
        "anonymize": "upstream_failed",
        "publish": "upstream_failed",
        "clean": "success",
    }
    assert states(done)["clean"] == "success"
    home = Home.open(shop.settings)
    last = home.ledger.event(home.ledger.size - 1)
    assert (last.kind, last.run_id) == (EventKind.RUN_FAILED, route_run_id("too-few", done.run_id))
    facts = last.facts
    assert (facts["step"], facts["error"]) == ("validate", "QualityError")
    assert list(shop.settings.runs.iterdir()) == []
    assert home.catalog.releases() == ()


@pytest.mark.slow
def test_a_file_that_shows_no_contract_fails_saying_so(shop: Shop, airflow_database: object) -> None:
    (shop.settings.contracts / "bad.odcs.yaml").write_text("id: [", encoding="utf-8")
    done = run("refused.bad")
    assert str(done.state) == "failed"
    assert states(done) == {"check": "failed", "clean": "success"}


@pytest.mark.slow
def test_a_library_s_words_stay_out_of_the_log(
    shop: Shop, airflow_database: object, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dags import steps  # noqa: PLC0415 (after conftest)

    with pytest.raises(steps.StepFailed) as caught, steps._step("validate"):
        raise ValueError("the value is 4711")
    assert "4711" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert caught.value.kind == "ValueError"
    assert "4711" not in "".join(capfd.readouterr())


class Instance:
    """What the callback reads of Airflow's task instance."""

    dag_id, run_id, task_id = "goods-list", "r", "receive"


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "sluice.route"]


def failed(exception: object) -> dict[str, object]:
    return {"ti": Instance(), "exception": exception}


def reason() -> Any:
    from dags import steps  # noqa: PLC0415 (after conftest)

    cause = QualityError("Too few rows.", where="goods", remedy="Ask the platform.")
    return steps.StepRefused(cause, "QualityError")


REASON = ["What: Too few rows.", "Where: goods", "Remedy: Ask the platform."]


def test_a_failure_is_told_and_recorded(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    from dags import steps  # noqa: PLC0415 (after conftest)

    run_id = route_run_id("goods-list", "r")
    contract = shop.contract("goods-list")
    route.check(str(contract), run_id=run_id, home=Home.open(shop.settings), window=Window())
    caplog.clear()
    steps.record_failure(failed(reason()))
    assert told(caplog) == [f"Run {run_id} failed at receive: QualityError.", *REASON]
    ledger = Home.open(shop.settings).ledger
    event = ledger.event(ledger.size - 1)
    assert (event.kind, event.run_id) == (EventKind.RUN_FAILED, run_id)
    assert dict(event.facts) == {"step": "receive", "error": "QualityError"}


def test_a_hall_that_cannot_be_opened_does_not_hide_why_a_step_failed(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    from dags import steps  # noqa: PLC0415 (after conftest)

    shop.settings.home.write_text("in the way")
    steps.record_failure(failed(reason()))
    first, *rest, last = told(caplog)
    assert first.endswith("failed at receive: QualityError.")
    assert rest == REASON
    assert last.startswith("The ledger doesn't hold this failure: SLUICE_HOME can't be used (File exists).")


def test_what_breaks_while_a_failure_is_recorded_is_told_without_its_text(
    shop: Shop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dags import steps  # noqa: PLC0415 (after conftest)

    def broken(*_: object, **__: object) -> None:
        raise ValueError("the value is 4711")

    monkeypatch.setattr("pipeline.route.failed", broken)
    steps.record_failure(failed(reason()))
    _, *rest, last = told(caplog)
    assert rest == REASON
    assert last.startswith(f"The ledger doesn't hold this failure: ValueError at {__file__}:")
    assert "4711" not in caplog.text
