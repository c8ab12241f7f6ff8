"""The refusal of a reservation: which cap stands in the way, how much of it is left, and when it turns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR

from core.errors import PrivacyError
from privacy.budget.amounts import Cost, Limit, shown
from privacy.budget.counters import Obstacle
from privacy.budget.terms import Account, Cap, Scope


def refusal(
    found: Sequence[Obstacle],
    *,
    account: Account,
    reservation: str,
    cost: Cost,
    at: datetime,
    behind: timedelta,
) -> PrivacyError:
    """The error for a cost that breaks these caps; the first is told in words, all of them in `facts["caps"]`.

    at: the moment to which it would be counted. behind: how far the clock stands before that.
    """
    first = found[0]
    left = first.spent.left_of(first.cap.limit)
    turns = first.cap.period.turns(at) if first.cap.period else None
    return PrivacyError(
        _what(first, cost, at),
        where=f"dataset {account.dataset}, unit {account.unit}, reservation {reservation}",
        remedy=_remedy(first, cost, turns) + _clock(behind),
        scope=str(first.cap.scope),
        name=first.name,
        period=str(first.cap.period) if first.cap.period else None,
        asked_rho_quanta=cost.rho_quanta,
        asked_delta_quanta=cost.delta_quanta,
        left_rho_quanta=left.rho_quanta,
        left_delta_quanta=left.delta_quanta,
        turns=turns.isoformat() if turns else None,
        caps=tuple(_called(each.cap, each.name, at) for each in found),
    )


def _what(first: Obstacle, cost: Cost, at: datetime) -> str:
    called = _called(first.cap, first.name, at)
    if first.cap.finite and cost.unbounded:
        return f"The privacy budget of {called} stays finite, and a release without differential privacy has no finite cost."
    if first.cap.finite and first.spent.unbounded:
        return f"The privacy budget of {called} stays finite, and a release without differential privacy used it up."
    limit, left = first.cap.limit, first.spent.left_of(first.cap.limit)
    # Either all three say their delta or none does: what is lacking may be the delta alone.
    both = bool(cost.delta_quanta or limit.delta_quanta)
    return (
        f"The privacy budget of {called} can't carry this: it costs {_shown(cost, both, ROUND_CEILING)}, "
        f"and {_shown(left, both, ROUND_FLOOR)} is left of {_shown(limit, both, ROUND_FLOOR)}."
    )


def _remedy(first: Obstacle, cost: Cost, turns: datetime | None) -> str:
    if first.cap.finite and cost.unbounded:
        return "Release it with differential privacy, or sign a cap that needn't stay finite."
    limit = first.cap.limit
    if cost.rho_quanta > limit.rho_quanta or cost.delta_quanta > limit.delta_quanta:
        return "Ask for less: it's more than the whole cap."
    if turns is not None:
        return f"Ask for less, or again from {turns:%Y-%m-%d} 00:00 UTC on, when the next period begins."
    return "Ask for less; what is spent never comes back, and only a greater cap, signed by the parties, lets more through."


def _clock(behind: timedelta) -> str:
    if behind <= timedelta(0):
        return ""
    return " The clock stands before the newest reservation, and no period opens twice: check the clock."


def _called(cap: Cap, name: str, at: datetime) -> str:
    scope = {
        Scope.CONTRACT: f"contract {name}",
        Scope.OWNER: f"beneficial owner {name}",
        Scope.ACCOUNT: "the whole dataset",
    }[cap.scope]
    return f"{scope} for {cap.period.called(cap.period.start(at)) if cap.period else 'life'}"


def _shown(amount: Cost | Limit, both: bool, rounding: str) -> str:
    return shown(amount.rho_quanta, amount.delta_quanta, rounding=rounding, always_delta=both)
