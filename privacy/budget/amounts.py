"""Privacy losses as whole numbers of a quantum, so that ten thousand sums drift by nothing.

A cost is rounded up to the quantum and a limit down: what is counted is never less than what was lost. Costs compose
by addition, rho and delta each, also where each is chosen after seeing earlier answers, and where many are under way
at once.
Source: Bun and Steinke 2016, lemma 1.7 and section 8 (approximate zCDP); Whitehouse et al. 2023, theorem 1 (a cap is a
filter); Haney et al. 2023 (at once). OpenDP's composition and filter add in the same way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

from core.errors import ContractError

Number = int | float | Fraction | Decimal

QUANTA = 2**96  # of one: the quantum is about 1.3e-29, far below any delta that means something
MAX_RHO = 2**32  # beyond it there is no guarantee worth a number
_SHOWN_DIGITS = 6


def _check(rho_quanta: int, delta_quanta: int) -> None:
    if not 0 <= rho_quanta <= MAX_RHO * QUANTA or not 0 <= delta_quanta < QUANTA:
        raise ContractError(
            "A rho lies between 0 and 2^32, and a delta is at least 0 and below 1.",
            remedy="Correct them; a release without differential privacy costs UNBOUNDED.",
        )


def quanta_up(value: Number) -> int:
    """The fewest quanta that are no less than `value`. Raises ContractError as `exact` does."""
    return math.ceil(exact(value) * QUANTA)


def quanta_down(value: Number) -> int:
    """The most quanta that are no more than `value`. Raises ContractError as `exact` does."""
    return math.floor(exact(value) * QUANTA)


def exact(value: Number) -> Fraction:
    """The number itself: a float is the fraction that it stores. Raises ContractError below 0 and for what is no number."""
    known = isinstance(value, int | float | Fraction | Decimal) and not isinstance(value, bool)
    try:
        found = Fraction(value) if known else Fraction(-1)
    except (ValueError, OverflowError):  # NaN and infinity
        found = Fraction(-1)
    if found < 0:
        raise ContractError(
            "A privacy loss is a number from 0 on.",
            remedy="Give rho and delta as finite numbers; a release without differential privacy costs UNBOUNDED.",
        )
    return found


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one release tells about one privacy unit at most: delta-approximate rho-zCDP, or nothing that can be bounded.

    Raises ContractError for a rho above `MAX_RHO` and a delta of 1 and more.
    """

    rho_quanta: int
    delta_quanta: int
    unbounded: bool = False

    def __post_init__(self) -> None:
        _check(self.rho_quanta, self.delta_quanta)
        if self.unbounded and (self.rho_quanta or self.delta_quanta):
            raise ContractError("A cost without bound has no rho and no delta.", remedy="Use UNBOUNDED.")

    @classmethod
    def of(cls, rho: Number, delta: Number = 0) -> Cost:
        """The cost of a mechanism with this rho and delta, rounded up."""
        return cls(rho_quanta=quanta_up(rho), delta_quanta=quanta_up(delta))

    @classmethod
    def of_pure(cls, epsilon: Number) -> Cost:
        """The cost of a mechanism that is epsilon-DP: rho is epsilon squared over 2.

        Source: Bun and Steinke 2016, proposition 1.4.
        """
        return cls.of(exact(epsilon) ** 2 / 2)

    def __str__(self) -> str:
        return (
            "no finite cost"
            if self.unbounded
            else shown(self.rho_quanta, self.delta_quanta, rounding=ROUND_CEILING)
        )


UNBOUNDED = Cost(rho_quanta=0, delta_quanta=0, unbounded=True)
"""What a release without differential privacy costs: k-anonymous cells, say. It stands in the budget for all to see."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The most that may be spent. Raises ContractError as `Cost` does."""

    rho_quanta: int
    delta_quanta: int

    def __post_init__(self) -> None:
        _check(self.rho_quanta, self.delta_quanta)

    @classmethod
    def of(cls, rho: Number, delta: Number = 0) -> Limit:
        """The limit of this rho and delta, rounded down."""
        return cls(rho_quanta=quanta_down(rho), delta_quanta=quanta_down(delta))

    def __str__(self) -> str:
        return shown(self.rho_quanta, self.delta_quanta, rounding=ROUND_FLOOR)


@dataclass(frozen=True, kw_only=True)
class Total:
    """A sum of costs. unbounded: how many releases without differential privacy are in it."""

    rho_quanta: int = 0
    delta_quanta: int = 0
    unbounded: int = 0

    def plus(self, cost: Cost) -> Total:
        """The sum with one more cost."""
        return Total(
            rho_quanta=self.rho_quanta + cost.rho_quanta,
            delta_quanta=self.delta_quanta + cost.delta_quanta,
            unbounded=self.unbounded + cost.unbounded,
        )

    def within(self, limit: Limit) -> bool:
        """Whether the part with differential privacy keeps the limit, in rho and in delta."""
        return self.rho_quanta <= limit.rho_quanta and self.delta_quanta <= limit.delta_quanta

    def left_of(self, limit: Limit) -> Limit:
        """What of the limit isn't spent, never below 0: a limit may have been lowered since."""
        return Limit(
            rho_quanta=max(0, limit.rho_quanta - self.rho_quanta),
            delta_quanta=max(0, limit.delta_quanta - self.delta_quanta),
        )

    def __str__(self) -> str:
        return shown(self.rho_quanta, self.delta_quanta, rounding=ROUND_CEILING)


NOTHING = Total()


def shown(rho_quanta: int, delta_quanta: int, *, rounding: str, always_delta: bool = False) -> str:
    """Both in decimal, to six digits: "rho 0.125, delta 1e-6"; a delta of 0 is left out if it isn't wanted always."""
    rho = f"rho {_decimal(rho_quanta, rounding)}"
    return f"{rho}, delta {_decimal(delta_quanta, rounding)}" if delta_quanta or always_delta else rho


def _decimal(quanta: int, rounding: str) -> str:
    # A quotient by a power of two is exact in the wide context, so that the one rounding goes the way that was asked for.
    number = Context(prec=200).divide(Decimal(quanta), Decimal(QUANTA))
    short = Context(prec=_SHOWN_DIGITS, rounding=rounding).plus(number).normalize()
    if -7 < short.adjusted() < 10:
        return f"{short:f}"
    digits, _, exponent = f"{short:E}".partition("E")
    return f"{digits}e{int(exponent)}"
