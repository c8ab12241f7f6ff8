"""The order in which safe rows are written: by what is published of them, and at random where that is the same.

The source's order would tell, and so would the order of classes: where two classes carry the same labels, which of them
comes first would say which lies lower. So rows are sorted by their labels and nothing else, and rows with the same labels
stand in an order that only a key knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from numba import njit

from privacy.subjects.grouping import packed

_BLOCK = 1 << 20  # random numbers at a time


@dataclass(frozen=True, kw_only=True)
class Order:
    """rows: numbers of the rows that go out, in their order. bounds: (groups + 1,) where each group of rows with the same
    labels begins. classes: (groups,) one class of each group, for its labels."""

    rows: npt.NDArray[np.int32]
    bounds: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]


def by_labels(
    class_of_row: npt.NDArray[np.int32], labels: Sequence[tuple[pa.Array, npt.NDArray[np.int32]]], key: bytes
) -> Order:
    """The order of the rows whose class isn't -1. labels: for each published column its names and each class's name
    among them. key: 32 bytes, of one table of one source; with a lasting key a row would keep its place from release to
    release."""
    count = len(labels[0][1]) if labels else int(class_of_row.max(initial=-1)) + 1
    ranked = [(_ranks(names)[of_class], len(names)) for names, of_class in labels]
    words = packed([each for each, _ in ranked], [size for _, size in ranked]) or [np.zeros(count, np.int64)]
    sorted_at = np.lexsort(words[::-1])
    apart = np.zeros(count, np.bool_)
    for word in words:
        apart[1:] |= np.diff(word[sorted_at]) != 0
    group = np.empty(count, np.int64)
    group[sorted_at] = np.cumsum(apart)
    groups = int(apart.sum()) + 1 if count else 0
    rows, bounds = _counting_sort(class_of_row, group, groups)
    _shuffle(rows, bounds, key)
    classes = np.empty(groups, np.int64)
    classes[group] = np.arange(count)
    return Order(rows=rows, bounds=bounds, classes=classes)


def shuffled(rows: int, key: bytes) -> npt.NDArray[np.int64]:
    """All rows in an order that only the key knows."""
    order = np.arange(rows, dtype=np.int32)
    _shuffle(order, np.array([0, rows], np.int64), key)
    return order.astype(np.int64)


def _ranks(names: pa.Array) -> npt.NDArray[np.int64]:
    ranks = np.empty(len(names), np.int64)
    ranks[pc.sort_indices(names).to_numpy()] = np.arange(len(names))
    return ranks


def _shuffle(rows: npt.NDArray[np.int32], bounds: npt.NDArray[np.int64], key: bytes) -> None:
    """Shuffles each group in place (Fisher and Yates), by the key's stream of random numbers."""
    stream = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()
    group = 0
    at = int(bounds[1]) - 1 if len(bounds) > 1 else -1
    for _ in range(0, max(1, len(rows)), _BLOCK):
        numbers = np.frombuffer(stream.update(bytes(8 * min(_BLOCK, len(rows)))), np.uint64)
        group, at = _swap(rows, bounds, numbers, group, at)


@njit(cache=True, nogil=True)
def _swap(rows, bounds, numbers, group, at):
    """Goes on with the shuffle, one swap a number: `at` runs down each group. Returns where it stopped."""
    for number in numbers:
        while group < len(bounds) - 1 and at <= bounds[group]:
            group += 1
            if group < len(bounds) - 1:
                at = bounds[group + 1] - 1
        if group >= len(bounds) - 1:
            break
        room = np.uint64(at - bounds[group] + 1)
        # The high half of a 64 by 32 bit product: even to one part in 2**32 for groups of any size that fit.
        other = bounds[group] + np.int64(((number >> np.uint64(32)) * room) >> np.uint64(32))
        rows[at], rows[other] = rows[other], rows[at]
        at -= 1
    return group, at


@njit(cache=True, nogil=True)
def _counting_sort(class_of_row, group_of_class, groups):
    bounds = np.zeros(groups + 1, np.int64)
    for c in class_of_row:
        if c >= 0:
            bounds[group_of_class[c] + 1] += 1
    for g in range(groups):
        bounds[g + 1] += bounds[g]
    at = bounds[:groups].copy()
    rows = np.empty(bounds[groups], np.int32)
    for i in range(len(class_of_row)):
        if class_of_row[i] >= 0:
            g = group_of_class[class_of_row[i]]
            rows[at[g]] = i
            at[g] += 1
    return rows, bounds
