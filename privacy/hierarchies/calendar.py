"""Days in parts of the calendar: which month, quarter, year or decade a day is in, and what that is called."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from privacy.hierarchies.values import Ints

PARTS = ("day", "month", "quarter", "year", "decade")
_MONTHS = {"month": 1, "quarter": 3, "year": 12, "decade": 120}
_EPOCH = 1970 * 12  # months before the day 0


def ordinals(days: Ints, part: str) -> Ints:
    """The number of the part that each day is in, (n,). days: from 1970-01-01 on; months are counted from year 0."""
    if part == "day":
        return days
    months = days.astype("M8[D]").astype("M8[M]").astype(np.int64) + _EPOCH
    return np.asarray(months // _MONTHS[part], np.int64)


def first_days(numbers: Ints, part: str) -> Ints:
    """The first day of each part, (n,); that of the next part is the day after the last one."""
    if part == "day":
        return numbers
    months = numbers * _MONTHS[part] - _EPOCH
    return np.asarray(months.astype("M8[M]").astype("M8[D]").astype(np.int64), np.int64)


def part_names(numbers: Ints, part: str) -> list[str]:
    """What parts are called: 2026-03-05, 2026-03, 2026-Q1, 2026, 2020s."""
    return list(map(_NAMES[part], numbers.tolist()))


def _day(number: int) -> str:
    return str(np.datetime64(number, "D"))


def _month(number: int) -> str:
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def _quarter(number: int) -> str:
    return f"{number // 4:04d}-Q{number % 4 + 1}"


def _year(number: int) -> str:
    return f"{number:04d}"


def _decade(number: int) -> str:
    return f"{number * 10:04d}s"


_NAMES: dict[str, Callable[[int], str]] = {
    "day": _day, "month": _month, "quarter": _quarter, "year": _year, "decade": _decade,
}  # fmt: skip
