"""What crashed runs left behind, and what is kept no longer, is removed when the next run starts."""

from __future__ import annotations

from collections.abc import Callable

from core.files import remove_drafts
from core.folder import usable
from pipeline.home import Home
from pipeline.memory import forget_unpublished
from pipeline.quarantine.store import Quarantine
from pipeline.runs import Owner, scheduler_is_gone


def sweep(home: Home, *, over: Callable[[Owner, float], bool] = scheduler_is_gone) -> None:
    """Ends runs that nobody works on or comes back for; removes drafts and staged files that nothing names, and quarantined
    rows that are kept no longer.

    over: whether a scheduler's run, idle for so many seconds, is over; without one, it is after a day.
    """
    home.runs.sweep(over)
    home.catalog.sweep()
    Quarantine(home).sweep()
    forget_unpublished(home)
    settings = home.settings
    with usable(settings.home):
        # A registry's folder elsewhere is another's to keep clean.
        registry = [settings.registry] if settings.registry_folder is None else []
        for folder in (settings.home, settings.keys, *registry, *settings.agreements.glob("*")):
            if folder.is_dir():
                remove_drafts(folder)
