# mypy: allow-untyped-defs, allow-untyped-calls
"""Boxes of leaves over the published groups: who lies in one, and which groups could hold a person. Compiled.

A box is a run of leaves in each dimension, ends included. Groups that stand together mostly lie together, for the
search numbers them by its cuts; so a block of groups has a box of its own, and what misses that misses them all.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from privacy.search.bits import lowest

_BLOCK = 64  # groups
_WORDS = 256  # of 64 groups each, in a set
_ONE, _ALL = np.uint64(1), np.uint64((1 << 64) - 1)


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
    """The boxes of blocks of groups, two (blocks, d) arrays, and those of blocks of blocks."""
    block_low, block_high = _blocks(low, high)
    top_low, top_high = _blocks(block_low, block_high)
    return block_low, block_high, top_low, top_high


@njit(cache=True, nogil=True)
def _blocks(low, high):
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
def persons_between(column, first, last, leaves, cardinality, rows, units):
    """How many persons lie between two leaves of one column, ends included, for each of m stretches: 0, 1, or 2 for more.

    first, last: (m,). rows, units: as `persons_in` has them.
    """
    # Of each leaf the persons with the lowest and the highest number: they are one where there is only one.
    lowest = np.full(cardinality, np.iinfo(np.int64).max, np.int64)
    highest = np.full(cardinality, -1, np.int64)
    many = np.zeros(cardinality, np.bool_)
    for i in range(len(leaves)):
        leaf = leaves[i, column]
        who = i if len(units) == 0 else np.int64(units[i])
        lowest[leaf] = min(lowest[leaf], who)
        highest[leaf] = max(highest[leaf], who)
        many[leaf] |= len(units) == 0 and rows[i] > 1
    found = np.zeros(len(first), np.int8)
    for p in range(len(first)):
        low, high, more = np.iinfo(np.int64).max, -1, False
        for leaf in range(first[p], last[p] + 1):
            low, high = min(low, lowest[leaf]), max(high, highest[leaf])
            more |= many[leaf]
        found[p] = 0 if high < 0 else 2 if more or low < high else 1
    return found


@njit(cache=True, nogil=True)
def persons_in(
    box_low, box_high, column, value, hint, leaves, sensitive, rows, units, order, bounds, low, high, block_low, block_high,
    top_low, top_high,
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
            _look(p, hint[p], box_low, box_high, column, value, leaves, sensitive, rows, units, order, bounds, state)  # fmt: skip
        if state[0] < 2:
            _look(p, groups, box_low, box_high, column, value, leaves, sensitive, rows, units, order, bounds, state)  # fmt: skip
        for t in range(len(top_low)):
            if state[0] >= 2:
                break
            if not _meet(box_low[p], box_high[p], top_low[t], top_high[t]):
                continue
            for b in range(t * _BLOCK, min(len(block_low), (t + 1) * _BLOCK)):
                if state[0] >= 2:
                    break
                if not _meet(box_low[p], box_high[p], block_low[b], block_high[b]):
                    continue
                for g in range(b * _BLOCK, min(groups, (b + 1) * _BLOCK)):
                    if g != hint[p] and _meet(box_low[p], box_high[p], low[g], high[g]):
                        _look(p, g, box_low, box_high, column, value, leaves, sensitive, rows, units, order, bounds, state)  # fmt: skip
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
        j = 0
        while inside and j < d:
            inside = box_low[p, j] <= leaves[i, j] <= box_high[p, j]
            j += 1
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
def could_be(one, other, half, low, high, sizes):
    """The persons of the groups whose labels fit each of m targets: (m, 3), by one half of the columns, by the other half,
    and by both. one, other: (m, d) the leaves from which each half is known. half: (m, d) whether a column is in the first.

    For each leaf that is known of somebody the groups that hold it are a set of bits, and what fits a target is their
    intersection; so many groups at a time that the sets stay small.
    """
    m, d = one.shape
    fitting = np.zeros((m, 3), np.int64)
    if m == 0 or len(low) == 0:
        return fitting
    leaves = max(one.max(), other.max(), high.max()) + 1
    # The number of each leaf's set; of a leaf that nobody has, of the next one's.
    place = np.zeros((d, leaves + 1), np.int64)
    sets = 0
    for j in range(d):
        for p in range(m):
            place[j, one[p, j]] = place[j, other[p, j]] = 1
        for leaf in range(leaves):
            sets, place[j, leaf] = sets + place[j, leaf], sets
        place[j, leaves] = sets  # after the column's last one
        sets += 1
    members = np.zeros((sets, _WORDS), np.uint64)
    first, second = np.empty(_WORDS, np.uint64), np.empty(_WORDS, np.uint64)
    for begin in range(0, len(low), 64 * _WORDS):
        count = min(len(low) - begin, 64 * _WORDS)
        members[:] = 0
        for j in range(
            d
        ):  # a group is in the sets of a run of leaves: marked where it begins and ends, then summed up
            for at in range(count):
                bit = _ONE << np.uint64(at & 63)
                members[place[j, low[begin + at, j]], at >> 6] ^= bit
                members[place[j, high[begin + at, j] + 1], at >> 6] ^= bit
            for number in range(place[j, 0] + 1, place[j, leaves]):
                members[number] ^= members[number - 1]
        for p in range(m):
            first[:] = _ALL
            second[:] = _ALL
            if count < 64 * _WORDS:
                first[count >> 6 :] = 0
                first[count >> 6] = (_ONE << np.uint64(count & 63)) - _ONE
                second[:] = first
            for j in range(d):
                if half[p, j]:
                    first &= members[place[j, one[p, j]]]
                else:
                    second &= members[place[j, other[p, j]]]
            for w in range(_WORDS):
                both = first[w] & second[w]
                fitting[p, 0] += _persons(first[w], begin + 64 * w, sizes)
                fitting[p, 1] += _persons(second[w], begin + 64 * w, sizes)
                fitting[p, 2] += _persons(both, begin + 64 * w, sizes)
    return fitting


@njit(cache=True, nogil=True)
def _persons(word, begin, sizes):
    """The persons of the groups of a set, of which `begin` is the first that could be in it."""
    persons = 0
    while word:
        persons += sizes[begin + lowest(word)]
        word &= word - _ONE
    return persons


@njit(cache=True, nogil=True)
def group_of(leaf, low, high, sizes, block_low, block_high, top_low, top_high):
    """The group whose labels fit each of m targets in all columns, (m,), the largest where several do, -1 where none does."""
    best = np.full(len(leaf), -1, np.int64)
    for p in range(len(leaf)):
        for t in range(len(top_low)):
            if not _meet(leaf[p], leaf[p], top_low[t], top_high[t]):
                continue
            for b in range(t * _BLOCK, min(len(block_low), (t + 1) * _BLOCK)):
                if not _meet(leaf[p], leaf[p], block_low[b], block_high[b]):
                    continue
                for g in range(b * _BLOCK, min(len(low), (b + 1) * _BLOCK)):
                    if _meet(leaf[p], leaf[p], low[g], high[g]) and (
                        best[p] < 0 or sizes[g] > sizes[best[p]]
                    ):
                        best[p] = g
    return best
