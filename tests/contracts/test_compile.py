"""Types, options and quality rules as checks."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from contracts.checks import FORMATS, Check, CheckKind, Scope
from contracts.expectations import EXPECTATIONS, snake
from pipeline.validation import conditions

BRAND = "{name: brand, logicalType: string}"
ROWS = "{metric: rowCount, mustBeBetween: [1, 1000000]}"
INCOME = "{metric: invalidValues, mustBe: 0, arguments: {validValues: [low, middle, high]}}"
GX = "{type: expect_column_values_to_be_between, kwargs: {column: week, min_value: 1, max_value: 53}}"


def checks(shop: Any, table: str) -> dict[str, Check]:
    found = shop.load().table(table).checks
    named = {check.name: check for check in found}
    assert len(named) == len(found), "names are unique in a table"
    assert {check.table for check in found} == {table}
    return named


def one(shop: Any, table: str, name: str) -> tuple[CheckKind, Scope, str | None, dict[str, Any]]:
    check = checks(shop, table)[name]
    return check.kind, check.scope, check.column, dict(check.params)


def test_the_shop_compiles_to_these_checks(shop: Any) -> None:
    assert [(c.name, c.kind.value, c.scope.value) for c in checks(shop, "members").values()] == [
        ("member is integer", "type", "table"),
        ("member is required", "required", "row"),  # the privacy unit always is
        ("member is unique", "unique", "row"),
        ("age is integer", "type", "table"),
        ("age is in range", "range", "row"),
        ("town is string", "type", "table"),
        ("town in its hierarchy", "values", "row"),
        ("income is string", "type", "table"),
        ("income is required", "required", "row"),
        ("income invalidValues", "metric", "row"),
    ]
    assert list(checks(shop, "sales"))[-3:] == ["rowCount", "paid", "weeks_known"]


def test_a_hierarchy_is_a_check_of_its_leaves(shop: Any) -> None:
    values = ["Abay", "Bree", "Cove", "Dell"]
    assert one(shop, "members", "town in its hierarchy") == (
        CheckKind.VALUES,
        Scope.ROW,
        "town",
        {"values": values},
    )


def test_an_ordered_hierarchy_of_numbers_has_numbers(shop: Any) -> None:
    shop.changed(
        ("        logicalTypeOptions: {minimum: 0, exclusiveMaximum: 130}\n        customProperties:\n",
         "        customProperties:\n          - {property: sluiceHierarchy, value: {kind: ordered, values: [10, 9, 30]}}\n")
    )  # fmt: skip
    assert one(shop, "members", "age in its hierarchy")[3] == {"values": [10, 9, 30]}
    hierarchy = shop.load().table("members").column("age").hierarchy
    assert hierarchy.leaves == ("10", "9", "30")


@pytest.mark.parametrize(
    ("logical", "options", "name", "kind", "params"),
    [
        ("string", "pattern: '^[A-Z]+$'", "brand matches its pattern", "pattern", {"pattern": "^[A-Z]+$"}),
        ("string", "minLength: 2", "brand is of allowed length", "length", {"minimum": 2, "maximum": None}),
        ("string", "minLength: 2, maxLength: 2", "brand is of allowed length", "length", {"minimum": 2, "maximum": 2}),
        ("string", "format: uuid", "brand has the format uuid", "format", {"format": "uuid"}),
        ("integer", "minimum: 1, exclusiveMaximum: 9", "brand is in range", "range",
         {"minimum": 1, "exclusive_maximum": 9}),
        ("number", "exclusiveMinimum: 0.5, maximum: 1", "brand is in range", "range",
         {"exclusive_minimum": 0.5, "maximum": 1}),
        ("date", "minimum: 2026-01-01", "brand is in range", "range", {"minimum": "2026-01-01"}),
        ("timestamp", "maximum: '2026-01-01T00:00:00Z'", "brand is in range", "range",
         {"maximum": "2026-01-01T00:00:00Z"}),
        ("integer", "format: u8", "brand fits u8", "range", {"minimum": 0, "maximum": 255}),
        ("integer", "format: u32", "brand fits u32", "range", {"minimum": 0, "maximum": 2**32 - 1}),
        ("number", "format: f32", "brand fits f32", "range",
         {"minimum": -3.4028234663852886e38, "maximum": 3.4028234663852886e38}),
    ],
)  # fmt: skip
def test_an_option_is_a_row_check(
    shop: Any, logical: str, options: str, name: str, kind: str, params: dict[str, Any]
) -> None:
    shop.changed((BRAND, f"{{name: brand, logicalType: {logical}, logicalTypeOptions: {{{options}}}}}"))
    assert one(shop, "articles", name) == (CheckKind(kind), Scope.ROW, "brand", params)


@pytest.mark.parametrize(
    ("logical", "options"),
    [
        ("integer", "format: i64"),
        ("number", "format: f64"),
        ("date", "format: yyyy-MM-dd"),
        ("timestamp", "format: \"yyyy-MM-dd'T'HH:mm:ss.SSS'Z'\", timezone: true, defaultTimezone: Etc/UTC"),
        ("timestamp", "timezone: false"),
    ],
)
def test_an_option_that_the_type_keeps_by_itself_adds_no_check(shop: Any, logical: str, options: str) -> None:
    shop.changed((BRAND, f"{{name: brand, logicalType: {logical}, logicalTypeOptions: {{{options}}}}}"))
    assert [name for name in checks(shop, "articles") if name.startswith("brand")] == [f"brand is {logical}"]


@pytest.mark.parametrize(
    ("logical", "step", "good", "bad"),
    [
        ("integer", "5", [0, 5, -10, None], [1, 7]),
        ("number", "0.1", [0.3, 12.7, None], [0.25]),
        ("integer", "2.5", [5], [3]),
    ],
)
def test_a_multiple_is_counted_by_sql(
    shop: Any, logical: str, step: str, good: list[Any], bad: list[Any]
) -> None:
    shop.changed(
        (BRAND, f"{{name: brand, logicalType: {logical}, logicalTypeOptions: {{multipleOf: {step}}}}}")
    )
    kind, scope, _, params = one(shop, "articles", f"brand is a multiple of {step}")
    assert (kind, scope, params["bound"]) == (CheckKind.SQL, Scope.TABLE, {"op": "mustBe", "value": 0})
    con = duckdb.connect()
    con.execute("CREATE TABLE t (brand DOUBLE)")
    con.executemany("INSERT INTO t VALUES (?)", [[value] for value in [*good, *bad]])
    assert con.execute(params["query"].replace("{object}", "t")).fetchall() == [(len(bad),)]


@pytest.mark.parametrize(
    ("logical", "good", "bad"),
    [
        ("boolean", "true", "1"),
        ("integer", "1", "true"),
        ("number", "1.5", "'1.5'"),
        ("date", "2026-01-01", "2026-01-01T00:00:00Z"),
        ("timestamp", "2026-01-01T00:00:00Z", "noon"),
        ("string", "'1'", "1"),
    ],
)
def test_a_listed_value_is_of_its_columns_type(shop: Any, logical: str, good: str, bad: str) -> None:
    shop.v32().changed((BRAND, f"{{name: brand, logicalType: {logical}, enum: [{{value: {good}}}]}}"))
    assert one(shop, "articles", "brand is one of its values")[:2] == (CheckKind.VALUES, Scope.ROW)
    shop.changed((f"{{value: {good}}}", f"{{value: {bad}}}"))
    assert [told.split(". ")[0] for told in shop.says()] == [
        f"99: articles.brand: a value of enum isn't of type {logical}"
    ]


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        ("2026-01-01T00:00:00", "2026-01-01T01:00:00+02:00", True),  # no zone is UTC
        ("2026-01-01T00:00:00Z", "2026-01-01", False),
        ("2026-01-02", "2026-01-01", True),
    ],
)
def test_bounds_in_time_are_compared_as_moments(shop: Any, low: str, high: str, told: bool) -> None:
    options = f"{{minimum: '{low}', maximum: '{high}'}}"
    shop.changed((BRAND, f"{{name: brand, logicalType: timestamp, logicalTypeOptions: {options}}}"))
    assert bool(shop.says()) is told


def test_a_primary_key_of_one_column_is_required_and_unique(shop: Any) -> None:
    assert one(shop, "articles", "article is required")[1] is Scope.ROW
    assert one(shop, "articles", "article is unique")[3] == {"columns": ["article"]}


def test_a_primary_key_of_several_columns_is_unique_together_in_its_order(shop: Any) -> None:
    shop.changed(
        ("{name: article, logicalType: string, primaryKey: true}",
         "{name: article, logicalType: string, primaryKey: true, primaryKeyPosition: 2}"),
        (BRAND, "{name: brand, logicalType: string, primaryKey: true, primaryKeyPosition: 1}"),
    )  # fmt: skip
    found = checks(shop, "articles")
    assert found["primary key (brand, article)"].params == {"columns": ["brand", "article"]}
    assert {"article is required", "brand is required"} <= found.keys()
    assert "article is unique" not in found


@pytest.mark.parametrize(
    ("rule", "scope", "params"),
    [
        ("metric: nullValues, mustBe: 0", "row", {"metric": "nullValues", "unit": "rows", "arguments": {}}),
        ("metric: nullValues, mustBeLessOrEqualTo: 0", "row", {"bound": {"op": "mustBe", "value": 0}}),
        ("metric: nullValues, mustBe: 0, unit: percent", "table", {"unit": "percent"}),
        ("metric: nullValues, mustBeLessThan: 1, unit: percent", "table", {"bound": {"op": "mustBeLessThan", "value": 1}}),
        ("metric: nullValues, mustBe: 3", "table", {"bound": {"op": "mustBe", "value": 3}}),
        ("metric: missingValues, mustBe: 0, arguments: {missingValues: [null, '', n/a]}", "row",
         {"arguments": {"missingValues": [None, "", "n/a"]}}),
        ("metric: invalidValues, mustBe: 0, arguments: {pattern: '^[a-z]+$'}", "row", {"arguments": {"pattern": "^[a-z]+$"}}),
        ("metric: invalidValues, mustNotBeBetween: [1, 2], arguments: {validValues: [a]}", "table",
         {"bound": {"op": "mustNotBeBetween", "value": [1, 2]}}),
        ("metric: duplicateValues, mustBe: 0", "table", {"arguments": {"properties": ["income"]}}),
    ],
)  # fmt: skip
def test_a_metric_that_allows_no_row_is_a_row_check_and_other_bounds_speak_of_the_table(
    shop: Any, rule: str, scope: str, params: dict[str, Any]
) -> None:
    kind, found, column, compiled = one(shop.changed((INCOME, f"{{name: r, {rule}}}")), "members", "r")
    assert (kind, found.value, column) == (CheckKind.METRIC, scope, "income")
    assert params.items() <= compiled.items()


def test_duplicates_of_a_table_are_counted_over_its_columns(shop: Any) -> None:
    shop.changed((ROWS, "{metric: duplicateValues, mustBe: 0, arguments: {properties: [basket, article]}}"))
    kind, scope, column, params = one(shop, "sales", "duplicateValues")
    assert (kind, scope, column) == (CheckKind.METRIC, Scope.TABLE, None)
    assert params["arguments"] == {"properties": ["basket", "article"]}


@pytest.mark.parametrize(
    ("severity", "kept"),
    [("error", "error"), ("warning", "warning"), ("info", "warning"), ("critical", "error")],
)
def test_only_warning_and_info_are_merely_counted(shop: Any, severity: str, kept: str) -> None:
    shop.changed((ROWS, ROWS[:-1] + f", severity: {severity}}}"))
    assert checks(shop, "sales")["rowCount"].severity == kept


def test_rules_in_prose_are_listed_and_never_run(shop: Any) -> None:
    shop.changed((ROWS, "{type: text, description: Somebody looked at it.}"))
    table = shop.load().table("sales")
    assert table.notes == ("Somebody looked at it.",)
    assert "text" not in {check.name for check in table.checks}


def test_names_that_stand_twice_are_told_apart(shop: Any) -> None:
    shop.changed((ROWS, f"{ROWS}\n      - {ROWS}\n      - {{name: paid, metric: rowCount, mustBe: 3}}"))
    assert {"rowCount", "rowCount (2)", "paid", "paid (2)"} <= checks(shop, "sales").keys()


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("SELECT count(*) FROM ${object};", "SELECT count(*) FROM {object}"),
        ("SELECT count(*) FROM {table} AS t", "SELECT count(*) FROM {object} AS t"),
        ("SELECT count(*) FROM sales", "SELECT count(*) FROM sales"),
        ("SELECT count(*) FROM ${object} WHERE regexp_matches(family, '^.{2}$')", None),
        ("SELECT count(*) FROM ${object} s LEFT JOIN articles a USING (article) WHERE a.article IS NULL", None),
        ("SELECT count(*) FROM ${object} WHERE member NOT IN (SELECT member FROM people)", None),
        ("WITH t AS (SELECT week FROM ${object}), u AS MATERIALIZED (SELECT * FROM t) SELECT max(week) FROM u",
         "WITH t AS (SELECT week FROM {object}), u AS MATERIALIZED (SELECT * FROM t) SELECT max(week) FROM u"),
        ("SELECT bool_and(amount >= 0) FROM ${object}", "SELECT bool_and(amount >= 0) FROM {object}"),
        ("SELECT sum(n) FROM (SELECT 1 AS n FROM ${object} UNION ALL SELECT 2)", None),
        ("SELECT count(*) FROM ${object}, unnest([1, 2]) AS u(x)", None),
    ],
)  # fmt: skip
def test_a_query_over_the_contracts_tables_is_taken(shop: Any, query: str, kept: str | None) -> None:
    shop.changed(("SELECT count(*) FROM ${object} WHERE amount < 0", query))
    kind, scope, _, params = one(shop, "sales", "paid")
    assert (kind, scope) == (CheckKind.SQL, Scope.TABLE)
    assert params["query"] == (kept or query.replace("${object}", "{object}"))


def test_a_query_at_a_column_may_name_it_by_placeholder(shop: Any) -> None:
    rule = "{type: sql, query: \"SELECT count({column}) = 0 FROM {object} WHERE ${property} = ''\", mustBe: true}"
    kind, _, column, params = one(shop.changed((INCOME, rule)), "members", "income sql rule")
    assert (kind, column) == (CheckKind.SQL, "income")
    assert params["query"] == 'SELECT count("income") = 0 FROM {object} WHERE "income" = \'\''
    assert params["bound"] == {"op": "mustBe", "value": 1}


@pytest.mark.parametrize(
    "query",
    [
        "COPY sales TO '/tmp/x'", "ATTACH '/tmp/x'", "PRAGMA database_list", "SET threads = 1", "DESCRIBE sales",
        "SUMMARIZE sales", "SELECT 1; DROP TABLE sales", "INSTALL httpfs", "CALL pragma_version()", "EXPLAIN SELECT 1",
        "SELECT count(*) FROM glob('/*')", "SELECT count(*) FROM read_text('/etc/passwd')", "SELECT count(*) FROM range(3)",
        "SELECT count(*) FROM duckdb_settings()", "SELECT count(*) FROM information_schema.tables",
        "SELECT count(*) FROM query('SELECT 1')", "SELECT count(*) FROM query_table('sales')",
        "SELECT count(*) FROM (DESCRIBE sales)", "SELECT (SELECT count(*) FROM '/etc/passwd')",
        "WITH x AS (DELETE FROM sales RETURNING 1) SELECT count(*) FROM x",
        "WITH x AS (UPDATE sales SET week = 1 RETURNING 1) SELECT count(*) FROM x",
        "SELECT count(*) FROM sales PIVOT (count(*) FOR week IN (1))",
        "SELECT sum(length(repeat('x', 1000000000))) FROM range(10)",
        "SELECT 'a'", "SELECT week FROM sales", "", "-- nothing", "SELECT count(*) FROM",
    ],
)  # fmt: skip
def test_a_query_that_does_or_reads_anything_else_is_refused(shop: Any, query: str) -> None:
    shop.changed(('"SELECT count(*) FROM ${object} WHERE amount < 0"', '"' + query + '"'))
    told = shop.says()
    assert [line.split(":")[0] for line in told] == ["88"]
    assert "rule `paid`" in told[0]
    assert "/etc/passwd`" not in told[0] or "isn't a table" in told[0]


def test_an_expectation_is_carried_with_its_arguments(shop: Any) -> None:
    kwargs = {"column": "week", "min_value": 1, "max_value": 53}
    assert one(shop, "sales", "weeks_known") == (
        CheckKind.EXPECTATION, Scope.ROW, None, {"type": "expect_column_values_to_be_between", "kwargs": kwargs}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("implementation", "kind", "scope", "kwargs"),
    [
        ("{type: ExpectColumnMaxToBeBetween, kwargs: {column: week, max_value: 53}}",
         "expect_column_max_to_be_between", "table", {"column": "week", "max_value": 53}),
        ("{expectation_type: expect_table_row_count_to_equal, kwargs: {value: 5}, meta: {a: b}}",
         "expect_table_row_count_to_equal", "table", {"value": 5}),
        ("{type: expect_column_values_to_not_be_null, kwargs: {column: week, mostly: 0.9}}",
         "expect_column_values_to_not_be_null", "table", {"column": "week", "mostly": 0.9}),
        ("{type: expect_column_values_to_not_be_null, kwargs: {column: week, mostly: 1.0}}",
         "expect_column_values_to_not_be_null", "row", {"column": "week"}),
        ("|\n          type: expect_column_pair_values_to_be_equal\n          kwargs:\n            column_A: week\n            column_B: week",
         "expect_column_pair_values_to_be_equal", "row", {"column_A": "week", "column_B": "week"}),
        ("{type: expect_column_values_to_be_between, kwargs: {column: sold_at, min_value: 2026-01-01, max_value: null}}",
         "expect_column_values_to_be_between", "row", {"column": "sold_at", "min_value": "2026-01-01"}),
    ],
)  # fmt: skip
def test_expectations_are_read_in_each_form(
    shop: Any, implementation: str, kind: str, scope: str, kwargs: dict[str, Any]
) -> None:
    _, found, _, params = one(shop.changed((GX, implementation)), "sales", "weeks_known")
    assert (found.value, params) == (scope, {"type": kind, "kwargs": kwargs})


def test_an_expectation_at_a_column_speaks_of_it(shop: Any) -> None:
    rule = "{type: custom, engine: great-expectations, implementation: {type: expect_column_values_to_be_unique}}"
    params = one(shop.changed((INCOME, rule)), "members", "income expect_column_values_to_be_unique")[3]
    assert params["kwargs"] == {"column": "income"}


def test_snake_names() -> None:
    assert (
        snake("ExpectColumnPairValuesAToBeGreaterThanB") == "expect_column_pair_values_a_to_be_greater_than_b"
    )
    assert snake("ExpectColumnValueZScoresToBeLessThan") == "expect_column_value_z_scores_to_be_less_than"
    assert snake("expect_x") == "expect_x"


def test_formats_are_those_that_can_be_run() -> None:
    assert set(FORMATS) == set(conditions.FORMATS)


@pytest.mark.slow
def test_expectations_are_those_of_great_expectations() -> None:
    # Great Expectations takes seconds to import, so only here.
    from great_expectations.expectations import expectation as gx  # noqa: PLC0415
    from great_expectations.expectations.registry import get_expectation_impl  # noqa: PLC0415

    per_row = (gx.ColumnMapExpectation, gx.ColumnPairMapExpectation, gx.MulticolumnMapExpectation)
    for name, shape in EXPECTATIONS.items():
        kind = get_expectation_impl(name)
        fields = kind.__fields__
        assert shape.scope is (Scope.ROW if issubclass(kind, per_row) else Scope.TABLE), name
        assert (set(shape.required) | set(shape.optional)) <= set(fields), name
        assert {key for key, field in fields.items() if field.required} <= set(shape.required), name
