"""One file beside the route, staged for a look at it: as it is, or as the contract's table that it's meant for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from connectors.base import broken, receive
from connectors.cast import arrow_type, cast
from connectors.files import Files
from connectors.formats import FORMATS
from connectors.glance import delimiter_of, format_of, suffix_of
from contracts.model import Column, Contract, LogicalType, Role, Table, TableKind
from contracts.protection import Transform
from core.errors import SourceError, UsageError
from core.keys import FileKey
from core.parquet import writer
from core.progress import Progress, silent
from core.proof import TableFile, Window

_READ = ("csv", "parquet")
_WRITTEN = ("encoding", "delimiter")  # what a server of CSV files may say


@dataclass(frozen=True)
class AsItIs:
    """A file with its columns under the contract's names. beside: its other columns; of these, `nested` can't be measured
    and aren't staged."""

    table: TableFile
    beside: tuple[str, ...]
    nested: tuple[str, ...]


def as_it_is(file: Path, contract: Contract, table: Table, *, out: Path, key: FileKey) -> AsItIs:
    """Every row and column of a CSV or Parquet file, whoever made it, as one encrypted file in the folder `out`.

    A column of the contract is found by its name, or else by its physicalName. Values stay as they stand: text in CSV, the
    file's own types in Parquet. A sensitive column comes in the contract's type where every value allows that, since only a
    type tells the order of its values. Raises SourceError for a file that's broken, UsageError for one of another kind.
    """
    kind, options, where = _kind(file), _options(file, contract), f"table {table.name}, {file.name}"
    came = FORMATS[kind].schema(file, table, options, where=where)
    _once(came.names, where)
    names = _names(came.names, table)
    nested = tuple(field.name for field in came if not _plain(field.type))
    wanted = [name for name in came.names if name not in nested]
    texts = _texts(table.name, wanted)
    typed = {
        source: column
        for source, name in names.items()
        for column in table.columns
        if column.name == name
        and column.role is Role.SENSITIVE
        and source in wanted
        and arrow_type(column) != _simple(came.field(source).type)
    }

    def batches() -> Iterator[pa.RecordBatch]:
        yield from FORMATS[kind].batches(file, texts, options, where=where)

    fitting = {name: column for name, column in typed.items() if _fits(batches(), name, column)}
    kinds = {name: arrow_type(fitting[name]) if name in fitting else _simple(came.field(name).type) for name in wanted}  # fmt: skip
    schema = pa.schema([(names.get(name, name), kinds[name]) for name in wanted])
    rows, path = 0, out / "as-it-is.parquet"
    try:
        with writer(path, schema, key) as sink:
            for batch in batches():
                sink.write(
                    pa.RecordBatch.from_arrays(_arrays(batch, wanted, kinds, fitting, where), schema=schema)
                )
                rows += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise broken(
            "The file can't be staged",
            where=where,
            remedy="Check the file, and that the disk has room.",
            error=error,
        ) from None
    staged = TableFile(
        name=table.name, path=path, rows=rows, size_bytes=path.stat().st_size, sha256="", key=key
    )
    beside = tuple(name for name in came.names if name not in names)
    return AsItIs(staged, beside, nested)


def as_table(
    file: Path, contract: Contract, table: Table, *, out: Path, key: FileKey, progress: Progress = silent
) -> TableFile:
    """The raw rows of one table of the contract from this file, as a run would receive them from the platform.

    out: a folder that's made anew. Raises SourceError when the file doesn't fit the contract.
    """
    kind = _kind(file)
    source = replace(
        contract.source,
        connector="files",
        path=str(file.resolve()),
        format=kind,
        options=_options(file, contract),
    )
    alone = replace(contract, tables=(table,), source=source)
    received = receive(Files(), alone, Window(), out=out, key=key, progress=progress)
    return received.tables[table.name]


def _kind(file: Path) -> str:
    if not file.is_file():
        raise UsageError("There is no such file.", where=str(file), remedy="Check the path.")
    if not suffix_of(file) or format_of(file) not in _READ:
        raise UsageError(
            "The file's name doesn't say that it's CSV or Parquet.",
            where=str(file),
            remedy="Name a file that ends in .csv or .parquet.",
        )
    return format_of(file)


def _options(file: Path, contract: Contract) -> Mapping[str, str]:
    """How a CSV file is written: as the contract's server says, or else as its name and first line show."""
    if format_of(file) != "csv":
        return {}
    said = {name: value for name, value in (contract.source.options or {}).items() if name in _WRITTEN}
    delimiter = None if said else "\t" if ".tsv" in suffix_of(file) else delimiter_of(file)
    return {"delimiter": delimiter} if delimiter else said


def _once(names: Sequence[str], where: str) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise SourceError(
            f"{len(twice)} column names stand twice.",
            where=where,
            remedy="Give each column a name of its own.",
        )


def _names(came: Sequence[str], table: Table) -> dict[str, str]:
    """The contract's name of each column of the file that it has."""
    names = {column.name: column.name for column in table.columns if column.name in came}
    found = set(names.values())
    for column in table.columns:
        source = column.physical_name
        if source is not None and source in came and source not in names and column.name not in found:
            names[source] = column.name
    return names


def _texts(name: str, columns: Sequence[str]) -> Table:
    """A table with these columns and nothing said of them, for a format to read."""
    return Table(
        name=name,
        physical_name=name,
        kind=TableKind.REFERENCE,
        columns=tuple(
            Column(name=each, type=LogicalType.STRING, role=Role.ATTRIBUTE, transform=Transform.KEEP)
            for each in columns
        ),
    )


def _plain(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return not (pa.types.is_nested(kind) or pa.types.is_interval(kind))


def _simple(kind: pa.DataType) -> pa.DataType:
    t = pa.types
    kind = kind.value_type if t.is_dictionary(kind) else kind
    return pa.string() if t.is_large_string(kind) or t.is_string_view(kind) or t.is_null(kind) else kind


def _fits(batches: Iterator[pa.RecordBatch], name: str, column: Column) -> bool:
    try:
        for batch in batches:
            cast(batch.column(name), column, where="")
    except SourceError as error:
        if error.facts.get("column") is None:  # the file, not the value
            raise
        return False
    return True


def _arrays(
    batch: pa.RecordBatch,
    wanted: Sequence[str],
    kinds: Mapping[str, pa.DataType],
    fitting: Mapping[str, Column],
    where: str,
) -> list[pa.Array]:
    return [
        cast(batch.column(name), fitting[name], where=where) if name in fitting else batch.column(name).cast(kinds[name])
        for name in wanted
    ]  # fmt: skip
