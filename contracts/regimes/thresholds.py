"""The numbers of the rules in one table, and an operator's changes to it, each with its reason.

The file is YAML:

    assessedFromPersons:
      value: 500000
      reason: the free trade zone's list of 2027, clause 4
      who: legal@example
      when: "2027-02-01"
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType

from contracts.locate import read_yaml
from contracts.problems import Problems
from contracts.reading import Node
from core.digest import document_digest
from core.errors import ContractError

_PROVISIONS = "Provisions on Promoting and Regulating Cross-Border Data Flows (CAC order 16, March 2024)"


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """One number. least, most: what an operator may set it to. whole: whether it counts something. source: whose number it is."""

    key: str
    value: float
    least: float
    most: float
    whole: bool
    meaning: str
    source: str


_OURS = "ours; the standard's own number wasn't at hand"
# `from` means that the number itself already counts: the law's "over 100,000" includes 100,000 (Civil Code, article 1259).
TABLE: tuple[Threshold, ...] = (
    Threshold(
        key="filedFromPersons", value=100_000, least=1, most=10**9, whole=True,
        meaning="persons abroad since 1 January from which a standard contract or certification is needed",
        source=f"{_PROVISIONS}, articles 5(4) and 8",
    ),
    Threshold(
        key="assessedFromPersons", value=1_000_000, least=1, most=10**9, whole=True,
        meaning="persons abroad since 1 January from which a security assessment is needed",
        source=f"{_PROVISIONS}, article 7(2)",
    ),
    Threshold(
        key="filedFromSensitive", value=1, least=1, most=10**9, whole=True,
        meaning="persons with sensitive information abroad from which a standard contract or certification is needed",
        source=f"{_PROVISIONS}, article 8",
    ),
    Threshold(
        key="assessedFromSensitive", value=10_000, least=1, most=10**9, whole=True,
        meaning="persons with sensitive information abroad from which a security assessment is needed",
        source=f"{_PROVISIONS}, article 7(2)",
    ),
    Threshold(
        key="membersWhenUnknown", value=10, least=1, most=10_000, whole=True,
        meaning="persons that a household counts for, where nobody knows how many it holds",
        source="ours: more than nearly every household holds",
    ),
    Threshold(
        key="meterYearsKept", value=3, least=3, most=30, whole=True,
        meaning="whole years after its own for which a year's meter and its key are kept",
        source="Network Data Security Management Regulations (2025), article 12; PIPL, article 56: three years",
    ),
    Threshold(
        key="level3LargestRisk", value=0.2, least=0.0, most=1.0, whole=False,
        meaning="largest prosecutor risk of any row at level 3: one in five",
        source=_OURS,
    ),
    Threshold(
        key="level3MeanRisk", value=0.2, least=0.0, most=1.0, whole=False,
        meaning="mean prosecutor risk over persons at level 3; as the largest, unless an operator asks for less",
        source=_OURS,
    ),
    Threshold(
        key="level3Unique", value=0.0, least=0.0, most=1.0, whole=False,
        meaning="share of persons at level 3 whom nobody is like",
        source=_OURS,
    ),
    Threshold(
        key="level4SmallestCell", value=10, least=2, most=10**6, whole=True,
        meaning="fewest persons behind a cell at level 4",
        source=_OURS,
    ),
)  # fmt: skip
_BY_KEY = {threshold.key: threshold for threshold in TABLE}


@dataclass(frozen=True, kw_only=True)
class Override:
    """An operator's number in place of ours, and who answers for it."""

    key: str
    value: float
    reason: str
    who: str
    when: date


@dataclass(frozen=True)
class Thresholds:
    """The numbers in force. overrides: those that an operator changed, for the record."""

    overrides: Mapping[str, Override] = field(default_factory=lambda: MappingProxyType({}))

    def __getitem__(self, key: str) -> float:
        """The number in force. Raises KeyError for one that isn't in the table."""
        default = _BY_KEY[key].value
        return self.overrides[key].value if key in self.overrides else default

    @property
    def digest(self) -> str:
        """SHA-256 of the overrides, whatever their order; of their reasons too."""
        return document_digest(
            [
                {
                    "key": each.key,
                    "value": each.value,
                    "reason": each.reason,
                    "who": each.who,
                    "when": str(each.when),
                }
                for _, each in sorted(self.overrides.items())
            ]
        )

    def count(self, key: str) -> int:
        """A number that counts something."""
        return int(self[key])


DEFAULT = Thresholds()


def load_thresholds(path: Path) -> Thresholds:
    """The table with an operator's changes from a file.

    Raises ContractError that lists what is wrong with it: an unknown key, a number out of bounds or no number, a change
    without a reason, a name or a day; two numbers that no longer fit each other. Then no number of it is taken.
    """
    problems = Problems(path)
    document = Node(read_yaml(path, problems).data, (), problems, "The file of thresholds")
    overrides: dict[str, Override] = {}
    if document.value is not None and document.mapping(_BY_KEY):
        for key in document.value:
            given = document.at(key).named(f"`{key}`") if key in _BY_KEY else None
            override = _override(given, _BY_KEY[key]) if given is not None else None
            if override is not None:
                overrides[key] = override
    found = Thresholds(MappingProxyType(overrides))
    for lower, upper in (
        ("filedFromPersons", "assessedFromPersons"),
        ("filedFromSensitive", "assessedFromSensitive"),
    ):
        if found[lower] > found[upper]:
            document.say(f"`{lower}` is over `{upper}`.", "The lesser duty begins at the lesser number.")
    if problems.found:
        raise ContractError(
            "The thresholds can't be used:\n" + "\n".join(str(problem) for problem in problems.in_order()),
            problems=problems.in_order(),
        )
    return found


def _override(given: Node, threshold: Threshold) -> Override | None:
    if not given.mapping(("value", "reason", "who", "when"), required=("value", "reason", "who", "when")):
        return None
    value, reason, who, when = given.get("value"), given.text("reason"), given.text("who"), given.day("when")
    number = isinstance(value, int if threshold.whole else (int, float)) and not isinstance(value, bool)
    if value is not None and not (
        number and math.isfinite(value) and threshold.least <= value <= threshold.most
    ):
        kind = "a whole number" if threshold.whole else "a number"
        given.say(
            f"{given.label} must be {kind} from {threshold.least:,.10g} to {threshold.most:,.10g}.",
            "Correct it.",
            key="value",
        )
        return None
    if value is None or reason is None or who is None or when is None:
        return None
    return Override(key=threshold.key, value=value, reason=reason, who=who, when=when)
