"""Whether a contract is in force, from the ledger and the signed agreement, and what it permits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from contracts.agreement.model import Agreement, Permission
from contracts.agreement.vocabulary import Operator
from contracts.life.state import ContractState, Period, Standing, states
from core.errors import SluiceError, StateError
from pipeline.agreements.desk import Desk, OnDesk
from pipeline.agreements.log import latest, logged
from pipeline.home import Home


@dataclass(frozen=True, kw_only=True)
class Stands:
    """How a negotiated contract stands in this hall. kept: its dossier, checked; None when that is gone or doesn't hold.

    trouble: what is wrong with the dossier then. fault: the same where it's the machine's, and may be gone the next time.
    """

    state: ContractState
    kept: OnDesk | None
    trouble: str = ""
    fault: StateError | None = None


def standings(home: Home, contract_id: str = "") -> tuple[Stands, ...]:
    """How every negotiated contract stands, or those of one id, in the order in which they began."""
    with home.ledger.held():
        return _standings(home, contract_id)


def _standings(home: Home, contract_id: str) -> tuple[Stands, ...]:
    log = logged(home, contract_id)
    desk = Desk(home)
    kept: dict[str, OnDesk] = {}
    trouble: dict[str, str] = {}
    faults: dict[str, StateError] = {}
    contracts = {each.negotiation: each.contract_id for each in reversed(log.happenings)}
    for negotiation in dict.fromkeys(each.negotiation for each in log.happenings):
        try:
            kept[negotiation] = desk.open(negotiation, contracts[negotiation])
        except SluiceError as error:  # it opens no door; that it's there is told all the same
            trouble[negotiation] = str(error)
            faults |= {negotiation: error} if isinstance(error, StateError) else {}
        except OSError as error:
            fault = StateError(
                f"The contract's file can't be read ({error.strerror or type(error).__name__}).",
                where=f"negotiation {negotiation}",
                remedy="Check the disk and the modes of SLUICE_HOME; then do it again.",
            )
            trouble[negotiation], faults[negotiation] = str(fault), fault
    periods = {}
    for opened in kept.values():
        agreement = opened.made.agreement
        period = period_of(agreement) if agreement is not None else None
        if agreement is not None and period is not None:
            periods[agreement.digest] = period
    found = states(log.happenings, periods, latest(home))
    return tuple(
        Stands(
            state=state,
            kept=kept.get(state.negotiation),
            trouble=trouble.get(state.negotiation, ""),
            fault=faults.get(state.negotiation),
        )
        for state in found
    )


def in_force(stands: Iterable[Stands], contract_digest: str) -> Stands | None:
    """The one that is in force for a contract's text, if any."""
    for each in stands:
        if each.state.standing is Standing.IN_FORCE and each.state.contract_digest == contract_digest:
            return each
    return None


def period_of(agreement: Agreement) -> Period | None:
    """The moments between which any permission of the agreement can hold; None when it has no permission."""
    spans = [_span(permission) for permission in agreement.permissions]
    if not spans:
        return None
    starts = [start for start, _ in spans if start is not None]
    ends = [end for _, end in spans if end is not None]
    return Period(
        start=min(starts) if len(starts) == len(spans) else None,
        end=max(ends) if len(ends) == len(spans) else None,
    )


def _span(permission: Permission) -> tuple[datetime | None, datetime | None]:
    starts: list[datetime] = []
    ends: list[datetime] = []
    for each in permission.constraints:
        if each.operand.name == "dateTime" and isinstance(each.value, datetime):
            (starts if each.operator is Operator.GTEQ else ends).append(each.value)
    return max(starts, default=None), min(ends, default=None)
