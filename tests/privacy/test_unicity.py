"""Unicity against counting by hand, and the attackers that it stands for."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.facts.attackers import Found
from privacy.facts.unicity import Share, Unicity, unicity, wilson

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
FACTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 7)), min_size=1, max_size=40)


def measured(facts: list[tuple[int, int]], owners: list[int] | None = None, **how: int) -> Unicity:
    """facts: (trace, point)."""
    known = sorted({trace for trace, _ in facts})
    traces = np.array([known.index(trace) for trace, _ in facts], np.int32)
    points = np.array([point for _, point in facts], np.int32)
    whose = None if owners is None else np.array([owners[trace] for trace in known], np.int32)
    return unicity(points, traces, key=KEY, owners=whose, **how)


def by_hand(facts: list[tuple[int, int]], p: int, owners: list[int] | None = None) -> float:
    """The share over all traces, each with all ways to choose p of its points: sets and nothing else."""
    held: dict[int, set[int]] = {}
    for trace, point in facts:
        held.setdefault(trace, set()).add(point)
    shares = []
    for trace, own in held.items():
        ways = list(combinations(sorted(own), min(p, len(own))))
        alone = [
            not any(
                set(way) <= others
                for other, others in held.items()
                if (other != trace if owners is None else owners[other] != owners[trace])
            )
            for way in ways
        ]
        shares.append(sum(alone) / len(ways))
    return sum(shares) / len(shares)


@settings(deadline=None)
@given(FACTS)
def test_it_is_what_counting_by_hand_finds(facts: list[tuple[int, int]]) -> None:
    found = measured(facts)
    for p in range(1, 6):
        share = found.shares[p - 1]
        assert share.share == pytest.approx(by_hand(facts, p))
        assert share.low == share.share == share.high


@settings(deadline=None)
@given(FACTS, st.lists(st.integers(0, 3), min_size=7, max_size=7))
def test_traces_of_one_person_dont_hide_each_other(facts: list[tuple[int, int]], owners: list[int]) -> None:
    found = measured(facts, owners)
    for p in range(1, 6):
        assert found.shares[p - 1].share == pytest.approx(by_hand(facts, p, owners))


@settings(max_examples=25, deadline=None)
@given(FACTS)
def test_what_is_drawn_lies_in_its_interval_and_never_falls(facts: list[tuple[int, int]]) -> None:
    found = measured(facts, exact=0, tests=4000)
    for p in range(1, 6):
        # At a hundred tests a failure by chance would be likely; the interval is widened to one in a billion.
        share, truth = found.shares[p - 1], by_hand(facts, p)
        assert abs(share.share - truth) <= 3.2 * max(share.high - share.share, share.share - share.low)
    shares = [share.share for share in found.shares]
    assert shares == sorted(shares)


@settings(deadline=None)
@given(FACTS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(facts: list[tuple[int, int]], random: object) -> None:
    mixed = list(facts)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert measured(mixed, exact=0, tests=50) == measured(facts, exact=0, tests=50)


def test_a_point_that_comes_often_is_one_point() -> None:
    assert measured([(0, 1)] * 9 + [(1, 1), (1, 2)]) == measured([(0, 1), (1, 1), (1, 2)])


def test_a_sample_of_traces_comes_near_and_says_what_it_is() -> None:
    rng = np.random.default_rng(5)
    traces = np.concatenate([np.arange(3000), rng.integers(0, 3000, 60_000)]).astype(np.int32)
    points = (900 * rng.random(len(traces)) ** 2).astype(np.int32)
    whole = unicity(points, traces, key=KEY, exact=1 << 30, most=2)
    part = unicity(points, traces, key=KEY, exact=0, most=2, tests=1500)
    assert part.how == ("1500 of 3000 traces, with 1 draw each",) * 2
    assert part.shares[1].low < whole.shares[1].share < part.shares[1].high
    assert 0.1 < whole.shares[1].share < 0.999
    assert unicity(points, traces, key=OTHER, exact=0, most=2, tests=1500) != part


def test_traces_with_few_points_are_tested_with_what_they_have() -> None:
    found = measured([(0, 1), (1, 2), (1, 3), (1, 4)])
    assert found.fewer == (0.0, 0.5, 0.5, 1.0, 1.0)
    assert [share.share for share in found.shares] == [1.0] * 5


def test_somebody_with_all_that_another_has_hides_the_other_only() -> None:
    found = measured([(0, 1), (0, 2), (1, 1), (1, 2), (1, 3)])
    assert found.shares[4].share == 0.5


def test_one_trace_is_always_singled_out() -> None:
    assert measured([(0, 1), (0, 2)]).shares[0] == Share(share=1.0, low=1.0, high=1.0)


def test_nobody_is_singled_out_of_nothing() -> None:
    found = unicity(np.empty(0, np.int32), np.empty(0, np.int32), key=KEY)
    assert (found.traces, {share.high for share in found.shares}) == (0, {0.0})


@pytest.mark.parametrize(
    ("hits", "tests", "low", "high"),
    # Newcombe 1998, table I: 81/263, 15/148, 0/20 and 1/29 by the score method.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_wilsons(hits: int, tests: int, low: float, high: float) -> None:
    found = wilson(hits, tests)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_the_strongest_attacker_counts_by_the_upper_end() -> None:
    weak = Unicity(shares=(Share(share=0.5, low=0.5, high=0.5),), traces=9, fewer=(0.0,), how=("",))
    wide = Unicity(shares=(Share(share=0.4, low=0.2, high=0.6),), traces=9, fewer=(0.0,), how=("",))
    assert Found(whole=weak, by_column={"shop": wide}).strongest(1) == ("shop", wide.shares[0])
    assert Found(whole=wide, by_column={"shop": weak}).strongest(1) == (None, wide.shares[0])
