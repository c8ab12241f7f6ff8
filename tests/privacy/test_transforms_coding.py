from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import PrivacyError
from privacy.transforms.coding import clamped, redacted, rounded

STEPS = st.sampled_from(
    [Decimal(step) for step in ("1", "5", "1E+2", "7", "0.5", "0.05", "0.25", "2.5", "100.00")]
)


def oracle(text: str, step: Decimal) -> Decimal:
    return (Decimal(text) / step).to_integral_value(ROUND_HALF_EVEN) * step


@given(st.lists(st.none() | st.integers(-(2**62), 2**62)), st.sampled_from(["1", "5", "1E+2", "7", "100.00"]))
def test_integers_round_exactly_halves_to_even(values: list[int | None], step: str) -> None:
    result = rounded(pa.array(values, pa.int64()), Decimal(step))
    assert result.type == pa.int64()
    assert result.to_pylist() == [v if v is None else int(oracle(str(v), Decimal(step))) for v in values]


@given(
    st.lists(st.none() | st.decimals(-(10**7), 10**7, places=3), max_size=30),
    STEPS,
    st.sampled_from([16, 38]),
)
def test_decimals_round_exactly_halves_to_even(
    values: list[Decimal | None], step: Decimal, digits: int
) -> None:
    result = rounded(pa.array(values, pa.decimal128(digits, 3)), step)
    assert result.type == pa.decimal128(digits, 3)
    assert result.to_pylist() == [v if v is None else oracle(str(v), step) for v in values]


@given(
    st.lists(
        st.none()
        | st.floats(-1e12, 1e12)
        | st.integers(-(10**6), 10**6).map(lambda n: n / 40)
        | st.sampled_from([0.15, 0.25, 0.35, -0.0, 2.5, 1e300, -1e300, 5e-324]),
        max_size=30,
    ),
    STEPS,
)
def test_a_float_becomes_the_float_next_to_an_exact_multiple(
    values: list[float | None], step: Decimal
) -> None:
    """No low bit is left by which the value could be told: equal multiples are equal bit by bit."""
    result = rounded(pa.array(values, pa.float64()), step).to_pylist()
    for value, made in zip(values, result, strict=True):
        if value is None or abs(value) > 1e20:
            assert (made is None) == (value is None)
            continue
        assert made is not None
        assert made.hex() == (float(oracle(repr(value), step)) + 0.0).hex()


def test_small_floats_and_what_is_not_finite() -> None:
    result = rounded(pa.array([0.15, 0.3, None, math.inf, 2.25], pa.float32()), Decimal("0.1"))
    assert result.type == pa.float32()
    assert result.equals(pa.array([0.2, 0.3, None, math.inf, 2.2], pa.float32()))
    [strange] = rounded(pa.array([math.nan]), Decimal(1)).to_pylist()
    assert math.isnan(strange)


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.int64(), pa.float64(), pa.decimal128(5, 1), pa.decimal256(50, 1)])  # fmt: skip
def test_every_way_that_numbers_come(kind: pa.DataType) -> None:
    column = pa.array([14, None, 15, 25], pa.int8()).cast(kind)
    wanted = pa.array([10, None, 20, 20], pa.int8()).cast(kind)
    for way in (column, pa.chunked_array([column[:1], column[1:]]), pa.concat_arrays([column, column])[4:]):
        assert rounded(way, Decimal(10)).equals(wanted)
    assert rounded(pa.chunked_array([], kind), Decimal(10)).equals(wanted[:0])
    assert rounded(pa.nulls(2, kind), Decimal(10)).equals(pa.nulls(2, kind))
    assert clamped(column, Decimal(15), Decimal(20)).equals(
        pa.array([15, None, 15, 20], pa.int8()).cast(kind)
    )
    assert clamped(pa.chunked_array([], kind), Decimal(1), None).equals(wanted[:0])


def test_a_multiple_that_the_type_cannot_hold_is_refused_and_not_shown() -> None:
    for column, step in [
        (pa.array([127], pa.int8()), "10"),
        (pa.array([7]), "2.5"),
        (pa.array([Decimal("99.9")], pa.decimal128(3, 1)), "1"),
        (pa.array([Decimal("1.5")], pa.decimal128(3, 1)), "0.25"),
        (pa.array([2**63 - 1]), "10"),
    ]:
        with pytest.raises(PrivacyError, match="don't fit the column's type") as refused:
            rounded(column, Decimal(step))
        assert str(column[0].as_py()) not in str(refused.value)


@given(
    st.lists(st.none() | st.decimals(-1000, 1000, places=2)),
    st.none() | st.decimals(-500, 0, places=2),
    st.none() | st.decimals(0, 500, places=2),
    st.sampled_from([pa.decimal128(9, 2), pa.float64()]),
)
def test_nothing_stays_beyond_the_bounds_and_what_lies_within_is_untouched(
    values: list[Any], low: Decimal | None, high: Decimal | None, kind: pa.DataType
) -> None:
    cut = [
        v
        if v is None
        else max(v, low)
        if low is not None and v < low
        else min(v, high)
        if high is not None
        else v
        for v in values
    ]
    before, after = (
        [v if v is None or pa.types.is_decimal(kind) else float(v) for v in column]
        for column in (values, cut)
    )
    assert clamped(pa.array(before, kind), low, high).equals(pa.array(after, kind))


def test_bounds_go_inwards_to_what_the_type_can_hold() -> None:
    assert clamped(pa.array([0, 5, 10]), Decimal("0.5"), Decimal("9.5")).to_pylist() == [1, 5, 9]
    assert clamped(pa.array([-128, 127], pa.int8()), Decimal(-1000), Decimal(1000)).to_pylist() == [-128, 127]
    assert clamped(pa.array([math.nan, math.inf]), None, Decimal(3)).to_pylist()[1] == 3.0
    for low, high in [(Decimal(1000), None), (None, Decimal(-1000)), (Decimal("0.2"), Decimal("0.8"))]:
        with pytest.raises(PrivacyError, match="within the bounds"):
            clamped(pa.array([1], pa.int8()), low, high)
    with pytest.raises(ValueError, match="low bound"):
        clamped(pa.array([1]), Decimal(2), Decimal(1))


@pytest.mark.parametrize("column", [pa.array(["a"]), pa.array([True])])
def test_what_is_no_number_is_refused(column: pa.Array) -> None:
    with pytest.raises(PrivacyError, match="no numbers"):
        rounded(column, Decimal(1))
    with pytest.raises(PrivacyError, match="no numbers"):
        clamped(column, Decimal(1), None)


def test_a_step_is_over_nothing() -> None:
    for step in (Decimal(0), Decimal(-1), Decimal("NaN")):
        with pytest.raises(ValueError, match="over 0"):
            rounded(pa.array([1]), step)


def test_redaction_leaves_only_whether_something_was_there() -> None:
    column = pa.array(["漢字", None, "", "a" * 99])
    wanted = ["(redacted)", None, "(redacted)", "(redacted)"]
    for way in (
        column,
        pa.chunked_array([column]),
        column.dictionary_encode(),
        column.cast(pa.large_string()),
    ):
        result = redacted(way)
        assert result.type == pa.string()
        assert result.to_pylist() == wanted
    assert redacted(pa.chunked_array([], pa.string())).to_pylist() == []
    assert redacted(pa.array([1, None])).to_pylist() == ["(redacted)", None]
