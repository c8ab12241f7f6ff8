"""Keys that parties sign with, sealed in the key store beside the hall's own: made, listed, rotated, revoked.

The store holds the private side and what its owner knows of it. Whether a signature counts is the party registry's word
alone: a key that was made or revoked here is so for others only once the registry says it too.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.algorithms import ED25519, PublicKey
from core.digest import canonical
from core.errors import IntegrityError, InternalError, UsageError
from core.keys import KeyStore

_SEED_BYTES = 32
_MAX_TEXT = 100


class Use(StrEnum):
    """What a key signs. One that signs contracts never signs the registry that vouches for it."""

    CONTRACTS = "contracts"
    REGISTRY = "registry"


class Reason(StrEnum):
    """Why a key was revoked. Only a compromise reaches back before the moment of revocation."""

    SUPERSEDED = "superseded"
    RETIRED = "retired"
    COMPROMISE = "compromise"


@dataclass(frozen=True, kw_only=True)
class OwnKey:
    """What a party knows of a key of its own; nothing of it is secret.

    valid_from <= t < valid_until is when it may sign. replaces: id of the key that it takes the place of. ended, reason:
    when and why it was revoked; its private side is gone then.
    """

    party: str
    use: Use
    public: PublicKey
    valid_from: datetime
    valid_until: datetime
    replaces: str | None = None
    ended: datetime | None = None
    reason: Reason | None = None

    def __post_init__(self) -> None:
        for moment in (self.valid_from, self.valid_until, *([self.ended] if self.ended else [])):
            if moment.tzinfo is None or moment.utcoffset() is None:
                raise UsageError("A moment needs a time zone.", remedy="Write 2026-01-01T00:00:00Z.")
        if self.valid_from >= self.valid_until:
            raise UsageError("A key's validity must end after it begins.", remedy="Name a later end.")
        if not self.party or not self.party.isprintable() or len(self.party) > _MAX_TEXT:
            raise UsageError("This can't be a party's name.", remedy="Write urn:uscc: and its code.")

    @property
    def key_id(self) -> str:
        """SHA-256 of the public key's DER form, hex."""
        return self.public.key_id


class PartySigner:
    """A party's private key, ready to sign. Can't be printed, copied or pickled."""

    __slots__ = ("_key", "own")

    def __init__(self, own: OwnKey, seed: bytes) -> None:
        self.own = own
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public(self) -> PublicKey:
        """The public side."""
        return self.own.public

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature (RFC 8032)."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"PartySigner({self.own.key_id!r})"

    def __reduce__(self) -> NoReturn:
        raise InternalError("A signing key can't be copied or pickled.", remedy="Pass the key's id.")


class PartyKeys:
    """The parties' keys in a key store. Errors of the store come through as they are."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def create(
        self,
        party: str,
        *,
        valid_from: datetime,
        valid_until: datetime,
        use: Use = Use.CONTRACTS,
        replaces: str | None = None,
    ) -> OwnKey:
        """A new Ed25519 key of `party`."""
        seed = secrets.token_bytes(_SEED_BYTES)
        own = OwnKey(
            party=party,
            use=use,
            public=_public(seed),
            valid_from=valid_from,
            valid_until=valid_until,
            replaces=replaces,
        )
        self._store.seal(_file(own.key_id), "party", _written(own), seed)
        return own

    def list(self, party: str | None = None) -> tuple[OwnKey, ...]:
        """The keys of a party, or of all, the oldest first; the revoked ones too."""
        keys = [self._read(file)[0] for file in self._store.sealed_files("party-")]
        return tuple(
            sorted(
                (own for own in keys if party in (None, own.party)),
                key=lambda own: (own.party, own.valid_from, own.key_id),
            )
        )

    def get(self, key_id: str) -> OwnKey:
        """What is known of a key. Raises UsageError for one that isn't here."""
        return self._find(key_id)[0]

    def signer(self, key_id: str, *, use: Use, now: datetime) -> PartySigner:
        """The key, ready to sign. Raises UsageError for a key of another use, revoked, or not valid at `now`."""
        own, seed = self._find(key_id)
        wrong = (
            f"signs {own.use}, not {use}"
            if own.use is not use
            else f"was revoked ({own.reason})"
            if own.ended is not None
            else f"isn't valid before {own.valid_from.isoformat()}"
            if now < own.valid_from
            else f"was valid until {own.valid_until.isoformat()}"
            if now >= own.valid_until
            else None
        )
        if wrong is not None:
            raise UsageError(
                f"This key {wrong}.",
                where=f"key {key_id} of {own.party}",
                remedy="Sign with another key, or make one.",
            )
        return PartySigner(own, seed)

    def rotate(self, key_id: str, *, valid_from: datetime, valid_until: datetime) -> OwnKey:
        """A new key in the place of another, for the same party and use.

        The old one still signs: nobody knows the new one before the registry does, and a registry key must sign its own
        successor in. Revoke it, as superseded, once the registry has the new one.
        """
        old = self.get(key_id)
        if old.ended is not None:
            raise UsageError(
                "This key is revoked already.", where=f"key {key_id}", remedy="Create a new one."
            )
        return self.create(
            old.party, valid_from=valid_from, valid_until=valid_until, use=old.use, replaces=key_id
        )

    def revoke(self, key_id: str, *, at: datetime, reason: Reason) -> OwnKey:
        """Ends a key and destroys its private side. A key that was revoked otherwise can still be called compromised.

        Raises UsageError for any other second revocation.
        """
        own, _ = self._find(key_id)
        if own.ended is not None and reason is not Reason.COMPROMISE:
            raise UsageError(
                f"This key was revoked ({own.reason}) at {own.ended.isoformat()}.",
                where=f"key {key_id}",
                remedy="Only a compromise can be added to that.",
            )
        ended = replace(own, ended=at if own.ended is None else min(at, own.ended), reason=reason)
        self._store.seal(_file(key_id), "party", _written(ended), b"")
        return ended

    def _find(self, key_id: str) -> tuple[OwnKey, bytes]:
        file = _file(key_id)
        if file not in self._store.sealed_files("party-"):
            raise UsageError(
                "This key isn't in the store.",
                where=f"key {key_id[:80]}",
                remedy="List the keys, and copy the id of one.",
            )
        return self._read(file)

    def _read(self, file: str) -> tuple[OwnKey, bytes]:
        opened = self._store.unseal(file, "party")
        if opened is None:
            raise UsageError("A key was removed meanwhile.", where=file, remedy="Try again.")
        name, seed = opened
        own = _parsed(name)
        # The seal holds name and secret together; the file's name it doesn't know.
        if _file(own.key_id) != file or (_public(seed) != own.public if own.ended is None else seed != b""):
            raise IntegrityError(
                "A key file lies under another key's name, or doesn't hold its key.",
                where=file,
                remedy="Put the whole key folder back from its backup.",
            )
        return own, seed


def _file(key_id: str) -> str:
    # The id as a user typed it may hold anything; only an id's beginning becomes a file's name.
    safe = key_id[:32] if len(key_id) == 64 and set(key_id) <= set("0123456789abcdef") else "none"
    return f"party-{safe}.json"


def _public(seed: bytes) -> PublicKey:
    return PublicKey(ED25519, Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())


def _written(own: OwnKey) -> str:
    return canonical(
        {
            "party": own.party,
            "use": own.use.value,
            "algorithm": own.public.algorithm,
            "public": own.public.raw.hex(),
            "validFrom": own.valid_from.isoformat(),
            "validUntil": own.valid_until.isoformat(),
            "replaces": own.replaces,
            "ended": own.ended.isoformat() if own.ended else None,
            "reason": own.reason.value if own.reason else None,
        }
    ).decode()


def _parsed(name: str) -> OwnKey:
    # Sealed: nobody but us wrote it.
    written: dict[str, Any] = json.loads(name)
    return OwnKey(
        party=written["party"],
        use=Use(written["use"]),
        public=PublicKey(written["algorithm"], bytes.fromhex(written["public"])),
        valid_from=datetime.fromisoformat(written["validFrom"]),
        valid_until=datetime.fromisoformat(written["validUntil"]),
        replaces=written["replaces"],
        ended=datetime.fromisoformat(written["ended"]) if written["ended"] else None,
        reason=Reason(written["reason"]) if written["reason"] else None,
    )
