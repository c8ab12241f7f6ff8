"""A first look at a dataset that no contract speaks of yet: names, types, and how values are spread.

A sample is read into memory and forgotten; what is given holds names and counts, and no value.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.formats import FORMATS
from connectors.text import is_number, json_objects, open_text
from contracts.drafts.seen import Look, SeenColumn, SeenTable
from contracts.model import LogicalType
from core.errors import SourceError, UsageError

SAMPLE_ROWS = 20_000
MAX_TABLES, MAX_COLUMNS = 200, 2000
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,14})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?")  # fmt: skip
_LOOKS = (
    (Look.EMAIL, re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")),
    (Look.DOCUMENT, re.compile(r"[1-9][0-9]{5}(18|19|20)[0-9]{9}[0-9Xx]")),
    (Look.PHONE, re.compile(r"(\+?86[- ]?)?1[3-9][0-9]{9}|\+[0-9][0-9 -]{7,16}")),
    (Look.CARD, re.compile(r"[3-6][0-9]{14,18}")),
    (Look.NET, re.compile(r"([0-9]{1,3}\.){3}[0-9]{1,3}|([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")),
    (Look.RANDOM, re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}|[0-9a-f]{40}|[0-9a-f]{64}")),
)  # fmt: skip
_JUDGED = 1000  # values that a look is judged by


def data_files(path: Path) -> list[Path]:
    """The data files that a path means: itself, or those that lie in the folder, by name. Raises UsageError for none."""
    if path.is_file() and suffix_of(path):
        return [path]
    found = [each for each in sorted(path.iterdir()) if each.is_file()] if path.is_dir() else []
    found = [each for each in found if suffix_of(each) and not each.name.startswith((".", "_"))]
    if not found or len(found) > MAX_TABLES:
        known = ", ".join(suffix for each in FORMATS.values() for suffix in each.suffixes)
        raise UsageError(
            "There is no data file." if not found else f"There are more than {MAX_TABLES} data files.",
            where=str(path),
            remedy=f"Name a file, or a folder that holds one file for each table: {known}.",
        )
    return found


def suffix_of(file: Path) -> str:
    """The suffix that tells the file's format; empty when none does. The longest counts: `.csv.gz`."""
    known = (suffix for each in FORMATS.values() for suffix in each.suffixes)
    return max((each for each in known if file.name.lower().endswith(each)), key=len, default="")


def format_of(file: Path) -> str:
    """The format by the suffix: csv, parquet or jsonl."""
    return next(name for name, each in FORMATS.items() if suffix_of(file) in each.suffixes)


def delimiter_of(file: Path) -> str | None:
    """What parts the fields of a CSV file, where it isn't a comma (in tsv: a tab): `;` or a tab. None for any other file."""
    if format_of(file) != "csv" or ".tsv" in suffix_of(file):
        return None
    with _readable(file), open_text(file, "utf-8") as text:
        line = text.readline(1 << 20)
    return next((each for each in (";", "\t") if each in line), None) if "," not in line else None


def glance(file: Path) -> SeenTable:
    """What is seen of one file. Raises SourceError for one that can't be read, or that doesn't begin with column names."""
    name = file.name[: -len(suffix_of(file))]
    kind = format_of(file)
    with _readable(file):
        if kind == "parquet":
            columns = _parquet(file)
        elif kind == "jsonl":
            columns = _json(file)
        else:
            columns = _csv(file)
    if len(columns) > MAX_COLUMNS:
        raise SourceError(
            f"The file has more than {MAX_COLUMNS} columns.",
            where=str(file),
            remedy="A table so wide is often one with values for names: reshape it at the source.",
        )
    return SeenTable(name=name, physical_name=name, columns=tuple(columns))


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Tells that a file can't be read, without a word of what stands in it."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeError, EOFError, csv.Error) as error:
        raise SourceError(
            f"The file can't be read as {format_of(file)} ({type(error).__name__}).",
            where=str(file),
            remedy="Fetch or write it again; text files are UTF-8 here.",
        ) from None


def _csv(file: Path) -> list[SeenColumn]:
    delimiter = delimiter_of(file) or ("\t" if ".tsv" in suffix_of(file) else ",")
    with open_text(file, "utf-8") as text:
        rows = (row for row in csv.reader(text, delimiter=delimiter) if row)
        header = next(rows, [])
        sample = list(islice(rows, SAMPLE_ROWS))
    columns = {
        place: [row[place] for row in sample if place < len(row) and row[place] != ""]
        for place in range(len(header))
    }
    _are_names(header, columns, file)
    return [_of_text(name, columns[place]) for place, name in enumerate(header)]


def _json(file: Path) -> list[SeenColumn]:
    found: dict[str, list[object]] = {}
    for _, values in islice(json_objects(file, where=str(file)), SAMPLE_ROWS):
        for name, value in values.items():
            found.setdefault(name, [])
            if value is not None:
                found[name].append(value)
        if len(found) > MAX_COLUMNS:
            break
    _are_names(list(found), {}, file)
    return [_of_json(name, values) for name, values in found.items()]


def _parquet(file: Path) -> list[SeenColumn]:
    columns = []
    with pq.ParquetFile(file) as opened:
        schema = opened.schema_arrow
        names = [field.name for field in schema if _logical(field.type) is not None]
        batch = next(opened.iter_batches(batch_size=SAMPLE_ROWS, columns=names), None) if names else None
        for field in schema:
            logical = _logical(field.type)
            values = batch.column(field.name).drop_null().to_pylist() if batch is not None and logical else []
            decimal = field.type if pa.types.is_decimal(field.type) else None
            columns.append(
                _spread(
                    field.name,
                    logical,
                    values,
                    physical=f"DECIMAL({decimal.precision},{decimal.scale})" if decimal is not None else None,
                )
            )
    return columns


def _logical(kind: pa.DataType) -> LogicalType | None:
    t = pa.types
    if t.is_dictionary(kind):
        kind = kind.value_type
    if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
        return LogicalType.STRING
    if t.is_integer(kind):
        return LogicalType.INTEGER
    if t.is_floating(kind) or t.is_decimal(kind):
        return LogicalType.NUMBER
    if t.is_boolean(kind):
        return LogicalType.BOOLEAN
    if t.is_date(kind):
        return LogicalType.DATE
    return LogicalType.TIMESTAMP if t.is_timestamp(kind) else None


def _of_json(name: str, values: Sequence[object]) -> SeenColumn:
    if any(isinstance(value, (list, dict)) for value in values):
        return _spread(name, None, ())
    if values and all(isinstance(value, bool) for value in values):
        return _spread(name, LogicalType.BOOLEAN, values)
    texts = [str(value) for value in values]
    numbers = bool(values) and all(is_number(value) for value in values)
    if not numbers and any(isinstance(value, bool) or is_number(value) for value in values):
        return _spread(name, None, ())  # of several kinds
    found = _of_text(name, texts)
    if numbers and found.type is LogicalType.STRING:
        return _spread(name, LogicalType.NUMBER, texts)
    if not numbers and found.type in (LogicalType.INTEGER, LogicalType.NUMBER, LogicalType.BOOLEAN):
        return _spread(name, LogicalType.STRING, texts)  # JSON says itself what is no text
    return found


def _of_text(name: str, values: Sequence[str]) -> SeenColumn:
    """A column of a text file: its type is the narrowest that takes every value of the sample. 007 is no number."""
    kinds = (
        (LogicalType.INTEGER, _INTEGER),
        (LogicalType.NUMBER, _NUMBER),
        (LogicalType.DATE, _DATE),
        (LogicalType.TIMESTAMP, _TIMESTAMP),
        (LogicalType.BOOLEAN, re.compile("true|false")),
    )
    for logical, pattern in kinds if values else ():
        if all(pattern.fullmatch(value) for value in values):
            return _spread(name, logical, values)
    return _spread(name, LogicalType.STRING, values)


def _spread(
    name: str, logical: LogicalType | None, values: Sequence[object], physical: str | None = None
) -> SeenColumn:
    texts = [str(value) for value in values] if logical in (LogicalType.STRING, LogicalType.INTEGER) else []
    return SeenColumn(
        name=name,
        type=logical,
        filled=len(values),
        distinct=len(set(values)),
        longest=max(map(len, texts), default=0) if logical is LogicalType.STRING else 0,
        look=_look(texts[:_JUDGED]),
        physical_type=physical,
    )


def _look(values: Iterable[str]) -> Look | None:
    values = list(values)
    for look, pattern in _LOOKS:
        if values and 2 * sum(pattern.fullmatch(value.strip()) is not None for value in values) > len(values):
            return look
    return None


def _are_names(names: Sequence[str], columns: Mapping[int, Sequence[str]], file: Path) -> None:
    """Refuses names that may be a row's values: written into a contract, they'd be given away."""
    odd = not names or len({name.casefold() for name in names}) < len(names)
    for place, name in enumerate(names):
        value_like = _NUMBER.fullmatch(name) or _DATE.match(name) or _look([name]) or not name.strip()
        odd = odd or bool(value_like) or name in columns.get(place, ())
    if odd:
        raise SourceError(
            "What stands where column names belong looks like values, is empty, or stands twice.",
            where=str(file),
            remedy="Write one line with the columns' names, each once, before the first row.",
        )
