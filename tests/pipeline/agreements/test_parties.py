"""A registry between halls: what a holder signs, what a hall publishes, what another takes, and what none of them does."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.events import Event, EventKind
from contracts.agreement.codes import party_id
from contracts.agreement.values import Grade
from contracts.parties import publish as publishing
from contracts.parties.model import Revocation
from contracts.parties.moment import LogPosition
from contracts.parties.proposal import Proposal
from contracts.parties.registry import Registry
from core.digest import sha256_hex
from core.errors import ConflictError, ContractError, IntegrityError, SluiceError, StateError, UsageError
from core.partykeys import Reason
from core.settings import Settings
from pipeline.agreements import keyfile, parties, trusting
from pipeline.agreements.change import Change, PartyChange, holders_of_root, read_change
from pipeline.agreements.keyfile import (
    KeyFile,
    KeyUse,
    create_key,
    export_key,
    find_key,
    own_keys,
    record_keys,
    revoke_key,
    rotate_key,
)
from pipeline.agreements.parties import Firm, demo_parties
from pipeline.agreements.registry import trusted_registry
from pipeline.agreements.seat import take_seat
from pipeline.agreements.told import in_words
from pipeline.agreements.trusting import current_registry, needed_registry, trust, trust_root
from pipeline.home import Home
from tests.pipeline.agreements.conftest import Clock

HALL, FIRM, AUDITOR, LATE = (
    "91110000100000001W",
    "91310000100000002D",
    "91440000100000003K",
    "91440000100000004N",
)
NAMES = {HALL: "甲 Platform", FIRM: "B Firm", AUDITOR: "C Audit"}
GRADES = {HALL: Grade.PLATFORM, FIRM: Grade.SME, AUDITOR: Grade.AUDITOR}


class Town:
    """Three halls, each of one firm that holds a key of the registry; the first one publishes it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, Clock()
        self.homes = {code: self.open(code) for code in (HALL, FIRM, AUDITOR)}
        self.registry: Registry | None = None

    def open(self, name: str) -> Home:
        settings = Settings(home=self.folder / name, contracts=self.folder / "contracts")
        return Home.open(settings, clock=self.clock)

    @property
    def firms(self) -> list[Firm]:
        return [
            Firm(
                code=code,
                name=NAMES[code],
                beneficial_owner=f"owner of {code}",
                grade=GRADES[code],
                home=home,
            )
            for code, home in self.homes.items()
        ]

    def set_up(self) -> Registry:
        self.registry = demo_parties(self.firms, hall=HALL)
        return self.registry

    @property
    def published(self) -> Path:
        return self.homes[HALL].settings.registry

    @property
    def digest(self) -> str:
        return sha256_hex((self.published / "metadata" / "1.root.json").read_bytes())

    def pass_on(self) -> Path:
        """A copy of the folder, as it would come by post."""
        copy = self.folder / f"post-{time.monotonic_ns()}"
        shutil.copytree(self.published, copy)
        return copy

    def deliver(self) -> None:
        for code in (FIRM, AUDITOR):
            trust(self.homes[code], self.pass_on())

    def change(self, change: Change = Change(), *signers: str, **options: Any) -> Proposal:  # noqa: B008 (frozen)
        """The next version, proposed by the firm and signed in the halls of these (default: two)."""
        proposal = parties.propose(self.homes[FIRM], change, **options)
        for code in signers or (FIRM, AUDITOR):
            travelled = Proposal.parse(proposal.to_bytes())
            proposal = parties.countersign(self.homes[code], travelled)
        return proposal

    def key(self, code: str, use: KeyUse) -> str:
        """The id of the newest key of a firm."""
        keys = [own for own, party, each in own_keys(self.homes[code]) if each is use]
        return max(keys, key=lambda own: own.valid_from).key_id


@pytest.fixture
def town(tmp_path: Path) -> Town:
    town = Town(tmp_path)
    town.set_up()
    return town


def test_a_town_is_set_up_in_one_go(tmp_path: Path) -> None:
    town = Town(tmp_path)
    registry = town.set_up()
    assert [record.grade for record in registry.parties.records] == [*GRADES.values()]
    for code, home in town.homes.items():
        assert trusted_registry(home).known == registry.known
        assert take_seat(home, registry.parties).party == party_id(code)
        told = [home.ledger.event(index) for index in range(home.ledger.size)]
        assert [each.facts["version"] for each in told if each.kind is EventKind.REGISTRY_TRUSTED] == [1]
        made = [each.facts["key"] for each in told if each.kind is EventKind.KEY_CREATED]
        assert sorted(made) == sorted(own.key_id for own, _, _ in own_keys(home))


def test_a_firm_and_its_key_come_in_by_two_of_three(town: Town) -> None:
    late = town.open(LATE)
    file = KeyFile.parse(create_key(late, party_id(LATE), use=KeyUse.CONTRACTS).to_bytes(), "post")
    firm = PartyChange(
        party=party_id(LATE), name="D", beneficial_owner="D", grade=Grade.LITTLE_GIANT, keys=(file,)
    )
    once = town.change(Change(parties=(firm,)), FIRM)
    assert parties.signed_by(once, current_registry(town.homes[HALL])) == (party_id(FIRM),)
    with pytest.raises(ContractError, match="Too few holders have signed: targets needs 1 more"):
        parties.publish(town.homes[HALL], once)
    words = dict(in_words(once, current=current_registry(town.homes[HALL])))
    assert words["new firm"] == f"D, {LATE} (LittleGiant), owned by D"
    assert words["new key"] == f"{LATE}: key {file.key.key_id[:12]}, 2026-06-01 to 2027-06-01"
    parties.publish(town.homes[HALL], parties.countersign(town.homes[AUDITOR], once))
    registry = trust(late, town.pass_on(), town.digest)
    assert take_seat(late, registry.parties).party == party_id(LATE)


def test_a_proposal_that_changes_nothing_says_so(town: Town) -> None:
    current = current_registry(town.homes[FIRM])
    words = list(in_words(town.change(), current=current))
    assert words == [("version", "2, until 2026-08-30"), ("keeps", "every firm and key as they are")]


def test_nothing_is_taken_without_the_digest_that_was_agreed_on(town: Town) -> None:
    late, folder = town.open(LATE), town.pass_on()
    with pytest.raises(IntegrityError, match=f"version 1, has the digest {town.digest}") as refused:
        trust(late, folder)
    assert "another way than the folder came" in refused.value.remedy
    for wrong in ("0" * 64, town.digest[:63], "x"):
        with pytest.raises(IntegrityError, match="No root in this folder has the digest"):
            trust(late, folder, wrong)
    assert not late.settings.trusted_root.exists()
    assert not late.settings.registry.exists()
    with pytest.raises(UsageError, match="no party registry in this folder"):
        trust(late, folder / "metadata", town.digest)
    assert trust(late, folder, f" SHA256:{town.digest.upper()} ").version == 1


def test_a_folder_that_was_changed_is_not_taken(town: Town) -> None:
    late, folder = town.open(LATE), town.pass_on()
    (records,) = (folder / "targets").iterdir()
    records.write_bytes(records.read_bytes().replace(b'"SME"', b'"XYZ"'))
    with pytest.raises(IntegrityError, match="bytes aren't those that are vouched for"):
        trust(late, folder, town.digest)
    assert not late.settings.registry.exists()
    assert not late.settings.trusted_root.exists()


def test_another_registry_never_takes_the_place_of_the_trusted_one(town: Town, tmp_path: Path) -> None:
    other = Town(tmp_path / "other")
    other.set_up()
    before = town.homes[FIRM].settings.trusted_root.read_bytes()
    for digest in ("", other.digest):
        with pytest.raises(IntegrityError):
            trust(town.homes[FIRM], other.pass_on(), digest)
    assert town.homes[FIRM].settings.trusted_root.read_bytes() == before
    assert trusted_registry(town.homes[FIRM]).version == 1
    # Nor where the root is all that a hall has yet.
    late = town.open(LATE)
    late.settings.trusted_root.write_bytes(before)
    with pytest.raises(IntegrityError):
        trust(late, other.pass_on(), other.digest)
    assert not late.settings.registry.exists()


def test_a_later_copy_needs_no_digest_and_an_older_one_is_refused(town: Town) -> None:
    old = town.pass_on()
    parties.publish(town.homes[HALL], town.change())
    new = town.pass_on()
    assert trust(town.homes[FIRM], new).version == 2
    with pytest.raises(IntegrityError, match="older than what is known"):
        trust(town.homes[FIRM], old)
    assert trusted_registry(town.homes[FIRM]).version == 2  # nothing of it was written
    # Its own folder put back by somebody: what the store remembers stands against it.
    shutil.rmtree(town.homes[FIRM].settings.registry)
    shutil.copytree(old, town.homes[FIRM].settings.registry)
    with pytest.raises(IntegrityError, match="older than what is known"):
        trust(town.homes[FIRM], old)
    assert trust(town.homes[FIRM], new).version == 2
    # What was taken can be passed on.
    assert trust(town.open(LATE), town.homes[FIRM].settings.registry, town.digest).version == 2


def test_a_copy_that_expired_is_not_taken(town: Town) -> None:
    town.clock.wait(days=8)
    with pytest.raises(IntegrityError, match="has expired"):
        trust(town.open(LATE), town.pass_on(), town.digest)
    assert not town.open(LATE).settings.registry.exists()
    parties.renew(town.homes[HALL])
    assert trust(town.open(LATE), town.pass_on(), town.digest).version == 1


def test_a_folder_that_was_lost_comes_back_whole(town: Town) -> None:
    """The files that the store remembers are written too, so that the folder can be passed on."""
    home = town.homes[FIRM]
    shutil.rmtree(home.settings.registry)
    with pytest.raises(IntegrityError, match="the file is missing"):
        current_registry(home)
    trust(home, town.pass_on())
    assert trust(town.open(LATE), home.settings.registry, town.digest).version == 1


def test_a_lost_root_is_not_a_hall_without_a_registry(town: Town) -> None:
    """Else a second registry could be founded over the first."""
    home = town.homes[HALL]
    home.settings.trusted_root.unlink()
    with pytest.raises(StateError, match="The root that this hall trusted is gone"):
        current_registry(home)
    assert trust(home, town.published, town.digest).version == 1
    with pytest.raises(UsageError, match="trusts a party registry already"):
        parties.found(home, Change())


def test_the_registry_is_renewed_in_time_and_by_its_hall_alone(town: Town) -> None:
    home = town.homes[HALL]
    assert parties.renew_if_due(home) is None
    town.clock.wait(days=4)
    assert parties.renew_if_due(town.homes[FIRM]) is None
    renewed = parties.renew_if_due(home)
    assert renewed is not None
    assert renewed.expires == town.clock.now + timedelta(days=7)
    assert parties.renew_if_due(home) is None
    assert parties.renew_if_due(town.open(LATE)) is None
    with pytest.raises(UsageError, match="doesn't hold the registry's online key"):
        parties.renew(town.homes[FIRM])
    with pytest.raises(UsageError, match="No party registry is trusted here"):
        parties.renew(town.open(LATE))


def test_what_the_holders_signed_is_not_renewed_by_the_hall(town: Town) -> None:
    town.clock.wait(days=91)
    with pytest.raises(ContractError, match="word for the registry's records ran out") as refused:
        parties.renew(town.homes[HALL])
    assert "`sluice party registry propose`" in refused.value.remedy
    parties.publish(town.homes[HALL], town.change())
    assert trusted_registry(town.homes[HALL]).version == 2


def test_the_holders_stay_for_another_year(town: Town) -> None:
    town.clock.wait(days=80)
    proposal = town.change(renew_root=True)
    words = dict(in_words(proposal, current=current_registry(town.homes[FIRM])))
    assert words["holders"].startswith("stay until 2027-08-20")
    parties.publish(town.homes[HALL], proposal)
    town.deliver()
    assert {trusted_registry(home).root_version for home in town.homes.values()} == {2}
    late = town.open(LATE)
    newest = sha256_hex((town.published / "metadata" / "2.root.json").read_bytes())
    assert trust(late, town.pass_on(), newest).root_version == 2


def test_a_holder_changes_its_key_and_the_old_one_signs_the_new_one_in(town: Town) -> None:
    home = town.homes[AUDITOR]
    old = town.key(AUDITOR, KeyUse.REGISTRY)
    town.clock.wait(days=1)
    new = rotate_key(home, old[:8])
    proposal = town.change(holders_with(town, new), FIRM)
    words = list(in_words(proposal, current=current_registry(home)))
    assert ("holder", f"C Audit, {AUDITOR} signs by key {new.key.key_id[:12]} from now on") in words
    assert not any(label == "needs" for label, _ in words)
    signers = parties.signers_for(home, proposal, current_registry(home))
    assert {signer.own.key_id for signer in signers} == {old, new.key.key_id}
    parties.publish(town.homes[HALL], parties.countersign(home, proposal))
    town.deliver()
    holders = holders_of_root(needed_registry(home).root)
    assert holders.keys[party_id(AUDITOR)] == new.key.public
    revoke_key(home, old, reason=Reason.SUPERSEDED)
    parties.publish(town.homes[HALL], town.change(Change(), AUDITOR, HALL))


def test_the_hall_changes_its_online_key(town: Town) -> None:
    home = town.homes[HALL]
    old = town.key(HALL, KeyUse.ONLINE)
    new = rotate_key(home, old)
    assert (new.use, new.key.party) == (KeyUse.ONLINE, party_id(HALL))
    parties.publish(home, town.change(Change(hall=new)))
    revoke_key(home, old, reason=Reason.SUPERSEDED)
    parties.renew(home)
    town.deliver()
    assert holders_of_root(needed_registry(town.homes[FIRM]).root).online == new.key.public


@pytest.mark.parametrize("use", KeyUse)
def test_each_key_does_its_own_work_alone(town: Town, use: KeyUse) -> None:
    file = create_key(town.homes[FIRM], party_id(FIRM), use=use)
    firm = PartyChange(party=party_id(FIRM), keys=(file,))
    for fit, change in (
        (KeyUse.CONTRACTS, Change(parties=(firm,))),
        (KeyUse.REGISTRY, Change(holders=(file, file))),
        (KeyUse.ONLINE, Change(hall=file)),
    ):
        if fit is use is not KeyUse.REGISTRY:
            town.change(change)
            continue
        with pytest.raises(
            ContractError, match="would hold two keys" if fit is use else f"one for {fit} is needed"
        ):
            town.change(change)


def holders_with(town: Town, new: KeyFile) -> Change:
    """The holders as they are, but one of them with a new key."""
    files = [
        export_key(home, own)
        for home in town.homes.values()
        for own, party, use in own_keys(home)
        if use is KeyUse.REGISTRY and party != new.key.party
    ]
    return Change(holders=(*files, new))


def test_a_key_that_ran_out_leaves_the_signing_to_its_successor(town: Town) -> None:
    home = town.homes[FIRM]
    town.clock.wait(days=364)
    new = rotate_key(home, town.key(FIRM, KeyUse.REGISTRY))
    proposal = parties.propose(home, holders_with(town, new))
    assert len(parties.signers_for(home, proposal, current_registry(home))) == 2
    town.clock.wait(days=2)
    (signer,) = parties.signers_for(home, proposal, current_registry(home))
    assert signer.own.key_id == new.key.key_id


def test_a_key_that_lies_online_never_signs_for_its_firm(town: Town) -> None:
    """Not even when a proposal of somebody's own making calls it a holder's."""
    home = town.homes[FIRM]
    online = create_key(home, party_id(FIRM), use=KeyUse.ONLINE)
    proposal = parties.propose(home, holders_with(town, replace(online, use=KeyUse.REGISTRY)))
    signers = parties.signers_for(home, proposal, current_registry(home))
    assert online.key.key_id not in {signer.own.key_id for signer in signers}


def test_another_hall_takes_over(town: Town) -> None:
    online = create_key(town.homes[FIRM], party_id(FIRM), use=KeyUse.ONLINE)
    proposal = town.change(Change(hall=online))
    words = dict(in_words(proposal, current=current_registry(town.homes[FIRM])))
    assert words["hall"] == f"B Firm, {FIRM} keeps it fresh, by key {online.key.key_id[:12]}"
    with pytest.raises(UsageError, match="doesn't hold the registry's online key"):
        parties.publish(town.homes[HALL], proposal)
    assert parties.publish(town.homes[FIRM], proposal).targets.version == 2
    assert parties.renew(town.homes[FIRM]).timestamp.version == 3
    trust(town.homes[HALL], town.homes[FIRM].settings.registry)
    with pytest.raises(UsageError, match="doesn't hold"):
        parties.renew(town.homes[HALL])


def test_who_holds_no_key_signs_nothing(town: Town) -> None:
    proposal = town.change(Change(), FIRM)
    late = town.open(LATE)
    trust(late, town.pass_on(), town.digest)
    create_key(late, party_id(LATE), use=KeyUse.REGISTRY)
    create_key(late, party_id(LATE), use=KeyUse.ONLINE)
    with pytest.raises(UsageError, match="holds no key that signs this registry"):
        parties.countersign(late, proposal)
    with pytest.raises(UsageError, match=f"for urn:uscc:{AUDITOR}"):
        parties.countersign(town.homes[FIRM], proposal, AUDITOR)
    with pytest.raises(ContractError, match="check digit"):
        parties.countersign(town.homes[FIRM], proposal, "91440000100000004X")


def test_an_expired_key_signs_nothing(town: Town) -> None:
    for _ in range(12):
        town.clock.wait(days=30)
        parties.publish(town.homes[HALL], town.change(renew_root=True))
        town.deliver()
    town.clock.wait(days=6)
    with pytest.raises(UsageError, match="was valid until"):
        town.change()


def test_one_hall_with_several_holders_says_which_one_signs(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.homes = dict.fromkeys(town.homes, town.homes[HALL])
    town.set_up()
    with pytest.raises(UsageError, match="registry keys of several parties") as refused:
        parties.countersign(town.homes[HALL], parties.propose(town.homes[HALL], Change()))
    assert party_id(AUDITOR) in refused.value.remedy


def test_a_proposal_for_another_version_is_not_signed(town: Town) -> None:
    stale = town.change(Change(), FIRM)
    parties.publish(town.homes[HALL], town.change())
    with pytest.raises(ContractError, match="aren't the version that comes next"):
        parties.publish(town.homes[HALL], stale)
    town.deliver()
    with pytest.raises(ContractError, match="aren't the version that comes next"):
        parties.countersign(town.homes[AUDITOR], stale)


@pytest.mark.parametrize("step", ["timestamp", "root"])
def test_a_crash_while_the_first_version_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    town = Town(tmp_path)
    crash = OSError(28, "No space left on device")

    def broken(write: Callable[[Path, bytes], None], name: str) -> Callable[[Path, bytes], None]:
        def writes(path: Path, content: bytes) -> None:
            if path.name == name:
                raise crash
            write(path, content)

        return writes

    with monkeypatch.context() as patch:
        if step == "timestamp":
            patch.setattr(publishing, "write_whole", broken(publishing.write_whole, "timestamp.json"))
        else:
            patch.setattr(trusting, "write_whole", broken(trusting.write_whole, "registry-root.json"))
        published: list[Proposal] = []
        publish = parties.publish

        def remembered(home: Home, proposal: Proposal) -> Any:
            published.append(proposal)
            return publish(home, proposal)

        patch.setattr(parties, "publish", remembered)
        with pytest.raises(StateError, match="can't be written"):
            town.set_up()
    home = town.homes[HALL]
    assert current_registry(home) is None
    assert parties.publish(home, published[0]).targets.version == 1
    assert trusted_registry(home).version == 1


def test_a_root_that_is_trusted_from_elsewhere_is_not_replaced(town: Town, tmp_path: Path) -> None:
    """Its folder lies on a share that isn't there today: that is no reason to publish another registry."""
    other = Town(tmp_path / "other")
    other.homes[HALL].settings.trusted_root.write_bytes(town.homes[HALL].settings.trusted_root.read_bytes())
    with pytest.raises(UsageError, match="trusts the root of another registry"):
        other.set_up()
    assert not other.published.exists()


def test_a_compromise_vouches_for_as_much_however_often_it_is_exported(town: Town) -> None:
    home = town.homes[FIRM]
    key = town.key(FIRM, KeyUse.CONTRACTS)
    mine = LogPosition(origin=home.keys.signer().name, size=1)
    good = tuple(sorted((mine, LogPosition(origin="another hall", size=40)), key=lambda each: each.origin))
    with pytest.raises(UsageError, match=f"log holds {home.ledger.size} entries"):
        revoke_key(home, key, reason=Reason.COMPROMISE, last_good=(replace(mine, size=home.ledger.size + 1),))
    with pytest.raises(UsageError, match="no last good checkpoint"):
        revoke_key(home, key, reason=Reason.RETIRED, last_good=good)
    for origin in ("x" * 129, "a\nlog"):
        with pytest.raises(UsageError, match="log's name"):
            revoke_key(home, key, reason=Reason.COMPROMISE, last_good=(LogPosition(origin=origin, size=1),))
    assert export_key(home, find_key(home, key)).key.revoked is None  # what was refused ended nothing
    file = revoke_key(home, key[:6], reason=Reason.COMPROMISE, last_good=good)
    again = export_key(home, find_key(home, key))
    assert again == KeyFile.parse(file.to_bytes(), "post") == file
    assert file.key.revoked == Revocation(at=town.clock.now, reason=Reason.COMPROMISE, last_good=good)
    parties.publish(town.homes[HALL], town.change(Change().with_files([], [file])))
    town.deliver()
    with pytest.raises(UsageError, match="is valid now and in the party registry"):
        take_seat(home, trusted_registry(home).parties, FIRM)


def test_the_ledger_holds_what_becomes_of_keys_once_also_after_a_kill(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = town.homes[FIRM]
    old = town.key(FIRM, KeyUse.CONTRACTS)
    with monkeypatch.context() as patch:
        patch.setattr(keyfile, "_record", _killed)  # it's made, and the ledger wasn't told
        with pytest.raises(KeyboardInterrupt):
            rotate_key(home, old)
    good = (LogPosition(origin="another hall", size=40),)
    revoke_key(home, old, reason=Reason.COMPROMISE, last_good=good)
    size = home.ledger.size
    record_keys(home)
    assert home.ledger.size == size
    told = {each.facts["key"]: each.facts for each in events(home, EventKind.KEY_CREATED)}
    [new] = [facts for facts in told.values() if facts.get("replaces") == old]
    assert (new["party"], new["use"]) == (party_id(FIRM), "contracts")
    [ended] = events(home, EventKind.KEY_REVOKED)
    assert (ended.facts["key"], ended.facts["reason"]) == (old, "compromise")
    assert ended.facts["last_good"] == {"another hall": 40}


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def events(home: Home, kind: EventKind) -> list[Event]:
    every = (home.ledger.event(index) for index in range(home.ledger.size))
    return [event for event in every if event.kind is kind]


def test_no_revocation_is_taken_back(town: Town) -> None:
    key = town.key(FIRM, KeyUse.CONTRACTS)
    before = export_key(town.homes[FIRM], find_key(town.homes[FIRM], key))
    file = revoke_key(town.homes[FIRM], key, reason=Reason.RETIRED)
    parties.publish(town.homes[HALL], town.change(Change().with_files([], [file])))
    town.deliver()
    with pytest.raises(ContractError, match="undone or softened"):
        town.change(
            Change(revoked=((key, Revocation(at=town.clock.now + timedelta(days=1), reason=Reason.RETIRED)),))
        )
    town.change(Change().with_files([before], []))  # the file from before changes nothing
    with pytest.raises(ContractError, match="isn't in the registry"):
        town.change(Change(revoked=(("0" * 64, Revocation(at=town.clock.now, reason=Reason.RETIRED)),)))


# The file of a key.


def test_a_key_file_is_read_as_it_was_written(town: Town) -> None:
    home = town.homes[FIRM]
    for own, party, use in own_keys(home):
        file = export_key(home, own)
        assert KeyFile.parse(file.to_bytes(), "post") == file
        assert (file.use, file.key.party) == (use, party)
        assert file.name == f"{FIRM}-{use}-{own.key_id[:8]}.json"
    assert {use for _, _, use in own_keys(town.homes[HALL])} == set(KeyUse)


def test_nobody_registers_a_key_that_is_another_firms(town: Town) -> None:
    """Its public side is no secret: whoever copies it can't say that it's theirs, or for another use or time."""
    home = town.homes[FIRM]
    document = json.loads(export_key(home, find_key(home, town.key(FIRM, KeyUse.CONTRACTS))).to_bytes())
    for path, value in (
        (("party",), party_id(LATE)),
        (("use",), "online"),
        (("key", "validUntil"), "2036-06-01T12:00:00Z"),
        (("proof",), "00" * 64),
        (("proof",), ""),
    ):
        changed = json.loads(json.dumps(document))
        place = changed
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        with pytest.raises(ContractError, match="didn't sign it"):
            KeyFile.parse(json.dumps(changed).encode(), "post")


@pytest.mark.parametrize(
    "break_it",
    [
        lambda document: document.pop("proof"),
        lambda document: document.update(more=1),
        lambda document: document.update(version=2),
        lambda document: document.update(use="everything"),
        lambda document: document.update(party="urn:uscc:91440000100000004X"),
        lambda document: document.update(party=None),
        lambda document: document.update(proof=3),
        lambda document: document.update(proof="zz"),
        lambda document: document.update(key=None),
        lambda document: document["key"].update(public="00"),
        lambda document: document["key"].update(algorithm="sm2"),
        lambda document: document["key"].update(keyid="0" * 64),
        lambda document: document["key"].update(validUntil="tomorrow"),
    ],
)
def test_what_is_no_key_file_is_refused(town: Town, break_it: Callable[[dict[str, Any]], Any]) -> None:
    home = town.homes[FIRM]
    document = json.loads(export_key(home, find_key(home, town.key(FIRM, KeyUse.CONTRACTS))).to_bytes())
    break_it(document)
    with pytest.raises(ContractError) as refused:
        KeyFile.parse(json.dumps(document).encode(), "post.json")
    assert refused.value.where == "post.json"
    assert "sluice party key export" in refused.value.remedy


def test_keys_are_made_for_firms_and_for_a_time(town: Town) -> None:
    home = town.open(LATE)
    for code in ("urn:uscc:91440000100000004X", "91440000100000004N", "urn:uscc:９1440000100000004N"):
        with pytest.raises(ContractError):
            create_key(home, code, use=KeyUse.CONTRACTS)
    for days in (0, -1, 100_000):
        with pytest.raises(UsageError, match="can't be valid for"):
            create_key(home, party_id(LATE), use=KeyUse.CONTRACTS, days=days)
    assert own_keys(home) == ()
    with pytest.raises(UsageError, match="No key in this hall begins so"):
        find_key(home, "")


# The change file.


def written(folder: Path, text: str) -> Path:
    path = folder / "change.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_change_file_says_all_that_is_wrong_with_it(town: Town, tmp_path: Path) -> None:
    home = town.homes[FIRM]
    registry = export_key(home, find_key(home, town.key(FIRM, KeyUse.REGISTRY)))
    contracts = export_key(home, find_key(home, town.key(FIRM, KeyUse.CONTRACTS)))
    (tmp_path / "registry.json").write_bytes(registry.to_bytes())
    (tmp_path / "contracts.json").write_bytes(contracts.to_bytes())
    path = written(
        tmp_path,
        f"""\
holders: [registry.json, contracts.json, nowhere.json]
threshold: 1
hall: registry.json
partys: []
parties:
  - {{code: {FIRM[:-1]}X, name: B}}
  - {{code: {LATE}, grade: Huge, keys: [contracts.json]}}
  - {{name: nobody}}
revoked:
  - contracts.json
  - {{key: abc, reason: boredom, at: noon}}
  - {{key: abc, reason: retired, at: "2026-06-01T00:00:00Z", lastGood: [{{log: l, size: 0}}]}}
""",
    )
    with pytest.raises(ContractError) as refused:
        read_change(path)
    found: Any = refused.value.facts["problems"]
    said = {(problem.line, problem.where): problem.what for problem in found}
    for line, part in (
        (1, "for contracts, and one for registry is needed"),
        (1, "can't be read (No such file"),
        (2, "`threshold` is 1"),
        (3, "for registry, and one for online is needed"),
        (4, "no key `partys`"),
        (6, "check digit"),
        (7, "`grade` can't be `Huge`"),
        (7, f"belongs to urn:uscc:{FIRM}"),
        (8, "lacks `code`"),
        (10, "isn't revoked"),
        (11, "`reason` can't be `boredom`"),
        (11, "`at` isn't a moment"),
        (12, "`size` is 0"),
    ):
        assert any(at == line and part in what for (at, _), what in said.items()), (line, part, said)


def test_a_key_of_a_firm_that_lost_its_hall_is_revoked_by_the_others(town: Town, tmp_path: Path) -> None:
    key = town.key(FIRM, KeyUse.CONTRACTS)
    path = written(
        tmp_path,
        f'revoked: [{{key: {key}, reason: compromise, at: "2026-06-01T00:00:00Z", lastGood: [{{log: hall, size: 3}}, {{log: firm, size: 4}}]}}]',
    )
    proposal = parties.propose(town.homes[HALL], read_change(path))
    words = dict(in_words(proposal, current=current_registry(town.homes[HALL])))
    assert words["revoked"].endswith(
        "compromise at 2026-06-01 00:00:00 UTC; only what firm held by size 4 or hall held by size 3 counts"
    )
    for code in (HALL, AUDITOR):
        proposal = parties.countersign(town.homes[code], proposal)
    parties.publish(town.homes[HALL], proposal)
    revoked = trusted_registry(town.homes[HALL]).parties.key(key)
    assert revoked is not None
    assert revoked.revoked is not None


def test_what_changes_of_a_firm_is_said(town: Town, tmp_path: Path) -> None:
    path = written(
        tmp_path, f"parties: [{{code: {FIRM}, name: E Firm, grade: LittleGiant, beneficialOwner: Ms E}}]"
    )
    proposal = parties.propose(town.homes[FIRM], read_change(path))
    words = list(in_words(proposal, current=current_registry(town.homes[FIRM])))
    assert words[1:] == [
        ("name", f"{FIRM}: B Firm becomes E Firm"),
        ("owner", f"{FIRM}: owner of {FIRM} becomes Ms E"),
        ("grade", f"{FIRM}: SME becomes LittleGiant"),
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("threshold: 2", "says who holds its keys"),
        ("holders: [r.json, r.json]\nthreshold: 2\nhall: o.json", "would hold two keys"),
        (f"parties: [{{code: {LATE}, name: D}}]\nholders: [r.json]\nthreshold: 2\nhall: o.json", "isn't in the registry yet"),
        ("holders: [r.json]\nthreshold: 2\nhall: o.json", "needs 2 signatures and has 1 keys"),
        (f"parties: [{{code: {FIRM}, name: B, beneficialOwner: B, grade: SME}}]\nholders: [r.json, h.json]\nthreshold: 2\nhall: o.json", "isn't registered in it"),
        (f"parties: [{{code: {FIRM}, name: B, beneficialOwner: B, grade: SME}}, {{code: {HALL}, name: H, beneficialOwner: b, grade: SME}}]\nholders: [r.json, h.json]\nthreshold: 2\nhall: o.json", "belong to the same owner"),
    ],
)  # fmt: skip
def test_what_no_registry_can_be_founded_on(tmp_path: Path, text: str, what: str) -> None:
    town = Town(tmp_path)
    for name, code, use in (
        ("r", FIRM, KeyUse.REGISTRY),
        ("h", HALL, KeyUse.REGISTRY),
        ("o", HALL, KeyUse.ONLINE),
    ):
        file = create_key(town.homes[code], party_id(code), use=use)
        (tmp_path / f"{name}.json").write_bytes(file.to_bytes())
    with pytest.raises(SluiceError, match=what) as refused:
        parties.found(town.homes[HALL], read_change(written(tmp_path, text)))
    assert refused.value.remedy


def test_a_root_is_trusted_once(town: Town) -> None:
    with pytest.raises(ConflictError, match="Another root was trusted"):
        trust_root(town.homes[FIRM], b"{}")


def test_a_hall_that_is_no_firm_publishes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="isn't among its firms"):
        demo_parties([], hall="91110000100000001W")
