"""Names and values as keyed 64-bit numbers: equal texts have equal numbers in every release of a hall, and without the key
they tell nothing. SipHash-2-4 over Arrow's own buffers.

A number that merely looks like the database's own hash wouldn't do: the numbers are kept from release to release, over years
and versions of every library. Source: Aumasson and Bernstein 2012, with their test vectors in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

KEY_BYTES = 16

Numbers = npt.NDArray[np.int64]


def numbers(values: pa.Array | pa.ChunkedArray, key: bytes) -> Numbers:
    """(n,) the number of each value, 0 for NULL. key: 16 bytes.

    Values of any type but text are taken as their text, so that 7 and "7" are one. Of two texts that differ, the odds to
    share a number are 1 in 2**64; whoever shares one counts as one person, which errs on the safe side.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes")
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_dictionary(whole.type):
        each = np.append(numbers(whole.dictionary, key), 0)
        return np.asarray(each[whole.indices.fill_null(-1).to_numpy(zero_copy_only=False)], np.int64)
    if not len(whole):
        return np.zeros(0, np.int64)
    k0, k1 = np.frombuffer(key, "<u8")
    made: Numbers
    if pa.types.is_integer(whole.type) and whole.type != pa.uint64():
        known = whole.fill_null(0) if whole.null_count else whole
        made = _of_digits(known.cast(pa.int64()).to_numpy(zero_copy_only=False), k0, k1).view(np.int64)
    else:
        texts = pc.cast(whole, pa.large_string())
        _, ends, data = texts.buffers()
        offsets = np.frombuffer(ends, np.int64)[texts.offset : texts.offset + len(texts) + 1]
        octets = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
        made = _of_texts(octets, offsets, k0, k1).view(np.int64)
    if whole.null_count:
        made[whole.is_null().to_numpy(zero_copy_only=False)] = 0
    return made


def mixed_codes(codes: Sequence[npt.NDArray[Any]], tables: Sequence[Numbers]) -> npt.NDArray[np.uint64]:
    """(rows,) what `mixed` gives for the numbers behind several matrices of codes, (rows, columns) each, -1 for none. tables:
    (codes,) of each column the number of each code."""
    total = np.zeros(len(codes[0]), np.uint64)
    column = 0
    for matrix in codes:
        own = tables[column : column + matrix.shape[1]]
        column += matrix.shape[1]
        starts = np.cumsum([0, *(len(table) for table in own)])[:-1].astype(np.int64)
        whole = np.concatenate([*own, np.zeros(1, np.int64)]).view(np.uint64)
        _mix(total, matrix, whole, starts)
    return total


def mixed(columns: list[npt.NDArray[Any]], rows: int) -> npt.NDArray[np.uint64]:
    """(rows,) one number for each row of several columns of numbers; the order of the columns counts."""
    total = np.zeros(rows, np.uint64)
    for column in columns:
        total ^= column.view(np.uint64) if column.dtype == np.int64 else column.astype(np.uint64)
        total *= np.uint64(0x9E3779B97F4A7C15)
        total ^= total >> np.uint64(29)
    return total


@njit(cache=True, nogil=True)
def _mix(total, codes, numbers, starts):
    multiplier, shift = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)
    for i in range(len(total)):
        whole = total[i]
        for j in range(codes.shape[1]):
            code = np.int64(codes[i, j])
            whole ^= numbers[starts[j] + code] if code >= 0 else np.uint64(0)
            whole *= multiplier
            whole ^= whole >> shift
        total[i] = whole


@njit(cache=True, nogil=True)
def _of_digits(values, k0, k1):
    """The numbers of whole numbers, each as its decimal text."""
    made, text = np.empty(len(values), np.uint64), np.empty(20, np.uint8)
    for i in range(len(values)):
        value, start = values[i], 20
        left = np.uint64(value) if value >= 0 else ~np.uint64(value) + np.uint64(1)
        while left > 0 or start == 20:
            start -= 1
            text[start] = 48 + left % np.uint64(10)
            left //= np.uint64(10)
        if value < 0:
            start -= 1
            text[start] = 45
        made[i] = _siphash(text, start, 20, k0, k1)
    return made


@njit(cache=True, nogil=True)
def _of_texts(octets, offsets, k0, k1):
    made = np.empty(len(offsets) - 1, np.uint64)
    for i in range(len(made)):
        made[i] = _siphash(octets, offsets[i], offsets[i + 1], k0, k1)
    return made


@njit(cache=True, nogil=True)
def _siphash(octets, start, end, k0, k1):
    v0 = k0 ^ np.uint64(0x736F6D6570736575)
    v1 = k1 ^ np.uint64(0x646F72616E646F6D)
    v2 = k0 ^ np.uint64(0x6C7967656E657261)
    v3 = k1 ^ np.uint64(0x7465646279746573)
    length = end - start
    whole = length // 8
    for word in range(whole + 1):
        m = np.uint64(0)
        here = 8 if word < whole else length - 8 * whole
        for b in range(here):
            m |= np.uint64(octets[start + 8 * word + b]) << np.uint64(8 * b)
        if word == whole:
            m |= np.uint64(length & 0xFF) << np.uint64(56)
        v3 ^= m
        for _ in range(2):
            v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= m
    v2 ^= np.uint64(0xFF)
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@njit(cache=True, nogil=True, inline="always")
def _round(v0, v1, v2, v3):
    v0 += v1
    v1 = ((v1 << np.uint64(13)) | (v1 >> np.uint64(51))) ^ v0
    v0 = (v0 << np.uint64(32)) | (v0 >> np.uint64(32))
    v2 += v3
    v3 = ((v3 << np.uint64(16)) | (v3 >> np.uint64(48))) ^ v2
    v0 += v3
    v3 = ((v3 << np.uint64(21)) | (v3 >> np.uint64(43))) ^ v0
    v2 += v1
    v1 = ((v1 << np.uint64(17)) | (v1 >> np.uint64(47))) ^ v2
    v2 = (v2 << np.uint64(32)) | (v2 >> np.uint64(32))
    return v0, v1, v2, v3
