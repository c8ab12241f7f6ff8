"""What a run of values in their natural order is called, and how much of the whole it covers.

The ends of a run are values of rows, often of one person's. So a run is never called by its ends: numbers and dates are
widened to round ones, text to what its ends begin with. A run of one value is called by it: everyone in the class has it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

EXACT = Context(prec=400)  # enough for any float to be scaled without rounding
_MONTHS_UNTIL = timedelta(days=730)  # beyond two years a run of days is called by its years


@dataclass(frozen=True)
class Named:
    """A run's label, and the share of the column's whole span that the label covers (0..1)."""

    label: str
    covers: float


Namer = Callable[[Any, Any], Named]


def number_namer(lowest: Any, highest: Any, *, whole: bool) -> Namer:
    """Names runs of numbers: ends go outwards to the next multiple of 1, 2 or 5 times a power of ten.

    The step is at most half of the run's width; for whole numbers at least 1, so that 3..4 stays as it is.
    """
    bottom, top = _decimal(lowest), _decimal(highest)

    def name(first: Any, last: Any) -> Named:
        low, high = _decimal(first), _decimal(last)
        step = _step(EXACT.divide(EXACT.subtract(high, low), Decimal(2)))
        step = max(step, Decimal(1)) if whole else step
        low, high = _multiple(low, step, ROUND_FLOOR), _multiple(high, step, ROUND_CEILING)
        span = EXACT.subtract(min(high, top), max(low, bottom))
        return Named(
            f"{written(low)}..{written(high)}", float(EXACT.divide(span, EXACT.subtract(top, bottom)))
        )

    return name


def day_namer(lowest: date, highest: date) -> Namer:
    """Names runs of days (or of moments, by their days): by months, and by years from two years on."""
    bottom, top = _day(lowest), _day(highest)

    def name(first: date, last: date) -> Named:
        low, high = _day(first), _day(last)
        if low == high:
            return Named(low.isoformat(), _share(low, high, bottom, top))
        if high - low >= _MONTHS_UNTIL:
            names = [f"{low.year:04d}", f"{high.year:04d}"]
            low, high = low.replace(month=1, day=1), high.replace(month=12, day=31)
        else:
            names = [f"{day.year:04d}-{day.month:02d}" for day in (low, high)]
            low, high = low.replace(day=1), _month_end(high)
        return Named("..".join(dict.fromkeys(names)), _share(low, high, bottom, top))

    return name


def text_namer(values: list[str]) -> Namer:
    """Names runs of texts by what they begin with: `10*` for 1001 to 1087. values: all of them, in code point order."""

    def name(first: str, last: str) -> Named:
        prefix = first[: shared_length(first, last)]
        begin = bisect_left(values, prefix)  # those that share it stand together
        covered = bisect_right(values, prefix, begin, key=lambda value: value[: len(prefix)]) - begin
        return Named(f"{prefix}*", (covered - 1) / (len(values) - 1))

    return name


def shared_length(text: str, other: str) -> int:
    """How many characters two texts have in common from their beginning on."""
    if other.startswith(text):
        return len(text)
    return next(at for at, letter in enumerate(text) if other[at : at + 1] != letter)


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(value)


def _step(most: Decimal) -> Decimal:
    """The largest of 1, 2 or 5 times a power of ten that is at most `most` (> 0)."""
    power = Decimal(1).scaleb(most.adjusted())
    return max(power * factor for factor in (1, 2, 5) if power * factor <= most)


def _multiple(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    return EXACT.multiply(EXACT.divide(value, step).to_integral_value(rounding), step)


def written(value: Decimal) -> str:
    """A number with all its digits and no exponent."""
    return format(value.normalize(EXACT), "f")


def _day(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value


def _month_end(day: date) -> date:
    try:
        return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    except OverflowError:  # the last month of the calendar
        return day.replace(day=31)


def _share(low: date, high: date, bottom: date, top: date) -> float:
    whole = (top - bottom).days
    return min(1.0, max(0.0, math.fabs((min(high, top) - max(low, bottom)).days) / whole)) if whole else 0.0
