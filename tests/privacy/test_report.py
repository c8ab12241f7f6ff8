"""The disclosure report as JSON: what stores read stays where it was, what is measured comes beside it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from contracts.model import Column, LogicalType, Role, Table, TableKind
from contracts.protection import Transform
from privacy.facts.cells import CellCounts
from privacy.measures.attacks import attacks
from privacy.measures.frontier import frontier
from privacy.measures.risk import risk
from privacy.measures.utility import utility
from privacy.report.level import reached
from privacy.report.parts import Level, Measures, Unicity
from privacy.report.report import DisclosureReport, SubjectRisk
from privacy.search.tuples import Tuples
from tests.agreement import agreement
from tests.privacy.worlds import grouped, world

RISK = SubjectRisk(
    table="members", units=380, rows=380, classes=30, k=5, l=2, mean_class=12.7, suppressed_units=20, suppressed_rows=20,
    ncp=0.2, ncp_by_column={"age": 0.1, "post code": 0.3}, risk_largest=0.2, risk_mean=0.08, unique_before=0.5,
    unique_after=0.0, segments=1,
)  # fmt: skip
CELLS = CellCounts(
    facts=900, units=90, cells=20, smallest=7, suppressed_facts=9, suppressed_units=5, rungs=()
)


def measures() -> Measures:
    values = np.random.default_rng(0).integers(0, 12, (400, 2))
    secret = (values.sum(axis=1) % 3).tolist()
    one = world(values.tolist(), grouped(values, k=5).tolist(), cardinalities=(12, 12), sensitive=secret)
    one = replace(one, columns=("age", "post code"), secrets=("illness",))
    tuples = Tuples(
        codes=values.astype(np.uint16),
        positions=(np.linspace(0, 1, 12),) * 2,
        weights=np.ones(400, np.int32),
        sensitive=np.empty((400, 0), np.int32),
    )
    return Measures(
        before=risk(np.ones(400, np.int64), threshold=0.2),
        after=risk(one.sizes, threshold=0.2),
        utility=utility(one, k=5, ncp_by_column=RISK.ncp_by_column),
        frontier=frontier(tuples),
        attacks=attacks(one, k=5, seed=1, attempts=200),
    )


def report() -> DisclosureReport:
    return DisclosureReport(
        contract_id="shop", contract_version="1.0", k_limit=5, l_limit=2, max_suppressed=0.1, subjects=RISK,
        cells={"baskets": CELLS}, rows={"members": 380, "baskets": 20, "trips": 90}, measures=measures(),
        unicity={"trips": Unicity(shares=(0.0, 0.04, 0.2), units=90, points=2, limit=0.05)},
        level=Level(reached=3, asked=3),
    )  # fmt: skip


def test_it_is_json_and_comes_back_as_it_went() -> None:
    made = report().as_json()
    assert json.loads(json.dumps(made, allow_nan=False)) == json.loads(json.dumps(made))
    assert {
        "contract_id", "contract_version", "k_limit", "l_limit", "max_suppressed", "subjects", "cells", "rows", "k_reached",
    } < set(made)  # fmt: skip
    assert made["k_reached"] == 5
    assert made["measures"]["after"]["prosecutor_over"] == 0.0
    assert made["measures"]["attacks"][0]["main"]["attempts"] > 0


def test_a_report_without_measures_is_a_report() -> None:
    made = replace(report(), measures=None, unicity={}, level=None).as_json()
    assert (made["measures"], made["unicity"], made["level"]) == (None, {}, None)


@pytest.mark.parametrize(("largest", "transform", "level"), [
    (0.2, Transform.PSEUDONYM, 3), (0.5, Transform.PSEUDONYM, 2), (0.2, Transform.KEEP, 1),
])  # fmt: skip
def test_the_level_is_that_of_what_is_published(largest: float, transform: Transform, level: int) -> None:
    name = Column(name="name", type=LogicalType.STRING, role=Role.IDENTIFIER, transform=transform)
    contract = agreement(Table(name="members", physical_name="m", kind=TableKind.SUBJECTS, columns=(name,)))
    made = replace(report(), subjects=replace(RISK, risk_largest=largest)).as_json()
    found = reached(made, contract)
    asked = contract.compliance.deidentification_level if contract.compliance else None
    assert found == Level(reached=level, asked=asked)
