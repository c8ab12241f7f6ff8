"""How the registry changes: somebody proposes, the holders countersign one file in turn, the hall publishes it.

A proposal is one JSON file that travels by hand. What a holder signs is what stands in it; it's checked against the
registry at hand before each signature, and once more, whole, before anything is published.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from securesystemslib.signer import Signature  # type: ignore[attr-defined]  # as tuf's
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (  # type: ignore[attr-defined]  # as in holders
    Key,
    Metadata,
    Role,
    Root,
    TargetFile,
    Targets,
)

from contracts.parties.follow import check_follows
from contracts.parties.holders import HOLDER, ONLINE_ROLES, SHARED_ROLES, check_owners, check_root, tuf_key
from contracts.parties.model import Parties
from contracts.parties.record import FILE_NAME, MAX_BYTES, read_parties, write_parties
from contracts.parties.registry import MAX_METADATA_BYTES, Published
from core.algorithms import PublicKey, Signs
from core.digest import canonical, sha256_hex
from core.errors import ContractError, IntegrityError
from core.jsontext import parse_json

ROOT_DAYS = 365
TARGETS_DAYS = 90
_MAX_PROPOSAL = MAX_BYTES + 4 * MAX_METADATA_BYTES


@dataclass(frozen=True, kw_only=True)
class Holders:
    """Who signs the registry from now on: a public key of each holder by party, how many must sign, and the hall's own
    online key, which only keeps the registry fresh."""

    keys: Mapping[str, PublicKey]
    threshold: int
    hall: str
    online: PublicKey


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The next version of the registry, with the signatures that it bears so far. root: None when the holders stay.

    root, targets: TUF metadata as bytes; parties: the records that targets vouches for.
    """

    root: bytes | None
    targets: bytes
    parties: bytes

    def to_bytes(self) -> bytes:
        """The file that travels."""
        root = self.root.decode() if self.root is not None else None
        return canonical(
            {"version": 1, "root": root, "targets": self.targets.decode(), "parties": self.parties.decode()}
        )

    @classmethod
    def parse(cls, data: bytes) -> Proposal:
        """The proposal of a file; nothing of it is checked yet. Raises ContractError for anything else."""
        document = parse_json(data, max_bytes=_MAX_PROPOSAL, where="proposal")
        if not isinstance(document, dict) or set(document) != {"version", "root", "targets", "parties"}:
            raise _malformed()
        root, targets, parties = document["root"], document["targets"], document["parties"]
        if document["version"] != 1 or not isinstance(targets, str) or not isinstance(parties, str):
            raise _malformed()
        if root is not None and not isinstance(root, str):
            raise _malformed()
        return cls(
            root=root.encode() if root is not None else None,
            targets=targets.encode(),
            parties=parties.encode(),
        )


def found(parties: Parties, holders: Holders, *, now: datetime) -> Proposal:
    """The first version of a registry, unsigned. Raises IntegrityError for holders who don't keep the rules."""
    root = _root(1, holders, now)
    check_owners(check_root(root), parties)
    return _proposal(root, parties, version=1, now=now)


def propose(
    current: Published,
    parties: Parties,
    *,
    now: datetime,
    holders: Holders | None = None,
    renew_root: bool = False,
) -> Proposal:
    """The version after `current`, unsigned. renew_root: a new root of the same holders, before the old one expires.

    Raises ContractError for records that take back what `current` says, IntegrityError as `found`.
    """
    check_follows(current.parties, parties)
    root = None
    if holders is not None:
        root = _root(current.root.version + 1, holders, now)
    elif renew_root:
        root = deepcopy(current.root)
        root.version += 1
        root.expires = _after(now, ROOT_DAYS)
    check_owners(check_root(root or current.root), parties)
    return _proposal(root, parties, version=current.targets.version + 1, now=now)


def countersign(proposal: Proposal, signer: Signs, *, current: Published | None) -> Proposal:
    """The proposal with the signature of one holder, in each role that its key fills.

    current: the registry as this holder has it, None for the first version. Raises ContractError for a proposal that
    isn't the next one, takes something back, or names this key in no role; IntegrityError for holders who break the rules.
    """
    root, targets = _check(proposal, current)
    key_id = signer.public.key_id
    governing = root.signed if root is not None else _current(current).root
    # A new root counts when enough of those whom the old one names have signed it, and enough of its own.
    old = [current.root] if current is not None else []
    signs_root = root is not None and any(key_id in one.roles["root"].keyids for one in (*old, governing))
    signs_targets = key_id in governing.roles["targets"].keyids
    if not signs_root and not signs_targets:
        raise ContractError(
            "This key signs nothing in the registry.",
            where=f"key {key_id}",
            remedy="Sign with the registry key of a holder.",
        )
    return replace(
        proposal,
        root=_signed(root, signer) if root is not None and signs_root else proposal.root,
        targets=_signed(targets, signer) if signs_targets else proposal.targets,
    )


def lacking(proposal: Proposal, *, current: Published | None) -> Mapping[str, tuple[int, tuple[str, ...]]]:
    """What a proposal still lacks, by role: how many signatures more, and the holders who could give them.

    Empty when it can be published. Errors as `countersign`.
    """
    root, targets = _check(proposal, current)
    governing = root.signed if root is not None else _current(current).root
    judged: list[tuple[str, Root, Metadata[Root] | Metadata[Targets]]] = [("targets", governing, targets)]
    if root is not None:
        before = [current.root] if current is not None else []
        judged += [("root", one, root) for one in (*before, root.signed)]
    short: dict[str, tuple[int, tuple[str, ...]]] = {}
    for role, by, metadata in judged:
        result = by.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
        if not result.verified:
            missing, holders = short.get(role, (0, ()))
            named = {str(key.unrecognized_fields.get(HOLDER)) for key in result.unsigned.values()}
            short[role] = max(missing, result.missing), tuple(sorted({*holders, *named}))
    return short


def read_proposal(proposal: Proposal, *, current: Published | None) -> Parties:
    """The records that a proposal would publish, for who is asked to sign it. Errors as `countersign`."""
    _check(proposal, current)
    return read_parties(proposal.parties)


def _check(proposal: Proposal, current: Published | None) -> tuple[Metadata[Root] | None, Metadata[Targets]]:
    """Its metadata, when it's the very next version, vouches for its records and nothing else, and takes nothing back."""
    root = _metadata(proposal.root, Root) if proposal.root is not None else None
    targets = _metadata(proposal.targets, Targets)
    parties = read_parties(proposal.parties)
    if current is None and root is None:
        raise _unfit("the first version of a registry needs a root")
    if root is not None and root.signed.version != (current.root.version + 1 if current else 1):
        raise _unfit("its root isn't the version that comes next")
    if targets.signed.version != (current.targets.version + 1 if current else 1):
        raise _unfit("its records aren't the version that comes next")
    # Compared whole: a second file, a delegation or a field that nobody reads would be signed unseen.
    plain = _targets(proposal.parties, targets.signed.version, targets.signed.expires)
    if targets.signed != plain:
        raise _unfit("what would be signed doesn't vouch for its records alone")
    check_follows(current.parties if current else Parties(()), parties)
    check_owners(check_root(root.signed if root is not None else _current(current).root), parties)
    return root, targets


def _proposal(root: Root | None, parties: Parties, *, version: int, now: datetime) -> Proposal:
    records = write_parties(parties)
    targets = _targets(records, version, _after(now, TARGETS_DAYS))
    return Proposal(
        root=Metadata(root).to_bytes() if root is not None else None,
        targets=Metadata(targets).to_bytes(),
        parties=records,
    )


def _root(version: int, holders: Holders, now: datetime) -> Root:
    shared = [tuf_key(public, party) for party, public in sorted(holders.keys.items())]
    online = tuf_key(holders.online, holders.hall)
    ids = [key.keyid for key in shared]
    if len(set(ids)) != len(ids) or holders.threshold < 1:
        raise IntegrityError(
            "These holders can't sign a registry: two of them share a key, or no signature would be needed.",
            where="root",
            remedy="Give each holder a key of its own, and ask for at least 2 signatures.",
        )
    keys: dict[str, Key] = {key.keyid: key for key in (*shared, online)}
    roles = {role: Role(ids, holders.threshold) for role in SHARED_ROLES}
    roles |= {role: Role([online.keyid], 1) for role in ONLINE_ROLES}
    return Root(version=version, expires=_after(now, ROOT_DAYS), keys=keys, roles=roles)


def _targets(records: bytes, version: int, expires: datetime) -> Targets:
    file = TargetFile(length=len(records), hashes={"sha256": sha256_hex(records)}, path=FILE_NAME)
    return Targets(version=version, expires=expires, targets={FILE_NAME: file})


def _signed(metadata: Metadata[Root] | Metadata[Targets], signer: Signs) -> bytes:
    key_id = signer.public.key_id
    metadata.signatures[key_id] = Signature(key_id, signer.sign(metadata.signed_bytes).hex())
    return metadata.to_bytes()


def _metadata(data: bytes, kind: type[Root] | type[Targets]) -> Metadata:  # type: ignore[type-arg]
    try:
        metadata = Metadata.from_bytes(data)
    except RepositoryError:
        raise _malformed() from None
    if not isinstance(metadata.signed, kind):
        raise _malformed()
    return metadata


def _current(current: Published | None) -> Published:
    if current is None:
        raise _unfit("the first version of a registry needs a root")
    return current


def _after(now: datetime, days: int) -> datetime:
    return (now + timedelta(days=days)).astimezone(UTC)


def _unfit(why: str) -> ContractError:
    return ContractError(
        f"This proposal can't follow the registry at hand: {why}.",
        where="proposal",
        remedy="Bring the registry up to date, or have the change proposed once more.",
    )


def _malformed() -> ContractError:
    return ContractError(
        "This isn't a proposal for the registry.",
        where="proposal",
        remedy="Ask who made it for the file once more.",
    )
