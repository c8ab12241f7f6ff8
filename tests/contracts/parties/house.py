"""A registry with three holders and a hall, for the tests of the registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import Signature
from tuf.api.metadata import Metadata

from contracts.agreement.values import Grade
from contracts.parties.model import Parties, Party, PartyKey
from contracts.parties.proposal import Holders, Proposal, countersign, found, propose
from contracts.parties.publish import publish, read_lapsed, renew
from contracts.parties.registry import Known, Published, Registry, load_registry
from core.algorithms import ED25519, PublicKey

HALL = "urn:uscc:91110000100000001W"
PLATFORM = "urn:uscc:91310000100000002D"
FIRM = "urn:uscc:91440000100000003K"
AUDITOR = "urn:uscc:91440000100000004N"
SHELL = "urn:uscc:91440000100000005R"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
DAY = timedelta(days=1)
# A multiple of the base point plus a point of order 8.
MIXED = "cdbc161be64c4302f56443ff29ccf36a2075be1a1fa67ff126b56315f5681c38"


@dataclass(frozen=True)
class Key:
    """A private key in memory, made from one number."""

    number: int

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes([self.number] * 32))

    @property
    def public(self) -> PublicKey:
        return PublicKey(ED25519, self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def of(self, party: str) -> PartyKey:
        return PartyKey(party=party, public=self.public, valid_from=YEAR[0], valid_until=YEAR[1])


def party(code: str, grade: Grade, *keys: PartyKey, owner: str = "") -> Party:
    owner = owner or f"owner of {code[-4:]}"
    return Party(party=code, name="甲 Co., Ltd.", beneficial_owner=owner, grade=grade, keys=keys)


CONTRACT_KEY = Key(60).of(PLATFORM)
RECORDS = Parties.of(
    [
        party(HALL, Grade.PLATFORM, owner="Hall Holding"),
        party(PLATFORM, Grade.PLATFORM, CONTRACT_KEY),
        party(FIRM, Grade.SME, Key(61).of(FIRM)),
        party(AUDITOR, Grade.AUDITOR),
        party(SHELL, Grade.SME, owner="HALL  Ｈolding"),  # the hall's owner, written otherwise
    ]
)


@dataclass
class House:
    """A folder, the holders' keys, and what they publish in it."""

    folder: Path
    now: datetime = NOON
    online: Key = Key(9)
    holders: dict[str, Key] = field(default_factory=lambda: {PLATFORM: Key(1), FIRM: Key(2), AUDITOR: Key(3)})
    threshold: int = 2
    records: Parties = RECORDS
    current: Published | None = None
    trusted_root: bytes = b""

    def whom(self, **changed: Any) -> Holders:
        keys = {code: key.public for code, key in self.holders.items()}
        return Holders(
            **{
                "keys": keys,
                "threshold": self.threshold,
                "hall": HALL,
                "online": self.online.public,
                **changed,
            }
        )

    def proposal(self, records: Parties | None = None, **options: Any) -> Proposal:
        """The next version, unsigned."""
        if self.current is None:
            return found(records or self.records, self.whom(), now=self.now)
        return propose(self.current, records or self.records, now=self.now, **options)

    def signed(self, proposal: Proposal, *signers: Key) -> Proposal:
        for signer in signers or tuple(self.holders.values())[:2]:
            proposal = countersign(proposal, signer, current=self.current)
        return proposal

    def publish(self, proposal: Proposal | None = None, records: Parties | None = None) -> Published:
        proposal = proposal or self.signed(self.proposal(records))
        self.current = publish(self.folder, proposal, online=self.online, now=self.now, current=self.current)
        if records is not None:
            self.records = records
        if not self.trusted_root:
            assert proposal.root is not None
            self.trusted_root = proposal.root
        return self.current

    def renew(self) -> Published:
        assert self.current is not None
        self.current = renew(self.folder, self.current, online=self.online, now=self.now)
        return self.current

    def load(
        self, *, known: Known | None = None, now: datetime | None = None, folder: Path | None = None
    ) -> Registry:
        return load_registry(
            folder or self.folder, trusted_root=self.trusted_root, now=now or self.now, known=known
        )

    def lapsed(self) -> Published:
        return read_lapsed(self.folder, trusted_root=self.trusted_root)

    def forge(self, name: str, change: Callable[[Any], None], *signers: Key) -> bytes:
        """Changes what a metadata file says and has it signed by these, whatever the rules; the files that vouch for it aren't."""
        path = self.folder / "metadata" / name
        metadata: Metadata[Any] = Metadata.from_bytes(path.read_bytes())
        change(metadata.signed)
        return self.write(name, metadata, *signers)

    def write(self, name: str, metadata: Any, *signers: Key) -> bytes:
        metadata.signatures.clear()
        for signer in signers:
            key_id = signer.public.key_id
            metadata.signatures[key_id] = Signature(key_id, signer.sign(metadata.signed_bytes).hex())
        data: bytes = metadata.to_bytes()
        (self.folder / "metadata" / name).write_bytes(data)
        return data


def changed(records: Parties, code: str, **fields: Any) -> Parties:
    return Parties(tuple(replace(one, **fields) if one.party == code else one for one in records.records))
