"""Reversible tokens: AES-SIV under a key that two holders make together, so that neither alone can undo them.

    hall's key for this column  --\\
                                    HKDF-SHA256 --> 64 bytes --> AES-256-SIV, bound to contract and column
    second holder's key --------/

The hall derives its part from the contract's root key (`core.keys`, purpose "token"). The other part is made and kept by
the party that the contract names (`Treatment.holder`); it is passed in for one run, or for one opening that both agree to,
and is stored nowhere by the hall. How it comes is up to who calls.

A token is the same for the same value, so that it can be joined on: it is personal data, like a pseudonym, and how often
it stands in a column is seen. Texts are filled up to a multiple of 16 bytes, so that a token doesn't tell their length more
closely than that. Source: RFC 5297 (SIV), RFC 5869 (HKDF).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import PrivacyError
from privacy.hierarchies.labels import EXACT
from privacy.transforms.distinct import once_each
from privacy.transforms.messages import messages

HOLDER_KEY_BYTES = 32
TOKEN_KEY_BYTES = 64  # AES-256-SIV: one half authenticates, the other encrypts
Tokens = Mapping[str, Callable[[pa.Array], pa.Array]]  # by column, what makes tokens of its values
_FILL = 16
_END = b"\x80"  # ISO/IEC 7816-4: where the text ends and the filling begins
_AT_ONCE = 1 << 14


def two_holder_key(ours: bytes, theirs: bytes, *, contract: str, column: str) -> bytes:
    """The 64-byte key of one contract's column, which takes both holders' 32 bytes.

    Raises ValueError when one has another length, or when both are the same: then it's one holder's.
    """
    if len(ours) != HOLDER_KEY_BYTES or len(theirs) != HOLDER_KEY_BYTES:
        raise ValueError("each holder's key has 32 bytes")
    if ours == theirs:
        raise ValueError("two holders have two keys")
    parts = [part.encode() for part in ("sluice/1", "token", contract, column)]
    info = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return HKDF(algorithm=SHA256(), length=TOKEN_KEY_BYTES, salt=None, info=info).derive(ours + theirs)


def tokenize(values: pa.ChunkedArray | pa.Array, key: bytes, *, column_context: tuple[str, str]) -> pa.Array:
    """The tokens of `values` as binary, in the same order; NULL stays NULL.

    key: from `two_holder_key`. column_context: the contract's id and the column ("orders.buyer_id").
    """
    cipher, bound = _cipher(key), _bound(column_context)
    distinct, indices = once_each(values)
    letter, parts = messages(distinct, _AT_ONCE, digits=EXACT)
    made = [cipher.encrypt(_filled(letter + message), bound) for part in parts for message in part]
    missing = distinct.is_null().to_numpy(zero_copy_only=False)
    tokens = pa.array(made, pa.binary(), mask=missing)
    return tokens if indices is None else tokens.take(indices)


def detokenize(
    tokens: pa.ChunkedArray | pa.Array, key: bytes, *, column_context: tuple[str, str], kind: pa.DataType
) -> pa.Array:
    """The values that tokens were made of, in the same order. kind: the type that the column had.

    Raises PrivacyError when a token was changed, was made under other keys or for another column, or when it holds a value
    of another type.
    """
    cipher, bound = _cipher(key), _bound(column_context)
    distinct, indices = once_each(tokens)
    letter, read = _reader(kind)
    values: list[Any] = []
    for token in distinct.to_pylist():
        if token is None:
            values.append(None)
            continue
        try:
            text = cipher.decrypt(token, bound).rstrip(b"\0")
        except (InvalidTag, ValueError):
            raise _closed(column_context) from None
        if not text.startswith(letter) or not text.endswith(_END):
            raise _closed(column_context)
        try:
            values.append(read(text[len(letter) : -len(_END)]))
        except (ValueError, ArithmeticError):
            raise _closed(column_context) from None
    try:
        opened = pa.array(values, kind)
    except (pa.ArrowInvalid, OverflowError):
        raise _closed(column_context) from None
    return opened if indices is None else opened.take(indices)


def _cipher(key: bytes) -> AESSIV:
    if len(key) != TOKEN_KEY_BYTES:
        raise ValueError("a token key has 64 bytes, see two_holder_key")
    return AESSIV(key)


def _bound(column_context: tuple[str, str]) -> list[bytes]:
    """What a token is bound to; SIV keeps the parts apart by itself."""
    return [part.encode() for part in column_context]


def _filled(text: bytes) -> bytes:
    ended = text + _END
    return ended + bytes(-len(ended) % _FILL)


def _closed(column_context: tuple[str, str]) -> PrivacyError:
    contract, column = column_context
    return PrivacyError(
        f"A token of `{column}` in contract {contract} doesn't open.",
        remedy="It was changed, or belongs to other keys, another contract, column or type: ask both holders for theirs.",
        column=column,
    )


def _reader(kind: pa.DataType) -> tuple[bytes, Callable[[bytes], Any]]:
    """The letter that messages of this type begin with, and how their text is read."""
    letter, _ = messages(pa.array([], kind), 1)
    readers: dict[bytes, Callable[[bytes], Any]] = {
        b"s:": bytes.decode,
        b"i:": int,
        b"b:": bytes,
        b"t:": lambda text: text == b"True",
        b"f:": lambda text: float.fromhex(text.decode()),
        b"n:": lambda text: Decimal(text.decode()),
        b"d:": lambda text: (datetime if pa.types.is_timestamp(kind) else date).fromisoformat(text.decode()),
    }
    return letter, readers[letter]
