"""What a disclosure report says of de-identification, as the rules of the land ask it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.model import Contract, Role
from contracts.protection import Transform
from contracts.regimes.finding import Measured


def measured(report: Mapping[str, Any], contract: Contract) -> Measured:
    """The facts for GB/T 42460's levels. report: a `DisclosureReport` as JSON, which a release carries. contract: as the
    release door saw it. Tables without a row tell of nobody. Who is singled out by some known facts has a risk of 1."""
    subjects = report["subjects"] if report["subjects"] is not None and report["subjects"]["units"] else None
    rows = [risk for risk in report.get("facts", {}).values() if risk["rows"]]
    singled_out = max((risk["reached"]["high"] for risk in rows), default=0.0)
    cells = [counts["smallest"] for counts in report["cells"].values() if counts["cells"]]
    return Measured(
        direct=any(
            column.role is Role.IDENTIFIER and column.transform is Transform.KEEP
            for table in contract.tables
            for column in table.columns
        ),
        rows=subjects is not None or bool(rows),
        largest_risk=max(subjects["risk_largest"] if subjects else 0.0, 1.0 if singled_out else 0.0),
        mean_risk=max(subjects["risk_mean"] if subjects else 0.0, singled_out),
        unique=max(subjects["unique_after"] if subjects else 0.0, singled_out),
        smallest_cell=min(cells, default=None),
    )
