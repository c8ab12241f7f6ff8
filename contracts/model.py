"""A data contract as frozen values. `contracts.odcs` reads them from an ODCS file; nothing here touches a file.

A value of these types is whole: names refer to things that exist, every limit is in range, every role and transform
is one that the engine has. What can't be said in them can't be run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from contracts.checks import Check
from contracts.declared import Compliance, Grade, ProvisionTerms, Sensitivity
from contracts.protection import CellPlan, HierarchySpec, PrivacyTerms, RowPlan, Transform, Treatment
from core.digest import document_digest, sha256_hex
from core.proof import Window

# How long rows that broke a rule are kept: a month, in which a monthly run comes round again, when the contract doesn't
# say. Raw data that nobody looked at for a year is no quarantine any more.
QUARANTINE_DAYS, MAX_QUARANTINE_DAYS = 30, 365


class TableKind(StrEnum):
    """What a table is about.

    SUBJECTS: one or more rows describe a person (the privacy unit); published as generalised rows.
    FACTS: what persons did; published as cells, or as rows under a pseudonym. REFERENCE: no persons; published as it is.
    """

    SUBJECTS = "subjects"
    FACTS = "facts"
    REFERENCE = "reference"

    @property
    def about_persons(self) -> bool:
        """Whether its rows belong to persons."""
        return self is not TableKind.REFERENCE


def may_share_source(one: TableKind, other: TableKind, *, rows: bool = False) -> bool:
    """Whether two tables of one contract may be made from the same source table. rows: whether facts of either go out as rows.

    Cells of one source at two levels of detail, or beside its rows, subtract from each other, and a reference table
    publishes its rows as they are. Subjects and cells of one source are published so that neither tells more of a person
    than its limits; a row of facts would undo what is generalised in the same row of the subject table.
    """
    if {one, other} == {TableKind.SUBJECTS, TableKind.FACTS}:
        return not rows
    return {one, other} == {TableKind.REFERENCE}


class Role(StrEnum):
    """What a column tells about a person. A subject table has no plain attributes: each column is one of the first four."""

    IDENTIFIER = "identifier"  # points at one person or one act: dropped or pseudonymised
    QUASI_IDENTIFIER = "quasiIdentifier"  # known from elsewhere: generalised
    SENSITIVE = "sensitive"  # must not be learnt about a person: l-diversity
    EXCLUDED = "excluded"  # not published
    ATTRIBUTE = "attribute"  # tells of no person (facts and reference tables)


class LogicalType(StrEnum):
    """ODCS logical types that Sluice carries."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table. physical_name: what the source calls it, where that isn't `name`.

    treatment: the parameters of its transform, where that has some. carries: the kinds of personal data that the contract
    says stand in it (`contracts.carried`). grade, sensitivity: None when the contract doesn't say. doors: those it may pass;
    None is every door.
    """

    name: str
    type: LogicalType
    physical_type: str | None = None
    description: str = ""
    required: bool = False
    role: Role
    transform: Transform
    treatment: Treatment | None = None
    hierarchy: HierarchySpec | None = None
    carries: tuple[str, ...] = ()
    physical_name: str | None = None
    grade: Grade | None = None
    sensitivity: Sensitivity | None = None
    doors: tuple[str, ...] | None = None

    def passes(self, door: str) -> bool:
        """Whether anything of the column goes through a door."""
        return self.transform is not Transform.DROP and (self.doors is None or door in self.doors)


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table: where it comes from (`physical_name` at the source), its columns in order, its checks.

    notes: quality rules in prose (`type: text`), which nobody runs.
    """

    name: str
    physical_name: str
    kind: TableKind
    columns: tuple[Column, ...]
    checks: tuple[Check, ...] = ()
    time_column: str | None = None
    cells: CellPlan | None = None
    rows: RowPlan | None = None
    description: str = ""
    notes: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """The column called `name`. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def shows_sensitive(self, door: str) -> bool:
        """Whether a column that is sensitive, or may be, goes through a door."""
        return any(
            column.sensitivity is None or column.sensitivity.is_sensitive
            for column in self.columns
            if column.passes(door)
        )

    def with_role(self, role: Role) -> tuple[Column, ...]:
        """The columns of one role, in order."""
        return tuple(column for column in self.columns if column.role is role)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the platform's data comes from. connector: its registered name; path and format as ODCS says them.

    base: the folder that relative paths start from (the contract file's). options: what else the server entry says.
    """

    connector: str
    path: str | None = None
    format: str | None = None
    base: Path | None = None
    options: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Term:
    """The days on which the contract is in force, both included. `day in term` asks whether it is."""

    start: date
    end: date

    def __contains__(self, day: date) -> bool:
        return self.start <= day <= self.end


def slug(contract_id: str) -> str:
    """A contract's id as a name that needs no quotes in SQL: [a-z][a-z0-9_]*.

    An id of other than ASCII words gets six digits of its digest besides: 需求 and 价格 must not end up the same.
    """
    name = re.sub(r"[^a-z0-9]+", "_", contract_id.lower()).strip("_")
    if not re.fullmatch(r"[A-Za-z0-9]+([-_. ][A-Za-z0-9]+)*", contract_id):
        name = f"{name}_{sha256_hex(contract_id.encode())[:6]}".strip("_")
    return name if name[:1].isalpha() else f"c_{name}"


@dataclass(frozen=True, kw_only=True)
class Contract:
    """A data-sharing contract. digest: SHA-256 of the RFC 8785 form of the whole document, hex.

    schedule: how often data comes, a cron expression in UTC (`contracts.schedule`); None when the contract doesn't say.
    max_quarantined: largest share of a table's rows that may break a rule. quarantine_days: for how many days such rows are
    kept, 0 to MAX_QUARANTINE_DAYS; 0: not at all.
    """

    id: str
    version: str
    name: str
    status: str
    digest: str
    tenant: str
    recipient: str
    purpose: str
    term: Term
    source: Source
    privacy: PrivacyTerms | None
    max_quarantined: float
    tables: tuple[Table, ...]
    schedule: str | None = None
    quarantine_days: int = QUARANTINE_DAYS
    compliance: Compliance | None = None
    provision: ProvisionTerms | None = None
    path: Path | None = None

    @property
    def slug(self) -> str:
        """The contract's id as a name that needs no quotes in SQL."""
        return slug(self.id)

    def release_name(self, source_digest: str, window: Window) -> str:
        """The name of the release that this contract makes of one source and window: always the same for the same three.

        It needs no quotes in SQL. source_digest: `Received.digest`.
        """
        made_of = {"contract": self.digest, "source": source_digest, "window": window.as_json()}
        return f"{self.slug}_{document_digest(made_of)[:10]}"

    def table(self, name: str) -> Table:
        """The table called `name`. Raises KeyError."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)
