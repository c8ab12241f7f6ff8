"""The strictest limits that a file keeps, found by asking the models' own rules, and whether that is enough."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.model import Column
from contracts.protection import PrivacyTerms
from privacy.measures.written import Shown
from privacy.models.rules import DISTINCT, ENTROPY, EQUAL, ORDERED, Asked, asked_of
from privacy.report.parts import Limit
from privacy.search.judge import judged
from privacy.search.tuples import Tuples
from privacy.subjects.grouping import distinct, packed

_NAMES = {DISTINCT: "l", ENTROPY: "entropyL", EQUAL: "t", ORDERED: "t"}


def reached_limits(shown: Shown, terms: PrivacyTerms, columns: Sequence[Column], *, ordered: Sequence[bool]) -> tuple[Limit, ...]:  # fmt: skip
    """Every limit that the contract sets to classes, beside what they keep. columns: the sensitive ones, in the order of
    `shown`. ordered: of each, whether its values lie in an order. () where nobody is shown."""
    if not len(shown.persons):
        return ()
    k = shown.sizes.smallest
    found = [Limit(name="k", column=None, asked=terms.k, reached=k, kept=k >= terms.k)]
    tuples, part = each_class_apart(shown), shown.part
    for each in asked_of(terms, ordered=ordered):
        keeps = _asking(tuples, part, len(shown.persons), each)
        found.append(
            Limit(
                name=_NAMES[each.rule],
                column=columns[each.column].name,
                asked=each.limit,
                reached=_strictest(each.rule, keeps, values=_values(tuples, each.column)),
                kept=keeps(each.limit),
            )
        )
    return tuple(found)


def least_l(tuples: Tuples, part: npt.NDArray[np.int32], count: int) -> int | None:
    """Fewest distinct values of a sensitive column in a class, None without such a column; 0 where nobody is.

    part: (n,) the class of each tuple, of `count`; no person is in two.
    """
    columns = range(tuples.sensitive.shape[1])
    if not columns:
        return None
    return min(
        int(_strictest(DISTINCT, _asking(tuples, part, count, Asked(DISTINCT, column, 0)), values=_values(tuples, column)))
        for column in columns
    )  # fmt: skip


def has_order(column: Column, kind: pa.DataType) -> bool:
    """Whether a sensitive column's values lie in an order: the contract's, or that of numbers and times. kind: as it stands."""
    declared = column.hierarchy is not None and column.hierarchy.kind == "ordered"
    t = pa.types
    return declared or bool(
        t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind) or t.is_temporal(kind)
    )


def each_class_apart(shown: Shown) -> Tuples:
    """The tuples as the rules want them, no person in two classes: who is in two of a file's counts once in each."""
    tuples = shown.tuples
    if tuples.units is None:
        return tuples
    pair, _ = distinct(packed([shown.part, tuples.units], [len(shown.persons), int(tuples.units.max()) + 1]))
    return replace(tuples, units=pair)


def _values(tuples: Tuples, column: int) -> int:
    return int(tuples.sensitive[:, column].max(initial=-1)) + 1


def _asking(tuples: Tuples, part: npt.NDArray[np.int32], count: int, each: Asked) -> Callable[[float], bool]:
    """Whether every class keeps the rule at a limit."""

    def keeps(limit: float) -> bool:
        return bool(judged(tuples, part, count, k=1, asked=[replace(each, limit=limit)]).all())

    return keeps


def _strictest(rule: int, keeps: Callable[[float], bool], *, values: int) -> float:
    """By halves, since who keeps a limit keeps every looser one. values: distinct ones; no class has more."""
    if rule == DISTINCT:
        return bisect_right(range(1, values + 1), False, key=lambda limit: not keeps(limit))
    if rule == ENTROPY:
        return bisect_right(range(1, 100 * values + 1), False, key=lambda limit: not keeps(limit / 100)) / 100
    return min(1.0, bisect_left(range(1000), True, key=lambda limit: keeps(limit / 1000)) / 1000)
