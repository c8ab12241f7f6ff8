"""What adding and subtracting tells, against every way to do so: small tables, all factors from -2 to 2."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.facts.derived import doubtful


def fewest(persons: np.ndarray, cells: np.ndarray) -> int:
    """The fewest persons that any sum of cells tells of, each with a factor of -2 to 2."""
    columns = [
        cells[:, j] == cell for j in range(cells.shape[1]) for cell in np.unique(cells[:, j]) if cell >= 0
    ]
    shows = np.stack(columns, axis=1).astype(int) if columns else np.zeros((len(persons), 0), int)
    of = persons[:, None] == np.arange(int(persons.max()) + 1)
    factors = np.array(list(product((-2, -1, 0, 1, 2), repeat=min(shows.shape[1], 6))))
    if shows.shape[1] > 6:
        factors = np.random.default_rng(1).integers(-2, 3, (20_000, shows.shape[1]))
    told = np.count_nonzero(((factors @ shows.T) != 0) @ of, axis=1)
    return int(told[told > 0].min(initial=10**9))


@pytest.mark.parametrize("tables", [2, 3])
@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**31), k=st.integers(2, 4))
def test_nothing_that_is_not_in_doubt_is_of_fewer_than_k(tables: int, seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(4, 60))
    persons = np.unique(rng.integers(0, rng.integers(4, 25), count), return_inverse=True)[1]
    cells = np.stack([rng.integers(-1, rng.integers(1, 4), count) for _ in range(tables)], axis=1)
    rows = np.unique(np.column_stack([persons, cells]), axis=0)
    rows = rows[(rows[:, 1:] >= 0).any(axis=1)]
    if not len(rows):
        return
    persons, cells = rows[:, 0], rows[:, 1:]
    for j in range(tables):  # each table by itself keeps k
        for cell in np.unique(cells[:, j]):
            if cell >= 0 and len(np.unique(persons[cells[:, j] == cell])) < k:
                return
    if not doubtful(persons, cells, [k] * cells.shape[1]).rows.any():
        assert fewest(persons, cells) >= k


def test_one_persons_piece_that_follows_is_in_doubt() -> None:
    """Goods and shops: five bought tea in the east, one in the west, where five bought rice."""
    rows = [(p, 0, 0) for p in range(5)] + [(5, 0, 1)] + [(p, 1, 1) for p in range(6, 11)]
    given_rows = np.array(rows)
    found = doubtful(given_rows[:, 0], given_rows[:, 1:], [3, 3])
    assert found.rows.any()


def test_small_pieces_that_do_not_follow_are_in_no_doubt() -> None:
    """Ten goods in ten shops, each good in each shop bought by one: no sum tells of fewer than ten."""
    rows = np.array([(10 * good + shop, good, shop) for good in range(10) for shop in range(10)])
    assert not doubtful(rows[:, 0], rows[:, 1:], [10, 10]).rows.any()


def test_the_same_cells_twice_are_in_no_doubt() -> None:
    rows = np.array([(p, p // 4, p // 4) for p in range(40)])
    assert not doubtful(rows[:, 0], rows[:, 1:], [4, 4]).rows.any()
