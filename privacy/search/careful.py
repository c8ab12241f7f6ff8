"""A slice's cuts held against everything that is asked, tuple by tuple: rules, whole persons, blocks. Compiled.

`keeps` and `enough` ask it of one cut, `best_by_all` finds the best cut that keeps it all.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from privacy.search.quick import steps

FEW = 64  # limits on distinct values up to which tuples are looked at only until that many are seen


@njit(cache=True, nogil=True)
def scratch_of(d, columns, values, unit_count, rows):
    """What one thread needs: the box of a slice, counts by sensitive value and column, marks for persons, places to swap,
    values that were seen. columns, values: sensitive columns, and their values together."""
    return (
        np.zeros((2, max(1, d)), np.int64),
        np.zeros(values, np.int64),
        np.zeros((3, values), np.int64),
        np.zeros((2, unit_count), np.int64),
        np.zeros(1, np.int64),
        np.zeros(columns, np.int64),
        np.zeros((2, columns), np.int64),
        np.empty(2 * (rows // 2 + 2), np.int32),
        np.empty(2 * FEW, np.int32),
    )


@njit(cache=True, nogil=True)
def _gather(order, sensitive, known, counted, starts, sparse_column, start, end, scratch):
    """Counts the values of a slice for the rules: fills `whole` and `whole_known`.

    Counts of a column stand from starts[column] on: of all its values in order, or where no rule asks for the order, of
    those that the slice has, in places given out here (`place`, from 1).
    """
    place, whole, present, whole_known = scratch[1], scratch[2][0], scratch[5], scratch[6][0]
    for column in range(len(sparse_column)):
        first = starts[column]
        whole_known[column] = 0
        present[column] = 0
        if not sparse_column[column]:
            present[column] = starts[column + 1] - first
            for v in range(present[column]):
                place[first + v] = v + 1
                whole[first + v] = 0
        for i in range(start, end):
            t = order[i]
            v = sensitive[t, column]
            if v < 0:
                continue
            if place[first + v] == 0:
                whole[first + present[column]] = 0
                present[column] += 1
                place[first + v] = present[column]
            whole[first + place[first + v] - 1] += counted[t, column]
            whole_known[column] += known[t, column]


@njit(cache=True, nogil=True)
def _forget(order, sensitive, starts, sparse_column, start, end, scratch):
    """Takes the places back that `_gather` gave out."""
    place = scratch[1]
    for column in range(len(sparse_column)):
        if sparse_column[column]:
            for i in range(start, end):
                v = sensitive[order[i], column]
                if v >= 0:
                    place[starts[column] + v] = 0


@njit(cache=True, nogil=True)
def _begin(starts, sparse_column, scratch):
    """Nothing is left of the threshold yet, all is right of it."""
    whole, left, right = scratch[2][0], scratch[2][1], scratch[2][2]
    for column in range(len(sparse_column)):
        for at in range(starts[column], starts[column] + scratch[5][column]):
            left[at] = 0
            right[at] = whole[at]
        scratch[6][1][column] = 0


@njit(cache=True, nogil=True)
def _move(t, sensitive, known, counted, starts, sparse_column, scratch):
    """One tuple goes from the right of the threshold to its left."""
    place, left, right, left_known = scratch[1], scratch[2][1], scratch[2][2], scratch[6][1]
    for column in range(len(sparse_column)):
        v = sensitive[t, column]
        if v >= 0:
            at = starts[column] + place[starts[column] + v] - 1
            left[at] += counted[t, column]
            right[at] -= counted[t, column]
            left_known[column] += known[t, column]


@njit(cache=True, nogil=True)
def _hold(
    persons,
    left_persons,
    shares,
    starts,
    known_shares,
    rules,
    asked_rules,
    asked_columns,
    asked_limits,
    scratch,
):
    """Whether both sides of the threshold keep all rules."""
    left, right, present = scratch[2][1], scratch[2][2], scratch[5]
    whole_known, left_known = scratch[6][0], scratch[6][1]
    for a in range(len(asked_rules)):
        column = asked_columns[a]
        first = starts[column]
        until = first + present[column]
        share = shares[first : starts[column + 1]]
        rule = rules[asked_rules[a]]
        if not rule(
            left_persons, left_known[column], left[first:until], share, known_shares[column], asked_limits[a]
        ):
            return False
        if not rule(
            persons - left_persons,
            whole_known[column] - left_known[column],
            right[first:until],
            share,
            known_shares[column],
            asked_limits[a],
        ):
            return False
    return True


@njit(cache=True, nogil=True)
def enough(codes, dimension, secret, asked_columns, asked_limits, start, end, code, seen):
    """Whether both sides of a cut have as many distinct values as asked, found with the first tuples that show it.

    The rule of distinct values where each tuple's rows are persons of their own: then it is enough to count values.
    """
    for a in range(len(asked_columns)):
        column = asked_columns[a]
        limit = np.int64(np.ceil(asked_limits[a]))
        left, right = 0, 0
        for i in range(start, end):
            v = secret[column, i]
            if v < 0:
                continue
            if codes[dimension, i] <= code:
                if left < limit:
                    left = _note(seen, 0, left, v)
            elif right < limit:
                right = _note(seen, FEW, right, v)
            if left >= limit and right >= limit:
                break
        if left < limit or right < limit:
            return False
    return True


@njit(cache=True, nogil=True)
def _note(seen, first, count, value):
    """Puts a value among the `count` that were seen; returns how many there are now."""
    for at in range(first, first + count):
        if seen[at] == value:
            return count
    seen[first + count] = value
    return count + 1


@njit(cache=True, nogil=True)
def keeps(
    codes, order, heads, sensitive, known, counted, shares, starts, known_shares, rules, asked_rules, asked_columns,
    asked_limits, sparse_column, start, end, dimension, code, scratch,
):  # fmt: skip
    """Whether both sides of a cut keep all rules."""
    _gather(order, sensitive, known, counted, starts, sparse_column, start, end, scratch)
    _begin(starts, sparse_column, scratch)
    persons, left_persons = 0, 0
    for i in range(start, end):
        t = order[i]
        persons += heads[t]
        if codes[dimension, i] <= code:
            left_persons += heads[t]
            _move(t, sensitive, known, counted, starts, sparse_column, scratch)
    held = _hold(
        persons, left_persons, shares, starts, known_shares, rules, asked_rules, asked_columns, asked_limits, scratch
    )  # fmt: skip
    _forget(order, sensitive, starts, sparse_column, start, end, scratch)
    return held


@njit(cache=True, nogil=True)
def best_by_all(
    codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts, known_shares,
    rules, asked_rules, asked_columns, asked_limits, sparse_column, k, start, end, scratch,
):  # fmt: skip
    """The cut with the largest gain among those that are safe in every way: its dimension (-1: none) and threshold."""
    box = scratch[0]
    persons, total = 0, 0
    for i in range(start, end):
        persons += heads[order[i]]
        total += weights[i]
    best, dimension, code = 1, -1, -1
    if persons < 2 * k:
        return dimension, code
    m = end - start
    keys = np.empty(m, np.int64)
    astride = np.zeros(m, np.int64)
    _gather(order, sensitive, known, counted, starts, sparse_column, start, end, scratch)
    for j in range(len(codes)):
        low, high = box[0, j], box[1, j]
        offset = offsets[j]
        whole = ends[offset + high] - places[offset + low]
        if low == high or steps(whole) < best:
            continue
        for i in range(m):
            keys[i] = codes[j, start + i]
        walk = np.argsort(keys)
        if len(units) > 0:
            _astride(order, units, start, walk, astride, scratch)
        _begin(starts, sparse_column, scratch)
        left, left_persons, open_persons = 0, 0, 0
        for step in range(m - 1):
            t = order[start + walk[step]]
            left += weights[start + walk[step]]
            left_persons += heads[t]
            open_persons += astride[step]
            _move(t, sensitive, known, counted, starts, sparse_column, scratch)
            here, there = keys[walk[step]], keys[walk[step + 1]]
            if here == there or open_persons > 0 or left_persons < k or persons - left_persons < k:
                continue
            left_span = ends[offset + here] - places[offset + low]
            right_span = ends[offset + high] - places[offset + there]
            gain = steps(whole - (left * left_span + (total - left) * right_span) / total)
            if gain > best and _hold(
                persons, left_persons, shares, starts, known_shares, rules, asked_rules, asked_columns, asked_limits, scratch
            ):  # fmt: skip
                best, dimension, code = gain, j, here
    _forget(order, sensitive, starts, sparse_column, start, end, scratch)
    return dimension, code


@njit(cache=True, nogil=True)
def _astride(order, units, start, walk, astride, scratch):
    """For each step of a walk through a slice: how many more persons have tuples before and after it than at the last."""
    stamp, final = scratch[3][0], scratch[3][1]
    scratch[4][0] += 1
    generation = scratch[4][0]
    for step in range(len(walk)):
        astride[step] = 0
    for step in range(len(walk)):
        u = units[order[start + walk[step]]]
        if stamp[u] != generation:
            stamp[u] = generation
            astride[step] += 1
        else:
            astride[final[u]] += 1  # its last tuple so far closed it; now it stays open until here
        final[u] = step
        astride[step] -= 1
