"""What a model is: a yes or no to one class, from how its persons' sensitive values are distributed.

A rule sees a class through four numbers and two vectors and nothing else, so that both searches, the check after them
and the report ask the same function:

    persons   distinct persons of the class
    known     those of them who have a value of the column at all
    counts    (values,) how many persons of the class have each value; with several rows a person may have several
    shares    (values,) the same for all persons together, as shares of all (person, value) pairs; sums to 1
    known_share  how many of all persons have a value at all, 0..1
    limit     the contract's number

The functions are compiled once, each with the same signature, so that the kernels take them as values: another model is
another file and another line in `privacy.models.rules`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from numba import njit, types
from numba.core.errors import NumbaExperimentalFeatureWarning

# Compiled functions as values have been "experimental" for years; the tests run them compiled and plain.
warnings.filterwarnings("ignore", category=NumbaExperimentalFeatureWarning)

_SIGNATURE = types.boolean(
    types.int64,
    types.int64,
    types.Array(types.int64, 1, "C"),
    types.Array(types.float64, 1, "C"),
    types.float64,
    types.float64,
)

RULE = types.FunctionType(_SIGNATURE)
HoldsIn = Callable[..., bool]


def rule(function: HoldsIn) -> HoldsIn:
    """Compiles `function(persons, known, counts, shares, known_share, limit) -> bool` as a rule."""
    compiled: HoldsIn = njit(_SIGNATURE, cache=True, nogil=True)(function)
    return compiled
