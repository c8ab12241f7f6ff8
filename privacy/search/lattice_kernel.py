"""What one node of the lattice does to the small cube: its classes, whom they leave out, and where those stand.

The cube is folded first: tuples with the same codes are one cell. Neighbouring dimensions are read as one joint code while
that stays small (a bundle), so that a cell's class takes a few look-ups, not one for each dimension. Cells are sorted, so
neighbours mostly share a class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from core.errors import InternalError
from privacy.search.tuples import Codes, Tuples

Longs = npt.NDArray[np.int64]

KEPT, FAILS, FAILS_OTHER = (
    0,
    1,
    2,
)  # a class's fate: FAILS a rule that is monotone, FAILS_OTHER only rules that aren't
_BUNDLE = 4096  # joint codes of a bundle: sums over them stay in the processor's nearest cache
_WIDEST = 2**62  # keys are packed into one number up to here
_DENSE = 4  # count by position while there are at most so many positions a cell,
_NEAR = 1 << 17  # and at most so many in all, else hash
_FIRST = 1024  # places of the hash table at first, a power of two


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The cube, folded: m cells in the order of their keys.

    bundles: (b, m) joint codes; dimensions: which dimensions each bundle joins. heads, rows: (m,) persons and rows of those
    persons who stand in one cell only. roam: starts of the others' stretches in roam_cells and roam_rows, one stretch a
    person. order: (n,) tuples by cell; starts: (m + 1,) where each cell's tuples begin in it. who: (n,) for each tuple in
    that order its roaming person's number, or -1.
    """

    bundles: npt.NDArray[Any]
    dimensions: tuple[tuple[int, ...], ...]
    heads: Longs
    rows: Longs
    roam: Longs
    roam_cells: Longs
    roam_rows: Longs
    order: Longs
    starts: Longs
    who: Longs


@dataclass(frozen=True, kw_only=True)
class Grouped:
    """The classes of one node: at (m,) each cell's slot; persons (slots,) of each; astride (roaming persons,) bool."""

    at: Codes
    persons: Longs
    astride: npt.NDArray[np.bool_]


def nested(levels: Sequence[npt.NDArray[Any]]) -> list[Longs]:
    """The groups of each level, numbered from 0 in the leaves' order. The bounds of the search hold only where each level joins groups of the one before."""
    found: list[Longs] = []
    for groups in levels:
        _, first, at = np.unique(groups, return_index=True, return_inverse=True)
        # In the leaves' order, so that neighbouring cells mostly fall into neighbouring classes.
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        at = rank[at] if len(first) else np.zeros(0, np.int64)
        if found and len(at):
            joined = np.full(int(found[-1].max()) + 1, -1, np.int64)
            joined[found[-1]] = at
            if not np.array_equal(joined[found[-1]], at):
                raise InternalError("A level of a hierarchy tears a group of the level before it apart.")
        found.append(at)
    return found


def packed(columns: Sequence[npt.NDArray[Any]], sizes: Sequence[int], rows: int) -> Longs:
    """One number for each row's combination, in the order of the combinations. Where a product of sizes has no room in
    64 bits, what has been packed is first numbered by rank."""
    key, span = np.zeros(rows, np.int64), 1
    for column, size in zip(columns, sizes, strict=True):
        if span * size > _WIDEST:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
            span = int(key.max(initial=0)) + 1
        key = key * size + column
        span *= size
    return key


def fold(tuples: Tuples, sizes: Sequence[int]) -> Cells:
    """The cells of the tuples. sizes: how many codes each dimension has."""
    n, d = tuples.codes.shape
    key = packed([tuples.codes[:, j] for j in range(d)], sizes, n)
    order = np.argsort(key)
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    m = len(first)
    cell = np.repeat(np.arange(m), np.diff(first, append=n))
    dimensions: list[list[int]] = []
    for j in range(d):
        if dimensions and np.prod([float(sizes[i]) for i in dimensions[-1]]) * sizes[j] <= _BUNDLE:
            dimensions[-1].append(j)
        else:
            dimensions.append([j])
    there = tuples.codes[order[first]]
    joint = [
        np.ravel_multi_index([there[:, j] for j in bundle], [sizes[j] for j in bundle]).astype(np.int32)
        for bundle in dimensions
    ]
    bundles = np.stack(joint) if joint else np.empty((0, m), np.int32)
    small = bundles.max(initial=0) <= np.iinfo(np.uint16).max
    rows, heads = np.zeros(m, np.int64), np.zeros(m, np.int64)
    weights = tuples.weights[order].astype(np.int64)
    if tuples.units is None:
        if n:
            rows = np.add.reduceat(weights, first)
        heads, roam, there_roam, rows_roam = rows, np.zeros(1, np.int64), first[:0], first[:0]
        who = np.full(n, -1, np.int64)
    else:
        units = tuples.units[order].astype(np.int64)
        pairs, pair = np.unique(units * max(1, m) + cell, return_inverse=True)
        owner, where = pairs // max(1, m), pairs % max(1, m)
        owned = np.bincount(pair, weights=weights, minlength=len(pairs)).astype(np.int64)
        cells_of = np.bincount(owner)
        roams = cells_of[owner] > 1
        np.add.at(heads, where[~roams], 1)
        np.add.at(rows, where[~roams], owned[~roams])
        _, lengths = np.unique(owner[roams], return_counts=True)
        roam = np.append(0, np.cumsum(lengths)).astype(np.int64)
        there_roam, rows_roam = where[roams], owned[roams]
        number = np.cumsum(cells_of > 1) - 1
        who = np.where(cells_of[units] > 1, number[units], -1)
    return Cells(
        bundles=bundles.astype(np.uint16) if small else bundles,
        dimensions=tuple(tuple(bundle) for bundle in dimensions),
        heads=heads,
        rows=rows,
        roam=roam,
        roam_cells=np.ascontiguousarray(there_roam, np.int64),
        roam_rows=np.ascontiguousarray(rows_roam, np.int64),
        order=order,
        starts=np.append(first, n).astype(np.int64),
        who=who.astype(np.int64),
    )


def group(cells: Cells, groups: Sequence[npt.NDArray[Any]], counts: Sequence[int]) -> Grouped:
    """The classes at a node. groups: each dimension's group of each code at the node's level, numbered from 0; counts: how
    many groups those are."""
    m, span = int(cells.bundles.shape[1]), math.prod(counts)
    tables: list[Longs] = []
    if span > _WIDEST:
        codes = [
            (j, np.unravel_index(joint, [len(groups[i]) for i in bundle])[place])
            for bundle, joint in zip(cells.dimensions, cells.bundles.astype(np.int64), strict=True)
            for place, j in enumerate(bundle)
        ]
        keys = packed([groups[j][code] for j, code in codes], [counts[j] for j, _ in codes], m)
        slots = np.unique(keys, return_inverse=True)[1].astype(np.int64)
        bundles, tables, span = slots[None, :], [np.arange(m, dtype=np.int64)], m
    else:
        bundles, stride = cells.bundles, span
        for bundle in cells.dimensions:
            table = np.zeros(1, np.int64)
            for j in bundle:
                stride //= counts[j]
                table = (table[:, None] + groups[j] * stride).ravel()
            tables.append(table)
    starts = np.append(0, np.cumsum([len(table) for table in tables])).astype(np.int64)
    flat = np.concatenate(tables) if tables else np.empty(0, np.int64)
    count = span if span <= max(_BUNDLE, min(_DENSE * m, _NEAR)) else -1
    at, persons, astride = _group(bundles, flat, starts, cells.heads, cells.roam, cells.roam_cells, count)
    return Grouped(at=at, persons=persons, astride=astride)


@njit(cache=True, nogil=True)
def _place(key, seen):
    """Where a key stands in the table, or would."""
    slot = np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & (len(seen) - 1)
    while seen[slot] != key and seen[slot] != -1:
        slot = (slot + 1) & (len(seen) - 1)
    return slot


@njit(cache=True, nogil=True)
def _group(bundles, tables, starts, heads, roam, roam_cells, count):
    """Slots of cells, persons of slots, and who stands in two of them. count: a slot for each key below it, or -1: slots
    are given out as keys come, by a table that grows with them, so that a coarse node's stays in the cache."""
    b, m = bundles.shape
    at = np.empty(m, np.int32)
    persons = np.zeros(count if count >= 0 else m, np.int64)
    seen = np.full(_FIRST, -1, np.int64)
    slots = np.empty(_FIRST, np.int32)
    keys = np.empty(0 if count >= 0 else m, np.int64)
    given, last, slot = 0, np.int64(-1), np.int64(0)
    for i in range(m):
        key = np.int64(0)
        for q in range(b):
            key += tables[starts[q] + np.int64(bundles[q, i])]
        if count >= 0:
            slot = key
        elif key != last:
            place = _place(key, seen)
            if seen[place] == -1:
                if 2 * given >= len(seen):
                    seen = np.full(4 * len(seen), -1, np.int64)
                    slots = np.empty(len(seen), np.int32)
                    for c in range(given):
                        place = _place(keys[c], seen)
                        seen[place] = keys[c]
                        slots[place] = c
                    place = _place(key, seen)
                seen[place] = key
                slots[place] = given
                keys[given] = key
                given += 1
            slot = np.int64(slots[place])
            last = key
        at[i] = slot
        persons[slot] += heads[i]
    if count < 0:
        persons = persons[:given].copy()
    astride = np.zeros(len(roam) - 1, np.bool_)
    for p in range(len(astride)):
        here = at[roam_cells[roam[p]]]
        for r in range(roam[p] + 1, roam[p + 1]):
            if at[roam_cells[r]] != here:
                astride[p] = True
        if not astride[p]:
            persons[here] += 1
    return at, persons, astride


@njit(cache=True, nogil=True)
def fates(persons, k):
    """The fate of each slot by k alone."""
    found = np.zeros(len(persons), np.uint8)
    for c in range(len(persons)):
        if persons[c] < k:
            found[c] = 1
    return found


@njit(cache=True, nogil=True)
def left_out(bundles, starts, at, fate, persons, heads, rows, roam, roam_cells, roam_rows, astride):
    """Who is left out: persons, rows and classes by fate (3, 3), and the rows by joint code (2, codes), first of those that
    fail a monotone rule or stand astride, then of the others that fail."""
    b, m = bundles.shape
    totals = np.zeros((3, 3), np.int64)
    marginals = np.zeros((2, starts[-1]), np.int64)
    for i in range(m):
        f = fate[at[i]]
        if f == 0:
            continue
        totals[f, 0] += heads[i]
        totals[f, 1] += rows[i]
        for q in range(b):
            marginals[f - 1, starts[q] + np.int64(bundles[q, i])] += rows[i]
    for p in range(len(astride)):
        f = np.uint8(1) if astride[p] else fate[at[roam_cells[roam[p]]]]
        if f == 0:
            continue
        totals[f, 0] += 1
        for r in range(roam[p], roam[p + 1]):
            i = roam_cells[r]
            totals[f, 1] += roam_rows[r]
            for q in range(b):
                marginals[f - 1, starts[q] + np.int64(bundles[q, i])] += roam_rows[r]
    for c in range(len(fate)):
        if persons[c] > 0:
            totals[fate[c], 2] += 1
    return totals, marginals


@njit(cache=True, nogil=True)
def judge(fate, at, persons, astride, starts, who, sensitive, known, counted, shares, known_share, sparse, rules,
          asked_rules, limits, monotone):  # fmt: skip
    """Asks rules about one sensitive column of each class that hasn't failed a monotone rule; writes into `fate`.

    sensitive, known, counted: (n,) in the order of cells. sparse: no rule asks for the values' order, so that `counts` has
    those that the class has, no others.
    """
    m, slots = len(at), len(fate)
    begin = np.zeros(slots + 1, np.int64)
    for i in range(m):
        begin[at[i] + 1] += 1
    for c in range(slots):
        begin[c + 1] += begin[c]
    cells = np.empty(m, np.int64)
    free = begin[:slots].copy()
    for i in range(m):
        cells[free[at[i]]] = i
        free[at[i]] += 1
    counts = np.zeros(len(shares), np.int64)
    place = np.full(len(shares), -1, np.int64)
    for c in range(slots):
        if fate[c] == 1 or begin[c] == begin[c + 1]:
            continue
        present = 0 if sparse else len(shares)
        there = 0
        for cell in range(begin[c], begin[c + 1]):
            for t in range(starts[cells[cell]], starts[cells[cell] + 1]):
                v = sensitive[t]
                if v < 0 or (who[t] >= 0 and astride[who[t]]):
                    continue
                there += known[t]
                to = v
                if sparse:
                    if place[v] < 0:
                        place[v] = present
                        counts[present] = 0
                        present += 1
                    to = place[v]
                counts[to] += counted[t]
        for a in range(len(asked_rules)):
            if fate[c] == 1:
                break
            if not rules[asked_rules[a]](persons[c], there, counts[:present], shares, known_share, limits[a]):
                fate[c] = 1 if monotone[a] else 2
        for cell in range(begin[c], begin[c + 1]):
            for t in range(starts[cells[cell]], starts[cells[cell] + 1]):
                if sensitive[t] >= 0:
                    place[sensitive[t]] = -1
                    if not sparse:
                        counts[sensitive[t]] = 0
