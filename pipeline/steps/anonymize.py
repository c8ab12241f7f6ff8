"""The fourth step: what is left is made safe."""

from __future__ import annotations

from audit.events import EventKind
from core.progress import Progress, silent
from core.proof import Window
from pipeline.agreements import doors
from pipeline.agreements.thresholds import thresholds_of
from pipeline.handoff import Handoff, tables_as_json, tables_from_json, write_handoff
from pipeline.home import Home
from pipeline.memory import beside_of, history_of
from pipeline.steps.opened import about, opened
from pipeline.tokens import LentKeys
from pipeline.told import record, risk_facts
from pipeline.validation.validate import RESULT, validated_from
from privacy.anonymize import anonymize as anonymize_tables


def anonymize(handoff: Handoff, *, home: Home, progress: Progress = silent) -> Handoff:
    """Makes the release safe under the contract's limits, measured on the files as written."""
    state, contract, run = opened(handoff, home, "validated")
    if state["already_published"]:
        return handoff
    validated = validated_from(
        contract_id=contract.id,
        contract_digest=contract.digest,
        window=Window.from_json(state["window"]),
        source_digest=state["source_digest"],
        tables=tables_from_json(state["tables"], run.folder, run.key),
        quarantined=state["quarantined"],
    )
    release = contract.release_name(state["source_digest"], Window.from_json(state["window"]))
    lent = LentKeys(contract, home)
    beside = beside_of(contract, home, but=release, window=validated.window)
    safe = anonymize_tables(
        validated,
        contract,
        home.keys.contract_keys(contract.id),
        out=run.folder / "anonymized",
        documents={RESULT: run.folder / "validated" / RESULT},
        thresholds=thresholds_of(home),
        history=history_of(contract, home, but=release, tables=validated.tables, window=validated.window),
        second=lent,
        progress=progress,
    )
    lent.keep()
    # Asked once more: what took minutes may have been overtaken by a suspension.
    passage = doors.require(contract, home)
    abroad = doors.require_measured(passage, home, safe.report, validated.tables)
    record(
        EventKind.DATA_ANONYMIZED,
        contract,
        home,
        run_id=run.id,
        subject=run.id,
        facts=risk_facts(safe)
        | ({"abroad": {"persons": abroad.persons, "sensitive": abroad.sensitive}} if abroad else {}),
    )
    return write_handoff(
        run.folder,
        "anonymized",
        {
            **about(state),
            "tables": tables_as_json(safe.tables, run.folder),
            "release": safe.release,
            "digest": safe.digest,
            "report": dict(safe.report),
            "documents": {name: str(path.relative_to(run.folder)) for name, path in safe.documents.items()},
            "memory": {
                name: [str(path.relative_to(run.folder)), digest]
                for name, (path, digest) in safe.memory.items()
            },
            "live": beside,
            "validated": handoff.as_json(),
            "already_published": False,
        },
    )
