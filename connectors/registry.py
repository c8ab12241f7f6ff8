"""Which connector reads which kind of source."""

from __future__ import annotations

from collections.abc import Callable

from connectors.base import Connector
from connectors.completejourney import CompleteJourney
from connectors.files import Files
from contracts.model import Contract
from core.errors import ContractError

CONNECTORS: dict[str, Callable[[], Connector]] = {
    "completejourney": CompleteJourney,
    "files": Files,
}


def connector_for(contract: Contract) -> Connector:
    """The connector that the contract's source names. Raises ContractError with the names that exist."""
    try:
        return CONNECTORS[contract.source.connector]()
    except KeyError:
        raise ContractError(
            f"There is no connector `{contract.source.connector}`.",
            where=f"contract {contract.id}",
            remedy=f"Write one of {', '.join(sorted(CONNECTORS))} as sluiceConnector.",
        ) from None
