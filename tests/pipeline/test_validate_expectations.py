"""Rules written as Great Expectations' own: every type that a contract may name runs, and names exactly its rows."""

from __future__ import annotations

import datetime as dt
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa
from great_expectations import ExpectationSuite
from great_expectations.expectations.core import (
    ExpectColumnDistinctValuesToBeInSet,
    ExpectColumnMaxToBeBetween,
    UnexpectedRowsExpectation,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.checks import Check, CheckKind, Scope
from contracts.expectations import EXPECTATIONS
from core.errors import InternalError, QualityError
from pipeline.quarantine.aside import Aside
from pipeline.validation import gx_duckdb, suite
from pipeline.validation.expectations import gx_query
from pipeline.validation.validate import CheckError
from pipeline.validation.views import opened

from .conftest import Bench, check, expectation

DATA = pa.table(
    {
        "a": [1, 2, 2, None, 5],
        "b c": [1, None, 3, 4, 4],
        "s": ["x", "yy", None, "zzz", "x"],
        "d": pa.array([dt.date(2020, 1, 1 + n) for n in range(5)]),
        "ts": pa.array([dt.datetime(2020, 1, 1, n) for n in range(5)], pa.timestamp("us")),
        "ok": [True, False, None, True, True],
    }
)  # fmt: skip
PAIR = {"column_A": "a", "column_B": "b c"}

# For each type: arguments, and the rows that break the rule. A comparison with NULL is no break, for SQL as for people.
PER_ROW: list[tuple[str, dict[str, Any], list[int]]] = [
    ("expect_column_values_to_be_between", {"column": "a", "min_value": 2, "max_value": 4}, [0, 4]),
    ("expect_column_values_to_be_between", {"column": "a", "min_value": 2, "strict_min": True}, [0, 1, 2]),
    ("expect_column_values_to_be_between", {"column": "d", "min_value": "2020-01-03"}, [0, 1]),
    ("expect_column_values_to_be_between", {"column": "ts", "max_value": "2020-01-01T01:00:00"}, [2, 3, 4]),
    ("expect_column_values_to_be_in_set", {"column": "s", "value_set": ["x", "it's", ":a {b} 100%"]}, [1, 3]),
    ("expect_column_values_to_be_in_set", {"column": "a", "value_set": [1, 2]}, [4]),
    ("expect_column_values_to_be_in_set", {"column": "d", "value_set": ["2020-01-01"]}, [1, 2, 3, 4]),
    ("expect_column_values_to_not_be_in_set", {"column": "s", "value_set": ["x"]}, [0, 4]),
    ("expect_column_values_to_be_null", {"column": "a"}, [0, 1, 2, 4]),
    ("expect_column_values_to_not_be_null", {"column": "b c"}, [1]),
    ("expect_column_values_to_be_unique", {"column": "b c"}, [3, 4]),
    ("expect_column_values_to_match_regex", {"column": "s", "regex": "^x|:y"}, [1, 3]),
    ("expect_column_values_to_not_match_regex", {"column": "s", "regex": "z{2}"}, [3]),
    ("expect_column_values_to_match_regex_list", {"column": "s", "regex_list": ["x", "y"]}, [3]),
    ("expect_column_values_to_match_regex_list", {"column": "s", "regex_list": ["z", "zz"], "match_on": "all"}, [0, 1, 4]),
    ("expect_column_values_to_not_match_regex_list", {"column": "s", "regex_list": ["x", "y"]}, [0, 1, 4]),
    ("expect_column_values_to_match_like_pattern", {"column": "s", "like_pattern": "%z%"}, [0, 1, 4]),
    ("expect_column_values_to_not_match_like_pattern", {"column": "s", "like_pattern": "x%"}, [0, 4]),
    ("expect_column_values_to_match_like_pattern_list", {"column": "s", "like_pattern_list": ["x%", "y_"]}, [3]),
    ("expect_column_values_to_not_match_like_pattern_list", {"column": "s", "like_pattern_list": ["x%", "y%"]}, [0, 1, 4]),
    ("expect_column_value_lengths_to_be_between", {"column": "s", "min_value": 2}, [0, 4]),
    ("expect_column_value_lengths_to_equal", {"column": "s", "value": 1}, [1, 3]),
    ("expect_column_value_z_scores_to_be_less_than", {"column": "a", "threshold": 1, "double_sided": True}, [4]),
    ("expect_column_pair_values_a_to_be_greater_than_b", PAIR, [0, 2]),
    ("expect_column_pair_values_a_to_be_greater_than_b", PAIR | {"or_equal": True}, [2]),
    ("expect_column_pair_values_to_be_equal", PAIR | {"ignore_row_if": "either_value_is_missing"}, [2, 4]),
    ("expect_column_pair_values_to_be_equal", PAIR | {"ignore_row_if": "neither"}, [1, 2, 3, 4]),
    ("expect_column_pair_values_to_be_in_set", {"column_A": "a", "column_B": "s", "value_pairs_set": [[1, "x"], [2, "yy"]]}, [3, 4]),
    ("expect_compound_columns_to_be_unique", {"column_list": ["s", "ok"]}, [0, 4]),
    ("expect_multicolumn_sum_to_equal", {"column_list": ["a", "b c"], "sum_total": 2}, [2, 4]),
    ("expect_multicolumn_values_to_be_equal", {"column_list": ["a", "b c"]}, [1, 2, 3, 4]),
    ("expect_select_column_values_to_be_unique_within_record", {"column_list": ["a", "b c"]}, [0]),
]  # fmt: skip

# For each type: arguments that the table keeps, and a change of them that it breaks.
PER_TABLE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("expect_column_distinct_values_to_be_in_set", {"column": "a", "value_set": [1, 2, 5]}, {"value_set": [1]}),
    ("expect_column_distinct_values_to_contain_set", {"column": "s", "value_set": ["x"]}, {"value_set": ["q"]}),
    ("expect_column_distinct_values_to_equal_set", {"column": "a", "value_set": [1, 2, 5]}, {"value_set": [1, 2]}),
    ("expect_column_most_common_value_to_be_in_set", {"column": "s", "value_set": ["x"]}, {"value_set": ["yy"]}),
    ("expect_column_max_to_be_between", {"column": "d", "max_value": "2020-01-05"}, {"max_value": "2020-01-04"}),
    ("expect_column_min_to_be_between", {"column": "b c", "min_value": 1}, {"min_value": 2}),
    ("expect_column_mean_to_be_between", {"column": "a", "min_value": 2.5, "max_value": 2.5}, {"min_value": 2, "max_value": 2.4}),
    ("expect_column_median_to_be_between", {"column": "a", "min_value": 2, "max_value": 2}, {"min_value": 3, "max_value": 3}),
    ("expect_column_stdev_to_be_between", {"column": "a", "min_value": 1, "max_value": 2}, {"min_value": 9, "max_value": 10}),
    ("expect_column_sum_to_be_between", {"column": "a", "min_value": 10, "max_value": 10}, {"min_value": 11, "max_value": 11}),
    (
        "expect_column_quantile_values_to_be_between",
        {"column": "a", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[2, 2]]}},
        {"quantile_ranges": {"quantiles": [0.5], "value_ranges": [[4, 4]]}},
    ),
    ("expect_column_proportion_of_non_null_values_to_be_between", {"column": "a", "min_value": 0.8}, {"min_value": 0.9}),
    ("expect_column_proportion_of_unique_values_to_be_between", {"column": "a", "max_value": 0.75}, {"max_value": 0.7}),
    ("expect_column_unique_value_count_to_be_between", {"column": "s", "max_value": 3}, {"max_value": 2}),
    ("expect_column_to_exist", {"column": "b c"}, {"column_index": 4}),
    ("expect_table_row_count_to_be_between", {"min_value": 5}, {"min_value": 6}),
    ("expect_table_row_count_to_equal", {"value": 5}, {"value": 6}),
    ("expect_table_column_count_to_be_between", {"max_value": 6}, {"max_value": 5}),
    ("expect_table_column_count_to_equal", {"value": 6}, {"value": 7}),
    ("expect_table_columns_to_match_ordered_list", {"column_list": DATA.column_names}, {"column_list": DATA.column_names[::-1]}),
    ("expect_table_columns_to_match_set", {"column_set": DATA.column_names[::-1]}, {"column_set": ["a"]}),
]  # fmt: skip


def test_every_type_that_a_contract_may_name_is_tried_here() -> None:
    assert {kind for kind, _, _ in PER_ROW} == {k for k, e in EXPECTATIONS.items() if e.scope is Scope.ROW}
    assert {kind for kind, _, _ in PER_TABLE} == {
        k for k, e in EXPECTATIONS.items() if e.scope is Scope.TABLE
    }


@pytest.mark.parametrize(("kind", "arguments", "broken"), PER_ROW, ids=lambda value: str(value)[:60])
def test_exactly_the_rows_that_break_it_leave(
    bench: Bench, kind: str, arguments: dict[str, Any], broken: list[int]
) -> None:
    assert bench.broken_rows(DATA, expectation(kind, **arguments)) == broken
    result = json.loads((bench.out / "validation.json").read_text(encoding="utf-8"))
    assert (
        result["checks"][0] | {"expectation": kind, "success": False, "unexpected": len(broken)}
        == result["checks"][0]
    )


@pytest.mark.parametrize(("kind", "good", "change"), PER_TABLE, ids=lambda value: str(value)[:60])
def test_a_table_keeps_it_or_stops(
    bench: Bench, kind: str, good: dict[str, Any], change: dict[str, Any]
) -> None:
    assert bench.run(DATA, expectation(kind, scope=Scope.TABLE, **good)).kept().equals(DATA)
    with pytest.raises(QualityError, match="breaks 1 table rule: t: rule"):
        bench.run(DATA, expectation(kind, scope=Scope.TABLE, **(good | change)))


def test_all_of_them_run_in_one_suite(bench: Bench) -> None:
    rules = [
        expectation(kind, name=f"{n} {kind}", **arguments) for n, (kind, arguments, _) in enumerate(PER_ROW)
    ]
    rules += [expectation(kind, name=kind, scope=Scope.TABLE, **good) for kind, good, _ in PER_TABLE]
    aside = bench.run(DATA, *rules).aside()
    assert aside is not None
    found = {row["d"].day - 1: row["_rules"] for row in aside.to_pylist()}
    for number, (kind, _, broken) in enumerate(PER_ROW):
        assert [row for row in range(5) if f"{number} {kind}" in found.get(row, ())] == broken


def test_none_of_them_speaks_of_an_empty_table(bench: Bench) -> None:
    rules = [expectation(kind, name=f"{n} {kind}", **arguments) for n, (kind, arguments, _) in enumerate(PER_ROW)
             if kind != "expect_column_value_z_scores_to_be_less_than"]  # fmt: skip
    outcome = bench.run(DATA.slice(0, 0), *rules, limit=0.0)
    assert outcome.kept().equals(DATA.slice(0, 0))


def test_a_column_of_nulls_breaks_only_what_asks_for_values(bench: Bench) -> None:
    data = pa.table({"a": pa.array([None, None], pa.int64())})
    assert (
        bench.broken_rows(data, expectation("expect_column_values_to_be_between", column="a", min_value=1))
        == []
    )
    assert bench.broken_rows(data, expectation("expect_column_values_to_not_be_null", column="a")) == [0, 1]


def test_a_class_name_and_the_rules_own_column_serve_too(bench: Bench) -> None:
    rule = Check(
        table="t", name="rule", kind=CheckKind.EXPECTATION, scope=Scope.ROW, column="a",
        params={"type": "ExpectColumnValuesToNotBeNull", "kwargs": {"meta": {"x": 1}, "result_format": "COMPLETE"}},
    )  # fmt: skip
    assert bench.broken_rows(DATA, rule) == [3]


def test_a_share_that_is_kept_sets_no_row_aside(bench: Bench) -> None:
    rule = {"column": "a", "max_value": 4}
    assert (
        bench.broken_rows(DATA, expectation("expect_column_values_to_be_between", mostly=0.75, **rule)) == []
    )
    assert bench.broken_rows(DATA, expectation("expect_column_values_to_be_between", mostly=0.8, **rule)) == [
        4
    ]
    with pytest.raises(QualityError, match=r"t: rule \(1 rows\)"):
        bench.run(
            DATA, expectation("expect_column_values_to_be_between", scope=Scope.TABLE, mostly=0.8, **rule)
        )


def test_a_condition_picks_the_rows_it_speaks_of(bench: Bench) -> None:
    rule = expectation(
        "expect_column_values_to_be_between", column="a", max_value=0,
        row_condition='col("s") == "x"', condition_parser="great_expectations",
    )  # fmt: skip
    assert bench.broken_rows(DATA, rule) == [0, 4]
    nobody = expectation(
        "expect_column_values_to_be_between", column="a", max_value=0,
        row_condition='col("s") == "nobody"', condition_parser="great_expectations",
    )  # fmt: skip
    assert bench.broken_rows(DATA, nobody) == []


def test_types_by_name(bench: Bench) -> None:
    for column, name in (("a", "BIGINT"), ("s", "VARCHAR"), ("s", "TEXT"), ("d", "DATE"), ("ok", "BOOLEAN")):
        assert (
            bench.broken_rows(
                DATA, expectation("expect_column_values_to_be_of_type", column=column, type_=name)
            )
            == []
        )
    with pytest.raises(QualityError):
        bench.run(DATA, expectation("expect_column_values_to_be_of_type", column="a", type_="VARCHAR"))
    odd = pa.table({"h": pa.array([1], pa.uint8()), "n": pa.array([1], pa.decimal128(9, 2)),
                    "z": pa.array([1], pa.timestamp("us", "UTC")), "ns": pa.array([1], pa.timestamp("ns"))})  # fmt: skip
    for column, name in (("h", "UTINYINT"), ("n", "DECIMAL"), ("z", "TIMESTAMP"), ("ns", "TIMESTAMP_NS")):
        assert (
            bench.broken_rows(
                odd, expectation("expect_column_values_to_be_of_type", column=column, type_=name)
            )
            == []
        )


def test_a_rule_over_a_column_that_looks_like_the_engines_own_counter(bench: Bench) -> None:
    n = 200_000
    data = pa.table({"FILE_ROW_NUMBER": range(n, 0, -1), "odd": [i % 5_000 for i in range(n)]})
    gone = bench.run(data, check(CheckKind.VALUES, "odd", values=list(range(4_999))), chunk=999).aside()
    assert gone is not None
    assert gone["FILE_ROW_NUMBER"].to_pylist() == list(range(n - 4_999, 0, -5_000))


def test_rows_that_differ_from_the_count_are_a_fault_of_ours(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = suite._unexpected
    monkeypatch.setattr(suite, "_unexpected", lambda rule, result: (honest(rule, result) or 0) + 1)
    with pytest.raises(InternalError, match="counted 2 rows that break a rule, and 1 were found"):
        bench.run(DATA, check(CheckKind.REQUIRED, "a"))
    assert not bench.out.exists()


def test_a_check_without_a_result_was_not_carried_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gx_duckdb.SuiteRunner, "run", lambda *_: [])
    with pytest.raises(CheckError, match=r"rule \(no result\)"):
        bench.run(DATA, check(CheckKind.REQUIRED, "a"))


def test_sql_rules_reach_nothing_but_the_tables(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    contract = bench.contract({"t": DATA}, [])
    received = bench.received({"t": DATA}, contract)
    with opened(received, contract, spill=tmp_path) as (database, views):
        assert database.execute(f"SELECT count(*) FROM {views[0].plain}").fetchone() == (5,)
        for attack in (
            f"SELECT * FROM read_csv('{tmp_path.parent}/x.csv')",
            f"ATTACH '{tmp_path.parent}/x.db'",
            "SET GLOBAL enable_external_access = true",
            "SELECT * FROM glob('/*')",
        ):
            with pytest.raises((duckdb.PermissionException, duckdb.InvalidInputException)):
                database.execute(attack)


def test_work_that_does_not_fit_in_memory_spills_into_the_runs_own_folder(
    bench: Bench, tmp_path: Path
) -> None:
    contract = bench.contract({"t": DATA}, [])
    spill = tmp_path / "spill"
    spill.mkdir()
    with opened(bench.received({"t": DATA}, contract), contract, spill=spill) as (database, _):
        assert database.execute("SELECT current_setting('temp_directory')").fetchone() == (str(spill),)
        with pytest.raises(duckdb.Error):
            database.execute("SET GLOBAL temp_directory = '/'")


dialect = gx_duckdb.Dialect()


@settings(max_examples=300, deadline=None)
@given(
    st.text(st.sampled_from("ab:{}\\%'\"$1 表\n?@#-/*"), max_size=14).filter(lambda text: "\\\n" not in text)
)
def test_a_query_reaches_the_database_as_it_was_written(query: str) -> None:
    formatted = gx_query(query).format(batch="t")
    sent = str(sa.text(formatted).compile(dialect=dialect))
    assert sent == f"/* t */ {query}"


def test_the_library_says_nothing_while_it_runs(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    level = logging.getLogger("great_expectations").level
    with duckdb.connect() as database, warnings.catch_warnings():
        warnings.simplefilter("error")
        database.execute("CREATE VIEW v AS SELECT 'Ms Zhang' AS s")
        runner = gx_duckdb.SuiteRunner(database, ["v"])
        rules = [
            UnexpectedRowsExpectation(unexpected_rows_query=gx_query("SELECT s::INT FROM v"), batch_id="v"),
            ExpectColumnMaxToBeBetween(column="none", batch_id="v", max_value=1),
        ]
        results = runner.run(ExpectationSuite(name="s", expectations=rules), {"result_format": "BASIC"})
    assert len(results) == 2
    assert all(suite._raised(result) for result in results)
    assert "ConversionException" in {suite._raised(result) for result in results}
    assert caplog.text == ""
    assert "".join(capfd.readouterr()) == ""
    assert logging.getLogger("great_expectations").level == level


@pytest.mark.parametrize("name", ["sqlalchemy.engine", "sqlalchemy.engine.Engine", "great_expectations.core"])
def test_a_logger_with_a_level_of_its_own_is_silent_too(
    name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLAlchemy's engine shows each row that it fetches, and people do set its level by its name."""
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger(name)
    monkeypatch.setattr(logger, "level", logging.DEBUG)
    with duckdb.connect() as database:
        database.execute("CREATE VIEW v AS SELECT 'Ms Zhang' AS s")
        runner = gx_duckdb.SuiteRunner(database, ["v"])
        rule = ExpectColumnDistinctValuesToBeInSet(column="s", batch_id="v", value_set=["nobody"])
        (result,) = runner.run(ExpectationSuite(name="s", expectations=[rule]), {"result_format": "BASIC"})
    assert not result.success
    assert "Zhang" not in caplog.text
    assert logger.level == logging.DEBUG


def test_nothing_aside_is_an_empty_set() -> None:
    nothing = Aside.of([])
    assert len(nothing.rows) == 0
    assert len(nothing.rules) == 0
