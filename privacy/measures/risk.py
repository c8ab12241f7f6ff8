"""Re-identification risk from class sizes, in the three ways of El Emam: prosecutor, journalist, marketer.

With f_j persons of the table in class j, F_j of the population, n persons in all and J classes:

    prosecutor   largest 1 / min f_j, mean J / n, over the threshold (1 / n) sum f_j [1 / f_j > t]
    journalist   largest 1 / min F_j, mean max(J / sum F_j, (1 / n) sum f_j / F_j), over (1 / n) sum f_j [1 / F_j > t]
    marketer     (1 / n) sum f_j / F_j; J / n where the table is the population

Source: El Emam, Guide to the De-Identification of Personal Health Information, 2013 (pRa to mR2); Dankar, El Emam 2010
for the marketer's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.errors import PrivacyError
from privacy.report.parts import Risk
from privacy.search.tuples import Tuples
from privacy.subjects.cube import Cube
from privacy.subjects.grouping import distinct, multiplicities, packed

# 1/3 and the float nearest to it are no two risks: a class of exactly k is at the threshold, not above it.
_ROUNDING = 1e-12


def risk(
    sizes: npt.NDArray[np.int64], *, threshold: float, population: npt.NDArray[np.int64] | None = None
) -> Risk:
    """The risks of a table whose classes have `sizes` persons, (classes,), each at least 1.

    threshold: the risk of one person that is still borne, commonly 1 / k. population: (classes,) persons of the population in
    each class, at least as many as in the table. All is 0 for an empty table. Raises PrivacyError when the population has
    fewer persons than the table.
    """
    if not len(sizes):
        return _risk(threshold, (0.0,) * 7, population=population is not None)
    every = sizes if population is None else population
    if len(every) != len(sizes) or bool((every < sizes).any()):
        raise PrivacyError(
            "The population has fewer persons in a class than the table.",
            remedy="Count the population by the published values, the persons of the table among them.",
        )
    persons = float(sizes.sum())
    classes = len(sizes)
    # Summed sizes above the threshold, so that a share is a share of persons and not of classes.
    shown = float(sizes[1 / sizes > threshold + _ROUNDING].sum()) / persons
    among = float(sizes[1 / every > threshold + _ROUNDING].sum()) / persons
    marketer = float((sizes / every).sum()) / persons
    mean = max(classes / float(every.sum()), marketer)
    figures = (
        1 / float(sizes.min()),
        classes / persons,
        shown,
        1 / float(every.min()),
        mean,
        among,
        marketer,
    )
    return _risk(threshold, figures, population=population is not None)


def sizes_before(cube: Cube, shown: Tuples | None = None) -> npt.NDArray[np.int64]:
    """Persons behind each combination of raw quasi-identifier values, (combinations,): the classes of the table as it came.
    A person with several combinations counts in each. shown: the tuples that count; all where None."""
    tuples = cube.tuples if shown is None else shown
    words = packed(list(tuples.codes.T), [len(each) for each in cube.hierarchies.values()])
    if len(words) == 1 and tuples.units is None and cube.tuple_of_row is None:
        return multiplicities(words)  # a row a tuple
    leaves, first = distinct(words or [np.zeros(len(tuples.weights), np.int64)])
    if tuples.units is None:
        return np.bincount(leaves, weights=tuples.heads, minlength=len(first)).astype(np.int64)
    _, at = distinct(packed([leaves, tuples.units], [len(first), cube.owners.count]))
    return np.bincount(leaves[at], minlength=len(first)).astype(np.int64)


def _risk(threshold: float, figures: tuple[float, ...], *, population: bool) -> Risk:
    largest, mean, over, journalist, journalist_mean, journalist_over, marketer = figures
    return Risk(
        threshold=threshold,
        prosecutor_largest=largest,
        prosecutor_mean=mean,
        prosecutor_over=over,
        journalist_largest=journalist,
        journalist_mean=journalist_mean,
        journalist_over=journalist_over,
        marketer=marketer,
        population=population,
    )
