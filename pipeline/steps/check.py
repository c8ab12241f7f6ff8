"""The first step, and what ends a run: it begins, it failed, it's over."""

from __future__ import annotations

from contextlib import suppress

from audit.events import Event, EventKind
from contracts.shelf import find_contract
from core.errors import SluiceError, UsageError
from core.proof import Window
from pipeline.agreements import doors
from pipeline.handoff import Handoff, write_handoff
from pipeline.home import Home
from pipeline.runs import Owner, run_uuid
from pipeline.tokens import LentKeys
from pipeline.told import bounds, record


def check(
    ref: str, *, run_id: str, home: Home, window: Window | None = None, owner: Owner | None = None
) -> Handoff:
    """Begins a run: the contract is whole and in force today.

    ref: a contract's id or its file's path. owner: the scheduler whose tasks are the run's other steps, e.g.
    {"dag_id": ..., "run_id": ...}; without one the run is this process's. Raises ContractError naming the clause that
    stands in the way, PrivacyError where a second holder hasn't lent its key; the ledger holds that it was refused.
    """
    contract = find_contract(ref, home.settings.contracts)
    try:
        doors.require(contract, home)
        LentKeys(contract, home).ask()
    except SluiceError as error:
        with suppress(SluiceError):  # where the state is what broke, the ledger can't be told
            record(
                EventKind.RUN_FAILED,
                contract,
                home,
                run_id=run_uuid(run_id),
                subject=f"{run_uuid(run_id)}/check",
                facts={"step": "check", "error": type(error).__name__},
            )
        raise
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
