"""The messages of a negotiation by the Dataspace Protocol 2025-1, as plain documents.

Terms are written so that they outlive JSON-LD expansion: ODRL's with their prefix (`odrl:purpose`), ours as full IRIs, numbers
as text, because the protocol's schema takes no number there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from contracts.agreement.codes import party_id
from contracts.agreement.lacks import lacks
from contracts.agreement.read import MESSAGE, read_agreement
from contracts.agreement.values import PARTY
from contracts.agreement.vocabulary import (
    BY_NAME,
    COMBINE,
    CONTEXT,
    DATASET,
    DELETE,
    DISTRIBUTE,
    ELAPSED,
    INTERVAL,
    ODRL,
    OWN,
    PERMISSION_OPERANDS,
    PROFILE,
    PROHIBITABLE,
    REIDENTIFY,
    REPORT_USE,
    Door,
    Operand,
    Operator,
)
from core.errors import ContractError, UsageError

Written = str | int | Decimal | Sequence[str]
EVENTS = ("ACCEPTED", "FINALIZED")


@dataclass(frozen=True, kw_only=True)
class DoorTerms:
    """What one door is opened for.

    start, end: the first and the last moment. limits: for every other operand of the door by name, its value; several
    for those that take several.
    """

    door: Door
    purposes: tuple[str, ...]
    start: datetime
    end: datetime
    territories: tuple[str, ...]
    grades: tuple[str, ...]
    limits: Mapping[str, Written] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What two parties agree on. target: the contract's id as the Statement names it.

    forbidden: acts; not_combined_with: datasets by name. delete_within_days: after the end of the agreement;
    report_every: a period such as P1M.
    """

    target: str
    doors: tuple[DoorTerms, ...]
    forbidden: tuple[str, ...] = (REIDENTIFY, DISTRIBUTE)
    not_combined_with: tuple[str, ...] = ()
    delete_within_days: int | None = None
    report_every: str | None = None


def offer_document(terms: Terms, *, offer_id: str) -> dict[str, Any]:
    """The terms as an ODRL offer, which a request or an offer message carries."""
    return {
        "@type": "Offer",
        "@id": offer_id,
        "profile": PROFILE,
        "target": terms.target,
        **_rules(terms),
    }


def agreement_document(
    terms: Terms,
    *,
    agreement_id: str,
    assigner: str,
    assignee: str,
    timestamp: datetime,
    provider_pid: str,
    consumer_pid: str,
) -> dict[str, Any]:
    """The terms as an agreement in its message. assigner, assignee: unified social credit codes.

    Raises ContractError, with the first clause that says so, when the reader wouldn't understand it whole or a door's
    permission lacks something.
    """
    agreement = {
        "@type": "Agreement",
        "@id": agreement_id,
        "profile": PROFILE,
        "target": terms.target,
        "assigner": party_id(assigner),
        "assignee": party_id(assignee),
        "timestamp": _moment(timestamp),
        **_rules(terms),
    }
    message = agreement_message(agreement, provider_pid=provider_pid, consumer_pid=consumer_pid)
    found = lacks(read_agreement(message))
    if found:
        raise ContractError(
            found[0].what, where=f"clause {found[0].clause}", remedy=found[0].remedy, clause=found[0].clause
        )
    return message


def agreed(offer: Mapping[str, Any], *, agreement_id: str, assigner: str, assignee: str, timestamp: datetime) -> dict[str, Any]:  # fmt: skip
    """The agreement that an offer becomes once both accept it: its rules as they are, with the parties and the moment.

    Raises ContractError for a party without a code, UsageError for a moment without a zone.
    """
    kept = {
        key: value
        for key, value in offer.items()
        if key not in ("@type", "@id", "assigner", "assignee", "timestamp")
    }
    return {
        "@type": "Agreement",
        "@id": agreement_id,
        "assigner": party_id(assigner),
        "assignee": party_id(assignee),
        "timestamp": _moment(timestamp),
        **kept,
    }


def request_message(
    offer: Mapping[str, Any],
    *,
    consumer_pid: str,
    provider_pid: str | None = None,
    callback: str | None = None,
) -> dict[str, Any]:
    """`ContractRequestMessage`: the first carries a callback address, those that answer an offer the provider's pid."""
    answer = _answer(provider_pid, callback, "providerPid")
    return _message("ContractRequestMessage", consumerPid=consumer_pid, **answer, offer=dict(offer))


def offer_message(
    offer: Mapping[str, Any],
    *,
    provider_pid: str,
    consumer_pid: str | None = None,
    callback: str | None = None,
) -> dict[str, Any]:
    """`ContractOfferMessage`: the first carries a callback address, those that answer a request the consumer's pid."""
    answer = _answer(consumer_pid, callback, "consumerPid")
    return _message("ContractOfferMessage", providerPid=provider_pid, **answer, offer=dict(offer))


def agreement_message(
    agreement: Mapping[str, Any], *, provider_pid: str, consumer_pid: str
) -> dict[str, Any]:
    """`ContractAgreementMessage`: what both parties sign."""
    return _message(MESSAGE, providerPid=provider_pid, consumerPid=consumer_pid, agreement=dict(agreement))


def verification_message(*, provider_pid: str, consumer_pid: str) -> dict[str, Any]:
    """`ContractAgreementVerificationMessage`: the consumer has verified and signed."""
    return _message(
        "ContractAgreementVerificationMessage", providerPid=provider_pid, consumerPid=consumer_pid
    )


def event_message(event: str, *, provider_pid: str, consumer_pid: str) -> dict[str, Any]:
    """`ContractNegotiationEventMessage`: ACCEPTED by the consumer, FINALIZED by the provider. Raises UsageError for others."""
    if event not in EVENTS:
        raise UsageError(f"No negotiation has an event `{event}`.", remedy=f"Use {' or '.join(EVENTS)}.")
    return _message(
        "ContractNegotiationEventMessage",
        providerPid=provider_pid,
        consumerPid=consumer_pid,
        eventType=event,
    )


def termination_message(
    *, provider_pid: str, consumer_pid: str, code: str = "", reasons: Sequence[str] = ()
) -> dict[str, Any]:
    """`ContractNegotiationTerminationMessage`, with a code and reasons where there are any."""
    why: dict[str, Any] = {"code": code} if code else {}
    if reasons:
        why["reason"] = list(reasons)
    return _message(
        "ContractNegotiationTerminationMessage", providerPid=provider_pid, consumerPid=consumer_pid, **why
    )


def _message(kind: str, **members: Any) -> dict[str, Any]:
    return {"@context": [CONTEXT], "@type": kind, **members}


def _answer(pid: str | None, callback: str | None, key: str) -> dict[str, str]:
    if pid is not None and callback is None:
        return {key: pid}
    if callback is not None and pid is None:
        return {"callbackAddress": callback}
    raise UsageError(
        f"A message carries either {key} or a callback address.",
        remedy="Give the pid of the negotiation it answers, or the callback of a new one.",
    )


def _rules(terms: Terms) -> dict[str, Any]:
    forbidden = [_prohibition(act) for act in terms.forbidden]
    if terms.not_combined_with:
        forbidden.append(
            {
                "action": OWN + COMBINE,
                "constraint": [_constraint(DATASET, Operator.IS_ANY_OF, terms.not_combined_with)],
            }
        )
    duties = []
    if terms.delete_within_days is not None:
        within = _constraint(ELAPSED, Operator.LTEQ, f"P{terms.delete_within_days}D")
        duties.append({"action": f"odrl:{DELETE}", "constraint": [within]})
    if terms.report_every is not None:
        every = _constraint(INTERVAL, Operator.EQ, terms.report_every)
        duties.append({"action": OWN + REPORT_USE, "constraint": [every]})
    # The protocol's schema takes no empty list.
    lists = {
        "permission": [_permission(door) for door in terms.doors],
        "prohibition": forbidden,
        "obligation": duties,
    }
    return {key: value for key, value in lists.items() if value}


def _prohibition(act: str) -> dict[str, Any]:
    for iri, name in PROHIBITABLE.items():
        if name == act:
            return {"action": _short(iri)}
    raise UsageError(f"`{act}` can't be forbidden.", remedy=f"Use {', '.join(PROHIBITABLE.values())}.")


def _permission(terms: DoorTerms) -> dict[str, Any]:
    said: dict[str, Written] = {
        **terms.limits,
        "purpose": terms.purposes,
        "spatial": terms.territories,
        "recipientGrade": terms.grades,
    }
    unknown = sorted(set(said) - set(BY_NAME) | set(said) & {"dateTime"})
    if unknown:
        raise UsageError(f"There is no limit `{unknown[0]}`.", remedy=f"Use {', '.join(BY_NAME)}.")
    constraints = []
    for operand in PERMISSION_OPERANDS:
        if operand.name == "dateTime":
            constraints.append(_constraint(operand, Operator.GTEQ, _moment(terms.start)))
            constraints.append(_constraint(operand, Operator.LTEQ, _moment(terms.end)))
        elif operand.name in said:
            constraints.append(_limit(operand, said[operand.name]))
    return {"action": OWN + terms.door, "constraint": constraints}


def _limit(operand: Operand, value: Written) -> dict[str, Any]:
    operator = operand.operators[0]
    if operator is Operator.IS_ANY_OF:
        several = [value] if isinstance(value, (str, int, Decimal)) else list(value)
        if operand.kind is PARTY:
            several = [party_id(str(each)) for each in several]
        return _constraint(operand, operator, several)
    return _constraint(operand, operator, str(value))


def _constraint(operand: Operand, operator: Operator, value: Sequence[Any]) -> dict[str, Any]:
    return {
        "leftOperand": _short(operand.iri),
        "operator": str(operator),
        "rightOperand": value if isinstance(value, str) else [str(each) for each in value],
    }


def _short(iri: str) -> str:
    return f"odrl:{iri.removeprefix(ODRL)}" if iri.startswith(ODRL) else iri


def _moment(moment: datetime) -> str:
    if moment.utcoffset() is None:
        raise UsageError("A moment of the agreement has no time zone.", remedy="Pass a datetime in UTC.")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
