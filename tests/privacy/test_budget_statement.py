"""What auditors read: the statement, and what an audit says of a budget that isn't what its reservations make it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from core.digest import canonical
from core.errors import ContractError, IntegrityError
from privacy.budget import rows
from privacy.budget.amounts import UNBOUNDED, Cost
from privacy.budget.budget import Budget
from privacy.budget.periods import Period
from privacy.budget.replay import Difference
from privacy.budget.terms import Scope
from tests.privacy.budget_stores import BASKETS, NOW, RESULT, SPENDER, MemoryStore, caps, new_id

OTHER = replace(SPENDER, contract="urn:sluice:contract:other", owners=("Owner A", "李四"))


@pytest.fixture
def store() -> MemoryStore:
    """Three reservations over two months, of two contracts; the first is carried out."""
    store = MemoryStore()
    budget = Budget(store)
    for spender, cost, days in (
        (SPENDER, Cost.of(0.25), 0),
        (OTHER, Cost.of(0.125, 2**-20), 0),
        (OTHER, UNBOUNDED, 20),
    ):
        held = budget.reserve(
            BASKETS, spender, cost, caps(), now=NOW + timedelta(days=days), reservation=new_id()
        )
        if spender is SPENDER:
            budget.spend(held, result=RESULT, now=NOW)
    return store


def test_the_statement_reads_by_contract_owner_period_and_life(store: MemoryStore) -> None:
    assert str(Budget(store).statement(BASKETS)) == "\n".join(
        [
            "dataset grocery/baskets, unit household/whole-record: 3 reservations, 2 open",
            "contract urn:sluice:contract:grocery, life: rho 0.25",
            "contract urn:sluice:contract:other, life: rho 0.125, delta 9.53675e-7, and 1 without differential privacy",
            "owner ownera, life: rho 0.375, delta 9.53675e-7, and 1 without differential privacy",
            "owner 李四, life: rho 0.125, delta 9.53675e-7, and 1 without differential privacy",
            "account, life: rho 0.375, delta 9.53675e-7, and 1 without differential privacy",
            "contract urn:sluice:contract:grocery, 2026-11: rho 0.25",
            "contract urn:sluice:contract:other, 2026-11: rho 0.125, delta 9.53675e-7",
            "owner ownera, 2026-11: rho 0.375, delta 9.53675e-7",
            "owner 李四, 2026-11: rho 0.125, delta 9.53675e-7",
            "account, 2026-11: rho 0.375, delta 9.53675e-7",
            "contract urn:sluice:contract:other, 2026-12: rho 0, and 1 without differential privacy",
            "owner ownera, 2026-12: rho 0, and 1 without differential privacy",
            "owner 李四, 2026-12: rho 0, and 1 without differential privacy",
            "account, 2026-12: rho 0, and 1 without differential privacy",
        ]
    )


def test_the_statement_may_be_by_other_periods(store: MemoryStore) -> None:
    lines = Budget(store).statement(BASKETS, by=Period.YEAR).lines
    assert [line.period for line in lines if line.scope is Scope.ACCOUNT] == ["life", "2026"]


def test_a_statement_without_a_release_beside_has_an_epsilon() -> None:
    budget = Budget(MemoryStore())
    budget.reserve(BASKETS, SPENDER, Cost.of(0.5), caps(), now=NOW, reservation=new_id())
    statement = budget.statement(BASKETS)
    assert statement.bounded
    assert statement.epsilon(1e-6) == pytest.approx(5.2215344)
    assert statement.guarantee(1e-6) == "All 1 releases together: epsilon 5.222 at delta 1e-06."
    with pytest.raises(ContractError, match="No epsilon belongs to this delta"):
        statement.epsilon(0)


def test_a_dataset_of_which_nothing_was_spent() -> None:
    statement = Budget(MemoryStore()).statement(BASKETS)
    assert (statement.reservations, statement.lines, statement.newest) == (0, (), None)
    assert statement.epsilon(1e-6) == 0
    assert Budget(MemoryStore()).audit() == ()


def test_the_audit_goes_through_every_account(store: MemoryStore) -> None:
    budget = Budget(store)
    others = [replace(BASKETS, dataset=f"other-{number}") for number in range(5)]
    for other in others:
        budget.reserve(other, SPENDER, Cost.of(1), caps(), now=NOW, reservation=new_id())
    assert budget.audit() == ()
    for other in others:
        store.put(rows.head_key(other.digest), None)
    assert {each.where for each in budget.audit()} == {rows.head_key(other.digest) for other in others}


def test_the_audit_says_what_differs_and_the_statement_refuses(store: MemoryStore) -> None:
    key = rows.counter_key(BASKETS.digest, (Scope.OWNER, "ownera"))
    document = json.loads(store.entries[key].value)
    store.put(key, canonical({**document, "life": {"rho": "0", "delta": "0", "unbounded": 0}}))
    assert Budget(store).audit() == (Difference(key, "isn't the sum of its reservations"),)
    with pytest.raises(IntegrityError) as refused:
        Budget(store).statement(BASKETS)
    assert str(refused.value) == (
        f"A row of the privacy budget isn't the sum of its reservations. ({key}) Nothing is spent from this account until its "
        "rows are put back from a copy; audit the budget to see which."
    )


def test_a_reservation_beyond_its_caps_is_told(store: MemoryStore) -> None:
    """A rogue writer that keeps every digest right, and breaks a cap, is still found."""
    key = rows.row_key(BASKETS.digest, 1)
    row = json.loads(store.entries[key].value)
    row["caps"] = [{"scope": "account", "rho": "1", "delta": "0", "period": None, "finite": False}]
    store.put(key, canonical(row))
    assert Difference(key, "broke a cap that it was reserved under") in Budget(store).audit()


def test_no_number_is_stored_as_a_float(store: MemoryStore) -> None:
    def refuse(text: str) -> float:
        raise AssertionError(f"A float: {text}")

    for entry in store.entries.values():
        json.loads(entry.value, parse_float=refuse)


def test_the_rows_hold_names_in_clear_only_inside(store: MemoryStore) -> None:
    """Keys stand in error messages and listings: no owner or contract is spelt in one."""
    assert not [key for key in store.entries if "owner" in key or "urn" in key or "grocery" in key]
