"""One way to name content: SHA-256 of bytes, of a file, or of a document's RFC 8785 form."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import rfc8785

from core.errors import ContractError


def canonical(document: Any) -> bytes:
    """The RFC 8785 (JCS) form of a JSON value. Raises ContractError for what JSON can't carry (NaN, big integers)."""
    try:
        return rfc8785.dumps(document)
    except rfc8785.CanonicalizationError as error:
        raise ContractError(
            "The document has no canonical JSON form.",
            remedy="Write numbers within 2^53, no NaN, and dates as quoted strings.",
        ) from error


def sha256_hex(data: bytes) -> str:
    """SHA-256 of bytes, lower-case hex, 64 characters."""
    return hashlib.sha256(data).hexdigest()


def document_digest(document: Any) -> str:
    """SHA-256 of the RFC 8785 form, hex."""
    return sha256_hex(canonical(document))


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, hex; reads it once, in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
