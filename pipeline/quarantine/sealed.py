"""A quarantine as a folder that can be carried about: rows under a key of their own, and a manifest that holds the key, sealed.

    manifest.json        RFC 8785; what is kept and until when, in clear: names, counts, digests, and no value of a row
    table-<n>.parquet    rows of one table with the names of the rules that they broke, encrypted

Three things hold it together: the hall's signature over the manifest says who made it, the manifest's digests say what
the files are, and the rows' key is sealed in the context of the whole manifest, so that it opens under no other.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from audit.note import VerifierKey
from contracts.model import Contract
from core.digest import canonical, file_digest, sha256_hex
from core.errors import IntegrityError, UsageError
from core.files import sync, write_whole
from core.keys import FileKey, Signer
from core.parquet import reader
from core.proof import TableFile
from core.sealing import OpeningKey, SealingKey
from pipeline.quarantine.aside import Draft

MANIFEST = "manifest.json"
SHORT_ID = 8  # hex digits that tell quarantines apart for people
_FORMAT = b"sluice/quarantine/1\n"  # before all that is signed or sealed: it can't be taken for another thing
_FILE = re.compile(r"table-\d{1,6}\.parquet")
_KEY_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class KeptTable:
    """The rows kept of one table. rules: how many of them broke each rule, in the contract's order."""

    name: str
    file: str
    rows: int
    size_bytes: int
    sha256: str
    rules: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a manifest says. id: the run's UUID. until: the moment from which the rows are kept no longer, UTC.

    key: the name of the public key that the rows are sealed to; holder: who has its private half, "platform" or "hall".
    """

    id: str
    contract_id: str
    contract_version: str
    contract_digest: str
    platform: str
    release: str
    set_aside_at: datetime
    until: datetime
    key: str
    holder: str
    tables: tuple[KeptTable, ...]

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)

    def as_json(self) -> dict[str, Any]:
        """All of it as a JSON value."""
        return {
            "id": self.id,
            "contract": {
                "id": self.contract_id,
                "version": self.contract_version,
                "digest": self.contract_digest,
            },
            "platform": self.platform,
            "release": self.release,
            "set_aside_at": self.set_aside_at.isoformat(),
            "until": self.until.isoformat(),
            "key": {"name": self.key, "holder": self.holder},
            "tables": [
                {
                    "name": table.name,
                    "file": table.file,
                    "rows": table.rows,
                    "size_bytes": table.size_bytes,
                    "sha256": table.sha256,
                    "rules": [{"name": name, "rows": rows} for name, rows in table.rules.items()],
                }
                for table in self.tables
            ],
        }

    @classmethod
    def from_json(cls, value: Any) -> Kept:
        """The inverse of `as_json`. Raises ValueError, KeyError, TypeError or AttributeError for anything else."""
        contract, key = value["contract"], value["key"]
        kept = cls(
            id=str(uuid.UUID(value["id"])),
            contract_id=contract["id"],
            contract_version=contract["version"],
            contract_digest=contract["digest"],
            platform=value["platform"],
            release=value["release"],
            set_aside_at=datetime.fromisoformat(value["set_aside_at"]).astimezone(UTC),
            until=datetime.fromisoformat(value["until"]).astimezone(UTC),
            key=key["name"],
            holder=key["holder"],
            tables=tuple(
                KeptTable(
                    name=table["name"],
                    file=table["file"],
                    rows=int(table["rows"]),
                    size_bytes=int(table["size_bytes"]),
                    sha256=table["sha256"],
                    rules={rule["name"]: int(rule["rows"]) for rule in table["rules"]},
                )
                for table in value["tables"]
            ),
        )
        if kept.as_json() != value or not all(_FILE.fullmatch(table.file) for table in kept.tables):
            raise ValueError
        return kept


def kept_of(
    draft: Draft, contract: Contract, *, run_id: str, release: str, at: datetime, key: str, holder: str
) -> Kept:
    """What a manifest will say of rows that a run set aside at a moment, UTC."""
    return Kept(
        id=run_id,
        contract_id=contract.id,
        contract_version=contract.version,
        contract_digest=contract.digest,
        platform=contract.tenant,
        release=release,
        set_aside_at=at,
        until=at + timedelta(days=contract.quarantine_days),
        key=key,
        holder=holder,
        tables=tuple(
            KeptTable(
                name=name,
                file=aside.file.path.name,
                rows=aside.file.rows,
                size_bytes=aside.file.size_bytes,
                sha256=aside.file.sha256,
                rules=aside.rules,
            )
            for name, aside in draft.tables.items()
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A quarantine's folder whose manifest is whole. digest: SHA-256 of the manifest's bytes, hex."""

    path: Path
    kept: Kept
    digest: str
    sealed: bytes


def write_manifest(
    folder: Path, kept: Kept, rows_key: FileKey, *, sealing_key: SealingKey, signer: Signer
) -> Folder:
    """Completes a folder in which the files of `kept` lie already. Raises OSError."""
    about = kept.as_json()
    sealed = sealing_key.seal(rows_key.reveal(), context=_FORMAT + canonical(about))
    signed = {"version": 1, **about, "sealed": sealed.hex()}
    document = {**signed, "signature": signer.sign(_FORMAT + canonical(signed)).hex()}
    data = canonical(document)
    write_whole(folder / MANIFEST, data)
    return Folder(path=folder, kept=kept, digest=sha256_hex(data), sealed=sealed)


def read_manifest(folder: Path, hall: VerifierKey | None) -> Folder:
    """The folder as its manifest has it. hall: who must have signed it; None: not asked.

    Raises IntegrityError for a manifest that isn't as it was written, FileNotFoundError when there is none, OSError.
    """
    data = (folder / MANIFEST).read_bytes()
    try:
        document = json.loads(data)
        signature = bytes.fromhex(document.pop("signature"))
        message = _FORMAT + canonical(document)
        sealed = bytes.fromhex(document.pop("sealed"))
        version = document.pop("version")
        kept = Kept.from_json(document)
        whole = {"version": version, **document, "sealed": sealed.hex(), "signature": signature.hex()}
        holds = version == 1 and canonical(whole) == data
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        holds = False
    if not holds or (hall is not None and not hall.accepts(message, signature)):
        raise IntegrityError(
            "The manifest of this quarantine isn't as the hall wrote it.",
            where=str(folder / MANIFEST),
            remedy="Nothing of it is shown. Find out who changed it.",
        )
    return Folder(path=folder, kept=kept, digest=sha256_hex(data), sealed=sealed)


def unsealed(folder: Folder, key: OpeningKey) -> dict[str, TableFile]:
    """The tables' files, each the one that the manifest names, with the key that opens them.

    Raises UsageError when `key` isn't the one that the rows are sealed to, IntegrityError when anything was changed.
    """
    kept = folder.kept
    if key.sealing_key.name != kept.key:
        raise UsageError(
            f"This private key ({key.sealing_key.name}) isn't the one that the rows are sealed to ({kept.key}).",
            where=f"quarantine {kept.id}",
            remedy="Use the private half of that key: platform's own with --key, the hall's without.",
        )
    secret = key.open(folder.sealed, context=_FORMAT + canonical(kept.as_json()))
    if len(secret) != _KEY_BYTES:
        raise changed(folder.path)
    rows_key = FileKey(secret)
    check_files(folder)
    return {
        table.name: TableFile(
            name=table.name,
            path=folder.path / table.file,
            rows=table.rows,
            size_bytes=table.size_bytes,
            sha256=table.sha256,
            key=rows_key,
        )
        for table in kept.tables
    }


def check_files(folder: Folder) -> None:
    """Holds every file against the manifest. Raises IntegrityError for one that isn't what it says."""
    for table in folder.kept.tables:
        path = folder.path / table.file
        try:
            is_whole = (
                path.is_file()
                and not path.is_symlink()
                and path.stat().st_size == table.size_bytes
                and file_digest(path) == table.sha256
            )
        except OSError:
            is_whole = False
        if not is_whole:
            raise changed(path)


def destroy(folder: Path) -> None:
    """Removes a quarantine. Its manifest goes first, overwritten: what a crash leaves then has no key. Raises OSError."""
    with suppress(FileNotFoundError), (folder / MANIFEST).open("r+b") as manifest:
        manifest.write(secrets.token_bytes(os.fstat(manifest.fileno()).st_size))
        manifest.flush()
        os.fsync(manifest.fileno())
    (folder / MANIFEST).unlink(missing_ok=True)
    sync(folder)
    shutil.rmtree(folder)
    sync(folder.parent)


def first_rows(file: TableFile, most: int) -> pa.Table:
    """The first rows of a table, at most so many. Raises IntegrityError when they can't be decrypted."""
    try:
        with reader(file) as opened:
            batches: list[pa.RecordBatch] = []
            for batch in opened.iter_batches(min(most, 1 << 16)) if most else ():
                batches.append(batch)
                if sum(each.num_rows for each in batches) >= most:
                    break
            return pa.Table.from_batches(batches, schema=opened.schema_arrow).slice(0, most)
    except (pa.ArrowException, OSError):
        raise changed(file.path) from None


def changed(path: Path) -> IntegrityError:
    """What is said of a part of a quarantine that isn't what its manifest says."""
    return IntegrityError(
        "A part of this quarantine is not what was put there.",
        where=str(path),
        remedy="Nothing of it is shown. Find out who changed it; a new run of the contract sets the rows aside again.",
    )
