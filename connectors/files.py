"""Tables from files: CSV, Parquet or JSON Lines; one file, a folder or a glob for each table."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from connectors.base import declared, source_names
from connectors.cast import arrow_type, cast
from connectors.formats import FORMATS, Format
from contracts.fileserver import PLACEHOLDER, fits_path
from contracts.model import Contract, Source, Table, may_share_source
from core.errors import ContractError, SourceError
from core.proof import Window

_ALIASES = {
    "csv": "csv",
    "tsv": "csv",
    "parquet": "parquet",
    "json": "jsonl",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "jsonlines": "jsonl",
}


class Files:
    """Reads the files that the contract's server entry names.

    path: a file, a folder (searched through all its levels) or a glob, from the contract file's folder on; `{table}` in
    it stands for the table's physicalName. Several files follow each other by name. format: csv, parquet or jsonl; by
    the files' suffix when it isn't said. options: encoding (default utf-8) and delimiter (default a comma) of CSV. A file
    of JSON Lines without a line is a table without rows, as a CSV file with nothing but its header is.
    """

    def open(self, contract: Contract, table: Table, window: Window) -> pa.RecordBatchReader:
        """The table's rows, file after file, in the contract's types. Raises SourceError naming the file."""
        source = contract.source
        files = _found(source, table, alone=len(contract.tables) == 1)
        _not_shared(contract, table, files)
        parts = [_Part(file, source, table) for file in files]
        for part in parts:
            _same_kinds(parts[0], part)
        types = [arrow_type(column) for column in table.columns]
        schema = pa.schema(list(zip(source_names(table), types, strict=True)))
        return pa.RecordBatchReader.from_batches(schema, _batches(parts, schema))


class _Part:
    """One file of a table, its declared columns found."""

    def __init__(self, file: Path, source: Source, table: Table) -> None:
        self.file, self.table = file, table
        self.format = _format(source, file)
        self.options = _options(source, self.format)
        self.shown = _shown(file, source)
        self.where = f"table {table.name}, {self.shown}"
        schema = self.format.schema(file, table, self.options, where=self.where)
        unnamed = self.format.unnamed(len(schema))
        names = declared(table, schema.names, where=self.where, unnamed=unnamed)
        self.schema = pa.schema([schema.field(name) for name in names])

    def batches(self) -> Iterator[list[pa.Array]]:
        """The declared columns, cast here, where the file and the row in it are known."""
        before, row = _stamp(self.file, self.where), 0
        for batch in self.format.batches(self.file, self.table, self.options, where=self.where):
            yield [
                cast(batch.column(name), column, where=self.where, row=row)
                for name, column in zip(self.schema.names, self.table.columns, strict=True)
            ]
            row += batch.num_rows
        if _stamp(self.file, self.where) != before:
            raise SourceError(
                "The file was written to while it was read.",
                where=self.where,
                remedy="Let the platform write under another name and rename the file when it's whole.",
            )


def _batches(parts: list[_Part], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for part in parts:
        for columns in part.batches():
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _stamp(file: Path, where: str) -> tuple[int, int]:
    try:
        stat = file.stat()
    except OSError as error:
        raise SourceError(f"The file is gone ({error.strerror}).", where=where, remedy="Run again.") from None
    return stat.st_size, stat.st_mtime_ns


def _found(source: Source, table: Table, *, alone: bool) -> list[Path]:
    """The files of one table, by name. Raises SourceError when there is none."""
    if not source.path:
        raise SourceError(
            "The contract names no files.", remedy="Write `path` in the contract's server entry."
        )
    name = table.physical_name
    if not fits_path(name, source.path):
        raise SourceError(
            f"The physicalName of `{table.name}` can't stand in a path.", remedy="Write it without slashes."
        )
    base = source.base or Path()
    try:
        path = base / Path(source.path.replace(PLACEHOLDER, name)).expanduser()
    except RuntimeError:
        raise SourceError(
            "The server's path starts from a home folder that isn't there.",
            remedy="Write `path` from the contract's folder on, or as an absolute path.",
        ) from None
    files = [path] if path.is_file() else _in_folder(path, source) if path.is_dir() else []
    if not files and not path.exists():
        # The physical name is a name, even where it holds a glob's signs.
        pattern = _at_home(Path(source.path.replace(PLACEHOLDER, glob.escape(name))))
        found = (base / match for match in glob.glob(pattern, root_dir=base, recursive=True))
        files = sorted(file for file in found if file.is_file())
    where = f"table {table.name}, {_shown(path, source)}"
    if not files:
        raise SourceError(
            "No file matches.",
            where=where,
            remedy=f"Check `path` in the contract's server entry; it starts from {base.resolve()}.",
        )
    if not alone and PLACEHOLDER not in source.path and not path.is_file():
        raise SourceError(
            "One folder serves several tables, and nothing says which files are whose.",
            where=where,
            remedy=f"Write {PLACEHOLDER} in the server's path where the table's physicalName stands.",
        )
    return files


def _at_home(pattern: Path) -> str:
    """A glob with `~` replaced; what the home folder's own name holds is no glob."""
    if not pattern.parts or not pattern.parts[0].startswith("~"):
        return str(pattern)
    return os.path.join(glob.escape(str(Path(pattern.parts[0]).expanduser())), *pattern.parts[1:])


def _not_shared(contract: Contract, table: Table, files: list[Path]) -> None:
    """Refuses a file that another table reads too, by a glob or a link, where both publish what is in it."""
    mine = {file.resolve() for file in files}
    for other in contract.tables:
        rows = table.rows is not None or other.rows is not None
        if other.name == table.name or may_share_source(table.kind, other.kind, rows=rows):
            continue
        try:
            shared = [file for file in _found(contract.source, other, alone=False) if file.resolve() in mine]
        except SourceError:  # the other table has no files; told when its turn comes
            continue
        if shared:
            raise SourceError(
                f"`{table.name}` and `{other.name}` read the same file, whose persons would be published twice.",
                where=f"table {table.name}, {_shown(shared[0], contract.source)}",
                remedy="Publish one cell plan per source table, or make the server's path tell the tables apart.",
            )


def _in_folder(folder: Path, source: Source) -> list[Path]:
    """The folder's data files: those with a known suffix, and none that other tools mark as theirs (_x, .x)."""
    kind = _stated(source)
    suffixes = (
        kind.suffixes if kind else tuple(suffix for each in FORMATS.values() for suffix in each.suffixes)
    )
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file()
        and not any(part.startswith(("_", ".")) for part in file.relative_to(folder).parts)
        and file.name.lower().endswith(suffixes)
    )


def _stated(source: Source) -> Format | None:
    if not source.format:
        return None
    try:
        return FORMATS[_ALIASES[source.format.lower()]]
    except KeyError:
        raise ContractError(
            f"The format `{source.format}` isn't one that files are read in.",
            remedy="Write csv, parquet or jsonl as the server's `format`.",
        ) from None


def _format(source: Source, file: Path) -> Format:
    stated = _stated(source)
    if stated:
        return stated
    for kind in FORMATS.values():
        if file.name.lower().endswith(kind.suffixes):
            return kind
    raise SourceError(
        "The file's name doesn't tell its format.",
        where=_shown(file, source),
        remedy="Write csv, parquet or jsonl as the server's `format`.",
    )


def _options(source: Source, kind: Format) -> Mapping[str, str]:
    options = dict(source.options or {})
    if kind.name != "csv":
        return {}
    if (source.format or "").lower() == "tsv":
        options.setdefault("delimiter", "\t")
    return options


def _shown(file: Path, source: Source) -> str:
    base = source.base or Path()
    return str(file.relative_to(base)) if file.is_relative_to(base) else str(file)


def _kind(kind: pa.DataType) -> str:
    """What sort of values a type holds; files of one table agree in it, not in the width of a number."""
    t = pa.types
    if t.is_dictionary(kind):
        kind = kind.value_type
    if t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind):
        return "numbers"
    if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
        return "text"
    if t.is_date(kind) or t.is_timestamp(kind):
        return "times"
    return str(kind)


def _same_kinds(first: _Part, part: _Part) -> None:
    for ours, theirs in zip(first.schema, part.schema, strict=True):
        if pa.types.is_null(ours.type) or pa.types.is_null(theirs.type):
            continue  # a file in which nothing stands in that column
        if _kind(ours.type) != _kind(theirs.type):
            raise SourceError(
                f"Column `{theirs.name}` holds {_kind(theirs.type)} here and {_kind(ours.type)} in {first.shown}.",
                where=part.where,
                remedy="Write all files of a table with the same column types.",
                column=theirs.name,
            )
