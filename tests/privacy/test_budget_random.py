"""Any sequence of reservations, spendings, crashes, retries and clocks, against a model of a few sums in plain Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from contracts.agreement.vocabulary import Door
from core.errors import PrivacyError
from privacy.budget.amounts import UNBOUNDED, Cost, Limit
from privacy.budget.budget import Budget
from privacy.budget.periods import Period
from privacy.budget.terms import Account, Cap, Caps, Scope, Spender
from tests.privacy.budget_stores import BASKETS, NOW, FaultyStore, MemoryStore, new_id, raising

ACCOUNTS = (BASKETS, replace(BASKETS, unit="customer"))
LIMITS = {
    (Scope.CONTRACT, None): (30, 3),
    (Scope.OWNER, None): (40, 4),
    (Scope.ACCOUNT, None): (60, 5),
    (Scope.CONTRACT, Period.DAY): (12, 2),
    (Scope.OWNER, Period.WEEK): (20, 3),
    (Scope.ACCOUNT, Period.MONTH): (35, 4),
}
CAPS = Caps(
    tuple(
        Cap(scope=scope, period=period, limit=Limit(rho_quanta=rho, delta_quanta=delta))
        for (scope, period), (rho, delta) in LIMITS.items()
    )
)
SPENDERS = st.builds(
    lambda contract, owners: Spender(contract=contract, owners=tuple(owners), door=Door.QUERY),
    st.sampled_from(["c1", "c2", "c3"]),
    st.sets(st.sampled_from(["a", "b", "c"]), min_size=1),
)
COSTS = st.one_of(
    st.builds(
        lambda rho, delta: Cost(rho_quanta=rho, delta_quanta=delta), st.integers(0, 14), st.integers(0, 1)
    ),
    st.just(UNBOUNDED),
)
CRASHES = st.sampled_from(["none", "before", "after"])


Call = tuple[str, Account, Spender, Cost]
Granted = tuple[Account, Spender, Cost, datetime]


class Crash(BaseException):
    """The process ends."""


class BudgetMachine(RuleBasedStateMachine):
    """The model keeps, for each account, what was granted: who, how much, and to which day it was counted."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.granted: dict[str, Granted] = {}
        self.newest: dict[Account, datetime] = {}
        self.results: dict[str, str] = {}
        self.now = NOW

    @rule(hours=st.integers(-2000, 3000))
    def the_clock_moves(self, hours: int) -> None:
        self.now = max(datetime(2026, 1, 1, tzinfo=UTC), self.now + timedelta(hours=hours))

    @rule(
        target=calls,
        account=st.sampled_from(ACCOUNTS),
        spender=SPENDERS,
        cost=COSTS,
        crash=CRASHES,
    )
    def a_reservation(self, account: Account, spender: Spender, cost: Cost, crash: str) -> object:
        call: Call = (new_id(), account, spender, cost)
        self._reserve(call, crash)
        return call

    @rule(call=calls, crash=CRASHES)
    def a_retry(self, call: Call, crash: str) -> None:
        self._reserve(call, crash)

    @rule(target=calls, call=calls, cost=COSTS)
    def an_id_for_something_else(self, call: Call, cost: Cost) -> object:
        if call[0] not in self.granted or cost == call[3]:
            return multiple()
        before = dict(self.store.entries)
        try:
            self._budget("none").reserve(call[1], call[2], cost, CAPS, now=self.now, reservation=call[0])
        except PrivacyError:
            assert self.store.entries == before
            return multiple()
        raise AssertionError("One id stood for two.")

    @rule(call=calls, result=st.sampled_from(["1" * 64, "2" * 64]), crash=CRASHES)
    def a_spending(self, call: Call, result: str, crash: str) -> None:
        if call[0] not in self.granted:
            return
        _, account, spender, cost = call
        held = self._budget("none").reserve(account, spender, cost, CAPS, now=self.now, reservation=call[0])
        allowed = self.results.get(call[0], result) == result
        try:
            self._budget(crash).spend(held, result=result, now=self.now)
            assert allowed
            self.results[call[0]] = result
        except PrivacyError:
            assert not allowed
        except Crash:
            if crash == "after" and allowed:
                self.results[call[0]] = result

    @invariant()
    def the_sums_are_the_models_and_keep_every_cap(self) -> None:
        budget = Budget(self.store)
        assert budget.audit() == ()
        for account in ACCOUNTS:
            rows = [row for row in self.granted.values() if row[0] == account]
            for (scope, period), limit in LIMITS.items():
                for total in self._sums(rows, scope, period).values():
                    assert total[0] <= limit[0]
                    assert total[1] <= limit[1]
            statement = budget.statement(account)
            assert statement.reservations == len(rows)
            found = {
                (line.scope, line.name): (
                    line.total.rho_quanta,
                    line.total.delta_quanta,
                    line.total.unbounded,
                )
                for line in statement.lines
                if line.period == "life"
            }
            wanted = {
                (scope, name): total
                for scope in Scope
                for (name, _), total in self._sums(rows, scope, None).items()
            }
            assert found == wanted
        assert sum(budget.statement(each).open for each in ACCOUNTS) == len(self.granted) - len(self.results)

    def _reserve(self, call: Call, crash: str) -> None:
        reservation, account, spender, cost = call
        at = max(self.now, self.newest.get(account, self.now))
        row = (account, spender, cost, at)
        known = reservation in self.granted
        fits = known or cost.unbounded or self._fits(row)
        try:
            held = self._budget(crash).reserve(
                account, spender, cost, CAPS, now=self.now, reservation=reservation
            )
            assert fits
            assert held.at == (self.granted[reservation][3] if known else at)
        except PrivacyError:
            assert not fits
            return
        except Crash:
            assert fits
            if crash == "before" or known:
                return
        if not known:
            self.granted[reservation] = row
            self.newest[account] = at

    def _budget(self, crash: str) -> Budget:
        faults = {crash: [raising(Crash())]} if crash != "none" else {}
        return Budget(FaultyStore(self.store, **faults))

    def _fits(self, row: Granted) -> bool:
        """Whether the model, with this row, keeps the caps in every scope that the row is in."""
        rows = [each for each in self.granted.values() if each[0] == row[0]] + [row]
        for (scope, period), limit in LIMITS.items():
            sums = self._sums(rows, scope, period)
            for name in self._sums([row], scope, period):
                if sums[name][0] > limit[0] or sums[name][1] > limit[1]:
                    return False
        return True

    @staticmethod
    def _sums(
        rows: list[Granted], scope: Scope, period: Period | None
    ) -> dict[tuple[str, str], tuple[int, int, int]]:
        """By name and the period's own spelling, by the standard library alone: rho, delta, unbounded."""
        formats = {None: "", Period.DAY: "%Y-%m-%d", Period.WEEK: "%G-%V", Period.MONTH: "%Y-%m"}
        sums: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
        for _, spender, cost, at in rows:
            names = {Scope.CONTRACT: (spender.contract,), Scope.OWNER: spender.owners, Scope.ACCOUNT: ("",)}
            for name in names[scope]:
                sums[name, at.strftime(formats[period])].update(
                    {0: cost.rho_quanta, 1: cost.delta_quanta, 2: int(cost.unbounded)}
                )
        return {key: (total[0], total[1], total[2]) for key, total in sums.items()}


TestBudgetMachine = pytest.mark.slow(BudgetMachine.TestCase)
TestBudgetMachine.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
