"""Text files by their lines: whether a file is whole, and which row or line is wrong, said without what stands in it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.base import broken
from connectors.cast import EXACT_DIGITS, carries
from core.errors import SourceError

_PIECE_CHARS = 1 << 20
# Longer than every double carries, or with an exponent that may lead under the smallest one.
_DOUBTFUL = re.compile(rf"\d[\d.]{{{EXACT_DIGITS},}}|[eE]-\d{{3}}")


class _Number(str):
    """A JSON number as it is spelled."""


def open_text(file: Path, encoding: str) -> io.TextIOWrapper:
    """The file's text. The sort of compression is told by the suffix, as the dataset reader does."""
    raw = pa.input_stream(str(file), compression="detect")
    return io.TextIOWrapper(raw, encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="")


def scan_text(file: Path, encoding: str, *, where: str, remedy: str) -> int:
    """Decodes the whole file and counts its double quotes. Raises SourceError when it's cut off or of another encoding.

    remedy: what to do about another encoding.
    """
    quotes = 0
    try:
        with open_text(file, encoding) as text:
            while piece := text.read(_PIECE_CHARS):
                quotes += piece.count('"')
        return quotes
    except UnicodeError:
        pass  # told below, outside the handler: the error carries the bytes
    except (pa.ArrowException, OSError) as error:
        raise broken(
            "The file can't be read to its end", where=where, remedy="Fetch or write it again.", error=error
        ) from None
    raise SourceError(f"The file isn't written in {encoding}.", where=where, remedy=remedy)


def ends_in_quotes(file: Path, encoding: str, delimiter: str) -> bool:
    """True when a quoted field is still open at the end; asked only of files with an odd number of quotes."""
    with open_text(file, encoding) as text:
        try:
            for _ in csv.reader(text, delimiter=delimiter, strict=True):
                pass
        except csv.Error as error:
            # Both of the module's messages for a quote that never closes; they hold no value.
            return "unexpected end" in str(error) or "field larger" in str(error)
    return False


def csv_header(file: Path, encoding: str, delimiter: str) -> tuple[list[str], bool]:
    """The column names, none for an empty file, and whether a row comes after them."""
    with open_text(file, encoding) as text:
        rows = (row for row in csv.reader(text, delimiter=delimiter) if row)
        header = next(rows, [])
        try:
            return header, next(rows, None) is not None
        except csv.Error:  # a field of more than its module's limit: that is a row
            return header, True


def odd_row(file: Path, encoding: str, delimiter: str) -> str | None:
    """The first row with more or fewer fields than the header, as a sentence; asked only of files that can't be read."""
    try:
        with open_text(file, encoding) as text:
            reader = csv.reader(text, delimiter=delimiter)
            width, row, line = 0, -1, 1
            for fields in reader:
                if fields:
                    width, row = width or len(fields), row + 1
                    if len(fields) != width:
                        return f"Row {row} (line {line}) has {len(fields)} fields, the header {width}."
                line = reader.line_num + 1
    except (csv.Error, pa.ArrowException, OSError, UnicodeError):
        pass  # then it's something else
    return None


def json_objects(file: Path, *, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each object with the number of its line, blank lines left out. Raises SourceError at a line that is none."""
    with open_text(file, "utf-8") as text:
        for number, line in enumerate(text, 1):
            if line.strip():
                value = _parsed(line)
                if value is None:
                    raise SourceError(
                        f"Line {number}: this isn't a JSON object of its own.",
                        where=where,
                        remedy="Write one whole object a line, and no list around them; if it's the last line, the "
                        "file's end is missing: fetch it again.",
                        line=number,
                    )
                yield number, value


def inexact_number(file: Path, names: Iterable[str]) -> tuple[int, str] | None:
    """The first row (from 1) and key whose number a double doesn't carry; None when all are carried, or a line is broken."""
    wanted, row = list(names), 0
    if not wanted:
        return None
    with open_text(file, "utf-8") as text:
        for line in text:
            row += bool(line.strip())
            if not _DOUBTFUL.search(line):
                continue
            value = _parsed(line)
            if value is None:
                return None  # told when its turn comes
            for name in wanted:
                number = value.get(name)
                if isinstance(number, _Number) and not carries(number):
                    return row, name
    return None


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line, parse_float=_Number, parse_int=_Number, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _no_number(_: str) -> object:
    """NaN and Infinity, which Python reads, aren't JSON."""
    raise ValueError


def is_number(value: object) -> bool:
    """Whether a value of `json_objects` was written as a number."""
    return isinstance(value, _Number)
