"""What looks for one kind of personal data, and when what it saw in a column is enough.

A column holds a kind when its exact test passes more often than it would among numbers of the same shape that are
something else (order numbers, barcodes): see `Rule`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import log
from typing import NamedTuple

from contracts.carried import Kind

# One column in a hundred of random numbers may look like more than chance by this bound alone; the bound is wide
# (Chernoff), and `least`, `purity` and `groups` ask for more, so that fewer do.
ALARM = 0.01
_REMEMBERED = 1 << 16  # hashes a column and kind: beyond that the shares are known well


class Seen(NamedTuple):
    """One value that has the shape of a kind.

    passed: the exact test. clear: one such value says enough, because of its check digits, its form or the words around
    it. group: the block of numbers that it's from; people's numbers come from many, a counter's from one.
    """

    passed: bool
    clear: bool = False
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When a column holds a kind: purity and groups, and either one clear value or all the others.

    least: distinct values that pass. share: of all distinct values that aren't null. chance: how much of what has the
    shape would pass if its digits were random; what passed must be more than that explains (`ALARM`). purity: least share
    of what has the shape that passes; against numbers whose digits aren't random, as of a counter. groups: blocks of
    numbers that they must come from, fewer for a handful of values.
    """

    least: int
    share: float
    chance: float
    purity: float
    groups: int = 1


@dataclass(frozen=True, kw_only=True)
class Detector:
    """Looks for one kind in texts that `plain` has normalised.

    gate: RE2; a text that doesn't match holds no value of the shape. None: every text is tested. test: what the text holds
    of the shape, None when nothing. everywhere: every distinct text is held against the gate, else a sample: for kinds of
    which one value counts. text, number: the rule for text and number columns, None: not looked for there.
    """

    kind: Kind
    gate: str | None
    test: Callable[[str], Seen | None]
    everywhere: bool
    text: Rule | None
    number: Rule | None = None


@dataclass
class Tally:
    """What a detector saw in one column. Keeps hashes of values, for no longer than the scan."""

    rule: Rule
    distinct: float = 0
    matched: float = 0
    clear: int = 0
    shaped: set[int] = field(default_factory=set)
    passed: set[int] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)

    def add(self, value: str, seen: Seen, weight: float) -> None:
        """Counts a value that has the shape. weight: how many distinct values it stands for."""
        self.matched += weight if seen.passed else 0.0
        if len(self.shaped) >= _REMEMBERED:
            return
        self.shaped.add(hash(value))
        if seen.passed:
            self.passed.add(hash(value))
            self.groups.add(seen.group)
            self.clear += seen.clear

    @property
    def share(self) -> float:
        """Of the distinct values that aren't null, how many pass (0..1)."""
        return min(1.0, self.matched / self.distinct) if self.distinct else 0.0

    @property
    def is_hit(self) -> bool:
        """Whether the column holds the kind."""
        rule, passed, shaped = self.rule, len(self.passed), len(self.shaped)
        if not passed or passed < rule.purity * shaped:
            return False
        if self.clear:
            return len(self.groups) >= min(rule.groups, 1 + passed // 5)
        return (
            passed >= rule.least
            and self.share >= rule.share
            and len(self.groups) >= min(rule.groups, passed - 1)
            and shaped * _divergence(passed / shaped, rule.chance) >= -log(ALARM)
        )


def _divergence(share: float, chance: float) -> float:
    """Kullback and Leibler's divergence of two coins, in nats; 0 where `share` isn't above `chance`.

    n coins that fall by `chance` show `share` or more with a probability of at most exp(-n * divergence).
    Source: Chernoff 1952.
    """
    if share <= chance:
        return 0.0
    rest = (1 - share) * log((1 - share) / (1 - chance)) if share < 1 else 0.0
    return share * log(share / chance) + rest
