"""What classes are called: labels of runs of leaves, or of groups of one level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from privacy.hierarchies.hierarchy import Hierarchy, Scale
from privacy.hierarchies.levels import Levels
from privacy.subjects.grouping import distinct, mostly_distinct


@dataclass(frozen=True, kw_only=True)
class Labels:
    """One quasi-identifier's published values. names: (labels,) distinct texts. of_class: (classes,) the label of each
    class. loss: (classes,) share of the column's scale, 0..1, that it covers."""

    names: pa.Array
    of_class: npt.NDArray[np.int32]
    loss: npt.NDArray[np.float64]


def labels_of(
    hierarchy: Hierarchy,
    low: npt.NDArray[np.int32],
    high: npt.NDArray[np.int32],
    shown: Scale | None = None,
) -> Labels:
    """The labels of many runs of leaves [low, high]; each is named once, unless hardly any are the same.

    shown: what of the hierarchy is shown at all: names are as if there were no more.
    """
    of_run = low.astype(np.int64) * max(1, len(hierarchy)) + high
    of_class: npt.NDArray[np.int32] | slice = slice(None)
    if not mostly_distinct([of_run]):
        of_class, first = distinct([of_run])
        low, high = low[first], high[first]
    labels, loss = hierarchy.runs(low, high, shown)
    labels = labels.dictionary_encode()
    return Labels(
        names=labels.dictionary,
        of_class=labels.indices.to_numpy().astype(np.int32)[of_class],
        loss=loss[of_class],
    )


def level_labels(levels: Levels, level: int, leaf: npt.NDArray[np.int32]) -> Labels:
    """The labels of classes at one level. leaf: (classes,) any leaf of each class."""
    groups, names = levels.groups[level], levels.labels[level].dictionary_encode()
    place = names.indices.to_numpy().astype(np.int32)  # two groups may read alike, and are one to a reader
    return Labels(
        names=names.dictionary,
        of_class=place[groups[leaf]],
        loss=levels.losses[level][leaf].astype(np.float64),
    )
