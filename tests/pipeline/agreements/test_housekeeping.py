"""The daily round: all that is due, and one part that can't be done keeps no other from being done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.life.state import Turn
from contracts.parties.registry import Published
from contracts.regimes.finding import Headcount
from core.errors import ConflictError, SluiceError
from pipeline import housekeeping as under_test
from pipeline.agreements.effects import Settled
from pipeline.home import Home
from pipeline.housekeeping import housekeeping
from privacy.abroad import Meter
from privacy.heads import Head
from tests.pipeline.agreements.conftest import KEYS, PLATFORM, P, Street
from tests.pipeline.agreements.test_effects import publish

SEVEN_YEARS = timedelta(days=7 * 366)


@pytest.fixture
def hall(street: Street) -> Home:
    return street.homes[P]


def count_abroad(home: Home, allow: int = 1) -> Meter:
    meter = Meter(home.store, home.keys, provider=PLATFORM)

    def check(count: Headcount) -> None:
        assert count.persons == allow

    head = Head(unit="u1", members=1, open=False, sensitive=False)
    meter.provide([head], namespace="n", at=home.clock(), allow=check)
    return meter


def test_where_nothing_is_due_nothing_is_done(hall: Home) -> None:
    done = housekeeping(hall)
    assert not done.anything
    assert (done.renewed, done.settled, done.years) == (None, Settled(), ())


def test_all_that_is_due_is_done_and_done_once(street: Street, hall: Home) -> None:
    made = street.conclude()
    release = publish(street)
    street.desk(P).turn(made.made.id, Turn.SUSPEND, side=P, signer=KEYS[P])
    count_abroad(hall)
    year = street.clock.now.year
    done = housekeeping(hall)
    assert (done.settled, done.years) == (Settled(withheld=(release,)), ())
    street.clock.wait(days=SEVEN_YEARS.days)
    later = housekeeping(hall)
    assert later.years == ((PLATFORM.removeprefix("urn:uscc:"), year),)
    assert not housekeeping(hall).years


def test_the_registry_comes_first(hall: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def part(name: str, gives: object) -> None:
        monkeypatch.setattr(under_test, name, lambda *_, **__: (order.append(name), gives)[1])

    part("renew_if_due", None)
    part("settle", Settled())
    part("destroy_ended", ())
    part("record_keys", None)
    part("sweep", None)
    housekeeping(hall)
    assert order == ["renew_if_due", "settle", "destroy_ended", "record_keys", "sweep"]


@pytest.mark.parametrize("broken", ["renew_if_due", "settle", "destroy_ended", "record_keys", "sweep"])
def test_what_cannot_be_done_keeps_nothing_else_from_being_done(
    hall: Home, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    tried: list[str] = []
    gives: dict[str, Published | Settled | tuple[()] | None] = {
        "renew_if_due": None,
        "settle": Settled(),
        "destroy_ended": (),
        "record_keys": None,
        "sweep": None,
    }

    def part(name: str) -> None:
        def act(*_: object, **__: object) -> object:
            tried.append(name)
            if name == broken:
                raise ConflictError("Others publish.", where=name)
            return gives[name]

        monkeypatch.setattr(under_test, name, act)

    for name in gives:
        part(name)
    with pytest.raises(ConflictError) as caught:
        housekeeping(hall)
    assert caught.value.where == broken
    assert tried == list(gives)


def test_thresholds_that_cannot_be_read_destroy_no_count(street: Street, hall: Home) -> None:
    meter, at = count_abroad(hall), street.clock.now
    street.clock.wait(days=SEVEN_YEARS.days)
    table = street.folder / "thresholds.yaml"
    table.write_text("meterYearsKept: soon\n", encoding="utf-8")
    with pytest.raises(SluiceError, match="thresholds"):
        housekeeping(Home.open(replace(hall.settings, thresholds=table), clock=street.clock))
    assert meter.count(at).persons == 1
