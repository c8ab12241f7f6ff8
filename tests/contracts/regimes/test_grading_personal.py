"""Grades, personal information and the terms of provision: each rule from both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from contracts.declared import Basis, Grade, ProvisionTerms, Sensitivity
from contracts.model import Role, TableKind
from contracts.protection import Transform
from contracts.regimes import grading
from contracts.regimes.finding import Facts, Severity
from contracts.regimes.provision import FIELDS
from contracts.regimes.rules import RULES, findings, refusals
from tests.agreement import agreement

Build = Callable[..., Facts]


def rules(facts: Facts) -> list[str]:
    return [finding.rule for finding in refusals(facts)]


def test_a_contract_in_order_has_no_findings(facts: Build) -> None:
    assert findings(facts()) == ()
    assert findings(facts(territories=("CN", "SG"))) == ()


def test_a_contract_that_says_nothing_is_told_all_that_is_missing(facts: Build) -> None:
    bare = replace(facts().contract, compliance=None, provision=None)
    empty = {name: {"grade": None, "sensitivity": None} for name in ("id", "age", "income", "brand")}
    found = findings(facts(contract=bare, columns=empty))
    assert {finding.rule for finding in found} == {
        "grading.ungraded", "personal.basis", "personal.undeclared", "deidentification.asked", "provision.notice",
        *(f"provision.{key}" for key in FIELDS),
    }  # fmt: skip
    assert [finding.severity for finding in found][-1] is Severity.WARN  # refusals first
    assert {finding.clause for finding in found if finding.rule.startswith("provision")} == {
        "customProperties"
    }


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_names_its_source(rule: Callable[..., object]) -> None:
    assert rule.__doc__ is not None
    assert "Source: " in rule.__doc__


@pytest.mark.parametrize(
    ("grades", "wanted"),
    [
        ({}, Grade.GENERAL),
        ({"brand": Grade.IMPORTANT}, Grade.IMPORTANT),
        ({"brand": Grade.IMPORTANT, "id": Grade.CORE}, Grade.CORE),
        ({"brand": Grade.IMPORTANT, "id": None}, None),
    ],
)
def test_the_datasets_grade_is_the_highest(
    facts: Build, grades: dict[str, Any], wanted: Grade | None
) -> None:
    given = facts(columns={name: {"grade": grade} for name, grade in grades.items()})
    assert grading.dataset_grade(given) is wanted


def test_core_data_is_refused_wherever_it_stands(facts: Build) -> None:
    for name, clause in (("age", "schema[0].properties[1]"), ("brand", "schema[1].properties[0]")):
        given = facts(
            columns={name: {"grade": Grade.CORE, "transform": Transform.DROP}},
            declared={"approval": "all of it"},
        )
        (found,) = refusals(given)
        assert (found.rule, found.clause) == ("grading.core", f"{clause}.customProperties")


def test_important_data_needs_an_approval(facts: Build) -> None:
    important = {"brand": {"grade": Grade.IMPORTANT}}
    assert rules(facts(columns=important)) == ["grading.important"]
    assert rules(facts(columns=important, declared={"approval": "MIIT 3"})) == []


@pytest.mark.parametrize("kind", [kind for kind in Sensitivity if kind.is_sensitive])
@pytest.mark.parametrize("transform", [Transform.KEEP, Transform.DROP])
def test_sensitive_columns_need_purpose_basis_and_assessment(
    facts: Build, kind: Sensitivity, transform: Transform
) -> None:
    columns = {"income": {"sensitivity": kind, "transform": transform}}
    fine = {"basis": Basis.GUARDIAN_CONSENT}
    assert rules(facts(columns=columns, declared=fine)) == []
    bare = replace(facts().contract, purpose=" ")
    lacking = {"purpose": None, "impact_assessment": None, "basis": None}
    wanted = ["personal.basis", "personal.purpose", "personal.assessment"]
    if kind is Sensitivity.MINOR:
        wanted.append("personal.minors")
    assert rules(facts(contract=bare, columns=columns, declared=lacking)) == wanted


def test_a_purpose_of_the_standard_will_do(facts: Build) -> None:
    columns = {"income": {"sensitivity": Sensitivity.MEDICAL}}
    assert rules(facts(columns=columns, declared={"purpose": None})) == []


def test_not_sensitive_needs_neither_purpose_nor_assessment_at_home(facts: Build) -> None:
    bare = replace(facts().contract, purpose="")
    assert rules(facts(contract=bare, declared={"purpose": None, "impact_assessment": None})) == []


@pytest.mark.parametrize("basis", Basis)
def test_minors_need_a_guardian_where_anybody_is_asked(facts: Build, basis: Basis) -> None:
    given = facts(columns={"income": {"sensitivity": Sensitivity.MINOR}}, declared={"basis": basis})
    allowed = {Basis.GUARDIAN_CONSENT, Basis.DUTY, Basis.EMERGENCY, Basis.LAW}
    assert rules(given) == ([] if basis in allowed else ["personal.minors"])


@pytest.mark.parametrize("basis", Basis)
def test_consent_can_be_taken_back(facts: Build, basis: Basis) -> None:
    consent = basis in (Basis.CONSENT, Basis.GUARDIAN_CONSENT)
    assert rules(facts(declared={"basis": basis, "exclusions": None})) == (
        ["personal.withdrawal"] if consent else []
    )


def test_a_column_is_not_called_impersonal_against_its_role(facts: Build) -> None:
    none = {"sensitivity": Sensitivity.NONE}
    for name in ("id", "age", "income"):
        assert rules(facts(columns={name: none})) == ["personal.denied"]
    out = none | {"role": Role.EXCLUDED}
    assert rules(facts(columns={"income": out})) == []
    assert rules(facts(columns={"income": out | {"carries": ("uscc",)}})) == []
    assert rules(facts(columns={"income": out | {"carries": ("mobile",)}})) == ["personal.denied"]
    assert rules(facts(columns={"brand": none | {"carries": ("landline",)}})) == []
    assert rules(facts(columns={"brand": none})) == []
    assert rules(facts(columns={"brand": {"sensitivity": Sensitivity.PERSONAL}})) == ["personal.denied"]


def test_tables_without_persons_need_nothing_personal(facts: Build) -> None:
    contract = facts().contract
    only = agreement(
        contract.table("goods"), provision=replace(contract.provision or ProvisionTerms(), notice=None)
    )
    assert findings(facts(contract=only, headcount=None)) == ()
    assert (
        findings(facts(contract=only, headcount=None, territories=("US",), declared=None))[0].rule
        == "crossborder.operator"
    )


@pytest.mark.parametrize("key", [*FIELDS, "notice"])
def test_each_term_of_provision_is_missed(facts: Build, key: str) -> None:
    contract = facts().contract
    lacking = replace(contract, provision=replace(contract.provision or ProvisionTerms(), **{key: None}))
    (found,) = refusals(facts(contract=lacking))
    assert (found.rule, found.clause) == (f"provision.{key}", "customProperties[5].value")


def test_facts_are_about_persons_as_subjects_are(facts: Build) -> None:
    contract = facts().contract
    table = replace(contract.table("members"), kind=TableKind.FACTS)
    given = facts(contract=replace(contract, tables=(table,)), columns={"age": {"sensitivity": None}})
    assert rules(given) == ["personal.undeclared"]
