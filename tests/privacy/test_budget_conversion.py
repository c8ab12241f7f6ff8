"""The budget's sums and epsilons against OpenDP's own composition, and against the closed form."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import opendp.prelude as dp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opendp.mod import OpenDPException

from core.errors import ContractError
from privacy.budget.amounts import NOTHING, QUANTA, Cost, Limit, Total
from privacy.budget.conversion import _sensitivity, epsilon_of, limit_of

dp.enable_features("contrib")
SPACE = dp.atom_domain(T=float, nan=False), dp.absolute_distance(T=float)


def gaussian(scale: float) -> Any:
    return dp.m.make_gaussian(*SPACE, scale=scale)


def total_of(*costs: Cost) -> Total:
    total = NOTHING
    for cost in costs:
        total = total.plus(cost)
    return total


def closed_epsilon(rho: float, delta: float) -> float:
    """The smallest epsilon over alpha of Canonne, Kamath and Steinke 2020, corollary 13, by a golden section."""

    def at(log_excess: float) -> float:
        alpha = 1 + math.exp(log_excess)
        return rho * alpha + math.log(1 / (alpha * delta)) / (alpha - 1) + math.log1p(-1 / alpha)

    low, high, golden = -20.0, 30.0, (math.sqrt(5) - 1) / 2
    for _ in range(300):
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if at(left) < at(right) else (left, high)
    return max(0.0, at((low + high) / 2))


@pytest.mark.parametrize("rho", [1e-6, 1e-3, 0.02, 0.5, 3.0, 40.0])
@pytest.mark.parametrize("delta", [1e-12, 1e-6, 1e-3])
def test_the_epsilon_is_that_of_the_closed_form(rho: float, delta: float) -> None:
    found = epsilon_of(total_of(Cost.of(rho)), delta)
    assert found == pytest.approx(closed_epsilon(rho, delta), rel=1e-6, abs=1e-9)
    # The older bound of Bun and Steinke 2016, proposition 1.3, is never better.
    assert found <= rho + 2 * math.sqrt(rho * math.log(1 / delta))


@given(st.lists(st.floats(0.2, 50), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_sums_are_those_of_opendps_composition(scales: list[float]) -> None:
    """OpenDP rounds each float up; the exact sum is never above its sum, nor below the parts."""
    parts = [gaussian(scale) for scale in scales]
    composed = dp.c.make_composition(parts).map(1.0)
    total = total_of(*(Cost.of(part.map(1.0)) for part in parts))
    assert total.rho_quanta == sum(math.ceil(Fraction(part.map(1.0)) * QUANTA) for part in parts)
    assert Fraction(total.rho_quanta - len(parts), QUANTA) <= Fraction(composed)
    assert float(Fraction(total.rho_quanta, QUANTA)) == pytest.approx(composed, rel=1e-12)
    curve = dp.c.make_zCDP_to_approxDP(dp.c.make_composition(parts)).map(1.0)
    assert epsilon_of(total, 1e-6) == pytest.approx(curve.epsilon(1e-6), rel=1e-9)


def test_deltas_are_added_as_opendp_adds_them() -> None:
    parts = [dp.c.make_approximate(gaussian(scale)) for scale in (1.0, 2.0, 5.0)]
    rho, delta = dp.c.make_composition(parts).map(1.0)
    total = total_of(*(Cost.of(*part.map(1.0)) for part in parts))
    assert float(Fraction(total.rho_quanta, QUANTA)) == pytest.approx(rho, rel=1e-12)
    assert delta == total.delta_quanta == 0


def test_a_spent_delta_is_taken_from_the_one_that_is_asked_at() -> None:
    spent = total_of(Cost.of(0.5, 4e-7), Cost.of(0.25, 1e-7))
    assert epsilon_of(spent, 1e-6) == pytest.approx(closed_epsilon(0.75, 5e-7), rel=1e-6)
    for delta in (5e-7, 1e-8, 0):
        with pytest.raises(ContractError, match="No epsilon belongs to this delta"):
            epsilon_of(spent, delta)
    with pytest.raises(ContractError, match="No epsilon belongs"):
        epsilon_of(NOTHING, 1)


@pytest.mark.parametrize(
    "scales", [(1.0, 1.0, 10.0), (2.0, 1.0, 2.0, 2.0, 2.0), (0.8, 2.0, 2.0), (0.5,), (1.0, 2.0, 4.0, 0.7)]
)
def test_a_cap_is_the_filter_that_opendp_puts_on_an_odometer(scales: tuple[float, ...]) -> None:
    """Adaptive costs: up to its first refusal, which ends it for good, OpenDP's filter lets the same through."""
    odometer = dp.c.make_fully_adaptive_composition(*SPACE, dp.zero_concentrated_divergence())
    queryable = dp.c.make_privacy_filter(odometer, 1.0, 1.0)(0.5)
    total, limit = NOTHING, Limit.of(1)
    for scale in scales:
        after = total.plus(Cost.of(gaussian(scale).map(1.0)))
        if not after.within(limit):
            with pytest.raises(OpenDPException, match="exhausted"):
                queryable(gaussian(scale))
            return
        queryable(gaussian(scale))
        total = after


@pytest.mark.parametrize("epsilon", [0.01, 0.5, 3.0, 20.0])
def test_pure_epsilon_is_converted_as_bun_and_steinke_do(epsilon: float) -> None:
    laplace = dp.m.make_laplace(*SPACE, scale=1 / epsilon)
    theirs = dp.c.make_pureDP_to_zCDP(laplace).map(1.0)
    assert float(Fraction(Cost.of_pure(epsilon).rho_quanta, QUANTA)) == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("epsilon", [0.01, 0.5, 2.0, 8.0, 50.0])
@pytest.mark.parametrize(("delta", "own"), [(1e-6, 0), (1e-6, 5e-7), (1e-10, 0)])
def test_a_limit_is_the_greatest_that_keeps_epsilon_and_delta(
    epsilon: float, delta: float, own: float
) -> None:
    limit = limit_of(epsilon, delta, delta_spendable=own)
    full = Total(rho_quanta=limit.rho_quanta, delta_quanta=limit.delta_quanta)
    assert limit.rho_quanta > 0
    assert limit.delta_quanta == Limit.of(0, own).delta_quanta
    assert epsilon_of(full, delta) <= epsilon
    more = Total(rho_quanta=limit.rho_quanta * 10**6 // (10**6 - 1), delta_quanta=limit.delta_quanta)
    assert epsilon_of(more, delta) > epsilon


def test_an_epsilon_of_zero_leaves_next_to_nothing() -> None:
    """Not quite nothing: a delta allows a rho whose whole curve lies below it."""
    assert limit_of(0, 1e-9).rho_quanta < Limit.of(1e-16).rho_quanta


@pytest.mark.parametrize(("delta", "own"), [(0, 0), (1e-6, 1e-6), (1e-6, 1e-5), (1, 0), (2, 0)])
def test_a_limit_needs_a_delta_to_convert_with(delta: float, own: float) -> None:
    with pytest.raises(ContractError, match="leaves nothing to convert with"):
        limit_of(1, delta, delta_spendable=own)


@given(st.fractions(0, 2**32))
def test_the_gaussian_that_stands_for_a_rho_has_no_less(rho: Fraction) -> None:
    assert Fraction(_sensitivity(rho)) ** 2 / 2 >= rho


@given(st.floats(1e-9, 100), st.floats(1e-12, 1e-2))
@settings(max_examples=60, deadline=None)
def test_the_epsilon_grows_with_the_rho(rho: float, delta: float) -> None:
    assert epsilon_of(total_of(Cost.of(rho)), delta) <= epsilon_of(total_of(Cost.of(rho * 1.01)), delta)
