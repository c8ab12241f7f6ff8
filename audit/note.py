"""Signed notes: text that carries Ed25519 signatures, each under a key's name and short id. Source: c2sp.org/signed-note.

A note's text means nothing until `Note.verified_by` has named a key that the reader trusts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from core.errors import LedgerError, UsageError
from core.keys import Signer

MAX_NOTE_BYTES = 1 << 20
MAX_SIGNATURES = 100
_ED25519 = b"\x01"
_DASH = "\u2014 "
_KEY_ID_BYTES = 4


@dataclass(frozen=True)
class VerifierKey:
    """A public key that a reader trusts under `name`. Its text form, a vkey, is `name+key id+base64(type || key)`."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        if not _is_key_name(self.name) or len(self.public_key) != 32:
            raise UsageError(
                "This isn't a key that signs notes.",
                remedy="A name without spaces or plus signs, and 32 bytes of Ed25519 public key.",
            )

    @classmethod
    def of(cls, signer: Signer) -> VerifierKey:
        """The public side of a signer."""
        return cls(signer.name, signer.public_key)

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """The key that a vkey says. Raises UsageError unless all three parts agree."""
        name, _, rest = vkey.partition("+")
        key_id, _, encoded = rest.partition("+")
        decoded = _unbase64(encoded)
        if decoded is None or decoded[:1] != _ED25519 or len(decoded) != 33:
            raise UsageError(
                "This isn't an Ed25519 verifier key.", remedy="Copy the whole line, name+id+base64."
            )
        key = cls(name, decoded[1:])
        if key.key_id.hex() != key_id:
            raise UsageError(
                "The verifier key's id doesn't fit its name and key.", remedy="Copy the line again."
            )
        return key

    @property
    def key_id(self) -> bytes:
        """SHA-256(name || 0x0A || 0x01 || public key), the first 4 bytes."""
        named = self.name.encode() + b"\n" + _ED25519 + self.public_key
        return hashlib.sha256(named).digest()[:_KEY_ID_BYTES]

    def accepts(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made `signature` over `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public_key).decode()}"


@dataclass(frozen=True)
class Signature:
    """One signature line. value: the signature's bytes, in whatever algorithm (name, key_id) stands for."""

    name: str
    key_id: bytes
    value: bytes

    def __post_init__(self) -> None:
        if not _is_key_name(self.name) or len(self.key_id) != _KEY_ID_BYTES or not self.value:
            raise LedgerError("A note's signature line is malformed.")

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.value).decode()}"


@dataclass(frozen=True)
class Note:
    """A note. text: ends with a newline. `str` gives the bytes that travel, `parse` takes them; each undoes the other.

    Raises LedgerError for what isn't a well-formed note.
    """

    text: str
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        if (
            not self.text.endswith("\n")
            or not _is_plain(self.text)
            or not 0 < len(self.signatures) <= MAX_SIGNATURES
        ):
            raise LedgerError("A signed note is malformed.")

    @classmethod
    def sign(cls, text: str, *signers: Signer) -> Note:
        """The text with a signature of each signer."""
        return cls(
            text,
            tuple(Signature(s.name, VerifierKey.of(s).key_id, s.sign(text.encode())) for s in signers),
        )

    @classmethod
    def parse(cls, note: str) -> Note:
        """The note that `note` says. Strict: what parses is written back byte for byte."""
        # The text may hold empty lines; the last one stands before the signatures.
        text, blank, lines = note.rpartition("\n\n")
        if not blank or not lines.endswith("\n") or len(note.encode(errors="replace")) > MAX_NOTE_BYTES:
            raise LedgerError("A signed note is malformed.")
        return cls(text + "\n", tuple(_parse_signature(line) for line in lines[:-1].split("\n")))

    def verified_by(self, keys: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Those of `keys` that signed this note, at least one; signatures of unknown keys are passed over.

        Raises LedgerError when none did, or when a signature under the name and id of a known key is not its own.
        """
        known = {(key.name, key.key_id): key for key in keys}
        if len(known) != len(set(keys)):
            raise UsageError(
                "Two trusted keys share a name and an id.", remedy="Trust one of them at a time."
            )
        signed: dict[VerifierKey, None] = {}
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is None:
                continue
            if not key.accepts(self.text.encode(), signature.value):
                raise LedgerError("A note bears a false signature of a known key.", where=key.name)
            signed[key] = None
        if not signed:
            raise LedgerError(
                "A note isn't signed by any trusted key.", where=", ".join(key.name for key in keys)
            )
        return tuple(signed)

    def __str__(self) -> str:
        return self.text + "\n" + "".join(f"{signature}\n" for signature in self.signatures)


def _parse_signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    decoded = _unbase64(encoded)
    if not line.startswith(_DASH) or decoded is None:
        raise LedgerError("A note's signature line is malformed.")
    return Signature(name, decoded[:_KEY_ID_BYTES], decoded[_KEY_ID_BYTES:])


def _is_key_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(char.isspace() for char in name) and _is_plain(name)


def _is_plain(text: str) -> bool:
    """Whether it's valid UTF-8 (no lone surrogates) with no ASCII control character but newline."""
    return not any((char < " " and char != "\n") or "\ud800" <= char <= "\udfff" for char in text)


def _unbase64(text: str) -> bytes | None:
    """The bytes of canonical base64, or None: one signature has one spelling."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if base64.b64encode(decoded).decode() == text else None
