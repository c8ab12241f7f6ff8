"""Utility against sums over pairs of rows and over plain distributions, and the frontier against what it must be."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.measures.frontier import KS, frontier, sampled
from privacy.measures.utility import average_class, discernibility, shift, utility
from privacy.models.rules import DISTINCT, Asked
from privacy.search.tuples import Tuples
from tests.privacy.worlds import grouped, world

GROUPS = st.lists(st.integers(-1, 4), min_size=1, max_size=40)


@given(GROUPS)
def test_discernibility_is_the_pairs_that_look_alike(groups: list[int]) -> None:
    pairs = sum(a == -1 or a == b for a in groups for b in groups)
    published = np.array([count for group, count in Counter(groups).items() if group >= 0], np.int64)
    assert discernibility(published, suppressed=groups.count(-1)) == pairs


def test_discernibility_of_ten_million_in_one_class_is_counted_whole() -> None:
    assert discernibility(np.array([10_000_000]), suppressed=3) == 10**14 + 3 * 10_000_003


def test_the_mean_class_is_measured_in_ks() -> None:
    assert average_class(np.array([5, 5, 10]), k=5) == pytest.approx(20 / 3 / 5)
    assert average_class(np.empty(0, np.int64), k=5) == 0.0


RUNS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 9)), min_size=1, max_size=8)


@given(st.lists(st.integers(0, 9), min_size=6, max_size=6).filter(any), RUNS)
def test_the_shift_is_half_the_sum_of_differences(raw: list[int], runs: list[tuple[int, int, int]]) -> None:
    spread = [Fraction(0)] * 6
    total = sum(rows for *_, rows in runs)
    for one, other, rows in runs:
        low, high = min(one, other), max(one, other)
        for leaf in range(low, high + 1):
            spread[leaf] += Fraction(rows, (high - low + 1) * total)
    want = sum(abs(Fraction(count, sum(raw)) - share) for count, share in zip(raw, spread, strict=True)) / 2
    low, high = (np.array([pick(a, b) for a, b, _ in runs], np.int32) for pick in (min, max))
    assert shift(np.array(raw), low, high, np.array([rows for *_, rows in runs])) == pytest.approx(
        float(want)
    )


def test_nothing_coarsened_and_nobody_left_out_is_no_shift_and_all_in_one_class_is_the_distance_from_even() -> (
    None
):
    leaves = [[0], [0], [0], [1], [2], [2]]
    plain = utility(world(leaves, [0, 0, 0, 1, 2, 2], cardinalities=[4]), k=2, ncp_by_column={"q0": 0.0})
    assert plain.shift_by_column == {"q0": 0.0}
    assert (plain.discernibility, plain.suppressed) == (9 + 1 + 4, 0.0)
    one = utility(world(leaves, [0] * 6, cardinalities=[4]), k=2, ncp_by_column={"q0": 1.0})
    assert one.shift_by_column["q0"] == pytest.approx((abs(3 / 6 - 1 / 3) + abs(1 / 6 - 1 / 3)) / 2)
    assert one.discernibility_share == 1.0
    assert one.average_class == 3.0


def test_whom_a_release_leaves_out_shows_in_no_measure_but_in_steps_of_k() -> None:
    lonely = utility(world([[0], [0], [1]], [0, 0, -1], cardinalities=[2]), k=2, ncp_by_column={"q0": 0.0})
    alone = utility(world([[0], [0]], [0, 0], cardinalities=[2]), k=2, ncp_by_column={"q0": 0.0})
    assert lonely == alone
    left_out = utility(
        world([[0], [0], [1], [1]], [0, 0, -1, -1], cardinalities=[2]), k=2, ncp_by_column={"q0": 0.0}
    )
    assert left_out.shift_by_column["q0"] == 0.0
    assert left_out.suppressed == 0.5
    assert left_out.discernibility == 4 + 2 * 4


def cube(rows: int, *, seed: int, persons: bool = False, values: int = 9) -> Tuples:
    draw = np.random.default_rng(seed)
    # A person's rows are alike: rows that lie far apart would keep everybody in one class.
    units = draw.integers(0, rows // 2, rows) if persons else np.arange(rows)
    return Tuples(
        codes=draw.integers(0, 30, (rows, 2))[units].astype(np.uint16),
        positions=(np.linspace(0, 1, 30), np.linspace(0, 1, 30)),
        weights=np.ones(rows, np.int32) if persons else draw.integers(1, 4, rows).astype(np.int32),
        sensitive=draw.integers(0, values, (rows, 1)).astype(np.int32),
        units=units.astype(np.int32) if persons else None,
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.booleans())
def test_on_the_frontier_every_class_keeps_its_k(seed: int, persons: bool) -> None:
    found = frontier(cube(200, seed=seed, persons=persons), [Asked(DISTINCT, 0, 2)])
    assert [point.k for point in found.points] == list(KS)
    for point in found.points:
        assert point.classes * point.k + point.suppressed <= found.persons == found.of
        assert 0.0 <= point.loss <= 1.0


def test_a_larger_k_loses_more() -> None:
    losses = [point.loss for point in frontier(cube(3000, seed=1)).points]
    assert losses == sorted(losses)
    assert losses[0] < losses[-1] / 2


def test_a_k_that_cannot_be_kept_leaves_everybody_out() -> None:
    (point,) = frontier(cube(20, seed=1), ks=[1000]).points
    assert (point.classes, point.loss) == (0, 0.0)
    assert point.suppressed == cube(20, seed=1).persons


def test_what_else_the_contract_asks_is_asked_here_too() -> None:
    (free,) = frontier(cube(500, seed=3), ks=[2]).points
    (bound,) = frontier(cube(500, seed=3), [Asked(DISTINCT, 0, 6)], ks=[2]).points
    assert bound.loss > 2 * free.loss


def test_nobody_has_a_frontier_of_nothing() -> None:
    empty = Tuples(
        codes=np.empty((0, 1), np.uint16),
        positions=(np.zeros(0),),
        weights=np.empty(0, np.int32),
        sensitive=np.empty((0, 0), np.int32),
    )
    assert {point.classes for point in frontier(empty).points} == {0}


@pytest.mark.parametrize("persons", [False, True])
def test_a_sample_holds_whole_persons_says_how_many_and_is_the_same_each_time(persons: bool) -> None:
    whole = cube(6000, seed=2, persons=persons)
    some = sampled(whole, most=1000, seed=9)
    assert 500 < len(some.weights) < 1500
    if whole.units is not None:
        # A person in the sample is there with as many rows as in the whole.
        rows = Counter(np.bincount(whole.units).tolist())
        sample = Counter(np.bincount(some.units).tolist())
        assert all(sample[size] <= rows[size] for size in sample)
        assert np.mean(np.bincount(some.units)) == pytest.approx(2.3, abs=0.3)
    found = frontier(whole, ks=[5], most=1000, seed=9)
    assert (found.persons, found.of) == (some.persons, whole.persons)
    assert found == frontier(whole, ks=[5], most=1000, seed=9)
    assert found != frontier(whole, ks=[5], most=1000, seed=10)
    # Fewer persons are harder to hide, as the page says.
    assert found.points[0].loss > frontier(whole, ks=[5]).points[0].loss


def test_groups_made_for_tests_are_groups() -> None:
    values = np.random.default_rng(0).integers(0, 50, (300, 3))
    assert np.bincount(grouped(values, k=7)).min() >= 7
