"""Setting rows aside: what broke a rule is copied for the platform."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from core.digest import file_digest
from core.errors import InternalError
from core.keys import FileKey
from core.parquet import Rows, batches, schema, writer
from core.proof import TableFile

RULES_COLUMN = "_rules"


@dataclass(frozen=True, kw_only=True)
class Aside:
    """The rows of one table that broke a rule. rows: ascending row numbers from 0; rules: for each, the rules' names."""

    rows: Rows
    rules: pa.ListArray

    @classmethod
    def of(cls, broken: Sequence[tuple[str, Rows]]) -> Aside:
        """From the row numbers that each rule found, rules in the contract's order."""
        rows = np.concatenate([found for _, found in broken] or [np.empty(0, np.int64)])
        ranks = np.repeat(np.arange(len(broken)), [len(found) for _, found in broken])
        order = np.lexsort((ranks, rows))
        distinct, starts = np.unique(rows[order], return_index=True)
        offsets = np.append(starts, len(rows)).astype(np.int32)
        names = pa.array([name for name, _ in broken], pa.string()).take(pa.array(ranks[order], pa.int64()))
        return cls(rows=distinct.astype(np.int64), rules=pa.ListArray.from_arrays(pa.array(offsets), names))


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """What was set aside of one table. rules: how many of the rows broke each rule, rules in the contract's order."""

    file: TableFile
    rules: Mapping[str, int]


class Draft:
    """The rows that a run sets aside, by table, before anybody keeps them.

    folder: made with mode 0700 when there is something to put there. key: what the files are encrypted under; None: the
    rows aren't kept, and only left out of those that stay. name: what the rows will be asked for by.
    """

    def __init__(self, folder: Path, key: FileKey | None, *, name: str = "") -> None:
        self.folder, self.name = folder, name
        self._key = key
        self.tables: dict[str, SetAside] = {}

    @property
    def keeps_rows(self) -> bool:
        """Whether the rows themselves are there to be looked at afterwards."""
        return self._key is not None

    def clear(self) -> None:
        """Forgets all that an earlier attempt set aside."""
        self.tables.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def take(
        self,
        table: str,
        source: TableFile,
        columns: Sequence[str],
        broken: Sequence[tuple[str, Rows]],
        *,
        away: str,
    ) -> Rows:
        """Puts the rows of `source` that broke a rule into the file `away` of the draft; gives their numbers, ascending.

        broken: each rule's name and the row numbers that it found, in the contract's order. Raises what `copy_rows` does.
        """
        aside = Aside.of(broken)
        if self._key is None:
            return aside.rows
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        path = self.folder / away
        copy_rows(source, columns, aside, path, self._key)
        self.tables[table] = SetAside(
            file=TableFile(
                name=table,
                path=path,
                rows=len(aside.rows),
                size_bytes=path.stat().st_size,
                sha256=file_digest(path),
                key=self._key,
            ),
            rules={rule: len(rows) for rule, rows in broken},
        )
        return aside.rows


def copy_rows(
    source: TableFile, columns: Sequence[str], aside: Aside, away: Path, key: FileKey | None
) -> None:
    """Write the rows of `aside` to `away` under `key`, with the rules' names in the last column, a list.

    Types, order and values are the source's. Raises OSError and pa.ArrowException.
    """
    why = RULES_COLUMN
    while why in columns:
        why += "_"
    whole = schema(source)
    fields = pa.schema([whole.field(name) for name in columns], whole.metadata)
    start = taken = 0
    with writer(away, fields.append(pa.field(why, aside.rules.type)), key) as leave:
        for batch in batches(source, columns):
            first, last = np.searchsorted(aside.rows, (start, start + batch.num_rows))
            if last > first:
                gone = batch.take(pa.array(aside.rows[first:last] - start))
                reasons = aside.rules.slice(first, last - first)
                leave.write(pa.record_batch([*gone.columns, reasons], schema=leave.schema))
                taken += gone.num_rows
            start += batch.num_rows
    if taken != len(aside.rows):
        raise InternalError("A rule found rows that the table doesn't have.", where=f"table {source.name}")
