"""The four levels, each number from both sides."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from contracts.regimes.deidentification import level_of
from contracts.regimes.finding import Facts, Measured, Severity
from contracts.regimes.rules import findings
from contracts.regimes.thresholds import DEFAULT

Build = Callable[..., Facts]
LOW = Measured(direct=False, rows=True, largest_risk=0.2, mean_risk=0.2, unique=0.0, smallest_cell=5)
CELLS = Measured(direct=False, rows=False, largest_risk=0.0, mean_risk=0.0, unique=0.0, smallest_cell=10)


@pytest.mark.parametrize(
    ("measured", "change", "level"),
    [
        (LOW, {}, 3), (LOW, {"direct": True}, 1),
        (LOW, {"largest_risk": math.nextafter(0.2, 1)}, 2), (LOW, {"largest_risk": 0.25}, 2),
        (LOW, {"mean_risk": math.nextafter(0.2, 1)}, 2), (LOW, {"unique": 1e-9}, 2),
        (LOW, {"smallest_cell": 4}, 2), (LOW, {"smallest_cell": None}, 3), (LOW, {"smallest_cell": 0}, 2),
        (LOW, {"largest_risk": math.nan}, 2), (LOW, {"mean_risk": math.nan}, 2), (LOW, {"unique": math.nan}, 2),
        (CELLS, {}, 4), (CELLS, {"smallest_cell": 9}, 3), (CELLS, {"smallest_cell": 5}, 3), (CELLS, {"smallest_cell": 4}, 2),
        (CELLS, {"smallest_cell": None}, 4), (CELLS, {"direct": True}, 1),
    ],
)  # fmt: skip
def test_each_level_has_its_numbers(measured: Measured, change: dict[str, Any], level: int) -> None:
    assert level_of(replace(measured, **change), DEFAULT) == level


@pytest.mark.parametrize("asked", [1, 2, 3, 4])
@pytest.mark.parametrize("measured", [replace(LOW, direct=True), replace(LOW, unique=1.0), LOW, CELLS])
def test_a_level_below_the_one_that_is_asked_for_is_refused(
    facts: Build, asked: int, measured: Measured
) -> None:
    got = level_of(measured, DEFAULT)
    found = [
        f
        for f in findings(facts(declared={"deidentification_level": asked}, measured=measured))
        if f.severity is Severity.REFUSE
    ]
    assert [f.rule for f in found] == (["deidentification.reached"] if got < asked else [])
    if found:
        assert found[0].clause == "customProperties[4].value.deidentificationLevel"
        assert f"asks for level {asked}, and what was measured reaches level {got}." in found[0].what


@pytest.mark.parametrize("level", [None, 1, 2])
def test_no_level_and_level_1_are_looked_at(facts: Build, level: int | None) -> None:
    found = findings(facts(declared={"deidentification_level": level}))
    assert [(f.rule, f.severity) for f in found] == (
        [] if level == 2 else [("deidentification.asked", Severity.WARN)]
    )
