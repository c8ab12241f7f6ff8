"""What the route tells the ledger of its steps: ids, digests, counts and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.events import DatasetRef, Event, EventKind
from audit.ledger import Receipt
from contracts.model import Contract
from core.digest import file_digest
from pipeline.home import Home
from privacy.report.report import DISCLOSURE
from privacy.safe import Anonymized


def record(
    kind: EventKind,
    contract: Contract,
    home: Home,
    *,
    run_id: str,
    subject: str,
    facts: Mapping[str, Any],
    inputs: tuple[DatasetRef, ...] = (),
    outputs: tuple[DatasetRef, ...] = (),
) -> Receipt:
    """Writes one event of a run under a contract into the ledger and gives its receipt. run_id: the run's UUID."""
    return home.ledger.append(
        Event(
            kind=kind,
            run_id=run_id,
            subject=subject,
            contract_id=contract.id,
            contract_version=contract.version,
            contract_digest=contract.digest,
            facts=facts,
            inputs=inputs,
            outputs=outputs,
        )
    )


def source_namespace(contract: Contract) -> str:
    """The OpenLineage namespace of the platform's tables."""
    return f"sluice://{contract.tenant or 'platform'}"


def bounds(window: Mapping[str, str | None]) -> dict[str, str]:
    """A window as the ledger tells it: without the sides that have no bound."""
    return {side: at for side, at in window.items() if at}


def risk_facts(safe: Anonymized) -> dict[str, Any]:
    """The report's numbers as an event's facts, and its digest: what has no value (no persons, no sensitive column) is left out."""
    report: Mapping[str, Any] = safe.report
    risk: Mapping[str, Any] = report["subjects"] or {}
    facts = {
        "k": report["k_limit"],
        "k_reached": report["k_reached"],
        "l": report["l_limit"],
        "l_reached": risk.get("l"),
        **{
            name: risk.get(name)
            for name in (
                "classes",
                "units",
                "suppressed_rows",
                "suppressed_units",
                "ncp",
                "risk_largest",
                "risk_mean",
                "unique_before",
                "unique_after",
            )
        },
        "tables": report["rows"],
        "cells": {
            table: {name: count for name, count in cells.items() if name not in ("rungs", "beside")}
            for table, cells in report["cells"].items()
        },
        "disclosure": file_digest(safe.documents[DISCLOSURE]),
    }
    return {name: value for name, value in facts.items() if value is not None}
