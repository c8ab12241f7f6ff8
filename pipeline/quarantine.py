"""Setting rows aside: one Parquet file becomes the rows that stay and the rows that broke a rule, both in their order."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Rows = npt.NDArray[np.int64]
_ROW_GROUP_ROWS = 1 << 18
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


def split(source: Path, columns: Sequence[str], aside: Aside, *, kept: Path, away: Path) -> None:
    """Write `source`'s rows to `kept` and `away`, which also says why in its last column, a list of rule names.

    columns: what both files carry. Types, order and values are the source's; files get mode 0600.
    """
    reader = pq.ParquetFile(source)
    every = reader.schema_arrow.names
    schema = pa.schema([reader.schema_arrow.field(name) for name in columns], reader.schema_arrow.metadata)
    why = RULES_COLUMN
    while why in columns:
        why += "_"
    with (
        reader,
        _writer(kept, schema) as keep,
        _writer(away, schema.append(pa.field(why, aside.rules.type))) as leave,
    ):
        start = 0
        for batch in reader.iter_batches(
            _ROW_GROUP_ROWS, columns=None if every == list(columns) else list(columns)
        ):
            batch = batch.select(list(columns))
            first, last = np.searchsorted(aside.rows, (start, start + batch.num_rows))
            stays = np.ones(batch.num_rows, dtype=bool)
            stays[aside.rows[first:last] - start] = False
            if last > first:
                gone = batch.filter(pa.array(~stays))
                reasons = aside.rules.slice(first, last - first)
                leave.write_batch(pa.record_batch([*gone.columns, reasons], schema=leave.schema))
                batch = batch.filter(pa.array(stays))
            if batch.num_rows:
                keep.write_batch(batch)
            start += len(stays)


def keep_whole(source: Path, columns: Sequence[str], kept: Path) -> None:
    """Give `kept` all rows of `source`: the same file under a second name, unless it has columns beyond `columns`."""
    if set(pq.read_schema(source).names) == set(columns):
        try:
            os.link(source, kept)
        except OSError:  # another disk, or one without hard links
            with _private(kept) as copy, source.open("rb") as original:
                shutil.copyfileobj(original, copy, 1 << 20)
        kept.chmod(0o600)
        return
    with pq.ParquetFile(source) as reader:
        schema = pa.schema(
            [reader.schema_arrow.field(name) for name in columns], reader.schema_arrow.metadata
        )
        with _writer(kept, schema) as keep:
            for batch in reader.iter_batches(_ROW_GROUP_ROWS, columns=list(columns)):
                keep.write_batch(batch.select(list(columns)))


@contextmanager
def _private(path: Path) -> Iterator[IO[bytes]]:
    """A new file for writing, open to its owner only; gone if writing it fails."""
    path.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def _writer(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    with _private(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        yield writer
