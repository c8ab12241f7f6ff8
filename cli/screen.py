"""How a run of Airflow looks while it goes on: a live table on a terminal, otherwise plain lines, never 3 s without one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table

from pipeline.airflow.api import RunView, TaskView

ORDER = ("check", "receive", "validate", "anonymize", "publish", "clean")
_EVERY_S = 2.0
_WORDS = {
    "none": "waits",
    "scheduled": "waits",
    "queued": "waits",
    "running": "runs",
    "success": "done",
    "failed": "failed",
    "up_for_retry": "waits to try again",
    "upstream_failed": "left out",
    "skipped": "left out",
}
_COLOURS = {"done": "green", "runs": "bold cyan", "failed": "bold red", "waits to try again": "yellow"}


class Screen:
    """What is shown of a start (`step`, a Progress) and of a run (`run`); `tick` repeats it while nothing is told."""

    def __init__(self, console: Console) -> None:
        self._console, self._begun = console, time.monotonic()
        self._lock = threading.Lock()
        self._tasks: list[TaskView] = []
        self._now, self._at = "", 0.0
        self._spinner = Spinner("dots")
        self.closed = threading.Event()

    def step(self, step: str, done: float | None = None, /) -> None:
        """One thing that goes on now."""
        if step != self._now:
            self._now = step
            self._plain(step)

    def run(self, view: RunView) -> None:
        """The run's tasks as they stand; a line for each that changed."""
        before = {task.task: _word(task) for task in self._tasks}
        self._tasks = sorted(view.tasks, key=lambda task: [*ORDER, task.task].index(task.task))
        for task in self._tasks:
            word = _word(task)
            if word not in {"waits", before.get(task.task)}:
                self._plain(f"{task.task} {word}{_seconds(task) if word == 'done' else ''}")
        busy = [task for task in self._tasks if task.state in {"running", "up_for_retry"}]
        self._now = (
            ", ".join(f"{t.task} {_word(t)}{_seconds(t)}" for t in busy) or "Airflow plans the next task"
        )

    def note(self, line: str) -> None:
        """A line that stays."""
        self._console.print(line, markup=False)

    def tick(self) -> None:
        """Repeat what goes on until the screen is closed: a call into Airflow may take longer than a person's patience."""
        while not self.closed.wait(0.2):
            if self._now and time.monotonic() - self._at >= _EVERY_S:
                self._plain(self._now)

    def _plain(self, line: str) -> None:
        with self._lock:
            self._at = time.monotonic()
            if not self._console.is_terminal:
                self._console.print(f"{self._clock()}  {line}", markup=False)

    def __rich__(self) -> RenderableType:
        """The picture for a terminal, drawn anew a few times a second."""
        table = Table.grid(padding=(0, 2))
        for task in self._tasks:
            word = _word(task)
            mark = self._spinner if word == "runs" else {"done": "✓", "failed": "✗"}.get(word, "·")
            table.add_row(mark, escape(task.task), f"[{_COLOURS.get(word, 'dim')}]{word}[/]", _seconds(task))
        table.add_row(
            "" if self.closed.is_set() else self._spinner,
            f"[dim]{self._clock()}[/]",
            f"[dim]{escape(self._now)}[/]",
        )
        return table

    def _clock(self) -> str:
        return f"{time.monotonic() - self._begun:5.1f} s"


@contextmanager
def screen(console: Console) -> Iterator[Screen]:
    """A Screen on this console; what it showed last stays."""
    shown = Screen(console)
    if console.is_terminal:
        with Live(shown, console=console, refresh_per_second=8):
            try:
                yield shown
            finally:
                shown.closed.set()
        return
    ticker = threading.Thread(target=shown.tick, daemon=True)
    ticker.start()
    try:
        yield shown
    finally:
        shown.closed.set()
        ticker.join()


def _word(task: TaskView) -> str:
    return _WORDS.get(task.state, task.state)


def _seconds(task: TaskView) -> str:
    shown = task.seconds is not None and task.state in {"running", "success", "failed"}
    return f" {task.seconds:.1f} s" if shown else ""
