"""The kernel's promises, on any tuples: every part keeps the limits, parts don't overlap, order doesn't matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.models.rules import DISTINCT, ENTROPY, EQUAL, ORDERED, Asked
from privacy.search.mondrian import partition
from privacy.search.tuples import Tuples
from tests.compiled import wide_codes
from tests.privacy.models import holds


@st.composite
def tuple_sets(draw: st.DrawFn, *, by_unit: bool) -> Tuples:
    """Any few tuples, of persons with several tuples or one, some of whom have to stay together."""
    n = draw(st.integers(1, 60))
    cardinalities = draw(st.lists(st.integers(1, 7), min_size=1, max_size=3))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, c, n) for c in cardinalities], axis=1).astype(np.int32)
    columns = draw(st.integers(0, 2))
    units = rng.integers(0, max(1, n // 2), n).astype(np.int32) if by_unit else None
    blocks = None
    if draw(st.booleans()):
        of_unit = rng.integers(0, max(1, n // 3), n).astype(np.int32)
        blocks = of_unit[units] if units is not None else of_unit
    return Tuples(
        codes=codes,
        positions=tuple(np.linspace(0, 1, c) if c > 1 else np.zeros(1) for c in cardinalities),
        weights=np.ones(n, np.int64) if by_unit else rng.integers(1, 4, n),
        sensitive=rng.integers(-1, 4, (n, columns)).astype(np.int32),
        units=units,
        blocks=blocks,
    )


def asked_of(data: st.DataObject, tuples: Tuples) -> list[Asked]:
    """Any rules over the tuples' sensitive columns."""
    limits = {
        DISTINCT: (1.0, 2.0, 3.0),
        ENTROPY: (1.2, 2.0, 2.5),
        EQUAL: (0.1, 0.3, 0.6),
        ORDERED: (0.1, 0.3),
    }
    return [
        Asked(rule, column, data.draw(st.sampled_from(limits[rule])))
        for column in range(tuples.sensitive.shape[1])
        for rule in sorted(
            data.draw(st.sets(st.sampled_from([DISTINCT, ENTROPY, EQUAL, ORDERED]), max_size=3))
        )
    ]


def persons(tuples: Tuples, mask: np.ndarray) -> int:
    return int(tuples.weights[mask].sum()) if tuples.units is None else len(set(tuples.units[mask].tolist()))


def safe(tuples: Tuples, mask: np.ndarray, *, k: int, asked: list[Asked]) -> bool:
    return persons(tuples, mask) >= k and all(holds(each, tuples, mask) for each in asked)


def cuts(tuples: Tuples, mask: np.ndarray, *, k: int, asked: list[Asked]) -> list[tuple[float, int, int]]:
    """All safe cuts of the tuples in `mask`, each as (fall in loss, dimension, threshold)."""
    found = []
    for j, places in enumerate(tuples.positions):
        here = np.unique(tuples.codes[mask, j])
        for code in here[:-1].tolist():
            left, right = mask & (tuples.codes[:, j] <= code), mask & (tuples.codes[:, j] > code)
            if any(
                these is not None and set(these[left].tolist()) & set(these[right].tolist())
                for these in (tuples.units, tuples.blocks)
            ):
                continue
            if safe(tuples, left, k=k, asked=asked) and safe(tuples, right, k=k, asked=asked):
                spans = [
                    (
                        tuples.weights[side].sum(),
                        places[tuples.codes[side, j].max()] - places[tuples.codes[side, j].min()],
                    )
                    for side in (left, right)
                ]
                mean = sum(w * span for w, span in spans) / tuples.weights[mask].sum()
                found.append((float(places[here[-1]] - places[here[0]] - mean), j, code))
    return [cut for cut in found if round(cut[0] * 2**40) > 1]


@pytest.mark.parametrize("by_unit", [False, True])
@settings(max_examples=250, deadline=None)
@given(data=st.data(), k=st.integers(2, 6))
def test_every_part_keeps_all_limits_and_no_cut_is_left(by_unit: bool, data: st.DataObject, k: int) -> None:
    tuples = data.draw(tuple_sets(by_unit=by_unit))
    asked = asked_of(data, tuples)
    parts = partition(tuples, k=k, asked=asked)
    part = parts.part
    assert sorted(set(part.tolist())) == list(range(part.max() + 1))
    for p in range(part.max() + 1):
        assert part.max() == 0 or safe(tuples, part == p, k=k, asked=asked)
        assert not cuts(tuples, part == p, k=k, asked=asked)
        assert parts.low[p].tolist() == tuples.codes[part == p].min(axis=0).tolist()
        assert parts.high[p].tolist() == tuples.codes[part == p].max(axis=0).tolist()


@pytest.mark.parametrize("by_unit", [False, True])
@settings(max_examples=150, deadline=None)
@given(data=st.data(), k=st.integers(2, 4))
def test_each_cut_is_the_best_there_is(by_unit: bool, data: st.DataObject, k: int) -> None:
    """Cutting by hand, always the largest gain (then the first dimension, the lowest threshold), ends in the same parts."""
    tuples = data.draw(tuple_sets(by_unit=by_unit))
    asked = asked_of(data, tuples)
    todo, done = [np.ones(len(tuples.weights), bool)], []
    while todo:
        mask = todo.pop()
        found = cuts(tuples, mask, k=k, asked=asked)
        if not found:
            done.append(mask)
            continue
        _, j, code = min((-round(gain * 2**40), j, code) for gain, j, code in found)
        todo += [mask & (tuples.codes[:, j] <= code), mask & (tuples.codes[:, j] > code)]
    part = partition(tuples, k=k, asked=asked).part
    assert {frozenset(np.flatnonzero(mask).tolist()) for mask in done} == {
        frozenset(np.flatnonzero(part == p).tolist()) for p in range(part.max() + 1)
    }


@settings(max_examples=100, deadline=None)
@given(tuples=tuple_sets(by_unit=True), k=st.integers(2, 4))
def test_rows_of_one_person_never_stand_in_two_parts(tuples: Tuples, k: int) -> None:
    part = partition(tuples, k=k).part
    for these in (tuples.units, tuples.blocks):
        for one in set(these.tolist() if these is not None else []):
            assert len(set(part[these == one].tolist())) == 1


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
        blocks=None if tuples.blocks is None else tuples.blocks[shuffle],
    )
    part, other = partition(tuples, k=k).part, partition(shuffled, k=k).part
    assert (other == part[shuffle]).all()


@settings(max_examples=100, deadline=None)
@given(tuples=tuple_sets(by_unit=False), k=st.integers(2, 4))
def test_parts_are_boxes_that_do_not_overlap(tuples: Tuples, k: int) -> None:
    part = partition(tuples, k=k).part
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
    coarse = partition(tuples, k=8).part
    fine = partition(tuples, k=2, within=coarse).part
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
    assert partition(tuples, k=4).part.tolist() == [0, 0, 1, 1]


def test_wide_codes_are_sorted_instead_of_counted() -> None:
    """A code range far wider than the rows takes the other way of ranking, with the same promises."""
    part = partition(wide_codes(), k=5).part
    assert np.bincount(part).min() >= 5
    assert (np.diff(part) >= 0).all()
    assert part.max() > 20


@pytest.mark.parametrize("asked", [(), (DISTINCT,), (ENTROPY,), (EQUAL,), (DISTINCT, ORDERED)])
@pytest.mark.parametrize("span", [5, 90, 30_000])
def test_three_ways_to_look_for_a_cut_find_the_same(asked: tuple[int, ...], span: int) -> None:
    """Large slices are counted, small ones kept in order, and where rows are told apart by person each threshold is walked to."""
    limits = {DISTINCT: 2.0, ENTROPY: 1.7, EQUAL: 0.7, ORDERED: 0.6}
    rules = [Asked(rule, 0, limits[rule]) for rule in asked]
    for seed in range(4):
        rng = np.random.default_rng([seed, span])
        n = (90, 128, 129, 700)[seed]
        alone = Tuples(
            codes=(np.array([span, 3, span]) * rng.random((n, 3)) ** 2).astype(np.int32),
            positions=tuple(np.sort(rng.random(size)) for size in (span, 3, span)),
            weights=np.ones(n, np.int32),
            sensitive=rng.choice(4, (n, 1), p=[0.7, 0.1, 0.1, 0.1]).astype(np.int32) - 1,
        )
        persons = replace(alone, units=np.arange(n, dtype=np.int32))
        one, other = partition(alone, k=3, asked=rules), partition(persons, k=3, asked=rules)
        assert one.part.max() > 1
        assert one.part.tolist() == other.part.tolist()
        assert (one.low == other.low).all()
        assert (one.high == other.high).all()


def test_no_tuples_no_parts() -> None:
    nothing = Tuples(
        codes=np.empty((0, 1), np.int32),
        positions=(np.empty(0),),
        weights=np.empty(0, np.int64),
        sensitive=np.empty((0, 0), np.int32),
    )
    assert partition(nothing, k=5).part.tolist() == []


def test_without_quasi_identifiers_parts_stay_as_they_are() -> None:
    tuples = Tuples(
        codes=np.empty((60, 0), np.uint16),
        positions=(),
        weights=np.ones(60, np.int32),
        sensitive=np.empty((60, 0), np.int32),
    )
    coarse = (np.arange(60) % 3).astype(np.int32)
    assert partition(tuples, k=2, within=coarse).part.tolist() == coarse.tolist()


def test_without_quasi_identifiers_all_are_one_part() -> None:
    tuples = Tuples(
        codes=np.empty((3, 0), np.int32),
        positions=(),
        weights=np.array([4, 4, 4], np.int64),
        sensitive=np.array([[0], [1], [2]], np.int32),
    )
    assert partition(tuples, k=2).part.tolist() == [0, 0, 0]
