"""How sure a measured share is, and what a release adds to a guess."""

from __future__ import annotations

from math import sqrt

from privacy.report.parts import Attack, Rate

_Z = 1.959963984540054  # 95 % of a normal distribution lies so many standard deviations around its mean


def wilson(successes: int, attempts: int) -> Rate:
    """The share of attempts that succeeded, with its Wilson interval of 95 %; without attempts nothing is known: 0 to 1.

    Source: Wilson 1927.
    """
    if attempts == 0:
        return Rate(attempts=0, successes=0, rate=0.0, low=0.0, high=1.0)
    share, z2 = successes / attempts, _Z * _Z
    middle = (share + z2 / (2 * attempts)) / (1 + z2 / attempts)
    half = _Z / (1 + z2 / attempts) * sqrt(share * (1 - share) / attempts + z2 / (4 * attempts * attempts))
    # At the ends the formula gives 0 and 1 but for a rounding, and the interval must hold the share.
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == attempts else min(1.0, middle + half)
    return Rate(attempts=attempts, successes=successes, rate=share, low=low, high=high)


def attack(
    kind: str, *, main: Rate, baseline: Rate, column: str | None = None, control: Rate | None = None
) -> Attack:
    """An attack with its risk: of the guesses that fail without the release, the share that succeed with it.

    The interval is that of both rates at their worst, so it's wider than 95 % asks for.
    Source: Giomi, Boenisch, Wehmeyer, Tasnadi 2022, section 4.
    """
    return Attack(
        kind=kind,
        column=column,
        main=main,
        baseline=baseline,
        control=control,
        risk=_added(main.rate, baseline.rate),
        low=_added(main.low, baseline.high),
        high=_added(main.high, baseline.low),
    )


def _added(main: float, baseline: float) -> float:
    return max(0.0, (main - baseline) / (1 - baseline)) if baseline < 1 else 0.0
