from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ContractError
from core.jsontext import parse_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(VALUES, st.booleans())
def test_what_json_says_is_read(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text.encode(), max_bytes=1 << 20) == value


REFUSED = {
    "a doubled key": b'{"a": 1, "b": {"c": 1, "c": 1}}',
    "a key doubled by an escape": b'{"a": 1, "\\u0061": 2}',
    "NaN": b"[NaN]",
    "Infinity": b"[-Infinity]",
    "a number beyond all": b"1e999",
    "a very long number": b"1" * 401,
    "a very long fraction": b"0." + b"1" * 401,
    "a lone surrogate": b'"\\ud800"',
    "a lone surrogate as a key": b'{"\\udfff": 1}',
    "surrogates as bytes": b'"\xed\xa0\x80"',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "an overlong form": b'"\xc0\xaf"',
    "a comment": b"{} // x",
    "a comma at the end": b"[1,]",
    "two values": b"1 2",
    "nothing": b"",
    "a control character in text": b'"\x00"',
    "too deep": b"[" * 65 + b"]" * 65,
    "far too deep": b"[" * 100_000,
    "depth after a quote in text": b'["\\"", ' + b"[" * 70,
}


@pytest.mark.parametrize("name", REFUSED)
def test_everything_else_is_refused(name: str) -> None:
    with pytest.raises(ContractError, match=r"isn't (strict )?JSON"):
        parse_json(REFUSED[name], max_bytes=1 << 20)


def test_brackets_in_text_arent_depth() -> None:
    assert parse_json(json.dumps(["[" * 500 + '\\"' + "{" * 500]).encode(), max_bytes=1 << 20)
    assert parse_json(b"[" * 64 + b"]" * 64, max_bytes=1 << 20)


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert parse_json(b'"\\ud83d\\ude00"', max_bytes=20) == "\U0001f600"


def test_a_large_document_isnt_looked_at() -> None:
    with pytest.raises(ContractError, match="has 11 bytes, more than 10"):
        parse_json(b"[" * 11, max_bytes=10)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        value = parse_json(data, max_bytes=50)
    except ContractError:
        return
    assert json.loads(data) == value
