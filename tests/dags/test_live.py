"""A live Airflow, one for all of these tests: what its operators do with it, and what befalls it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from audit.events import EventKind
from core.proof import Window
from core.settings import Settings
from pipeline.airflow import guard as airflow_guard
from pipeline.airflow.api import RunView
from pipeline.airflow.service import AirflowService
from tests.dags.live import GOODS, Live, daily, loaders, states, until
from tests.signed import sign_all

pytestmark = pytest.mark.system

DAYS = [datetime.now(UTC).date() - timedelta(days=ago) for ago in range(4)]
TROUBLED = ("stuck", "slow", "too-few")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("live")
    contracts = folder / "contracts 合同"
    (contracts / "data").mkdir(parents=True)
    (contracts / "data" / "goods.csv").write_text("id,name\n1,bread\n2,milk\n3,茶\n", encoding="utf-8")
    rows = [f"{10 * n + m},bread,{day:%Y-%m-%d}" for n, day in enumerate(DAYS) for m in range(n + 1)]
    (contracts / "data" / "sales.csv").write_text("\n".join(["id,name,sold_on", *rows, ""]), encoding="utf-8")
    for name in ("goods-list", "killed", "cut-off", *TROUBLED, "by-day"):
        text = GOODS.replace("goods-list", name)
        if name == "too-few":
            text = text.replace("mustBeGreaterThan: 0", "mustBeGreaterThan: 10")
        text = daily(text) if name == "by-day" else text
        (contracts / f"{name}.odcs.yaml").write_text(text, encoding="utf-8")
    settings = Settings(home=folder / "the hall 图", contracts=contracts)
    sign_all(settings, live=True)
    return settings


@pytest.fixture(scope="module")
def live(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    dags = loaders(tmp_path_factory.mktemp("loaders"))
    with AirflowService(settings, dags=dags) as airflow:
        yield Live(airflow, dags)


@pytest.fixture(scope="module")
def troubled(live: Live) -> dict[str, RunView]:
    """The runs to which something happens, all at once."""
    runs = {name: live.airflow.trigger(name) for name in TROUBLED}
    return {name: live.over(name, run) for name, run in runs.items()}


@pytest.mark.parametrize(
    ("name", "step", "error", "attempts"),
    [
        ("stuck", "receive", "TaskLost", 2),
        ("slow", "receive", "AirflowTaskTimeout", 2),
        ("too-few", "validate", "QualityError", 1),
    ],
)
def test_a_task_that_fails_is_tried_again_recorded_and_leaves_no_raw_data(
    live: Live, troubled: dict[str, RunView], name: str, step: str, error: str, attempts: int
) -> None:
    view = troubled[name]
    assert view.state == "failed"
    assert states(view)["clean"] == "success"
    assert view.failed == (step,)
    assert next(task.attempt for task in view.tasks if task.task == step) == attempts
    assert live.failures(view) == [(step, error)]
    assert live.is_clean(view)
    assert live.releases(name) == []


@pytest.mark.parametrize(
    ("name", "task", "attempt", "what"),
    [
        (
            "slow",
            "receive",
            1,
            "The step receive broke.",
        ),  # an exception of a library, whose words aren't shown
        ("slow", "receive", 2, "The step receive took longer than it may."),
        ("too-few", "validate", 1, "The data breaks 1 table rule: goods: rowCount."),
    ],
)
def test_a_log_ends_with_what_where_and_remedy(
    live: Live, troubled: dict[str, RunView], name: str, task: str, attempt: int, what: str
) -> None:
    words = live.words(troubled[name], task, attempt)
    print("\n".join(words[-12:]))
    last = [word for word in words if word and not word.startswith("::")][-3:]
    assert [word.partition(":")[0] for word in last] == ["What", "Where", "Remedy"]
    assert what in last[0]
    assert not any("4711" in word for word in words)


def test_a_log_of_a_process_that_was_stopped_says_where_it_stood(
    live: Live, troubled: dict[str, RunView]
) -> None:
    words = live.words(troubled["stuck"], "receive", 2)
    print("\n".join(words[-25:]))
    assert any(word.startswith("Timeout (") for word in words)
    assert any("in holds_the_interpreter" in word for word in words)


def test_publish_killed_after_the_reveal_and_tried_again_is_one_release(live: Live) -> None:
    view = live.run("killed")
    assert view.state == "success"
    assert next(task.attempt for task in view.tasks if task.task == "publish") == 2
    assert len(live.releases("killed")) == 1
    kinds = [event.kind for event in live.told(view)]
    assert kinds.count(EventKind.RELEASE_REVEALED) == 1
    assert kinds.count(EventKind.RUN_COMPLETED) == 1
    assert EventKind.RUN_FAILED not in kinds
    events = live.call("GET", "/api/v2/assets/events?source_dag_id=killed")["asset_events"]
    assert [event["extra"] for event in events] == [
        {"release": live.releases("killed")[0].release, "new": True}
    ]


def test_a_release_triggers_its_consumer_and_an_old_one_does_not(live: Live) -> None:
    view = live.run("goods-list")
    (release,) = live.releases("goods-list")
    assert view.state == "success"
    until(lambda: live.consumed() == [{"release": release.release, "new": True}])

    again = live.run("goods-list")
    assert (again.state, states(again)["publish"]) == ("success", "skipped")
    for task in ("anonymize", "publish"):  # what they take is gone with the run
        assert live.is_clean(view)
        before = next(each.attempt for each in view.tasks if each.task == task)
        view = live.clear(view, task)
        assert view.state == "success"
        assert next(each.attempt for each in view.tasks if each.task == task) == before + 1
    assert live.is_clean(view)
    assert [each.release for each in live.releases("goods-list")] == [release.release]
    kinds = [event.kind for event in (*live.told(view), *live.told(again))]
    assert kinds.count(EventKind.RELEASE_REVEALED) == 1
    assert {each["release"] for each in live.consumed()} == {release.release}


def test_a_changed_contract_is_refused_when_one_task_is_cleared(live: Live) -> None:
    path = live.home.settings.contracts / "goods-list.odcs.yaml"
    view = live.run("goods-list")
    assert view.state == "success", [live.words(view, task, 1) for task in view.failed]
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("version: 1.0.0", "version: 1.0.1"), encoding="utf-8")
    try:
        view = live.clear(view, "anonymize", downstream=True)
    finally:
        path.write_text(text, encoding="utf-8")
    assert (view.state, view.failed) == ("failed", ("check",))  # a setup task is cleared with what it's for
    attempt = next(task.attempt for task in view.tasks if task.task == "check")
    assert any("isn't signed" in word for word in live.words(view, "check", attempt))
    assert live.is_clean(view)


def test_a_schedule_takes_its_data_intervals_and_a_backfill_the_earlier_ones(live: Live) -> None:
    until(lambda: live.airflow.client.has_dag("by-day"))
    until(lambda: bool(live.call("GET", "/api/v2/dags/by-day/dagRuns?run_type=scheduled")["dag_runs"]))
    (scheduled,) = live.call("GET", "/api/v2/dags/by-day/dagRuns?run_type=scheduled")["dag_runs"]
    assert live.over("by-day", scheduled["dag_run_id"]).state == "success"
    last = datetime.fromisoformat(scheduled["data_interval_start"])
    day = timedelta(days=1)
    body = {"dag_id": "by-day", "from_date": (last - day).isoformat(), "to_date": (last - day).isoformat()}
    live.call("POST", "/api/v2/backfills", body)
    (filled,) = live.call("GET", "/api/v2/dags/by-day/dagRuns?run_type=backfill")["dag_runs"]
    view = live.over("by-day", filled["dag_run_id"])
    assert view.state == "success", [live.words(view, task, 1) for task in view.failed]
    rows = {}
    for release in live.releases("by-day"):
        rows[live.window(release.release)] = release.tables[0].rows
    assert rows == {
        Window(start=start, end=start + day): DAYS.index(start.date()) + 1 for start in (last, last - day)
    }
    by_hand = live.run("by-day")  # the last whole day, which is published
    assert (by_hand.state, states(by_hand)["publish"]) == ("success", "skipped")
    assert len(live.releases("by-day")) == 2


def test_what_was_running_when_all_was_killed_is_taken_up_again(live: Live) -> None:
    """The last test here: it kills the Airflow of the others."""
    run_id = live.airflow.trigger("cut-off")
    until((live.home.settings.home / "began").exists)
    for pid in airflow_guard.members({process.pid for process in live.airflow._processes.values()}):
        os.kill(pid, signal.SIGKILL)
    live.airflow.stop()
    with AirflowService(live.home.settings, dags=live.dags) as airflow:
        view = Live(airflow, live.dags).over("cut-off", run_id)
    assert view.state == "success"
    assert next(task.attempt for task in view.tasks if task.task == "receive") == 2
    assert len(live.releases("cut-off")) == 1
    assert live.is_clean(view)
