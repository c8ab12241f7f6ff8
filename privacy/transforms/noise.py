"""Discrete Laplace noise of a declared scale on a grid of steps.

What this is: each value goes to the nearest multiple of `step` and is moved by a whole number of steps, drawn by OpenDP's
exact sampler from the discrete Laplace distribution. Everything happens in whole numbers, so no bit of a float tells which
value was there (Mironov 2012), and neither does the remainder on the grid.

What this isn't: differential privacy of a table. A value's bound holds for one publication of it: epsilon is its largest
change over the scale. Who publishes a value twice, or many values of one person, spends it as often, and nothing here counts
that: door by door budgets are kept by the ledger. There is no seed: who knew it would subtract the noise.

Source: Canonne, Kamath, Steinke 2020 (the sampler); Ghosh, Roughgarden, Sundararajan 2012 (the distribution).
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa

from core.errors import PrivacyError
from privacy.hierarchies.labels import EXACT
from privacy.hierarchies.values import finite, is_number, plain
from privacy.transforms.multiples import multiples, nearest, step_digits

_MOST = 1 << 53  # steps: far from where the sampler's 64-bit sums stop, and each is still a float
_FARTHEST = 64  # scales: noise beyond is less likely than 2 ** -90
_AT_ONCE = 1 << 17
_DIGITS = 38


def noised(values: pa.ChunkedArray | pa.Array, *, scale: Decimal, step: Decimal) -> pa.Array:
    """Each number as a multiple of `step`, moved by noise; NULL stays NULL.

    scale: of the noise, in the column's unit (its standard deviation is about 1.41 times that). step: the grid.
    Integers become int64, decimals decimal128 of 38 digits, so that no draw can leave the type; floats float64, next to the
    multiple. Where integers have a step with digits, the result is a decimal.
    Raises PrivacyError where values are no numbers, not finite, or more than 2 ** 53 steps from 0.
    """
    import opendp.prelude as dp  # noqa: PLC0415 (slow to load, and few contracts ask for noise)

    dp.enable_features("contrib")
    values = plain(values)
    if not is_number(values.type):
        raise PrivacyError(
            f"Values of type {values.type} are no numbers.",
            remedy="Take `noise` from the column, or give it the type integer or number.",
        )
    if not (scale.is_finite() and scale > 0):
        raise ValueError("a scale is over 0")
    kind = _kind(values.type, step)
    there = values.is_valid().to_numpy(zero_copy_only=False)
    counts = nearest(finite(values.drop_null(), column="noise"), step)
    steps = float(EXACT.divide(scale, step))
    room = _MOST - _FARTHEST * steps
    beyond = int((np.abs(counts) > room).sum()) if len(counts) else 0
    if beyond:
        raise PrivacyError(
            f"{beyond} values are too many steps from 0 for noise to be drawn for them.",
            remedy="Choose a larger step, or a smaller scale.",
            values=beyond,
        )
    laplace = dp.m.make_laplace(
        dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64"), scale=steps
    )
    whole = np.zeros(len(values), np.int64)
    moved = [laplace(part.tolist()) for part in _parts(counts.astype(np.int64))]
    whole[there] = np.concatenate([np.empty(0, np.int64), *(np.array(part, np.int64) for part in moved)])
    return multiples(whole, step, kind, ~there)


def _parts(
    counts: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    return [counts[at : at + _AT_ONCE] for at in range(0, len(counts), _AT_ONCE)]


def _kind(kind: pa.DataType, step: Decimal) -> pa.DataType:
    if pa.types.is_floating(kind):
        return pa.float64()
    digits = step_digits(step)
    if pa.types.is_integer(kind) and not digits:
        return pa.int64()
    return pa.decimal128(_DIGITS, max(digits, 0 if pa.types.is_integer(kind) else kind.scale))
