"""Files that come into being whole, private and durable, whoever else writes them at the same moment."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# What SQLite lays beside a database while it's made has the draft's name and an ending.
_DRAFT = re.compile(r"\..+\.[0-9a-f]{16}(-wal|-shm|-journal)?")


@contextmanager
def create_whole(path: Path) -> Iterator[Path]:
    """A draft beside `path`, mode 0600, to be filled; when the block ends it becomes `path`, durably.

    If `path` is there by then, it stays as it is and the draft is dropped: read it to see whose it became. A crash
    leaves at most a draft, that nothing reads and `remove_drafts` removes. Raises OSError; the disk must know hard links.
    """
    with _draft(path) as (draft, _):
        yield draft
        sync(draft)
        # A link, unlike a rename, never takes the place of a file; and nobody sees it half written.
        with suppress(FileExistsError):
            os.link(draft, path)
    sync(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Puts `content` under `path`, mode 0600, whole and durably, in place of a file that is there. Raises OSError."""
    with _draft(path) as (draft, handle):
        with open(handle, "wb", closefd=False) as file:
            file.write(content)
        os.fsync(handle)
        draft.replace(path)
    sync(path.parent)


def remove_drafts(folder: Path) -> int:
    """Removes the drafts in a folder whose writers were killed, and leaves those that are being written; gives how many.

    Raises OSError.
    """
    removed = 0
    # Sorted, a draft comes before its companions, and keeps them while it's written.
    for path in sorted(folder.iterdir()):
        if not _DRAFT.fullmatch(path.name) or _companion_of(path).exists():
            continue
        with suppress(FileNotFoundError):
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                removed += 1
            except BlockingIOError:
                pass
            finally:
                os.close(handle)
    return removed


def sync(path: Path) -> None:
    """Makes a file's bytes, or a folder's list of names, durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _draft(path: Path) -> Iterator[tuple[Path, int]]:
    """A new file, `.<name>.<random>` beside `path`, mode 0600, and its descriptor; gone when the block ends.

    Locked for as long as its writer lives: that is how `remove_drafts` tells a dead one's.
    """
    while True:
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:  # else it was taken for a dead one's between these two lines
                yield draft, handle
                return
        finally:
            draft.unlink(missing_ok=True)
            os.close(handle)


def _companion_of(path: Path) -> Path:
    """The draft that a companion belongs to; for a draft, a name that nothing has."""
    main, dash, _ = path.name.rpartition("-")
    return path.with_name(main if dash and _DRAFT.fullmatch(main) else f"{path.name}-none")
