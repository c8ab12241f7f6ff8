"""Who may say what next while a contract is negotiated, as a pure state machine.

Source: Dataspace Protocol 2025-1, "Contract Negotiation Protocol": states and the messages that lead from one to the next.
The provider is the platform, the agreement's assigner; the consumer is the firm, its assignee.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from core.errors import ContractError


class Phase(StrEnum):
    """Where a negotiation stands, in the protocol's words."""

    REQUESTED = "REQUESTED"
    OFFERED = "OFFERED"
    ACCEPTED = "ACCEPTED"
    AGREED = "AGREED"
    VERIFIED = "VERIFIED"
    FINALIZED = "FINALIZED"
    TERMINATED = "TERMINATED"


class Side(StrEnum):
    """Who speaks."""

    PROVIDER = "provider"
    CONSUMER = "consumer"

    @property
    def other(self) -> Side:
        """Who listens."""
        return Side.CONSUMER if self is Side.PROVIDER else Side.PROVIDER


class Act(StrEnum):
    """What a message of the negotiation does."""

    REQUEST = "request"
    OFFER = "offer"
    ACCEPT = "accept"
    AGREE = "agree"
    VERIFY = "verify"
    FINALIZE = "finalize"
    TERMINATE = "terminate"


_P, _C = Side.PROVIDER, Side.CONSUMER
_END = {(Act.TERMINATE, _P): Phase.TERMINATED, (Act.TERMINATE, _C): Phase.TERMINATED}

# From each phase: what each side may do, and where that leads. None: nothing was said yet.
NEXT: Mapping[Phase | None, Mapping[tuple[Act, Side], Phase]] = MappingProxyType(
    {
        None: {(Act.REQUEST, _C): Phase.REQUESTED, (Act.OFFER, _P): Phase.OFFERED},
        Phase.REQUESTED: {(Act.OFFER, _P): Phase.OFFERED, (Act.AGREE, _P): Phase.AGREED, **_END},
        Phase.OFFERED: {(Act.REQUEST, _C): Phase.REQUESTED, (Act.ACCEPT, _C): Phase.ACCEPTED, **_END},
        Phase.ACCEPTED: {(Act.AGREE, _P): Phase.AGREED, **_END},
        Phase.AGREED: {(Act.VERIFY, _C): Phase.VERIFIED, **_END},
        Phase.VERIFIED: {(Act.FINALIZE, _P): Phase.FINALIZED, **_END},
        Phase.FINALIZED: {},
        Phase.TERMINATED: {},
    }
)


def advance(phase: Phase | None, act: Act, by: Side) -> Phase:
    """The phase after `by` has done `act` in `phase`. Raises ContractError, naming who may do what, when they can't."""
    after = NEXT[phase].get((act, by))
    if after is None:
        raise ContractError(
            f"The {by} can't {act} a contract that is {phase or 'not negotiated yet'}.",
            where="negotiation",
            remedy=what_is_next(phase),
            phase=str(phase or ""),
            act=str(act),
        )
    return after


# As people say it: to agree and to verify is to sign.
_WORDS = {
    Act.REQUEST: "ask for other terms",
    Act.OFFER: "offer other terms",
    Act.ACCEPT: "accept",
    Act.AGREE: "sign",
    Act.VERIFY: "sign",
    Act.FINALIZE: "finalize",
}


def sign_act(phase: Phase | None, by: Side) -> Act | None:
    """What `by` does to carry the negotiation on as it stands; None when it's the other's turn, or over.

    The steps that carry a signature on the agreement are AGREE (provider) and VERIFY (consumer).
    """
    forward = (Act.ACCEPT, Act.AGREE, Act.VERIFY, Act.FINALIZE)
    return next((act for act in forward if (act, by) in NEXT[phase]), None)


def what_is_next(phase: Phase | None) -> str:
    """Who may do what now, as a sentence."""
    doable = [f"the {side} can {_WORDS[act]}" for act, side in NEXT[phase] if act in _WORDS]
    if doable:
        return f"Now {' or '.join(doable)}."
    if phase is Phase.FINALIZED:
        return "It is concluded: suspend or terminate the contract, or negotiate a new version."
    return "It is over: negotiate anew."
