"""Columns as codes, read once from the file, batch by batch: what stays in memory is small numbers, not values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from privacy.subjects.grouping import look_up

Codes = npt.NDArray[np.int32]


class Encoder:
    """Gathers one column's batches; `finish` gives its distinct values and where each row stands among them."""

    def __init__(self) -> None:
        self._dictionaries: list[pa.Array] = []
        self._indices: list[npt.NDArray[Any]] = []

    def add(self, column: pa.Array) -> None:
        """The next rows. column: plain, or a dictionary array."""
        whole = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        values, indices = whole.dictionary, whole.indices
        if values.null_count:  # a NULL may stand in the dictionary instead of among the indices
            empty = pc.is_null(values)
            indices = pc.if_else(pc.take(empty, indices), pa.scalar(None, indices.type), indices)
        self._dictionaries.append(values)
        codes = indices.fill_null(-1) if indices.null_count else indices
        self._indices.append(_narrow(codes.to_numpy(zero_copy_only=False), len(values)))

    def finish(self) -> tuple[pa.Array, npt.NDArray[Any]]:
        """(distinct values without NULL, in no order; (rows,) codes into them, -1 for NULL, as narrow as they fit)."""
        rows = sum(len(each) for each in self._indices)
        if not self._dictionaries:
            return pa.array([], pa.null()), np.empty(0, np.int8)
        whole = pa.chunked_array(self._dictionaries)
        values = whole.unique().drop_null()
        place = pc.index_in(whole, value_set=values).combine_chunks()
        place = place.combine_chunks() if isinstance(place, pa.ChunkedArray) else place
        places = place.fill_null(-1).to_numpy(zero_copy_only=False)
        codes = np.empty(rows, _narrow(np.empty(0, np.int64), len(values)).dtype)
        row = entry = 0
        for values_here, indices in zip(self._dictionaries, self._indices, strict=True):
            # -1 picks the last element, which is put there for it.
            table = np.append(places[entry : entry + len(values_here)], -1).astype(codes.dtype)
            look_up(table, indices, codes[row : row + len(indices)])
            row += len(indices)
            entry += len(values_here)
        self._dictionaries, self._indices = [], []
        return values, codes


def _narrow(numbers: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """Codes from -1 to `count` - 1 in the narrowest type that holds them."""
    for kind in (np.int8, np.int16, np.int32):
        if count <= np.iinfo(kind).max:
            return numbers.astype(kind, copy=False)
    return numbers.astype(np.int64, copy=False)


def recoded(codes: npt.NDArray[Any], to: npt.NDArray[Any], *, missing: int) -> npt.NDArray[Any]:
    """Codes of another numbering, (rows,). to: (values,) the new code of each old one. missing: the new code of NULL.

    As narrow as the new codes fit: unsigned up to 65,535 when `missing` isn't negative.
    """
    table = np.append(to, missing)
    most = int(table.max(initial=0))
    if missing >= 0 and most <= np.iinfo(np.uint16).max:
        table = table.astype(np.uint16)
    else:
        table = _narrow(table, most + 1)
    made = np.empty(len(codes), table.dtype)
    look_up(table, codes, made)
    return made
