"""All that was said about one contract, as the file that two parties send to and fro; and what follows from it.

Whoever gets the file plays the whole conversation again, from the first word, and believes nothing else in it. What has to
hold, each numbered in the code:
  1. the sayings are one negotiation, numbered without a gap, each naming the one before it; once it's concluded, each side
     goes on by itself from there, so that what both say at the same time is two words and no contradiction;
  2. each is signed once, by a key that the registry gives to the party on whose side it was said, valid then;
  3. each may follow those before it (`contracts.life.negotiation`; of the turns of a side, `after`);
  4. what is put forward names the contract at hand by its digest, and both parties;
  5. what is agreed is, term by term, what was put forward last;
  6. the agreement bears the provider's signature when it's made, and both from the moment that it's verified.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from contracts.agreement.model import Agreement
from contracts.agreement.read import read_agreement
from contracts.life.negotiation import Act, Phase, Side, advance
from contracts.life.saying import Saying
from contracts.life.state import Turn, after
from contracts.parties.model import Parties, PartyKey, check_party
from contracts.parties.moment import Moment
from contracts.signing.dsse import Envelope
from contracts.signing.statement import Statement
from contracts.signing.verify import Signed, check_signatures, verify_envelope
from core.digest import canonical, document_digest
from core.errors import ContractError
from core.jsontext import parse_json

FORMAT = "urn:sluice:dossier:1"
MAX_DOSSIER_BYTES = 16 << 20
MAX_SAYINGS = 1000
# Of these each side has its own after the conclusion, so that neither can use up the other's; to terminate there's always room.
MAX_WORDS, MAX_TURNS = 500, 200
TARGET = "urn:sluice:contract:"
# What an agreement says of itself; all else of it are the terms.
_NOT_TERMS = {"@id", "@type", "timestamp"}

At = Callable[[str], Moment]  # when a signature counts as made, by its mark


@dataclass(frozen=True, kw_only=True)
class Dossier:
    """contract: the ODCS file's bytes, as they were put forward last. signatures: the envelope over contract and agreement."""

    contract: bytes
    sayings: tuple[Envelope, ...] = ()
    signatures: Envelope | None = None

    def to_bytes(self) -> bytes:
        """The file that travels: RFC 8785 form."""
        return canonical(
            {
                "format": FORMAT,
                "contract": base64.b64encode(self.contract).decode(),
                "sayings": [envelope.as_json() for envelope in self.sayings],
                "signatures": self.signatures.as_json() if self.signatures else None,
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Dossier:
        """The dossier that a file is; nothing of it is verified yet. Raises ContractError for anything else."""
        document = parse_json(data, max_bytes=MAX_DOSSIER_BYTES, where="dossier", max_depth=12)
        try:
            if document["format"] != FORMAT or set(document) != {
                "format",
                "contract",
                "sayings",
                "signatures",
            }:
                raise _malformed()
            if len(document["sayings"]) > MAX_SAYINGS:
                raise _malformed()
            signatures = document["signatures"]
            dossier = cls(
                contract=base64.b64decode(document["contract"], validate=True),
                sayings=tuple(Envelope.parse(canonical(each)) for each in document["sayings"]),
                signatures=None if signatures is None else Envelope.parse(canonical(signatures)),
            )
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
            raise _malformed() from None
        if dossier.to_bytes() != data:
            raise _malformed()
        return dossier


@dataclass(frozen=True, kw_only=True)
class Said:
    """One saying that holds. mark: what a log holds of its signature; digest: of its envelope."""

    saying: Saying
    key: PartyKey
    mark: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Negotiation:
    """What follows from a dossier. terms: the offer that was put forward last, as it stands in its message.

    agreement: once it's made, with its document (the whole message); signed: once both have signed it.
    """

    id: str
    contract_id: str
    contract_version: str
    contract_digest: str
    assigner: str
    assignee: str
    phase: Phase
    said: tuple[Said, ...]
    terms: Mapping[str, Any]
    agreement: Agreement | None = None
    document: Mapping[str, Any] | None = None
    signed: Signed | None = None

    def party(self, side: Side) -> str:
        """Who stands on a side."""
        return self.assigner if side is Side.PROVIDER else self.assignee

    def side_of(self, party: str) -> Side | None:
        """On which side a party stands, if on any."""
        return {self.assigner: Side.PROVIDER, self.assignee: Side.CONSUMER}.get(party)

    def turns(self, side: Side) -> tuple[Said, ...]:
        """What a side did to the contract after its conclusion, in its order."""
        return tuple(
            said for said in self.said if isinstance(said.saying.act, Turn) and said.saying.side is side
        )


@dataclass(frozen=True, kw_only=True)
class ContractName:
    """The contract in a dossier, as its reader found it: `contracts.odcs` reads it, this module doesn't."""

    id: str
    version: str
    digest: str


def replay(dossier: Dossier, contract: ContractName, *, parties: Parties, at: At) -> Negotiation:
    """The negotiation that a dossier holds.

    contract: read from `dossier.contract`. at: when a signature counts as made, by its mark. Raises ContractError, naming
    the message, for the first thing that doesn't hold.
    """
    if not dossier.sayings:
        raise _malformed()
    first = Saying.read(dossier.sayings[0])
    assigner, assignee = _parties_of(_offer_of(first), "message 0")
    said: list[Said] = []
    phase: Phase | None = None
    terms: Mapping[str, Any] = {}
    document: Mapping[str, Any] | None = None
    # The number and the digest after which a side speaks: of the last message, after the conclusion of its own last one.
    last = dict.fromkeys(Side, (-1, ""))
    did: dict[Side, Turn | None] = dict.fromkeys(Side)
    turns = dict.fromkeys(Side, 0)
    for number, envelope in enumerate(dossier.sayings):
        where = f"message {number}"
        saying = Saying.read(envelope)
        side = saying.side
        before, previous = last[side]
        if (saying.negotiation, saying.number, saying.previous) != (
            first.negotiation,
            before + 1,
            previous,
        ):  # 1
            raise _broken("A message was left out, moved, or taken from another negotiation.", where)
        key, mark = _speaker(
            envelope, assigner if side is Side.PROVIDER else assignee, parties, at, where
        )  # 2
        if isinstance(saying.act, Turn):
            if phase is not Phase.FINALIZED:  # 3
                raise _broken(f"Who would {saying.act} a contract needs one that is concluded.", where)
            _check_turn(saying, document, where)
            did[side] = after(did[side], saying.act, side)  # 3
            turns[side] += 1
            if turns[side] > MAX_TURNS and saying.act is not Turn.TERMINATE:
                raise _broken(
                    f"The {side} has said more than {MAX_TURNS} things after the conclusion.", where
                )
            last[side] = (saying.number, envelope.digest)
        else:
            phase = advance(phase, saying.act, side)  # 3
            if number >= MAX_WORDS:
                raise _broken(f"More than {MAX_WORDS} messages were sent, and nothing was concluded.", where)
            if saying.act in (Act.OFFER, Act.REQUEST):
                terms = _offer_of(saying)
                if _parties_of(terms, where) != (assigner, assignee):  # 4
                    raise _broken("What is put forward names other parties than before.", where)
            if saying.act is Act.AGREE:
                document = saying.message
                _check_agreed(document, terms, where)  # 5
            last = dict.fromkeys(Side, (number, envelope.digest))
        said.append(Said(saying=saying, key=key, mark=mark, digest=envelope.digest))
    if terms.get("target") != TARGET + contract.digest:  # 4
        raise _broken(
            "What was put forward last is about another contract, or another text of it.", "contract"
        )
    if phase is None:
        raise _malformed()
    agreement, signed = _signatures(dossier, document, contract, phase, (assigner, assignee), parties, at)
    return Negotiation(
        id=first.negotiation,
        contract_id=contract.id,
        contract_version=contract.version,
        contract_digest=contract.digest,
        assigner=assigner,
        assignee=assignee,
        phase=phase,
        said=tuple(said),
        terms=terms,
        agreement=agreement,
        document=document,
        signed=signed,
    )


def merged(ours: Dossier, theirs: Dossier) -> Dossier:
    """What both dossiers of one negotiation hold, when each has turns that the other hasn't seen; nothing of it is verified.

    Where they tell two stories, it's theirs: whoever knows ours finds that out.
    """
    common = _concluded(theirs)
    if not common or ours.sayings[: len(common)] != common:
        return theirs
    known = {envelope.digest for envelope in theirs.sayings}
    more = tuple(each for each in ours.sayings[len(common) :] if each.digest not in known)
    return replace(theirs, sayings=theirs.sayings + more)


def _concluded(dossier: Dossier) -> tuple[Envelope, ...]:
    """The sayings up to the conclusion; none when it isn't concluded."""
    for number, envelope in enumerate(dossier.sayings):
        if Saying.read(envelope).act is Act.FINALIZE:
            return dossier.sayings[: number + 1]
    return ()


def statement_of(
    contract: ContractName, document: Mapping[str, Any], assigner: str, assignee: str
) -> Statement:
    """What both parties sign: the digests of the contract and of the agreement's whole message."""
    return Statement(
        contract_id=contract.id,
        contract_version=contract.version,
        contract_digest=contract.digest,
        agreement_digest=document_digest(document),
        assigner=assigner,
        assignee=assignee,
    )


def _signatures(
    dossier: Dossier,
    document: Mapping[str, Any] | None,
    contract: ContractName,
    phase: Phase,
    parties_of_it: tuple[str, str],
    parties: Parties,
    at: At,
) -> tuple[Agreement | None, Signed | None]:
    """6: the agreement, and the proof that both signed it once they must have."""
    if document is None:
        if dossier.signatures is not None:
            raise _broken("There are signatures, and no agreement.", "signatures")
        return None, None
    agreement = read_agreement(document)
    if dossier.signatures is None:
        raise _broken("The agreement isn't signed.", "signatures")
    expected = statement_of(contract, document, *parties_of_it)
    moments = {
        dossier.signatures.mark(each): at(dossier.signatures.mark(each))
        for each in dossier.signatures.signatures
    }
    if phase in (Phase.VERIFIED, Phase.FINALIZED):
        return agreement, verify_envelope(dossier.signatures, expected, parties=parties, at=moments)
    signed_by = {
        one.key.party for one in check_signatures(dossier.signatures, expected, parties=parties, at=moments)
    }
    if phase is Phase.AGREED and signed_by != {parties_of_it[0]}:
        raise _broken("The agreement must bear the provider's signature, and no other yet.", "signatures")
    return agreement, None


def _speaker(envelope: Envelope, party: str, parties: Parties, at: At, where: str) -> tuple[PartyKey, str]:
    if len(envelope.signatures) != 1:
        raise _broken("A message bears one signature, of who says it.", where)
    (signature,) = envelope.signatures
    key = parties.key(signature.key_id)
    if key is None or key.party != party:
        raise _broken("A message isn't signed by a key of the party on whose side it's said.", where)
    if not key.public.accepts(envelope.pae(), signature.value):
        raise _broken("A message's signature is false.", where)
    mark = envelope.mark(signature)
    key.check(at(mark))
    return key, mark


def _offer_of(saying: Saying) -> Mapping[str, Any]:
    offer = saying.message.get("offer")
    if not isinstance(offer, dict):
        raise _broken("Nothing is put forward.", f"message {saying.number}")
    return offer


def _parties_of(offer: Mapping[str, Any], where: str) -> tuple[str, str]:
    assigner, assignee = offer.get("assigner"), offer.get("assignee")
    if not isinstance(assigner, str) or not isinstance(assignee, str):
        raise _broken("What is put forward doesn't name both parties.", where)
    check_party(assigner)
    check_party(assignee)
    if assigner == assignee:
        raise _broken("One party stands on both sides.", where)
    return assigner, assignee


def _check_agreed(document: Mapping[str, Any], terms: Mapping[str, Any], where: str) -> None:
    agreed = document.get("agreement")
    if not isinstance(agreed, dict) or _terms(agreed) != _terms(terms):
        raise _broken("What is agreed isn't what was put forward last.", where)


def _terms(policy: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in policy.items() if name not in _NOT_TERMS}


def _check_turn(saying: Saying, document: Mapping[str, Any] | None, where: str) -> None:
    if document is None or saying.message.get("agreement") != document_digest(document):
        raise _broken("A message speaks of another agreement than the one that was concluded.", where)


def _broken(what: str, where: str) -> ContractError:
    return ContractError(
        what,
        where=f"dossier, {where}",
        remedy="Take the file as the other party's Sluice wrote it, or negotiate anew.",
    )


def _malformed() -> ContractError:
    return ContractError(
        "This isn't a dossier of a contract.",
        where="dossier",
        remedy="Ask for the file once more, as Sluice wrote it.",
    )
