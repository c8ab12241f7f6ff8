"""Checks as SQL conditions of DuckDB: which row breaks a rule, and what a table's measure must be.

Pure text; nothing here runs. A condition is true for a row that breaks the rule and false (never NULL) for the others,
so that the rows that Great Expectations counts and the rows that go to quarantine come from one and the same text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from contracts.checks import Check, CheckKind
from core.errors import ContractError
from core.sql import quoted, text

# RE2 forms of the formats that JSON Schema and ODCS name for strings. Formats that say how a value is shown or kept
# (password, binary) bind nothing.
_HEX = "[0-9A-Fa-f]{1,4}"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(\.{_OCTET}){{3}}"
_TAIL = f"({_HEX}:{_HEX}|{_IPV4})"
_IPV6 = "|".join(
    (
        f"({_HEX}:){{6}}{_TAIL}",
        f"::({_HEX}:){{5}}{_TAIL}",
        f"({_HEX})?::({_HEX}:){{4}}{_TAIL}",
        f"(({_HEX}:){{0,1}}{_HEX})?::({_HEX}:){{3}}{_TAIL}",
        f"(({_HEX}:){{0,2}}{_HEX})?::({_HEX}:){{2}}{_TAIL}",
        f"(({_HEX}:){{0,3}}{_HEX})?::{_HEX}:{_TAIL}",
        f"(({_HEX}:){{0,4}}{_HEX})?::{_TAIL}",
        f"(({_HEX}:){{0,5}}{_HEX})?::{_HEX}",
        f"(({_HEX}:){{0,6}}{_HEX})?::",
    )
)
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(\.{_LABEL})*"
FORMATS: Mapping[str, str | None] = {
    "uuid": "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "email": rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_HOST}",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]*:[!#$&-;=?-\[\]_a-z~%]+",
    "hostname": _HOST,
    "ipv4": _IPV4,
    "ipv6": _IPV6,
    "byte": "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
    "password": None,
    "binary": None,
}

_INTEGERS = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
)  # fmt: skip
_TYPES: Mapping[str, tuple[str, ...]] = {
    "string": ("VARCHAR",),
    "integer": _INTEGERS,
    "number": (*_INTEGERS, "FLOAT", "DOUBLE", "DECIMAL"),
    "boolean": ("BOOLEAN",),
    "date": ("DATE",),
    "timestamp": ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"),
}

_SHORT_LIST = 32
_OPS: Mapping[str, str] = {
    "mustBe": "{v} = {a}",
    "mustNotBe": "{v} <> {a}",
    "mustBeGreaterThan": "{v} > {a}",
    "mustBeGreaterOrEqualTo": "{v} >= {a}",
    "mustBeLessThan": "{v} < {a}",
    "mustBeLessOrEqualTo": "{v} <= {a}",
    "mustBeBetween": "{v} BETWEEN {a} AND {b}",
    "mustNotBeBetween": "{v} NOT BETWEEN {a} AND {b}",
}


def repeated(names: Sequence[str], *, source: str) -> str:
    """The condition of a row whose values in these columns stand in another row too; rows with a NULL don't count."""
    columns = [quoted(name) for name in names]
    listed = ", ".join(columns)
    present = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    doubles = f"SELECT {listed} FROM {source} WHERE {present} GROUP BY {listed} HAVING count(*) > 1"
    return f"{present} AND ({listed}) IN ({doubles})"


def row_condition(check: Check, types: Mapping[str, str], *, source: str) -> str | None:
    """The condition of a row that breaks `check`, or None when the check doesn't speak of rows.

    types: DuckDB's type of each column; source: the (quoted) view the rows come from, for rules that look at other rows.
    Raises ContractError for a check that has no meaning here.
    """
    condition = _row_condition(check, types, source)
    return None if condition is None else f"coalesce(({condition}), FALSE)"


def _row_condition(check: Check, types: Mapping[str, str], source: str) -> str | None:
    params = check.params
    match check.kind:
        case CheckKind.REQUIRED:
            return f"{_column(check)} IS NULL"
        case CheckKind.UNIQUE:
            return repeated(params.get("columns") or [_name(check)], source=source)
        case CheckKind.PATTERN:
            return _no_match(_column(check), str(params["pattern"]))
        case CheckKind.RANGE:
            return _out_of_range(check, types)
        case CheckKind.LENGTH:
            return _any_of(
                f"length(CAST({_column(check)} AS VARCHAR)) {sign} {_number(params[key], check)}"
                for key, sign in (("minimum", "<"), ("maximum", ">"))
                if params.get(key) is not None
            )
        case CheckKind.VALUES:
            return _not_in(check, params["values"], types)
        case CheckKind.FORMAT:
            return _not_format(check)
        case CheckKind.METRIC:
            return _metric_rows(check, types, source)
        case _:
            return None


def _metric_rows(check: Check, types: Mapping[str, str], source: str) -> str | None:
    """The rows that a metric counts."""
    arguments: Mapping[str, Any] = check.params.get("arguments") or {}
    metric = check.params["metric"]
    known = {
        "rowCount": set(),
        "nullValues": set(),
        "missingValues": {"missingValues"},
        "invalidValues": {"validValues", "pattern"},
        "duplicateValues": {"properties"},
    }.get(metric)
    if known is None or (unknown := set(arguments) - known):
        what = f"the metric {metric}" if known is None else f"{metric}'s argument {sorted(unknown)[0]}"
        raise refused(check, f"{what} isn't one that Sluice has")
    if metric == "rowCount":
        return None
    if metric == "duplicateValues":
        columns = arguments.get("properties") or [_name(check)]
        return repeated([columns] if isinstance(columns, str) else columns, source=source)
    column = _column(check)
    if metric == "invalidValues":
        parts = []
        if arguments.get("validValues") is not None:
            parts.append(_not_in(check, arguments["validValues"], types))
        if arguments.get("pattern") is not None:
            parts.append(_no_match(column, str(arguments["pattern"])))
        if not parts:
            raise refused(check, "invalidValues says neither validValues nor pattern")
        return _any_of(parts)
    missing = [value for value in arguments.get("missingValues") or () if value is not None]
    parts = [f"{column} IS NULL"]
    if metric == "missingValues" and missing:
        parts.append(f"{column} IN ({_values(check, missing, types)})")
    return _any_of(parts)


def table_query(check: Check, types: Mapping[str, str], *, source: str) -> str:
    """A SELECT that gives a row if, and only if, the table breaks `check`.

    A measure that comes out NULL (the sum of no rows) keeps no bound.
    """
    if check.kind is CheckKind.TYPE:
        wanted = _TYPES[check.params["type"]]
        return (
            f"SELECT 1 FROM (DESCRIBE SELECT {_column(check)} FROM {source}) WHERE split_part(column_type, '(', 1) "
            f"NOT IN ({', '.join(map(text, wanted))})"
        )
    if check.kind is CheckKind.METRIC:
        return _unless_kept(_metric_value(check, types, source), check)
    if check.kind is CheckKind.SQL:
        query = str(check.params["query"]).replace("{object}", source).strip().rstrip(";").rstrip()
        return _unless_kept(f"(\n{query}\n)", check)
    raise refused(check, f"a {check.kind} check doesn't speak of a table")


def _metric_value(check: Check, types: Mapping[str, str], source: str) -> str:
    metric, percent = check.params["metric"], check.params.get("unit") == "percent"
    if metric == "rowCount":
        if percent:
            raise refused(check, "rowCount has no percentage")
        return f"(SELECT count(*) FROM {source})"
    if metric == "duplicateValues":
        # A value that stands n times has n - 1 duplicates; rows with a NULL in the key are no duplicates of any.
        _metric_rows(check, types, source)
        named = (check.params.get("arguments") or {}).get("properties") or [_name(check)]
        columns = [quoted(name) for name in ([named] if isinstance(named, str) else named)]
        present = " AND ".join(f"{column} IS NOT NULL" for column in columns)
        counted = (
            f"(SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM {source} WHERE {present} "
            f"GROUP BY {', '.join(columns)}))"
        )
    else:
        counted = (
            f"(SELECT count(*) FROM {source} WHERE coalesce(({_metric_rows(check, types, source)}), FALSE))"
        )
    if not percent:
        return counted
    # One division of exact integers: its rounding is the same as the bound's, so that "mustBe: 0.1" can be met.
    # No rows: nothing is missing, invalid or double in them.
    return f"coalesce(CAST(100 * {counted} AS DOUBLE) / nullif((SELECT count(*) FROM {source}), 0), 0.0)"


def _unless_kept(value: str, check: Check) -> str:
    bound = check.params.get("bound", check.params)
    op, limit = bound["op"], bound["value"]
    if op not in _OPS:
        raise refused(check, f"the comparison {op} isn't one that Sluice has")
    limits = list(limit) if op.endswith("Between") else [limit]
    if len(limits) != (2 if op.endswith("Between") else 1):
        raise refused(check, f"{op} needs two numbers")
    a, b = _number(limits[0], check), _number(limits[-1], check)
    # Materialised: the measure is computed once, however often the comparison names it.
    kept = _OPS[op].format(v="v", a=a, b=b)
    return f"WITH measured AS MATERIALIZED (SELECT {value} AS v) SELECT 1 FROM measured WHERE ({kept}) IS NOT TRUE"


def _no_match(column: str, pattern: str) -> str:
    return f"{column} IS NOT NULL AND NOT regexp_matches(CAST({column} AS VARCHAR), {text(pattern)})"


def _not_format(check: Check) -> str:
    name = check.params["format"]
    if name not in FORMATS:
        raise refused(check, f"the format {name} isn't one that Sluice has")
    form = FORMATS[name]
    return "FALSE" if form is None else _no_match(_column(check), rf"\A(?:{form})\z")


def _out_of_range(check: Check, types: Mapping[str, str]) -> str:
    column = _column(check)
    kind = types.get(_name(check), "")
    sides = (("minimum", "<"), ("maximum", ">"), ("exclusive_minimum", "<="), ("exclusive_maximum", ">="))
    parts = [
        f"{column} {sign} {_literal(check.params[key], kind, check)}"
        for key, sign in sides
        if check.params.get(key) is not None
    ]
    if parts and kind in ("FLOAT", "DOUBLE"):
        # DuckDB sorts NaN above every number, and a range holds numbers only. Not by isnan: over Parquet, whose statistics
        # leave NaN out, DuckDB 2.0 takes it to be false.
        parts.append(f"(NOT isfinite({column}) AND NOT isinf({column}))")
    return _any_of(parts)


def _not_in(check: Check, values: Sequence[Any], types: Mapping[str, str]) -> str:
    present = [value for value in values if value is not None]
    column = _column(check)
    return f"{column} IS NOT NULL" + (
        f" AND {column} NOT IN ({_values(check, present, types)})" if present else ""
    )


def _values(check: Check, values: Sequence[Any], types: Mapping[str, str]) -> str:
    """What stands in the brackets of IN. A long list is a relation, for a hash join: DuckDB walks a list for each row."""
    literals = _literals(check, values, types)
    if len(literals) <= _SHORT_LIST:
        return ", ".join(literals)
    return f"SELECT unnest([{', '.join(literals)}])"


def _literals(check: Check, values: Sequence[Any], types: Mapping[str, str]) -> list[str]:
    kind = types.get(_name(check), "")
    if kind == "VARCHAR":
        # YAML reads 1 or true without quotes as a number or a boolean; in a text column the word is meant.
        return [text(str(v).lower() if isinstance(v, bool) else _shown(v)) for v in values]
    return [_literal(value, kind, check, whole_days=True) for value in values]


def _literal(value: Any, kind: str, check: Check, *, whole_days: bool = False) -> str:
    """A bound or a value as a literal that compares with a column of DuckDB type `kind`."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float | Decimal):
        return _number(value, check)
    shown = text(_shown(value))
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"CAST({shown} AS TIMESTAMPTZ)"
    if kind == "DATE" and whole_days:
        return f"CAST({shown} AS DATE)"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        # A bare cast to TIMESTAMP would ignore an offset; times without one are UTC.
        return f"timezone('UTC', CAST({shown} AS TIMESTAMPTZ))"
    return f"CAST({shown} AS {kind})" if kind and kind != "VARCHAR" else shown


def _shown(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _number(value: Any, check: Check) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        raise refused(check, "a bound isn't a finite number")
    # Doubles by name: DuckDB would read 0.1 as a DECIMAL, whose arithmetic rounds otherwise.
    return f"CAST('{value!r}' AS DOUBLE)" if isinstance(value, float) else f"({value})"


def _any_of(parts: Any) -> str:
    listed = [f"({part})" for part in parts]
    return " OR ".join(listed) if listed else "FALSE"


def _name(check: Check) -> str:
    if check.column is None:
        raise refused(check, "it names no column")
    return check.column


def _column(check: Check) -> str:
    return quoted(_name(check))


def refused(check: Check, why: str, remedy: str = "Correct the rule in the contract.") -> ContractError:
    """The error for a check that has no meaning."""
    return ContractError(
        f"The check can't be run: {why}.",
        where=f"{check.table}, rule {check.name}",
        remedy=remedy,
        table=check.table,
        rule=check.name,
    )
