"""Facts of a contract that no rule objects to, and a way to change them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.declared import Basis, Compliance, Exclusions, Grade, ProvisionTerms, Sensitivity
from contracts.model import Column, Contract, LogicalType, Role, Table, TableKind
from contracts.protection import PrivacyTerms, Transform
from contracts.regimes.finding import Facts, Headcount
from tests.agreement import agreement

NOON = datetime(2026, 6, 1, 4, tzinfo=UTC)


def column(name: str, role: Role, **about: Any) -> Column:
    transform = {Role.IDENTIFIER: Transform.PSEUDONYM, Role.QUASI_IDENTIFIER: Transform.GENERALIZE}
    usual: dict[str, Any] = {
        "type": LogicalType.STRING,
        "transform": transform.get(role, Transform.KEEP),
        "grade": Grade.GENERAL,
        "sensitivity": Sensitivity.PERSONAL,
    }
    return Column(name=name, role=role, **(usual | about))


def clean() -> Contract:
    """In order, about persons, nothing sensitive, and ready to go abroad in small numbers."""
    members = Table(
        name="members",
        physical_name="members",
        kind=TableKind.SUBJECTS,
        columns=(
            column("id", Role.IDENTIFIER),
            column("age", Role.QUASI_IDENTIFIER),
            column("income", Role.SENSITIVE),
        ),
    )
    goods = Table(
        name="goods",
        physical_name="goods",
        kind=TableKind.REFERENCE,
        columns=(column("brand", Role.ATTRIBUTE, sensitivity=None),),
    )
    text = {
        key: key for key in ("description", "rights", "use", "delivery", "payment", "acceptance", "notice")
    }
    return agreement(
        members,
        goods,
        privacy=PrivacyTerms(unit="id", k=5, l=2),
        compliance=Compliance(
            basis=Basis.CONSENT,
            purpose="To plan.",
            impact_assessment="PIA 7",
            deidentification_level=3,
            critical_infrastructure_operator=False,
            subject_namespace="members",
            members_per_unit=1,
            exclusions=Exclusions(path="out.csv", column="id"),
            clause="customProperties[4].value",
        ),
        provision=ProvisionTerms(**text, clause="customProperties[5].value"),
    )


@pytest.fixture
def facts() -> Callable[..., Facts]:
    """Facts of the clean contract; keywords of Facts change them, `declared` changes Compliance, `columns` a column by name."""

    def build(
        *,
        declared: dict[str, Any] | None = None,
        columns: dict[str, dict[str, Any]] | None = None,
        **about: Any,
    ) -> Facts:
        contract = about.pop("contract", None) or clean()
        if declared:
            contract = replace(contract, compliance=replace(contract.compliance, **declared))
        tables = tuple(
            replace(
                table,
                columns=tuple(replace(each, **(columns or {}).get(each.name, {})) for each in table.columns),
            )
            for table in contract.tables
        )
        usual: dict[str, Any] = {
            "at": NOON,
            "territories": ("CN",),
            "headcount": Headcount(persons=1, sensitive=0),
        }
        return Facts(contract=replace(contract, tables=tables), **(usual | about))

    return build
