"""A disclosure report as facts of de-identification."""

from __future__ import annotations

from dataclasses import replace

from contracts.model import Column, Contract, LogicalType, Role, Table, TableKind
from contracts.protection import Transform
from contracts.regimes.deidentification import level_of
from contracts.regimes.finding import Measured
from contracts.regimes.thresholds import DEFAULT
from privacy.facts.cells import CellCounts
from privacy.measured import measured
from privacy.report.report import DisclosureReport, SubjectRisk
from tests.agreement import agreement

RISK = SubjectRisk(
    table="members", units=50, rows=60, classes=10, k=5, l=2, mean_class=5.0, suppressed_units=0, suppressed_rows=0, ncp=0.1,
    ncp_by_column={}, risk_largest=0.2, risk_mean=0.15, unique_before=0.5, unique_after=0.0, segments=1,
)  # fmt: skip
CELLS = CellCounts(facts=9, units=9, cells=2, smallest=7, suppressed_facts=0, suppressed_units=0, rungs=())
REPORT = DisclosureReport(
    contract_id="c", contract_version="1", k_limit=5, l_limit=2, max_suppressed=0.0, subjects=RISK,
    cells={"a": CELLS, "b": replace(CELLS, smallest=6), "none": replace(CELLS, cells=0, smallest=0)}, rows={},
)  # fmt: skip
NAME = Column(name="name", type=LogicalType.STRING, role=Role.IDENTIFIER, transform=Transform.PSEUDONYM)


def contract(column: Column = NAME) -> Contract:
    return agreement(Table(name="members", physical_name="m", kind=TableKind.SUBJECTS, columns=(column,)))


def test_rows_and_cells_are_told_as_they_were_measured() -> None:
    got = measured(REPORT.as_json(), contract())
    assert got == Measured(
        direct=False, rows=True, largest_risk=0.2, mean_risk=0.15, unique=0.0, smallest_cell=6
    )
    assert level_of(got, DEFAULT) == 3


def test_cells_alone_reach_the_highest_level() -> None:
    for subjects in (None, replace(RISK, units=0, risk_largest=1.0)):
        report = replace(REPORT, subjects=subjects, cells={"a": replace(CELLS, smallest=10)})
        assert level_of(measured(report.as_json(), contract()), DEFAULT) == 4


def test_nothing_about_persons_reaches_it_too() -> None:
    report = replace(REPORT, subjects=None, cells={})
    assert measured(report.as_json(), contract()).smallest_cell is None


def test_a_name_that_is_kept_names_persons() -> None:
    got = measured(REPORT.as_json(), contract(replace(NAME, transform=Transform.KEEP)))
    assert got.direct
    assert level_of(got, DEFAULT) == 1
