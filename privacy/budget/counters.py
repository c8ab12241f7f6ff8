"""What was spent in one scope, over the account's life and in the newest period of each kind; and which caps that meets.

Every kind of period is counted always, so that a cap that a contract names later finds what was spent before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from privacy.budget.amounts import NOTHING, Cost, Total
from privacy.budget.periods import Period
from privacy.budget.terms import Cap, Caps, Scope, Spender

Name = tuple[Scope, str]
"""What a counter counts: a scope, and the contract or the owner, "" for the account."""


@dataclass(frozen=True, kw_only=True)
class Counter:
    """One scope's sums. periods: by kind, the first day of the newest period and what was spent in it."""

    scope: Scope
    name: str
    life: Total = NOTHING
    periods: Mapping[Period, tuple[date, Total]] = field(default_factory=dict)

    def spent(self, period: Period | None, at: datetime) -> Total:
        """What was spent over the life, or in the period in which `at` lies. `at`: no earlier than any charge."""
        if period is None:
            return self.life
        start, total = self.periods.get(period, (None, NOTHING))
        return total if start == period.start(at) else NOTHING

    def charged(self, cost: Cost, at: datetime) -> Counter:
        """The counter with one more cost. `at`: no earlier than any charge before, or a period would begin twice."""
        return Counter(
            scope=self.scope,
            name=self.name,
            life=self.life.plus(cost),
            periods={period: (period.start(at), self.spent(period, at).plus(cost)) for period in Period},
        )


Counters = Mapping[Name, Counter]


@dataclass(frozen=True)
class Obstacle:
    """A cap that a cost would break, and what stands in its scope before that cost."""

    cap: Cap
    name: str
    spent: Total


def scopes(spender: Spender) -> tuple[Name, ...]:
    """The counters that one reservation changes: its contract's, each owner's in full, and the account's."""
    return (
        (Scope.CONTRACT, spender.contract),
        *((Scope.OWNER, owner) for owner in spender.owners),
        (Scope.ACCOUNT, ""),
    )


def charged(counters: Counters, spender: Spender, cost: Cost, at: datetime) -> tuple[Counter, ...]:
    """The counters that change, as they are after the reservation."""
    return tuple(_counter(counters, name).charged(cost, at) for name in scopes(spender))


def obstacles(
    counters: Counters, spender: Spender, cost: Cost, caps: Caps, at: datetime
) -> tuple[Obstacle, ...]:
    """The caps that the cost would break, those of a life first; none when it may be spent."""
    return tuple(_obstacles(counters, scopes(spender), cost, caps.each, at))


def _obstacles(
    counters: Counters, names: Iterable[Name], cost: Cost, caps: Iterable[Cap], at: datetime
) -> Iterator[Obstacle]:
    names = tuple(names)
    for cap in caps:
        for name in names:
            if name[0] is not cap.scope:
                continue
            spent = _counter(counters, name).spent(cap.period, at)
            after = spent.plus(cost)
            fits = cost.unbounded or after.within(cap.limit)
            if not fits or (cap.finite and after.unbounded):
                yield Obstacle(cap, name[1], spent)


def _counter(counters: Counters, name: Name) -> Counter:
    return counters.get(name) or Counter(scope=name[0], name=name[1])
