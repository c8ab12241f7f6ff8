"""What a safe file gives away, measured on the file as it was written: whatever made it is not believed.

One pass over the file, batch by batch: rows are grouped by what they show, persons counted in each group.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from core.parquet import batches
from core.proof import TableFile
from privacy.measures.classes import ClassSizes
from privacy.search.sorting import alike, members
from privacy.search.tuples import Tuples
from privacy.subjects.cube import in_order, sorted_values
from privacy.subjects.encode import Encoder, recoded
from privacy.subjects.grouping import distinct, packed

_FEW = 1 << 20  # combinations of sensitive values that are counted by a place for each


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The classes of a written table. sizes: over persons. tuples, part: its rows grouped by class, person and sensitive
    values, and the class of each, for the models. persons: (classes,) of each. labels: (classes, columns) codes of what each
    shows, in the order of the values, where they were asked for."""

    sizes: ClassSizes
    tuples: Tuples
    part: npt.NDArray[np.int32]
    persons: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int32] | None = None


def shown(
    file: TableFile,
    quasi_identifiers: Sequence[str],
    sensitive: Sequence[str],
    *,
    unit_of_row: npt.NDArray[np.int32] | None,
    orders: Mapping[str, Sequence[str]] | None = None,
    labelled: bool = False,
) -> Shown:
    """The classes that a reader of the file sees. unit_of_row: (rows,) whose each row is, None: each is a person's.

    orders: the order of a sensitive column's values, where that isn't their own. labelled: whether to say what classes show.
    """
    names = [*quasi_identifiers, *sensitive]
    encoders = {name: Encoder() for name in names}
    for batch in batches(file, names, encoded=names) if names else ():
        for name, encoder in encoders.items():
            encoder.add(batch.column(name))
    coded, sizes, secret = [], [], []
    for name in quasi_identifiers:
        values, codes = encoders.pop(name).finish()
        if labelled:
            values, codes = sorted_values(values, codes)
        coded.append(codes)
        sizes.append(len(values))
    for name in sensitive:
        values, codes = encoders.pop(name).finish()
        secret.append(recoded(codes, in_order(values, (orders or {}).get(name, ())), missing=-1))
    part, count = _classes(coded, sizes, file.rows)
    labels = _labels(coded, sizes, part, count) if labelled else None
    keys, key_sizes = [part, *secret], [count, *(int(each.max(initial=-1)) + 1 for each in secret)]
    if unit_of_row is not None:
        keys.append(unit_of_row)
        key_sizes.append(int(unit_of_row.max(initial=-1)) + 1)
    order, bounds = members(part, count)
    secret_sizes = key_sizes[1 : 1 + len(secret)]
    values = packed(secret, secret_sizes)
    if unit_of_row is None and math.prod(size + 1 for size in secret_sizes) <= _FEW:
        value = values[0] if values else np.zeros(len(part), np.int64)
        row, weights = alike(order, bounds, value, int(value.max(initial=0)) + 1)
    else:
        row, weights = _grouped(packed(keys, key_sizes))
    tuples = Tuples(
        codes=np.empty((len(row), 0), np.uint16),
        positions=(),
        weights=np.ones(len(row), np.int32) if unit_of_row is not None else weights.astype(np.int32),
        sensitive=np.stack([each[row] for each in secret], axis=1).astype(np.int32)
        if secret
        else np.empty((len(row), 0), np.int32),
        units=unit_of_row[row] if unit_of_row is not None else None,
    )
    persons = np.diff(bounds)[:count]
    if unit_of_row is not None:
        # Counted from (class, person) pairs, not from the cube's marks: a person in two classes counts in both.
        at, _ = _grouped(packed([part, unit_of_row], [count, key_sizes[-1]]))
        persons = np.bincount(part[at], minlength=count).astype(np.int64)
    units = file.rows if unit_of_row is None else int(np.count_nonzero(np.bincount(unit_of_row)))
    return Shown(
        sizes=ClassSizes(
            classes=count,
            units=units,
            smallest=int(persons.min()) if count else 0,
            singletons=int((persons == 1).sum()),
        ),
        tuples=tuples,
        part=part[row],
        persons=persons,
        labels=labels,
    )


def _labels(
    coded: Sequence[npt.NDArray[Any]], sizes: Sequence[int], part: npt.NDArray[np.int32], count: int
) -> npt.NDArray[np.int32]:
    """What each class shows, (classes, columns): codes, a missing value after all others."""
    member = np.zeros(count, np.int64)
    member[part] = np.arange(len(part))
    labels = np.empty((count, len(coded)), np.int32)
    for place, (codes, size) in enumerate(zip(coded, sizes, strict=True)):
        labels[:, place] = codes[member]
        labels[labels[:, place] < 0, place] = size
    return labels


def _classes(
    coded: Sequence[npt.NDArray[Any]], sizes: Sequence[int], rows: int
) -> tuple[npt.NDArray[np.int32], int]:
    """The class of each row, (rows,), and how many there are. Rows of a class mostly stand together, so first runs of equal
    rows are found, and only those compared."""
    starts = np.zeros(rows, np.bool_)
    starts[:1] = True
    for codes in coded:
        starts[1:] |= codes[1:] != codes[:-1]
    run = np.cumsum(starts, dtype=np.int32) - 1
    begins = np.flatnonzero(starts)
    words = packed([codes[begins] for codes in coded], sizes) or [np.zeros(len(begins), np.int64)]
    of_run, first = distinct(words)
    return (of_run[run] if len(first) < len(begins) else run), len(first)


def _grouped(words: Sequence[npt.NDArray[np.int64]]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """(a row of each distinct tuple, how many rows it has)."""
    if len(words) == 1:
        order = np.argsort(words[0], kind="stable")
        ordered = words[0][order]
        starts = (
            np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(ordered) else order
        )
        return order[starts], np.diff(np.append(starts, len(ordered)))
    number, first = distinct(words)
    return first, np.bincount(number, minlength=len(first)).astype(np.int64)


def whole(path: Path) -> TableFile:
    """A plain written file, for reading it back."""
    rows = pq.read_metadata(path).num_rows
    return TableFile(name=path.stem, path=path, rows=rows, size_bytes=path.stat().st_size, sha256="")
