"""One entry of the standard's `quality` as a check: library metric, SQL, Great Expectations, or prose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.checks import Check, CheckKind, Scope
from contracts.gxrule import read_expectation
from contracts.model import Column, Table
from contracts.options import fits
from contracts.problems import choose, shown
from contracts.reading import Node
from contracts.sqlrule import SqlGate, fill_placeholders

BOUNDS = (
    "mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo",
    "mustBeLessThan", "mustBeLessOrEqualTo", "mustBeBetween", "mustNotBeBetween",
)  # fmt: skip
# Metrics, where each may stand, and the arguments each takes.
_METRICS: dict[str, tuple[bool, bool, tuple[str, ...]]] = {
    "rowCount": (True, False, ()),
    "duplicateValues": (True, True, ("properties",)),
    "nullValues": (False, True, ()),
    "missingValues": (False, True, ("missingValues",)),
    "invalidValues": (False, True, ("validValues", "pattern")),
}
_ROW_METRICS = ("nullValues", "missingValues", "invalidValues")
_COUNTED_ONLY = ("warning", "warn", "info")


def compile_rule(rule: Node, table: Table, column: Column | None, gate: SqlGate) -> Check | str | None:
    """The check of one rule, the text of a rule in prose, or None when it can't be compiled (and that is said).

    column: the one the rule stands at, None at the table.
    """
    kind = rule.get("type") or "library"
    rule = rule.named(_label(rule, table, column))
    if kind == "text":
        text = rule.get("description") or rule.get("name")
        if not isinstance(text, str):
            rule.say(
                f"{rule.label}: a rule in prose has no description.", "Describe it, or make it a metric."
            )
        return text if isinstance(text, str) else None
    if kind == "library":
        return _metric(rule, table, column, gate)
    if kind == "sql":
        return _sql(rule, table, column, gate)
    expectation = read_expectation(rule, table, column, gate)
    if expectation is None:
        return None
    name, scope, params = expectation
    return _check(rule, table, column, name=name, kind=CheckKind.EXPECTATION, scope=scope, params=params)


def _label(rule: Node, table: Table, column: Column | None) -> str:
    name = rule.get("name") or rule.get("id") or rule.get("metric") or rule.get("type") or "library"
    place = f"{table.name}.{column.name}" if column else table.name
    return f"{shown(place)}: rule `{shown(name)}`"


def _check(rule: Node, table: Table, column: Column | None, *, name: str, kind: CheckKind, scope: Scope, params: Mapping[str, Any]) -> Check:  # fmt: skip
    severity = str(rule.get("severity") or "error").lower()
    return Check(
        table=table.name,
        name=" ".join(str(rule.get("name") or rule.get("id") or name).split()),
        kind=kind,
        scope=scope,
        column=column.name if column else None,
        params=params,
        severity="warning" if severity in _COUNTED_ONLY else "error",
    )


def _metric(rule: Node, table: Table, column: Column | None, gate: SqlGate) -> Check | None:
    metric = rule.get("metric")
    if metric not in _METRICS:
        if metric is None and rule.has("rule"):
            rule.say(f"{rule.label}: `rule` is the old name of metric, and `{shown(rule.get('rule'))}` isn't one.",
                     f"Write metric: one of {', '.join(_METRICS)}.", key="rule")  # fmt: skip
        elif metric is None:
            rule.say(
                f"{rule.label} has no metric.",
                f"Write metric: one of {', '.join(_METRICS)}, or say its type.",
                key="metric",
            )
        return None
    at_table, at_column, known = _METRICS[metric]
    if not (at_column if column else at_table):
        rule.say(f"{rule.label}: {metric} is measured of a {'table' if at_table else 'column'}.",
                 "Move the rule there." if at_table else "Move it to the column's own quality.", key="metric")  # fmt: skip
        return None
    unit = rule.get("unit") or "rows"
    if unit not in ("rows", "percent") or (metric == "rowCount" and unit == "percent"):
        rule.say(f"{rule.label}: {metric} can't be measured in `{shown(unit)}`.",
                 "Use rows." if metric == "rowCount" else "Use rows or percent.", key="unit")  # fmt: skip
        return None
    bound = _bound(rule, percent=unit == "percent", counts=True)
    arguments = _arguments(rule, metric, known, table, column, gate)
    if bound is None or arguments is None:
        return None
    none_may = bound == {"op": "mustBe", "value": 0} or bound == {"op": "mustBeLessOrEqualTo", "value": 0}
    row = metric in _ROW_METRICS and unit == "rows" and none_may
    if row:
        bound = {"op": "mustBe", "value": 0}
    return _check(
        rule,
        table,
        column,
        name=f"{column.name} {metric}" if column else metric,
        kind=CheckKind.METRIC,
        scope=Scope.ROW if row else Scope.TABLE,
        params={"metric": metric, "unit": unit, "arguments": arguments, "bound": bound},
    )


def _arguments(
    rule: Node, metric: str, known: tuple[str, ...], table: Table, column: Column | None, gate: SqlGate
) -> dict[str, Any] | None:
    """The metric's arguments, checked; None when something in them is wrong (and said)."""
    before = rule.problems.told
    given = rule.at("arguments").named(f"{rule.label}: arguments")
    values = given.value if isinstance(given.value, dict) else {}
    for key in values:
        if key not in known:
            remedy = f"It takes {' and '.join(known)}." if known else "It takes none."
            given.say(f"{rule.label}: {metric} has no argument `{shown(key)}`.", remedy, key=key)
    arguments = {key: values[key] for key in known if values.get(key) is not None}
    if metric == "duplicateValues":
        arguments = {"properties": _properties(rule, given, table, column)}
    elif metric == "invalidValues" and not arguments:
        rule.say(
            f"{rule.label}: invalidValues doesn't say what is valid.",
            "Add arguments: {validValues: [...]} or {pattern: ...}.",
            key="arguments",
        )
    elif metric == "missingValues" and not arguments:
        rule.say(
            f"{rule.label}: missingValues doesn't say what counts as missing.",
            "Add arguments: {missingValues: [null, '', ...]}.",
            key="arguments",
        )
    for key in ("validValues", "missingValues"):
        if key in arguments and column is not None:
            _listed(given, key, column)
    if "pattern" in arguments and not (
        isinstance(arguments["pattern"], str) and gate.pattern_works(arguments["pattern"])
    ):
        given.say(f"{rule.label}: the pattern isn't a regular expression that RE2 knows.",
                  "Leave out look-around and back-references; check its brackets.", key="pattern")  # fmt: skip
    return arguments if rule.problems.told == before else None


def _properties(rule: Node, given: Node, table: Table, column: Column | None) -> list[str]:
    """The columns that duplicateValues looks at together."""
    names = given.get("properties")
    if names is None and column is not None:
        return [column.name]
    if not isinstance(names, list) or not names:
        rule.say(
            f"{rule.label}: duplicateValues of a table needs its columns.",
            "Add arguments: {properties: [...]}.",
            key="arguments",
        )
        return []
    known = [each.name for each in table.columns]
    for i, name in enumerate(names):
        if name not in known:
            rule.problems.add(
                (*given.where, "properties", i),
                f"{rule.label}: the table has no column `{shown(name)}`.",
                choose(str(name), known),
            )
        elif name in names[:i]:
            rule.problems.add(
                (*given.where, "properties", i),
                f"{rule.label}: `{shown(name)}` stands twice.",
                "Keep it once.",
            )
    return [str(name) for name in names]


def _listed(given: Node, key: str, column: Column) -> None:
    values = given.get(key)
    if not isinstance(values, list) or not values:
        given.say(f"{given.label}: `{key}` must be a list of values.", "Write [..., ...].", key=key)
        return
    for i, value in enumerate(values):
        if value is not None and not fits(value, column.type):
            remedy = (
                "Put it in quotes." if column.type.value == "string" else "Write it in the column's type."
            )
            given.problems.add(
                (*given.where, key, i),
                f"{given.label}: a value in `{key}` isn't of type {column.type.value}.",
                remedy,
            )


def _bound(rule: Node, *, percent: bool = False, counts: bool) -> dict[str, Any] | None:
    """The rule's one bound; None when there isn't exactly one, or it can't be met (and that is said)."""
    present = [op for op in BOUNDS if rule.has(op)]
    if len(present) != 1:
        told = "has no bound" if not present else f"has {len(present)} bounds ({', '.join(present)})"
        rule.say(f"{rule.label} {told}.", "Give exactly one, such as mustBe: 0; write a second rule for a second bound.",
                 key=present[1] if present else None)  # fmt: skip
        return None
    op = present[0]
    value = rule.get(op)
    numbers = value if isinstance(value, list) else [value]
    if not counts and op in ("mustBe", "mustNotBe") and isinstance(value, bool):
        return {"op": op, "value": int(value)}
    between = op.endswith("Between")
    if len(numbers) != (2 if between else 1) or any(
        isinstance(n, bool) or not isinstance(n, (int, float)) for n in numbers
    ):
        rule.say(
            f"{rule.label}: {op} needs {'two numbers' if between else 'a number'}.",
            f"Write {op}: [0, 10]." if between else "Write it without quotes.",
            key=op,
        )
        return None
    if between and numbers[0] > numbers[1]:
        rule.say(f"{rule.label}: {op} has its larger number first.", "Write the smaller one first.", key=op)
        return None
    top = 100 if percent else None
    if counts and (
        min(numbers) < 0
        or (top is not None and max(numbers) > top)
        or (op == "mustBeLessThan" and value == 0)
    ):
        rule.say(f"{rule.label}: {op} {'/'.join(map(str, numbers))} is outside what can be measured.",
                 "A percentage lies between 0 and 100." if percent else "A count is never under 0.", key=op)  # fmt: skip
        return None
    return {"op": op, "value": list(numbers) if between else value}


def _sql(rule: Node, table: Table, column: Column | None, gate: SqlGate) -> Check | None:
    bound = _bound(rule, counts=False)
    query = rule.get("query")
    if not isinstance(query, str) or not query.strip():
        if rule.has("query"):
            rule.say(
                f"{rule.label}: the query is blank.", "Write one SELECT that gives a number.", key="query"
            )
        return None
    filled = fill_placeholders(query.strip().rstrip(";").rstrip(), column=column.name if column else None)
    refused = filled if isinstance(filled, tuple) else gate.refuse(filled, table=table.name)
    if refused is not None:
        rule.say(f"{rule.label}: its query {refused[0]}.", refused[1], key="query")
        return None
    if bound is None:
        return None
    place = f"{column.name} " if column else ""
    return _check(
        rule,
        table,
        column,
        name=f"{place}sql rule",
        kind=CheckKind.SQL,
        scope=Scope.TABLE,
        params={"query": filled, "bound": bound},
    )
