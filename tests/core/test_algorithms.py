from __future__ import annotations

import base64
import hashlib
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from core.algorithms import ED25519, PublicKey
from core.edwards import FIELD, ORDER, _add, _decode, _times, is_sound
from core.errors import ContractError

BASE = bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666")
# A point of order 8 (RFC 8032's curve); its multiples are all the points of small order.
EIGHT = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")


def encode(point: tuple[int, int, int, int]) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, FIELD)
    x, y = x * inverse % FIELD, y * inverse % FIELD
    return (y | (x & 1) << 255).to_bytes(32, "little")


def point(encoded: bytes) -> tuple[int, int, int, int]:
    decoded = _decode(encoded)
    assert decoded is not None
    return decoded


SMALL = [encode(_times(n, point(EIGHT))) for n in range(1, 9)]


def key(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)


@settings(deadline=None, max_examples=30)
@given(st.binary(min_size=32, max_size=32))
def test_a_key_made_honestly_is_sound(seed: bytes) -> None:
    public = PublicKey(ED25519, key(seed).public_key().public_bytes_raw())
    assert public.accepts(b"text", key(seed).sign(b"text"))
    assert not public.accepts(b"text ", key(seed).sign(b"text"))


def test_the_eight_points_of_small_order_are_refused() -> None:
    """Under the neutral key the signature (S·B, S) fits every message: nobody, or anybody, has signed."""
    assert len(set(SMALL)) == 8
    forged = encode(_times(5, point(BASE))) + (5).to_bytes(32, "little")
    neutral = SMALL[-1]
    Ed25519PublicKey.from_public_bytes(neutral).verify(forged, b"any message")  # the library takes it
    for small in SMALL:
        with pytest.raises(ContractError, match="isn't a sound ed25519 public key"):
            PublicKey(ED25519, small)


def test_a_key_with_a_small_part_is_refused() -> None:
    """Such a signature is good for one verifier and bad for another."""
    honest = point(key(bytes(32)).public_key().public_bytes_raw())
    for small in SMALL[:-1]:
        assert not is_sound(encode(_add(honest, point(small))))
        mixed = PublicKey(ED25519, encode(_add(honest, point(small))))
        with pytest.raises(ContractError, match="isn't a sound"):
            mixed.check()
        with pytest.raises(ContractError, match="isn't a sound"):
            PublicKey.from_pem(mixed.to_pem())
    assert is_sound(encode(_add(honest, point(SMALL[-1]))))


def test_a_signature_of_a_mixed_key_counts_for_nothing() -> None:
    """Made so that this library takes it: the challenge is a multiple of 8, and the small part falls away."""
    secret, nonce = 12345, 67890
    mixed = encode(_add(_times(secret, point(BASE)), point(EIGHT)))
    commitment = encode(_times(nonce, point(BASE)))
    for number in range(200):
        message = str(number).encode()
        challenge = int.from_bytes(hashlib.sha512(commitment + mixed + message).digest(), "little") % ORDER
        if challenge % 8 == 0:
            break
    signature = commitment + ((nonce + challenge * secret) % ORDER).to_bytes(32, "little")
    Ed25519PublicKey.from_public_bytes(mixed).verify(signature, message)
    assert not PublicKey(ED25519, mixed).accepts(message, signature)


@pytest.mark.parametrize(
    "number",
    [
        FIELD,  # y = 0, spelt otherwise
        FIELD + 1,
        2**255 - 1,
        1 | 1 << 255,  # x = -0
        (FIELD - 1) | 1 << 255,
        2,  # on no point
    ],
)
def test_what_encodes_no_point_or_not_in_its_one_way_is_refused(number: int) -> None:
    assert not is_sound(number.to_bytes(32, "little"))


def test_the_base_point_has_the_order_that_we_say() -> None:
    assert is_sound(BASE)
    assert encode(_times(ORDER, point(BASE))) == SMALL[-1]
    assert encode(_times(7, point(BASE))) != encode(_times(8, point(BASE)))


@pytest.mark.parametrize("raw", [b"", b"\1" * 31, b"\1" * 33])
def test_a_key_of_another_length_is_refused(raw: bytes) -> None:
    with pytest.raises(ContractError, match="isn't a sound"):
        PublicKey(ED25519, raw)


def test_an_algorithm_that_we_lack_is_refused_by_name() -> None:
    with pytest.raises(ContractError) as caught:
        PublicKey("sm2", os.urandom(33))
    assert str(caught.value) == (
        "SM2 with SM3 has its place here, and no implementation yet. Use a key of one of these: ed25519."
    )
    for name in ("rsa", "Ed25519", "", "x" * 500):
        with pytest.raises(ContractError, match="No signature algorithm has this name here"):
            PublicKey(name, os.urandom(32))


def test_the_id_is_the_hash_of_what_other_tools_write() -> None:
    theirs = key(bytes(32)).public_key()
    public = PublicKey(ED25519, theirs.public_bytes_raw())
    der = theirs.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert public.spki == der
    assert public.key_id == hashlib.sha256(der).hexdigest()
    pem = theirs.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert public.to_pem() == pem
    assert PublicKey.from_pem(pem.replace("\n", "\r\n")) == public
    assert load_pem_public_key(public.to_pem().encode()).public_bytes_raw() == public.raw  # type: ignore[union-attr]


def test_a_file_that_isnt_one_public_key_is_refused() -> None:
    pem = PublicKey(ED25519, key(bytes(32)).public_key().public_bytes_raw()).to_pem()
    private = key(bytes(32)).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    other = generate_private_key(SECP256R1()).public_key()
    curve = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for text in (
        "",
        pem + pem,
        private,
        pem[:-30],
        pem.replace("MCow", "MCo*"),
        "x" * 5000,
        pem.replace("PUBLIC", "EC"),
    ):
        with pytest.raises(ContractError, match="isn't a public key in PEM form"):
            PublicKey.from_pem(text)
    for text in (curve, pem.replace("MCow", "MCox")):
        with pytest.raises(ContractError, match="of another algorithm"):
            PublicKey.from_pem(text)


def test_a_key_of_sm2_is_told_that_its_place_is_empty() -> None:
    spki = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200") + b"\x04" + bytes(range(64))
    body = base64.b64encode(spki).decode()
    pem = f"-----BEGIN PUBLIC KEY-----\n{body[:64]}\n{body[64:]}\n-----END PUBLIC KEY-----\n"
    with pytest.raises(ContractError, match="SM2 with SM3 has its place here, and no implementation yet"):
        PublicKey.from_pem(pem)
