"""The tasks' bodies: each calls one step of `pipeline.route` and turns its errors into what Airflow should do about them.

A refusal is final: the same data under the same contract would be refused again. A fault is tried again with back-off.
What a library's exception says may hold a row's value, so neither its text nor its chain reaches a task's log.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from core.errors import ContractError, ExitCode, InternalError, SluiceError
from core.proof import Window
from core.settings import Settings
from pipeline.airflow_runs import route_run_id

if TYPE_CHECKING:
    from pipeline.handoff import Handoff
    from pipeline.home import Home

log = logging.getLogger("sluice.route")


class StepRefused(AirflowFailException):
    """A rule said no; not tried again. cause: our error. kind: the class name that the ledger keeps."""

    def __init__(self, cause: SluiceError, kind: str) -> None:
        super().__init__(str(cause))
        self.cause, self.kind = cause, kind


class StepFailed(AirflowException):
    """Something broke; tried again while tries are left. The same fields."""

    def __init__(self, cause: SluiceError, kind: str) -> None:
        super().__init__(str(cause))
        self.cause, self.kind = cause, kind


def check(ref: str, problem: str) -> dict[str, str]:
    """Read the contract, refuse what it can't say, and open the run. Returns a handoff: path and digest."""
    with _step("check") as home:
        if problem:
            raise ContractError(
                problem, where=ref, remedy="Mend the file; `sluice contract check` lists all that's wrong."
            )
        from pipeline import route  # noqa: PLC0415 (seconds of imports that a parse of this file must not pay)

        handoff = route.check(
            ref, run_id=_run_id(get_current_context()), home=home, window=_window(get_current_context())
        )
        return _plain(handoff)


def receive(handoff: dict[str, str]) -> dict[str, str]:
    """Fetch what the contract names from the platform."""
    return _pass_on("receive", handoff)


def validate(handoff: dict[str, str]) -> dict[str, str]:
    """Hold the data against the contract's rules; rows that break one go to quarantine."""
    return _pass_on("validate", handoff)


def anonymize(handoff: dict[str, str]) -> dict[str, str]:
    """Make the data safe within the contract's limits, and measure the risk left."""
    return _pass_on("anonymize", handoff)


def publish(handoff: dict[str, str], *, outlet_events: Any) -> None:
    """Stage, write into the ledger, reveal. The assets' events carry the release's id; XCom carries nothing."""
    with _step("publish") as home:
        from pipeline import route  # noqa: PLC0415 (as above)

        publication = route.publish(_handoff(handoff), home=home, progress=_report())
        log.info(
            "Release %s: %s.", publication.release.release, "new" if publication.new else "published before"
        )
        for asset in outlet_events:
            outlet_events[asset].extra = {"release": publication.release.release, "new": publication.new}


def clean() -> None:
    """Remove the run's raw data, whatever became of the run."""
    with _step("clean") as home:
        from pipeline import route  # noqa: PLC0415 (as above)

        route.clean(_run_id(get_current_context()), home=home)


def record_failure(context: Any) -> None:
    """Write run.failed into the ledger: the step and the class of the error, never its text.

    Airflow calls it after a task's last try, in the task's process, or in the DAG processor when that process is lost.
    The task's log is told first: where the hall's home is what broke, the ledger can't be written either.
    """
    instance, raised = context["ti"], context.get("exception")
    error = getattr(
        raised, "kind", type(raised).__name__ if isinstance(raised, BaseException) else "TaskLost"
    )
    run_id = route_run_id(instance.dag_id, instance.run_id)
    log.error("Run %s failed at %s: %s.", run_id, instance.task_id, error)
    tell(context)
    try:
        from pipeline import route  # noqa: PLC0415 (as above)
        from pipeline.home import Home  # noqa: PLC0415 (as above)

        route.failed(run_id, step=instance.task_id, error=error, home=Home.open(Settings.from_env()))
    except SluiceError as second:
        log.error("The ledger doesn't hold this failure: %s", second)
    except Exception as second:  # noqa: BLE001 (as in `_step`: Airflow would log its text, which may hold a value)
        log.error("The ledger doesn't hold this failure: %s", _place(second))


def tell(context: Any) -> None:
    """End the task's log with what happened, where, and what to do; also after a try that will be repeated."""
    cause = getattr(context.get("exception"), "cause", None)
    if isinstance(cause, SluiceError):
        for label, text in (("What", cause.what), ("Where", cause.where), ("Remedy", cause.remedy)):
            if text:
                log.error("%s: %s", label, text)


@contextmanager
def _step(name: str) -> Iterator[Home]:
    """The hall's home for one step; what it raises comes out as StepRefused or StepFailed, in our words alone."""
    try:
        from pipeline.home import Home  # noqa: PLC0415 (as above)

        yield Home.open(Settings.from_env())
    except SluiceError as error:
        raise _told(error, type(error).__name__) from None
    except Exception as error:  # noqa: BLE001 (the outermost frame: its text may hold a value, and would be logged)
        frames = traceback.extract_tb(error.__traceback__)
        log.error(
            "%s at\n%s",
            type(error).__name__,
            "".join(f"  {f.filename}:{f.lineno} {f.name}\n" for f in frames),
        )
        fault = InternalError(
            f"The step {name} broke.",
            where=_place(error),
            remedy="It is tried again; if it stays, report it with the lines of this log.",
        )
        raise _told(fault, type(error).__name__) from None


def _place(error: Exception) -> str:
    """Its class and the line that raised it: what may be told of an error that isn't ours."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {frame.filename}:{frame.lineno}"


def _told(error: SluiceError, kind: str) -> StepRefused | StepFailed:
    return (StepFailed if error.exit_code is ExitCode.FAULT else StepRefused)(error, kind)


def _pass_on(name: str, handoff: dict[str, str]) -> dict[str, str]:
    with _step(name) as home:
        from pipeline import route  # noqa: PLC0415 (as above)

        step: Callable[..., Handoff] = getattr(route, name)
        return _plain(step(_handoff(handoff), home=home, progress=_report()))


def _handoff(value: dict[str, str]) -> Handoff:
    from pipeline.handoff import Handoff  # noqa: PLC0415 (as above)

    return Handoff.from_json(value)


def _plain(handoff: Handoff) -> dict[str, str]:
    return dict(handoff.as_json())


def _run_id(context: Any) -> str:
    return route_run_id(context["dag_run"].dag_id, context["dag_run"].run_id)


def _window(context: Any) -> Window:
    """The run's data interval; a run without one, or whose interval is a point in time, takes everything."""
    start, end = context["dag_run"].data_interval_start, context["dag_run"].data_interval_end
    if start is None or end is None or start >= end:
        return Window()
    return Window(start=_utc(start), end=_utc(end))


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
