"""What passes between the steps of a run: a small JSON file, named by its path and digest, that names files and digests.

The receiving step reads the file, holds it against the digest it was given, and holds each table against the digest in
it, before a proof type is built from it. A changed byte anywhere is an IntegrityError, and nothing of it is used.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.digest import canonical, file_digest, sha256_hex
from core.errors import IntegrityError, StateError
from core.files import write_whole
from core.keys import FileKey
from core.proof import TableFile

_REMADE = "remade"


class RunGoneError(IntegrityError):
    """What an earlier step of the run staged isn't there any more: the run has ended, or was swept."""


@dataclass(frozen=True, kw_only=True)
class Handoff:
    """A step's result by path and digest; small enough for Airflow's database, and without any value of a row."""

    path: Path
    sha256: str

    def as_json(self) -> dict[str, str]:
        """{"path", "sha256"}: what travels through XCom."""
        return {"path": str(self.path), "sha256": self.sha256}

    @classmethod
    def from_json(cls, value: Mapping[str, str]) -> Handoff:
        """The inverse of `as_json`."""
        return cls(path=Path(value["path"]), sha256=value["sha256"])


def write_handoff(folder: Path, step: str, content: Mapping[str, Any]) -> Handoff:
    """Writes `<folder>/<step>.json` whole or not at all (mode 0600), and names it.

    The name travels through Airflow's database, and stays there: with a salt it confirms no guess of what the files hold.
    """
    data = canonical({**content, "step": step, "salt": secrets.token_hex(16)})
    path = folder / f"{step}.json"
    _write(path, data)
    return Handoff(path=path, sha256=sha256_hex(data))


def read_handoff(handoff: Handoff) -> dict[str, Any]:
    """The content of a handoff that is what its digest says. Raises IntegrityError otherwise, or when it's gone."""
    try:
        data = handoff.path.read_bytes()
    except FileNotFoundError:
        raise _gone(handoff) from None
    if sha256_hex(data) != handoff.sha256:
        if (handoff.path.parent / _REMADE).exists():
            raise _gone(handoff)
        raise IntegrityError(
            f"The handoff of the {handoff.path.stem} step is not what that step wrote.",
            where=str(handoff.path),
            remedy="Find out who changed it; then start the run again.",
        )
    content: dict[str, Any] = json.loads(data)
    return content


def mark_remade(folder: Path) -> None:
    """Says of a run's folder that its handoffs may have been made anew, so that earlier ones of the same step are gone.

    Who would put the mark there to have a changed handoff taken gets none taken: it is made from the source again.
    """
    _write(folder / _REMADE, b"")


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data)
    except OSError as error:
        raise StateError(
            f"What a step leaves for the next can't be written ({error.strerror or type(error).__name__}).",
            where=str(path),
            remedy="Check that SLUICE_HOME is writable and its disk has room.",
        ) from None


def _gone(handoff: Handoff) -> RunGoneError:
    return RunGoneError(
        f"The run's {handoff.path.stem} step left nothing here any more.",
        where=str(handoff.path),
        remedy="A run's folder goes when it ends: clear the run from its first task, or start a new one.",
    )


def tables_as_json(tables: Mapping[str, TableFile], folder: Path) -> list[dict[str, Any]]:
    """Table files with paths relative to the run's folder."""
    return [_as_json(table, folder) for table in tables.values()]


def tables_from_json(
    entries: list[dict[str, Any]], folder: Path, key: FileKey | None = None
) -> dict[str, TableFile]:
    """Table files whose bytes were just held against their digests; key: what they are encrypted under.

    Raises IntegrityError for a changed or lost file.
    """
    return {entry["name"]: _from_json(entry, folder, key) for entry in entries}


def _as_json(table: TableFile, folder: Path) -> dict[str, Any]:
    return {
        "name": table.name,
        "path": str(table.path.relative_to(folder)),
        "rows": table.rows,
        "size_bytes": table.size_bytes,
        "sha256": table.sha256,
        "without": _as_json(table.without, folder) if table.without else None,
    }


def _from_json(entry: Mapping[str, Any], folder: Path, key: FileKey | None) -> TableFile:
    path = folder / entry["path"]
    if not path.is_file() or file_digest(path) != entry["sha256"]:
        raise IntegrityError(
            f"The staged file of `{entry['name']}` is not what the step before wrote.",
            where=str(path),
            remedy="Find out who changed it; then start the run again.",
            table=entry["name"],
        )
    return TableFile(
        name=entry["name"],
        path=path,
        rows=entry["rows"],
        size_bytes=entry["size_bytes"],
        sha256=entry["sha256"],
        key=key,
        without=_from_json(entry["without"], folder, key) if entry["without"] else None,
    )
