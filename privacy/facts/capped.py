"""Which rows of a unit stay where a contract says how many at most: a secret draw that the rows' order has no part in.

Each row gets a tag from what stands in it, under a key, and those with the lowest tags stay. Nobody without the key can
tell which stay, nor choose what to write so that it does. The key is the contract's and lasts: two releases over the same
facts keep the same ones, else their union would hold more than the contract allows.

A tag is a CBC-MAC (AES-256) over one block a column; all rows have as many blocks, which is what makes it a pseudorandom
function. Source: Bellare, Kilian, Rogaway 2000.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from privacy.transforms.pseudonym import pseudonymize

KEY_BYTES = 64
_CHUNK = 1 << 20
_Blocks = npt.NDArray[np.uint64]
Coded = tuple[pa.Array, npt.NDArray[Any]]  # distinct values, and each row's place among them, -1 for NULL


def capped(
    holder_of_row: npt.NDArray[np.int64], columns: Sequence[Coded], most: int, *, key: bytes
) -> npt.NDArray[np.bool_]:
    """(rows,) whether a row stays, `most` at most of each holder. columns: all that tells rows apart. key: KEY_BYTES."""
    stays = np.ones(len(holder_of_row), np.bool_)
    key, of_texts = key[:32], key[32:]  # one key does one thing
    _, holder, counts = np.unique(holder_of_row, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(counts[holder] > most)
    if not len(rows):
        return stays
    holders = holder[rows]
    tags = _tags([(_words(values, of_texts), codes[rows]) for values, codes in columns], len(rows), key)
    order = np.lexsort((tags[:, 1], tags[:, 0], holders))
    begins = _begins(holders[order], tags[order, 0], tags[order, 1])
    times = np.arange(len(order)) - np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
    if times.any():
        # Rows alike in everything would all stay or all go; the first of them, the second and so on have tags of their own.
        tags[order, 1] ^= times.astype(np.uint64)
        tags = _encrypted(tags, key)
        order = np.lexsort((tags[:, 1], tags[:, 0], holders))
    firsts = np.where(_begins(holders[order]), np.arange(len(order)), 0)
    place = np.arange(len(order)) - np.maximum.accumulate(firsts)
    stays[rows[order[place >= most]]] = False
    return stays


def _words(values: pa.Array, key: bytes) -> _Blocks:
    """(values + 1, 2) a block for each distinct value, by the value and not by its place; the last is NULL's."""
    blocks = np.zeros((len(values) + 1, 2), np.uint64)
    blocks[-1, 1] = 1
    kind = values.type
    if pa.types.is_floating(kind):
        blocks[:-1, 0] = (values.cast(pa.float64()).to_numpy(zero_copy_only=False) + 0.0).view(np.uint64)
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_timestamp(kind):
        blocks[:-1, 0] = values.cast(pa.int64()).to_numpy(zero_copy_only=False).view(np.uint64)
    elif pa.types.is_date32(kind):
        days = values.cast(pa.int32()).cast(pa.int64())
        blocks[:-1, 0] = days.to_numpy(zero_copy_only=False).view(np.uint64)
    elif len(values):
        names = pseudonymize(values, key)
        blocks[:-1, 0] = np.frombuffer(b"".join(name[:8] for name in names.to_pylist()), np.uint64)
    return blocks


def _tags(columns: Sequence[tuple[_Blocks, npt.NDArray[Any]]], rows: int, key: bytes) -> _Blocks:
    """(rows, 2) the tag of each row."""
    tags = np.zeros((rows, 2), np.uint64)
    for start in range(0, rows, _CHUNK):
        part = tags[start : start + _CHUNK]
        for words, codes in columns:
            part ^= words[codes[start : start + _CHUNK]]
            part[:] = _encrypted(part, key)
    return tags


def _encrypted(blocks: _Blocks, key: bytes) -> _Blocks:
    # Each block is a row's own: alike rows shall have alike tags, so no mode that chains rows will do.
    done = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(np.ascontiguousarray(blocks).tobytes())
    return np.frombuffer(done, np.uint64).reshape(-1, 2).copy()


def _begins(*sorted_columns: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where a row differs from the one before it."""
    begins = np.zeros(len(sorted_columns[0]), np.bool_)
    begins[:1] = True
    for column in sorted_columns:
        begins[1:] |= column[1:] != column[:-1]
    return begins
