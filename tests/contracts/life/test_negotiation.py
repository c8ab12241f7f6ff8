"""Who may say what next: the whole table, and what a refusal says."""

from __future__ import annotations

import itertools

import pytest

from contracts.life.negotiation import NEXT, Act, Phase, Side, advance, sign_act, what_is_next
from core.errors import ContractError

P, C = Side.PROVIDER, Side.CONSUMER


def walk(*steps: tuple[Act, Side]) -> Phase | None:
    phase: Phase | None = None
    for act, by in steps:
        phase = advance(phase, act, by)
    return phase


def test_the_firm_asks_and_the_platform_agrees() -> None:
    steps = ((Act.REQUEST, C), (Act.AGREE, P), (Act.VERIFY, C), (Act.FINALIZE, P))
    assert walk(*steps) is Phase.FINALIZED


def test_the_platform_offers_and_the_firm_accepts() -> None:
    steps = ((Act.OFFER, P), (Act.ACCEPT, C), (Act.AGREE, P), (Act.VERIFY, C), (Act.FINALIZE, P))
    assert walk(*steps) is Phase.FINALIZED


def test_they_may_go_to_and_fro_before_they_agree() -> None:
    assert (
        walk((Act.REQUEST, C), (Act.OFFER, P), (Act.REQUEST, C), (Act.OFFER, P), (Act.ACCEPT, C))
        is Phase.ACCEPTED
    )


def test_either_side_may_end_it_until_it_is_concluded() -> None:
    for phase, by in itertools.product(Phase, Side):
        if phase in (Phase.FINALIZED, Phase.TERMINATED):
            with pytest.raises(ContractError):
                advance(phase, Act.TERMINATE, by)
        else:
            assert advance(phase, Act.TERMINATE, by) is Phase.TERMINATED


@pytest.mark.parametrize("by", Side)
def test_nobody_concludes_alone(by: Side) -> None:
    """Whatever one side does by itself, it never comes past its own word."""
    reached: set[Phase | None] = {None}
    for _ in Phase:
        reached |= {after for phase in reached for (_, who), after in NEXT[phase].items() if who is by}
    assert not reached & {Phase.FINALIZED, Phase.VERIFIED}


def test_no_way_leads_to_the_end_without_both_signatures() -> None:
    """Every way to FINALIZED goes through AGREE of the provider and VERIFY of the consumer, in this order."""

    def ways(phase: Phase | None, done: tuple[tuple[Act, Side], ...]) -> list[tuple[tuple[Act, Side], ...]]:
        if phase is Phase.FINALIZED:
            return [done]
        if len(done) > 7:
            return []
        return [way for step, after in NEXT[phase].items() for way in ways(after, (*done, step))]

    found = ways(None, ())
    assert found
    for way in found:
        assert way[-3:] == ((Act.AGREE, P), (Act.VERIFY, C), (Act.FINALIZE, P))


def test_whose_turn_it_is() -> None:
    turns = {
        (phase, by): sign_act(phase, by) for phase in (None, *Phase) for by in Side if sign_act(phase, by)
    }
    assert turns == {
        (Phase.REQUESTED, P): Act.AGREE,
        (Phase.OFFERED, C): Act.ACCEPT,
        (Phase.ACCEPTED, P): Act.AGREE,
        (Phase.AGREED, C): Act.VERIFY,
        (Phase.VERIFIED, P): Act.FINALIZE,
    }


def test_a_refusal_says_what_can_be_done() -> None:
    with pytest.raises(ContractError) as caught:
        advance(Phase.OFFERED, Act.FINALIZE, P)
    assert caught.value.what == "The provider can't finalize a contract that is OFFERED."
    assert caught.value.remedy == "Now the consumer can ask for other terms or the consumer can accept."
    assert what_is_next(Phase.FINALIZED).startswith("It is concluded")
    assert what_is_next(Phase.TERMINATED) == "It is over: negotiate anew."
    with pytest.raises(ContractError, match="that is not negotiated yet"):
        advance(None, Act.ACCEPT, C)
