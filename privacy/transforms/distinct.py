"""Each value of a column once, so that what costs much is done once for it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_SAMPLE = 1 << 14  # rows that are looked at
_RARE = 0.05  # repeats of a value


def once_each(values: pa.ChunkedArray | pa.Array) -> tuple[pa.Array, pa.Array | None]:
    """The values, each once as far as that is worth it, and where each row's stands among them; None: in their order.

    A NULL stands among the values, or among the places.
    """
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(whole, pa.ChunkedArray):  # an empty chunked array stays chunked
        whole = pa.array([], whole.type)
    if not pa.types.is_dictionary(whole.type):
        if _mostly_distinct(whole):
            return whole, None
        whole = whole.dictionary_encode()
    return whole.dictionary, whole.indices


def _mostly_distinct(values: pa.Array) -> bool:
    """Whether looking for repeated values would cost more than it saves: a value is there 1.05 times at most, by a sample.

    If each value is there r times among n rows, a pair of rows is equal with a chance of (r - 1) / n.
    """
    rows = len(values)
    if rows < 4 * _SAMPLE:
        return False
    at = np.random.default_rng(0).choice(rows, _SAMPLE, replace=False, shuffle=False)
    equal = _SAMPLE - len(values.take(pa.array(at)).unique())
    return bool(equal * rows <= _RARE * _SAMPLE**2 / 2)
