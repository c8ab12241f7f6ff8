"""Supervisors that end well, badly, or not by themselves: what the scheduler hears, and what is left of their tasks."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airflow.executors.base_executor import BaseExecutor
from airflow.models.taskinstancekey import TaskInstanceKey

from dags.executor import Supervisors

DONE, BROKEN = "success", "failed"
PATIENCE_S = 20.0


@dataclass
class Work:
    """A workload as the executor sees it."""

    name: str
    does: Callable[[], object]
    success_state: str = DONE
    failure_state: str = BROKEN
    id: str = "none"
    priority_weight: int = 1
    key: TaskInstanceKey = field(init=False)

    def __post_init__(self) -> None:
        self.key = TaskInstanceKey("shop", self.name, "run", 1, -1)

    @property
    def ti(self) -> Work:
        return self

    @property
    def display_name(self) -> str:
        return self.name


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisors]:
    def run_workload(workload: Any, **_: object) -> int:
        workload.does()
        return 0

    monkeypatch.setattr("dags.executor.LOADED", ())
    monkeypatch.setattr(BaseExecutor, "run_workload", staticmethod(run_workload))
    made = Supervisors(parallelism=8)
    made.start()
    yield made
    for _, supervisor in made._supervisors.values():
        supervisor.kill()
    made.end()


def put(executor: Supervisors, work: Work) -> TaskInstanceKey:
    executor._process_workloads([work])
    return work.key


def heard(executor: Supervisors, count: int = 1) -> dict[Any, Any]:
    deadline = time.monotonic() + PATIENCE_S
    events: dict[Any, Any] = {}
    while len(events) < count:
        assert time.monotonic() < deadline
        executor.sync()
        events |= executor.get_event_buffer()
        time.sleep(0.01)
    return events


def number_in(path: Path) -> int:
    deadline = time.monotonic() + PATIENCE_S
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(path.read_text())


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def a_task_below(path: Path) -> Callable[[], None]:
    """What a supervisor does: forks its task, here one that tells its number and works for ever, and waits for it."""

    def does() -> None:
        if (task := os.fork()) == 0:
            path.write_text(str(os.getpid()))
            while True:
                time.sleep(1)
        os.waitpid(task, 0)

    return does


def test_the_scheduler_hears_how_each_ended(executor: Supervisors) -> None:
    well = put(executor, Work("well", lambda: None))
    badly = put(executor, Work("badly", lambda: 1 / 0))
    killed = put(executor, Work("killed", lambda: os.kill(os.getpid(), signal.SIGKILL)))
    events = heard(executor, 3)
    assert {key: state for key, (state, _) in events.items()} == {well: DONE, badly: BROKEN, killed: BROKEN}
    assert "without a word: exit code -9" in events[killed][1]
    assert not executor.running
    assert not executor._supervisors


def test_one_that_is_killed_takes_neither_the_others_nor_the_next_with_it(
    executor: Supervisors, tmp_path: Path
) -> None:
    go = tmp_path / "go"

    def waits() -> None:
        while not go.exists():
            time.sleep(0.01)

    first, second = put(executor, Work("first", waits)), put(executor, Work("second", waits))
    executor._supervisors[first][1].kill()
    assert list(heard(executor)) == [first]
    third = put(executor, Work("third", waits))
    go.touch()
    assert {key: state for key, (state, _) in heard(executor, 2).items()} == {second: DONE, third: DONE}


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="Linux alone ends a child with its parent")
def test_a_task_ends_with_its_supervisor(executor: Supervisors, tmp_path: Path) -> None:
    key = put(executor, Work("task", a_task_below(tmp_path / "pid")))
    task = number_in(tmp_path / "pid")
    assert is_there(task)
    executor._supervisors[key][1].kill()
    assert heard(executor)[key][0] == BROKEN
    deadline = time.monotonic() + PATIENCE_S
    while is_there(task):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_never_began_can_be_queued_again(executor: Supervisors, tmp_path: Path) -> None:
    work = Work("stuck", a_task_below(tmp_path / "pid"))
    key = put(executor, work)
    number_in(tmp_path / "pid")
    executor.revoke_task(ti=work)  # type: ignore[arg-type]
    assert not executor.has_task(work)  # type: ignore[arg-type]
    executor.sync()
    assert not executor.get_event_buffer()  # Airflow itself says what becomes of it
    work.does = lambda: None
    assert put(executor, work) == key
    assert heard(executor)[key][0] == DONE


def test_the_end_waits_for_what_runs(executor: Supervisors, tmp_path: Path) -> None:
    done = tmp_path / "done"

    def work() -> None:
        time.sleep(0.3)
        done.touch()

    key = put(executor, Work("last", work))
    executor.end()
    assert done.exists()
    assert executor.get_event_buffer()[key][0] == DONE


def test_ctrl_c_ends_the_scheduler_and_not_what_runs(executor: Supervisors, tmp_path: Path) -> None:
    began, go = tmp_path / "began", tmp_path / "go"

    def waits() -> None:
        began.write_text(str(os.getpid()))
        while not go.exists():
            time.sleep(0.01)

    key = put(executor, Work("calm", waits))
    os.kill(number_in(began), signal.SIGINT)
    go.touch()
    assert heard(executor)[key][0] == DONE


def test_airflow_finds_it_by_its_name() -> None:
    from airflow.executors.executor_loader import ExecutorLoader  # noqa: PLC0415 (its home is set by then)

    assert ExecutorLoader.import_default_executor_cls()[0] is Supervisors


def test_no_more_run_at_once_than_may(executor: Supervisors, tmp_path: Path) -> None:
    go = tmp_path / "go"

    def waits() -> None:
        while not go.exists():
            time.sleep(0.01)

    executor.parallelism = 2
    works = [Work(f"task {number}", waits) for number in range(3)]
    executor.queued_tasks |= {work.key: work for work in works}  # type: ignore[misc]
    executor.heartbeat()
    assert len(executor._supervisors) == 2
    executor.heartbeat()
    assert len(executor._supervisors) == 2
    go.touch()
    events: dict[Any, Any] = {}
    while len(events) < 3:
        executor.heartbeat()
        events |= executor.get_event_buffer()
    assert {state for state, _ in events.values()} == {DONE}
