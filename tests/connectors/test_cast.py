"""Nothing is lost between the source's type and the contract's, and no message holds a value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cast import arrow_type, carries, cast
from contracts.model import Column, LogicalType, Role
from contracts.protection import Transform
from core.errors import SourceError

NOON = dt.datetime(2026, 3, 1, 12)
MIDNIGHT = dt.datetime(2026, 3, 1)


def values(kind: str, array: pa.Array, *, physical: str | None = None) -> list[Any]:
    result = cast(array, _column(kind, physical), where="table t")
    assert result.type == arrow_type(_column(kind, physical))
    return list(result.to_pylist())


def _column(kind: str, physical: str | None = None) -> Column:
    return Column(
        name="c",
        type=LogicalType(kind),
        physical_type=physical,
        role=Role.ATTRIBUTE,
        transform=Transform.KEEP,
    )


@pytest.mark.parametrize(
    ("kind", "array", "wanted"),
    [
        ("string", pa.array(["a", None]), ["a", None]),
        ("string", pa.array(["a", "a"]).dictionary_encode(), ["a", "a"]),
        ("string", pa.array(["a"], pa.large_string()), ["a"]),
        ("string", pa.array(["表".encode()]), ["表"]),
        ("string", pa.array([7]), ["7"]),
        ("string", pa.nulls(2), [None, None]),
        ("integer", pa.array([1, None], pa.int8()), [1, None]),
        ("integer", pa.array([1.0, None]), [1, None]),
        ("integer", pa.array([Decimal("2.00")]), [2]),
        ("integer", pa.array([" 5 ", "-07", "", "  "]), [5, -7, None, None]),
        ("number", pa.array([1, 2]), [1.0, 2.0]),
        ("number", pa.array([0.1], pa.float32()), [0.10000000149011612]),
        ("number", pa.array([Decimal("1.10"), None]), [1.1, None]),
        ("number", pa.array(["1e3", "-0.5"]), [1000.0, -0.5]),
        ("boolean", pa.array([True, None]), [True, None]),
        ("boolean", pa.array([1, 0, None]), [True, False, None]),
        ("boolean", pa.array(["true", "FALSE", "1", "0"]), [True, False, True, False]),
        ("date", pa.array([MIDNIGHT, None]), [MIDNIGHT.date(), None]),
        ("date", pa.array(["2026-03-01"]), [MIDNIGHT.date()]),
        ("date", pa.array([MIDNIGHT.date()], pa.date64()), [MIDNIGHT.date()]),
        ("timestamp", pa.array([NOON], pa.timestamp("ns")), [NOON]),
        ("timestamp", pa.array([MIDNIGHT.date()]), [MIDNIGHT]),
        ("timestamp", pa.array([NOON], pa.timestamp("s", "Asia/Shanghai")), [NOON]),
        ("timestamp", pa.array(["2026-03-01 12:00", "2026-03-01", None]), [NOON, MIDNIGHT, None]),
        ("timestamp", pa.array(["2026-03-01T20:00:00+08:00", "2026-03-01T12:00:00Z"]), [NOON, NOON]),
        ("timestamp", pa.array(["2026-03-01T12:00:00", "2026-03-01T12:00:00Z"]), [NOON, NOON]),
    ],
)
def test_exact_values_come_over(kind: str, array: pa.Array, wanted: list[Any]) -> None:
    assert values(kind, array) == wanted


def test_money_stays_decimal_when_the_contract_says_so() -> None:
    assert values("number", pa.array([0.25, 3.5]), physical="DECIMAL(10,2)") == [
        Decimal("0.25"),
        Decimal("3.50"),
    ]
    assert values("number", pa.array(["0.10"]), physical="numeric(10, 2)") == [Decimal("0.10")]
    assert arrow_type(_column("number", "DECIMAL(99,2)")) == pa.float64()
    assert arrow_type(_column("integer", "DECIMAL(10,0)")) == pa.int64()


@pytest.mark.parametrize(
    ("kind", "physical", "array"),
    [
        ("string", None, pa.array([b"ok", b"\xff"])),
        ("integer", None, pa.array([1.0, 1.5])),
        ("integer", None, pa.array([1.0, float("nan")])),
        ("integer", None, pa.array([1, 2**63], pa.uint64())),
        ("integer", None, pa.array(["1", "0x1F"])),
        ("integer", None, pa.array(["1", "1.0"])),
        ("integer", None, pa.array(["1", "９"])),
        ("integer", None, pa.array(["1", "99999999999999999999"])),
        ("number", None, pa.array([1.0, float("nan")])),
        ("number", None, pa.array([1.0, float("inf")])),
        ("number", None, pa.array(["1", "nan"])),
        ("number", None, pa.array(["1", "1e400"])),
        ("number", None, pa.array(["1", "1e-400"])),
        ("number", None, pa.array(["1", "12345678901234567.8912"])),
        ("number", None, pa.array([Decimal("1.0000"), Decimal("12345678901234567.8912")])),
        ("number", None, pa.array([1, 2**60 + 1])),
        ("number", None, pa.array([Decimal(1), Decimal("0.12345678901234567890")])),
        ("number", "DECIMAL(10,2)", pa.array([1.0, 0.125])),
        ("number", "DECIMAL(10,2)", pa.array(["1", "0.125"])),
        ("boolean", None, pa.array([1, 2])),
        ("boolean", None, pa.array(["true", "maybe"])),
        ("date", None, pa.array([MIDNIGHT, NOON])),
        ("date", None, pa.array(["2026-03-01", "01.03.2026"])),
        ("timestamp", None, pa.array([0, 1], pa.timestamp("ns"))),
        ("timestamp", None, pa.array(["2026-03-01", "yesterday"])),
    ],
)
def test_what_would_lose_something_is_refused_with_its_row(
    kind: str, physical: str | None, array: pa.Array
) -> None:
    with pytest.raises(SourceError, match=r"Column `c`, row 12: what stands there is no exact") as caught:
        cast(array, _column(kind, physical), where="table t", row=10)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_nested_type_is_refused_by_name() -> None:
    with pytest.raises(SourceError, match=r"Column `c` came as list<.*>; the contract says string"):
        cast(pa.array([["a"]]), _column("string"), where="table t")


def test_a_refusal_never_quotes_the_value(table: Callable[..., Any]) -> None:
    with pytest.raises(SourceError) as caught:
        cast(pa.array(["1", "Zhang San"]), _column("integer"), where="table t")
    assert "Zhang" not in str(caught.value) + repr(caught.value.facts)


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))))
def test_integers_survive_as_text(numbers: list[int | None]) -> None:
    text = pa.array([None if n is None else str(n) for n in numbers], pa.string())
    assert values("integer", text) == numbers


@given(st.lists(st.one_of(st.none(), st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2250, 1, 1)))))
def test_times_survive_as_text(times: list[dt.datetime | None]) -> None:
    text = pa.array([None if t is None else t.isoformat() for t in times], pa.string())
    zoned = pa.array([None if t is None else t.isoformat() + "Z" for t in times], pa.string())
    assert values("timestamp", text) == times
    assert values("timestamp", zoned) == times


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_survive_as_text(numbers: list[float]) -> None:
    assert values("number", pa.array([repr(n) for n in numbers], pa.string())) == numbers


# Fifteen digits, which every double carries.
@given(st.lists(st.decimals(-(10**11) + 1, 10**11 - 1, places=4, allow_nan=False)))
def test_a_decimal_becomes_a_number_that_comes_back(decimals: list[Decimal]) -> None:
    array = pa.array(decimals, pa.decimal128(20, 4))
    for number, decimal in zip(values("number", array), decimals, strict=True):
        assert Decimal(f"{number:.4f}") == decimal


@given(st.decimals(-(10**20), 10**20, places=4, allow_nan=False))
def test_text_and_decimal_are_refused_alike(decimal: Decimal) -> None:
    came = []
    for array in (pa.array([str(decimal)]), pa.array([decimal], pa.decimal128(38, 4))):
        try:
            came.append(values("number", array))
        except SourceError:
            came.append([])
    assert came[0] == came[1]
    number = float(decimal)
    comes_back = decimal in (Decimal(repr(number)), Decimal(f"{number:.4f}"))
    assert (came[0] != []) == comes_back == carries(str(decimal))


@pytest.mark.parametrize(("text", "carried"), [
    ("0.1", True), ("0.10", True), ("0.1000000000000000000000000", True), ("0.10000000000000001", True),
    ("0.100000000000000001", False), ("1e23", True), ("5e-324", True), ("3e-324", False), ("0e-99999", True),
    ("1e-99999999999999999999", False), ("9007199254740993", False), ("-9007199254740994", True),
])  # fmt: skip
def test_what_a_double_carries(text: str, carried: bool) -> None:
    assert carries(text) is carried
