"""Algorithms that sign, and public keys under them: Ed25519 today, with room for others.

An algorithm is a row of `_ALGORITHMS`: what its keys look like and how a signature is checked. A key of any other is
refused by name. The commercial algorithms of China (SM2 with SM3, GB/T 32918) have their name reserved and no row yet.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from core.edwards import is_plain, is_sound
from core.errors import ContractError

ED25519 = "ed25519"
# SubjectPublicKeyInfo of Ed25519 up to the key itself (RFC 8410).
_ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")
_RESERVED = {"sm2": "SM2 with SM3 has its place here, and no implementation yet."}
# The name of SM2's curve (1.2.156.10197.1.301) as it stands at the beginning of such a key's DER form.
_SM2_CURVE, _SPKI_HEAD = bytes.fromhex("06082a811ccf5501822d"), 40
_PEM_BEGIN, _PEM_END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
_MAX_PEM = 4096


@dataclass(frozen=True)
class _Algorithm:
    """spki: what stands before the raw key in its DER form. plain, sound: the quick and the whole look at raw bytes."""

    spki: bytes
    raw_bytes: int
    plain: Callable[[bytes], bool]
    sound: Callable[[bytes], bool]
    accepts: Callable[[bytes, bytes, bytes], bool]


def _ed25519_accepts(raw: bytes, message: bytes, signature: bytes) -> bool:
    # OpenSSL refuses S >= L and compares R byte by byte: one message under one key has no second spelling of a signature.
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except InvalidSignature:
        return False
    return True


_ALGORITHMS = {
    ED25519: _Algorithm(
        spki=_ED25519_SPKI, raw_bytes=32, plain=is_plain, sound=is_sound, accepts=_ed25519_accepts
    ),
}


@dataclass(frozen=True)
class PublicKey:
    """A public key of a party. raw: its bytes as its algorithm writes them, 32 for Ed25519.

    Raises ContractError for an algorithm that we don't have, and for bytes under which anybody could sign.
    """

    algorithm: str
    raw: bytes

    def __post_init__(self) -> None:
        row = _row(self.algorithm)
        if len(self.raw) != row.raw_bytes or not row.plain(self.raw):
            raise self._unsound()

    def check(self) -> None:
        """Raises ContractError for bytes that no honest key has. Takes a millisecond: for a key that is new here."""
        if not _row(self.algorithm).sound(self.raw):
            raise self._unsound()

    def _unsound(self) -> ContractError:
        return ContractError(
            f"This isn't a sound {self.algorithm} public key.",
            remedy="Ask its owner for the key once more; a key made by an ordinary tool is sound.",
        )

    @property
    def spki(self) -> bytes:
        """The DER form, SubjectPublicKeyInfo (RFC 5280)."""
        return _row(self.algorithm).spki + self.raw

    @property
    def key_id(self) -> str:
        """SHA-256 of the DER form, hex: one key has one id, whatever anybody calls it."""
        return hashlib.sha256(self.spki).hexdigest()

    def accepts(self, message: bytes, signature: bytes) -> bool:
        """Whether this key is sound and made `signature` over `message`."""
        row = _row(self.algorithm)
        return row.accepts(self.raw, message, signature) and row.sound(self.raw)

    def to_pem(self) -> str:
        """The key as text (RFC 7468), for a file that travels."""
        encoded = base64.b64encode(self.spki).decode()
        lines = [encoded[i : i + 64] for i in range(0, len(encoded), 64)]
        return "\n".join((_PEM_BEGIN, *lines, _PEM_END, ""))

    @classmethod
    def from_pem(cls, text: str) -> PublicKey:
        """The key that a PEM text says. Raises ContractError for anything but one public key of a known algorithm."""
        lines = text.strip().splitlines() if len(text) <= _MAX_PEM else []
        if len(lines) < 3 or lines[0] != _PEM_BEGIN or lines[-1] != _PEM_END:
            raise _no_pem()
        try:
            der = base64.b64decode("".join(lines[1:-1]), validate=True)
        except (binascii.Error, ValueError):
            raise _no_pem() from None
        for name, row in _ALGORITHMS.items():
            if der.startswith(row.spki) and len(der) == len(row.spki) + row.raw_bytes:
                key = cls(name, der[len(row.spki) :])
                key.check()
                return key
        if _SM2_CURVE in der[:_SPKI_HEAD]:
            raise ContractError(_RESERVED["sm2"], remedy=_have())
        raise ContractError("The file holds a public key of another algorithm.", remedy=_have())


class Signs(Protocol):
    """Whatever signs for a party: a key of the store, a card, a service."""

    @property
    def public(self) -> PublicKey:
        """The public side."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`."""
        ...


def _row(algorithm: str) -> _Algorithm:
    row = _ALGORITHMS.get(algorithm)
    if row is None:
        reserved = _RESERVED.get(algorithm.lower())
        raise ContractError(reserved or "No signature algorithm has this name here.", remedy=_have())
    return row


def _have() -> str:
    return f"Use a key of one of these: {', '.join(_ALGORITHMS)}."


def _no_pem() -> ContractError:
    return ContractError(
        "This isn't a public key in PEM form.",
        remedy="Send the text from BEGIN PUBLIC KEY to END PUBLIC KEY, never a private key.",
    )
