"""Checkpoints: the signed heads of a log, one for each size. Source: c2sp.org/tlog-checkpoint."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from audit.merkle import HASH_BYTES
from audit.note import Note, VerifierKey
from core.errors import LedgerError
from core.keys import Signer

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_MAX_SIZE = 2**63 - 1


@dataclass(frozen=True)
class Checkpoint:
    """A log's head. origin: the log's name; root: hash of the tree of `size` leaves; extensions: opaque lines.

    `str` gives the text that is signed, `parse` takes it; each undoes the other. Raises LedgerError when malformed.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lines = (self.origin, *self.extensions)
        if not all(lines) or any("\n" in line for line in lines):
            raise LedgerError("A checkpoint's lines must not be empty.")
        if not 0 <= self.size <= _MAX_SIZE or len(self.root) != HASH_BYTES:
            raise LedgerError("A checkpoint's size or root is malformed.")

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint that a note's text says. Says nothing about who signed it: use `open_checkpoint`."""
        # split, not splitlines: only a newline ends a line here.
        *lines, end = text.split("\n")
        if end or len(lines) < 3 or not _SIZE.fullmatch(lines[1]):
            raise LedgerError("A checkpoint is malformed.")
        origin, size, encoded, *extensions = lines
        try:
            root = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise LedgerError("A checkpoint's root is malformed.") from None
        checkpoint = cls(origin, int(size), root, tuple(extensions))
        if str(checkpoint) != text:  # base64 can say the same root in several ways; one is enough
            raise LedgerError("A checkpoint is malformed.")
        return checkpoint

    def __str__(self) -> str:
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> str:
    """The checkpoint as a signed note. Raises LedgerError when the signer isn't the log that the checkpoint names."""
    if checkpoint.origin != signer.name:
        raise LedgerError("A log signs its own checkpoints only.", where=checkpoint.origin)
    return str(Note.sign(str(checkpoint), signer))


def open_checkpoint(note: str, key: VerifierKey) -> Checkpoint:
    """The checkpoint in a signed note, once `key` is known to have signed it for the log of the same name.

    Other signatures (witnesses, a newer key) may stand beside it. Raises LedgerError.
    """
    parsed = Note.parse(note)
    parsed.verified_by([key])
    checkpoint = Checkpoint.parse(parsed.text)
    if checkpoint.origin != key.name:
        raise LedgerError("A checkpoint names another log than the key that signed it.", where=key.name)
    return checkpoint
