"""How a task ends that doesn't succeed: what Airflow should do about it, what its log says last, what the ledger holds.

A refusal is final: the same data under the same contract would be refused again. A fault is tried again with back-off.
What a library's exception says may hold a row's value, so neither its text nor its chain reaches a task's log.
"""

from __future__ import annotations

import faulthandler
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout

from core.errors import ExitCode, InternalError, SluiceError
from core.settings import Settings
from pipeline.airflow.runs import route_run_id

log = logging.getLogger("sluice.route")

GRACE = timedelta(minutes=1)  # for what unwinds after Airflow's own timeout
_STDERR = 2  # of a task: its log
LOST = "TaskLost"


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


@contextmanager
def in_our_words(step: str) -> Iterator[None]:
    """What is raised in the block comes out as StepRefused or StepFailed, and says nothing that isn't ours."""
    try:
        yield
    except SluiceError as error:
        raise _step_error(error, type(error).__name__) from None
    except Exception as error:  # noqa: BLE001 (the outermost frame: its text may hold a value, and would be logged)
        frames = traceback.extract_tb(error.__traceback__)
        log.error(
            "%s at\n%s",
            type(error).__name__,
            "".join(f"  {f.filename}:{f.lineno} {f.name}\n" for f in frames),
        )
        fault = InternalError(
            f"The step {step} broke.",
            where=place(error),
            remedy="It is tried again; if it stays, report it with the lines of this log.",
        )
        raise _step_error(fault, type(error).__name__) from None


@contextmanager
def hard_stop(limit: timedelta | None) -> Iterator[None]:
    """Ends this process when the block takes longer than `limit` and a minute of grace, whatever it's in the middle of.

    Airflow's own timeout is a signal, which Python looks at between two of its instructions: native code that computes,
    or waits without giving the interpreter back, goes on for ever. The watch is a thread that needs no interpreter; it
    writes into the task's log where each thread stood (files, lines and names of functions), and exits with 1.
    """
    if limit is None:
        yield
        return
    faulthandler.dump_traceback_later((limit + GRACE).total_seconds(), exit=True, file=_STDERR)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def record_failure(context: Any) -> None:
    """Write run.failed into the ledger: the step and the class of the error, never its text.

    Airflow calls it after a task's last try, in the task's process, or in the DAG processor when that process is lost.
    The task's log is told first: where the hall's home is what broke, the ledger can't be written either.
    """
    instance, raised = context["ti"], context.get("exception")
    error = getattr(raised, "kind", type(raised).__name__ if isinstance(raised, BaseException) else LOST)
    run_id = route_run_id(instance.dag_id, instance.run_id)
    log.error("Run %s failed at %s: %s.", run_id, instance.task_id, error)
    tell(context)
    try:
        from pipeline.home import Home  # noqa: PLC0415 (seconds of imports that a parse of this file must not pay)
        from pipeline.steps.check import failed  # noqa: PLC0415 (as above)

        failed(run_id, step=instance.task_id, error=error, home=Home.open(Settings.from_env()))
    except SluiceError as second:
        log.error("The ledger doesn't hold this failure: %s", second)
    except Exception as second:  # noqa: BLE001 (as above: Airflow would log its text, which may hold a value)
        log.error("The ledger doesn't hold this failure: %s", place(second))


def tell(context: Any) -> None:
    """End the task's log with what happened, where, and what to do; also after a try that will be repeated."""
    instance, raised = context["ti"], context.get("exception")
    cause = getattr(raised, "cause", None)
    if not isinstance(cause, SluiceError):
        cause = _from_outside(raised, instance.task_id)
    log.error("What: %s", cause.what)
    log.error(
        "Where: %s", cause.where or f"{instance.dag_id}, run {instance.run_id}, task {instance.task_id}"
    )
    log.error("Remedy: %s", cause.remedy or "Read the lines above.")


def _from_outside(raised: object, step: str) -> SluiceError:
    """What ended a step that isn't an exception of its own."""
    if isinstance(raised, AirflowTaskTimeout):
        return InternalError(
            f"The step {step} took longer than it may.",
            remedy="It is tried again while tries are left. Look whether its source answers and what the machine is "
            "busy with; the limits stand in dags/sharing.py.",
        )
    if not isinstance(raised, BaseException):
        return InternalError(
            f"The process of the step {step} is gone, and said nothing.",
            remedy="It is tried again while tries are left. Look whether the machine ran out of memory or was restarted.",
        )
    return InternalError(
        f"The step {step} was ended by {type(raised).__name__}.",
        remedy="It is tried again while tries are left; clear the task to run it once more.",
    )


def place(error: BaseException) -> str:
    """Its class and the line that raised it: what may be told of an error that isn't ours."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {frame.filename}:{frame.lineno}"


def _step_error(error: SluiceError, kind: str) -> StepRefused | StepFailed:
    return (StepFailed if error.exit_code is ExitCode.FAULT else StepRefused)(error, kind)


# Every task's. A refusal isn't tried again; what is: a source that was away, a full disk, a busy database.
DEFAULTS = {
    "owner": "sluice",
    "on_failure_callback": record_failure,
    "on_retry_callback": tell,
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
}
