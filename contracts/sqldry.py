"""The dry run of a SQL rule: on empty tables, in a process of its own that its timers end.

The file that a rule comes from may be anybody's, and nobody signed it. DuckDB hears no interrupt while it makes one long value,
nor while it plans: only the end of the process stops it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from weakref import finalize

import duckdb

from core.errors import InternalError
from core.sql import quoted

_HANGS_S = 60.0  # of the clock: a dry run that neither works nor ends
_RUNNER_BYTES = 1 << 30  # of addresses: one long value is made past DuckDB's own limit
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG")
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "allow_community_extensions": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
    "threads": 1,
    "memory_limit": "256MB",
}

_mine = threading.local()


def connect() -> duckdb.DuckDBPyConnection:
    """A connection to nothing but its own memory: no file, network or extension is in reach."""
    connection = duckdb.connect(config=_CONFIG)
    connection.execute("SET lock_configuration = true")
    return connection


class Runner:
    """A process for dry runs. It ends with the thread that made it, and by itself when a query takes too much."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        paths = os.pathsep.join(map(os.path.abspath, sys.path))
        kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}  # no secret of ours
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from contracts.sqldry import run_dry; run_dry()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**kept, "PYTHONPATH": paths},
        )
        self.end = finalize(self, _end, self.process, self.pid)
        if not self._heard():
            self.end()
            raise InternalError(
                "The process for SQL rules didn't begin.",
                remedy="Is there memory for one more Python? Try again.",
            )

    def ask(self, asked: Mapping[str, object]) -> Any:
        """The answer; None when the process ended over it."""
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps(asked).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        line = self._heard()
        return json.loads(line) if line else None

    def _heard(self) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def out_of_time(self) -> bool:
        """Whether it was its timers that ended the process."""
        return self.process.wait() in (-signal.SIGPROF, -signal.SIGALRM)


def _end(process: subprocess.Popen[bytes], pid: int) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
    if pid == os.getpid():
        process.kill()
        process.wait()
    else:
        process.returncode = 0  # a forked child's copy: the process is its parent's, and goes on


def ask_dry(asked: Mapping[str, object]) -> Any:
    """The runner's answer, or the runner, ended, that gave none."""
    runner: Runner | None = _mine.__dict__.pop("runner", None)
    if runner is not None and (runner.pid != os.getpid() or runner.process.poll() is not None):
        runner.end()
        runner = None
    runner = runner or Runner()
    try:
        answer = runner.ask(asked)
    except BaseException:  # its answer would be taken for the next one's
        runner.end()
        raise
    if answer is None:
        return runner
    _mine.runner = runner
    return answer


def run_dry() -> None:
    """What the process of a Runner does: a line of JSON for each that comes, until none comes any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asked
    for kind, most in ((resource.RLIMIT_AS, _RUNNER_BYTES), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # a system without this limit, or with a lower one
            resource.setrlimit(kind, (most, most))
    connection = connect()
    tables: dict[str, str] = {}
    _tell({})
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        # Nothing takes these signals: they end the process, whatever DuckDB is at.
        signal.setitimer(signal.ITIMER_REAL, _HANGS_S)
        signal.setitimer(signal.ITIMER_PROF, asked["limit_s"])
        begun = time.process_time()
        answer: dict[str, object]
        try:
            if asked["tables"] != tables:
                for name in list(tables):
                    connection.execute(f"DROP TABLE {quoted(name)}")
                    del tables[name]
                for name, columns in asked["tables"].items():
                    connection.execute(f"CREATE TABLE {quoted(name)} ({columns})")
                    tables[name] = columns
            result = connection.execute(asked["sql"])
            kinds = [str(column[1]) for column in result.description or ()]
            answer = {"kinds": kinds, "rows": len(result.fetchmany(2))}  # a second one is enough to refuse
        except duckdb.Error as error:
            answer = {"error": type(error).__name__, "text": str(error)}
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _tell({**answer, "took_s": time.process_time() - begun})


def _tell(answer: Mapping[str, object]) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()
