"""Airflow on one machine, for `sluice demo` and `sluice up`: prepared, started, watched, and stopped without a trace.

    with AirflowService(settings) as airflow:
        run_id = airflow.trigger("grocery-demand")
        for view in airflow.watch("grocery-demand", run_id):
            ...

API server, scheduler and DAG processor run as processes with sessions of their own and listen on 127.0.0.1 only. No
triggerer: nothing here defers. They end with the `with`, on Ctrl-C, on SIGTERM and SIGHUP, and when this process is
killed (`pipeline.airflow.guard`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO

from core.errors import UsageError
from core.files import write_whole
from core.folder import prepare_home, usable
from core.progress import Progress, silent
from core.settings import Settings
from pipeline.airflow import guard as airflow_guard
from pipeline.airflow.api import AirflowClient, AirflowError, RunView
from pipeline.airflow.home import DAGS, USER, environment, prepare

_API_SERVER = ("dags.api_server",)  # loads at once, serves when told that the database is there
_OTHERS = {
    "scheduler": (
        "airflow",
        "scheduler",
        "--skip-serve-logs",
    ),  # its log server would listen on every address
    "dag-processor": ("airflow", "dag-processor"),
}
PREFERRED_PORT = 8080
_LAST_TASK = "publish"  # of each contract's DAG (dags/sharing.py)
_POLL_S = 0.25
_WATCH_S = 0.5  # each look costs the API server 20 ms
_PATIENCE_S = 5.0  # what a component gets to end by itself


class AirflowService:
    """One Airflow under `settings.airflow`. A context manager; not for several threads.

    port: wanted port of the API server; taken only if it is free, else a free one (default: 8080, else a free one).
    Raises UsageError when this home's Airflow already runs, AirflowError when a component doesn't start or ends.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        port: int = PREFERRED_PORT,
        dags: Path = DAGS,
        progress: Progress = silent,
    ) -> None:
        self.settings, self._wanted, self._dags, self._progress = settings, port, dags, progress
        self._logs = settings.airflow / "logs"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._guard: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._handlers: dict[signal.Signals, object] = {}
        self._env: dict[str, str] = {}
        self.port = 0
        self.password = ""
        self.client = AirflowClient(0, user=USER, password="")

    @property
    def url(self) -> str:
        """Where Airflow's pages are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def user(self) -> str:
        """Who logs in; the password is `password`."""
        return USER

    def __enter__(self) -> AirflowService:
        self.start()
        return self

    def start(self, progress: Progress | None = None) -> None:
        """Prepare and start all of it, and wait until it's healthy; what was started is stopped when that fails."""
        self._progress = progress or self._progress
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def trigger(self, dag_id: str, *, timeout_s: float = 60) -> str:
        """Start a run of the DAG as soon as it has been found; gives Airflow's run id.

        What an Airflow that was killed left unfinished of this DAG is abandoned first, or the new run would wait for it.
        """
        deadline = time.monotonic() + timeout_s
        while not self.client.has_dag(dag_id):
            if time.monotonic() > deadline:
                raise AirflowError(
                    f"Airflow has found no DAG {dag_id} in {timeout_s:.0f} s.",
                    where="; ".join(self.client.import_errors()) or str(self.settings.contracts),
                    remedy="`sluice contract check` tells whether the contract's file can be read.",
                )
            self._wait_a_little("reading the contracts")
        for left in self.client.unfinished(dag_id):
            self.client.abandon(dag_id, left, last_task=_LAST_TASK)
        return self.client.trigger(dag_id)

    def watch(self, dag_id: str, run_id: str) -> Iterator[RunView]:
        """The run again and again, a few times a second, until it is over."""
        while True:
            self.check_alive()
            view = self.client.look(dag_id, run_id)
            yield view
            if view.over:
                return
            time.sleep(_WATCH_S)

    def check_alive(self) -> None:
        """Raise AirflowError with the last lines of its log when a component has ended by itself."""
        for name, process in self._processes.items():
            code = process.poll()
            if code is not None and name != "database":  # that one is meant to end
                self._complain(f"Airflow's {name} ended by itself (code {code})", name)

    def stop(self) -> None:
        """End what was started, and only that. Safe to call again."""
        handlers, self._handlers = self._handlers, {}
        for number in handlers:  # a second Ctrl-C must not leave half of it running
            signal.signal(number, signal.SIG_IGN)
        try:
            airflow_guard.end_sessions([p.pid for p in self._processes.values()], patience_s=_PATIENCE_S)
            for process in self._processes.values():
                process.communicate()
            self._processes.clear()
            if self._guard is not None:
                self._guard.communicate()
                self._guard = None
            if self._lock is not None:
                (self.settings.airflow / "service.json").unlink(missing_ok=True)
                self._lock.close()
                self._lock = None
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]

    def _start(self) -> None:
        self._catch_signals()
        self._claim()
        self.port = _free_port(self._wanted)
        self.password = prepare(self.settings, port=self.port, dags=self._dags).password
        self._env = environment(self.settings, os.environ, dags=self._dags)
        self.client = AirflowClient(self.port, user=USER, password=self.password)
        self._guard = subprocess.Popen(
            [sys.executable, "-I", airflow_guard.__file__], stdin=subprocess.PIPE, start_new_session=True
        )
        api = self._run("api-server", *_API_SERVER)
        self._migrate()
        for name, arguments in _OTHERS.items():
            self._run(name, *arguments)
        self._tell(api, "serve")
        write_whole(
            self.settings.airflow / "service.json",
            json.dumps({"pid": os.getpid(), "url": self.url, "user": USER}).encode(),
        )
        self._until_healthy()

    def _claim(self) -> None:
        """One Airflow a home: the lock goes with this process, so a crash never leaves a home locked."""
        home = self.settings.airflow
        prepare_home(self.settings.home)
        with usable(self.settings.home):
            home.mkdir(mode=0o700, exist_ok=True)
            lock = os.fdopen(
                os.open(home / "service.lock", os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8"
            )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise UsageError(
                "Airflow of this SLUICE_HOME already runs.",
                where=_whereabouts(home / "service.json"),
                remedy="Use it there, stop it with Ctrl-C where it was started, or set another SLUICE_HOME.",
            ) from None
        self._lock = lock

    def _migrate(self) -> None:
        """Make or bring up to date the database; left out when this version of Airflow has done so before."""
        done, database = self.settings.airflow / "database.json", self.settings.airflow / "airflow.db"
        stamp = json.dumps({"airflow": _airflow_version()})
        if database.exists() and done.exists() and done.read_text(encoding="utf-8") == stamp:
            return
        process = self._run("database", "airflow", "db", "migrate")
        while process.poll() is None:
            self._wait_a_little("making its database")
        if process.returncode != 0:
            self._complain("Airflow's database can't be made", "database")
        del self._processes["database"]
        database.chmod(0o600)
        write_whole(done, stamp.encode())

    def _run(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a Python module in a session of its own, its output in logs/<name>.log; the guard is told first thing."""
        log = os.open(self._logs / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            process = subprocess.Popen(
                # By -m, as a script's first line breaks in a path with spaces; -P keeps the working folder off sys.path.
                [sys.executable, "-P", "-m", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.settings.airflow,
                env=self._env,
                start_new_session=True,
                umask=0o077,
            )
        finally:
            os.close(log)
        self._processes[name] = process
        if self._guard is not None:
            self._tell(self._guard, str(process.pid))
        return process

    def _tell(self, process: subprocess.Popen[bytes], line: str) -> None:
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it has ended: `check_alive` says so, and why
                process.stdin.write(f"{line}\n".encode())
                process.stdin.flush()

    def _until_healthy(self, *, timeout_s: float = 120) -> None:
        parts = ("metadatabase", "scheduler", "dag_processor")
        deadline = time.monotonic() + timeout_s
        warm = False
        while True:
            health = self.client.health()
            if (
                health and not warm
            ):  # now, while the others still start, rather than when the first task waits for it
                threading.Thread(target=self.client.warm, daemon=True).start()
                warm = True
            missing = [part for part in parts if health.get(part) != "healthy"]
            if not missing:
                return
            if time.monotonic() > deadline:
                self._complain(f"Airflow isn't ready after {timeout_s:.0f} s", "api-server")
            waiting = "api-server" if not health else ", ".join(missing)
            self._wait_a_little(f"starting {waiting}", (len(parts) - len(missing)) / len(parts))

    def _wait_a_little(self, step: str, done: float | None = None) -> None:
        self.check_alive()
        self._progress(f"Airflow: {step}", done)
        time.sleep(_POLL_S)

    def _complain(self, what: str, name: str) -> None:
        log = self._logs / f"{name}.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:] if log.exists() else []
        raise AirflowError(
            f"{what}. It last said:\n  " + "\n  ".join(lines) + "\n",
            where=str(log),
            remedy="Everything was stopped.",
        )

    def _catch_signals(self) -> None:
        """SIGTERM and SIGHUP unwind like Ctrl-C, so that what was started is stopped."""

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, interrupt)


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AirflowError("No port of 127.0.0.1 is free.", remedy="Stop a program that listens there.")


def _airflow_version() -> str:
    try:
        return version("apache-airflow-core")
    except PackageNotFoundError:
        raise UsageError(
            "Airflow isn't installed here.",
            remedy="Install the `hall` packages: `make demo` does, or `make test`.",
        ) from None


def _whereabouts(path: Path) -> str:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return f"{told['url']}, process {told['pid']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it is just starting"
