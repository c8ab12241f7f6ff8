"""The tasks' bodies: each calls one of `pipeline.steps`; `dags.faults` turns its errors into what Airflow does then.

Any of them may be cleared and run again, also when the run has ended and all it staged is gone: what a step takes is
then made anew from the source, in its own process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from contracts.schedule import interval_before
from core.errors import ContractError, SluiceError
from core.proof import Window
from core.settings import Settings
from dags.faults import LOST, hard_stop, in_our_words
from pipeline.airflow.runs import route_run_id

if TYPE_CHECKING:
    from catalog.release import Release
    from pipeline.home import Home
    from pipeline.runs import Owner

log = logging.getLogger("sluice.route")

_OVER = {"success", "failed"}
_EVENTS = 100  # of an asset, newest first, among which a release's own is looked for


def check(ref: str, problem: str, schedule: str, timed: bool) -> dict[str, str]:
    """Read the contract, refuse what it can't say, and open the run. Returns a handoff: path and digest.

    schedule, timed: as the outline has them. When it fails, the teardown is left out, and there is nothing to tear down.
    """
    context = get_current_context()
    with _step(context) as home:
        from pipeline.steps import check as run_of  # noqa: PLC0415 (seconds of imports that a parse of this file must not pay)
        from pipeline.sweep import sweep  # noqa: PLC0415 (as above)

        try:
            sweep(home, over=_is_over)
        except SluiceError as error:  # what others left is no reason to refuse this run
            log.warning("What earlier runs left isn't all removed: %s", error)
        run = context["dag_run"]
        try:
            if problem:
                raise ContractError(
                    problem,
                    where=ref,
                    remedy="Mend the file; `sluice contract check` lists all that's wrong.",
                )
            handoff = run_of.check(
                ref,
                run_id=_run_id(context),
                home=home,
                window=_window(run, schedule, timed),
                owner={"dag_id": run.dag_id, "run_id": run.run_id},
            )
        except BaseException:
            run_of.clean(_run_id(context), home=home)
            raise
        return dict(handoff.as_json())


def receive(handoff: dict[str, str]) -> dict[str, str]:
    """Fetch what the contract names from the platform."""
    return _pass_on("receive", handoff)


def validate(handoff: dict[str, str]) -> dict[str, str]:
    """Hold the data against the contract's rules; rows that break one go to quarantine."""
    return _pass_on("validate", handoff)


def anonymize(handoff: dict[str, str]) -> dict[str, str]:
    """Make the data safe within the contract's limits, and measure the risk left."""
    return _pass_on("anonymize", handoff)


def publish(handoff: dict[str, str], *, outlet_events: Any, inlet_events: Any) -> None:
    """Stage, write into the ledger, reveal. The assets' events carry the release's id; XCom carries nothing.

    Skipped, without events, when this release was revealed by another run whose events are there.
    """
    context = get_current_context()
    with _step(context) as home:
        publication = _act("publish", handoff, home)
        release, new = publication.release, publication.new
        log.info("Release %s: %s.", release.release, "new" if new else "published before")
    # The run that revealed it may have been killed before Airflow heard of it: an event too many beats a lost one.
    assets = context["ti"].task.outlets
    if not new and all(_told(inlet_events[asset], release) for asset in assets):
        raise AirflowSkipException(f"Nothing new: release {release.release} was published before.")
    for asset in assets:
        outlet_events[asset].extra = {"release": release.release, "new": new}


def clean() -> None:
    """Remove the run's raw data, whatever became of the run; have the ledger hold the tasks that couldn't tell it."""
    context = get_current_context()
    with _step(context) as home:
        from pipeline.steps import check as run_of  # noqa: PLC0415 (as above)

        run, instance = context["dag_run"], context["ti"]
        run_of.clean(_run_id(context), home=home)
        states = instance.get_task_states(dag_id=run.dag_id, run_ids=[run.run_id]).get(run.run_id, {})
        for task in [task for task, state in states.items() if state == "failed"]:
            # Recorded once a task: where it told the ledger itself, its own word stands.
            run_of.failed(_run_id(context), step=task, error=LOST, home=home)


def housekeeping() -> dict[str, int]:
    """Do what is due in the hall today. Returns how much of each was done."""
    context = get_current_context()
    with hard_stop(context["ti"].task.execution_timeout), in_our_words("housekeeping"):
        from pipeline.home import Home  # noqa: PLC0415 (as above)
        from pipeline.housekeeping import housekeeping as due  # noqa: PLC0415 (as above)

        done = due(Home.open(Settings.from_env()), over=_is_over)
        counts = {name: len(names) for name, names in vars(done.settled).items()}
        return {**counts, "renewed": int(done.renewed is not None), "years": len(done.years)}


@contextmanager
def _step(context: Any) -> Iterator[Home]:
    """The hall's home for one task of a run, which no other process works on meanwhile."""
    task = context["ti"].task
    with hard_stop(task.execution_timeout), in_our_words(task.task_id):
        from pipeline.home import Home  # noqa: PLC0415 (as above)

        home = Home.open(Settings.from_env())
        with home.runs.held(_run_id(context)):
            yield home


def _pass_on(name: str, handoff: dict[str, str]) -> dict[str, str]:
    with _step(get_current_context()) as home:
        return dict(_act(name, handoff, home).as_json())


def _act(name: str, handoff: dict[str, str], home: Home) -> Any:
    """What a step of the route makes of its handoff; of one that is gone, made again from the source."""
    from pipeline.handoff import Handoff, RunGoneError  # noqa: PLC0415 (as above)

    step: Callable[..., Any] = getattr(import_module(f"pipeline.steps.{name}"), name)
    taken = Handoff.from_json(handoff)
    try:
        return step(taken, home=home, progress=_report())
    except RunGoneError:
        from pipeline.again import again  # noqa: PLC0415 (it loads what all steps need)

        log.info("What %s takes is gone, as it is when a run has ended: made again from the source.", name)
        context = get_current_context()
        owner = {"dag_id": context["dag_run"].dag_id, "run_id": context["dag_run"].run_id}
        taken = again(_run_id(context), before=name, owner=owner, home=home, progress=_report())
        return step(taken, home=home, progress=_report())


def _told(events: Any, release: Release) -> bool:
    """Whether one of an asset's events is that of the release."""
    newest = events.ascending(False).limit(_EVENTS)
    return any(event.extra.get("release") == release.release for event in newest)


def _is_over(owner: Owner, idle_s: float) -> bool:
    """Whether Airflow has ended the run that a folder belongs to; of a run of another Airflow, whether it looks so."""
    from pipeline.runs import scheduler_is_gone  # noqa: PLC0415 (as above)

    try:
        state = get_current_context()["ti"].get_dagrun_state(owner["dag_id"], owner["run_id"])
    except Exception:  # noqa: BLE001 (a run that isn't there is told in several ways, and nothing else hangs on it)
        return scheduler_is_gone(owner, idle_s)
    return str(getattr(state, "value", state)) in _OVER


def _run_id(context: Any) -> str:
    return route_run_id(context["dag_run"].dag_id, context["dag_run"].run_id)


def _window(run: Any, schedule: str, timed: bool) -> Window:
    """The run's data interval; under a schedule the last whole one when the run was started without.

    A contract that comes by a schedule and can't be cut is taken whole. Without a schedule, so is any run that has no
    data interval or a point in time for one, as runs have that somebody starts by hand.
    """
    start, end = run.data_interval_start, run.data_interval_end
    if schedule and not timed:
        return Window()
    if start is not None and end is not None and start < end:
        return Window(start=_utc(start), end=_utc(end))
    if schedule:
        start, end = interval_before(schedule, _utc(run.run_after))
        return Window(start=start, end=end)
    return Window()


def _utc(moment: datetime) -> datetime:
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def _report() -> Callable[..., None]:
    """Progress as log lines: one when what is done changes."""
    last = ""

    def report(step: str, done: float | None = None, /) -> None:
        nonlocal last
        if step != last:
            last = step
            log.info("%s", step)

    return report
