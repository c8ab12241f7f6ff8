"""The periods over which a cap renews itself: days, weeks, months, quarters and years of the calendar in UTC.

A period is a stretch that everybody computes alike from a moment alone, and one number counts it. A window that slides
would have to keep every charge of its length, and two clocks a second apart would disagree about it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from core.errors import ContractError, InternalError

_MONTHS = {"P1M": 1, "P3M": 3, "P1Y": 12}


class Period(StrEnum):
    """The value is the ISO 8601 duration by which a contract calls it. Weeks begin on Mondays, quarters in January."""

    DAY = "P1D"
    WEEK = "P1W"
    MONTH = "P1M"
    QUARTER = "P3M"
    YEAR = "P1Y"

    def start(self, at: datetime) -> date:
        """The first day of the period in which `at` (UTC) lies."""
        day = at.date()
        if self is Period.DAY:
            return day
        if self is Period.WEEK:
            return day - timedelta(days=day.weekday())
        months = _MONTHS[self]
        return day.replace(month=(day.month - 1) // months * months + 1, day=1)

    def turns(self, at: datetime) -> datetime:
        """When the next period begins, UTC."""
        start = self.start(at)
        if self is Period.DAY or self is Period.WEEK:
            following = start + timedelta(days=1 if self is Period.DAY else 7)
        else:
            past = start.month - 1 + _MONTHS[self]
            following = date(start.year + past // 12, past % 12 + 1, 1)
        return datetime(following.year, following.month, following.day, tzinfo=UTC)

    def called(self, start: date) -> str:
        """The period that begins with `start`, as people write it: 2026-11-23, 2026-W48, 2026-11, 2026-Q4, 2026."""
        match self:
            case Period.DAY:
                return start.isoformat()
            case Period.WEEK:
                return f"{start.isocalendar().year}-W{start.isocalendar().week:02d}"
            case Period.MONTH:
                return f"{start:%Y-%m}"
            case Period.QUARTER:
                return f"{start.year}-Q{(start.month + 2) // 3}"
            case _:
                return str(start.year)


_ALIKE = {"P7D": Period.WEEK, "P12M": Period.YEAR}


def period_of(duration: str) -> Period:
    """The period that a contract's ISO 8601 duration means. Raises ContractError for one that the calendar doesn't have."""
    try:
        return _ALIKE.get(duration) or Period(duration)
    except ValueError:
        raise ContractError(
            "The budget's period isn't one of the calendar.",
            remedy=f"Write one of {', '.join([*Period, *_ALIKE])}.",
        ) from None


def as_utc(now: datetime) -> datetime:
    """The moment in UTC. Raises InternalError without a time zone, or outside the years 2000 to 9000."""
    if now.tzinfo is None or not 2000 <= now.year <= 9000:
        raise InternalError(
            "The budget was given a moment that can't be placed.",
            remedy="Pass a moment of this age with its time zone.",
        )
    return now.astimezone(UTC)
