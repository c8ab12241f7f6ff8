"""A contract between two halls: each holds the same story, and neither can be told another."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.events import EventKind
from contracts.life import talk
from contracts.life.dossier import Dossier
from contracts.life.negotiation import Phase, Side
from contracts.life.state import Standing, Turn
from core.errors import ContractError, IntegrityError, SluiceError, UsageError
from pipeline.agreements import desk as desks
from tests.contracts.parties.house import NOON, YEAR, changed
from tests.pipeline.agreements.conftest import KEYS, C, P, Street, offer, text

KIND = EventKind


def kinds(street: Street, side: Side) -> list[EventKind]:
    ledger = street.homes[side].ledger
    return [ledger.event(index).kind for index in range(ledger.size)]


def test_both_halls_hold_the_same_contract(street: Street) -> None:
    made = street.conclude()
    assert made.made.phase is Phase.FINALIZED
    told = [
        KIND.REGISTRY_TRUSTED,
        KIND.CONTRACT_OFFERED,
        KIND.CONTRACT_ACCEPTED,
        KIND.CONTRACT_AGREED,
        KIND.CONTRACT_VERIFIED,
        KIND.CONTRACT_FINALIZED,
    ]
    assert kinds(street, P) == kinds(street, C) == told
    for side in Side:
        (stands,) = street.stands(side)
        assert stands.state.standing is Standing.IN_FORCE
        assert stands.state.contract_digest == made.contract.digest
        assert stands.kept is not None
        assert stat.S_IMODE(stands.kept.path.stat().st_mode) == 0o600


def test_taking_a_file_again_changes_nothing(street: Street) -> None:
    made = street.conclude()
    size = street.homes[C].ledger.size
    street.send(made, C)
    assert street.homes[C].ledger.size == size


def test_who_comes_late_learns_all_of_it(street: Street) -> None:
    """The firm's hall sees the platform's last file only."""
    made = street.begin(C)
    for side in (P, C, P):
        made = street.sign(made, side)
    assert street.stands(P)[0].state.standing is Standing.IN_FORCE
    assert street.stands(C)[0].state.standing is Standing.NEGOTIATED
    street.send(made, C)
    assert street.stands(C)[0].state.standing is Standing.IN_FORCE


def test_an_older_file_is_refused(street: Street) -> None:
    made = street.begin()
    first = made.path.read_bytes()
    street.sign(made, C)
    with pytest.raises(ContractError, match="ends before what this hall has recorded"):
        street.desk(C).take(first)


def test_two_stories_of_one_negotiation_are_seen(street: Street) -> None:
    """The platform makes two agreements of one acceptance, and shows each party of its own another."""
    made = street.sign(street.begin(), C)
    street.send(made, P)
    now = street.desk(P).open(made.made.id)
    one, other = (
        talk.carry_on(now.dossier, now.made, side=P, signer=KEYS[P], now=NOON - timedelta(days=days))
        for days in (1, 2)
    )
    street.desk(C).take(one.to_bytes())
    with pytest.raises(ContractError, match="tells another story"):
        street.desk(C).take(other.to_bytes())


def test_a_version_that_is_not_later_is_refused(street: Street) -> None:
    street.conclude(contract=text("1.2.0"))
    for version in ("1.1.9", "1.2.0"):
        with pytest.raises(ContractError, match=rf"Version {version} isn't later than 1\.2\.0"):
            street.begin(contract=text(version))
    street.conclude(contract=text("1.10.0"))
    assert [each.state.standing for each in street.stands()] == [Standing.SUPERSEDED, Standing.IN_FORCE]


def test_a_version_that_was_overtaken_while_it_was_negotiated_is_not_concluded(street: Street) -> None:
    old = street.sign(street.begin(contract=text("1.0.0")), C)
    street.conclude(contract=text("2.0.0"))
    with pytest.raises(ContractError, match=r"isn't later than 2\.0\.0"):
        street.sign(old, P)
    street.desk(C).end(old.made.id, side=C, signer=KEYS[C])  # that it comes to nothing may be said


def test_suspended_here_and_there(street: Street) -> None:
    made = street.conclude()
    made = street.desk(C).turn(made.made.id, Turn.SUSPEND, side=C, signer=KEYS[C], reason="an audit")
    assert street.stands(P)[0].state.standing is Standing.IN_FORCE  # it hasn't heard of it
    street.send(made, P)
    assert street.stands(P)[0].state.standing is Standing.SUSPENDED
    made = street.desk(C).turn(made.made.id, Turn.RESUME, side=C, signer=KEYS[C])
    street.send(made, P)
    assert street.stands(P)[0].state.standing is Standing.IN_FORCE
    street.send(street.desk(P).end(made.made.id, side=P, signer=KEYS[P]), C)
    assert street.stands(C)[0].state.standing is Standing.TERMINATED


def test_what_both_do_before_the_post_comes_is_known_to_both_afterwards(street: Street) -> None:
    made = street.conclude()
    sent = {
        side: street.desk(side)
        .turn(made.made.id, Turn.SUSPEND, side=side, signer=KEYS[side])
        .path.read_bytes()
        for side in (P, C)
    }
    for _ in range(2):  # also when a file comes twice
        street.desk(P).take(sent[C])
        street.desk(C).take(sent[P])
    for side in (P, C):
        (stands,) = street.stands(side)
        assert stands.state.standing is Standing.SUSPENDED
        assert stands.state.suspended_by == {P, C}
    ended = street.desk(C).turn(made.made.id, Turn.TERMINATE, side=C, signer=KEYS[C])
    resumed = street.desk(P).turn(made.made.id, Turn.RESUME, side=P, signer=KEYS[P])
    street.desk(P).take(ended.path.read_bytes())
    street.desk(C).take(resumed.path.read_bytes())
    for side in (P, C):
        (stands,) = street.stands(side)
        assert (stands.state.standing, stands.state.by) == (Standing.TERMINATED, C)
        assert len(street.desk(side).open(made.made.id).made.said) == 9


def test_two_words_of_one_side_for_one_are_seen(street: Street) -> None:
    made = street.conclude()
    concluded = made.path.read_bytes()
    street.desk(P).turn(made.made.id, Turn.SUSPEND, side=P, signer=KEYS[P])
    # The same party, from a hall that was put back to an older state.
    other = talk.turn(
        Dossier.parse(concluded), made.made, Turn.TERMINATE, side=P, signer=KEYS[P]
    )  # fmt: skip
    with pytest.raises(ContractError):
        street.desk(P).take(other.to_bytes())
    street.desk(C).take(street.desk(P).open(made.made.id).path.read_bytes())
    with pytest.raises(ContractError):
        street.desk(C).take(other.to_bytes())
    (stands,) = street.stands(C)
    assert stands.state.standing is Standing.SUSPENDED


def test_a_file_of_ours_that_is_spoilt_is_mended_by_theirs_and_by_no_older_one(street: Street) -> None:
    made = street.conclude()
    concluded = made.path.read_bytes()
    suspended = street.desk(P).turn(made.made.id, Turn.SUSPEND, side=P, signer=KEYS[P]).path
    whole = suspended.read_bytes()
    suspended.write_bytes(b"{}")
    with pytest.raises(ContractError, match="ends before what this hall has recorded"):
        street.desk(P).take(concluded)
    street.desk(P).take(whole)
    (stands,) = street.stands(P)
    assert stands.state.standing is Standing.SUSPENDED


def test_a_file_without_our_own_last_word_can_be_looked_at(street: Street) -> None:
    made = street.conclude()
    concluded = made.path.read_bytes()
    street.desk(P).turn(made.made.id, Turn.SUSPEND, side=P, signer=KEYS[P])
    assert street.desk(P).look(concluded).made.id == made.made.id


def test_it_ends_with_its_time(street: Street) -> None:
    street.conclude(end=NOON + timedelta(days=2))
    street.wait(days=1, hours=23)
    assert street.stands()[0].state.standing is Standing.IN_FORCE
    street.wait(hours=2)
    assert street.stands()[0].state.standing is Standing.EXPIRED


def test_a_clock_set_back_brings_nothing_back(street: Street) -> None:
    street.conclude(end=NOON + timedelta(days=2))
    street.wait(days=3)
    street.begin(contract=text("2.0.0"))  # the log goes on
    street.clock.wait(days=-2)
    stands = street.stands()
    assert {each.state.standing for each in stands} <= {Standing.EXPIRED, Standing.NEGOTIATED}


def test_without_its_file_a_contract_opens_nothing(street: Street) -> None:
    made = street.conclude()
    made.path.unlink()
    (stands,) = street.stands()
    assert stands.state.standing is Standing.EXPIRED
    assert stands.kept is None
    assert "No such negotiation" in stands.trouble


@pytest.mark.parametrize("spoil", [lambda d: d[:-1], lambda d: b"{}", lambda d: d.replace(b"a", b"b", 1)])
def test_a_file_that_was_changed_opens_nothing(street: Street, spoil: Any) -> None:
    made = street.conclude()
    made.path.write_bytes(spoil(made.path.read_bytes()))
    (stands,) = street.stands()
    assert stands.state.standing is not Standing.IN_FORCE
    assert stands.trouble


def test_an_older_file_put_back_opens_nothing(street: Street) -> None:
    """Before the termination it said that the contract holds."""
    made = street.conclude()
    before = made.path.read_bytes()
    street.desk(P).end(made.made.id, side=P, signer=KEYS[P])
    made.path.write_bytes(before)
    (stands,) = street.stands()
    assert stands.state.standing is Standing.TERMINATED
    assert "ends before" in stands.trouble


def test_a_key_that_was_revoked_signs_nothing_more(street: Street) -> None:
    from contracts.parties.model import Reason, Revocation  # noqa: PLC0415

    made = street.conclude()
    street.wait(hours=1)
    record = next(each for each in street.house.records.records if each.party == made.made.assignee)
    gone = replace(record.keys[0], revoked=Revocation(at=street.clock.now, reason=Reason.RETIRED))
    street.house.publish(records=changed(street.house.records, record.party, keys=(gone,)))
    street.deliver_registry()
    street.wait(hours=1)
    with pytest.raises(ContractError, match="was revoked"):
        street.desk(C).turn(made.made.id, Turn.TERMINATE, side=C, signer=KEYS[C])
    assert street.stands(P)[0].state.standing is Standing.IN_FORCE  # what it signed before stays signed


def test_a_hall_without_a_registry_takes_nothing(street: Street) -> None:
    made = street.begin()
    street.homes[C].settings.trusted_root.unlink()
    with pytest.raises(UsageError, match="No party registry is trusted here"):
        street.send(made, C)
    assert street.homes[C].ledger.size == 0


def test_an_older_registry_is_refused(street: Street, tmp_path: Any) -> None:
    import shutil  # noqa: PLC0415

    made = street.begin()
    shutil.copytree(street.homes[P].settings.registry, tmp_path / "old")
    street.wait(days=1)
    street.sign(made, C)
    shutil.rmtree(street.homes[C].settings.registry)
    shutil.copytree(tmp_path / "old", street.homes[C].settings.registry)
    with pytest.raises(IntegrityError):
        street.desk(C).open(made.made.id)


def test_a_contract_with_problems_is_not_put_forward(street: Street) -> None:
    with pytest.raises(ContractError):
        street.begin(contract=b"kind: DataContract\n")
    assert KIND.CONTRACT_OFFERED not in kinds(street, P)


def test_a_crash_between_file_and_ledger_is_made_up_for(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = street.begin()
    real = desks.record

    def breaks(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(desks, "record", breaks)
    with pytest.raises(KeyboardInterrupt):
        street.send(made, C)
    monkeypatch.setattr(desks, "record", real)
    assert street.stands(C) == ()
    street.sign(made, C)
    assert kinds(street, C).count(KIND.CONTRACT_OFFERED) == 1


def test_names_that_are_no_negotiation(street: Street) -> None:
    street.begin()
    for name in ("", "../../etc/passwd", "*", "0190a0b0-0000-4000-8000-000000000001"):
        with pytest.raises(UsageError, match="No such negotiation"):
            street.desk(P).open(name)


def test_what_comes_by_post_is_never_believed_by_its_name(street: Street) -> None:
    """A file that claims another contract's place lies where its own content says."""
    made = street.conclude()
    forged = Dossier.parse(made.path.read_bytes())
    with pytest.raises(SluiceError):
        street.desk(P).take(replace(forged, contract=text("9.9.9")).to_bytes())
    assert offer(k=3) != offer(k=4)
    assert YEAR[0] < NOON < YEAR[1]


def test_a_contract_that_is_read_leaves_nothing_in_the_folder_for_temporary_files(
    street: Street, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to be there to remove it: it was never written."""
    (tmp_path / "temp").mkdir(mode=0o500)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    monkeypatch.setattr("tempfile.mkdtemp", lambda *_, **__: pytest.fail("a folder was made"))
    street.begin(contract=text("7.7.7"))
