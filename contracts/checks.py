"""Quality checks as data. The contract compiles to these; `pipeline/validation/validate.py` runs them by Great Expectations.

A ROW check says of each row whether it keeps the rule: rows that don't go to quarantine. A TABLE check says of the
table as a whole: one that breaks stops the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# The formats of text that can be checked; what each looks like is written where checks run.
FORMATS = ("uuid", "email", "uri", "hostname", "ipv4", "ipv6", "byte", "password", "binary")


class Scope(StrEnum):
    """What a check speaks of."""

    ROW = "row"
    TABLE = "table"


class CheckKind(StrEnum):
    """The kinds of check, and the params each one has.

    TYPE: type (a LogicalType's value), physical (or None).  REQUIRED: none.  UNIQUE: columns (list); NULLs don't count.
    PATTERN: pattern (RE2, whole value searched).  RANGE: minimum, maximum, exclusive_minimum, exclusive_maximum (each
    optional).  LENGTH: minimum, maximum.  VALUES: values (list; NULL passes).  FORMAT: format ("uuid", "email", ...).
    METRIC: metric (rowCount, duplicateValues, nullValues, missingValues, invalidValues), unit ("rows"|"percent"),
    arguments, and bound.  SQL: query (one proven SELECT; `{object}` stands for the check's own table, other tables stand
    by their names), and bound.  EXPECTATION: type (expect_...), kwargs.
    A METRIC of ROW scope asks that no row be counted (mustBe 0, in rows).
    A bound is {"op": "mustBe|mustNotBe|mustBeGreaterThan|mustBeGreaterOrEqualTo|mustBeLessThan|mustBeLessOrEqualTo|
    mustBeBetween|mustNotBeBetween", "value": number or [low, high]}; a truth value is 1 or 0.
    """

    TYPE = "type"
    REQUIRED = "required"
    UNIQUE = "unique"
    PATTERN = "pattern"
    RANGE = "range"
    LENGTH = "length"
    VALUES = "values"
    FORMAT = "format"
    METRIC = "metric"
    SQL = "sql"
    EXPECTATION = "expectation"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rule. name: unique in its table, shown to people and stored with quarantined rows. column: None when the rule
    speaks of the whole table. severity: "error" stops or quarantines, "warning" is only counted."""

    table: str
    name: str
    kind: CheckKind
    scope: Scope
    column: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    severity: str = "error"
