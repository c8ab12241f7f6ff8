"""Rows brought together by hashing and counting: as NumPy's own sorting has it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from privacy.search.bits import lowest
from privacy.search.judge import least_diverse
from privacy.search.sorting import alike, members
from privacy.search.tuples import Tuples
from privacy.subjects.grouping import distinct, multiplicities, packed


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("values", [1, 50, 1 << 40])
def test_distinct_rows_are_numbered_as_they_come(width: int, values: int) -> None:
    rng = np.random.default_rng(values)
    words = list(rng.integers(-values, values, (width, 200_000)))  # the parts' tables grow
    number, first = distinct(words)
    rows = list(zip(*(word.tolist() for word in words), strict=True))
    places = {row: place for place, row in enumerate(dict.fromkeys(rows))}
    assert number.tolist() == [places[row] for row in rows]
    assert [rows[at] for at in first] == list(places)
    assert sorted(multiplicities(words).tolist()) == sorted(Counter(rows).values())


def test_packed_codes_differ_where_rows_do() -> None:
    rng = np.random.default_rng(1)
    columns = [rng.integers(-1, 3, 500).astype(np.int8), rng.integers(0, 60_000, 500).astype(np.uint16)]
    (words,) = packed(columns, [3, 60_000])
    assert len(np.unique(words)) == len(np.unique(np.stack(columns), axis=1).T)


def test_equal_values_of_a_part_are_counted_together() -> None:
    rng = np.random.default_rng(2)
    part, value = rng.integers(-1, 9, 300).astype(np.int32), rng.integers(0, 4, 300)
    order, bounds = members(part, 9)
    assert part[order[: bounds[9]]].tolist() == sorted(part[part >= 0].tolist())
    row, count = alike(order, bounds, value, 4)
    found = dict(zip(zip(part[row].tolist(), value[row].tolist(), strict=True), count.tolist(), strict=True))
    kept = part >= 0
    assert found == Counter(zip(part[kept].tolist(), value[kept].tolist(), strict=True))


def test_the_l_of_parts_is_their_least_and_knows_who_shares_a_value() -> None:
    def least(sensitive: list[int], units: list[int] | None) -> int | None:
        codes = np.array(sensitive, np.int32).reshape(-1, 1)
        tuples = Tuples(
            codes=np.zeros((len(codes), 0), np.int32),
            positions=(),
            weights=np.ones(len(codes), np.int32),
            sensitive=codes,
            units=None if units is None else np.array(units, np.int32),
        )
        return least_diverse(tuples, np.zeros(len(codes), np.int32), np.array([3]))

    assert least([0, 1, 2], None) == 3
    assert least([0, 0, -1], None) == 1
    assert least([0, 0, 0, 1, 2], [0, 1, 2, 0, 1]) == 1  # three values, and one that all three persons have


def test_the_lowest_bit_is_found_in_every_place() -> None:
    for place in range(64):
        assert lowest(np.uint64((1 << 64) - (1 << place))) == place
