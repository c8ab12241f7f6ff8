"""The second step: the platform's tables come, whole or not at all."""

from __future__ import annotations

import hmac

from audit.events import DatasetRef, EventKind
from connectors.base import receive as receive_tables
from connectors.registry import connector_for
from contracts.model import Contract
from core.progress import Progress, silent
from core.proof import Window
from pipeline.handoff import Handoff, tables_as_json, write_handoff
from pipeline.home import Home
from pipeline.overlap import refuse_overlap
from pipeline.steps.opened import about, opened
from pipeline.told import bounds, record, source_namespace


def receive(handoff: Handoff, *, home: Home, progress: Progress = silent) -> Handoff:
    """Fetches the contract's tables from the platform. When their release is published already, says so and stops there."""
    state, contract, run = opened(handoff, home, "checked")
    window = Window.from_json(state["window"])
    received = receive_tables(
        connector_for(contract), contract, window, out=run.folder / "received", key=run.key, progress=progress
    )
    source_digest = _source_digest(contract, received.digest, home)
    release = contract.release_name(source_digest, window)
    already_published = home.catalog.find(release) is not None
    if not already_published:
        refuse_overlap(contract, window, home)
    record(
        EventKind.DATA_RECEIVED,
        contract,
        home,
        run_id=run.id,
        subject=run.id,
        facts={
            "digest": source_digest,
            "rows": {name: table.rows for name, table in received.tables.items()},
            "connector": contract.source.connector,
            "window": bounds(window.as_json()),
        },
        inputs=tuple(
            DatasetRef(namespace=source_namespace(contract), name=t.physical_name) for t in contract.tables
        ),
    )
    return write_handoff(
        run.folder,
        "received",
        {
            **about(state),
            "source_digest": source_digest,
            "tables": tables_as_json(received.tables, run.folder),
            "release": release,
            "already_published": already_published,
        },
    )


def _source_digest(contract: Contract, received: str, home: Home) -> str:
    """What names the source outside the run, hex: deterministic, and no help to who wants to confirm a guess of raw rows.

    A bare digest would be: who knows all of a table but one value could try them all.
    """
    key = home.keys.contract_keys(contract.id).derive("source")
    return hmac.digest(key, bytes.fromhex(received), "sha256").hex()
