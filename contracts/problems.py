"""What is wrong with a contract file, where, and what its author can do: a list, never the first mistake only."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

Where = tuple[str | int, ...]  # a place in the document: ("schema", 0, "properties", 3)
Mark = tuple[int, int]  # line and column, both from 1
MALFORMED = (
    "malformed"  # not valid for the version of the standard that the file claims, or not a contract at all
)
UNSHAREABLE = "unshareable"  # valid, but lacks what sharing needs
_LONGEST_CHOICE = 240  # letters of all that there is to choose from, some three lines of a screen


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake. line, column: from 1; 0 when the file as a whole is meant. where: JSON path, e.g. `schema[0].name`.

    kind: MALFORMED or UNSHAREABLE.
    """

    path: Path
    line: int
    column: int
    where: str
    what: str
    remedy: str
    kind: str = UNSHAREABLE

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{place}: {self.what} {self.remedy}"


@dataclass
class Problems:
    """Gathers problems of one file, and knows the line of each place in it."""

    path: Path
    marks: Mapping[Where, Mark] = field(default_factory=dict)
    _said: dict[tuple[Where, Mark, str, str], Problem] = field(default_factory=dict)
    _dead: dict[Where, str] = field(default_factory=dict)
    told: int = 0  # how often something was wrong, what nobody needs to hear twice counted in

    @property
    def found(self) -> list[Problem]:
        """All problems so far, in the order in which they were said."""
        return list(self._said.values())

    @property
    def dead(self) -> list[Where]:
        """The places about which all has been said."""
        return list(self._dead)

    def add(
        self, where: Where, what: str, remedy: str, *, dead: bool = False, kind: str = UNSHAREABLE
    ) -> None:
        """Takes one more problem. dead: nothing more is said about this place or anything in it.

        What is malformed is said even where something unshareable went before: the kind is a verdict of its own.
        """
        self.told += 1
        for depth in range(1, len(where) + 1):
            if self._dead.get(where[:depth]) in (MALFORMED, kind):
                return
        if dead and where and self._dead.get(where) != MALFORMED:
            self._dead[where] = kind
        mark = self._mark(where)
        problem = Problem(self.path, *mark, json_path(where), what, remedy, kind)
        self._said.setdefault((where, mark, what, remedy), problem)

    def claim(self, places: Iterable[Where], kind: str) -> bool:
        """Whether anything was said at exactly these places; it's malformed from now on, if that is `kind`."""
        wanted = set(places)
        said = [key for key in self._said if key[0] in wanted]
        for key in said if kind == MALFORMED else ():
            self._said[key] = replace(self._said[key], kind=kind)
        return bool(said)

    def _mark(self, where: Where) -> Mark:
        """The nearest place that has a line: what is missing is told at its parent."""
        while where and where not in self.marks:
            where = where[:-1]
        return self.marks.get(where, (1, 1))

    def in_order(self) -> tuple[Problem, ...]:
        """All problems, top of the file first."""
        return tuple(sorted(self._said.values()))


def json_path(where: Where) -> str:
    """`schema[0].properties[3].name` for a place; `$` for the whole document."""
    empty = '""'
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{shown(step) or empty}" for step in where)
    return text.removeprefix(".") or "$"


def shown(value: object, *, limit: int = 60) -> str:
    """A name or a word of the contract on one line, shortened, without control characters."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(value))
    return text if len(text) <= limit else text[: limit - 3] + "..."


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def choose(name: str, known: Iterable[str]) -> str:
    """The remedy for a name that isn't known: the nearest one, or all there are."""
    candidates = sorted(known)
    close = nearest(name, candidates)
    if close:
        return f"Did you mean `{shown(close)}`?"
    if not candidates:
        return "There is none to choose from."
    told = [f"`{shown(candidate)}`" for candidate in candidates[:12]]
    while len(told) > 3 and sum(map(len, told)) > _LONGEST_CHOICE:
        told.pop()
    return f"Choose from {', '.join(told)}{', ...' if len(candidates) > len(told) else ''}."
