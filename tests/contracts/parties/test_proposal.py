"""How the registry changes: what holders sign, what they don't, and what a crash leaves."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Delegations, Metadata

from contracts.agreement.values import Grade
from contracts.parties.model import Parties, Revocation
from contracts.parties.moment import LogPosition
from contracts.parties.proposal import Proposal, countersign, found, lacking, propose, read_proposal
from contracts.parties.publish import publish
from contracts.parties.registry import Published
from core.algorithms import ED25519, PublicKey
from core.errors import ConflictError, ContractError, IntegrityError, StateError
from core.partykeys import Reason

from .house import (
    AUDITOR,
    CONTRACT_KEY,
    DAY,
    FIRM,
    HALL,
    MIXED,
    NOON,
    PLATFORM,
    RECORDS,
    SHELL,
    House,
    Key,
    changed,
    party,
)

NEW_KEY = Key(70).of(PLATFORM)
MORE = changed(RECORDS, PLATFORM, keys=(CONTRACT_KEY, NEW_KEY))


def test_a_key_is_added_by_two_of_three(house: House) -> None:
    house.publish()
    proposal = house.proposal(MORE)
    assert proposal.root is None
    assert lacking(proposal, current=house.current) == {
        "targets": (2, tuple(sorted([PLATFORM, FIRM, AUDITOR])))
    }
    once = house.signed(proposal, Key(3))
    assert lacking(once, current=house.current) == {"targets": (1, tuple(sorted([PLATFORM, FIRM])))}
    with pytest.raises(ContractError, match=r"Too few holders have signed: targets needs 1 more of"):
        house.publish(once)
    travelled = Proposal.parse(once.to_bytes())
    assert read_proposal(travelled, current=house.current) == MORE
    house.publish(house.signed(travelled, Key(1)))
    assert house.load().parties == MORE


def test_signing_twice_is_signing_once(house: House) -> None:
    house.publish()
    with pytest.raises(ContractError, match="Too few"):
        house.publish(house.signed(house.proposal(MORE), Key(1), Key(1)))
    with pytest.raises(ContractError, match="signs nothing in the registry"):
        house.signed(house.proposal(MORE), house.online)
    with pytest.raises(ContractError, match="signs nothing in the registry"):
        house.signed(house.proposal(MORE), Key(50))


def test_a_false_signature_counts_for_nothing(house: House) -> None:
    house.publish()
    once = house.signed(house.proposal(MORE), Key(1))
    document = json.loads(once.targets)
    document["signatures"].append({**document["signatures"][0], "keyid": Key(2).public.key_id})
    forged = replace(once, targets=json.dumps(document).encode())
    assert lacking(forged, current=house.current)["targets"][0] == 1
    with pytest.raises(ContractError, match="Too few"):
        house.publish(forged)


# Founding


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"threshold": 1}, "1 signature is enough"),
        ({"threshold": 0}, "no signature would be needed"),
        ({"threshold": 4}, "needs 4 signatures and has 3 keys"),
        ({"keys": {FIRM: Key(1).public}}, "needs 2 signatures and has 1 keys"),
        ({"keys": {HALL: Key(1).public, SHELL: Key(2).public}}, "belong to the same owner"),
        ({"keys": {HALL: Key(1).public, FIRM: Key(1).public}}, "two of them share a key"),
        ({"keys": {FIRM: Key(1).public, PLATFORM: Key(9).public}}, "lies online"),
        ({"keys": {FIRM: Key(1).public, PLATFORM: CONTRACT_KEY.public}}, "signs contracts"),
    ],
)
def test_holders_who_arent_independent_found_nothing(
    house: House, changes: dict[str, Any], match: str
) -> None:
    with pytest.raises(IntegrityError, match=match):
        found(RECORDS, house.whom(**changes), now=NOON)


def test_the_first_version_needs_its_holders_too(house: House) -> None:
    proposal = house.proposal()
    assert set(lacking(proposal, current=None)) == {"root", "targets"}
    with pytest.raises(ContractError, match="Too few"):
        house.publish(proposal)
    with pytest.raises(ContractError, match="Too few"):
        house.publish(house.signed(proposal, Key(1)))
    assert not house.folder.exists()
    with pytest.raises(ContractError, match="the first version of a registry needs a root"):
        countersign(replace(house.signed(proposal), root=None), Key(1), current=None)


# What a holder refuses to sign


def tampered(proposal: Proposal, change: Any) -> Proposal:
    metadata: Metadata[Any] = Metadata.from_bytes(proposal.targets)
    change(metadata.signed)
    return replace(proposal, targets=metadata.to_bytes())


HIDDEN = {
    "a second file": lambda t: t.targets.update({"x": t.targets["parties.json"]}),
    "a delegation": lambda t: setattr(t, "delegations", Delegations({}, {})),
    "a field": lambda t: t.unrecognized_fields.update(x=1),
    "a field of the file": lambda t: t.targets["parties.json"].unrecognized_fields.update(custom={"x": 1}),
    "another digest": lambda t: t.targets["parties.json"].hashes.update(sha512="0" * 128),
    "other records": lambda t: t.targets["parties.json"].hashes.update(sha256="0" * 64),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_nothing_is_signed_unseen(house: House, name: str) -> None:
    house.publish()
    proposal = tampered(house.proposal(MORE), HIDDEN[name])
    with pytest.raises(ContractError, match="doesn't vouch for its records alone"):
        house.signed(proposal, Key(1))


@pytest.mark.parametrize("version", [1, 3, 10**9])
def test_only_the_next_version_is_signed(house: House, version: int) -> None:
    house.publish()
    proposal = tampered(house.proposal(MORE), lambda t: setattr(t, "version", version))
    with pytest.raises(ContractError, match="aren't the version that comes next"):
        house.signed(proposal, Key(1))
    root: Metadata[Any] = Metadata.from_bytes(house.trusted_root)
    root.signed.version = version
    with pytest.raises(ContractError, match="root isn't the version that comes next"):
        house.signed(replace(house.proposal(MORE), root=root.to_bytes()), Key(1))


def test_a_root_that_breaks_the_rules_is_signed_by_nobody(house: House) -> None:
    """Made by who doesn't ask our `propose`."""
    house.publish()
    proposal = house.proposal(MORE, renew_root=True)
    assert proposal.root is not None
    for role in ("root", "targets"):
        root: Metadata[Any] = Metadata.from_bytes(proposal.root)
        root.signed.roles[role].threshold = 1
        with pytest.raises(IntegrityError, match="1 signature is enough"):
            house.signed(replace(proposal, root=root.to_bytes()), Key(1))


def test_a_root_left_by_a_crash_isnt_published_over(house: House) -> None:
    """It was signed by enough holders, so readers go by it already: with another online key, they'd refuse ours."""
    house.publish()
    left = house.signed(house.proposal(MORE, holders=house.whom(online=Key(10).public)))
    assert left.root is not None
    (house.folder / "metadata/2.root.json").write_bytes(left.root)
    with pytest.raises(IntegrityError, match="too few"):
        house.publish(house.signed(house.proposal(MORE)))


def test_a_proposal_of_another_form_is_refused(house: House) -> None:
    house.publish()
    good = house.proposal(MORE)
    for data in (
        b"",
        b"[]",
        b"{}",
        good.to_bytes()[:-1],
        good.to_bytes().replace(b'"version":1', b'"version":2', 1),
    ):
        with pytest.raises(ContractError):
            Proposal.parse(data)
    document = json.loads(good.to_bytes())
    for change in ({"root": 5}, {"targets": None}, {"parties": []}, {"more": 1}):
        with pytest.raises(ContractError, match="isn't a proposal"):
            Proposal.parse(json.dumps({**document, **change}).encode())
    for broken in (
        replace(good, targets=b"x"),
        replace(good, targets=house.trusted_root),
        replace(good, root=good.targets),
    ):
        with pytest.raises(ContractError, match="isn't a proposal"):
            house.signed(broken, Key(1))


def test_a_new_key_is_looked_at_whole(house: House) -> None:
    """A key with a part of small order passes the quick look at every reading; no holder signs it in."""
    mixed = PublicKey(ED25519, bytes.fromhex(MIXED))
    records = changed(RECORDS, PLATFORM, keys=(CONTRACT_KEY, replace(CONTRACT_KEY, public=mixed)))
    with pytest.raises(ContractError, match="isn't a sound"):
        house.signed(house.proposal(records), Key(1))
    house.publish()
    with pytest.raises(ContractError, match="isn't a sound"):
        house.proposal(records)


# What was said stays said

BAD = Revocation(at=NOON, reason=Reason.COMPROMISE, last_good=(LogPosition(origin="log", size=9),))
RETIRED = Revocation(at=NOON, reason=Reason.RETIRED)


def with_key(**fields: Any) -> Parties:
    return changed(RECORDS, PLATFORM, keys=(replace(CONTRACT_KEY, **fields),))


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (RECORDS, Parties(RECORDS.records[:-1]), "the party is gone"),
        (RECORDS, changed(RECORDS, PLATFORM, keys=()), "a key is gone"),
        (RECORDS, with_key(valid_until=NOON + 900 * DAY), "changed its owner or its validity"),
        (RECORDS, with_key(valid_from=NOON), "changed its owner or its validity"),
        (
            RECORDS,
            changed(changed(RECORDS, PLATFORM, keys=()), FIRM, keys=(Key(61).of(FIRM), Key(60).of(FIRM))),
            "changed its owner",
        ),
        (with_key(revoked=RETIRED), RECORDS, "undone"),
        (with_key(revoked=RETIRED), with_key(revoked=replace(RETIRED, at=NOON + DAY)), "softened"),
        (with_key(revoked=BAD), with_key(revoked=replace(RETIRED)), "softened"),
        (
            with_key(revoked=BAD),
            with_key(revoked=replace(BAD, last_good=(LogPosition(origin="log", size=10),))),
            "softened",
        ),
        (
            with_key(revoked=BAD),
            with_key(revoked=replace(BAD, last_good=(LogPosition(origin="my", size=1),))),
            "softened",
        ),
        (
            with_key(revoked=BAD),
            with_key(revoked=replace(BAD, last_good=(LogPosition(origin="a", size=1), *BAD.last_good))),
            "softened",
        ),
        (
            with_key(revoked=replace(BAD, last_good=())),
            with_key(revoked=replace(BAD, last_good=(LogPosition(origin="log", size=1),))),
            "softened",
        ),
    ],
)
def test_records_take_nothing_back(house: House, old: Parties, new: Parties, match: str) -> None:
    """Neither for who proposes, nor for who signs what another proposed."""
    house.publish(records=old)
    with pytest.raises(ContractError, match=match):
        house.proposal(new)
    assert house.current is not None
    unaware = replace(house.current, parties=new)
    with pytest.raises(ContractError, match=match):
        house.signed(propose(unaware, new, now=NOON), Key(1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (RECORDS, with_key(revoked=RETIRED)),
        (with_key(revoked=RETIRED), with_key(revoked=BAD)),
        (
            with_key(revoked=BAD),
            with_key(revoked=replace(BAD, last_good=(LogPosition(origin="log", size=3),))),
        ),
        (with_key(revoked=BAD), with_key(revoked=replace(BAD, last_good=(), at=NOON - DAY))),
        (RECORDS, changed(RECORDS, FIRM, grade=Grade.LITTLE_GIANT, name="乙", beneficial_owner="someone")),
        (RECORDS, Parties.of([*RECORDS.records, party("urn:uscc:91440000100000006W", Grade.SME)])),
    ],
)
def test_records_may_say_more_or_stricter(house: House, old: Parties, new: Parties) -> None:
    house.publish(records=old)
    house.publish(records=new)
    assert house.load().parties == new


# New holders


def test_holders_change_by_the_old_and_the_new(house: House) -> None:
    house.publish()
    old = dict(house.holders)
    house.holders = {PLATFORM: Key(1), FIRM: Key(22), AUDITOR: Key(23)}
    proposal = house.proposal(MORE, holders=house.whom())
    for signers, roles in (((Key(1), Key(22)), {"root"}), ((Key(1), old[FIRM]), {"root", "targets"})):
        short = lacking(house.signed(proposal, *signers), current=house.current)
        assert set(short) == roles
    house.publish(house.signed(proposal, Key(1), old[FIRM], Key(22)))
    registry = house.load()
    assert (registry.root_version, registry.version) == (2, 2)
    with pytest.raises(ContractError, match="signs nothing"):
        house.signed(house.proposal(MORE), old[AUDITOR])


def test_a_root_is_renewed_before_it_expires(house: House) -> None:
    house.publish()
    house.now = NOON + 300 * DAY
    house.publish(house.signed(house.proposal(renew_root=True)))
    house.now = NOON + 380 * DAY
    house.publish(house.signed(house.proposal()))
    assert house.load().root_version == 2


@pytest.mark.parametrize(
    "owner",
    [
        f"owner of {PLATFORM[-4:]}",
        f"Owner-of. {PLATFORM[-4:]}",
        f"ｏwner of·{PLATFORM[-4:]}",
        PLATFORM.removeprefix("urn:uscc:"),
    ],
)
def test_an_owner_who_buys_a_second_holder_is_seen(house: House, owner: str) -> None:
    house.publish()
    bought = changed(RECORDS, FIRM, beneficial_owner=owner)
    with pytest.raises(IntegrityError, match="belong to the same owner"):
        house.proposal(bought)


# Publishing


def test_a_lapsed_registry_is_renewed_from_its_folder(house: House) -> None:
    house.publish()
    house.now = NOON + 30 * DAY
    with pytest.raises(IntegrityError, match="has expired"):
        house.load()
    house.current = house.lapsed()
    house.renew()
    assert house.load().version == 1


def test_who_publishes_second_is_told(house: House) -> None:
    house.publish()
    before = house.current
    house.publish(records=MORE)
    house.current = before
    with pytest.raises(ConflictError, match="published the registry meanwhile"):
        house.renew()
    with pytest.raises(ConflictError):
        house.publish(house.signed(house.proposal(MORE)))
    assert house.load().version == 2


def test_a_stranger_cant_keep_it_fresh(house: House) -> None:
    house.publish()
    house.online = Key(50)
    with pytest.raises(IntegrityError, match="too few"):
        house.renew()
    house.online = Key(1)  # nor can a holder
    with pytest.raises(IntegrityError, match="too few"):
        house.renew()


def test_a_folder_that_cant_be_written_is_told(house: House) -> None:
    house.folder.parent.mkdir(parents=True)
    house.folder.write_text("")
    with pytest.raises(StateError, match=r"can't be (written|read)"):
        house.publish()


def _publish_until(house: House, proposal: Proposal, writes: int) -> None:
    import contracts.parties.publish as module  # noqa: PLC0415  # patched in this process alone

    real, left = module.write_whole, [writes]

    def write(path: Path, content: bytes) -> None:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        real(path, content)

    module.write_whole = write  # type: ignore[attr-defined]
    house.publish(proposal)


@pytest.mark.parametrize("writes", range(5))
def test_a_kill_between_two_files_leaves_the_version_before(house: House, writes: int) -> None:
    """Readers see it whole; publishing the same once more completes it. Here with a new root, the longest way."""
    first = house.publish()
    proposal = house.signed(house.proposal(MORE, renew_root=True))
    killed = multiprocessing.get_context("fork").Process(
        target=_publish_until, args=(house, proposal, writes)
    )
    killed.start()
    killed.join(30)
    assert killed.exitcode == -signal.SIGKILL
    registry = house.load()
    assert (registry.version, registry.parties) == (1, RECORDS)
    house.current = house.lapsed()
    assert house.current.known.timestamp == first.known.timestamp
    house.publish(proposal)
    registry = house.load(known=registry.known)
    assert (registry.version, registry.root_version, registry.parties) == (2, 2, MORE)


def test_nothing_is_written_that_a_reader_would_refuse(house: House) -> None:
    """By a hall whose clock is wrong: the holders' signatures have expired for everybody else."""
    house.publish()
    proposal = house.signed(house.proposal(MORE))
    before = sorted(house.folder.rglob("*"))
    assert isinstance(house.current, Published)
    with pytest.raises(IntegrityError, match="has expired"):
        publish(house.folder, proposal, online=house.online, now=NOON + 91 * DAY, current=house.current)
    assert sorted(house.folder.rglob("*")) == before
    assert house.load().version == 1
