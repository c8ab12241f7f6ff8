"""Calendar periods in UTC: in which one a fact lies, and what the period is called."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_Days = npt.NDArray[np.int64]
_DAY_US = 86_400_000_000
_MONDAY = 3  # 1970-01-01 was a Thursday: so many days after its week's Monday

# By period: its number for a day's number (both from 1970 on), and the number of its first day.
_NUMBERS: dict[str, Callable[[_Days], _Days]] = {
    "day": lambda days: days,
    "week": lambda days: (days + _MONDAY) // 7,
    "month": lambda days: _months(days),
    "quarter": lambda days: _months(days) // 3,
    "year": lambda days: _months(days) // 12,
}
_FIRST_DAYS: dict[str, Callable[[_Days], _Days]] = {
    "day": lambda numbers: numbers,
    "week": lambda numbers: numbers * 7 - _MONDAY,
    "month": lambda numbers: _first_of(numbers),
    "quarter": lambda numbers: _first_of(numbers * 3),
    "year": lambda numbers: _first_of(numbers * 12),
}


def numbered(times: pa.Array, period: str) -> npt.NDArray[np.int64]:
    """(rows,) the number of the period that each time lies in; ISO weeks begin on Monday.

    times: dates or timestamps, those without a zone in UTC; what stands for NULL means nothing. period: "day", "week",
    "month", "quarter" or "year".
    """
    if pa.types.is_date(times.type):
        days = times.cast(pa.date32()).cast(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False)
        return _NUMBERS[period](days.astype(np.int64))
    return _NUMBERS[period](micros(times) // _DAY_US)


def micros(times: pa.Array) -> npt.NDArray[np.int64]:
    """(rows,) microseconds since 1970 in UTC; what stands for NULL means nothing. times: as for `numbered`."""
    if pa.types.is_date(times.type):
        return numbered(times, "day") * _DAY_US
    moments = times.cast(pa.timestamp("us", times.type.tz), safe=False).cast(pa.int64())
    made: npt.NDArray[np.int64] = moments.fill_null(0).to_numpy(zero_copy_only=False)
    return made


def since_1970(at: datetime) -> int:
    """A moment in microseconds since 1970 in UTC."""
    whole = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds


def labels(numbers: npt.NDArray[np.int64], period: str) -> list[str]:
    """The first day of each period, as YYYY-MM-DD."""
    return [str(day) for day in _FIRST_DAYS[period](numbers).astype("datetime64[D]")]


def _months(days: _Days) -> _Days:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _first_of(months: _Days) -> _Days:
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
