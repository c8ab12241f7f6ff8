"""The contracts that ship with Sluice: lawful, whole, of data that is there, signed by both, and what a door says to each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from connectors.base import source_names
from connectors.exclusion import excluded
from connectors.registry import connector_for
from contracts.agreement.lacks import lacks
from contracts.agreement.message import agreement_document
from contracts.agreement.model import Agreement
from contracts.agreement.read import read_agreement
from contracts.agreement.sheet import read_sheet
from contracts.agreement.vocabulary import Door
from contracts.declared import Sensitivity
from contracts.life.dossier import TARGET
from contracts.life.state import Standing
from contracts.model import Contract, TableKind
from contracts.odcs import check_contract, load_contract
from contracts.regimes.finding import Facts, Headcount
from contracts.regimes.places import territories_of
from contracts.regimes.rules import findings
from core.errors import ContractError
from core.proof import Window
from core.settings import PUBLISHED, Settings
from dags.outline import outlines
from pipeline.agreements.demo import (
    ABROAD,
    EXAMPLES,
    PLATFORM,
    SHIPPED,
    Concluded,
    Shipped,
    firms_of,
    sign_for_demo,
)
from pipeline.agreements.doors import require
from pipeline.agreements.question import refusal_of
from pipeline.home import Home
from privacy.abroad import Meter

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
FILING = 'filings: [{kind: standardContract, reference: "Shanghai 2026-0123", until: "2028-03-31"}]'
each_shipped = pytest.mark.parametrize("shipped", SHIPPED, ids=[each.contract.stem for each in SHIPPED])


def agreement(shipped: Shipped) -> Agreement:
    """What its term sheet becomes between the platform and the firm."""
    return read_agreement(
        agreement_document(
            replace(read_sheet(shipped.terms), target=TARGET + load_contract(shipped.contract).digest),
            agreement_id="urn:uuid:0190a0b0-0000-4000-8000-00000000000a",
            assigner=PLATFORM.code,
            assignee=shipped.firm.code,
            timestamp=NOW,
            provider_pid="urn:uuid:0190a0b0-0000-4000-8000-00000000000b",
            consumer_pid="urn:uuid:0190a0b0-0000-4000-8000-00000000000c",
        )
    )


def limits(shipped: Shipped) -> dict[str, object]:
    (permission,) = agreement(shipped).permissions
    return {each.operand.name: each.value for each in permission.constraints}


def named(shipped: Shipped, operand: str) -> set[str]:
    value = limits(shipped)[operand]
    assert isinstance(value, frozenset)
    return {str(each) for each in value}


def test_none_is_left_out_here() -> None:
    there = {path for folder in (PUBLISHED, EXAMPLES) for path in folder.glob("*.odcs.yaml")}
    assert {shipped.contract for shipped in SHIPPED} == there


def test_only_what_can_run_makes_a_dag() -> None:
    assert [outline.contract_id for outline in outlines(PUBLISHED)] == ["grocery-demand"]


@each_shipped
def test_nothing_is_wrong_with_it(shipped: Shipped) -> None:
    assert check_contract(shipped.contract) == ()


@each_shipped
def test_no_rule_of_the_land_finds_anything_within_the_mainland(shipped: Shipped) -> None:
    (permission,) = agreement(shipped).permissions
    facts = Facts(
        contract=load_contract(shipped.contract), at=NOW, door=str(permission.door), territories=("CN",)
    )
    assert findings(facts) == ()


def test_the_one_that_goes_abroad_lacks_its_filing_and_nothing_else() -> None:
    facts = Facts(
        contract=load_contract(ABROAD.contract),
        at=NOW,
        territories=territories_of(agreement(ABROAD), door="release"),
        headcount=Headcount(persons=801, sensitive=801),
    )
    (found,) = findings(facts)
    assert (found.rule, found.clause) == ("crossborder.filed", "customProperties[3].value")


@each_shipped
def test_each_column_says_its_grade_and_whether_it_is_personal(shipped: Shipped) -> None:
    for table in load_contract(shipped.contract).tables:
        about_persons = table.kind is not TableKind.REFERENCE
        for column in table.columns:
            assert column.grade is not None, column.name
            assert column.sensitivity is not None, column.name
            assert (column.sensitivity is not Sensitivity.NONE) == about_persons, column.name


@each_shipped
def test_its_terms_are_whole_and_no_looser_than_the_contract(shipped: Shipped) -> None:
    made, contract = agreement(shipped), load_contract(shipped.contract)
    assert lacks(made) == ()
    assert made.unknown == ()
    said = limits(shipped)
    assert contract.privacy is not None
    assert said.get("minGroupSize", contract.privacy.k) == contract.privacy.k
    assert said.get("diversity", contract.privacy.l) == contract.privacy.l
    assert named(shipped, "recipientGrade") == {str(shipped.firm.grade)}
    sheet = shipped.terms.read_text(encoding="utf-8")
    assert f"from: {contract.term.start}\n" in sheet
    assert f"until: {contract.term.end}\n" in sheet


@each_shipped
def test_its_data_is_there(shipped: Shipped) -> None:
    contract = load_contract(shipped.contract)
    for table in contract.tables:
        with connector_for(contract).open(contract, table, Window()) as reader:
            assert set(source_names(table)) <= set(reader.schema.names)


def test_what_is_learnt_from_is_in_the_data_and_may_pass() -> None:
    (shipped,) = (each for each in SHIPPED if each.contract.name.startswith("coupon"))
    columns = [column for table in load_contract(shipped.contract).tables for column in table.columns]
    may_pass = {column.name for column in columns if column.passes("train")}
    assert may_pass == named(shipped, "feature") | named(shipped, "label")
    assert not any(column.passes(door) for column in columns for door in ("release", "query"))
    assert PLATFORM.code in named(shipped, "cohortPlatform")
    assert limits(shipped)["minCohort"] == len(named(shipped, "cohortPlatform"))


def test_who_took_the_consent_back_is_left_out() -> None:
    (shipped,) = (each for each in SHIPPED if each.contract.name.startswith("coupon"))
    contract = load_contract(shipped.contract)
    listed = excluded(contract)
    assert listed is not None
    rows = pa.table({"household_id": pa.array([311, 312, 1187, 2044], pa.int64())})
    assert listed.without(rows, contract.table("households"))["household_id"].to_pylist() == [311]


@dataclass(frozen=True)
class Street:
    """The platform's hall and those of the firms, once all is signed."""

    home: Home
    firms: Mapping[str, Home]
    concluded: Mapping[str, Concluded]

    def contract(self, name: str) -> Contract:
        return self.concluded[name].contract

    def denied(self, name: str, door: Door) -> tuple[str, str]:
        """The clause that shuts a door, and the words."""
        with pytest.raises(ContractError) as caught:
            require(self.contract(name), self.home, door=door)
        return str(caught.value.facts["clause"]), caught.value.what


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Street:
    folder = tmp_path_factory.mktemp("street") / "hall"
    home = Home.open(Settings(home=folder, contracts=PUBLISHED), clock=lambda: NOW)
    firms = firms_of(home)
    return Street(home, firms, {each.contract.id: each for each in sign_for_demo(home, firms)})


def test_both_parties_sign_each(street: Street) -> None:
    assert list(street.concluded) == [
        "grocery-demand",
        "grocery-questions",
        "coupon-response",
        "grocery-abroad",
    ]
    assert [(each.signatures, each.standing, each.doors) for each in street.concluded.values()] == [
        (2, Standing.IN_FORCE, ("release",)),
        (2, Standing.IN_FORCE, ("query",)),
        (2, Standing.IN_FORCE, ("train",)),
        (2, Standing.IN_FORCE, ("release",)),
    ]


def test_the_release_passes_its_door(street: Street) -> None:
    passage = require(street.contract("grocery-demand"), street.home)
    assert passage.permit.clause == "agreement.permission[0]"
    assert passage.territories == ("CN",)
    assert refusal_of(street.contract("grocery-demand"), street.home) is None


@pytest.mark.parametrize("name", ["grocery-questions", "coupon-response"])
def test_nothing_of_the_others_may_be_released(street: Street, name: str) -> None:
    assert street.denied(name, Door.RELEASE) == (
        "agreement.permission",
        "No permission opens the door `release`.",
    )


@pytest.mark.parametrize(
    ("name", "door", "limit"),
    [
        ("grocery-questions", Door.QUERY, "epsilonPerQuestion"),
        ("coupon-response", Door.TRAIN, "epsilonForLife"),
    ],
)
def test_a_door_that_nobody_serves_yet_names_the_limit_that_nobody_keeps(
    street: Street, name: str, door: Door, limit: str
) -> None:
    clause, what = street.denied(name, door)
    assert re.fullmatch(r"agreement\.permission\[0\]\.constraint\[\d\]", clause)
    assert f"({limit})" in what


def test_abroad_is_refused_by_its_clause_and_nobody_is_counted(street: Street) -> None:
    contract = street.contract("grocery-abroad")
    with pytest.raises(ContractError):
        require(contract, street.home)
    refused = refusal_of(contract, street.home)
    assert refused is not None
    assert refused.facts["rule"] == "crossborder.filed"
    assert refused.facts["clause"] == "customProperties[3].value"
    assert "at least 1 person with sensitive information since 1 January" in refused.what
    meter = Meter(street.home.store, street.home.keys, provider=PLATFORM.code)
    assert meter.count(NOW) == Headcount(persons=0, sensitive=0)
    assert list(street.home.settings.runs.iterdir()) == []  # nothing was fetched


def changed(folder: Path, version: str, filing: str) -> Shipped:
    """The contract that goes abroad, with a filing."""
    text = ABROAD.contract.read_text(encoding="utf-8").replace("version: 1.0.0", f"version: {version}")
    level = "      deidentificationLevel: 3\n"
    assert text.count(level) == 1
    path = folder / ABROAD.contract.name
    path.write_text(text.replace(level, f"{level}      {filing}\n"), encoding="utf-8")
    (folder / ABROAD.terms.name).write_bytes(ABROAD.terms.read_bytes())
    return Shipped(contract=path, firm=ABROAD.firm)


def test_with_its_filing_it_passes_and_not_with_one_that_has_ended(tmp_path: Path) -> None:
    home = Home.open(Settings(home=tmp_path / "hall", contracts=PUBLISHED), clock=lambda: NOW)
    firms = firms_of(home)
    for version, filing, clause in (
        ("1.0.0", "", "customProperties[3].value"),
        ("1.1.0", FILING.replace("2028-03-31", "2026-05-31"), "customProperties[3].value.filings"),
        ("1.2.0", FILING, None),
    ):
        (signed,) = sign_for_demo(home, firms, [changed(tmp_path, version, filing)])
        assert (signed.new, signed.contract.version) == (True, version)
        refused = refusal_of(signed.contract, home)
        assert (refused.facts["clause"] if refused else None) == clause
