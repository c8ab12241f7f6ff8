"""The file formats: what columns a file has, and its rows as Arrow batches.

A file's text is decoded once before its rows are taken: a wrong encoding and an end inside a quoted field are found
then, and not as odd values later.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.dataset as ds
import pyarrow.json as pa_json

from connectors.base import broken, source_names
from connectors.cast import arrow_type
from contracts.model import LogicalType, Table
from core.errors import ContractError, SourceError

_BLOCK_BYTES = 1 << 22
_PIECE_CHARS = 1 << 20
# JSON has one kind of number. As decimals, 3.0 is an integer and 3.5 is seen to be none; text stays text until the cast.
_JSON_INTEGER = pa.decimal128(38, 9)


class Format(Protocol):
    """One file format. `where` names table and file for messages; options are the CSV ones, see `connectors.files`."""

    name: str
    suffixes: tuple[str, ...]

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
    except (pa.ArrowException, OSError, UnicodeError, EOFError) as error:
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

    def schema(self, file: Path, table: Table, options: Mapping[str, str], *, where: str) -> pa.Schema:
        encoding = _encoding(options)
        quotes = _scan_text(file, encoding, where=where)
        if quotes % 2 and _ends_in_quotes(file, encoding, _delimiter(options, file)):
            raise SourceError(
                "The file ends inside a quoted field.",
                where=where,
                remedy="Fetch it again: its end is missing.",
            )
        with _reading("CSV", where=where), _text(file, encoding) as text:
            header = next((row for row in csv.reader(text, delimiter=_delimiter(options, file)) if row), None)
        if not header:
            raise SourceError(
                "The file is empty.", where=where, remedy="A CSV file begins with its column names."
            )
        return pa.schema([pa.field(name, pa.string()) for name in header])

    def batches(
        self, file: Path, table: Table, options: Mapping[str, str], *, where: str
    ) -> Iterator[pa.RecordBatch]:
        names = source_names(table)
        parse = pa_csv.ParseOptions(delimiter=_delimiter(options, file), newlines_in_values=True)
        format_ = ds.CsvFileFormat(
            parse_options=parse,
            read_options=pa_csv.ReadOptions(encoding=_encoding(options), block_size=_BLOCK_BYTES),
            convert_options=pa_csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        with _reading("CSV", where=where):
            yield from _stream(file, format_, names)


class JsonLines:
    """One JSON object a line, UTF-8. A key that a line leaves out is NULL there; a key that no line has is missing."""

    name = "jsonl"
    suffixes: tuple[str, ...] = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")

    def schema(self, file: Path, table: Table, options: Mapping[str, str], *, where: str) -> pa.Schema:
        _scan_text(file, "utf-8", where=where)
        wanted = set(source_names(table))
        seen: dict[str, None] = {}
        with _reading("JSON Lines", where=where), _text(file, "utf-8-sig") as text:
            for line in text:
                if not line.strip():
                    continue
                seen.update(dict.fromkeys(_keys(line, where)))
                if wanted <= seen.keys():  # mostly after the first line
                    break
        if not seen:
            raise SourceError("The file holds no object.", where=where, remedy="Fetch or write it again.")
        types = {field.name: field.type for field in _json_schema(table)}
        return pa.schema([pa.field(name, types.get(name, pa.null())) for name in seen])

    def batches(
        self, file: Path, table: Table, options: Mapping[str, str], *, where: str
    ) -> Iterator[pa.RecordBatch]:
        schema = _json_schema(table)
        try:
            yield from _stream(file, _json_format(schema), schema.names, schema)
        except (pa.ArrowException, OSError, UnicodeError) as error:
            misfit = _misfit(file, schema)
            if misfit is None:
                raise broken(
                    "This isn't a whole JSON Lines file",
                    where=where,
                    remedy="Fetch or write it again.",
                    error=error,
                ) from None
        else:
            return
        column = table.columns[schema.get_field_index(misfit)]
        raise SourceError(
            f"Column `{column.name}` holds other JSON values than the contract's {column.type.value}.",
            where=where,
            remedy="Correct it at the source, or the column's type in the contract.",
            column=column.name,
        )


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


def _misfit(file: Path, schema: pa.Schema) -> str | None:
    """The first column that can't be read by itself: Arrow's own message names it only together with a value."""
    for field in schema:
        alone = pa.schema([field])
        try:
            for _ in _stream(file, _json_format(alone), [field.name], alone):
                pass
        except (pa.ArrowException, OSError, UnicodeError):
            if _readable(file):
                return str(field.name)
            return None
    return None


def _readable(file: Path) -> bool:
    """True when the lines are JSON objects, whatever stands in them."""
    try:
        with _text(file, "utf-8-sig") as text:
            return all(isinstance(json.loads(line), dict) for line in text if line.strip())
    except (ValueError, OSError, RecursionError):
        return False


def _keys(line: str, where: str) -> list[str]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return list(value)
    raise SourceError(
        "A line isn't a JSON object of its own.",
        where=where,
        remedy="Write one object a line, and no list around them.",
    )


def _encoding(options: Mapping[str, str]) -> str:
    name = options.get("encoding", "utf-8")
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ContractError(
            f"There is no encoding `{name}`.", remedy="Write utf-8, gb18030 or another registered name."
        ) from None


def _delimiter(options: Mapping[str, str], file: Path) -> str:
    tabs = file.name.lower().endswith((".tsv", ".tsv.gz"))
    delimiter = options.get("delimiter", "\t" if tabs else ",")
    delimiter = "\t" if delimiter in {"tab", "\\t"} else delimiter
    if len(delimiter) != 1 or not delimiter.isascii():
        raise ContractError("A CSV delimiter is one ASCII character.", remedy='Write e.g. ";" or "tab".')
    return delimiter


def _text(file: Path, encoding: str) -> io.TextIOWrapper:
    # The sort of compression is told by the suffix, as the dataset reader does.
    raw = pa.input_stream(str(file), compression="detect")
    return io.TextIOWrapper(raw, encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="")


def _scan_text(file: Path, encoding: str, *, where: str) -> int:
    """Decodes the whole file and counts its double quotes. Raises SourceError when it's cut off or of another encoding."""
    quotes = 0
    try:
        with _text(file, encoding) as text:
            while piece := text.read(_PIECE_CHARS):
                quotes += piece.count('"')
        return quotes
    except UnicodeError:
        pass  # told below, outside the handler: the error carries the bytes
    except (pa.ArrowException, OSError) as error:
        raise broken(
            "The file can't be read to its end", where=where, remedy="Fetch or write it again.", error=error
        ) from None
    raise SourceError(
        f"The file isn't written in {encoding}.",
        where=where,
        remedy="Say its encoding in the contract's server entry, or write it in UTF-8.",
    )


def _ends_in_quotes(file: Path, encoding: str, delimiter: str) -> bool:
    """True when a quoted field is still open at the end; asked only of files with an odd number of quotes."""
    with _text(file, encoding) as text:
        try:
            for _ in csv.reader(text, delimiter=delimiter, strict=True):
                pass
        except csv.Error as error:
            # Both of the module's messages for a quote that never closes; they hold no value.
            return "unexpected end" in str(error) or "field larger" in str(error)
    return False
