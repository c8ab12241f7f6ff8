"""What a release gives away and what it keeps: the numbers that people sign for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from privacy.facts.cells import CellCounts
from privacy.facts.rowrisk import RowRisk
from privacy.report.parts import Assessed, Level, Measures, Unicity

DISCLOSURE = "disclosure.json"  # its file name beside a release
PAGE = "disclosure.html"  # the same for people, made by `privacy.report.page`


@dataclass(frozen=True, kw_only=True)
class SubjectRisk:
    """The risk left in a subject table, measured on the written file; all counts are persons unless they say rows.

    k, l: smallest class and fewest distinct sensitive values in one (l None without a sensitive column).
    ncp: normalised certainty penalty, 0 nothing lost to 1 everything. ncp_by_column: the same for each quasi-identifier.
    risk_largest, risk_mean: prosecutor risk, 1 / class size, its largest and its mean over persons (classes / persons).
    unique_before, unique_after: share of the published persons whose quasi-identifiers nobody else of them shares.
    suppressed_units, suppressed_rows: left out, in steps of k, see `in_steps`.
    What a file that is looked at as it is can't tell is None.
    """

    table: str
    units: int
    rows: int
    classes: int
    k: int
    l: int | None  # noqa: E741 (the literature's name)
    mean_class: float
    suppressed_units: int | None
    suppressed_rows: int | None
    ncp: float | None
    ncp_by_column: Mapping[str, float]
    risk_largest: float
    risk_mean: float
    unique_before: float | None
    unique_after: float
    segments: int


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What a reader of all live releases of the same persons can tell; all counts are persons but `live`, which are releases
    before this one.

    persons: in any of them; exposed: with fewer than `k` candidates in all of them together; smallest: the fewest candidates
    of anyone. again: shown as in the release before; held: of those, who left the source or changed there and can't be
    shown so yet; waiting: who are new in the source and too few to be shown yet; both in steps of k, see `in_steps`.
    """

    live: int = 0
    persons: int = 0
    exposed: int = 0
    smallest: int = 0
    k: int = 0
    again: int = 0
    held: int = 0
    waiting: int = 0


@dataclass(frozen=True, kw_only=True)
class DisclosureReport:
    """The disclosure report of one release: the contract's limits beside what was reached.

    k_limit, l_limit, max_suppressed: the contract's. subjects: None when no table has rows of persons. cells: by fact table.
    rows: published rows by table. measures: what else is measured on the subject table, None without one. unicity: by table
    of facts that go out as rows; facts: all that is measured on these. level: None while nobody has asked for it. assessed: None for a release;
    else this is about a file, measured as if it were one. beside: what it tells together with the other live releases, None
    where nobody keeps a history.
    """

    contract_id: str
    contract_version: str
    k_limit: int | None
    l_limit: int | None
    max_suppressed: float
    subjects: SubjectRisk | None
    cells: Mapping[str, CellCounts]
    rows: Mapping[str, int]
    measures: Measures | None = None
    unicity: Mapping[str, Unicity] = field(default_factory=dict)
    facts: Mapping[str, RowRisk] = field(default_factory=dict)
    level: Level | None = None
    assessed: Assessed | None = None
    beside: Beside | None = None

    @property
    def k_reached(self) -> int | None:
        """Fewest persons behind anything published: a class or a cell; None when nothing published is about persons."""
        smallest = [self.subjects.k] if self.subjects and self.subjects.units else []
        smallest += [counts.smallest for counts in self.cells.values() if counts.cells]
        smallest += [risk.smallest for risk in self.facts.values() if risk.rows]
        return min(smallest, default=None)

    def as_json(self) -> dict[str, object]:
        """The report as a JSON value."""
        return {**asdict(self), "k_reached": self.k_reached}
