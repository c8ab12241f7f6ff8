"""Classes brought back to the rows, by position, and written: labels, pseudonyms and sensitive values, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from core.parquet import batches
from core.progress import Progress, silent
from core.proof import TableFile
from privacy.subjects.classes import Classes
from privacy.subjects.cube import Cube
from privacy.subjects.order import Order
from privacy.transforms.pseudonym import PSEUDONYM_BYTES, pseudonymize

ROW_GROUP_ROWS = 1 << 19
Column = Callable[[npt.NDArray[np.int32], int, int], pa.Array]


@contextmanager
def safe_writer(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A plain Parquet file for rows that are safe. Each row group's dictionaries hold what its rows show and no more:
    they're made here, by `compact`. No schema of Arrow's is kept beside the file's own."""
    with (
        pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            use_dictionary=[field.name for field in schema if _is_text(field.type)],
            dictionary_pagesize_limit=1 << 30,
            write_batch_size=ROW_GROUP_ROWS,  # statistics are made for each batch, by looking at all of its dictionary
            store_schema=False,
        ) as writer
    ):
        yield writer


def compact(
    codes: npt.NDArray[Any], values: pa.Array, rows: npt.NDArray[np.int64] | None = None
) -> pa.DictionaryArray:
    """Codes, -1 for NULL, as a dictionary array of the values that occur. rows: how many each code stands for, 1 if None."""
    used = np.zeros(len(values) + 1, np.bool_)
    used[codes] = True  # -1 marks the last place, which is NULL's
    place = (np.cumsum(used, dtype=np.int32) - 1)[codes]
    missing = codes < 0
    if rows is not None:
        place, missing = np.repeat(place, rows), np.repeat(missing, rows)
    indices = pa.array(place, pa.int32(), mask=missing if used[-1] else None)
    return pa.DictionaryArray.from_arrays(indices, values.take(pa.array(np.flatnonzero(used[:-1]))))


def attach(
    path: Path,
    order: Order,
    columns: Mapping[str, tuple[pa.DataType, Column]],
    *,
    progress: Progress = silent,
) -> None:
    """Writes the rows of `order`. columns: by name, its type and what gives its values for the rows from one place to
    another of the order."""
    schema = pa.schema([(name, kind) for name, (kind, _) in columns.items()])
    with safe_writer(path, schema) as writer:
        for start in range(0, len(order.rows), ROW_GROUP_ROWS):
            progress("write", start / len(order.rows))
            rows = order.rows[start : start + ROW_GROUP_ROWS]
            arrays = [give(rows, start, start + len(rows)) for _, give in columns.values()]
            writer.write_table(pa.table(arrays, schema=schema), row_group_size=len(rows))


def by_group(order: Order, of_class: npt.NDArray[np.int32], names: pa.Array) -> tuple[pa.DataType, Column]:
    """A column that each group of rows has one value of: labels, segments."""
    of_group = of_class[order.classes]

    def give(rows: npt.NDArray[np.int32], start: int, end: int) -> pa.Array:
        first = int(np.searchsorted(order.bounds, start, side="right")) - 1
        last = int(np.searchsorted(order.bounds, end, side="left"))
        cuts = np.clip(order.bounds[first : last + 1], start, end)
        return compact(of_group[first:last], names, np.diff(cuts))

    return pa.dictionary(pa.int32(), names.type), give


def by_row(of_row: npt.NDArray[Any], values: pa.Array) -> tuple[pa.DataType, Column]:
    """A column of which each row has its own value."""
    if _is_text(values.type):
        return pa.dictionary(pa.int32(), values.type), lambda rows, *_: compact(of_row[rows], values)

    def give(rows: npt.NDArray[np.int32], *_: int) -> pa.Array:
        codes = of_row[rows]
        return values.take(pa.array(codes, mask=codes < 0))

    return values.type, give


def drawn(
    of_row: npt.NDArray[Any], values: pa.Array, draw: Callable[[pa.Array], pa.Array]
) -> tuple[pa.DataType, Column]:
    """A column of values that `draw` makes anew for each row, such as noise."""

    def give(rows: npt.NDArray[np.int32], *_: int) -> pa.Array:
        codes = of_row[rows]
        return draw(values.take(pa.array(codes, mask=codes < 0)))

    return draw(values.slice(0, 0)).type, give


def constant(text: str) -> tuple[pa.DataType, Column]:
    """A column that says the same in every row, whether the source had a value there or not."""
    names = pa.array([text])
    return pa.dictionary(pa.int32(), pa.string()), lambda rows, *_: compact(
        np.zeros(len(rows), np.int8), names
    )


def pseudonyms(
    file: TableFile, keys: Mapping[str, bytes], rows: int
) -> dict[str, tuple[pa.DataType, Column]]:
    """Columns of pseudonyms, read from the file in one pass. keys: by column. rows: how many the file has."""
    kept = {name: np.zeros((rows, PSEUDONYM_BYTES), np.uint8) for name in keys}
    missing = {name: np.zeros(rows, np.bool_) for name in keys}
    start = 0
    for batch in batches(file, list(keys)) if keys else ():
        for name, key in keys.items():
            made = pseudonymize(batch.column(name), key)
            absent = made.is_null().to_numpy(zero_copy_only=False)
            whole = made.fill_null(bytes(PSEUDONYM_BYTES)) if absent.any() else made
            begin = whole.offset * PSEUDONYM_BYTES
            data = np.frombuffer(whole.buffers()[1], np.uint8, len(whole) * PSEUDONYM_BYTES, begin)
            kept[name][start : start + len(whole)] = data.reshape(-1, PSEUDONYM_BYTES)
            missing[name][start : start + len(whole)] = absent
        start += batch.num_rows
    kind = pa.binary(PSEUDONYM_BYTES)

    def giver(name: str) -> Column:
        def give(at: npt.NDArray[np.int32], *_: int) -> pa.Array:
            data = pa.py_buffer(np.ascontiguousarray(kept[name][at]))
            gone = missing[name][at]
            valid = pa.array(~gone).buffers()[1] if gone.any() else None
            return pa.FixedSizeBinaryArray.from_buffers(kind, len(at), [valid, data])

        return give

    return {name: (kind, giver(name)) for name in keys}


def class_of_rows(cube: Cube, classes: Classes) -> npt.NDArray[np.int32]:
    """The class of each row, (rows,), -1 for those left out."""
    return np.asarray(cube.of_rows(classes.of_tuple), np.int32)


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
