"""One Great Expectations suite for a run: all checks of all tables, and the exact rows that break a row rule."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from great_expectations import ExpectationSuite, __version__
from great_expectations.expectations.expectation import Expectation

from contracts.checks import Check
from core.errors import InternalError
from core.parquet import Rows
from pipeline.validation.answers import Answers
from pipeline.validation.expectations import Rule, compiled
from pipeline.validation.gx_duckdb import SuiteRunner
from pipeline.validation.views import View

GX_VERSION = __version__
_COUNTS = {"result_format": "BASIC", "partial_unexpected_count": 0, "exclude_unexpected_values": True}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found. kept: whether the rule holds, None when it could not be carried out.

    unexpected: rows that break it, None where the rule counts none. rows: their numbers, for a rule whose rows leave.
    raised: the kind of error (a class name, never its text) when the check could not be carried out.
    """

    check: Check
    view: View
    expectation: str
    kept: bool | None
    unexpected: int | None = None
    rows: Rows | None = None
    raised: str = ""


def findings(database: duckdb.DuckDBPyConnection, views: Sequence[View], *, name: str) -> list[Finding]:
    """Run every check of the tables behind `views` in one suite; findings in the contract's order.

    Raises ContractError for a check that can't be run at all.
    """
    rules: list[Rule] = []
    owners: list[View] = []
    for view in views:
        for check in view.table.checks:
            rules.append(compiled(check, view, number=len(rules)))
            owners.append(view)
    answers = Answers(database, rules, owners)
    rules = answers.over(rules)
    runner = SuiteRunner(
        database, [batch for view in views for batch in (view.plain, view.numbered, view.aliased)]
    )
    results = _results(runner, name, [rule.expectation for rule in rules], _COUNTS)
    return [
        _finding(rule, view, results.get(number), runner, answers, number)
        for number, (rule, view) in enumerate(zip(rules, owners, strict=True))
    ]


def _results(
    runner: SuiteRunner, name: str, expectations: Sequence[Expectation], how: Mapping[str, Any]
) -> dict[int, Any]:
    """The result of each expectation by its number. One that raised is run again by itself: aggregates share a query,
    and a broken one takes its neighbours down with it."""
    suite = ExpectationSuite(name=name, expectations=list(expectations))
    results = {result.expectation_config.meta["sluice"]: result for result in runner.run(suite, how)}
    for expectation in expectations:
        number = expectation.meta["sluice"]
        if len(expectations) > 1 and (number not in results or _raised(results[number])):
            alone = ExpectationSuite(name=f"{name}, rule {number}", expectations=[expectation])
            results.update((number, result) for result in runner.run(alone, how))
    return results


def _finding(
    rule: Rule, view: View, result: Any, runner: SuiteRunner, answers: Answers, number: int
) -> Finding:
    about: dict[str, Any] = {
        "check": rule.check,
        "view": view,
        "expectation": rule.expectation.expectation_type,
    }
    if result is None or (error := _raised(result)):
        return Finding(**about, kept=None, raised=error if result is not None else "no result")
    kept, unexpected = bool(result.success), _unexpected(rule, result)
    rows = None
    if rule.check.severity == "error" and rule.quarantines and not kept and unexpected:
        found = answers.rows(number, view) if rule.condition is not None else None
        rows = _rows(rule, view, unexpected, runner, found)
    return Finding(**about, kept=kept, unexpected=unexpected, rows=rows)


def _unexpected(rule: Rule, result: Any) -> int | None:
    if rule.finds_rows and "unexpected_count" in result.result:  # a column's type is per row in name only
        count = result.result["unexpected_count"]
        # A sum over no rows is NULL; over rows it can't be.
        return 0 if count is None and not result.result["element_count"] else int(count)
    return int(result.result["observed_value"]) if rule.condition is not None else None


def _rows(rule: Rule, view: View, expected: int, runner: SuiteRunner, found: Rows | None) -> Rows:
    """The numbers of exactly the rows that Great Expectations counted, ascending."""
    if found is None:
        # The condition is Great Expectations' own, so it names the rows itself.
        how = _COUNTS | {
            "result_format": "COMPLETE",
            "partial_unexpected_count": expected,
            "unexpected_index_column_names": [view.row],
            "return_unexpected_index_query": False,
        }
        (result,) = _results(runner, "rows", [rule.expectation], how).values()
        listed = [] if _raised(result) else result.result.get("unexpected_index_list") or []
        found = np.concatenate(
            [np.asarray(entry[view.row], np.int64) for entry in listed] or [np.empty(0, np.int64)]
        )
    found = np.unique(found)
    if len(found) != expected:
        raise InternalError(
            f"Great Expectations counted {expected} rows that break a rule, and {len(found)} were found.",
            where=f"{rule.check.table}, rule {rule.check.name}",
            remedy="Report this rule; nothing was taken over.",
        )
    return found


def _raised(result: Any) -> str:
    """The kind of error that kept a check from being carried out; empty when it was carried out."""
    info = result.exception_info or {}
    each = (
        [info]
        if "raised_exception" in info
        else [entry for entry in info.values() if isinstance(entry, Mapping)]
    )
    raised = [entry for entry in each if entry.get("raised_exception")]
    if not raised:
        return ""
    # Names of DuckDB's exceptions only: any other word of the text might be a value.
    trace = str(raised[0].get("exception_traceback", ""))
    kinds = [
        kind
        for kind in re.findall(r"^_?duckdb\.(\w+)", trace, re.M)
        if isinstance(getattr(duckdb, kind, None), type)
    ]
    return kinds[0] if kinds else "not possible on this data"
