"""Whether both parties signed this contract and this agreement.

What is proved, each numbered in the code:
  1. the payload is said to be what we read it as, and is our statement;
  2. it's the statement over the documents at hand: both digests, the contract's id and version, both parties;
  3. every signature is of a key that the registry gives to one of the two parties;
  4. every signature fits its key, what is signed, and the type that it's signed as;
  5. every key was valid when its signature came about: at the first checkpoint that holds it, or now;
  6. there is one signature of each of the two, and the keys are two.

A signature of anybody else is refused rather than passed over: it would change the file that the log names without
anybody having checked it, and a reader would take it for a witness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.parties.model import Parties, PartyKey
from contracts.parties.moment import Moment
from contracts.signing.dsse import IN_TOTO, Envelope, Signature
from contracts.signing.statement import Statement
from core.errors import ContractError
from core.proof import Sealed, prover


@dataclass(frozen=True, kw_only=True)
class SignedBy:
    """One signature that was verified. mark: what a log holds of it (`Envelope.mark`); at: when it counts as made."""

    key: PartyKey
    mark: str
    at: Moment


@dataclass(frozen=True, kw_only=True)
class Signed(Sealed):
    """A contract and an agreement that both parties signed. Built by `verify_envelope`.

    envelope_digest: SHA-256 of the envelope's RFC 8785 form, hex.
    """

    statement: Statement
    envelope_digest: str
    assigner: SignedBy
    assignee: SignedBy


_signed = prover(Signed)


def verify_envelope(
    envelope: Envelope, expected: Statement, *, parties: Parties, at: Moment | Mapping[str, Moment]
) -> Signed:
    """The proof that both parties of `expected` signed it.

    expected: the statement over the documents at hand, from their digests and the agreement's own parties, never from the
    envelope. at: when the signatures came about; a mapping says it for each by its mark, whose absence refuses it.
    Raises ContractError, naming the key or the party.
    """
    first, *others = check_signatures(envelope, expected, parties=parties, at=at)
    by = {signed.key.party: signed for signed in (first, *others)}
    # 6: `check_signatures` left only these two parties, and no key twice.
    for side, party in (("assigner", expected.assigner), ("assignee", expected.assignee)):
        if party not in by:
            raise ContractError(
                f"The {side} hasn't signed.",
                where=party,
                remedy="The contract needs a signature of each of the two; send them the file.",
            )
    if len(envelope.signatures) != 2:
        raise ContractError(
            "One party signed with two keys.", where="envelope", remedy="Keep one signature of each party."
        )
    return _signed(
        statement=expected,
        envelope_digest=envelope.digest,
        assigner=by[expected.assigner],
        assignee=by[expected.assignee],
    )


def check_signatures(
    envelope: Envelope, expected: Statement, *, parties: Parties, at: Moment | Mapping[str, Moment]
) -> tuple[SignedBy, ...]:
    """The signatures that an envelope bears, each verified, at least one: for who is asked to add the second.

    Proves 1 to 5. Arguments and errors as `verify_envelope`.
    """
    # 1
    if envelope.payload_type != IN_TOTO:
        raise ContractError(
            "The signatures are over something else than a statement.",
            where="envelope",
            remedy=f"The payload's type must be {IN_TOTO}.",
        )
    statement = Statement.parse(envelope.payload)
    # 2
    difference = expected.difference(statement)
    if difference is not None:
        raise ContractError(
            f"The signatures are over other documents: the {difference} isn't the one at hand.",
            where="envelope",
            remedy="Bring the documents that were signed, or have these signed.",
        )
    if not envelope.signatures:
        raise ContractError("Nobody has signed.", where="envelope", remedy="Sign it first.")
    return tuple(_check(envelope, one, expected, parties=parties, at=at) for one in envelope.signatures)


def _check(
    envelope: Envelope,
    signature: Signature,
    expected: Statement,
    *,
    parties: Parties,
    at: Moment | Mapping[str, Moment],
) -> SignedBy:
    where = f"key {signature.key_id}"
    # 3
    key = parties.key(signature.key_id)
    if key is None:
        raise ContractError(
            "A signature is of a key that the registry doesn't have.",
            where=where,
            remedy="Bring the registry up to date, or have the party register its key.",
        )
    if key.party not in (expected.assigner, expected.assignee):
        raise ContractError(
            f"A signature is of {key.party}, who is no party to this contract.",
            where=where,
            remedy="Only the assigner and the assignee sign.",
        )
    # 4
    if not key.public.accepts(envelope.pae(), signature.value):
        raise ContractError(
            f"A signature of {key.party} is false.", where=where, remedy="Ask the party to sign once more."
        )
    # 5
    mark = envelope.mark(signature)
    moment = at.get(mark) if isinstance(at, Mapping) else at
    if moment is None:
        raise ContractError(
            "Nothing says when a signature came about: the log doesn't hold this one.",
            where=where,
            remedy="Bring the first checkpoint that holds it, with its proof.",
        )
    key.check(moment)
    return SignedBy(key=key, mark=mark, at=moment)
