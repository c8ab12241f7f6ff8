"""Rows to distinct tuples: hash tables over codes packed into a few 64-bit words.

Rows are first dealt out by their hashes to parts, each of whose tables fits the processor's cache: one table for all waits on
memory at every row, which takes twice as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_PARTS = 1 << 8  # as many as the eight highest bits of a hash tell apart
_SLOTS = 1 << 8  # of a part's table at first
_FEW = 1 << 18
_BLOCK = 1 << 15  # rows
_MOSTLY = (
    0.6  # of a sample's rows: beyond it tuples hardly repeat, and counting them costs more than it saves
)


def packed(columns: Sequence[npt.NDArray[Any]], cardinalities: Sequence[int]) -> list[npt.NDArray[np.int64]]:
    """Codes (rows,) of several columns as 64-bit words, as few as hold them; equal words mean equal tuples.

    cardinalities: how many codes each column has; codes are from -1 (missing) or 0.
    """
    factors: list[list[tuple[npt.NDArray[Any], int]]] = []  # of each word
    width = 1 << 63
    for column, cardinality in zip(columns, cardinalities, strict=True):
        if width * (cardinality + 1) >= 1 << 62:
            factors.append([])
            width = 1
        factors[-1].append((column, cardinality + 1))
        width *= cardinality + 1
    words = [np.zeros(len(columns[0]), np.int64) for _ in factors]
    for word, own in zip(words, factors, strict=True):
        for start in range(0, len(word), _BLOCK):  # a block stays in the cache while its columns are put in
            for column, factor in own:
                _pack(word[start : start + _BLOCK], column[start : start + _BLOCK], factor)
    return words


@njit(cache=True, nogil=True)
def _pack(words, column, factor):
    for i in range(len(words)):
        words[i] = words[i] * factor + np.int64(column[i]) + 1


def distinct(
    words: Sequence[npt.NDArray[np.int64]],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """((rows,) number of each row's tuple, numbered as they come; (tuples,) the first row of each)."""
    rows = len(words[0]) if words else 0
    if rows == 0:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    number, first, count = _distinct(_stacked(words))
    return number, _as_they_come(number, first[:count])


def _stacked(words: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """(rows, words)."""
    return np.ascontiguousarray(np.stack(words, axis=1)) if len(words) > 1 else words[0].reshape(-1, 1)


@njit(cache=True, nogil=True)
def look_up(table, codes, made):
    """Fills `made`, (rows,), with what the table has for each code; its last place is that of code -1."""
    for i in range(len(codes)):
        made[i] = table[codes[i]]


def mostly_distinct(words: Sequence[npt.NDArray[np.int64]]) -> bool:
    """Whether tuples hardly repeat, judged by all rows of one tuple in sixteen: a plain sample of rows would hold few
    tuples twice, however often each comes."""
    rows = len(words[0]) if words else 0
    if rows < _FEW:
        return False
    some = _one_in_sixteen(_stacked(words))
    return bool(len(some) and _distinct(some)[2] > _MOSTLY * len(some))


def multiplicities(words: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """(tuples,) how many rows each distinct tuple has, in no order."""
    return np.bincount(_distinct(_stacked(words))[0]) if words and len(words[0]) else np.empty(0, np.int64)


@njit(cache=True, nogil=True)
def _one_in_sixteen(words):
    """All rows of one tuple in sixteen, (some, words)."""
    some = np.empty((max(16, len(words) // 8), words.shape[1]), np.int64)
    count = 0
    for i in range(len(words)):
        if _mixed(words, i) >> np.uint64(60) == 0:
            if count == len(some):
                more = np.empty((2 * count, words.shape[1]), np.int64)
                more[:count] = some
                some = more
            some[count] = words[i]
            count += 1
    return some[:count]


@njit(cache=True, nogil=True)
def _distinct(words):
    rows = len(words)
    keys, where, bounds = _dealt(words)
    room = _SLOTS
    for p in range(_PARTS):
        while room <= 2 * (bounds[p + 1] - bounds[p]):
            room *= 2
    slots = np.empty((room, 2), np.int64)  # a tuple's number (-1: free) beside its hash
    number, first = np.empty(rows, np.int32), np.empty(rows, np.int32)
    count = 0
    for p in range(_PARTS):
        start, before = bounds[p], count
        size = _SLOTS
        slots[:size, 0] = -1
        for i in range(start, bounds[p + 1]):
            if 2 * (count - before) >= size:  # more room, all put in anew
                size *= 2
                slots[:size, 0] = -1
                for t in range(before, count):
                    key = keys[start + t - before]
                    at = _slot(key, size)
                    while slots[at, 0] >= 0:
                        at = (at + 1) & (size - 1)
                    slots[at, 0], slots[at, 1] = t, np.int64(key)
            key, row = keys[i], where[i]
            at = _slot(key, size)
            while slots[at, 0] >= 0 and not (
                slots[at, 1] == np.int64(key) and _equal(words, first[slots[at, 0]], row)
            ):
                at = (at + 1) & (size - 1)
            if slots[at, 0] < 0:
                slots[at, 0], slots[at, 1] = count, np.int64(key)
                keys[start + count - before] = key  # this row's hash, or one before it, isn't needed any more
                first[count] = row
                count += 1
            number[row] = slots[at, 0]
    return number, first, count


@njit(cache=True, nogil=True)
def _as_they_come(number, first):
    """Numbers tuples anew, in place, in the order in which they come: those that come often come early, and what is looked up
    for one row lies near what is for the next. Returns `first` in that order."""
    place = np.full(len(first), -1, np.int32)
    ordered = np.empty(len(first), np.int32)
    count = 0
    for i in range(len(number)):
        t = number[i]
        if place[t] < 0:
            place[t] = count
            ordered[count] = i
            count += 1
        number[i] = place[t]
    return ordered


@njit(cache=True, nogil=True)
def _dealt(words):
    """((rows,) hashes, the parts' one after another, in each in the order of the rows; (rows,) whose each is; (_PARTS + 1,)
    where each part begins)."""
    bounds = np.zeros(_PARTS + 1, np.int64)
    for i in range(len(words)):
        bounds[_part(_mixed(words, i)) + 1] += 1
    for p in range(_PARTS):
        bounds[p + 1] += bounds[p]
    at = bounds[:_PARTS].copy()
    keys, where = np.empty(len(words), np.uint64), np.empty(len(words), np.int32)
    for i in range(len(words)):
        key = _mixed(words, i)
        p = _part(key)
        keys[at[p]], where[at[p]] = key, i
        at[p] += 1
    return keys, where, bounds


@njit(cache=True, nogil=True)
def _part(key):
    return np.int64(key >> np.uint64(56))


@njit(cache=True, nogil=True)
def _mixed(words, i):
    """A hash of a row's words. Of a single word it's one to one."""
    mixed = np.uint64(0)
    for w in range(words.shape[1]):
        mixed = (mixed ^ np.uint64(words[i, w])) * _MULTIPLIER
        mixed ^= mixed >> np.uint64(29)
    return mixed


@njit(cache=True, nogil=True)
def _equal(words, one, other):
    """Whether two rows whose hashes are the same have the same words."""
    if words.shape[1] > 1:
        for w in range(words.shape[1]):
            if words[one, w] != words[other, w]:
                return False
    return True


@njit(cache=True, nogil=True)
def _slot(key, size):
    return np.int64(key >> np.uint64(20)) & (size - 1)
