"""Columns of facts as codes that depend on values alone: the same facts in another order have the same codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from privacy.subjects.encode import recoded
from privacy.subjects.grouping import packed

Coded = tuple[pa.Array, npt.NDArray[Any]]  # distinct values, and each row's place among them, -1 for NULL


def ranked(column: Coded) -> npt.NDArray[Any]:
    """(rows,) the rank of each row's value among the distinct ones, from 1; 0 for NULL."""
    values, codes = column
    sortable = values.cast(pa.int8()) if pa.types.is_boolean(values.type) else values
    ranks = np.empty(len(values), np.int64)
    if len(values):
        ranks[pc.sort_indices(sortable).to_numpy()] = np.arange(1, len(values) + 1)
    return recoded(codes, ranks, missing=0)


def together(columns: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.int32]:
    """(rows,) one code from 0 for each distinct tuple of codes, in the order of the tuples. columns: at least one."""
    words = packed(columns, [int(column.max(initial=0)) + 1 for column in columns])
    order = np.lexsort(words[::-1]) if len(words) > 1 else np.argsort(words[0])
    apart = np.zeros(len(order), np.bool_)
    for word in words:
        ordered = word[order]
        apart[1:] |= ordered[1:] != ordered[:-1]
    codes = np.empty(len(order), np.int32)
    codes[order] = np.cumsum(apart, dtype=np.int32)
    return codes
