"""Airflow's REST API as far as Sluice calls it: log in, see that it's alive, trigger a run, watch its tasks."""

from __future__ import annotations

import contextlib
import http
import http.client
import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from core.errors import SluiceError

OVER = frozenset({"success", "failed"})
TASK_OVER = frozenset({"success", "failed", "upstream_failed", "skipped", "removed"})
_HEALTH_S = 10.0  # what takes longer over saying that it's well isn't
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)  # before asking again what the server broke over


class AirflowError(SluiceError):
    """Airflow doesn't run, doesn't answer, or answers what it shouldn't; who operates the hall can act. status: HTTP's, or 0."""

    @property
    def status(self) -> int:
        """What HTTP says of the refusal; 0 when it was none."""
        return int(str(self.facts.get("status", 0)))


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """A task of a run. state: Airflow's word for it, "none" before it's planned. seconds: how long it has run, or ran."""

    task: str
    state: str
    seconds: float | None
    attempt: int


@dataclass(frozen=True, kw_only=True)
class RunView:
    """A run and its tasks at one moment."""

    dag_id: str
    run_id: str
    state: str
    tasks: tuple[TaskView, ...]

    @property
    def over(self) -> bool:
        """Nothing more will happen to it."""
        return self.state in OVER and all(task.state in TASK_OVER for task in self.tasks)

    @property
    def failed(self) -> tuple[str, ...]:
        """The tasks that failed, by name. A run whose clean-up failed is called a success by Airflow; not here."""
        return tuple(task.task for task in self.tasks if task.state == "failed")


class AirflowClient:
    """Calls one Airflow on this machine. Never through a proxy: it's our own loopback.

    timeout_s: how long it may take over a call; its SQLite may wait that long for the scheduler.
    """

    def __init__(self, port: int, *, user: str, password: str, timeout_s: float = 60) -> None:
        self._port, self._user, self._password, self._timeout_s = port, user, password, timeout_s
        self._token: str | None = None

    def health(self) -> dict[str, str]:
        """Component -> "healthy" or what else it says; empty while the server doesn't answer."""
        try:
            answer = self._send("GET", "/api/v2/monitor/health", token=None, timeout_s=_HEALTH_S)
        except (OSError, http.client.HTTPException, AirflowError):
            return {}
        return {name: str(part.get("status")) for name, part in answer.items() if isinstance(part, dict)}

    def warm(self) -> None:
        """Have the server build the API that tasks call. It does so on the first call, and takes seconds for it."""
        with contextlib.suppress(OSError, http.client.HTTPException, AirflowError):
            self._send("GET", "/execution/health", token=None)

    def has_dag(self, dag_id: str) -> bool:
        """Whether the DAG has been found in its file and can be triggered."""
        try:
            self._call("GET", f"/api/v2/dags/{quote(dag_id, safe='')}")
        except NotFoundError:
            return False
        return True

    def import_errors(self) -> tuple[str, ...]:
        """What the DAG processor couldn't load: file and the last line of why."""
        answer = self._call("GET", "/api/v2/importErrors")
        return tuple(
            f"{each.get('filename')}: {(str(each.get('stack_trace', '')).strip().splitlines() or [''])[-1]}"
            for each in answer.get("import_errors", [])
        )

    def trigger(self, dag_id: str) -> str:
        """Start a run now; gives its id."""
        # An id of ours: when the server broke over an answer, asking again starts no second run.
        run_id = f"manual__{datetime.now(UTC).isoformat()}_{secrets.token_hex(4)}"
        try:
            self._call("POST", _runs(dag_id), {"logical_date": None, "dag_run_id": run_id})
        except AirflowError as error:
            if error.status != http.HTTPStatus.CONFLICT:
                raise
        return run_id

    def log(self, dag_id: str, run_id: str, task: str, attempt: int) -> tuple[dict[str, Any], ...]:
        """The entries of a task's log: "event", "level", "logger" and more."""
        path = f"{_runs(dag_id)}/{quote(run_id, safe='')}/taskInstances/{quote(task, safe='')}/logs/{attempt}"
        content = self._call("GET", f"{path}?full_content=true").get("content", [])
        return (
            tuple(entry for entry in content if isinstance(entry, dict)) if isinstance(content, list) else ()
        )

    def unfinished(self, dag_id: str) -> tuple[str, ...]:
        """The runs of a DAG that are queued or running."""
        answer = self._call("GET", f"{_runs(dag_id)}?state=queued&state=running")
        return tuple(str(run["dag_run_id"]) for run in answer["dag_runs"])

    def abandon(self, dag_id: str, run_id: str, *, last_task: str) -> None:
        """Fail a run: what runs is ended, what waits is dropped, the clean-up still happens.

        last_task: the task that decides the run. Airflow skips what waits, and a run whose last task was skipped ends as
        a success, which this one isn't: so that task is failed as well.
        """
        run = f"{_runs(dag_id)}/{quote(run_id, safe='')}"
        self._call("PATCH", run, {"state": "failed"})
        with contextlib.suppress(NotFoundError):  # a file that shows no contract makes a DAG without it
            self._call("PATCH", f"{run}/taskInstances/{quote(last_task, safe='')}", {"new_state": "failed"})

    def look(self, dag_id: str, run_id: str) -> RunView:
        """The run as it stands."""
        path = f"{_runs(dag_id)}/{quote(run_id, safe='')}"
        tasks = self._call("GET", f"{path}/taskInstances")["task_instances"]
        state = self._call("GET", path)[
            "state"
        ]  # after the tasks: a run that is over has nothing left to change
        return RunView(
            dag_id=dag_id, run_id=run_id, state=str(state), tasks=tuple(_task(task) for task in tasks)
        )

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            if self._token is None:
                login = {"username": self._user, "password": self._password}
                self._token = str(self._send("POST", "/auth/token", login, token=None)["access_token"])
            return self._again(method, path, body)
        except (OSError, http.client.HTTPException, KeyError) as error:
            raise AirflowError(
                f"Airflow's API didn't answer ({type(error).__name__}).",
                where=f"127.0.0.1:{self._port}",
                remedy="Read api-server.log in the folder airflow/logs of SLUICE_HOME.",
            ) from None

    def _again(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """Asks again when the server broke over it (a database that is busy, a server that is full): each of our calls may be
        made twice."""
        for pause_s in _PAUSES_S:
            try:
                return self._send(method, path, body, token=self._token)
            except AirflowError as error:
                if error.status < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
            time.sleep(pause_s)
        return self._send(method, path, body, token=self._token)

    def _send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str | None,
        timeout_s: float | None = None,
    ) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout_s or self._timeout_s)
        try:
            headers = {"Accept": "application/json", "Content-Type": "application/json"}
            if token:
                headers["Authorization"] = f"Bearer {token}"
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            kind = NotFoundError if answer.status == 404 else AirflowError
            raise kind(
                f"Airflow refused {method} {path.partition('?')[0]} with {answer.status}.",
                where=f"127.0.0.1:{self._port}",
                remedy="Read api-server.log in the folder airflow/logs of SLUICE_HOME.",
                status=answer.status,
            )
        try:
            value = json.loads(text or b"{}")
        except ValueError:
            raise AirflowError(
                "Something that isn't Airflow answers.", where=f"127.0.0.1:{self._port}"
            ) from None
        return value if isinstance(value, dict) else {}


class NotFoundError(AirflowError):
    """Airflow has no such DAG or run (yet)."""


def _runs(dag_id: str) -> str:
    return f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns"


def _task(task: dict[str, Any]) -> TaskView:
    seconds = task.get("duration")
    if seconds is None and task.get("start_date") and not task.get("end_date"):
        begun = datetime.fromisoformat(str(task["start_date"]))
        seconds = max(0.0, (datetime.now(UTC) - begun).total_seconds())
    return TaskView(
        task=str(task["task_id"]),
        state=str(task.get("state") or "none"),
        seconds=None if seconds is None else float(seconds),
        attempt=int(task.get("try_number") or 0),
    )
