"""What a party says next, as a dossier with one saying more. Pure: keys, moments and names are passed in."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from contracts.agreement.codes import code_of
from contracts.agreement.message import (
    agreed,
    agreement_message,
    event_message,
    offer_message,
    request_message,
    termination_message,
    verification_message,
)
from contracts.life.dossier import TARGET, ContractName, Dossier, Negotiation, statement_of
from contracts.life.negotiation import Act, Phase, Side, advance, sign_act, what_is_next
from contracts.life.saying import TURN, Saying
from contracts.life.state import Turn, after
from contracts.signing.dsse import IN_TOTO, Envelope, sign
from core.algorithms import Signs
from core.digest import document_digest
from core.errors import ContractError

BY_POST = "urn:sluice:post"  # where the protocol wants a callback address: the file's way back


def begin(
    contract: bytes,
    name: ContractName,
    offer: Mapping[str, Any],
    *,
    negotiation: str,
    side: Side,
    assigner: str,
    assignee: str,
    signer: Signs,
) -> Dossier:
    """The first word about a contract: a provider's offer, or a consumer's request.

    contract: the ODCS file's bytes, name: what was read from them. offer: an ODRL offer (`agreement.message.offer_document`);
    its target and parties are set here. negotiation: a fresh UUID.
    """
    said = _put_forward(offer, name, assigner, assignee, side, negotiation, answers=False)
    return _say(Dossier(contract=contract), negotiation, side, _opening(side), said, signer)


def counter(
    dossier: Dossier,
    so_far: Negotiation,
    contract: bytes,
    name: ContractName,
    offer: Mapping[str, Any],
    *,
    side: Side,
    signer: Signs,
) -> Dossier:
    """Other terms than those put forward last, or another text of the contract. Raises ContractError out of turn."""
    act = _opening(side)
    advance(so_far.phase, act, side)
    said = _put_forward(offer, name, so_far.assigner, so_far.assignee, side, so_far.id, answers=True)
    return _say(replace(dossier, contract=contract), so_far.id, side, act, said, signer)


def carry_on(dossier: Dossier, so_far: Negotiation, *, side: Side, signer: Signs, now: datetime) -> Dossier:
    """The step that concludes what is put forward, as far as it's this side's turn: accept, agree, verify or finalize.

    To agree and to verify is to sign the agreement. Raises ContractError when it's the other's turn, or over.
    """
    act = sign_act(so_far.phase, side)
    if act is None:
        raise ContractError(
            f"It isn't the {side}'s turn: the negotiation is {so_far.phase}.",
            where=f"negotiation {so_far.id}",
            remedy=what_is_next(so_far.phase),
        )
    pids = _pids(so_far.id)
    if act is Act.AGREE:
        message = agreement_of(so_far, now)
        statement = statement_of(_named(so_far), message, so_far.assigner, so_far.assignee)
        dossier = replace(dossier, signatures=sign(Envelope(IN_TOTO, statement.payload()), signer))
    elif act is Act.VERIFY:
        message = verification_message(**pids)
        if dossier.signatures is None:  # `replay` found it signed
            raise ContractError("The agreement isn't signed.", where=f"negotiation {so_far.id}")
        dossier = replace(dossier, signatures=sign(dossier.signatures, signer))
    else:
        message = event_message("ACCEPTED" if act is Act.ACCEPT else "FINALIZED", **pids)
    return _say(dossier, so_far.id, side, act, message, signer)


def agreement_of(so_far: Negotiation, now: datetime) -> dict[str, Any]:
    """The agreement message that the terms put forward last become when they're agreed to at `now`."""
    agreement = agreed(
        so_far.terms,
        agreement_id=_name(so_far.id, "agreement"),
        assigner=code_of(so_far.assigner),
        assignee=code_of(so_far.assignee),
        timestamp=now.astimezone(UTC).replace(microsecond=0),
    )
    return agreement_message(agreement, **_pids(so_far.id))


def end(
    dossier: Dossier, so_far: Negotiation, *, side: Side, signer: Signs, reasons: Sequence[str] = ()
) -> Dossier:
    """No contract comes of it. Raises ContractError when it's concluded, or over already."""
    advance(so_far.phase, Act.TERMINATE, side)
    message = termination_message(**_pids(so_far.id), reasons=reasons)
    return _say(dossier, so_far.id, side, Act.TERMINATE, message, signer)


def turn(
    dossier: Dossier, so_far: Negotiation, what: Turn, *, side: Side, signer: Signs, reason: str = ""
) -> Dossier:
    """Suspends, resumes or terminates a contract that is concluded. Raises ContractError for one that isn't, or is over."""
    if so_far.phase is not Phase.FINALIZED or so_far.document is None:
        raise ContractError(
            f"Who would {what} a contract needs one that is concluded; this one is {so_far.phase}.",
            where=f"negotiation {so_far.id}",
            remedy=what_is_next(so_far.phase),
        )
    for each in (side, side.other):
        last = _last_turn(so_far, each)
        if last is Turn.TERMINATE:
            after(last, what, each)
    after(_last_turn(so_far, side), what, side)
    message = {
        "@type": TURN,
        "turn": what.value,
        "agreement": document_digest(so_far.document),
        **({"reason": reason} if reason else {}),
    }
    return _say(dossier, so_far.id, side, what, message, signer)


def _say(
    dossier: Dossier, negotiation: str, side: Side, act: Act | Turn, message: Mapping[str, Any], signer: Signs
) -> Dossier:
    number, previous = _place(dossier, side)
    saying = Saying(
        negotiation=negotiation,
        number=number,
        previous=previous,
        side=side,
        act=act,
        message=message,
    )
    return replace(dossier, sayings=(*dossier.sayings, saying.signed(signer)))


def _place(dossier: Dossier, side: Side) -> tuple[int, str]:
    """The number of what a side says next, and the digest of what it follows: see `dossier`, 1."""
    number, previous = 0, ""
    for envelope in dossier.sayings:
        saying = Saying.read(envelope)
        if saying.side is side or not isinstance(saying.act, Turn):
            number, previous = saying.number + 1, envelope.digest
    return number, previous


def _last_turn(so_far: Negotiation, side: Side) -> Turn | None:
    turns = so_far.turns(side)
    return Turn(turns[-1].saying.act) if turns else None


def _put_forward(
    offer: Mapping[str, Any],
    name: ContractName,
    assigner: str,
    assignee: str,
    side: Side,
    negotiation: str,
    *,
    answers: bool,
) -> dict[str, Any]:
    full = {**offer, "target": TARGET + name.digest, "assigner": assigner, "assignee": assignee}
    pids = _pids(negotiation)
    if side is Side.PROVIDER:
        other = {"consumer_pid": pids["consumer_pid"]} if answers else {"callback": BY_POST}
        return offer_message(full, provider_pid=pids["provider_pid"], **other)
    other = {"provider_pid": pids["provider_pid"]} if answers else {"callback": BY_POST}
    return request_message(full, consumer_pid=pids["consumer_pid"], **other)


def _opening(side: Side) -> Act:
    return Act.OFFER if side is Side.PROVIDER else Act.REQUEST


def _pids(negotiation: str) -> dict[str, str]:
    return {f"{side}_pid": _name(negotiation, side) for side in Side}


def _name(negotiation: str, what: str) -> str:
    return f"urn:uuid:{uuid.uuid5(uuid.UUID(negotiation), what)}"


def _named(so_far: Negotiation) -> ContractName:
    return ContractName(id=so_far.contract_id, version=so_far.contract_version, digest=so_far.contract_digest)
