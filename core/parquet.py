"""Tables at rest as Parquet files: raw ones encrypted under the key of their run, safe ones plain.

    with writer(path, schema, key) as file:
        file.write(table)

Encryption is Parquet's own (AES-256-GCM, footer and columns under one key), so that pyarrow and DuckDB read the files
where they lie. DuckDB 2.0 takes an encrypted page for a forged one where a column chunk has several, and where it filters
while it reads: so a writer makes one page a chunk, and a scan ends in a LIMIT that no filter is pushed through.
Source: the Parquet format's modular encryption.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from core.digest import file_digest
from core.keys import FileKey
from core.proof import TableFile
from core.sql import parquet, quoted, text

if TYPE_CHECKING:
    import duckdb

Rows = npt.NDArray[np.int64]  # numbers of rows, ascending from 0

ROW_GROUP_ROWS = 1 << 18
_ROW_GROUP_BYTES = 128 << 20  # of Arrow data; rows with long texts make shorter groups
_ONE_PAGE = 1 << 30
_EVERY_ROW = (1 << 63) - 1
_ROW = "sluice row number"
_COUNTER = "file_row_number"  # DuckDB's


class Writer:
    """Writes rows of one schema to a Parquet file; see `writer`."""

    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file
        self._waiting: list[pa.Table] = []
        self.schema: pa.Schema = file.schema

    def write(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Appends rows, in row groups of at most ROW_GROUP_ROWS, or of fewer where rows are long."""
        table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
        fitting = _ROW_GROUP_BYTES * table.num_rows // max(1, table.nbytes)
        most = max(1, min(ROW_GROUP_ROWS, fitting))
        for start in range(0, table.num_rows, most):
            piece = table.slice(start, most)
            whole = [*self._waiting, piece]
            if (
                sum(part.num_rows for part in whole) > ROW_GROUP_ROWS
                or sum(part.nbytes for part in whole) > _ROW_GROUP_BYTES
            ):
                self.flush()
            self._waiting.append(piece)

    def flush(self) -> None:
        """Writes what waits for a row group to fill."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            group = pa.concat_tables(waiting)
            self._file.write_table(group, row_group_size=group.num_rows)


@contextmanager
def writer(
    path: Path,
    schema: pa.Schema,
    key: FileKey | None,
    *,
    random: Collection[str] = (),
    few: Collection[str] = (),
) -> Iterator[Writer]:
    """A new Parquet file, mode 0600, in place of one that's there; gone if writing it fails.

    key: encrypts footer and columns; None writes a plain file. random: columns that compression hardly makes smaller. few:
    columns of numbers that are few different ones. Raises OSError and pa.ArrowException.
    """
    with (
        _private(path) as sink,
        pq.ParquetWriter(
            sink,
            schema,
            compression={field.name: "none" if field.name in random else "zstd" for field in schema},
            # A dictionary pays for texts, which come again and again; for most numbers it costs more than it saves.
            use_dictionary=[field.name for field in schema if _is_text(field.type) or field.name in few],
            dictionary_pagesize_limit=_ONE_PAGE,
            data_page_size=_ONE_PAGE,
            max_rows_per_page=ROW_GROUP_ROWS,
            encryption_properties=pe.create_encryption_properties(footer_key=key.reveal()) if key else None,
        ) as file,
    ):
        opened = Writer(file)
        yield opened
        opened.flush()


def reader(file: TableFile, *, encoded: Sequence[str] = ()) -> pq.ParquetFile:
    """The file, opened, with all rows that stand in it; a context manager. encoded: columns to be read as dictionaries.

    Raises pa.ArrowException and OSError when it can't be read or decrypted.
    """
    return pq.ParquetFile(
        file.path, decryption_properties=_decryption(file.key), read_dictionary=list(encoded) or None
    )


def batches(
    file: TableFile, columns: Sequence[str], *, encoded: Sequence[str] = ()
) -> Iterator[pa.RecordBatch]:
    """The rows that count, in their order, with these columns in this order. Raises what `reader` does.

    encoded: text columns to come as dictionaries, each batch with its own.
    """
    out = read(file.without)[_ROW].to_numpy() if file.without else None
    start = 0
    with reader(file, encoded=encoded) as opened:
        for batch in opened.iter_batches(ROW_GROUP_ROWS, columns=list(columns)):
            rows = batch.num_rows
            if out is not None:
                stays = np.ones(rows, np.bool_)
                first, last = np.searchsorted(out, (start, start + rows))
                stays[out[first:last] - start] = False
                batch = batch.filter(pa.array(stays))
            start += rows
            yield batch.select(list(columns))


def read(file: TableFile, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows that count as one table, all columns or those named, in that order. Raises what `reader` does."""
    whole = schema(file)
    names = whole.names if columns is None else list(columns)
    fields = pa.schema([whole.field(name) for name in names], whole.metadata)
    return pa.Table.from_batches(list(batches(file, names)), fields)


def schema(file: TableFile) -> pa.Schema:
    """The file's schema. Raises what `reader` does."""
    with reader(file) as opened:
        return opened.schema_arrow


def leave_out(file: TableFile, rows: Rows, path: Path) -> TableFile:
    """`file` without the rows of these numbers, which are written down at `path`.

    Nothing is copied: whoever reads the file by this module passes over them. Raises what `writer` does.
    """
    with writer(path, pa.schema([(_ROW, pa.int64())]), file.key) as sink:
        sink.write(pa.table({_ROW: pa.array(rows, pa.int64())}))
    numbers = TableFile(
        name=file.name,
        path=path,
        rows=len(rows),
        size_bytes=path.stat().st_size,
        sha256=file_digest(path),
        key=file.key,
    )
    return replace(file, rows=file.rows - len(rows), without=numbers)


def unlock(connection: duckdb.DuckDBPyConnection, files: Iterable[TableFile]) -> None:
    """Hands a DuckDB database the keys that `scan` of these files names; they stay in its memory."""
    every = [each for file in files for each in (file, file.without) if each]
    for key in {each.key.name: each.key for each in every if each.key}.values():
        encoded = base64.b64encode(key.reveal()).decode()
        connection.execute(f"PRAGMA add_parquet_key({text(key.name)}, {text(encoded)})")


def scan(file: TableFile) -> str:
    """The SQL that reads the rows that count, in no stated order, in a database that `unlock` was called for.

    Raises what `reader` does.
    """
    if not file.without:
        return _whole(file)
    counter = _counter(file)
    gone = f"(SELECT {quoted(_ROW)} FROM {_whole(file.without)}) AS gone"
    whole = f"{scan_numbered(file, counter)} AS whole"
    return f"(SELECT * EXCLUDE ({counter}) FROM {whole} ANTI JOIN {gone} ON whole.{counter} = gone.{quoted(_ROW)})"


def scan_numbered(file: TableFile, number: str) -> str:
    """The SQL that reads all rows that stand in the file, each with its number from 0 in a column called `number`.

    number: a plain name that no column has.
    """
    if _counter(file) == _COUNTER:
        return f"(SELECT * RENAME ({_COUNTER} AS {number}) FROM {_whole(file, f'{_COUNTER} = true')})"
    # The engine's counter would meet a column of its name; a window over a file runs in the file's order.
    return f"(SELECT *, row_number() OVER () - 1 AS {number} FROM {_whole(file)})"


def _counter(file: TableFile) -> str:
    """A name for the rows' numbers that no column has: the engine's own where that is free."""
    taken = {name.casefold() for name in schema(file).names}
    name = _COUNTER
    while name in taken:
        name += "_"
    return name


def _whole(file: TableFile, *options: str) -> str:
    if not file.key:
        return parquet(file.path, *options)
    opened = parquet(file.path, *options, f"encryption_config = {{footer_key: {text(file.key.name)}}}")
    return f"(FROM {opened} LIMIT {_EVERY_ROW})"


def _is_text(kind: pa.DataType) -> bool:
    t = pa.types
    return bool(t.is_string(kind) or t.is_large_string(kind) or t.is_binary(kind) or t.is_dictionary(kind))


def _decryption(key: FileKey | None) -> pe.FileDecryptionProperties | None:
    return pe.create_decryption_properties(footer_key=key.reveal()) if key else None


@contextmanager
def _private(path: Path) -> Iterator[IO[bytes]]:
    path.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
