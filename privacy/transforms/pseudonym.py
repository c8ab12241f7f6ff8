"""Keyed pseudonyms: HMAC-SHA256 truncated to 128 bits, computed once for each distinct value.

The same value under the same contract and column always gets the same pseudonym; under another contract or another
column an unrelated one. Never `sha256(key || value)` (length extension, and guessable when the key leaks through SQL).
Source: RFC 2104; NIST SP 800-107r1, 5.1 on truncation.
"""

from __future__ import annotations

import pyarrow as pa

from privacy.transforms.distinct import once_each
from privacy.transforms.macs import macs

PSEUDONYM_BYTES = 16


def pseudonymize(values: pa.ChunkedArray | pa.Array, key: bytes) -> pa.Array:
    """Pseudonyms of `values` as fixed_size_binary(16), in the same order; NULL stays NULL.

    key: 32 bytes, of one contract and column. Integers of any width with the same value get the same pseudonym.
    """
    distinct, indices = once_each(values)
    made = macs(distinct, key, width=PSEUDONYM_BYTES)
    there = distinct.is_valid().to_numpy(zero_copy_only=False)
    valid = None if there.all() else pa.array(there).buffers()[1]
    pseudonyms = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(PSEUDONYM_BYTES), len(made), [valid, pa.py_buffer(made)]
    )
    return pseudonyms if indices is None else pseudonyms.take(indices)
