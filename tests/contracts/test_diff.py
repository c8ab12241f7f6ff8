"""The diff: nothing for equals, never `widens` for what is tighter, always for what is looser or can't be judged."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.agreement.read import read_agreement
from contracts.agreement.values import Period
from contracts.changes.boxes import no_longer
from contracts.changes.change import WEIGHTS
from contracts.checks import Check, CheckKind, Scope
from contracts.decision import Deny, Permit, decide
from contracts.declared import Compliance, Grade, ProvisionTerms, Sensitivity
from contracts.diff import Change, Sharing, Who, diff, widens
from contracts.model import Column, Contract, LogicalType, Role, Source, Table, TableKind, Term
from contracts.odcs import load_contract
from contracts.protection import (
    CellPlan,
    HierarchySpec,
    PrivacyTerms,
    RowPlan,
    Transform,
    Treatment,
)
from core.errors import ContractError
from tests.contracts.agreement.documents import (
    ASSIGNER,
    OTHER,
    OWN,
    limit,
    message,
    put,
)
from tests.contracts.agreement.strategies import JSON, MOMENTS, PLACES, requests, tightened

CONTRACT = load_contract(Path(__file__).parent / "shop.odcs.yaml")
AGREEMENT = read_agreement(message())
BASE = Sharing(contract=CONTRACT, agreement=AGREEMENT)
PERMISSION = ("agreement", "permission")


def with_terms(document: dict[str, Any]) -> Sharing:
    return Sharing(contract=CONTRACT, agreement=read_agreement(document))


def with_data(**changes: Any) -> Sharing:
    return Sharing(contract=replace(CONTRACT, **changes), agreement=AGREEMENT)


def with_column(table: int, place: int, **changes: Any) -> Sharing:
    columns = list(CONTRACT.tables[table].columns)
    columns[place] = replace(columns[place], **changes)
    return with_table(table, columns=tuple(columns))


def with_table(table: int, **changes: Any) -> Sharing:
    tables = list(CONTRACT.tables)
    tables[table] = replace(tables[table], **changes)
    return with_data(tables=tuple(tables))


def words(old: Sharing, new: Sharing) -> list[str]:
    return [change.words for change in diff(old, new)]


def changed(*path: Any, to: Any) -> Sharing:
    document = message()
    put(document, path, to)
    return with_terms(document)


def without(*path: Any) -> Sharing:
    document = message()
    inner: Any = document
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return with_terms(document)


def test_equal_sharings_have_no_diff() -> None:
    assert diff(BASE, BASE) == ()
    assert diff(BASE, with_terms(message())) == ()
    assert diff(Sharing(contract=CONTRACT), Sharing(contract=CONTRACT)) == ()
    assert not widens(())


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON), max_size=3))
def test_no_agreement_differs_from_itself(changes: list[tuple[Any, Any]]) -> None:
    document = message()
    for path, value in changes:
        try:
            put(document, path, value)
        except (TypeError, KeyError, IndexError):
            continue
    try:
        sharing = with_terms(document)
    except ContractError:
        return
    assert diff(sharing, with_terms(document)) == ()
    diff(BASE, sharing)
    diff(sharing, BASE)


# Each: from the base to the new one; the words of what widens, then of what doesn't.
@pytest.mark.parametrize(
    ("new", "wider", "others"),
    [
        (changed(*PERMISSION, 0, "constraint", 0, "rightOperand", to=["demand-forecast", "advertising"]),
         ["The recipient gains purposes (release): `advertising`."], ["The recipient loses purposes (release): `supply-chain-credit`."]),
        (changed(*PERMISSION, 0, "constraint", 3, "rightOperand", to="US"),
         ["Territory (release) changes from `CN` to `US`: the recipient gains."], []),
        (changed(*PERMISSION, 0, "constraint", 5, "rightOperand", to="5"),
         ["K (release) changes from 10 to 5: the persons in the data lose protection."], []),
        (changed(*PERMISSION, 0, "constraint", 5, "rightOperand", to="20"),
         [], ["K (release) changes from 10 to 20: the persons in the data gain protection."]),
        (without(*PERMISSION, 0, "constraint", 6), ["There is no limit on l (release) any more; it was 2."], []),
        (changed(*PERMISSION, 1, "constraint", 6, "rightOperand", to="0.75"),
         ["Epsilon per question (query) changes from 0.5 to 0.75: the persons in the data lose protection."], []),
        (changed(*PERMISSION, 1, "constraint", 8, "rightOperand", to="P7D"),
         ["The period of epsilon (query) changes from `P1M` to `P7D`: the persons in the data lose protection."], []),
        (changed(*PERMISSION, 1, "constraint", 8, "rightOperand", to="P1Y"),
         [], ["The period of epsilon (query) changes from `P1M` to `P12M`: the persons in the data gain protection."]),
        (changed(*PERMISSION, 1, "constraint", 11, "rightOperand", to="whole-record"),
         [], ["What epsilon protects (query) changes from `month-of-unit` to `whole-record`: the persons in the data gain protection."]),
        (changed(*PERMISSION, 2, "constraint", 7, "rightOperand", to="month-of-unit"),
         ["What epsilon protects (train) changes from `whole-record` to `month-of-unit`: the persons in the data lose protection."], []),
        (changed(*PERMISSION, 2, "constraint", 8, "rightOperand", to="30"), ["Rounds (train) changes from 20 to 30: the recipient gains."], []),
        (changed(*PERMISSION, 2, "constraint", 10, "rightOperand", to=[f"urn:uscc:{ASSIGNER}"]),
         [], [f"The recipient loses platforms in the cohort (train): `{OTHER}`."]),
        (changed(*PERMISSION, 0, "constraint", 2, "rightOperand", to="2028-12-31T23:59:59Z"),
         ["The last moment (release) changes from 2027-12-31T15:59:59Z to 2028-12-31T23:59:59Z: the recipient gains."], []),
        (changed(*PERMISSION, 0, "constraint", 2, "operator", to="lt"),
         [], ["The last moment (release) changes from 2027-12-31T15:59:59Z to 2027-12-31T15:59:59Z (not counted): the recipient loses."]),
        (changed(*PERMISSION, 0, "constraint", 7, to=limit("odrl:purpose", "eq", "demand-forecast")),
         [], ["The recipient loses purposes (release): `supply-chain-credit`."]),
        (without(*PERMISSION, 0), [], ["The recipient loses the door release."]),
        (changed(*PERMISSION, 0, "constraint", 2, "rightOperand", to="2026-01-01T00:00:00Z"), [], ["The recipient loses the door release."]),
        (changed(*PERMISSION, 0, "constraint", 7, to=limit("odrl:count", "lteq", "5")),
         ["`odrl:count` is new and isn't understood: it may allow anything."], ["The recipient loses the door release."]),
        (without("agreement", "prohibition", 0), ["The recipient is no longer forbidden `reidentify`."], []),
        (changed("agreement", "prohibition", 3, to={"action": OWN + "query"}), [], ["The recipient is now forbidden `query`."]),
        (changed("agreement", "prohibition", 2, "constraint", 0, "rightOperand", to=["人口"]),
         ["The recipient is no longer forbidden combining with `credit-scores`."], []),
        (changed("agreement", "prohibition", 2, to={"action": OWN + "combine"}), [], ["The recipient is now forbidden combining with any other data."]),
        (changed("agreement", "obligation", 0, "constraint", 0, "rightOperand", to="P120D"),
         ["The recipient's duty `delete` is loosened: within 120 days instead of 90."], []),
        (changed("agreement", "obligation", 0, "constraint", 0, "rightOperand", to="P30D"),
         [], ["The recipient's duty `delete` is tightened: within 30 days instead of 90."]),
        (changed("agreement", "obligation", 1, "constraint", 0, "rightOperand", to="P7D"),
         [], ["The recipient's duty `reportUse` is tightened: every P7D instead of P1M."]),
        (changed("agreement", "obligation", 1, "constraint", 0, "rightOperand", to="P1Y"),
         ["The recipient's duty `reportUse` is loosened: every P12M instead of P1M."], []),
        (without("agreement", "obligation", 1), ["The recipient's duty `reportUse` every P1M is dropped."], []),
        (changed("agreement", "assignee", to=f"urn:uscc:{OTHER}"),
         [f"The recipient is {OTHER} now, and was {AGREEMENT.assignee}: all that is permitted is gained by another."], []),
        (Sharing(contract=CONTRACT), [], [f"The recipient loses the door {door}." for door in ("query", "release", "train")]),
        (with_data(privacy=PrivacyTerms(unit="member", k=4, l=4, max_suppressed=0.05)),
         ["k changes from 5 to 4: the persons in the data lose protection."], ["l changes from 3 to 4: the persons in the data gain protection."]),
        (with_data(term=Term(start=date(2026, 2, 1), end=date(2027, 12, 31))),
         ["The last day changes from 2026-12-31 to 2027-12-31: the recipient gains time."],
         ["The first day changes from 2026-01-01 to 2026-02-01: the recipient loses time."]),
        (with_data(tables=CONTRACT.tables[:2]), [], ["The recipient loses the table `articles`."]),
        (with_column(0, 1, transform=Transform.DROP), [],
         ["The recipient loses the column `age` of `members` at the doors release, query, train."]),
        (with_column(0, 1, doors=("query",)), [], ["The recipient loses the column `age` of `members` at the doors release, train."]),
        (with_column(0, 3, role=Role.QUASI_IDENTIFIER, transform=Transform.GENERALIZE),
         ["The column `income` of `members` counts as quasiIdentifier now, and did as sensitive."],
         ["The column `income` of `members` is generalised now, and was kept as it is."]),
        (with_data(digest="1" * 64, status="retired", name="Another"), [], ["Only the wording changes, nothing that is enforced."]),
    ],
)  # fmt: skip
def test_what_is_said(new: Sharing, wider: list[str], others: list[str]) -> None:
    changes = diff(BASE, new)
    assert [change.words for change in changes if change.widens] == wider
    assert [change.words for change in changes if not change.widens] == others


def test_worst_comes_first_and_clauses_lead_there() -> None:
    document = message()
    document["agreement"]["permission"][0]["constraint"][5]["rightOperand"] = "5"
    document["agreement"]["permission"][1]["constraint"][9]["rightOperand"] = "4"
    document["agreement"]["permission"][2]["constraint"][3]["rightOperand"] = ["CN"]
    document["agreement"]["permission"][2]["constraint"][0]["rightOperand"] = ["x", "demand-forecast"]
    del document["agreement"]["obligation"]
    changes = diff(BASE, with_terms(document))
    assert [(change.what, change.clause_old, change.clause_new) for change in changes] == [
        ("purposes", "agreement.permission[2].constraint[0]", "agreement.permission[2].constraint[0]"),
        ("k", "agreement.permission[0].constraint[5]", "agreement.permission[0].constraint[5]"),
        ("obligations", "agreement.obligation[0]", "agreement"),
        ("obligations", "agreement.obligation[1]", "agreement"),
        ("purposes", "agreement.permission[2].constraint[0]", "agreement.permission[2].constraint[0]"),
        ("epsilon", "agreement.permission[1].constraint[9]", "agreement.permission[1].constraint[9]"),
    ]
    assert [change.widens for change in changes] == [True] * 4 + [False] * 2
    assert changes[1].who is Who.PERSONS
    assert not changes[1].gains


LOOSER: list[Callable[[dict[str, Any]], Any]] = [
    lambda a: a["prohibition"].pop(1),
    lambda a: a["prohibition"][2]["constraint"][0].update(rightOperand="人口"),
    lambda a: a["obligation"].pop(0),
    lambda a: a["obligation"][1]["constraint"][0].update(rightOperand="P3M"),
    lambda a: a["obligation"][0]["constraint"].__setitem__(0, limit("odrl:dateTime", "lteq", "2030-01-01T00:00:00Z")),
    lambda a: a["permission"].append({"action": OWN + "release", "constraint": []}),
    lambda a: a["permission"][2]["constraint"].pop(12),
    lambda a: a["permission"][1]["constraint"].pop(2),
    lambda a: a.update(target="urn:sluice:contract:another:1.0.0"),
    lambda a: a.update(assigner=f"urn:uscc:{OTHER}"),
    lambda a: a.update(title="anything"),
]  # fmt: skip


@pytest.mark.parametrize("loosen", LOOSER)
def test_every_loosening_widens_and_its_way_back_does_only_where_it_cannot_be_judged(loosen: Any) -> None:
    document = message()
    loosen(document["agreement"])
    looser = with_terms(document)
    assert widens(diff(BASE, looser))
    unclear = {"parties", "unknown", "obligations"}
    assert {change.what for change in diff(looser, BASE) if change.widens} <= unclear


def test_two_permissions_of_a_door_are_paired_with_what_they_came_from() -> None:
    document = message()
    other = copy.deepcopy(document["agreement"]["permission"][0])
    other["constraint"][0]["rightOperand"] = "research"
    document["agreement"]["permission"].insert(0, other)
    two = with_terms(document)
    assert words(BASE, two) == [
        "The recipient gains purposes (release): `research`.",
        "The recipient loses purposes (release): `demand-forecast`, `supply-chain-credit`.",
    ]
    assert not widens(diff(two, BASE))
    turned = copy.deepcopy(document)
    turned["agreement"]["permission"].reverse()
    assert words(two, with_terms(turned)) == ["Only the wording changes, nothing that is enforced."]


def test_one_permission_cut_in_two_does_not_widen() -> None:
    document = message()
    other = copy.deepcopy(document["agreement"]["permission"][0])
    other["constraint"][0]["rightOperand"] = "demand-forecast"
    document["agreement"]["permission"][0]["constraint"][0]["rightOperand"] = "supply-chain-credit"
    document["agreement"]["permission"].append(other)
    assert not widens(diff(BASE, with_terms(document)))


@pytest.mark.parametrize("first", ["15", "5"])
def test_the_tighter_of_two_limits_counts(first: str) -> None:
    twice = changed(*PERMISSION, 0, "constraint", 7, to=limit(OWN + "minGroupSize", "gteq", first))
    assert widens(diff(twice, BASE)) == (first == "15")
    assert not widens(diff(BASE, twice))


def test_a_permission_of_no_moment_permits_nothing() -> None:
    moment = "2027-01-01T00:00:00+08:00"
    for operator, opens in (("lteq", True), ("lt", False)):
        short = changed(*PERMISSION, 0, "constraint", 2, to=limit("odrl:dateTime", operator, moment))
        assert ("The recipient loses the door release." in words(BASE, short)) == (not opens)


def test_contradicting_limits_permit_nothing() -> None:
    shut = changed(*PERMISSION, 1, "constraint", 12, to=limit(OWN + "epsilonPeriod", "eq", "P1D"))
    assert words(BASE, shut) == ["The recipient loses the door query."]
    assert widens(diff(shut, BASE))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(tightened())
def test_tighter_never_widens_and_looser_always_does(
    documents: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    before, after = map(with_terms, documents)
    assert {change.what for change in diff(before, after) if change.widens} <= {"unknown"}
    if diff(before, after) and words(before, after) != [
        "Only the wording changes, nothing that is enforced."
    ]:
        assert widens(diff(after, before))


# Any change of a few places: what `widens` doesn't tell must not let a single request more pass.
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_does_not_widen_permits_no_more(data: st.DataObject) -> None:
    pair = [message(), message()]
    for document in pair:
        for permission in document["agreement"]["permission"]:
            constraint = data.draw(st.sampled_from(permission["constraint"]))
            values = {
                "isAnyOf": [
                    "advertising",
                    "SME",
                    "age",
                    ["demand-forecast", "advertising"],
                    ["SME", "Platform"],
                ],
                "eq": ["CN", "US", "whole-record", "month-of-unit"],
                "gteq": ["2027-06-01T00:00:00Z", "2026-12-01T00:00:00Z", "1", "3", "11", "15"],
                "lteq": ["2027-06-01T00:00:00Z", "2029-12-01T00:00:00Z", "0.1", "3", "9", "25"],
            }[constraint["operator"]]
            if constraint["leftOperand"] in (OWN + "privacyUnit", OWN + "epsilonPeriod"):
                continue  # the diff calls a stricter one narrower, the decision asks for the very same
            constraint["rightOperand"] = data.draw(st.sampled_from(values))
            if data.draw(st.integers(0, 4)) == 0:
                permission["constraint"].remove(constraint)
        rules = document["agreement"]["prohibition"]
        if data.draw(st.booleans()):
            rules.remove(data.draw(st.sampled_from(rules)))
        document["agreement"]["permission"] = data.draw(
            st.lists(st.sampled_from(document["agreement"]["permission"]), min_size=1, max_size=4)
        )
    old, new = (with_terms(copy.deepcopy(document)) for document in pair)
    assert old.agreement is not None
    assert new.agreement is not None
    asked, now = data.draw(requests()), data.draw(MOMENTS)
    if isinstance(decide(asked, new.agreement, now), Permit) and isinstance(
        decide(asked, old.agreement, now), Deny
    ):
        assert widens(diff(old, new))


PROSE = {"id", "version", "name", "status", "digest", "path", "description", "notes", "required"}
ANOTHER: dict[str, Any] = {
    "tenant": "another",
    "recipient": "another",
    "purpose": "another",
    "term": Term(start=date(2025, 1, 1), end=date(2026, 12, 31)),
    "source": Source(connector="completejourney"),
    "privacy": PrivacyTerms(unit="basket", k=5, l=3, max_suppressed=0.05),
    "max_quarantined": 0.5,
    "tables": (*CONTRACT.tables, replace(CONTRACT.tables[2], name="other")),
    "schedule": "0 0 * * *",
    "quarantine_days": 300,
    "compliance": Compliance(critical_infrastructure_operator=False),
    "provision": ProvisionTerms(payment="none"),
}
ANOTHER_TABLE: dict[str, Any] = {
    "physical_name": "other",
    "kind": TableKind.REFERENCE,
    "columns": (*CONTRACT.tables[0].columns, replace(CONTRACT.tables[0].columns[1], name="shoe_size")),
    "checks": CONTRACT.tables[0].checks[1:],
    "time_column": "age",
    "cells": CONTRACT.tables[1].cells,
    "rows": RowPlan(period=None, period_column=None, max_rows=None, points=3, max_unicity=0.05),
}
ANOTHER_COLUMN: dict[str, Any] = {
    "name": "other",
    "type": LogicalType.NUMBER,
    "physical_type": "int64",
    "role": Role.SENSITIVE,
    "transform": Transform.KEEP,
    "treatment": Treatment(holder="notary"),
    "carries": ("name",),
    "hierarchy": HierarchySpec(kind="ordered", leaves=("1", "2")),
    "physical_name": "other",
    "grade": Grade.GENERAL,
    "sensitivity": Sensitivity.NONE,
    "doors": ("release", "query", "train"),
}


def test_every_field_of_a_contract_is_looked_at() -> None:
    """A field that is added to the model must be compared, or listed as prose."""
    assert ANOTHER.keys() == {field.name for field in fields(Contract)} - PROSE
    assert ANOTHER_TABLE.keys() == {field.name for field in fields(Table)} - PROSE
    assert ANOTHER_COLUMN.keys() | {"name"} == {field.name for field in fields(Column)} - PROSE | {"name"}


COMPLIED = with_data(compliance=Compliance(subject_namespace="x"), provision=ProvisionTerms(payment="some"))
CONFINED = with_column(0, 1, grade=Grade.CORE, sensitivity=Sensitivity.MEDICAL, doors=("release",))


@pytest.mark.parametrize("name", ANOTHER)
def test_a_change_of_the_contract_widens(name: str) -> None:
    assert widens(
        diff(COMPLIED, replace(COMPLIED, contract=replace(COMPLIED.contract, **{name: ANOTHER[name]})))
    )


@pytest.mark.parametrize("name", ANOTHER_TABLE)
def test_a_change_of_a_table_widens(name: str) -> None:
    assert widens(diff(BASE, with_table(0, **{name: ANOTHER_TABLE[name]})))


@pytest.mark.parametrize("name", ANOTHER_COLUMN)
def test_a_change_of_a_column_widens(name: str) -> None:
    (column,) = (each for each in CONFINED.contract.tables[0].columns if each.name == "age")
    columns = tuple(
        replace(column, **{name: ANOTHER_COLUMN[name]}) if each is column else each
        for each in CONFINED.contract.tables[0].columns
    )
    tables = (replace(CONFINED.contract.tables[0], columns=columns), *CONFINED.contract.tables[1:])
    after = replace(CONFINED, contract=replace(CONFINED.contract, tables=tables))
    changes = diff(CONFINED, after)
    assert widens(changes)
    assert diff(after, after) == ()


@pytest.mark.parametrize(
    "tighter",
    [
        with_data(privacy=PrivacyTerms(unit="member", k=6, l=4, max_suppressed=0.01)),
        with_data(term=Term(start=date(2026, 1, 1) + timedelta(1), end=date(2026, 12, 30))),
        with_data(max_quarantined=0.05, quarantine_days=1),
        with_data(tables=CONTRACT.tables[1:]),
        with_data(compliance=Compliance()),
        with_column(0, 1, doors=("release",)),
        with_column(0, 1, grade=Grade.IMPORTANT, sensitivity=Sensitivity.MEDICAL),
        with_column(0, 3, role=Role.EXCLUDED, transform=Transform.DROP),
        with_column(1, 2, role=Role.SENSITIVE),
        with_table(1, cells=replace(CONTRACT.tables[1].cells or CellPlan(segments_of=None, segment_min_units=1, dimensions=(), measures=()), segment_min_units=50)),
        with_table(2, checks=(*CONTRACT.tables[2].checks, Check(table="articles", name="x", kind=CheckKind.REQUIRED, scope=Scope.ROW, column="brand"),)),
    ],
)  # fmt: skip
def test_a_tighter_contract_does_not_widen_and_its_loosening_does(tighter: Sharing) -> None:
    assert diff(BASE, tighter)
    assert not widens(diff(BASE, tighter))
    assert widens(diff(tighter, BASE))


def test_columns_come_and_go() -> None:
    columns = tuple(each for each in CONTRACT.tables[0].columns if each.name != "income")
    less = with_table(0, columns=columns)
    gained = "The recipient gains the column `income` of `members` at the doors release, query, train."
    (change,) = diff(less, BASE)
    assert change == Change(
        who=Who.RECIPIENT, gains=True, what="columns", widens=True, clause_old="", clause_new="schema[0].properties[3]", words=gained
    )  # fmt: skip
    assert not widens(diff(BASE, less))


def test_an_agreement_where_there_was_none_opens_its_doors() -> None:
    changes = diff(Sharing(contract=CONTRACT), BASE)
    assert [change.words for change in changes] == [
        f"The recipient gains the door {door}." for door in ("release", "query", "train")
    ]
    assert widens(changes)


def test_words_are_short_whatever_the_names() -> None:
    hostile = "x\u202e\n" * 50
    for change in diff(BASE, with_column(0, 1, name=hostile)):
        assert change.words.isprintable()
        assert len(change.words) < 400


@given(st.builds(Period, st.integers(0, 24), st.just(0)) | st.builds(Period, st.just(0), st.integers(0, 800)), st.builds(Period, st.integers(0, 24), st.just(0)) | st.builds(Period, st.just(0), st.integers(0, 800)), st.dates(date(2000, 1, 1), date(2060, 1, 1)))  # fmt: skip
def test_a_period_called_no_longer_ends_no_later(one: Period, other: Period, start: date) -> None:
    def end(period: Period) -> date:
        months = start.month - 1 + period.months
        return date(start.year + months // 12, months % 12 + 1, min(start.day, 28)) + timedelta(period.days)

    if no_longer(one, other):
        assert end(one) <= end(other)


@pytest.mark.parametrize(
    ("one", "other", "surely"),
    [
        (Period(1, 0), Period(0, 31), True),
        (Period(1, 0), Period(0, 30), False),
        (Period(0, 28), Period(1, 0), True),
        (Period(0, 29), Period(1, 0), False),
        (Period(2, 0), Period(1, 0), False),
    ],
)
def test_months_and_days_are_compared_only_where_it_is_sure(one: Period, other: Period, surely: bool) -> None:
    assert no_longer(one, other) == surely


def test_each_weight_is_used_by_name() -> None:
    assert set(WEIGHTS) >= {change.what for change in diff(BASE, Sharing(contract=CONTRACT))}
