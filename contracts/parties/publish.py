"""Writing the registry's folder: a proposal that enough holders signed, and the hall's daily word that it's the newest.

Everything is verified as a reader would, in memory, before the first byte is written. The timestamp is written last: until
then a reader sees the version before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from securesystemslib.signer import Signature  # type: ignore[attr-defined]  # as tuf's
from tuf.api.metadata import (  # type: ignore[attr-defined]  # as in holders
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    Targets,
    Timestamp,
)

from contracts.parties.proposal import Proposal, lacking
from contracts.parties.record import FILE_NAME
from contracts.parties.registry import Known, Published, Read, folder_reader, read_published
from core.algorithms import Signs
from core.digest import sha256_hex
from core.errors import ConflictError, ContractError, StateError
from core.files import write_whole
from core.lock import exclusive

FRESH_DAYS = 7
_LOCK = ".lock"
_WAIT_S = 30.0


def publish(
    folder: Path,
    proposal: Proposal,
    *,
    online: Signs,
    now: datetime,
    current: Published | None = None,
    fresh_days: int = FRESH_DAYS,
) -> Published:
    """Puts a proposal into the folder as the registry's next version, and gives it. current: the version that's there.

    online: the hall's key, which signs snapshot and timestamp. A crash leaves the version before; publish again then.
    Raises ContractError when signatures lack, ConflictError when somebody else published meanwhile, and what a reader would.
    """
    if current is not None and proposal.root == current.root_bytes:
        proposal = replace(proposal, root=None)  # a crash came between the root and the timestamp
    short = lacking(proposal, current=current)
    if short:
        said = "; ".join(
            f"{role} needs {count} more of {', '.join(holders)}" for role, (count, holders) in short.items()
        )
        raise ContractError(
            f"Too few holders have signed: {said}.", where="proposal", remedy="Have them countersign it."
        )
    targets = Metadata[Targets].from_bytes(proposal.targets)
    files = {
        f"targets/{sha256_hex(proposal.parties)}.{FILE_NAME}": proposal.parties,
        f"metadata/{targets.signed.version}.targets.json": proposal.targets,
    }
    root_version = current.root.version if current else 0
    if proposal.root is not None:
        root_version = Metadata[Root].from_bytes(proposal.root).signed.version
        files[f"metadata/{root_version}.root.json"] = proposal.root
    files |= _freshened(proposal.targets, targets.signed.version, online, now, current, fresh_days)
    trusted = current.root_bytes if current else proposal.root
    if trusted is None:
        raise ContractError("The first version of a registry needs a root.", where="proposal")
    return _write(folder, files, trusted_root=trusted, now=now, current=current)


def renew(
    folder: Path, current: Published, *, online: Signs, now: datetime, fresh_days: int = FRESH_DAYS
) -> Published:
    """Says once more that `current` is the newest version, for `fresh_days`. Errors as `publish`."""
    targets = _at(folder_reader(folder), f"metadata/{current.targets.version}.targets.json")
    files = _freshened(targets, current.targets.version, online, now, current, fresh_days)
    return _write(folder, files, trusted_root=current.root_bytes, now=now, current=current)


def read_lapsed(folder: Path, *, trusted_root: bytes, known: Known | None = None) -> Published:
    """The registry in a folder with all that is signed verified, but its freshness: for who proposes, signs or renews.

    Never for who checks a contract: `load_registry` does that. Errors as there.
    """
    return read_published(folder_reader(folder), trusted_root=trusted_root, now=None, known=known)


def _freshened(
    targets: bytes, version: int, online: Signs, now: datetime, current: Published | None, days: int
) -> Mapping[str, bytes]:
    """Snapshot and timestamp over these targets, of the versions after the current ones."""
    expires = (now + timedelta(days=days)).astimezone(UTC)
    snapshot_version = current.snapshot.version + 1 if current else 1
    meta = {"targets.json": MetaFile.from_data(version, targets, ["sha256"])}
    snapshot = _signed(Metadata(Snapshot(version=snapshot_version, expires=expires, meta=meta)), online)
    named = MetaFile.from_data(snapshot_version, snapshot, ["sha256"])
    timestamp_version = current.timestamp.version + 1 if current else 1
    timestamp = Metadata(Timestamp(version=timestamp_version, expires=expires, snapshot_meta=named))
    return {
        f"metadata/{snapshot_version}.snapshot.json": snapshot,
        "metadata/timestamp.json": _signed(timestamp, online),
    }


def _write(
    folder: Path, files: Mapping[str, bytes], *, trusted_root: bytes, now: datetime, current: Published | None
) -> Published:
    below = folder_reader(folder)

    def overlaid(name: str) -> bytes | None:
        return files[name] if name in files else below(name)

    published = read_published(
        overlaid, trusted_root=trusted_root, now=now, known=current.known if current else None
    )
    try:
        for part in ("metadata", "targets"):
            (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        busy = "The registry is being published by another process."
        with exclusive(folder / _LOCK, wait_s=_WAIT_S, what=busy):
            _refuse_moved(below, current)
            # The root stands before the timestamp that its new online key may have signed; the timestamp last of all.
            order = sorted(files, key=lambda name: (name.endswith("timestamp.json"), "root" in name))
            for name in order:
                write_whole(folder / name, files[name])
    except OSError as error:
        raise StateError(
            f"The party registry can't be written: {error.strerror}.",
            where=str(folder),
            remedy="Mend the folder, then publish again: readers still see the version before.",
        ) from None
    return published


def _refuse_moved(read: Read, current: Published | None) -> None:
    there = read("metadata/timestamp.json")
    if there != (current.known.timestamp if current else None):
        raise ConflictError(
            "Somebody else published the registry meanwhile.",
            where="metadata/timestamp.json",
            remedy="Read it again, and propose the change once more if it isn't in it.",
        )


def _at(read: Read, name: str) -> bytes:
    data = read(name)
    if data is None:
        raise StateError("The party registry lacks a file.", where=name, remedy="Put the folder back.")
    return data


def _signed(metadata: Metadata[Snapshot] | Metadata[Timestamp], signer: Signs) -> bytes:
    key_id = signer.public.key_id
    metadata.signatures[key_id] = Signature(key_id, signer.sign(metadata.signed_bytes).hex())
    return metadata.to_bytes()
