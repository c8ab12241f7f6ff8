"""Files that come into being whole, private and durable, whoever else writes them at the same moment."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def create_whole(path: Path) -> Iterator[Path]:
    """A draft beside `path`, mode 0600, to be filled; when the block ends it becomes `path`, durably.

    If `path` is there by then, it stays as it is and the draft is dropped: read it to see whose it became. A crash
    leaves at most a draft, `.<name>.<random>`, that nothing reads. Raises OSError; the disk must know hard links.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield draft
        sync(draft)
        # A link, unlike a rename, never takes the place of a file; and nobody sees it half written.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    sync(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Puts `content` under `path`, mode 0600, whole and durably, in place of a file that is there. Raises OSError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Makes a file's bytes, or a folder's list of names, durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
