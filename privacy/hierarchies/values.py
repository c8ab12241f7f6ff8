"""The values of one column as the hierarchies see them: one plain array, exact numbers, places on a line."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import PrivacyError
from privacy.hierarchies.labels import EXACT

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
SAFE = 1 << 62  # sums and differences of two such numbers stay within 64 bits
_WORD_DIGITS = 18  # decimal digits that always fit 64 bits


def plain(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The values as one array that is neither chunked nor a dictionary's."""
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if isinstance(values, pa.ChunkedArray):
        chunks = [plain(chunk) for chunk in values.chunks]
        return pa.concat_arrays(chunks) if chunks else pa.array([], kind)
    return values if values.type == kind else values.cast(kind)


def is_number(kind: pa.DataType) -> bool:
    """Whether values of this type are numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def is_day(kind: pa.DataType) -> bool:
    """Whether values of this type are days, or moments that have one."""
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def is_text(kind: pa.DataType) -> bool:
    """Whether values of this type are texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def ordered(values: pa.Array) -> pa.Array:
    """Values without NULL in their own order; texts by code points, False before True."""
    sortable = values.cast(pa.int8()) if pa.types.is_boolean(values.type) else values
    return values.take(pc.sort_indices(sortable))


def finite(values: pa.Array, *, column: str) -> pa.Array:
    """The values themselves. Raises PrivacyError where some of them are not a number, or endless."""
    if pa.types.is_floating(values.type):
        strange = len(values) - (pc.sum(pc.is_finite(values)).as_py() or 0)
        if strange:
            raise PrivacyError(
                f"{strange} values of `{column}` are no finite numbers, so they have no place in its hierarchy.",
                remedy="Let a quality rule of the contract set their rows aside, or send NULL for them.",
                column=column,
                strange=strange,
            )
    return values


def readable(values: pa.Array) -> list[Any]:
    """The values as Python has them; moments to the microsecond."""
    if pa.types.is_timestamp(values.type) and values.type.unit == "ns":
        values = values.cast(pa.timestamp("us", tz=values.type.tz), safe=False)
    return list(values.to_pylist())


def places(values: pa.Array) -> Floats:
    """Where each value stands on a line, (n,): numbers by themselves, days and moments in days, others by rank."""
    if is_number(values.type):
        found = values.cast(pa.float64(), safe=False)
    elif pa.types.is_date(values.type):
        return days(values).astype(np.float64)
    elif pa.types.is_timestamp(values.type):
        found = pc.divide(
            values.cast(pa.int64()).cast(pa.float64(), safe=False), float(DAY[values.type.unit])
        )
    else:
        return np.arange(len(values), dtype=np.float64)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.float64)


def days(values: pa.Array) -> Ints:
    """The day of each value, (n,), counted from 1970-01-01; moments with a zone by their day there."""
    kind = values.type
    if pa.types.is_date(kind):
        return np.asarray(values.cast(pa.date32()).cast(pa.int32()).to_numpy(zero_copy_only=False), np.int64)
    local = pc.local_timestamp(values) if kind.tz else values
    moments = np.asarray(local.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
    return np.asarray(moments // DAY[kind.unit], np.int64)


def unscaled(values: pa.Array) -> tuple[npt.NDArray[Any], int]:
    """Integers or decimals as exact whole numbers (n,), and the power of ten that they are counted in: 10 ** -scale.

    int64 where all of them are within `SAFE`, else Python's integers.
    """
    kind = values.type
    if pa.types.is_integer(kind):
        numbers = values.to_numpy(zero_copy_only=False)
        return _narrow(numbers if numbers.dtype != np.uint64 else numbers.astype(object)), 0
    scale = kind.scale
    if pa.types.is_decimal128(kind):
        # 16 bytes a value, little-endian: the low word is the number where the high word only repeats its sign.
        begin = 2 * values.offset
        words = np.frombuffer(values.buffers()[1], "<i8")[begin : begin + 2 * len(values)].reshape(-1, 2)
        if kind.precision <= _WORD_DIGITS or bool((words[:, 0] >> 63 == words[:, 1]).all()):
            return _narrow(words[:, 0]), scale
    numbers = np.empty(len(values), object)
    numbers[:] = [int(value.scaleb(scale, EXACT)) for value in values.to_pylist()]
    return _narrow(numbers), scale


def _narrow(numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """As int64 where all are within `SAFE`."""
    if not len(numbers) or (int(numbers.min()) > -SAFE and int(numbers.max()) < SAFE):
        return numbers.astype(np.int64)
    return numbers.astype(object)


def decimal(value: Any) -> Decimal:
    """A number as it is written: a float by its shortest text, so that 0.3 is 0.3."""
    return value if isinstance(value, Decimal) else Decimal(str(value))
