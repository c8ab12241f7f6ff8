"""The de-identification level that a release reaches, for its disclosure report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.model import Contract
from contracts.regimes.deidentification import level_of
from contracts.regimes.thresholds import DEFAULT, Thresholds
from privacy.measured import measured
from privacy.report.parts import Level


def reached(report: Mapping[str, Any], contract: Contract, thresholds: Thresholds = DEFAULT) -> Level:
    """The level of GB/T 42460. report: a `DisclosureReport` as JSON. contract: as the release door saw it."""
    compliance = contract.compliance
    return Level(
        reached=level_of(measured(report, contract), thresholds),
        asked=compliance.deidentification_level if compliance is not None else None,
    )
