"""Secrets sealed to somebody's public key, so that who seals them can't open them again.

HPKE (RFC 9180, base mode) with X25519, HKDF-SHA256 and AES-256-GCM. A seal says nothing of who made it: what is sealed
stands in a document that the hall signs. Keys are PEM files as `openssl genpkey -algorithm X25519` makes them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from core.digest import sha256_hex
from core.errors import IntegrityError, InternalError, UsageError

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_MAKE = "Make a pair with `openssl genpkey -algorithm X25519 -out private.pem`"
_PUBLIC = "`openssl pkey -in private.pem -pubout -out public.pem`"


class SealingKey:
    """A public key. name: the first 16 hex digits of its SHA-256, by which people tell keys apart."""

    __slots__ = ("_key", "name")

    def __init__(self, key: X25519PublicKey) -> None:
        self._key = key
        self.name = sha256_hex(key.public_bytes_raw())[:16]

    def seal(self, secret: bytes, *, context: bytes) -> bytes:
        """The secret for who has the private key and names the same context; other bytes every time."""
        return _SUITE.encrypt(secret, self._key, context)


class OpeningKey:
    """A private key. Can't be printed, copied or pickled."""

    __slots__ = ("_key", "sealing_key")

    def __init__(self, key: X25519PrivateKey) -> None:
        self._key = key
        self.sealing_key = SealingKey(key.public_key())

    @classmethod
    def from_bytes(cls, secret: bytes) -> OpeningKey:
        """The key of 32 random bytes."""
        return cls(X25519PrivateKey.from_private_bytes(secret))

    def open(self, sealed: bytes, *, context: bytes) -> bytes:
        """The secret. Raises IntegrityError when it was sealed to another key or in another context, or was changed."""
        try:
            return _SUITE.decrypt(sealed, self._key, context)
        except (InvalidTag, ValueError):
            raise IntegrityError(
                "A seal doesn't open: it was changed, or made for another key.",
                remedy="Find out who changed it; use the private key that it was made for.",
            ) from None

    def __repr__(self) -> str:
        return "OpeningKey(...)"

    def __reduce__(self) -> NoReturn:
        raise InternalError("A private key can't be copied or pickled.", remedy="Pass the file's path.")


def read_sealing_key(path: Path) -> SealingKey:
    """The public key in a PEM file. Raises UsageError when it can't be read, is another kind of key, or others may change it."""
    text, mode = _read(path)
    if mode & 0o022:
        raise UsageError(
            f"Others may put another public key here (mode {mode:o}).",
            where=str(path),
            remedy=f"Run `chmod go-w {path}`, and make sure that it's still the right one.",
        )
    if b"PRIVATE KEY" in text:
        raise UsageError(
            "This is a private key, and who seals must not have it.",
            where=str(path),
            remedy=f"Keep it where the sealed rows are opened; name the public half: {_PUBLIC}.",
        )
    key = _parsed(lambda: load_pem_public_key(text))
    if not isinstance(key, X25519PublicKey):
        raise UsageError(
            "This is no X25519 public key in PEM.", where=str(path), remedy=f"{_MAKE} and {_PUBLIC}."
        )
    return SealingKey(key)


def read_opening_key(path: Path, passphrase: Callable[[], str] | None = None) -> OpeningKey:
    """The private key in a PEM file; passphrase: asked when the file is encrypted.

    Raises UsageError when it can't be read, is another kind of key, or others may read it.
    """
    text, mode = _read(path)
    if mode & 0o077:
        raise UsageError(
            f"Others may read this private key (mode {mode:o}).",
            where=str(path),
            remedy=f"Run `chmod 600 {path}`; make another pair if others could log in here.",
        )
    secret = passphrase().encode() if b"ENCRYPTED" in text and passphrase else None
    key = _parsed(lambda: load_pem_private_key(text, secret))
    if not isinstance(key, X25519PrivateKey):
        remedy = "Give the right passphrase." if secret is not None else f"{_MAKE}."
        raise UsageError("No X25519 private key in PEM opens here.", where=str(path), remedy=remedy)
    return OpeningKey(key)


def _read(path: Path) -> tuple[bytes, int]:
    try:
        with path.open("rb") as file:
            return file.read(1 << 16), stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except OSError as error:
        raise UsageError(
            f"The key can't be read ({error.strerror}).", where=str(path), remedy="Check the path of the key."
        ) from None


def _parsed(load: Callable[[], Any]) -> Any:
    """What `load` gives, or None for what isn't a key."""
    try:
        return load()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
