"""Amounts: exact, rounded the safe way, and added as OpenDP adds."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ContractError, PrivacyError
from privacy.budget.amounts import MAX_RHO, NOTHING, QUANTA, UNBOUNDED, Cost, Limit, Total, exact, shown
from privacy.budget.budget import Budget
from privacy.budget.terms import Cap, Caps, Scope
from tests.privacy.budget_stores import BASKETS, NOW, SPENDER, MemoryStore, new_id

NUMBERS = st.one_of(
    st.floats(0, float(MAX_RHO), allow_nan=False),
    st.fractions(0, MAX_RHO),
    st.decimals(0, MAX_RHO, places=30),
    st.integers(0, MAX_RHO),
)
DELTAS = st.floats(0, 1, exclude_max=True)


@given(NUMBERS, DELTAS)
def test_a_cost_is_rounded_up_and_a_limit_down(rho: float | Fraction | Decimal | int, delta: float) -> None:
    try:
        cost = Cost.of(rho, delta)
    except ContractError:
        assert delta > 1 - 2**-90  # the one case in which rounding up reaches what no delta may be
        return
    limit = Limit.of(rho, delta)
    for up, down, value in (
        (cost.rho_quanta, limit.rho_quanta, Fraction(rho)),
        (cost.delta_quanta, limit.delta_quanta, Fraction(delta)),
    ):
        assert Fraction(down, QUANTA) <= value <= Fraction(up, QUANTA)
        assert up - down <= 1


@given(st.lists(NUMBERS, min_size=1, max_size=30))
def test_a_sum_is_never_less_than_what_was_lost(values: list[float]) -> None:
    total, lost = NOTHING, Fraction(0)
    for value in values:
        total, lost = total.plus(Cost.of(value)), lost + Fraction(value)
    assert 0 <= Fraction(total.rho_quanta, QUANTA) - lost < Fraction(len(values), QUANTA)
    assert total == sum_backwards(values)


def sum_backwards(values: list[float]) -> Total:
    total = NOTHING
    for value in reversed(values):
        total = total.plus(Cost.of(value))
    return total


def test_the_least_loss_there_is_still_costs() -> None:
    assert Cost.of(5e-324, 5e-324) == Cost(rho_quanta=1, delta_quanta=1)
    assert Limit.of(5e-324, 5e-324) == Limit(rho_quanta=0, delta_quanta=0)
    assert Cost.of(0) == Cost(rho_quanta=0, delta_quanta=0)


@pytest.mark.slow
def test_a_thousand_tiny_costs_fill_a_cap_and_not_one_more() -> None:
    """In floats this sum is 1.0000000000000007, and the thousandth wouldn't fit."""
    budget = Budget(MemoryStore())
    tiny, count = Cost.of(Decimal("0.001")), 1_000
    limit = Limit(rho_quanta=tiny.rho_quanta * count, delta_quanta=0)
    assert 0 < limit.rho_quanta - QUANTA < count  # each cost was rounded up by less than a quantum
    tight = Caps((Cap(scope=Scope.ACCOUNT, limit=limit),))
    for _ in range(count):
        budget.reserve(BASKETS, SPENDER, tiny, tight, now=NOW, reservation=new_id())
    with pytest.raises(PrivacyError, match="rho 0 is left of rho 1"):
        budget.reserve(
            BASKETS, SPENDER, Cost(rho_quanta=1, delta_quanta=0), tight, now=NOW, reservation=new_id()
        )
    statement = budget.statement(BASKETS)
    assert statement.total.rho_quanta == limit.rho_quanta
    assert budget.audit() == ()


def test_pure_epsilon_costs_half_its_square() -> None:
    assert Cost.of_pure(Decimal("0.5")) == Cost.of(Decimal("0.125"))
    assert Cost.of_pure(Fraction(1, 3)) == Cost.of(Fraction(1, 18))


@pytest.mark.parametrize(
    "value", [-1, float("nan"), float("inf"), Decimal("nan"), -1e-300, True, "1/0", None]
)
def test_what_is_no_loss_is_refused(value: object) -> None:
    with pytest.raises(ContractError, match="A privacy loss is a number from 0 on"):
        exact(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rho", "delta"), [(-1, 0), (0, -1), (0, QUANTA), (MAX_RHO * QUANTA + 1, 0), (0, QUANTA + 1)]
)
def test_a_cost_and_a_limit_lie_in_their_bounds(rho: int, delta: int) -> None:
    for build in (Cost, Limit):
        with pytest.raises(ContractError, match="A rho lies between 0 and"):
            build(rho_quanta=rho, delta_quanta=delta)


def test_what_has_no_bound_has_no_numbers() -> None:
    with pytest.raises(ContractError, match="no rho and no delta"):
        Cost(rho_quanta=1, delta_quanta=0, unbounded=True)
    assert NOTHING.plus(UNBOUNDED).plus(UNBOUNDED) == Total(unbounded=2)


@pytest.mark.parametrize(
    ("rho", "delta", "up", "down"),
    [
        (Fraction(0), Fraction(0), "rho 0", "rho 0"),
        (Fraction(1, 8), Fraction(1, 2**20), "rho 0.125, delta 9.53675e-7", "rho 0.125, delta 9.53674e-7"),
        (Fraction(1, 3), Fraction(0), "rho 0.333334", "rho 0.333333"),
        (Fraction(20), Fraction(1, 4), "rho 20, delta 0.25", "rho 20, delta 0.25"),
        (Fraction(12345678), Fraction(0), "rho 12345700", "rho 12345600"),
    ],
)
def test_amounts_are_shown_in_decimal_rounded_the_safe_way(
    rho: Fraction, delta: Fraction, up: str, down: str
) -> None:
    quanta = int(rho * QUANTA), int(delta * QUANTA)
    assert shown(*quanta, rounding=ROUND_CEILING) == up
    assert shown(*quanta, rounding=ROUND_FLOOR) == down
    assert str(Limit(rho_quanta=quanta[0], delta_quanta=quanta[1])) == down
    assert str(Cost(rho_quanta=quanta[0], delta_quanta=quanta[1])) == up


def test_nothing_is_left_of_a_limit_that_was_lowered() -> None:
    total = NOTHING.plus(Cost.of(2, 0.25))
    assert total.left_of(Limit.of(1, 0.5)) == Limit.of(0, 0.25)
    assert not total.within(Limit.of(1, 0.5))
    assert total.within(Limit.of(2, 0.25))
