"""A clock that was set back opens nothing, signs nothing and makes no registry fresh: the ledger's newest entry says better."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from audit.events import Event, EventKind
from contracts.life.state import Standing
from contracts.odcs import load_contract
from contracts.parties.model import Reason, Revocation
from core.errors import ContractError, IntegrityError, StateError
from pipeline.agreements.doors import require
from pipeline.agreements.effects import settle
from pipeline.agreements.log import latest
from pipeline.agreements.registry import trusted_registry
from pipeline.home import Home
from pipeline.steps.check import check
from tests.contracts.parties.house import FIRM, NOON, Key, changed
from tests.pipeline.agreements.conftest import KEYS, C, P, Street, text

DAY = timedelta(days=1)
SECOND = text("1.0.0", **{"id: goods-list": "id: zz-list"})


def act(home: Home) -> None:
    """Anything that is recorded and isn't about a contract."""
    name = f"registry/{home.ledger.size}.1"
    home.ledger.append(
        Event(
            kind=EventKind.REGISTRY_TRUSTED,
            run_id=str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
            subject=name,
            facts={"digest": "a" * 64, "version": 1, "root": home.ledger.size},
        )
    )


def publish(street: Street) -> None:
    folder = street.folder / "contracts"
    folder.mkdir()
    for name, contract in (("goods", text()), ("zz", SECOND)):
        (folder / f"{name}.odcs.yaml").write_bytes(contract)


def moments_of(home: Home) -> list[datetime]:
    return [home.ledger.recorded(index).at for index in range(home.ledger.size)]


def run(contract: str, home: Home) -> None:
    check(contract, run_id=str(uuid.uuid4()), home=home)


def test_what_expired_stays_shut_whatever_else_is_recorded(street: Street) -> None:
    """The attack: another contract runs by the clock that was set back, and the first is in force again."""
    publish(street)
    street.conclude(end=NOON + 2 * DAY)
    street.conclude(contract=SECOND)
    street.wait(days=3)
    home = street.homes[P]
    settle(home)
    street.clock.wait(days=-2)
    for _ in range(2):
        with pytest.raises(ContractError, match="is expired"):
            run("goods-list", home)
        run("zz-list", home)
        assert street.stands()[0].state.standing is Standing.EXPIRED
    assert moments_of(home) == sorted(moments_of(home))
    assert latest(home) == NOON + 3 * DAY


def test_an_entry_that_isnt_about_the_contract_tells_the_time(street: Street) -> None:
    """Nothing was recorded of the contract's end; only what came after it says how late it is."""
    street.conclude(end=NOON + 2 * DAY)
    contract = load_contract(street.folder / "goods.odcs.yaml", text())
    home = street.homes[P]
    assert require(contract, home)
    street.wait(days=3)
    act(home)
    street.clock.wait(days=-2)
    assert latest(home) == NOON + 3 * DAY
    (stands,) = street.stands()
    assert (stands.state.standing, stands.trouble) == (Standing.EXPIRED, "")
    with pytest.raises(ContractError, match="is expired"):
        require(contract, home)


def short_lived(street: Street) -> Key:
    """A key of the firm's, registered, and valid for two days."""
    key = Key(77)
    record = street.house.records.get(FIRM)
    assert record is not None
    ends = replace(key.of(FIRM), valid_until=NOON + 2 * DAY)
    street.house.publish(records=changed(street.house.records, FIRM, keys=(*record.keys, ends)))
    street.deliver_registry()
    return key


def test_a_key_past_its_validity_signs_nothing_by_a_clock_set_back(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(street)
    key = short_lived(street)
    street.conclude(contract=SECOND)
    monkeypatch.setitem(KEYS, C, key)
    street.wait(days=3)
    run("zz-list", street.homes[P])
    act(street.homes[C])

    def request() -> None:
        street.begin(C, start=NOON - DAY)

    with pytest.raises(ContractError, match="was valid until"):
        request()
    street.clock.wait(days=-2)
    with pytest.raises(StateError, match="clock stands before the log's newest checkpoint"):
        request()
    run("zz-list", street.homes[P])
    act(street.homes[C])
    with pytest.raises(StateError, match="Set the clock right"):
        request()


@pytest.mark.parametrize("back", [{"milliseconds": 3}, {"minutes": 4}])
def test_a_clock_that_was_corrected_stops_nobody(street: Street, back: dict[str, float]) -> None:
    """Each act comes a little before the one before it, by the clock."""
    made = street.begin()
    for side in (C, P, C, P):
        street.clock.wait(**{unit: -much / 4 for unit, much in back.items()})
        made = street.sign(made, side)
    assert street.stands()[0].state.standing is Standing.IN_FORCE
    assert set(moments_of(street.homes[P])) == {NOON}


def test_a_corrected_clock_gives_an_ended_key_no_minutes(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KEYS, C, short_lived(street))
    street.wait(days=2)
    act(street.homes[C])
    street.clock.wait(minutes=-4)
    with pytest.raises(ContractError, match="was valid until"):
        street.begin(C)


def test_a_registry_that_has_run_out_isnt_fresh_again(street: Street) -> None:
    home = street.homes[P]
    trusted_registry(home)
    street.clock.wait(days=8)
    act(home)
    street.clock.wait(days=-2)
    with pytest.raises(IntegrityError, match="has expired"):
        trusted_registry(home)
    street.wait()
    trusted_registry(home)


def test_a_signature_counts_from_the_first_checkpoint_that_holds_it(street: Street) -> None:
    """The firm signed, then retired its key; the platform's last word repeats both signatures after that."""
    made = street.begin()
    for side in (C, P, C):
        made = street.sign(made, side)
    street.send(made, P)
    street.wait(hours=1)
    record = street.house.records.get(FIRM)
    assert record is not None
    retired = replace(record.keys[0], revoked=Revocation(at=street.clock.now, reason=Reason.RETIRED))
    street.house.publish(records=changed(street.house.records, FIRM, keys=(retired,)))
    street.deliver_registry()
    street.wait(hours=1)
    street.desk(P).sign(made.made.id, side=P, signer=KEYS[P])
    (stands,) = street.stands()
    assert (stands.state.standing, stands.trouble) == (Standing.IN_FORCE, "")
