"""What a file may not do to a hall: files of strangers, of other contracts, and of other tools than ours."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.agreement.values import Grade
from contracts.life import dossier as limits
from contracts.life import talk
from contracts.life.dossier import ContractName, Dossier, replay
from contracts.life.negotiation import Side
from contracts.life.state import Standing, Turn
from contracts.odcs import load_contract
from contracts.parties.model import Parties, Party
from contracts.parties.moment import Unheld
from core.errors import ContractError, UsageError
from core.partykeys import Reason
from pipeline.agreements.doors import require
from pipeline.agreements.effects import Settled, settle
from pipeline.agreements.keyfile import KeyUse, create_key, revoke_key
from pipeline.agreements.log import logged
from pipeline.agreements.standing import standings
from tests.contracts.parties.house import FIRM, PLATFORM, Key
from tests.pipeline.agreements.conftest import KEYS, C, P, Street, offer, text
from tests.pipeline.agreements.test_effects import publish

OTHERS = ("urn:uscc:91440000100000004N", "urn:uscc:91440000100000006W")
THEIR_KEYS = {P: Key(70), C: Key(71)}


def strangers(street: Street) -> None:
    """Two more firms in the registry, with keys."""
    more = [
        Party(
            party=code,
            name="乙",
            beneficial_owner=f"owner of {code[-4:]}",
            grade=Grade.SME,
            keys=(THEIR_KEYS[side].of(code),),
        )
        for side, code in zip((P, C), OTHERS, strict=True)
    ]
    known = [each for each in street.house.records.records if each.party not in OTHERS]
    street.house.publish(records=Parties.of([*known, *more]))
    street.deliver_registry()


def concluded(
    street: Street,
    contract: bytes,
    *,
    between: tuple[str, str] = (PLATFORM, FIRM),
    keys: dict[Side, Key] = KEYS,
    negotiation: str = "",
    terms: dict[str, Any] | None = None,
    steps: tuple[Side, ...] = (C, P, C, P),
) -> Dossier:
    """A dossier that the two made with any tool, and that no hall has seen."""
    read = load_contract(Path("x.odcs.yaml"), contract)
    name = ContractName(id=read.id, version=read.version, digest=read.digest)
    dossier = talk.begin(
        contract,
        name,
        terms or offer(),
        negotiation=negotiation or str(uuid.uuid4()),
        side=P,
        assigner=between[0],
        assignee=between[1],
        signer=keys[P],
    )
    for side in steps:
        made = replay(dossier, name, parties=street.house.records, at=lambda _: Unheld(now=street.clock.now))
        dossier = talk.carry_on(dossier, made, side=side, signer=keys[side], now=street.clock.now)
    return dossier


def test_a_contract_between_two_others_is_not_taken(street: Street) -> None:
    strangers(street)
    hall = street.homes[P]
    create_key(hall, PLATFORM, use=KeyUse.CONTRACTS)
    theirs = concluded(street, text("9.0.0"), between=OTHERS, keys=THEIR_KEYS)
    with pytest.raises(ContractError, match="acts for neither"):
        street.desk(P).take(theirs.to_bytes())
    assert logged(hall).happenings == ()
    assert street.desk(P).look(theirs.to_bytes()).made.assigner == OTHERS[0]


def test_a_contract_stays_its_two_parties(street: Street) -> None:
    """Also in a hall whose keys are kept elsewhere: nobody takes a contract over, or ends its releases."""
    strangers(street)
    street.conclude()
    release = publish(street)
    for between in (OTHERS, (PLATFORM, OTHERS[1]), (OTHERS[0], FIRM)):
        keys = {
            side: KEYS[side] if code in (PLATFORM, FIRM) else THEIR_KEYS[side]
            for side, code in zip((P, C), between, strict=True)
        }
        theirs = concluded(street, text("9.0.0"), between=between, keys=keys)
        with pytest.raises(ContractError, match="concluded here between other parties"):
            street.desk(P).take(theirs.to_bytes())
    assert settle(street.homes[P]) == Settled()
    assert [each.release for each in street.homes[P].catalog.releases()] == [release]


def test_a_door_is_opened_in_the_providers_hall_alone(street: Street) -> None:
    made = street.conclude()
    create_key(street.homes[C], FIRM, use=KeyUse.CONTRACTS)
    create_key(street.homes[P], PLATFORM, use=KeyUse.CONTRACTS)
    require(made.contract, street.homes[P])
    with pytest.raises(ContractError, match="holds no key of theirs"):
        require(made.contract, street.homes[C])


def test_one_negotiation_is_about_one_contract(street: Street) -> None:
    made = street.conclude()
    other = text("1.0.0").replace(b"id: goods-list", b"id: a-list")
    theirs = concluded(street, other, negotiation=made.made.id, steps=())
    with pytest.raises(ContractError, match="about another contract"):
        street.desk(P).take(theirs.to_bytes())
    begun = street.begin(contract=text("2.0.0"))
    street.send(begun, C)
    with pytest.raises(ContractError, match="about another contract"):
        street.desk(C).counter(begun.made.id, other, offer(), side=C, signer=KEYS[C])
    assert [each.state.standing for each in standings(street.homes[P])] == [
        Standing.IN_FORCE,
        Standing.NEGOTIATED,
    ]


def test_a_file_of_the_same_negotiation_under_another_contract_changes_nothing(street: Street) -> None:
    made = street.conclude()
    sibling = made.path.parent.parent / "a_list"
    sibling.mkdir()
    (sibling / made.path.name).write_bytes(b"{}")
    assert [each.state.standing for each in street.stands()] == [Standing.IN_FORCE]
    with pytest.raises(UsageError, match="No such negotiation"):
        street.desk(P).open(made.made.id)


def test_a_lost_newer_version_brings_no_older_one_back(street: Street) -> None:
    old = street.conclude(contract=text("1.0.0"))
    new = street.conclude(contract=text("2.0.0"))
    for spoil in (lambda: new.path.write_bytes(b"{}"), new.path.unlink):
        spoil()
        assert Standing.IN_FORCE not in {each.state.standing for each in street.stands()}
        with pytest.raises(ContractError):
            require(old.contract, street.homes[P])


def test_who_disowns_its_signature_under_the_newer_version_has_none(street: Street) -> None:
    firm = street.homes[C]
    key = create_key(firm, FIRM, use=KeyUse.CONTRACTS).key
    old = street.conclude(contract=text("1.0.0"))
    street.conclude(contract=text("2.0.0"))
    revoked = revoke_key(firm, key.key_id, reason=Reason.COMPROMISE).key.revoked
    records = street.house.records
    [theirs] = [each for each in records.records if each.party == FIRM]
    changed = replace(theirs, keys=tuple(replace(each, revoked=revoked) for each in theirs.keys))
    street.wait(hours=1)
    street.house.publish(
        records=Parties.of([*(each for each in records.records if each.party != FIRM), changed])
    )
    street.deliver_registry()
    with pytest.raises(ContractError):
        require(old.contract, street.homes[P])


@pytest.mark.parametrize("version", ["1.0.0-rc1", "v1", "1.0.0+build", "2026-01-01"])
def test_a_version_that_cannot_be_compared_is_never_let_in(street: Street, version: str) -> None:
    with pytest.raises(ContractError, match="compared with other versions"):
        street.begin(contract=text(version))
    assert street.stands() == ()


def test_terms_that_say_too_little_are_taken_at_no_phase(street: Street) -> None:
    terms = offer()
    [permission] = terms["permission"]
    kept = [each for each in permission["constraint"] if "spatial" in str(each["leftOperand"])]
    assert len(kept) == 1
    terms["permission"] = [{**permission, "constraint": kept}]
    for steps in ((), (C,), (C, P), (C, P, C), (C, P, C, P)):
        theirs = concluded(street, text(), terms=terms, steps=steps)
        with pytest.raises(ContractError, match="purpose"):
            street.desk(P).take(theirs.to_bytes())
    assert street.stands() == ()


def test_neither_side_can_use_up_the_others_words(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 20  # of 200: each is said in a dossier that is proved anew
    monkeypatch.setattr(limits, "MAX_TURNS", most)
    made = street.conclude()
    desk = street.desk(C)
    dossier, so_far = desk.open(made.made.id).dossier, desk.open(made.made.id).made
    for _ in range(most // 2):
        for what in (Turn.SUSPEND, Turn.RESUME):
            dossier = talk.turn(dossier, so_far, what, side=C, signer=KEYS[C])
            so_far = desk.look(dossier.to_bytes()).made
    full = talk.turn(dossier, so_far, Turn.SUSPEND, side=C, signer=KEYS[C])
    with pytest.raises(ContractError, match="more than"):
        street.desk(P).take(full.to_bytes())
    street.desk(P).take(dossier.to_bytes())
    street.desk(P).turn(made.made.id, Turn.SUSPEND, side=P, signer=KEYS[P])
    ended = talk.turn(dossier, so_far, Turn.TERMINATE, side=C, signer=KEYS[C])
    street.desk(P).take(ended.to_bytes())
    (stands,) = street.stands()
    assert (stands.state.standing, stands.state.by) == (Standing.TERMINATED, C)


def test_a_text_that_is_talked_about_twice_is_in_force_once(street: Street) -> None:
    first, second = (street.begin(contract=text("1.0.0")) for _ in range(2))
    for side in (C, P):
        second = street.sign(second, side)
    for side in (C, P, C, P):
        first = street.sign(first, side)
    release = publish(street)
    assert settle(street.homes[P]) == Settled()
    street.desk(P).end(second.made.id, side=P, signer=KEYS[P])
    assert settle(street.homes[P]) == Settled()
    assert [each.release for each in street.homes[P].catalog.releases()] == [release]
