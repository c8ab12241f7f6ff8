from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import PrivacyError
from privacy.transforms.noise import noised

KINDS = [
    (pa.int8(), pa.int64()),
    (pa.uint64(), pa.int64()),
    (pa.float32(), pa.float64()),
    (pa.float64(), pa.float64()),
    (pa.decimal128(9, 2), pa.decimal128(38, 2)),
]


@settings(max_examples=40)
@given(
    st.lists(st.none() | st.floats(-1e6, 1e6), max_size=20),
    st.sampled_from(["1", "0.05", "0.25", "10", "2.5", "0.001"]),
    st.sampled_from(["0.5", "3", "70"]),
)
def test_each_result_is_an_exact_multiple_of_the_step(
    values: list[float | None], step: str, scale: str
) -> None:
    """Bit by bit the float next to a multiple: nothing of the value's own bits, nor of the draw's, is left."""
    result = noised(pa.array(values, pa.float64()), scale=Decimal(scale), step=Decimal(step)).to_pylist()
    for value, made in zip(values, result, strict=True):
        assert (made is None) == (value is None)
        if made is not None:
            count = (Decimal(repr(made)) / Decimal(step)).to_integral_value()
            assert made.hex() == (float(count * Decimal(step)) + 0.0).hex()


@pytest.mark.parametrize(("kind", "made"), KINDS)
def test_every_type_that_numbers_have(kind: pa.DataType, made: pa.DataType) -> None:
    column = pa.array([100, None, 7, 127], pa.int8()).cast(kind)
    for way in (column, pa.chunked_array([column[:2], column[2:]]), pa.concat_arrays([column, column])[4:]):
        result = noised(way, scale=Decimal(2), step=Decimal(5))
        assert result.type == made
        assert result.is_null().to_pylist() == [False, True, False, False]
        assert all(value is None or value % 5 == 0 for value in result.to_pylist())
    assert noised(pa.chunked_array([], kind), scale=Decimal(1), step=Decimal(1)).to_pylist() == []


def test_integers_with_a_broken_step_become_decimals() -> None:
    result = noised(pa.array([3, 4]), scale=Decimal(1), step=Decimal("0.25"))
    assert result.type == pa.decimal128(38, 2)
    assert all(value % Decimal("0.25") == 0 for value in result.to_pylist())


def test_the_noise_is_discrete_laplace_of_the_declared_scale() -> None:
    """Source of the moments: variance 2a / (1 - a)^2 with a = exp(-step / scale)."""
    rows, scale, step = 60_000, 6, 2
    drawn = (
        np.array(noised(pa.array(np.zeros(rows, np.int64)), scale=Decimal(scale), step=Decimal(step))) / step
    )
    ratio = math.exp(-step / scale)
    deviation = math.sqrt(2 * ratio) / (1 - ratio)
    assert abs(drawn.mean()) < 6 * deviation / math.sqrt(rows)
    assert drawn.std() == pytest.approx(deviation, rel=0.05)
    assert (drawn == 0).mean() == pytest.approx((1 - ratio) / (1 + ratio), abs=0.02)


def test_the_same_value_twice_gets_two_draws() -> None:
    column = pa.array(np.zeros(200, np.int64))
    one, other = (noised(column, scale=Decimal(100), step=Decimal(1)).to_pylist() for _ in range(2))
    assert one != other
    assert len(set(one)) > 50


def test_values_far_from_nothing_are_refused_and_not_shown() -> None:
    for column in (pa.array([2**60, 1]), pa.array([1e30, 1.0]), pa.array([Decimal(10) ** 30, Decimal(1)])):
        with pytest.raises(PrivacyError, match=r"^1 values are too many steps from 0") as refused:
            noised(column, scale=Decimal(1), step=Decimal(1))
        assert refused.value.facts == {"values": 1}


@pytest.mark.parametrize("strange", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(strange: float) -> None:
    with pytest.raises(PrivacyError, match="no finite numbers"):
        noised(pa.array([1.0, strange]), scale=Decimal(1), step=Decimal(1))


@pytest.mark.parametrize("column", [pa.array(["1"]), pa.array([True])])
def test_what_is_no_number_is_refused(column: Any) -> None:
    with pytest.raises(PrivacyError, match="no numbers"):
        noised(column, scale=Decimal(1), step=Decimal(1))


@pytest.mark.parametrize(("scale", "step"), [("0", "1"), ("-1", "1"), ("1", "0"), ("1", "-1"), ("NaN", "1")])
def test_a_scale_and_a_step_are_over_nothing(scale: str, step: str) -> None:
    with pytest.raises(ValueError, match="over 0"):
        noised(pa.array([1]), scale=Decimal(scale), step=Decimal(step))
