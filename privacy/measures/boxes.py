# mypy: allow-untyped-defs, allow-untyped-calls
"""Boxes of leaves over the published groups: who lies in one, and which groups could hold a person. Compiled.

A box is a run of leaves in each dimension, ends included. Groups that stand together mostly lie together, for the
search numbers them by its cuts; so a block of groups has a box of its own, and what misses that misses them all.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_BLOCK = 64  # groups


@njit(cache=True, nogil=True)
def corners(codes, part, count):
    """Lowest and highest code of each part in each dimension, two (count, d) arrays; tuples of part -1 don't count."""
    d = codes.shape[1]
    low = np.full((count, d), np.iinfo(np.int32).max, np.int32)
    high = np.full((count, d), -1, np.int32)
    for i in range(len(part)):
        p = part[i]
        if p < 0:
            continue
        for j in range(d):
            c = np.int32(codes[i, j])
            if c < low[p, j]:
                low[p, j] = c
            if c > high[p, j]:
                high[p, j] = c
    return low, high


@njit(cache=True, nogil=True)
def outermost(low, high, label, count):
    """The lowest low and the highest high among the classes of each label, two (count,) arrays."""
    lowest = np.full(count, np.iinfo(np.int32).max, np.int32)
    highest = np.full(count, -1, np.int32)
    for c in range(len(label)):
        lowest[label[c]] = min(lowest[label[c]], low[c])
        highest[label[c]] = max(highest[label[c]], high[c])
    return lowest, highest


@njit(cache=True, nogil=True)
def blocks(low, high):
    """The boxes of blocks of groups, two (blocks, d) arrays."""
    count, d = low.shape
    many = (count + _BLOCK - 1) // _BLOCK
    lowest = np.full((many, d), np.iinfo(np.int32).max, np.int32)
    highest = np.full((many, d), -1, np.int32)
    for g in range(count):
        b = g // _BLOCK
        for j in range(d):
            lowest[b, j] = min(lowest[b, j], low[g, j])
            highest[b, j] = max(highest[b, j], high[g, j])
    return lowest, highest


@njit(cache=True, nogil=True)
def members(group, count):
    """((n,) tuples group by group, those of group -1 last; (count + 2,) where each group begins)."""
    bounds = np.zeros(count + 2, np.int64)
    for g in group:
        bounds[(g if g >= 0 else count) + 1] += 1
    for g in range(count + 1):
        bounds[g + 1] += bounds[g]
    at = bounds[: count + 1].copy()
    order = np.empty(len(group), np.int32)
    for i in range(len(group)):
        g = group[i] if group[i] >= 0 else count
        order[at[g]] = i
        at[g] += 1
    return order, bounds


@njit(cache=True, nogil=True)
def persons_in(
    box_low, box_high, column, value, hint, leaves, sensitive, rows, units, order, bounds, low, high, block_low, block_high,
):  # fmt: skip
    """How many persons lie in each of m boxes: 0, 1, or 2 for more. Two are enough, so it stops there.

    box_low, box_high: (m, d). column, value: (m,) a sensitive column (-1: none) and the value that it must have too. hint:
    (m,) a group to look into first, -1 for none. units: (n,) or empty, when each row is a person. The rest: the original,
    its groups and their boxes.
    """
    found = np.zeros(len(box_low), np.int8)
    groups = len(low)
    for p in range(len(box_low)):
        state = np.zeros(2, np.int64)  # persons so far, and who the first was
        if hint[p] >= 0:
            _look(
                p,
                hint[p],
                box_low,
                box_high,
                column,
                value,
                leaves,
                sensitive,
                rows,
                units,
                order,
                bounds,
                state,
            )
        if state[0] < 2:
            _look(
                p,
                groups,
                box_low,
                box_high,
                column,
                value,
                leaves,
                sensitive,
                rows,
                units,
                order,
                bounds,
                state,
            )
        for b in range(len(block_low)):
            if state[0] >= 2:
                break
            if not _meet(box_low[p], box_high[p], block_low[b], block_high[b]):
                continue
            for g in range(b * _BLOCK, min(groups, (b + 1) * _BLOCK)):
                if g != hint[p] and _meet(box_low[p], box_high[p], low[g], high[g]):
                    _look(
                        p,
                        g,
                        box_low,
                        box_high,
                        column,
                        value,
                        leaves,
                        sensitive,
                        rows,
                        units,
                        order,
                        bounds,
                        state,
                    )
                    if state[0] >= 2:
                        break
        found[p] = min(2, state[0])
    return found


@njit(cache=True, nogil=True)
def _meet(one_low, one_high, other_low, other_high):
    for j in range(len(one_low)):  # noqa: SIM110 (compiled: a generator would be slower)
        if one_low[j] > other_high[j] or one_high[j] < other_low[j]:
            return False
    return True


@njit(cache=True, nogil=True)
def _look(p, g, box_low, box_high, column, value, leaves, sensitive, rows, units, order, bounds, state):
    """Counts the persons of one group who lie in a box, until there are two."""
    d = box_low.shape[1]
    for at in range(bounds[g], bounds[g + 1]):
        i = order[at]
        inside = column[p] < 0 or sensitive[i, column[p]] == value[p]
        for j in range(d):
            inside = inside and box_low[p, j] <= leaves[i, j] <= box_high[p, j]
        if not inside:
            continue
        if len(units) == 0:
            state[0] += rows[i]
        elif state[0] == 0:
            state[0], state[1] = 1, units[i]
        elif units[i] != state[1]:
            state[0] = 2
        if state[0] >= 2:
            return


@njit(cache=True, nogil=True)
def could_be(one, other, half, low, high, sizes, block_low, block_high):
    """The persons of the groups whose labels fit each of m targets: (m, 3), by one half of the columns, by the other half,
    and by both. one, other: (m, d) the leaves from which each half is known. half: (m, d) whether a column is in the first."""
    fitting = np.zeros((len(one), 3), np.int64)
    groups = len(low)
    for p in range(len(one)):
        for b in range(len(block_low)):
            first = _fits(one[p], half[p], True, block_low[b], block_high[b])
            second = _fits(other[p], half[p], False, block_low[b], block_high[b])
            if not first and not second:
                continue
            for g in range(b * _BLOCK, min(groups, (b + 1) * _BLOCK)):
                by_one = first and _fits(one[p], half[p], True, low[g], high[g])
                by_other = second and _fits(other[p], half[p], False, low[g], high[g])
                if by_one:
                    fitting[p, 0] += sizes[g]
                if by_other:
                    fitting[p, 1] += sizes[g]
                if by_one and by_other:
                    fitting[p, 2] += sizes[g]
    return fitting


@njit(cache=True, nogil=True)
def _fits(leaf, half, which, low, high):
    for j in range(len(leaf)):  # noqa: SIM110 (as above)
        if half[j] == which and (leaf[j] < low[j] or leaf[j] > high[j]):
            return False
    return True


@njit(cache=True, nogil=True)
def group_of(leaf, low, high, sizes, block_low, block_high):
    """The group whose labels fit each of m targets in all columns, (m,), the largest where several do, -1 where none does."""
    best = np.full(len(leaf), -1, np.int64)
    for p in range(len(leaf)):
        for b in range(len(block_low)):
            if not _meet(leaf[p], leaf[p], block_low[b], block_high[b]):
                continue
            for g in range(b * _BLOCK, min(len(low), (b + 1) * _BLOCK)):
                if _meet(leaf[p], leaf[p], low[g], high[g]) and (best[p] < 0 or sizes[g] > sizes[best[p]]):
                    best[p] = g
    return best
