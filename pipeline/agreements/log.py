"""What the ledger holds of contracts: each saying as an event, and the events as happenings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from audit.events import Event, EventKind
from audit.ledger import Told
from contracts.life.dossier import At, Negotiation, Said
from contracts.life.negotiation import Act, Side
from contracts.life.state import Happening, Turn
from contracts.parties.moment import Held, Moment, Unheld
from contracts.signing.dsse import Envelope
from core.digest import document_digest, sha256_hex
from pipeline.home import Home

KINDS: Mapping[Act | Turn, EventKind] = MappingProxyType(
    {
        Act.REQUEST: EventKind.CONTRACT_REQUESTED,
        Act.OFFER: EventKind.CONTRACT_OFFERED,
        Act.ACCEPT: EventKind.CONTRACT_ACCEPTED,
        Act.AGREE: EventKind.CONTRACT_AGREED,
        Act.VERIFY: EventKind.CONTRACT_VERIFIED,
        Act.FINALIZE: EventKind.CONTRACT_FINALIZED,
        Act.TERMINATE: EventKind.NEGOTIATION_TERMINATED,
        Turn.SUSPEND: EventKind.CONTRACT_SUSPENDED,
        Turn.RESUME: EventKind.CONTRACT_RESUMED,
        Turn.TERMINATE: EventKind.CONTRACT_TERMINATED,
    }
)
_ACTS = {kind: act for act, kind in KINDS.items()}
_CORRECTED = timedelta(minutes=5)
_SIGNING = (Act.AGREE, Act.VERIFY, Act.FINALIZE)


@dataclass(frozen=True)
class Logged:
    """What the ledger holds of contracts: happenings in its order, and when it first held each signature, by mark.

    speakers: the parties that spoke, by negotiation.
    """

    happenings: tuple[Happening, ...]
    held: Mapping[str, Held]
    speakers: Mapping[str, frozenset[str]]

    def of(self, negotiation: str) -> tuple[Happening, ...]:
        """The happenings of one negotiation."""
        return tuple(each for each in self.happenings if each.negotiation == negotiation)

    def about(self, contract_id: str) -> Logged:
        """The same of one contract."""
        return replace(
            self, happenings=tuple(each for each in self.happenings if each.contract_id == contract_id)
        )


def logged(home: Home, contract_id: str = "") -> Logged:
    """What the ledger holds of a contract, or of all."""
    below = f"{_short(contract_id)}/" if contract_id else ""
    with home.ledger.held():
        told = sorted(
            (each for kind in _ACTS for each in home.ledger.told(kind, below)),
            key=lambda each: each.receipt.index,
        )
    held: dict[str, Held] = {}
    speakers: defaultdict[str, set[str]] = defaultdict(set)
    for each in told:
        facts = each.recorded.event.facts
        position = Held(origin=each.receipt.origin, size=each.receipt.index + 1, time=each.recorded.at)
        for mark in (facts["mark"], *facts.get("marks", ())):
            held.setdefault(mark, position)
        speakers[each.recorded.event.run_id] |= {facts["by"]}
    return Logged(
        tuple(map(_happening, told)),
        MappingProxyType(held),
        MappingProxyType({name: frozenset(parties) for name, parties in speakers.items()}),
    )


def moments(home: Home, log: Logged) -> At:
    """When a signature counts as made: at the first checkpoint that holds it, or now, by a clock that wasn't set back.

    A clock that stands minutes before the newest entry is a corrected one, or another process's: it counts as that entry's.
    """
    now, moment = home.clock(), home.ledger.newest()
    newest = None
    if moment is not None:
        newest = Held(origin=home.keys.signer().name, size=home.ledger.size, time=moment)
        if moment - _CORRECTED <= now:
            now = max(now, moment)

    def at(mark: str) -> Moment:
        return log.held.get(mark) or Unheld(now=now, newest=newest)

    return at


def record(said: Said, made: Negotiation, signatures: Envelope | None, home: Home, *, registry: int) -> None:
    """Writes one saying into the ledger; a second time changes nothing. registry: version by which it was checked."""
    saying = said.saying
    facts: dict[str, object] = {
        "digest": said.digest,
        "mark": said.mark,
        "by": said.key.party,
        "side": saying.side.value,
        "registry": registry,
    }
    if saying.act in (Act.OFFER, Act.REQUEST):
        facts["terms"] = document_digest(saying.message["offer"])
    elif saying.act is Act.ACCEPT:
        facts["terms"] = document_digest(made.terms)
    elif saying.act is not Act.TERMINATE and made.document is not None:
        facts["agreement"] = document_digest(made.document)
    if saying.act in _SIGNING and signatures is not None:
        facts["envelope"] = signatures.digest
        facts["marks"] = [signatures.mark(each) for each in signatures.signatures]
    home.ledger.append(
        Event(
            kind=KINDS[saying.act],
            run_id=saying.negotiation,
            subject=f"{_short(made.contract_id)}/{saying.negotiation}/{saying.number}",
            contract_id=made.contract_id,
            contract_version=made.contract_version,
            contract_digest=made.contract_digest,
            facts=facts,
        )
    )


def _happening(told: Told) -> Happening:
    event = told.recorded.event
    return Happening(
        index=told.receipt.index,
        at=told.recorded.at.astimezone(UTC),
        what=_ACTS[event.kind],
        by=Side(event.facts["side"]),
        negotiation=event.run_id,
        contract_id=event.contract_id,
        version=event.contract_version,
        contract_digest=event.contract_digest,
        digest=event.digest,
        agreement=event.facts.get("agreement", ""),
    )


def _short(contract_id: str) -> str:
    """A contract's id as the beginning of a subject: an id may be longer than a subject, and hold a slash."""
    return sha256_hex(contract_id.encode())[:16]


def latest(home: Home) -> datetime:
    """Now, but never before the ledger's newest entry, the latest of all: a clock set back opens nothing."""
    now, newest = home.clock(), home.ledger.newest()
    return now if newest is None else max(now, newest)
