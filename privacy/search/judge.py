"""Many classes judged at once by the rules that a contract asks: the check after a search, whichever search it was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from privacy.models.rules import RULES, Asked
from privacy.search.sorting import members
from privacy.search.tuples import Tuples


def judged(
    tuples: Tuples,
    part: npt.NDArray[np.int32],
    count: int,
    *,
    k: int,
    asked: Sequence[Asked],
    everyone: Tuples | None = None,
) -> npt.NDArray[np.bool_]:
    """Whether each of `count` parts keeps k and all that is asked, (count,). part: (n,) each tuple's; no person in two.

    everyone: whom closeness is measured against; the tuples themselves if not given.
    """
    order, bounds = members(part, count)
    persons = _persons(order, bounds, tuples.heads)
    safe: npt.NDArray[np.bool_] = persons >= k
    for column in sorted({each.column for each in asked}):
        rules = [each for each in asked if each.column == column]
        shares, known_share = (everyone or tuples).everyone(column)
        _judge(
            safe,
            persons,
            order,
            bounds,
            tuples.sensitive,
            tuples.known,
            tuples.counted,
            column,
            shares,
            known_share,
            RULES,
            np.array([each.rule for each in rules], np.int64),
            np.array([each.limit for each in rules], np.float64),
        )
    return safe


def least_diverse(tuples: Tuples, part: npt.NDArray[np.int32], persons: npt.NDArray[np.int64]) -> int | None:
    """The l of all parts: fewest distinct values, or persons without the commonest plus one, over parts and sensitive columns.

    part: (n,) each tuple's. persons: (parts,) of each. 0 when there are no parts, None without a sensitive column.
    """
    if not tuples.sensitive.shape[1]:
        return None
    if not len(persons):
        return 0
    order, bounds = members(part, len(persons))
    each = (
        _least(order, bounds, persons, tuples.sensitive[:, column], tuples.counted[:, column])
        for column in range(tuples.sensitive.shape[1])
    )
    return int(min(each))


@njit(cache=True, nogil=True)
def _least(order, bounds, persons, value, counted):
    counts = np.zeros(value.max() + 2, np.int64)
    seen = np.full(len(counts), -1, np.int64)
    least = np.iinfo(np.int64).max
    for p in range(len(persons)):
        distinct, most = 0, 0
        for i in order[bounds[p] : bounds[p + 1]]:
            if value[i] < 0:
                continue
            if seen[value[i]] != p:
                seen[value[i]], counts[value[i]] = p, 0
                distinct += 1
            counts[value[i]] += counted[i]
            most = max(most, counts[value[i]])
        least = min(least, distinct, persons[p] - most + 1)
    return least


@njit(cache=True, nogil=True)
def _persons(order, bounds, heads):
    persons = np.zeros(len(bounds) - 2, np.int64)
    for p in range(len(persons)):
        for at in range(bounds[p], bounds[p + 1]):
            persons[p] += heads[order[at]]
    return persons


@njit(cache=True, nogil=True)
def _judge(
    safe, persons, order, bounds, sensitive, known, counted, column, shares, known_share, rules, asked_rules, limits
):  # fmt: skip
    counts = np.zeros(len(shares), np.int64)
    for p in range(len(safe)):
        if not safe[p]:
            continue
        having = 0
        for at in range(bounds[p], bounds[p + 1]):
            i = order[at]
            value = sensitive[i, column]
            if value >= 0:
                counts[value] += counted[i, column]
            having += known[i, column]
        for a in range(len(asked_rules)):
            safe[p] = safe[p] and rules[asked_rules[a]](
                persons[p], having, counts, shares, known_share, limits[a]
            )
        for at in range(bounds[p], bounds[p + 1]):
            if sensitive[order[at], column] >= 0:
                counts[sensitive[order[at], column]] = 0
