"""Values as bytes that are the same wherever the value is: what pseudonyms and tokens are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Context
from typing import Any

import pyarrow as pa

# Pseudonyms of decimals hold 28 digits, and must stay what they are: longer ones that round alike are one person.
_DIGITS = Context(prec=28)


def messages(
    values: pa.Array, at_once: int, *, digits: Context = _DIGITS
) -> tuple[bytes, Iterator[list[bytes]]]:
    """One unambiguous byte string for each value: its type's letter, the same for all, and then its text.

    at_once: how many texts come together. The text of NULL is empty. digits: how many a decimal keeps.
    """
    letter, text = _form(values.type, digits)
    return letter, (text(values[at : at + at_once]) for at in range(0, len(values), at_once))


def _form(kind: pa.DataType, digits: Context) -> tuple[bytes, Callable[[pa.Array], list[bytes]]]:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return b"s:", _texts
    if pa.types.is_integer(kind):
        return b"i:", lambda values: _texts(values.cast(pa.string()))
    if (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    ):
        return b"b:", lambda values: values.fill_null(bytes(_width(kind))).to_pylist()
    if pa.types.is_boolean(kind):
        return b"t:", lambda values: [str(value).encode() for value in values.to_pylist()]
    if pa.types.is_floating(kind):
        return b"f:", lambda values: _each(values, lambda value: value.hex())
    if pa.types.is_decimal(kind):
        return b"n:", lambda values: _each(values, lambda value: format(value.normalize(digits), "f"))
    return b"d:", lambda values: _each(values, lambda value: str(value.isoformat()))


def _texts(values: pa.Array) -> list[bytes]:
    return list(values.cast(pa.large_binary()).fill_null(b"").to_pylist())


def _each(values: pa.Array, text: Callable[[Any], str]) -> list[bytes]:
    return [b"" if value is None else text(value).encode() for value in values.to_pylist()]


def _width(kind: pa.DataType) -> int:
    return int(kind.byte_width) if pa.types.is_fixed_size_binary(kind) else 0
