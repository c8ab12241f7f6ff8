"""What becomes of releases and keys when a contract stops holding."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.events import EventKind
from catalog.release import Withheld
from contracts.life.state import Turn
from core.errors import CatalogError, IntegrityError, LedgerError, StateError
from pipeline import route
from pipeline.agreements import effects
from pipeline.agreements.desk import OnDesk
from pipeline.agreements.effects import Settled, settle, show_or_withhold
from pipeline.attest import attest
from pipeline.home import Home
from tests.contracts.parties.house import NOON
from tests.pipeline.agreements.conftest import KEYS, C, P, Street, text

KIND = EventKind


@pytest.fixture
def hall(street: Street) -> Home:
    return street.homes[P]


def publish(street: Street, version: str = "1.0.0", rows: str = "1,bread\n2,milk\n") -> str:
    folder = street.folder / "contracts"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "goods.csv").write_text(f"id,name\n{rows}", encoding="utf-8")
    (folder / "goods-list.odcs.yaml").write_bytes(text(version))
    return route.run("goods-list", home=street.homes[P]).release.release


def kinds(hall: Home, *wanted: EventKind) -> list[EventKind]:
    told = [hall.ledger.event(index).kind for index in range(hall.ledger.size)]
    return [kind for kind in told if kind in wanted]


def end(street: Street, made: OnDesk) -> None:
    street.desk(P).end(made.made.id, side=P, signer=KEYS[P])


def files(hall: Home) -> list[Path]:
    return sorted(hall.settings.catalog.glob("tables/*/*/part-*.parquet"))


def test_while_it_is_in_force_nothing_happens(street: Street, hall: Home) -> None:
    street.conclude()
    publish(street)
    size = hall.ledger.size
    assert settle(hall) == Settled()
    assert not settle(hall).anything
    assert hall.ledger.size == size


def test_suspended_is_withheld_and_resumed_is_shown(street: Street, hall: Home) -> None:
    made = street.conclude()
    release = publish(street)
    for _ in range(2):
        street.wait(hours=1)
        street.desk(P).turn(made.made.id, Turn.SUSPEND, side=P, signer=KEYS[P])
        assert settle(hall) == Settled(withheld=(release,))
        with pytest.raises(CatalogError, match="its contract is suspended"):
            hall.catalog.query("FROM goods_list.goods")
        street.wait(hours=1)
        street.desk(P).turn(made.made.id, Turn.RESUME, side=P, signer=KEYS[P])
        assert settle(hall) == Settled(shown=(release,))
        assert hall.catalog.query("FROM goods_list.goods").rows == 2
    told = kinds(hall, KIND.RELEASE_HIDDEN, KIND.RELEASE_SHOWN)
    assert told == [KIND.RELEASE_HIDDEN, KIND.RELEASE_SHOWN] * 2
    assert len(files(hall)) == 1  # nothing is deleted under a contract that may hold again


def test_terminated_is_withheld_deleted_recorded_and_forgotten(street: Street, hall: Home) -> None:
    made = street.conclude()
    release = publish(street)
    root = hall.keys.contract_keys("goods-list").fingerprint
    end(street, made)
    done = settle(hall)
    assert done == Settled(withheld=(release,), deleted=(release,), forgotten=("goods-list",))
    assert files(hall) == []
    receipt = hall.ledger.receipt_for(KIND.RELEASE_DELETED, release)
    assert receipt is not None
    facts = hall.ledger.event(receipt.index).facts
    (table,) = hall.catalog.releases(all=True)[0].tables
    assert facts["tables"] == {"goods": {"version": 0, "rows": 2, "files": 1, "sha256": table.sha256}}
    assert facts["copies"] == made.made.assignee
    assert hall.keys.contract_key_there("goods-list") is None
    forgotten = [
        event.facts["fingerprint"]
        for index in range(hall.ledger.size)
        if (event := hall.ledger.event(index)).kind is KIND.CONTRACT_FORGOTTEN
    ]
    assert forgotten == [root]
    size = hall.ledger.size
    assert settle(hall) == Settled()
    assert hall.ledger.size == size


def test_a_root_key_that_comes_back_from_a_copy_goes_again(street: Street, hall: Home) -> None:
    made = street.conclude()
    publish(street)
    hall.keys.contract_keys("goods-list")
    shutil.copytree(hall.settings.keys, street.folder / "copy")
    end(street, made)
    settle(hall)
    for file in (street.folder / "copy").glob("contract-*.json"):
        shutil.copy2(file, hall.settings.keys)
    assert hall.keys.contract_key_there("goods-list") is not None
    assert settle(hall).forgotten == ("goods-list",)
    assert hall.keys.contract_key_there("goods-list") is None


def test_without_a_duty_nothing_is_deleted(
    street: Street, hall: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effects, "_must_delete", lambda _: False)
    made = street.conclude()
    release = publish(street)
    hall.keys.contract_keys("goods-list")
    end(street, made)
    assert settle(hall) == Settled(withheld=(release,))
    assert len(files(hall)) == 1
    assert hall.keys.contract_key_there("goods-list") is not None


def test_expired_ends_of_itself_and_is_told_once(street: Street, hall: Home) -> None:
    street.conclude(end=NOON + timedelta(days=1))
    release = publish(street)
    street.wait(days=2)
    assert settle(hall).deleted == (release,)
    settle(hall)
    assert kinds(hall, KIND.CONTRACT_EXPIRED) == [KIND.CONTRACT_EXPIRED]


def test_a_new_version_takes_the_old_ones_releases_away_and_keeps_the_key(street: Street, hall: Home) -> None:
    street.conclude()
    old = publish(street)
    root = hall.keys.contract_keys("goods-list").fingerprint
    street.conclude(contract=text("2.0.0"))
    new = publish(street, "2.0.0")
    assert settle(hall) == Settled(withheld=(old,), deleted=(old,))
    assert [release.release for release in hall.catalog.releases()] == [new]
    assert hall.catalog.query("FROM goods_list.goods").rows == 2
    assert hall.keys.contract_keys("goods-list").fingerprint == root
    assert kinds(hall, KIND.CONTRACT_SUPERSEDED) == [KIND.CONTRACT_SUPERSEDED]


@pytest.mark.usefixtures("open_doors")  # as a hall published before it asked for signatures
def test_a_release_of_a_text_that_nobody_signed_is_withheld(street: Street, hall: Home) -> None:
    release = publish(street)
    assert settle(hall) == Settled(withheld=(release,))  # nobody speaks of this contract
    assert hall.catalog.releases() == ()
    made = street.begin()
    assert settle(hall) == Settled()
    for side in (C, P, C, P):
        made = street.sign(made, side)
    assert settle(hall) == Settled(shown=(release,))


def test_what_has_just_changed_is_withheld_or_shown_and_nothing_is_destroyed(
    street: Street, hall: Home
) -> None:
    made = street.conclude()
    release = publish(street)
    end(street, made)
    for done in (Settled(withheld=(release,)), Settled()):
        assert show_or_withhold(hall, "goods-list") == done
    assert len(files(hall)) == 1
    assert show_or_withhold(hall, "another") == Settled()
    assert settle(hall).deleted == (release,)


def test_a_fault_of_the_machine_hides_nothing(street: Street, hall: Home) -> None:
    made = street.conclude()
    publish(street)
    kept = made.path.rename(made.path.with_suffix(".kept"))
    made.path.mkdir()  # it's there, and can't be read
    for act in (settle, lambda home: show_or_withhold(home, "goods-list")):
        with pytest.raises(StateError, match="can't be read"):
            act(hall)
    assert len(hall.catalog.releases()) == 1
    made.path.rmdir()
    kept.rename(made.path)
    assert settle(hall) == Settled()


def test_a_contract_whose_file_is_gone_is_withheld_and_not_deleted(street: Street, hall: Home) -> None:
    made = street.conclude()
    release = publish(street)
    hall.keys.contract_keys("goods-list")
    whole = made.path.read_bytes()
    made.path.unlink()
    assert settle(hall) == Settled(withheld=(release,))
    assert kinds(hall, KIND.CONTRACT_EXPIRED) == []
    assert hall.keys.contract_key_there("goods-list") is not None
    made.path.write_bytes(whole)
    assert settle(hall) == Settled(shown=(release,))


@pytest.mark.parametrize("at", range(1, 8))
def test_a_crash_anywhere_is_made_up_for(
    street: Street, hall: Home, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    made = street.conclude()
    release = publish(street)
    hall.keys.contract_keys("goods-list")
    end(street, made)
    calls: list[str] = []

    def breaking(of: Any, name: str) -> None:
        real = getattr(of, name)

        def call(*arguments: Any, **options: Any) -> Any:
            calls.append(name)
            if len(calls) == at:
                raise KeyboardInterrupt
            return real(*arguments, **options)

        monkeypatch.setattr(of, name, call)

    breaking(hall.ledger, "append")
    for name in ("withhold", "delete"):
        breaking(hall.catalog, name)
    breaking(hall.keys, "destroy_contract_key")
    broken = False
    try:
        settle(hall)
    except KeyboardInterrupt:
        broken = True
    monkeypatch.undo()
    settle(hall)
    assert broken == (at <= len(calls)), calls
    assert files(hall) == []
    assert hall.keys.contract_key_there("goods-list") is None
    wanted = (KIND.RELEASE_HIDDEN, KIND.RELEASE_DELETED, KIND.CONTRACT_FORGOTTEN)
    assert sorted(kinds(hall, *wanted)) == sorted(wanted)
    found = hall.catalog.find(release)
    assert found is not None
    assert found.withheld is not None
    assert found.withheld.deleted


def test_the_firms_hall_has_its_own_view(street: Street) -> None:
    street.conclude()
    assert settle(street.homes[C]) == Settled()


def test_an_auditor_sees_that_what_was_deleted_is_gone(street: Street, hall: Home) -> None:
    made = street.conclude()
    publish(street)
    (file,) = files(hall)
    content = file.read_bytes()
    end(street, made)
    settle(hall)
    assert attest(hall).files == 0
    file.write_bytes(content)
    with pytest.raises(IntegrityError, match="which was deleted, is there again"):
        attest(hall)


def test_a_manifest_that_calls_deleted_what_the_log_does_not_is_seen(street: Street, hall: Home) -> None:
    street.conclude()
    release = publish(street)
    hall.catalog.withhold("goods-list", {release: Withheld(why="terminated", since=NOON)})
    hall.catalog.delete(release)
    with pytest.raises(LedgerError, match="and the ledger doesn't"):
        attest(hall)
