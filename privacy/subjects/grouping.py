"""Rows to distinct tuples: a hash table over codes packed into a few 64-bit words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
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
        words[-1] *= cardinality + 1
        words[-1] += column
        words[-1] += 1
        width *= cardinality + 1
    return words


def distinct(
    words: Sequence[npt.NDArray[np.int64]],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """((rows,) number of each row's tuple, numbered as they come; (tuples,) the first row of each)."""
    rows = len(words[0]) if words else 0
    if rows == 0:
        return np.empty(0, np.int32), np.empty(0, np.int64)
    stacked = np.ascontiguousarray(np.stack(words, axis=1)) if len(words) > 1 else words[0].reshape(-1, 1)
    number, first, count = _distinct(stacked)
    return number, first[:count].copy()


def mostly_distinct(words: Sequence[npt.NDArray[np.int64]]) -> bool:
    """Whether tuples hardly repeat, judged by all rows of one tuple in sixteen: a plain sample of rows would hold few
    tuples twice, however often each comes."""
    rows = len(words[0]) if words else 0
    if rows < _FEW:
        return False
    mixed = np.zeros(rows, np.uint64)
    for word in words:
        mixed ^= word.view(np.uint64)
        mixed *= _MULTIPLIER
    chosen = np.flatnonzero((mixed >> np.uint64(60)) == 0)
    return bool(len(chosen) and len(distinct([word[chosen] for word in words])[1]) > _MOSTLY * len(chosen))


@njit(cache=True, nogil=True)
def _distinct(words):
    rows, width = words.shape
    size = 1 << 16
    table = np.full(size, -1, np.int32)
    number = np.empty(rows, np.int32)
    first = np.empty(rows, np.int64)
    count = 0
    for i in range(rows):
        if 2 * count >= size:  # twice the room, all put in anew
            size *= 4
            table = np.full(size, -1, np.int32)
            for t in range(count):
                at = _slot(words, first[t], size)
                while table[at] >= 0:
                    at = (at + 1) & (size - 1)
                table[at] = t
        at = _slot(words, i, size)
        while True:
            t = table[at]
            if t < 0:
                table[at] = count
                first[count] = i
                number[i] = count
                count += 1
                break
            same = True
            for w in range(width):
                same = same and words[first[t], w] == words[i, w]
            if same:
                number[i] = t
                break
            at = (at + 1) & (size - 1)
    return number, first, count


@njit(cache=True, nogil=True)
def _slot(words, i, size):
    mixed = np.uint64(0)
    for w in range(words.shape[1]):
        mixed = (mixed ^ np.uint64(words[i, w])) * _MULTIPLIER
        mixed ^= mixed >> np.uint64(29)
    return np.int64(mixed >> np.uint64(20)) & (size - 1)
