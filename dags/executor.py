"""The executor of Airflow on one machine: each task has a supervisor of its own, forked when it is due.

Airflow's LocalExecutor keeps a pool of workers that share a queue, its locks and a counter. Kill one of them and its task
stays `queued` for good (it doesn't know which one it was, and can't revoke it), or the lock that it held stops the others.
Here nothing is shared: a supervisor that is gone is seen at the scheduler's next beat, its task goes with it, and Airflow
tries the task again.

`[core] executor = dags.executor.Supervisors` (pipeline/airflow/home.py). Where tasks run on several machines, Airflow's
own executors for that are the ones to use: the DAGs need none of this.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.executors.base_executor import BaseExecutor

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance

TITLE = "sluice supervisor: "  # then what it supervises; its task has the same title
# What a task needs whatever it is, most of its two seconds of imports: the scheduler pays them once.
LOADED = (
    "airflow.sdk.execution_time.task_runner",
    *(f"pipeline.steps.{step}" for step in ("check", "receive", "validate", "anonymize", "publish")),
)
_ENDED_UNTOLD = "Its supervisor (process %s) ended without a word: exit code %s."
_PR_SET_PDEATHSIG = 1  # prctl(2)


class Supervisors(BaseExecutor):
    """Runs each workload under one process of its own, at most `parallelism` at a time."""

    is_local = True
    supports_callbacks = True

    def start(self) -> None:
        """Load what each supervisor would load again."""
        self._supervisors: dict[Any, tuple[Any, multiprocessing.Process]] = {}
        for name in LOADED:
            import_module(name)

    def _process_workloads(self, workload_list: Sequence[Any]) -> None:
        for workload in workload_list:
            supervisor = multiprocessing.Process(target=_supervise, args=(workload,))
            supervisor.start()
            self.running.add(workload.key)  # counted against `parallelism`
            self._supervisors[workload.key] = workload, supervisor
            self.queued_tasks.pop(workload.key, None)
            self.queued_callbacks.pop(workload.key, None)

    def sync(self) -> None:
        """Tell the scheduler of those that have ended."""
        for key, (workload, supervisor) in list(self._supervisors.items()):
            code = supervisor.exitcode
            if code is None:
                continue
            if code == 0:
                self.change_state(key, workload.success_state)
            else:
                self.change_state(key, workload.failure_state, _ENDED_UNTOLD % (supervisor.pid, code))
            self._forget(key)

    def revoke_task(self, *, ti: TaskInstance) -> None:
        """End what should have begun long ago; Airflow queues it again."""
        self.queued_tasks.pop(ti.key, None)
        self.running.discard(ti.key)
        if ti.key in self._supervisors:
            self._supervisors[ti.key][1].kill()
            self._forget(ti.key)

    def end(self) -> None:
        """Wait for what runs."""
        for _, supervisor in self._supervisors.values():
            supervisor.join()
        self.sync()

    def terminate(self) -> None:
        """As LocalExecutor: the scheduler goes, what runs is told by its own signal."""

    def _forget(self, key: Any) -> None:
        _, supervisor = self._supervisors.pop(key)
        supervisor.join()
        supervisor.close()


def _supervise(workload: Any) -> None:
    """In the supervisor: run the workload, and have the task's process end when this one does, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the scheduler; what runs comes to its end
    if sys.platform == "linux":
        os.register_at_fork(after_in_child=partial(_end_with, os.getpid()))
    BaseExecutor.run_workload(
        workload, proctitle=TITLE + workload.display_name, subprocess_logs_to_stdout=True
    )


def _end_with(parent: int) -> None:
    """Have this process killed when its parent ends. A task whose supervisor is gone would work on unseen beside its next try."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it was gone before we asked
        os.kill(os.getpid(), signal.SIGKILL)
