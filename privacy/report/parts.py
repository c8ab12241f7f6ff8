"""What the measures hand to the disclosure report: numbers with names, and nothing that takes long to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


def in_steps(count: int, k: int) -> int:
    """A number of persons who aren't shown, as a report tells it: the next multiple of k below. One more or less among them
    would tell whether somebody came, left or changed."""
    return count - count % max(1, k)


@dataclass(frozen=True, kw_only=True)
class Risk:
    """The risk that persons are found again, all from 0 to 1. over: share of persons whose own risk is above `threshold`.

    prosecutor: who looks for one person and knows that he's in the table. journalist: who looks for anyone, and doesn't
    know who's in it; without a population (`population` False) the table counts as the population, an upper bound.
    marketer: who links everybody, and is content with a share.
    """

    threshold: float
    prosecutor_largest: float
    prosecutor_mean: float
    prosecutor_over: float
    journalist_largest: float
    journalist_mean: float
    journalist_over: float
    marketer: float
    population: bool


@dataclass(frozen=True, kw_only=True)
class Utility:
    """What is left to work with. ncp, ncp_by_column: normalised certainty penalty, 0 nothing lost to 1 everything.

    discernibility: pairs of rows that can't be told apart, as the source counts them; discernibility_share: the same over the
    square of all rows, 0..1. average_class: mean persons of a class over k, 1 is the best. suppressed: share of persons
    left out. shift_by_column: total variation distance (0..1) between a column as it came and as it's published.
    """

    ncp: float
    ncp_by_column: Mapping[str, float]
    discernibility: int
    discernibility_share: float
    average_class: float
    suppressed: float
    shift_by_column: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class FrontierPoint:
    """What another k would have cost. loss: normalised certainty penalty of the rows that stay; suppressed: persons."""

    k: int
    loss: float
    classes: int
    suppressed: int


@dataclass(frozen=True, kw_only=True)
class Frontier:
    """Loss against k. persons: those it was measured on; of: all of them. A sample has fewer persons to hide among, so at
    each k it loses more than the whole table would."""

    points: tuple[FrontierPoint, ...]
    persons: int
    of: int


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Attempts that succeeded. rate: their share; low, high: its Wilson interval of 95 %. All 0..1."""

    attempts: int
    successes: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One kind of attack, run on the release. column: the sensitive column that it guesses or leans on, if any.

    main: against persons. baseline: the same without the release. control: the same against persons who aren't in it, or
    None where there are too few. risk: what the release adds, (main - baseline) / (1 - baseline), at least 0; low and
    high: its interval.
    """

    kind: str
    column: str | None
    main: Rate
    baseline: Rate
    control: Rate | None
    risk: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Unicity:
    """How many units of a fact table of rows are singled out by known points. shares: for 1, 2, ... points. units: on how
    many it was measured. points, limit: at so many points the contract allows at most that share."""

    shares: tuple[float, ...]
    units: int
    points: int
    limit: float


@dataclass(frozen=True, kw_only=True)
class Measures:
    """All that is measured on a subject table beside its `SubjectRisk`. Of a file that is looked at as it is nobody knows what
    it was before: before, utility and frontier are None then."""

    before: Risk | None
    after: Risk
    utility: Utility | None
    frontier: Frontier | None
    attacks: tuple[Attack, ...]


@dataclass(frozen=True, kw_only=True)
class Level:
    """The de-identification level of GB/T 42460: reached by what is published, and asked for by the contract (or None)."""

    reached: int
    asked: int | None


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A limit of a contract, by the contract's name for it, and what a file reaches. column: the sensitive column that it's
    about, if any. reached: the strictest value that the file keeps; entropyL and t to two and three decimals."""

    name: str
    column: str | None
    asked: float
    reached: float
    kept: bool


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A column that seems to hold personal data of a kind that the contract doesn't declare, in so much of its values (0..1)."""

    column: str
    kind: str
    share: float


@dataclass(frozen=True, kw_only=True)
class Assessed:
    """A file that was measured as it is. file: its name. counted_by: the column that tells whose a row is, or None: each row
    counts as a person.

    shown: columns that make a class, or that are known points. missing: columns that a release would have. held_back: in the
    file, though the contract keeps them back. undeclared: unknown to the contract, and counted in no risk.
    """

    file: str
    counted_by: str | None
    shown: tuple[str, ...]
    missing: tuple[str, ...]
    held_back: tuple[str, ...]
    undeclared: tuple[str, ...]
    personal: tuple[Suspect, ...]
    limits: tuple[Limit, ...]

    @property
    def holds(self) -> bool:
        """Whether the file keeps every limit and holds nothing but what the contract lets out."""
        beside = self.held_back or self.undeclared or self.personal
        return not beside and all(limit.kept for limit in self.limits)
