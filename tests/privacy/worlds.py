"""Small releases beside what they were made of, drawn at random, and plain counts over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from privacy.measures.world import World


def world(
    leaves: Sequence[Sequence[int]],
    group: Sequence[int],
    *,
    cardinalities: Sequence[int],
    sensitive: Sequence[int] | None = None,
    units: Sequence[int] | None = None,
    rows: Sequence[int] | None = None,
) -> World:
    """A world whose groups show the runs of leaves of their own tuples, and no more."""
    at = np.array(leaves, np.uint16).reshape(len(group), len(cardinalities))
    of = np.array(group, np.int32)
    groups = int(of.max(initial=-1)) + 1
    weights = np.ones(len(of), np.int32) if rows is None else np.array(rows, np.int32)
    persons = None if units is None else np.array(units, np.int32)
    heads = weights.copy()
    if persons is not None:
        heads[:] = 0
        heads[np.unique(persons, return_index=True)[1]] = 1
    return World(
        columns=tuple(f"q{j}" for j in range(len(cardinalities))),
        secrets=() if sensitive is None else ("s",),
        cardinalities=tuple(cardinalities),
        leaves=at,
        sensitive=np.empty((len(of), 0), np.int32)
        if sensitive is None
        else np.array(sensitive, np.int32).reshape(-1, 1),
        rows=weights,
        heads=heads,
        units=persons,
        group=of,
        low=np.array([at[of == g].min(axis=0) for g in range(groups)], np.int32).reshape(
            groups, len(cardinalities)
        ),
        high=np.array([at[of == g].max(axis=0) for g in range(groups)], np.int32).reshape(
            groups, len(cardinalities)
        ),
        sizes=np.array([heads[of == g].sum() for g in range(groups)], np.int64),
        persons=int(heads.sum()),
    )


def halved(values: np.ndarray, *, k: int, among: np.ndarray | None = None, turn: int = 0) -> list[np.ndarray]:
    """Rows in groups of at least k: halved at the median of one column after the other, equal values kept together."""
    rows = np.arange(len(values)) if among is None else among
    d = values.shape[1]
    for j in (*range(turn % d, d), *range(turn % d)):
        middle = np.median(values[rows, j])
        left, right = rows[values[rows, j] < middle], rows[values[rows, j] >= middle]
        if min(len(left), len(right)) >= k:
            return [
                *halved(values, k=k, among=left, turn=turn + 1),
                *halved(values, k=k, among=right, turn=turn + 1),
            ]
    return [rows]


def grouped(values: np.ndarray, *, k: int) -> np.ndarray:
    """The group of each row, as `halved` makes them."""
    group = np.empty(len(values), np.int32)
    for number, rows in enumerate(halved(values, k=k)):
        group[rows] = number
    return group
