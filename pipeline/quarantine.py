"""Setting rows aside: one Parquet file becomes the rows that stay and the rows that broke a rule, both in their order."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from core.keys import FileKey
from core.parquet import ROW_GROUP_ROWS, reader, writer
from core.proof import TableFile

Rows = npt.NDArray[np.int64]
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


def aside_name(table: str) -> str:
    """The name of a table's file in quarantine: its own, but for what a file system or a reader's pattern takes amiss."""
    return re.sub(r"[/\\~*?\[\]\x00-\x1f]|^\.", lambda match: f"~{ord(match[0]):02X}", table) + ".parquet"


def split(
    source: TableFile,
    columns: Sequence[str],
    aside: Aside,
    *,
    kept: Path,
    away: Path,
    away_key: FileKey | None,
) -> None:
    """Write `source`'s rows to `kept` and `away`, which also says why in its last column, a list of rule names.

    columns: what both files carry. Types, order and values are the source's; files get mode 0600. `kept` is encrypted as
    the source is, `away` under away_key.
    """
    why = RULES_COLUMN
    while why in columns:
        why += "_"
    with reader(source) as opened:
        schema = _schema(opened, columns)
        with (
            writer(kept, schema, source.key) as keep,
            writer(away, schema.append(pa.field(why, aside.rules.type)), away_key) as leave,
        ):
            start = 0
            for batch in _batches(opened, columns):
                first, last = np.searchsorted(aside.rows, (start, start + batch.num_rows))
                stays = np.ones(batch.num_rows, dtype=bool)
                stays[aside.rows[first:last] - start] = False
                if last > first:
                    gone = batch.filter(pa.array(~stays))
                    reasons = aside.rules.slice(first, last - first)
                    leave.write(pa.record_batch([*gone.columns, reasons], schema=leave.schema))
                    batch = batch.filter(pa.array(stays))
                if batch.num_rows:
                    keep.write(batch)
                start += len(stays)


def keep_whole(source: TableFile, columns: Sequence[str], kept: Path) -> None:
    """Give `kept` all rows of `source`: the same file under a second name, unless it has columns beyond `columns`."""
    with reader(source) as opened:
        if set(opened.schema_arrow.names) != set(columns):
            with writer(kept, _schema(opened, columns), source.key) as keep:
                for batch in _batches(opened, columns):
                    keep.write(batch)
            return
    try:
        os.link(source.path, kept)
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(source.path, kept)
    kept.chmod(0o600)


def _schema(opened: pq.ParquetFile, columns: Sequence[str]) -> pa.Schema:
    whole = opened.schema_arrow
    return pa.schema([whole.field(name) for name in columns], whole.metadata)


def _batches(opened: pq.ParquetFile, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for batch in opened.iter_batches(ROW_GROUP_ROWS, columns=list(columns)):
        yield batch.select(list(columns))
