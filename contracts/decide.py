"""Permit or Deny: whether a contract opens a door now. Pure, and the default is no."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.model import Contract
from core.errors import ContractError, UsageError

IN_FORCE = "active"
DOORS = ("release",)


@dataclass(frozen=True, kw_only=True)
class Permit:
    """The contract opens the door."""

    contract_id: str
    door: str


@dataclass(frozen=True, kw_only=True)
class Deny:
    """It doesn't. clause: what in the contract says so. reason: a sentence. remedy: what its authors can do."""

    clause: str
    reason: str
    remedy: str


def decide(contract: Contract, *, door: str = "release", at: datetime) -> Permit | Deny:
    """Whether `contract` opens `door` at a moment.

    In force is a contract whose status is `active`, from its first day to its last, both whole days in UTC.
    Raises UsageError for a moment without a time zone.
    """
    if at.tzinfo is None:
        raise UsageError("The moment to decide at has no time zone.", remedy="Pass a datetime in UTC.")
    if door not in DOORS:
        return Deny(
            clause="door", reason=f"No contract opens a door `{door}`.", remedy=f"Use {', '.join(DOORS)}."
        )
    if contract.status != IN_FORCE:
        return Deny(
            clause="status",
            reason=f"Contract {contract.id} {contract.version} is `{contract.status}`.",
            remedy="Set status: active once both parties have agreed.",
        )
    day = at.astimezone(UTC).date()
    if day < contract.term.start:
        return Deny(
            clause="sluiceTerm.from",
            reason=f"Contract {contract.id} {contract.version} is in force from {contract.term.start}, and it is {day}.",
            remedy="Wait, or agree on an earlier start in a new version.",
        )
    if day > contract.term.end:
        return Deny(
            clause="sluiceTerm.until",
            reason=f"Contract {contract.id} {contract.version} ended with {contract.term.end}, and it is {day}.",
            remedy="Agree on a new version with a later end.",
        )
    return Permit(contract_id=contract.id, door=door)


def require(contract: Contract, *, door: str = "release", at: datetime) -> Permit:
    """The permit. Raises ContractError, with `facts["clause"]`, when the decision is no."""
    decision = decide(contract, door=door, at=at)
    if isinstance(decision, Deny):
        raise ContractError(
            decision.reason,
            where=f"clause {decision.clause}",
            remedy=decision.remedy,
            clause=decision.clause,
            contract=contract.id,
            door=door,
        )
    return decision
