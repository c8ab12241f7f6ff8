"""Dates moved by a secret number of days, the same for all dates of one unit.

What stays: the order of a unit's dates and the days between them. What goes: when it was, to within `days`, and how units
lie to each other. It doesn't hide dates that are told by their distances (a visit each 29 February), by what else is known
to have happened on a day, or by the weekday where weekends are seen; a table is still judged by its other limits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.errors import PrivacyError
from privacy.hierarchies.values import DAY, is_day, plain
from privacy.subjects.units import folded
from privacy.transforms.macs import macs

_FIRST, _LAST = -719_162, 2_932_896  # days of 0001-01-01 and 9999-12-31 from 1970-01-01
_MOST = _LAST - _FIRST


def shift_days(
    values: pa.ChunkedArray | pa.Array,
    units: npt.NDArray[np.integer[Any]],
    names: pa.ChunkedArray | pa.Array,
    *,
    key: bytes,
    days: int,
) -> pa.Array:
    """`values` (n,), days or moments, each moved by its unit's number of days; NULL stays NULL.

    units: (n,) places in `names`, the units' own names. key: 32 bytes of the contract, not of a column or a table, so that
    a unit's dates move alike in all of them. days: the farthest that a unit is moved either way. Moments move by whole 24
    hours, so a clock time may change by an hour where clocks are set forward.
    Raises PrivacyError where values are neither days nor moments, where a unit has no name, or where a moved value would
    leave the calendar (years 1 to 9999) or its type.
    """
    values = plain(values)
    kind = values.type
    if not is_day(kind):
        raise PrivacyError(
            f"Values of type {kind} are neither days nor moments, so they can't be shifted.",
            remedy="Take `shift` from the column, or give it the type date or timestamp.",
        )
    if len(units) != len(values):
        raise ValueError("one unit for each value")
    shifts = unit_shifts(names, key=key, days=days)[units]
    missing = values.is_null().to_numpy(zero_copy_only=False)
    narrow = pa.types.is_date32(kind)
    unit = 1 if narrow else DAY["ms"] if pa.types.is_date64(kind) else DAY[kind.unit]
    counts = values.cast(pa.int32() if narrow else pa.int64()).fill_null(0)
    before = counts.to_numpy(zero_copy_only=False).astype(np.int64)
    by = np.where(missing, 0, shifts * unit)
    after = before + by
    # An overflow shows in the sign: both summands have the one that the sum hasn't.
    strange = ((before ^ after) & (by ^ after)) < 0
    strange |= (after // unit < _FIRST) | (after // unit > _LAST)
    if strange.any():
        raise PrivacyError(
            f"{int(strange.sum())} dates would leave the calendar when they are shifted.",
            remedy="Let a quality rule of the contract set such dates aside, or ask for a smaller shift.",
            values=int(strange.sum()),
        )
    moved = pa.array(after.astype(np.int32) if narrow else after, mask=missing)
    return moved.cast(kind)


def unit_shifts(names: pa.ChunkedArray | pa.Array, *, key: bytes, days: int) -> npt.NDArray[np.int64]:
    """How far each unit is moved, (units,) days from -days to +days, each as likely as the other.

    Drawn from the HMAC of the unit's name: a 64-bit word of it that is below the largest multiple of 2 * days + 1, so that
    no number is likelier by a remainder. Spellings that count as one unit elsewhere are one here too.
    """
    if not 1 <= days <= _MOST:
        raise ValueError("days are at least 1 and within the calendar")
    units = plain(folded(plain(names)))
    if units.null_count:
        raise PrivacyError(
            f"{units.null_count} rows name no unit, so nobody can say how far their dates are shifted.",
            remedy="Make the unit's column required, and not empty, in the contract.",
        )
    width = 2 * days + 1
    limit = np.uint64(2**64 - 2**64 % width - 1)
    drawn = np.zeros(len(units), np.int64)
    left, attempt = np.arange(len(units)), 0
    while len(left):
        words = macs(units.take(pa.array(left)), key, before=f"shift {attempt} ".encode()).view(">u8")
        good = words <= limit
        word = words[np.arange(len(left)), good.argmax(axis=1)].astype(np.uint64)
        drawn[left] = (word % np.uint64(width)).astype(np.int64) - days
        left, attempt = left[~good.any(axis=1)], attempt + 1
    return drawn
