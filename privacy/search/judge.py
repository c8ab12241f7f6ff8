"""Many classes judged at once by the rules that a contract asks: the check after a search, whichever search it was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from privacy.models.rules import RULES, Asked
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
    persons = np.bincount(part, weights=tuples.heads, minlength=count).astype(np.int64)
    safe = persons >= k
    for column in sorted({each.column for each in asked}):
        rules = [each for each in asked if each.column == column]
        there = np.flatnonzero(tuples.sensitive[:, column] >= 0)
        order = there[np.argsort(part[there], kind="stable")]
        shares, known_share = (everyone or tuples).everyone(column)
        _judge(
            safe,
            persons,
            np.bincount(part, weights=tuples.known[:, column], minlength=count).astype(np.int64),
            np.searchsorted(part[order], np.arange(count + 1)),
            np.ascontiguousarray(tuples.sensitive[order, column]),
            np.ascontiguousarray(tuples.counted[order, column]),
            shares,
            known_share,
            RULES,
            np.array([each.rule for each in rules], np.int64),
            np.array([each.limit for each in rules], np.float64),
        )
    return safe


@njit(cache=True, nogil=True)
def _judge(safe, persons, known, bounds, values, weights, shares, known_share, rules, asked_rules, limits):
    counts = np.zeros(len(shares), np.int64)
    for p in range(len(safe)):
        if not safe[p]:
            continue
        for i in range(bounds[p], bounds[p + 1]):
            counts[values[i]] += weights[i]
        for a in range(len(asked_rules)):
            safe[p] = safe[p] and rules[asked_rules[a]](
                persons[p], known[p], counts, shares, known_share, limits[a]
            )
        for i in range(bounds[p], bounds[p + 1]):
            counts[values[i]] = 0
