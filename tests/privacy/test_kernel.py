"""The kernel's promises, on any tuples: every part keeps the limits, parts don't overlap, order doesn't matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.kernel import Tuples, partition


@st.composite
def tuple_sets(draw: st.DrawFn, *, by_unit: bool) -> Tuples:
    n = draw(st.integers(1, 60))
    cardinalities = draw(st.lists(st.integers(1, 7), min_size=1, max_size=3))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, c, n) for c in cardinalities], axis=1).astype(np.int32)
    columns = draw(st.integers(0, 2))
    return Tuples(
        codes=codes,
        positions=tuple(np.linspace(0, 1, c) if c > 1 else np.zeros(1) for c in cardinalities),
        weights=np.ones(n, np.int64) if by_unit else rng.integers(1, 4, n),
        sensitive=rng.integers(-1, 4, (n, columns)).astype(np.int32),
        units=rng.integers(0, max(1, n // 2), n).astype(np.int32) if by_unit else None,
    )


def persons(tuples: Tuples, mask: np.ndarray) -> int:
    return int(tuples.weights[mask].sum()) if tuples.units is None else len(set(tuples.units[mask].tolist()))


def diversity(tuples: Tuples, mask: np.ndarray) -> int:
    """Distinct values; with several rows a person also persons without the commonest value, plus one."""
    least = 99
    for j in range(tuples.sensitive.shape[1]):
        values = tuples.sensitive[mask, j]
        least = min(least, len(set(values.tolist()) - {-1}))
        if tuples.units is not None:
            having = {
                (v, u) for v, u in zip(values.tolist(), tuples.units[mask].tolist(), strict=True) if v >= 0
            }
            most = max((sum(v == value for v, _ in having) for value in {v for v, _ in having}), default=0)
            least = min(least, persons(tuples, mask) - most + 1)
    return least


@pytest.mark.parametrize("by_unit", [False, True])
@settings(max_examples=150, deadline=None)
@given(data=st.data(), k=st.integers(2, 6), l_distinct=st.integers(1, 3))
def test_every_part_keeps_both_limits_or_nothing_was_cut(
    by_unit: bool, data: st.DataObject, k: int, l_distinct: int
) -> None:
    tuples = data.draw(tuple_sets(by_unit=by_unit))
    part = partition(tuples, k=k, l_distinct=l_distinct)
    everyone = np.ones(len(part), bool)
    feasible = persons(tuples, everyone) >= k and diversity(tuples, everyone) >= l_distinct
    assert sorted(set(part.tolist())) == list(range(part.max() + 1))
    if not feasible:
        assert part.max() == 0
        return
    for p in range(part.max() + 1):
        assert persons(tuples, part == p) >= k
        assert diversity(tuples, part == p) >= l_distinct


@settings(max_examples=100, deadline=None)
@given(tuples=tuple_sets(by_unit=True), k=st.integers(2, 4))
def test_rows_of_one_person_never_stand_in_two_parts(tuples: Tuples, k: int) -> None:
    part = partition(tuples, k=k, l_distinct=1)
    assert tuples.units is not None
    for unit in set(tuples.units.tolist()):
        assert len(set(part[tuples.units == unit].tolist())) == 1


@pytest.mark.parametrize("by_unit", [False, True])
@settings(max_examples=100, deadline=None)
@given(data=st.data(), k=st.integers(2, 4), seed=st.integers(0, 999))
def test_the_order_of_tuples_says_nothing(by_unit: bool, data: st.DataObject, k: int, seed: int) -> None:
    tuples = data.draw(tuple_sets(by_unit=by_unit))
    shuffle = np.random.default_rng(seed).permutation(len(tuples.weights))
    shuffled = Tuples(
        codes=tuples.codes[shuffle],
        positions=tuples.positions,
        weights=tuples.weights[shuffle],
        sensitive=tuples.sensitive[shuffle],
        units=None if tuples.units is None else tuples.units[shuffle],
    )
    part, other = partition(tuples, k=k, l_distinct=1), partition(shuffled, k=k, l_distinct=1)
    assert (other == part[shuffle]).all()


@settings(max_examples=100, deadline=None)
@given(tuples=tuple_sets(by_unit=False), k=st.integers(2, 4))
def test_parts_are_boxes_that_do_not_overlap(tuples: Tuples, k: int) -> None:
    part = partition(tuples, k=k, l_distinct=1)
    boxes = [
        (tuples.codes[part == p].min(axis=0), tuples.codes[part == p].max(axis=0))
        for p in range(part.max() + 1)
    ]
    for a in range(len(boxes)):
        for b in range(a):
            apart = (boxes[a][1] < boxes[b][0]) | (boxes[b][1] < boxes[a][0])
            assert apart.any()


@settings(max_examples=60, deadline=None)
@given(tuples=tuple_sets(by_unit=False))
def test_a_refinement_stays_within_the_parts_it_refines(tuples: Tuples) -> None:
    coarse = partition(tuples, k=8, l_distinct=1)
    fine = partition(tuples, k=2, l_distinct=1, within=coarse)
    for p in range(fine.max() + 1):
        assert len(set(coarse[fine == p].tolist())) == 1


def test_it_cuts_where_most_is_gained() -> None:
    """Two far clusters on one dimension, little to tell on the other: the cut falls between the clusters."""
    codes = np.array([[0, 0], [1, 1], [8, 0], [9, 1]], np.int32)
    tuples = Tuples(
        codes=codes,
        positions=(np.linspace(0, 1, 10), np.linspace(0, 1, 10)),
        weights=np.full(4, 2, np.int64),
        sensitive=np.empty((4, 0), np.int32),
    )
    assert partition(tuples, k=4, l_distinct=1).tolist() == [0, 0, 1, 1]


def test_wide_codes_are_sorted_instead_of_counted() -> None:
    """A code range far wider than the rows takes the other way of ranking, with the same promises."""
    rng = np.random.default_rng(5)
    values = np.sort(rng.choice(1_000_000, 400, replace=False)).astype(np.int32)
    tuples = Tuples(
        codes=values[:, None],
        positions=(np.linspace(0, 1, 1_000_000),),
        weights=np.ones(400, np.int64),
        sensitive=np.empty((400, 0), np.int32),
    )
    part = partition(tuples, k=5, l_distinct=1)
    assert np.bincount(part).min() >= 5
    assert (np.diff(part) >= 0).all()
    assert part.max() > 20


def test_no_tuples_no_parts() -> None:
    nothing = Tuples(
        codes=np.empty((0, 1), np.int32),
        positions=(np.empty(0),),
        weights=np.empty(0, np.int64),
        sensitive=np.empty((0, 0), np.int32),
    )
    assert partition(nothing, k=5, l_distinct=2).tolist() == []


def test_without_quasi_identifiers_all_are_one_part() -> None:
    tuples = Tuples(
        codes=np.empty((3, 0), np.int32),
        positions=(),
        weights=np.array([4, 4, 4], np.int64),
        sensitive=np.array([[0], [1], [2]], np.int32),
    )
    assert partition(tuples, k=2, l_distinct=1).tolist() == [0, 0, 0]
