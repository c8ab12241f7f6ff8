"""The party registry from a hall's side: proposed, countersigned, published, renewed; all by files.

holder:  found / propose -> a proposal file -> countersigned in the hall of one holder after the other
hall:    publish -> SLUICE_REGISTRY, the folder that readers get; renew within each week
reader:  trust -> that folder and its root, once its digest was compared with the other parties
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tuf.api.metadata import Metadata, Root  # type: ignore[attr-defined]  # its public place, not marked as such

from contracts.agreement.codes import party_id
from contracts.agreement.values import Grade
from contracts.parties import proposal as proposals
from contracts.parties import publish as publishing
from contracts.parties.holders import HOLDER
from contracts.parties.model import Parties
from contracts.parties.proposal import Holders, Proposal
from contracts.parties.registry import Published, Registry, folder_reader
from core.digest import sha256_hex
from core.errors import ContractError, UsageError
from core.partykeys import OwnKey, PartyKeys, PartySigner, Use
from pipeline.agreements.change import Change, PartyChange, changed_holders, changed_parties, holders_of_root
from pipeline.agreements.keyfile import KeyUse, create_key, own_keys, read_bounded
from pipeline.agreements.registry import trusted_registry
from pipeline.agreements.trusting import (
    TIMESTAMP,
    current_registry,
    needed_registry,
    root_here,
    trust,
    trust_root,
)
from pipeline.home import Home

MAX_PROPOSAL_BYTES = 16 << 20
_FIRST_ROOT = "metadata/1.root.json"
_RENEW_BEFORE = timedelta(days=publishing.FRESH_DAYS / 2)


@dataclass(frozen=True, kw_only=True)
class Firm:
    """A party of a registry that is set up at one go. holds: whether it holds a key of the registry."""

    code: str
    name: str
    beneficial_owner: str
    grade: Grade
    home: Home
    holds: bool = True


def found(home: Home, change: Change) -> Proposal:
    """The first version of a registry, unsigned. Raises UsageError when this hall trusts a registry already."""
    if current_registry(home) is not None:
        raise UsageError(
            "This hall trusts a party registry already.",
            where=str(home.settings.trusted_root),
            remedy="`sluice party registry propose` makes its next version.",
        )
    holders = changed_holders(change, None)
    assert holders is not None  # the first version says them, or is refused
    return proposals.found(changed_parties(change, Parties(())), holders, now=home.clock())


def propose(home: Home, change: Change, *, renew_root: bool = False) -> Proposal:
    """The version after the one that this hall trusts, unsigned. renew_root: the same holders for another year."""
    current = needed_registry(home)
    return proposals.propose(
        current,
        changed_parties(change, current.parties),
        now=home.clock(),
        holders=changed_holders(change, current),
        renew_root=renew_root,
    )


def countersign(home: Home, proposal: Proposal, who: str = "") -> Proposal:
    """The proposal, signed with every key by which one party of this hall holds the registry, before it or after.

    who: the party, by code, where the hall holds the keys of several. Raises UsageError when it holds no such key.
    """
    current = current_registry(home)
    for signer in signers_for(home, proposal, current, who):
        proposal = proposals.countersign(proposal, signer, current=current)
    return proposal


def signers_for(
    home: Home, proposal: Proposal, current: Published | None, who: str = ""
) -> tuple[PartySigner, ...]:
    """The keys of this hall with which one party signs a proposal."""
    wanted = {key.key_id for each in _governing(proposal, current) for key in each.keys.values()}
    party = (who if who.startswith("urn:") else party_id(who)) if who else ""
    mine = [
        own
        for own, owner, use in own_keys(home)
        if use is KeyUse.REGISTRY
        and own.key_id in wanted
        and own.ended is None
        and (not party or owner == party)
    ]
    parties = sorted({own.party for own in mine})
    if len(parties) != 1:
        raise UsageError(
            "This hall holds registry keys of several parties."
            if parties
            else f"This hall holds no key that signs this registry{f' for {party}' if party else ''}.",
            where=str(home.settings.keys),
            remedy=f"Name one with --as: {', '.join(parties)}."
            if parties
            else "Its holders sign it, each in the hall where its registry key was made.",
        )
    now = home.clock()
    # During a rotation there are two: the one before signs the new one in. One that ran out can't, and the other may do.
    valid = [own for own in mine if own.valid_from <= now < own.valid_until] or mine
    keys = PartyKeys(home.keys)
    return tuple(keys.signer(own.key_id, use=Use.REGISTRY, now=now) for own in valid)


def signed_by(proposal: Proposal, current: Published | None) -> tuple[str, ...]:
    """The holders whose signatures a proposal bears, each verified. Errors as `countersign`."""
    roots = _roots(proposal, current)
    judged = [("targets", roots[-1], Metadata.from_bytes(proposal.targets))]
    if proposal.root is not None:
        judged += [("root", root, Metadata.from_bytes(proposal.root)) for root in roots]
    results = (by.get_verification_result(role, md.signed_bytes, md.signatures) for role, by, md in judged)
    return tuple(
        sorted({str(key.unrecognized_fields[HOLDER]) for each in results for key in each.signed.values()})
    )


def publish(home: Home, proposal: Proposal) -> Published:
    """Puts a proposal that enough holders signed into the registry's folder, by this hall's online key.

    The first version makes its root the one that this hall trusts. Raises UsageError when this hall doesn't hold the
    online key, or trusts another root; and what `contracts.parties.publish.publish` raises.
    """
    folder, current = home.settings.registry, current_registry(home)
    governing = _governing(proposal, current)[-1]
    done = _published_before(home, proposal) if current is None else None
    if done is not None:
        trust_root(home, proposal.root or b"")
        trusted_registry(home)
        return done
    _refuse_other_root(home, proposal, current)
    published = publishing.publish(
        folder, proposal, online=_online(home, governing), now=home.clock(), current=current
    )
    if current is None and proposal.root is not None:
        trust_root(home, proposal.root)
    trusted_registry(home)
    return published


def renew(home: Home) -> Published:
    """Says once more, by this hall's online key, that the registry is the newest: for a week.

    Raises ContractError when what the holders signed has run out, which no hall can renew; UsageError as `publish`.
    """
    current = needed_registry(home)
    now = home.clock()
    for what, expires in (("records", current.targets.expires), ("root", current.root.expires)):
        if expires <= now:
            raise ContractError(
                f"The holders' word for the registry's {what} ran out at {expires:%Y-%m-%d %H:%M} UTC.",
                where=str(home.settings.registry),
                remedy="Have it said anew: `sluice party registry propose`"
                f"{' --renew-root' if what == 'root' else ''}, signed by the holders, then published.",
            )
    online = _online(home, holders_of_root(current.root))
    renewed = publishing.renew(home.settings.registry, current, online=online, now=now)
    trusted_registry(home)
    return renewed


def renew_if_due(home: Home) -> Published | None:
    """The same for a daily round: None when there's no registry, it isn't this hall's to renew, or it has days left."""
    current = current_registry(home)
    if current is None or not holds_online_key(home, current):
        return None
    left = min(current.timestamp.expires, current.snapshot.expires) - home.clock()
    return renew(home) if left <= _RENEW_BEFORE else None


def holds_online_key(home: Home, current: Published) -> bool:
    """Whether this hall can publish and renew a registry."""
    online = holders_of_root(current.root).online.key_id
    return any(own.key_id == online and own.ended is None for own, _, _ in own_keys(home))


def load_proposal(path: Path) -> Proposal:
    """The proposal in a file; nothing of it is checked yet. Raises UsageError, ContractError."""
    return Proposal.parse(read_bounded(path, MAX_PROPOSAL_BYTES))


def demo_parties(firms: Sequence[Firm], *, hall: str, days: int = 365) -> Registry:
    """Keys for every firm, a registry of them that two holders must sign, published by `hall` and trusted in every home.

    hall: the code of the firm whose home publishes. By the functions of the commands, each step checked as there.
    """
    by_home = {id(firm.home): firm.home for firm in firms}
    publisher = {firm.code: firm.home for firm in firms}.get(hall)
    if publisher is None:
        raise UsageError(
            "The hall that publishes the registry isn't among its firms.",
            where=hall,
            remedy="Name one of them.",
        )
    holders = tuple(
        create_key(firm.home, party_id(firm.code), use=KeyUse.REGISTRY, days=days)
        for firm in firms
        if firm.holds
    )
    change = Change(
        parties=tuple(
            PartyChange(
                party=party_id(firm.code),
                name=firm.name,
                beneficial_owner=firm.beneficial_owner,
                grade=firm.grade,
                keys=(create_key(firm.home, party_id(firm.code), use=KeyUse.CONTRACTS, days=days),),
            )
            for firm in firms
        ),
        holders=holders,
        threshold=2,
        hall=create_key(publisher, party_id(hall), use=KeyUse.ONLINE, days=days),
    )
    proposal = found(publisher, change)
    for firm in [firm for firm in firms if firm.holds][:2]:
        proposal = countersign(firm.home, proposal, firm.code)
    publish(publisher, proposal)
    digest = sha256_hex(proposal.root or b"")
    for home in by_home.values():
        registry = trust(home, publisher.settings.registry, digest)
    return registry


def _roots(proposal: Proposal, current: Published | None) -> list[Root]:
    """Those by which a proposal is judged: the one before, and its own, which comes last."""
    proposals.lacking(proposal, current=current)  # refuses what couldn't follow
    before = [current.root] if current is not None else []
    return before if proposal.root is None else [*before, Metadata[Root].from_bytes(proposal.root).signed]


def _governing(proposal: Proposal, current: Published | None) -> list[Holders]:
    return [holders_of_root(root) for root in _roots(proposal, current)]


def _online(home: Home, holders: Holders) -> PartySigner:
    """This hall's online key. Raises UsageError when another hall keeps the registry."""
    key_id = holders.online.key_id
    own: OwnKey | None = next((own for own, _, _ in own_keys(home) if own.key_id == key_id), None)
    if own is None:
        raise UsageError(
            f"This hall doesn't hold the registry's online key {key_id[:12]} of {holders.hall}.",
            where=str(home.settings.keys),
            remedy="Publish and renew in the hall where it was made, or propose this hall's own as `hall`.",
        )
    return PartyKeys(home.keys).signer(own.key_id, use=Use.REGISTRY, now=home.clock())


def _published_before(home: Home, proposal: Proposal) -> Published | None:
    """The first version, when it lies in the folder already and a crash kept its root from being trusted."""
    read = folder_reader(home.settings.registry)
    if proposal.root is None or read(_FIRST_ROOT) != proposal.root or read(TIMESTAMP) is None:
        return None
    if read("metadata/1.targets.json") != proposal.targets:
        return None
    _online(home, holders_of_root(Metadata[Root].from_bytes(proposal.root).signed))
    return publishing.read_lapsed(home.settings.registry, trusted_root=proposal.root)


def _refuse_other_root(home: Home, proposal: Proposal, current: Published | None) -> None:
    if current is None and root_here(home) not in (None, proposal.root):
        raise UsageError(
            "This hall trusts the root of another registry, whose folder isn't here.",
            where=str(home.settings.trusted_root),
            remedy="Bring that folder by `sluice party registry trust`; or set SLUICE_HOME to another hall.",
        )
