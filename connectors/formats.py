"""The file formats: what columns a file has, and its rows as Arrow batches.

A file's text is decoded once before its rows are taken: a wrong encoding and an end inside a quoted field are found
then, and not as odd values later.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.dataset as ds
import pyarrow.json as pa_json

from connectors.base import broken, source_names
from connectors.cast import arrow_type, unfit
from connectors.text import (
    csv_header,
    ends_in_quotes,
    inexact_number,
    is_number,
    json_objects,
    odd_row,
    scan_text,
)
from contracts.fileserver import field_delimiter, text_encoding
from contracts.model import Column, LogicalType, Table
from core.errors import ContractError, SourceError

_BLOCK_BYTES = 1 << 22
# JSON has one kind of number. As decimals, 3.0 is an integer and 3.5 is seen to be none; text stays text until the cast.
_JSON_INTEGER = pa.decimal128(38, 9)
_OTHER_ENCODING = (
    "Write the file in UTF-8, or say its encoding as sluiceEncoding in the server's customProperties."
)


class Format(Protocol):
    """One file format. `where` names table and file for messages; options are the CSV ones, see `connectors.files`."""

    name: str
    suffixes: tuple[str, ...]

    def unnamed(self, columns: int) -> str | None:
        """What to do when columns are missing, where the file's own column names may be values; None where they're names."""
        ...

    def schema(self, file: Path, table: Table, options: Mapping[str, str], *, where: str) -> pa.Schema:
        """The file's columns, at least as far as the table needs them. Raises SourceError for a broken file."""
        ...

    def batches(
        self, file: Path, table: Table, options: Mapping[str, str], *, where: str
    ) -> Iterator[pa.RecordBatch]:
        """The file's rows in order, with the table's columns in it. Raises SourceError for a broken file."""
        ...


@contextmanager
def _reading(what: str, *, where: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeError, EOFError, csv.Error) as error:
        raise broken(
            f"This isn't a whole {what} file", where=where, remedy="Fetch or write it again.", error=error
        ) from None


def _stream(
    file: Path, format_: ds.FileFormat, columns: list[str], schema: pa.Schema | None = None
) -> Iterator[pa.RecordBatch]:
    dataset = ds.dataset(str(file), format=format_, schema=schema)
    # Little read ahead: memory stays at a few blocks, whatever the file's size.
    return iter(dataset.scanner(columns=columns, batch_readahead=2, fragment_readahead=1).to_batches())


class Parquet:
    """Apache Parquet."""

    name = "parquet"
    suffixes: tuple[str, ...] = (".parquet", ".pq", ".parq")

    def unnamed(self, columns: int) -> str | None:
        return None

    def schema(self, file: Path, table: Table, options: Mapping[str, str], *, where: str) -> pa.Schema:
        with _reading("Parquet", where=where):
            return ds.dataset(str(file), format="parquet").schema

    def batches(
        self, file: Path, table: Table, options: Mapping[str, str], *, where: str
    ) -> Iterator[pa.RecordBatch]:
        with _reading("Parquet", where=where):
            yield from _stream(file, ds.ParquetFileFormat(), source_names(table))


class Csv:
    """Comma-separated values with a header line, RFC 4180 quotes and any encoding; `.gz` and the like are unpacked.

    An empty field is NULL, a quoted empty one is empty text. All fields come as text: the contract says what they are.
    """

    name = "csv"
    suffixes: tuple[str, ...] = (".csv", ".tsv", ".csv.gz", ".csv.zst", ".csv.bz2", ".tsv.gz")

    def unnamed(self, columns: int) -> str | None:
        # Without its header line, a file's first row would stand where the names do.
        remedy = "Check that the file's first line names its columns, as the contract does."
        if columns == 1:
            remedy += (
                " If something other than a comma parts them, write it as sluiceDelimiter at the server."
            )
        return remedy

    def schema(self, file: Path, table: Table, options: Mapping[str, str], *, where: str) -> pa.Schema:
        encoding = _encoding(options)
        quotes = scan_text(file, encoding, where=where, remedy=_OTHER_ENCODING)
        if quotes % 2 and ends_in_quotes(file, encoding, _delimiter(options, file)):
            raise SourceError(
                "The file ends inside a quoted field.",
                where=where,
                remedy="Fetch it again: its end is missing.",
            )
        with _reading("CSV", where=where):
            header, _ = csv_header(file, encoding, _delimiter(options, file))
        if not header:
            raise SourceError(
                "The file is empty.", where=where, remedy="A CSV file begins with its column names."
            )
        return pa.schema([pa.field(name, pa.string()) for name in header])

    def batches(
        self, file: Path, table: Table, options: Mapping[str, str], *, where: str
    ) -> Iterator[pa.RecordBatch]:
        names, encoding, delimiter = source_names(table), _encoding(options), _delimiter(options, file)
        with _reading("CSV", where=where):
            if not csv_header(file, encoding, delimiter)[1]:
                return  # Arrow wouldn't take a header without a line's end
        format_ = ds.CsvFileFormat(
            parse_options=pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            read_options=pa_csv.ReadOptions(encoding=encoding, block_size=_BLOCK_BYTES),
            convert_options=pa_csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        try:
            with _reading("CSV", where=where):
                yield from _stream(file, format_, names)
        except SourceError:
            told = odd_row(file, encoding, delimiter)
            if told is None:
                raise
        else:
            return
        raise SourceError(
            told,
            where=where,
            remedy="Write as many fields in each row as the header has, and quote a field that holds the delimiter or a "
            "line's end; if it's the last row, the file's end is missing: fetch it again.",
        )


class JsonLines:
    """One JSON object a line, UTF-8. A key that a line leaves out is NULL there; a key that no line has is missing.

    A file without any line has all columns and no rows.
    """

    name = "jsonl"
    suffixes: tuple[str, ...] = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")

    def unnamed(self, columns: int) -> str | None:
        return "Check that the objects' keys are the column names of the contract."

    def schema(self, file: Path, table: Table, options: Mapping[str, str], *, where: str) -> pa.Schema:
        scan_text(file, "utf-8", where=where, remedy="JSON Lines are UTF-8: write them so.")
        wanted = set(source_names(table))
        seen: dict[str, None] = {}
        empty = True
        with _reading("JSON Lines", where=where):
            for _, values in json_objects(file, where=where):
                empty = False
                seen.update(dict.fromkeys(values))
                if wanted <= seen.keys():  # mostly after the first line
                    break
        if empty:
            return pa.schema([pa.field(name, pa.null()) for name in source_names(table)])
        types = {field.name: field.type for field in _json_schema(table)}
        return pa.schema([pa.field(name, types.get(name, pa.null())) for name in seen])

    def batches(
        self, file: Path, table: Table, options: Mapping[str, str], *, where: str
    ) -> Iterator[pa.RecordBatch]:
        schema = _json_schema(table)
        doubles = _doubles(table)
        with _reading("JSON Lines", where=where):
            if next(json_objects(file, where=where), None) is None:
                return
            # Arrow rounds a number on its way into a double and doesn't tell.
            inexact = inexact_number(file, doubles)
        if inexact is not None:
            raise unfit(doubles[inexact[1]], where=where, row=inexact[0])
        try:
            with _reading("JSON Lines", where=where):
                yield from _stream(file, _json_format(schema), schema.names, schema)
            return
        except SourceError as error:
            told = error
        # Outside the handler on purpose: what is found out now must not carry the first error along.
        raise _misfit(file, table, where=where) or told


FORMATS: dict[str, Format] = {each.name: each for each in (Csv(), Parquet(), JsonLines())}


def _json_schema(table: Table) -> pa.Schema:
    text = {LogicalType.STRING, LogicalType.DATE, LogicalType.TIMESTAMP}
    return pa.schema(
        [
            pa.field(
                name,
                pa.string()
                if column.type in text
                else _JSON_INTEGER
                if column.type is LogicalType.INTEGER
                else arrow_type(column),
            )
            for name, column in zip(source_names(table), table.columns, strict=True)
        ]
    )


def _json_format(schema: pa.Schema) -> ds.JsonFileFormat:
    return ds.JsonFileFormat(
        parse_options=pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        read_options=pa_json.ReadOptions(block_size=_BLOCK_BYTES),
    )


def _misfit(file: Path, table: Table, *, where: str) -> SourceError | None:
    """The first value that isn't of its column's kind: Arrow's own message names it only together with a value.

    None when there is none; a line that isn't an object of its own is told instead.
    """
    columns = list(zip(_json_schema(table), table.columns, strict=True))
    try:
        for line, values in json_objects(file, where=where):
            for field, column in columns:
                value = values.get(field.name)
                if value is not None and not _fits(value, column.type, field.type):
                    return SourceError(
                        f"Column `{column.name}`, line {line}: this can't be read as the contract's {column.type.value}.",
                        where=where,
                        remedy="Correct it at the source, or the column's type in the contract.",
                        column=column.name,
                        line=line,
                    )
    except SourceError as error:
        return error
    return None


def _fits(value: object, logical: LogicalType, kind: pa.DataType) -> bool:
    match logical:
        case LogicalType.INTEGER | LogicalType.NUMBER:
            return is_number(value) and _read(str(value), kind)
        case LogicalType.BOOLEAN:
            return isinstance(value, bool)
        case _:
            return isinstance(value, str) and not is_number(value)


def _read(number: str, kind: pa.DataType) -> bool:
    """Whether Arrow reads a number's text as this type: a decimal takes so many digits and no more."""
    try:
        pa.scalar(number).cast(kind)
    except pa.ArrowException:
        return False
    return True


def _doubles(table: Table) -> dict[str, Column]:
    """The columns that are carried as doubles, by their names at the source."""
    named = zip(source_names(table), table.columns, strict=True)
    return {name: column for name, column in named if pa.types.is_floating(arrow_type(column))}


def _encoding(options: Mapping[str, str]) -> str:
    name = options.get("encoding", "utf-8")
    found = text_encoding(name)
    if found is None:
        raise ContractError(
            f"There is no encoding `{name}`.", remedy="Write utf-8, gb18030 or another registered name."
        )
    return found


def _delimiter(options: Mapping[str, str], file: Path) -> str:
    tabs = file.name.lower().endswith((".tsv", ".tsv.gz"))
    delimiter = field_delimiter(options.get("delimiter", "\t" if tabs else ","))
    if delimiter is None:
        raise ContractError("A CSV delimiter is one ASCII character.", remedy='Write e.g. ";" or "tab".')
    return delimiter
