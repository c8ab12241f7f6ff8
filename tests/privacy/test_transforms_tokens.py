from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from core.errors import PrivacyError
from privacy.transforms.tokens import detokenize, tokenize, two_holder_key

OURS, THEIRS = bytes(range(32)), bytes(range(32, 64))
HERE = ("grocery", "orders.buyer")
KEY = two_holder_key(OURS, THEIRS, contract=HERE[0], column=HERE[1])

TYPED = st.one_of(
    st.tuples(st.just(pa.string()), st.lists(st.none() | st.text())),
    st.tuples(st.just(pa.large_string()), st.lists(st.none() | st.text())),
    st.tuples(st.just(pa.int64()), st.lists(st.none() | st.integers(-(2**63), 2**63 - 1))),
    st.tuples(st.just(pa.binary()), st.lists(st.none() | st.binary())),
    st.tuples(st.just(pa.bool_()), st.lists(st.none() | st.booleans())),
    st.tuples(st.just(pa.float64()), st.lists(st.none() | st.floats(allow_nan=False))),
    st.tuples(st.just(pa.decimal128(20, 3)), st.lists(st.none() | st.decimals(-(10**15), 10**15, places=3))),
    st.tuples(st.just(pa.decimal128(38, 3)), st.lists(st.none() | st.decimals(-(10**34), 10**34, places=3))),
    st.tuples(st.just(pa.date32()), st.lists(st.none() | st.dates())),
    st.tuples(st.just(pa.timestamp("us")), st.lists(st.none() | st.datetimes())),
    st.tuples(
        st.just(pa.timestamp("us", "UTC")), st.lists(st.none() | st.datetimes(timezones=st.just(dt.UTC)))
    ),
)


@given(TYPED)
def test_both_holders_together_get_every_value_back(column: tuple[pa.DataType, list[Any]]) -> None:
    kind, values = column
    given_values = pa.array(values, kind)
    tokens = tokenize(given_values, KEY, column_context=HERE)
    assert tokens.type == pa.binary()
    assert tokens.is_null().equals(given_values.is_null())
    assert detokenize(tokens, KEY, column_context=HERE, kind=kind).equals(given_values)


def test_it_is_aes_siv_with_contract_and_column_as_associated_data() -> None:
    """Against the cipher itself; pinned, because tokens must open in later versions."""
    [token] = tokenize(pa.array(["Ada"]), KEY, column_context=HERE).to_pylist()
    assert AESSIV(KEY).decrypt(token, [b"grocery", b"orders.buyer"]) == b"s:Ada\x80" + bytes(10)
    assert KEY.hex() == two_holder_key(OURS, THEIRS, contract="grocery", column="orders.buyer").hex()
    assert len(KEY) == 64


def test_one_value_has_one_token_however_it_comes() -> None:
    plain = tokenize(pa.array(["a", "b", "a", None]), KEY, column_context=HERE)
    assert plain[0] == plain[2] != plain[1]
    for way in (
        pa.chunked_array([["a"], ["b", "a", None]]),
        pa.array(["a", "b", "a", None]).dictionary_encode(),
        pa.array(["a", "b", "a", None], pa.large_string()),
    ):
        assert tokenize(way, KEY, column_context=HERE).equals(plain)
    assert tokenize(pa.chunked_array([], pa.string()), KEY, column_context=HERE).to_pylist() == []
    opened = detokenize(pa.chunked_array([plain[:1], plain[1:]]), KEY, column_context=HERE, kind=pa.string())
    assert opened.to_pylist() == ["a", "b", "a", None]


@pytest.mark.parametrize(
    "key",
    [
        two_holder_key(OURS, bytes(32), contract=HERE[0], column=HERE[1]),
        two_holder_key(bytes(32), THEIRS, contract=HERE[0], column=HERE[1]),
        two_holder_key(THEIRS, OURS, contract=HERE[0], column=HERE[1]),
        OURS + OURS,
        OURS + THEIRS,
        two_holder_key(OURS, THEIRS, contract=HERE[0], column="orders.seller"),
        two_holder_key(OURS, THEIRS, contract="other", column=HERE[1]),
    ],
)
def test_one_holder_alone_or_another_columns_key_opens_nothing(key: bytes) -> None:
    tokens = tokenize(pa.array(["a secret"]), KEY, column_context=HERE)
    with pytest.raises(PrivacyError, match="doesn't open") as refused:
        detokenize(tokens, key, column_context=HERE, kind=pa.string())
    assert "secret" not in str(refused.value)


def test_a_token_put_into_another_column_or_contract_does_not_open() -> None:
    tokens = tokenize(pa.array(["a secret"]), KEY, column_context=HERE)
    for elsewhere in (("grocery", "orders.seller"), ("other", "orders.buyer"), ("groceryorders", ".buyer")):
        with pytest.raises(PrivacyError, match="doesn't open"):
            detokenize(tokens, KEY, column_context=elsewhere, kind=pa.string())


@given(st.integers(0, 31), st.integers(1, 255))
def test_a_changed_token_does_not_open_and_the_error_tells_no_value(at: int, by: int) -> None:
    [token] = tokenize(pa.array(["a secret"]), KEY, column_context=HERE).to_pylist()
    changed = bytearray(token)
    changed[at] ^= by
    for bad in (bytes(changed), token[:-1], token[:16], b"", token + b"\0"):
        with pytest.raises(PrivacyError) as refused:
            detokenize(pa.array([bad]), KEY, column_context=HERE, kind=pa.string())
        assert str(refused.value).startswith("A token of `orders.buyer` in contract grocery doesn't open.")
        assert "secret" not in str(refused.value)
        assert refused.value.__cause__ is None


def test_a_token_of_another_type_does_not_open() -> None:
    tokens = tokenize(pa.array([7]), KEY, column_context=HERE)
    with pytest.raises(PrivacyError, match="doesn't open"):
        detokenize(tokens, KEY, column_context=HERE, kind=pa.string())
    large = tokenize(pa.array([2**40]), KEY, column_context=HERE)
    with pytest.raises(PrivacyError, match="doesn't open"):
        detokenize(large, KEY, column_context=HERE, kind=pa.int8())


def test_a_token_tells_no_length_within_sixteen_bytes() -> None:
    sizes = {
        len(token)
        for token in tokenize(pa.array(["Li", "Ouyang Xiu", ""]), KEY, column_context=HERE).to_pylist()
    }
    assert sizes == {32}


def test_the_keys_of_one_holder_or_of_a_wrong_length_are_refused() -> None:
    with pytest.raises(ValueError, match="two holders"):
        two_holder_key(OURS, OURS, contract="c", column="t")
    with pytest.raises(ValueError, match="32 bytes"):
        two_holder_key(OURS, b"", contract="c", column="t")
    with pytest.raises(ValueError, match="64 bytes"):
        tokenize(pa.array(["a"]), OURS, column_context=HERE)


def test_decimals_keep_their_value() -> None:
    column = pa.array([Decimal("1.50"), Decimal("100.00")], pa.decimal128(9, 2))
    tokens = tokenize(column, KEY, column_context=HERE)
    assert detokenize(tokens, KEY, column_context=HERE, kind=pa.decimal128(9, 2)).equals(column)
