"""How often data comes: the standard's service level `frequency`, as a cron expression whose ticks part the windows.

    slaProperties:
      - {property: frequency, value: 1, unit: d}
      - {property: frequency, value: 1, unit: d, scheduler: cron, schedule: "0 20 * * *"}

Ticks are the calendar's, in UTC, never counted from when somebody pressed a button: whoever cuts a window again cuts the
same one, and two windows touch or are one.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

FREQUENCY = "frequency"

# Unit -> its names, the counts of it that part a longer unit evenly, and the cron expression for one and for n of it.
_UNITS: dict[str, tuple[tuple[str, ...], tuple[int, ...], str, str]] = {
    "min": (
        ("min", "minute", "minutes"),
        (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30),
        "* * * * *",
        "*/{n} * * * *",
    ),
    "h": (("h", "hr", "hour", "hours"), (1, 2, 3, 4, 6, 8, 12), "0 * * * *", "0 */{n} * * *"),
    "d": (("d", "day", "days"), (1,), "0 0 * * *", ""),
    "w": (("w", "wk", "week", "weeks"), (1,), "0 0 * * 1", ""),
    "mo": (("mo", "month", "months"), (1, 2, 3, 4, 6), "0 0 1 * *", "0 0 1 */{n} *"),
    "y": (("y", "yr", "year", "years"), (1,), "0 0 1 1 *", ""),
}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# Name, least, most, and the words that stand for numbers, from the number that the first one is.
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...], int], ...] = (
    ("minute", 0, 59, (), 0),
    ("hour", 0, 23, (), 0),
    ("day of the month", 1, 31, (), 0),
    ("month", 1, 12, _MONTHS, 1),
    ("day of the week", 0, 7, _DAYS, 0),
)
_PART = re.compile(
    r"(?:(?P<all>\*)|(?P<first>\w{1,3})(?:-(?P<last>\w{1,3}))?)(?:/(?P<step>\d\d?))?", re.ASCII
)
_LEAP_YEAR = 2024
_FURTHEST = timedelta(days=366 * 13)  # two times 29 February, over the turn of a century


class UnclearError(ValueError):
    """A frequency that gives no schedule. what, remedy: for people; key: where in the service level."""

    def __init__(self, what: str, remedy: str, key: str) -> None:
        super().__init__(f"{what} {remedy}")
        self.what, self.remedy, self.key = what, remedy, key


@dataclass(frozen=True)
class _Cron:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday

    def back_from(self, moment: datetime) -> Iterator[datetime]:
        """Ticks at `moment` and before, latest first."""
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        earliest = midnight - _FURTHEST
        while midnight > earliest:
            if midnight.day in self.days and midnight.month in self.months and self._on(midnight):
                for hour in sorted(self.hours, reverse=True):
                    for minute in sorted(self.minutes, reverse=True):
                        tick = midnight.replace(hour=hour, minute=minute)
                        if tick <= moment:
                            yield tick
            midnight -= timedelta(days=1)

    def _on(self, day: datetime) -> bool:
        return day.isoweekday() % 7 in self.weekdays


def cron_of(level: Mapping[str, object]) -> str:
    """The cron expression (five fields, UTC) of a service level `frequency`. Raises UnclearError.

    `schedule` says it where `scheduler` is cron; otherwise `value` and `unit` do.
    """
    if level.get("scheduler") == "cron":
        schedule = level.get("schedule")
        if not isinstance(schedule, str):
            raise UnclearError(
                "The scheduler is cron, and no schedule stands there.",
                'Write schedule: "0 20 * * *".',
                "schedule",
            )
        _parse(schedule)
        return " ".join(schedule.split())
    if level.get("scheduler") is None and level.get("schedule") is not None:
        raise UnclearError(
            "A schedule stands there without its scheduler.", "Add scheduler: cron.", "schedule"
        )
    return _every(level.get("value"), level.get("unit"))


def one_cron(levels: Iterable[Mapping[str, object]]) -> str | None:
    """What the service levels say together of how often data comes; None when they don't. Raises UnclearError."""
    said = {cron_of(level) for level in levels if level.get("property") == FREQUENCY}
    if len(said) > 1:
        raise UnclearError(
            "Service levels say different things of how often data comes.",
            "Keep one with `property: frequency`.",
            "property",
        )
    return said.pop() if said else None


def interval_before(cron: str, moment: datetime) -> tuple[datetime, datetime]:
    """The last whole interval that ends at `moment` or before, in UTC: between two ticks of `cron`."""
    end, start = islice(_parse(cron).back_from(moment.astimezone(UTC)), 2)
    return start, end


def _every(value: object, unit: object) -> str:
    number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 4 else value
    for names, counts, one, several in _UNITS.values():
        if isinstance(unit, str) and unit.strip().lower() in names:
            if isinstance(number, bool) or number not in counts:
                raise UnclearError(
                    f"A frequency in {names[-1]} has one of these values: {', '.join(map(str, counts))}.",
                    "Windows begin and end with the calendar; or write scheduler: cron and a schedule.",
                    "value",
                )
            return one if number == 1 else several.format(n=number)
    known = ", ".join(_UNITS)
    raise UnclearError("The frequency has no unit that is known.", f"Write one of {known}.", "unit")


def _parse(text: str) -> _Cron:
    """A cron expression as sets of numbers: five fields of `*`, numbers, names, ranges, steps and lists of them."""
    fields = text.upper().split()
    if len(fields) != len(_FIELDS) or not text.isascii():
        raise _broken("It has five fields: minute, hour, day of the month, month, day of the week.")
    cron = _Cron(*(_field(*pair) for pair in zip(fields, _FIELDS, strict=True)))
    if fields[2] != "*" and fields[4] != "*":  # some read it as "and", some as "or"
        raise _broken("Give the day of the month or the day of the week, and `*` for the other.")
    if min(cron.days) > max(calendar.monthrange(_LEAP_YEAR, month)[1] for month in cron.months):
        raise _broken("It names a day that no month has.")
    return _Cron(
        cron.minutes, cron.hours, cron.days, cron.months, frozenset(day % 7 for day in cron.weekdays)
    )


def _field(text: str, about: tuple[str, int, int, tuple[str, ...], int]) -> frozenset[int]:
    name, least, most, words, first_word = about

    def number(word: str) -> int:
        value = words.index(word) + first_word if word in words else int(word) if word.isdigit() else -1
        if not least <= value <= most:
            raise _broken(f"Its {name} is a number from {least} to {most}.")
        return value

    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise _broken(f"Its {name} isn't written as cron has it.")
        if match["first"] and not match["last"]:
            first = last = number(match["first"])
            fits = match["step"] is None
        else:
            first, last = (least, most) if match["all"] else (number(match["first"]), number(match["last"]))
            fits = first < last and 0 < int(match["step"] or 1) <= most
        if not fits:
            raise _broken(f"Its {name} has a range that runs backwards or a step that can't be taken.")
        found.update(range(first, last + 1, int(match["step"] or 1)))
    return frozenset(found)


def _broken(why: str) -> UnclearError:
    return UnclearError("The schedule isn't a cron expression that can be run.", why, "schedule")
