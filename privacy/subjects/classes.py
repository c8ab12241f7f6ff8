"""Classes of at least k persons that keep the contract's models, and segments above them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.protection import PrivacyTerms, Search
from privacy.models.rules import Asked
from privacy.search.mondrian import partition
from privacy.search.tuples import Tuples
from privacy.subjects.choice import found
from privacy.subjects.cube import Cube
from privacy.subjects.naming import Labels

_FAR = 0.5  # of the whole span, on the mean over the quasi-identifiers


@dataclass(frozen=True, kw_only=True)
class Classes:
    """Which class each tuple is in, and what it's called.

    of_tuple: (tuples,) class, -1 for tuples left out. labels: one for each quasi-identifier. segments: (classes,) the
    segment of each class, from 0, or None. persons: (classes,) distinct persons. lost: persons left out. search, why: how
    the classes were found, and the reason for it.
    """

    of_tuple: npt.NDArray[np.int32]
    labels: tuple[Labels, ...]
    segments: npt.NDArray[np.int32] | None
    persons: npt.NDArray[np.int64]
    lost: int
    search: Search
    why: str


def classify(
    cube: Cube, terms: PrivacyTerms, asked: Sequence[Asked], *, segment_min_units: int | None
) -> Classes:
    """The classes of a cube. asked: what each keeps beside k. segment_min_units: fewest persons of a segment, or None."""
    apart = _far_apart(cube.tuples, most=int(terms.max_suppressed * cube.owners.count))
    stays = np.flatnonzero(~apart) if apart.any() else None
    tuples = cube.tuples if stays is None else cube.tuples.taken(stays)
    segments: npt.NDArray[np.int32] | None = None
    if segment_min_units is not None:
        segments = partition(tuples, k=max(terms.k, segment_min_units), asked=asked).part
    most = int(terms.max_suppressed * cube.owners.count) - (cube.owners.count - tuples.persons)
    best = found(tuples, cube.hierarchies, terms, asked, within=segments, max_suppressed=most)
    kept = best.part >= 0
    persons = np.bincount(best.part[kept], weights=tuples.heads[kept], minlength=best.classes).astype(
        np.int64
    )
    of_class = None
    if segments is not None:
        of_class = np.empty(best.classes, np.int32)
        of_class[best.part[kept]] = segments[kept]
    return Classes(
        of_tuple=_spread(best.part, stays, len(apart)),
        labels=best.labels,
        segments=of_class,
        persons=persons,
        lost=cube.owners.count - int(persons.sum()),
        search=best.search,
        why=best.why,
    )


def _spread(
    classes: npt.NDArray[np.int32], at: npt.NDArray[np.int64] | None, count: int
) -> npt.NDArray[np.int32]:
    """`classes` at the places `at` of `count`, -1 elsewhere."""
    if at is None:
        return classes
    whole = np.full(count, -1, np.int32)
    whole[at] = classes
    return whole


def _far_apart(tuples: Tuples, *, most: int) -> npt.NDArray[np.bool_]:
    """Marks the tuples to leave out for the others' sake: of persons whose rows lie farthest apart, at most `most`.

    All rows of a person stay in one class, so a person with rows at both ends of everything makes one class of all. Persons
    of the same span are left out together or not at all: nothing depends on the order of rows.
    """
    if tuples.units is None or most == 0 or not tuples.positions or not len(tuples.units):
        return np.zeros(len(tuples.weights), np.bool_)
    units = int(tuples.units.max()) + 1
    span = np.zeros(units)
    for j, places in enumerate(tuples.positions):
        low, high = np.full(units, 1.0), np.zeros(units)
        np.minimum.at(low, tuples.units, places[tuples.codes[:, j]])
        np.maximum.at(high, tuples.units, places[tuples.codes[:, j]])
        span += (high - low) / len(tuples.positions)
    far = np.sort(span[span >= _FAR])[::-1]
    if len(far) > most:
        far = far[far > far[most]]
    apart = span >= far[-1] if len(far) else np.zeros(units, np.bool_)
    return np.asarray(apart[tuples.units], np.bool_)
