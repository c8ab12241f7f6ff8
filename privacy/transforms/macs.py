"""HMAC-SHA256 of each value of an array, in a loop that does nothing else. Source: RFC 2104."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from privacy.transforms.messages import messages

KEY_BYTES = DIGEST_BYTES = 32
_BLOCK = 64  # SHA-256's block size in bytes, RFC 2104's B
_AT_ONCE = 1 << 14  # values whose messages and digests stay in the processor's cache


def macs(
    values: pa.Array, key: bytes, *, width: int = DIGEST_BYTES, before: bytes = b""
) -> npt.NDArray[np.uint8]:
    """The HMAC of `before` and each value's message, its first `width` bytes, (n, width); that of NULL is of no use.

    key: 32 bytes. Raises ValueError for another length.
    """
    if len(key) != KEY_BYTES:
        raise ValueError("a key of HMACs has 32 bytes")
    letter, parts = messages(values, _AT_ONCE)
    inner, outer = (hashlib.sha256(bytes(b ^ pad for b in key.ljust(_BLOCK, b"\0"))) for pad in (0x36, 0x5C))
    # All messages of one type begin alike, so their beginning goes into the state that is copied for each.
    inner.update(before + letter)
    begin, end = inner.copy, outer.copy
    made = np.empty((len(values), width), np.uint8)
    start = 0
    for part in parts:
        digests = []
        for message in part:  # nothing else stands in here: it's the whole of the cost
            first, second = begin(), end()
            first.update(message)
            second.update(first.digest())
            digests.append(second.digest())
        rows = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES)
        made[start : start + len(rows)] = rows[:, :width]
        start += len(rows)
    return made
