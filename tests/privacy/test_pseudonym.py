from __future__ import annotations

import datetime as dt
import hmac

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.pseudonym import pseudonymize

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


@given(st.lists(st.one_of(st.none(), st.text()), max_size=20))
def test_it_is_hmac_sha256_cut_to_128_bits(values: list[str | None]) -> None:
    """Against the standard library's own HMAC."""
    column = pa.array(values, pa.string())
    wanted = [None if v is None else hmac.digest(KEY, b"s:" + v.encode(), "sha256")[:16] for v in values]
    result = pseudonymize(column, KEY)
    assert result.to_pylist() == wanted
    assert result.type == pa.binary(16)


def test_another_key_gives_unrelated_pseudonyms() -> None:
    column = pa.array([1, 2, 3])
    assert not set(pseudonymize(column, KEY).to_pylist()) & set(pseudonymize(column, OTHER).to_pylist())


def test_the_same_number_in_another_width_is_the_same_person() -> None:
    narrow, wide = pa.array([7], pa.int16()), pa.chunked_array([pa.array([7], pa.int64())])
    assert pseudonymize(narrow, KEY).to_pylist() == pseudonymize(wide, KEY).to_pylist()


def test_values_of_other_types_never_meet() -> None:
    columns = [
        pa.array(["1"]), pa.array([1]), pa.array([1.0]), pa.array([True]), pa.array([b"1"]), pa.array([dt.date(2026, 1, 1)]),
    ]  # fmt: skip
    assert len({pseudonymize(column, KEY)[0].as_py() for column in columns}) == len(columns)


def test_empty_and_repeated() -> None:
    assert pseudonymize(pa.chunked_array([], pa.string()), KEY).to_pylist() == []
    twice = pseudonymize(pa.array(["a", "b", "a"]), KEY).to_pylist()
    assert twice[0] == twice[2] != twice[1]


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        pseudonymize(pa.array(["a"]), b"short")
