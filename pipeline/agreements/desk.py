"""Where contracts are negotiated in a hall: a file from the other party is taken in, ours is written.

    agreements/<contract's slug>/<negotiation>.json     the dossier: all that was said, mode 0600

A dossier is checked whole each time (`contracts.life.dossier`), and held against the ledger: what this hall has recorded of a
negotiation is the beginning of every dossier of it that it takes, so that nobody tells two halls two stories unseen.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from contracts.agreement.lacks import lacks
from contracts.agreement.model import Agreement
from contracts.agreement.read import read_agreement
from contracts.agreement.values import Grade
from contracts.life import talk
from contracts.life.dossier import ContractName, Dossier, Negotiation, merged, replay
from contracts.life.negotiation import Act, Phase, Side
from contracts.life.saying import Saying
from contracts.life.state import Happening, Turn
from contracts.life.version import order
from contracts.model import Contract, slug
from contracts.odcs import load_contract
from contracts.parties.registry import Registry
from core.algorithms import Signs
from core.errors import ContractError, StateError, UsageError
from core.files import write_whole
from core.ids import is_uuid
from core.lock import exclusive
from pipeline.agreements.keyfile import parties_here
from pipeline.agreements.log import Logged, logged, moments, record
from pipeline.agreements.registry import trusted_registry
from pipeline.home import Home


@dataclass(frozen=True, kw_only=True)
class OnDesk:
    """A dossier that holds. contract: read from it; path: where the hall keeps it, and what is sent to the other party.

    grade: the recipient's, as the registry has it now; None when it isn't in it any more.
    """

    dossier: Dossier
    contract: Contract
    made: Negotiation
    path: Path
    grade: Grade | None


class Desk:
    """The negotiations of a hall. Safe for several processes at once; the registry is the one of when it's first needed."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._root = home.settings.agreements
        self._registry: Registry | None = None

    @property
    def registry(self) -> Registry:
        """The party registry, read and verified once for this desk."""
        if self._registry is None:
            self._registry = trusted_registry(self._home)
        return self._registry

    def begin(
        self,
        contract: bytes,
        offer: Mapping[str, Any],
        *,
        side: Side,
        assigner: str,
        assignee: str,
        signer: Signs,
    ) -> OnDesk:
        """The first word about a contract, in the ledger and on the desk. contract: the ODCS file's bytes; offer: an ODRL offer."""
        read = _read(contract)
        dossier = talk.begin(
            contract,
            _name(read),
            offer,
            negotiation=str(uuid.uuid4()),
            side=side,
            assigner=assigner,
            assignee=assignee,
            signer=signer,
        )
        return self.take(dossier.to_bytes())

    def counter(
        self, negotiation: str, contract: bytes, offer: Mapping[str, Any], *, side: Side, signer: Signs
    ) -> OnDesk:
        """Other terms, or another text of the contract."""
        now = self.open(negotiation)
        dossier = talk.counter(
            now.dossier, now.made, contract, _name(_read(contract)), offer, side=side, signer=signer
        )
        return self.take(dossier.to_bytes())

    def sign(self, negotiation: str, *, side: Side, signer: Signs) -> OnDesk:
        """Our next step towards the conclusion: accept, agree (our signature), verify (our signature) or finalize."""
        now = self.open(negotiation)
        return self.take(
            talk.carry_on(now.dossier, now.made, side=side, signer=signer, now=self._home.clock()).to_bytes()
        )

    def end(self, negotiation: str, *, side: Side, signer: Signs, reason: str = "") -> OnDesk:
        """Stops: a negotiation that isn't concluded comes to nothing, a contract that is gets terminated."""
        now = self.open(negotiation)
        if now.made.phase is Phase.FINALIZED:
            return self.turn(negotiation, Turn.TERMINATE, side=side, signer=signer, reason=reason)
        reasons = (reason,) if reason else ()
        return self.take(
            talk.end(now.dossier, now.made, side=side, signer=signer, reasons=reasons).to_bytes()
        )

    def turn(self, negotiation: str, what: Turn, *, side: Side, signer: Signs, reason: str = "") -> OnDesk:
        """Suspends, resumes or terminates a contract that is concluded."""
        now = self.open(negotiation)
        return self.take(
            talk.turn(now.dossier, now.made, what, side=side, signer=signer, reason=reason).to_bytes()
        )

    def take(self, data: bytes) -> OnDesk:
        """A dossier as it came, or as we made it: checked, recorded in the ledger word by word, and kept.

        What either side did after the conclusion and the other hasn't seen yet is joined. Raises ContractError for what doesn't hold, for one that tells another story than this hall has recorded, and for a
        version that isn't later than the one that was in force.
        """
        dossier = Dossier.parse(data)
        contract = _read(dossier.contract)
        registry = self.registry
        self._root.mkdir(mode=0o700, exist_ok=True)
        with exclusive(
            self._root / "desk.lock",
            wait_s=30.0,
            what="Another process works on this hall's contracts right now.",
        ):
            every = logged(self._home)
            log = every.about(contract.id)
            dossier = self._joined(dossier)
            made = replay(dossier, _name(contract), parties=registry.parties, at=moments(self._home, log))
            _ours(made, parties_here(self._home))
            _one_contract(made, every)
            _same_story(made, log)
            _no_way_back(made, log)
            if made.phase is not Phase.TERMINATED:
                _whole(made.agreement or self._proposed(made))
            path = self._path(contract.id, made.id)
            try:
                path.parent.mkdir(mode=0o700, exist_ok=True)
                # Before the ledger speaks of it: what is recorded can always be shown.
                write_whole(path, dossier.to_bytes())
            except OSError as error:
                raise StateError(
                    f"The contract's file can't be kept ({error.strerror or type(error).__name__}).",
                    where=str(path),
                    remedy="Check that SLUICE_HOME is writable and its disk has room; then do it again.",
                ) from None
            known = {each.digest for each in log.of(made.id)}
            for said in (each for each in made.said if each.digest not in known):
                record(said, made, dossier.signatures, self._home, registry=registry.version)
        return self._on_desk(dossier, contract, made, path)

    def open(self, negotiation: str, contract_id: str = "") -> OnDesk:
        """A dossier that this hall keeps, checked again. Raises UsageError when there's none, ContractError, IntegrityError.

        contract_id: of the contract that it's about, where that is known.
        """
        path = self._path(contract_id, negotiation) if contract_id else self._find(negotiation)
        if not path.is_file() and not path.is_dir():
            raise _not_here(path)
        return self._checked(path.read_bytes(), path)

    def look(self, data: bytes) -> OnDesk:
        """A dossier as it came, checked and neither recorded nor kept. Raises what `take` does."""
        return self._checked(data, None)

    def _joined(self, dossier: Dossier) -> Dossier:
        """The dossier with what ours of the same negotiation has besides."""
        path = (
            self._path(_read(dossier.contract).id, Saying.read(dossier.sayings[0]).negotiation)
            if dossier.sayings
            else None
        )
        if path is None or not path.is_file():
            return dossier
        try:
            return merged(Dossier.parse(path.read_bytes()), dossier)
        except ContractError:  # ours is spoilt: theirs is held against the ledger
            return dossier

    def proposed(self, on_desk: OnDesk) -> Agreement:
        """The agreement that the terms put forward last would become, if it were made now."""
        return self._proposed(on_desk.made)

    def _proposed(self, made: Negotiation) -> Agreement:
        return read_agreement(talk.agreement_of(made, self._home.clock()))

    def _checked(self, data: bytes, path: Path | None) -> OnDesk:
        dossier = Dossier.parse(data)
        contract = _read(dossier.contract)
        with self._home.ledger.held():
            log = logged(self._home, contract.id)
            made = replay(
                dossier, _name(contract), parties=self.registry.parties, at=moments(self._home, log)
            )
        _same_story(made, log, whole=path is not None)
        return self._on_desk(dossier, contract, made, path or self._path(contract.id, made.id))

    def _on_desk(self, dossier: Dossier, contract: Contract, made: Negotiation, path: Path) -> OnDesk:
        recipient = self.registry.parties.get(made.assignee)
        return OnDesk(
            dossier=dossier,
            contract=contract,
            made=made,
            path=path,
            grade=recipient.grade if recipient else None,
        )

    def _path(self, contract_id: str, negotiation: str) -> Path:
        return self._home.settings.dossiers(slug(contract_id)) / f"{negotiation}.json"

    def _find(self, negotiation: str) -> Path:
        found = sorted(self._root.glob(f"*/{negotiation}.json")) if is_uuid(negotiation) else []
        if len(found) != 1:
            raise _not_here(self._root)
        return found[0]


@lru_cache(maxsize=64)
def _read(contract: bytes) -> Contract:
    """The contract in an ODCS file's bytes. Raises ContractError."""
    return load_contract(Path("contract.odcs.yaml"), contract)


def _name(contract: Contract) -> ContractName:
    return ContractName(id=contract.id, version=contract.version, digest=contract.digest)


def _whole(agreement: Agreement) -> None:
    """Nothing is put forward that could never open a door: all of it is understood, and no limit lacks."""
    found = lacks(agreement)
    if found:
        first = found[0]
        raise ContractError(
            first.what, where=f"clause {first.clause}", remedy=first.remedy, clause=first.clause
        )


def _same_story(made: Negotiation, log: Logged, *, whole: bool = True) -> None:
    """What the ledger holds of the negotiation is the beginning of what the dossier says, up to the conclusion and of each side
    after it. whole: whether what a side did after the conclusion may not be missing; in a file that was just sent it may.
    """
    known = [(_teller(each), each.digest) for each in log.of(made.id)]
    told = [(_teller(said.saying), said.digest) for said in made.said]
    for teller in dict.fromkeys(who for who, _ in known):
        ours, theirs = ([digest for who, digest in each if who == teller] for each in (known, told))
        least = min(len(ours), len(theirs))
        if ours[:least] != theirs[:least]:
            raise ContractError(
                "The file tells another story of this negotiation than this hall has recorded.",
                where=f"negotiation {made.id}",
                remedy="Keep both files: both spoke at the same moment, or somebody signed two things for one. Negotiate anew.",
            )
        if len(theirs) < len(ours) and (whole or teller is None):
            raise ContractError(
                "The file ends before what this hall has recorded.",
                where=f"negotiation {made.id}",
                remedy="Ask for the newest file.",
            )


def _teller(each: Happening | Saying) -> Side | None:
    """Whose chain of words it belongs to; None for the negotiation, which both tell."""
    what, by = (each.what, each.by) if isinstance(each, Happening) else (each.act, each.side)
    return by if isinstance(what, Turn) else None


def _not_here(place: Path) -> UsageError:
    return UsageError(
        "No such negotiation is on this hall's desk.",
        where=str(place),
        remedy="`sluice contract list` shows those that are.",
    )


def _ours(made: Negotiation, own: frozenset[str]) -> None:
    """A hall that holds a party's key acts on that party's contracts alone."""
    if own and not own & {made.assigner, made.assignee}:
        raise ContractError(
            f"This contract is between {made.assigner} and {made.assignee}, and this hall acts for neither.",
            where=f"contract {made.contract_id}",
            remedy="`sluice contract show FILE` looks at it; only its parties' halls take it.",
        )


def _one_contract(made: Negotiation, every: Logged) -> None:
    """A negotiation is about one contract from its first word on, and a contract that was concluded stays its two parties'."""
    if any(each.contract_id != made.contract_id for each in every.of(made.id)):
        raise ContractError(
            f"This negotiation is about another contract than {made.contract_id}.",
            where=f"negotiation {made.id}",
            remedy="Put the other contract forward by itself: `sluice contract offer`.",
        )
    for each in every.about(made.contract_id).happenings:
        if each.what is Act.FINALIZE and every.speakers[each.negotiation] - {made.assigner, made.assignee}:
            raise ContractError(
                f"Contract {made.contract_id} was concluded here between other parties.",
                where=f"contract {made.contract_id}",
                remedy="Give this one another id.",
            )


def _no_way_back(made: Negotiation, log: Logged) -> None:
    """No version is agreed to that isn't later than every one that was concluded before, or that can't be compared at all."""
    order(made.contract_version)
    if made.phase is Phase.TERMINATED or any(each.what is Act.FINALIZE for each in log.of(made.id)):
        return
    concluded = [each for each in log.happenings if each.what is Act.FINALIZE]
    if not concluded:
        return
    highest = max(concluded, key=lambda each: order(each.version))
    if order(made.contract_version) <= order(highest.version):
        raise ContractError(
            f"Version {made.contract_version} isn't later than {highest.version}, which was concluded before.",
            where=f"contract {made.contract_id}",
            remedy="Give the contract a higher version: an older one never comes back.",
        )
