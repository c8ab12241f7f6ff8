"""What a release keeps: discernibility, class sizes, and how far a column's distribution moved.

Sources: discernibility, Bayardo, Agrawal 2005; average class size over k, LeFevre, DeWitt, Ramakrishnan 2006; normalised
certainty penalty, Xu et al. 2006.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from privacy.measures.world import World
from privacy.report.parts import Utility, in_steps
from privacy.search.tuples import tally


def utility(world: World, *, k: int, ncp_by_column: Mapping[str, float]) -> Utility:
    """What the published table keeps of the one that came. ncp_by_column: as measured on the labels, 0..1 each."""
    published: npt.NDArray[np.int64] = tally(world.group, world.rows, len(world.sizes))
    lost = in_steps(int(world.rows.sum(dtype=np.int64) - published.sum()), k)
    cost = discernibility(published, suppressed=lost)
    persons = int(world.sizes.sum())
    gone = in_steps(max(0, world.persons - persons), k)
    out = world.group < 0
    shown = np.flatnonzero(~out) if out.any() else slice(None)
    return Utility(
        ncp=float(np.mean(list(ncp_by_column.values()))) if ncp_by_column else 0.0,
        ncp_by_column=dict(ncp_by_column),
        discernibility=cost,
        discernibility_share=cost / (lost + int(published.sum())) ** 2 if lost or published.sum() else 0.0,
        average_class=average_class(world.sizes, k=k),
        suppressed=gone / (gone + persons) if gone else 0.0,
        shift_by_column={
            name: shift(
                tally(world.leaves[shown, j], world.rows[shown], world.cardinalities[j]),
                world.low[:, j],
                world.high[:, j],
                published,
            )
            for j, name in enumerate(world.columns)
        },
    )


def discernibility(rows: npt.NDArray[np.int64], *, suppressed: int) -> int:
    """Each row costs as many as it can't be told from: its class, or all rows when it's left out.

    rows: (classes,) published rows of each. suppressed: rows left out. Source: Bayardo, Agrawal 2005.
    """
    squares = int(
        (rows * rows).sum()
    )  # at most the square of all rows, which 64 bits hold up to three thousand million
    return squares + suppressed * (int(rows.sum()) + suppressed)


def average_class(persons: npt.NDArray[np.int64], *, k: int) -> float:
    """Mean persons of a class over the k that was asked for; 1 is as fine as k allows, 0 without classes.

    Source: C_avg of LeFevre et al. 2006, over persons.
    """
    return float(persons.sum()) / len(persons) / k if len(persons) else 0.0


def shift(
    raw: npt.NDArray[Any],
    low: npt.NDArray[np.int32],
    high: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
) -> float:
    """How far a column's distribution moved, as total variation distance: 0 not at all, 1 nothing in common.

    raw: (leaves,) published rows with each value as they came. low, high: (classes,) the run of leaves that
    each class's label stands for; rows: (classes,) its rows. A reader who knows nothing else takes the values of a label
    to be evenly spread over its leaves, and so does this; leaves are the values that occur, or that are declared.
    """
    if not len(raw) or not raw.sum() or not rows.sum():
        return 0.0
    even = rows / (high - low + 1)
    steps = np.bincount(low, weights=even, minlength=len(raw) + 1)
    steps -= np.bincount(high + 1, weights=even, minlength=len(raw) + 1)
    spread = np.cumsum(steps)[:-1] / rows.sum()
    # The running sum leaves crumbs; a distance is never outside its bounds.
    return float(np.clip(np.abs(raw / raw.sum() - spread).sum() / 2, 0.0, 1.0))
