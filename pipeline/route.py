"""The route of a dataset, step by step: check, receive, validate, anonymize, publish, clean.

Each step takes the handoff of the one before and gives its own, so that the steps may run in one process (`run`) or in
a process each (Airflow). Every step reads the contract anew and refuses when its text changed since the run began, or
when it isn't in force any more; every file is held against its digest before it's used; every step may be run again.
"""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from audit.events import DatasetRef, Event, EventKind
from catalog.release import Release
from connectors.base import receive as receive_tables
from connectors.base import received_from
from connectors.registry import connector_for
from contracts.decide import require
from contracts.model import Contract, TableKind
from contracts.shelf import find_contract
from core.digest import file_digest
from core.errors import ContractError, IntegrityError, QualityError, SluiceError, UsageError
from core.progress import Progress, silent
from core.proof import Window
from pipeline.handoff import Handoff, read_handoff, tables_as_json, tables_from_json, write_handoff
from pipeline.home import Home
from pipeline.overlap import refuse_overlap
from pipeline.quarantine import Quarantine
from pipeline.runs import Owner, Run, run_uuid
from pipeline.sweep import sweep
from pipeline.told import bounds, record, risk_facts, source_namespace
from pipeline.validate import RESULT as VALIDATION
from pipeline.validate import validate as validate_tables
from pipeline.validate import validated_from
from privacy.anonymize import anonymize as anonymize_tables
from privacy.anonymize import anonymized_from


@dataclass(frozen=True, kw_only=True)
class Publication:
    """How a run ended. new: False when this release was already published, so that nothing was done twice."""

    run_id: str
    release: Release
    new: bool

    def as_json(self) -> dict[str, object]:
        """The release as the catalog lists it, and whether this run published it."""
        return {"run": self.run_id, "new": self.new, **self.release.as_json()}


def run(
    ref: str,
    *,
    home: Home,
    run_id: str | None = None,
    window: Window | None = None,
    progress: Progress = silent,
) -> Publication:
    """The whole route in this process; raw data is gone afterwards, whatever happens. Raises what the steps raise."""
    run_id = run_id or str(uuid.uuid4())
    step = "check"
    sweep(home)
    with home.runs.held(run_id):
        try:
            progress("check")
            handoff = check(ref, run_id=run_id, home=home, window=window or Window())
            for step, act in (("receive", receive), ("validate", validate), ("anonymize", anonymize)):
                progress(step)
                handoff = act(handoff, home=home, progress=progress)
            step = "publish"
            progress(step)
            publication = publish(handoff, home=home, progress=progress)
        except BaseException as error:
            with suppress(SluiceError):  # where the state is what broke, the ledger can't be told
                failed(run_id, step=step, error=type(error).__name__, home=home)
            with suppress(SluiceError):  # nor may that hide what broke; the next start sweeps
                clean(run_id, home=home)
            raise
        clean(run_id, home=home)
        return publication


def check(
    ref: str, *, run_id: str, home: Home, window: Window | None = None, owner: Owner | None = None
) -> Handoff:
    """Begins a run: the contract is whole and in force today.

    ref: a contract's id or its file's path. owner: the scheduler whose tasks are the run's other steps, e.g.
    {"dag_id": ..., "run_id": ...}; without one the run is this process's. Raises ContractError naming the clause that
    stands in the way.
    """
    contract = find_contract(ref, home.settings.contracts)
    require(contract, door="release", at=home.clock())
    if window not in (None, Window()) and not any(table.time_column for table in contract.tables):
        raise UsageError(
            f"Contract {contract.id} says of no table when its facts happened, so no window can be cut.",
            where=str(window),
            remedy="Run it without a window, or name the column in sluiceTime.",
        )
    run = home.runs.begin(run_id, owner=owner)
    content = {
        "run_id": run_id,
        "contract_file": str(contract.path.resolve()) if contract.path else ref,
        "contract_id": contract.id,
        "contract_version": contract.version,
        "contract_digest": contract.digest,
        "window": (window or Window()).as_json(),
    }
    record(
        EventKind.RUN_STARTED,
        contract,
        home,
        run_id=run.id,
        subject=run.id,
        facts={"window": bounds((window or Window()).as_json())},
    )
    return write_handoff(run.folder, "checked", content)


def receive(handoff: Handoff, *, home: Home, progress: Progress = silent) -> Handoff:
    """Fetches the contract's tables from the platform. When their release is published already, says so and stops there."""
    state, contract, run = _open(handoff, home, "checked")
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
            **_about(state),
            "source_digest": source_digest,
            "tables": tables_as_json(received.tables, run.folder),
            "release": release,
            "already_published": already_published,
        },
    )


def validate(handoff: Handoff, *, home: Home, progress: Progress = silent) -> Handoff:
    """Holds every row against the contract's rules; rows that break one go to quarantine."""
    state, contract, run = _open(handoff, home, "received")
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
    found = json.loads((run.folder / "validated" / VALIDATION).read_text(encoding="utf-8"))
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
            **_about(state),
            "source_digest": validated.source_digest,
            "tables": tables_as_json(validated.tables, run.folder),
            "quarantined": dict(validated.quarantined),
            "release": state["release"],
            "already_published": False,
        },
    )


def anonymize(handoff: Handoff, *, home: Home, progress: Progress = silent) -> Handoff:
    """Makes the release safe under the contract's limits, measured on the files as written."""
    state, contract, run = _open(handoff, home, "validated")
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
    safe = anonymize_tables(
        validated,
        contract,
        home.keys.contract_keys(contract.id),
        out=run.folder / "anonymized",
        documents={VALIDATION: run.folder / "validated" / VALIDATION},
        progress=progress,
    )
    record(
        EventKind.DATA_ANONYMIZED,
        contract,
        home,
        run_id=run.id,
        subject=run.id,
        facts=risk_facts(safe),
    )
    return write_handoff(
        run.folder,
        "anonymized",
        {
            **_about(state),
            "tables": tables_as_json(safe.tables, run.folder),
            "release": safe.release,
            "digest": safe.digest,
            "report": dict(safe.report),
            "documents": {name: str(path.relative_to(run.folder)) for name, path in safe.documents.items()},
            "already_published": False,
        },
    )


def publish(handoff: Handoff, *, home: Home, progress: Progress = silent) -> Publication:
    """Stages the release, records it, then reveals it: in the log before anyone can see it."""
    state, contract, run = _open(handoff, home, "anonymized")
    if state["already_published"]:
        found = home.catalog.find(state["release"])
        if found is None:
            raise IntegrityError(
                f"Release {state['release']} was published when this run began, and is gone now.",
                remedy="Look at `sluice audit log`; then start the run again.",
            )
        release = found
    else:
        release = _publish(state, contract, run, home, progress)
    # Both are told once for each release and run: a run that was cut off in between completes them here.
    told = record(
        EventKind.RELEASE_REVEALED,
        contract,
        home,
        run_id=run.id,
        subject=release.release,
        facts={"release": release.release, "tables": {table.name: table.version for table in release.tables}},
        outputs=tuple(
            DatasetRef(namespace="sluice://catalog", name=f"{contract.slug}/{t.name}") for t in release.tables
        ),
    )
    record(
        EventKind.RUN_COMPLETED,
        contract,
        home,
        run_id=run.id,
        subject=run.id,
        facts={"release": release.release},
    )
    new = home.ledger.event(told.index).run_id == run.id  # true of its retries too, and of one run only
    return Publication(run_id=state["run_id"], release=release, new=new)


def _publish(
    state: Mapping[str, Any], contract: Contract, run: Run, home: Home, progress: Progress
) -> Release:
    """Stages, records and reveals, while no other run of the contract does."""
    safe = anonymized_from(
        contract_id=contract.id,
        contract_digest=contract.digest,
        release=state["release"],
        digest=state["digest"],
        tables=tables_from_json(state["tables"], run.folder),
        report=state["report"],
        documents={name: run.folder / path for name, path in state["documents"].items()},
    )
    progress("stage")
    with home.catalog.publishing(contract):
        refuse_overlap(contract, Window.from_json(state["window"]), home)  # another run may have been quicker
        staged = home.catalog.stage(safe, contract)
        receipt = record(
            EventKind.RELEASE_STAGED,
            contract,
            home,
            run_id=run.id,
            subject=staged.release,
            facts={
                "release": staged.release,
                "digest": staged.digest,
                "tables": {t.name: {"sha256": t.sha256, "rows": t.rows} for t in safe.tables.values()},
                "documents": {name: file_digest(path) for name, path in safe.documents.items()},
                "window": bounds(state["window"]),
            },
        )
        progress("reveal")
        return home.catalog.reveal(staged, receipt, contract)


def clean(run_id: str, *, home: Home) -> None:
    """Destroys the run's key and removes its folder with all raw data in it; safe to call twice."""
    home.runs.end(run_id)


def failed(run_id: str, *, step: str, error: str, home: Home) -> None:
    """Records that a run failed in a step. error: the class's name only; a message might hold more."""
    started = home.ledger.receipt_for(EventKind.RUN_STARTED, run_uuid(run_id))
    if started is None:
        return  # it never began: there is no contract to tell of
    begun = home.ledger.event(started.index)
    home.ledger.append(
        Event(
            kind=EventKind.RUN_FAILED,
            run_id=run_uuid(run_id),
            subject=f"{run_uuid(run_id)}/{step}",
            contract_id=begun.contract_id,
            contract_version=begun.contract_version,
            contract_digest=begun.contract_digest,
            facts={"step": step, "error": error},
        )
    )


def _source_digest(contract: Contract, received: str, home: Home) -> str:
    """What names the source outside the run, hex: deterministic, and no help to who wants to confirm a guess of raw rows.

    A bare digest would be: who knows all of a table but one value could try them all.
    """
    key = home.keys.contract_keys(contract.id).derive("source")
    return hmac.digest(key, bytes.fromhex(received), "sha256").hex()


def _about(state: Mapping[str, Any]) -> dict[str, Any]:
    """What every handoff of a run says of it."""
    names = ("run_id", "contract_file", "contract_id", "contract_version", "contract_digest", "window")
    return {name: state[name] for name in names}


def _open(handoff: Handoff, home: Home, due: str) -> tuple[dict[str, Any], Contract, Run]:
    """A handoff's content, its contract as it stands now, and the run.

    due: the step whose handoff is taken; that of a release which is published already is taken by every step.
    Raises IntegrityError when the handoff was changed or comes from another step or place, ContractError when the
    contract's text changed since the run began or isn't in force any more.
    """
    state = read_handoff(handoff)
    run = home.runs.open(state["run_id"])
    is_due = state["step"] == due or state.get("already_published") is True
    if not is_due or handoff.path.parent != run.folder:
        raise IntegrityError(
            f"A handoff of step {state['step']} came where one of {due} is due.",
            where=str(handoff.path),
            remedy="Start the run again.",
        )
    contract = find_contract(state["contract_file"], home.settings.contracts)
    if contract.digest != state["contract_digest"]:
        raise ContractError(
            f"Contract {state['contract_id']} was changed while run {state['run_id']} was under way.",
            where=state["contract_file"],
            remedy="Start a new run: it takes the contract as it stands.",
            was=state["contract_digest"],
            now=contract.digest,
        )
    require(contract, door="release", at=home.clock())
    return state, contract, run
