from __future__ import annotations

import io
import time

from rich.console import Console

from cli.screen import screen
from pipeline.airflow.api import RunView, TaskView


def view(**states: str) -> RunView:
    tasks = tuple(TaskView(task=name, state=state, seconds=1.5, attempt=1) for name, state in states.items())
    return RunView(dag_id="d", run_id="r", state="running", tasks=tasks)


def shown(*, terminal: bool) -> str:
    file = io.StringIO()
    with screen(Console(file=file, force_terminal=terminal, width=100)) as now:
        now.step("Airflow: starting")
        now.run(view(validate="running", check="success", clean="none"))
        now.run(view(validate="up_for_retry", check="success", clean="none"))
        now.run(view(validate="failed", check="success", publish="upstream_failed", clean="success"))
        now.note("port 1 is taken")
    return file.getvalue()


def test_without_a_terminal_each_change_is_one_plain_line() -> None:
    lines = [line.partition("s  ")[2] or line for line in shown(terminal=False).splitlines()]
    assert lines == [
        "Airflow: starting",
        "check done 1.5 s",
        "validate runs",
        "validate waits to try again",
        "validate failed",
        "publish left out",
        "clean done 1.5 s",
        "port 1 is taken",
    ]


def test_on_a_terminal_stands_a_table_in_the_route_s_order() -> None:
    last = shown(terminal=True)
    rows = [last.rindex(word) for word in ("check", "validate", "publish", "clean")]
    assert rows == sorted(rows)
    assert "✗" in last


def test_a_screen_is_never_still_while_a_call_takes_its_time() -> None:
    file = io.StringIO()
    with screen(Console(file=file, force_terminal=False)) as now:
        now.step("Airflow: starting")
        time.sleep(2.6)
    assert file.getvalue().count("Airflow: starting") == 2
