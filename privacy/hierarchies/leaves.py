"""What each kind of hierarchy tells about its leaves: what they are called, where they stand, how they go together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from privacy.hierarchies.labels import Named

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One coarser level of n leaves. groups: (n,) the group of each leaf, from 0 and never falling. names: (groups,) what
    they are called. shares: (groups,) of the line from the first leaf's low place to the last one's high place, 0..1."""

    groups: Codes
    names: Sequence[str]
    shares: Floats


@dataclass(frozen=True, kw_only=True)
class Leaves(ABC):
    """The n leaves of a column without NULL's, in the order in which they may be merged.

    names: (n,) values, or texts where a leaf is a group of values. low, high: (n,) the places on a line between which a
    leaf's values lie, equal where it is one value.
    """

    names: pa.Array
    low: Floats
    high: Floats

    @abstractmethod
    def find(self, values: pa.Array) -> Codes:
        """The leaf of each value, (m,), -1 where there is none. values: distinct, without NULL."""

    @abstractmethod
    def run(self, first: int, last: int) -> Named:
        """What the leaves first..last (more than one) are called, and the share of the line that the name covers."""

    def runs(self, first: Codes, last: Codes) -> tuple[pa.Array, Floats]:
        """The labels of many runs of more than one leaf, and the shares of the line that they cover."""
        named = [self.run(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True)]
        labels = pa.array([each.label for each in named], pa.string())
        return labels, np.array([each.covers for each in named], np.float64)

    @abstractmethod
    def steps(self) -> Iterator[Step]:
        """The coarser levels from fine to coarse, each a coarsening of the one before; that of all leaves isn't needed."""

    def share(self, low: Floats | float, high: Floats | float) -> Floats:
        """The part of the line that lies between two places, 0..1; 0 where the line is a point."""
        if not len(self.low) or self.high[-1] <= self.low[0]:
            return np.zeros(np.broadcast(low, high).shape, np.float64)
        # Halves, so that no difference of two large ones overflows.
        bottom, top = self.low[0] / 2, self.high[-1] / 2
        covered = np.minimum(np.asarray(high) / 2, top) - np.maximum(np.asarray(low) / 2, bottom)
        return np.asarray(np.clip(covered / (top - bottom), 0.0, 1.0), np.float64)

    def between(self, first: Any, last: Any) -> Floats:
        """The shares of runs of leaves, from the first one's low place to the last one's high place."""
        return self.share(self.low[first], self.high[last])


def numbered(keys: npt.NDArray[Any] | pa.Array) -> tuple[Codes, Places, Places]:
    """Groups of neighbours with the same key: (n,) group numbers from 0, and (groups,) first and last place of each."""
    starts = np.ones(len(keys), np.bool_)
    if isinstance(keys, pa.Array):
        starts[1:] = pc.not_equal(keys[1:], keys[:-1]).to_numpy(zero_copy_only=False)
    else:
        starts[1:] = np.asarray(keys[1:] != keys[:-1], np.bool_)
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(keys)) - 1 if len(first) else first
    return np.cumsum(starts, dtype=np.int32) - np.int32(1), first, last


def placed(values: pa.Array, among: pa.Array) -> Codes:
    """The place of each value `among` distinct ones, (m,), -1 where it isn't there."""
    return np.asarray(
        pc.index_in(values, value_set=among).fill_null(-1).to_numpy(zero_copy_only=False), np.int32
    )


def found(keys: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> Codes:
    """The place of each wanted key among sorted, distinct ones, -1 where it isn't there."""
    if not len(keys):
        return np.full(len(wanted), -1, np.int32)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(np.asarray(keys[at] == wanted, np.bool_), at, -1).astype(np.int32)
