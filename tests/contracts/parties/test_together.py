"""From keys in two parties' stores to a verified contract, with the registry between them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from contracts.agreement.values import Grade
from contracts.parties.model import Parties, PartyKey, Revocation
from contracts.parties.moment import Held, LogPosition, Unheld
from contracts.parties.registry import load_registry
from contracts.signing.dsse import IN_TOTO, Envelope, sign
from contracts.signing.statement import Statement
from contracts.signing.verify import verify_envelope
from core.errors import ContractError
from core.keys import KeyStore
from core.partykeys import OwnKey, PartyKeys, Reason, Use

from .house import AUDITOR, DAY, FIRM, NOON, PLATFORM, YEAR, House, changed, party

LOG = "hall.example/log"
STATEMENT = Statement(
    contract_id="grocery-demand",
    contract_version="1.0.0",
    contract_digest="a" * 64,
    agreement_digest="b" * 64,
    assigner=PLATFORM,
    assignee=FIRM,
)


def registered(own: OwnKey) -> PartyKey:
    return PartyKey(
        party=own.party, public=own.public, valid_from=own.valid_from, valid_until=own.valid_until
    )


def test_a_contract_from_keys_to_proof(house: House, tmp_path: Path) -> None:
    homes = {code: PartyKeys(KeyStore(tmp_path / code[-4:])) for code in (PLATFORM, FIRM, AUDITOR)}
    signs, keeps = (
        {
            code: keys.create(code, valid_from=YEAR[0], valid_until=YEAR[1], use=use)
            for code, keys in homes.items()
        }
        for use in (Use.CONTRACTS, Use.REGISTRY)
    )
    house.holders = {  # type: ignore[assignment]
        code: keys.signer(keeps[code].key_id, use=Use.REGISTRY, now=NOON) for code, keys in homes.items()
    }
    grades = {PLATFORM: Grade.PLATFORM, FIRM: Grade.SME, AUDITOR: Grade.AUDITOR}
    records = Parties.of(party(code, grades[code], registered(own)) for code, own in signs.items())
    house.publish(records=records)

    envelope = Envelope(IN_TOTO, STATEMENT.payload())
    for code in (FIRM, PLATFORM):
        envelope = sign(envelope, homes[code].signer(signs[code].key_id, use=Use.CONTRACTS, now=NOON))
    envelope = Envelope.parse(envelope.to_bytes())
    registry = house.load()
    signed = verify_envelope(envelope, STATEMENT, parties=registry.parties, at=Unheld(now=NOON))
    assert signed.statement == STATEMENT

    # The firm's key is stolen. What the log held by then stays signed; the thief's next contract isn't.
    ended = homes[FIRM].revoke(signs[FIRM].key_id, at=NOON + DAY, reason=Reason.COMPROMISE)
    assert ended.ended is not None
    key = replace(
        registered(ended),
        revoked=Revocation(
            at=ended.ended, reason=Reason.COMPROMISE, last_good=(LogPosition(origin=LOG, size=40),)
        ),
    )
    house.publish(records=changed(records, FIRM, keys=(key,)))
    later = load_registry(
        house.folder, trusted_root=house.trusted_root, now=NOON + DAY, known=registry.known
    ).parties
    held = Held(origin=LOG, size=40, time=NOON)
    assert verify_envelope(envelope, STATEMENT, parties=later, at=held).assignee.key == key
    for at in (replace(held, size=41), Unheld(now=NOON + DAY)):
        with pytest.raises(ContractError, match="compromise"):
            verify_envelope(envelope, STATEMENT, parties=later, at=at)
