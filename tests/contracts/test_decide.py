"""The decision: default no, days whole and in UTC."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.decide import Deny, Permit, decide, require
from core.errors import ContractError, UsageError
from tests.agreement import agreement

CONTRACT = agreement(id="c", version="1")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "clause"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), None),
        (datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), None),
        (datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC), "sluiceTerm.from"),
        (datetime(2027, 1, 1, tzinfo=UTC), "sluiceTerm.until"),
        (datetime(2026, 1, 1, 7, 59, tzinfo=timezone(timedelta(hours=8))), "sluiceTerm.from"),
        (datetime(2027, 1, 1, 7, 59, tzinfo=timezone(timedelta(hours=8))), None),
    ],
)
def test_both_days_are_included_and_counted_in_utc(at: datetime, clause: str | None) -> None:
    decision = decide(CONTRACT, at=at)
    assert (decision.clause if isinstance(decision, Deny) else None) == clause


@pytest.mark.parametrize("status", ["draft", "Active", "", "retired", "active "])
def test_only_active_is_in_force(status: str) -> None:
    decision = decide(replace(CONTRACT, status=status), at=NOON)
    assert decision == Deny(
        clause="status",
        reason=f"Contract c 1 is `{status}`.",
        remedy="Set status: active once both parties have agreed.",
    )


@pytest.mark.parametrize("door", ["query", "train", "", "Release"])
def test_a_door_that_the_contract_does_not_open_stays_shut(door: str) -> None:
    decision = decide(CONTRACT, door=door, at=NOON)
    assert isinstance(decision, Deny)
    assert decision.clause == "door"


def test_a_moment_needs_a_zone() -> None:
    with pytest.raises(UsageError):
        decide(CONTRACT, at=datetime(2026, 6, 1))


def test_require_gives_the_permit_or_raises_with_the_clause() -> None:
    assert require(CONTRACT, at=NOON) == Permit(contract_id="c", door="release")
    with pytest.raises(ContractError) as caught:
        require(CONTRACT, at=datetime(2027, 1, 1, tzinfo=UTC))
    assert caught.value.facts["clause"] == "sluiceTerm.until"
    assert str(caught.value) == (
        "Contract c 1 ended with 2026-12-31, and it is 2027-01-01. (clause sluiceTerm.until) "
        "Agree on a new version with a later end."
    )


@given(
    status=st.sampled_from(["active", "draft", "x"]),
    door=st.sampled_from(["release", "query", "x"]),
    at=st.datetimes(min_value=datetime(2025, 6, 1), max_value=datetime(2027, 6, 1), timezones=st.just(UTC)),
)
def test_permitted_means_all_of_it_holds(status: str, door: str, at: datetime) -> None:
    allowed = status == "active" and door == "release" and at.year == 2026
    decision: Any = decide(replace(CONTRACT, status=status), door=door, at=at)
    assert isinstance(decision, Permit if allowed else Deny)
