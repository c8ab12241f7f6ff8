"""What was spent of a dataset's budget, for who has to answer for it: by contract, by beneficial owner, by period, for life."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_CEILING, Context

from core.store import Store
from privacy.budget.amounts import NOTHING, Total
from privacy.budget.conversion import epsilon_of
from privacy.budget.counters import Name, scopes
from privacy.budget.periods import Period
from privacy.budget.replay import Point, replayed
from privacy.budget.terms import Account, Scope

_UP = Context(prec=4, rounding=ROUND_CEILING)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One sum. name: the contract or the owner, "" for the account. period: such as "2026-11", or "life"."""

    scope: Scope
    name: str
    period: str
    total: Total

    def __str__(self) -> str:
        beside = f", and {self.total.unbounded} without differential privacy" if self.total.unbounded else ""
        return f"{' '.join(filter(None, (self.scope, self.name)))}, {self.period}: {self.total}{beside}"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """An account's sums, recomputed from its reservations. open: how many were never carried out; they count all the same.

    lines: of life first, then period by period, each in the order contract, owner, account. point: to be kept elsewhere.
    """

    account: Account
    point: Point
    newest: datetime | None
    reservations: int
    open: int
    total: Total
    lines: tuple[Line, ...]

    @property
    def bounded(self) -> bool:
        """Whether all releases together keep a finite guarantee."""
        return self.total.unbounded == 0

    def epsilon(self, delta: float) -> float | None:
        """The epsilon at `delta` of all releases together; None when there is no finite one.

        Raises ContractError for a delta that the releases have spent already.
        """
        return self.epsilon_of_private_part(delta) if self.bounded else None

    def epsilon_of_private_part(self, delta: float) -> float:
        """The epsilon at `delta` of the releases with differential privacy alone, whatever else was told."""
        return epsilon_of(self.total, delta)

    def guarantee(self, delta: float) -> str:
        """One sentence for people: what all releases together tell about one privacy unit."""
        epsilon = _UP.create_decimal_from_float(self.epsilon_of_private_part(delta))
        part = f"epsilon {epsilon:f} at delta {delta:g}"
        if self.bounded:
            return f"All {self.reservations} releases together: {part}."
        return (
            f"No finite guarantee over all: {self.total.unbounded} of {self.reservations} releases have no differential "
            f"privacy. The others alone: {part}."
        )

    def __str__(self) -> str:
        head = f"dataset {self.account.dataset}, unit {self.account.unit}: {self.reservations} reservations, {self.open} open"
        return "\n".join([head, *map(str, self.lines)])


def state(store: Store, account: Account, by: Period) -> Statement:
    """The account's statement. Raises IntegrityError when its rows don't hold: no sum is told of a book that lies."""
    found = replayed(store, account)
    lives: dict[Name, Total] = {}
    periods: dict[tuple[date, Name], Total] = {}
    for row in found.rows:
        for name in scopes(row.spender):
            lives[name] = lives.get(name, NOTHING).plus(row.cost)
            place = by.start(row.at), name
            periods[place] = periods.get(place, NOTHING).plus(row.cost)
    return Statement(
        account=account,
        point=Point(
            account=account.digest,
            reservations=len(found.rows),
            digest=found.digests[-1] if found.digests else "",
        ),
        newest=found.newest,
        reservations=len(found.rows),
        open=len(found.rows) - found.carried_out,
        total=lives.get((Scope.ACCOUNT, ""), NOTHING),
        lines=(
            *(
                Line(scope=name[0], name=name[1], period="life", total=lives[name])
                for name in sorted(lives, key=_order)
            ),
            *(
                Line(scope=name[0], name=name[1], period=by.called(start), total=periods[start, name])
                for start, name in sorted(periods, key=lambda place: (place[0], _order(place[1])))
            ),
        ),
    )


def _order(name: Name) -> tuple[int, str]:
    return list(Scope).index(name[0]), name[1]
