"""What a rule is asked about, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum

from contracts.declared import Compliance, ProvisionTerms
from contracts.model import Column, Contract, Table
from contracts.regimes.thresholds import DEFAULT, Thresholds
from core.errors import UsageError

# The law's calendar. China has had one time, without summer time, since 1992: an offset says it, and no table of zones that
# may be missing or old decides what day it is.
CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")


def china_date(moment: datetime) -> date:
    """The day in China's time. Raises UsageError for a moment without a time zone, which would be a guess by up to a day."""
    if moment.tzinfo is None:
        raise UsageError("The moment to judge at has no time zone.", remedy="Pass a datetime in UTC.")
    return moment.astimezone(CHINA).date()


class Severity(StrEnum):
    """refuse: nothing moves. warn: people should look at it."""

    REFUSE = "refuse"
    WARN = "warn"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a rule found. rule: its name, e.g. `grading.core`. clause: a path in the contract's document.

    what, remedy: a sentence each, for people; no value of a row. source: the law or the standard that the rule is from.
    """

    rule: str
    severity: Severity
    clause: str
    what: str
    remedy: str
    source: str

    def __str__(self) -> str:
        return f"{self.clause}: {self.what} {self.remedy} [{self.source}]"


@dataclass(frozen=True, kw_only=True)
class Headcount:
    """Distinct persons provided abroad since 1 January, with those about to be. sensitive: those of them with a sensitive column.

    `persons` counts everybody, so that nobody is left out of it for being counted as sensitive too. fewest: nobody was counted
    yet, and it's only certain that there are so many.
    """

    persons: int
    sensitive: int
    fewest: bool = False


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a disclosure report says of what is published. direct: whether a column that names persons is published as it is.

    rows: whether there are rows of single persons (else only cells). largest_risk, mean_risk: prosecutor risk (0..1), of
    rows. unique: share of persons whom nobody is like. smallest_cell: fewest persons behind a cell; None without cells.
    """

    direct: bool
    rows: bool
    largest_risk: float
    mean_risk: float
    unique: float
    smallest_cell: int | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What rules judge. at: the moment they're asked. door: the one that is about to be passed.

    territories: ISO 3166 codes of everywhere the data may go, the recipient's seat among them; () when nobody said.
    headcount: None when nobody counted. measured: None before there is a report.
    """

    contract: Contract
    at: datetime
    door: str = "release"
    territories: tuple[str, ...] = ()
    headcount: Headcount | None = None
    measured: Measured | None = None
    thresholds: Thresholds = field(default=DEFAULT)

    @property
    def today(self) -> date:
        """The day in China."""
        return china_date(self.at)

    @property
    def compliance(self) -> Compliance:
        """What the contract declares; nothing where it says nothing."""
        return self.contract.compliance or Compliance()

    @property
    def provision(self) -> ProvisionTerms:
        """The terms of provision; none where it says nothing."""
        return self.contract.provision or ProvisionTerms()

    @property
    def about_persons(self) -> bool:
        """Whether any table holds persons or what they did."""
        return any(table.kind.about_persons for table in self.contract.tables)

    def columns(self) -> tuple[tuple[str, Table, Column], ...]:
        """Every column with its clause and table, in the document's order."""
        return tuple(
            (f"schema[{i}].properties[{j}]", table, column)
            for i, table in enumerate(self.contract.tables)
            for j, column in enumerate(table.columns)
        )

    def columns_of_persons(self) -> tuple[tuple[str, Table, Column], ...]:
        """The columns of tables about persons."""
        return tuple(entry for entry in self.columns() if entry[1].kind.about_persons)


def name_of(table: Table, column: Column) -> str:
    """`table.column`, for messages."""
    return f"`{table.name}.{column.name}`"
