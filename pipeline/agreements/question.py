"""Whether a contract's release would pass its door now, asked without moving anything."""

from __future__ import annotations

import uuid

from connectors.base import receive
from connectors.registry import connector_for
from contracts.model import Contract
from contracts.regimes.crossborder import is_abroad
from contracts.regimes.finding import Headcount, Measured
from core.errors import ContractError
from core.proof import Window
from pipeline.agreements.doors import Passage, count_abroad, require, require_lawful
from pipeline.home import Home


def refusal_of(contract: Contract, home: Home) -> ContractError | None:
    """Why a door of this hall stays shut to a contract's release; None when it would open.

    Asked as a run asks: signed and permitted; then, where the data would leave the mainland, whose it is, counted with all
    that went abroad since 1 January; then what the law says. It's only a question: nobody is counted, no row is kept.
    """
    try:
        passage = require(contract, home)
        if is_abroad(passage.territories):
            _ask_counted(passage, home)
        else:
            require_lawful(passage, _worst(contract), None)
    except ContractError as error:
        return error
    return None


class _WouldPassError(Exception):
    """The answer is yes, and nothing goes: so that the meter counts nobody."""


def _ask_counted(passage: Passage, home: Home) -> None:
    """Raises ContractError when the law refuses so many persons' data."""
    contract = passage.contract

    def ask(count: Headcount) -> None:
        require_lawful(passage, _worst(contract), count)
        raise _WouldPassError

    run = home.runs.begin(str(uuid.uuid4()))
    try:
        received = receive(
            connector_for(contract), contract, Window(), out=run.folder / "received", key=run.key
        )
        count_abroad(passage, home, received.tables, allow=ask)
    except _WouldPassError:
        pass
    finally:
        home.runs.end(run.id)


def _worst(contract: Contract) -> Measured:
    """The most risk that the contract's own k lets through: nothing is measured before it's made safe."""
    share = 1 / contract.privacy.k if contract.privacy else 0.0
    return Measured(
        direct=False, rows=True, largest_risk=share, mean_risk=share, unique=0.0, smallest_cell=None
    )
