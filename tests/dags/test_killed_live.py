"""kill -9 of tasks, and of who supervises them, at random moments under a live Airflow: as if it had never happened."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator

import pytest

from audit.events import EventKind
from pipeline.airflow.api import RunView
from pipeline.attest import attest
from pipeline.quarantine.sealed import Kept
from pipeline.quarantine.store import Quarantine
from tests.crash.planted import Place, found, more_orders, open_planted
from tests.dags.live import Altered, Live, at_work, loaders, repeated

pytestmark = pytest.mark.system

ROUNDS = int(os.environ.get("SLUICE_TEST_KILLS") or 25)
DAG = "small-shop"
BATCHES = 50


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return open_planted(tmp_path_factory.mktemp("killed"), live=True)


@pytest.fixture(scope="module")
def live(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    dags = loaders(tmp_path_factory.mktemp("loaders"))
    with Altered(place.settings, dags=dags, more={"TMPDIR": str(place.temp)}) as airflow:
        yield Live(airflow, dags)


def killed(live: Live, run_id: str, after_s: float, *, supervisor: bool) -> str:
    """Kills what runs `after_s` from now, or as soon as something does; gives which task it was, "" if the run was over."""
    time.sleep(after_s)
    scheduler = live.airflow._processes["scheduler"].pid
    while not live.airflow.client.look(DAG, run_id).over:
        for parent, task in at_work([scheduler]):
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(parent if supervisor else task, signal.SIGKILL)
                tasks = live.airflow.client.look(DAG, run_id).tasks
                return " ".join(each.task for each in tasks if each.state == "running") or "a task at its end"
        time.sleep(0.02)
    return ""


def assert_as_if_never_killed(live: Live, place: Place, view: RunView, releases: int) -> None:
    assert view.state == "success"
    assert view.failed == ()
    assert len(live.releases(DAG)) == releases
    attest(live.home)
    events = live.events()
    assert repeated(events) == {}
    revealed = [event.subject for event in events if event.kind is EventKind.RELEASE_REVEALED]
    assert sorted(revealed) == sorted(each.release for each in live.releases(DAG))
    told = [event.kind for event in live.told(view)]
    assert told.count(EventKind.RUN_COMPLETED) == 1
    assert EventKind.RUN_FAILED not in told
    kept = Quarantine(live.home).entries()
    assert all(isinstance(each, Kept) for each in kept)
    assert {each.id for each in kept} == {event.run_id for event in events}
    assert len(kept) == releases  # each run set rows aside, and one lot of them is left of it
    assert not found(place.home, place.temp, place.work)
    assert not os.listdir(live.home.settings.runs)
    assert not live.home.keys.runs_with_key()


def test_kills_at_random_moments_make_one_release_each_and_leave_nothing(live: Live, place: Place) -> None:
    seed = random.randrange(1 << 32)
    print(f"random.Random({seed})")
    rng = random.Random(seed)
    started = time.monotonic()
    assert_as_if_never_killed(live, place, live.run(DAG), 1)
    longest = time.monotonic() - started
    number = hits = 0
    while hits < ROUNDS:
        number += 1
        more_orders(place, batch=number % BATCHES)
        started = time.monotonic()
        run_id = live.airflow.trigger(DAG)
        after_s, supervisor = rng.uniform(0.0, longest), bool(hits % 2)
        what = killed(live, run_id, after_s, supervisor=supervisor)
        view = live.over(DAG, run_id)
        if what:
            hits += 1
        else:  # it was over before: so long is a run
            longest = min(longest, time.monotonic() - started)
        tries = {task.task: task.attempt for task in view.tasks if task.attempt > 1}
        print(
            f"{number}: {'supervisor of ' if supervisor else ''}{what or 'nothing'} after {after_s:.2f} s; {tries}"
        )
        assert_as_if_never_killed(live, place, view, 1 + number)


def test_the_search_finds_what_is_planted(place: Place) -> None:
    """Where the processes' temporary files would be, and in the source itself."""
    with tempfile.NamedTemporaryFile("w", dir=place.temp) as file:
        file.write("zq7rawmember00001")
        file.flush()
        assert found(place.home, place.temp) == [file.name]
