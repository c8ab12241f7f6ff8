"""The party registry: a folder that may have come by hand, believed for what is signed in it. TUF metadata.

    metadata/1.root.json, 2.root.json, ...   who must sign; each signed by those whom the one before names, and by its own
    metadata/timestamp.json                  the newest snapshot; expires within days, else it's refused; the hall renews it
    metadata/<n>.snapshot.json               the newest targets
    metadata/<n>.targets.json                the digest of the parties' records, signed by several holders
    targets/<sha256>.parties.json            the records themselves

A reader needs the folder, one root that it trusts (the first, compared by its digest with the other parties), the present
moment, and what it knew last time. Signatures, thresholds, expiry, versions and their order are python-tuf's; here stand
where the bytes come from, whom a root may name (`holders`), for how long the hall alone may speak, and what is remembered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tuf.api.exceptions import EqualVersionNumberError, ExpiredMetadataError, RepositoryError
from tuf.api.metadata import Root, Snapshot, Targets, Timestamp  # type: ignore[attr-defined]  # as in holders
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from contracts.parties.follow import check_follows
from contracts.parties.holders import check_owners, check_root
from contracts.parties.model import Parties
from contracts.parties.moment import check_moment
from contracts.parties.record import FILE_NAME, MAX_BYTES, read_parties
from core.digest import canonical, sha256_hex
from core.errors import ContractError, IntegrityError, StateError
from core.jsontext import parse_json
from core.proof import Sealed, prover

# It tells of each signature that a threshold may do without, in every log of a run.
logging.getLogger("tuf.api._payload").setLevel(logging.WARNING)

MAX_METADATA_BYTES = 512 << 10
# From now on, for what the hall signs alone: a week, and a day between its clock and the reader's.
LONGEST_FRESH = timedelta(days=8)
_MAX_ROOTS = 1024
# A text within a text: each of its quotation marks takes two bytes.
_MAX_KNOWN = 2 * MAX_BYTES + 4 * MAX_METADATA_BYTES
# Nothing has expired by then.
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)

# A file of the folder, by its path below it; None when it isn't there.
Read = Callable[[str], bytes | None]


@dataclass(frozen=True)
class Known:
    """What a reader has seen of a registry, so that an older one is refused afterwards. Keep it; nothing of it is secret.

    root_version, root_digest: the newest root. timestamp, snapshot, parties: the newest of each, as they came; parties is
    None in what was kept before records were.
    """

    root_version: int
    root_digest: str
    timestamp: bytes
    snapshot: bytes
    parties: bytes | None = None

    def to_bytes(self) -> bytes:
        """For a store; `parse` takes it."""
        records = {} if self.parties is None else {"parties": self.parties.decode()}
        return canonical(
            {
                "version": 1 if self.parties is None else 2,
                "rootVersion": self.root_version,
                "rootDigest": self.root_digest,
                "timestamp": self.timestamp.decode(),
                "snapshot": self.snapshot.decode(),
                **records,
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Known:
        """What `to_bytes` wrote. Raises StateError for anything else: forgetting would let an older registry in."""
        try:
            value = parse_json(data, max_bytes=_MAX_KNOWN)
            known = cls(
                int(value["rootVersion"]),
                str(value["rootDigest"]),
                value["timestamp"].encode(),
                value["snapshot"].encode(),
                value["parties"].encode() if "parties" in value else None,
            )
            if known.to_bytes() == data:
                return known
        except (ContractError, KeyError, TypeError, ValueError, AttributeError):
            pass
        raise StateError(
            "What was remembered of the party registry is damaged.",
            remedy="Compare the registry's version with another party before you remove it.",
        )


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a folder holds, signed as it must be, be it fresh or not. expires: the first moment at which it isn't."""

    root: Root
    timestamp: Timestamp
    snapshot: Snapshot
    targets: Targets
    root_bytes: bytes
    parties_bytes: bytes
    parties: Parties
    known: Known
    expires: datetime


@dataclass(frozen=True, kw_only=True)
class Registry(Sealed):
    """The parties as a registry says them that is signed by its holders, fresh, and not older than what was known.

    version: of the records; digest: SHA-256 of `parties.json`, hex. Built by `load_registry`.
    """

    parties: Parties
    version: int
    digest: str
    root_version: int
    expires: datetime
    known: Known


_registry = prover(Registry)


def load_registry(
    folder: Path, *, trusted_root: bytes, now: datetime, known: Known | None = None
) -> Registry:
    """The registry in a folder.

    trusted_root: a root's bytes that came another way than the folder. now: the present, by a clock that wasn't set back.
    known: what was seen last time (`Registry.known`); without it, an older registry passes until it expires.
    Raises IntegrityError for one that is expired, older than what was known, forked from it, not signed by enough holders
    or by holders who aren't independent, taking back what the known records say (`follow`), called the newest for too long
    (`LONGEST_FRESH`), or lacking a file; ContractError for records that can't be read; StateError.
    """
    check_moment(now)
    published = read_published(folder_reader(folder), trusted_root=trusted_root, now=now, known=known)
    return _registry(
        parties=published.parties,
        version=published.targets.version,
        digest=sha256_hex(published.parties_bytes),
        root_version=published.root.version,
        expires=published.expires,
        known=published.known,
    )


def read_published(
    read: Read, *, trusted_root: bytes, now: datetime | None, known: Known | None = None
) -> Published:
    """What `read` gives, verified. now: None asks for no freshness, for who renews what has lapsed. Errors as `load_registry`."""
    with _refusals("root"):
        trusted = TrustedMetadataSet(trusted_root, EnvelopeType.METADATA)
        # It read the machine's clock; the caller's moment is the one that counts.
        trusted.reference_time = _BEFORE_ALL if now is None else now
    root_bytes = _roots(trusted, trusted_root, read, known)
    timestamp = _timestamp(trusted, read, known)
    snapshot = _snapshot(trusted, read, known)
    if now is not None:
        _check_short(trusted, now)
    parties_bytes = _targets(trusted, read)
    parties = read_parties(parties_bytes)
    _check_records(parties, parties_bytes, known)
    check_owners(check_root(trusted.root), parties)
    signed = (trusted.root, trusted.timestamp, trusted.snapshot, trusted.targets)
    return Published(
        root=trusted.root,
        timestamp=trusted.timestamp,
        snapshot=trusted.snapshot,
        targets=trusted.targets,
        root_bytes=root_bytes,
        parties_bytes=parties_bytes,
        parties=parties,
        known=Known(trusted.root.version, sha256_hex(root_bytes), timestamp, snapshot, parties_bytes),
        expires=min(one.expires for one in signed),
    )


def folder_reader(folder: Path) -> Read:
    """Reads the files of a folder; a file too large for any registry is refused before it's read."""

    def read(name: str) -> bytes | None:
        limit = MAX_BYTES if name.startswith("targets/") else MAX_METADATA_BYTES
        try:
            with (folder / name).open("rb") as file:
                data = file.read(limit + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(
                f"The party registry can't be read: {error.strerror}.",
                where=str(folder / name),
                remedy="Copy the registry's folder once more.",
            ) from None
        if len(data) > limit:
            raise _refused(name, f"the file has more than {limit} bytes")
        return data

    return read


def _roots(trusted: TrustedMetadataSet, trusted_root: bytes, read: Read, known: Known | None) -> bytes:
    """Walks from the trusted root to the newest one; each must keep the rules, not the last alone. Gives its bytes."""
    data = trusted_root
    check_root(trusted.root)
    for _ in range(_MAX_ROOTS):
        _check_fork(trusted.root, data, known)
        name = f"metadata/{trusted.root.version + 1}.root.json"
        following = read(name)
        if following is None:
            break
        with _refusals(name):
            trusted.update_root(following)
        check_root(trusted.root)
        data = following
    else:
        raise _refused("root", f"more than {_MAX_ROOTS} roots follow the trusted one")
    if known is not None and trusted.root.version < known.root_version:
        raise _refused(
            "root", f"it ends at version {trusted.root.version}, version {known.root_version} was seen before"
        )
    return data


def _check_fork(root: Root, data: bytes, known: Known | None) -> None:
    if known is not None and root.version == known.root_version and sha256_hex(data) != known.root_digest:
        raise _refused("root", f"its version {root.version} isn't the one that was seen before")


def _timestamp(trusted: TrustedMetadataSet, read: Read, known: Known | None) -> bytes:
    data = None
    if known is not None:
        # Expired or not, it stands against an older one. If the root names another key since, it says nothing any more.
        with suppress(RepositoryError):
            trusted.update_timestamp(known.timestamp)
        data = known.timestamp if "timestamp" in {signed.type for signed in trusted} else None
    name = "metadata/timestamp.json"
    following = _needed(read, name)
    with _refusals(name):
        try:
            trusted.update_timestamp(following)
        except EqualVersionNumberError:
            return data or following  # of two with one number, the one that was seen first
    return following


def _snapshot(trusted: TrustedMetadataSet, read: Read, known: Known | None) -> bytes:
    if known is not None:
        with suppress(RepositoryError):
            trusted.update_snapshot(known.snapshot, trusted=True)
            return known.snapshot
    name = f"metadata/{trusted.timestamp.snapshot_meta.version}.snapshot.json"
    # Before the file is missed: what the timestamp's own end says is the better message.
    with _refusals("metadata/timestamp.json"):
        if trusted.timestamp.is_expired(trusted.reference_time):
            raise ExpiredMetadataError("timestamp")
    data = _needed(read, name)
    with _refusals(name):
        trusted.update_snapshot(data)
    return data


def _check_short(trusted: TrustedMetadataSet, now: datetime) -> None:
    """What the hall signs alone ends soon; else it could keep a revocation from readers until the holders' words expire."""
    for name, signed in (
        ("metadata/timestamp.json", trusted.timestamp),
        (f"metadata/{trusted.snapshot.version}.snapshot.json", trusted.snapshot),
    ):
        if signed.expires > now + LONGEST_FRESH:
            raise IntegrityError(
                f"The party registry is refused: it's said to be the newest for longer than {LONGEST_FRESH.days} days.",
                where=name,
                remedy="Look whether this machine's clock is right; if it is, have the hall renew the registry: "
                "`sluice party registry renew`.",
            )


def _targets(trusted: TrustedMetadataSet, read: Read) -> bytes:
    """Loads the targets and gives the one that counts, `parties.json`."""
    meta = trusted.snapshot.meta.get("targets.json")
    if meta is None:
        raise _refused("snapshot", "it names no records")
    name = f"metadata/{meta.version}.targets.json"
    data = _needed(read, name)
    with _refusals(name):
        targets = trusted.update_targets(data)
    file = targets.targets.get(FILE_NAME)
    # A delegation would let one key vouch for records that several must.
    if targets.delegations is not None or file is None or "sha256" not in file.hashes:
        raise _refused(name, f"it must vouch for {FILE_NAME} by SHA-256, and delegate nothing")
    name = f"targets/{file.hashes['sha256']}.{FILE_NAME}" if _is_hex(file.hashes["sha256"]) else FILE_NAME
    records = _needed(read, name)
    with _refusals(name):
        file.verify_length_and_hashes(records)
    return records


def _check_records(parties: Parties, data: bytes, known: Known | None) -> None:
    """Enough holders may sign anything; what a reader has seen, they can't unsay to it. Who sees them first can't know."""
    if known is None or known.parties is None or known.parties == data:
        return
    try:
        check_follows(read_parties(known.parties), parties)
    except ContractError as error:
        raise IntegrityError(
            f"The party registry is refused. {error.what}",
            where=error.where,
            remedy="Keep this copy, and ask the holders who signed it for one that follows what was seen before.",
        ) from None


def _is_hex(text: Any) -> bool:
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")


def _needed(read: Read, name: str) -> bytes:
    data = read(name)
    if data is None:
        raise _refused(name, "the file is missing")
    return data


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Puts python-tuf's refusals in our words. Their text may hold what the files say, so none of it is passed on."""
    try:
        yield
    except EqualVersionNumberError:
        raise
    except ExpiredMetadataError:
        raise IntegrityError(
            "The party registry has expired.",
            where=name,
            remedy="Bring a copy that was renewed; whoever keeps it back may be hiding a revoked key.",
        ) from None
    except RepositoryError as error:
        raise _refused(
            name, _WHY.get(type(error).__name__, "it doesn't fit the files that vouch for it")
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _refused(name, "it isn't TUF metadata") from None


_WHY = {
    "UnsignedMetadataError": "too few of the holders named for it have signed",
    "BadVersionNumberError": "its version is older than what is known, or not the one that is vouched for",
    "LengthOrHashMismatchError": "its bytes aren't those that are vouched for",
    "DeserializationError": "it isn't TUF metadata",
}


def _refused(name: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"The party registry is refused: {why}.",
        where=name,
        remedy="Bring the whole folder once more from who publishes it; if it's the same, ask the other parties for theirs.",
    )
