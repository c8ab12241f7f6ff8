"""Numbers made coarser in their own type, and texts taken out: rounding, top and bottom coding, redaction."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import PrivacyError
from privacy.hierarchies.labels import EXACT
from privacy.hierarchies.values import is_number, plain
from privacy.transforms.multiples import multiples, nearest

REDACTED = "(redacted)"


def rounded(values: pa.ChunkedArray | pa.Array, step: Decimal) -> pa.Array:
    """The multiple of `step` nearest to each number, halves to the even one, in the same type; NULL stays NULL.

    Integers and decimals exactly. A float is taken as the number that its shortest text says, and becomes the float next
    to the exact multiple: no bit of what it was is left. What isn't finite stays. Raises PrivacyError where values are no
    numbers, or where the type can't hold a multiple.
    """
    values = _numbers(values, "round")
    there = _finite(values)
    counts = nearest(values.filter(pa.array(there)), step)
    whole = np.zeros(len(values), counts.dtype)
    whole[there] = counts
    missing = values.is_null().to_numpy(zero_copy_only=False)
    made = multiples(whole, step, values.type, missing)
    return made if (there | missing).all() else pc.if_else(pa.array(there | missing), made, values)


def clamped(values: pa.ChunkedArray | pa.Array, low: Decimal | None, high: Decimal | None) -> pa.Array:
    """Each number below `low` as `low`, each above `high` as `high`, in the same type; NULL stays NULL.

    A bound that the type can't hold goes inwards to the next number that it can. Raises PrivacyError where values are no
    numbers, or where no number of the type lies between the bounds.
    """
    values = _numbers(values, "clamp")
    if low is not None and high is not None and low > high:
        raise ValueError("the low bound lies over the high one")
    bottom = None if low is None else _bound(low, values.type, ROUND_CEILING)
    top = None if high is None else _bound(high, values.type, ROUND_FLOOR)
    if bottom is not None and top is not None and bottom.as_py() > top.as_py():
        raise _unheld(values.type)
    if bottom is not None:
        values = pc.if_else(pc.less(values, bottom), bottom, values)
    if top is not None:
        values = pc.if_else(pc.greater(values, top), top, values)
    return values


def redacted(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    """`(redacted)` for each value that is there, whatever it is; NULL stays NULL."""
    there = plain(values).is_valid()
    return pc.if_else(there, pa.scalar(REDACTED), pa.scalar(None, pa.string()))


def _numbers(values: pa.ChunkedArray | pa.Array, transform: str) -> pa.Array:
    values = plain(values)
    if not is_number(values.type):
        raise PrivacyError(
            f"Values of type {values.type} are no numbers.",
            remedy=f"Take `{transform}` from the column, or give it the type integer or number.",
        )
    return values


def _finite(values: pa.Array) -> Any:
    there = pc.is_finite(values).fill_null(False) if pa.types.is_floating(values.type) else values.is_valid()
    return there.to_numpy(zero_copy_only=False)


def _bound(bound: Decimal, kind: pa.DataType, inwards: str) -> pa.Scalar | None:
    """The bound as a value of the type; None where all of the type's values lie within it."""
    if pa.types.is_floating(kind):
        return pa.scalar(float(bound), pa.float64()).cast(kind)
    scale = 0 if pa.types.is_integer(kind) else kind.scale
    number = int(bound.scaleb(scale, EXACT).to_integral_value(inwards, EXACT))
    least, most = _range(kind)
    if least <= number <= most:
        return pa.scalar(Decimal(number).scaleb(-scale, EXACT) if pa.types.is_decimal(kind) else number, kind)
    if (number < least) == (inwards == ROUND_CEILING):
        return None
    raise _unheld(kind)


def _range(kind: pa.DataType) -> tuple[int, int]:
    """The least and the greatest number of the type, in its smallest unit."""
    if pa.types.is_decimal(kind):
        return 1 - 10**kind.precision, 10**kind.precision - 1
    limits = np.iinfo(kind.to_pandas_dtype())
    return int(limits.min), int(limits.max)


def _unheld(kind: pa.DataType) -> PrivacyError:
    return PrivacyError(
        f"No value of the column's type ({kind}) lies within the bounds of `clamp`.",
        remedy="Choose bounds that the type can hold.",
    )
