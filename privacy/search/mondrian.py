"""Multidimensional search (strict Mondrian) over distinct tuples, in place, by the best gain among all safe cuts.

A cut is a threshold on one dimension, so classes never overlap. It is safe when both sides keep at least k persons, no
person has tuples on both sides (rows that a recipient can link by a pseudonym must not stand in two classes), no block
of persons whom an earlier release shows as one is separated, and both
sides keep every rule that the contract asks (`privacy.models`). Of all safe cuts the one with the largest gain is made;
gain is the fall in normalised certainty penalty that it brings. Which cut wins depends on the tuples as a set, never on
their order: ties (to 2**-40) go to the first dimension, there to the lowest threshold.

Two ways to the same cut: `best_by_k` looks at k alone and finds the best threshold of each dimension from sums; when its
winner keeps the rules too, that's the cut. Else, and where persons have several tuples, `best_by_all` walks through each
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
from privacy.search.careful import FEW, best_by_all, enough, keeps, scratch_of
from privacy.search.few import MOST, cut_few, room_of_few
from privacy.search.quick import best_by_k, room
from privacy.search.tuples import Codes, Tuples

_THREADS = 2
_BLOCK = 1 << 15  # tuples
_WORTH = 10_000  # tuples that are worth a call of their own: making one ready takes as long as cutting some hundred


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
    for first in range(0, n, _BLOCK):  # a block stays in the cache while it is turned over
        at = slice(first, first + _BLOCK)
        codes[:, at] = (tuples.codes[at] if within is None else tuples.codes[order[at]]).T
    weights = np.ascontiguousarray(tuples.weights[order], dtype=np.int32)
    last = np.zeros(n, np.bool_)
    state = _State.of(tuples, codes, weights, order, k=k, asked=asked, cardinality=cardinality)
    slices = _grow(state, list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)), last)
    todo = iter(slices)

    def work() -> None:
        for start, end in todo:
            _subtree(*state.arguments, start, end, last)

    with ThreadPoolExecutor(_THREADS) as pool:
        others = [pool.submit(work) for _ in range(min(_THREADS, len(slices)) - 1)]
        work()
        for other in others:
            other.result()
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
                and all(each.rule == DISTINCT and each.limit <= FEW for each in asked),
                k,
                cardinality,
                int(tuples.together.max(initial=-1)) + 1 if tuples.together is not None else 0,
            )
        )


def _grow(state: _State, slices: list[tuple[int, int]], last: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Cuts the largest slices until there are enough for the threads to share; returns what is left to cut."""
    open_slices = sorted(slices, key=lambda piece: piece[0] - piece[1])
    enough = min(8 * _THREADS, max(_THREADS, len(last) // _WORTH))
    while open_slices and len(open_slices) < enough:
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
            low[p, j], high[p, j] = _ends(codes, j, start, stops[p])
            start = stops[p]
    return low, high


@njit(cache=True, nogil=True)
def _ends(codes, j, start, end):
    """The lowest and the highest code of one dimension in a slice."""
    low, high = codes[j, start], codes[j, start]
    for i in range(start + 1, end):
        low = min(low, codes[j, i])
        high = max(high, codes[j, i])
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
def _cut_once(
    codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts, known_shares,
    rules, asked_rules, asked_columns, asked_limits, sparse_column, secret, soon, k, cardinality, unit_count, start, end,
):  # fmt: skip
    """Cuts one slice; returns where the right part starts, or -1 when no cut is safe."""
    scratch = scratch_of(len(codes), sensitive.shape[1], len(shares), unit_count, end - start)
    own = room(codes, cardinality)
    return _split(codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts,
                  known_shares, rules, asked_rules, asked_columns, asked_limits, sparse_column, secret, soon, k, start, end, scratch, own)  # fmt: skip


@njit(cache=True, nogil=True)
def _subtree(
    codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts, known_shares,
    rules, asked_rules, asked_columns, asked_limits, sparse_column, secret, soon, k, cardinality, unit_count, start, end, last,
):  # fmt: skip
    """Cuts one slice until no part can be cut; marks the last index of each part in `last`."""
    scratch = scratch_of(len(codes), sensitive.shape[1], len(shares), unit_count, end - start)
    own = room(codes, cardinality)
    few = room_of_few(codes, secret)
    stack = [(start, end)]
    while len(stack) > 0:
        low, high = stack.pop()
        if high - low <= MOST and len(units) == 0 and len(codes) > 0:
            cut_few(codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts,
                    known_shares, rules, asked_rules, asked_columns, asked_limits, sparse_column, secret, soon, k, low, high, scratch, few, last)  # fmt: skip
            continue
        cut = _split(codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts,
                     known_shares, rules, asked_rules, asked_columns, asked_limits, sparse_column, secret, soon, k, low, high, scratch, own)  # fmt: skip
        if cut < 0:
            last[high - 1] = True
        else:
            stack.append((low, cut))
            stack.append((cut, high))


@njit(cache=True, nogil=True)
def _split(
    codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts, known_shares,
    rules, asked_rules, asked_columns, asked_limits, sparse_column, secret, soon, k, start, end, scratch, own,
):  # fmt: skip
    """The best safe cut of a slice, done in place; returns where the right part starts, or -1."""
    by_unit = len(units) > 0
    if not by_unit:
        total = 0
        for i in range(start, end):
            total += weights[i]
        if total < 2 * k:
            return -1
    _span(codes, start, end, scratch[0])
    dimension, code = -1, -1
    by_rules = by_unit
    if not by_unit:
        dimension, code = best_by_k(
            codes, weights, places, ends, offsets, total, k, start, end, scratch[0], own
        )
        if dimension < 0:
            return -1
        by_rules = len(asked_rules) > 0
        if soon:
            by_rules = not enough(
                codes, dimension, secret, asked_columns, asked_limits, start, end, code, scratch[8]
            )
        elif by_rules:
            by_rules = not keeps(
            codes, order, heads, sensitive, known, counted, shares, starts, known_shares, rules, asked_rules,
            asked_columns, asked_limits, sparse_column, start, end, dimension, code, scratch,
        )  # fmt: skip
    if by_rules:
        dimension, code = best_by_all(
            codes, weights, order, places, ends, offsets, heads, sensitive, known, counted, units, shares, starts,
            known_shares, rules, asked_rules, asked_columns, asked_limits, sparse_column, k, start, end, scratch,
        )  # fmt: skip
        if dimension < 0:
            return -1
    return _part(codes, weights, order, secret, start, end, dimension, code, scratch[7])


@njit(cache=True, nogil=True)
def _span(codes, start, end, box):
    """Fills box[0] and box[1] with the lowest and highest code of each dimension in the slice."""
    for j in range(len(codes)):
        box[0, j], box[1, j] = _ends(codes, j, start, end)


@njit(cache=True, nogil=True)
def _part(codes, weights, order, secret, start, end, dimension, code, swaps):
    """Moves tuples with at most `code` to the front of the slice; returns where the others start.

    What changes places is found in the one dimension, without a branch that could be guessed wrong, then done in all.
    """
    middle = start
    for i in range(start, end):
        middle += codes[dimension, i] <= code
    left, right = 0, 0
    half = len(swaps) >> 1
    for i in range(start, middle):
        swaps[left] = i
        left += codes[dimension, i] > code
    for i in range(middle, end):
        swaps[half + right] = i
        right += codes[dimension, i] <= code
    for j in range(len(codes)):
        for s in range(left):
            a, b = swaps[s], swaps[half + s]
            codes[j, a], codes[j, b] = codes[j, b], codes[j, a]
    for j in range(len(secret)):
        for s in range(left):
            a, b = swaps[s], swaps[half + s]
            secret[j, a], secret[j, b] = secret[j, b], secret[j, a]
    for s in range(left):
        a, b = swaps[s], swaps[half + s]
        weights[a], weights[b] = weights[b], weights[a]
        order[a], order[b] = order[b], order[a]
    return middle
