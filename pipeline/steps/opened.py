"""What each step begins with: its handoff, the contract as it stands, and the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.model import Contract
from contracts.shelf import find_contract
from core.errors import ContractError, IntegrityError
from pipeline.agreements import doors
from pipeline.handoff import Handoff, read_handoff
from pipeline.home import Home
from pipeline.runs import Run


def opened(handoff: Handoff, home: Home, due: str) -> tuple[dict[str, Any], Contract, Run]:
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
    doors.require(contract, home)
    return state, contract, run


def about(state: Mapping[str, Any]) -> dict[str, Any]:
    """What every handoff of a run says of it."""
    names = ("run_id", "contract_file", "contract_id", "contract_version", "contract_digest", "window")
    return {name: state[name] for name in names}
