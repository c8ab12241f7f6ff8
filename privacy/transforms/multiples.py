"""Numbers as whole multiples of a step: the nearest one, and back without a digit more than the step has."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.errors import PrivacyError
from privacy.hierarchies.labels import EXACT
from privacy.hierarchies.values import SAFE, decimal, unscaled

_EXACT_FLOAT = 1 << 53
_CLOSE = 16  # roundings from a half, within which a float is looked at digit by digit
_EXACT_POWER = 22  # powers of ten up to it are floats themselves

Counts = npt.NDArray[Any]


def step_digits(step: Decimal) -> int:
    """How many decimal digits multiples of the step have. Raises ValueError where the step isn't over 0."""
    if not (step.is_finite() and step > 0):
        raise ValueError("a step is over 0")
    exponent = step.normalize(EXACT).as_tuple().exponent
    assert isinstance(exponent, int)  # it's finite
    return max(0, -exponent)


def nearest(values: pa.Array, step: Decimal) -> Counts:
    """How many steps each value is, (n,) int64 or Python's integers, halves to even. values: finite, without NULL.

    Integers and decimals exactly; a float is the number that its shortest text says, so that 0.15 is a half of 0.1.
    """
    digits = step_digits(step)
    if pa.types.is_floating(values.type):
        return _of_floats(values.to_numpy(zero_copy_only=False), step)
    numbers, scale = unscaled(values)
    digits = max(digits, scale)
    factor, width = 10 ** (digits - scale), int(step.scaleb(digits, EXACT))
    largest = max(abs(int(numbers.min())), abs(int(numbers.max()))) if len(numbers) else 0
    if largest * factor >= SAFE // 2 or width >= SAFE // 2:
        numbers = numbers.astype(object)
    numbers = numbers * factor
    counts = numbers // width
    twice = 2 * (numbers - counts * width)
    up = (twice > width) | ((twice == width) & (counts % 2 == 1))
    return np.asarray(counts + up)


def _of_floats(values: npt.NDArray[Any], step: Decimal) -> Counts:
    places = values.astype(np.float64) / float(step)
    counts = np.rint(places)
    half = np.abs(np.abs(places - np.floor(places)) - 0.5)
    close = half <= _CLOSE * np.finfo(values.dtype).eps * np.maximum(1.0, np.abs(places))
    large = bool((np.abs(places) >= _EXACT_FLOAT).any())
    found: Counts = counts.astype(object if large else np.int64)
    ties, at = np.unique(values[close | large], return_inverse=True)
    exact = [
        int(EXACT.divide(decimal(value), step).to_integral_value(ROUND_HALF_EVEN, EXACT)) for value in ties
    ]
    found[close | large] = np.array(exact, found.dtype)[at] if len(exact) else 0
    return found


def multiples(counts: Counts, step: Decimal, kind: pa.DataType, missing: npt.NDArray[np.bool_]) -> pa.Array:
    """`counts` times `step` as an array of a number type; NULL where `missing`.

    Raises PrivacyError where the type can't hold them: beyond its range, or with more digits than it has.
    """
    digits = step_digits(step)
    width = int(step.scaleb(digits, EXACT))
    if len(counts) and max(abs(int(counts.min())), abs(int(counts.max()))) * width >= SAFE:
        counts = counts.astype(object)
    numbers = counts * width
    try:
        if pa.types.is_floating(kind):
            return pa.array(_floats(numbers, digits), pa.float64(), mask=missing).cast(kind)
        if pa.types.is_decimal(kind):
            return _decimals(numbers, digits, kind, missing)
        if digits:
            raise pa.ArrowInvalid("digits")
        return pa.array(numbers, mask=missing).cast(kind) if len(numbers) else pa.array([], kind)
    except (pa.ArrowInvalid, OverflowError):
        raise PrivacyError(
            f"Multiples of the step don't fit the column's type ({kind}).",
            remedy="Choose a step with no more digits than the type has, or a wider type.",
        ) from None


def _floats(numbers: Counts, digits: int) -> npt.NDArray[np.float64]:
    """Whole numbers of 10 ** -digits as the floats next to them: one division of two exact floats rounds once."""
    if numbers.dtype != object and digits <= _EXACT_POWER and bool((np.abs(numbers) < _EXACT_FLOAT).all()):
        return np.asarray(numbers / 10.0**digits, np.float64)
    return np.array([int(number) / 10**digits for number in numbers.tolist()], np.float64)


def _decimals(numbers: Counts, digits: int, kind: pa.DataType, missing: npt.NDArray[np.bool_]) -> pa.Array:
    if digits > kind.scale:
        raise pa.ArrowInvalid("digits")
    numbers = numbers.astype(object) * 10 ** (kind.scale - digits)
    if len(numbers) and max(abs(int(numbers.min())), abs(int(numbers.max()))) >= 10**kind.precision:
        raise pa.ArrowInvalid("precision")
    if not pa.types.is_decimal128(kind):
        texts = [Decimal(number).scaleb(-kind.scale, EXACT) for number in numbers.tolist()]
        return pa.array(texts, kind, mask=missing) if texts else pa.array([], kind)
    words = np.empty((len(numbers), 2), "<i8")  # 16 bytes a value, little-endian, two's complement
    words[:, 1] = (numbers >> 64).astype(np.int64)
    words[:, 0] = (numbers & (2**64 - 1)).astype(np.uint64).view(np.int64)
    valid = pa.array(~missing).buffers()[1] if missing.any() else None
    return pa.Array.from_buffers(kind, len(numbers), [valid, pa.py_buffer(words)])
