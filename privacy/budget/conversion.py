"""Between zCDP, in which the budget counts, and the epsilon and delta that contracts and people speak of. OpenDP's curves.

A mechanism with rho and a total delta d is, for every delta above d, (epsilon, delta)-DP with the epsilon that rho-zCDP
gives at delta - d.
Source: Bun and Steinke 2016, section 8; the curve is that of Canonne, Kamath and Steinke 2020, corollary 13.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

from opendp.combinators import make_zCDP_to_approxDP
from opendp.domains import atom_domain
from opendp.measurements import make_gaussian
from opendp.metrics import absolute_distance
from opendp.mod import Measurement, PrivacyProfile, enable_features

from core.errors import ContractError
from privacy.budget.amounts import QUANTA, Limit, Number, Total, exact, quanta_down

_STEPS = 60  # halvings: past a float's 53 bits nothing changes


def epsilon_of(total: Total, delta: Number) -> float:
    """The epsilon that the sum keeps at `delta`, of its part with differential privacy.

    Raises ContractError unless `delta` is above the sum's own delta and below 1.
    """
    left = exact(delta) - Fraction(total.delta_quanta, QUANTA)
    if not 0 < left < 1:
        raise ContractError(
            "No epsilon belongs to this delta: it must be above what was spent of delta, and below 1.",
            remedy=f"Ask at a delta above {float(Fraction(total.delta_quanta, QUANTA)):g}.",
        )
    return _epsilon(Fraction(total.rho_quanta, QUANTA), _float_down(left))


def limit_of(epsilon: Number, delta: Number, *, delta_spendable: Number = 0) -> Limit:
    """The greatest limit that keeps everybody under it at (epsilon, delta).

    delta_spendable: how much of delta mechanisms may spend themselves (thresholds on noisy keys do); the rest is for the
    conversion. Raises ContractError unless 0 <= delta_spendable < delta < 1.
    """
    wanted, own = exact(epsilon), quanta_down(delta_spendable)
    left = exact(delta) - Fraction(own, QUANTA)
    if not 0 < left <= exact(delta) < 1:
        raise ContractError(
            "The limit's delta leaves nothing to convert with.",
            remedy="Give a delta below 1, and let mechanisms spend less than all of it.",
        )
    return Limit(rho_quanta=_rho_quanta(wanted, _float_down(left)), delta_quanta=own)


@lru_cache(maxsize=1024)
def _rho_quanta(epsilon: Fraction, delta: float) -> int:
    """The most quanta of rho whose curve at `delta` is no more than epsilon, found by halving: epsilon grows with rho."""
    low, high = Fraction(0), Fraction(1)
    while _epsilon(high, delta) <= epsilon:
        low, high = high, high * 2
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _epsilon(middle, delta) <= epsilon:
            low = middle
        else:
            high = middle
    return math.floor(low * QUANTA)


def _epsilon(rho: Fraction, delta: float) -> float:
    curve: PrivacyProfile = _converted().map(_sensitivity(rho))
    return float(curve.epsilon(delta))


@lru_cache(maxsize=1)
def _converted() -> Measurement:
    """A Gaussian of scale 1, of which rho is half the squared sensitivity: OpenDP gives curves for mechanisms alone."""
    enable_features("contrib")  # the flag of all of OpenDP's constructors
    gaussian = make_gaussian(atom_domain(T=float, nan=False), absolute_distance(T=float), scale=1.0)
    return make_zCDP_to_approxDP(gaussian)


def _sensitivity(rho: Fraction) -> float:
    """The smallest float whose half square is no less than rho; OpenDP rounds up from there."""
    found = math.sqrt(2 * rho)
    while Fraction(found) ** 2 / 2 < rho:
        found = math.nextafter(found, math.inf)
    return found


def _float_down(value: Fraction) -> float:
    found = float(value)
    return found if Fraction(found) <= value else math.nextafter(found, 0.0)
