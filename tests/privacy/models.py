"""The models once more, in plain Python over sets: what the compiled rules are held against."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from privacy.models.rules import DISTINCT, ENTROPY, EQUAL, ORDERED, Asked
from privacy.search.tuples import Tuples


def pairs(tuples: Tuples, mask: np.ndarray, column: int) -> list[tuple[object, int]]:
    """(person, value) of the tuples in `mask`, each once, values that are there only."""
    rows: list[tuple[object, int]] = []
    for i in np.flatnonzero(mask).tolist():
        value = int(tuples.sensitive[i, column])
        if tuples.units is not None:
            rows.append((int(tuples.units[i]), value))
        else:
            rows += [((i, each), value) for each in range(int(tuples.weights[i]))]
    return sorted({row for row in rows if row[1] >= 0}, key=str)


def people(tuples: Tuples, mask: np.ndarray) -> int:
    return int(tuples.weights[mask].sum()) if tuples.units is None else len(set(tuples.units[mask].tolist()))


def holds(asked: Asked, tuples: Tuples, mask: np.ndarray) -> bool:
    here = pairs(tuples, mask, asked.column)
    everyone = pairs(tuples, np.ones(len(mask), bool), asked.column)
    counts, all_counts = Counter(v for _, v in here), Counter(v for _, v in everyone)
    persons = people(tuples, mask)
    without_commonest = persons - max(counts.values(), default=0)
    if asked.rule == DISTINCT:
        return len(counts) >= asked.limit and without_commonest >= asked.limit - 1
    if asked.rule == ENTROPY:
        if not here:
            return False
        entropy = -sum(c / len(here) * math.log(c / len(here)) for c in counts.values())
        return entropy >= math.log(asked.limit) - 1e-9 and without_commonest >= math.ceil(asked.limit) - 1
    everywhere = np.ones(len(mask), bool)
    missing = len({u for u, _ in here}) / persons - len({u for u, _ in everyone}) / people(tuples, everywhere)
    if abs(missing) > asked.limit + 1e-9:
        return False
    if not here:
        return True
    values = range(max(all_counts) + 1)
    apart = [counts[v] / len(here) - all_counts[v] / len(everyone) for v in values]
    if asked.rule == EQUAL:
        return sum(abs(x) for x in apart) / 2 <= asked.limit + 1e-9
    assert asked.rule == ORDERED
    if len(apart) < 2:
        return True
    return sum(abs(sum(apart[: v + 1])) for v in values) / (len(apart) - 1) <= asked.limit + 1e-9
