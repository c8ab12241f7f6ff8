"""A slice of few tuples cut to its end, with every dimension kept in order. Compiled.

To bring a dimension's codes into order at every cut costs more than the cut, once slices are small: half of the whole search
went into its last four cuts of twenty. So a small slice is put in order once for each dimension, and a cut deals every order out
to both sides without changing it. The cuts are the same as by `privacy.search.quick`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from privacy.search.careful import best_by_all, keeps
from privacy.search.quick import STEPS, steps

MOST = 128  # tuples of a slice that is small


@njit(cache=True, nogil=True)
def room_of_few(codes, secret):
    """What one thread needs for `cut_few`: each dimension's ranks in order, and whose they are; the code of each rank, where it
    begins and where it ends; weights and sensitive values by tuple; which side each goes to; what goes right; one slice side by
    side; slices to be cut; the order of the dimensions."""
    d = max(1, len(codes))
    return (
        np.empty((d, MOST), np.uint8),
        np.empty((d, MOST), np.uint8),
        np.empty((d, MOST), codes.dtype),
        np.empty((d, MOST), np.float64),
        np.empty((d, MOST), np.float64),
        np.empty(MOST, np.int64),
        np.empty((len(secret), MOST), np.int32),
        np.empty(MOST, np.uint8),
        np.empty(MOST, np.uint8),
        np.empty(MOST, np.uint8),
        np.empty((d, MOST), codes.dtype),
        np.empty(MOST, codes.dtype),
        np.empty(MOST, np.uint16),
        np.empty(MOST, np.int32),
        np.empty(MOST, np.int32),
        np.empty((MOST + 1, 2), np.int64),
        np.zeros(d, np.int64),
    )


@njit(cache=True, nogil=True)
def cut_few(
    codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts, known_shares,
    rules, asked_rules, asked_columns, asked_limits, sparse_column, secret, soon, k, start, end, scratch, room, last,
):  # fmt: skip
    """Cuts a slice of at most MOST tuples until no part can be cut; marks the last index of each part in `last`.

    units: empty, each tuple's rows are persons of their own. The tuples' codes and their `order` are put part by part, their
    weights and sensitive values stay where they are.
    """
    kept, whose, code_of, begin_of, end_of, weight, value, side, right, right_whose, near, codes_here, ranks, weight_here, order_here, stack, ranked = room  # fmt: skip
    d, m = len(codes), end - start
    for i in range(m):
        weight[i] = weights[start + i]
    for column in range(len(secret)):
        for i in range(m):
            value[column, i] = secret[column, start + i]
    for j in range(d):
        count = _put_in_order(codes, j, start, m, kept[j], whose[j], code_of[j], codes_here, ranks, side)
        for rank in range(count):
            begin_of[j, rank] = places[offsets[j] + code_of[j, rank]]
            end_of[j, rank] = ends[offsets[j] + code_of[j, rank]]
    stack[0, 0], stack[0, 1] = 0, m
    top = 1
    while top > 0:
        top -= 1
        first, until = stack[top, 0], stack[top, 1]
        dimension, middle = _best(kept, whose, weight, begin_of, end_of, k, first, until, ranked)
        if dimension >= 0 and len(asked_rules) > 0:
            if soon:
                held = _various(whose[dimension], value, asked_columns, asked_limits, first, middle) and _various(
                    whose[dimension], value, asked_columns, asked_limits, middle, until
                )  # fmt: skip
            else:
                _side_by_side(
                    codes, weights, order, start, whose[0], first, until, near, weight_here, order_here
                )
                held = keeps(
                    near, order_here, heads, sensitive, known, counted, shares, starts, known_shares, rules, asked_rules,
                    asked_columns, asked_limits, sparse_column, 0, until - first, dimension, code_of[dimension, kept[dimension, middle - 1]], scratch,
                )  # fmt: skip
            if not held:
                if soon:
                    _side_by_side(codes, weights, order, start, whose[0], first, until, near, weight_here, order_here)  # fmt: skip
                for j in range(d):
                    scratch[0][0, j] = code_of[j, kept[j, first]]
                    scratch[0][1, j] = code_of[j, kept[j, until - 1]]
                dimension, code = best_by_all(
                    near, weight_here, order_here, places, ends, offsets, heads, sensitive, known, counted, units, shares,
                    starts, known_shares, rules, asked_rules, asked_columns, asked_limits, sparse_column, k, 0,
                    until - first, scratch,
                )  # fmt: skip
                middle = first
                while dimension >= 0 and code_of[dimension, kept[dimension, middle]] <= code:
                    middle += 1
        if dimension < 0:
            last[start + until - 1] = True
            continue
        for i in range(first, until):
            side[whose[dimension, i]] = i < middle
        for j in range(d):
            if j != dimension:
                _deal(kept[j], whose[j], side, first, until, right, right_whose)
        stack[top, 0], stack[top, 1] = first, middle
        stack[top + 1, 0], stack[top + 1, 1] = middle, until
        top += 2
    for j in range(d):
        for i in range(m):
            codes_here[i] = codes[j, start + whose[0, i]]
        for i in range(m):
            codes[j, start + i] = codes_here[i]
    for i in range(m):
        order_here[i] = order[start + whose[0, i]]
    for i in range(m):
        order[start + i] = order_here[i]


@njit(cache=True, nogil=True, inline="always")
def _put_in_order(codes, j, start, m, kept, whose, code_of, near, ranks, met):
    """Fills `kept` with the ranks of a slice's codes in order, `whose` with the tuples they are of, and `code_of`; returns how
    many ranks there are. Each code's place is how many are less, counted for all at a time."""
    for i in range(m):
        near[i] = codes[j, start + i]
        ranks[i] = 0
        met[i] = 0
    for other in range(m):
        code = near[other]
        for i in range(m):
            ranks[i] += np.uint16(near[i] > code)
    for i in range(m):
        first = ranks[i]
        whose[first + met[first]] = i
        met[first] += 1
    rank = -1
    for i in range(m):
        code = near[whose[i]]
        if rank < 0 or code != code_of[rank]:
            rank += 1
            code_of[rank] = code
        kept[i] = rank
    return rank + 1


@njit(cache=True, nogil=True, inline="always")
def _best(kept, whose, weight, begin_of, end_of, k, first, until, ranked):
    """As `quick.best_by_k` of a slice in order: the dimension of the best cut (-1: none) and where its right side begins."""
    d = len(kept)
    total = 0
    for i in range(first, until):
        total += weight[whose[0, i]]
    best, dimension, middle = 1, -1, -1
    if total < 2 * k:
        return dimension, middle
    for j in range(d):  # insertion sort by span, widest first
        span = end_of[j, kept[j, until - 1]] - begin_of[j, kept[j, first]]
        at = j
        while at > 0:
            other = ranked[at - 1]
            if end_of[other, kept[other, until - 1]] - begin_of[other, kept[other, first]] >= span:
                break
            ranked[at] = other
            at -= 1
        ranked[at] = j
    for r in range(d):
        j = ranked[r]
        low, high = kept[j, first], kept[j, until - 1]
        begin, stop = begin_of[j, low], end_of[j, high]
        whole = stop - begin
        if steps(whole) < best:
            break  # ties are looked at: the first dimension wins them
        if low == high:
            continue
        most = (whole - (best - 1) / STEPS) * total
        left = 0
        for i in range(first, until - 1):
            left += weight[whose[j, i]]
            if left < k:
                continue
            if total - left < k:
                break
            here, there = kept[j, i], kept[j, i + 1]
            if here == there:
                continue
            lost = left * (end_of[j, here] - begin) + (total - left) * (stop - begin_of[j, there])
            if lost > most:
                continue
            gain = steps(whole - lost / total)
            if gain > best or (gain == best and dimension > j):
                best, dimension, middle = gain, j, i + 1
                most = (whole - (best - 1) / STEPS) * total
    return dimension, middle


@njit(cache=True, nogil=True, inline="always")
def _deal(kept, whose, side, first, until, right, right_whose):
    """Deals one dimension out to both sides, each in the order it had."""
    left, count = first, 0
    for i in range(first, until):
        rank, who = kept[i], whose[i]
        goes_left = side[who]
        kept[left], whose[left] = rank, who
        right[count], right_whose[count] = rank, who
        left += goes_left
        count += 1 - goes_left
    for i in range(count):
        kept[left + i], whose[left + i] = right[i], right_whose[i]


@njit(cache=True, nogil=True)
def _various(whose, value, asked_columns, asked_limits, first, until):
    """As `careful.enough`, of one side: whether it has as many distinct values as asked."""
    for a in range(len(asked_columns)):
        column = asked_columns[a]
        limit = np.int64(np.ceil(asked_limits[a]))
        count = 0
        for i in range(first, until):
            v = value[column, whose[i]]
            if v < 0:
                continue
            new = True
            for before in range(first, i):
                if value[column, whose[before]] == v:
                    new = False
                    break
            count += new
            if count >= limit:
                break
        if count < limit:
            return False
    return True


@njit(cache=True, nogil=True)
def _side_by_side(codes, weights, order, start, whose, first, until, near, weight_here, order_here):
    """Copies a slice's tuples next to each other, for what looks at them one by one."""
    for i in range(first, until):
        who = start + whose[i]
        for j in range(len(codes)):
            near[j, i - first] = codes[j, who]
        weight_here[i - first] = weights[who]
        order_here[i - first] = order[who]
