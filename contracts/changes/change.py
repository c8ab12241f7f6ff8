"""One change: who gains or loses what by it, and whether the new version allows more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from contracts.problems import shown


class Who(StrEnum):
    """Who gains or loses."""

    RECIPIENT = "the recipient"
    PERSONS = "the persons in the data"
    PLATFORM = "the platform"


# What a reviewer must see first. Within one weight the order is that of the words.
WEIGHTS: dict[str, int] = {
    "parties": 100,
    "unknown": 95,
    "doors": 90,
    "tables": 85,
    "columns": 80,
    "transforms": 78,
    "purposes": 75,
    "prohibitions": 72,
    "territory": 70,
    "epsilon": 65,
    "k": 60,
    "l": 58,
    "entropyL": 57,
    "t": 56,
    "unicity": 55,
    "time": 50,
    "grades": 48,
    "cohort": 45,
    "algorithms": 42,
    "rounds": 40,
    "features": 38,
    "obligations": 35,
    "source": 30,
    "compliance": 28,
    "checks": 20,
    "limits": 15,
    "wording": 0,
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """who gains (or loses) what. widens: whether the new version allows something that the old one didn't, as far as can
    be told: what can't be judged widens. clause_old, clause_new: where it stands; empty where it doesn't.
    words: a sentence for a reviewer.
    """

    who: Who
    gains: bool
    what: str
    widens: bool
    clause_old: str
    clause_new: str
    words: str

    @property
    def weight(self) -> int:
        """How much it matters; the larger, the earlier it's told."""
        return WEIGHTS[self.what]


def wider(what: str, words: str, *, who: Who = Who.RECIPIENT, gains: bool = True, old: str = "", new: str = "") -> Change:  # fmt: skip
    """A change by which more is allowed."""
    return Change(who=who, gains=gains, what=what, widens=True, clause_old=old, clause_new=new, words=words)


def narrower(what: str, words: str, *, who: Who = Who.RECIPIENT, gains: bool = False, old: str = "", new: str = "") -> Change:  # fmt: skip
    """A change by which less is allowed, or no more."""
    return Change(who=who, gains=gains, what=what, widens=False, clause_old=old, clause_new=new, words=words)


def in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Worst first: what widens, by weight; then the rest."""
    return tuple(
        sorted(changes, key=lambda each: (not each.widens, -each.weight, each.clause_new, each.words))
    )


def listed(names: Iterable[object], *, most: int = 8) -> str:
    """Names for a sentence, a few of them."""
    words = sorted(f"`{shown(each)}`" for each in names)
    rest = len(words) - most
    return ", ".join(words[:most]) + (f" and {rest} more" if rest > 0 else "")
