"""Rows put together by their part, by counting: compiled."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def members(part, count):
    """((n,) tuples part by part, those of part -1 last; (count + 2,) where each part begins)."""
    bounds = np.zeros(count + 2, np.int64)
    for p in part:
        bounds[(p if p >= 0 else count) + 1] += 1
    for p in range(count + 1):
        bounds[p + 1] += bounds[p]
    at = bounds[: count + 1].copy()
    order = np.empty(len(part), np.int32)
    for i in range(len(part)):
        p = part[i] if part[i] >= 0 else count
        order[at[p]] = i
        at[p] += 1
    return order, bounds


@njit(cache=True, nogil=True)
def alike(order, bounds, value, values):
    """(a row of each value in each part, how many rows have it). order, bounds: see `members`. value: (rows,) from 0 and
    below `values`."""
    rows, weights = np.empty(len(order), np.int32), np.empty(len(order), np.int32)
    place = np.full(values, -1, np.int64)  # where each value was last put
    count = 0
    for p in range(len(bounds) - 2):
        first = count
        for i in order[bounds[p] : bounds[p + 1]]:
            if place[value[i]] < first:
                place[value[i]] = count
                rows[count], weights[count] = i, 0
                count += 1
            weights[place[value[i]]] += 1
    return rows[:count].copy(), weights[:count].copy()
