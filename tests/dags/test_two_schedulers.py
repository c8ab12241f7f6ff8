"""Two schedulers of one Airflow on one hall: one is killed in the middle, and nothing happens twice."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.events import EventKind
from core.proof import Window
from core.settings import Settings
from pipeline.airflow import guard as airflow_guard
from pipeline.airflow.runs import route_run_id
from pipeline.airflow.service import _OTHERS
from pipeline.attest import attest
from tests.dags.live import GOODS, Altered, Live, at_work, daily, loaders, repeated, until
from tests.programs import Postgres, postgres
from tests.signed import sign_all

pytestmark = pytest.mark.system

DAYS = [datetime.now(UTC).date() - timedelta(days=ago) for ago in range(5)]
DAILY, WHOLE = ("by-day", "by-night"), ("goods-list", "price-list")
BY_HAND = 2
PATIENCE_S = 900.0


@pytest.fixture
def database() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


class OverPostgres(Altered):
    """An Airflow with another database than its own file, and as many schedulers as are added."""

    def __init__(self, settings: Settings, *, dags: Path, database: Postgres) -> None:
        super().__init__(settings, dags=dags, more={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.url})
        self._database = database

    def _migrate(self) -> None:
        self._tell_guard(self._database.process.pid)
        (self.settings.airflow / "airflow.db").touch()  # its mode is seen to; nobody opens it
        super()._migrate()

    def _tell_guard(self, session: int) -> None:
        """Have it ended also when this process is killed."""
        assert self._guard is not None
        self._tell(self._guard, str(session))

    def schedulers(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._processes.items() if "scheduler" in name}

    def add_scheduler(self) -> None:
        self._run("second-scheduler", *_OTHERS["scheduler"])

    def kill_scheduler(self, name: str) -> int:
        """Kills it, and it alone: what it started goes on without it. Gives its session."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return process.pid


@pytest.fixture
def live(tmp_path: Path, database: Postgres) -> Iterator[Live]:
    contracts = tmp_path / "contracts"
    (contracts / "data").mkdir(parents=True)
    (contracts / "data" / "goods.csv").write_text("id,name\n1,bread\n2,milk\n3,茶\n", encoding="utf-8")
    rows = [f"{10 * n + m},bread,{day:%Y-%m-%d}" for n, day in enumerate(DAYS) for m in range(n + 1)]
    (contracts / "data" / "sales.csv").write_text("\n".join(["id,name,sold_on", *rows, ""]), encoding="utf-8")
    for name in (*DAILY, *WHOLE):
        text = GOODS.replace("goods-list", name)
        text = daily(text) if name in DAILY else text
        (contracts / f"{name}.odcs.yaml").write_text(text, encoding="utf-8")
    dags = loaders(tmp_path)
    settings = Settings(home=tmp_path / "hall", contracts=contracts)
    sign_all(settings, live=True)
    with OverPostgres(settings, dags=dags, database=database) as airflow:
        airflow.add_scheduler()
        yield Live(airflow, dags)


def are_alive(live: Live) -> int:
    jobs = live.call("GET", "/api/v2/jobs?job_type=SchedulerJob&is_alive=true&job_state=running")["jobs"]
    return len(jobs)


def runs_of(live: Live, dag_id: str) -> list[str]:
    listed = live.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
    return [str(run["dag_run_id"]) for run in listed]


def test_one_of_two_schedulers_killed_in_the_middle_doubles_nothing(live: Live) -> None:
    seed = random.randrange(1 << 32)
    print(f"random.Random({seed})")
    rng = random.Random(seed)
    airflow = live.airflow
    assert isinstance(airflow, OverPostgres)
    until(lambda: are_alive(live) == 2)
    until(lambda: all(airflow.client.has_dag(name) for name in (*DAILY, *WHOLE)))

    day = timedelta(days=1)
    midnight = datetime.combine(DAYS[0], datetime.min.time(), UTC)
    windows = [Window(start=midnight - ago * day, end=midnight - (ago - 1) * day) for ago in (1, 2, 3)]
    for name in (*WHOLE, *DAILY):
        for _ in range(BY_HAND):
            airflow.client.trigger(name)
    for name in DAILY:
        first, last = (str(window.start) for window in (windows[2], windows[1]))
        live.call("POST", "/api/v2/backfills", {"dag_id": name, "from_date": first, "to_date": last})

    # One of each schedule begins by itself.
    wanted_runs = dict.fromkeys(WHOLE, BY_HAND) | dict.fromkeys(DAILY, BY_HAND + len(windows))

    schedulers = airflow.schedulers()
    assert len(schedulers) == 2
    worked: set[str] = set()

    def both_worked() -> bool:
        worked.update(name for name, session in schedulers.items() if at_work([session]))
        return len(worked) == 2

    until(both_worked)
    victim = rng.choice(sorted(schedulers))
    until(lambda: at_work([schedulers[victim]]))
    session = airflow.kill_scheduler(victim)
    print(f"{victim} killed while {len(at_work([session]))} of its tasks ran")
    try:
        until(lambda: all(len(runs_of(live, name)) == count for name, count in wanted_runs.items()))
        views = [
            live.over(name, run_id, PATIENCE_S) for name in wanted_runs for run_id in runs_of(live, name)
        ]
    finally:
        airflow_guard.end_sessions([session], patience_s=2)

    assert {view.state for view in views} == {"success"}, [view for view in views if view.state != "success"]
    made = Counter(
        (each.contract_id, live.window(each.release)) for each in live.home.catalog.releases(all=True)
    )
    wanted = {(name, window) for name in DAILY for window in windows} | {(name, Window()) for name in WHOLE}
    assert made == dict.fromkeys(wanted, 1)
    attest(live.home)
    events = live.events()
    assert repeated(events) == {}
    runs = {route_run_id(view.dag_id, view.run_id) for view in views}
    assert {event.run_id for event in events} == runs
    assert {event.subject for event in events if event.kind is EventKind.RUN_COMPLETED} == runs
    assert EventKind.RUN_FAILED not in {event.kind for event in events}
    assert not os.listdir(live.home.settings.runs)
    assert not live.home.keys.runs_with_key()
