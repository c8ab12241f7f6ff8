"""A step of a run that has ended, asked for again: what the step takes went with the run's folder, and is made anew."""

from __future__ import annotations

from audit.events import EventKind
from contracts.shelf import find_contract
from core.errors import ContractError
from core.progress import Progress, silent
from core.proof import Window
from pipeline import route
from pipeline.handoff import Handoff, RunGoneError, mark_remade
from pipeline.home import Home
from pipeline.runs import Owner, run_uuid

_STEPS = {"receive": route.receive, "validate": route.validate, "anonymize": route.anonymize}


def again(
    run_id: str, *, before: str, home: Home, owner: Owner | None = None, progress: Progress = silent
) -> Handoff:
    """What the step `before` takes, made from the source by the steps that stand before it, in this process.

    Window and contract are those that the run began with, as the ledger has them. owner: as `route.check` takes it.
    Raises ContractError when the contract's text is another now, RunGoneError when the ledger doesn't say what the run
    began with, and what the steps raise.
    """
    started = home.ledger.receipt_for(EventKind.RUN_STARTED, run_uuid(run_id))
    begun = home.ledger.event(started.index) if started else None
    if begun is None or "window" not in begun.facts:
        raise RunGoneError(
            "What the run's earlier steps staged is gone, and the ledger doesn't say what the run began with.",
            where=f"run {run_uuid(run_id)}, step {before}",
            remedy="Clear the run from its first task, or start a new one.",
        )
    contract = find_contract(begun.contract_id, home.settings.contracts)
    if contract.digest != begun.contract_digest:
        raise ContractError(
            f"Contract {contract.id} was changed since run {run_uuid(run_id)} began.",
            where=str(contract.path),
            remedy="Clear the run from `receive` on, or start a new one: it takes the contract as it stands.",
            was=begun.contract_digest,
            now=contract.digest,
        )
    mark_remade(home.runs.begin(run_id, owner=owner).folder)
    window = Window.from_json(begun.facts["window"])
    made = route.check(str(contract.path), run_id=run_id, home=home, window=window, owner=owner)
    for name, step in _STEPS.items():
        if name == before:
            break
        progress(name)
        made = step(made, home=home, progress=progress)
    return made
