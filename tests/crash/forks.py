"""A process that has imported everything once and forks a child for each run, so that a test can kill hundreds of them.

forks = Forks()
child = forks.start(act, place, 7)     # act: a function of a module, its arguments picklable
ended = child.wait()                   # what it gave or raised, or the signal that ended it
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tests.pictures import leave_out_pictures

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST_S = 120  # a child that hangs is ended by the system's own alarm
_WARM = ("pipeline.attest", "pipeline.validation.suite", "tests.crash.acts")


@dataclass(frozen=True)
class Ended:
    """How a child ended. killed: the signal that did it, 0 when it came to its end; raised: with its traceback's text."""

    killed: int
    value: Any = None
    raised: BaseException | None = None
    told: str = ""

    def given(self) -> Any:
        """What the child's function gave; raises what it raised. A child that was killed fails the test."""
        assert not self.killed, f"killed by signal {self.killed}: {self.told}"
        if self.raised is not None:
            self.raised.add_note(self.told)
            raise self.raised
        return self.value


@dataclass(frozen=True)
class Child:
    """A child that was started."""

    pid: int
    answer: Path
    forks: Forks

    def kill(self) -> None:
        """Ends it as a power failure would; no more than nothing when it has ended."""
        os.kill(self.pid, signal.SIGKILL)  # not reaped before `wait`: nobody else has the number

    def wait(self) -> Ended:
        """Waits until it has ended."""
        status = self.forks.ask("wait", self.pid)
        code = os.waitstatus_to_exitcode(status)
        said = self.answer.with_suffix(".said")
        told = said.read_text(encoding="utf-8", errors="replace") if said.exists() else ""
        if code or not self.answer.exists():
            return Ended(killed=-code or 1, told=told)
        value, raised, text = pickle.loads(self.answer.read_bytes())
        return Ended(killed=0, value=value, raised=raised, told=told + text)


class Forks:
    """The server's other side. Close it; its children that still run end with their alarm."""

    def __init__(self) -> None:
        self._count = 0
        one = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # threads don't survive a fork
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, **one},
        )
        self._answers: Path = self._answer()

    def start(self, act: Callable[..., Any], *args: Any) -> Child:
        """Starts `act(*args)` in a child of its own."""
        self._count += 1
        answer = self._answers / f"{self._count}.pickle"
        return Child(self.ask("start", act.__module__, act.__qualname__, args, answer), answer, self)

    def run(self, act: Callable[..., Any], *args: Any) -> Ended:
        """Starts `act(*args)` and waits until it has ended."""
        return self.start(act, *args).wait()

    def ask(self, *request: Any) -> Any:
        """The server's answer to a request."""
        assert self._server.stdin is not None
        pickle.dump(request, self._server.stdin)
        self._server.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._server.stdout is not None
        return pickle.load(self._server.stdout)

    def close(self) -> None:
        """Ends the server."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait(timeout=60)


@functools.cache
def the_forks() -> Forks:
    """The server of this process, started when it's first asked for; it ends with the process."""
    forks = Forks()
    atexit.register(forks.close)
    return forks


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    _warm()
    gc.freeze()  # what is here already is never looked through, and so not copied, by a child
    while True:
        try:
            kind, *about = pickle.load(requests)
        except EOFError:
            return
        answer = _start(*about) if kind == "start" else os.waitpid(about[0], 0)[1]
        pickle.dump(answer, answers)
        answers.flush()


def _warm() -> None:
    """Runs the route as far as it can go without delta-rs, whose runtime doesn't survive a fork; pyarrow's and DuckDB's do."""
    for name in _WARM:
        importlib.import_module(name)
    leave_out_pictures()  # V8's threads don't survive a fork either, and hundreds of runs would draw
    acts = importlib.import_module("tests.crash.acts")
    with tempfile.TemporaryDirectory() as folder:
        acts.rehearse(Path(folder))


def _start(module: str, name: str, args: tuple[Any, ...], answer: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.alarm(LONGEST_S)
        _say_into(answer.with_suffix(".said"))
        value, raised, text = None, None, ""
        try:
            value = getattr(importlib.import_module(module), name)(*args)
        except BaseException as error:  # noqa: BLE001
            raised, text = error, traceback.format_exc()
        with tempfile.NamedTemporaryFile(dir=answer.parent, delete=False) as draft:
            draft.write(pickle.dumps((value, raised, text)))
        os.replace(draft.name, answer)
    finally:
        os._exit(0)


def _say_into(file: Path) -> None:
    """The server's pipes aren't the child's: what it says goes to a file."""
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:  # here, since a test's own process may end without a word
        pickle.dump(Path(folder), sys.stdout.buffer)
        sys.stdout.flush()
        _serve(sys.stdin.buffer, sys.stdout.buffer)
    os._exit(0)
