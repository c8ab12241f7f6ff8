"""Rows to distinct tuples: a hash table over codes packed into a few 64-bit words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_PARTS = 1 << 10  # as many as the ten highest bits of a hash tell apart
_FEW = 1 << 18
_MOSTLY = (
    0.6  # of a sample's rows: beyond it tuples hardly repeat, and counting them costs more than it saves
)


def packed(columns: Sequence[npt.NDArray[Any]], cardinalities: Sequence[int]) -> list[npt.NDArray[np.int64]]:
    """Codes (rows,) of several columns as 64-bit words, as few as hold them; equal words mean equal tuples.

    cardinalities: how many codes each column has; codes are from -1 (missing) or 0.
    """
    words: list[npt.NDArray[np.int64]] = []
    width = 1 << 63
    for column, cardinality in zip(columns, cardinalities, strict=True):
        if width * (cardinality + 1) >= 1 << 62:
            words.append(np.zeros(len(column), np.int64))
            width = 1
        _pack(words[-1], column, cardinality + 1)
        width *= cardinality + 1
    return words


@njit(cache=True, nogil=True)
def _pack(words, column, factor):
    for i in range(len(words)):
        words[i] = words[i] * factor + np.int64(column[i]) + 1


def distinct(
    words: Sequence[npt.NDArray[np.int64]],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """((rows,) number of each row's tuple, numbered as they come; (tuples,) the first row of each)."""
    rows = len(words[0]) if words else 0
    if rows == 0:
        return np.empty(0, np.int32), np.empty(0, np.int64)
    number, first, count = _distinct(_stacked(words))
    return number, first[:count].copy()


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
    """(tuples,) how many rows each distinct tuple has, in no order: for tuples that hardly repeat, where numbering them costs more."""
    if len(words) == 1:
        return np.asarray(_multiplicities(words[0]), np.int64)
    return np.bincount(distinct(words)[0])


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
    size = 1 << 16
    table = np.full(size, -1, np.int32)
    keys = np.empty(
        size, np.uint64
    )  # beside the table, so that most rows are told apart without looking back at others
    number = np.empty(rows, np.int32)
    first = np.empty(rows, np.int64)
    count = 0
    for i in range(rows):
        if 2 * count >= size:  # more room, all put in anew
            size *= 4
            table = np.full(size, -1, np.int32)
            keys = np.empty(size, np.uint64)
            for t in range(count):
                key = _mixed(words, first[t])
                at = _slot(key, size)
                while table[at] >= 0:
                    at = (at + 1) & (size - 1)
                table[at], keys[at] = t, key
        key = _mixed(words, i)
        at = _slot(key, size)
        while table[at] >= 0 and not (keys[at] == key and _equal(words, first[table[at]], i)):
            at = (at + 1) & (size - 1)
        if table[at] < 0:
            table[at], keys[at] = count, key
            first[count] = i
            count += 1
        number[i] = table[at]
    return number, first, count


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


@njit(cache=True, nogil=True)
def _multiplicities(words):
    """Words are first dealt out by their hashes to parts that fit the processor's cache, then counted part by part."""
    bounds = np.zeros(_PARTS + 1, np.int64)
    for word in words:
        bounds[_part(word) + 1] += 1
    most = 0
    for p in range(_PARTS):
        most = max(most, bounds[p + 1])
        bounds[p + 1] += bounds[p]
    at = bounds[:_PARTS].copy()
    dealt = np.empty(len(words), np.int64)
    for word in words:
        p = _part(word)
        dealt[at[p]] = word
        at[p] += 1
    size = 16
    while size < 2 * most:
        size *= 2
    table, keys = np.empty(size, np.int32), np.empty(size, np.int64)
    sizes = np.empty(len(words), np.int64)
    count = 0
    for p in range(_PARTS):
        size = 16
        while size < 2 * (bounds[p + 1] - bounds[p]):
            size *= 2
        table[:size] = -1
        for word in dealt[bounds[p] : bounds[p + 1]]:
            slot = np.int64((np.uint64(word) * _MULTIPLIER) >> np.uint64(24)) & (size - 1)
            while table[slot] >= 0 and keys[slot] != word:
                slot = (slot + 1) & (size - 1)
            if table[slot] < 0:
                table[slot], keys[slot] = count, word
                sizes[count] = 0
                count += 1
            sizes[table[slot]] += 1
    return sizes[:count].copy()


@njit(cache=True, nogil=True)
def _part(word):
    return np.int64((np.uint64(word) * _MULTIPLIER) >> np.uint64(54))
