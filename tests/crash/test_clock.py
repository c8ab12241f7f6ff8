"""A clock that steps back and forth: nothing is lost, nothing comes out of order, and nobody's run is ended by it."""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.clock import Clock
from core.errors import ContractError
from pipeline import route
from pipeline.attest import attest
from pipeline.home import Home
from pipeline.sweep import sweep
from tests.crash.acts import look
from tests.crash.planted import Place, more_orders, open_planted

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR, YEAR = timedelta(hours=1), timedelta(days=365)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return open_planted(tmp_path / "place")


def at(moment: datetime) -> Clock:
    return lambda: moment


def stepping(*steps: timedelta) -> Clock:
    """A clock that is set anew each time it is read."""
    offsets = itertools.cycle(itertools.accumulate(steps))
    return lambda: NOON + next(offsets)


@pytest.mark.slow
def test_releases_stay_in_the_order_they_were_published(place: Place) -> None:
    published = []
    for number, moment in enumerate((NOON, NOON - 5 * YEAR, NOON + 2 * YEAR, NOON - HOUR)):
        more_orders(place, batch=number)
        home = Home.open(place.settings, clock=at(moment))
        published.append(route.run("small-shop", home=home).release)
        assert published[-1].published_at == moment
        assert home.catalog.releases() == (published[-1],)
        assert not route.run("small-shop", home=home).new
    home = Home.open(place.settings)
    assert look(home).releases == tuple(release.release for release in published)
    assert attest(home).releases == len(published)


@pytest.mark.slow
@pytest.mark.parametrize(
    "steps",
    [(-HOUR, -HOUR, 2 * HOUR), (-YEAR, YEAR), (3 * YEAR, -5 * YEAR, HOUR)],
    ids=["hours", "year", "years"],
)
def test_a_clock_that_steps_within_a_run(place: Place, steps: tuple[timedelta, ...]) -> None:
    home = Home.open(place.settings, clock=stepping(*steps))
    assert route.run("small-shop", home=home).new
    more_orders(place)
    assert route.run("small-shop", home=home).new
    seen = look(home)
    assert len(seen.releases) == 2
    assert seen.events[-1] == "run.completed"


def test_a_term_is_followed_by_the_clock_as_it_stands(place: Place) -> None:
    before = Home.open(place.settings, clock=at(datetime(2019, 12, 31, tzinfo=UTC)))
    with pytest.raises(ContractError, match="2020-01-01"):
        route.run("small-shop", home=before)
    assert route.run("small-shop", home=Home.open(place.settings, clock=at(NOON))).new
    more_orders(place)
    with pytest.raises(ContractError, match="2020-01-01"):
        route.run("small-shop", home=before)
    assert len(look(before).releases) == 1


@pytest.mark.parametrize("years", [-30, 30])
def test_no_clock_makes_a_run_that_is_worked_on_look_dead(place: Place, years: int) -> None:
    """Its files are from another time altogether."""
    home = Home.open(place.settings, clock=at(NOON + years * YEAR))
    with home.runs.held("live"):
        run = home.runs.begin("live", owner={"dag_id": "shop", "run_id": "live"})
        moment = (NOON + years * YEAR).timestamp()
        for path in (*run.folder.iterdir(), run.folder):
            os.utime(path, (moment, moment))
        sweep(home)
        assert home.runs.open("live").key.reveal() == run.key.reveal()
