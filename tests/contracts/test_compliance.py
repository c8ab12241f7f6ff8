"""Our keys about the rules of the land: what is read, what is refused, and that a contract without them is what it was."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from contracts.declared import (
    DOORS,
    Basis,
    Compliance,
    Exclusions,
    Filing,
    FilingKind,
    Grade,
    ProvisionTerms,
    Sensitivity,
)
from contracts.protection import Transform
from contracts.through import through
from core.errors import ContractError

QUARANTINE = "  - {property: sluiceQuarantine, value: {maxShare: 0.1}}\n"
AGE = """        logicalTypeOptions: {minimum: 0, exclusiveMaximum: 130}
        customProperties:
"""
ARTICLE = "      - {name: article, logicalType: string, customProperties: [{property: sluiceRole, value: attribute}]}\n"


def declared(shop: Any, compliance: str) -> Any:
    return shop.changed(
        (QUARANTINE, f"{QUARANTINE}  - property: sluiceCompliance\n    value: {compliance}\n")
    )


def test_a_contract_without_them_is_what_it_was(shop: Any) -> None:
    contract = shop.load()
    assert (contract.compliance, contract.provision) == (None, None)
    for table in contract.tables:
        for column in table.columns:
            assert (column.grade, column.sensitivity, column.doors) == (None, None, None)
            assert all(column.passes(door) == (column.transform is not Transform.DROP) for door in DOORS)
    # The digest of the shop's contract before these keys were there.
    assert contract.digest == "6a9cdbe67b3dc080a4129df7e1f037358ee13b505c4c6ee10e3d859e36c750a0"


def test_all_of_it_is_read(shop: Any) -> None:
    contract = declared(
        shop,
        "{basis: consent, purpose: To plan, impactAssessment: PIA 7, approval: MIIT 3, deidentificationLevel: 3, "
        "criticalInfrastructureOperator: false, subjectNamespace: 会员, membersPerUnit: age, "
        'filings: [{kind: standardContract, reference: 沪 12, until: "2027-01-31"}, {kind: certification, reference: c}], '
        "exclusions: {path: lists/out.csv, column: who, mayBeEmpty: true}}",
    ).load()
    assert contract.compliance == Compliance(
        basis=Basis.CONSENT,
        purpose="To plan",
        impact_assessment="PIA 7",
        approval="MIIT 3",
        deidentification_level=3,
        critical_infrastructure_operator=False,
        subject_namespace="会员",
        members_per_unit="age",
        filings=(
            Filing(kind=FilingKind.STANDARD_CONTRACT, reference="沪 12", until=date(2027, 1, 31)),
            Filing(kind=FilingKind.CERTIFICATION, reference="c"),
        ),
        exclusions=Exclusions(path="lists/out.csv", column="who", may_be_empty=True),
    )
    assert contract.compliance.clause == "customProperties[4].value"


def test_the_list_of_exclusions_is_of_the_privacy_unit_unless_it_says(shop: Any) -> None:
    compliance = declared(shop, "{exclusions: out.PARQUET}").load().compliance
    assert compliance.exclusions == Exclusions(path="out.PARQUET", column="member")
    assert compliance.exclusions.may_be_empty is False
    assert compliance.critical_infrastructure_operator is None  # what isn't said isn't `false`


def test_terms_of_provision_are_read(shop: Any) -> None:
    said = "  - property: sluiceProvision\n    value: {rights: held by law, notice: told in the app}\n"
    contract = shop.changed((QUARANTINE, QUARANTINE + said)).load()
    assert contract.provision == ProvisionTerms(rights="held by law", notice="told in the app")
    assert contract.provision.clause == "customProperties[4].value"


def test_a_column_says_grade_sensitivity_and_doors(shop: Any) -> None:
    keys = """          - {property: sluiceGrade, value: important}
          - {property: sluiceSensitivity, value: sensitive:minor}
          - {property: sluiceDoors, value: [train, query]}
"""
    contract = shop.changed((AGE, AGE + keys)).load()
    age = contract.table("members").column("age")
    assert (age.grade, age.sensitivity, age.doors) == (Grade.IMPORTANT, Sensitivity.MINOR, ("query", "train"))
    assert [age.passes(door) for door in DOORS] == [False, True, True]


@pytest.mark.parametrize(
    ("compliance", "wanted"),
    [
        ("[]", "sluiceCompliance must be a mapping."),
        ("{basis: agreed}", "sluiceCompliance: `basis` can't be `agreed`."),
        ("{bases: consent}", "sluiceCompliance has no key `bases`. Did you mean `basis`?"),
        ("{criticalInfrastructureOperator: 'no'}", "`criticalInfrastructureOperator` must be true or false."),
        ("{criticalInfrastructureOperator: 0}", "`criticalInfrastructureOperator` must be true or false."),
        ("{deidentificationLevel: 5}", "`deidentificationLevel` is 5. It must be 1 to 4."),
        ("{deidentificationLevel: true}", "`deidentificationLevel` must be a whole number."),
        ("{membersPerUnit: 0}", "`membersPerUnit` is 0. It must be 1 to 10000."),
        ("{membersPerUnit: 2.5}", "`membersPerUnit` must be a whole number or a column."),
        ("{membersPerUnit: true}", "`membersPerUnit` must be a whole number or a column."),
        ("{membersPerUnit: brand}", "names `brand`, which isn't a column of a table about persons."),
        ("{subjectNamespace: ' members'}", "`subjectNamespace` has spaces around it"),
        ('{subjectNamespace: "mem\\u200Bbers"}', "`subjectNamespace` is blank or holds control characters."),
        ("{subjectNamespace: 5}", "`subjectNamespace` must be text."),
        ("{filings: {kind: certification}}", "`filings` must be a list."),
        ("{filings: [{kind: permit, reference: x}]}", "a filing: `kind` can't be `permit`."),
        ("{filings: [{kind: certification}]}", "a filing lacks `reference`."),
        ("{filings: [{kind: certification, reference: ' '}]}", "`reference` is blank"),
        ("{filings: [{kind: certification, reference: x, until: soon}]}", "`until` isn't a day."),
        ("{exclusions: list.txt}", "names a list in no format that is read. Give a file whose name ends in .csv or .parquet."),
        ("{exclusions: 7}", "`exclusions` must be a mapping."),
        ("{exclusions: {column: who}}", "`exclusions` lacks `path`."),
        ("{exclusions: {path: a.csv, mayBeEmpty: maybe}}", "`mayBeEmpty` must be true or false."),
        ("{impactAssessment: ''}", "`impactAssessment` is blank"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(shop: Any, compliance: str, wanted: str) -> None:
    problems = declared(shop, compliance).says()
    assert len(problems) == 1
    assert wanted in problems[0]


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ("sluiceGrade, value: secret", "members.age: sluiceGrade can't be `secret`."),
        ("sluiceGrade, value: 1", "members.age: sluiceGrade can't be `1`."),
        ("sluiceSensitivity, value: medical", "members.age: sluiceSensitivity can't be `medical`. Choose from"),
        ("sluiceDoors, value: query", "members.age: sluiceDoors must be a list."),
        ("sluiceDoors, value: [querry]", "members.age: there is no door `querry`. Did you mean `query`?"),
        ("sluiceDoors, value: [query, query]", "members.age: the door `query` stands twice."),
        ("sluiceDoors, value: [[query]]", "members.age: there is no door `['query']`."),
        ("sluiceGrad, value: core", "`sluiceGrad` isn't a key of Sluice. Did you mean `sluiceGrade`?"),
        ("sluiceCompliance, value: {}", "sluiceCompliance means nothing here. It belongs to the contract."),
    ],
)  # fmt: skip
def test_what_a_column_cannot_say_is_refused(shop: Any, keys: str, wanted: str) -> None:
    problems = shop.changed((AGE, f"{AGE}          - {{property: {keys}}}\n")).says()
    assert len(problems) == 1
    assert wanted in problems[0]


def test_exclusions_need_a_privacy_unit(shop: Any) -> None:
    declared(shop, "{exclusions: out.csv}")
    start, end = shop.text.index("  - name: members"), shop.text.index("  - name: articles")
    shop.text = shop.text[:start] + shop.text[end:]
    with_bad_unit = shop.text
    shop.changed(
        ("  - property: sluicePrivacy\n    value: {unit: member, k: 5, l: 3, maxSuppressed: 0.05}\n", "")
    )
    assert [line.partition(": ")[2] for line in shop.says()] == [
        "sluiceCompliance `exclusions` would take out persons, and no column tells whose a row is. "
        "Add sluicePrivacy with its `unit`, or take it out."
    ]
    shop.text = with_bad_unit
    (told,) = shop.changed(("k: 5", "k: 1")).says()  # and nothing about exclusions
    assert "`k` is 1" in told


def test_a_door_sees_the_columns_that_may_pass_it(shop: Any) -> None:
    contract = shop.changed((AGE, f"{AGE}          - {{property: sluiceDoors, value: [query]}}\n")).load()
    released, asked = through(contract, "release"), through(contract, "query")
    assert released.table("members").column("age").transform is Transform.DROP
    assert asked == contract
    assert released.digest == contract.digest
    assert [c.name for c in released.table("members").columns] == [
        c.name for c in contract.table("members").columns
    ]
    with pytest.raises(ContractError, match="There is no door `window`"):
        through(contract, "window")


def test_no_door_at_all_is_no_door(shop: Any) -> None:
    contract = shop.changed((AGE, f"{AGE}          - {{property: sluiceDoors, value: []}}\n")).load()
    for door in DOORS:
        assert through(contract, door).table("members").column("age").transform is Transform.DROP


def test_cells_of_a_column_that_may_not_pass_are_refused(shop: Any) -> None:
    doors = ARTICLE.replace("attribute}", "attribute}, {property: sluiceDoors, value: [query]}")
    contract = shop.changed((ARTICLE, doors)).load()
    assert through(contract, "query") == contract
    with pytest.raises(ContractError) as caught:
        through(contract, "release")
    assert str(caught.value) == (
        "`sales.article` may not pass the door release, and its cells are made of it. (table sales) "
        "Add the door to its sluiceDoors, or take the column out of sluiceCells."
    )
