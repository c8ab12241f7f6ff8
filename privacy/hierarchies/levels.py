"""The levels of a hierarchy for the full-domain search: on each, all values of a column are coarsened alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from privacy.hierarchies.hierarchy import ALL, MISSING, Hierarchy
from privacy.hierarchies.leaves import Step
from privacy.hierarchies.values import readable

MOST = 12  # levels; of more, as many are taken at even distances


@dataclass(frozen=True, kw_only=True)
class Levels:
    """The levels of a hierarchy of n leaves, from the finest (each leaf for itself) to the last (all as one, `*`).

    groups: by level, (n,) the group of each leaf, from 0; each level is a coarsening of the one before. losses: by level,
    (n,) the share of the column's scale, 0..1, that the leaf's group covers (normalised certainty penalty). labels: by
    level, (groups,) what each group is called. NULL is a group of its own until the last level.
    """

    groups: tuple[npt.NDArray[np.int32], ...]
    losses: tuple[npt.NDArray[np.float64], ...]
    labels: tuple[pa.Array, ...]


def levels_of(hierarchy: Hierarchy) -> Levels:
    """The levels, each other than the one before.

    intervals: the widths; dates: the parts; prefix: the lengths; tree: by height from the leaves, so that a short branch
    waits until its level is reached; numbers in their natural order: widths of 1 or 5 times a power of ten; days: month,
    quarter, year and decade, of moments the day before these; texts: what they begin with, from long to short; ordered:
    runs of 2, 4, 8, ...; built: `fan` groups together at each level.
    """
    count, leaves = len(hierarchy), hierarchy.grouped
    own = len(leaves.names)
    names = pa.array(
        [MISSING if value is None else str(value) for value in readable(hierarchy.leaves)], pa.string()
    )
    groups = [np.arange(count, dtype=np.int32)]
    losses = [hierarchy.ends - hierarchy.positions]
    labels = [names]
    for step in leaves.steps() if own else ():
        kinds = len(step.names)
        if kinds == 1 and not hierarchy.nullable:
            break
        if kinds == int(groups[-1][own - 1]) + 1:
            continue
        groups.append(_with_missing(step.groups, kinds, nullable=hierarchy.nullable))
        shares = _with_missing(step.shares[step.groups] * hierarchy.whole, 0.0, nullable=hierarchy.nullable)
        losses.append(_of_groups(np.maximum(shares, losses[-1]), groups[-1]))
        labels.append(_labelled(step, nullable=hierarchy.nullable))
        if kinds == 1:
            break
    kept = _even(len(groups))
    return Levels(
        groups=(*(groups[at] for at in kept), np.zeros(count, np.int32)),
        losses=(*(losses[at] for at in kept), np.ones(count, np.float64)),
        labels=(*(labels[at] for at in kept), pa.array([ALL], pa.string())),
    )


def _of_groups(of_leaf: npt.NDArray[np.float64], groups: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """The largest of each group's, for each leaf: two that mean the same may be a rounding apart."""
    most = np.zeros(int(groups[-1]) + 1, np.float64)
    np.maximum.at(most, groups, of_leaf)
    return most[groups]


def _with_missing(of_leaf: npt.NDArray[Any], missing: float, *, nullable: bool) -> npt.NDArray[Any]:
    return np.append(of_leaf, np.array([missing], of_leaf.dtype)) if nullable else of_leaf


def _labelled(step: Step, *, nullable: bool) -> pa.Array:
    return pa.array([*step.names, MISSING] if nullable else step.names, pa.string())


def _even(count: int) -> list[int]:
    """The levels that are kept, beside the last one of all."""
    if count < MOST:
        return list(range(count))
    return sorted(set(np.linspace(0, count - 1, MOST - 1).round().astype(int).tolist()))
