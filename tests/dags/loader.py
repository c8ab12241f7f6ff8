"""The loader as a live Airflow of the tests loads it: Sluice's own DAGs, hurried, with faults in some of their steps.

What befalls whom stands in FAULTS: contract -> what happens in the step `receive` at each try, in the task's own process.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, get_current_context, get_parsing_context, task

from core.settings import Settings
from dags import faults, sharing, steps

HOME = Settings.from_env().home
REAL = steps._act
SOON = timedelta(seconds=8)


def holds_the_interpreter() -> None:
    lock = ctypes.create_string_buffer(256)  # as a mutex begins
    for _ in range(2):
        ctypes.PyDLL(None).pthread_mutex_lock(
            lock
        )  # in C, with Python's lock held; no signal ends the second


def computes() -> None:
    while True:
        pass


def takes_its_time() -> None:
    (HOME / "began").touch()
    time.sleep(600)


def goes_well() -> None:
    pass


def is_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def breaks() -> None:
    raise ValueError("the value is 4711")


FAULTS = {
    "stuck": (is_killed, holds_the_interpreter),
    "slow": (breaks, computes),
    "cut-off": (takes_its_time, goes_well),
}
HURRIED = ("stuck", "slow")


def act(name: str, handoff: dict[str, str], home: Any) -> Any:
    instance = get_current_context()["ti"]
    dag_id = instance.dag_id
    if name == "receive" and dag_id in FAULTS:
        FAULTS[dag_id][instance.try_number - 1]()
    done = REAL(name, handoff, home)
    first = HOME / f"{dag_id}-was-killed"
    if dag_id == "killed" and name == "publish" and not first.exists():
        first.touch()
        is_killed()  # it is revealed, and Airflow hasn't heard of it
    return done


if get_parsing_context().dag_id in HURRIED:
    import pipeline.route  # noqa: F401 (before the clock of a task that has seconds begins to run)

steps._act = act
faults.GRACE = timedelta(seconds=2)
faults.DEFAULTS |= {"retry_delay": timedelta(seconds=1), "retry_exponential_backoff": False}
LONG = sharing.LONG
for outline in sharing._wanted(Settings.from_env().contracts):
    hurried = outline.dag_id in HURRIED
    faults.DEFAULTS["retries"] = 1 if hurried else 3
    sharing.LONG = SOON if hurried else LONG
    globals()[f"dag_{outline.dag_id}"] = sharing.sharing(outline, datetime.now(UTC).date(), negotiated=True)

with DAG(
    dag_id="consumer", schedule=[Asset("goods_list.goods", uri="sluice://catalog/goods_list/goods")]
) as consumer:

    @task
    def use(*, triggering_asset_events: Any = None) -> None:
        with (Path(HOME) / "consumed.jsonl").open("a", encoding="utf-8") as file:
            for events in triggering_asset_events.values():
                for event in events:
                    file.write(json.dumps(event.extra) + "\n")

    use()
