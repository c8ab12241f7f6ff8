"""The rules on examples from the literature, and at their edges."""

from __future__ import annotations

import numpy as np
import pytest

from privacy.models.rules import DISTINCT, ENTROPY, EQUAL, ORDERED, RULES


def ask(
    rule: int,
    counts: list[int],
    limit: float,
    *,
    shares: list[float] | None = None,
    persons: int = 0,
    known: int | None = None,
    known_share: float = 1.0,
) -> bool:
    persons = persons or sum(counts)
    everyone = np.array(shares if shares is not None else [1 / len(counts)] * len(counts))
    return bool(
        RULES[rule](
            persons,
            sum(counts) if known is None else known,
            np.array(counts, np.int64),
            everyone,
            known_share,
            float(limit),
        )
    )


def reach(rule: int, counts: list[int], **options: object) -> float:
    """The limit at which a closeness rule begins to hold, to 1e-6."""
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if ask(rule, counts, middle, **options) else (middle, high)  # type: ignore[arg-type]
    return high


def test_the_ordered_distances_of_the_literature() -> None:
    """{3k, 4k, 5k} is 0.375 from everyone, {6k, 8k, 11k} 0.167, as the paper has it."""
    assert reach(ORDERED, [1, 1, 1, 0, 0, 0, 0, 0, 0]) == pytest.approx(0.375, abs=1e-6)
    assert reach(ORDERED, [0, 0, 0, 1, 0, 1, 0, 0, 1]) == pytest.approx(0.1667, abs=1e-4)


def test_the_equal_distance_is_half_the_sum_of_differences() -> None:
    assert reach(EQUAL, [2, 0], shares=[0.25, 0.75]) == pytest.approx(0.75, abs=1e-6)
    assert ask(EQUAL, [1, 3], 0.0, shares=[0.25, 0.75])


def test_a_class_whose_values_are_all_missing_is_held_against_how_many_are() -> None:
    assert not ask(EQUAL, [0, 0], 0.3, persons=5, known=0, known_share=0.9)
    assert ask(EQUAL, [0, 0], 0.3, persons=5, known=0, known_share=0.2)
    assert not ask(ORDERED, [0, 0], 0.3, persons=5, known=0, known_share=0.9)


@pytest.mark.parametrize(
    ("counts", "limit", "held"), [([1, 1, 1], 3, True), ([5, 1], 3, False), ([0, 0], 1, False)]
)
def test_distinct_values(counts: list[int], limit: float, held: bool) -> None:
    assert ask(DISTINCT, counts, limit, persons=max(1, sum(counts))) is held


def test_what_all_persons_have_is_known_of_everyone() -> None:
    """Five persons with two rows each: all have the first value, each another besides."""
    counts = [5, 1, 1, 1, 1, 1]
    assert not ask(DISTINCT, counts, 2, persons=5, known=5)
    assert not ask(ENTROPY, counts, 2, persons=5, known=5)


@pytest.mark.parametrize(
    ("counts", "limit", "held"),
    [
        ([1, 1, 1, 1], 4, True),
        ([2, 1, 1], 2.9, False),
        ([2, 1, 1], 2.8, True),
        ([7], 1.0, True),
        ([7], 1.1, False),
    ],
)
def test_entropy_is_an_effective_number_of_values(counts: list[int], limit: float, held: bool) -> None:
    assert ask(ENTROPY, counts, limit) is held


def test_one_value_is_as_everyone_has_it() -> None:
    assert ask(ORDERED, [4], 0.0)
    assert ask(EQUAL, [4], 0.0)
