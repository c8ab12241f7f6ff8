"""Multidimensional search (strict Mondrian) over distinct tuples, in place, by the best gain among all safe cuts.

A cut is a threshold on one dimension, so classes never overlap. It is safe when both sides keep at least k persons, no
person has tuples on both sides (rows that a recipient can link by a pseudonym must not stand in two classes), no block
of persons whom an earlier release shows as one is separated, and both
sides keep every rule that the contract asks (`privacy.models`). Of all safe cuts the one with the largest gain is made;
gain is the fall in normalised certainty penalty that it brings. Which cut wins depends on the tuples as a set, never on
their order: ties (to 2**-40) go to the first dimension, there to the lowest threshold.

Two ways to the same cut: `_quick` looks at k alone and finds the best threshold of each dimension from sums; when its
winner keeps the rules too, that's the cut. Else, and where persons have several tuples, `_careful` walks through each
dimension tuple by tuple and asks the rules at each threshold that would win.

Source: LeFevre, DeWitt, Ramakrishnan 2006 (Mondrian); NCP, Xu et al. 2006.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from privacy.models.rules import DISTINCT, RULES, SPARSE, Asked
from privacy.search.tuples import Codes, Tuples

_THREADS = 2
_STEPS = (
    2.0**40
)  # gains are compared in whole steps: sums of floats may be a rounding apart where the gains are equal
_HISTOGRAM = 16  # sum by histogram while the codes span at most so many times the tuples, else sort
_FEW = 64  # limits on distinct values up to which tuples are looked at only until that many are seen
_INSERTION = 16  # sort by insertion up to so many


@dataclass(frozen=True)
class Parts:
    """A partition of n tuples into parts that can't be cut any further.

    part: (n,) number of each tuple's part. low, high: (parts, d) lowest and highest code of each part. A part's number
    follows from the cuts, never from the order of the tuples.
    """

    part: npt.NDArray[np.int32]
    low: Codes
    high: Codes


def partition(
    tuples: Tuples, *, k: int, asked: Sequence[Asked] = (), within: npt.NDArray[np.int32] | None = None
) -> Parts:
    """The finest parts that cuts can make of the tuples.

    within: an earlier partition (n,) that the new one refines (each of its parts should keep the limits itself). A part
    that can't be cut is left as it is: when all tuples together break a limit there is one part, and it breaks it.
    """
    n, d = tuples.codes.shape
    if n == 0:
        return Parts(np.empty(0, np.int32), np.empty((0, d), np.int32), np.empty((0, d), np.int32))
    if within is None:
        order = np.arange(n, dtype=np.int32)
        bounds = np.array([0, n], np.int64)
    else:
        order = np.argsort(within, kind="stable").astype(np.int32)
        bounds = np.append(np.flatnonzero(np.diff(within[order], prepend=-1)), n).astype(np.int64)
    cardinality = max((len(places) for places in tuples.positions), default=0)
    small = np.uint16 if cardinality <= np.iinfo(np.uint16).max else np.int32
    codes = np.empty((d, n), small)  # a dimension's codes lie side by side
    for j in range(d):
        codes[j] = tuples.codes[:, j] if within is None else tuples.codes[order, j]
    weights = np.ascontiguousarray(tuples.weights[order], dtype=np.int32)
    last = np.zeros(n, np.bool_)
    state = _State.of(tuples, codes, weights, order, k=k, asked=asked, cardinality=cardinality)
    slices = _grow(state, list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)), last)
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda piece: _subtree(*state.arguments, piece[0], piece[1], last), slices))
    stops = np.flatnonzero(last) + 1
    low, high = _corners(codes, stops)
    part = np.empty(n, np.int32)
    _number(order, stops, part)
    return Parts(part, low, high)


@dataclass(frozen=True)
class _State:
    """What the kernel works on. `arguments` in the order of its parameters."""

    arguments: tuple[Any, ...]

    @classmethod
    def of(
        cls,
        tuples: Tuples,
        codes: npt.NDArray[Any],
        weights: npt.NDArray[np.int32],
        order: npt.NDArray[np.int32],
        *,
        k: int,
        asked: Sequence[Asked],
        cardinality: int,
    ) -> _State:
        d, columns = len(codes), tuples.sensitive.shape[1]
        offsets = np.zeros(d + 1, np.int64)
        offsets[1:] = np.cumsum([len(places) for places in tuples.positions])
        places = np.concatenate(tuples.positions) if d else np.empty(0, np.float64)
        ends = places if tuples.ends is None else np.concatenate(tuples.ends) if d else places
        shares = [tuples.everyone(column) for column in range(columns)]
        starts = np.zeros(columns + 1, np.int64)
        starts[1:] = np.cumsum([len(each[0]) for each in shares])
        secret = np.empty((columns, len(order)), np.int32)  # moves along with the codes
        for column in range(columns):
            secret[column] = tuples.sensitive[order, column]
        return cls(
            (
                codes,
                weights,
                order,
                np.ascontiguousarray(places, np.float64),
                np.ascontiguousarray(ends, np.float64),
                offsets,
                tuples.heads,
                np.ascontiguousarray(tuples.sensitive, np.int32),
                tuples.known,
                tuples.counted,
                tuples.together if tuples.together is not None else np.empty(0, np.int32),
                np.concatenate([each[0] for each in shares]) if shares else np.empty(0, np.float64),
                starts,
                np.array([each[1] for each in shares], np.float64),
                RULES,
                np.array([each.rule for each in asked], np.int64),
                np.array([each.column for each in asked], np.int64),
                np.array([each.limit for each in asked], np.float64),
                np.array(
                    [all(a.rule in SPARSE for a in asked if a.column == c) for c in range(columns)], np.bool_
                ),
                secret,
                bool(asked)
                and tuples.together is None
                and all(each.rule == DISTINCT and each.limit <= _FEW for each in asked),
                k,
                cardinality,
                int(tuples.together.max(initial=-1)) + 1 if tuples.together is not None else 0,
            )
        )


def _grow(state: _State, slices: list[tuple[int, int]], last: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Cuts the largest slices until there are enough for the threads to share; returns what is left to cut."""
    open_slices = sorted(slices, key=lambda piece: piece[0] - piece[1])
    while open_slices and len(open_slices) < 8 * _THREADS:
        start, end = open_slices.pop(0)
        cut = _cut_once(*state.arguments, start, end)
        if cut < 0:
            last[end - 1] = True
        else:
            open_slices += [(start, cut), (cut, end)]
            open_slices.sort(key=lambda piece: piece[0] - piece[1])
    return open_slices


@njit(cache=True, nogil=True)
def _corners(codes, stops):
    """Lowest and highest code of each part in each dimension, two (parts, d) arrays; `stops`: where parts end."""
    d = len(codes)
    low = np.empty((len(stops), d), np.int32)
    high = np.empty((len(stops), d), np.int32)
    for j in range(d):
        start = 0
        for p in range(len(stops)):
            low[p, j], high[p, j] = _ends(codes[j], start, stops[p])
            start = stops[p]
    return low, high


@njit(cache=True, nogil=True)
def _ends(codes, start, end):
    """The lowest and the highest code of one dimension in a slice."""
    low, high = codes[start], codes[start]
    for i in range(start + 1, end):
        c = codes[i]
        if c < low:
            low = c
        if c > high:
            high = c
    return low, high


@njit(cache=True, nogil=True)
def _number(order, stops, part):
    """Writes the number of each tuple's part."""
    start = 0
    for p in range(len(stops)):
        for i in range(start, stops[p]):
            part[order[i]] = p
        start = stops[p]


@njit(cache=True, nogil=True)
def _scratch(cardinality, d, sensitive, shares, unit_count, rows):
    """What one thread needs besides: sums by code, keys to sort, spans, and marks for values and persons."""
    room = cardinality + _INSERTION + 1
    return (
        np.zeros(room, np.int64),
        np.zeros(room, np.uint64),
        np.zeros((3, max(1, d)), np.int64),
        np.zeros(len(shares), np.int64),
        np.zeros((3, len(shares)), np.int64),
        np.zeros((2, unit_count), np.int64),
        np.zeros(1, np.int64),
        np.zeros(sensitive.shape[1], np.int64),
        np.zeros((2, sensitive.shape[1]), np.int64),
        np.empty(rows + 1, np.int32),
        np.empty(2 * _FEW, np.int32),
    )


@njit(cache=True, nogil=True)
def _cut_once(
    codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts, known_shares,
    rules, asked_rules, asked_columns, asked_limits, sparse_column, secret, soon, k, cardinality, unit_count, start, end,
):  # fmt: skip
    """Cuts one slice; returns where the right part starts, or -1 when no cut is safe."""
    scratch = _scratch(cardinality, len(codes), sensitive, shares, unit_count, end - start)
    return _split(codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts,
                  known_shares, rules, asked_rules, asked_columns, asked_limits, sparse_column, secret, soon, k, start, end, scratch)  # fmt: skip


@njit(cache=True, nogil=True)
def _subtree(
    codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts, known_shares,
    rules, asked_rules, asked_columns, asked_limits, sparse_column, secret, soon, k, cardinality, unit_count, start, end, last,
):  # fmt: skip
    """Cuts one slice until no part can be cut; marks the last index of each part in `last`."""
    scratch = _scratch(cardinality, len(codes), sensitive, shares, unit_count, end - start)
    stack = [(start, end)]
    while len(stack) > 0:
        low, high = stack.pop()
        cut = _split(codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts,
                     known_shares, rules, asked_rules, asked_columns, asked_limits, sparse_column, secret, soon, k, low, high, scratch)  # fmt: skip
        if cut < 0:
            last[high - 1] = True
        else:
            stack.append((low, cut))
            stack.append((cut, high))


@njit(cache=True, nogil=True)
def _split(
    codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts, known_shares,
    rules, asked_rules, asked_columns, asked_limits, sparse_column, secret, soon, k, start, end, scratch,
):  # fmt: skip
    """The best safe cut of a slice, done in place; returns where the right part starts, or -1."""
    by_unit = len(units) > 0
    if not by_unit:
        total = 0
        for i in range(start, end):
            total += weights[i]
        if total < 2 * k:
            return -1
    _span(codes, start, end, scratch[2])
    dimension, code = -1, -1
    careful = by_unit
    if not by_unit:
        dimension, code = _quick(codes, weights, places, ends, offsets, total, k, start, end, scratch)
        if dimension < 0:
            return -1
        careful = len(asked_rules) > 0
        if soon:
            careful = not _enough(
                codes[dimension], secret, asked_columns, asked_limits, start, end, code, scratch[10]
            )
        elif careful:
            careful = not _keeps(
            codes, order, heads, sensitive, known, counted, shares, starts, known_shares, rules, asked_rules,
            asked_columns, asked_limits, sparse_column, start, end, dimension, code, scratch,
        )  # fmt: skip
    if careful:
        dimension, code = _careful(
            codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts,
            known_shares, rules, asked_rules, asked_columns, asked_limits, sparse_column, k, start, end, scratch,
        )  # fmt: skip
        if dimension < 0:
            return -1
    return _part(codes, weights, order, secret, start, end, dimension, code, scratch[9])


@njit(cache=True, nogil=True)
def _span(codes, start, end, box):
    """Fills box[0] and box[1] with the lowest and highest code of each dimension in the slice."""
    for j in range(len(codes)):
        box[0, j], box[1, j] = _ends(codes[j], start, end)


@njit(cache=True, nogil=True)
def _part(codes, weights, order, secret, start, end, dimension, code, swaps):
    """Moves tuples with at most `code` to the front of the slice; returns where the others start.

    What changes places is found in the one dimension, then done in all.
    """
    a, b = start, end - 1
    count = 0
    row = codes[dimension]
    while True:
        while a <= b and row[a] <= code:
            a += 1
        while a <= b and row[b] > code:
            b -= 1
        if a >= b:
            break
        swaps[count] = a
        swaps[count + 1] = b
        count += 2
        a += 1
        b -= 1
    for j in range(len(codes)):
        row = codes[j]
        for s in range(0, count, 2):
            row[swaps[s]], row[swaps[s + 1]] = row[swaps[s + 1]], row[swaps[s]]
    for j in range(len(secret)):
        row = secret[j]
        for s in range(0, count, 2):
            row[swaps[s]], row[swaps[s + 1]] = row[swaps[s + 1]], row[swaps[s]]
    for s in range(0, count, 2):
        left, right = swaps[s], swaps[s + 1]
        weights[left], weights[right] = weights[right], weights[left]
        order[left], order[right] = order[right], order[left]
    return a


@njit(cache=True, nogil=True)
def _steps(gain):
    """A gain in whole steps."""
    return np.int64(np.rint(gain * _STEPS))


@njit(cache=True, nogil=True)
def _quick(codes, weights, places, ends, offsets, total, k, start, end, scratch):
    """The cut with the largest gain among those that leave k on both sides: its dimension (-1: none) and threshold.

    A cut's gain is at most the dimension's whole span, so dimensions are looked at from wide to narrow, and those that
    can't win any more aren't.
    """
    sums, keys, box = scratch[0], scratch[1], scratch[2]
    d = len(codes)
    m = end - start
    ranked = box[2]
    for j in range(d):  # insertion sort by span, widest first
        span = ends[offsets[j] + box[1, j]] - places[offsets[j] + box[0, j]]
        at = j
        while at > 0:
            other = ranked[at - 1]
            if ends[offsets[other] + box[1, other]] - places[offsets[other] + box[0, other]] >= span:
                break
            ranked[at] = other
            at -= 1
        ranked[at] = j
    best, dimension, code = 1, -1, -1
    for r in range(d):
        j = ranked[r]
        low, high = box[0, j], box[1, j]
        offset = offsets[j]
        whole = ends[offset + high] - places[offset + low]
        if _steps(whole) < best:
            break  # ties are looked at: the first dimension wins them
        if low == high:
            continue
        span = high - low + 1
        if span <= _HISTOGRAM * m:
            for c in range(span):
                sums[c] = 0
            row = codes[j]
            for i in range(start, end):
                sums[np.int64(row[i]) - low] += weights[i]
            left = 0
            previous = -1
            for c in range(span):
                if sums[c] == 0:
                    continue
                if previous >= 0 and left >= k:
                    if total - left < k:
                        break
                    left_span = ends[offset + low + previous] - places[offset + low]
                    right_span = ends[offset + high] - places[offset + low + c]
                    gain = _steps(whole - (left * left_span + (total - left) * right_span) / total)
                    if gain > best or (gain == best and dimension > j):
                        best, dimension, code = gain, j, low + previous
                left += sums[c]
                previous = c
        else:
            for i in range(m):
                keys[i] = (np.uint64(codes[j, start + i]) << np.uint64(32)) | np.uint64(weights[start + i])
            _sort(keys, m)
            left = 0
            earlier = np.int64(-1)
            for i in range(m):
                later = np.int64(keys[i] >> np.uint64(32))
                if earlier >= 0 and later != earlier and left >= k:
                    if total - left < k:
                        break
                    left_span = ends[offset + earlier] - places[offset + low]
                    right_span = ends[offset + high] - places[offset + later]
                    gain = _steps(whole - (left * left_span + (total - left) * right_span) / total)
                    if gain > best or (gain == best and dimension > j):
                        best, dimension, code = gain, j, int(earlier)
                left += int(keys[i] & np.uint64(0xFFFFFFFF))
                earlier = later
    return dimension, code


@njit(cache=True, nogil=True)
def _sort(keys, m):
    """Sorts the first m keys in place."""
    if m > _INSERTION:
        keys[:m].sort()
        return
    for i in range(1, m):
        key = keys[i]
        at = i
        while at > 0 and keys[at - 1] > key:
            keys[at] = keys[at - 1]
            at -= 1
        keys[at] = key


@njit(cache=True, nogil=True)
def _gather(order, sensitive, known, counted, starts, sparse_column, start, end, scratch):
    """Counts the values of a slice for the rules: fills `whole` and `whole_known`.

    Counts of a column stand from starts[column] on: of all its values in order, or where no rule asks for the order, of
    those that the slice has, in places given out here (`place`, from 1).
    """
    place, whole, present, whole_known = scratch[3], scratch[4][0], scratch[7], scratch[8][0]
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
    place = scratch[3]
    for column in range(len(sparse_column)):
        if sparse_column[column]:
            for i in range(start, end):
                v = sensitive[order[i], column]
                if v >= 0:
                    place[starts[column] + v] = 0


@njit(cache=True, nogil=True)
def _begin(starts, sparse_column, scratch):
    """Nothing is left of the threshold yet, all is right of it."""
    whole, left, right = scratch[4][0], scratch[4][1], scratch[4][2]
    for column in range(len(sparse_column)):
        for at in range(starts[column], starts[column] + scratch[7][column]):
            left[at] = 0
            right[at] = whole[at]
        scratch[8][1][column] = 0


@njit(cache=True, nogil=True)
def _move(t, sensitive, known, counted, starts, sparse_column, scratch):
    """One tuple goes from the right of the threshold to its left."""
    place, left, right, left_known = scratch[3], scratch[4][1], scratch[4][2], scratch[8][1]
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
    left, right, present = scratch[4][1], scratch[4][2], scratch[7]
    whole_known, left_known = scratch[8][0], scratch[8][1]
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
def _enough(row, secret, asked_columns, asked_limits, start, end, code, seen):
    """Whether both sides of a cut have as many distinct values as asked, found with the first tuples that show it.

    The rule of distinct values where each tuple's rows are persons of their own: then it is enough to count values.
    """
    for a in range(len(asked_columns)):
        values = secret[asked_columns[a]]
        limit = np.int64(np.ceil(asked_limits[a]))
        left, right = 0, 0
        for i in range(start, end):
            v = values[i]
            if v < 0:
                continue
            if row[i] <= code:
                if left < limit:
                    left = _note(seen, 0, left, v)
            elif right < limit:
                right = _note(seen, _FEW, right, v)
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
def _keeps(
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
def _careful(
    codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts, known_shares,
    rules, asked_rules, asked_columns, asked_limits, sparse_column, k, start, end, scratch,
):  # fmt: skip
    """The cut with the largest gain among those that are safe in every way: its dimension (-1: none) and threshold."""
    box = scratch[2]
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
        if low == high or _steps(whole) < best:
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
            gain = _steps(whole - (left * left_span + (total - left) * right_span) / total)
            if gain > best and _hold(
                persons, left_persons, shares, starts, known_shares, rules, asked_rules, asked_columns, asked_limits, scratch
            ):  # fmt: skip
                best, dimension, code = gain, j, here
    _forget(order, sensitive, starts, sparse_column, start, end, scratch)
    return dimension, code


@njit(cache=True, nogil=True)
def _astride(order, units, start, walk, astride, scratch):
    """For each step of a walk through a slice: how many more persons have tuples before and after it than at the last."""
    stamp, final = scratch[5][0], scratch[5][1]
    scratch[6][0] += 1
    generation = scratch[6][0]
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
