"""The third step: every row is held against the contract's rules."""

from __future__ import annotations

import json

from audit.events import EventKind
from connectors.base import received_from
from contracts.model import TableKind
from core.errors import QualityError
from core.progress import Progress, silent
from core.proof import Window
from pipeline.handoff import Handoff, tables_as_json, tables_from_json, write_handoff
from pipeline.home import Home
from pipeline.quarantine.store import Quarantine
from pipeline.steps.opened import about, opened
from pipeline.told import record
from pipeline.validation.validate import RESULT
from pipeline.validation.validate import validate as validate_tables


def validate(handoff: Handoff, *, home: Home, progress: Progress = silent) -> Handoff:
    """Holds every row against the contract's rules; rows that break one go to quarantine."""
    state, contract, run = opened(handoff, home, "received")
    if state["already_published"]:
        return handoff
    received = received_from(
        contract_id=contract.id,
        contract_digest=contract.digest,
        window=Window.from_json(state["window"]),
        tables=tables_from_json(state["tables"], run.folder, run.key),
        digest=state["source_digest"],
    )
    with Quarantine(home).setting_aside(contract, run, state["release"]) as quarantine:
        validated = validate_tables(
            received, contract, out=run.folder / "validated", quarantine=quarantine, progress=progress
        )
    for table in contract.tables:
        if table.kind is not TableKind.REFERENCE and not validated.tables[table.name].rows:
            raise QualityError(
                f"No rows of `{table.name}` are left to publish.",
                where=f"window {validated.window}",
                remedy="Look at the source and at the quarantine; an empty release would only replace a good one.",
            )
    found = json.loads((run.folder / "validated" / RESULT).read_text(encoding="utf-8"))
    record(
        EventKind.DATA_VALIDATED,
        contract,
        home,
        run_id=run.id,
        subject=run.id,
        facts={
            "checks": len(found["checks"]),
            "failed_warnings": found["failed_warnings"],
            "quarantined": dict(validated.quarantined),
        },
    )
    return write_handoff(
        run.folder,
        "validated",
        {
            **about(state),
            "source_digest": validated.source_digest,
            "tables": tables_as_json(validated.tables, run.folder),
            "quarantined": dict(validated.quarantined),
            "release": state["release"],
            "already_published": False,
        },
    )
