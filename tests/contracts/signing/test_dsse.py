from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.signing.dsse import IN_TOTO, MAX_ENVELOPE_BYTES, Envelope, Signature
from core.errors import ContractError

from .table import Table

KEY = "0" * 64


def test_the_encoding_is_the_specifications() -> None:
    """The example that the DSSE specification gives."""
    envelope = Envelope("http://example.com/HelloWorld", b"hello world")
    assert envelope.pae() == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert Envelope("", b"").pae() == b"DSSEv1 0  0 "


def test_a_type_counts_in_bytes() -> None:
    assert Envelope("é", b"").pae() == "DSSEv1 2 é 0 ".encode()


@settings(deadline=None)
@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    st.binary(max_size=100),
    st.lists(
        st.tuples(st.binary(min_size=32, max_size=32), st.binary(min_size=1, max_size=80)),
        max_size=4,
        unique_by=lambda pair: pair[0],
    ),
)
def test_an_envelope_comes_back_as_it_was(
    kind: str, payload: bytes, pairs: list[tuple[bytes, bytes]]
) -> None:
    envelope = Envelope(kind, payload, tuple(Signature(key.hex(), value) for key, value in pairs))
    assert Envelope.parse(envelope.to_bytes()) == envelope
    assert Envelope.parse(json.dumps(envelope.as_json(), indent=2).encode()) == envelope


def _document(**changed: Any) -> dict[str, Any]:
    return {
        "payloadType": IN_TOTO,
        "payload": "aGk=",
        "signatures": [{"keyid": KEY, "sig": "aGk="}],
        **changed,
    }


def test_the_plain_document_parses() -> None:
    assert Envelope.parse(json.dumps(_document()).encode()).payload == b"hi"


SPELLINGS = {
    "no padding": "aGk",
    "too much padding": "aGk==",
    "a space": "aG k=",
    "a newline": "aGk=\n",
    "leftover bits": "aGl=",
    "url-safe": base64.urlsafe_b64encode(b"\xff\xfe\xfd").decode(),
    "padding inside": "aG=k",
    "full-width": "ａGk=",
    "no text": 5,
    "null": None,
}


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("place", ["payload", "sig"])
def test_base64_has_one_spelling(place: str, name: str) -> None:
    assert SPELLINGS["url-safe"] == "__79"
    text = SPELLINGS[name]
    document = (
        _document(payload=text) if place == "payload" else _document(signatures=[{"keyid": KEY, "sig": text}])
    )
    with pytest.raises(ContractError, match="isn't standard base64 with padding"):
        Envelope.parse(json.dumps(document).encode())


DOCUMENTS = {
    "a list": [],
    "nothing in it": {},
    "a field more": _document(note="x"),
    "a field less": {"payloadType": IN_TOTO, "payload": ""},
    "signatures no list": _document(signatures={}),
    "a signature with a field more": _document(signatures=[{"keyid": KEY, "sig": "aGk=", "cert": "x"}]),
    "a signature without a key's id": _document(signatures=[{"sig": "aGk="}]),
    "an empty key id": _document(signatures=[{"keyid": "", "sig": "aGk="}]),
    "a key id in capitals": _document(signatures=[{"keyid": "A" * 64, "sig": "aGk="}]),
    "a key id that's no text": _document(signatures=[{"keyid": 7, "sig": "aGk="}]),
    "a key id with a newline": _document(signatures=[{"keyid": KEY + "\n", "sig": "aGk="}]),
    "an empty signature": _document(signatures=[{"keyid": KEY, "sig": ""}]),
    "a signature that's no mapping": _document(signatures=["x"]),
    "a type that's no text": _document(payloadType=1),
    "a type of lookalikes": _document(payloadType="аpplication/vnd.in-toto+json"),
    "a type with a newline": _document(payloadType="a\nb"),
    "too many signatures": _document(signatures=[{"keyid": f"{i:064x}", "sig": "aGk="} for i in range(17)]),
    "a long signature": _document(signatures=[{"keyid": KEY, "sig": base64.b64encode(b"x" * 1025).decode()}]),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_envelope_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(ContractError, match="malformed"):
        Envelope.parse(json.dumps(DOCUMENTS[name]).encode())


def test_a_doubled_key_is_refused_wherever_it_stands() -> None:
    text = json.dumps(_document())
    for one in ("payloadType", "payload", "signatures", "keyid", "sig"):
        value = json.dumps(_document().get(one, "x"))
        doubled = text.replace(f'"{one}":', f'"{one}": {value}, "{one}":', 1).encode()
        with pytest.raises(ContractError, match=f"'{one}' stands twice"):
            Envelope.parse(doubled)


def test_a_large_or_deep_file_is_refused_before_it_costs() -> None:
    with pytest.raises(ContractError, match="more than 65536"):
        Envelope.parse(b" " * (MAX_ENVELOPE_BYTES + 1))
    for bomb in (b"[" * 60_000, b'{"a":' * 10_000):
        with pytest.raises(ContractError, match="nests deeper"):
            Envelope.parse(bomb)


def test_a_key_signs_the_type_too(table: Table) -> None:
    one, other = Envelope("a", b"bc"), Envelope("ab", b"c")
    assert table.firm.sign(one.pae()) != table.firm.sign(other.pae())
