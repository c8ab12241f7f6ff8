"""What crashed runs left behind is removed when the next one starts."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.home import Home
from pipeline.runs import Owner, scheduler_is_gone


def sweep(home: Home, *, over: Callable[[Owner, float], bool] = scheduler_is_gone) -> None:
    """Ends runs that nobody works on or comes back for, and removes staged files that no release names.

    over: whether a scheduler's run, idle for so many seconds, is over; without one, it is after a day.
    """
    home.runs.sweep(over)
    home.catalog.sweep()
