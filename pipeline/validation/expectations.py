"""Checks as the expectations of one Great Expectations suite."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from great_expectations.exceptions import ExpectationNotFoundError
from great_expectations.expectations.core import ExpectCompoundColumnsToBeUnique as CompoundColumns
from great_expectations.expectations.core import UnexpectedRowsExpectation
from great_expectations.expectations.expectation import (
    ColumnAggregateExpectation,
    ColumnMapExpectation,
    ColumnPairMapExpectation,
    Expectation,
    MulticolumnMapExpectation,
)
from great_expectations.expectations.registry import get_expectation_impl

from contracts.checks import Check, CheckKind, Scope
from core.errors import ContractError
from core.sql import quoted
from pipeline.validation.conditions import refused, repeated, row_condition, table_query
from pipeline.validation.views import View

_COLUMNS = ("column", "column_A", "column_B", "column_list")
_PER_ROW = (ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation)
# How a run goes is Sluice's to say, not a rule's.
_OURS = (
    "batch_id",
    "catch_exceptions",
    "id",
    "meta",
    "notes",
    "rendered_content",
    "result_format",
    "severity",
)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One check, ready to run.

    expectation: what Great Expectations runs. finds_rows: whether it is a rule of its own about single rows.
    condition: SQL that is true for a row that breaks the rule; None where the rule speaks of the table, or where only
    Great Expectations can tell which rows break it. query: SQL with a row for each that breaks the rule, which the
    expectation runs; None for a rule that was written as an expectation.
    """

    check: Check
    expectation: Expectation
    condition: str | None = None
    query: str | None = None
    finds_rows: bool = False

    @property
    def quarantines(self) -> bool:
        """Whether rows that break the rule leave the table; if not, a broken rule stops the run (or is a warning)."""
        return self.check.scope is Scope.ROW and (self.condition is not None or self.finds_rows)

    def asking(self, query: str) -> Rule:
        """The same rule with another query, of the same answer."""
        expectation = UnexpectedRowsExpectation(
            unexpected_rows_query=gx_query(query),
            batch_id=self.expectation.batch_id,
            meta=self.expectation.meta,
        )
        return replace(self, expectation=expectation)


def compiled(check: Check, view: View, *, number: int) -> Rule:
    """The rule for a check on `view`; number: its place in the suite, kept in the expectation's meta.

    Rules that Sluice writes become one query each, which gives the rows that break them. A rule written as an
    expectation is taken as it is.
    Raises ContractError for a check that Great Expectations or Sluice doesn't know.
    """
    meta = {"sluice": number}
    if check.kind is CheckKind.EXPECTATION:
        return _custom(check, view, meta)
    source = quoted(view.plain)
    # A metric of table scope is measured against its bound; other checks break where a single row does.
    rowwise = check.kind is not CheckKind.METRIC or check.scope is Scope.ROW
    condition = row_condition(check, view.types, source=source) if rowwise else None
    if condition is None:
        query = table_query(check, view.types, source=source)
    else:
        query = f"SELECT 1 FROM {source} WHERE {condition}"
    expectation = UnexpectedRowsExpectation(
        unexpected_rows_query=gx_query(query), batch_id=view.plain, meta=meta
    )
    return Rule(check=check, expectation=expectation, condition=condition, query=query)


def gx_query(query: str) -> str:
    """The query as Great Expectations takes it: through `str.format`, then through SQLAlchemy's `text`.

    Braces double; a colon gets a backslash, or `:name` in a pattern would turn into a parameter. The comment names the
    batch, as Great Expectations wants of each query.
    """
    escaped = query.replace("{", "{{").replace("}", "}}").replace(":", "\\:")
    return f"/* {{batch}} */ {escaped}"


def _custom(check: Check, view: View, meta: Mapping[str, Any]) -> Rule:
    name = str(check.params["type"])
    kwargs = {key: value for key, value in (check.params.get("kwargs") or {}).items() if key not in _OURS}
    try:
        kind = get_expectation_impl(re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())
    except ExpectationNotFoundError:
        raise _refused(check, "Great Expectations has no expectation of that type") from None
    if check.column is not None and "column" in kind.__fields__:
        kwargs.setdefault("column", check.column)
    batch, condition = view.plain, None
    if issubclass(kind, CompoundColumns) and not kwargs.get("row_condition"):
        # It counts the rows and can't name them; NULLs in a key match nothing, for it as for us.
        condition = repeated(kwargs.get("column_list") or (), source=quoted(view.plain))
    if issubclass(kind, (*_PER_ROW, ColumnAggregateExpectation)):
        # Great Expectations takes some characters of a column's name for syntax, so it reads them under plain names;
        # a condition that the rule brings along names the columns itself.
        batch = view.numbered if kwargs.get("row_condition") else view.aliased
        if batch == view.aliased:
            kwargs |= {key: _aliases(kwargs[key], view) for key in _COLUMNS if key in kwargs}
    try:
        expectation = kind(**kwargs, batch_id=batch, meta=dict(meta))
    except (ValueError, TypeError):  # pydantic's ValidationError is a ValueError; both may quote values
        raise _refused(check, f"{name} doesn't take these arguments") from None
    return Rule(
        check=check,
        expectation=expectation,
        condition=condition,
        finds_rows=isinstance(expectation, _PER_ROW),
    )


def _aliases(names: Any, view: View) -> Any:
    if isinstance(names, str):
        return view.aliases.get(names, names)
    return [view.aliases.get(name, name) for name in names] if isinstance(names, list | tuple) else names


def _refused(check: Check, why: str) -> ContractError:
    return refused(check, why, "Correct the expectation's type and kwargs in the contract.")
