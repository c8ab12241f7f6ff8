"""All that a disclosure report says of a subject table, measured in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from contracts.protection import PrivacyTerms
from privacy.measures.attacks import attacks
from privacy.measures.frontier import frontier
from privacy.measures.risk import risk
from privacy.measures.utility import utility
from privacy.measures.world import world_of
from privacy.models.rules import Asked
from privacy.report.parts import Measures
from privacy.search.tuples import Tuples
from privacy.subjects.classes import Classes
from privacy.subjects.cube import Cube


def measured_on(
    cube: Cube,
    classes: Classes,
    shown: Tuples,
    terms: PrivacyTerms,
    asked: Sequence[Asked],
    *,
    before: npt.NDArray[np.int64],
    written: npt.NDArray[np.int64],
    ncp_by_column: Mapping[str, float],
    key: bytes,
) -> Measures:
    """Risk before and after, utility, the frontier and the attacks.

    shown: the tuples of who is published, see `shown_tuples`. before: persons of each raw combination, see `sizes_before`.
    written: (groups,) persons of each class of the written file; what is attacked must show the same. ncp_by_column: of the published labels. key: of one table of one
    source, so that a rerun measures the same and nobody else can tell whom.
    Raises InternalError when the written file shows other classes than those that were made.
    """
    world, seed = world_of(cube, classes, written=written), int.from_bytes(key, "big")
    return Measures(
        before=risk(before, threshold=1 / terms.k),
        after=risk(written, threshold=1 / terms.k),
        utility=utility(world, k=terms.k, ncp_by_column=ncp_by_column),
        frontier=frontier(shown, asked, seed=seed),
        attacks=attacks(world, k=terms.k, seed=seed),
    )
