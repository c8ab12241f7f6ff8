"""Quarantined rows as plain files for the platform's engineer: a folder that appears whole, or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from audit.note import VerifierKey
from contracts.model import slug
from core.digest import sha256_hex
from core.errors import StateError, UsageError
from core.files import sync
from core.parquet import ROW_GROUP_ROWS, reader, writer
from core.proof import TableFile
from core.sealing import OpeningKey
from pipeline.quarantine.sealed import (
    MANIFEST,
    SHORT_ID,
    Folder,
    Kept,
    changed,
    check_files,
    read_manifest,
    unsealed,
)

_LONGEST_NAME = 150  # bytes, of the 255 that file systems take


class Form(StrEnum):
    """What rows are handed out as. SEALED: as they lie in the quarantine, for who has the key elsewhere."""

    PARQUET = "parquet"
    CSV = "csv"
    SEALED = "sealed"


def place_for(folder: Path, kept: Kept, *, outside: Path | None) -> Path:
    """Where rows are handed out: a folder in `folder`, called by contract and id, that isn't there yet, or is empty.

    outside: the hall's home; nothing is handed out into it, where no raw row is to lie. Raises UsageError.
    """
    place = folder.expanduser().resolve() / f"{slug(kept.contract_id)}-{kept.id[:SHORT_ID]}"
    if outside is not None and place.is_relative_to(outside.resolve()):
        raise UsageError(
            "Rows can't be handed out into SLUICE_HOME, where no raw row is to lie.",
            where=str(place),
            remedy="Name a folder of the platform's own, best on an encrypted disk.",
        )
    if os.path.lexists(place) and not (
        place.is_dir() and not place.is_symlink() and not any(place.iterdir())
    ):
        raise UsageError(
            "Something is there already.", where=str(place), remedy="Name another folder, or clear this one."
        )
    return place


def hand_out(tables: Mapping[str, TableFile], place: Path, form: Form) -> None:
    """Writes the tables' rows as `place`/<table>.parquet or .csv, files 0600 in a folder 0700, durably, or nothing.

    A CSV file has the rules' names in one text, parted by "; ". Raises StateError when they can't be written,
    IntegrityError when the rows don't decrypt.
    """

    def write(draft: Path) -> None:
        for table in tables.values():
            target = draft / file_name(table.name, form.value)
            if form is Form.CSV:
                _write_csv(table, target)
            else:
                _write_parquet(table, target)

    _whole(place, write)


def hand_out_sealed(folder: Folder, place: Path) -> None:
    """Copies a quarantine as it is, to be opened where the private key is. Raises IntegrityError, StateError."""
    check_files(folder)

    def write(draft: Path) -> None:
        for name in (MANIFEST, *(table.file for table in folder.kept.tables)):
            shutil.copyfile(folder.path / name, draft / name)

    _whole(place, write)


def open_elsewhere(
    folder: Path, key: OpeningKey, *, to: Path, form: Form, hall: VerifierKey | None = None
) -> Path:
    """Opens what was handed out sealed, where there is no hall; gives the new folder in `to`.

    hall: who must have made it; without one, anybody may have who has the public key. Raises UsageError for another key,
    IntegrityError when anything was changed, StateError when the rows can't be written.
    """
    try:
        opened = read_manifest(folder, hall)
    except OSError as error:
        raise UsageError(
            f"There is no quarantine here that can be read ({error.strerror}).",
            where=str(folder),
            remedy="Name the folder that `sluice quarantine release --as sealed` made.",
        ) from None
    place = place_for(to, opened.kept, outside=None)
    hand_out(unsealed(opened, key), place, form)
    return place


def file_name(table: str, ending: str) -> str:
    """A table's name as the name of a file: but for what a file system or a reader's pattern takes amiss."""
    name = re.sub(r"[/\\~*?\[\]:\"<>|\x00-\x1f\x7f]|^\.", lambda match: f"~{ord(match[0]):02X}", table)
    if len(name.encode()) > _LONGEST_NAME:
        start = name.encode()[: _LONGEST_NAME - 17].decode(errors="ignore")
        name = f"{start}~{sha256_hex(table.encode())[:16]}"
    return f"{name}.{ending}"


def _whole(place: Path, write: Callable[[Path], None]) -> None:
    draft = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in place.parent.glob(f".{place.name}.*"):  # raw rows, of an attempt that was killed
            shutil.rmtree(left)
        draft.mkdir(mode=0o700)
        draft.chmod(0o700)
        write(draft)
        for path in draft.iterdir():
            path.chmod(0o600)
            sync(path)
        sync(draft)
        draft.rename(place)
        sync(place.parent)
    except OSError as error:
        raise StateError(
            f"The rows couldn't be handed out ({error.strerror or type(error).__name__}).",
            where=str(place),
            remedy="They are still in the quarantine. Name a folder that is writable, on a disk with room.",
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_parquet(table: TableFile, target: Path) -> None:
    with reader(table) as opened, writer(target, opened.schema_arrow, None) as out:
        for batch in _batches(table, opened):
            out.write(batch)


def _write_csv(table: TableFile, target: Path) -> None:
    with reader(table) as opened:
        kinds = opened.schema_arrow
        why = len(kinds) - 1  # the rules' names stand last
        flat = kinds.set(why, pa.field(kinds.field(why).name, pa.string()))
        descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as sink, pyarrow.csv.CSVWriter(sink, flat) as out:
            for batch in _batches(table, opened):
                rules = pc.binary_join(batch.column(why), "; ")
                out.write(pa.record_batch([*batch.columns[:why], rules], schema=flat))


def _batches(table: TableFile, opened: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """The file's batches. What pyarrow raises for bytes that don't decrypt is an OSError, as a full disk is."""
    batches = opened.iter_batches(ROW_GROUP_ROWS)
    while True:
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError):
            raise changed(table.path) from None
        if batch is None:
            return
        yield batch
