"""What a proposal for the registry would change, in plain words: what a holder reads before signing."""

from __future__ import annotations

from collections.abc import Iterator

from tuf.api.metadata import Metadata, Root, Targets  # type: ignore[attr-defined]  # its public place, not marked as such

from contracts.agreement.codes import code_of
from contracts.parties.model import Parties, Party, PartyKey, Revocation
from contracts.parties.moment import LogPosition
from contracts.parties.proposal import Holders, Proposal, read_proposal
from contracts.parties.registry import Published
from pipeline.agreements.change import holders_of_root
from pipeline.agreements.keyfile import SHORT_ID

_DAY = "%Y-%m-%d"


def in_words(proposal: Proposal, *, current: Published | None) -> Iterator[tuple[str, str]]:
    """(label, sentence) for each change. current: the registry before, None for the first version.

    Raises what `contracts.parties.proposal.countersign` raises for a proposal that can't follow.
    """
    after = read_proposal(proposal, current=current)
    before = current.parties if current is not None else Parties(())
    targets = Metadata[Targets].from_bytes(proposal.targets).signed
    yield "version", f"{targets.version}, until {targets.expires:{_DAY}}"
    changes = [*_holders(proposal, current, after), *_parties(before, after)]
    yield from changes or [("keeps", "every firm and key as they are")]


def proposed_version(proposal: Proposal) -> int:
    """The version that a proposal would publish."""
    version: int = Metadata[Targets].from_bytes(proposal.targets).signed.version
    return version


def key_in_words(key: PartyKey) -> str:
    """A key by its short id, with how long it's valid."""
    return f"key {key.key_id[:SHORT_ID]}, {key.valid_from:{_DAY}} to {key.valid_until:{_DAY}}"


def revocation_in_words(revoked: Revocation) -> str:
    """Why and when a key ended, and what of it still counts."""
    said = f"{revoked.reason} at {revoked.at:%Y-%m-%d %H:%M:%S} UTC"
    if revoked.reason != "compromise":
        return said
    return f"{said}; {vouched_in_words(revoked.last_good)} counts"


def vouched_in_words(last_good: tuple[LogPosition, ...]) -> str:
    """What of a compromised key's signatures its owner vouches for."""
    held = " or ".join(f"{good.origin} held by size {good.size}" for good in last_good)
    return f"only what {held}" if held else "nothing that it signed"


def firm_in_words(record: Party) -> str:
    """A firm: name, code, grade."""
    return f"{record.name}, {code_of(record.party)} ({record.grade})"


def _parties(before: Parties, after: Parties) -> Iterator[tuple[str, str]]:
    for record in after.records:
        old = before.get(record.party)
        if old is None:
            yield "new firm", f"{firm_in_words(record)}, owned by {record.beneficial_owner}"
        else:
            yield from _facts(old, record)
        for key in record.keys:
            yield from _key(key, before.key(key.key_id), code_of(record.party))


def _facts(old: Party, new: Party) -> Iterator[tuple[str, str]]:
    code = code_of(new.party)
    for label, was, now in (
        ("name", old.name, new.name),
        ("owner", old.beneficial_owner, new.beneficial_owner),
        ("grade", old.grade.value, new.grade.value),
    ):
        if was != now:
            yield label, f"{code}: {was} becomes {now}"


def _key(key: PartyKey, old: PartyKey | None, code: str) -> Iterator[tuple[str, str]]:
    if old is None:
        yield "new key", f"{code}: {key_in_words(key)}"
    if key.revoked is not None and (old is None or key.revoked != old.revoked):
        yield "revoked", f"{code}: key {key.key_id[:SHORT_ID]}, {revocation_in_words(key.revoked)}"


def _holders(proposal: Proposal, current: Published | None, after: Parties) -> Iterator[tuple[str, str]]:
    if proposal.root is None:
        return
    root = Metadata[Root].from_bytes(proposal.root).signed
    new = holders_of_root(root)
    old = holders_of_root(current.root) if current is not None else None
    yield from _signers(old, new, after)
    if old is None or (old.hall, old.online) != (new.hall, new.online):
        yield "hall", f"{_who(new.hall, after)} keeps it fresh, by key {new.online.key_id[:SHORT_ID]}"
    yield "holders", f"stay until {root.expires:{_DAY}}, unless a later version says otherwise"


def _signers(old: Holders | None, new: Holders, after: Parties) -> Iterator[tuple[str, str]]:
    before = dict(old.keys) if old is not None else {}
    for party, public in sorted(new.keys.items()):
        was = before.pop(party, None)
        if was is None:
            yield "holder", f"{_who(party, after)} signs for the registry, by key {public.key_id[:SHORT_ID]}"
        elif was != public:
            yield "holder", f"{_who(party, after)} signs by key {public.key_id[:SHORT_ID]} from now on"
    for party in sorted(before):
        yield "holder", f"{_who(party, after)} signs no more"
    if old is None or old.threshold != new.threshold or len(old.keys) != len(new.keys):
        yield "needs", f"{new.threshold} of {len(new.keys)} holders sign each change"


def _who(party: str, parties: Parties) -> str:
    record = parties.get(party)
    return f"{record.name}, {code_of(party)}" if record is not None else code_of(party)
