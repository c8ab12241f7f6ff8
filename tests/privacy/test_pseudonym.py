from __future__ import annotations

import datetime as dt
import hmac
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.transforms.pseudonym import pseudonymize

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


EVERY = [
    (pa.array(["a", None, "漢", ""]), ["s:a", None, "s:漢", "s:"]),
    (pa.array(["a", None, "漢", ""], pa.large_string()), ["s:a", None, "s:漢", "s:"]),
    (pa.array([-(2**63), None, 7]), ["i:-9223372036854775808", None, "i:7"]),
    (pa.array([2**64 - 1], pa.uint64()), ["i:18446744073709551615"]),
    (pa.array([1.5, None, float("inf"), -0.0]), ["f:0x1.8000000000000p+0", None, "f:inf", "f:-0x0.0p+0"]),
    (pa.array([0.1], pa.float32()), ["f:0x1.99999a0000000p-4"]),
    (pa.array([True, None, False]), ["t:True", None, "t:False"]),
    (pa.array([b"x", None, b""]), ["b:x", None, "b:"]),
    (pa.array([b"xy", None], pa.binary(2)), ["b:xy", None]),
    (pa.array([Decimal("1.50"), None, Decimal("100.00")]), ["n:1.5", None, "n:100"]),
    (pa.array([dt.date(2026, 3, 5), None]), ["d:2026-03-05", None]),
    (pa.array([dt.datetime(2026, 3, 5, 7)], pa.timestamp("us")), ["d:2026-03-05T07:00:00"]),
    (
        pa.array([dt.datetime(2026, 3, 5, 7, tzinfo=dt.UTC)], pa.timestamp("ms", "Asia/Shanghai")),
        ["d:2026-03-05T15:00:00+08:00"],
    ),
    (pa.nulls(2), [None, None]),
]


@pytest.mark.parametrize(("column", "messages"), EVERY)
def test_each_type_has_one_text_for_a_value(column: pa.Array, messages: list[str | None]) -> None:
    """Pinned: pseudonyms of one contract must stay the same from version to version."""
    wanted = [None if m is None else hmac.digest(KEY, m.encode(), "sha256")[:16] for m in messages]
    for way in (column, column.dictionary_encode(), pa.concat_arrays([column, column])[len(column) :]):
        assert pseudonymize(way, KEY).to_pylist() == wanted
    assert pseudonymize(pa.chunked_array([column[:1], column[1:]]), KEY).to_pylist() == wanted


@pytest.mark.parametrize("repeated", [1, 2])
def test_many_values_are_the_same_whether_they_repeat_or_not(repeated: int) -> None:
    column = pa.array([*range(100_000 // repeated)] * repeated + [None])
    result = pseudonymize(column, KEY)
    assert result[:-1].null_count == 0
    assert result[-1].as_py() is None
    places = [0, 7, 49_999]
    assert [result[at].as_py() for at in places] == [
        hmac.digest(KEY, f"i:{at}".encode(), "sha256")[:16] for at in places
    ]
    assert len(result.unique()) == 100_000 // repeated + 1


def test_a_dictionary_with_a_hole_and_one_value_twice() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), pa.array(["a", None, "a"]))
    first, hole, second, missing = pseudonymize(column, KEY).to_pylist()
    assert first == second == hmac.digest(KEY, b"s:a", "sha256")[:16]
    assert hole is None
    assert missing is None
