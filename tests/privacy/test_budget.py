"""Reserving and spending: caps, owners, periods, clocks, retries, and what people are told."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from contracts.agreement.vocabulary import Door
from core.errors import ContractError, ExitCode, InternalError, PrivacyError
from core.store import SqliteStore, Store
from privacy.budget.amounts import UNBOUNDED, Cost, Limit
from privacy.budget.budget import Budget, Reservation, Spent
from privacy.budget.periods import Period, as_utc, period_of
from privacy.budget.terms import Account, Cap, Caps, Scope, Spender
from tests.privacy.budget_stores import BASKETS, NOW, RESULT, SPENDER, MemoryStore, caps, life, new_id

HALF, ONE = Cost.of(0.5), Cost.of(1)
OTHER = replace(SPENDER, contract="urn:sluice:contract:other", owners=("Owner B",))
ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "state.sqlite")


@pytest.fixture
def budget(store: Store) -> Budget:
    return Budget(store)


def reserve(
    budget: Budget,
    cost: Cost,
    wanted: Caps,
    *,
    spender: Spender = SPENDER,
    account: Account = BASKETS,
    now: datetime = NOW,
    reservation: str = "",
) -> Reservation:
    return budget.reserve(account, spender, cost, wanted, now=now, reservation=reservation or new_id())


def spent(budget: Budget) -> int:
    return budget.statement(BASKETS).total.rho_quanta


def cap(scope: Scope, rho: float, period: Period | None = None, *, finite: bool = False) -> Cap:
    return Cap(scope=scope, limit=Limit.of(rho), period=period, finite=finite)


def test_a_cap_is_spent_to_its_last_quantum_and_never_beyond(budget: Budget) -> None:
    reserve(budget, HALF, caps(rho=1))
    with pytest.raises(PrivacyError):
        reserve(budget, replace(HALF, rho_quanta=HALF.rho_quanta + 1), caps(rho=1))
    reserve(budget, HALF, caps(rho=1))
    with pytest.raises(PrivacyError):
        reserve(budget, Cost(rho_quanta=1, delta_quanta=0), caps(rho=1))
    assert spent(budget) == ONE.rho_quanta
    assert budget.audit() == ()


def test_a_refusal_counts_nothing(budget: Budget, store: Store) -> None:
    with pytest.raises(PrivacyError):
        reserve(budget, ONE, caps(rho=0.5))
    assert list(store.scan("")) == []


def test_the_delta_is_counted_like_the_rho(budget: Budget) -> None:
    tight = Caps((life(1, 2**-20),))
    reserve(budget, Cost.of(0.125, 2**-21), tight)
    told = "costs rho 0.125, delta 7.15256e-7, and rho 0.875, delta 4.76837e-7 is left of rho 1, delta 9.53674e-7."
    with pytest.raises(PrivacyError, match=re.escape(told)):
        reserve(budget, Cost.of(0.125, 3 * 2**-22), tight)
    with pytest.raises(PrivacyError, match=r"delta 0 is left of rho 1, delta 0\."):
        reserve(budget, Cost.of(0.1, 1e-9), Caps((life(1),)))


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("period", [None, *Period])
def test_each_cap_stands_in_the_way_of_its_scope_alone(
    budget: Budget, scope: Scope, period: Period | None
) -> None:
    tight = caps(cap(scope, 0.5, period)) if (scope, period) != (Scope.ACCOUNT, None) else Caps((life(0.5),))
    reserve(budget, HALF, tight)
    with pytest.raises(PrivacyError) as refused:
        reserve(budget, HALF, tight)
    assert (refused.value.facts["scope"], refused.value.facts["period"]) == (scope, period)
    assert refused.value.facts["left_rho_quanta"] == 0
    if scope is Scope.ACCOUNT:
        with pytest.raises(PrivacyError):
            reserve(budget, HALF, tight, spender=OTHER)
    else:
        reserve(budget, HALF, tight, spender=OTHER)
    reserve(budget, HALF, tight, account=replace(BASKETS, unit="household/month-of-unit"))


def test_two_contracts_of_one_owner_share_the_owners_cap(budget: Budget) -> None:
    shared = caps(cap(Scope.OWNER, 0.5))
    reserve(budget, HALF, shared)
    for spelt in ("Owner A", "owner-a", "ｏＷＮＥＲ. A"):
        second = replace(SPENDER, contract=new_id(), owners=("Somebody", spelt))
        with pytest.raises(PrivacyError, match="beneficial owner ownera for life"):
            reserve(budget, HALF, shared, spender=second)
    reserve(budget, HALF, shared, spender=OTHER)


def test_every_owner_of_a_firm_is_charged_in_full(budget: Budget) -> None:
    both = replace(SPENDER, owners=("Owner B", "Owner A", "owner a"))
    reserve(budget, HALF, caps(), spender=both)
    lines = {(line.scope, line.name): line.total for line in budget.statement(BASKETS).lines}
    assert lines[Scope.OWNER, "ownera"] == lines[Scope.OWNER, "ownerb"] == lines[Scope.ACCOUNT, ""]
    for owner in both.owners:
        with pytest.raises(PrivacyError, match=f"beneficial owner {owner} for life"):
            reserve(budget, HALF, caps(cap(Scope.OWNER, 0.5)), spender=replace(OTHER, owners=(owner,)))


def test_a_period_turns_by_the_calendar_in_utc(budget: Budget) -> None:
    monthly = caps(cap(Scope.CONTRACT, 0.5, Period.MONTH))
    last = datetime(2026, 11, 30, 23, 59, 59, 999999, tzinfo=UTC)
    reserve(budget, HALF, monthly, now=last)
    # In Shanghai the month has turned for eight hours.
    with pytest.raises(PrivacyError, match="for 2026-11 can't"):
        reserve(budget, HALF, monthly, now=last.astimezone(timezone(timedelta(hours=8))))
    reserve(budget, HALF, monthly, now=last + timedelta(microseconds=1))
    with pytest.raises(PrivacyError, match="for 2026-12 can't"):
        reserve(budget, HALF, monthly, now=last + timedelta(days=1))


def test_a_cap_that_comes_later_finds_what_was_spent_before_it(budget: Budget) -> None:
    reserve(budget, HALF, caps())
    for scope, period in itertools.product((Scope.CONTRACT, Scope.OWNER), (None, *Period)):
        with pytest.raises(PrivacyError):
            reserve(budget, HALF, caps(cap(scope, 0.75, period)))
    with pytest.raises(PrivacyError):
        reserve(budget, Cost(rho_quanta=1, delta_quanta=0), Caps((life(0.25),)))


def test_a_clock_that_goes_back_opens_no_period_twice(budget: Budget) -> None:
    monthly = caps(cap(Scope.ACCOUNT, 0.5, Period.MONTH))
    reserve(budget, HALF, monthly, now=datetime(2026, 11, 3, tzinfo=UTC))
    december = datetime(2026, 12, 3, tzinfo=UTC)
    reserve(budget, HALF, monthly, now=december)
    for past in (datetime(2026, 11, 3, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)):
        with pytest.raises(PrivacyError, match="The clock stands before the newest reservation"):
            reserve(budget, Cost.of(0.1), monthly, now=past)
    # What fits is counted to the newest moment seen, not to the clock's.
    small = reserve(budget, Cost.of(0.1), caps(), now=datetime(2025, 1, 1, tzinfo=UTC))
    assert small.at == december
    assert budget.audit() == ()


def test_the_same_call_again_is_the_same_reservation(budget: Budget) -> None:
    first = reserve(budget, HALF, caps(rho=0.5), reservation=ID)
    again = reserve(budget, HALF, caps(rho=0.5), reservation=ID, now=NOW + timedelta(days=400))
    assert again == first
    assert again.at == NOW
    assert spent(budget) == HALF.rho_quanta


@pytest.mark.parametrize(
    "changed",
    [
        {"cost": Cost.of(0.25)},
        {"cost": UNBOUNDED},
        {"account": replace(BASKETS, dataset="grocery/visits")},
        {"spender": OTHER},
        {"spender": replace(SPENDER, door=Door.TRAIN)},
        {"wanted": caps(rho=99)},
    ],
)
def test_one_id_stands_for_one_reservation(budget: Budget, changed: dict[str, object]) -> None:
    call: dict[str, object] = {"cost": HALF, "wanted": caps(), "reservation": ID}
    reserve(budget, **call)  # type: ignore[arg-type]
    with pytest.raises(PrivacyError) as refused:
        reserve(budget, **{**call, **changed})  # type: ignore[arg-type]
    assert str(refused.value) == (
        "The id of this reservation stands for another one, with another account, spender, cost or caps. "
        f"(reservation {ID}) Reserve under a new id; what the other one counted stays counted."
    )
    assert spent(budget) == HALF.rho_quanta


def test_the_order_in_which_caps_and_owners_are_listed_says_nothing(budget: Budget) -> None:
    one, other = cap(Scope.OWNER, 3, Period.DAY), cap(Scope.CONTRACT, 4)
    both = replace(SPENDER, owners=("Owner B", "Owner A"))
    first = reserve(budget, HALF, caps(one, other), spender=both, reservation=ID)
    turned = replace(both, owners=("Owner A", "Owner B"))
    assert reserve(budget, HALF, caps(other, one), spender=turned, reservation=ID) == first


def test_a_reservation_that_nobody_carries_out_stays_spent(budget: Budget) -> None:
    reserve(budget, HALF, caps(rho=0.5))
    with pytest.raises(PrivacyError):
        reserve(budget, HALF, caps(rho=0.5), now=NOW + timedelta(days=3650))
    assert (budget.statement(BASKETS).open, budget.statement(BASKETS).reservations) == (1, 1)


def test_a_reservation_is_spent_for_one_result(budget: Budget) -> None:
    """A retry that drew new noise would give two answers for one price, and their mean would be better than either."""
    held = reserve(budget, HALF, caps(), reservation=ID)
    first = budget.spend(held, result=RESULT, now=NOW)
    assert budget.spend(held, result=RESULT, now=NOW + timedelta(hours=1)) == first
    with pytest.raises(PrivacyError) as refused:
        budget.spend(reserve(budget, HALF, caps(), reservation=ID), result="6" * 64, now=NOW)
    assert str(refused.value) == (
        "The reservation was carried out for another result: a second one would be a second answer for one price. "
        f"(reservation {ID}) Give out the first result if it was kept, or reserve anew."
    )
    assert budget.statement(BASKETS).open == 0


def test_nobody_makes_a_reservation_or_its_proof_by_hand(budget: Budget) -> None:
    held = reserve(budget, HALF, caps())
    with pytest.raises(InternalError):
        Reservation(**vars(held))
    with pytest.raises(InternalError):
        replace(held, cost=Cost.of(0))
    with pytest.raises(InternalError):
        Spent(reservation=held, result=RESULT)


def test_a_release_without_dp_stands_there_and_leaves_the_rest_to_its_caps(budget: Budget) -> None:
    reserve(budget, HALF, caps(rho=1))
    reserve(budget, UNBOUNDED, caps(rho=1))
    reserve(budget, HALF, caps(rho=1))
    with pytest.raises(PrivacyError):
        reserve(budget, HALF, caps(rho=1))
    reserve(budget, UNBOUNDED, caps(rho=1))  # costs nothing of a limit, even of one that is used up
    statement = budget.statement(BASKETS)
    assert not statement.bounded
    assert statement.epsilon(1e-6) is None
    assert statement.total.unbounded == 2
    assert statement.guarantee(1e-6) == (
        "No finite guarantee over all: 2 of 4 releases have no differential privacy. "
        "The others alone: epsilon 7.767 at delta 1e-06."
    )


def test_a_finite_cap_refuses_a_release_without_dp(budget: Budget) -> None:
    with pytest.raises(PrivacyError) as refused:
        reserve(budget, UNBOUNDED, Caps((life(1, finite=True),)), reservation=ID)
    assert str(refused.value) == (
        "The privacy budget of the whole dataset for life stays finite, and a release without differential privacy has no "
        f"finite cost. (dataset grocery/baskets, unit household/whole-record, reservation {ID}) "
        "Release it with differential privacy, or sign a cap that needn't stay finite."
    )


def test_a_finite_cap_is_used_up_by_a_release_without_dp_in_its_scope(budget: Budget) -> None:
    reserve(budget, UNBOUNDED, caps())
    with pytest.raises(PrivacyError, match="a release without differential privacy used it up"):
        reserve(budget, HALF, Caps((life(1, finite=True),)), spender=OTHER)
    owners = caps(cap(Scope.OWNER, 1, finite=True))
    with pytest.raises(PrivacyError, match="beneficial owner ownera for life stays finite"):
        reserve(budget, HALF, owners)
    reserve(budget, HALF, owners, spender=OTHER)
    monthly = caps(cap(Scope.ACCOUNT, 1, Period.MONTH, finite=True))
    with pytest.raises(PrivacyError, match="2026-11 stays finite"):
        reserve(budget, HALF, monthly)
    reserve(budget, HALF, monthly, now=NOW + timedelta(days=31))


def test_the_refusal_says_which_cap_what_is_left_and_when_it_turns(budget: Budget) -> None:
    weekly = caps(cap(Scope.CONTRACT, 0.75, Period.WEEK), cap(Scope.OWNER, 2, Period.DAY))
    reserve(budget, HALF, weekly)
    with pytest.raises(PrivacyError) as refused:
        reserve(budget, HALF, weekly, reservation=ID)
    assert str(refused.value) == (
        "The privacy budget of contract urn:sluice:contract:grocery for 2026-W48 can't carry this: it costs rho 0.5, "
        "and rho 0.25 is left of rho 0.75. "
        f"(dataset grocery/baskets, unit household/whole-record, reservation {ID}) "
        "Ask for less, or again from 2026-11-30 00:00 UTC on, when the next period begins."
    )
    assert refused.value.exit_code is ExitCode.REFUSED
    assert refused.value.facts["turns"] == "2026-11-30T00:00:00+00:00"
    assert refused.value.facts["left_rho_quanta"] == Limit.of(0.25).rho_quanta


def test_what_waiting_cant_mend_is_told_first(budget: Budget) -> None:
    both = Caps((cap(Scope.CONTRACT, 0.5, Period.DAY), life(0.75)))
    reserve(budget, HALF, both)
    with pytest.raises(
        PrivacyError, match="what is spent never comes back, and only a greater cap"
    ) as refused:
        reserve(budget, HALF, both)
    assert refused.value.facts["caps"] == (
        "the whole dataset for life",
        "contract urn:sluice:contract:grocery for 2026-11-23",
    )
    with pytest.raises(PrivacyError, match="Ask for less: it's more than the whole cap"):
        reserve(budget, ONE, both)


@pytest.mark.parametrize("now", [datetime(2026, 11, 23), datetime(1999, 1, 1, tzinfo=UTC)])
def test_a_moment_that_cant_be_placed_is_refused(budget: Budget, now: datetime) -> None:
    with pytest.raises(InternalError, match="moment that can't be placed"):
        reserve(budget, HALF, caps(), now=now)


@pytest.mark.parametrize("name", ["", "x", f"{{{ID}}}", ID.replace("-", ""), f"{ID}/../head"])
def test_an_id_is_a_uuid(budget: Budget, name: str) -> None:
    with pytest.raises(InternalError, match="no UUID"):
        budget.reserve(BASKETS, SPENDER, HALF, caps(), now=NOW, reservation=name)


def test_a_result_is_a_digest(budget: Budget) -> None:
    with pytest.raises(InternalError, match="no SHA-256"):
        budget.spend(reserve(budget, HALF, caps()), result="42", now=NOW)


def test_caps_need_one_over_the_datasets_life() -> None:
    with pytest.raises(ContractError, match="No cap counts the whole dataset over its life"):
        Caps((cap(Scope.CONTRACT, 1), cap(Scope.ACCOUNT, 1, Period.YEAR)))
    with pytest.raises(ContractError, match="Two caps speak of the same"):
        Caps((life(1), life(2)))


@pytest.mark.parametrize("owners", [(), ("Owner", "..."), ("",), ("Owner\n",)])
def test_a_spender_has_owners_that_can_be_told_apart(owners: tuple[str, ...]) -> None:
    with pytest.raises(ContractError):
        Spender(contract="c", owners=owners, door=Door.QUERY)


@pytest.mark.parametrize("name", ["", " a", "a\n", "ａ", "a" * 301, "\ud800", "e\u0301"])
def test_a_name_has_one_spelling(name: str) -> None:
    """A second spelling would open a second budget."""
    for build in (
        lambda: Account(dataset=name, unit="u"),
        lambda: Account(dataset="d", unit=name),
        lambda: Spender(contract=name, owners=("o",), door=Door.QUERY),
    ):
        with pytest.raises(ContractError, match="no usable name"):
            build()


@pytest.mark.parametrize(
    ("period", "start", "turns", "called"),
    [
        (Period.DAY, (2026, 12, 31), (2027, 1, 1), "2026-12-31"),
        (Period.WEEK, (2026, 12, 28), (2027, 1, 4), "2026-W53"),
        (Period.MONTH, (2026, 12, 1), (2027, 1, 1), "2026-12"),
        (Period.QUARTER, (2026, 10, 1), (2027, 1, 1), "2026-Q4"),
        (Period.YEAR, (2026, 1, 1), (2027, 1, 1), "2026"),
    ],
)
def test_periods(
    period: Period, start: tuple[int, int, int], turns: tuple[int, int, int], called: str
) -> None:
    at = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    assert period.start(at) == datetime(*start).date()
    assert period.turns(at) == datetime(*turns, tzinfo=UTC)
    assert period.called(period.start(at)) == called
    assert period.start(period.turns(at)) == period.turns(at).date()
    assert period.start(period.turns(at) - timedelta(microseconds=1)) == period.start(at)


def test_a_contracts_duration_is_a_period_of_the_calendar() -> None:
    assert [period_of(text) for text in ("P1D", "P7D", "P1W", "P1M", "P3M", "P12M", "P1Y")] == [
        Period.DAY, Period.WEEK, Period.WEEK, Period.MONTH, Period.QUARTER, Period.YEAR, Period.YEAR,
    ]  # fmt: skip
    with pytest.raises(ContractError, match="Write one of P1D, P1W, P1M, P3M, P1Y, P7D, P12M"):
        period_of("P10D")


def test_moments_are_taken_in_utc() -> None:
    shanghai = datetime(2026, 12, 1, 7, tzinfo=timezone(timedelta(hours=8)))
    assert as_utc(shanghai).isoformat() == "2026-11-30T23:00:00+00:00"
