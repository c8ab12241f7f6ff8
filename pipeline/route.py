"""The route of a dataset, step by step: check, receive, validate, anonymize, publish, clean.

Each step takes the handoff of the one before and gives its own, so that the steps may run in one process (`run`) or in
a process each (Airflow). Every step reads the contract anew and refuses when its text changed since the run began, or
when it isn't in force any more; every file is held against its digest before it's used; every step may be run again.
"""

from __future__ import annotations

import uuid
from contextlib import suppress

from core.errors import SluiceError
from core.progress import Progress, silent
from core.proof import Window
from pipeline.home import Home
from pipeline.steps.anonymize import anonymize
from pipeline.steps.check import check, clean, failed
from pipeline.steps.publish import Publication, publish
from pipeline.steps.receive import receive
from pipeline.steps.validate import validate
from pipeline.sweep import sweep

__all__ = ["Publication", "anonymize", "check", "clean", "failed", "publish", "receive", "run", "validate"]


def run(
    ref: str,
    *,
    home: Home,
    run_id: str | None = None,
    window: Window | None = None,
    progress: Progress = silent,
) -> Publication:
    """The whole route in this process; raw data is gone afterwards, whatever happens. Raises what the steps raise."""
    run_id = run_id or str(uuid.uuid4())
    step = "check"
    sweep(home)
    with home.runs.held(run_id):
        try:
            progress("check")
            handoff = check(ref, run_id=run_id, home=home, window=window or Window())
            for step, act in (("receive", receive), ("validate", validate), ("anonymize", anonymize)):
                progress(step)
                handoff = act(handoff, home=home, progress=progress)
            step = "publish"
            progress(step)
            publication = publish(handoff, home=home, progress=progress)
        except BaseException as error:
            with suppress(SluiceError):  # where the state is what broke, the ledger can't be told
                failed(run_id, step=step, error=type(error).__name__, home=home)
            with suppress(SluiceError):  # nor may that hide what broke; the next start sweeps
                clean(run_id, home=home)
            raise
        clean(run_id, home=home)
        return publication
