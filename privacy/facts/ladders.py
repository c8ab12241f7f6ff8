"""Ladders of detail for cells: in which order segments and dimensions are given up, and what that loses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from contracts.protection import CellPlan, Level

SEGMENT = "segment"
_ALL_ORDERS = 3  # dimensions of which every order is tried; of more, the plan's own and each of them first


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One level of detail: whether segments are told apart, and each dimension's level (None: all)."""

    segments: bool
    levels: tuple[Level | None, ...]

    def label(self, plan: CellPlan) -> str:
        """What the rung is called in a report."""
        parts = [SEGMENT if self.segments else "all segments"]
        parts += [
            level.label if level else f"all of {dimension.name}"
            for level, dimension in zip(self.levels, plan.dimensions, strict=True)
        ]
        return " x ".join(parts)


Ladder = tuple[Rung, ...]


def ladder(plan: CellPlan, order: Sequence[int] | None = None) -> Ladder:
    """The levels of detail from fine to coarse: segment first, then dimension after dimension.

    order: of the dimensions, by their places in the plan; None is the plan's own.
    """
    levels: list[Level | None] = [dimension.levels[0] for dimension in plan.dimensions]
    rungs = [Rung(segments=True, levels=tuple(levels)), Rung(segments=False, levels=tuple(levels))]
    for j in range(len(levels)) if order is None else order:
        for level in (*plan.dimensions[j].levels[1:], None):
            levels[j] = level
            rungs.append(Rung(segments=False, levels=tuple(levels)))
    return tuple(rungs)


SHARED = 2  # rungs that all ladders of a plan begin with


def ladders(plan: CellPlan) -> tuple[Ladder, ...]:
    """The ladders that a plan allows, its own first: they differ in which dimension is given up before which."""
    places = range(len(plan.dimensions))
    orders = (
        list(permutations(places))
        if len(places) <= _ALL_ORDERS
        else [tuple(places), *((j, *(i for i in places if i != j)) for j in places[1:])]
    )
    return tuple(ladder(plan, order) for order in orders)


def losses(plan: CellPlan, rungs: Ladder) -> tuple[tuple[int, ...], int]:
    """What a fact loses on each rung, and what it loses when it's suppressed, in whole numbers that compare.

    The segment and each dimension weigh the same; a dimension loses in equal steps from its first level to "all".
    A suppressed fact loses more than one of which nothing is told apart.
    """
    unit = math.lcm(*(len(dimension.levels) for dimension in plan.dimensions))
    lost = []
    for rung in rungs:
        parts = [0 if rung.segments else unit]
        for level, dimension in zip(rung.levels, plan.dimensions, strict=True):
            steps = len(dimension.levels)
            parts.append((dimension.levels.index(level) if level is not None else steps) * unit // steps)
        lost.append(sum(parts))
    return tuple(lost), (len(plan.dimensions) + 2) * unit
