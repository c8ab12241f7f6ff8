"""A place in the document and typed ways to read on from it; what doesn't fit goes to the problems, with its line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from contracts.problems import Problems, Where, choose, shown


@dataclass(frozen=True)
class Node:
    """A value of the document at a place. label: what to call it in a message. Reading a missing key gives None."""

    value: Any
    where: Where
    problems: Problems
    label: str

    def say(self, what: str, remedy: str, *, key: str | int | None = None) -> None:
        """One more problem here, or at a key of this mapping."""
        self.problems.add(self.where if key is None else (*self.where, key), what, remedy)

    def get(self, key: str) -> Any:
        """The plain value of a key; None when it's missing."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def has(self, key: str) -> bool:
        """Whether the key stands here with a value."""
        return self.get(key) is not None

    def at(self, key: str) -> Node:
        """The place of a key."""
        return Node(self.get(key), (*self.where, key), self.problems, f"{self.label} `{key}`")

    def each(self, key: str) -> Iterator[Node]:
        """The mappings in the list at a key."""
        items = self.get(key)
        for i, item in enumerate(items if isinstance(items, list) else []):
            if isinstance(item, dict):
                yield Node(item, (*self.where, key, i), self.problems, f"{self.label} `{key}`")

    def named(self, label: str) -> Node:
        """The same place under another name."""
        return Node(self.value, self.where, self.problems, label)

    # What follows reads our own values, which no schema has looked at yet.

    def mapping(self, known: Iterable[str], *, required: Iterable[str] = ()) -> bool:
        """Whether this is a mapping of known keys with the required ones; says what isn't so."""
        known = list(known)
        if not isinstance(self.value, dict):
            self.say(
                f"{self.label} must be a mapping.", f"Write {{{', '.join(f'{key}: ...' for key in known)}}}."
            )
            return False
        for key in self.value:
            if key not in known:
                self.say(f"{self.label} has no key `{shown(key)}`.", choose(key, known), key=key)
        for key in required:
            if not self.has(key):
                self.say(f"{self.label} lacks `{key}`.", "Add it.", key=key)
        return True

    def items(self, key: str, *, what: str) -> list[Node]:
        """The list at a key as places, each called `what`; says so when it's something else."""
        items = self.get(key)
        if items is None:
            return []
        if not isinstance(items, list):
            self.say(f"{self.label}: `{key}` must be a list.", "Write a list: [..., ...].", key=key)
            return []
        return [Node(item, (*self.where, key, i), self.problems, what) for i, item in enumerate(items)]

    def text(self, key: str) -> str | None:
        """The text at a key; says so when it's something else, empty, or holds control characters."""
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.say(f"{self.label}: `{key}` must be text.", "Put it in quotes.", key=key)
            return None
        if not value.strip() or not value.isprintable():
            self.say(
                f"{self.label}: `{key}` is blank or holds control characters.", "Write plain text.", key=key
            )
            return None
        return value

    def choice(self, key: str, known: Iterable[str]) -> str | None:
        """The word at a key, one of `known`."""
        known = list(known)
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or value not in known:
            self.say(f"{self.label}: `{key}` can't be `{shown(value)}`.", choose(str(value), known), key=key)
            return None
        return value

    def whole(self, key: str, *, least: int | None = None, most: int | None = None) -> int | None:
        """The whole number at a key, within bounds."""
        value = self.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.say(
                f"{self.label}: `{key}` must be a whole number.",
                "Write it without quotes or decimals.",
                key=key,
            )
            return None
        if (least is not None and value < least) or (most is not None and value > most):
            bounds = (
                f"at least {least}"
                if most is None
                else f"at most {most}"
                if least is None
                else f"{least} to {most}"
            )
            self.say(f"{self.label}: `{key}` is {value}.", f"It must be {bounds}.", key=key)
            return None
        return value

    def share(self, key: str, *, one: bool) -> float | None:
        """The share at a key: 0 <= share < 1, or <= 1 when `one`."""
        value = self.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.say(f"{self.label}: `{key}` must be a number.", "Write a share, 0.02 for 2 %.", key=key)
            return None
        if not (0 <= value < 1 or (one and value == 1)):
            top = "to 1" if one else "to under 1"
            self.say(
                f"{self.label}: `{key}` is {value}.", f"A share runs from 0 {top}: 0.02 for 2 %.", key=key
            )
            return None
        return float(value)

    def number(self, key: str, *, above: int | None = None, most: int | None = None) -> Decimal | None:
        """The number at a key as it is written, within bounds; `above` itself is outside."""
        value = self.get(key)
        if value is None:
            return None
        number = exact(value)
        if number is None:
            self.say(f"{self.label}: `{key}` must be a number.", "Write it without quotes.", key=key)
            return None
        if (above is not None and number <= above) or (most is not None and number > most):
            bounds = " and ".join(
                told
                for told in (
                    f"over {above}" if above is not None else "",
                    f"at most {most}" if most is not None else "",
                )
                if told
            )
            self.say(f"{self.label}: `{key}` is {value}.", f"It must be {bounds}.", key=key)
            return None
        return number

    def day(self, key: str) -> date | None:
        """The calendar day at a key."""
        value = self.get(key)
        if value is None:
            return None
        day = iso_date(value)
        if day is None:
            self.say(f"{self.label}: `{key}` isn't a day.", 'Write a day as "2026-12-31".', key=key)
        return day


def exact(value: Any) -> Decimal | None:
    """A number of the document as it is written (0.1 is a tenth, not the double next to it), else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return Decimal(repr(value))


def iso_date(value: Any) -> date | None:
    """The day of a text YYYY-MM-DD, else None."""
    if not isinstance(value, str) or len(value) != 10:
        return None
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return None
    return day if day.isoformat() == value else None  # 2026-W01-1 is a day too, under another name


def iso_timestamp(value: Any) -> datetime | None:
    """The moment of a text in ISO 8601 (a day alone is its midnight; no zone is UTC), else None."""
    if not isinstance(value, str) or len(value) < 10:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
