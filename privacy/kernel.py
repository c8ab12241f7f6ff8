"""Multidimensional partitioning (strict Mondrian) of distinct tuples, in place, by the best gain among all safe cuts.

The kernel knows nothing of tables: it sees codes, weights and three kinds of limits.

- every part keeps a weight of at least k (weight = persons, when each person has one row), or
- every part keeps at least k distinct persons and no cut separates the rows of one person (when persons have several
  rows: rows that a recipient can link by a pseudonym must not stand in two classes), and
- every part keeps at least l distinct values of each sensitive column; a missing value (code -1) is no value. Where
  persons have several rows, a value that all share is known of everyone, whatever else some of them have: at least
  l - 1 persons must be without it (with one row a person that follows from the l values).

A cut is a threshold on one dimension, so parts never overlap. Which cut wins depends on the tuples as a set, never on
their order: ties go to the first dimension and the lowest threshold.

Source: LeFevre, DeWitt, Ramakrishnan 2006 (Mondrian); gain is the fall in normalised certainty penalty (NCP, Xu et al.
2006) that the cut brings.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

_THREADS = 2
_HISTOGRAM_FACTOR = (
    8  # count by histogram while the code range is at most this many times the rows, else sort
)


@dataclass(frozen=True, kw_only=True)
class Tuples:
    """What is to be partitioned: n distinct tuples over d dimensions.

    codes: (n, d) codes from 0, in the dimension's order. positions: for each dimension, the place of each code on a
    scale from 0 to 1. weights: (n,) persons behind each tuple. sensitive: (n, s) codes, -1 where missing.
    units: (n,) person codes when persons may own several tuples, else None.
    """

    codes: Codes
    positions: tuple[Floats, ...]
    weights: Ints
    sensitive: Codes
    units: Codes | None = None


def partition(
    tuples: Tuples, *, k: int, l_distinct: int, within: npt.NDArray[np.int32] | None = None
) -> npt.NDArray[np.int32]:
    """The part of each tuple, (n,) from 0, numbered by the tuples' own order (lowest codes first).

    within: an earlier partition that the new one refines (every old part must keep the limits itself). Parts that can't
    be cut any more are left as they are: when all tuples together break a limit there is one part, and it breaks it.
    """
    n, d = tuples.codes.shape
    if n == 0:
        return np.empty(0, np.int32)
    if within is None:
        order = np.arange(n, dtype=np.int64)
        bounds = np.array([0, n], np.int64)
    else:
        order = np.argsort(within, kind="stable").astype(np.int64)
        bounds = np.append(np.flatnonzero(np.diff(within[order], prepend=-1)), n).astype(np.int64)
    offsets = np.zeros(d + 1, np.int64)
    offsets[1:] = np.cumsum([len(places) for places in tuples.positions])
    places = np.concatenate(tuples.positions) if d else np.empty(0, np.float64)
    distinct = tuples.sensitive
    if tuples.units is not None:
        distinct = np.concatenate([tuples.sensitive, tuples.units[:, None]], axis=1)
    cardinality = int(distinct.max(initial=-1)) + 1
    counted = _once_a_person(tuples)
    state = (
        np.ascontiguousarray(tuples.codes),
        np.ascontiguousarray(tuples.weights, dtype=np.int64),
        np.ascontiguousarray(distinct, dtype=np.int32),
        counted,
        places,
        offsets,
    )
    limits = (k, l_distinct, tuples.units is not None, cardinality)
    ends = np.zeros(n, np.bool_)
    slices = _grow(
        state, limits, order, list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)), ends
    )
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda part: _subtree(*state, order, part[0], part[1], *limits, ends), slices))
    part = np.empty(n, np.int32)
    part[order] = np.concatenate(([0], np.cumsum(ends[:-1]))).astype(np.int32)
    return _renumbered(tuples.codes, part)


State = tuple[Codes, Ints, Codes, npt.NDArray[np.bool_], Floats, Ints]
Limits = tuple[int, int, bool, int]


def _once_a_person(tuples: Tuples) -> npt.NDArray[np.bool_]:
    """Marks one tuple of each person and sensitive value, (n, s): who has a value twice has it once."""
    counted = np.zeros(tuples.sensitive.shape, np.bool_)
    if tuples.units is not None:
        for j in range(tuples.sensitive.shape[1]):
            values = tuples.sensitive[:, j].astype(np.int64) + 1
            once = np.unique(tuples.units * (values.max(initial=0) + 1) + values, return_index=True)[1]
            counted[once, j] = values[once] > 0
    return counted


def _grow(
    state: State, limits: Limits, order: Ints, slices: list[tuple[int, int]], ends: npt.NDArray[np.bool_]
) -> list[tuple[int, int]]:
    """Cuts the largest slices until there are enough for the threads to share; returns what is left to cut."""
    open_slices = sorted(slices, key=lambda part: part[0] - part[1])
    while open_slices and len(open_slices) < 4 * _THREADS:
        start, end = open_slices.pop(0)
        cut = _split_once(*state, order, start, end, *limits)
        if cut < 0:
            ends[end - 1] = True
        else:
            open_slices += [(start, cut), (cut, end)]
            open_slices.sort(key=lambda part: part[0] - part[1])
    return open_slices


def _renumbered(codes: Codes, part: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Parts numbered by their lowest corner, so that the number says nothing of the input's order."""
    count = int(part.max()) + 1
    low = np.full((count, codes.shape[1]), np.iinfo(np.int32).max, np.int32)
    np.minimum.at(low, part, codes)
    high = np.full((count, codes.shape[1]), -1, np.int32)
    np.maximum.at(high, part, codes)
    keys = np.concatenate([low, high], axis=1)
    rank = np.empty(count, np.int32)
    rank[np.lexsort(keys.T[::-1]) if keys.shape[1] else np.arange(count)] = np.arange(count, dtype=np.int32)
    return rank[part]


@njit(cache=True, nogil=True)
def _split_once(
    codes, weights, distinct, counted, places, offsets, order, start, end, k, l_distinct, by_unit, cardinality
):
    """Cuts one slice of `order`; returns where the right part starts, or -1 when no cut is safe."""
    columns = distinct.shape[1]
    rank = np.empty(end - start, np.int32)
    seen = np.zeros((columns, cardinality), np.int32)
    first = np.empty((columns, cardinality), np.int32)
    last = np.empty((columns, cardinality), np.int32)
    generation = np.zeros(1, np.int32)
    tally = np.zeros(cardinality, np.int64)
    return _split(codes, weights, distinct, counted, places, offsets, order, start, end, k, l_distinct, by_unit,
                  rank, seen, first, last, generation, tally)  # fmt: skip


@njit(cache=True, nogil=True)
def _subtree(
    codes,
    weights,
    distinct,
    counted,
    places,
    offsets,
    order,
    start,
    end,
    k,
    l_distinct,
    by_unit,
    cardinality,
    ends,
):
    """Cuts one slice of `order` until no part can be cut; marks the last index of each part in `ends`."""
    columns = distinct.shape[1]
    rank = np.empty(end - start, np.int32)
    seen = np.zeros((columns, cardinality), np.int32)
    first = np.empty((columns, cardinality), np.int32)
    last = np.empty((columns, cardinality), np.int32)
    generation = np.zeros(1, np.int32)
    tally = np.zeros(cardinality, np.int64)
    stack = [(start, end)]
    while len(stack) > 0:
        low, high = stack.pop()
        cut = _split(codes, weights, distinct, counted, places, offsets, order, low, high, k, l_distinct, by_unit,
                     rank, seen, first, last, generation, tally)  # fmt: skip
        if cut < 0:
            ends[high - 1] = True
        else:
            stack.append((low, cut))
            stack.append((cut, high))


@njit(cache=True, nogil=True)
def _ranked(codes, weights, order, start, end, j, low, high, rank):
    """Distinct codes of dimension j in a slice, ascending, with their weights; fills `rank` with each tuple's place."""
    m = end - start
    span = high - low + 1
    if span <= _HISTOGRAM_FACTOR * m:
        weight_of = np.zeros(span, np.int64)
        present = np.zeros(span, np.bool_)
        for i in range(start, end):
            c = codes[order[i], j] - low
            weight_of[c] += weights[order[i]]
            present[c] = True
        place = np.empty(span, np.int32)
        count = 0
        for c in range(span):
            if present[c]:
                place[c] = count
                count += 1
        values = np.empty(count, np.int32)
        sums = np.empty(count, np.int64)
        for c in range(span):
            if present[c]:
                values[place[c]] = c + low
                sums[place[c]] = weight_of[c]
        for i in range(m):
            rank[i] = place[codes[order[start + i], j] - low]
        return values, sums
    column = np.empty(m, np.int32)
    for i in range(m):
        column[i] = codes[order[start + i], j]
    sorted_at = np.argsort(column)
    values = np.empty(m, np.int32)
    sums = np.zeros(m, np.int64)
    count = 0
    for t in range(m):
        i = sorted_at[t]
        if count == 0 or values[count - 1] != column[i]:
            values[count] = column[i]
            count += 1
        sums[count - 1] += weights[order[start + i]]
        rank[i] = count - 1
    return values[:count], sums[:count]


@njit(cache=True, nogil=True)
def _first_and_last(distinct, order, start, end, column, rank, count, seen, first, last, generation):
    """For each threshold q: distinct values of `column` that start at or before q, and that end at or before q."""
    generation[0] += 1
    stamp = generation[0]
    begun = np.zeros(count, np.int64)
    ended = np.zeros(count, np.int64)
    for i in range(end - start):
        value = distinct[order[start + i], column]
        if value < 0:
            continue
        q = rank[i]
        if seen[column, value] != stamp:
            seen[column, value] = stamp
            first[column, value] = q
            last[column, value] = q
            begun[q] += 1
            ended[q] += 1
        else:
            if q < first[column, value]:
                begun[first[column, value]] -= 1
                begun[q] += 1
                first[column, value] = q
            if q > last[column, value]:
                ended[last[column, value]] -= 1
                ended[q] += 1
                last[column, value] = q
    for q in range(1, count):
        begun[q] += begun[q - 1]
        ended[q] += ended[q - 1]
    return begun, ended


@njit(cache=True, nogil=True)
def _most_shared(distinct, counted, order, start, end, column, rank, count, tally):
    """For each threshold q: how many persons share the commonest value of `column` at or before q, and after q."""
    m = end - start
    begins = np.zeros(count + 1, np.int64)
    for i in range(m):
        begins[rank[i] + 1] += 1
    for q in range(count):
        begins[q + 1] += begins[q]
    at = begins[:count].copy()
    sorted_at = np.empty(m, np.int64)
    for i in range(m):
        sorted_at[at[rank[i]]] = order[start + i]
        at[rank[i]] += 1
    left = np.zeros(count, np.int64)
    right = np.zeros(count, np.int64)
    most = 0
    for q in range(count):
        for t in range(begins[q], begins[q + 1]):
            if counted[sorted_at[t], column]:
                value = distinct[sorted_at[t], column]
                tally[value] += 1
                most = max(most, tally[value])
        left[q] = most
    for t in range(m):
        if counted[sorted_at[t], column]:
            tally[distinct[sorted_at[t], column]] = 0
    most = 0
    for q in range(count - 1, 0, -1):
        for t in range(begins[q], begins[q + 1]):
            if counted[sorted_at[t], column]:
                value = distinct[sorted_at[t], column]
                tally[value] += 1
                most = max(most, tally[value])
        right[q - 1] = most
    for t in range(m):
        if counted[sorted_at[t], column]:
            tally[distinct[sorted_at[t], column]] = 0
    return left, right


@njit(cache=True, nogil=True)
def _split(
    codes, weights, distinct, counted, places, offsets, order, start, end, k, l_distinct, by_unit,
    rank, seen, first, last, generation, tally,
):  # fmt: skip
    """The best safe cut of a slice, done in place; returns where the right part starts, or -1."""
    dimensions = codes.shape[1]
    columns = distinct.shape[1]
    total = 0
    for i in range(start, end):
        total += weights[order[i]]
    if not by_unit and total < 2 * k:
        return -1
    best_gain = 1e-12
    best_dimension = -1
    best_code = -1
    for j in range(dimensions):
        low = codes[order[start], j]
        high = low
        for i in range(start + 1, end):
            c = codes[order[i], j]
            if c < low:
                low = c
            if c > high:
                high = c
        if low == high:
            continue
        values, sums = _ranked(codes, weights, order, start, end, j, low, high, rank)
        count = len(values)
        safe = np.ones(count, np.bool_)
        sensitive = columns
        left_persons = sums
        right_persons = sums
        if by_unit:  # the last column is the person's
            sensitive = columns - 1
            begun, ended = _first_and_last(
                distinct, order, start, end, sensitive, rank, count, seen, first, last, generation
            )
            persons = begun[count - 1]
            left_persons = begun
            right_persons = persons - ended
            for q in range(count - 1):
                left, right = left_persons[q], right_persons[q]
                if left < k or right < k or left + right != persons:
                    safe[q] = False
        for column in range(sensitive):
            begun, ended = _first_and_last(
                distinct, order, start, end, column, rank, count, seen, first, last, generation
            )
            for q in range(count - 1):
                if begun[q] < l_distinct or begun[count - 1] - ended[q] < l_distinct:
                    safe[q] = False
            if by_unit and l_distinct > 1:
                left_most, right_most = _most_shared(
                    distinct, counted, order, start, end, column, rank, count, tally
                )
                for q in range(count - 1):
                    if (
                        left_persons[q] - left_most[q] < l_distinct - 1
                        or right_persons[q] - right_most[q] < l_distinct - 1
                    ):
                        safe[q] = False
        offset = offsets[j]
        whole = places[offset + high] - places[offset + low]
        left_weight = 0
        for q in range(count - 1):
            left_weight += sums[q]
            if not by_unit and (left_weight < k or total - left_weight < k):
                continue
            if not safe[q]:
                continue
            left_span = places[offset + values[q]] - places[offset + low]
            right_span = places[offset + high] - places[offset + values[q + 1]]
            gain = whole - (left_weight * left_span + (total - left_weight) * right_span) / total
            if gain > best_gain:
                best_gain = gain
                best_dimension = j
                best_code = values[q]
    if best_dimension < 0:
        return -1
    a = start
    b = end - 1
    while True:
        while a <= b and codes[order[a], best_dimension] <= best_code:
            a += 1
        while a <= b and codes[order[b], best_dimension] > best_code:
            b -= 1
        if a >= b:
            break
        order[a], order[b] = order[b], order[a]
    return a
