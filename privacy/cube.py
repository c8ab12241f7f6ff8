"""The small cube of a subject table: distinct tuples of quasi-identifiers and sensitive values, and whose they are.

Encode (values to codes), group (rows to distinct tuples) and attach (parts back to rows, by position, never by a join).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Column
from core.errors import PrivacyError
from privacy.hierarchy import Hierarchy
from privacy.kernel import Tuples

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Cube:
    """Distinct tuples and the way back to the rows.

    hierarchies: by quasi-identifier, in order. tuples: what the kernel cuts. tuple_of_row: (rows,) index into tuples.
    unit_of_row: (rows,) person codes from 0. units: how many persons.
    """

    hierarchies: Mapping[str, Hierarchy]
    tuples: Tuples
    tuple_of_row: npt.NDArray[np.int64]
    unit_of_row: Codes
    units: int


def folded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text as a person would compare it: NFKC, without outer white space, lower case; empty is missing.

    Two spellings of one name must not count as two persons, nor two spellings of one illness as two illnesses; where
    two persons' names differ only in spelling, counting them as one errs on the safe side. Other types stay as they are.
    """
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return column
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(pc.utf8_normalize(column, form="NFKC")))
    return pc.if_else(pc.equal(plain, ""), pa.scalar(None, plain.type), plain)


def encode_units(column: pa.ChunkedArray, *, table: str, unit: str) -> tuple[Codes, int]:
    """Person codes (rows,) from 0 and how many persons. Raises PrivacyError when a row names no person."""
    names = folded(column)
    if names.null_count:
        raise PrivacyError(
            f"{names.null_count} rows of `{table}` name no `{unit}`, so nobody can say whose they are.",
            remedy=f"Make `{unit}` required, and not empty, in the contract: such rows then go to quarantine.",
            table=table,
            rows=names.null_count,
        )
    return dictionary_codes(names)


def dictionary_codes(column: pa.ChunkedArray) -> tuple[Codes, int]:
    """Codes (rows,) of a column's distinct values from 0, -1 for NULL, and how many distinct values there are."""
    if len(column) == 0:
        return np.empty(0, np.int32), 0
    whole = column.combine_chunks()
    encoded = (whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return codes, len(encoded.dictionary)


def build_cube(
    table: pa.Table, *, name: str, unit: str, quasi_identifiers: Sequence[Column], sensitive: Sequence[Column]
) -> Cube:
    """The cube of a subject table.

    table: rows of persons with the columns named. Raises PrivacyError when a row names no person, or when a declared
    hierarchy lacks a value.
    """
    hierarchies: dict[str, Hierarchy] = {}
    rows = table.num_rows
    codes = np.empty((rows, len(quasi_identifiers)), np.int32)
    for j, column in enumerate(quasi_identifiers):
        if column.hierarchy is None:
            raise PrivacyError(
                f"`{name}.{column.name}` has no hierarchy.", remedy="Give it a sluiceHierarchy."
            )
        hierarchy = Hierarchy.of(
            column.hierarchy, table[column.name].unique(), column=f"{name}.{column.name}"
        )
        hierarchies[column.name] = hierarchy
        codes[:, j] = hierarchy.encode(table[column.name])
    secret = np.empty((rows, len(sensitive)), np.int32)
    for j, column in enumerate(sensitive):
        secret[:, j] = dictionary_codes(folded(table[column.name]))[0]
    unit_of_row, units = encode_units(table[unit], table=name, unit=unit)
    several = units < rows
    key = np.concatenate([codes, secret, unit_of_row[:, None]] if several else [codes, secret], axis=1)
    distinct, tuple_of_row, counts = distinct_rows(key)
    d, s = codes.shape[1], secret.shape[1]
    tuples = Tuples(
        codes=np.ascontiguousarray(distinct[:, :d]),
        positions=tuple(hierarchy.positions for hierarchy in hierarchies.values()),
        weights=np.ones(len(distinct), np.int64) if several else counts,
        sensitive=np.ascontiguousarray(distinct[:, d : d + s]),
        units=np.ascontiguousarray(distinct[:, d + s]) if several else None,
    )
    return Cube(
        hierarchies=hierarchies,
        tuples=tuples,
        tuple_of_row=tuple_of_row,
        unit_of_row=unit_of_row,
        units=units,
    )


def distinct_rows(key: Codes) -> tuple[Codes, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Distinct rows of an (n, c) code matrix, the index of each row among them, and how often each occurs.

    Columns are folded into one 64-bit key; where that would overflow, what is folded so far is renumbered first.
    """
    rows = len(key)
    packed = np.zeros(rows, np.int64)
    width = 1
    for j in range(key.shape[1]):
        column = key[:, j].astype(np.int64) + 1
        cardinality = int(column.max(initial=0)) + 1
        if width * cardinality >= 2**62:
            values, packed = np.unique(packed, return_inverse=True)
            width = len(values)
        packed = packed * cardinality + column
        width *= cardinality
    _, first, inverse, counts = np.unique(packed, return_index=True, return_inverse=True, return_counts=True)
    return key[first], inverse.astype(np.int64), counts.astype(np.int64)
