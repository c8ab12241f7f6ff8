"""What another k would cost: the same search over the same cube, for a row of ks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from privacy.models.rules import Asked
from privacy.report.parts import Frontier, FrontierPoint
from privacy.search.judge import judged
from privacy.search.mondrian import Parts, partition
from privacy.search.tuples import Tuples

KS = (2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)
_MOST = 20_000  # tuples


def frontier(
    tuples: Tuples, asked: Sequence[Asked] = (), *, ks: Sequence[int] = KS, seed: int = 0, most: int = _MOST
) -> Frontier:
    """Loss against k, by the multidimensional search, the contract's other limits kept as they are.

    Over `most` tuples a sample of persons is measured. Classes that break a limit are left out, and loss is of those that
    stay: normalised certainty penalty over the spans of their leaves, a little under that of labels with round ends.
    """
    some = sampled(tuples, most=most, seed=seed)
    points = []
    for k in ks:
        parts = partition(some, k=k, asked=asked)
        count = len(parts.low)
        safe = judged(some, parts.part, count, k=k, asked=asked)
        persons = np.bincount(parts.part, weights=some.heads, minlength=count)
        rows = np.bincount(parts.part, weights=some.weights, minlength=count)[safe]
        points.append(
            FrontierPoint(
                k=k,
                loss=float((_spans(some, parts)[safe] * rows).sum() / rows.sum()) if rows.sum() else 0.0,
                classes=int(safe.sum()),
                suppressed=int(persons[~safe].sum()),
            )
        )
    return Frontier(points=tuple(points), persons=some.persons, of=tuples.persons)


def sampled(tuples: Tuples, *, most: int, seed: int) -> Tuples:
    """The tuples of a random sample of persons, all tuples of each, about `most` in all; the same ones where they are no more."""
    if len(tuples.weights) <= most:
        return tuples
    draw = np.random.default_rng(seed)
    if tuples.units is not None:
        count = int(tuples.units.max()) + 1
        chosen = draw.random(count) < most / len(tuples.weights)
        return _taken(tuples, np.flatnonzero(chosen[tuples.units]), tuples.weights)
    # Persons by their numbers, of whom a tuple's stand together; one that is drawn twice is one.
    numbers = np.unique(draw.integers(tuples.persons, size=most))
    at, persons = np.unique(
        np.searchsorted(np.cumsum(tuples.weights, dtype=np.int64), numbers, side="right"), return_counts=True
    )
    weights = np.zeros(len(tuples.weights), np.int32)
    weights[at] = persons
    return _taken(tuples, at, weights)


def _taken(tuples: Tuples, at: npt.NDArray[np.int64], weights: npt.NDArray[np.int32]) -> Tuples:
    units = None
    if tuples.units is not None:
        units = np.unique(tuples.units[at], return_inverse=True)[1].astype(np.int32)
    return replace(
        tuples, codes=tuples.codes[at], weights=weights[at], sensitive=tuples.sensitive[at], units=units
    )


def _spans(tuples: Tuples, parts: Parts) -> npt.NDArray[np.float64]:
    """The mean share of its columns' scales that each part covers, (parts,)."""
    if not tuples.positions:
        return np.zeros(len(parts.low))
    ends = tuples.ends if tuples.ends is not None else tuples.positions
    spans = [
        end[parts.high[:, j]] - start[parts.low[:, j]]
        for j, (start, end) in enumerate(zip(tuples.positions, ends, strict=True))
    ]
    return np.asarray(np.mean(spans, axis=0), np.float64)
