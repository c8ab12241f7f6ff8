"""Words of 64 bits as sets: which member is the lowest. Compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

# Where the lowest bit of a word is: the top six bits of its product with a de Bruijn number tell all 64 apart.
# Source: Leiserson, Prokop, Randall 1998.
_DE_BRUIJN = 0x03F79D71B4CB0A89
_PLACES = np.zeros(64, np.int64)
_PLACES[[((1 << at) * _DE_BRUIJN & (1 << 64) - 1) >> 58 for at in range(64)]] = np.arange(64)
_FACTOR, _TOP = np.uint64(_DE_BRUIJN), np.uint64(58)
_ONE = np.uint64(1)


@njit(cache=True, nogil=True)
def lowest(word):
    """The place of the lowest bit that is set, 0 to 63. word: np.uint64, not 0."""
    return _PLACES[((word & (~word + _ONE)) * _FACTOR) >> _TOP]
