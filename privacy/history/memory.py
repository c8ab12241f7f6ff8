"""What the platform remembers of a release, to keep the next one from undoing it: never published, encrypted at rest.

For each row of the published subject table: whose it is and what the source said of that person, as keyed numbers
(`privacy.subjects.names`), the class, and which row of the published file it is. They stand in the order of the source, which
is cheap to write; no value of the source is kept.

    rows.parquet      person, content, class, row, and for each sensitive column the number of its value
    classes.parquet   for each class its labels, what each of them loses, and its segment
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.digest import file_digest
from core.errors import IntegrityError
from core.keys import FileKey
from core.parquet import read, schema, writer
from core.proof import TableFile, Window
from privacy.history.facts import Facts, remembered_file
from privacy.history.links import Origins
from privacy.history.shown import Shown
from privacy.subjects.names import Numbers

ROWS, CLASSES = "rows.parquet", "classes.parquet"
CELLS, SHOWN = "cells-", "shown-"  # how the names of what is remembered of tables of facts begin
_ABOUT = b"sluice.memory"
_VERSION = 2
_IN_ORDER = 1  # the version whose rows stood in the order of the file
UNKNOWN = 0  # the content of a person of whom nobody knows what the source said


@dataclass(frozen=True, kw_only=True)
class About:
    """Of which release a memory is. plan: how its contract protects the table, as a digest; origins: what persons it is of;
    k: fewest persons of a class; sha256: of the published file."""

    contract: str
    table: str
    plan: str
    k: int
    origins: Origins
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Memory:
    """n rows of c classes over d quasi-identifiers and s sensitive columns.

    persons, content: (n,). classes: (n,) from 0. rows: (n,) which row of the published file each is. secrets: (n, s), 0 where
    missing. labels: d times (c,) texts; losses: (c, d) from 0 to 1; segments: (c,) texts, or None.
    """

    about: About
    persons: Numbers
    content: Numbers
    classes: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int32]
    secrets: Numbers
    labels: tuple[pa.Array, ...]
    losses: npt.NDArray[np.float64]
    segments: pa.Array | None


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """A live release's subject table: what is remembered of it, and the file that its readers have."""

    release: str
    memory: Memory
    file: TableFile


@dataclass(frozen=True, kw_only=True)
class OtherCells:
    """A live table of cells, of facts that may be those of a new one: what is remembered of it, and of which window it is."""

    release: str
    window: Window
    facts: Facts


@dataclass(frozen=True, kw_only=True)
class OtherRows:
    """A live table of rows of facts, likewise."""

    release: str
    window: Window
    shown: Shown


@dataclass(frozen=True, kw_only=True)
class RowsBefore:
    """A live table of rows of an earlier release of the same contract. lasting: whether its pseudonyms are known to be for good.
    file: what its readers have."""

    release: str
    table: str
    lasting: bool
    file: TableFile


@dataclass(frozen=True, kw_only=True)
class History:
    """All live releases that tell of the same persons, the oldest first. names: the key of the hall's numbers for persons
    and values, 16 bytes. files: what memories are encrypted under. cells: what is remembered of the contract's own cells of the
    same window; others, rows: of other cells and rows of the same facts. before: the contract's own tables of rows, of any window.
    window: the one that is made."""

    names: bytes
    files: FileKey
    live: Sequence[Earlier] = ()
    cells: Sequence[Facts] = ()
    others: Sequence[OtherCells] = ()
    rows: Sequence[OtherRows] = ()
    before: Sequence[RowsBefore] = ()
    window: Window = field(default_factory=Window)

    def latest(self, about_contract: str, table: str, plan: str) -> Earlier | None:
        """The newest release of this table under this contract that was made by the same plan: a further one goes on from it."""
        wanted = (about_contract, table, plan)
        for earlier in reversed(self.live):
            about = earlier.memory.about
            if (about.contract, about.table, about.plan) == wanted:
                return earlier
        return None


def write_memory(memory: Memory, folder: Path, key: FileKey) -> dict[str, str]:
    """Writes the two files into `folder`, made when it isn't there; gives their SHA-256 by name."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = {_ABOUT: json.dumps({"version": _VERSION, **asdict(memory.about)}).encode()}
    rows = {"person": memory.persons, "content": memory.content, "class": memory.classes, "row": memory.rows}
    secrets = {f"secret_{j}": memory.secrets[:, j] for j in range(memory.secrets.shape[1])}
    classes: dict[str, pa.Array] = {f"label_{j}": label for j, label in enumerate(memory.labels)}
    classes |= {f"loss_{j}": pa.array(memory.losses[:, j]) for j in range(len(memory.labels))}
    if memory.segments is not None:
        classes["segment"] = memory.segments
    for name, table in ((ROWS, pa.table(rows | secrets)), (CLASSES, pa.table(classes))):
        fields = table.schema.with_metadata(about)
        with writer(folder / name, fields, key, random=tuple(rows), few=tuple(secrets)) as sink:
            sink.write(table.cast(sink.schema))
    return {name: file_digest(folder / name) for name in (ROWS, CLASSES)}


def about_of(folder: Path, key: FileKey) -> About:
    """Of which release the memory in `folder` is. Raises IntegrityError when it can't be read."""
    return _about(folder, key)[0]


def _about(folder: Path, key: FileKey) -> tuple[About, int]:
    """And the version of its form."""
    try:
        said = json.loads((schema(remembered_file(folder / CLASSES, key)).metadata or {})[_ABOUT])
        version = said.pop("version")
        if version not in (_IN_ORDER, _VERSION):
            raise _unreadable(folder)
        return About(**{**said, "origins": Origins(**said["origins"])}), version
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        raise _unreadable(folder) from None


def read_memory(folder: Path, key: FileKey, digests: Mapping[str, str]) -> Memory:
    """The memory in `folder`. digests: what `write_memory` gave. Raises IntegrityError for files that aren't those."""
    about, version = _about(folder, key)
    try:
        if any(file_digest(folder / name) != digests.get(name) for name in (ROWS, CLASSES)):
            raise _unreadable(folder)
        rows, classes = (read(remembered_file(folder / name, key)) for name in (ROWS, CLASSES))
    except (OSError, pa.ArrowException):
        raise _unreadable(folder) from None
    columns = sum(name.startswith("label_") for name in classes.column_names)
    secrets = sum(name.startswith("secret_") for name in rows.column_names)
    return Memory(
        about=about,
        persons=rows["person"].to_numpy(),
        content=rows["content"].to_numpy(),
        classes=rows["class"].to_numpy(),
        rows=np.arange(rows.num_rows, dtype=np.int32) if version == _IN_ORDER else rows["row"].to_numpy(),
        secrets=_side_by_side([rows[f"secret_{j}"] for j in range(secrets)], rows.num_rows, np.int64),
        labels=tuple(classes[f"label_{j}"].combine_chunks() for j in range(columns)),
        losses=_side_by_side([classes[f"loss_{j}"] for j in range(columns)], classes.num_rows, np.float64),
        segments=classes["segment"].combine_chunks() if "segment" in classes.column_names else None,
    )


def _side_by_side(columns: Sequence[pa.ChunkedArray], rows: int, kind: type) -> npt.NDArray[Any]:
    return np.stack([each.to_numpy() for each in columns], axis=1) if columns else np.empty((rows, 0), kind)


def _unreadable(folder: Path) -> IntegrityError:
    return IntegrityError(
        "What is remembered of an earlier release can't be read, or was changed, so that nobody can say whether a further one "
        "would undo it.",
        where=str(folder),
        remedy="Put the folder back from its backup; or withhold and delete that release first.",
    )
