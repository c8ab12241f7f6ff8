"""The last step: staged, in the ledger, then revealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audit.events import DatasetRef, EventKind
from catalog.release import Release
from contracts.model import Contract
from core.digest import file_digest
from core.errors import IntegrityError
from core.progress import Progress, silent
from core.proof import Window
from pipeline.handoff import Handoff, tables_from_json
from pipeline.home import Home
from pipeline.memory import beside_of, keep, publishing
from pipeline.overlap import refuse_overlap
from pipeline.runs import Run
from pipeline.steps.anonymize import anonymize
from pipeline.steps.opened import opened
from pipeline.told import bounds, record
from privacy.safe import anonymized_from


@dataclass(frozen=True, kw_only=True)
class Publication:
    """How a run ended. new: False when this release was already published, so that nothing was done twice."""

    run_id: str
    release: Release
    new: bool

    def as_json(self) -> dict[str, object]:
        """The release as the catalog lists it, and whether this run published it."""
        return {"run": self.run_id, "new": self.new, **self.release.as_json()}


def publish(handoff: Handoff, *, home: Home, progress: Progress = silent) -> Publication:
    """Stages the release, records it, then reveals it: in the log before anyone can see it."""
    state, contract, run = opened(handoff, home, "anonymized")
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
    window = Window.from_json(state["window"])
    progress("stage")
    # The catalog's lock first: it tells two runs of one contract apart at once.
    with home.catalog.publishing(contract), publishing(contract, home):
        refuse_overlap(contract, window, home)  # another run may have been quicker
        if beside_of(contract, home, but=state["release"], window=window) != state["live"]:
            # Of the same persons another release was published or deleted since: beside that it's made again.
            made = anonymize(Handoff.from_json(state["validated"]), home=home, progress=progress)
            state, *_ = opened(made, home, "anonymized")
        safe = anonymized_from(
            contract_id=contract.id,
            contract_digest=contract.digest,
            release=state["release"],
            digest=state["digest"],
            tables=tables_from_json(state["tables"], run.folder),
            report=state["report"],
            documents={name: run.folder / path for name, path in state["documents"].items()},
            memory={name: (run.folder / path, digest) for name, (path, digest) in state["memory"].items()},
        )
        staged = home.catalog.stage(safe, contract)
        keep({name: path for name, (path, _) in safe.memory.items()}, staged.release, home)
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
                "memory": {name: digest for name, (_, digest) in safe.memory.items()},
                "window": bounds(state["window"]),
            },
        )
        progress("reveal")
        return home.catalog.reveal(staged, receipt, contract)
