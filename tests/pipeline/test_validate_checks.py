"""Each kind of check against a plain Python reading of it, NULLs, NaN and empty tables included."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.checks import FORMATS as DECLARED
from contracts.checks import Check, CheckKind, Scope
from contracts.model import Contract
from core.errors import QualityError
from pipeline.validation.conditions import FORMATS

from .conftest import Bench, check

TABLE = Scope.TABLE


def utc(hour: int) -> dt.datetime:
    return dt.datetime(2020, 1, 1, hour, tzinfo=dt.UTC)


COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "i": (pa.int64(), [1, 2, 2, None, 5]),
    "f": (pa.float64(), [1.0, math.nan, None, -1.0, 2.5]),
    "s": (pa.string(), ["x", "yy", None, "a\nb", "été"]),
    "b": (pa.bool_(), [True, False, None, True, True]),
    "d": (pa.date32(), [dt.date(2020, 1, 1 + n) for n in range(5)]),
    "ts": (pa.timestamp("us"), [utc(n).replace(tzinfo=None) for n in range(5)]),
    "tz": (pa.timestamp("us", "UTC"), [utc(n) for n in range(5)]),
    "dec": (pa.decimal128(10, 2), [1, 2, 3, None, 5]),
}
DATA = pa.table({name: pa.array(values, kind) for name, (kind, values) in COLUMNS.items()})


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        (check(CheckKind.REQUIRED, "i"), [3]),
        (check(CheckKind.REQUIRED, "f"), [2]),
        (check(CheckKind.UNIQUE, "i", columns=["i"]), [1, 2]),
        (check(CheckKind.UNIQUE, "i", columns=["i", "b"]), []),
        (check(CheckKind.UNIQUE, "b"), [0, 3, 4]),
        (check(CheckKind.PATTERN, "s", pattern="^[xy]"), [3, 4]),
        (check(CheckKind.PATTERN, "s", pattern="b$"), [0, 1, 4]),
        (check(CheckKind.PATTERN, "s", pattern="^.{1,2}$"), [3, 4]),
        (check(CheckKind.PATTERN, "s", pattern="[:x]'?|y:?y|a|é"), []),
        (check(CheckKind.RANGE, "i", minimum=2), [0]),
        (check(CheckKind.RANGE, "i", exclusive_minimum=2, exclusive_maximum=5), [0, 1, 2, 4]),
        (check(CheckKind.RANGE, "i", minimum=1.5, maximum=4.5), [0, 4]),
        (check(CheckKind.RANGE, "i"), []),
        (check(CheckKind.RANGE, "f", minimum=-5), [1]),
        (check(CheckKind.RANGE, "f", maximum=1.0), [1, 4]),
        (check(CheckKind.RANGE, "dec", minimum=2), [0]),
        (check(CheckKind.RANGE, "d", minimum="2020-01-02", maximum="2020-01-04"), [0, 4]),
        (check(CheckKind.RANGE, "d", minimum=dt.date(2020, 1, 5)), [0, 1, 2, 3]),
        (check(CheckKind.RANGE, "ts", minimum="2020-01-01T01:00:00Z", maximum="2020-01-01T03:00:00"), [0, 4]),
        (check(CheckKind.RANGE, "ts", maximum="2020-01-01T04:00:00+02:00"), [3, 4]),
        (check(CheckKind.RANGE, "tz", minimum="2020-01-01T01:00:00", exclusive_maximum="2020-01-01T05:00:00+02:00"), [0, 3, 4]),
        (check(CheckKind.LENGTH, "s", minimum=2), [0]),
        (check(CheckKind.LENGTH, "s", maximum=2), [3, 4]),
        (check(CheckKind.LENGTH, "s"), []),
        (check(CheckKind.VALUES, "s", values=["x", "yy", "a\nb"]), [4]),
        (check(CheckKind.VALUES, "s", values=[None, True, 1]), [0, 1, 3, 4]),
        (check(CheckKind.VALUES, "s", values=[]), [0, 1, 3, 4]),
        (check(CheckKind.VALUES, "i", values=[1, 2]), [4]),
        (check(CheckKind.VALUES, "i", values=["1", "5"]), [1, 2]),
        (check(CheckKind.VALUES, "f", values=[1.0, 2.5, -1]), [1]),
        (check(CheckKind.VALUES, "b", values=[True]), [1]),
        (check(CheckKind.VALUES, "d", values=["2020-01-01", dt.date(2020, 1, 2)]), [2, 3, 4]),
        (check(CheckKind.VALUES, "tz", values=["2020-01-01T02:00:00+02:00"]), [1, 2, 3, 4]),
        (check(CheckKind.FORMAT, "s", format="hostname"), [3, 4]),
        (check(CheckKind.FORMAT, "s", format="password"), []),
        (check(CheckKind.METRIC, "i", metric="nullValues"), [3]),
        (check(CheckKind.METRIC, "s", metric="missingValues", arguments={"missingValues": ["x", None]}), [0, 2]),
        (check(CheckKind.METRIC, "s", metric="invalidValues", arguments={"validValues": ["x"]}), [1, 3, 4]),
        (check(CheckKind.METRIC, "s", metric="invalidValues", arguments={"validValues": ["x", "yy"], "pattern": "x|a"}), [1, 3, 4]),
        (check(CheckKind.METRIC, "i", metric="duplicateValues"), [1, 2]),
        (check(CheckKind.METRIC, metric="duplicateValues", arguments={"properties": "b"}), [0, 3, 4]),
    ],
    ids=str,
)  # fmt: skip
def test_a_row_rule_finds_exactly_these_rows(bench: Bench, rule: Check, broken: list[int]) -> None:
    assert bench.broken_rows(DATA, rule) == broken


def metric(
    name: str, op: str, value: Any, *, column: str | None = "s", unit: str = "rows", **arguments: Any
) -> Check:
    return check(
        CheckKind.METRIC,
        column,
        scope=TABLE,
        metric=name,
        unit=unit,
        arguments=arguments,
        bound={"op": op, "value": value},
    )


def kept(bench: Bench, data: pa.Table, rule: Check) -> bool:
    try:
        bench.run(data, rule)
    except QualityError:
        return False
    return True


@pytest.mark.parametrize(
    ("rule", "good"),
    [
        (metric("rowCount", "mustBe", 5, column=None), True),
        (metric("rowCount", "mustBe", 4, column=None), False),
        (metric("rowCount", "mustNotBe", 5, column=None), False),
        (metric("rowCount", "mustBeGreaterThan", 5, column=None), False),
        (metric("rowCount", "mustBeGreaterOrEqualTo", 5, column=None), True),
        (metric("rowCount", "mustBeLessThan", 5, column=None), False),
        (metric("rowCount", "mustBeLessOrEqualTo", 5, column=None), True),
        (metric("rowCount", "mustBeBetween", [5, 6], column=None), True),
        (metric("rowCount", "mustNotBeBetween", [5, 6], column=None), False),
        (metric("nullValues", "mustBeLessThan", 2), True),
        (metric("nullValues", "mustBe", 20, unit="percent"), True),
        (metric("nullValues", "mustBeLessThan", 20, unit="percent"), False),
        (metric("missingValues", "mustBe", 0.4e2, unit="percent", missingValues=["x"]), True),
        (metric("invalidValues", "mustBeBetween", [3, 3], validValues=["x"]), True),
        (metric("duplicateValues", "mustBe", 1, column="i"), True),
        (metric("duplicateValues", "mustBe", 2, column=None, properties=["b"]), True),
        (metric("duplicateValues", "mustBe", 20, column="i", unit="percent"), True),
        (check(CheckKind.REQUIRED, "i", scope=TABLE), False),
        (check(CheckKind.UNIQUE, "d", scope=TABLE), True),
        (check(CheckKind.TYPE, "i", scope=TABLE, type="integer", physical="NUMBER(38,0)"), True),
        (check(CheckKind.TYPE, "i", scope=TABLE, type="number"), True),
        (check(CheckKind.TYPE, "dec", scope=TABLE, type="number"), True),
        (check(CheckKind.TYPE, "f", scope=TABLE, type="integer"), False),
        (check(CheckKind.TYPE, "s", scope=TABLE, type="string"), True),
        (check(CheckKind.TYPE, "tz", scope=TABLE, type="timestamp"), True),
        (check(CheckKind.TYPE, "d", scope=TABLE, type="timestamp"), False),
        (check(CheckKind.TYPE, "b", type="boolean"), True),
        (check(CheckKind.TYPE, "s", type="boolean"), False),
    ],
    ids=str,
)  # fmt: skip
def test_a_table_rule_is_kept_or_not(bench: Bench, rule: Check, good: bool) -> None:
    assert kept(bench, DATA, rule) is good


def test_a_share_of_a_thousand_rows_is_exact(bench: Bench) -> None:
    data = pa.table({"s": [None, *["x"] * 999]})
    assert kept(bench, data, metric("nullValues", "mustBe", 0.1, unit="percent"))
    assert not kept(bench, data, metric("nullValues", "mustBeLessThan", 0.1, unit="percent"))


@pytest.mark.parametrize(
    ("query", "op", "value", "good"),
    [
        ("SELECT COUNT(*) FROM {object} WHERE i = 2", "mustBe", 2, True),
        ('SELECT COUNT(*) FROM "t" WHERE i = 2;  ', "mustBeLessThan", 2, False),
        ("select sum(f) from {object} where i > 1000", "mustBe", 0, False),  # NULL keeps no bound
        ("select count(*) from t where s like 'x%' or s = '{x}:y' or s = ':z' -- end", "mustBe", 1, True),
        ("with a as (select i::varchar as v from t) select count(*) from a where v ~ '^[0-9]{1,3}$'", "mustBe", 4, True),
        ("select avg(i) from T", "mustBeBetween", [2.4, 2.6], True),
        ("select count(*) > 3 from t", "mustBe", 1, True),
        ("select count(*) from t join other using (i)", "mustBe", 1, True),
    ],
)  # fmt: skip
def test_a_sql_rule_compares_its_one_number(
    bench: Bench, query: str, op: str, value: Any, good: bool
) -> None:
    rule = check(CheckKind.SQL, scope=TABLE, query=query, bound={"op": op, "value": value})
    tables = {"t": DATA, "other": pa.table({"i": [1, 7]})}
    try:
        bench.run(tables, rule)
    except QualityError:
        assert not good
    else:
        assert good


EVERY_ROW_RULE = [
    check(CheckKind.REQUIRED, "i", name="required"),
    check(CheckKind.UNIQUE, "i", name="unique", columns=["i", "b"]),
    check(CheckKind.PATTERN, "s", name="pattern", pattern="x"),
    check(CheckKind.RANGE, "f", name="range", minimum=0),
    check(CheckKind.LENGTH, "s", name="length", minimum=1),
    check(CheckKind.VALUES, "i", name="values", values=[1]),
    check(CheckKind.FORMAT, "s", name="format", format="uuid"),
    metric("nullValues", "mustBe", 0),
    metric("invalidValues", "mustBe", 0, validValues=["x"]),
    metric("duplicateValues", "mustBe", 0, column="i", unit="percent"),
]


def test_an_empty_table_breaks_no_rule_about_rows(bench: Bench) -> None:
    outcome = bench.run(DATA.slice(0, 0), *EVERY_ROW_RULE, limit=0.0)
    assert outcome.kept().num_rows == 0
    assert outcome.kept().schema == DATA.schema
    assert dict(outcome.validated.quarantined) == {}


def test_an_empty_table_still_breaks_a_row_count(bench: Bench) -> None:
    assert not kept(bench, DATA.slice(0, 0), metric("rowCount", "mustBeGreaterThan", 0, column=None))


def test_a_table_may_lose_all_its_rows_where_the_contract_lets_it(bench: Bench) -> None:
    outcome = bench.run(DATA, check(CheckKind.VALUES, "d", values=[]))
    assert outcome.kept().num_rows == 0
    assert outcome.kept().schema == DATA.schema
    assert outcome.validated.tables["t"].rows == 0


FORMAT_CASES: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "uuid": (["123e4567-e89b-12d3-a456-426614174000"], ["123e4567e89b12d3a456426614174000", "x", "g" * 36, ""]),
    "email": (["a@b.cn", "a.b+c@x-y.example"], ["a@", "@b", "a b@c.d", "a@b.cn\n", "a@b@c", "a@-b.c"]),
    "uri": (["https://example.org/a?b=1#c", "urn:isbn:1", "mailto:a@b"], ["example.org", "http:", "http://a b", "1:x"]),
    "hostname": (["localhost", "a-b.example"], ["-a", "a_b", "a..b", "a" * 64, ""]),
    "ipv4": (["0.0.0.0", "255.255.255.255"], ["256.1.1.1", "1.2.3", "01.2.3.4", "1.2.3.4.5", "1.2.3.4\n"]),
    "ipv6": (
        ["::", "::1", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1", "fe80::1", "1::8"],
        ["1:2:3:4:5:6:7", "1::2::3", ":::", "12345::", "::1%eth0", "1:2:3:4:5:6:7:8:9", "192.0.2.1"],
    ),
    "byte": (["", "YQ==", "YWI=", "YWJj"], ["YQ", "Y===", "*", "YWJj\n"]),
    "password": (["anything"], []),
    "binary": (["anything"], []),
}  # fmt: skip


def test_formats_are_those_that_contracts_may_name() -> None:
    assert set(FORMATS) == set(DECLARED) == set(FORMAT_CASES)


@pytest.mark.parametrize("name", FORMAT_CASES)
def test_a_format_takes_the_good_and_refuses_the_bad(bench: Bench, name: str) -> None:
    good, bad = FORMAT_CASES[name]
    data = pa.table({"s": pa.array([*good, *bad, None], pa.string())})
    rule = check(CheckKind.FORMAT, "s", format=name)
    assert bench.broken_rows(data, rule) == list(range(len(good), len(good) + len(bad)))


@pytest.mark.parametrize("bound", [{"minimum": 0}, {"maximum": 9}, {"minimum": 0, "exclusive_maximum": 10}])
@pytest.mark.parametrize("numbers", [[math.nan, 0.0], [0.0, math.nan, 1.0, None], [math.nan], [1.0]])
def test_no_range_holds_nan(bench: Bench, numbers: list[float | None], bound: dict[str, float]) -> None:
    data = pa.table({"f": pa.array(numbers, pa.float64())})
    wanted = [n for n, number in enumerate(numbers) if number is not None and math.isnan(number)]
    assert bench.broken_rows(data, check(CheckKind.RANGE, "f", **bound)) == wanted


words = st.one_of(
    st.none(), st.text(max_size=3), st.sampled_from(["x", "1", "'", '"', "{x}", ":a", "%", "\\:b", "表"])
)
numbers = st.one_of(st.none(), st.integers(-3, 3))
floats = st.one_of(st.none(), st.floats(-4, 4), st.just(math.nan), st.just(math.inf))
rows = st.lists(st.tuples(numbers, words, floats), max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=rows, low=st.integers(-3, 3), values=st.lists(words, max_size=4), pattern=words)
def test_whatever_the_rows_the_rules_agree_with_python(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[Any],
    low: int,
    values: list[Any],
    pattern: str | None,
) -> None:
    wanted = re.escape(pattern or "x")
    rules: dict[str, tuple[Check, Callable[[int], bool]]] = {
        "required": (check(CheckKind.REQUIRED, "s"), lambda n: rows[n][1] is None),
        "unique": (
            check(CheckKind.UNIQUE, "i"),
            lambda n: rows[n][0] is not None and Counter(row[0] for row in rows)[rows[n][0]] > 1,
        ),
        "pair": (
            check(CheckKind.UNIQUE, columns=["i", "s"]),
            lambda n: None not in rows[n][:2] and Counter(row[:2] for row in rows)[rows[n][:2]] > 1,
        ),
        "range": (
            check(CheckKind.RANGE, "f", minimum=low),
            lambda n: rows[n][2] is not None and not rows[n][2] >= low,
        ),
        "length": (
            check(CheckKind.LENGTH, "s", minimum=1, maximum=2),
            lambda n: rows[n][1] is not None and not 1 <= len(rows[n][1]) <= 2,
        ),
        "values": (
            check(CheckKind.VALUES, "s", values=values),
            lambda n: rows[n][1] is not None and rows[n][1] not in values,
        ),
        "pattern": (
            check(CheckKind.PATTERN, "s", pattern=wanted),
            lambda n: rows[n][1] is not None and re.search(wanted, rows[n][1]) is None,
        ),
    }
    data = pa.table(
        {
            "i": pa.array([row[0] for row in rows], pa.int64()),
            "s": pa.array([row[1] for row in rows], pa.string()),
            "f": pa.array([row[2] for row in rows], pa.float64()),
            "n": pa.array(range(len(rows)), pa.int64()),
        }
    )
    checks = [Check(table="t", name=name, kind=c.kind, scope=c.scope, column=c.column, params=c.params)
              for name, (c, _) in rules.items()]  # fmt: skip
    outcome = Bench(tmp_path_factory.mktemp("rows")).run(data, *checks)
    found = (
        {} if outcome.aside() is None else {row["n"]: row["_rules"] for row in outcome.aside().to_pylist()}
    )  # type: ignore[union-attr]
    expected = {n: [name for name, (_, broken) in rules.items() if broken(n)] for n in range(len(rows))}
    assert found == {n: names for n, names in expected.items() if names}
    assert outcome.kept()["n"].to_pylist() == [n for n in range(len(rows)) if not expected[n]]


@pytest.mark.parametrize("column", ["i", "s", "d"])
def test_a_long_list_of_values_means_the_same_as_a_short_one(bench: Bench, column: str) -> None:
    _, values = COLUMNS[column]
    few = [values[0], None]
    more = {
        "i": range(100, 200),
        "s": [f"{n}'" for n in range(100)],
        "d": [f"1999-01-{1 + n % 28:02}" for n in range(60)],
    }
    short = bench.broken_rows(DATA, check(CheckKind.VALUES, column, values=few))
    assert short == [n for n, value in enumerate(values) if value not in few]
    assert bench.broken_rows(DATA, check(CheckKind.VALUES, column, values=[*few, *more[column]])) == short
    missing = {"missingValues": [values[1], *more[column]]}
    rule = check(CheckKind.METRIC, column, metric="missingValues", arguments=missing)
    assert bench.broken_rows(DATA, rule) == [
        n for n, value in enumerate(values) if value in (None, values[1])
    ]


def test_a_sql_rule_may_name_a_table_as_its_source_does(bench: Bench) -> None:
    def renamed(contract: Contract) -> Contract:
        (table,) = contract.tables
        return replace(contract, tables=(replace(table, physical_name="Raw T"),))

    rule = check(
        CheckKind.SQL, scope=TABLE, query='select count(*) from "raw t"', bound={"op": "mustBe", "value": 5}
    )
    assert bench.run(DATA, rule, change=renamed).kept().num_rows == 5
