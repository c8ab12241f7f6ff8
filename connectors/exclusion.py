"""The list of persons who took their consent back: whoever stands in it is left out before anything else sees them.

It fails closed: a list that is missing, broken, without a person where it should have some, or too long for its bound stops
the run. Ids are matched so that a difference of spelling leaves out too many rather than too few: of text, neither case, space
around it, width, invisible signs nor leading zeros count.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from connectors.cast import cast
from contracts.declared import Exclusions
from contracts.model import Column, Contract, LogicalType, Table
from core.errors import ContractError, SourceError

MAX_IDS = 20_000_000  # 8 bytes each, twice over while they're put together
_BLOCK_BYTES = 1 << 22
_BATCH_ROWS = 1 << 16
_MAX_ID_BYTES = 256
_MAX_CHUNK_BYTES = 1 << 30  # of one column in one row group, unpacked
_AGAIN = "Have the list written again, whole, before anything moves."
# Half of a broken line, or several lines that a stray quote made one: persons would be missed.
_ODD = r'[\p{Cc}"]'
# A spreadsheet that shortened a long number: "1.23457E+11".
_SHORTENED = r"^\s*\d(\.\d+)?[eE]\+\d+\s*$"


class Excluded:
    """The persons on a list, known by numbers: an integer unit's own, a text unit's 64-bit hash.

    Two texts of one hash would leave out one person too many. Python's hash is keyed anew in each process, so nobody can make
    them meet, and of 20 million they meet with 10 million others once in a hundred thousand runs.
    """

    def __init__(self, unit: Column, numbers: npt.NDArray[np.int64]) -> None:
        self._unit = unit
        numbers.sort()  # in place
        self._numbers = numbers

    def without(self, rows: pa.Table, table: Table) -> pa.Table:
        """The rows of a table, in the contract's types, that belong to nobody on the list. Rows of nobody stay."""
        if not table.kind.about_persons:
            return rows
        if self._unit.name not in rows.column_names:
            raise ContractError(
                f"`{table.name}` is about persons and lacks `{self._unit.name}`, by which persons are left out.",
                remedy="Declare the privacy unit in every table about persons.",
            )
        if not len(self._numbers):
            return rows
        column = rows.column(self._unit.name).combine_chunks()
        column = pa.array([], column.type) if isinstance(column, pa.ChunkedArray) else column
        encoded = column.dictionary_encode()
        known = encoded.dictionary
        numbers = _numbers(known if self._unit.type is LogicalType.INTEGER else _spelling(known))
        places = np.searchsorted(self._numbers, numbers)
        listed = self._numbers[np.minimum(places, len(self._numbers) - 1)] == numbers
        out = pc.fill_null(pa.array(listed, pa.bool_()).take(encoded.indices), False)
        return rows.filter(pc.invert(out)) if pc.any(out).as_py() else rows


def excluded(contract: Contract) -> Excluded | None:
    """The persons on the contract's list of exclusions; None when the contract names no list.

    Memory is bounded by MAX_IDS, whatever the file holds. Raises SourceError, without a value of the list; ContractError when
    the contract doesn't say whose its rows are.
    """
    listed = contract.compliance.exclusions if contract.compliance else None
    if listed is None:
        return None
    unit = _unit(contract)
    file, where = (contract.source.base or Path()) / listed.path, f"list of exclusions {listed.path}"
    before, reason = _stamp(file, where), ""
    numbers, count = [np.empty(0, np.int64)], 0
    try:
        for ids in _ids(file, listed, where):
            numbers.append(_read(ids, unit, listed, where=where, row=count))
            count += len(ids)
            _within_bound(count, where)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        system = isinstance(error, OSError) and error.errno and error.strerror
        reason = str(system or type(error).__name__)
    if reason:
        # Outside the handler: the library's text may quote an id, and a context would carry it into a log.
        raise SourceError(f"The list can't be read to its end: {reason}.", where=where, remedy=_AGAIN)
    if _stamp(file, where) != before:
        raise SourceError(
            "The list was written to while it was read.",
            where=where,
            remedy="Write it under another name and rename it when it's whole.",
        )
    if not count and not listed.may_be_empty:
        raise SourceError(
            "The list holds nobody.",
            where=where,
            remedy="If nobody took their consent back yet, write `mayBeEmpty: true` at exclusions in sluiceCompliance.",
        )
    return Excluded(unit, np.concatenate(numbers))


def _unit(contract: Contract) -> Column:
    name = contract.privacy.unit if contract.privacy else None
    for table in contract.tables:
        for column in table.columns:
            if table.kind.about_persons and column.name == name:
                return column
    raise ContractError(
        "The contract names a list of exclusions, and no column that tells whose a row is.",
        remedy="Add sluicePrivacy.",
    )


def _stamp(file: Path, where: str) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError as error:
        raise SourceError(
            f"The list isn't there ({error.strerror}).",
            where=where,
            remedy="Check its path, from the contract's folder on.",
        ) from None
    if not stat.S_ISREG(found.st_mode):
        raise SourceError("The list isn't a plain file.", where=where, remedy="Name a CSV or Parquet file.")
    return found.st_ino, found.st_size, found.st_mtime_ns


def _ids(file: Path, listed: Exclusions, where: str) -> Iterator[pa.Array]:
    """The list's column in pieces."""
    pieces = (
        _parquet(file, listed, where) if file.name.lower().endswith(".parquet") else _csv(file, listed, where)
    )
    yield from pieces


def _csv(file: Path, listed: Exclusions, where: str) -> Iterator[pa.Array]:
    _whole_lines(file, where)
    read = pa_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
    with pa_csv.open_csv(file, read_options=read) as header:
        _one_column(header.schema.names, listed, where)
    convert = pa_csv.ConvertOptions(
        include_columns=[listed.column], column_types={listed.column: pa.string()}, strings_can_be_null=False
    )
    with pa_csv.open_csv(file, read_options=read, convert_options=convert) as lines:
        for batch in lines:
            yield batch.column(0)


def _whole_lines(file: Path, where: str) -> None:
    """Refuses a quote that a line opens and doesn't close: the lines it swallows would be missed."""
    quotes = 0
    with file.open("rb") as lines:
        while piece := lines.read(_BLOCK_BYTES):
            if not quotes % 2 and b'"' not in piece:
                continue
            signs = np.frombuffer(piece, np.uint8)
            so_far = quotes + np.cumsum(signs == ord('"'), dtype=np.int64)
            if (so_far[(signs == ord("\n")) | (signs == ord("\r"))] % 2).any():
                break
            quotes = int(so_far[-1])
    if quotes % 2 or piece:
        raise SourceError("A quoted field of the list doesn't end on its line.", where=where, remedy=_AGAIN)


def _parquet(file: Path, listed: Exclusions, where: str) -> Iterator[pa.Array]:
    with pq.ParquetFile(file) as opened:
        _one_column(opened.schema_arrow.names, listed, where)
        kind = opened.schema_arrow.field(listed.column).type
    if pa.types.is_nested(kind):
        raise SourceError(
            f"Column `{listed.column}` of the list holds {kind}, no ids.", where=where, remedy=_AGAIN
        )
    # As dictionaries: a short file can spell one long text for millions of rows.
    with pq.ParquetFile(
        file, read_dictionary=[listed.column], pre_buffer=False, buffer_size=_BLOCK_BYTES
    ) as opened:
        _within_bound(opened.metadata.num_rows, where)
        for number in range(opened.metadata.num_row_groups):
            group = opened.metadata.row_group(number)
            if any(
                group.column(i).total_uncompressed_size > _MAX_CHUNK_BYTES for i in range(group.num_columns)
            ):
                raise SourceError(
                    "A row group of the list is too large.",
                    where=where,
                    remedy="Write it in smaller row groups.",
                )
        for batch in opened.iter_batches(_BATCH_ROWS, columns=[listed.column]):
            yield batch.column(0)


def _one_column(names: list[str], listed: Exclusions, where: str) -> None:
    # Without a header line the first row would stand here, so the names aren't told.
    if names.count(listed.column) != 1:
        what = "no column" if listed.column not in names else "more than one column"
        raise SourceError(
            f"The list has {what} `{listed.column}`.",
            where=where,
            remedy="Correct its first line, or name the column at exclusions in sluiceCompliance.",
        )


def _within_bound(count: int, where: str) -> None:
    if count > MAX_IDS:
        raise SourceError(
            f"The list holds more than {MAX_IDS:,} ids.",
            where=where,
            remedy="Have the platform leave these persons out, and list those who came since.",
        )


def _read(ids: pa.Array, unit: Column, listed: Exclusions, *, where: str, row: int) -> npt.NDArray[np.int64]:
    """A piece of the list as numbers. row: how many rows came before."""
    if pa.types.is_dictionary(ids.type):
        if (pc.max(pc.binary_length(ids.dictionary)).as_py() or 0) > _MAX_ID_BYTES:
            raise SourceError(
                f"An id of the list has over {_MAX_ID_BYTES} bytes.", where=where, remedy=_AGAIN
            )
        ids = ids.dictionary_decode()
    if pa.types.is_string(ids.type) or pa.types.is_large_string(ids.type):
        _refuse(
            pc.match_substring_regex(ids, _ODD), "the id holds a quote or a control character", where, row
        )
        _refuse(
            pc.match_substring_regex(ids, _SHORTENED),
            "the id is a number that a spreadsheet shortened",
            where,
            row,
        )
    values = cast(ids, replace(unit, name=listed.column), where=where, row=row)
    _refuse(pc.is_null(values), "there is no id", where, row)
    if unit.type is not LogicalType.INTEGER:
        values = _spelling(values)
        _refuse(pc.equal(values, ""), "there is no id", where, row)
    return _numbers(values)


def _refuse(bad: pa.Array, what: str, where: str, row: int) -> None:
    place = pc.index(bad, pa.scalar(True)).as_py()
    if place >= 0:
        raise SourceError(f"The list, row {row + place + 1}: {what}.", where=where, remedy=_AGAIN)


def _spelling(ids: pa.Array) -> pa.Array:
    """Text ids without what spelling them again may change: "７", " 007" and the "7.0" of a column with gaps are 7."""
    text = pc.replace_substring_regex(pc.utf8_normalize(ids, form="NFKC"), r"\p{Cf}", "")
    text = pc.utf8_lower(pc.utf8_trim_whitespace(text))
    return pc.replace_substring_regex(text, r"^\+?0*(\d+)(\.0+)?$", r"\1")


def _numbers(ids: pa.Array) -> npt.NDArray[np.int64]:
    """Ids without NULL, of text in one spelling, as 64-bit numbers."""
    if pa.types.is_integer(ids.type):
        return np.array(
            ids.to_numpy(zero_copy_only=False), np.int64
        )  # a copy: it lasts, and what was read needn't
    return np.fromiter(map(hash, ids.to_pylist()), np.int64, len(ids))
