"""Two parties, their keys and what they sign, for the tests of signatures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.agreement.values import Grade
from contracts.parties.model import Parties, Party, PartyKey
from contracts.parties.moment import Unheld
from contracts.signing.dsse import IN_TOTO, Envelope, sign
from contracts.signing.statement import Statement
from core.algorithms import ED25519, PublicKey

PLATFORM = "urn:uscc:91110000100000001W"
FIRM = "urn:uscc:91310000100000002D"
STRANGER = "urn:uscc:91440000100000003K"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


@dataclass
class Key:
    """A private key in memory. made from one byte, so that a failing test fails the same way twice."""

    number: int
    _key: Ed25519PrivateKey = field(init=False)

    def __post_init__(self) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([self.number] * 32))

    @property
    def public(self) -> PublicKey:
        return PublicKey(ED25519, self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def of(self, party: str) -> PartyKey:
        return PartyKey(party=party, public=self.public, valid_from=YEAR[0], valid_until=YEAR[1])


@dataclass
class Table:
    """Two parties at a table, a stranger beside it."""

    platform: Key = field(default_factory=lambda: Key(1))
    firm: Key = field(default_factory=lambda: Key(2))
    stranger: Key = field(default_factory=lambda: Key(3))
    second: Key = field(default_factory=lambda: Key(4))  # another key of the platform

    def __post_init__(self) -> None:
        self.statement = Statement(
            contract_id="grocery-demand",
            contract_version="1.0.0",
            contract_digest="a" * 64,
            agreement_digest="b" * 64,
            assigner=PLATFORM,
            assignee=FIRM,
        )
        self.parties = Parties.of(
            [
                party(PLATFORM, Grade.PLATFORM, self.platform.of(PLATFORM), self.second.of(PLATFORM)),
                party(FIRM, Grade.SME, self.firm.of(FIRM)),
                party(STRANGER, Grade.SME, self.stranger.of(STRANGER)),
            ]
        )
        self.now = Unheld(now=NOON)

    def envelope(self, *keys: Key, statement: Statement | None = None) -> Envelope:
        envelope = Envelope(IN_TOTO, (statement or self.statement).payload())
        for key in keys:
            envelope = sign(envelope, key)
        return envelope

    def both(self) -> Envelope:
        return self.envelope(self.platform, self.firm)

    def with_key(self, changed: PartyKey) -> Parties:
        """The registry in which this key stands in place of the one with its id."""
        return Parties(
            tuple(
                replace(
                    record,
                    keys=tuple(changed if key.key_id == changed.key_id else key for key in record.keys),
                )
                for record in self.parties.records
            )
        )


def party(code: str, grade: Grade, *keys: PartyKey) -> Party:
    return Party(party=code, name="甲 Co.", beneficial_owner=f"owner of {code[-4:]}", grade=grade, keys=keys)
