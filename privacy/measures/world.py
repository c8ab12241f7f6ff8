"""A release and what it was made of, side by side, as the attacks and the measures of utility need them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from core.errors import InternalError
from privacy.measures.boxes import corners, outermost
from privacy.search.tuples import Codes, Tuples
from privacy.subjects.classes import Classes
from privacy.subjects.cube import Cube
from privacy.subjects.grouping import distinct, packed

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class World:
    """n tuples of the original over d quasi-identifiers and s sensitive columns, and g published groups.

    leaves: (n, d) raw values as leaf codes. sensitive: (n, s) codes, -1 where missing. rows: (n,) rows behind each tuple.
    heads: (n,) persons whom each tuple counts for. units: (n,) person codes, or None when each row is a person. group: (n,)
    the published group, -1 when left out. low, high: (g, d) the leaves between which a group's labels lie. sizes: (g,)
    persons. persons: all of the original. columns, secrets: names of the quasi-identifiers and the sensitive columns.
    cardinalities: (d,) leaves of each.

    A group is what a reader can't tell apart: rows with the same labels. A label stands for the leaves from the lowest to
    the highest that it's printed for; a label with round ends says a little less, so whoever attacks here knows a little
    more than a reader.
    """

    columns: tuple[str, ...]
    secrets: tuple[str, ...]
    cardinalities: tuple[int, ...]
    leaves: Codes
    sensitive: Codes
    rows: Ints
    heads: Ints
    units: Ints | None
    group: Ints
    low: Ints
    high: Ints
    sizes: npt.NDArray[np.int64]
    persons: int


def shown_tuples(cube: Cube, classes: Classes) -> Tuples:
    """The tuples of who is published, over the scales of what is shown: what is measured mustn't tell of who isn't."""
    shown = classes.of_tuple >= 0
    if shown.all():
        return cube.tuples
    tuples = cube.tuples.taken(np.flatnonzero(shown))
    scales = [hierarchy.shown(tuples.codes[:, j]) for j, hierarchy in enumerate(cube.hierarchies.values())]
    return replace(
        tuples,
        positions=tuple(scale.positions for scale in scales),
        ends=tuple(scale.ends for scale in scales),
    )


def world_of(cube: Cube, classes: Classes, *, written: npt.NDArray[np.int64] | None = None) -> World:
    """The world of a subject table. written: (groups,) persons of each class as measured on the written file.

    Raises InternalError when the written file shows other classes than those that would be attacked.
    """
    of_class, groups = _groups(classes)
    kept = classes.of_tuple >= 0
    group = np.full(len(classes.of_tuple), -1, np.int32)
    group[kept] = of_class[classes.of_tuple[kept]]
    tuples = cube.tuples
    sizes = np.bincount(of_class, weights=classes.persons, minlength=groups).astype(np.int64)
    if written is not None and not np.array_equal(np.sort(written), np.sort(sizes)):
        raise InternalError(
            "The written file shows other classes than those that were made.",
            remedy="Report this: it's a defect.",
        )
    low, high = _runs(cube, classes, of_class, groups)
    return World(
        columns=tuple(cube.hierarchies),
        secrets=tuple(cube.secrets),
        cardinalities=tuple(len(each) for each in cube.hierarchies.values()),
        leaves=tuples.codes,
        sensitive=tuples.sensitive,
        rows=tuples.weights,
        heads=tuples.heads,
        units=tuples.units,
        group=group,
        low=low,
        high=high,
        sizes=sizes,
        persons=cube.owners.count,
    )


def _groups(classes: Classes) -> tuple[Ints, int]:
    """The published group of each class, and how many there are: classes with the same labels are one."""
    count = len(classes.persons)
    columns = [(label.of_class, len(label.names)) for label in classes.labels]
    if classes.segments is not None:
        columns.append((classes.segments, int(classes.segments.max(initial=-1)) + 1))
    words = packed([each for each, _ in columns], [size for _, size in columns])
    number, first = distinct(words or [np.zeros(count, np.int64)])
    return number, len(first)


def _runs(cube: Cube, classes: Classes, of_class: Ints, groups: int) -> tuple[Ints, Ints]:
    """The leaves between which each group's labels lie, two (groups, d) arrays."""
    cardinalities = [len(each) for each in cube.hierarchies.values()]
    class_low, class_high = corners(cube.tuples.codes, classes.of_tuple, len(classes.persons))
    low, high = (np.empty((groups, len(classes.labels)), np.int32) for _ in range(2))
    for j, label in enumerate(classes.labels):
        lowest, highest = outermost(class_low[:, j], class_high[:, j], label.of_class, len(label.names))
        # A class of whom nobody is in the source as published: its label may stand for anything.
        nobodys = highest < 0
        lowest[nobodys], highest[nobodys] = 0, cardinalities[j] - 1
        low[of_class, j], high[of_class, j] = lowest[label.of_class], highest[label.of_class]
    return low, high
