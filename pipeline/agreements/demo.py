"""The demo's parties and what they sign: a platform and three firms that don't exist, each in a home of its own.

Nothing here is a way around: keys, registry and negotiation are those of the commands, and what goes from one home to
another is the dossier's file. Made once: what was signed stays signed, and a registry that has grown stale is renewed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from contracts.agreement.codes import party_id
from contracts.agreement.message import offer_document
from contracts.agreement.model import Agreement
from contracts.agreement.sheet import read_sheet
from contracts.agreement.values import Grade
from contracts.life.dossier import Negotiation
from contracts.life.negotiation import Phase, Side, sign_act
from contracts.life.state import Standing, states
from contracts.model import Contract
from contracts.odcs import load_contract
from contracts.parties.model import Parties, Party
from contracts.sharing import sheet_of
from core.algorithms import Signs
from core.clock import Clock
from core.digest import sha256_hex
from core.errors import ContractError, InternalError, UsageError
from core.settings import PUBLISHED, Settings
from pipeline.agreements.change import Change
from pipeline.agreements.desk import Desk, OnDesk
from pipeline.agreements.log import latest, logged
from pipeline.agreements.parties import (
    Firm,
    countersign,
    demo_parties,
    propose,
    publish,
    renew_if_due,
)
from pipeline.agreements.seat import take_seat
from pipeline.agreements.standing import Stands, period_of, standings
from pipeline.agreements.trusting import TIMESTAMP, current_registry, trust
from pipeline.home import Home

# Not the published folder: Airflow draws a DAG for each contract there, and none of these could run.
EXAMPLES = PUBLISHED.parent / "examples"
_ENDS_SOON = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class DemoParty:
    """A party that doesn't exist. code: of a region that there isn't, so that no firm has it. folder: of its home."""

    code: str
    name: str
    grade: Grade
    folder: str


PLATFORM = DemoParty(code="91990000DEM000001T", name="Demo Grocery Platform", grade=Grade.PLATFORM, folder="")
SUPPLIER = DemoParty(
    code="91990000DEM000002X", name="Demo Snack Maker", grade=Grade.SME, folder="snack-maker"
)
INVENTOR = DemoParty(
    code="91990000DEM0000031",
    name="Demo Solo Company",
    grade=Grade.AI_ONE_PERSON_COMPANY,
    folder="solo-company",
)
TEAM = DemoParty(
    code="91990000DEM0000044", name="Demo Model Team", grade=Grade.LITTLE_GIANT, folder="model-team"
)
FIRMS = (SUPPLIER, INVENTOR, TEAM)


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """A contract that ships with Sluice, and the firm that it is with."""

    contract: Path
    firm: DemoParty

    @property
    def terms(self) -> Path:
        """Its term sheet."""
        return sheet_of(self.contract)


ABROAD = Shipped(contract=EXAMPLES / "grocery-abroad.odcs.yaml", firm=SUPPLIER)
SHIPPED = (
    Shipped(contract=PUBLISHED / "grocery-demand.odcs.yaml", firm=SUPPLIER),
    Shipped(contract=EXAMPLES / "grocery-questions.odcs.yaml", firm=INVENTOR),
    Shipped(contract=EXAMPLES / "coupon-response.odcs.yaml", firm=TEAM),
    ABROAD,
)


@dataclass(frozen=True, kw_only=True)
class Concluded:
    """A contract that both signed. signatures: how many distinct parties' are under it. new: signed just now.

    contract: as it ships; doors: what its agreement opens, sorted.
    """

    shipped: Shipped
    contract: Contract
    standing: Standing
    provider: Party
    recipient: Party
    doors: tuple[str, ...]
    signatures: int
    new: bool


def firms_of(platform: Home) -> Mapping[str, Home]:
    """The home of each firm, by its code; made on first use."""
    return {
        firm.code: _home(platform.settings.demo_firms / firm.folder, platform.settings, platform.clock)
        for firm in FIRMS
    }


def sign_for_demo(
    platform: Home, firms: Mapping[str, Home], shipped: Sequence[Shipped] = SHIPPED
) -> Iterator[Concluded]:
    """Each contract as both parties have signed it; what isn't signed yet is negotiated from home to home first.

    firms: their homes by code. A contract that was concluded stays as it stands, suspended or ended too. Raises UsageError
    when the platform's home trusts a registry without these parties; what the desk raises, as for a text that was changed.
    """
    _registry(platform, firms)
    before = standings(platform)
    provider = _Office(PLATFORM, platform)
    offices = {firm.code: _Office(firm, firms[firm.code]) for firm in FIRMS}
    for each in shipped:
        contract, recipient = load_contract(each.contract), offices[each.firm.code]
        mine = [stands for stands in before if stands.state.contract_digest == contract.digest]
        done = next((stands for stands in mine if stands.state.concluded_at is not None), None)
        if done is None:
            made, standing = _conclude(each, _begun(mine), provider, recipient), None
        elif done.kept is None:
            raise ContractError(done.trouble, where=f"contract {contract.id}")
        else:
            made, standing = done.kept, done.state.standing
        recipient.get(made)
        yield _concluded(each, contract, made, provider.desk.registry.parties, platform, standing)


class _Office:
    """Where one of the parties negotiates. The desk and the key are taken when they're needed first."""

    def __init__(self, party: DemoParty, home: Home) -> None:
        self._party, self._home = party, home

    @cached_property
    def desk(self) -> Desk:
        return Desk(self._home)

    @cached_property
    def signer(self) -> Signs:
        return take_seat(self._home, self.desk.registry.parties, self._party.code).signer

    def get(self, made: OnDesk) -> OnDesk:
        """The dossier as it's here once its file has come from the other party: that one, or one that is further."""
        here = self._home.settings.agreements / made.path.parent.name / made.path.name
        # One only ever grows. It is further when a demo before this one was killed with its answer on the way.
        came, there = made.path.stat().st_size, here.stat().st_size if here.exists() else 0
        if came > there:
            return self.desk.take(made.path.read_bytes())
        return self.desk.open(made.made.id) if there > came else made


def _conclude(shipped: Shipped, begun: OnDesk | None, provider: _Office, recipient: _Office) -> OnDesk:
    """Offer, acceptance, both signatures and the conclusion, the dossier going back and forth."""
    sides = {Side.PROVIDER: provider, Side.CONSUMER: recipient}
    made = begun if begun is not None else _offer(shipped, provider)
    while made.made.phase is not Phase.FINALIZED:
        side = next(side for side in Side if sign_act(made.made.phase, side) is not None)
        here = sides[side].get(made)
        further = len(here.made.said) > len(made.made.said)
        made = here if further else sides[side].desk.sign(made.made.id, side=side, signer=sides[side].signer)
    return made


def _offer(shipped: Shipped, provider: _Office) -> OnDesk:
    return provider.desk.begin(
        shipped.contract.read_bytes(),
        offer_document(read_sheet(shipped.terms), offer_id=f"urn:uuid:{uuid.uuid4()}"),
        side=Side.PROVIDER,
        assigner=party_id(PLATFORM.code),
        assignee=party_id(shipped.firm.code),
        signer=provider.signer,
    )


def _begun(mine: Sequence[Stands]) -> OnDesk | None:
    """A negotiation that a demo before this one was killed in."""
    return next(
        (each.kept for each in reversed(mine) if each.state.standing is Standing.NEGOTIATED and each.kept),
        None,
    )


def _concluded(
    shipped: Shipped,
    contract: Contract,
    made: OnDesk,
    parties: Parties,
    platform: Home,
    standing: Standing | None,
) -> Concluded:
    """standing: None for what was signed just now, which is looked up."""
    agreement, envelope = made.made.agreement, made.dossier.signatures
    provider, recipient = parties.get(made.made.assigner), parties.get(made.made.assignee)
    # The desk held the dossier against this registry; concluded, it has an agreement that both signed.
    if agreement is None or envelope is None or provider is None or recipient is None:
        raise InternalError(
            "A contract counts as concluded that isn't whole.", where=f"negotiation {made.made.id}"
        )
    keys = (parties.key(each.key_id) for each in envelope.signatures)
    return Concluded(
        shipped=shipped,
        contract=contract,
        standing=standing or _standing(made.made, agreement, platform),
        provider=provider,
        recipient=recipient,
        doors=tuple(sorted({str(each.door) for each in agreement.permissions})),
        signatures=len({key.party for key in keys if key is not None}),
        new=standing is None,
    )


def _standing(made: Negotiation, agreement: Agreement, platform: Home) -> Standing:
    """How it stands by the ledger, without checking once more the dossier that the desk has just checked."""
    period = period_of(agreement)
    periods = {agreement.digest: period} if period is not None else {}
    found = states(logged(platform, made.contract_id).happenings, periods, latest(platform))
    return next(state.standing for state in found if state.negotiation == made.id)


def _home(folder: Path, settings: Settings, clock: Clock) -> Home:
    # A registry of its own, whatever the platform's settings name: it is another firm's hall.
    return Home.open(Settings(home=folder, contracts=settings.contracts), clock=clock)


def _registry(platform: Home, firms: Mapping[str, Home]) -> None:
    """The registry of the demo's parties, fresh and trusted in every home."""
    current = current_registry(platform)
    if current is None:
        demo_parties(
            [_firm(PLATFORM, platform), *(_firm(firm, firms[firm.code]) for firm in FIRMS)],
            hall=PLATFORM.code,
        )
        return
    if any(current.parties.get(party_id(each.code)) is None for each in (PLATFORM, *FIRMS)):
        raise UsageError(
            "This hall trusts a registry in which the demo's parties don't stand.",
            where=str(platform.settings.registry),
            remedy="Run the demo in another folder: set SLUICE_HOME.",
        )
    if min(current.targets.expires, current.root.expires) <= platform.clock() + _ENDS_SOON:
        proposal = propose(platform, Change(), renew_root=True)
        for code, home in ((PLATFORM.code, platform), (SUPPLIER.code, firms[SUPPLIER.code])):
            proposal = countersign(home, proposal, code)
        publish(platform, proposal)
    else:
        renew_if_due(platform)
    folder = platform.settings.registry
    for home in firms.values():
        if _timestamp(home.settings.registry) != _timestamp(folder):
            trust(home, folder, sha256_hex(platform.settings.trusted_root.read_bytes()))


def _firm(party: DemoParty, home: Home) -> Firm:
    return Firm(
        code=party.code,
        name=party.name,
        beneficial_owner=f"nobody: {party.name} is made up",
        grade=party.grade,
        home=home,
        holds=party is not INVENTOR,
    )


def _timestamp(folder: Path) -> bytes | None:
    try:
        return (folder / TIMESTAMP).read_bytes()
    except FileNotFoundError:
        return None
