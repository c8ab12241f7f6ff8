"""A table that lies in a file, as one step hands it to the next."""

from __future__ import annotations

from pathlib import Path

from core.digest import file_digest
from core.keys import FileKey
from core.proof import TableFile


def table_file(name: str, path: Path, *, rows: int, key: FileKey | None = None) -> TableFile:
    """What a step says of a file that it has written. key: which it is encrypted under."""
    return TableFile(
        name=name,
        path=path,
        rows=rows,
        size_bytes=path.stat().st_size,
        sha256=file_digest(path),
        key=key,
    )
