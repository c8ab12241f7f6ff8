"""What is due in a hall every day, whoever starts it: the DAG of that name, or a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from contracts.parties.registry import Published
from core.errors import SluiceError
from pipeline.agreements.effects import Settled, settle
from pipeline.agreements.keyfile import record_keys
from pipeline.agreements.parties import renew_if_due
from pipeline.agreements.thresholds import thresholds_of
from pipeline.home import Home
from pipeline.runs import Owner, scheduler_is_gone
from pipeline.sweep import sweep
from privacy.abroad import destroy_ended

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Done:
    """What was done. renewed: the registry, where this hall says that it's fresh. years: provider and year of each count of
    persons abroad that the law asks to be kept no longer, destroyed with its key.
    """

    renewed: Published | None
    settled: Settled
    years: tuple[tuple[str, int], ...]

    @property
    def anything(self) -> bool:
        """Whether anything was."""
        return self.renewed is not None or self.settled.anything or bool(self.years)


def housekeeping(home: Home, *, over: Callable[[Owner, float], bool] = scheduler_is_gone) -> Done:
    """Does all that is due. What one part can't do keeps no other from being done; the first error is raised when all tried.

    over: as `sweep`'s. Safe to repeat: what was left half done is completed.
    """
    errors: list[SluiceError] = []

    def done(part: Callable[[], T], otherwise: T) -> T:
        try:
            return part()
        except SluiceError as error:
            errors.append(error)
            return otherwise

    # First: without a fresh registry no signature can be checked, and a contract doesn't count as in force.
    renewed = done(lambda: renew_if_due(home), None)
    settled = done(lambda: settle(home), Settled())
    years = done(lambda: _end_years(home), tuple[tuple[str, int], ...]())
    done(lambda: record_keys(home), None)
    done(lambda: sweep(home, over=over), None)
    if errors:
        raise errors[0]
    return Done(renewed=renewed, settled=settled, years=years)


def _end_years(home: Home) -> tuple[tuple[str, int], ...]:
    return destroy_ended(home.store, home.keys, at=home.clock(), thresholds=thresholds_of(home))
