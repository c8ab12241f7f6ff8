"""Classes of at least k persons that keep the contract's models, and segments above them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from contracts.protection import PrivacyTerms, Search
from core.errors import InternalError
from privacy.history.further import Further
from privacy.models.rules import Asked
from privacy.search.judge import judged
from privacy.search.mondrian import partition
from privacy.search.tuples import Tuples
from privacy.subjects.choice import found
from privacy.subjects.cube import Cube
from privacy.subjects.naming import Labels, labels_of

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
    cube: Cube,
    terms: PrivacyTerms,
    asked: Sequence[Asked],
    *,
    segment_min_units: int | None,
    further: Further | None = None,
) -> Classes:
    """The classes of a cube. asked: what each keeps beside k. segment_min_units: fewest persons of a segment, or None.

    further: who may be shown anew beside earlier releases, and with whom; the cube's tuples then say whose they are.
    """
    most = int(terms.max_suppressed * cube.owners.count)
    out = (
        _far_apart(cube.tuples, most=most) if further is None else _not_anew(cube.tuples, further, most=most)
    )
    stays = np.flatnonzero(~out) if out.any() else None
    tuples = cube.tuples if stays is None else cube.tuples.taken(stays)
    within: npt.NDArray[np.int32] | None = None
    if further is not None and tuples.units is not None:
        within = further.bounds.within[tuples.units]
        tuples = replace(tuples, blocks=further.bounds.blocks[tuples.units])
    segments: npt.NDArray[np.int32] | None = None
    if segment_min_units is not None:
        fewest = max(terms.k, segment_min_units)
        segments = partition(tuples, k=fewest, asked=asked, within=within).part
        if within is not None:  # where so few are shown anew, they wait until there are more
            enough = judged(tuples, segments, int(segments.max(initial=-1)) + 1, k=fewest, asked=())[segments]
            at = np.flatnonzero(enough)
            stays = at if stays is None else stays[at]
            tuples, segments = tuples.taken(at), segments[at]
    if not len(tuples.weights):
        return _nobody(cube, segmented=segments is not None)
    most -= cube.owners.count - tuples.persons
    best = found(
        tuples,
        cube.hierarchies,
        terms,
        asked,
        within=within if segments is None else segments,
        max_suppressed=most,
    )
    kept = best.part >= 0
    persons = np.bincount(best.part[kept], weights=tuples.heads[kept], minlength=best.classes).astype(
        np.int64
    )
    of_class = None
    if segments is not None:
        of_class = np.empty(best.classes, np.int32)
        of_class[best.part[kept]] = segments[kept]
    return Classes(
        of_tuple=_spread(best.part, stays, len(out)),
        labels=best.labels,
        segments=of_class,
        persons=persons,
        lost=cube.owners.count - int(persons.sum()),
        search=best.search,
        why=best.why,
    )


def _nobody(cube: Cube, *, segmented: bool) -> Classes:
    """No classes: there is nobody to be put into one."""
    none = np.empty(0, np.int32)
    return Classes(
        of_tuple=np.full(len(cube.tuples.weights), -1, np.int32),
        labels=tuple(labels_of(hierarchy, none, none) for hierarchy in cube.hierarchies.values()),
        segments=none if segmented else None,
        persons=np.empty(0, np.int64),
        lost=cube.owners.count,
        search=Search.MULTIDIMENSIONAL,
        why="nobody is there to be put into a class",
    )


def _not_anew(tuples: Tuples, further: Further, *, most: int) -> npt.NDArray[np.bool_]:
    """Marks the tuples of who isn't shown anew, and of who lies too far apart. Who stood with others in an earlier release
    isn't left out for that: the others would be told apart by it."""
    if tuples.units is None:
        raise InternalError("Beside earlier releases each tuple is somebody's.")
    blocks, anew = further.bounds.blocks, further.anew
    by_itself = anew & (np.bincount(blocks[anew], minlength=len(blocks)) == 1)[blocks]
    anew = anew[tuples.units]
    alone = np.flatnonzero(by_itself[tuples.units])
    anew[alone[_far_apart(tuples.taken(alone), most=most)]] = False
    return ~anew


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
