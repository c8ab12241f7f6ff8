"""How a contract stands after what happened to it, and what can never bring it back into force."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.life.negotiation import Act, Phase, Side
from contracts.life.state import ContractState, Happening, Period, Standing, Turn, states
from contracts.life.version import order
from core.errors import ContractError

P, C = Side.PROVIDER, Side.CONSUMER
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = Period(start=START, end=START + 365 * DAY)
CONCLUDING = ((Act.OFFER, P), (Act.ACCEPT, C), (Act.AGREE, P), (Act.VERIFY, C), (Act.FINALIZE, P))


class Story:
    """Happenings, one a day from the day before the period begins."""

    def __init__(self) -> None:
        self.all: list[Happening] = []
        self.periods: dict[str, Period] = {}

    def say(self, what: Act | Turn, by: Side, *, version: str = "1.0.0", name: str = "") -> Story:
        name = name or version
        index = len(self.all)
        agreed = any(each.what is Act.AGREE and each.negotiation == name for each in self.all)
        self.all.append(
            Happening(
                index=index,
                at=START + (index - 10) * DAY,
                what=what,
                by=by,
                negotiation=name,
                contract_id="shop",
                version=version,
                contract_digest="c" * 64,
                digest=f"{index:064d}",
                agreement=f"agreement of {name}" if agreed or what is Act.AGREE else "",
            )
        )
        return self

    def conclude(self, version: str = "1.0.0", *, name: str = "", period: Period = YEAR) -> Story:
        for act, by in CONCLUDING:
            self.say(act, by, version=version, name=name)
        self.periods[f"agreement of {name or version}"] = period
        return self

    def at(self, now: datetime = START + 30 * DAY) -> dict[str, ContractState]:
        return {state.negotiation: state for state in states(self.all, self.periods, now)}

    def one(self, now: datetime = START + 30 * DAY) -> ContractState:
        (state,) = self.at(now).values()
        return state


def test_in_force_is_what_both_concluded_within_its_time() -> None:
    state = Story().conclude().one()
    assert state.standing is Standing.IN_FORCE
    assert state.phase is Phase.FINALIZED
    assert (state.since, state.by, state.concluded_index) == (START, P, 4)
    assert state.agreement == "agreement of 1.0.0"


@pytest.mark.parametrize("length", range(1, 5))
def test_nothing_less_is(length: int) -> None:
    story = Story()
    for act, by in CONCLUDING[:length]:
        story.say(act, by)
    assert story.one().standing is Standing.NEGOTIATED
    assert story.say(Act.TERMINATE, C).one().standing is Standing.ABANDONED


@pytest.mark.parametrize(
    ("now", "standing"),
    [
        (START - timedelta(microseconds=1), Standing.AHEAD),
        (START, Standing.IN_FORCE),
        (START + 365 * DAY, Standing.IN_FORCE),
        (START + 365 * DAY + timedelta(microseconds=1), Standing.EXPIRED),
    ],
)
def test_the_bounds_of_its_time_are_in_it(now: datetime, standing: Standing) -> None:
    assert Story().conclude().one(now).standing is standing


def test_an_agreement_that_permits_nothing_is_over() -> None:
    story = Story().conclude()
    story.periods.clear()
    assert story.one().standing is Standing.EXPIRED


def test_each_side_lifts_its_own_suspension() -> None:
    story = Story().conclude().say(Turn.SUSPEND, P).say(Turn.SUSPEND, C).say(Turn.RESUME, C)
    assert story.one().standing is Standing.SUSPENDED
    assert story.one().suspended_by == {P}
    assert story.say(Turn.RESUME, P).one().standing is Standing.IN_FORCE


def test_what_was_terminated_stays_so() -> None:
    story = Story().conclude().say(Turn.TERMINATE, C).say(Turn.RESUME, C).say(Turn.RESUME, P)
    assert story.one().standing is Standing.TERMINATED
    assert story.one().by is C


def test_a_later_version_takes_the_place_of_an_earlier_one_for_good() -> None:
    story = Story().conclude("1.0.0").conclude("1.1.0")
    assert {name: state.standing for name, state in story.at().items()} == {
        "1.0.0": Standing.SUPERSEDED,
        "1.1.0": Standing.IN_FORCE,
    }
    story.say(Turn.RESUME, P, version="1.1.0").say(Turn.TERMINATE, P, version="1.1.0")  # a day after it began
    assert {state.standing for state in story.at().values()} == {Standing.SUPERSEDED, Standing.TERMINATED}


def test_a_later_version_that_has_not_begun_leaves_the_earlier_one_in_force() -> None:
    story = Story().conclude("1.0.0").conclude("2.0.0", period=Period(start=START + 100 * DAY))
    assert story.at(START + 99 * DAY)["1.0.0"].standing is Standing.IN_FORCE
    assert story.at(START + 100 * DAY)["1.0.0"].standing is Standing.SUPERSEDED
    story.say(Turn.TERMINATE, P, version="2.0.0")  # before its time came
    assert story.at(START + 100 * DAY)["1.0.0"].standing is Standing.IN_FORCE


def test_an_older_version_concluded_afterwards_is_no_way_back() -> None:
    story = Story().conclude("1.10.0").conclude("1.9.0")
    assert story.at()["1.9.0"].standing is Standing.SUPERSEDED
    assert story.at()["1.10.0"].standing is Standing.IN_FORCE


def test_the_same_version_concluded_anew_takes_the_place_of_the_first() -> None:
    story = Story().conclude("1.0.0", name="first").conclude("1.0.0", name="second")
    assert story.at()["first"].standing is Standing.SUPERSEDED
    assert story.at()["second"].standing is Standing.IN_FORCE


def test_a_clock_set_back_opens_nothing_again() -> None:
    story = Story().conclude(period=Period(start=START - 50 * DAY, end=START - 8 * DAY))
    story.say(Turn.SUSPEND, P).say(Turn.RESUME, P)  # the log has seen START - 4 days
    assert story.one(START - 20 * DAY).standing is Standing.EXPIRED


def test_versions_are_numbers() -> None:
    assert order("1.10") > order("1.9.9")
    assert order("2") == order("2.0.0")
    for strange in ("1.0.0-rc1", "v1", "1..0", "", "1.0.0.0.0", "١.٠", "1" * 10):
        with pytest.raises(ContractError, match="can't be compared"):
            order(strange)


turns = st.lists(
    st.tuples(st.sampled_from([Turn.SUSPEND, Turn.TERMINATE]), st.sampled_from(Side)), max_size=6
)


@given(turns, st.integers(-30, 800))
def test_no_stop_ever_opens_a_door(stops: list[tuple[Turn, Side]], day: int) -> None:
    story = Story().conclude()
    now = START + day * DAY
    open_before = story.one(now).standing is Standing.IN_FORCE
    for what, by in stops:
        story.say(what, by)
        is_open = story.one(now).standing is Standing.IN_FORCE
        # The log's own time may have run past the start meanwhile: nothing but the calendar opens.
        assert open_before or not is_open or story.all[-1].at >= START
        open_before = is_open
        assert not is_open


def test_happenings_that_cannot_follow_each_other_open_nothing_and_harm_no_other() -> None:
    story = Story().conclude()
    assert story.say(Act.FINALIZE, P).one().standing is Standing.ABANDONED
    good = Story().conclude()
    forged = [
        replace(each, by=P, negotiation="another", contract_id="another") for each in Story().conclude().all
    ]
    mixed = [replace(each, contract_id="another") for each in good.all[1:]]
    for bad in (forged, [replace(each, negotiation="mixed") for each in (good.all[0], *mixed)]):
        found = {each.negotiation: each for each in states([*bad, *good.all], good.periods, START)}
        assert found[good.all[0].negotiation] == good.one(START)
        assert found[bad[0].negotiation].standing is Standing.ABANDONED


def test_a_newer_version_whose_agreement_is_lost_still_keeps_the_older_one_away() -> None:
    story = Story().conclude().conclude("2.0.0")
    lost = {digest: period for digest, period in story.periods.items() if digest != story.all[-1].agreement}
    old, new = states(story.all, lost, START)
    assert (old.standing, new.standing) == (Standing.SUPERSEDED, Standing.EXPIRED)


def test_a_version_that_cannot_be_compared_harms_no_other() -> None:
    story = Story().conclude("1.0.0-rc1").conclude("1.0.0")
    assert [each.standing for each in states(story.all, story.periods, START)] == [
        Standing.SUPERSEDED,
        Standing.IN_FORCE,
    ]
