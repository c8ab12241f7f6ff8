"""Contracts that are signed, for tests of what comes after: a registry, two parties, and a negotiation in one breath."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.agreement.message import DoorTerms, Terms, offer_document
from contracts.agreement.values import Grade
from contracts.agreement.vocabulary import Door
from contracts.life import talk
from contracts.life.dossier import TARGET, ContractName, replay
from contracts.life.negotiation import Side
from contracts.model import Contract
from contracts.odcs import load_contract
from contracts.parties import proposal as proposals
from contracts.parties.model import Parties, Party, PartyKey
from contracts.parties.moment import Unheld
from contracts.parties.publish import publish, read_lapsed, renew
from core.algorithms import ED25519, PublicKey
from core.clock import utc_now
from core.settings import Settings
from pipeline.agreements.desk import Desk, OnDesk
from pipeline.home import Home

HALL, PLATFORM = "urn:uscc:91110000100000001W", "urn:uscc:91310000100000002D"
FIRM, AUDITOR = "urn:uscc:91440000100000003K", "urn:uscc:91440000100000004N"
ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
P, C = Side.PROVIDER, Side.CONSUMER


class Key:
    """A private key in memory, made from one number, so that a test that fails, fails the same way twice."""

    def __init__(self, number: int) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([number] * 32))

    @property
    def public(self) -> PublicKey:
        return PublicKey(ED25519, self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def of(self, party: str) -> PartyKey:
        return PartyKey(party=party, public=self.public, valid_from=ALWAYS[0], valid_until=ALWAYS[1])


KEYS = {P: Key(60), C: Key(61)}
mock.patch("contracts.parties.registry.LONGEST_FRESH", timedelta(days=73_000)).start()
HOLDERS = {PLATFORM: Key(1), FIRM: Key(2), AUDITOR: Key(3)}


@cache
def registry() -> tuple[Path, bytes]:
    """A registry that doesn't run out: its folder, and the root to trust. Made once for each process."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-registry-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    records = Parties.of(
        [
            _party(HALL, Grade.PLATFORM),
            _party(PLATFORM, Grade.PLATFORM, KEYS[P].of(PLATFORM)),
            _party(FIRM, Grade.SME, KEYS[C].of(FIRM)),
            _party(AUDITOR, Grade.AUDITOR),
        ]
    )
    holders = proposals.Holders(
        keys={party: key.public for party, key in HOLDERS.items()},
        threshold=2,
        hall=HALL,
        online=Key(9).public,
    )
    day = 36_500
    with mock.patch.multiple(proposals, ROOT_DAYS=day, TARGETS_DAYS=day):
        proposal = proposals.found(records, holders, now=ALWAYS[0])
    for key in list(HOLDERS.values())[:2]:
        proposal = proposals.countersign(proposal, key, current=None)
    publish(folder, proposal, online=Key(9), now=ALWAYS[0], fresh_days=day)
    assert proposal.root is not None
    return folder, proposal.root


def trust(settings: Settings, *, live: bool = False) -> None:
    """The registry, trusted in a hall. live: fresh as a hall keeps it, by the machine's clock, for other processes to read."""
    folder, root = registry()
    shutil.copytree(folder, settings.registry, dirs_exist_ok=True)
    settings.trusted_root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.trusted_root.write_bytes(root)
    if live:
        current = read_lapsed(settings.registry, trusted_root=root)
        renew(settings.registry, current, online=Key(9), now=utc_now())


def terms(contract: Contract, **changes: Any) -> Terms:
    """What lets a contract's release through, from 2000 to 2100."""
    privacy = contract.privacy
    door: dict[str, Any] = {
        "door": Door.RELEASE,
        "purposes": ("planning",),
        "start": ALWAYS[0],
        "end": ALWAYS[0] + timedelta(days=36_500),
        "territories": ("CN",),
        "grades": ("SME",),
        "limits": {"minGroupSize": privacy.k, "diversity": privacy.l} if privacy else {"minGroupSize": 1},
        **changes,
    }
    return Terms(target=TARGET, doors=(DoorTerms(**door),), delete_within_days=30)


def conclude(
    home: Home, path: Path, *, at: datetime | None = None, of: Callable[..., Terms] = terms, **changes: Any
) -> OnDesk:
    """The contract in a file, negotiated and signed by both, recorded in a hall. at: when the agreement is made (2000)."""
    return Desk(home).take(concluded(path, at=at, of=of, **changes))


def concluded(
    path: Path, *, at: datetime | None = None, of: Callable[..., Terms] = terms, **changes: Any
) -> bytes:
    """The file that both parties of `conclude` end with, which no hall has seen yet."""
    text = path.read_bytes()
    contract = load_contract(path)
    name = ContractName(id=contract.id, version=contract.version, digest=contract.digest)
    moment = Unheld(now=at or ALWAYS[0] + timedelta(days=1))
    records = Parties.of(
        [_party(PLATFORM, Grade.PLATFORM, KEYS[P].of(PLATFORM)), _party(FIRM, Grade.SME, KEYS[C].of(FIRM))]
    )
    dossier = talk.begin(
        text,
        name,
        offer_document(of(contract, **changes), offer_id=f"urn:uuid:{uuid.uuid4()}"),
        negotiation=str(uuid.uuid4()),
        side=P,
        assigner=PLATFORM,
        assignee=FIRM,
        signer=KEYS[P],
    )
    for side in (C, P, C, P):
        made = replay(dossier, name, parties=records, at=lambda _mark: moment)
        dossier = talk.carry_on(dossier, made, side=side, signer=KEYS[side], now=moment.now)
    return dossier.to_bytes()


def begin(home: Home, path: Path, *, side: Side, version: str, ended: bool = False) -> OnDesk:
    """A further version of a contract, put forward by one side; ended: and given up."""
    text = re.sub(
        r"^version: .*$", f"version: {version}", path.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    desk = Desk(home)
    made = desk.begin(
        text.encode(),
        offer_document(terms(load_contract(path)), offer_id=f"urn:uuid:{uuid.uuid4()}"),
        side=side,
        assigner=PLATFORM,
        assignee=FIRM,
        signer=KEYS[side],
    )
    return desk.end(made.made.id, side=side, signer=KEYS[side]) if ended else made


def sign_all(settings: Settings, *, live: bool = False, **options: Any) -> tuple[OnDesk, ...]:
    """Every contract in the hall's folder of contracts, concluded."""
    trust(settings, live=live)
    home = Home.open(settings)
    return tuple(conclude(home, path, **options) for path in sorted(settings.contracts.glob("*.odcs.yaml")))


def _party(code: str, grade: Grade, *keys: PartyKey) -> Party:
    return Party(party=code, name="甲 Co.", beneficial_owner=f"owner of {code[-4:]}", grade=grade, keys=keys)
