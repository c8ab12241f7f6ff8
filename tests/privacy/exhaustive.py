"""Full-domain search by looking at everything: every node, person by person, in plain Python with whole numbers."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privacy.models.rules import DISTINCT, ENTROPY, EQUAL, Asked
from privacy.search.tuples import Tuples

SIXTEENTHS = 16
Person = tuple[int, int]
Class = tuple[int, ...]
Values = dict[Person, set[int]]  # the values that a person has in one sensitive column


@dataclass(frozen=True)
class Steps:
    """Levels whose losses are whole sixteenths, so that sums of them are exact."""

    groups: tuple[npt.NDArray[np.int32], ...]
    losses: tuple[npt.NDArray[np.float64], ...]


@dataclass(frozen=True)
class Found:
    """loss: in sixteenths, summed over dimensions and rows. classes: the kept ones, as sets of tuples."""

    loss: int
    suppressed: int
    node: Class
    classes: frozenset[frozenset[int]]


def persons_of(tuples: Tuples) -> list[tuple[int, Person, int]]:
    """(tuple, person, rows) for everything that anybody owns."""
    if tuples.units is not None:
        return [(i, (int(unit), 0), int(tuples.weights[i])) for i, unit in enumerate(tuples.units.tolist())]
    return [(i, (i, copy), 1) for i, weight in enumerate(tuples.weights.tolist()) for copy in range(weight)]


def values_of(tuples: Tuples, owned: Sequence[tuple[int, Person, int]], column: int) -> Values:
    """Everyone's values in a column."""
    found: Values = defaultdict(set)
    for i, person, _ in owned:
        found[person].update(v for v in [int(tuples.sensitive[i, column])] if v >= 0)
    return found


def keeps(asked: Asked, persons: set[Person], values: Values) -> bool:
    """Whether a class keeps a rule, over persons. values: of everyone, the class's persons among them."""
    counts = Counter(v for person in persons for v in values[person])
    without_commonest = len(persons) - max(counts.values(), default=0)
    if asked.rule == DISTINCT:
        return len(counts) >= asked.limit and without_commonest >= asked.limit - 1
    total = sum(counts.values())
    if asked.rule == ENTROPY:
        if not total:
            return False
        entropy = sum(c / total * math.log(total / c) for c in counts.values())
        return (
            math.exp(entropy) >= asked.limit - 1e-9 and without_commonest >= math.ceil(asked.limit - 1e-9) - 1
        )
    everyone = Counter(v for has in values.values() for v in has)
    here = sum(1 for person in persons if values[person]) / len(persons)
    there = sum(1 for has in values.values() if has) / len(values)
    if abs(here - there) > asked.limit + 1e-9:
        return False
    if not total:
        return True
    apart = [counts[v] / total - everyone[v] / sum(everyone.values()) for v in range(max(everyone) + 1)]
    if asked.rule == EQUAL:
        return sum(map(abs, apart)) / 2 <= asked.limit + 1e-9
    if len(apart) < 2:
        return True
    return (
        sum(abs(sum(apart[: v + 1])) for v in range(len(apart) - 1)) / (len(apart) - 1) <= asked.limit + 1e-9
    )


def at_node(tuples: Tuples, levels: Sequence[Steps], node: Class, *, k: int, asked: Sequence[Asked]) -> Found:
    """What the node leaves out and loses."""
    owned = persons_of(tuples)
    codes = tuples.codes.tolist()
    generalised = [
        tuple(int(levels[j].groups[level][row[j]]) for j, level in enumerate(node)) for row in codes
    ]
    stands: dict[Person, set[Class]] = defaultdict(set)
    for i, person, _ in owned:
        stands[person].add(generalised[i])
    classes: dict[Class, set[Person]] = defaultdict(set)
    for person, there in stands.items():
        if len(there) == 1:
            classes[next(iter(there))].add(person)
    values = {column: values_of(tuples, owned, column) for column in {each.column for each in asked}}
    safe = {
        each: persons
        for each, persons in classes.items()
        if len(persons) >= k and all(keeps(rule, persons, values[rule.column]) for rule in asked)
    }
    kept = {person for persons in safe.values() for person in persons}
    loss, members = 0, defaultdict(set)
    for i, person, rows in owned:
        if person in kept:
            loss += rows * sum(
                round(float(levels[j].losses[level][codes[i][j]]) * SIXTEENTHS)
                for j, level in enumerate(node)
            )
            members[generalised[i]].add(i)
        else:
            loss += rows * SIXTEENTHS * max(1, len(node))
    return Found(loss, len(stands) - len(kept), node, frozenset(frozenset(each) for each in members.values()))


def every_node(
    tuples: Tuples, levels: Sequence[Steps], *, k: int, asked: Sequence[Asked], max_suppressed: int
) -> Found | None:
    """The node that loses least within the limit; then fewest left out, lowest sum of levels, first in order."""
    found = (
        at_node(tuples, levels, node, k=k, asked=asked)
        for node in itertools.product(*(range(len(each.groups)) for each in levels))
    )
    return min(
        (each for each in found if each.suppressed <= max_suppressed),
        key=lambda each: (each.loss, each.suppressed, sum(each.node), each.node),
        default=None,
    )
