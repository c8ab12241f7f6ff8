"""The multidimensional search makes the classes that plain SQL makes."""

from __future__ import annotations

import numpy as np
import pytest

from privacy.models.rules import DISTINCT, Asked
from privacy.search.mondrian import partition
from privacy.search.tuples import Tuples
from tests.privacy.sql_mondrian import sql_partition


def people(seed: int, *, by_unit: bool, columns: int, wide: bool) -> Tuples:
    """Small tables. wide: codes have ends of their own, and the last stands apart, as NULL does."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 70)), int(rng.integers(1, 4))
    sizes = rng.integers(1, 9, d).tolist()
    units = rng.integers(0, n, n).astype(np.int32) if by_unit else np.arange(n, dtype=np.int32)
    # A person's rows mostly stand together, else no cut would be safe.
    own = np.stack([(size * rng.random(n) ** 1.5).astype(np.int32) for size in sizes], axis=1)
    stray = np.where(rng.random((n, 1)) < 0.04, rng.permutation(own), own[units])
    starts = tuple(np.sort(rng.random(size)) for size in sizes)
    return Tuples(
        codes=stray,
        positions=starts if wide else tuple(np.linspace(0, 1, size) for size in sizes),
        ends=tuple(np.append(each[1:], 1.0) for each in starts) if wide else None,
        weights=np.ones(n, np.int32) if by_unit else rng.integers(1, 5, n).astype(np.int32),
        sensitive=rng.integers(-1, 4, (n, columns)).astype(np.int32),
        units=units if by_unit else None,
    )


def same_classes(part: np.ndarray, other: np.ndarray) -> bool:
    pairs = {(int(a), int(b)) for a, b in zip(part, other, strict=True)}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


@pytest.mark.parametrize("by_unit", [False, True])
@pytest.mark.parametrize("columns", [0, 1, 2])
@pytest.mark.parametrize("wide", [False, True])
def test_the_search_makes_the_classes_that_sql_makes(by_unit: bool, columns: int, wide: bool) -> None:
    cut = 0
    for seed in range(5):
        tuples = people(seed, by_unit=by_unit, columns=columns, wide=wide)
        asked = [Asked(DISTINCT, column, 2.0) for column in range(columns)]
        part = partition(tuples, k=2 + seed % 4, asked=asked).part
        other = sql_partition(tuples, k=2 + seed % 4, l_distinct=(2,) * columns)
        assert same_classes(part, other)
        cut += int(part.max()) > 2
    assert cut > 1  # the tables are such that there is something to compare


def test_a_refinement_is_the_same_in_sql() -> None:
    for seed in range(4):
        tuples = people(seed, by_unit=False, columns=0, wide=False)
        coarse = partition(tuples, k=12).part
        fine = partition(tuples, k=2, within=coarse).part
        assert same_classes(fine, sql_partition(tuples, k=2, within=coarse))


@pytest.mark.parametrize("by_unit", [False, True])
def test_equal_gains_go_to_the_first_dimension_and_the_lowest_threshold(by_unit: bool) -> None:
    codes = np.array([[a, b] for a in range(4) for b in range(4)] * 2, np.int32)
    tuples = Tuples(
        codes=codes,
        positions=(np.linspace(0, 1, 4),) * 2,
        weights=np.ones(32, np.int32),
        sensitive=np.empty((32, 0), np.int32),
        units=np.arange(32, dtype=np.int32) if by_unit else None,
    )
    other = sql_partition(tuples, k=12)
    assert same_classes(other, codes[:, 0] > 1)  # equal gains in both dimensions: the first is cut
    assert same_classes(partition(tuples, k=12).part, other)


@pytest.mark.parametrize("span", [40, 400, 9000])
def test_codes_that_stand_close_or_far_apart_are_cut_alike(span: int) -> None:
    """Few tuples are ranked, dense codes are counted, sparse ones marked by bits: three ways to the same order."""
    rng = np.random.default_rng(span)
    tuples = Tuples(
        codes=np.stack([(span * rng.random(150) ** 2).astype(np.int32), rng.integers(0, span, 150)], axis=1),
        positions=(np.linspace(0, 1, span),) * 2,
        weights=rng.integers(1, 5, 150).astype(np.int32),
        sensitive=np.empty((150, 0), np.int32),
    )
    part = partition(tuples, k=6).part
    assert part.max() > 20
    assert same_classes(part, sql_partition(tuples, k=6))
