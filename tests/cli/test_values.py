"""What rows become in JSON: valid for every reader, exact where a number can be."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.values import as_json, as_text, names_of, rows_of
from core.errors import UsageError


def asked(sql: str) -> pa.Table:
    with duckdb.connect() as con:
        return con.sql(sql).to_arrow_table()


@pytest.mark.parametrize(
    ("sql", "value", "text"),
    [
        ("'nan'::DOUBLE", None, "nan"),
        ("'-inf'::FLOAT", None, "-inf"),
        ("[1.5::DOUBLE, 'inf'::DOUBLE]", [1.5, None], "[1.5, null]"),
        ("sum(9007199254740993)", 9007199254740993, "9007199254740993"),
        ("170141183460469231731687303715884105727::HUGEINT", 2**127 - 1, str(2**127 - 1)),
        ("1.10::DECIMAL(9,2)", 1.1, "1.10"),
        ("0.1234567890123456789::DECIMAL(38,19)", "0.1234567890123456789", "0.1234567890123456789"),
        ("DATE '2026-01-31'", "2026-01-31", "2026-01-31"),
        ("TIMESTAMP '2026-01-31 10:00:00'", "2026-01-31T10:00:00", "2026-01-31 10:00:00"),
        ("TIME '10:00'", "10:00:00", "10:00:00"),
        ("TIMESTAMP_NS '2026-01-31 10:00:00.123456789'", "2026-01-31T10:00:00.123456789", "2026-01-31 10:00:00.123456789"),
        ("INTERVAL '14 months -2 seconds'", "P14MT-2S", "P14MT-2S"),
        (r"'\xAA\x01'::BLOB", "aa01", "aa01"),
        ("true", True, "true"),
        ("NULL", None, ""),
        ("{'a': 1.50::DECIMAL(5,2), 'b': MAP {'k': 'nan'::DOUBLE}}", {"a": 1.5, "b": [["k", None]]}, '{"a": 1.5, "b": [["k", null]]}'),
        ("'需求'", "需求", "需求"),
    ],
)  # fmt: skip
def test_values_of_duckdb(sql: str, value: Any, text: str) -> None:
    [(got,)] = rows_of(asked(f"SELECT {sql}"))
    assert as_json(got) == value
    assert type(as_json(got)) is type(value)
    assert as_text(got) == text
    json.dumps(as_json(got), allow_nan=False)


def test_two_columns_of_one_name_keep_both_values() -> None:
    table = asked("SELECT 1 AS n, 2 AS n, 3 AS n_1")
    assert names_of(table) == ["n", "n_2", "n_1"]
    assert list(rows_of(table)) == [(1, 2, 3)]


@pytest.mark.parametrize("value", ["'infinity'::DATE", "DATE '20000-01-01'", "'-infinity'::TIMESTAMP"])
def test_a_time_beyond_the_calendar_is_refused_by_its_column(value: str) -> None:
    with pytest.raises(UsageError, match=r"Column `until` holds a time .* Cast the column to VARCHAR"):
        rows_of(asked(f"SELECT {value} AS until"))


def test_a_duration_of_days() -> None:
    assert as_json(dt.timedelta(days=1, seconds=2, microseconds=500)) == "PT86402.0005S"
    assert as_json(dt.timedelta()) == "PT0S"


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4) | st.integers().map(Decimal))
def test_a_decimal_is_a_number_only_where_no_digit_is_lost(value: Decimal) -> None:
    told = as_json(value)
    assert Decimal(told if isinstance(told, str) else json.dumps(told)) == value


_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.decimals(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(_VALUE)
def test_whatever_it_is_json_takes_it(value: Any) -> None:
    json.loads(json.dumps(as_json(value), allow_nan=False), parse_constant=lambda _: pytest.fail("NaN"))
