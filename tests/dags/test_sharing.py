"""The loader as Airflow loads it, and a contract's DAG run task by task by Airflow's own `dag.test`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from audit.events import EventKind
from contracts.life.state import Turn
from contracts.model import slug
from core.errors import IntegrityError, QualityError
from core.proof import Window
from core.settings import PUBLISHED
from dags.outline import HOUSEKEEPING
from pipeline import route
from pipeline.agreements import doors
from pipeline.agreements.desk import Desk
from pipeline.airflow.home import DAGS
from pipeline.airflow.runs import route_run_id
from pipeline.home import Home
from tests import signed

if TYPE_CHECKING:
    from tests.dags.conftest import Shop

REQUIRE = doors.require
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


@pytest.mark.parametrize("loader", ["sharing", "housekeeping"])
def test_a_parse_imports_nothing_heavy(loader: str) -> None:
    code = f"import sys, dags.{loader}; print([m for m in {HEAVY!r} if m in sys.modules])"
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
    assert set(bag.dags) == {"one", "two", "refused.bad", HOUSEKEEPING}
    dag = bag.dags["one"]
    assert set(dag.task_ids) == {"check", "receive", "validate", "anonymize", "publish", "clean"}
    clean, publish = dag.get_task("clean"), dag.get_task("publish")
    assert clean.is_teardown
    assert clean.trigger_rule == "all_done_setup_success"
    assert [task.task_id for task in dag.tasks if task.is_setup] == ["check"]  # cleared with what is cleared
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


@pytest.mark.slow
def test_the_daily_round_does_what_is_due(shop: Shop, airflow_database: object) -> None:
    path = shop.contract("goods-list")
    home = Home.open(shop.settings)
    signed.trust(shop.settings)
    made = signed.conclude(home, path)
    release = route.run("goods-list", home=home).release.release
    Desk(home).turn(made.made.id, Turn.SUSPEND, side=signed.C, signer=signed.KEYS[signed.C])
    assert [each.release for each in home.catalog.releases()] == [release]
    done = run(HOUSEKEEPING)
    assert states(done) == {"housekeeping": "success"}
    assert home.catalog.releases() == ()
    dag = load().dags[HOUSEKEEPING]
    assert dag.timetable.can_be_scheduled
    assert dag.catchup is False
    [task] = dag.tasks
    assert task.retries == 3
    assert task.execution_timeout is not None


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
    assert states(done) == {"check": "failed", "clean": "upstream_failed"}  # there is nothing to tear down
    assert list(shop.settings.runs.iterdir()) == []


@pytest.mark.slow
def test_a_library_s_words_stay_out_of_the_log(
    shop: Shop, airflow_database: object, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dags import faults  # noqa: PLC0415 (after conftest)

    with pytest.raises(faults.StepFailed) as caught, faults.in_our_words("validate"):
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
    from dags import faults  # noqa: PLC0415 (after conftest)

    cause = QualityError("Too few rows.", where="goods", remedy="Ask the platform.")
    return faults.StepRefused(cause, "QualityError")


REASON = ["What: Too few rows.", "Where: goods", "Remedy: Ask the platform."]


def test_a_failure_is_told_and_recorded(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    from dags import faults  # noqa: PLC0415 (after conftest)

    run_id = route_run_id("goods-list", "r")
    contract = shop.contract("goods-list")
    route.check(str(contract), run_id=run_id, home=Home.open(shop.settings), window=Window())
    caplog.clear()
    faults.record_failure(failed(reason()))
    assert told(caplog) == [f"Run {run_id} failed at receive: QualityError.", *REASON]
    ledger = Home.open(shop.settings).ledger
    event = ledger.event(ledger.size - 1)
    assert (event.kind, event.run_id) == (EventKind.RUN_FAILED, run_id)
    assert dict(event.facts) == {"step": "receive", "error": "QualityError"}


def test_a_hall_that_cannot_be_opened_does_not_hide_why_a_step_failed(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    from dags import faults  # noqa: PLC0415 (after conftest)

    shop.settings.home.write_text("in the way")
    faults.record_failure(failed(reason()))
    first, *rest, last = told(caplog)
    assert first.endswith("failed at receive: QualityError.")
    assert rest == REASON
    assert last.startswith("The ledger doesn't hold this failure: SLUICE_HOME can't be used (File exists).")


def test_what_breaks_while_a_failure_is_recorded_is_told_without_its_text(
    shop: Shop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dags import faults  # noqa: PLC0415 (after conftest)

    def broken(*_: object, **__: object) -> None:
        raise ValueError("the value is 4711")

    monkeypatch.setattr("pipeline.steps.check.failed", broken)
    faults.record_failure(failed(reason()))
    _, *rest, last = told(caplog)
    assert rest == REASON
    assert last.startswith(f"The ledger doesn't hold this failure: ValueError at {__file__}:")
    assert "4711" not in caplog.text


DAILY = "slaProperties: [{property: frequency, value: 1, unit: d}]\n"


def test_a_contract_with_a_frequency_has_a_periodic_dag(shop: Shop, airflow_database: object) -> None:
    for name, more in (
        ("by-day", DAILY),
        ("unnegotiated", DAILY),
        ("broken", DAILY.replace("1, unit: d", "5, unit: h")),
    ):
        path = shop.contract(name)
        if name != "unnegotiated":
            shop.settings.dossiers(slug(name)).mkdir(parents=True)
        path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    shop.contract("asked-for")
    bag = load()
    assert bag.import_errors == {}
    dags = {name: bag.dags[name] for name in ("by-day", "unnegotiated", "broken", "asked-for")}
    assert {name: dag.timetable.can_be_scheduled for name, dag in dags.items()} == {
        "by-day": True,
        "unnegotiated": False,
        "broken": False,
        "asked-for": False,
    }
    assert dags["by-day"].timetable.expression == "0 0 * * *"
    assert dags["by-day"].catchup is False
    assert "A frequency in hours has one of these values" in dags["broken"].description
    assert set(dags["broken"].task_ids) == {"check", "clean"}


MOMENT = datetime(2026, 5, 20, 10, 30, tzinfo=UTC)
NIGHT = datetime(2026, 5, 20, tzinfo=UTC)
YESTERDAY = Window(start=NIGHT - timedelta(days=1), end=NIGHT)
LONG_AGO = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    ("interval", "schedule", "timed", "window"),
    [
        (LONG_AGO, "0 0 * * *", True, Window(start=LONG_AGO[0], end=LONG_AGO[1])),  # scheduled, or a backfill
        ((None, None), "0 0 * * *", True, YESTERDAY),  # by hand, without a logical date
        ((MOMENT, MOMENT), "0 0 * * *", True, YESTERDAY),
        (LONG_AGO, "0 0 * * *", False, Window()),  # it can't be cut
        ((None, None), "0 0 * * *", False, Window()),
        (LONG_AGO, "", True, Window(start=LONG_AGO[0], end=LONG_AGO[1])),  # asked for
        (LONG_AGO, "", False, Window(start=LONG_AGO[0], end=LONG_AGO[1])),  # the route refuses it
        ((None, None), "", True, Window()),
        ((MOMENT, MOMENT), "", True, Window()),
    ],
)
def test_a_run_takes_its_data_interval(
    interval: tuple[Any, Any], schedule: str, timed: bool, window: Window
) -> None:
    from dags import steps  # noqa: PLC0415 (after conftest)

    run = SimpleNamespace(data_interval_start=interval[0], data_interval_end=interval[1], run_after=MOMENT)
    assert steps._window(run, schedule, timed) == window


@pytest.mark.slow
def test_a_scheduled_run_of_what_can_t_be_cut_takes_everything(shop: Shop, airflow_database: object) -> None:
    path = shop.contract("whole")
    path.write_text(path.read_text(encoding="utf-8") + DAILY, encoding="utf-8")
    done = run("whole", logical_date=LONG_AGO[0])
    assert str(done.state) == "success"
    (release,) = Home.open(shop.settings).catalog.releases()
    assert release.tables[0].rows == 3


STUCK = """
import ctypes, os, sys
from datetime import timedelta
from dags import faults
faults.GRACE = timedelta(seconds=0.5)
def interpreter():
    lock = ctypes.create_string_buffer(256)
    for _ in range(2):
        ctypes.PyDLL(None).pthread_mutex_lock(lock)
def fifo():
    import pyarrow
    os.mkfifo(sys.argv[2])
    pyarrow.OSFile(sys.argv[2])
stuck = {"interpreter": interpreter, "fifo": fifo}[sys.argv[1]]
with faults.hard_stop(timedelta(seconds=0.5)):
    stuck()
"""


@pytest.mark.parametrize("what", ["interpreter", "fifo"])
def test_what_notices_no_signal_is_stopped_all_the_same(tmp_path: Path, what: str) -> None:
    """Native code that holds Python's lock, and native code that opens a file which nobody writes."""
    done = subprocess.run(
        [sys.executable, "-c", STUCK, what, str(tmp_path / "fifo")],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("Timeout (0:00:01)!")
    assert f"in {what}" in done.stderr


def test_a_step_that_ends_in_time_is_not_stopped_later() -> None:
    code = STUCK.partition("stuck =")[0] + (
        "import time\n"
        "for limit in (timedelta(seconds=0.1), None):\n"
        "    with faults.hard_stop(limit):\n        pass\n"
        "time.sleep(1)\n"
        "print('here')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "none", "none"],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().endswith("here")


@pytest.mark.parametrize(
    ("exception", "what"),
    [
        ("timeout", "The step receive took longer than it may."),
        (None, "The process of the step receive is gone, and said nothing."),
        ("lost its heartbeat", "The process of the step receive is gone, and said nothing."),
        (SystemExit(3), "The step receive was ended by SystemExit."),
        (RuntimeError("the value is 4711"), "The step receive was ended by RuntimeError."),
    ],
)
def test_what_is_no_error_of_ours_ends_a_log_as_well(
    caplog: pytest.LogCaptureFixture, exception: object, what: str
) -> None:
    from airflow.sdk.exceptions import AirflowTaskTimeout  # noqa: PLC0415 (after conftest)

    from dags import faults  # noqa: PLC0415 (after conftest)

    faults.tell(failed(AirflowTaskTimeout("4711") if exception == "timeout" else exception))
    first, second, third = told(caplog)
    assert first == f"What: {what}"
    assert second == "Where: goods-list, run r, task receive"
    assert third.startswith("Remedy: It is tried again")
    assert "4711" not in caplog.text


@pytest.mark.slow
def test_a_run_that_check_refuses_has_failed_and_nothing_is_left(
    shop: Shop, airflow_database: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "require", REQUIRE)  # nobody signed it
    shop.contract("unsigned")
    done = run("unsigned")
    assert str(done.state) == "failed"
    assert states(done)["check"] == "failed"
    assert set(states(done).values()) == {"failed", "upstream_failed"}
    assert list(shop.settings.runs.iterdir()) == []


@pytest.mark.slow
def test_a_clean_up_that_fails_leaves_the_run_a_success(
    shop: Shop, airflow_database: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OSError("the disk is away")

    shop.contract("left-behind")
    dag = load().dags["left-behind"]
    for task in dag.tasks:
        task.retries = 0
    monkeypatch.setattr("pipeline.steps.check.clean", away)
    done = dag.test()
    assert (str(done.state), states(done)["clean"]) == (
        "success",
        "failed",
    )  # RunView.failed names it all the same
    monkeypatch.undo()


@pytest.mark.slow
def test_the_next_run_removes_what_airflow_s_ended_runs_left(shop: Shop, airflow_database: object) -> None:
    shop.contract("next")
    home = Home.open(shop.settings)
    done = run("next")
    left = {
        "over": {"dag_id": "next", "run_id": done.run_id},
        "of another Airflow": {"dag_id": "elsewhere", "run_id": "x"},
    }
    for name, owner in left.items():
        home.runs.begin(name, owner=owner)
    assert str(run("next").state) == "success"
    assert not home.runs.folder("over").exists()
    assert home.runs.folder("of another Airflow").exists()  # who knows; after a day it goes


@pytest.mark.slow
def test_a_release_that_airflow_never_heard_of_is_told_once(shop: Shop, airflow_database: object) -> None:
    from airflow.models.asset import AssetEvent  # noqa: PLC0415 (after conftest)
    from airflow.utils.session import create_session  # noqa: PLC0415 (after conftest)

    contract = shop.contract("unheard-of")
    release = route.run(str(contract), home=Home.open(shop.settings)).release.release
    assert states(run("unheard-of"))["publish"] == "success"  # the run that revealed it may have been killed
    assert states(run("unheard-of"))["publish"] == "skipped"
    with create_session() as session:
        events = session.query(AssetEvent).filter(AssetEvent.source_dag_id == "unheard-of").all()
        assert [event.extra for event in events] == [{"release": release, "new": False}]


@pytest.mark.slow
def test_what_others_left_refuses_nobody(
    shop: Shop, airflow_database: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise IntegrityError("An earlier run left something strange.")

    shop.contract("after-others")
    monkeypatch.setattr("pipeline.sweep.sweep", broken)
    assert str(run("after-others").state) == "success"
