"""The small cube as the searches see it: distinct tuples of codes, who stands behind each, and everyone's values."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int32]
Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Tuples:
    """What is to be put into classes: n distinct tuples over d dimensions with s sensitive columns.

    codes: (n, d) codes from 0, in the dimension's order. positions, ends: for each dimension, where each code begins and
    ends on a scale from 0 to 1 (`ends` None: where it begins). weights: (n,) rows behind each tuple. sensitive: (n, s)
    codes in the order of the values, -1 where missing. units: (n,) person codes when persons may own several tuples, else
    None: then each row is a person. blocks: (n,) numbers of persons who have to stay together (an earlier release shows
    them as one), whole persons always; None: nobody has to.

    Derived, so that the persons of a class are sums over its tuples as long as no person's tuples are in two classes:
    heads (n,) persons; known (n, s) persons with a value at all; counted (n, s) persons with the tuple's value.
    """

    codes: Codes
    positions: tuple[Floats, ...]
    weights: Ints
    sensitive: Codes
    units: Codes | None = None
    blocks: Codes | None = None
    ends: tuple[Floats, ...] | None = None
    heads: Ints = field(init=False)
    known: Ints = field(init=False)
    counted: Ints = field(init=False)
    _everyone: dict[int, tuple[Floats, float]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        there = self.sensitive >= 0
        weights = np.ascontiguousarray(self.weights, np.int32)
        object.__setattr__(self, "weights", weights)
        if self.units is None:
            heads, known = weights, np.repeat(weights[:, None], there.shape[1], axis=1)
            known[~there] = 0
            counted = known
        else:
            heads = _first(self.units.astype(np.int64)).astype(np.int32)
            known, counted = np.zeros(there.shape, np.int32), np.zeros(there.shape, np.int32)
            for j in range(there.shape[1]):
                at = np.flatnonzero(there[:, j])
                unit, value = self.units[at].astype(np.int64), self.sensitive[at, j].astype(np.int64)
                known[at, j] = _first(unit)
                counted[at, j] = _first(unit * (value.max(initial=0) + 1) + value)
        for name, value in (("heads", heads), ("known", known), ("counted", counted)):
            object.__setattr__(self, name, np.ascontiguousarray(value, np.int32))

    @property
    def together(self) -> Codes | None:
        """What no cut may separate: blocks of persons, or the tuples of one person; None when each tuple stands alone."""
        return self.units if self.blocks is None else self.blocks

    @property
    def persons(self) -> int:
        """How many persons there are."""
        return int(self.heads.sum(dtype=np.int64))

    def taken(self, at: npt.NDArray[np.int64]) -> Tuples:
        """Some of the tuples, in the order of `at`; with a person all of theirs."""
        return Tuples(
            codes=self.codes[at],
            positions=self.positions,
            ends=self.ends,
            weights=self.weights[at],
            sensitive=self.sensitive[at],
            units=self.units[at] if self.units is not None else None,
            blocks=self.blocks[at] if self.blocks is not None else None,
        )

    def everyone(self, column: int) -> tuple[Floats, float]:
        """Everyone's distribution of a sensitive column: (values,) shares that sum to 1, and the share of persons who
        have a value at all."""
        if column in self._everyone:
            return self._everyone[column]
        values = int(self.sensitive[:, column].max(initial=-1)) + 1
        counts = tally(self.sensitive[:, column], self.counted[:, column], values)
        persons = self.persons
        known = float(self.known[:, column].sum(dtype=np.int64) / persons) if persons else 0.0
        self._everyone[column] = counts / max(1.0, counts.sum()), known
        return self._everyone[column]


@njit(cache=True, nogil=True)
def tally(codes, weights, count):
    """The weight of each code from 0 on, (count,) int64; codes of -1 don't count."""
    total = np.zeros(count, np.int64)
    for i in range(len(codes)):
        if codes[i] >= 0:
            total[codes[i]] += weights[i]
    return total


def _first(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Marks the first occurrence of each key."""
    marks = np.zeros(len(keys), np.bool_)
    marks[np.unique(keys, return_index=True)[1]] = True
    return marks
