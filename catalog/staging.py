"""Files put durably into the catalog: whole under their name or not there, whatever stops the machine."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.digest import file_digest
from core.errors import IntegrityError, StateError
from core.files import sync
from core.lock import exclusive
from core.proof import TableFile

_PIECE_BYTES = 1 << 20
_UNFINISHED = ".unfinished-"


def folder_name(table: str) -> str:
    """A table's name as a folder name: as it is, but for what file systems and URIs take amiss."""
    return re.sub(r"[/~%?#\\\x00-\x1f]|^[._]", lambda match: f"~{ord(match[0]):02X}", table)


def place(source: TableFile, target: Path) -> TableFile:
    """`source` copied to `target`, checked against its digest and durable; when it's there already, only checked.

    The catalog never shares a file with the run: what a run's process still holds open can't change a release.
    Raises IntegrityError when source or target isn't what the digest says, StateError when it can't be written.
    """
    placed = replace(source, path=target)
    if target.exists():
        check(placed)
        return placed
    make_folder(target.parent)
    with _written(target) as unfinished:
        if _copy(source.path, unfinished) != (source.sha256, source.size_bytes):
            raise _altered(source)
        if _rows(unfinished) != source.rows:
            raise _altered(source)
    return placed


def place_document(source: Path, target: Path) -> None:
    """A report copied to `target`, in place of an earlier one; durable. Raises StateError."""
    make_folder(target.parent)
    with _written(target) as unfinished:
        _copy(source, unfinished)


def check(file: TableFile) -> None:
    """Holds a file against its digest. Raises IntegrityError when it's gone or another."""
    try:
        same = file.path.stat().st_size == file.size_bytes and file_digest(file.path) == file.sha256
    except OSError:
        same = False
    if not same:
        raise _altered(file)


def make_folder(folder: Path) -> None:
    """Makes a folder, mode 0700, and its parents; each is durable in the one above. Raises StateError."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    try:
        for each in reversed(missing):
            each.mkdir(mode=0o700, exist_ok=True)
            sync(each.parent)
    except OSError as error:
        raise cannot_write(error, folder) from None


def clear_unfinished(folder: Path) -> None:
    """Removes what a crash left half-written in a folder. Only under the contract's lock, or it hits a live writer."""
    for left in folder.glob(f"{_UNFINISHED}*"):
        left.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, *, wait_s: float, what: str) -> Iterator[None]:
    """Holds a contract's lock among this machine's processes and threads; a crash frees it.

    Raises ConflictError when somebody else holds it for longer than `wait_s`, StateError.
    """
    make_folder(path.parent)
    with ExitStack() as stack:
        try:
            stack.enter_context(
                exclusive(path, wait_s=wait_s, what=f"Another run is publishing {what} right now.")
            )
        except OSError as error:
            raise cannot_write(error, path) from None
        yield


def cannot_write(error: OSError, path: Path) -> StateError:
    """The error for a catalog that can't be written. Raise it `from None`."""
    return StateError(
        f"The catalog can't be written ({error.strerror or type(error).__name__}).",
        where=str(path),
        remedy="Check that SLUICE_HOME is writable and its disk has room.",
    )


@contextmanager
def _written(target: Path) -> Iterator[Path]:
    """Gives a name to write to; afterwards that file stands under `target`, or after an error nothing does."""
    unfinished = target.parent / f"{_UNFINISHED}{secrets.token_hex(8)}"
    try:
        yield unfinished
        # The bytes before the name, the name before anyone relies on it.
        sync(unfinished)
        os.replace(unfinished, target)
        sync(target.parent)
    except OSError as error:
        raise cannot_write(error, target) from None
    finally:
        unfinished.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> tuple[str, int]:
    """Copies and gives digest and length of what was written, so that nothing can change between check and copy."""
    digest, size = hashlib.sha256(), 0
    try:
        file = source.open("rb")
    except OSError as error:
        raise IntegrityError(
            f"A file of the release is gone ({error.strerror}).",
            where=str(source),
            remedy="Start the run again.",
        ) from None
    with file, os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as sink:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
            sink.write(piece)
    return digest.hexdigest(), size


def _rows(path: Path) -> int | None:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError):
        return None


def _altered(file: TableFile) -> IntegrityError:
    return IntegrityError(
        f"The file of table `{file.name}` isn't the one that was proved safe; nothing of it is used.",
        where=str(file.path),
        remedy="Find out who changed it. Then remove the file and start the run again.",
        table=file.name,
    )
