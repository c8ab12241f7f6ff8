"""DSSE envelopes: a payload, its type and signatures over both. Source: Dead Simple Signing Envelope v1.0.

Stricter than the specification: an envelope has one meaning and each of its parts one spelling. Fields that the
specification doesn't know are refused, base64 is the standard one with padding, and every signature names its key.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, replace
from typing import Any

from core.algorithms import Signs
from core.digest import canonical, document_digest, sha256_hex
from core.errors import ContractError
from core.jsontext import parse_json

IN_TOTO = "application/vnd.in-toto+json"
MAX_ENVELOPE_BYTES = 64 << 10
MAX_SIGNATURES = 16
_MAX_SIGNATURE_BYTES = 1024
_KEY_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, order=True)
class Signature:
    """One signature. key_id: SHA-256 of the key's DER form, hex; value: the signature's bytes."""

    key_id: str
    value: bytes

    def __post_init__(self) -> None:
        if not _KEY_ID.fullmatch(self.key_id) or not 0 < len(self.value) <= _MAX_SIGNATURE_BYTES:
            raise _malformed("a signature needs the id of its key, 64 lower-case hex digits, and some bytes")


@dataclass(frozen=True)
class Envelope:
    """A payload with its type and signatures; `parse` takes what `to_bytes` gives. Signatures are kept by key id.

    Raises ContractError when one key signed twice.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...] = ()

    def __post_init__(self) -> None:
        if len(self.signatures) > MAX_SIGNATURES:
            raise _malformed(f"it bears more than {MAX_SIGNATURES} signatures")
        if len({signature.key_id for signature in self.signatures}) != len(self.signatures):
            raise _malformed("it bears two signatures of the same key")
        object.__setattr__(self, "signatures", tuple(sorted(self.signatures)))

    def pae(self) -> bytes:
        """What is signed: the pre-authentication encoding, in which the type and the payload each stand behind their length."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)

    def as_json(self) -> dict[str, Any]:
        """The envelope as plain JSON."""
        return {
            "payloadType": self.payload_type,
            "payload": base64.b64encode(self.payload).decode(),
            "signatures": [
                {"keyid": signature.key_id, "sig": base64.b64encode(signature.value).decode()}
                for signature in self.signatures
            ],
        }

    def to_bytes(self) -> bytes:
        """The file that travels: the RFC 8785 form of `as_json`."""
        return canonical(self.as_json())

    @property
    def digest(self) -> str:
        """SHA-256 of `to_bytes`, hex: names the envelope with all its signatures."""
        return sha256_hex(self.to_bytes())

    def mark(self, signature: Signature) -> str:
        """What a log holds of one signature, hex: SHA-256 over what is signed, the key's id and the signature.

        Two signatures, or one over two payloads, never share a mark: a checkpoint can't vouch for another signature.
        """
        return document_digest(
            {"signed": sha256_hex(self.pae()), "keyid": signature.key_id, "sig": signature.value.hex()}
        )

    @classmethod
    def parse(cls, data: bytes) -> Envelope:
        """The envelope that a file says; nothing of it is verified yet. Raises ContractError for anything else."""
        document = _fields(
            parse_json(data, max_bytes=MAX_ENVELOPE_BYTES, where="envelope", max_depth=8),
            {"payloadType", "payload", "signatures"},
        )
        signatures, kind = document["signatures"], document["payloadType"]
        if (
            not isinstance(signatures, list)
            or not isinstance(kind, str)
            or not kind.isascii()
            or not kind.isprintable()
        ):
            raise _malformed("its type must be ASCII text and its signatures a list")
        return cls(kind, _unbase64(document["payload"]), tuple(map(_signature, signatures)))


def sign(envelope: Envelope, signer: Signs) -> Envelope:
    """The envelope with one more signature. Raises ContractError when this key signed it already."""
    signature = Signature(signer.public.key_id, signer.sign(envelope.pae()))
    return replace(envelope, signatures=(*envelope.signatures, signature))


def _signature(value: object) -> Signature:
    document = _fields(value, {"keyid", "sig"})
    key_id = document["keyid"]
    if not isinstance(key_id, str):
        raise _malformed("a key's id must be text")
    return Signature(key_id, _unbase64(document["sig"]))


def _fields(value: object, names: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != names:
        raise _malformed(f"it, or a part of it, doesn't have exactly the fields {', '.join(sorted(names))}")
    return value


def _unbase64(text: object) -> bytes:
    """The bytes of standard base64 with padding and without spaces, the one spelling that they have."""
    try:
        decoded = base64.b64decode(text, validate=True) if isinstance(text, str) and text.isascii() else None
    except (binascii.Error, ValueError):
        decoded = None
    if decoded is None or base64.b64encode(decoded).decode() != text:
        raise _malformed("a part isn't standard base64 with padding")
    return decoded


def _malformed(why: str) -> ContractError:
    return ContractError(
        f"The signature file is malformed: {why}.",
        where="envelope",
        remedy="Ask who signed for the file once more, as its tool wrote it.",
    )
