"""The decision over an agreement: default no, each refusal with its clause, and never more permitted by a tighter text."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.agreement.read import read_agreement
from contracts.agreement.vocabulary import PERMISSION_OPERANDS
from contracts.decision import Deny, Permit, Request, decide
from core.errors import ContractError
from tests.contracts.agreement.documents import (
    ASSIGNEE,
    ASSIGNER,
    NOW,
    OTHER,
    OWN,
    at,
    changed,
    limit,
    message,
    put,
    request,
)
from tests.contracts.agreement.strategies import DOORS, JSON, MOMENTS, PLACES, requests, tightened

AGREEMENT = read_agreement(message())
BEIJING = timezone(timedelta(hours=8))


def denied(asked: Request, now: datetime = NOW) -> str:
    decision = decide(asked, AGREEMENT, now)
    assert isinstance(decision, Deny)
    at(message(), decision.clause)
    assert decision.reason
    assert decision.remedy
    return decision.clause


@pytest.mark.parametrize("door", DOORS)
def test_a_permit_names_the_permission(door: str) -> None:
    assert decide(request(door), AGREEMENT, NOW) == Permit(
        agreement=AGREEMENT.id, door=door, clause=f"agreement.permission[{DOORS.index(door)}]"
    )


@pytest.mark.parametrize(
    ("door", "changes", "clause"),
    [
        ("release", {"purpose": "advertising"}, "permission[0].constraint[0]"),
        ("release", {"purpose": "Demand-forecast"}, "permission[0].constraint[0]"),
        ("release", {"purpose": ""}, "permission[0].constraint[0]"),
        ("release", {"territory": "US"}, "permission[0].constraint[3]"),
        ("release", {"territory": "CN-HK"}, "permission[0].constraint[3]"),
        ("release", {"territory": "CN-ZJ"}, "permission[0].constraint[3]"),
        ("release", {"grade": "Platform"}, "permission[0].constraint[4]"),
        ("release", {"grade": "sme"}, "permission[0].constraint[4]"),
        ("release", {"demands": {"minGroupSize": 9}}, "permission[0].constraint[5]"),
        ("release", {"demands": {"minGroupSize": None}}, "permission[0].constraint[5]"),
        ("release", {"demands": {"minGroupSize": float("inf")}}, "permission[0].constraint[5]"),
        ("release", {"demands": {"minGroupSize": Decimal("inf")}}, "permission[0].constraint[5]"),
        ("release", {"demands": {"diversity": 1}}, "permission[0].constraint[6]"),
        ("query", {"demands": {"epsilonPerQuestion": "0.50000000000000001"}}, "permission[1].constraint[6]"),
        ("query", {"demands": {"epsilonPerPeriod": 2.0000001}}, "permission[1].constraint[7]"),
        ("query", {"demands": {"epsilonPeriod": "P1D"}}, "permission[1].constraint[8]"),
        ("query", {"demands": {"epsilonForLife": float("nan")}}, "permission[1].constraint[9]"),
        ("query", {"demands": {"epsilonForLife": Decimal("sNaN")}}, "permission[1].constraint[9]"),
        ("query", {"demands": {"epsilonForLife": -1}}, "permission[1].constraint[9]"),
        ("query", {"demands": {"deltaForLife": float("inf")}}, "permission[1].constraint[10]"),
        ("query", {"demands": {"privacyUnit": "whole-record"}}, "permission[1].constraint[11]"),
        ("train", {"demands": {"rounds": 21}}, "permission[2].constraint[8]"),
        ("train", {"demands": {"rounds": True}}, "permission[2].constraint[8]"),
        ("train", {"demands": {"algorithm": "anything"}}, "permission[2].constraint[9]"),
        ("train", {"demands": {"cohortPlatform": [ASSIGNER, ASSIGNEE]}}, "permission[2].constraint[10]"),
        ("train", {"demands": {"cohortPlatform": []}}, "permission[2].constraint[10]"),
        ("train", {"demands": {"cohortPlatform": [OTHER.lower()]}}, "permission[2].constraint[10]"),
        ("train", {"demands": {"minCohort": 1}}, "permission[2].constraint[11]"),
        ("train", {"demands": {"feature": ["age", "income"]}}, "permission[2].constraint[12]"),
        ("train", {"demands": {"feature": ["age", None]}}, "permission[2].constraint[12]"),
        ("train", {"demands": {"label": ["redeemed", "age"]}}, "permission[2].constraint[13]"),
        ("release", {"assignee": ASSIGNER}, "assignee"),
        ("release", {"assignee": ASSIGNEE.lower()}, "assignee"),
        ("release", {"assignee": ""}, "assignee"),
        ("Release", {}, "permission"),
        ("", {}, "permission"),
        ("release", {"acts": frozenset({"reidentify"})}, "prohibition[0]"),
        ("release", {"acts": frozenset({"distribute"})}, "prohibition[1]"),
        ("release", {"acts": frozenset({"odrl:distribute"})}, "prohibition[1]"),
        ("release", {"acts": frozenset({"combine"})}, "prohibition[2]"),
        ("release", {"acts": frozenset({"sell"})}, "permission"),
        ("release", {"acts": frozenset({"query"})}, "permission"),
        ("release", {"combined_with": frozenset({"credit-scores", "weather"})}, "prohibition[2]"),
        ("release", {"combined_with": frozenset({"CREDIT-scores"})}, "prohibition[2]"),
        ("release", {"combined_with": frozenset({"ｃredit-scores"})}, "prohibition[2]"),
        ("release", {"combined_with": frozenset({" credit-scores"})}, "prohibition"),
        ("release", {"combined_with": frozenset({""})}, "prohibition"),
    ],
)  # fmt: skip
def test_each_refusal_names_its_clause(door: str, changes: dict[str, Any], clause: str) -> None:
    assert denied(request(door, **changes)) == f"agreement.{clause}"


@pytest.mark.parametrize(
    ("door", "changes"),
    [
        ("release", {"purpose": "supply-chain-credit"}),
        ("release", {"grade": "LittleGiant"}),
        ("release", {"demands": {"minGroupSize": 10**12}}),
        ("release", {"combined_with": frozenset({"weather"})}),
        ("release", {"combined_with": frozenset({"weather"}), "acts": frozenset({"combine"})}),
        ("release", {"acts": frozenset({"release", "use"})}),
        ("query", {"demands": {"epsilonPerQuestion": 0, "deltaForLife": 0.0}}),
        ("train", {"demands": {"cohortPlatform": f"urn:uscc:{OTHER}"}}),
        ("train", {"demands": {"label": ["redeemed"], "feature": "收入"}}),
    ],
)
def test_what_is_within_the_clauses_passes(door: str, changes: dict[str, Any]) -> None:
    assert isinstance(decide(request(door, **changes), AGREEMENT, NOW), Permit)


@pytest.mark.parametrize("door", DOORS)
def test_a_request_that_does_not_say_is_denied(door: str) -> None:
    whole = request(door)
    for name in whole.demands:
        demands = {key: value for key, value in whole.demands.items() if key != name}
        decision = decide(
            Request(
                door=door,
                assignee=ASSIGNEE,
                grade="SME",
                purpose="demand-forecast",
                territory="CN",
                demands=demands,
            ),
            AGREEMENT,
            NOW,
        )
        assert isinstance(decision, Deny)
        assert f"({name})" in decision.reason
        assert "says nothing of it" in decision.reason


@pytest.mark.parametrize(
    ("now", "clause"),
    [
        (datetime(2027, 1, 1, tzinfo=BEIJING), None),
        (datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=BEIJING), "agreement.permission[0].constraint[1]"),
        (datetime(2026, 12, 31, 16, tzinfo=UTC), None),
        (datetime(2027, 12, 31, 23, 59, 59, tzinfo=BEIJING), None),
        (datetime(2027, 12, 31, 23, 59, 59, 1, tzinfo=BEIJING), "agreement.permission[0].constraint[2]"),
        (datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC), "agreement.permission[0].constraint[2]"),
        (datetime(2026, 12, 20, tzinfo=UTC), "agreement.timestamp"),
        (datetime(2027, 3, 1), "agreement.timestamp"),
        (datetime.min.replace(tzinfo=BEIJING), "agreement.timestamp"),
        (datetime.max.replace(tzinfo=timezone(-timedelta(hours=8))), "agreement.permission[0].constraint[2]"),
    ],
)
def test_moments_are_compared_with_their_zones(now: datetime, clause: str | None) -> None:
    decision = decide(request(), AGREEMENT, now)
    assert (decision.clause if isinstance(decision, Deny) else None) == clause


def test_lt_leaves_its_moment_out() -> None:
    document = changed("agreement", "permission", 0, "constraint", 2, to=limit("odrl:dateTime", "lt", "2027-03-01T12:00:00Z"))  # fmt: skip
    agreement = read_agreement(document)
    assert isinstance(decide(request(), agreement, NOW), Deny)
    assert isinstance(decide(request(), agreement, NOW - timedelta(microseconds=1)), Permit)


def test_what_is_said_to_the_asker() -> None:
    assert decide(request(demands={"minGroupSize": 5}), AGREEMENT, NOW) == Deny(
        clause="agreement.permission[0].constraint[5]",
        reason="The clause wants k at least 10, and the request says `5`.",
        remedy="Ask within the clause, or agree on a new version of it.",
    )
    assert decide(request(purpose="advertising"), AGREEMENT, NOW) == Deny(
        clause="agreement.permission[0].constraint[0]",
        reason="The clause wants purposes among `demand-forecast`, `supply-chain-credit`, and the request says "
        "`advertising`.",
        remedy="Ask within the clause, or agree on a new version of it.",
    )
    assert decide(request(), AGREEMENT, datetime(2028, 1, 1, tzinfo=UTC)) == Deny(
        clause="agreement.permission[0].constraint[2]",
        reason="The clause wants time until 2027-12-31T15:59:59Z, and the request says `2028-01-01T00:00:00Z`.",
        remedy="Ask within the clause, or agree on a new version of it.",
    )
    unknown = changed("agreement", "permission", 0, "constraint", 7, to=limit("odrl:payAmount", "eq", "5"))
    decision = decide(request(), read_agreement(unknown), NOW)
    assert isinstance(decision, Deny)
    assert decision.reason.startswith(
        "`odrl:payAmount` isn't understood, and what isn't understood is a refusal."
    )


def test_another_permission_of_the_door_may_grant() -> None:
    document = message()
    wider = copy.deepcopy(document["agreement"]["permission"][0])
    wider["constraint"][0]["rightOperand"] = "research"
    document["agreement"]["permission"].append(wider)
    agreement = read_agreement(document)
    decision = decide(request(purpose="research"), agreement, NOW)
    assert isinstance(decision, Permit)
    assert decision.clause == "agreement.permission[3]"
    refused = decide(request(purpose="advertising"), agreement, NOW)
    assert isinstance(refused, Deny)
    assert refused.clause == "agreement.permission[0].constraint[0]"


@pytest.mark.parametrize(
    ("rule", "denies"),
    [
        ({"action": "odrl:use"}, DOORS),
        ({"action": "use"}, DOORS),
        ({"action": OWN + "query"}, ("query",)),
    ],
)
def test_a_forbidden_door_is_shut_whatever_is_permitted(
    rule: dict[str, Any], denies: tuple[str, ...]
) -> None:
    agreement = read_agreement(changed("agreement", "prohibition", 3, to=rule))
    for door in DOORS:
        decision = decide(request(door), agreement, NOW)
        assert isinstance(decision, Deny) == (door in denies)
        if isinstance(decision, Deny):
            assert decision.clause == "agreement.prohibition[3]"


def test_combining_forbidden_without_names_is_forbidden_with_anything() -> None:
    document = changed("agreement", "prohibition", 2, to={"action": OWN + "combine"})
    decision = decide(request(combined_with=frozenset({"weather"})), read_agreement(document), NOW)
    assert isinstance(decision, Deny)
    assert decision.clause == "agreement.prohibition[2]"


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.binary(max_size=3)
    | st.decimals() | st.lists(st.text(max_size=3) | st.integers(), max_size=3) | st.just(10**5000)
    | st.just(object()) | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
    | st.frozensets(st.integers() | st.text(max_size=4), max_size=3) | st.datetimes()
)  # fmt: skip
FIELDS = ("door", "assignee", "grade", "purpose", "territory", "demands", "combined_with", "acts")


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from(DOORS),
    st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=3),
    st.dictionaries(st.sampled_from([each.name for each in PERMISSION_OPERANDS]), ANYTHING, max_size=3),
    st.datetimes(timezones=st.none() | st.just(UTC) | st.just(BEIJING)),
)
def test_no_request_breaks_the_decision(
    door: str, fields: dict[str, Any], demands: dict[str, Any], now: datetime
) -> None:
    good = request(door, demands=demands)
    said = {name: fields.get(name, getattr(good, name)) for name in FIELDS}
    for moment in (now, NOW):
        decision = decide(Request(**said), AGREEMENT, moment)
        if isinstance(decision, Deny):
            at(message(), decision.clause)
            assert len(decision.reason) < 2000


def never_opens_more(asked: Request, before: dict[str, Any], after: dict[str, Any], now: datetime) -> None:
    try:
        tighter = read_agreement(after)
    except ContractError:
        return
    if isinstance(decide(asked, read_agreement(before), now), Deny):
        assert isinstance(decide(asked, tighter, now), Deny)


ACTIONS = [
    OWN + "reidentify",
    "odrl:distribute",
    OWN + "combine",
    "odrl:use",
    "use",
    OWN + "query",
    "odrl:sell",
    "",
    None,
]
VALUES: dict[str, list[Any]] = {
    "odrl:purpose": ["demand-forecast", ["demand-forecast", "advertising"], [], 3],
    "odrl:dateTime": ["2027-01-01T00:00:00Z", "2027-06-01T00:00:00+08:00", "2027-06-01T00:00:00"],
    "odrl:spatial": ["CN", ["CN", "US"], "Mars"],
    OWN + "minGroupSize": ["5", 12, "x"],
    OWN + "epsilonForLife": ["4", 8, "inf"],
    OWN + "recipientGrade": [["SME"], ["Platform", "SME"], "x"],
    OWN + "feature": [["age"], "x"],
    OWN + "dataset": [["weather"], "credit-scores"],
    "odrl:elapsedTime": ["P9D"],
    "odrl:count": ["1"],
}
CONSTRAINTS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda operand: st.builds(
        limit,
        st.just(operand),
        st.sampled_from(["eq", "isAnyOf", "gteq", "lteq", "lt", "isNoneOf", "odrl:eq"]),
        st.sampled_from(VALUES[operand]),
    )
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    requests(),
    st.builds(
        lambda action, constraint: {"action": action, **({"constraint": constraint} if constraint else {})},
        st.sampled_from(ACTIONS),
        st.lists(CONSTRAINTS, max_size=2),
    )
    | JSON,
    st.integers(0, 3),
    MOMENTS,
)
def test_a_further_prohibition_never_opens_more(asked: Request, rule: Any, place: int, now: datetime) -> None:
    after = message()
    after["agreement"]["prohibition"].insert(place, rule)
    never_opens_more(asked, message(), after, now)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests(), CONSTRAINTS | JSON, st.integers(0, 2), st.integers(0, 6), MOMENTS)
def test_a_further_constraint_never_opens_more(
    asked: Request, constraint: Any, permission: int, place: int, now: datetime
) -> None:
    after = message()
    after["agreement"]["permission"][permission]["constraint"].insert(place, constraint)
    never_opens_more(asked, message(), after, now)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests(), tightened(), MOMENTS)
def test_a_tighter_constraint_never_opens_more(
    asked: Request, documents: tuple[dict[str, Any], dict[str, Any]], now: datetime
) -> None:
    never_opens_more(asked, *documents, now)


def test_the_properties_see_permits_too() -> None:
    """Were every request denied anyway, they would prove nothing."""
    seen = set()

    @settings(max_examples=200, deadline=None, database=None, derandomize=True)
    @given(requests(), MOMENTS)
    def look(asked: Request, now: datetime) -> None:
        seen.add((asked.door, type(decide(asked, AGREEMENT, now))))

    look()
    assert seen >= {(door, kind) for door in DOORS for kind in (Permit, Deny)}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PLACES), JSON, requests(), MOMENTS)
def test_no_document_breaks_the_decision(path: Any, value: Any, asked: Request, now: datetime) -> None:
    document = message()
    put(document, path, value)
    try:
        agreement = read_agreement(document)
    except ContractError:
        return
    decision = decide(asked, agreement, now)
    if isinstance(decision, Deny):
        at(document, decision.clause)
