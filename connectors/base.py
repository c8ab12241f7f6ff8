"""Whole tables from a source: every declared column in the contract's type, or nothing at all."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from connectors.cast import arrow_type, cast
from connectors.content import ContentDigest, blocks
from connectors.exclusion import Excluded, excluded
from contracts.model import Contract, Table
from core.digest import document_digest, file_digest
from core.errors import ContractError, SourceError
from core.keys import FileKey
from core.parquet import writer
from core.progress import Progress, silent
from core.proof import Received, TableFile, Window, prover

received_from = prover(Received)


class Connector(Protocol):
    """A kind of source. `open` gives one table as a stream; whatever it raises for bad data is a SourceError."""

    def open(self, contract: Contract, table: Table, window: Window) -> pa.RecordBatchReader:
        """The rows of one table in the source's order and types.

        At least the declared columns, by their names at the source; `receive` takes, casts and filters them. A connector may leave
        out rows outside the window, and need not.
        """
        ...


def receive(
    connector: Connector,
    contract: Contract,
    window: Window,
    *,
    out: Path,
    key: FileKey | None = None,
    progress: Progress = silent,
) -> Received:
    """Every table of the contract as `out`/table-<n>.parquet, n its place in the contract from 0, and the proof that they came whole.

    out: made anew with mode 0700, its files 0600; whatever stood there before is gone. Row order is the source's.
    key: what the files are encrypted under; without one they are plain.
    A table with a time column is cut to the window; a row without a time lies in no bounded window. Rows of persons on the
    contract's list of exclusions are left out, here, so that no door and no quarantine ever sees them.
    Raises SourceError, and leaves no `out`, when a table or the list is missing, broken or doesn't fit the contract.
    """
    try:
        if out.is_dir() and not out.is_symlink():
            shutil.rmtree(out)  # half of an earlier attempt
        out.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise _cannot_write(error, out) from None
    try:
        out_of_it = excluded(contract)  # before the first row comes: without the list nothing may
        tables: dict[str, TableFile] = {}
        contents: dict[str, str] = {}
        for number, table in enumerate(contract.tables):
            progress(f"receive {table.name}", number / len(contract.tables))
            tables[table.name], contents[table.name] = _receive_table(
                connector,
                contract,
                table,
                window,
                out_of_it,
                path=out / file_name(number),
                key=key,
                progress=progress,
            )
        progress("receive", 1.0)
        return received_from(
            contract_id=contract.id,
            contract_digest=contract.digest,
            window=window,
            tables=tables,
            digest=received_digest(contents),
        )
    except BaseException:  # an interrupt too: raw data doesn't stay behind
        shutil.rmtree(out, ignore_errors=True)
        raise


def file_name(number: int) -> str:
    """The name of the Parquet file of a contract's table: its number, since readers take a name like `a*` for a pattern."""
    return f"table-{number}.parquet"


def received_digest(contents: Mapping[str, str]) -> str:
    """SHA-256 over what came, hex: the RFC 8785 form of [[table, digest of its rows], ...] in the contract's order."""
    return document_digest([[name, digest] for name, digest in contents.items()])


def source_names(table: Table) -> list[str]:
    """What the source calls the table's columns, in the contract's order."""
    return [column.physical_name or column.name for column in table.columns]


def declared(table: Table, existing: Sequence[str], *, where: str, unnamed: str | None = None) -> list[str]:
    """The source's names of the table's columns, in the contract's order, once it's sure that each exists exactly once.

    existing: the columns of the source. unnamed: what to do, for a source whose column names may be a person's values (a
    CSV file without its header): then the source's columns are counted and not named. Raises SourceError naming those
    that are missing.
    """
    names = source_names(table)
    times = Counter(existing)
    missing = [name for name in names if not times[name]]
    if missing and unnamed is not None:
        count = f"{len(existing)} column{'' if len(existing) == 1 else 's'}"
        raise SourceError(
            f"`{table.name}` lacks {_listed(missing)}; the source has {count}.",
            where=where,
            remedy=unnamed,
            missing=missing,
            columns=len(existing),
        )
    if missing:
        raise SourceError(
            f"`{table.name}` lacks {_listed(missing)}; the source has {_listed(existing) or 'no columns'}.",
            where=where,
            remedy="Correct the column names in the contract, or at the source.",
            missing=missing,
            existing=list(existing),
        )
    twice = [name for name in names if times[name] > 1]
    if twice:
        raise SourceError(
            f"`{table.name}` has more than one column called {_listed(twice)}.",
            where=where,
            remedy="Give each column a name of its own at the source.",
            twice=twice,
        )
    return names


def broken(what: str, *, where: str, remedy: str, error: Exception) -> SourceError:
    """A SourceError for what a library or the system raised: its kind and system error only, since its text may quote
    values. Raise it `from None`."""
    reason = (
        error.strerror
        if isinstance(error, OSError) and error.errno and error.strerror
        else type(error).__name__
    )
    return SourceError(f"{what}: {reason}.", where=where, remedy=remedy)


def _listed(names: Sequence[str], most: int = 40) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _receive_table(
    connector: Connector,
    contract: Contract,
    table: Table,
    window: Window,
    out_of_it: Excluded | None,
    *,
    path: Path,
    key: FileKey | None,
    progress: Progress,
) -> tuple[TableFile, str]:
    """The table's file, and the digest of its rows: the same rows encrypted twice aren't the same file."""
    rows, content = 0, ContentDigest(_schema(table))
    try:
        with writer(path, _schema(table), key) as file:
            for block in blocks(_fitting(connector, contract, table, window, out_of_it)):
                file.write(block)
                content.add(block)
                rows += block.num_rows
                progress(f"receive {table.name}: {rows:,} rows")
        size = path.stat().st_size
        return TableFile(
            name=table.name, path=path, rows=rows, size_bytes=size, sha256=file_digest(path), key=key
        ), content.hex()
    except (pa.ArrowException, OSError) as error:  # reading raises SourceError, so this is the writing
        raise _cannot_write(error, path) from None


def _schema(table: Table) -> pa.Schema:
    return pa.schema([pa.field(column.name, arrow_type(column)) for column in table.columns])


def _fitting(
    connector: Connector, contract: Contract, table: Table, window: Window, out_of_it: Excluded | None
) -> Iterator[pa.Table]:
    """The table's batches with the declared columns only, cast, cut to the window and without excluded persons."""
    where = f"table {table.name}"
    schema, row = _schema(table), 0
    try:
        with connector.open(contract, table, window) as reader:
            names = declared(table, reader.schema.names, where=where)
            for batch in reader:
                columns = [
                    cast(batch.column(name), column, where=where, row=row)
                    for name, column in zip(names, table.columns, strict=True)
                ]
                row += batch.num_rows
                rows = _within(pa.Table.from_arrays(columns, schema=schema), table, window)
                yield rows if out_of_it is None else out_of_it.without(rows, table)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise broken(
            f"`{table.name}` can't be read to its end", where=where, remedy="Check the source.", error=error
        ) from None


def _within(rows: pa.Table, table: Table, window: Window) -> pa.Table:
    if table.time_column is None or (window.start is None and window.end is None):
        return rows
    if table.time_column not in rows.column_names:
        raise ContractError(
            f"The time column `{table.time_column}` isn't a column of `{table.name}`.",
            remedy="Declare it there.",
        )
    time = rows.column(table.time_column)
    if not pa.types.is_temporal(time.type):
        raise ContractError(
            f"`{table.name}` can't be cut to a window: `{table.time_column}` is no date or timestamp.",
            remedy="Name a date or timestamp as sluiceTime, or run without a window.",
        )
    time = time.cast(pa.timestamp("us"))
    inside = pc.is_valid(time)
    if window.start is not None:
        inside = pc.and_(inside, pc.fill_null(pc.greater_equal(time, _utc(window.start)), False))
    if window.end is not None:
        inside = pc.and_(inside, pc.fill_null(pc.less(time, _utc(window.end)), False))
    return rows.filter(inside)


def _utc(at: datetime) -> pa.Scalar:
    return pa.scalar(at.astimezone(UTC).replace(tzinfo=None), pa.timestamp("us"))


def _cannot_write(error: Exception, path: Path) -> SourceError:
    return broken(
        "What came can't be written down",
        where=str(path),
        remedy="Check that the folder is writable and its disk has room.",
        error=error,
    )
