"""Keyed pseudonyms: HMAC-SHA256 truncated to 128 bits, computed once for each distinct value.

The same value under the same contract and column always gets the same pseudonym; under another contract or another
column an unrelated one. Never `sha256(key || value)` (length extension, and guessable when the key leaks through SQL).
Source: RFC 2104; NIST SP 800-107r1, 5.1 on truncation.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import pyarrow as pa

PSEUDONYM_BYTES = 16
_BLOCK = 64  # SHA-256's block size in bytes, RFC 2104's B


def pseudonymize(values: pa.ChunkedArray | pa.Array, key: bytes) -> pa.Array:
    """Pseudonyms of `values` as fixed_size_binary(16), in the same order; NULL stays NULL.

    key: 32 bytes, of one contract and column. Integers of any width with the same value get the same pseudonym.
    """
    if len(key) != hashlib.sha256().digest_size:
        raise ValueError("a pseudonym key has 32 bytes")
    inner, outer = (hashlib.sha256(bytes(b ^ pad for b in key.ljust(_BLOCK, b"\0"))) for pad in (0x36, 0x5C))

    def mac(message: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(message)
        second.update(first.digest())
        return second.digest()[:PSEUDONYM_BYTES]

    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(whole, pa.ChunkedArray):  # an empty chunked array stays chunked
        whole = pa.array([], whole.type)
    encoded = whole.dictionary_encode()
    pseudonyms = pa.array(
        [None if value is None else mac(_message(value)) for value in encoded.dictionary.to_pylist()],
        pa.binary(PSEUDONYM_BYTES),
    )
    return pseudonyms.take(encoded.indices)


def _message(value: Any) -> bytes:
    """One unambiguous byte string for a value: its type's letter and its text."""
    if isinstance(value, bytes):
        return b"b:" + value
    if isinstance(value, bool):
        return b"t:" + str(value).encode()
    if isinstance(value, int):
        return b"i:" + str(value).encode()
    if isinstance(value, float):
        return b"f:" + value.hex().encode()
    if isinstance(value, Decimal):
        return b"n:" + format(value.normalize(), "f").encode()
    if isinstance(value, str):
        return b"s:" + value.encode()
    return b"d:" + str(value.isoformat()).encode()
