"""The models that Sluice has, and what of them a contract asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.protection import PrivacyTerms
from privacy.models import closeness, diversity
from privacy.models.rule import HoldsIn

# Another model: its file, and its line here. The kernels take the tuple as it is.
RULES: tuple[HoldsIn, ...] = (diversity.distinct, diversity.entropy, closeness.equal, closeness.ordered)
DISTINCT, ENTROPY, EQUAL, ORDERED = range(4)
NAMES = ("l", "entropy l", "t", "t")  # as the contract calls their limits
# Rules that a class keeps when others join it. Of the rest only the union of classes that all keep them is sure to.
MONOTONE = frozenset({DISTINCT})
# Rules that look at the counts alone: values that a class lacks, and their order, are nothing to them.
SPARSE = frozenset({DISTINCT, ENTROPY})


@dataclass(frozen=True)
class Asked:
    """One rule over one sensitive column. rule: its place in RULES. column: the sensitive column's number."""

    rule: int
    column: int
    limit: float


def asked_of(terms: PrivacyTerms, *, ordered: Sequence[bool]) -> tuple[Asked, ...]:
    """What the contract asks of each class. ordered: of each sensitive column, whether its values lie in an order."""
    asked: list[Asked] = []
    for column, in_order in enumerate(ordered):
        asked.append(Asked(DISTINCT, column, terms.l))
        if terms.entropy_l is not None:
            asked.append(Asked(ENTROPY, column, terms.entropy_l))
        if terms.t is not None:
            asked.append(Asked(ORDERED if in_order else EQUAL, column, terms.t))
    return tuple(asked)
